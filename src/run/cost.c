/* Counting what a program costs. */
#include "run/cost.h"

#include "base/block.h"

static double step_flops(const lt_step *step)
{
    const lt_tensor *a = &step->args[0].tensor, *b = &step->args[step->n_in > 1 ? 1 : 0].tensor;
    double out = (double)lathe_tensor_count(&step->args[step->n_in].tensor);
    switch (step->op) {
    case LT_OP_LINEAR:
    case LT_OP_MATMUL: return 2 * out * (double)a->dim[a->rank - 1];
    case LT_OP_CONV: return 2 * out * (double)lathe_tensor_count(b) / (double)lt_max_i64(b->dim[0], 1);
    case LT_OP_BLOCKED_CONV: /* every weight meets every position once */
        return 2 * (double)lathe_tensor_count(b) * out / (double)lt_max_i64(b->dim[0] * LT_BLOCK, 1);
    case LT_OP_SDPA: return 4 * (double)lathe_tensor_count(a) * (double)b->dim[2];
    default: return 0;
    }
}

/* Bytes by dtype: the one that most are of. */
typedef struct lt_tally {
    double bytes[LATHE_DTYPE_COUNT];
} lt_tally;

static double add(lt_tally *tally, const lt_type *type)
{
    double bytes = (double)lt_type_bytes(type);
    tally->bytes[type->dtype] += bytes;
    return bytes;
}

static const char *most(const lt_tally *tally)
{
    int best = 0;
    for (int i = 0; i < LATHE_DTYPE_COUNT; i++)
        if (tally->bytes[i] > tally->bytes[best]) best = i;
    return tally->bytes[best] > 0 ? lathe_dtype_name((lathe_dtype)best) : "none";
}

lathe_cost lt_program_cost(const lt_program *program)
{
    lathe_cost cost = {0};
    lt_tally weights = {0}, states = {0}, products = {0};
    for (uint32_t i = 0; i < program->n_steps; i++) {
        const lt_step *step = &program->steps[i];
        double flops = step_flops(step);
        cost.flops += flops;
        if (step->op == LT_OP_SDPA) cost.attention_flops += flops;
        if (flops > 0 && step->op != LT_OP_SDPA) products.bytes[step->args[0].tensor.dtype] += flops;
        if (step->op == LT_OP_GATHER || step->op == LT_OP_INDEX) continue; /* a few rows of a table */
        for (uint32_t k = 0; k < step->n_in; k++) {
            lt_type type = lt_tensor_type(&step->args[k].tensor);
            bool weight = step->args[k].kind == LT_BUFFER_WEIGHT || step->args[k].kind == LT_BUFFER_HOISTED;
            if (weight) cost.weight_bytes += add(&weights, &type);
        }
    }
    for (uint32_t i = 0; i < program->n_states; i++) cost.state_bytes += add(&states, &program->states[i]);
    cost.weight_type = most(&weights);
    cost.state_type = most(&states);
    cost.activations = most(&products);
    return cost;
}
