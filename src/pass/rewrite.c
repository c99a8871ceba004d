/* The walk that all passes share. */
#include "pass/rewrite.h"

#include <string.h>

#include "ops/convert.h"
#include "pass/hoist.h"

static bool is_live(const lt_node *node, const uint32_t *uses)
{
    for (int k = 0; k < lt_op_get(node->op)->n_out; k++)
        if (uses[node->out + (lt_id)k]) return true;
    return false;
}

lathe_status lt_rewrite_uses(const lt_graph *graph, uint32_t **out, lathe_error *err)
{
    uint32_t *uses;
    LT_ALLOC(graph->arena, uses, graph->n_values, err);
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] != LT_NONE) uses[graph->outputs[i]]++;
    for (uint32_t i = 0; i < graph->n_states; i++)
        if (graph->states[i].after != LT_NONE) uses[graph->states[i].after]++;
    for (uint32_t i = graph->n_nodes; i-- > 0;)
        if (is_live(&graph->nodes[i], uses))
            for (uint32_t k = 0; k < graph->nodes[i].n_in; k++) uses[graph->nodes[i].in[k]]++;
    *out = uses;
    return LATHE_OK;
}

static bool same_const(const lt_value *a, const lt_value *b)
{
    return a->wrapped == b->wrapped && lt_type_equal(&a->type, &b->type) &&
           memcmp(a->data, b->data, lt_type_bytes(&a->type)) == 0;
}

/* Leaves keep their kind and number. The first small constants, which graphs repeat, are one value where they
 * are equal. */
static lathe_status copy_leaves(lt_rewrite *rw, lathe_error *err)
{
    enum { SMALL = 64, MOST = 128 };
    lt_id known[MOST];
    int n = 0;
    for (uint32_t i = 0; i < rw->from->n_values; i++) {
        const lt_value *value = &rw->from->values[i];
        rw->map[i] = LT_NONE;
        if (value->kind == LT_VALUE_TEMP) continue;
        bool small = value->kind == LT_VALUE_CONST && lt_type_bytes(&value->type) <= SMALL;
        for (int k = 0; small && k < n && rw->map[i] == LT_NONE; k++)
            if (same_const(value, &rw->b.graph->values[known[k]])) rw->map[i] = known[k];
        if (rw->map[i] != LT_NONE) continue;
        LT_TRY(lt_graph_add_value(rw->b.graph, value, &rw->map[i], err));
        if (small && n < MOST) known[n++] = rw->map[i];
    }
    return LATHE_OK;
}

static lathe_status copy_node(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_id *in;
    LT_ALLOC(rw->b.graph->arena, in, node->n_in, rw->b.err);
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = rw->map[node->in[k]];
    *out = lt_build(&rw->b, node->op, &node->attrs, in, (int)node->n_in);
    return rw->b.status;
}

static lathe_status rewrite_node(lt_rewrite *rw, const lt_node *node, lt_rewrite_node rule)
{
    lt_id out = LT_NONE;
    if (!is_live(node, rw->uses)) return LATHE_OK;
    rw->b.source = node->source;
    bool replaced = rule(rw, node, &out);
    LT_TRY(rw->b.status);
    if (!replaced) LT_TRY(copy_node(rw, node, &out));
    if (out == LT_NONE) return LATHE_OK;
    int n_out = lt_op_get(node->op)->n_out;
    for (int k = 0; k < n_out; k++) {
        if (!rw->uses[node->out + (lt_id)k]) continue; /* the replacement need not have it */
        rw->map[node->out + (lt_id)k] = out + (lt_id)k;
        lt_value *value = &rw->b.graph->values[out + (lt_id)k];
        if (!value->name) value->name = rw->from->values[node->out + (lt_id)k].name;
    }
    return LATHE_OK;
}

lathe_status lt_rewrite_graph_with(const lt_graph *from, lt_rewrite_node rule, void *context, lt_graph **out,
                                   lathe_error *err)
{
    lt_rewrite rw = {.from = from, .b = {.err = err}, .context = context};
    LT_TRY(lt_graph_create(from->arena, &rw.b.graph, err));
    LT_ALLOC(from->arena, rw.map, from->n_values, err);
    LT_TRY(lt_rewrite_uses(from, &rw.uses, err));
    LT_TRY(copy_leaves(&rw, err));
    for (uint32_t i = 0; i < from->n_nodes; i++) LT_TRY(rewrite_node(&rw, &from->nodes[i], rule));
    LT_TRY(lt_graph_copy_ends(rw.b.graph, from, rw.map, err));
    *out = rw.b.graph;
    return LATHE_OK;
}

lathe_status lt_rewrite_graph(const lt_graph *from, lt_rewrite_node rule, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph_with(from, rule, NULL, out, err);
}

lathe_status lt_rewrite_graph_fixed(const lt_graph *from, lt_rewrite_node rule, lt_graph **out,
                                    lathe_error *err)
{
    bool *fixed;
    LT_TRY(lt_hoist_fixed(from, &fixed, err));
    return lt_rewrite_graph_with(from, rule, fixed, out, err);
}

bool lt_rewrite_is_fixed(const lt_rewrite *rw, lt_id value) { return ((const bool *)rw->context)[value]; }

static bool keep(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    (void)rw, (void)node, (void)out;
    return false;
}

lathe_status lt_pass_prune(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, keep, out, err);
}

/* ---- Equal nodes ---- */

static bool same_node(const lt_node *a, const lt_node *b)
{
    return a->op == b->op && a->n_in == b->n_in && memcmp(a->in, b->in, a->n_in * sizeof *a->in) == 0 &&
           memcmp(&a->attrs, &b->attrs, sizeof a->attrs) == 0;
}

static uint64_t hash_node(const lt_node *node)
{
    uint64_t hash = lt_digest(LT_DIGEST_START, &node->op, sizeof node->op);
    hash = lt_digest(hash, node->in, node->n_in * sizeof *node->in);
    return lt_digest(hash, &node->attrs, sizeof node->attrs);
}

/* The slot of an equal node, or the empty one where it would be. */
static uint32_t *find_slot(const lt_rewrite *rw, const lt_node *node)
{
    uint32_t at = (uint32_t)hash_node(node) & (rw->n_slots - 1);
    while (rw->slots[at] && !same_node(&rw->b.graph->nodes[rw->slots[at] - 1], node))
        at = (at + 1) & (rw->n_slots - 1);
    return &rw->slots[at];
}

/* Takes in the nodes that were built since the last time; at most half of the slots are taken. */
static lathe_status index_nodes(lt_rewrite *rw)
{
    const lt_graph *to = rw->b.graph;
    if (2 * to->n_nodes >= rw->n_slots) {
        rw->n_slots = rw->n_slots ? rw->n_slots : 256;
        while (2 * to->n_nodes >= rw->n_slots) rw->n_slots *= 2;
        LT_ALLOC(to->arena, rw->slots, rw->n_slots, rw->b.err);
        rw->n_indexed = 0;
    }
    for (; rw->n_indexed < to->n_nodes; rw->n_indexed++) {
        uint32_t *slot = find_slot(rw, &to->nodes[rw->n_indexed]);
        if (!*slot) *slot = rw->n_indexed + 1;
    }
    return LATHE_OK;
}

const lt_node *lt_rewrite_same(lt_rewrite *rw, const lt_node *node)
{
    if (rw->b.status == LATHE_OK) rw->b.status = index_nodes(rw);
    if (rw->b.status != LATHE_OK) return NULL;
    uint32_t found = *find_slot(rw, node);
    return found ? &rw->b.graph->nodes[found - 1] : NULL;
}

const lt_node *lt_rewrite_made_by(const lt_rewrite *rw, lt_id value, lt_op op)
{
    const lt_node *node = lt_graph_producer(rw->from, value);
    return node && node->op == op ? node : NULL;
}

const lt_node *lt_rewrite_sole(const lt_rewrite *rw, lt_id value, lt_op op)
{
    return rw->uses[value] == 1 ? lt_rewrite_made_by(rw, value, op) : NULL;
}

const lt_type *lt_rewrite_type(const lt_rewrite *rw, lt_id value) { return &rw->from->values[value].type; }

bool lt_rewrite_scalar(const lt_rewrite *rw, lt_id value, double *out)
{
    const lt_value *v = &rw->from->values[value];
    if (v->kind != LT_VALUE_CONST || lt_type_count(&v->type) != 1) return false;
    *out = lt_load_one(v->type.dtype, v->data);
    return true;
}

const lt_node *lt_rewrite_new(const lt_rewrite *rw, lt_id value, lt_op op)
{
    const lt_node *node = lt_graph_producer(rw->b.graph, value);
    return node && node->op == op ? node : NULL;
}

lt_id lt_rewrite_uncast(const lt_rewrite *rw, lt_id value)
{
    const lt_node *cast;
    while ((cast = lt_rewrite_made_by(rw, value, LT_OP_CAST))) value = cast->in[0];
    return value;
}
