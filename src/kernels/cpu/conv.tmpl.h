/* Convolution of channels in blocks, over the vectors of a simd_*.h. The including file defines TILE_B
 * and TILE_P, the most output blocks and positions of a register tile, BLOCKS(f), which lists f(1) …
 * f(TILE_B), PIXELS(f, b), which lists f(b, 1) … f(b, TILE_P), and FILL, the name of its fill function.
 *
 * A tile of positions by output channels stays in registers while all taps and input channels go past: a
 * weight vector is loaded once for all positions, an input element is broadcast to all output channels. Each
 * output is summed in the same order wherever it falls in a tile. */
#include "kernels/cpu/simd_types.h"

enum { PARTS = LT_BLOCK / LANES, VECTORS = TILE_B * PARTS, CHUNK = 512 };

/* The taps that meet rows of the input. */
LT_INLINE void rows_inside(const lt_conv *c, int64_t first, int64_t *begin, int64_t *end)
{
    *begin = first < 0 ? (-first + c->dilation - 1) / c->dilation : 0;
    int64_t left = c->height - first;
    *end = left <= 0 ? 0 : lt_min_i64(c->kernel[0], (left - 1) / c->dilation + 1);
}

/* Adds a chunk to the result: the first one sets it, the last one ends it. */
LT_INLINE void add_chunk(const lt_conv *c, int64_t block, int64_t y, int64_t x, int pixels, int blocks,
                         bool first, bool last, vf acc[TILE_P][VECTORS])
{
    vf low = vf_set(c->low), high = vf_set(c->high);
    int64_t at = block * c->out_block + (y * c->out_width + x) * LT_BLOCK;
#pragma GCC unroll 8
    for (int v = 0; v < blocks * PARTS; v++) {
        int64_t from = at + v / PARTS * c->out_block + v % PARTS * LANES;
        float *out = c->out + from;
        vf bias = vf_load(c->bias + block * LT_BLOCK + v * LANES);
#pragma GCC unroll 16
        for (int p = 0; p < pixels; p++) {
            vf sum = acc[p][v];
            if (!first) sum = vf_add(vf_load(out + p * LT_BLOCK), sum);
            if (last) {
                sum = vf_add(sum, bias);
                if (c->add) sum = vf_add(sum, vf_load(c->add + from + p * LT_BLOCK));
                sum = vf_min(high, vf_max(low, sum));
            }
            vf_store(out + p * LT_BLOCK, sum);
        }
    }
}

/* The products of input blocks (planar: channels) begin … end - 1, and of the taps that meet rows of the
 * input. */
LT_INLINE void sum_products(const lt_conv *c, int64_t block, int64_t y, int64_t x, int pixels, int blocks,
                            bool planar, int64_t begin, int64_t end, vf acc[TILE_P][VECTORS])
{
    const int step = planar ? 1 : LT_BLOCK, weights = planar ? LT_BLOCK : LT_BLOCK * LT_BLOCK;
    int64_t units = planar ? c->channels : lt_blocks(c->channels), first = y * c->stride - c->padding;
    int64_t w_block = units * c->kernel[0] * c->kernel[1] * weights, top, bottom;
    rows_inside(c, first, &top, &bottom);
#pragma GCC unroll 16
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int v = 0; v < blocks * PARTS; v++) acc[p][v] = vf_zero();
    for (int64_t u = begin; u < end; u++) {
        int64_t depth = planar ? 1 : lt_min_i64(LT_BLOCK, c->channels - u * LT_BLOCK);
        for (int64_t j = top; j < bottom; j++) {
            const float *row = c->x + u * c->x_block + (first + j * c->dilation) * c->x_row + x * step;
            const float *w = c->w + block * w_block + (u * c->kernel[0] + j) * c->kernel[1] * weights;
            for (int64_t i = 0; i < c->kernel[1]; i++, w += weights) {
                const float *at = row + c->tap[i];
                for (int64_t k = 0; k < depth; k++) {
                    vf wv[VECTORS];
#pragma GCC unroll 8
                    for (int v = 0; v < blocks * PARTS; v++)
                        wv[v] = vf_load(w + v / PARTS * w_block + k * LT_BLOCK + v % PARTS * LANES);
#pragma GCC unroll 16
                    for (int p = 0; p < pixels; p++) {
                        vf a = vf_set(at[p * step + k]);
#pragma GCC unroll 8
                        for (int v = 0; v < blocks * PARTS; v++) acc[p][v] = vf_fma(a, wv[v], acc[p][v]);
                    }
                }
            }
        }
    }
}

/* Positions x … x + pixels - 1 of row y, output blocks block … block + blocks - 1. */
LT_INLINE void tile(const lt_conv *c, int64_t block, int64_t y, int64_t x, int pixels, int blocks,
                    bool planar)
{
    vf acc[TILE_P][VECTORS];
    int64_t units = planar ? c->channels : lt_blocks(c->channels);
    int64_t terms = c->kernel[0] * c->kernel[1] * (planar ? 1 : LT_BLOCK);
    int64_t chunk = lt_max_i64(1, CHUNK / terms);
    for (int64_t u = 0; u < units; u += chunk) {
        sum_products(c, block, y, x, pixels, blocks, planar, u, lt_min_i64(u + chunk, units), acc);
        add_chunk(c, block, y, x, pixels, blocks, u == 0, u + chunk >= units, acc);
    }
}

typedef void (*lt_conv_tile)(const lt_conv *c, int64_t block, int64_t y, int64_t x);

#define ARGS const lt_conv *c, int64_t block, int64_t y, int64_t x
#define DEFINE_TILE(b, n)                                                    \
    static void dense_##b##_##n(ARGS) { tile(c, block, y, x, n, b, false); } \
    static void planar_##b##_##n(ARGS) { tile(c, block, y, x, n, b, true); }
#define DEFINE_TILES(b) PIXELS(DEFINE_TILE, b)
BLOCKS(DEFINE_TILES)

#define DENSE(b, n) dense_##b##_##n,
#define DENSE_TILES(b) {PIXELS(DENSE, b)},
#define PLANAR(b, n) planar_##b##_##n,
#define PLANAR_TILES(b) {PIXELS(PLANAR, b)},
static const lt_conv_tile dense_tiles[TILE_B][TILE_P] = {BLOCKS(DENSE_TILES)};
static const lt_conv_tile planar_tiles[TILE_B][TILE_P] = {BLOCKS(PLANAR_TILES)};

/* Tiles of nearly equal size. */
static void run_tiles(const lt_conv_tile *table, ARGS, int64_t end)
{
    int64_t n = end - x, parts = (n + TILE_P - 1) / TILE_P;
    for (int64_t i = 0; i < parts; i++) {
        int64_t from = n * i / parts, to = n * (i + 1) / parts;
        table[to - from - 1](c, block, y, x + from);
    }
}

static void conv(const lt_conv *c, int64_t block, int64_t blocks, int64_t y, int64_t begin, int64_t end)
{
    run_tiles(dense_tiles[blocks - 1], c, block, y, begin, end);
}

static void conv_planar(const lt_conv *c, int64_t block, int64_t blocks, int64_t y, int64_t begin,
                        int64_t end)
{
    run_tiles(planar_tiles[blocks - 1], c, block, y, begin, end);
}

void FILL(lt_cpu_kernels *kernels)
{
    kernels->conv = conv;
    kernels->conv_planar = conv_planar;
    kernels->conv_blocks = TILE_B;
    kernels->conv_positions = TILE_P;
}
