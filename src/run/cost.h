/* What a run of programs reads and computes, counted from their steps. */
#ifndef LT_COST_H
#define LT_COST_H

#include "run/model.h"

/* Programs that make up one run. `weights`: of the model, for the sizes of packed ones; `activations`: what
 * is multiplied with these. */
lathe_cost lt_programs_cost(const lt_program *const *programs, uint32_t n, const lt_model_weight *weights,
                            lt_dtype activations);

/* What one step moves and computes. Of matrices that a row is looked up in, that row; of what is updated in
 * place, what is written. */
typedef struct lt_step_cost {
    double bytes, flops;
    double cache_bytes, cache_flops; /* of these: attention's over kept caches, all of their positions */
} lt_step_cost;

lt_step_cost lt_program_step_cost(const lt_step *step, const lt_model_weight *weights);

/* The name of the type that most of what a step reads has. */
const char *lt_program_step_type(const lt_step *step, const lt_model_weight *weights);

#endif
