/* Where tensors of a program lie. */
#include "program/program.h"

bool lt_operand_equal(const lt_operand *a, const lt_operand *b)
{
    const lt_tensor *x = &a->tensor, *y = &b->tensor;
    bool same = a->kind == b->kind && a->index == b->index && a->offset == b->offset &&
                x->dtype == y->dtype && x->rank == y->rank;
    for (int i = 0; same && i < x->rank; i++) same = x->dim[i] == y->dim[i] && x->stride[i] == y->stride[i];
    return same;
}
