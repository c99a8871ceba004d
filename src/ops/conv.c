/* Convolution and transposed convolution in one to three dims. Both are sums of passes: for every output of a
 * regular lattice, a kernel's entries read the input at fixed offsets. A convolution is one pass; a
 * transposed one is a pass for each remainder of the output position modulo the stride, with the entries that
 * meet it. */
#include <string.h>

#include "ops/convert.h"
#include "ops/families.h"

/* ROWS x COLUMNS sums stay in registers. A panel row is one cache line longer than its POSITIONS, so that a
 * column of the panel spreads over the cache's sets. */
enum { ROWS = 4, COLUMNS = 8, DEPTH = 256, POSITIONS = 64, PANEL_WIDTH = POSITIONS + 16 };

/* One spatial dim of a pass: output start + j * step, for j in 0 … count - 1, reads for t in 0 … taps - 1 the
 * input j * in_step + offset + t * offset_step, and weighs it with kernel entry tap + t * tap_step. */
typedef struct lt_conv_dim {
    int64_t count, start, step;
    int64_t in_size, in_step;
    int64_t taps, tap, tap_step, offset, offset_step;
} lt_conv_dim;

/* A pass over one image and one group. Steps are in bytes. */
typedef struct lt_conv_pass {
    lt_conv_dim dim[LT_MAX_SPATIAL];
    int64_t channels, out_channels; /* of the group */
    const char *x, *w, *bias;       /* bias may be NULL */
    char *out;
    lt_dtype x_dtype, w_dtype, bias_dtype, out_dtype;
    int64_t x_step[4];   /* channel, z, y, x */
    int64_t w_step[5];   /* output channel, input channel, z, y, x */
    int64_t out_step[4]; /* channel, z, y, x */
    int64_t bias_step;
    bool w_block; /* the kernel of an output channel is one block, and the pass uses all of it */
} lt_conv_pass;

static int64_t tap_offset(const lt_conv_dim *d, int64_t tap) { return d->offset + tap * d->offset_step; }
static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Which outputs j read inside the input, given the offset of what they read: first … end - 1. */
static void readable_outputs(const lt_conv_dim *d, int64_t offset, int64_t *first, int64_t *end)
{
    *first = offset >= 0 ? 0 : lt_min_i64((-offset + d->in_step - 1) / d->in_step, d->count);
    int64_t left = d->in_size - offset; /* outputs with j * in_step < left */
    *end = left <= 0 ? 0 : lt_min_i64((left - 1) / d->in_step + 1, d->count);
    if (*end < *first) *end = *first;
}

/* Number k of the sum as input channel and taps. */
static void split_tap(const lt_conv_pass *p, int64_t k, int64_t tap[4])
{
    for (int i = 2; i >= 0; i--) {
        tap[i + 1] = k % p->dim[i].taps;
        k /= p->dim[i].taps;
    }
    tap[0] = k;
}

#pragma GCC diagnostic ignored "-Wconversion"
#define T float
#define DTYPE LATHE_F32
#define FN(name) name##_f32
#include "ops/conv.tmpl.h"
#undef T
#undef DTYPE
#undef FN
#define T double
#define DTYPE LATHE_F64
#define FN(name) name##_f64
#include "ops/conv.tmpl.h"
#undef T
#undef DTYPE
#undef FN
#define T uint64_t
#define DTYPE LATHE_I64
#define FN(name) name##_u64
#include "ops/conv.tmpl.h"
#undef T
#undef DTYPE
#undef FN

static void run_pass(const lt_conv_pass *p, void *scratch)
{
    switch (lt_class_of(p->out_dtype)) {
    case LT_CLASS_F32: run_pass_f32(p, scratch); break;
    case LT_CLASS_F64: run_pass_f64(p, scratch); break;
    case LT_CLASS_I64: run_pass_u64(p, scratch); break;
    }
}

/* ---- Types ---- */

static lathe_status output_size(const lt_attrs_conv *a, int i, int64_t in, int64_t kernel, int64_t *out,
                                lathe_error *err)
{
    int64_t reach, padding, size;
    bool fits = a->stride[i] > 0 && a->dilation[i] > 0 && a->padding[i] >= 0 && kernel > 0 &&
                lt_mul_i64(kernel - 1, a->dilation[i], &reach) &&
                lt_add_i64(a->padding[i], a->padding_after[i], &padding);
    if (a->transposed)
        fits = fits && lt_mul_i64(in - 1, a->stride[i], &size) && lt_add_i64(size, reach + 1, &size) &&
               lt_sub_i64(size, padding, &size);
    else fits = fits && lt_add_i64(in, padding, &size) && lt_sub_i64(size, reach + 1, &size) && size >= 0;
    if (!fits || (a->transposed && size < 0))
        LT_FAIL(err, TYPE,
                "dim %d: input of %lld with a kernel of %lld, stride %lld, padding %lld, dilation %lld", i,
                (long long)in, (long long)kernel, (long long)a->stride[i], (long long)a->padding[i],
                (long long)a->dilation[i]);
    *out = a->transposed ? size : size / a->stride[i] + 1;
    return LATHE_OK;
}

static lathe_status check_channels(const lt_attrs_conv *a, const lt_type *in, int n_in, int64_t *channels,
                                   lathe_error *err)
{
    const lt_type *x = &in[0], *w = &in[1];
    char s[LT_TYPE_TEXT], t[LT_TYPE_TEXT];
    bool fits = x->rank == a->spatial + 2 && w->rank == x->rank && x->dtype == w->dtype && a->groups > 0;
    if (fits && a->transposed) {
        fits = x->dim[1] == w->dim[0] && w->dim[0] % a->groups == 0 &&
               lt_mul_i64(w->dim[1], a->groups, channels);
    } else if (fits) {
        int64_t wanted;
        *channels = w->dim[0];
        fits = lt_mul_i64(w->dim[1], a->groups, &wanted) && x->dim[1] == wanted && *channels % a->groups == 0;
    }
    if (!fits)
        LT_FAIL(err, TYPE, "input %s, weight %s, %lld groups", lt_type_print(x, s), lt_type_print(w, t),
                (long long)a->groups);
    if (n_in == 3 && (in[2].rank != 1 || in[2].dim[0] != *channels))
        LT_FAIL(err, TYPE, "bias %s, expected [%lld]", lt_type_print(&in[2], s), (long long)*channels);
    return LATHE_OK;
}

lathe_status lt_infer_conv(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_conv *a = &attrs->conv;
    if (n_in < 2 || n_in > 3) LT_FAIL(err, INTERNAL, "%d inputs, expected 2 or 3", n_in);
    LT_TRY(check_channels(a, in, n_in, &out->dim[1], err));
    out->dtype = in->dtype;
    out->rank = in->rank;
    out->dim[0] = in->dim[0];
    for (int i = 0; i < a->spatial; i++)
        LT_TRY(output_size(a, i, in[0].dim[i + 2], in[1].dim[i + 2], &out->dim[i + 2], err));
    return LATHE_OK;
}

/* Sums for every output channel of a group, the panel and a few kernels; or two rows for depthwise ones. */
size_t lt_scratch_conv(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    const lt_attrs_conv *a = &attrs->conv;
    const lt_type *x = &in[0], *w = &in[1];
    int last = x->rank - 1;
    int64_t out_channels = a->transposed ? w->dim[1] : w->dim[0] / a->groups, width = 0;
    lathe_error ignored;
    if (x->dim[1] == a->groups) {
        if (output_size(a, a->spatial - 1, x->dim[last], w->dim[last], &width, &ignored) != LATHE_OK)
            return 0;
        return (size_t)(x->dim[last] + width) * sizeof(double);
    }
    return (size_t)(round_up(out_channels, ROWS) * POSITIONS + DEPTH * (PANEL_WIDTH + ROWS)) * sizeof(double);
}

/* ---- Running ---- */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The outputs of a transposed convolution that are `phase` modulo the stride: entry k adds input i to output
 * i * stride + k * dilation - padding, so i = j + (phase + padding - k * dilation) / stride, for the k that
 * divide. */
static lt_conv_dim transposed_dim(const lt_attrs_conv *a, int i, int64_t phase, int64_t in, int64_t kernel,
                                  int64_t out)
{
    int64_t stride = a->stride[i], dilation = a->dilation[i], at = phase + a->padding[i];
    int64_t common = gcd(stride, dilation), first = 0;
    lt_conv_dim d = {.count = (out - phase + stride - 1) / stride,
                     .start = phase,
                     .step = stride,
                     .in_size = in,
                     .in_step = 1,
                     .tap_step = stride / common,
                     .offset_step = -(dilation / common)};
    while (first < lt_min_i64(kernel, d.tap_step) && (at - first * dilation) % stride != 0) first++;
    if (first == lt_min_i64(kernel, d.tap_step)) return d; /* nothing meets these outputs */
    d.tap = first;
    d.taps = (kernel - first - 1) / d.tap_step + 1;
    d.offset = (at - first * dilation) / stride;
    return d;
}

static lt_conv_dim plain_dim(const lt_attrs_conv *a, int i, int64_t in, int64_t kernel, int64_t out)
{
    return (lt_conv_dim){.count = out,
                         .step = 1,
                         .in_size = in,
                         .in_step = a->stride[i],
                         .taps = kernel,
                         .tap_step = 1,
                         .offset = -a->padding[i],
                         .offset_step = a->dilation[i]};
}

/* A missing leading dim is one of size 1. */
static const lt_conv_dim single_dim = {
    .count = 1, .step = 1, .in_size = 1, .in_step = 1, .taps = 1, .tap_step = 1, .offset_step = 1};

/* Bytes between neighbours along dims 1 …, as channel, z, y, x. */
static void channel_steps(const lt_tensor *t, int spatial, int64_t step[4])
{
    int64_t size = (int64_t)lathe_dtype_size(t->dtype);
    for (int i = 0; i < 4; i++) step[i] = 0;
    step[0] = t->stride[1] * size;
    for (int i = 0; i < spatial; i++) step[4 - spatial + i] = t->stride[2 + i] * size;
}

static lt_conv_pass describe(const lt_op_call *call)
{
    const lt_attrs_conv *a = &call->attrs->conv;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    int64_t size = (int64_t)lathe_dtype_size(w->dtype), kernel_steps[4];
    lt_conv_pass p = {.x_dtype = x->dtype, .w_dtype = w->dtype, .out_dtype = out->dtype};
    p.channels = x->dim[1] / a->groups;
    p.out_channels = out->dim[1] / a->groups;
    channel_steps(x, a->spatial, p.x_step);
    channel_steps(out, a->spatial, p.out_step);
    channel_steps(w, a->spatial, kernel_steps);
    p.w_step[0] = a->transposed ? kernel_steps[0] : w->stride[0] * size;
    p.w_step[1] = a->transposed ? w->stride[0] * size : kernel_steps[0];
    for (int i = 1; i < 4; i++) p.w_step[i + 1] = kernel_steps[i];
    lt_tensor kernel = *w; /* the dims behind the first, as a tensor */
    kernel.rank--;
    for (int i = 0; i < kernel.rank; i++) {
        kernel.dim[i] = w->dim[i + 1];
        kernel.stride[i] = w->stride[i + 1];
    }
    p.w_block = !a->transposed && lt_tensor_is_contiguous(&kernel);
    if (p.w_block) p.w_step[4] = size;
    if (call->n_in > 2) {
        p.bias_dtype = call->in[2].dtype;
        p.bias_step = call->in[2].stride[0] * (int64_t)lathe_dtype_size(p.bias_dtype);
    }
    return p;
}

/* Every image and group of one pass. */
static void run_images(const lt_op_call *call, lt_conv_pass *p)
{
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    int64_t groups = call->attrs->conv.groups;
    int64_t x_image = x->stride[0] * (int64_t)lathe_dtype_size(x->dtype),
            out_image = out->stride[0] * (int64_t)lathe_dtype_size(out->dtype);
    int64_t w_group =
        call->attrs->conv.transposed ? p->w_step[1] * p->channels : p->w_step[0] * p->out_channels;
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t g = 0; g < groups; g++) {
            p->x = (const char *)x->data + n * x_image + g * p->channels * p->x_step[0];
            p->w = (const char *)w->data + g * w_group;
            p->out = (char *)out->data + n * out_image + g * p->out_channels * p->out_step[0];
            if (call->n_in > 2) p->bias = (const char *)call->in[2].data + g * p->out_channels * p->bias_step;
            run_pass(p, call->scratch);
        }
}

lathe_status lt_ref_conv(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_attrs_conv *a = &call->attrs->conv;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    if (lathe_tensor_count(out) == 0) return LATHE_OK;
    int64_t phases[LT_MAX_SPATIAL] = {1, 1, 1}, phase[LT_MAX_SPATIAL];
    int missing = LT_MAX_SPATIAL - a->spatial;
    for (int i = 0; i < a->spatial && a->transposed; i++)
        phases[missing + i] = lt_min_i64(a->stride[i], out->dim[i + 2]);
    lt_conv_pass p = describe(call);
    for (phase[0] = 0; phase[0] < phases[0]; phase[0]++)
        for (phase[1] = 0; phase[1] < phases[1]; phase[1]++)
            for (phase[2] = 0; phase[2] < phases[2]; phase[2]++) {
                for (int d = 0; d < LT_MAX_SPATIAL; d++) {
                    int i = d - missing;
                    if (i < 0) p.dim[d] = single_dim;
                    else if (a->transposed)
                        p.dim[d] =
                            transposed_dim(a, i, phase[d], x->dim[i + 2], w->dim[i + 2], out->dim[i + 2]);
                    else p.dim[d] = plain_dim(a, i, x->dim[i + 2], w->dim[i + 2], out->dim[i + 2]);
                }
                run_images(call, &p);
            }
    return LATHE_OK;
}
