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

/* ---- As a matrix product: weights [channels, entries] by unfolded inputs [entries, positions] ---- */

/* The most working memory for unfolded images; fewer output channels of a group are not worth it. */
enum { UNFOLDED = 64 << 20, FEW_CHANNELS = 4 };

typedef struct conv {
    const lt_operand *x, *w, *bias, *out;
    const lt_attrs_conv *attrs;
    lt_conv_params p;
    int images, positions, entries; /* entries: of the kernel of an output channel */
} conv;

/* Whether dims of these sizes lie one after the other, `last` apart. */
static bool is_line(const int *dim, const int *step, int n, int last)
{
    for (int d = n - 1; d >= 0; d--) {
        if (dim[d] != 1 && step[d] != last) return false;
        last *= dim[d];
    }
    return true;
}

static bool is_product(const conv *c)
{
    const lt_conv_params *p = &c->p;
    const int kernel[4] = {p->group_in, p->window[0], p->window[1], p->window[2]};
    return !c->attrs->transposed && strcmp(lt_gpu_class(c->out->tensor.dtype), "f32") == 0 &&
           p->group_out >= FEW_CHANNELS && is_line(kernel, p->w_step + 1, 4, 1) &&
           is_line(p->out, p->out_step + 2, 3, 1) && (int64_t)c->entries * c->positions <= UNFOLDED / 4;
}

/* Whether the input is what unfolding it would give. */
static bool is_unfolded(const lt_conv_params *p)
{
    for (int d = 0; d < 3; d++)
        if (p->window[d] != 1 || p->stride[d] != 1 || p->padding[d] != 0 || p->in[d] != p->out[d])
            return false;
    return is_line(p->in, p->x_step + 2, 3, 1);
}

static bool emit_unfold(lt_gpu_lowering *lo, const conv *c, const lt_operand *rows, int image, int images)
{
    lt_conv_params p = c->p;
    bool serial = lo->gpu->info.features & LATHE_DEVICE_SERIAL;
    uint32_t items = serial ? 1 : 32;
    char defines[160];
    int64_t count =
        (int64_t)images * c->x->tensor.dim[1] * p.window[0] * p.window[1] * p.window[2] * p.out[0];
    p.count = (int)count;
    p.channels = (int)c->x->tensor.dim[1];
    p.x_offset += image * p.x_step[0];
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_TRANSPOSED 0\n#define LT_X %s\n#define LT_AS f32\n", items,
             lt_gpu_dtype(lt_gpu_bits(c->x->tensor.dtype)));
    if (count * items > INT32_MAX || !lt_gpu_offset(rows, &p.out_offset))
        return lt_gpu_decline(lo, "an image that 31 bits do not count unfolded");
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "conv.k", NULL, "conv_unfold", defines), &p, sizeof p);
    lt_gpu_arg(l, c->x);
    lt_gpu_arg(l, rows);
    return lt_gpu_grid(l, count * items, items);
}

/* Images from `image` on, whose unfolded rows (or the images themselves) are `b`; the batch: images, groups.
 */
static bool multiply(lt_gpu_lowering *lo, const conv *c, const lt_operand *b, int image, int images)
{
    const lt_conv_params *p = &c->p;
    int groups = (int)c->attrs->groups, b_offset = p->x_offset + image * p->x_step[0];
    bool unfolded = b != c->x;
    int channel = unfolded ? c->positions : p->x_step[1];
    int group = unfolded ? c->entries * c->positions : p->group_in * p->x_step[1];
    if (unfolded && !lt_gpu_offset(b, &b_offset)) return lt_gpu_decline(lo, "offsets over 31 bits");
    lt_gpu_product it = {
        .a = c->w,
        .b = b,
        .bias = p->has_bias ? c->bias : NULL,
        .out = c->out,
        .rank = 2,
        .p = {.m = p->group_out,
              .n = c->positions,
              .k = c->entries,
              .batches = images * groups,
              .a_step = {p->w_step[0], 1},
              .b_step = {1, channel},
              .out_step = {p->out_step[1], 1},
              .has_bias = p->has_bias,
              .bias_step = {p->bias_step},
              .batch = {images, groups},
              .a = {.offset = p->w_offset, .stride = {0, p->group_out * p->w_step[0]}},
              .b = {.offset = b_offset, .stride = {unfolded ? groups * group : p->x_step[0], group}},
              .bias = {.offset = p->bias_offset, .stride = {0, p->group_out * p->bias_step}},
              .out = {.offset = p->out_offset + image * p->out_step[0],
                      .stride = {p->out_step[0], p->group_out * p->out_step[1]}}}};
    return lt_gpu_multiply(lo, &it);
}

static bool emit_products(lt_gpu_lowering *lo, const conv *c)
{
    if (is_unfolded(&c->p)) return multiply(lo, c, c->x, 0, c->images);
    int64_t image_bytes =
        c->attrs->groups * c->entries * c->positions * (int64_t)lathe_dtype_size(c->x->tensor.dtype);
    int64_t fit = UNFOLDED / image_bytes;
    int together = fit < 1 ? 1 : fit < c->images ? (int)fit : c->images;
    lt_type type = {.dtype = c->x->tensor.dtype,
                    .rank = 1,
                    .dim = {together * c->attrs->groups * c->entries * c->positions}};
    lt_operand rows = lt_gpu_scratch(lo, &type);
    for (int image = 0; image < c->images; image += together) {
        int n = c->images - image < together ? c->images - image : together;
        if (!emit_unfold(lo, c, &rows, image, n) || !multiply(lo, c, &rows, image, n)) return false;
    }
    return true;
}

/* ---- Any other ---- */

static bool emit_plain(lt_gpu_lowering *lo, const conv *c)
{
    char defines[256];
    const lt_operand *bias = c->p.has_bias ? c->bias : c->w;
    const char *class = lt_gpu_class(c->out->tensor.dtype);
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_TRANSPOSED %d\n#define LT_AS %s\n#define LT_AS_%s 1\n"
             "#define LT_X %s\n#define LT_W %s\n#define LT_C %s\n#define LT_Y %s\n",
             items, c->attrs->transposed, class, class, lt_gpu_dtype(c->x->tensor.dtype),
             lt_gpu_dtype(c->w->tensor.dtype), lt_gpu_dtype(bias->tensor.dtype),
             lt_gpu_dtype(c->out->tensor.dtype));
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "conv.k", NULL, "conv", defines), &c->p, sizeof c->p);
    lt_gpu_arg(l, c->x);
    lt_gpu_arg(l, c->w);
    lt_gpu_arg(l, bias);
    lt_gpu_arg(l, c->out);
    return lt_gpu_grid(l, c->p.count, items);
}

/* ---- Depthwise, on devices that run one item at a time ---- */

/* The longest kernel that is unrolled, and the most local memory. */
enum { MOST_TAPS = 49, MOST_ROWS = 24 << 10 };

typedef struct depthwise {
    int64_t ring, pitch; /* rows that are kept, and elements of each for every step of the stride */
} depthwise;

static bool is_depthwise(const lt_gpu_lowering *lo, const conv *c, depthwise *out)
{
    const lt_conv_params *p = &c->p;
    if (!(lo->gpu->info.features & LATHE_DEVICE_SERIAL) || c->attrs->transposed || p->group_in != 1 ||
        strcmp(lt_gpu_class(c->out->tensor.dtype), "f32") != 0 || p->window[0] * p->in[0] != 1 ||
        p->padding[0] != 0 || p->window[1] * p->window[2] > MOST_TAPS || p->x_step[4] != 1)
        return false;
    int64_t reach = (int64_t)(p->window[2] - 1) * p->dilation[2] / p->stride[2];
    out->ring = (int64_t)(p->window[1] - 1) * p->dilation[1] + 1;
    out->pitch = (p->out[2] + reach + 16 + 31) / 32 * 32; /* few lengths, so few kernels */
    int64_t bytes = out->ring * p->stride[2] * out->pitch * (int64_t)sizeof(float);
    return bytes <= lt_min_i64(MOST_ROWS, lo->gpu->info.local_bytes);
}

static bool emit_depthwise(lt_gpu_lowering *lo, const conv *c, const depthwise *d)
{
    char defines[320];
    const lt_conv_params *p = &c->p;
    const lt_operand *args[] = {c->x, c->w, p->has_bias ? c->bias : c->w, c->out};
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS 1\n#define LT_TRANSPOSED 0\n#define LT_DOWN %d\n#define LT_ALONG %d\n"
             "#define LT_STRIDE %d\n#define LT_RING %d\n#define LT_PITCH %d\n#define LT_X %s\n"
             "#define LT_W %s\n#define LT_C %s\n#define LT_Y %s\n",
             p->window[1], p->window[2], p->stride[2], (int)d->ring, (int)d->pitch,
             lt_gpu_dtype(args[0]->tensor.dtype), lt_gpu_dtype(args[1]->tensor.dtype),
             lt_gpu_dtype(args[2]->tensor.dtype), lt_gpu_dtype(args[3]->tensor.dtype));
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "conv.k", NULL, "conv_depthwise", defines), p, sizeof *p);
    for (int k = 0; k < 4; k++) lt_gpu_arg(l, args[k]);
    return lt_gpu_grid(l, (int64_t)c->images * p->channels, 1);
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
    conv c = {.x = x, .w = w, .bias = bias, .out = out, .attrs = a, .images = (int)x->tensor.dim[0]};
    c.p = (lt_conv_params){.count = (int)lathe_tensor_count(&out->tensor),
                           .channels = (int)out->tensor.dim[1],
                           .group_out = (int)(out->tensor.dim[1] / a->groups),
                           .group_in = (int)(x->tensor.dim[1] / a->groups),
                           .x_offset = views[0].offset,
                           .w_offset = views[1].offset,
                           .out_offset = views[2].offset,
                           .bias_offset = of_bias.offset,
                           .bias_step = of_bias.stride[0],
                           .has_bias = bias != NULL};
    lt_conv_params *p = &c.p;
    if (p->count == 0) return true;
    fill_dims(p, a, &x->tensor, &w->tensor, &out->tensor);
    fill_steps(&views[0], a->spatial, p->x_step);
    fill_steps(&views[1], a->spatial, p->w_step);
    fill_steps(&views[2], a->spatial, p->out_step);
    if (a->transposed) { /* its weights have the input's channels first */
        int first = p->w_step[0];
        p->w_step[0] = p->w_step[1];
        p->w_step[1] = first;
    }
    c.positions = p->out[0] * p->out[1] * p->out[2];
    c.entries = p->group_in * p->window[0] * p->window[1] * p->window[2];
    depthwise d;
    if (is_depthwise(lo, &c, &d)) return emit_depthwise(lo, &c, &d);
    return is_product(&c) ? emit_products(lo, &c) : emit_plain(lo, &c);
}

const lt_gpu_row lt_gpu_conv_rows[] = {
    {LT_OP_CONV, lower_conv},
    {0, NULL},
};
