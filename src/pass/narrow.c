/* One row instead of all: where nothing but one row of a value is read, what computes its rows one by one
 * computes that row alone. The rows are a slice of one element or an index of one number, along any dim; they
 * move from results towards what they are computed from, as far as all readers agree: when a language model
 * is asked for the last row of its logits, up through the head, the last norm and the last layer to the
 * queries of its attention. */
#include <string.h>

#include "pass/pass.h"
#include "pass/rewrite.h"

/* Which row of a value is read. */
typedef struct lt_wish {
    enum { WISH_NONE, WISH_ROW, WISH_ALL } kind;
    int dim;
    const lt_node *pick; /* ROW: a node that picks it */
} lt_wish;

typedef struct lt_wishes {
    const lt_graph *graph;
    const uint32_t *uses;
    lt_wish *of; /* [n_values] */
} lt_wishes;

/* The row that a node picks out of its first input. */
static bool picks_row(const lt_graph *graph, const lt_node *node, lt_wish *out)
{
    const lt_type *type = node->n_in ? &graph->values[node->in[0]].type : NULL;
    if (node->op == LT_OP_SLICE) {
        *out = (lt_wish){WISH_ROW, node->attrs.slice.dim, node};
        return node->attrs.slice.count == 1 && type->dim[node->attrs.slice.dim] > 1;
    }
    if (node->op != LT_OP_INDEX || node->n_in != 2) return false;
    const lt_type *index = &graph->values[node->in[1]].type;
    int dim = node->attrs.index.position, marked = 0;
    for (int i = 0; i < type->rank; i++) marked += node->attrs.index.dims[i];
    *out = (lt_wish){WISH_ROW, dim, node};
    bool leaf = graph->values[node->in[1]].kind != LT_VALUE_TEMP; /* so that it is there for earlier nodes */
    return leaf && index->rank == 1 && index->dim[0] == 1 && marked == 1 && dim < type->rank &&
           node->attrs.index.dims[dim] && type->dim[dim] > 1;
}

static bool same_pick(const lt_node *a, const lt_node *b)
{
    if (a->op != b->op) return false;
    return a->op == LT_OP_SLICE ? a->attrs.slice.start == b->attrs.slice.start
                                : a->in[1] == b->in[1] && a->attrs.index.wrap == b->attrs.index.wrap;
}

static bool same_wish(const lt_wish *a, const lt_wish *b)
{
    return a->kind == b->kind && (a->kind != WISH_ROW || (a->dim == b->dim && same_pick(a->pick, b->pick)));
}

static void wish(lt_wishes *w, lt_id value, lt_wish wanted)
{
    lt_wish *of = &w->of[value];
    if (of->kind == WISH_NONE) *of = wanted;
    else if (!same_wish(of, &wanted)) of->kind = WISH_ALL;
}

/* ---- Which rows of the inputs a row of the result is computed from ---- */

/* The dim of input k that dim `dim` of the result runs over; -1: the input does not have it, and is read
 * whole. False: the result's rows are not computed one by one. */
static bool broadcast_dim(const lt_graph *graph, const lt_node *node, uint32_t k, int dim, int *in_dim)
{
    const lt_type *in = &graph->values[node->in[k]].type, *out = &graph->values[node->out].type;
    *in_dim = dim - (out->rank - in->rank);
    if (*in_dim < 0 || in->dim[*in_dim] == 1) *in_dim = -1;
    return true;
}

static bool reshape_dim(const lt_graph *graph, const lt_node *node, int dim, int *in_dim)
{
    const lt_type *in = &graph->values[node->in[0]].type, *out = &graph->values[node->out].type;
    int64_t before = 1, outer = 1;
    for (int i = 0; i < dim; i++) before *= out->dim[i];
    for (*in_dim = 0; *in_dim < in->rank; ++*in_dim) {
        if (outer == before && in->dim[*in_dim] == out->dim[dim]) return true;
        outer *= in->dim[*in_dim];
    }
    return false;
}

static bool attention_dim(const lt_graph *graph, const lt_node *node, uint32_t k, int dim, int *in_dim)
{
    const lt_attrs_sdpa *sdpa = &node->attrs.sdpa;
    const lt_type *in = &graph->values[node->in[k]].type;
    bool bound = k >= 3u + sdpa->has_mask, sink = sdpa->has_sink && k + 1 == node->n_in;
    if (dim != 2 || sdpa->causal) return false;
    *in_dim = k == 0 ? 2 : k < 3 || sink ? -1 : bound ? in->rank - 1 : in->rank - 2;
    if (*in_dim >= 0 && in->dim[*in_dim] == 1) *in_dim = -1;
    return true;
}

static bool norm_dim(const lt_wishes *w, const lt_node *node, uint32_t k, int dim, int *in_dim)
{
    int rank = w->graph->values[node->out].type.rank;
    for (int i = 1; i < lt_op_get(node->op)->n_out; i++)
        if (w->uses[node->out + (lt_id)i]) return false;
    *in_dim = k == 0 ? dim : -1;
    return dim < rank - node->attrs.norm.n_dims;
}

static bool input_dim(const lt_wishes *w, const lt_node *node, uint32_t k, int dim, int *in_dim)
{
    const lt_graph *graph = w->graph;
    int rank = graph->values[node->out].type.rank;
    if (lt_op_get(node->op)->flags & LT_OP_ELEMENTWISE) return broadcast_dim(graph, node, k, dim, in_dim);
    switch (node->op) {
    case LT_OP_CAST:
    case LT_OP_EXPAND: return broadcast_dim(graph, node, k, dim, in_dim);
    case LT_OP_ROPE: return dim < rank - 1 && broadcast_dim(graph, node, k, dim, in_dim);
    case LT_OP_RESHAPE: return reshape_dim(graph, node, dim, in_dim);
    case LT_OP_PERMUTE: *in_dim = node->attrs.permute.dim[dim]; return true;
    case LT_OP_LINEAR: *in_dim = k == 0 ? dim : -1; return dim < rank - 1;
    case LT_OP_MATMUL: *in_dim = k == 0 ? dim : -1; return dim == rank - 2;
    case LT_OP_SOFTMAX: *in_dim = dim; return dim != node->attrs.softmax.dim;
    case LT_OP_RMS_NORM:
    case LT_OP_LAYER_NORM: return norm_dim(w, node, k, dim, in_dim);
    case LT_OP_SDPA: return attention_dim(graph, node, k, dim, in_dim);
    default: return false;
    }
}

enum { MAX_IN = 8 };

/* Whether the node will compute only the row that is wished for. */
static bool can_narrow(const lt_wishes *w, const lt_node *node)
{
    const lt_wish *of = &w->of[node->out];
    int in_dim;
    if (of->kind != WISH_ROW || node->n_in == 0 || node->n_in > MAX_IN) return false;
    for (uint32_t k = 0; k < node->n_in; k++)
        if (!input_dim(w, node, k, of->dim, &in_dim)) return false;
    return true;
}

/* From the ends back, so that all readers of a value have said what they want before what makes it is met. */
static void find_wishes(lt_wishes *w)
{
    const lt_graph *g = w->graph;
    const lt_wish all = {.kind = WISH_ALL};
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] != LT_NONE) wish(w, g->outputs[i], all);
    for (uint32_t i = 0; i < g->n_states; i++) wish(w, g->states[i].after, all);
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const lt_node *node = &g->nodes[i];
        bool live = false, narrow = can_narrow(w, node);
        for (int k = 0; k < lt_op_get(node->op)->n_out; k++) live = live || w->uses[node->out + (lt_id)k];
        if (!live) continue;
        lt_wish own = w->of[node->out], picked;
        for (int k = narrow; k < lt_op_get(node->op)->n_out; k++) w->of[node->out + (lt_id)k].kind = WISH_ALL;
        for (uint32_t k = 0; k < node->n_in; k++) {
            int dim = -1;
            if (narrow) input_dim(w, node, k, own.dim, &dim);
            lt_wish wanted = dim < 0 ? all : (lt_wish){WISH_ROW, dim, own.pick};
            if (!narrow && k == 0 && picks_row(g, node, &picked)) wanted = picked;
            wish(w, node->in[k], wanted);
        }
    }
}

/* ---- Building ---- */

static lt_id pick_row(lt_rewrite *rw, lt_id new_value, const lt_wish *row)
{
    const lt_node *pick = row->pick;
    if (pick->op == LT_OP_SLICE)
        return lt_build_narrow(&rw->b, new_value, row->dim, pick->attrs.slice.start, 1);
    return lt_build_index_dim(&rw->b, new_value, row->dim, rw->map[pick->in[1]], pick->attrs.index.wrap);
}

/* Whether the new graph has only the wished row of a value: of nodes, the others wish for all by now. */
static bool is_narrow(const lt_rewrite *rw, lt_id value)
{
    const lt_wishes *w = rw->context;
    return lt_graph_producer(rw->from, value) && w->of[value].kind == WISH_ROW;
}

static bool narrow(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_wishes *w = rw->context;
    lt_wish own = w->of[node->out], picked;
    if (picks_row(rw->from, node, &picked) && is_narrow(rw, node->in[0])) {
        *out = rw->map[node->in[0]];
        return true;
    }
    if (!is_narrow(rw, node->out)) return false;
    lt_id in[MAX_IN];
    lt_attrs attrs = node->attrs;
    for (uint32_t k = 0; k < node->n_in; k++) {
        int dim;
        input_dim(w, node, k, own.dim, &dim);
        in[k] = rw->map[node->in[k]];
        if (dim >= 0 && !is_narrow(rw, node->in[k]))
            in[k] = pick_row(rw, in[k], &(lt_wish){WISH_ROW, dim, own.pick});
    }
    if (node->op == LT_OP_RESHAPE || node->op == LT_OP_EXPAND) attrs.reshape.dim[own.dim] = 1;
    *out = lt_build(&rw->b, node->op, &attrs, in, (int)node->n_in);
    return true;
}

lathe_status lt_pass_narrow(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    lt_wishes w = {.graph = from};
    uint32_t *uses;
    LT_TRY(lt_rewrite_uses(from, &uses, err));
    w.uses = uses;
    LT_ALLOC(from->arena, w.of, from->n_values, err);
    find_wishes(&w);
    return lt_rewrite_graph_with(from, narrow, &w, out, err);
}
