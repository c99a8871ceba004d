/* Matrix products: matmul [..., M, K] x [..., K, N] with equal batch dims, and linear [..., K] x [N, K] (+
 * [N]). Products of bfloat16 and float16 accumulate in float32 and round once, or not at all when
 * attrs.matmul asks for the wide result. */
#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"
#include "ops/product.h"

static lt_dtype result_dtype(const lt_attrs *attrs, lt_dtype dtype)
{
    bool half = lt_dtype_is_half(dtype);
    return half && attrs->matmul.wide ? LATHE_F32 : dtype;
}

lathe_status lt_infer_matmul(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 2, err));
    const lt_type *a = &in[0], *b = &in[1];
    char x[LT_TYPE_TEXT], y[LT_TYPE_TEXT];
    bool fits = a->rank >= 2 && a->rank == b->rank && a->dtype == b->dtype &&
                a->dim[a->rank - 1] == b->dim[b->rank - 2];
    for (int i = 0; fits && i < a->rank - 2; i++) fits = a->dim[i] == b->dim[i];
    if (!fits) LT_FAIL(err, TYPE, "%s times %s", lt_type_print(a, x), lt_type_print(b, y));
    *out = *a;
    out->dtype = result_dtype(attrs, a->dtype);
    out->dim[a->rank - 1] = b->dim[b->rank - 1];
    return LATHE_OK;
}

size_t lt_scratch_matmul(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)attrs, (void)in, (void)n_in;
    return lt_product_scratch();
}

/* The leading dims of a tensor: one element of the view is a matrix. */
static lt_tensor batch_view(const lt_tensor *tensor)
{
    lt_tensor batch = *tensor;
    batch.rank -= 2;
    return batch;
}

lathe_status lt_ref_matmul(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *a = &call->in[0], *b = &call->in[1], *out = call->out;
    int r = a->rank;
    int64_t size = (int64_t)lathe_dtype_size(a->dtype), out_size = (int64_t)lathe_dtype_size(out->dtype);
    lt_product p = {.m = out->dim[r - 2],
                    .n = out->dim[r - 1],
                    .k = a->dim[r - 1],
                    .a_dtype = a->dtype,
                    .b_dtype = b->dtype,
                    .out_dtype = out->dtype,
                    .a_step = {a->stride[r - 2] * size, a->stride[r - 1] * size},
                    .b_step = {b->stride[r - 1] * size, b->stride[r - 2] * size},
                    .out_step = {out->stride[r - 2] * out_size, out->stride[r - 1] * out_size}};
    lt_tensor batches[3] = {batch_view(out), batch_view(a), batch_view(b)};
    lt_iter it;
    lt_iter_start(&it, &batches[0], (const lt_tensor *const[]){&batches[0], &batches[1], &batches[2]}, 3);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            p.out = it.at[0] + i * it.row_step[0];
            p.a = it.at[1] + i * it.row_step[1];
            p.b = it.at[2] + i * it.row_step[2];
            lt_product_run(&p, call->scratch);
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

lathe_status lt_infer_linear(LT_INFER_ARGS)
{
    (void)op;
    const lt_type *x = &in[0], *w = &in[1];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    if (n_in < 2 || n_in > 3) LT_FAIL(err, INTERNAL, "%d inputs, expected 2 or 3", n_in);
    /* Weights may be of half precision beside float32: graphs traced on the meta device have that, and a
     * weight is too large to be converted in each run. */
    bool dtypes = x->dtype == w->dtype || (x->dtype == LATHE_F32 && lt_dtype_is_half(w->dtype));
    if (x->rank < 1 || w->rank != 2 || !dtypes || x->dim[x->rank - 1] != w->dim[1])
        LT_FAIL(err, TYPE, "input %s, weight %s", lt_type_print(x, a), lt_type_print(w, b));
    if (n_in == 3 && (in[2].rank != 1 || in[2].dim[0] != w->dim[0]))
        LT_FAIL(err, TYPE, "weight %s, bias %s", lt_type_print(w, a), lt_type_print(&in[2], b));
    *out = *x;
    out->dtype = result_dtype(attrs, x->dtype);
    out->dim[x->rank - 1] = w->dim[0];
    return LATHE_OK;
}

size_t lt_scratch_linear(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    return lt_scratch_matmul(attrs, in, n_in);
}

lathe_status lt_ref_linear(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    const lt_tensor *bias = call->n_in > 2 ? &call->in[2] : NULL;
    int64_t size = (int64_t)lathe_dtype_size(x->dtype), out_size = (int64_t)lathe_dtype_size(out->dtype),
            w_size = (int64_t)lathe_dtype_size(w->dtype);
    int last = x->rank - 1;
    lt_product p = {.m = 1,
                    .n = w->dim[0],
                    .k = w->dim[1],
                    .a_dtype = x->dtype,
                    .b_dtype = w->dtype,
                    .out_dtype = out->dtype,
                    .b = w->data,
                    .a_step = {0, x->stride[last] * size},
                    .b_step = {w->stride[0] * w_size, w->stride[1] * w_size},
                    .out_step = {0, out->stride[last] * out_size}};
    if (bias) {
        p.bias = bias->data;
        p.bias_dtype = bias->dtype;
        p.bias_step = bias->stride[0] * (int64_t)lathe_dtype_size(bias->dtype);
    }
    /* The leading dims of input and output, walked together: each row of the walk is one product. */
    lt_tensor rows_out = *out, rows_x = *x;
    rows_out.rank = rows_x.rank = last;
    lt_iter it;
    lt_iter_start(&it, &rows_out, (const lt_tensor *const[]){&rows_out, &rows_x}, 2);
    if (!it.row) return LATHE_OK;
    do {
        p.m = it.row;
        p.out = it.at[0];
        p.a = it.at[1];
        p.out_step[0] = it.row_step[0];
        p.a_step[0] = it.row_step[1];
        lt_product_run(&p, call->scratch);
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

/* ---- Products by group: x [S, K], weights [G, K, N], ends int [G]; rows ends[g - 1] … ends[g] of x meet
 * weight g ---- */

lathe_status lt_infer_grouped_matmul(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    LT_TRY(lt_expect_inputs(n_in, 3, err));
    const lt_type *x = &in[0], *w = &in[1], *ends = &in[2];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT], c[LT_TYPE_TEXT];
    bool fits = x->rank == 2 && w->rank == 3 && ends->rank == 1 && x->dtype == w->dtype &&
                x->dim[1] == w->dim[1] && ends->dim[0] == w->dim[0] && lt_dtype_is_int(ends->dtype);
    if (!fits)
        LT_FAIL(err, TYPE, "rows %s, weights %s, ends %s", lt_type_print(x, a), lt_type_print(w, b),
                lt_type_print(ends, c));
    *out = *x;
    out->dim[1] = w->dim[2];
    return LATHE_OK;
}

size_t lt_scratch_grouped_matmul(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)attrs, (void)in, (void)n_in;
    return lt_product_scratch();
}

/* Rows behind the last group are zero. */
lathe_status lt_ref_grouped_matmul(const lt_op_call *call, lathe_error *err)
{
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *ends = &call->in[2], *out = call->out;
    int64_t size = (int64_t)lathe_dtype_size(x->dtype), end_size = (int64_t)lathe_dtype_size(ends->dtype),
            start = 0;
    static const double zero = 0;
    lt_tensor nothing = {.dtype = LATHE_F64, .data = (void *)(uintptr_t)&zero};
    lt_tensor_copy(&nothing, out);
    for (int64_t g = 0; g < w->dim[0]; g++) {
        int64_t end = lt_load_index(ends->dtype, (const char *)ends->data + g * ends->stride[0] * end_size);
        if (end < start || end > x->dim[0])
            LT_FAIL(err, INVALID_ARGUMENT, "group %lld ends at row %lld, expected %lld to %lld", (long long)g,
                    (long long)end, (long long)start, (long long)x->dim[0]);
        lt_product p = {.m = end - start,
                        .n = out->dim[1],
                        .k = x->dim[1],
                        .a = (const char *)x->data + start * x->stride[0] * size,
                        .b = (const char *)w->data + g * w->stride[0] * size,
                        .out = (char *)out->data + start * out->stride[0] * size,
                        .a_dtype = x->dtype,
                        .b_dtype = w->dtype,
                        .out_dtype = out->dtype,
                        .a_step = {x->stride[0] * size, x->stride[1] * size},
                        .b_step = {w->stride[2] * size, w->stride[1] * size},
                        .out_step = {out->stride[0] * size, out->stride[1] * size}};
        if (p.m) lt_product_run(&p, call->scratch);
        start = end;
    }
    return LATHE_OK;
}
