/* Single numbers that are known while a graph is built: constants, and what is computed from them alone. */
#include <string.h>

#include "aten/builder.h"
#include "ops/convert.h"

enum { MAX_DEPTH = 32, MAX_NODES = 128, MAX_INPUTS = 4, BYTES = 8 };

static bool is_number(const lt_type *type)
{
    return lt_type_count(type) == 1 && lathe_dtype_size(type->dtype) <= BYTES;
}

static bool evaluate(const lt_graph *graph, lt_id id, int depth, int *nodes, uint8_t *out);

/* The one element that a node gives. */
static bool evaluate_node(const lt_graph *graph, const lt_node *node, int depth, int *nodes, uint8_t *out)
{
    const lt_op_info *info = lt_op_get(node->op);
    uint64_t data[MAX_INPUTS];
    lt_tensor in[MAX_INPUTS], result = lt_tensor_of(&graph->values[node->out].type, out);
    if (info->n_out != 1 || (info->flags & LT_OP_SCRATCH) || node->n_in > MAX_INPUTS) return false;
    for (uint32_t i = 0; i < node->n_in; i++) {
        if (!evaluate(graph, node->in[i], depth, nodes, (uint8_t *)&data[i])) return false;
        in[i] = lt_tensor_of(&graph->values[node->in[i]].type, &data[i]);
    }
    if (info->flags & LT_OP_VIEW) { /* another shape of one element */
        if (in[0].dtype != result.dtype) return false;
        memcpy(out, &data[0], lathe_dtype_size(result.dtype));
        return true;
    }
    lt_op_call call = {
        .op = node->op, .attrs = &node->attrs, .in = in, .out = &result, .n_in = (int)node->n_in};
    return info->ref(&call, NULL) == LATHE_OK;
}

static bool evaluate(const lt_graph *graph, lt_id id, int depth, int *nodes, uint8_t *out)
{
    const lt_value *value = &graph->values[id];
    if (!is_number(&value->type) || depth == 0 || (*nodes)-- == 0) return false;
    if (value->kind == LT_VALUE_CONST) {
        memcpy(out, value->data, lathe_dtype_size(value->type.dtype));
        return true;
    }
    const lt_node *node = lt_graph_producer(graph, id);
    return node && evaluate_node(graph, node, depth - 1, nodes, out);
}

bool lt_build_known(const lt_builder *b, lt_id x, lt_arg *out)
{
    uint64_t data;
    int nodes = MAX_NODES;
    if (b->status != LATHE_OK || !evaluate(b->graph, x, MAX_DEPTH, &nodes, (uint8_t *)&data)) return false;
    lt_dtype dtype = lt_build_dtype(b, x);
    if (lt_dtype_is_float(dtype)) *out = (lt_arg){.kind = LT_ARG_FLOAT, .f = lt_load_one(dtype, &data)};
    else if (dtype == LATHE_BOOL) *out = (lt_arg){.kind = LT_ARG_BOOL, .b = lt_load_index(dtype, &data) != 0};
    else *out = (lt_arg){.kind = LT_ARG_INT, .i = lt_load_index(dtype, &data)};
    return true;
}
