/* Counting what a program costs. */
#include "run/cost.h"

#include "base/block.h"
#include "base/winograd.h"

static double winograd_tiles(const lt_tensor *out)
{
    double tiles = (double)out->dim[0];
    for (int i = 2; i < 4; i++) tiles *= (double)lt_winograd_tiles(out->dim[i]);
    return tiles;
}

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
    case LT_OP_WINOGRAD_CONV: /* every weight meets every tile once */
        return 2 * (double)lathe_tensor_count(b) * winograd_tiles(&step->args[step->n_in].tensor);
    case LT_OP_SDPA: return 4 * (double)lathe_tensor_count(a) * (double)b->dim[2];
    default: return 0;
    }
}

/* Amounts by the name of a type: the one that most is of. */
typedef struct lt_tally {
    struct {
        const char *name; /* constants: the same name has the same address */
        double amount;
    } types[LATHE_DTYPE_COUNT + LT_PACKINGS];
    int n;
} lt_tally;

static void add(lt_tally *tally, const char *name, double amount)
{
    int i = 0;
    while (i < tally->n && tally->types[i].name != name) i++;
    if (i == tally->n) tally->types[tally->n++].name = name;
    tally->types[i].amount += amount;
}

static const char *most(const lt_tally *tally)
{
    int best = 0;
    for (int i = 1; i < tally->n; i++)
        if (tally->types[i].amount > tally->types[best].amount) best = i;
    return tally->n ? tally->types[best].name : "none";
}

static double count_weight(lt_tally *tally, const lt_operand *operand, const lt_model_weight *weights)
{
    lt_type type = lt_tensor_type(&operand->tensor);
    const char *name = lathe_dtype_name(type.dtype);
    double bytes = (double)lt_type_bytes(&type);
    if (operand->kind == LT_BUFFER_PACKED) {
        const lt_packed *packed = &weights[operand->index].packed;
        name = lt_packing_table[packed->packing].name;
        bytes = (double)lt_packed_bytes(packed->packing, packed->n, packed->k);
    } else if (operand->kind != LT_BUFFER_WEIGHT && operand->kind != LT_BUFFER_HOISTED) {
        return 0;
    }
    add(tally, name, bytes);
    return bytes;
}

typedef struct lt_count {
    lathe_cost cost;
    lt_tally read, states, products;
} lt_count;

static void count_step(lt_count *c, const lt_step *step, const lt_model_weight *weights, lt_dtype activations)
{
    double flops = step_flops(step);
    c->cost.flops += flops;
    if (step->op == LT_OP_SDPA) {
        c->cost.attention_flops += flops;
    } else if (flops > 0) {
        bool packed = step->op == LT_OP_LINEAR && step->args[1].kind == LT_BUFFER_PACKED;
        add(&c->products, lathe_dtype_name(packed ? activations : step->args[0].tensor.dtype), flops);
    }
    if (step->op == LT_OP_GATHER || step->op == LT_OP_INDEX) return; /* a few rows of a table */
    for (uint32_t k = 0; k < step->n_in; k++)
        c->cost.weight_bytes += count_weight(&c->read, &step->args[k], weights);
}

lathe_cost lt_programs_cost(const lt_program *const *programs, uint32_t n, const lt_model_weight *weights,
                            lt_dtype activations)
{
    lt_count c = {0};
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t i = 0; i < programs[p]->n_steps; i++)
            count_step(&c, &programs[p]->steps[i], weights, activations);
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t i = 0; i < programs[p]->n_states; i++) {
            const lt_type *type = &programs[p]->states[i];
            bool counted = type->rank < 0;
            for (uint32_t before = 0; before < p; before++) /* a state that several regions read */
                counted = counted || programs[before]->states[i].rank >= 0;
            if (counted) continue;
            add(&c.states, lathe_dtype_name(type->dtype), (double)lt_type_bytes(type));
            c.cost.state_bytes += (double)lt_type_bytes(type);
        }
    c.cost.weight_type = most(&c.read);
    c.cost.state_type = most(&c.states);
    c.cost.activations = most(&c.products);
    return c.cost;
}

/* ---- Single steps ---- */

static const char *operand_type(const lt_operand *operand, const lt_model_weight *weights)
{
    if (operand->kind != LT_BUFFER_PACKED) return lathe_dtype_name(operand->tensor.dtype);
    return lt_packing_table[weights[operand->index].packed.packing].name;
}

/* Dims that repeat their elements count once. */
static double operand_bytes(const lt_operand *operand, const lt_model_weight *weights)
{
    const lt_tensor *t = &operand->tensor;
    if (operand->kind == LT_BUFFER_PACKED) {
        const lt_packed *packed = &weights[operand->index].packed;
        return (double)lt_packed_bytes(packed->packing, packed->n, packed->k);
    }
    double bytes = (double)lathe_dtype_size(t->dtype);
    for (int i = 0; i < t->rank; i++) bytes *= t->stride[i] ? (double)t->dim[i] : 1;
    return bytes;
}

static bool same_place(const lt_operand *a, const lt_operand *b)
{
    return a->kind == b->kind && a->index == b->index && a->offset == b->offset;
}

static bool looks_up(lt_op op) { return op == LT_OP_GATHER || op == LT_OP_INDEX; }

lt_step_cost lt_program_step_cost(const lt_step *step, const lt_model_weight *weights)
{
    const lt_operand *in = step->args, *out = step->args + step->n_in;
    lt_step_cost cost = {.flops = step_flops(step)};
    bool in_place = step->n_in && same_place(&in[0], &out[0]) && (lt_op_get(step->op)->flags & LT_OP_UPDATE);
    double most = 0, written = 0;
    for (uint32_t k = 0; k < step->n_out; k++) written += operand_bytes(&out[k], weights);
    for (uint32_t k = in_place ? 1 : 0; k < step->n_in; k++) {
        double bytes = operand_bytes(&in[k], weights);
        if (k == 0 && looks_up(step->op)) bytes = written;
        if (step->op == LT_OP_SDPA && in[k].kind == LT_BUFFER_STATE) cost.cache_bytes += bytes;
        cost.bytes += bytes;
        most = bytes > most ? bytes : most;
    }
    cost.bytes += in_place ? most : written;
    if (cost.cache_bytes > 0) cost.cache_flops = cost.flops;
    return cost;
}

const char *lt_program_step_type(const lt_step *step, const lt_model_weight *weights)
{
    const lt_operand *best = &step->args[step->n_in ? 0 : step->n_in];
    for (uint32_t k = 1; k < step->n_in && !looks_up(step->op); k++)
        if (operand_bytes(&step->args[k], weights) > operand_bytes(best, weights)) best = &step->args[k];
    return operand_type(best, weights);
}
