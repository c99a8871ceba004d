/* Tensors made from nothing: arithmetic progressions. */
#include "ops/convert.h"
#include "ops/families.h"

lathe_status lt_infer_iota(LT_INFER_ARGS)
{
    (void)op, (void)in;
    LT_TRY(lt_expect_inputs(n_in, 0, err));
    *out = lt_type_make(attrs->iota.dtype, 1, &attrs->iota.count);
    return LATHE_OK;
}

lathe_status lt_ref_iota(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_attrs_iota *iota = &call->attrs->iota;
    int64_t size = (int64_t)lathe_dtype_size(iota->dtype);
    for (int64_t i = 0; i < iota->count; i++) {
        char *to = (char *)call->out->data + i * call->out->stride[0] * size;
        if (lt_dtype_is_float(iota->dtype)) {
            double value = iota->start + (double)i * iota->step;
            lt_store_f64(iota->dtype, to, 0, 1, &value);
        } else {
            int64_t value = (int64_t)((uint64_t)iota->int_start + (uint64_t)i * (uint64_t)iota->int_step);
            lt_store_i64(iota->dtype, to, 0, 1, &value);
        }
    }
    return LATHE_OK;
}
