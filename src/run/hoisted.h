/* Values that were computed once from weights and constants: kept by the model, shared by the entries of all
 * its sessions, released with the last entry that reads them. */
#ifndef LT_HOISTED_H
#define LT_HOISTED_H

#include "run/dispatch.h"

/* What one entry reads. Zero-initialise. */
typedef struct lt_hoisted_set {
    lathe_model *model;
    struct lt_hoisted **values; /* [n] */
    const void **data;          /* [n]: their elements, contiguous */
    const lt_program *made;     /* the program that computed those which were missing; NULL: none were */
    uint32_t n;
} lt_hoisted_set;

/* Replaces *graph by what remains to be run each time, and computes the values that it reads unless the model
 * has them. After an error the set can be released. */
lathe_status lt_hoisted_split(lt_hoisted_set *set, lathe_model *model, const lt_cpu *cpu, lt_graph **graph,
                              lathe_error *err) LT_MUST_USE;

/* Gives back the memory of weights that were read for these values and that the programs do not read. */
void lt_hoisted_finish(lt_hoisted_set *set, const lt_dispatch *dispatch);

void lt_hoisted_release(lt_hoisted_set *set);

#endif
