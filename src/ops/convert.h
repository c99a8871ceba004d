/* Rows of any dtype to and from the three classes that arithmetic is done in. */
#ifndef LT_CONVERT_H
#define LT_CONVERT_H

#include "ir/tensor.h"

/* Loads n elements that lie `step` bytes apart. bool loads as 0 or 1. */
void lt_load_f32(lt_dtype dtype, const void *from, int64_t step, int64_t n, float *to);
void lt_load_f64(lt_dtype dtype, const void *from, int64_t step, int64_t n, double *to);
void lt_load_i64(lt_dtype dtype, const void *from, int64_t step, int64_t n, int64_t *to);

/* Stores n elements, rounding to nearest even, truncating toward zero from floats to integers (values that do
 * not fit int64, or int32 for the signed types up to it, give its least and then wrap), wrapping between
 * integers; to bool: whether not zero. */
void lt_store_f32(lt_dtype dtype, void *to, int64_t step, int64_t n, const float *from);
void lt_store_f64(lt_dtype dtype, void *to, int64_t step, int64_t n, const double *from);
void lt_store_i64(lt_dtype dtype, void *to, int64_t step, int64_t n, const int64_t *from);

/* Integers as their low 64 bits: unsigned, so that arithmetic on them wraps. */
static inline void lt_load_u64(lt_dtype dtype, const void *from, int64_t step, int64_t n, uint64_t *to)
{
    lt_load_i64(dtype, from, step, n, (int64_t *)to);
}

static inline void lt_store_u64(lt_dtype dtype, void *to, int64_t step, int64_t n, const uint64_t *from)
{
    lt_store_i64(dtype, to, step, n, (const int64_t *)from);
}

/* One element at an address. */
double lt_load_one(lt_dtype dtype, const void *from);
int64_t lt_load_index(lt_dtype dtype, const void *from);

/* The class that PyTorch computes a dtype in. */
typedef enum lt_class { LT_CLASS_F32, LT_CLASS_F64, LT_CLASS_I64 } lt_class;
static inline lt_class lt_class_of(lt_dtype dtype)
{
    return dtype == LATHE_F64 ? LT_CLASS_F64 : lt_dtype_is_float(dtype) ? LT_CLASS_F32 : LT_CLASS_I64;
}

/* Moves n elements of `size` bytes that lie `step` bytes apart; bits stay as they are. */
void lt_move_row(size_t size, void *to, int64_t to_step, const void *from, int64_t from_step, int64_t n);

/* Copies values between tensors of one shape (source may broadcast), converting as torch.Tensor.copy_ does.
 */
void lt_tensor_copy(const lt_tensor *from, const lt_tensor *to);

#endif
