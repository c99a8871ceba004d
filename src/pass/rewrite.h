/* Rewriting: a pass reads one graph and builds another, node by node in order. What it does not replace is
 * copied; nodes that nothing reads are left out, so a pass never has to remove what it made superfluous. */
#ifndef LT_REWRITE_H
#define LT_REWRITE_H

#include "aten/builder.h"

typedef struct lt_rewrite {
    const lt_graph *from;
    lt_builder b;    /* builds the new graph */
    lt_id *map;      /* [from->n_values]: the new value of each old one; LT_NONE: not built yet */
    uint32_t *uses;  /* [from->n_values]: how many live nodes, outputs and states read it */
    void *context;   /* the pass's own */
    uint32_t *slots; /* [n_slots] hash table of the new nodes: their numbers, plus one; 0: empty */
    uint32_t n_slots, n_indexed;
} lt_rewrite;

/* Builds the replacement of a node and returns true with *out set to the new first output (LT_NONE: nothing
 * will read it any more); false: copy the node. Dead nodes are not asked about and not copied. */
typedef bool (*lt_rewrite_node)(lt_rewrite *rw, const lt_node *node, lt_id *out);

lathe_status lt_rewrite_graph(const lt_graph *from, lt_rewrite_node rule, lt_graph **out,
                              lathe_error *err) LT_MUST_USE;
lathe_status lt_rewrite_graph_with(const lt_graph *from, lt_rewrite_node rule, void *context, lt_graph **out,
                                   lathe_error *err) LT_MUST_USE;

/* The same, where the rule asks which old values are fixed (pass/hoist.h). */
lathe_status lt_rewrite_graph_fixed(const lt_graph *from, lt_rewrite_node rule, lt_graph **out,
                                    lathe_error *err) LT_MUST_USE;
bool lt_rewrite_is_fixed(const lt_rewrite *rw, lt_id value);

/* How many readers each value has that lead to an output or a state. */
lathe_status lt_rewrite_uses(const lt_graph *graph, uint32_t **out, lathe_error *err) LT_MUST_USE;

/* The new node that does what `node`, of the new graph's values, would do; NULL when there is none yet. */
const lt_node *lt_rewrite_same(lt_rewrite *rw, const lt_node *node);

/* ---- Looking at the old graph ---- */

/* The node of that operator which makes the value, when nothing else reads the value; NULL else. */
const lt_node *lt_rewrite_sole(const lt_rewrite *rw, lt_id value, lt_op op);
/* The same, however many read it. */
const lt_node *lt_rewrite_made_by(const lt_rewrite *rw, lt_id value, lt_op op);
const lt_type *lt_rewrite_type(const lt_rewrite *rw, lt_id value);
/* Whether the value is a constant of one element; its value. */
bool lt_rewrite_scalar(const lt_rewrite *rw, lt_id value, double *out);
/* Sees through casts: the value before them. */
lt_id lt_rewrite_uncast(const lt_rewrite *rw, lt_id value);

/* ---- Looking at the new graph ---- */

/* The node of that operator which makes the new value; NULL: another, or none. */
const lt_node *lt_rewrite_new(const lt_rewrite *rw, lt_id value, lt_op op);

#endif
