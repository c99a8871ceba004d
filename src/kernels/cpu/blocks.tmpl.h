/* What works on one block of channels, over the vectors of a simd_*.h: depthwise convolution, pools, and
 * making blocks. The including file defines DEPTH_P, the positions of a depthwise tile, and FILL, the name of
 * its fill function. */
#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/simd_types.h"

enum { PARTS = LT_BLOCK / LANES };

/* ---- Depthwise convolution ---- */

typedef struct lt_taps {
    int64_t begin, end;
} lt_taps;

/* The taps along a dim that meet the input when the first reads position `first`. */
LT_INLINE lt_taps taps_inside(const lt_depthwise *t, int dim, int64_t first, int64_t size)
{
    int64_t dilation = t->dilation[dim], left = size - first;
    return (lt_taps){.begin = first < 0 ? (-first + dilation - 1) / dilation : 0,
                     .end = left <= 0 ? 0 : lt_min_i64(t->kernel[dim], (left - 1) / dilation + 1)};
}

/* Positions x … x + pixels - 1 of row y, for which the same taps count. */
LT_INLINE void depthwise_tile(const lt_depthwise *t, int64_t y, int64_t x, int pixels, int64_t stride,
                              lt_taps columns)
{
    vf acc[DEPTH_P][PARTS];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 4
        for (int v = 0; v < PARTS; v++) acc[p][v] = vf_zero();
    int64_t top = y * t->stride[0] - t->padding[0], left = x * stride - t->padding[1];
    lt_taps rows = taps_inside(t, 0, top, t->height);
    for (int64_t j = rows.begin; j < rows.end; j++)
        for (int64_t i = columns.begin; i < columns.end; i++) {
            const float *w = t->w + (j * t->kernel[1] + i) * LT_BLOCK;
            const float *at =
                t->x + (top + j * t->dilation[0]) * t->x_row + (left + i * t->dilation[1]) * LT_BLOCK;
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
#pragma GCC unroll 4
                for (int v = 0; v < PARTS; v++)
                    acc[p][v] = vf_fma(vf_load(at + p * stride * LT_BLOCK + v * LANES),
                                       vf_load(w + v * LANES), acc[p][v]);
        }
    int64_t to = (y * t->out_width + x) * LT_BLOCK;
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 4
        for (int v = 0; v < PARTS; v++) {
            int64_t i = to + p * LT_BLOCK + v * LANES;
            vf sum = vf_add(acc[p][v], vf_load(t->bias + v * LANES));
            if (t->add) sum = vf_add(sum, vf_load(t->add + i));
            vf_store(t->out + i, vf_min(vf_set(t->high), vf_max(vf_set(t->low), sum)));
        }
}

/* Positions begin … end - 1, all of whose taps meet the input. */
LT_INLINE void depthwise_inner(const lt_depthwise *t, int64_t y, int64_t begin, int64_t end, int64_t stride)
{
    lt_taps all = {.end = t->kernel[1]};
    for (; begin + DEPTH_P <= end; begin += DEPTH_P) depthwise_tile(t, y, begin, DEPTH_P, stride, all);
    for (; begin + 2 <= end; begin += 2) depthwise_tile(t, y, begin, 2, stride, all);
    if (begin < end) depthwise_tile(t, y, begin, 1, stride, all);
}

static void depthwise_edge(const lt_depthwise *t, int64_t y, int64_t begin, int64_t end)
{
    for (; begin < end; begin++)
        depthwise_tile(t, y, begin, 1, t->stride[1],
                       taps_inside(t, 1, begin * t->stride[1] - t->padding[1], t->width));
}

static void depthwise(const lt_depthwise *t, int64_t y)
{
    int64_t stride = t->stride[1], padding = t->padding[1];
    int64_t last = t->width - 1 + padding - (t->kernel[1] - 1) * t->dilation[1]; /* of the first tap */
    int64_t begin = lt_min_i64((padding + stride - 1) / stride, t->out_width);
    int64_t end = last < 0 ? 0 : lt_min_i64(last / stride + 1, t->out_width);
    if (end < begin) end = begin;
    depthwise_edge(t, y, 0, begin);
    if (stride == 1) depthwise_inner(t, y, begin, end, 1);
    else if (stride == 2) depthwise_inner(t, y, begin, end, 2);
    else depthwise_edge(t, y, begin, end);
    depthwise_edge(t, y, end, t->out_width);
}

/* ---- Pools ---- */

static void pool_max(const lt_pool_window *w, float *out)
{
    vf acc[PARTS];
    for (int v = 0; v < PARTS; v++) acc[v] = vf_set(-__builtin_inff());
    for (int64_t j = 0; j < w->rows; j++)
        for (int64_t i = 0; i < w->columns; i++)
#pragma GCC unroll 4
            for (int v = 0; v < PARTS; v++)
                acc[v] = vf_maximum(acc[v], vf_load(w->x + j * w->row_step + i * w->column_step + v * LANES));
    for (int v = 0; v < PARTS; v++) vf_store(out + v * LANES, acc[v]);
}

/* Row by row, which keeps the chains of sums short. */
static void pool_mean(const lt_pool_window *w, float *out)
{
    vf acc[PARTS];
    for (int v = 0; v < PARTS; v++) acc[v] = vf_zero();
    for (int64_t j = 0; j < w->rows; j++) {
        vf row[PARTS];
        for (int v = 0; v < PARTS; v++) row[v] = vf_zero();
        for (int64_t i = 0; i < w->columns; i++)
#pragma GCC unroll 4
            for (int v = 0; v < PARTS; v++)
                row[v] = vf_add(row[v], vf_load(w->x + j * w->row_step + i * w->column_step + v * LANES));
        for (int v = 0; v < PARTS; v++) acc[v] = vf_add(acc[v], row[v]);
    }
    for (int v = 0; v < PARTS; v++) vf_store(out + v * LANES, vf_div(acc[v], vf_set(w->divisor)));
}

/* ---- Blocks ---- */

static void block(const float *rows, int64_t stride, int64_t channels, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t c = 0; c < LT_BLOCK; c += LANES) {
            vf v[LANES];
            for (int64_t k = 0; k < LANES; k++)
                v[k] =
                    c + k < channels ? load_left(LT_GEMM_F32, rows + (c + k) * stride, i, n - i) : vf_zero();
            vf_transpose(v);
            for (int64_t k = 0; k < LANES && i + k < n; k++) vf_store(out + (i + k) * LT_BLOCK + c, v[k]);
        }
}

static void unblock(const float *x, int64_t n, float *rows, int64_t stride, int64_t channels)
{
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t c = 0; c < channels; c += LANES) {
            vf v[LANES];
            for (int64_t k = 0; k < LANES; k++)
                v[k] = i + k < n ? vf_load(x + (i + k) * LT_BLOCK + c) : vf_zero();
            vf_transpose(v);
            for (int64_t k = 0; k < LANES && c + k < channels; k++)
                store_left(LT_GEMM_F32, rows + (c + k) * stride, i, n - i, v[k]);
        }
}

void FILL(lt_cpu_kernels *kernels)
{
    kernels->depthwise = depthwise;
    kernels->pool_max = pool_max;
    kernels->pool_mean = pool_mean;
    kernels->block = block;
    kernels->unblock = unblock;
}
