/* Convolution of channels in blocks, in portable C. */
#include "kernels/cpu/cpu.h"

static void accumulate(const lt_conv *c, int64_t block, int64_t y, int64_t x, bool planar,
                       float acc[LT_BLOCK])
{
    int64_t step = planar ? 1 : LT_BLOCK, units = planar ? c->channels : lt_blocks(c->channels);
    int64_t taps = c->kernel[0] * c->kernel[1],
            rows = planar ? 1 : LT_BLOCK; /* rows: of weights, for a tap */
    const float *weights = c->w + block * units * taps * rows * LT_BLOCK;
    for (int64_t u = 0; u < units; u++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t iy = y * c->stride - c->padding + t / c->kernel[1] * c->dilation;
            int64_t depth = planar ? 1 : lt_min_i64(LT_BLOCK, c->channels - u * LT_BLOCK);
            if (iy < 0 || iy >= c->height) continue;
            const float *from = c->x + u * c->x_block + iy * c->x_row + x * step + c->tap[t % c->kernel[1]];
            const float *w = weights + (u * taps + t) * rows * LT_BLOCK;
            for (int64_t k = 0; k < depth; k++)
                for (int lane = 0; lane < LT_BLOCK; lane++) acc[lane] += from[k] * w[k * LT_BLOCK + lane];
        }
}

static void run(const lt_conv *c, int64_t block, int64_t y, int64_t x, bool planar)
{
    float acc[LT_BLOCK] = {0};
    accumulate(c, block, y, x, planar, acc);
    int64_t at = block * c->out_block + (y * c->out_width + x) * LT_BLOCK;
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        float sum = acc[lane] + c->bias[block * LT_BLOCK + lane];
        if (c->add) sum += c->add[at + lane];
        c->out[at + lane] = sum < c->low ? c->low : sum > c->high ? c->high : sum;
    }
}

static void conv(const lt_conv *c, int64_t block, int64_t blocks, int64_t y, int64_t begin, int64_t end)
{
    for (int64_t b = block; b < block + blocks; b++)
        for (int64_t x = begin; x < end; x++) run(c, b, y, x, false);
}

static void conv_planar(const lt_conv *c, int64_t block, int64_t blocks, int64_t y, int64_t begin,
                        int64_t end)
{
    for (int64_t b = block; b < block + blocks; b++)
        for (int64_t x = begin; x < end; x++) run(c, b, y, x, true);
}

void lt_cpu_fill_conv_generic(lt_cpu_kernels *kernels)
{
    kernels->conv = conv;
    kernels->conv_planar = conv_planar;
    kernels->conv_blocks = 1;
    kernels->conv_positions = 1;
}
