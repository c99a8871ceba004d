/* Local simplification: constants are computed, casts and views that cancel or join do so, and equal nodes
 * become one. */
#include <string.h>

#include "pass/pass.h"
#include "pass/rewrite.h"

enum {
    MAX_FOLDED_BYTES = 1 << 20
}; /* larger constants are computed when they are needed: programs stay small */

static const lt_node *new_producer(const lt_rewrite *rw, lt_id value)
{
    return lt_graph_producer(rw->b.graph, value);
}

/* The node, or an equal one that is there already. */
static lt_id build_once(lt_rewrite *rw, lt_op op, const lt_attrs *attrs, lt_id in)
{
    lt_node key = {.op = op, .attrs = *attrs, .in = &in, .n_in = 1};
    const lt_node *same = lt_rewrite_same(rw, &key);
    return same ? same->out : lt_build(&rw->b, op, attrs, &in, 1);
}

/* A view of a view of the same kind is one view; one that changes nothing is none. */
static bool join_views(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_RESHAPE && node->op != LT_OP_PERMUTE) return false;
    lt_id in = rw->map[node->in[0]];
    const lt_node *inner = new_producer(rw, in);
    const lt_type *type = lt_rewrite_type(rw, node->out);
    lt_attrs attrs = node->attrs;
    if (inner && inner->op == node->op) {
        in = inner->in[0];
        for (int i = 0; node->op == LT_OP_PERMUTE && i < type->rank; i++)
            attrs.permute.dim[i] = inner->attrs.permute.dim[node->attrs.permute.dim[i]];
    }
    bool same = lt_type_equal(type, lt_build_type(&rw->b, in));
    for (int i = 0; node->op == LT_OP_PERMUTE && i < type->rank; i++)
        same = same && attrs.permute.dim[i] == i;
    *out = same ? in : build_once(rw, node->op, &attrs, in);
    return true;
}

/* Whether every value of one dtype is a value of the other. */
static bool holds(lt_dtype wide, lt_dtype narrow)
{
    return lt_dtype_is_float(wide) && lt_dtype_is_float(narrow) && lt_dtype_promote(wide, narrow) == wide;
}

/* A cast there and back through a wider type, or to the type it has. */
static bool drop_cast(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_CAST) return false;
    lt_id in = rw->map[node->in[0]];
    lt_dtype to = node->attrs.dtype.dtype, from = rw->b.graph->values[in].type.dtype;
    const lt_node *inner = new_producer(rw, in);
    if (inner && inner->op == LT_OP_CAST) {
        lt_dtype first = rw->b.graph->values[inner->in[0]].type.dtype;
        if (holds(from, first)) {
            *out = lt_build_cast(&rw->b, inner->in[0], to);
            return true;
        }
    }
    if (from != to || rw->b.graph->values[in].wrapped) return false;
    *out = in;
    return true;
}

/* ---- Constants ---- */

/* The value as a tensor when it is a constant, or a view of one. */
static bool const_tensor(const lt_graph *graph, lt_id id, lt_tensor *out)
{
    const lt_value *value = &graph->values[id];
    if (value->kind == LT_VALUE_CONST) {
        *out = lt_tensor_of(&value->type, (void *)(uintptr_t)value->data);
        return true;
    }
    const lt_node *node = lt_graph_producer(graph, id);
    lt_tensor in;
    if (!node || !(lt_op_get(node->op)->flags & LT_OP_VIEW) || !const_tensor(graph, node->in[0], &in))
        return false;
    return lt_op_get(node->op)->view(&node->attrs, &in, out);
}

static lathe_status compute(lt_rewrite *rw, const lt_node *node, const lt_tensor *in, lt_id *out)
{
    const lt_op_info *info = lt_op_get(node->op);
    const lt_type *type = lt_rewrite_type(rw, node->out);
    lt_arena *arena = rw->b.graph->arena;
    lt_type *types;
    uint8_t *data, *scratch = NULL;
    LT_ALLOC(arena, data, lt_type_bytes(type), rw->b.err);
    LT_ALLOC(arena, types, node->n_in, rw->b.err);
    for (uint32_t k = 0; k < node->n_in; k++) types[k] = lt_tensor_type(&in[k]);
    if (info->scratch)
        LT_ALLOC(arena, scratch, info->scratch(&node->attrs, types, (int)node->n_in), rw->b.err);
    lt_tensor result = lt_tensor_of(type, data);
    lt_op_call call = {.op = node->op,
                       .attrs = &node->attrs,
                       .in = in,
                       .out = &result,
                       .n_in = (int)node->n_in,
                       .scratch = scratch};
    LT_TRY(info->ref(&call, rw->b.err));
    return lt_graph_add_value(rw->b.graph, &(lt_value){.type = *type, .kind = LT_VALUE_CONST, .data = data},
                              out, rw->b.err);
}

static bool fold_constant(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    enum { MAX_IN = 8 };
    const lt_op_info *info = lt_op_get(node->op);
    lt_tensor in[MAX_IN];
    if (info->n_out != 1 || !info->ref || node->n_in > MAX_IN ||
        lt_type_bytes(lt_rewrite_type(rw, node->out)) > MAX_FOLDED_BYTES)
        return false;
    for (uint32_t k = 0; k < node->n_in; k++)
        if (!const_tensor(rw->b.graph, rw->map[node->in[k]], &in[k])) return false;
    lathe_error ignored;
    lathe_error *err = rw->b.err;
    rw->b.err = &ignored; /* an index out of range is reported where the node runs */
    lathe_status status = compute(rw, node, in, out);
    rw->b.err = err;
    if (status == LATHE_NO_MEMORY) lt_build_fail(&rw->b, status, "%s", ignored.message);
    return status == LATHE_OK;
}

/* ---- Common subexpressions ---- */

static bool share(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_node key = *node;
    lt_id few[16];
    key.in = few;
    if (node->n_in > LT_COUNT(few)) return false;
    for (uint32_t k = 0; k < node->n_in; k++) few[k] = rw->map[node->in[k]];
    const lt_node *same = lt_rewrite_same(rw, &key);
    if (same) *out = same->out;
    return same != NULL;
}

static bool simplify(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return drop_cast(rw, node, out) || join_views(rw, node, out) || fold_constant(rw, node, out) ||
           share(rw, node, out);
}

lathe_status lt_pass_simplify(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, simplify, out, err);
}
