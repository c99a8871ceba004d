/* Softmax and log-softmax along any dim, each row in the class of the result and rounded once. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

#define T float
#define M(name) name##f
#define FN(name) name##_f32
#include "ops/softmax.tmpl.h"
#undef T
#undef M
#undef FN

#define T double
#define M(name) name
#define FN(name) name##_f64
#include "ops/softmax.tmpl.h"

lathe_status lt_infer_softmax(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_softmax *s = &attrs->softmax;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (s->dim < 0 || s->dim >= in->rank)
        LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", s->dim, in->rank);
    if (!lt_dtype_is_float(s->dtype)) LT_FAIL(err, TYPE, "result of type %s", lathe_dtype_name(s->dtype));
    *out = *in;
    out->dtype = s->dtype;
    return LATHE_OK;
}

/* One row. */
size_t lt_scratch_softmax(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return (size_t)in->dim[attrs->softmax.dim] * sizeof(double);
}

lathe_status lt_ref_softmax(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_attrs_softmax *attrs = &call->attrs->softmax;
    lt_tensor rows[2] = {call->out[0], call->in[0]};
    int64_t n = call->in->dim[attrs->dim], step[2];
    for (int k = 0; k < 2; k++) {
        step[k] = rows[k].stride[attrs->dim] * (int64_t)lathe_dtype_size(rows[k].dtype);
        rows[k].dim[attrs->dim] = 1;
    }
    lt_iter it;
    lt_iter_start(&it, &rows[0], (const lt_tensor *const[]){&rows[0], &rows[1]}, 2);
    if (!it.row || !n) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            char *to = it.at[0] + i * it.row_step[0];
            const char *from = it.at[1] + i * it.row_step[1];
            if (attrs->dtype == LATHE_F64) {
                lt_load_f64(call->in->dtype, from, step[1], n, call->scratch);
                softmax_row_f64(attrs, call->scratch, n);
                lt_store_f64(attrs->dtype, to, step[0], n, call->scratch);
            } else {
                lt_load_f32(call->in->dtype, from, step[1], n, call->scratch);
                softmax_row_f32(attrs, call->scratch, n);
                lt_store_f32(attrs->dtype, to, step[0], n, call->scratch);
            }
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}
