/* Dtypes, shapes and tensor views. */
#ifndef LT_TENSOR_H
#define LT_TENSOR_H

#include "base/error.h"

typedef lathe_dtype lt_dtype;
typedef lathe_tensor lt_tensor;

enum { LT_MAX_RANK = LATHE_MAX_RANK };
/* Of one tensor, views that repeat elements included: more than any machine has, and so little that sizes can
 * be added and multiplied by small numbers without a check. */
#define LT_MAX_BYTES (INT64_C(1) << 48)

/* The logical type of a value: how it lies in memory is a matter of the lt_tensor that shows it. */
typedef struct lt_type {
    lt_dtype dtype;
    int rank;
    int64_t dim[LT_MAX_RANK]; /* unused entries are 0, so types compare with lt_type_equal or memcmp */
} lt_type;

static inline bool lt_dtype_is_float(lt_dtype dtype) { return dtype >= LATHE_F16 && dtype <= LATHE_F64; }
static inline bool lt_dtype_is_half(lt_dtype dtype) { return dtype == LATHE_BF16 || dtype == LATHE_F16; }
static inline bool lt_dtype_is_int(lt_dtype dtype) { return dtype >= LATHE_U8 && dtype <= LATHE_I64; }

/* The type that PyTorch's kernels for half-precision tensors compute in. */
static inline lt_dtype lt_dtype_wide(lt_dtype dtype) { return lt_dtype_is_half(dtype) ? LATHE_F32 : dtype; }

/* PyTorch's type promotion lattice (c10::promoteTypes). */
lt_dtype lt_dtype_promote(lt_dtype a, lt_dtype b);

/* dtype from PyTorch's name, with or without "torch."; LATHE_DTYPE_COUNT when unknown. */
lt_dtype lt_dtype_from_name(const char *name);

/* The type of both parts of a complex dtype; LATHE_DTYPE_COUNT when the name, which may be NULL, is of none.
 */
lt_dtype lt_dtype_of_complex(const char *name);

lt_type lt_type_make(lt_dtype dtype, int rank, const int64_t *dim);
bool lt_type_equal(const lt_type *a, const lt_type *b);
int64_t lt_type_count(const lt_type *type); /* elements; 1 for rank 0 */
size_t lt_type_bytes(const lt_type *type);

/* Refuses negative sizes, rank over LT_MAX_RANK and byte counts over LT_MAX_BYTES; `what` names the tensor.
 */
lathe_status lt_type_check(const lt_type *type, const char *what, lathe_error *err) LT_MUST_USE;

/* "float32[2,3]", written into `text`; returns `text`. */
enum { LT_TYPE_TEXT = 128 };
const char *lt_type_print(const lt_type *type, char text[LT_TYPE_TEXT]);

/* A contiguous view of `data`. */
lt_tensor lt_tensor_of(const lt_type *type, void *data);
lt_type lt_tensor_type(const lt_tensor *tensor);
bool lt_tensor_is_contiguous(const lt_tensor *tensor); /* row-major, dims of size 1 do not matter */

/* Row-major strides in elements. */
void lt_contiguous_strides(int rank, const int64_t *dim, int64_t *stride);

#endif
