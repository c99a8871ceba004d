/* Telling graphs apart. */
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

static uint64_t mix_node(uint64_t digest, const lt_node *node)
{
    digest = mix_number(digest, (uint64_t)node->op << 32 | node->n_in);
    digest = mix_number(digest, (uint64_t)node->source << 32 | node->out);
    digest = lt_digest(digest, node->in, node->n_in * sizeof *node->in);
    return lt_digest(digest, &node->attrs, sizeof node->attrs);
}

uint64_t lt_graph_digest(const lt_graph *graph)
{
    uint64_t digest = LT_DIGEST_START;
    for (uint32_t i = 0; i < graph->n_values; i++) digest = mix_value(digest, &graph->values[i]);
    for (uint32_t i = 0; i < graph->n_nodes; i++) digest = mix_node(digest, &graph->nodes[i]);
    digest = lt_digest(digest, graph->outputs, graph->n_outputs * sizeof *graph->outputs);
    for (uint32_t i = 0; i < graph->n_states; i++)
        digest = mix_number(digest, (uint64_t)graph->states[i].before << 32 | graph->states[i].after);
    return digest;
}
