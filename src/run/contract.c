#include "run/contract.h"

#include <string.h>

#include "pass/hoist.h"

/* ---- The program ---- */

/* Packed forms that the layout promised, by weight; LT_PACKINGS: none. */
typedef struct lt_sketch {
    const lathe_model *model;
    uint8_t *packing;
} lt_sketch;

static lathe_status sketch_strides(void *context, uint32_t weight, int64_t *stride, lathe_error *err)
{
    const lt_type *type = &((const lt_sketch *)context)->model->exported->weights[weight].type;
    (void)err;
    lt_contiguous_strides(type->rank, type->dim, stride);
    return LATHE_OK;
}

static lathe_status sketch_packed(void *context, uint32_t weight, bool linear, bool *out, lathe_error *err)
{
    const lt_sketch *sketch = context;
    lt_packing packing;
    LT_TRY(lt_model_plan_packed(sketch->model, weight, linear, &packing, out, err));
    sketch->packing[weight] = (uint8_t)(*out ? packing : LT_PACKINGS);
    return LATHE_OK;
}

/* ---- Rows ---- */

static const char *const kinds[LT_OP_COUNT] = {
    [LT_OP_LINEAR] = "linear",
    [LT_OP_MATMUL] = "matmul",
    [LT_OP_GROUPED_MATMUL] = "experts",
    [LT_OP_CONV] = "convolution",
    [LT_OP_SDPA] = "attention",
    [LT_OP_BLOCKED_CONV] = "convolution",
    [LT_OP_WINOGRAD_CONV] = "convolution",
    [LT_OP_LAYER_NORM] = "norm",
    [LT_OP_RMS_NORM] = "norm",
    [LT_OP_ROPE] = "rotary",
    [LT_OP_SOFTMAX] = "softmax",
    [LT_OP_INDEX] = "look-up",
    [LT_OP_GATHER] = "look-up",
    [LT_OP_CHAIN] = "elementwise",
};

static const char *kind_of(const lt_step *step)
{
    bool elementwise = lt_op_get(step->op)->flags & LT_OP_ELEMENTWISE;
    return elementwise ? kinds[LT_OP_CHAIN] : kinds[step->op];
}

static bool is_stored(const lt_operand *operand)
{
    return operand->kind == LT_BUFFER_WEIGHT || operand->kind == LT_BUFFER_PACKED ||
           operand->kind == LT_BUFFER_HOISTED;
}

/* Where a step keeps what it reads again in every run: its weights, or keys. -1: nowhere. */
static int stored_operand(const lt_step *step)
{
    if (step->op == LT_OP_SDPA) return 1;
    if (kind_of(step) == kinds[LT_OP_CHAIN]) return -1;
    for (uint32_t k = 0; k < step->n_in; k++)
        if (is_stored(&step->args[k]) && lt_dtype_is_float(step->args[k].tensor.dtype)) return (int)k;
    return -1;
}

/* The types of one step. `activations`: what is multiplied with packed weights. */
static lt_contract_row describe(const lt_step *step, const lt_sketch *sketch, const char *activations)
{
    const lt_operand *first = &step->args[0], *out = &step->args[step->n_in];
    int at = stored_operand(step);
    lt_dtype wide = lt_dtype_wide(first->tensor.dtype);
    bool looks_up = step->op == LT_OP_INDEX || step->op == LT_OP_GATHER;
    lt_contract_row row = {.what = kind_of(step),
                           .storage = at < 0 ? "-" : lathe_dtype_name(step->args[at].tensor.dtype),
                           .operands = lathe_dtype_name(first->tensor.dtype),
                           .compute = lathe_dtype_name(wide),
                           .accumulate = lathe_dtype_name(wide),
                           .result = lathe_dtype_name(out->tensor.dtype)};
    bool packed = at >= 0 && step->args[at].kind == LT_BUFFER_PACKED;
    if (packed) row.storage = lt_packing_table[sketch->packing[step->args[at].index]].name;
    if (packed && !looks_up) {
        row.operands = activations;
        row.compute = lathe_dtype_name(LATHE_I32);
        row.accumulate = "int32, float32";
    }
    if (kind_of(step) == kinds[LT_OP_CHAIN] || looks_up) row.accumulate = "-";
    if (looks_up) row.operands = row.compute = "-";
    return row;
}

static bool same_row(const lt_contract_row *a, const lt_contract_row *b)
{
    return strcmp(a->what, b->what) == 0 && strcmp(a->storage, b->storage) == 0 &&
           strcmp(a->operands, b->operands) == 0 && strcmp(a->result, b->result) == 0;
}

static lathe_status add_row(lt_contract *contract, const lt_contract_row *row, lathe_error *err)
{
    uint32_t i = 0;
    while (i < contract->n_rows && !same_row(&contract->rows[i], row)) i++;
    if (i == contract->n_rows) {
        LT_GROW(contract->arena, contract->rows, contract->n_rows, contract->cap_rows, err);
        contract->rows[contract->n_rows++] = *row;
    }
    contract->rows[i].count++;
    return LATHE_OK;
}

/* Elementwise steps of whole numbers and look-ups outside of weights tell nothing. */
static bool matters(const lt_step *step)
{
    if (!kind_of(step) || !step->n_in) return false;
    if (step->op == LT_OP_INDEX || step->op == LT_OP_GATHER) return is_stored(&step->args[0]);
    return lt_dtype_is_float(step->args[0].tensor.dtype);
}

static lathe_status read_rows(lt_contract *contract, const lt_program *program, const lt_sketch *sketch,
                              lathe_error *err)
{
    const char *activations =
        lathe_dtype_name(sketch->model->settings.activations == 8 ? LATHE_I8 : LATHE_I16);
    for (uint32_t i = 0; i < program->n_steps; i++) {
        if (!matters(&program->steps[i])) continue;
        lt_contract_row row = describe(&program->steps[i], sketch, activations);
        LT_TRY(add_row(contract, &row, err));
    }
    return LATHE_OK;
}

/* ---- States ---- */

/* Updates in place write into the state itself. A copy into it comes from a next value that was made
 * elsewhere: by an update that had to leave the old value alone, or by something that is no update. */
static const char *why_copied(const lt_program *program, uint32_t state)
{
    const char *why = NULL;
    bool copied = false;
    for (uint32_t i = 0; i < program->n_steps; i++) {
        const lt_step *step = &program->steps[i];
        const lt_operand *in = &step->args[0], *out = &step->args[step->n_in];
        if (step->n_in && (lt_op_get(step->op)->flags & LT_OP_UPDATE) && in->kind == LT_BUFFER_STATE &&
            in->index == state && out->kind != LT_BUFFER_STATE)
            why = "the old value is read after the update";
        copied |= step->op == LT_OP_COPY && out->kind == LT_BUFFER_STATE && out->index == state;
    }
    return copied ? why ? why : "the next value is computed, not written into the old one" : NULL;
}

static lathe_status read_states(lt_contract *contract, const lt_program *program, lathe_error *err)
{
    LT_ALLOC(contract->arena, contract->states, program->n_states, err);
    contract->n_states = program->n_states;
    for (uint32_t i = 0; i < program->n_states; i++)
        contract->states[i] = (lt_contract_state){.input = program->state_info[i].input,
                                                  .weight = program->state_info[i].weight,
                                                  .dtype = program->states[i].dtype,
                                                  .copied = why_copied(program, i)};
    return LATHE_OK;
}

lathe_status lt_contract_read(const lathe_model *model, lt_arena *arena, lt_contract *out, lathe_error *err)
{
    lt_graph *graph;
    lt_hoist hoist;
    lt_program *program;
    lt_sketch sketch = {.model = model};
    lt_weight_layout layout = {&sketch, sketch_strides, sketch_packed};
    *out = (lt_contract){.arena = arena};
    LT_ALLOC(arena, sketch.packing, model->exported->n_weights, err);
    LT_TRY(lt_model_graph(model, &(lt_graph_request){0}, arena, &graph, err));
    LT_TRY(lt_hoist_split(graph, &hoist, err));
    LT_TRY(lt_program_build(hoist.rest, &layout, &program, err));
    LT_TRY(read_rows(out, program, &sketch, err));
    return read_states(out, program, err);
}
