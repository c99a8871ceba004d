/* Running sums, products, log-sum-exps, maxima and minima along a dim. Floats accumulate in double, integers
 * in wrapping int64. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256 };

typedef struct lt_scan {
    lt_op op;
    lt_dtype from, to;
    int64_t n;       /* elements along the dim */
    int64_t step[3]; /* bytes between them: result, indices, input */
    bool indices;    /* there is a second result */
} lt_scan;

static double log_add_exp(double x, double y)
{
    double low = x < y ? x : y, high = x < y ? y : x;
    if (isnan(x) || isnan(y)) return x + y;
    return low != high || isfinite(low) ? log1p(exp(low - high)) + high : x;
}

#define T double
#define FN(name) name##_f64
#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
#define IS_NAN(x) isnan(x)
#define LOG_ADD_EXP log_add_exp
#define NOTHING (-INFINITY)
#include "ops/scan.tmpl.h"
#undef T
#undef FN
#undef ADD
#undef MUL
#undef IS_NAN
#undef LOG_ADD_EXP
#undef NOTHING

#define T int64_t
#define FN(name) name##_i64
#define ADD(a, b) ((int64_t)((uint64_t)(a) + (uint64_t)(b)))
#define MUL(a, b) ((int64_t)((uint64_t)(a) * (uint64_t)(b)))
#define IS_NAN(x) false
#define LOG_ADD_EXP(a, b) (b) /* infer lets no integers come here */
#define NOTHING 0
#include "ops/scan.tmpl.h"

static lathe_status infer_scan(LT_INFER_ARGS)
{
    const lt_attrs_scan *s = &attrs->scan;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (s->dim < 0 || s->dim >= in->rank)
        LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", s->dim, in->rank);
    bool floats = lt_dtype_is_float(in->dtype);
    if (floats != lt_dtype_is_float(s->dtype) || (!floats && op == LT_OP_LOGCUMSUMEXP))
        LT_FAIL(err, TYPE, "from %s to %s", lathe_dtype_name(in->dtype), lathe_dtype_name(s->dtype));
    out[0] = *in;
    out[0].dtype = s->dtype;
    return LATHE_OK;
}

static lathe_status infer_extremum(LT_INFER_ARGS)
{
    LT_TRY(infer_scan(op, attrs, in, n_in, out, err));
    out[1] = out[0];
    out[1].dtype = LATHE_I64;
    return LATHE_OK;
}

static void scan_block(const lt_scan *scan, const lt_iter *it, int64_t start, int64_t lines)
{
    const int64_t *across = it->row_step;
    char *to = it->at[0] + start * across[0], *to_index = it->at[1] + start * across[1];
    const char *from = it->at[2] + start * across[2];
    if (lt_dtype_is_float(scan->from)) {
        if (lines > 1) scan_lines_f64(scan, from, to, to_index, across, lines);
        else scan_line_f64(scan, from, to, to_index);
    } else {
        if (lines > 1) scan_lines_i64(scan, from, to, to_index, across, lines);
        else scan_line_i64(scan, from, to, to_index);
    }
}

static lathe_status ref_scan(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    int d = call->attrs->scan.dim;
    bool indices = lt_op_get(call->op)->n_out > 1;
    lt_tensor lines[3] = {call->out[0], call->out[indices], call->in[0]};
    lt_scan scan = {.op = call->op,
                    .from = call->in->dtype,
                    .to = call->out->dtype,
                    .n = call->in->dim[d],
                    .indices = indices};
    for (int k = 0; k < 3; k++) {
        scan.step[k] = lines[k].stride[d] * (int64_t)lathe_dtype_size(lines[k].dtype);
        lines[k].dim[d] = 1;
    }
    lt_iter it;
    lt_iter_start(&it, &lines[0], (const lt_tensor *const[]){&lines[0], &lines[1], &lines[2]}, 3);
    if (!it.row) return LATHE_OK;
    int64_t block = scan.step[2] > it.row_step[2] ? CHUNK : 1; /* side by side where that follows memory */
    do {
        for (int64_t start = 0; start < it.row; start += block)
            scan_block(&scan, &it, start, lt_min_i64(block, it.row - start));
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

#define SCAN(name, infer)                                                                        \
    lathe_status lt_infer_##name(LT_INFER_ARGS) { return infer(op, attrs, in, n_in, out, err); } \
    lathe_status lt_ref_##name(const lt_op_call *call, lathe_error *err) { return ref_scan(call, err); }

SCAN(cumsum, infer_scan)
SCAN(cumprod, infer_scan)
SCAN(logcumsumexp, infer_scan)
SCAN(cummax, infer_extremum)
SCAN(cummin, infer_extremum)
