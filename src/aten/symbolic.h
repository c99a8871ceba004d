/* Operators on Python numbers (sizes): they are computed while the graph is built. */
#ifndef LT_SYMBOLIC_H
#define LT_SYMBOLIC_H

#include "ir/exported.h"

enum { LT_SYMBOLIC_ARGS = 8 };

/* Whether the target is one of them: "_operator.mul", "math.ceil", "torch.sym_max" … */
bool lt_symbolic_known(const char *target);

/* The arguments are numbers (INT, FLOAT, BOOL), or come from a tensor's values (TENSOR, OTHER): then the
 * result is OTHER, a number that only a run knows. */
lathe_status lt_symbolic_eval(const char *target, const lt_arg *args, uint32_t n, lt_arg *out,
                              lathe_error *err) LT_MUST_USE;

#endif
