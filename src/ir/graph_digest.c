/* Telling graphs apart. */
#include <string.h>

#include "ir/attr_list.h"
#include "ir/graph.h"

static uint64_t mix_number(uint64_t digest, uint64_t number)
{
    return lt_digest(digest, &number, sizeof number);
}

static uint64_t mix_value(uint64_t digest, const lt_value *value)
{
    digest = mix_number(digest, (uint64_t)value->kind << 32 | value->index);
    digest = mix_number(digest, (uint64_t)value->type.dtype << 32 | (uint32_t)value->type.rank);
    return lt_digest(digest, value->type.dim, (size_t)value->type.rank * sizeof *value->type.dim);
}

/* Attributes by their fields: what is between those is undefined. */
static lathe_status mix_attrs(const lt_graph *graph, const lt_node *node, uint64_t *digest, lathe_error *err)
{
    lt_attr_list list;
    LT_TRY(lt_attr_list_write(node->op, &node->attrs, graph->arena, &list, err));
    *digest = lt_digest(*digest, list.ints, (size_t)list.n_ints * sizeof *list.ints);
    *digest = lt_digest(*digest, list.reals, (size_t)list.n_reals * sizeof *list.reals);
    *digest = lt_digest(*digest, list.formulas, strlen(list.formulas) + 1);
    return LATHE_OK;
}

static lathe_status mix_node(const lt_graph *graph, const lt_node *node, uint64_t *digest, lathe_error *err)
{
    *digest = mix_number(*digest, (uint64_t)node->op << 32 | node->n_in);
    *digest = mix_number(*digest, (uint64_t)node->source << 32 | node->out);
    *digest = lt_digest(*digest, node->in, node->n_in * sizeof *node->in);
    return mix_attrs(graph, node, digest, err);
}

lathe_status lt_graph_digest(const lt_graph *graph, uint64_t *out, lathe_error *err)
{
    uint64_t digest = LT_DIGEST_START;
    for (uint32_t i = 0; i < graph->n_values; i++) digest = mix_value(digest, &graph->values[i]);
    for (uint32_t i = 0; i < graph->n_nodes; i++) LT_TRY(mix_node(graph, &graph->nodes[i], &digest, err));
    digest = lt_digest(digest, graph->outputs, graph->n_outputs * sizeof *graph->outputs);
    for (uint32_t i = 0; i < graph->n_states; i++)
        digest = mix_number(digest, (uint64_t)graph->states[i].before << 32 | graph->states[i].after);
    *out = digest;
    return LATHE_OK;
}
