/* Splits a graph at the values that are the same in every run. */
#include "pass/hoist.h"

#include <string.h>

#include "pass/subgraph.h"

/* Results up to this size are kept even when little was needed to make them; larger ones only when they are
 * at most GROWTH times as large as what they are made from. */
enum { SMALL_BYTES = 1 << 24, GROWTH = 2, KEY_BYTES = 1 << 16 };

typedef struct lt_splitter {
    const lt_graph *from;
    bool *fixed;      /* [n_values]: the same in every run */
    lt_id *hoisted;   /* [n_values]: its number among the hoisted values; LT_NONE */
    lt_subgraph copy; /* the new graph */
    lathe_error *err;
} lt_splitter;

static bool is_view(const lt_node *node) { return lt_op_get(node->op)->flags & LT_OP_VIEW; }

/* A view that can be expressed by strides whatever it shows: reshapes only of what lies row by row. */
static bool is_free_view(const lt_graph *graph, const lt_node *node)
{
    if (!is_view(node)) return false;
    if (node->op != LT_OP_RESHAPE) return true;
    const lt_node *inner = lt_graph_producer(graph, node->in[0]);
    return !inner || !is_view(inner) || (inner->op == LT_OP_RESHAPE && is_free_view(graph, inner));
}

static bool is_worth_keeping(const lt_graph *graph, const lt_node *node)
{
    double in = 0, out = 0;
    if (node->op == LT_OP_WINOGRAD_WEIGHT) return true; /* the layout pass weighed that */
    for (uint32_t k = 0; k < node->n_in; k++) in += (double)lt_type_bytes(&graph->values[node->in[k]].type);
    for (int k = 0; k < lt_op_get(node->op)->n_out; k++)
        out += (double)lt_type_bytes(&graph->values[node->out + (lt_id)k].type);
    return out <= SMALL_BYTES || out <= GROWTH * in;
}

lathe_status lt_hoist_fixed(const lt_graph *graph, bool **out, lathe_error *err)
{
    bool *fixed;
    LT_ALLOC(graph->arena, fixed, graph->n_values, err);
    for (uint32_t i = 0; i < graph->n_values; i++)
        fixed[i] = graph->values[i].kind == LT_VALUE_WEIGHT || graph->values[i].kind == LT_VALUE_CONST;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        bool all = is_free_view(graph, node) || is_worth_keeping(graph, node);
        for (uint32_t k = 0; k < node->n_in; k++) all = all && fixed[node->in[k]];
        for (int k = 0; k < lt_op_get(node->op)->n_out; k++) fixed[node->out + (lt_id)k] = all;
    }
    *out = fixed;
    return LATHE_OK;
}

/* What the rest reads: the value itself, or what a free view of it shows. */
static void need(lt_splitter *s, lt_hoist *out, lt_id id)
{
    if (!s->fixed[id]) return;
    const lt_node *node = lt_graph_producer(s->from, id);
    while (node && is_free_view(s->from, node)) {
        id = node->in[0];
        node = lt_graph_producer(s->from, id);
    }
    if (!node || s->hoisted[id] != LT_NONE) return;
    s->hoisted[id] = out->n;
    out->values[out->n++] = id;
}

static void find_needed(lt_splitter *s, lt_hoist *out)
{
    const lt_graph *g = s->from;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in && !s->fixed[g->nodes[i].out]; k++)
            need(s, out, g->nodes[i].in[k]);
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] != LT_NONE) need(s, out, g->outputs[i]);
    for (uint32_t i = 0; i < g->n_states; i++)
        if (g->states[i].after != LT_NONE) need(s, out, g->states[i].after);
}

/* ---- Copying parts of a graph ---- */

static lathe_status copy_rest_values(lt_splitter *s)
{
    for (uint32_t i = 0; i < s->from->n_values; i++) {
        lt_value value = s->from->values[i];
        if (s->hoisted[i] != LT_NONE) {
            value.kind = LT_VALUE_HOISTED;
            value.index = s->hoisted[i];
        } else if (value.kind == LT_VALUE_TEMP) {
            continue;
        }
        LT_TRY(lt_subgraph_value(&s->copy, i, value));
    }
    return LATHE_OK;
}

/* Nodes of the rest: those that change from run to run, and views of what does not. */
static lathe_status copy_rest(lt_splitter *s)
{
    const lt_graph *g = s->from;
    LT_TRY(copy_rest_values(s));
    const lt_id *map = s->copy.map;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const lt_node *node = &g->nodes[i];
        bool there = true;
        for (uint32_t k = 0; k < node->n_in; k++) there = there && map[node->in[k]] != LT_NONE;
        if (s->fixed[node->out] ? there && is_free_view(g, node) : true)
            LT_TRY(lt_subgraph_node(&s->copy, node));
    }
    return lt_graph_copy_ends(s->copy.to, s->from, s->copy.map, s->err);
}

lathe_status lt_hoist_split(const lt_graph *from, lt_hoist *out, lathe_error *err)
{
    lt_splitter s = {.from = from, .err = err};
    *out = (lt_hoist){.from = from};
    LT_TRY(lt_subgraph_start(&s.copy, from, err));
    LT_TRY(lt_hoist_fixed(from, &s.fixed, err));
    LT_ALLOC(from->arena, s.hoisted, from->n_values, err);
    LT_ALLOC(from->arena, out->values, from->n_values, err);
    for (uint32_t i = 0; i < from->n_values; i++) s.hoisted[i] = LT_NONE;
    find_needed(&s, out);
    out->rest = s.copy.to;
    return copy_rest(&s);
}

/* Starts a graph with what makes these values. */
static lathe_status copy_makers(lt_subgraph *s, const lt_graph *from, const lt_id *values, uint32_t n,
                                lathe_error *err)
{
    bool *wanted;
    LT_TRY(lt_subgraph_start(s, from, err));
    LT_ALLOC(from->arena, wanted, from->n_values, err);
    for (uint32_t i = 0; i < n; i++) wanted[values[i]] = true;
    for (uint32_t i = from->n_nodes; i-- > 0;) {
        const lt_node *node = &from->nodes[i];
        bool reads = false;
        for (int k = 0; k < lt_op_get(node->op)->n_out; k++) reads = reads || wanted[node->out + (lt_id)k];
        wanted[node->out] = reads; /* stands for the node from here on */
        for (uint32_t k = 0; k < node->n_in && reads; k++) wanted[node->in[k]] = true;
    }
    for (uint32_t i = 0; i < from->n_values; i++)
        if (wanted[i] && from->values[i].kind != LT_VALUE_TEMP)
            LT_TRY(lt_subgraph_value(s, i, from->values[i]));
    for (uint32_t i = 0; i < from->n_nodes; i++)
        if (wanted[from->nodes[i].out]) LT_TRY(lt_subgraph_node(s, &from->nodes[i]));
    return LATHE_OK;
}

lathe_status lt_hoist_graph(const lt_graph *from, const lt_id *values, uint32_t n, lt_graph **out,
                            lathe_error *err)
{
    lt_subgraph s;
    LT_TRY(copy_makers(&s, from, values, n, err));
    s.to->n_outputs = n;
    LT_ALLOC(from->arena, s.to->outputs, n, err);
    for (uint32_t i = 0; i < n; i++) s.to->outputs[i] = s.map[values[i]];
    *out = s.to;
    return LATHE_OK;
}

lathe_status lt_hoist_join(const lt_hoist *hoist, const lt_graph *part, lt_graph **out, lathe_error *err)
{
    lt_subgraph makers, s;
    lt_id *values;
    uint32_t n = 0;
    LT_ALLOC(part->arena, values, part->n_values, err);
    for (uint32_t i = 0; i < part->n_values; i++)
        if (part->values[i].kind == LT_VALUE_HOISTED) values[n++] = hoist->values[part->values[i].index];
    LT_TRY(copy_makers(&makers, hoist->from, values, n, err));
    LT_TRY(lt_subgraph_start(&s, part, err));
    s.to = makers.to;
    for (uint32_t i = 0; i < part->n_values; i++) {
        const lt_value *value = &part->values[i];
        if (value->kind == LT_VALUE_HOISTED) s.map[i] = makers.map[hoist->values[value->index]];
        else if (value->kind != LT_VALUE_TEMP) LT_TRY(lt_subgraph_value(&s, i, *value));
    }
    for (uint32_t i = 0; i < part->n_nodes; i++) LT_TRY(lt_subgraph_node(&s, &part->nodes[i]));
    *out = s.to;
    return lt_graph_copy_ends(s.to, part, s.map, err);
}

/* ---- Keys ---- */

static void append(lt_text *key, const void *bytes, size_t size) { lt_text_append(key, bytes, size); }

bool lt_hoist_key(const lt_graph *from, lt_id id, lt_text *key)
{
    const lt_value *value = &from->values[id];
    if (key->length > KEY_BYTES) return false;
    append(key, &value->kind, sizeof value->kind);
    append(key, &value->type, sizeof value->type);
    if (value->kind == LT_VALUE_WEIGHT) {
        append(key, &value->index, sizeof value->index);
        return true;
    }
    if (value->kind == LT_VALUE_CONST) {
        size_t bytes = lt_type_bytes(&value->type);
        if (bytes <= KEY_BYTES) append(key, value->data, bytes);
        return bytes <= KEY_BYTES;
    }
    const lt_node *node = lt_graph_producer(from, id);
    uint32_t which = id - node->out;
    append(key, &node->op, sizeof node->op);
    append(key, &which, sizeof which);
    append(key, &node->attrs, sizeof node->attrs);
    append(key, &node->n_in, sizeof node->n_in);
    for (uint32_t k = 0; k < node->n_in; k++)
        if (!lt_hoist_key(from, node->in[k], key)) return false;
    return true;
}
