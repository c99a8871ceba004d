/* What a model stores its numbers as and what it computes in, read off the steps of its program: what there
 * is to know before one trusts its results. */
#ifndef LT_CONTRACT_H
#define LT_CONTRACT_H

#include "run/model.h"

/* Steps of one kind over the same types; the names of types are constants, "-" where there is nothing. */
typedef struct lt_contract_row {
    const char *what;
    const char *storage;    /* of weights; of attention: of keys and values */
    const char *operands;   /* what these are multiplied with */
    const char *compute;    /* the type of products */
    const char *accumulate; /* of their sums */
    const char *result;
    uint32_t count;
} lt_contract_row;

/* A value that goes on from run to run. */
typedef struct lt_contract_state {
    uint32_t input, weight; /* the model's input, or the buffer; LT_NONE */
    lt_dtype dtype;
    const char *copied; /* why it is copied; NULL: it is updated in place */
} lt_contract_state;

typedef struct lt_contract {
    lt_arena *arena;
    lt_contract_row *rows;
    lt_contract_state *states;
    uint32_t n_rows, cap_rows, n_states;
} lt_contract;

/* Of a program for the sizes that are fixed and the least of those that are open. Touches no weights. */
lathe_status lt_contract_read(const lathe_model *model, lt_arena *arena, lt_contract *out,
                              lathe_error *err) LT_MUST_USE;

#endif
