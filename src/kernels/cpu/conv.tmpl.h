/* Convolution of channels in blocks, over the vectors of a simd_*.h. The including file defines TILE_B
 * and TILE_P, the most output blocks and positions of a register tile, BLOCKS(f), which lists f(1) …
 * f(TILE_B), PIXELS(f, b), which lists f(b, 1) … f(b, TILE_P), and FILL, the name of its fill function.
 *
 * A tile of positions by output channels stays in registers while all taps and input channels go past: a
 * weight vector is loaded once for all positions, an input element is broadcast to all output channels. Sums
 * are taken in chunks of terms and pass from chunk to chunk through the result: the weights of a
 * chunk stay in a near cache level while all positions go past, and short chains keep rounding errors small.
 * Each output is summed in the same order wherever it falls in a tile. */
#include "kernels/cpu/simd_types.h"

enum { PARTS = LT_BLOCK / LANES, VECTORS = TILE_B * PARTS };

/* The taps that meet rows of the input. */
LT_INLINE void rows_inside(const lt_conv *c, int64_t first, int64_t *begin, int64_t *end)
{
    *begin = first < 0 ? (-first + c->dilation - 1) / c->dilation : 0;
    int64_t left = c->height - first;
    *end = left <= 0 ? 0 : lt_min_i64(c->kernel[0], (left - 1) / c->dilation + 1);
}

/* The part of the sums that is taken at a time: input blocks (planar: channels) begin … end - 1. What they
 * weigh comes from memory the first time, while the tiles of positions after it read it from a cache: so each
 * tile fetches its share, lines line … last_line - 1 of a tap, of the weights that lie `ahead`. */
typedef struct lt_chunk {
    int64_t begin, end;
    int64_t ahead; /* floats */
    int64_t line, last_line;
} lt_chunk;

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

/* The products of a chunk with the taps that meet rows of the input. */
LT_INLINE void sum_products(const lt_conv *c, int64_t block, int64_t y, int64_t x, int pixels, int blocks,
                            bool planar, const lt_chunk *chunk, vf acc[TILE_P][VECTORS])
{
    const int step = planar ? 1 : LT_BLOCK, weights = planar ? LT_BLOCK : LT_BLOCK * LT_BLOCK;
    int64_t units = planar ? c->channels : lt_blocks(c->channels), first = y * c->stride - c->padding;
    int64_t w_block = units * c->kernel[0] * c->kernel[1] * weights, top, bottom;
    rows_inside(c, first, &top, &bottom);
#pragma GCC unroll 16
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int v = 0; v < blocks * PARTS; v++) acc[p][v] = vf_zero();
    for (int64_t u = chunk->begin; u < chunk->end; u++) {
        int64_t depth = planar ? 1 : lt_min_i64(LT_BLOCK, c->channels - u * LT_BLOCK);
        for (int64_t j = top; j < bottom; j++) {
            const float *row = c->x + u * c->x_block + (first + j * c->dilation) * c->x_row + x * step;
            const float *w = c->w + block * w_block + (u * c->kernel[0] + j) * c->kernel[1] * weights;
            if (!planar) /* blocks lie too far apart for the processor to see it coming */
#pragma GCC unroll 16
                for (int p = 0; p < pixels; p++) __builtin_prefetch(row + c->x_block + p * LT_BLOCK);
            for (int64_t i = 0; i < c->kernel[1]; i++, w += weights) {
                const float *at = row + c->tap[i];
                for (int64_t l = chunk->line; l < chunk->last_line; l++)
#pragma GCC unroll 2
                    for (int b = 0; b < blocks; b++)
                        __builtin_prefetch(w + b * w_block + chunk->ahead + l * LT_BLOCK, 0, 2);
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
LT_INLINE void tile(const lt_conv *c, int64_t block, int64_t y, int64_t x, const lt_chunk *chunk, int pixels,
                    int blocks, bool planar)
{
    vf acc[TILE_P][VECTORS];
    int64_t units = planar ? c->channels : lt_blocks(c->channels);
    sum_products(c, block, y, x, pixels, blocks, planar, chunk, acc);
    add_chunk(c, block, y, x, pixels, blocks, chunk->begin == 0, chunk->end == units, acc);
}

typedef void (*lt_conv_tile)(const lt_conv *c, int64_t block, int64_t y, int64_t x, const lt_chunk *chunk);

#define ARGS const lt_conv *c, int64_t block, int64_t y, int64_t x, const lt_chunk *chunk
#define DEFINE_TILE(b, n)                                                           \
    static void dense_##b##_##n(ARGS) { tile(c, block, y, x, chunk, n, b, false); } \
    static void planar_##b##_##n(ARGS) { tile(c, block, y, x, chunk, n, b, true); }
#define DEFINE_TILES(b) PIXELS(DEFINE_TILE, b)
BLOCKS(DEFINE_TILES)

#define DENSE(b, n) dense_##b##_##n,
#define DENSE_TILES(b) {PIXELS(DENSE, b)},
#define PLANAR(b, n) planar_##b##_##n,
#define PLANAR_TILES(b) {PIXELS(PLANAR, b)},
static const lt_conv_tile dense_tiles[TILE_B][TILE_P] = {BLOCKS(DENSE_TILES)};
static const lt_conv_tile planar_tiles[TILE_B][TILE_P] = {BLOCKS(PLANAR_TILES)};

/* Floats from a chunk's weights to those of the next one, or of the first one of the output blocks behind.
 * Where weights are read once, chunks are short: to the same ones of the output blocks behind. */
static int64_t next_weights(const lt_conv *c, const lt_conv_part *part, int64_t unit_floats, int64_t units,
                            const lt_chunk *chunk)
{
    if (c->streams) return part->blocks * units * unit_floats;
    if (chunk->end < units) return (chunk->end - chunk->begin) * unit_floats;
    return (part->blocks * units - chunk->begin) * unit_floats;
}

/* One chunk after the other for all positions, in tiles of nearly equal size: the first ones have one
 * position more. */
static void run(const lt_conv_tile *table, bool planar, const lt_conv *c, const lt_conv_part *part)
{
    int64_t units = planar ? c->channels : lt_blocks(c->channels), lines = planar ? 1 : LT_BLOCK;
    int64_t terms = c->kernel[0] * c->kernel[1] * lines, step = lt_max_i64(1, c->chunk / terms);
    int64_t n = part->end - part->begin, tiles = (n + TILE_P - 1) / TILE_P, all = tiles * part->rows;
    int64_t least = n / lt_max_i64(tiles, 1), longer = n - least * tiles;
    if (units <= step && !c->streams) lines = 0; /* so few weights are soon there */
    for (int64_t u = 0; u < units; u += step) {
        lt_chunk chunk = {.begin = u, .end = lt_min_i64(u + step, units)};
        chunk.ahead = next_weights(c, part, terms * LT_BLOCK, units, &chunk);
        for (int64_t y = 0, t = 0; y < part->rows; y++)
            for (int64_t i = 0, x = part->begin; i < tiles; i++, x += least + (i <= longer)) {
                chunk.line = chunk.last_line;
                if (lines) chunk.last_line = lines * ++t / all;
                table[least - (i >= longer)](c, part->block, part->y + y, x, &chunk);
            }
    }
}

static void conv(const lt_conv *c, const lt_conv_part *part)
{
    run(dense_tiles[part->blocks - 1], false, c, part);
}

static void conv_planar(const lt_conv *c, const lt_conv_part *part)
{
    run(planar_tiles[part->blocks - 1], true, c, part);
}

void FILL(lt_cpu_kernels *kernels)
{
    kernels->conv = conv;
    kernels->conv_planar = conv_planar;
    kernels->conv_blocks = TILE_B;
    kernels->conv_positions = TILE_P;
}
