/* What a run of a program reads and computes, counted from its steps. */
#ifndef LT_COST_H
#define LT_COST_H

#include "program/program.h"

lathe_cost lt_program_cost(const lt_program *program);

#endif
