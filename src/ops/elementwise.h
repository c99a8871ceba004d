/* Rows of the formulas of scalar.def. */
#ifndef LT_ELEMENTWISE_H
#define LT_ELEMENTWISE_H

#include "ir/op.h"

/* out[i] = f(a[i], b[i], c[i]); operands that the formula does not have may be any row of n. `out` overlaps
 * none of them. */
void lt_formula_f32(lt_op op, const float *a, const float *b, const float *c, int64_t n, float *out);
void lt_formula_f64(lt_op op, const double *a, const double *b, const double *c, int64_t n, double *out);
void lt_formula_i64(lt_op op, const int64_t *a, const int64_t *b, const int64_t *c, int64_t n, int64_t *out);

/* How many arguments a step of a chain has. */
static inline int lt_chain_operands(const lt_chain_step *step)
{
    return step->op == LT_OP_CAST ? 1 : lt_op_get(step->op)->n_in;
}

#endif
