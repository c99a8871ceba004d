/* Resampling of one dim, and of images by a grid: see resample.k and sample.k. */
#include <stdio.h>
#include <string.h>

#include "backend/gpu.h"

enum { DEFINES = 256 };

static bool is_taken(lt_gpu_lowering *lo, const lt_attrs_resample *a, lt_dtype dtype)
{
    bool copies = a->mode <= LT_RESAMPLE_NEAREST_EXACT;
    if (copies && a->wide && !lt_gpu_has(lo->gpu, LATHE_F64))
        return lt_gpu_decline(lo, "positions in float64, which the device does not compute in");
    return copies || dtype != LATHE_U8 || lt_gpu_decline(lo, "bytes, which only the CPU blends");
}

static bool lower_resample(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_resample *a = &step->attrs.resample;
    const lt_operand *x = &step->args[0], *y = &step->args[1];
    lt_dtype dtype = x->tensor.dtype;
    lt_resample_params p = {.count = (int)lathe_tensor_count(&y->tensor),
                            .rank = y->tensor.rank,
                            .at = a->dim,
                            .in = (int)x->tensor.dim[a->dim],
                            .size = (int)a->size,
                            .align_corners = a->align_corners};
    if (!is_taken(lo, a, dtype)) return false;
    if (!lt_gpu_own_view(lo, x, &p.x) || !lt_gpu_own_view(lo, y, &p.y)) return false;
    if (p.count == 0) return true;
    if (a->scale > 0) lt_gpu_number(1 / a->scale, p.inverse);
    lt_gpu_dims(&y->tensor, p.dim);
    p.step = p.x.stride[a->dim];
    p.x.stride[a->dim] = 0;
    char defines[DEFINES];
    uint32_t items = lt_gpu_group(lo->gpu);
    const char *class = lt_gpu_class(dtype);
    bool copies = a->mode <= LT_RESAMPLE_NEAREST_EXACT;
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_MODE %d\n#define LT_ANTIALIAS %d\n#define LT_X %s\n"
             "#define LT_AS %s\n#define LT_AS_%s 1\n#define LT_P %s\n",
             items, (int)a->mode, a->antialias, lt_gpu_dtype(copies ? lt_gpu_bits(dtype) : dtype), class,
             class, a->wide ? "f64" : "f32");
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "resample.k", NULL, "resample", defines), &p, sizeof p);
    lt_gpu_arg(l, x);
    lt_gpu_arg(l, y);
    return lt_gpu_grid(l, p.count, items);
}

/* ---- Grid ---- */

/* Steps of image, channel (no grid has one), z, y, x; of a grid, its coordinates last. */
static void image_steps(const lt_view *view, int spatial, int step[5])
{
    memset(step, 0, 5 * sizeof *step);
    step[0] = view->stride[0];
    step[1] = view->stride[1];
    for (int i = 0; i < spatial; i++) step[5 - spatial + i] = view->stride[2 + i];
}

static void grid_steps(const lt_view *view, int spatial, int step[5])
{
    memset(step, 0, 5 * sizeof *step);
    step[0] = view->stride[0];
    for (int i = 0; i <= spatial; i++) step[4 - spatial + i] = view->stride[1 + i];
}

static bool lower_grid_sample(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_sample *a = &step->attrs.sample;
    const lt_tensor *x = &step->args[0].tensor, *y = &step->args[2].tensor;
    int spatial = x->rank - 2, missing = LT_MAX_SPATIAL - spatial;
    lt_sample_params p = {
        .count = (int)y->dim[0], .channels = (int)x->dim[1], .align_corners = a->align_corners};
    lt_view views[3];
    for (int k = 0; k < 3; k++)
        if (!lt_gpu_own_view(lo, &step->args[k], &views[k])) return false;
    if (lathe_tensor_count(y) == 0) return true;
    for (int d = 0; d < LT_MAX_SPATIAL; d++) {
        p.in[d] = d < missing ? 1 : (int)x->dim[d - missing + 2];
        p.out[d] = d < missing ? 1 : (int)y->dim[d - missing + 2];
        p.count *= p.out[d];
    }
    image_steps(&views[0], spatial, p.x_step);
    grid_steps(&views[1], spatial, p.grid_step);
    image_steps(&views[2], spatial, p.y_step);
    p.x_offset = views[0].offset;
    p.grid_offset = views[1].offset;
    p.y_offset = views[2].offset;
    char defines[DEFINES];
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_MODE %d\n#define LT_PADDING %d\n#define LT_SPATIAL %d\n"
             "#define LT_X %s\n#define LT_AS %s\n",
             items, (int)a->mode, (int)a->padding, spatial, lt_gpu_dtype(x->dtype), lt_gpu_class(x->dtype));
    lt_gpu_launch *l = lt_gpu_emit(lo, lt_gpu_kernel(lo, "sample.k", NULL, "sample", defines), &p, sizeof p);
    for (int k = 0; k < 3; k++) lt_gpu_arg(l, &step->args[k]);
    return lt_gpu_grid(l, p.count, items);
}

const lt_gpu_row lt_gpu_resample_rows[] = {
    {LT_OP_RESAMPLE, lower_resample},
    {LT_OP_GRID_SAMPLE, lower_grid_sample},
    {0, NULL},
};
