/* Reductions over any set of dims. Sums of floats accumulate in double, of integers in wrapping int64. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

static lathe_status infer_reduce(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    const lt_attrs_reduce *r = &attrs->reduce;
    *out = (lt_type){.dtype = r->dtype};
    for (int i = 0; i < in->rank; i++) {
        if (!r->dims[i]) out->dim[out->rank++] = in->dim[i];
        else if (r->keepdim) out->dim[out->rank++] = 1;
    }
    return LATHE_OK;
}

/* max and min have no identity, so every reduced dim must hold something. */
static lathe_status infer_extremum(LT_INFER_ARGS)
{
    LT_TRY(infer_reduce(op, attrs, in, n_in, out, err));
    for (int i = 0; i < in->rank; i++)
        if (attrs->reduce.dims[i] && in->dim[i] == 0 && lt_type_count(out) != 0)
            LT_FAIL(err, TYPE, "dimension %d is empty and the reduction has no identity", i);
    return LATHE_OK;
}

/* Splits the input into the view of the kept dims (in the order of the output's) and that of the reduced
 * dims. */
static void split_dims(const lt_op_call *call, lt_tensor *kept, lt_tensor *reduced)
{
    const lt_tensor *in = call->in;
    *kept = (lt_tensor){.dtype = in->dtype, .data = in->data};
    *reduced = *kept;
    for (int i = 0; i < in->rank; i++) {
        bool drop = call->attrs->reduce.dims[i];
        lt_tensor *to = drop ? reduced : kept;
        to->dim[to->rank] = in->dim[i];
        to->stride[to->rank++] = in->stride[i];
        if (!drop || !call->attrs->reduce.keepdim) continue;
        kept->dim[kept->rank] = 1;
        kept->stride[kept->rank++] = 0;
    }
}

enum { CHUNK = 256 };

static double fold_f64(lt_op op, double acc, const double *x, int64_t n)
{
    switch (op) {
    case LT_OP_REDUCE_PROD:
        for (int64_t i = 0; i < n; i++) acc *= x[i];
        break;
    case LT_OP_REDUCE_MAX:
        for (int64_t i = 0; i < n && !isnan(acc); i++) acc = x[i] <= acc ? acc : x[i];
        break;
    case LT_OP_REDUCE_MIN:
        for (int64_t i = 0; i < n && !isnan(acc); i++) acc = x[i] >= acc ? acc : x[i];
        break;
    default: /* sum and mean */
        for (int64_t i = 0; i < n; i++) acc += x[i];
    }
    return acc;
}

static int64_t fold_i64(lt_op op, int64_t acc, const int64_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) switch (op) {
        case LT_OP_REDUCE_PROD: acc = (int64_t)((uint64_t)acc * (uint64_t)x[i]); break;
        case LT_OP_REDUCE_MAX: acc = lt_max_i64(acc, x[i]); break;
        case LT_OP_REDUCE_MIN: acc = lt_min_i64(acc, x[i]); break;
        default: acc = (int64_t)((uint64_t)acc + (uint64_t)x[i]);
        }
    return acc;
}

static double reduce_f64(lt_op op, const lt_tensor *reduced, int64_t count)
{
    double buffer[CHUNK];
    double acc = op == LT_OP_REDUCE_PROD  ? 1
                 : op == LT_OP_REDUCE_MAX ? -INFINITY
                 : op == LT_OP_REDUCE_MIN ? INFINITY
                                          : 0;
    lt_iter it;
    lt_iter_start(&it, reduced, &reduced, 1);
    if (it.row) do {
            for (int64_t at = 0; at < it.row; at += CHUNK) {
                int64_t n = lt_min_i64(CHUNK, it.row - at);
                lt_load_f64(reduced->dtype, it.at[0] + at * it.row_step[0], it.row_step[0], n, buffer);
                acc = fold_f64(op, acc, buffer, n);
            }
        } while (lt_iter_next(&it));
    return op == LT_OP_REDUCE_MEAN ? acc / (double)count : acc;
}

static int64_t reduce_i64(lt_op op, const lt_tensor *reduced)
{
    int64_t buffer[CHUNK];
    int64_t acc = op == LT_OP_REDUCE_PROD  ? 1
                  : op == LT_OP_REDUCE_MAX ? INT64_MIN
                  : op == LT_OP_REDUCE_MIN ? INT64_MAX
                                           : 0;
    lt_iter it;
    lt_iter_start(&it, reduced, &reduced, 1);
    if (it.row) do {
            for (int64_t at = 0; at < it.row; at += CHUNK) {
                int64_t n = lt_min_i64(CHUNK, it.row - at);
                lt_load_i64(reduced->dtype, it.at[0] + at * it.row_step[0], it.row_step[0], n, buffer);
                acc = fold_i64(op, acc, buffer, n);
            }
        } while (lt_iter_next(&it));
    return acc;
}

static lathe_status ref_reduce(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor kept, reduced;
    split_dims(call, &kept, &reduced);
    int64_t count = lathe_tensor_count(&reduced);
    bool floats = lt_dtype_is_float(call->out->dtype) || lt_dtype_is_float(call->in->dtype);
    lt_iter it;
    lt_iter_start(&it, call->out, (const lt_tensor *const[]){call->out, &kept}, 2);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            reduced.data = it.at[1] + i * it.row_step[1];
            char *to = it.at[0] + i * it.row_step[0];
            if (floats) {
                double value = reduce_f64(call->op, &reduced, count);
                lt_store_f64(call->out->dtype, to, 0, 1, &value);
            } else {
                int64_t value = reduce_i64(call->op, &reduced);
                lt_store_i64(call->out->dtype, to, 0, 1, &value);
            }
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

#define REDUCTION(name, infer)                                                                   \
    lathe_status lt_infer_##name(LT_INFER_ARGS) { return infer(op, attrs, in, n_in, out, err); } \
    lathe_status lt_ref_##name(const lt_op_call *call, lathe_error *err) { return ref_reduce(call, err); }

REDUCTION(reduce_sum, infer_reduce)
REDUCTION(reduce_mean, infer_reduce)
REDUCTION(reduce_prod, infer_reduce)
REDUCTION(reduce_max, infer_extremum)
REDUCTION(reduce_min, infer_extremum)
