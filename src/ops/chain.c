/* Chains of elementwise formulas; made by a pass, never by a file. Every step gives what the operator alone
 * would give: operands are loaded into the class of the step's compute dtype, and its result is rounded to
 * the step's dtype before the next one reads it. */
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 128 };

lathe_status lt_infer_chain(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_chain *c = &attrs->chain;
    if (n_in < 1 || n_in > LT_CHAIN_INPUTS || c->n < 1 || c->n > LT_CHAIN_STEPS)
        LT_FAIL(err, INTERNAL, "a chain of %d steps over %d inputs", c->n, n_in);
    for (int s = 0; s < c->n; s++) {
        lt_op formula = c->step[s].op;
        if (formula >= LT_OP_COUNT ||
            (formula != LT_OP_CAST && !(lt_op_get(formula)->flags & LT_OP_ELEMENTWISE)))
            LT_FAIL(err, INTERNAL, "step %d of a chain is no formula", s);
        for (int k = 0; k < lt_chain_operands(&c->step[s]); k++) {
            int arg = c->step[s].arg[k];
            if (arg >= (arg < LT_CHAIN_INPUTS ? n_in : LT_CHAIN_INPUTS + s))
                LT_FAIL(err, INTERNAL, "step %d of a chain reads %d", s, arg);
        }
    }
    lt_type shape = {0};
    for (int k = 0; k < n_in; k++) LT_TRY(lt_broadcast(&shape, &in[k], err));
    shape.dtype = (lt_dtype)c->step[c->n - 1].out;
    *out = shape;
    return LATHE_OK;
}

/* A row of an input or of a step's result. */
typedef struct lt_chain_row {
    lt_dtype dtype;
    int64_t step; /* bytes */
    char *at;
} lt_chain_row;

#define DEFINE_STEP(suffix, T)                                                                \
    static void step_##suffix(const lt_chain_step *step, const lt_chain_row *rows, int64_t n) \
    {                                                                                         \
        T in[LT_CHAIN_ARGS][CHUNK], result[CHUNK], *out = result;                             \
        const lt_chain_row *to = &rows[LT_CHAIN_ARGS];                                        \
        for (int k = 0; k < lt_chain_operands(step); k++)                                     \
            lt_load_##suffix(rows[k].dtype, rows[k].at, rows[k].step, n, in[k]);              \
        if (step->op == LT_OP_CAST) out = in[0];                                              \
        else lt_formula_##suffix(step->op, in[0], in[1], in[2], n, out);                      \
        lt_store_##suffix(to->dtype, to->at, to->step, n, out);                               \
    }

DEFINE_STEP(f32, float)
DEFINE_STEP(f64, double)
DEFINE_STEP(i64, int64_t)

/* n elements of a row, from element `at` on. */
static void chain_row(const lt_op_call *call, const lt_iter *it, int64_t at, int64_t n)
{
    const lt_attrs_chain *c = &call->attrs->chain;
    uint64_t values[LT_CHAIN_STEPS][CHUNK];
    lt_chain_row result[LT_CHAIN_STEPS];
    for (int s = 0; s < c->n; s++) {
        const lt_chain_step *step = &c->step[s];
        lt_dtype dtype = (lt_dtype)step->out;
        lt_chain_row rows[LT_CHAIN_ARGS + 1];
        result[s] = (lt_chain_row){dtype, (int64_t)lathe_dtype_size(dtype), (char *)values[s]};
        if (s == c->n - 1)
            result[s] = (lt_chain_row){dtype, it->row_step[0], it->at[0] + at * it->row_step[0]};
        for (int k = 0; k < lt_chain_operands(step); k++) {
            int arg = step->arg[k];
            if (arg >= LT_CHAIN_INPUTS) rows[k] = result[arg - LT_CHAIN_INPUTS];
            else
                rows[k] = (lt_chain_row){call->in[arg].dtype, it->row_step[arg + 1],
                                         it->at[arg + 1] + at * it->row_step[arg + 1]};
        }
        rows[LT_CHAIN_ARGS] = result[s];
        switch (lt_class_of((lt_dtype)step->compute)) {
        case LT_CLASS_F32: step_f32(step, rows, n); break;
        case LT_CLASS_F64: step_f64(step, rows, n); break;
        case LT_CLASS_I64: step_i64(step, rows, n); break;
        }
    }
}

lathe_status lt_ref_chain(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *operands[LT_ITER_OPERANDS] = {&call->out[0]};
    for (int k = 0; k < call->n_in; k++) operands[k + 1] = &call->in[k];
    lt_iter it;
    lt_iter_start(&it, &call->out[0], operands, call->n_in + 1);
    if (!it.row) return LATHE_OK;
    do
        for (int64_t at = 0; at < it.row; at += CHUNK)
            chain_row(call, &it, at, lt_min_i64(CHUNK, it.row - at));
    while (lt_iter_next(&it));
    return LATHE_OK;
}
