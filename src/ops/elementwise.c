/* Elementwise operators: every formula of scalar.def over broadcast, strided operands of any dtype. Operands
 * are loaded into the class of attrs.compute and the result is rounded once, as PyTorch's CPU kernels do. */
#include <math.h>

#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/iter.h"
#include "ops/special.h"

#pragma GCC diagnostic ignored "-Wfloat-equal"
#pragma GCC diagnostic ignored "-Wconversion" /* formulas mix T with int results of comparisons */

enum { CHUNK = 256 };

/* Python's floor division and modulo; integers by zero give 0, where PyTorch raises. */
static float div_floor_f32(float x, float y)
{
    if (y == 0) return x / y;
    float mod = fmodf(x, y), div = (x - mod) / y;
    if (mod != 0 && (y < 0) != (mod < 0)) div -= 1;
    if (div == 0) return copysignf(0, x / y);
    float floored = floorf(div);
    return div - floored > 0.5f ? floored + 1 : floored;
}

static double div_floor_f64(double x, double y)
{
    if (y == 0) return x / y;
    double mod = fmod(x, y), div = (x - mod) / y;
    if (mod != 0 && (y < 0) != (mod < 0)) div -= 1;
    if (div == 0) return copysign(0, x / y);
    double floored = floor(div);
    return div - floored > 0.5 ? floored + 1 : floored;
}

static float remainder_f32(float x, float y)
{
    float mod = fmodf(x, y);
    return mod != 0 && (y < 0) != (mod < 0) ? mod + y : mod;
}

static double remainder_f64(double x, double y)
{
    double mod = fmod(x, y);
    return mod != 0 && (y < 0) != (mod < 0) ? mod + y : mod;
}

/* The reentrant forms: the others write a global. */
static float log_gamma_f32(float x)
{
    int sign;
    return lgammaf_r(x, &sign);
}

static double log_gamma_f64(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static float mantissa_f32(float x)
{
    int exponent;
    return frexpf(x, &exponent);
}

static double mantissa_f64(double x)
{
    int exponent;
    return frexp(x, &exponent);
}

static float exponent_f32(float x)
{
    int exponent = 0;
    frexpf(x, &exponent);
    return (float)exponent;
}

static double exponent_f64(double x)
{
    int exponent = 0;
    frexp(x, &exponent);
    return exponent;
}

/* x + y * z. In float32 the product is exact in double, where rows vectorise. */
static float fma_f32(float x, float y, float z) { return (float)((double)x + (double)y * (double)z); }
static double fma_f64(double x, double y, double z) { return fma(y, z, x); }
static int64_t fma_i64(int64_t x, int64_t y, int64_t z)
{
    return (int64_t)((uint64_t)x + (uint64_t)y * (uint64_t)z);
}

/* NaN if one of them is. */
static float larger_f32(float x, float y) { return x > y || x != x ? x : y; }
static double larger_f64(double x, double y) { return x > y || x != x ? x : y; }

static int64_t div_trunc_i64(int64_t x, int64_t y)
{
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t fmod_i64(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }

static int64_t div_floor_i64(int64_t x, int64_t y)
{
    int64_t div = div_trunc_i64(x, y);
    return fmod_i64(x, y) != 0 && (x < 0) != (y < 0) ? div - 1 : div;
}

static int64_t remainder_i64(int64_t x, int64_t y)
{
    int64_t mod = fmod_i64(x, y);
    return mod != 0 && (mod < 0) != (y < 0) ? mod + y : mod;
}

static int64_t pow_i64(int64_t x, int64_t y)
{
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t result = 1, base = (uint64_t)x;
    for (; y; y >>= 1, base *= base)
        if (y & 1) result *= base;
    return (int64_t)result;
}

static int64_t gcd_i64(int64_t x, int64_t y)
{
    uint64_t a = x < 0 ? 0 - (uint64_t)x : (uint64_t)x, b = y < 0 ? 0 - (uint64_t)y : (uint64_t)y;
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (int64_t)a;
}

static int64_t lcm_i64(int64_t x, int64_t y)
{
    int64_t divisor = gcd_i64(x, y);
    uint64_t multiple = divisor ? (uint64_t)div_trunc_i64(x, divisor) * (uint64_t)y : 0;
    return (int64_t)multiple < 0 ? (int64_t)(0 - multiple) : (int64_t)multiple;
}

#define T float
#define M(name) name##f
#define FN(name) name##_f32
#define WRAP(a, op, b) ((a)op(b))
#define CLASS_INT 0
#include "ops/elementwise.tmpl.h"
#undef T
#undef M
#undef FN

#define T double
#define M(name) name
#define FN(name) name##_f64
#include "ops/elementwise.tmpl.h"
#undef T
#undef M
#undef FN
#undef WRAP
#undef CLASS_INT

#define T int64_t
#define M(name) name
#define FN(name) name##_i64
#define WRAP(a, op, b) ((int64_t)((uint64_t)(a)op(uint64_t)(b)))
#define CLASS_INT 1
#include "ops/elementwise.tmpl.h"
#undef T
#undef M
#undef FN
#undef WRAP
#undef CLASS_INT

lathe_status lt_infer_elementwise(lt_op op, const lt_attrs *attrs, const lt_type *in, int n_in, lt_type *out,
                                  lathe_error *err)
{
    if (n_in != lt_op_get(op)->n_in)
        LT_FAIL(err, INTERNAL, "%d operands, expected %d", n_in, lt_op_get(op)->n_in);
    lt_type shape = {0};
    for (int k = 0; k < n_in; k++) LT_TRY(lt_broadcast(&shape, &in[k], err));
    shape.dtype = attrs->elementwise.out;
    *out = shape;
    return LATHE_OK;
}

lathe_status lt_ref_elementwise(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *operands[LT_ITER_OPERANDS] = {&call->out[0]};
    for (int k = 0; k < call->n_in; k++) operands[k + 1] = &call->in[k];
    lt_iter it;
    lt_iter_start(&it, &call->out[0], operands, call->n_in + 1);
    if (!it.row) return LATHE_OK;
    lt_class class = lt_class_of(call->attrs->elementwise.compute);
    do {
        switch (class) {
        case LT_CLASS_F32: row_strided_f32(call, &it); break;
        case LT_CLASS_F64: row_strided_f64(call, &it); break;
        case LT_CLASS_I64: row_strided_i64(call, &it); break;
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}
