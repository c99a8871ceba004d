/* What lowerings of all families do with shapes. */
#include "backend/gpu.h"

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
