/* The graph: static shapes, functional (a value is written once), nodes in execution order.
 * Values and nodes are named by 32-bit ids. Everything lives in the graph's arena. */
#ifndef LT_GRAPH_H
#define LT_GRAPH_H

#include "base/str.h"
#include "ir/op.h"

typedef uint32_t lt_id; /* LT_NONE: no value */

typedef enum lt_value_kind {
    LT_VALUE_INPUT,   /* index: which input of the model */
    LT_VALUE_WEIGHT,  /* index: which weight of the model */
    LT_VALUE_STATE,   /* index: which state of the graph */
    LT_VALUE_CONST,   /* data: its contiguous bytes */
    LT_VALUE_TEMP,    /* index: the node that makes it */
    LT_VALUE_HOISTED, /* index: which value that was computed beforehand (pass/hoist.h) */
    LT_VALUE_WIRE     /* index: which value that another region hands over (pass/partition.h) */
} lt_value_kind;

typedef struct lt_value {
    lt_type type;
    lt_value_kind kind;
    uint32_t index;
    bool wrapped;     /* a Python number: takes part in type promotion as one */
    const void *data; /* CONST only */
    const char *name; /* of the file where there is one; else NULL */
} lt_value;

typedef struct lt_node {
    lt_op op;
    uint32_t n_in, source; /* source: the node of the file that it came from, for messages */
    lt_id *in;
    lt_id out; /* first output; the others have the ids behind it */
    lt_attrs attrs;
} lt_node;

/* A tensor that outlives a run: a mutated buffer, or an input/output pair that the session keeps. */
typedef struct lt_state {
    lt_id before; /* STATE value: what a run starts with; LT_NONE: not of this part of a partitioned graph */
    lt_id after;  /* the value it has when the run ends; `before` when unchanged */
    uint32_t weight; /* where its first contents come from; LT_NONE: zeros */
    uint32_t input;  /* the model's input that it stands for; LT_NONE */
    uint32_t output; /* the model's output that shows its next value; LT_NONE */
} lt_state;

typedef struct lt_graph {
    lt_arena *arena;
    lt_value *values;
    lt_node *nodes;
    lt_id *inputs, *outputs; /* outputs may be LT_NONE: None in Python, or a kept state */
    lt_state *states;
    uint32_t n_values, n_nodes, n_inputs, n_outputs, n_states;
    uint32_t cap_values, cap_nodes, cap_states;
} lt_graph;

lathe_status lt_graph_create(lt_arena *arena, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_graph_add_value(lt_graph *graph, const lt_value *value, lt_id *out,
                                lathe_error *err) LT_MUST_USE;

/* Infers the output types through the op table; *out is the first output. */
lathe_status lt_graph_add_node(lt_graph *graph, lt_op op, const lt_attrs *attrs, const lt_id *in,
                               uint32_t n_in, uint32_t source, lt_id *out, lathe_error *err) LT_MUST_USE;
lathe_status lt_graph_add_state(lt_graph *graph, const lt_state *state, uint32_t *index,
                                lathe_error *err) LT_MUST_USE;

/* Gives a graph the inputs, outputs and states of another one; `map`: its values for those of `from`. */
lathe_status lt_graph_copy_ends(lt_graph *graph, const lt_graph *from, const lt_id *map,
                                lathe_error *err) LT_MUST_USE;

/* The node that makes a value; NULL for inputs, weights, states and constants. */
const lt_node *lt_graph_producer(const lt_graph *graph, lt_id value);

/* A number that tells graphs apart: of operators, attributes, types, and what reads what; not of names and of
 * constants' bytes. */
lathe_status lt_graph_digest(const lt_graph *graph, uint64_t *out, lathe_error *err) LT_MUST_USE;

/* Stable text of the whole graph, for tests and people. */
void lt_graph_print(const lt_graph *graph, lt_text *text);

#endif
