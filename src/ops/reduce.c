/* Reductions over any set of dims, and the place of an extremum along one. Floats accumulate in double,
 * integers in wrapping int64. Where the kept dims lie closer together in memory than the reduced ones, whole
 * rows of outputs are folded side by side. A sum with a bool result tells whether any element is set, a
 * product whether all are. */
#include <math.h>
#include <stdlib.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256, LANES = 32, SHORT_ROW = 32 };

static lathe_status infer_kept(const bool *reduced, bool keepdim, lt_dtype dtype, const lt_type *in,
                               lt_type *out)
{
    *out = (lt_type){.dtype = dtype};
    for (int i = 0; i < in->rank; i++) {
        if (!reduced[i]) out->dim[out->rank++] = in->dim[i];
        else if (keepdim) out->dim[out->rank++] = 1;
    }
    return LATHE_OK;
}

static lathe_status infer_reduce(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    const lt_attrs_reduce *r = &attrs->reduce;
    return infer_kept(r->dims, r->keepdim, r->dtype, in, out);
}

/* max and min have no identity, so every reduced dim must hold something. */
static lathe_status expect_elements(const bool *reduced, const lt_type *in, const lt_type *out,
                                    lathe_error *err)
{
    for (int i = 0; i < in->rank; i++)
        if (reduced[i] && in->dim[i] == 0 && lt_type_count(out) != 0)
            LT_FAIL(err, TYPE, "dimension %d is empty and the reduction has no identity", i);
    return LATHE_OK;
}

static lathe_status infer_extremum(LT_INFER_ARGS)
{
    LT_TRY(infer_reduce(op, attrs, in, n_in, out, err));
    return expect_elements(attrs->reduce.dims, in, out, err);
}

static lathe_status infer_arg(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    const lt_attrs_arg *a = &attrs->arg;
    bool reduced[LT_MAX_RANK] = {false};
    if (a->dim < 0 || a->dim >= in->rank)
        LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", a->dim, in->rank);
    reduced[a->dim] = true;
    LT_TRY(infer_kept(reduced, a->keepdim, LATHE_I64, in, out));
    return expect_elements(reduced, in, out, err);
}

/* How the elements behind one output are walked. */
typedef struct lt_fold {
    lt_op op;
    lt_dtype dtype; /* of the elements */
    lt_iter walk;   /* over the reduced dims */
    int64_t count;  /* elements behind one output */
    bool columns;   /* outputs are folded side by side */
} lt_fold;

#define T double
#define FN(name) name##_f64
#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
#define IS_NAN(x) isnan(x)
#define LEAST (-INFINITY)
#define GREATEST INFINITY
#include "ops/reduce.tmpl.h"
#undef T
#undef FN
#undef ADD
#undef MUL
#undef IS_NAN
#undef LEAST
#undef GREATEST

#define T int64_t
#define FN(name) name##_i64
#define ADD(a, b) ((int64_t)((uint64_t)(a) + (uint64_t)(b)))
#define MUL(a, b) ((int64_t)((uint64_t)(a) * (uint64_t)(b)))
#define IS_NAN(x) false
#define LEAST INT64_MIN
#define GREATEST INT64_MAX
#include "ops/reduce.tmpl.h"

/* Splits the input into the view of the kept dims (in the order of the output's) and that of the reduced
 * dims. */
static void split_dims(const lt_tensor *in, const bool *drop, bool keepdim, lt_tensor *kept,
                       lt_tensor *reduced)
{
    *kept = (lt_tensor){.dtype = in->dtype, .data = in->data};
    *reduced = *kept;
    for (int i = 0; i < in->rank; i++) {
        lt_tensor *to = drop[i] ? reduced : kept;
        to->dim[to->rank] = in->dim[i];
        to->stride[to->rank++] = in->stride[i];
        if (!drop[i] || !keepdim) continue;
        kept->dim[kept->rank] = 1;
        kept->stride[kept->rank++] = 0;
    }
}

static void start_fold(const lt_op_call *call, const bool *drop, bool keepdim, lt_fold *fold,
                       lt_iter *outputs)
{
    lt_tensor kept, reduced;
    split_dims(call->in, drop, keepdim, &kept, &reduced);
    const lt_tensor *walked = &reduced;
    *fold = (lt_fold){.op = call->op, .dtype = call->in->dtype, .count = lathe_tensor_count(&reduced)};
    lt_iter_start(&fold->walk, &reduced, &walked, 1);
    lt_iter_start(outputs, call->out, (const lt_tensor *const[]){call->out, &kept}, 2);
    int64_t across = llabs(outputs->row_step[1]), along = llabs(fold->walk.row_step[0]);
    bool side_by_side = across < along || (fold->count < SHORT_ROW && outputs->row > fold->count);
    fold->columns = outputs->row > 1 && side_by_side;
}

static void block_f64(const lt_op_call *call, const lt_fold *fold, const lt_iter *outputs, int64_t at,
                      int64_t n)
{
    double acc[CHUNK], mean[CHUNK];
    const char *origin = outputs->at[1] + at * outputs->row_step[1];
    double divisor = call->op == LT_OP_REDUCE_MEAN || call->op == LT_OP_REDUCE_VAR ? (double)fold->count : 1;
    fold_block_f64(fold, origin, outputs->row_step[1], n, NULL, acc);
    for (int64_t i = 0; i < n; i++) acc[i] /= divisor;
    if (call->op == LT_OP_REDUCE_VAR) {
        divisor = fmax(0, divisor - call->attrs->reduce.correction);
        for (int64_t i = 0; i < n; i++) mean[i] = acc[i];
        fold_block_f64(fold, origin, outputs->row_step[1], n, mean, acc);
        for (int64_t i = 0; i < n; i++) acc[i] /= divisor;
    }
    lt_store_f64(call->out->dtype, outputs->at[0] + at * outputs->row_step[0], outputs->row_step[0], n, acc);
}

static void block_i64(const lt_op_call *call, const lt_fold *fold, const lt_iter *outputs, int64_t at,
                      int64_t n)
{
    int64_t acc[CHUNK];
    const char *origin = outputs->at[1] + at * outputs->row_step[1];
    fold_block_i64(fold, origin, outputs->row_step[1], n, NULL, acc);
    lt_store_i64(call->out->dtype, outputs->at[0] + at * outputs->row_step[0], outputs->row_step[0], n, acc);
}

static lathe_status ref_reduce(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_fold fold;
    lt_iter outputs;
    start_fold(call, call->attrs->reduce.dims, call->attrs->reduce.keepdim, &fold, &outputs);
    bool floats = lt_dtype_is_float(call->out->dtype) || lt_dtype_is_float(call->in->dtype);
    if (!outputs.row) return LATHE_OK;
    do {
        for (int64_t at = 0; at < outputs.row; at += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, outputs.row - at);
            if (floats) block_f64(call, &fold, &outputs, at, n);
            else block_i64(call, &fold, &outputs, at, n);
        }
    } while (lt_iter_next(&outputs));
    return LATHE_OK;
}

static lathe_status ref_arg(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_fold fold;
    lt_iter outputs;
    bool drop[LT_MAX_RANK] = {false};
    int64_t index[CHUNK];
    drop[call->attrs->arg.dim] = true;
    start_fold(call, drop, call->attrs->arg.keepdim, &fold, &outputs);
    if (!outputs.row) return LATHE_OK;
    do {
        for (int64_t at = 0; at < outputs.row; at += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, outputs.row - at), step = outputs.row_step[1];
            const char *origin = outputs.at[1] + at * step;
            if (lt_dtype_is_float(fold.dtype)) find_block_f64(&fold, origin, step, n, index);
            else find_block_i64(&fold, origin, step, n, index);
            lt_store_i64(LATHE_I64, outputs.at[0] + at * outputs.row_step[0], outputs.row_step[0], n, index);
        }
    } while (lt_iter_next(&outputs));
    return LATHE_OK;
}

#define REDUCTION(name, infer, ref)                                                              \
    lathe_status lt_infer_##name(LT_INFER_ARGS) { return infer(op, attrs, in, n_in, out, err); } \
    lathe_status lt_ref_##name(const lt_op_call *call, lathe_error *err) { return ref(call, err); }

REDUCTION(reduce_sum, infer_reduce, ref_reduce)
REDUCTION(reduce_mean, infer_reduce, ref_reduce)
REDUCTION(reduce_prod, infer_reduce, ref_reduce)
REDUCTION(reduce_max, infer_extremum, ref_reduce)
REDUCTION(reduce_min, infer_extremum, ref_reduce)
REDUCTION(reduce_var, infer_reduce, ref_reduce)
REDUCTION(argmax, infer_arg, ref_arg)
REDUCTION(argmin, infer_arg, ref_arg)
