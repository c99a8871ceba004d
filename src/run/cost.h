/* What a run of programs reads and computes, counted from their steps. */
#ifndef LT_COST_H
#define LT_COST_H

#include "run/model.h"

/* Programs that make up one run. `weights`: of the model, for the sizes of packed ones; `activations`: what
 * is multiplied with these. */
lathe_cost lt_programs_cost(const lt_program *const *programs, uint32_t n, const lt_model_weight *weights,
                            lt_dtype activations);

#endif
