/* What works on one block of channels, in portable C. */
#include <math.h>

#include "kernels/cpu/cpu.h"

static void depthwise(const lt_depthwise *t, int64_t y)
{
    for (int64_t x = 0; x < t->out_width; x++)
        for (int lane = 0; lane < LT_BLOCK; lane++) {
            float sum = 0;
            for (int64_t j = 0; j < t->kernel[0]; j++)
                for (int64_t i = 0; i < t->kernel[1]; i++) {
                    int64_t iy = y * t->stride[0] - t->padding[0] + j * t->dilation[0],
                            ix = x * t->stride[1] - t->padding[1] + i * t->dilation[1];
                    if (iy < 0 || iy >= t->height || ix < 0 || ix >= t->width) continue;
                    sum += t->x[iy * t->x_row + ix * LT_BLOCK + lane] *
                           t->w[(j * t->kernel[1] + i) * LT_BLOCK + lane];
                }
            int64_t to = (y * t->out_width + x) * LT_BLOCK + lane;
            sum += t->bias[lane];
            if (t->add) sum += t->add[to];
            t->out[to] = sum < t->low ? t->low : sum > t->high ? t->high : sum;
        }
}

static void pool_max(const lt_pool_window *w, float *out)
{
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        float best = -INFINITY;
        for (int64_t j = 0; j < w->rows; j++)
            for (int64_t i = 0; i < w->columns; i++) {
                float x = w->x[j * w->row_step + i * w->column_step + lane];
                if (x > best || isnan(x)) best = x;
            }
        out[lane] = best;
    }
}

static void pool_mean(const lt_pool_window *w, float *out)
{
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        double sum = 0;
        for (int64_t j = 0; j < w->rows; j++)
            for (int64_t i = 0; i < w->columns; i++)
                sum += (double)w->x[j * w->row_step + i * w->column_step + lane];
        out[lane] = (float)(sum / (double)w->divisor);
    }
}

static void block(const float *rows, int64_t stride, int64_t channels, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < LT_BLOCK; c++)
            out[i * LT_BLOCK + c] = c < channels ? rows[c * stride + i] : 0;
}

static void unblock(const float *x, int64_t n, float *rows, int64_t stride, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < n; i++) rows[c * stride + i] = x[i * LT_BLOCK + c];
}

void lt_cpu_fill_blocks_generic(lt_cpu_kernels *kernels)
{
    kernels->depthwise = depthwise;
    kernels->pool_max = pool_max;
    kernels->pool_mean = pool_mean;
    kernels->block = block;
    kernels->unblock = unblock;
}
