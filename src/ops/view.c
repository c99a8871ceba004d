/* Views: the same elements under another shape. They cost nothing at run time unless strides cannot express
 * them. */
#include <string.h>

#include "ops/convert.h"
#include "ops/families.h"

lathe_status lt_infer_reshape(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = lt_type_make(in->dtype, attrs->reshape.rank, attrs->reshape.dim);
    char from[LT_TYPE_TEXT], to[LT_TYPE_TEXT];
    LT_TRY(lt_type_check(out, "new shape", err));
    if (lt_type_count(in) != lt_type_count(out))
        LT_FAIL(err, TYPE, "%s cannot become %s", lt_type_print(in, from), lt_type_print(out, to));
    return LATHE_OK;
}

/* Gives each group of old dims that spans the same elements as a group of new dims its strides, or says no.
 */
bool lt_view_reshape(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    lathe_tensor_init(out, in->dtype, attrs->reshape.rank, attrs->reshape.dim, in->data);
    if (lathe_tensor_count(in) == 0 || lt_tensor_is_contiguous(in)) return true;
    int d = out->rank - 1;
    int64_t group = 1, step = in->rank ? in->stride[in->rank - 1] : 1, filled = 1;
    for (int i = in->rank - 1; i >= 0; i--) {
        group *= in->dim[i];
        bool ends = i == 0 || (in->dim[i - 1] != 1 && in->stride[i - 1] != group * step);
        if (!ends) continue;
        while (d >= 0 && (filled < group || out->dim[d] == 1)) {
            out->stride[d] = filled * step;
            filled *= out->dim[d--];
        }
        if (filled != group) return false;
        if (i > 0) step = in->stride[i - 1];
        group = filled = 1;
    }
    return d < 0;
}

lathe_status lt_infer_permute(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    bool seen[LT_MAX_RANK] = {0};
    for (int i = 0; i < in->rank; i++) {
        int from = attrs->permute.dim[i];
        if (from < 0 || from >= in->rank || seen[from]) LT_FAIL(err, TYPE, "dims are not a permutation");
        seen[from] = true;
        out->dim[i] = in->dim[from];
    }
    return LATHE_OK;
}

bool lt_view_permute(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    *out = *in;
    for (int i = 0; i < in->rank; i++) {
        out->dim[i] = in->dim[attrs->permute.dim[i]];
        out->stride[i] = in->stride[attrs->permute.dim[i]];
    }
    return true;
}

lathe_status lt_infer_slice(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    const lt_attrs_slice *s = &attrs->slice;
    if (s->dim < 0 || s->dim >= in->rank)
        LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", s->dim, in->rank);
    int64_t size = in->dim[s->dim], last = s->count ? s->start + (s->count - 1) * s->step : 0;
    if (s->count < 0 || s->step == 0 ||
        (s->count && (s->start < 0 || s->start >= size || last < 0 || last >= size)))
        LT_FAIL(err, TYPE, "%lld elements from %lld by %lld of a dimension of size %lld", (long long)s->count,
                (long long)s->start, (long long)s->step, (long long)size);
    *out = *in;
    out->dim[s->dim] = s->count;
    return LATHE_OK;
}

bool lt_view_slice(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    const lt_attrs_slice *s = &attrs->slice;
    *out = *in;
    out->dim[s->dim] = s->count;
    if (s->count)
        out->data = (char *)in->data + s->start * in->stride[s->dim] * (int64_t)lathe_dtype_size(in->dtype);
    out->stride[s->dim] = in->stride[s->dim] * s->step;
    return true;
}

lathe_status lt_infer_expand(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = lt_type_make(in->dtype, attrs->reshape.rank, attrs->reshape.dim);
    lt_type wide = *out;
    LT_TRY(lt_broadcast(&wide, in, err));
    char from[LT_TYPE_TEXT], to[LT_TYPE_TEXT];
    if (!lt_type_equal(&wide, out))
        LT_FAIL(err, TYPE, "%s does not expand to %s", lt_type_print(in, from), lt_type_print(out, to));
    return LATHE_OK;
}

bool lt_view_expand(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    lathe_tensor_init(out, in->dtype, attrs->reshape.rank, attrs->reshape.dim, in->data);
    for (int i = 0; i < out->rank; i++) {
        int own = i - (out->rank - in->rank);
        bool repeats = own < 0 || (in->dim[own] == 1 && out->dim[i] != 1);
        out->stride[i] = repeats ? 0 : in->stride[own];
    }
    return true;
}

/* Every element that the strides reach lies inside `count` elements. */
static lathe_status check_strided(const lt_attrs_strided *s, int64_t count, lathe_error *err)
{
    int64_t low = s->offset, high = s->offset;
    for (int i = 0; i < s->rank; i++) {
        int64_t span;
        if (s->dim[i] == 0) return LATHE_OK;
        if (s->dim[i] < 0 || !lt_mul_i64(s->dim[i] - 1, s->stride[i], &span) ||
            !lt_add_i64(span < 0 ? low : high, span, span < 0 ? &low : &high))
            LT_FAIL(err, TYPE, "sizes and strides overflow");
    }
    if (low < 0 || high >= count)
        LT_FAIL(err, TYPE, "elements %lld to %lld of a storage of %lld", (long long)low, (long long)high,
                (long long)count);
    return LATHE_OK;
}

lathe_status lt_infer_as_strided(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = lt_type_make(in->dtype, attrs->strided.rank, attrs->strided.dim);
    return check_strided(&attrs->strided, lt_type_count(in), err);
}

static lt_tensor strided_window(const lt_attrs_strided *s, const lt_tensor *base)
{
    lt_tensor out;
    lathe_tensor_init(&out, base->dtype, s->rank, s->dim, base->data);
    memcpy(out.stride, s->stride, (size_t)s->rank * sizeof *s->stride);
    if (lathe_tensor_count(&out))
        out.data = (char *)base->data + s->offset * (int64_t)lathe_dtype_size(base->dtype);
    return out;
}

bool lt_view_as_strided(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    *out = strided_window(&attrs->strided, in);
    return lt_tensor_is_contiguous(in);
}

lathe_status lt_infer_view_dtype(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    out->dtype = attrs->dtype.dtype;
    int64_t from = (int64_t)lathe_dtype_size(in->dtype), to = (int64_t)lathe_dtype_size(out->dtype);
    if (from == to) return LATHE_OK;
    int last = in->rank - 1;
    if (last < 0 || in->dim[last] * from % to != 0)
        LT_FAIL(err, TYPE, "the last dimension of %s does not divide into %s", lathe_dtype_name(in->dtype),
                lathe_dtype_name(out->dtype));
    out->dim[last] = in->dim[last] * from / to;
    return LATHE_OK;
}

bool lt_view_view_dtype(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out)
{
    *out = *in;
    out->dtype = attrs->dtype.dtype;
    int64_t from = (int64_t)lathe_dtype_size(in->dtype), to = (int64_t)lathe_dtype_size(out->dtype);
    if (from == to) return true;
    lt_type type = lt_tensor_type(in);
    type.dtype = out->dtype;
    type.dim[in->rank - 1] = in->dim[in->rank - 1] * from / to;
    *out = lt_tensor_of(&type, in->data);
    return lt_tensor_is_contiguous(in);
}

lathe_status lt_infer_as_strided_scatter(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 2, err));
    lt_type window = lt_type_make(in[0].dtype, attrs->strided.rank, attrs->strided.dim);
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    if (!lt_type_equal(&window, &in[1]))
        LT_FAIL(err, TYPE, "writes %s into a window of %s", lt_type_print(&in[1], a),
                lt_type_print(&window, b));
    *out = in[0];
    return check_strided(&attrs->strided, lt_type_count(&in[0]), err);
}

lathe_status lt_ref_as_strided_scatter(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    if (call->out->data != call->in->data) lt_tensor_copy(&call->in[0], call->out);
    lt_tensor window = strided_window(&call->attrs->strided, call->out);
    lt_tensor_copy(&call->in[1], &window);
    return LATHE_OK;
}

lathe_status lt_infer_copy(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    return LATHE_OK;
}

lathe_status lt_ref_copy(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor_copy(&call->in[0], call->out);
    return LATHE_OK;
}

lathe_status lt_infer_cast(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    out->dtype = attrs->dtype.dtype;
    return LATHE_OK;
}

lathe_status lt_ref_cast(const lt_op_call *call, lathe_error *err) { return lt_ref_copy(call, err); }
