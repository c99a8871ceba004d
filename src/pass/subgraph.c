/* Values and nodes, one by one. */
#include "pass/subgraph.h"

lathe_status lt_subgraph_start(lt_subgraph *s, const lt_graph *from, lathe_error *err)
{
    *s = (lt_subgraph){.from = from, .err = err};
    LT_ALLOC(from->arena, s->map, from->n_values, err);
    for (uint32_t i = 0; i < from->n_values; i++) s->map[i] = LT_NONE;
    return lt_graph_create(from->arena, &s->to, err);
}

lathe_status lt_subgraph_value(lt_subgraph *s, lt_id id, lt_value value)
{
    return lt_graph_add_value(s->to, &value, &s->map[id], s->err);
}

lathe_status lt_subgraph_node(lt_subgraph *s, const lt_node *node)
{
    lt_id *in, out;
    LT_ALLOC(s->to->arena, in, node->n_in, s->err);
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = s->map[node->in[k]];
    LT_TRY(lt_graph_add_node(s->to, node->op, &node->attrs, in, node->n_in, node->source, &out, s->err));
    for (int k = 0; k < lt_op_get(node->op)->n_out; k++) {
        s->map[node->out + (lt_id)k] = out + (lt_id)k;
        s->to->values[out + (lt_id)k].name = s->from->values[node->out + (lt_id)k].name;
    }
    return LATHE_OK;
}
