/* Products by group: see grouped.k. */
#include <stdio.h>

#include "backend/gpu.h"

static bool lower_grouped(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_tensor *w = &step->args[1].tensor, *out = &step->args[3].tensor;
    lt_grouped_params p = {.m = (int)out->dim[0],
                           .n = (int)out->dim[1],
                           .k = (int)w->dim[1],
                           .groups = (int)w->dim[0],
                           .flag = lt_gpu_flag_value(lo)};
    lt_view *views[] = {&p.a, &p.w, &p.ends, &p.out};
    char defines[160];
    uint32_t items = lt_gpu_group(lo->gpu);
    for (int k = 0; k < 4; k++)
        if (!lt_gpu_own_view(lo, &step->args[k], views[k])) return false;
    if (lathe_tensor_count(out) == 0) return true;
    const char *class = lt_gpu_class(out->dtype);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_A %s\n#define LT_AS %s\n#define LT_AS_%s 1\n#define LT_I %s\n",
             items, lt_gpu_dtype(out->dtype), class, class, lt_gpu_dtype(step->args[2].tensor.dtype));
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "grouped.k", NULL, "grouped", defines), &p, sizeof p);
    for (int k = 0; k < 4; k++) lt_gpu_arg(l, &step->args[k]);
    lt_gpu_flag_arg(l);
    return lt_gpu_grid(l, (int64_t)p.m * p.n, items);
}

const lt_gpu_row lt_gpu_grouped_rows[] = {
    {LT_OP_GROUPED_MATMUL, lower_grouped},
    {0, NULL},
};
