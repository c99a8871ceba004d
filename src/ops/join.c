/* Tensors put behind one another. */
#include "ops/convert.h"
#include "ops/families.h"

lathe_status lt_infer_cat(LT_INFER_ARGS)
{
    (void)op;
    int dim = attrs->dim.dim;
    if (n_in < 1) LT_FAIL(err, TYPE, "nothing to join");
    if (dim < 0 || dim >= in->rank) LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", dim, in->rank);
    *out = in[0];
    for (int k = 1; k < n_in; k++) {
        lt_type same = in[k];
        char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
        if (same.rank > dim) same.dim[dim] = in->dim[dim];
        if (!lt_type_equal(&same, in))
            LT_FAIL(err, TYPE, "%s and %s do not join along dimension %d", lt_type_print(in, a),
                    lt_type_print(&in[k], b), dim);
        if (!lt_add_i64(out->dim[dim], in[k].dim[dim], &out->dim[dim]))
            LT_FAIL(err, TYPE, "sizes along dimension %d overflow", dim);
    }
    return LATHE_OK;
}

lathe_status lt_ref_cat(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    int dim = call->attrs->dim.dim;
    lt_tensor window = *call->out;
    int64_t step = window.stride[dim] * (int64_t)lathe_dtype_size(window.dtype);
    for (int k = 0; k < call->n_in; k++) {
        window.dim[dim] = call->in[k].dim[dim];
        lt_tensor_copy(&call->in[k], &window);
        window.data = (char *)window.data + window.dim[dim] * step;
    }
    return LATHE_OK;
}
