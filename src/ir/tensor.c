/* Dtypes, shapes and tensor views; nothing here allocates. */
#include "ir/tensor.h"

#include <stdio.h>
#include <string.h>

const char *lathe_dtype_name(lathe_dtype dtype)
{
    static const char *const names[] = {
#define X(name, text, bytes) text,
        LATHE_DTYPE_LIST(X)
#undef X
    };
    return (unsigned)dtype < LATHE_DTYPE_COUNT ? names[dtype] : "?";
}

size_t lathe_dtype_size(lathe_dtype dtype)
{
    static const uint8_t sizes[] = {
#define X(name, text, bytes) bytes,
        LATHE_DTYPE_LIST(X)
#undef X
    };
    return (unsigned)dtype < LATHE_DTYPE_COUNT ? sizes[dtype] : 0;
}

lt_dtype lt_dtype_from_name(const char *name)
{
    if (strncmp(name, "torch.", 6) == 0) name += 6;
    for (int i = 0; i < LATHE_DTYPE_COUNT; i++)
        if (strcmp(name, lathe_dtype_name((lt_dtype)i)) == 0) return (lt_dtype)i;
    return LATHE_DTYPE_COUNT;
}

lt_dtype lt_dtype_promote(lt_dtype a, lt_dtype b)
{
    if (a == b) return a;
    if (lt_dtype_is_float(a) && lt_dtype_is_float(b)) {
        if (a > b) return lt_dtype_promote(b, a);
        return a == LATHE_F16 && b == LATHE_BF16 ? LATHE_F32 : b; /* the enum orders floats by precision */
    }
    if (lt_dtype_is_float(a)) return a;
    if (lt_dtype_is_float(b)) return b;
    if (a > b) return lt_dtype_promote(b, a);
    return a == LATHE_U8 && b == LATHE_I8 ? LATHE_I16 : b; /* bool < uint8 < int8 < … < int64 */
}

lt_dtype lt_dtype_of_complex(const char *name)
{
    if (name && strcmp(name, "complex64") == 0) return LATHE_F32;
    return name && strcmp(name, "complex128") == 0 ? LATHE_F64 : LATHE_DTYPE_COUNT;
}

lt_type lt_type_make(lt_dtype dtype, int rank, const int64_t *dim)
{
    lt_assert(rank >= 0 && rank <= LT_MAX_RANK);
    lt_type type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++) type.dim[i] = dim[i];
    return type;
}

bool lt_type_equal(const lt_type *a, const lt_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

int64_t lt_type_count(const lt_type *type)
{
    int64_t count = 1;
    for (int i = 0; i < type->rank; i++) count *= type->dim[i];
    return count;
}

size_t lt_type_bytes(const lt_type *type)
{
    return (size_t)lt_type_count(type) * lathe_dtype_size(type->dtype);
}

lathe_status lt_type_check(const lt_type *type, const char *what, lathe_error *err)
{
    if (type->rank < 0 || type->rank > LT_MAX_RANK)
        LT_FAIL(err, LIMIT, "%s: rank %d, at most %d is supported", what, type->rank, LT_MAX_RANK);
    /* Strides of empty tensors count zero sizes as one, so the product must fit without them too. */
    int64_t bytes = (int64_t)lathe_dtype_size(type->dtype);
    for (int i = 0; i < type->rank; i++) {
        if (type->dim[i] < 0)
            LT_FAIL(err, TYPE, "%s: dimension %d has size %lld", what, i, (long long)type->dim[i]);
        if (!lt_mul_i64(bytes, lt_max_i64(type->dim[i], 1), &bytes) || bytes > LT_MAX_BYTES)
            LT_FAIL(err, LIMIT, "%s: its size in bytes overflows 48 bits", what);
    }
    return LATHE_OK;
}

const char *lt_type_print(const lt_type *type, char text[LT_TYPE_TEXT])
{
    int at = snprintf(text, LT_TYPE_TEXT, "%s[", lathe_dtype_name(type->dtype));
    for (int i = 0; i < type->rank && at < LT_TYPE_TEXT - 2; i++)
        at += snprintf(text + at, (size_t)(LT_TYPE_TEXT - at), i ? ",%lld" : "%lld", (long long)type->dim[i]);
    if (at > LT_TYPE_TEXT - 2) at = LT_TYPE_TEXT - 2;
    text[at] = ']';
    text[at + 1] = '\0';
    return text;
}

void lt_contiguous_strides(int rank, const int64_t *dim, int64_t *stride)
{
    int64_t step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= lt_max_i64(dim[i], 1);
    }
}

void lathe_tensor_init(lathe_tensor *tensor, lathe_dtype dtype, int rank, const int64_t *dim, void *data)
{
    *tensor = (lathe_tensor){.dtype = dtype, .rank = rank, .data = data};
    for (int i = 0; i < rank && i < LATHE_MAX_RANK; i++) tensor->dim[i] = dim[i];
    lt_contiguous_strides(rank, tensor->dim, tensor->stride);
}

int64_t lathe_tensor_count(const lathe_tensor *tensor)
{
    lt_type type = lt_tensor_type(tensor);
    return lt_type_count(&type);
}

lt_tensor lt_tensor_of(const lt_type *type, void *data)
{
    lt_tensor tensor;
    lathe_tensor_init(&tensor, type->dtype, type->rank, type->dim, data);
    return tensor;
}

lt_type lt_tensor_type(const lt_tensor *tensor)
{
    return lt_type_make(tensor->dtype, tensor->rank, tensor->dim);
}

bool lt_tensor_is_contiguous(const lt_tensor *tensor)
{
    int64_t step = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->dim[i] != 1 && tensor->stride[i] != step) return false;
        step *= lt_max_i64(tensor->dim[i], 1);
    }
    return true;
}
