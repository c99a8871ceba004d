/* Convolution of 3x3 taps with a step of 1 by Winograd's minimal filtering (base/winograd.h), channels in
 * blocks. It is an operator of its own, since it multiplies other numbers than BLOCKED_CONV does: kernels
 * that a WINOGRAD_WEIGHT has taken to their positions and rounded once. */
#include "base/winograd.h"

#include "base/block.h"
#include "ops/blocked.h"
#include "ops/families.h"

enum { TAPS = LT_WINOGRAD_TAPS, OUT = LT_WINOGRAD_OUT, IN = LT_WINOGRAD_IN, LANES = LT_BLOCK };

static const double input_matrix[IN][IN] = LT_WINOGRAD_INPUT;
static const double kernel_matrix[IN][TAPS] = LT_WINOGRAD_KERNEL;
static const double output_matrix[OUT][IN] = LT_WINOGRAD_OUTPUT;

/* matrix x matrix^T, for x of n by n and a matrix of m by n. */
static void transform(const double *matrix, int m, int n, const double *x, double *out)
{
    double half[IN][IN];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            half[i][j] = 0;
            for (int k = 0; k < n; k++) half[i][j] += matrix[i * n + k] * x[k * n + j];
        }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            out[i * m + j] = 0;
            for (int k = 0; k < n; k++) out[i * m + j] += half[i][k] * matrix[j * n + k];
        }
}

/* ---- Weights: [out channels, channels, 3, 3] as [out channels, channels, 6, 6] ---- */

lathe_status lt_infer_winograd_weight(LT_INFER_ARGS)
{
    (void)op;
    (void)attrs;
    char text[LT_TYPE_TEXT];
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (in->dtype != LATHE_F32 || in->rank != 4 || in->dim[2] != TAPS || in->dim[3] != TAPS)
        LT_FAIL(err, TYPE, "%s, expected kernels of 3x3 taps in float32", lt_type_print(in, text));
    *out = *in;
    out->dim[2] = out->dim[3] = IN;
    return LATHE_OK;
}

static float *at(const lt_tensor *t, const int64_t index[5])
{
    int64_t offset = 0;
    for (int i = 0; i < t->rank; i++) offset += index[i] * t->stride[i];
    return (float *)t->data + offset;
}

lathe_status lt_ref_winograd_weight(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *w = call->in, *out = call->out;
    for (int64_t o = 0; o < w->dim[0]; o++)
        for (int64_t c = 0; c < w->dim[1]; c++) {
            double taps[TAPS * TAPS], positions[IN * IN];
            for (int i = 0; i < TAPS * TAPS; i++)
                taps[i] = (double)*at(w, (int64_t[]){o, c, i / TAPS, i % TAPS, 0});
            transform(kernel_matrix[0], IN, TAPS, taps, positions);
            for (int i = 0; i < IN * IN; i++)
                *at(out, (int64_t[]){o, c, i / IN, i % IN, 0}) = (float)positions[i];
        }
    return LATHE_OK;
}

/* ---- Convolution ----
 * Inputs are those of a dense BLOCKED_CONV, with weights [36, out blocks, in blocks, LT_BLOCK in, LT_BLOCK
 * out].
 */

lathe_status lt_infer_winograd_conv(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_blocked_conv *a = &attrs->blocked_conv;
    const lt_attrs_conv *conv = &a->conv;
    char s[LT_TYPE_TEXT], t[LT_TYPE_TEXT];
    if (n_in < 3 || n_in > 4) LT_FAIL(err, INTERNAL, "%d inputs, expected 3 or 4", n_in);
    const lt_type *x = &in[0], *w = &in[1];
    bool plain = conv->groups == 1 && conv->stride[0] == 1 && conv->stride[1] == 1 &&
                 conv->dilation[0] == 1 && conv->dilation[1] == 1;
    if (!plain || x->rank != 5 || x->dim[4] != LANES || w->rank != 5 || w->dim[0] != LT_WINOGRAD_POSITIONS ||
        x->dim[1] != lt_blocks(a->channels) || w->dim[2] != x->dim[1] || w->dim[3] != LANES ||
        w->dim[4] != LANES)
        LT_FAIL(err, TYPE, "input %s and weight %s at positions", lt_type_print(x, s), lt_type_print(w, t));
    return lt_infer_conv_blocks(a, in, n_in, (int64_t[]){TAPS, TAPS}, w->dim[1], out, err);
}

/* A tile of the input: of one channel, at its positions. Outside of the image there are zeros. */
static void input_positions(const lt_op_call *call, int64_t image, int64_t channel, int64_t y, int64_t x,
                            double *out)
{
    const lt_tensor *in = &call->in[0];
    const int64_t *padding = call->attrs->blocked_conv.conv.padding;
    double tile[IN * IN];
    for (int i = 0; i < IN * IN; i++) {
        int64_t row = y - padding[0] + i / IN, column = x - padding[1] + i % IN;
        bool inside = row >= 0 && row < in->dim[2] && column >= 0 && column < in->dim[3];
        tile[i] =
            inside ? (double)*at(in, (int64_t[]){image, channel / LANES, row, column, channel % LANES}) : 0;
    }
    transform(input_matrix[0], IN, IN, tile, out);
}

/* The sums for a tile of one block of output channels, at their positions. */
static void sum_positions(const lt_op_call *call, int64_t image, int64_t block, int64_t y, int64_t x,
                          double sum[LANES][IN * IN])
{
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < IN * IN; i++) sum[lane][i] = 0;
    for (int64_t c = 0; c < call->attrs->blocked_conv.channels; c++) {
        double positions[IN * IN];
        input_positions(call, image, c, y, x, positions);
        for (int i = 0; i < IN * IN; i++) {
            const float *w = at(&call->in[1], (int64_t[]){i, block, c / LANES, c % LANES, 0});
            for (int lane = 0; lane < LANES; lane++)
                sum[lane][i] += positions[i] * (double)w[lane * call->in[1].stride[4]];
        }
    }
}

static void store_tile(const lt_op_call *call, int64_t image, int64_t block, int64_t y, int64_t x,
                       int64_t lane, const double *sum)
{
    double tile[OUT * OUT];
    transform(output_matrix[0], OUT, IN, sum, tile);
    for (int i = 0; i < OUT * OUT; i++) {
        int64_t index[5] = {image, block, y + i / OUT, x + i % OUT, lane};
        if (index[2] >= call->out->dim[2] || index[3] >= call->out->dim[3]) continue;
        double value = tile[i] + (double)*at(&call->in[2], (int64_t[]){block, lane, 0, 0, 0});
        if (call->n_in == 4) value += (double)*at(&call->in[3], index);
        *at(call->out, index) = (float)lt_conv_activate(&call->attrs->blocked_conv, value);
    }
}

lathe_status lt_ref_winograd_conv(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *out = call->out;
    for (int64_t n = 0; n < out->dim[0]; n++)
        for (int64_t block = 0; block < out->dim[1]; block++)
            for (int64_t y = 0; y < out->dim[2]; y += OUT)
                for (int64_t x = 0; x < out->dim[3]; x += OUT) {
                    double sum[LANES][IN * IN];
                    sum_positions(call, n, block, y, x, sum);
                    for (int lane = 0; lane < LANES; lane++)
                        store_tile(call, n, block, y, x, lane, sum[lane]);
                }
    return LATHE_OK;
}
