/* From graph to program: placement of every value, steps in order, in-place updates, memory plan. */
#include <string.h>

#include "program/plan.h"
#include "program/program.h"

/* What is known of a value while lowering. */
typedef struct lt_place {
    lt_operand operand;
    bool ready;
} lt_place;

typedef struct lt_lowering {
    const lt_graph *graph;
    const lt_weight_layout *weights;
    lt_arena *arena;
    lathe_error *err;
    lt_program *program;
    lt_place *places; /* [n_values] */
    uint32_t
        *last_use; /* [n_values]: the last node that reads the value or a view of it; n_nodes: an output */
    uint32_t *output_of; /* [n_values]: the output buffer a temporary is made in; LT_NONE */
    bool *with_next;     /* [n_nodes]: as of lt_step */
    lt_plan plan;
} lt_lowering;

static bool is_view(const lt_graph *graph, lt_id id)
{
    const lt_node *node = lt_graph_producer(graph, id);
    return node && (lt_op_get(node->op)->flags & LT_OP_VIEW);
}

/* A read of a view is a read of what it shows. */
static void mark_use(lt_lowering *lo, lt_id id, uint32_t node)
{
    for (;;) {
        if (lo->last_use[id] < node || lo->last_use[id] == LT_NONE) lo->last_use[id] = node;
        if (!is_view(lo->graph, id)) return;
        id = lt_graph_producer(lo->graph, id)->in[0];
    }
}

static void find_uses(lt_lowering *lo)
{
    const lt_graph *g = lo->graph;
    for (uint32_t i = 0; i < g->n_values; i++) lo->last_use[i] = LT_NONE;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (lt_op_get(g->nodes[i].op)->flags & LT_OP_VIEW) continue; /* its readers count, not itself */
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) mark_use(lo, g->nodes[i].in[k], i);
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] != LT_NONE) mark_use(lo, g->outputs[i], g->n_nodes);
    for (uint32_t i = 0; i < g->n_states; i++)
        if (g->states[i].after != LT_NONE) mark_use(lo, g->states[i].after, g->n_nodes);
}

/* Nodes nobody reads are not lowered. */
static bool is_dead(const lt_lowering *lo, const lt_node *node)
{
    for (int i = 0; i < lt_op_get(node->op)->n_out; i++)
        if (lo->last_use[node->out + (lt_id)i] != LT_NONE) return false;
    return true;
}

/* Whether node `index` becomes a step of its own. */
static bool is_step(const lt_lowering *lo, uint32_t index)
{
    const lt_node *node = &lo->graph->nodes[index];
    return !(lt_op_get(node->op)->flags & LT_OP_VIEW) && !is_dead(lo, node);
}

static bool is_elementwise(const lt_node *node)
{
    return node->op == LT_OP_CHAIN || (lt_op_get(node->op)->flags & LT_OP_ELEMENTWISE);
}

/* Linear layers with an elementwise step behind them that alone reads their result. */
static void find_epilogues(lt_lowering *lo)
{
    const lt_graph *g = lo->graph;
    for (uint32_t i = 0, next; i < g->n_nodes; i++) {
        const lt_node *node = &g->nodes[i];
        if (node->op != LT_OP_LINEAR) continue;
        for (next = i + 1; next < g->n_nodes && !is_step(lo, next);) next++;
        if (next == g->n_nodes || lo->last_use[node->out] != next || !is_elementwise(&g->nodes[next]))
            continue;
        lo->with_next[i] = true;
        for (uint32_t k = 0; k < node->n_in; k++) mark_use(lo, node->in[k], next);
    }
}

static lathe_status add_step(lt_lowering *lo, const lt_step *step)
{
    lt_program *p = lo->program;
    LT_GROW(lo->arena, p->steps, p->n_steps, p->cap_steps, lo->err);
    p->steps[p->n_steps++] = *step;
    return LATHE_OK;
}

static lathe_status new_block(lt_lowering *lo, const lt_type *type, uint32_t from, uint32_t to, lt_place *out)
{
    *out =
        (lt_place){.operand = {.kind = LT_BUFFER_ARENA, .tensor = lt_tensor_of(type, NULL)}, .ready = true};
    return lt_plan_add(&lo->plan, lt_type_bytes(type), from, to, &out->operand.index, lo->err);
}

/* A copy of `from` into `to`, which has the same type. */
static lathe_status add_copy(lt_lowering *lo, const lt_operand *from, const lt_operand *to, uint32_t source)
{
    lt_step step = {.op = LT_OP_COPY, .n_in = 1, .n_out = 1, .source = source};
    LT_ALLOC(lo->arena, step.args, 2, lo->err);
    step.args[0] = *from;
    step.args[1] = *to;
    return add_step(lo, &step);
}

static lathe_status place_leaf(lt_lowering *lo, lt_id id)
{
    const lt_value *value = &lo->graph->values[id];
    lt_place *place = &lo->places[id];
    *place = (lt_place){.operand = {.index = value->index, .tensor = lt_tensor_of(&value->type, NULL)},
                        .ready = true};
    switch (value->kind) {
    case LT_VALUE_INPUT: place->operand.kind = LT_BUFFER_INPUT; break;
    case LT_VALUE_STATE: place->operand.kind = LT_BUFFER_STATE; break;
    case LT_VALUE_HOISTED: place->operand.kind = LT_BUFFER_HOISTED; break;
    case LT_VALUE_WIRE: place->operand.kind = LT_BUFFER_WIRE; break;
    case LT_VALUE_WEIGHT:
        place->operand.kind = LT_BUFFER_WEIGHT;
        return lo->weights->strides(lo->weights->context, value->index, place->operand.tensor.stride,
                                    lo->err);
    case LT_VALUE_CONST: {
        lt_program *p = lo->program;
        place->operand.kind = LT_BUFFER_CONST;
        place->operand.index = p->n_consts;
        p->consts[p->n_consts++] = value;
        break;
    }
    case LT_VALUE_TEMP: LT_FAIL(lo->err, INTERNAL, "value %%%u is read before it is made", id);
    }
    return LATHE_OK;
}

static lathe_status place_of(lt_lowering *lo, lt_id id, lt_place **out)
{
    *out = &lo->places[id];
    return (*out)->ready ? LATHE_OK : place_leaf(lo, id);
}

/* Whether a linear layer multiplies with the value. */
static bool is_linear_weight(const lt_graph *graph, lt_id id)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op == LT_OP_LINEAR && graph->nodes[i].in[1] == id) return true;
    return false;
}

/* Whether operand k of the node may be a packed matrix: the weights of a linear layer, or a table whose rows
 * are looked up. */
static bool may_be_packed(const lt_graph *graph, const lt_node *node, uint32_t k)
{
    const lt_value *value = &graph->values[node->in[k]], *x = &graph->values[node->in[0]];
    if (value->kind != LT_VALUE_WEIGHT || value->type.rank != 2 || !lt_dtype_is_float(value->type.dtype) ||
        x->type.dtype == LATHE_F64)
        return false;
    const lt_attrs_index *index = &node->attrs.index;
    bool rows =
        node->op == LT_OP_INDEX && k == 0 && node->n_in == 2 && index->dims[0] && index->position == 0;
    return rows || (node->op == LT_OP_LINEAR && k == 1);
}

static lathe_status place_operand(lt_lowering *lo, const lt_node *node, uint32_t k, lt_operand *out)
{
    const lt_value *value = &lo->graph->values[node->in[k]];
    lt_place *place;
    bool packed = false;
    if (lo->weights->packed && may_be_packed(lo->graph, node, k))
        LT_TRY(lo->weights->packed(lo->weights->context, value->index,
                                   is_linear_weight(lo->graph, node->in[k]), &packed, lo->err));
    if (packed) {
        *out = (lt_operand){
            .kind = LT_BUFFER_PACKED, .index = value->index, .tensor = lt_tensor_of(&value->type, NULL)};
        return LATHE_OK;
    }
    LT_TRY(place_of(lo, node->in[k], &place));
    *out = place->operand;
    return LATHE_OK;
}

static lathe_status lower_view(lt_lowering *lo, const lt_node *node, uint32_t index)
{
    const lt_op_info *info = lt_op_get(node->op);
    lt_place *from, copy;
    LT_TRY(place_of(lo, node->in[0], &from));
    lt_place place = *from;
    lt_tensor in = from->operand.tensor, out;
    /* Views move the data pointer; from an origin that is never followed, that gives the byte offset. */
    char *origin = (char *)(uintptr_t)((uintptr_t)1 << 46);
    in.data = origin;
    if (!info->view(&node->attrs, &in, &out)) {
        const lt_type *type = &lo->graph->values[node->in[0]].type;
        LT_TRY(new_block(lo, type, index, lo->last_use[node->out], &copy));
        LT_TRY(add_copy(lo, &from->operand, &copy.operand, node->source));
        place = copy;
        in = place.operand.tensor;
        in.data = origin;
        if (!info->view(&node->attrs, &in, &out))
            LT_FAIL(lo->err, INTERNAL, "%s of a contiguous tensor", info->name);
    }
    place.operand.offset += (char *)out.data - origin;
    out.data = NULL;
    place.operand.tensor = out;
    lo->places[node->out] = place;
    return LATHE_OK;
}

/* Whether the node may write over its first input: whole, contiguous, ours, and never read again. */
static bool can_update(const lt_lowering *lo, const lt_node *node, uint32_t index, const lt_place *in)
{
    const lt_operand *o = &in->operand;
    bool ours = o->kind == LT_BUFFER_ARENA || o->kind == LT_BUFFER_STATE;
    if (!(lt_op_get(node->op)->flags & LT_OP_UPDATE) || !ours || !lt_tensor_is_contiguous(&o->tensor))
        return false;
    for (uint32_t k = 1; k < node->n_in; k++) {
        const lt_operand *other = &lo->places[node->in[k]].operand;
        if (other->kind == o->kind && other->index == o->index) return false;
    }
    /* Every value in the same block must be dead: views extend the last use of what they show. */
    for (lt_id id = node->in[0];; id = lt_graph_producer(lo->graph, id)->in[0]) {
        if (lo->last_use[id] != index) return false;
        if (!is_view(lo->graph, id)) break;
    }
    return true;
}

static lathe_status place_outputs(lt_lowering *lo, const lt_node *node, uint32_t index)
{
    for (int k = 0; k < lt_op_get(node->op)->n_out; k++) {
        lt_id id = node->out + (lt_id)k;
        lt_place *place = &lo->places[id];
        const lt_type *type = &lo->graph->values[id].type;
        uint32_t until = lo->last_use[id] == LT_NONE ? index : lo->last_use[id];
        lt_place *first = node->n_in ? &lo->places[node->in[0]] : NULL;
        if (k == 0 && first && can_update(lo, node, index, first)) {
            *place = *first;
            if (place->operand.kind == LT_BUFFER_ARENA)
                lt_plan_extend(&lo->plan, place->operand.index, until);
        } else if (lo->output_of[id] != LT_NONE) {
            *place = (lt_place){.operand = {.kind = LT_BUFFER_OUTPUT,
                                            .index = lo->output_of[id],
                                            .tensor = lt_tensor_of(type, NULL)},
                                .ready = true};
        } else {
            LT_TRY(new_block(lo, type, index, until, place));
        }
    }
    return LATHE_OK;
}

static lathe_status lower_node(lt_lowering *lo, const lt_node *node, uint32_t index)
{
    const lt_op_info *info = lt_op_get(node->op);
    if (is_dead(lo, node)) return LATHE_OK;
    if (info->flags & LT_OP_VIEW) return lower_view(lo, node, index);
    lt_step step = {.op = node->op,
                    .n_in = node->n_in,
                    .n_out = info->n_out,
                    .attrs = node->attrs,
                    .source = node->source,
                    .with_next = lo->with_next[index]};
    lt_type *types;
    LT_ALLOC(lo->arena, step.args, step.n_in + step.n_out, lo->err);
    LT_ALLOC(lo->arena, types, node->n_in, lo->err);
    for (uint32_t k = 0; k < node->n_in; k++) {
        LT_TRY(place_operand(lo, node, k, &step.args[k]));
        types[k] = lo->graph->values[node->in[k]].type;
    }
    LT_TRY(place_outputs(lo, node, index));
    for (uint32_t k = 0; k < step.n_out; k++) step.args[step.n_in + k] = lo->places[node->out + k].operand;
    if (info->scratch) {
        size_t bytes = info->scratch(&node->attrs, types, (int)node->n_in);
        if (bytes > lo->program->scratch_bytes) lo->program->scratch_bytes = bytes;
    }
    return add_step(lo, &step);
}

/* Temporaries that are outputs are made where the caller reads them. */
static void choose_outputs(lt_lowering *lo)
{
    const lt_graph *g = lo->graph;
    for (uint32_t i = 0; i < g->n_values; i++) lo->output_of[i] = LT_NONE;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        lt_id id = g->outputs[i];
        if (id == LT_NONE || g->values[id].kind != LT_VALUE_TEMP || is_view(g, id) ||
            lo->output_of[id] != LT_NONE)
            continue;
        lo->output_of[id] = i;
    }
}

static lathe_status final_operand(lt_lowering *lo, lt_id id, lt_operand *out)
{
    lt_place *place;
    LT_TRY(place_of(lo, id, &place));
    *out = place->operand;
    return LATHE_OK;
}

/* Copies a result to its buffer unless it was made there. */
static lathe_status deliver(lt_lowering *lo, const lt_operand *from, lt_buffer_kind kind, uint32_t index,
                            lt_id id)
{
    lt_operand to = {.kind = kind, .index = index, .tensor = lt_tensor_of(&lo->graph->values[id].type, NULL)};
    bool there = from->kind == kind && from->index == index && from->offset == 0 &&
                 lt_tensor_is_contiguous(&from->tensor);
    return there ? LATHE_OK : add_copy(lo, from, &to, LT_NONE);
}

/* Outputs first: they may show what a state was. A state whose next value is (part of) another state's old
 * one is staged, so that the order of the copies does not matter. */
static lathe_status copy_results(lt_lowering *lo)
{
    const lt_graph *g = lo->graph;
    lt_operand *next;
    LT_ALLOC(lo->arena, next, g->n_states, lo->err);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        lt_operand from;
        if (g->outputs[i] == LT_NONE) continue;
        LT_TRY(final_operand(lo, g->outputs[i], &from));
        LT_TRY(deliver(lo, &from, LT_BUFFER_OUTPUT, i, g->outputs[i]));
    }
    for (uint32_t i = 0; i < g->n_states; i++) {
        lt_id id = g->states[i].after;
        lt_place copy;
        if (id == LT_NONE) continue;
        LT_TRY(final_operand(lo, id, &next[i]));
        bool whole = next[i].index == i && next[i].offset == 0 && lt_tensor_is_contiguous(&next[i].tensor);
        if (next[i].kind != LT_BUFFER_STATE || whole) continue;
        LT_TRY(new_block(lo, &g->values[id].type, g->n_nodes, g->n_nodes, &copy));
        LT_TRY(add_copy(lo, &next[i], &copy.operand, LT_NONE));
        next[i] = copy.operand;
    }
    for (uint32_t i = 0; i < g->n_states; i++)
        if (g->states[i].after != LT_NONE)
            LT_TRY(deliver(lo, &next[i], LT_BUFFER_STATE, i, g->states[i].after));
    return LATHE_OK;
}

static lathe_status describe(lt_lowering *lo)
{
    const lt_graph *g = lo->graph;
    lt_program *p = lo->program;
    p->n_inputs = g->n_inputs;
    p->n_outputs = g->n_outputs;
    p->n_states = g->n_states;
    p->state_info = g->states;
    LT_ALLOC(lo->arena, p->inputs, p->n_inputs, lo->err);
    LT_ALLOC(lo->arena, p->outputs, p->n_outputs, lo->err);
    LT_ALLOC(lo->arena, p->states, p->n_states, lo->err);
    LT_ALLOC(lo->arena, p->consts, g->n_values, lo->err);
    static const lt_type none = {.rank = -1};
    for (uint32_t i = 0; i < p->n_inputs; i++)
        p->inputs[i] = g->inputs[i] == LT_NONE ? none : g->values[g->inputs[i]].type;
    for (uint32_t i = 0; i < p->n_outputs; i++)
        p->outputs[i] = g->outputs[i] == LT_NONE ? none : g->values[g->outputs[i]].type;
    for (uint32_t i = 0; i < p->n_states; i++)
        p->states[i] = g->states[i].before == LT_NONE ? none : g->values[g->states[i].before].type;
    return LATHE_OK;
}

/* Block numbers become offsets. */
static lathe_status place_blocks(lt_lowering *lo)
{
    lt_program *p = lo->program;
    LT_TRY(lt_plan_solve(&lo->plan, &p->arena_bytes, lo->err));
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_in + p->steps[i].n_out; k++) {
            lt_operand *operand = &p->steps[i].args[k];
            if (operand->kind == LT_BUFFER_ARENA)
                operand->offset += (int64_t)lt_plan_offset(&lo->plan, operand->index);
        }
    return LATHE_OK;
}

lathe_status lt_program_build(const lt_graph *graph, const lt_weight_layout *weights, lt_program **out,
                              lathe_error *err)
{
    lt_lowering lo = {.graph = graph, .weights = weights, .arena = graph->arena, .err = err};
    lo.plan.arena = graph->arena;
    LT_ALLOC(lo.arena, lo.program, 1, err);
    LT_ALLOC(lo.arena, lo.places, graph->n_values, err);
    LT_ALLOC(lo.arena, lo.last_use, graph->n_values, err);
    LT_ALLOC(lo.arena, lo.output_of, graph->n_values, err);
    LT_ALLOC(lo.arena, lo.with_next, graph->n_nodes, err);
    LT_TRY(describe(&lo));
    find_uses(&lo);
    find_epilogues(&lo);
    choose_outputs(&lo);
    for (uint32_t i = 0; i < graph->n_nodes; i++) LT_TRY(lower_node(&lo, &graph->nodes[i], i));
    LT_TRY(copy_results(&lo));
    LT_TRY(place_blocks(&lo));
    *out = lo.program;
    return LATHE_OK;
}
