/* Joint walk over strided tensors. */
#include "ops/iter.h"

static bool dims_merge(const lt_iter *iter, int outer, int inner)
{
    for (int k = 0; k < iter->n; k++)
        if (iter->step[k][outer] != iter->step[k][inner] * iter->dim[inner]) return false;
    return true;
}

void lt_iter_start(lt_iter *iter, const lt_tensor *shape, const lt_tensor *const *operands, int n)
{
    *iter = (lt_iter){.n = n};
    bool empty = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == 0) empty = true;
        if (shape->dim[i] == 1) continue;
        int d = iter->rank;
        iter->dim[d] = shape->dim[i];
        for (int k = 0; k < n; k++) {
            int own = i - (shape->rank - operands[k]->rank);
            bool repeats = own < 0 || operands[k]->dim[own] == 1;
            iter->step[k][d] =
                repeats ? 0 : operands[k]->stride[own] * (int64_t)lathe_dtype_size(operands[k]->dtype);
        }
        if (d > 0 && dims_merge(iter, d - 1, d)) {
            iter->dim[d - 1] *= iter->dim[d];
            for (int k = 0; k < n; k++) iter->step[k][d - 1] = iter->step[k][d];
        } else {
            iter->rank++;
        }
    }
    for (int k = 0; k < n; k++) iter->at[k] = operands[k]->data;
    iter->row = empty ? 0 : 1;
    if (!iter->rank) return;
    iter->rank--; /* the last dim is the row */
    if (!empty) iter->row = iter->dim[iter->rank];
    for (int k = 0; k < n; k++) iter->row_step[k] = iter->step[k][iter->rank];
}

bool lt_iter_next(lt_iter *iter)
{
    for (int d = iter->rank - 1; d >= 0; d--) {
        bool more = ++iter->index[d] < iter->dim[d];
        int64_t steps = more ? 1 : 1 - iter->dim[d];
        for (int k = 0; k < iter->n; k++) iter->at[k] += steps * iter->step[k][d];
        if (more) return true;
        iter->index[d] = 0;
    }
    return false;
}

void lt_iter_elements(lt_iter *iter)
{
    if (iter->row <= 1) return;
    iter->rank++; /* sizes above 1 are a dim, which the start took for the row */
    iter->row = 1;
}

int64_t lt_iter_rows(const lt_iter *iter)
{
    int64_t rows = iter->row ? 1 : 0;
    for (int d = 0; d < iter->rank; d++) rows *= iter->dim[d];
    return rows;
}

void lt_iter_seek(lt_iter *iter, int64_t row)
{
    for (int d = iter->rank - 1; d >= 0; d--) {
        iter->index[d] = row % iter->dim[d];
        row /= iter->dim[d];
        for (int k = 0; k < iter->n; k++) iter->at[k] += iter->index[d] * iter->step[k][d];
    }
}
