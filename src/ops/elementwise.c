/* Elementwise operators: every formula of scalar.def over broadcast, strided operands of any dtype. Operands
 * are loaded into the class of attrs.compute and the result is rounded once, as PyTorch's CPU kernels do. */
#include <math.h>

#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/iter.h"

#pragma GCC diagnostic ignored "-Wfloat-equal"
#pragma GCC diagnostic ignored "-Wconversion" /* formulas mix T with int results of comparisons */

enum { CHUNK = 256 };

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

/* x + y * z. In float32 the product is exact in double, where rows vectorise. */
static float fma_f32(float x, float y, float z) { return (float)((double)x + (double)y * (double)z); }
static double fma_f64(double x, double y, double z) { return fma(y, z, x); }

#define LT_FN static inline
#define MD(name) name
#include "ops/scalar_int.tmpl.h"
#include "ops/special.tmpl.h"

#define T float
#define M(name) name##f
#define FN(name) name##_f32
#define WRAP(a, op, b) ((a)op(b))
#define CLASS_INT 0
#include "ops/scalar_float.tmpl.h"

#include "ops/elementwise.tmpl.h"
#undef T
#undef M
#undef FN

#define T double
#define M(name) name
#define FN(name) name##_f64
#include "ops/scalar_float.tmpl.h"

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
