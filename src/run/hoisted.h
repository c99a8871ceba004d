/* Values that were computed once from weights and constants: kept by the model, shared by the entries of all
 * its sessions, released with the last entry that reads them. */
#ifndef LT_HOISTED_H
#define LT_HOISTED_H

#include "pass/hoist.h"
#include "run/dispatch.h"

/* What the programs of one graph read. Zero-initialise: nothing. */
typedef struct lt_hoisted_set {
    lathe_model *model;
    const lt_cpu *cpu;          /* computes them; NULL: the references do */
    lt_hoist split;             /* the graph's */
    struct lt_hoisted **values; /* [split.n]; NULL: none reads it */
    const void **data;          /* [split.n]: their elements, contiguous */
    const lt_program *made;     /* the program that computed those which were missing; NULL: none were */
} lt_hoisted_set;

/* Replaces *graph by what remains to be run each time. After an error the set can be released. */
lathe_status lt_hoisted_split(lt_hoisted_set *set, lathe_model *model, const lt_cpu *cpu, lt_graph **graph,
                              lathe_error *err) LT_MUST_USE;

/* Takes in the values that this graph, of what remains, reads. */
lathe_status lt_hoisted_need(lt_hoisted_set *set, const lt_graph *reader, lathe_error *err) LT_MUST_USE;

/* Computes the values that were taken in, unless the model has them. */
lathe_status lt_hoisted_compute(lt_hoisted_set *set, lathe_error *err) LT_MUST_USE;

/* Gives back the memory of weights that were read for these values and that the programs do not read. */
void lt_hoisted_finish(lt_hoisted_set *set, const lt_dispatch *dispatch);

void lt_hoisted_release(lt_hoisted_set *set);

#endif
