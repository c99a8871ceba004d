/* What lowerings of all families do with shapes. */
#include "backend/gpu.h"

#include <math.h>

int lt_gpu_join(int *dim, int rank, lt_view *view, int n_views)
{
    int n = 0;
    for (int d = 0; d < rank; d++) {
        if (dim[d] == 1) continue;
        bool joins = n > 0;
        for (int v = 0; v < n_views && joins; v++)
            joins = (int64_t)view[v].stride[n - 1] == (int64_t)view[v].stride[d] * dim[d];
        int to = joins ? n - 1 : n++;
        dim[to] = joins ? dim[to] * dim[d] : dim[d];
        for (int v = 0; v < n_views; v++) view[v].stride[to] = view[v].stride[d];
    }
    if (n == 0) {
        dim[n++] = 1;
        for (int v = 0; v < n_views; v++) view[v].stride[0] = 0;
    }
    return n;
}

bool lt_gpu_own_view(lt_gpu_lowering *lo, const lt_operand *operand, lt_view *view)
{
    return lt_gpu_view(operand, operand->tensor.rank, operand->tensor.dim, view) ||
           lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
}

void lt_gpu_dims(const lt_tensor *tensor, int *dim)
{
    for (int d = 0; d < tensor->rank; d++) dim[d] = (int)tensor->dim[d];
}

void lt_gpu_number(double x, float out[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = (float)x;
        x = isfinite(out[i]) ? x - (double)out[i] : 0;
    }
}

int lt_gpu_split(const lt_view *view, int rank, const bool *marked, lt_view *rest, lt_view *taken)
{
    int n_rest = 0, n_taken = 0;
    *rest = (lt_view){.offset = view->offset};
    *taken = (lt_view){0};
    for (int d = 0; d < rank; d++) {
        if (marked[d]) taken->stride[n_taken++] = view->stride[d];
        else rest->stride[n_rest++] = view->stride[d];
    }
    return n_rest;
}
