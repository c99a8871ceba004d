/* Convolutions on devices. */
#include <stdio.h>
#include <string.h>

#include "backend/gpu.h"

/* Dims of size 1 before those that are there. */
static void fill_dims(lt_conv_params *p, const lt_attrs_conv *a, const lt_tensor *x, const lt_tensor *w,
                      const lt_tensor *out)
{
    int missing = LT_MAX_SPATIAL - a->spatial;
    for (int d = 0; d < LT_MAX_SPATIAL; d++) {
        int i = d - missing;
        p->in[d] = i < 0 ? 1 : (int)x->dim[i + 2];
        p->out[d] = i < 0 ? 1 : (int)out->dim[i + 2];
        p->window[d] = i < 0 ? 1 : (int)w->dim[i + 2];
        p->stride[d] = i < 0 ? 1 : (int)a->stride[i];
        p->padding[d] = i < 0 ? 0 : (int)a->padding[i];
        p->dilation[d] = i < 0 ? 1 : (int)a->dilation[i];
    }
}

static void fill_steps(const lt_view *view, int spatial, int step[5])
{
    memset(step, 0, 5 * sizeof *step);
    step[0] = view->stride[0];
    step[1] = view->stride[1];
    for (int i = 0; i < spatial; i++) step[5 - spatial + i] = view->stride[2 + i];
}

/* Strides, paddings and the like are counted in 32 bits. */
static bool is_small(const lt_attrs_conv *a)
{
    for (int i = 0; i < a->spatial; i++)
        if (a->stride[i] > INT16_MAX || a->dilation[i] > INT16_MAX || a->padding[i] > INT16_MAX) return false;
    return true;
}

static bool lower_conv(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_conv *a = &step->attrs.conv;
    const lt_operand *x = &step->args[0], *w = &step->args[1], *bias = step->n_in > 2 ? &step->args[2] : NULL,
                     *out = &step->args[step->n_in];
    lt_view views[3], of_bias = {0};
    if (!is_small(a)) return lt_gpu_decline(lo, "a stride, padding or dilation over 32767");
    if (!lt_gpu_own_view(lo, x, &views[0]) || !lt_gpu_own_view(lo, w, &views[1]) ||
        !lt_gpu_own_view(lo, out, &views[2]) || (bias && !lt_gpu_own_view(lo, bias, &of_bias)))
        return false;
    lt_conv_params p = {.count = (int)lathe_tensor_count(&out->tensor),
                        .channels = (int)out->tensor.dim[1],
                        .group_out = (int)(out->tensor.dim[1] / a->groups),
                        .group_in = (int)(x->tensor.dim[1] / a->groups),
                        .x_offset = views[0].offset,
                        .w_offset = views[1].offset,
                        .out_offset = views[2].offset,
                        .bias_offset = of_bias.offset,
                        .bias_step = of_bias.stride[0],
                        .has_bias = bias != NULL};
    if (p.count == 0) return true;
    fill_dims(&p, a, &x->tensor, &w->tensor, &out->tensor);
    fill_steps(&views[0], a->spatial, p.x_step);
    fill_steps(&views[1], a->spatial, p.w_step);
    fill_steps(&views[2], a->spatial, p.out_step);
    if (a->transposed) { /* its weights have the input's channels first */
        int first = p.w_step[0];
        p.w_step[0] = p.w_step[1];
        p.w_step[1] = first;
    }
    if (!bias) bias = w;
    char defines[256];
    const char *class = lt_gpu_class(out->tensor.dtype);
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_TRANSPOSED %d\n#define LT_AS %s\n#define LT_AS_%s 1\n"
             "#define LT_X %s\n#define LT_W %s\n#define LT_C %s\n#define LT_Y %s\n",
             items, a->transposed, class, class, lt_gpu_dtype(x->tensor.dtype), lt_gpu_dtype(w->tensor.dtype),
             lt_gpu_dtype(bias->tensor.dtype), lt_gpu_dtype(out->tensor.dtype));
    lt_gpu_launch *l = lt_gpu_emit(lo, lt_gpu_kernel(lo, "conv.k", NULL, "conv", defines), &p, sizeof p);
    lt_gpu_arg(l, x);
    lt_gpu_arg(l, w);
    lt_gpu_arg(l, bias);
    lt_gpu_arg(l, out);
    return lt_gpu_grid(l, p.count, items);
}

const lt_gpu_row lt_gpu_conv_rows[] = {
    {LT_OP_CONV, lower_conv},
    {0, NULL},
};
