/* Building and printing graphs. */
#include "ir/graph.h"

#include <string.h>

lathe_status lt_graph_create(lt_arena *arena, lt_graph **out, lathe_error *err)
{
    LT_ALLOC(arena, *out, 1, err);
    (*out)->arena = arena;
    return LATHE_OK;
}

lathe_status lt_graph_add_value(lt_graph *graph, const lt_value *value, lt_id *out, lathe_error *err)
{
    LT_GROW(graph->arena, graph->values, graph->n_values, graph->cap_values, err);
    *out = graph->n_values++;
    graph->values[*out] = *value;
    return LATHE_OK;
}

lathe_status lt_graph_add_node(lt_graph *graph, lt_op op, const lt_attrs *attrs, const lt_id *in,
                               uint32_t n_in, uint32_t source, lt_id *out, lathe_error *err)
{
    const lt_op_info *info = lt_op_get(op);
    lt_type types[LT_MAX_OUTPUTS], *in_types;
    LT_ALLOC(graph->arena, in_types, n_in, err);
    for (uint32_t i = 0; i < n_in; i++) {
        lt_assert(in[i] < graph->n_values);
        in_types[i] = graph->values[in[i]].type;
    }
    memset(types, 0, sizeof types);
    LT_TRY_NOTE(info->infer(op, attrs, in_types, (int)n_in, types, err), err, "%s", info->name);
    for (int i = 0; i < info->n_out; i++) LT_TRY(lt_type_check(&types[i], info->name, err));

    LT_GROW(graph->arena, graph->nodes, graph->n_nodes, graph->cap_nodes, err);
    lt_node *node = &graph->nodes[graph->n_nodes];
    *node = (lt_node){.op = op, .n_in = n_in, .source = source, .attrs = *attrs};
    LT_ALLOC(graph->arena, node->in, n_in, err);
    if (n_in) memcpy(node->in, in, n_in * sizeof *in);
    for (int i = 0; i < info->n_out; i++) {
        lt_id id;
        LT_TRY(lt_graph_add_value(
            graph, &(lt_value){.type = types[i], .kind = LT_VALUE_TEMP, .index = graph->n_nodes}, &id, err));
        if (i == 0) node->out = id;
    }
    *out = node->out;
    graph->n_nodes++;
    return LATHE_OK;
}

lathe_status lt_graph_add_state(lt_graph *graph, const lt_state *state, uint32_t *index, lathe_error *err)
{
    LT_GROW(graph->arena, graph->states, graph->n_states, graph->cap_states, err);
    *index = graph->n_states++;
    graph->states[*index] = *state;
    return LATHE_OK;
}

static lt_id mapped(lt_id id, const lt_id *map) { return id == LT_NONE ? LT_NONE : map[id]; }

lathe_status lt_graph_copy_ends(lt_graph *graph, const lt_graph *from, const lt_id *map, lathe_error *err)
{
    graph->n_inputs = from->n_inputs;
    graph->n_outputs = from->n_outputs;
    LT_ALLOC(graph->arena, graph->inputs, from->n_inputs, err);
    LT_ALLOC(graph->arena, graph->outputs, from->n_outputs, err);
    for (uint32_t i = 0; i < from->n_inputs; i++) graph->inputs[i] = mapped(from->inputs[i], map);
    for (uint32_t i = 0; i < from->n_outputs; i++) graph->outputs[i] = mapped(from->outputs[i], map);
    for (uint32_t i = 0; i < from->n_states; i++) {
        lt_state state = from->states[i];
        uint32_t index;
        state.before = mapped(state.before, map);
        state.after = mapped(state.after, map);
        LT_TRY(lt_graph_add_state(graph, &state, &index, err));
    }
    return LATHE_OK;
}

const lt_node *lt_graph_producer(const lt_graph *graph, lt_id value)
{
    const lt_value *v = &graph->values[value];
    return v->kind == LT_VALUE_TEMP ? &graph->nodes[v->index] : NULL;
}

static void print_value(const lt_graph *graph, lt_id id, lt_text *text)
{
    static const char kinds[] = "iwsc%h";
    const lt_value *value = &graph->values[id];
    if (value->kind == LT_VALUE_TEMP) lt_text_printf(text, "%%%u", id);
    else if (value->kind == LT_VALUE_CONST) lt_text_printf(text, "c%u", id);
    else lt_text_printf(text, "%c%u", kinds[value->kind], value->index);
}

/* " {t0 = mul(a, b): float32; …}": inputs are letters. */
static void print_chain(const lt_attrs_chain *chain, lt_text *text)
{
    for (int s = 0; s < chain->n; s++) {
        const lt_chain_step *step = &chain->step[s];
        int n = step->op == LT_OP_CAST ? 1 : lt_op_get(step->op)->n_in;
        lt_text_printf(text, "%st%d = %s(", s ? "; " : " {", s, lt_op_get(step->op)->name);
        for (int k = 0; k < n; k++) {
            int arg = step->arg[k];
            lt_text_printf(text, "%s", k ? ", " : "");
            if (arg < LT_CHAIN_INPUTS) lt_text_printf(text, "%c", 'a' + arg);
            else lt_text_printf(text, "t%d", arg - LT_CHAIN_INPUTS);
        }
        lt_text_printf(text, "): %s", lathe_dtype_name((lt_dtype)step->out));
    }
    lt_text_printf(text, "}");
}

void lt_graph_print(const lt_graph *graph, lt_text *text)
{
    char type[LT_TYPE_TEXT];
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        const lt_op_info *info = lt_op_get(node->op);
        for (int k = 0; k < info->n_out; k++)
            lt_text_printf(text, "%s%%%u: %s", k ? ", " : "", node->out + (lt_id)k,
                           lt_type_print(&graph->values[node->out + (lt_id)k].type, type));
        lt_text_printf(text, " = %s(", info->name);
        for (uint32_t k = 0; k < node->n_in; k++) {
            if (k) lt_text_printf(text, ", ");
            print_value(graph, node->in[k], text);
        }
        lt_text_printf(text, ")");
        if (node->op == LT_OP_CHAIN) print_chain(&node->attrs.chain, text);
        lt_text_printf(text, "\n");
    }
    lt_text_printf(text, "return");
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        lt_text_printf(text, i ? ", " : " ");
        if (graph->outputs[i] == LT_NONE) lt_text_printf(text, "none");
        else print_value(graph, graph->outputs[i], text);
    }
    lt_text_printf(text, "\n");
    for (uint32_t i = 0; i < graph->n_states; i++) {
        lt_text_printf(text, "state s%u <- ", i);
        print_value(graph, graph->states[i].after, text);
        lt_text_printf(text, "\n");
    }
}
