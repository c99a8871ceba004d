/* Key/value caches in another type than the graph has: a float type, or rows of int8 with a scale. A kept
 * state qualifies when all that happens to it is that it is updated and that attention reads the result,
 * through views or not, as keys or values: attention takes them in any of these types. What is written into
 * it is rounded; all else stays as it is. */
#include "ops/cache_row.h"
#include "pass/pass.h"
#include "pass/rewrite.h"

typedef struct lt_cache_types {
    lt_dtype dtype;
    bool quantized;     /* rows of int8: their last dim stays whole */
    uint32_t *state_of; /* [n_values]: which state the value shows, before or after its update; LT_NONE */
    bool *fits;         /* [n_states] */
} lt_cache_types;

static bool is_update(const lt_node *node) { return lt_op_get(node->op)->flags & LT_OP_UPDATE; }
static bool is_view(const lt_node *node) { return lt_op_get(node->op)->flags & LT_OP_VIEW; }

/* The state that an update or a view of it goes on showing. */
static void follow(const lt_graph *graph, lt_cache_types *c)
{
    for (uint32_t i = 0; i < graph->n_values; i++) c->state_of[i] = LT_NONE;
    for (uint32_t i = 0; i < graph->n_states; i++) c->state_of[graph->states[i].before] = i;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        if (node->n_in && (is_view(node) || is_update(node)))
            c->state_of[node->out] = c->state_of[node->in[0]];
    }
}

static void refuse(lt_cache_types *c, lt_id value)
{
    if (c->state_of[value] != LT_NONE) c->fits[c->state_of[value]] = false;
}

/* Whether a view leaves the last dim of its input the last, and whole. */
static bool view_keeps_rows(const lt_node *node, const lt_type *in, const lt_type *out)
{
    int last = in->rank - 1;
    switch (node->op) {
    case LT_OP_RESHAPE:
    case LT_OP_EXPAND: return in->rank && out->rank && in->dim[last] == out->dim[out->rank - 1];
    case LT_OP_PERMUTE: return node->attrs.permute.dim[last] == last;
    case LT_OP_SLICE: return node->attrs.slice.dim != last;
    default: return false;
    }
}

/* Whether an update writes whole rows. */
static bool update_keeps_rows(const lt_graph *graph, const lt_node *node)
{
    const lt_type *out = &graph->values[node->out].type, *rows = &graph->values[node->in[1]].type;
    const lt_attrs_index *index = &node->attrs.index;
    int last = out->rank - 1, kept = 0;
    if (node->op != LT_OP_INDEX_PUT || index->accumulate || index->dims[last]) return false;
    for (int d = 0; d <= last; d++) kept += !index->dims[d];
    return index->position < kept && rows->rank && rows->dim[rows->rank - 1] == out->dim[last];
}

static bool keeps_rows(const lt_graph *graph, const lt_node *node)
{
    if (is_update(node)) return update_keeps_rows(graph, node);
    return view_keeps_rows(node, &graph->values[node->in[0]].type, &graph->values[node->out].type);
}

/* Refuses states that something else reads; and of keys and values, one without the other. */
static void check_reads(const lt_graph *graph, lt_cache_types *c)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        for (uint32_t k = 0; k < node->n_in; k++) {
            bool goes_on =
                k == 0 && (is_view(node) || (is_update(node) && node->op != LT_OP_AS_STRIDED_SCATTER));
            goes_on = goes_on && (!c->quantized || keeps_rows(graph, node));
            bool attends = node->op == LT_OP_SDPA && (k == 1 || k == 2);
            if (!goes_on && !attends) refuse(c, node->in[k]);
        }
    }
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] != LT_NONE) refuse(c, graph->outputs[i]);
    for (uint32_t i = 0; i < graph->n_states; i++)
        if (c->state_of[graph->states[i].after] != i) c->fits[i] = false;
}

static bool check_pairs(const lt_graph *graph, lt_cache_types *c)
{
    bool changed = false;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        if (node->op != LT_OP_SDPA) continue;
        uint32_t k = c->state_of[node->in[1]], v = c->state_of[node->in[2]];
        bool fits[2] = {k != LT_NONE && c->fits[k], v != LT_NONE && c->fits[v]};
        if (fits[0] == fits[1]) continue;
        refuse(c, node->in[fits[0] ? 1 : 2]);
        changed = true;
    }
    return changed;
}

static lt_id stored(lt_rewrite *rw, lt_id value, const lt_cache_types *c)
{
    if (!c->quantized) return lt_build_cast(&rw->b, value, c->dtype);
    if (lt_build_dtype(&rw->b, value) == LATHE_F64) value = lt_build_cast(&rw->b, value, LATHE_F32);
    return lt_build(&rw->b, LT_OP_QUANTIZE_ROWS, &(lt_attrs){0}, &value, 1);
}

static bool store(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_cache_types *c = rw->context;
    uint32_t state = is_update(node) ? c->state_of[node->out] : LT_NONE;
    enum { MAX_IN = 8 };
    lt_id in[MAX_IN];
    if (state == LT_NONE || !c->fits[state] || node->n_in > MAX_IN) return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        in[k] = rw->map[node->in[k]];
        bool value = lt_rewrite_type(rw, node->in[k])->dtype == lt_rewrite_type(rw, node->out)->dtype;
        if (k > 0 && value) in[k] = stored(rw, in[k], c);
    }
    *out = lt_build(&rw->b, node->op, &node->attrs, in, (int)node->n_in);
    return true;
}

/* Views of rows that have become longer by their scale. */
static bool widen(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_cache_types *c = rw->context;
    uint32_t state = c->state_of[node->out];
    bool sized = node->op == LT_OP_RESHAPE || node->op == LT_OP_EXPAND;
    if (!c->quantized || !sized || state == LT_NONE || !c->fits[state]) return false;
    lt_attrs attrs = node->attrs;
    attrs.reshape.dim[attrs.reshape.rank - 1] += LT_CACHE_SCALE;
    *out = lt_build(&rw->b, node->op, &attrs, &rw->map[node->in[0]], 1);
    return true;
}

static bool retype(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return widen(rw, node, out) || store(rw, node, out);
}

lathe_status lt_pass_cache_type(const lt_graph *from, lt_dtype dtype, lt_graph **out, lathe_error *err)
{
    lt_cache_types c = {.dtype = dtype, .quantized = dtype == LATHE_I8};
    uint32_t n = 0, kept = 0;
    LT_ALLOC(from->arena, c.state_of, from->n_values, err);
    LT_ALLOC(from->arena, c.fits, from->n_states, err);
    for (uint32_t i = 0; i < from->n_states; i++)
        c.fits[i] = from->states[i].input != LT_NONE && from->values[from->states[i].before].type.rank &&
                    lt_dtype_is_float(from->values[from->states[i].before].type.dtype);
    follow(from, &c);
    check_reads(from, &c);
    while (check_pairs(from, &c)) continue;
    for (uint32_t i = 0; i < from->n_states; i++) {
        kept += from->states[i].input != LT_NONE;
        n += c.fits[i];
    }
    if (n < kept || n == 0)
        LT_FAIL(err, UNSUPPORTED,
                "%u of %u caches can be kept as %s: something other than attention reads the others", n, kept,
                lathe_dtype_name(dtype));
    for (uint32_t i = 0; i < from->n_states; i++) { /* the old graph is not read any more */
        lt_type *type = &from->values[from->states[i].before].type;
        if (!c.fits[i]) continue;
        type->dtype = dtype;
        if (c.quantized) type->dim[type->rank - 1] += LT_CACHE_SCALE;
    }
    return lt_rewrite_graph_with(from, retype, &c, out, err);
}
