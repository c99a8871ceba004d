/* What a run of a program reads and computes, counted from its steps. */
#ifndef LT_COST_H
#define LT_COST_H

#include "run/model.h"

/* `weights`: of the model, for the sizes of packed ones; `activations`: what is multiplied with these. */
lathe_cost lt_program_cost(const lt_program *program, const lt_model_weight *weights, lt_dtype activations);

#endif
