/* Copying parts of a graph into another one of the same arena. */
#ifndef LT_SUBGRAPH_H
#define LT_SUBGRAPH_H

#include "ir/graph.h"

typedef struct lt_subgraph {
    const lt_graph *from;
    lt_graph *to;
    lt_id *map; /* [from->n_values]: the value of the new graph; LT_NONE: none yet */
    lathe_error *err;
} lt_subgraph;

lathe_status lt_subgraph_start(lt_subgraph *s, const lt_graph *from, lathe_error *err) LT_MUST_USE;

/* Adds a value without a node: `value` is what it is in the new graph. */
lathe_status lt_subgraph_value(lt_subgraph *s, lt_id id, lt_value value) LT_MUST_USE;

/* Copies a node; its inputs are there. */
lathe_status lt_subgraph_node(lt_subgraph *s, const lt_node *node) LT_MUST_USE;

#endif
