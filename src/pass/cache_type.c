/* Key/value caches in another float type than the graph has. A kept state qualifies when all that happens to
 * it is that it is updated and that attention reads the result, through views or not, as keys or values:
 * attention takes them in any float type. What is written into it is rounded; all else stays as it is. */
#include "pass/pass.h"
#include "pass/rewrite.h"

typedef struct lt_cache_types {
    lt_dtype dtype;
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

/* Refuses states that something else reads; and of keys and values, one without the other. */
static void check_reads(const lt_graph *graph, lt_cache_types *c)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_node *node = &graph->nodes[i];
        for (uint32_t k = 0; k < node->n_in; k++) {
            bool goes_on =
                k == 0 && (is_view(node) || (is_update(node) && node->op != LT_OP_AS_STRIDED_SCATTER));
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
        if (k > 0 && value) in[k] = lt_build_cast(&rw->b, in[k], c->dtype);
    }
    *out = lt_build(&rw->b, node->op, &node->attrs, in, (int)node->n_in);
    return true;
}

lathe_status lt_pass_cache_type(const lt_graph *from, lt_dtype dtype, lt_graph **out, lathe_error *err)
{
    lt_cache_types c = {.dtype = dtype};
    uint32_t n = 0, kept = 0;
    LT_ALLOC(from->arena, c.state_of, from->n_values, err);
    LT_ALLOC(from->arena, c.fits, from->n_states, err);
    for (uint32_t i = 0; i < from->n_states; i++)
        c.fits[i] = from->states[i].input != LT_NONE &&
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
    for (uint32_t i = 0; i < from->n_states; i++) /* the old graph is not read any more */
        if (c.fits[i]) from->values[from->states[i].before].type.dtype = dtype;
    return lt_rewrite_graph_with(from, store, &c, out, err);
}
