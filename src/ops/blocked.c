/* Channels in blocks of LT_BLOCK, the layout that the vector kernels of convolutional networks want: to and
 * from it, and convolution in it. */
#include "base/block.h"

#include <math.h>

#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/families.h"

/* ---- To and from blocks ---- */

lathe_status lt_infer_block(LT_INFER_ARGS)
{
    (void)op;
    (void)attrs;
    char text[LT_TYPE_TEXT];
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (in->rank < 2 || in->rank == LT_MAX_RANK)
        LT_FAIL(err, TYPE, "no channels to block in %s", lt_type_print(in, text));
    *out = *in;
    out->dim[1] = lt_blocks(in->dim[1]);
    out->dim[out->rank++] = LT_BLOCK;
    return LATHE_OK;
}

lathe_status lt_infer_unblock(LT_INFER_ARGS)
{
    (void)op;
    char text[LT_TYPE_TEXT];
    int64_t channels = attrs->unblock.channels;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (in->rank < 3 || in->dim[in->rank - 1] != LT_BLOCK || channels < 0 ||
        in->dim[1] != lt_blocks(channels))
        LT_FAIL(err, TYPE, "%s does not hold %lld channels in blocks", lt_type_print(in, text),
                (long long)channels);
    *out = *in;
    out->dim[--out->rank] = 0;
    out->dim[1] = channels;
    return LATHE_OK;
}

/* The channels of one block: views of `blocked` without its lanes, and of `plain`, with the same shape. */
static void block_views(const lt_tensor *blocked, const lt_tensor *plain, int64_t channel, lt_tensor *a,
                        lt_tensor *b)
{
    *a = *blocked;
    *b = *plain;
    a->rank--;
    a->dim[1] = b->dim[1] = 1;
    int64_t size = (int64_t)lathe_dtype_size(plain->dtype);
    int64_t at = channel / LT_BLOCK * blocked->stride[1] + channel % LT_BLOCK * blocked->stride[a->rank];
    a->data = (char *)blocked->data + at * size;
    b->data = (char *)plain->data + channel * plain->stride[1] * size;
}

lathe_status lt_ref_block(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor to, from;
    int64_t channels = call->in->dim[1];
    if (lathe_tensor_count(call->in) == 0) return LATHE_OK;
    for (int64_t c = 0; c < lt_blocks(channels) * LT_BLOCK; c++) {
        double zero = 0;
        block_views(call->out, call->in, lt_min_i64(c, channels - 1), &to, &from);
        if (c >= channels) { /* the rest of the last block */
            block_views(call->out, call->in, c, &to, &from);
            from = (lt_tensor){.dtype = LATHE_F64, .data = &zero};
        }
        lt_tensor_copy(&from, &to);
    }
    return LATHE_OK;
}

lathe_status lt_ref_unblock(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor to, from;
    if (lathe_tensor_count(call->out) == 0) return LATHE_OK;
    for (int64_t c = 0; c < call->out->dim[1]; c++) {
        block_views(call->in, call->out, c, &from, &to);
        lt_tensor_copy(&from, &to);
    }
    return LATHE_OK;
}

/* ---- Convolution ----
 * The input is [batch, blocks, height, width, LT_BLOCK] or, planar, [batch, channels, height, width]. Weights
 * tell the form by their rank:
 *   [out blocks, in blocks, down, along, LT_BLOCK in, LT_BLOCK out]   blocked input, in blocks of the group
 *   [out blocks, channels, down, along, LT_BLOCK]                     planar input
 *   [blocks, down, along, LT_BLOCK]                                   depthwise
 * Then a bias [out blocks, LT_BLOCK] and, optionally, a tensor to add that is like the result. */

enum { RANK_DENSE = 6, RANK_PLANAR = 5, RANK_DEPTHWISE = 4 };

static bool weight_fits(const lt_attrs_blocked_conv *a, const lt_type *x, const lt_type *w)
{
    int64_t groups = a->conv.groups, blocks = lt_blocks(a->channels);
    bool blocked = x->rank == 5 && x->dim[4] == LT_BLOCK;
    if (groups < 1 || w->dim[w->rank - 1] != LT_BLOCK) return false;
    switch (w->rank) {
    case RANK_DENSE:
        return blocked && w->dim[4] == LT_BLOCK && w->dim[1] == blocks && w->dim[0] % groups == 0 &&
               x->dim[1] == blocks * groups && (groups == 1 || a->channels % LT_BLOCK == 0);
    case RANK_PLANAR:
        return x->rank == 4 && groups == 1 && w->dim[1] == x->dim[1] && x->dim[1] == a->channels;
    case RANK_DEPTHWISE: return blocked && w->dim[0] == x->dim[1] && lt_blocks(groups) == x->dim[1];
    default: return false;
    }
}

static bool all_f32(const lt_type *in, int n_in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i].dtype != LATHE_F32) return false;
    return true;
}

lathe_status lt_infer_conv_blocks(const lt_attrs_blocked_conv *a, const lt_type *in, int n_in,
                                  const int64_t kernel[2], int64_t blocks, lt_type *out, lathe_error *err)
{
    char s[LT_TYPE_TEXT], t[LT_TYPE_TEXT];
    const lt_type *x = in, *bias = &in[2];
    lt_attrs attrs = {.conv = a->conv};
    attrs.conv.groups = 1;
    lt_type plain[2] = {{.dtype = LATHE_F32, .rank = 4, .dim = {x->dim[0], 1, x->dim[2], x->dim[3]}},
                        {.dtype = LATHE_F32, .rank = 4, .dim = {1, 1, kernel[0], kernel[1]}}};
    if (!all_f32(in, n_in) || a->conv.spatial != 2 || a->conv.transposed || bias->rank != 2 ||
        bias->dim[0] != blocks || bias->dim[1] != LT_BLOCK)
        LT_FAIL(err, TYPE, "input %s and bias %s in blocks", lt_type_print(x, s), lt_type_print(bias, t));
    LT_TRY(lt_infer_conv(LT_OP_CONV, &attrs, plain, 2, out, err));
    out->dim[1] = blocks;
    out->dim[out->rank++] = LT_BLOCK;
    if (n_in == 4 && !lt_type_equal(&in[3], out))
        LT_FAIL(err, TYPE, "%s to add to a result of %s", lt_type_print(&in[3], s), lt_type_print(out, t));
    return LATHE_OK;
}

lathe_status lt_infer_blocked_conv(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_blocked_conv *a = &attrs->blocked_conv;
    char s[LT_TYPE_TEXT], t[LT_TYPE_TEXT];
    if (n_in < 3 || n_in > 4) LT_FAIL(err, INTERNAL, "%d inputs, expected 3 or 4", n_in);
    const lt_type *x = &in[0], *w = &in[1];
    if (!weight_fits(a, x, w))
        LT_FAIL(err, TYPE, "input %s and weight %s in blocks", lt_type_print(x, s), lt_type_print(w, t));
    const int64_t *kernel = &w->dim[w->rank == RANK_DEPTHWISE ? 1 : 2];
    return lt_infer_conv_blocks(a, in, n_in, kernel, w->dim[0], out, err);
}

double lt_conv_activate(const lt_attrs_blocked_conv *a, double x)
{
    double six = x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3;
    switch (a->activation) {
    case LT_ACTIVATION_CLAMP: return x < a->low ? a->low : x > a->high ? a->high : x;
    case LT_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case LT_ACTIVATION_SILU: return x / (1 + exp(-x));
    case LT_ACTIVATION_GELU: return x * 0.5 * (1 + erf(x * 0.70710678118654752440));
    case LT_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LT_ACTIVATION_TANH: return tanh(x);
    case LT_ACTIVATION_HARDSIGMOID: return six / 6;
    case LT_ACTIVATION_HARDSWISH: return x * six / 6;
    }
    return x;
}

/* The element at these indices. */
static float *element(const lt_tensor *t, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < t->rank; i++) at += index[i] * t->stride[i];
    return (float *)t->data + at;
}

/* Channel c of the input at a position; zero outside of the image. */
static double input_at(const lt_tensor *x, int64_t image, int64_t c, int64_t y, int64_t column)
{
    if (y < 0 || y >= x->dim[2] || column < 0 || column >= x->dim[3]) return 0;
    if (x->rank == 4) return (double)*element(x, (int64_t[]){image, c, y, column});
    return (double)*element(x, (int64_t[]){image, c / LT_BLOCK, y, column, c % LT_BLOCK});
}

/* The weight of input channel c of the group for output channel o. */
static double weight_at(const lt_tensor *w, int64_t o, int64_t c, int64_t j, int64_t i)
{
    int64_t block = o / LT_BLOCK, lane = o % LT_BLOCK;
    if (w->rank == RANK_DEPTHWISE) return (double)*element(w, (int64_t[]){block, j, i, lane});
    if (w->rank == RANK_PLANAR) return (double)*element(w, (int64_t[]){block, c, j, i, lane});
    return (double)*element(w, (int64_t[]){block, c / LT_BLOCK, j, i, c % LT_BLOCK, lane});
}

/* The sum for one output: image, output channel, y, x. */
static double convolve(const lt_op_call *call, int64_t image, int64_t o, int64_t y, int64_t x)
{
    const lt_attrs_conv *a = &call->attrs->blocked_conv.conv;
    const lt_tensor *w = &call->in[1];
    bool depthwise = w->rank == RANK_DEPTHWISE;
    int at = depthwise ? 1 : 2;
    int64_t channels = depthwise ? 1 : call->attrs->blocked_conv.channels;
    int64_t first = depthwise ? o : o / (w->dim[0] * LT_BLOCK / a->groups) * channels;
    double sum = 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t j = 0; j < w->dim[at]; j++)
            for (int64_t i = 0; i < w->dim[at + 1]; i++)
                sum += weight_at(w, o, c, j, i) *
                       input_at(&call->in[0], image, first + c,
                                y * a->stride[0] + j * a->dilation[0] - a->padding[0],
                                x * a->stride[1] + i * a->dilation[1] - a->padding[1]);
    return sum;
}

lathe_status lt_ref_blocked_conv(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *out = call->out;
    for (int64_t n = 0; n < out->dim[0]; n++)
        for (int64_t o = 0; o < out->dim[1] * LT_BLOCK; o++)
            for (int64_t y = 0; y < out->dim[2]; y++)
                for (int64_t x = 0; x < out->dim[3]; x++) {
                    int64_t block = o / LT_BLOCK, lane = o % LT_BLOCK, index[5] = {n, block, y, x, lane};
                    double sum = convolve(call, n, o, y, x);
                    sum += (double)*element(&call->in[2], (int64_t[]){block, lane});
                    if (call->n_in == 4) sum += (double)*element(&call->in[3], index);
                    *element(out, index) = (float)lt_conv_activate(&call->attrs->blocked_conv, sum);
                }
    return LATHE_OK;
}
