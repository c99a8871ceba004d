/* Convolution of channels in blocks, in portable C. */
#include "kernels/cpu/cpu.h"

/* The products of one block of channels (planar: channel) are summed for themselves: short chains keep
 * rounding errors small. */
static void sum_products(const lt_conv *c, int64_t unit, const float *w, int64_t y, int64_t x, bool planar,
                         float sum[LT_BLOCK])
{
    int64_t step = planar ? 1 : LT_BLOCK, taps = c->kernel[0] * c->kernel[1];
    int64_t depth = planar ? 1 : lt_min_i64(LT_BLOCK, c->channels - unit * LT_BLOCK);
    for (int64_t t = 0; t < taps; t++, w += step * LT_BLOCK) {
        int64_t iy = y * c->stride - c->padding + t / c->kernel[1] * c->dilation;
        if (iy < 0 || iy >= c->height) continue;
        const float *from = c->x + unit * c->x_block + iy * c->x_row + x * step + c->tap[t % c->kernel[1]];
        for (int64_t k = 0; k < depth; k++)
            for (int lane = 0; lane < LT_BLOCK; lane++) sum[lane] += from[k] * w[k * LT_BLOCK + lane];
    }
}

static void run(const lt_conv *c, int64_t block, int64_t y, int64_t x, bool planar)
{
    float acc[LT_BLOCK] = {0};
    int64_t units = planar ? c->channels : lt_blocks(c->channels);
    int64_t unit_floats = c->kernel[0] * c->kernel[1] * (planar ? 1 : LT_BLOCK) * LT_BLOCK;
    for (int64_t u = 0; u < units; u++) {
        float sum[LT_BLOCK] = {0};
        sum_products(c, u, c->w + (block * units + u) * unit_floats, y, x, planar, sum);
        for (int lane = 0; lane < LT_BLOCK; lane++) acc[lane] += sum[lane];
    }
    int64_t at = block * c->out_block + (y * c->out_width + x) * LT_BLOCK;
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        float sum = acc[lane] + c->bias[block * LT_BLOCK + lane];
        if (c->add) sum += c->add[at + lane];
        c->out[at + lane] = sum < c->low ? c->low : sum > c->high ? c->high : sum;
    }
}

static void run_part(const lt_conv *c, const lt_conv_part *part, bool planar)
{
    for (int64_t b = part->block; b < part->block + part->blocks; b++)
        for (int64_t y = part->y; y < part->y + part->rows; y++)
            for (int64_t x = part->begin; x < part->end; x++) run(c, b, y, x, planar);
}

static void conv(const lt_conv *c, const lt_conv_part *part) { run_part(c, part, false); }
static void conv_planar(const lt_conv *c, const lt_conv_part *part) { run_part(c, part, true); }

void lt_cpu_fill_conv_generic(lt_cpu_kernels *kernels)
{
    kernels->conv = conv;
    kernels->conv_planar = conv_planar;
    kernels->conv_blocks = 1;
    kernels->conv_positions = 1;
}
