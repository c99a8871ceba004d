/* Layer norm and RMS norm over the last dims: x, and optionally weight and bias of the normalised shape, give
 * the normalised x and, per row, the statistics in float32 (float64 for float64): mean and 1/deviation, or
 * 1/rms. Everything is computed in float32 and rounded once, or before the weight as well where the
 * attributes say so; sums are taken in double. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

#define T float
#define FN(name) name##_f32
#include "ops/norm.tmpl.h"
#undef T
#undef FN
#define T double
#define FN(name) name##_f64
#include "ops/norm.tmpl.h"

static lathe_status infer_norm(const lt_attrs *attrs, const lt_type *in, int n_in, lt_type *out, int n_out,
                               lathe_error *err)
{
    const lt_type *x = &in[0];
    int n_dims = attrs->norm.n_dims;
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    if (n_in < 1 || n_in > n_out) LT_FAIL(err, INTERNAL, "%d inputs, expected 1 to %d", n_in, n_out);
    if (!lt_dtype_is_float(x->dtype) || n_dims < 1 || n_dims > x->rank)
        LT_FAIL(err, TYPE, "%s over its last %d dims", lt_type_print(x, a), n_dims);
    for (int k = 1; k < n_in; k++) {
        bool fits = in[k].rank == n_dims;
        for (int i = 0; fits && i < n_dims; i++) fits = in[k].dim[i] == x->dim[x->rank - n_dims + i];
        if (!fits)
            LT_FAIL(err, TYPE, "%s for the last %d dims of %s", lt_type_print(&in[k], b), n_dims,
                    lt_type_print(x, a));
    }
    out[0] = *x;
    for (int k = 1; k < n_out; k++) {
        out[k] = *x;
        out[k].dtype = x->dtype == LATHE_F64 ? LATHE_F64 : LATHE_F32;
        for (int i = x->rank - n_dims; i < x->rank; i++) out[k].dim[i] = 1;
    }
    return LATHE_OK;
}

static size_t norm_scratch(const lt_attrs *attrs, const lt_type *in)
{
    size_t bytes = 3 * sizeof(double); /* a row, the weight, the bias */
    for (int i = in->rank - attrs->norm.n_dims; i < in->rank; i++)
        if (!lt_mul_size(bytes, (size_t)in->dim[i], &bytes)) return SIZE_MAX / 2; /* more than there is */
    return bytes;
}

static lathe_status ref_norm(const lt_op_call *call)
{
    int outer = call->in->rank - call->attrs->norm.n_dims;
    lt_tensor x = call->in[0], y = call->out[0], s0 = call->out[1];
    lt_tensor s1 = call->op == LT_OP_LAYER_NORM ? call->out[2] : s0;
    x.rank = y.rank = s0.rank = s1.rank = outer;
    lt_iter it;
    lt_iter_start(&it, &y, (const lt_tensor *const[]){&y, &x, &s0, &s1}, 4);
    if (!it.row) return LATHE_OK;
    if (call->in->dtype == LATHE_F64) norm_f64(call, &it);
    else norm_f32(call, &it);
    return LATHE_OK;
}

lathe_status lt_infer_layer_norm(LT_INFER_ARGS)
{
    (void)op;
    return infer_norm(attrs, in, n_in, out, 3, err);
}

size_t lt_scratch_layer_norm(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return norm_scratch(attrs, in);
}

lathe_status lt_ref_layer_norm(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    return ref_norm(call);
}

lathe_status lt_infer_rms_norm(LT_INFER_ARGS)
{
    (void)op;
    return infer_norm(attrs, in, n_in, out, 2, err);
}

size_t lt_scratch_rms_norm(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return norm_scratch(attrs, in);
}

lathe_status lt_ref_rms_norm(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    return ref_norm(call);
}
