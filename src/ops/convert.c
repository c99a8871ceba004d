/* Row conversion between dtypes and arithmetic classes. */
#include "ops/convert.h"

#include <string.h>

#include "base/half.h"
#include "ops/iter.h"

static int64_t f64_to_i64(double x)
{
    return x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}

/* x86 converts to int32, and narrows that for the smaller signed types; PyTorch's answers show it. */
static int32_t f64_to_i32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN; }

/* For each storage type: how an element becomes a T, and how a T becomes an element. */
#define GET_BOOL(x) ((x) != 0)
#define GET_SAME(x) (x)
#define FOR_DTYPES(X, T, PUT)                        \
    X(BOOL, uint8_t, T, GET_BOOL, PUT##_BOOL)        \
    X(U8, uint8_t, T, GET_SAME, PUT##_INT)           \
    X(I8, int8_t, T, GET_SAME, PUT##_SMALL)          \
    X(I16, int16_t, T, GET_SAME, PUT##_SMALL)        \
    X(I32, int32_t, T, GET_SAME, PUT##_SMALL)        \
    X(I64, int64_t, T, GET_SAME, PUT##_INT)          \
    X(F16, uint16_t, T, lt_f16_to_f32, PUT##_F16)    \
    X(BF16, uint16_t, T, lt_bf16_to_f32, PUT##_BF16) \
    X(F32, float, T, GET_SAME, PUT##_FLOAT)          \
    X(F64, double, T, GET_SAME, PUT##_FLOAT)

#define LOAD_CASE(ID, S, T, GET, PUT)                                                                    \
    case LATHE_##ID:                                                                                     \
        if (step == sizeof(S))                                                                           \
            for (int64_t i = 0; i < n; i++) to[i] = (T)GET(((const S *)from)[i]);                        \
        else                                                                                             \
            for (int64_t i = 0; i < n; i++) to[i] = (T)GET(*(const S *)((const char *)from + i * step)); \
        break;

#define STORE_CASE(ID, S, T, GET, PUT)                                                       \
    case LATHE_##ID:                                                                         \
        if (step == sizeof(S))                                                               \
            for (int64_t i = 0; i < n; i++) ((S *)to)[i] = (S)PUT(from[i]);                  \
        else                                                                                 \
            for (int64_t i = 0; i < n; i++) *(S *)((char *)to + i * step) = (S)PUT(from[i]); \
        break;

#define FROM_FLOAT_BOOL(x) ((x) != 0)
#define FROM_FLOAT_SMALL(x) f64_to_i32((double)(x))
#define FROM_FLOAT_INT(x) f64_to_i64((double)(x))
#define FROM_FLOAT_F16(x) lt_f32_to_f16((float)(x))
#define FROM_FLOAT_BF16(x) lt_f32_to_bf16((float)(x))
#define FROM_FLOAT_FLOAT(x) (x)
#define FROM_INT_BOOL(x) ((x) != 0)
#define FROM_INT_SMALL(x) (x)
#define FROM_INT_INT(x) (x)
#define FROM_INT_F16(x) lt_f32_to_f16((float)(x))
#define FROM_INT_BF16(x) lt_f32_to_bf16((float)(x))
#define FROM_INT_FLOAT(x) (x)

#define DEFINE_CLASS(suffix, T, PUT)                                                         \
    void lt_load_##suffix(lt_dtype dtype, const void *from, int64_t step, int64_t n, T *to)  \
    {                                                                                        \
        switch (dtype) {                                                                     \
            FOR_DTYPES(LOAD_CASE, T, PUT)                                                    \
        case LATHE_DTYPE_COUNT: break;                                                       \
        }                                                                                    \
    }                                                                                        \
    void lt_store_##suffix(lt_dtype dtype, void *to, int64_t step, int64_t n, const T *from) \
    {                                                                                        \
        switch (dtype) {                                                                     \
            FOR_DTYPES(STORE_CASE, T, PUT)                                                   \
        case LATHE_DTYPE_COUNT: break;                                                       \
        }                                                                                    \
    }

#pragma GCC diagnostic ignored "-Wfloat-equal"
DEFINE_CLASS(f32, float, FROM_FLOAT)
DEFINE_CLASS(f64, double, FROM_FLOAT)
/* int64 from floats goes through f64_to_i64 below: a plain cast of what does not fit is undefined. */
static void load_i64_from_float(lt_dtype dtype, const void *from, int64_t step, int64_t n, int64_t *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = f64_to_i64(lt_load_one(dtype, (const char *)from + i * step));
}

#define LOAD_I64_CASE(ID, S, T, GET, PUT)                                                                  \
    case LATHE_##ID:                                                                                       \
        for (int64_t i = 0; i < n; i++) to[i] = (int64_t)GET(*(const S *)((const char *)from + i * step)); \
        break;

void lt_load_i64(lt_dtype dtype, const void *from, int64_t step, int64_t n, int64_t *to)
{
    if (lt_dtype_is_float(dtype)) {
        load_i64_from_float(dtype, from, step, n, to);
        return;
    }
    switch (dtype) {
        LOAD_I64_CASE(BOOL, uint8_t, int64_t, GET_BOOL, )
        LOAD_I64_CASE(U8, uint8_t, int64_t, GET_SAME, )
        LOAD_I64_CASE(I8, int8_t, int64_t, GET_SAME, )
        LOAD_I64_CASE(I16, int16_t, int64_t, GET_SAME, )
        LOAD_I64_CASE(I32, int32_t, int64_t, GET_SAME, )
        LOAD_I64_CASE(I64, int64_t, int64_t, GET_SAME, )
    default: break;
    }
}

void lt_store_i64(lt_dtype dtype, void *to, int64_t step, int64_t n, const int64_t *from)
{
    switch (dtype) {
        FOR_DTYPES(STORE_CASE, int64_t, FROM_INT)
    case LATHE_DTYPE_COUNT: break;
    }
}

double lt_load_one(lt_dtype dtype, const void *from)
{
    double value = 0;
    lt_load_f64(dtype, from, 0, 1, &value);
    return value;
}

int64_t lt_load_index(lt_dtype dtype, const void *from)
{
    int64_t value = 0;
    lt_load_i64(dtype, from, 0, 1, &value);
    return value;
}

#define MOVE_CASE(T)                                                                             \
    case sizeof(T):                                                                              \
        for (int64_t i = 0; i < n; i++)                                                          \
            *(T *)((char *)to + i * to_step) = *(const T *)((const char *)from + i * from_step); \
        break;

void lt_move_row(size_t size, void *to, int64_t to_step, const void *from, int64_t from_step, int64_t n)
{
    if (to_step == (int64_t)size && from_step == (int64_t)size) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    switch (size) {
        MOVE_CASE(uint8_t)
        MOVE_CASE(uint16_t)
        MOVE_CASE(uint32_t)
        MOVE_CASE(uint64_t)
    }
}

enum { CHUNK = 512 };

/* Values of one row through a class wide enough for both ends. */
static void copy_row(const lt_iter *it, lt_dtype to, lt_dtype from)
{
    union {
        float f32[CHUNK];
        double f64[CHUNK];
        int64_t i64[CHUNK];
    } buffer;
    /* float64 goes through double; integers through int64, to float32 and below by way of their nearest
     * float. */
    lt_class class = lt_class_of(from);
    for (int64_t at = 0; at < it->row; at += CHUNK) {
        int64_t n = lt_min_i64(CHUNK, it->row - at);
        char *dst = it->at[0] + at * it->row_step[0];
        const char *src = it->at[1] + at * it->row_step[1];
        switch (class) {
        case LT_CLASS_F32:
            lt_load_f32(from, src, it->row_step[1], n, buffer.f32);
            lt_store_f32(to, dst, it->row_step[0], n, buffer.f32);
            break;
        case LT_CLASS_F64:
            lt_load_f64(from, src, it->row_step[1], n, buffer.f64);
            lt_store_f64(to, dst, it->row_step[0], n, buffer.f64);
            break;
        case LT_CLASS_I64:
            lt_load_i64(from, src, it->row_step[1], n, buffer.i64);
            lt_store_i64(to, dst, it->row_step[0], n, buffer.i64);
            break;
        }
    }
}

void lt_tensor_copy(const lt_tensor *from, const lt_tensor *to)
{
    lt_iter it;
    lt_iter_start(&it, to, (const lt_tensor *const[]){to, from}, 2);
    if (!it.row) return;
    size_t size = lathe_dtype_size(to->dtype);
    do {
        if (from->dtype == to->dtype)
            lt_move_row(size, it.at[0], it.row_step[0], it.at[1], it.row_step[1], it.row);
        else copy_row(&it, to->dtype, from->dtype);
    } while (lt_iter_next(&it));
}
