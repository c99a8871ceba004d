/* Hoisting: values that depend on weights and constants alone are computed once, not in every run. */
#ifndef LT_HOIST_H
#define LT_HOIST_H

#include "ir/graph.h"

typedef struct lt_hoist {
    const lt_graph *from; /* what was split */
    lt_graph *rest;       /* the same, in which each hoisted value is a leaf of that kind and index */
    uint32_t n;
    lt_id *values; /* [n], of `from` */
} lt_hoist;

/* Which values, by id, are the same in every run and worth keeping. */
lathe_status lt_hoist_fixed(const lt_graph *graph, bool **out, lathe_error *err) LT_MUST_USE;

/* Splits what must run every time off what need not. Views of weights and results that are much larger than
 * what they are made from stay in the rest. */
lathe_status lt_hoist_split(const lt_graph *from, lt_hoist *out, lathe_error *err) LT_MUST_USE;

/* The graph that computes these values as its outputs, without inputs. */
lathe_status lt_hoist_graph(const lt_graph *from, const lt_id *values, uint32_t n, lt_graph **out,
                            lathe_error *err) LT_MUST_USE;

/* A part of the rest, with what makes the hoisted values that it reads in their place. */
lathe_status lt_hoist_join(const lt_hoist *hoist, const lt_graph *part, lt_graph **out,
                           lathe_error *err) LT_MUST_USE;

/* Appends bytes that tell how a hoisted value is made: values of one model with equal bytes are equal. False:
 * they are too many to be worth it. */
bool lt_hoist_key(const lt_graph *from, lt_id value, lt_text *key);

#endif
