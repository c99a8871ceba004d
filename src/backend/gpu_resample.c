/* Resampling on devices: the modes of few inputs whose positions are computed in float32. */
#include <stdio.h>

#include "backend/gpu.h"

static bool is_taken(lt_gpu_lowering *lo, const lt_attrs_resample *a, lt_dtype dtype)
{
    bool blends = a->mode == LT_RESAMPLE_LINEAR && !a->antialias && dtype == LATHE_F32;
    bool copies = a->mode <= LT_RESAMPLE_NEAREST_EXACT && !a->wide && dtype != LATHE_F64;
    return blends || copies ||
           lt_gpu_decline(lo, "a filter, or float64 or bytes, that only the CPU resamples");
}

static bool lower_resample(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_resample *a = &step->attrs.resample;
    const lt_operand *x = &step->args[0], *y = &step->args[1];
    lt_resample_params p = {.count = (int)lathe_tensor_count(&y->tensor),
                            .rank = y->tensor.rank,
                            .at = a->dim,
                            .in = (int)x->tensor.dim[a->dim],
                            .size = (int)a->size,
                            .align_corners = a->align_corners,
                            .scale = (float)a->scale};
    if (!is_taken(lo, a, x->tensor.dtype)) return false;
    if (!lt_gpu_own_view(lo, x, &p.x) || !lt_gpu_own_view(lo, y, &p.y)) return false;
    if (p.count == 0) return true;
    for (int d = 0; d < p.rank; d++) p.dim[d] = (int)y->tensor.dim[d];
    p.step = p.x.stride[a->dim];
    p.x.stride[a->dim] = 0;
    char defines[160];
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_MODE %d\n#define LT_X %s\n#define LT_AS %s\n", items,
             (int)a->mode, lt_gpu_dtype(x->tensor.dtype), lt_gpu_class(x->tensor.dtype));
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "resample.k", NULL, "resample", defines), &p, sizeof p);
    lt_gpu_arg(l, x);
    lt_gpu_arg(l, y);
    return lt_gpu_grid(l, p.count, items);
}

const lt_gpu_row lt_gpu_resample_rows[] = {
    {LT_OP_RESAMPLE, lower_resample},
    {0, NULL},
};
