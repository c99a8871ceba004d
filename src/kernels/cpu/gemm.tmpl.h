/* Products with row-major weights, over the vectors of a simd_*.h. The including file defines TILE_M rows and
 * TILE_V vectors, a register tile of the outer product, and FILL, the name of its fill function. A lane holds
 * one float32 of a row, or with PAIRS defined two bfloat16 that are next to each other, for processors that
 * multiply and add pairs (vf_fma_pairs): everything below counts in such units.
 *
 * Few rows of x: dot products. The weights go past once, as DOT_N streams that begin in different parts of
 * the matrix: processors fetch far ahead in long streams, one stream alone does not fill the memory's
 * bandwidth, and with rows side by side every row would be a new short stream. More rows: PANEL weight rows
 * at a time are converted to float32 and transposed, CHUNK columns of them, and every row of x is multiplied
 * with that while it lies in the first cache level; sums pass from chunk to chunk through the result, so many
 * columns at a time as stay in the second level. An element's order of summation is the same wherever it
 * falls in a tile. */
#include "kernels/cpu/simd_types.h"

#ifdef PAIRS
enum { UNIT = 2 }; /* elements in a lane */
#define INPUT uint16_t
#define LOAD_INPUT vf_load_pairs
#define LOAD_INPUT_PART vf_load_pairs_part
#define SET_INPUT vf_set_pair
#define MULTIPLY_ADD vf_fma_pairs
#else
enum { UNIT = 1 };
#define INPUT float
#define LOAD_INPUT vf_load
#define LOAD_INPUT_PART vf_load_part
#define SET_INPUT(p) vf_set(*(p))
#define MULTIPLY_ADD vf_fma
#endif

enum {
    PANEL = TILE_V * LANES, /* weight rows in a panel */
    CHUNK = 256,            /* columns of weights in a panel, in units */
    BLOCK = 40 * TILE_M,    /* rows of x that a panel meets: CHUNK columns of them stay in the second level */
    RESULTS = 65536,        /* of a block's sums, as many as stay there while the chunks pass */
    STEPS = 16,             /* units of columns from one fetch to the next */
    DOT_M = 3,              /* rows of x in a tile of dot products */
    DOT_N = 4,              /* weight rows in it */
    DOT_LIMIT = 20,         /* rows of x from which panels are faster */
    AHEAD = 512             /* bytes that weights are fetched ahead */
};

/* Vector `v` of a row of `width` elements, which may end within it or before it. */
LT_INLINE vf load_within(const float *row, int v, int64_t width)
{
    int64_t left = width - v * LANES;
    return left >= LANES ? vf_load(row + v * LANES)
           : left > 0    ? vf_load_part(row + v * LANES, left)
                         : vf_zero();
}

LT_INLINE void store_within(float *row, int v, int64_t width, vf value)
{
    int64_t left = width - v * LANES;
    if (left >= LANES) vf_store(row + v * LANES, value);
    else if (left > 0) vf_store_part(row + v * LANES, value, left);
}

/* Weights that are packed next, fetched into the second cache level by the tiles before, a few lines at a
 * time: all at once would make the processor wait for memory. */
typedef struct lt_ahead {
    const char *from;
    int64_t stride, rows; /* bytes from row to row */
    int64_t row, left;    /* the next line's row; lines that are left */
    int64_t each;         /* lines at a time */
} lt_ahead;

enum { LINE_BYTES = 64 };

static lt_ahead fetch_ahead(const void *from, int64_t stride, int64_t rows, int64_t bytes, int64_t m)
{
    int64_t lines = rows * ((bytes + LINE_BYTES - 1) / LINE_BYTES),
            times = (m + TILE_M - 1) / TILE_M * (CHUNK / STEPS);
    return (lt_ahead){
        .from = from, .stride = stride, .rows = rows, .left = lines, .each = (lines + times - 1) / times};
}

LT_INLINE void fetch_lines(lt_ahead *a)
{
    for (int64_t i = lt_min_i64(a->each, a->left); i > 0; i--, a->left--) {
        __builtin_prefetch(a->from + a->row * a->stride, 0, 2);
        if (++a->row < a->rows) continue;
        a->row = 0;
        a->from += LINE_BYTES;
    }
}

/* Rows m … m + rows of the result, columns n … n + width, over columns k0 … k0 + depth of x (units). A chunk
 * is summed from zero before it meets the bias or the chunks before it: in a chain that starts with a large
 * bias every small product would be rounded to the bias's precision. */
LT_INLINE void tile(const lt_gemm *g, const float *panel, lt_ahead *ahead, int64_t m, int rows, int64_t n,
                    int64_t width, int64_t k0, int64_t depth)
{
    vf acc[TILE_M][TILE_V];
    const INPUT *x[TILE_M];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        x[i] = (const INPUT *)g->x + (m + i) * g->x_stride + k0 * UNIT;
#pragma GCC unroll 4
        for (int v = 0; v < TILE_V; v++) acc[i][v] = vf_zero();
    }
    for (int64_t k = 0; k < depth;) {
        fetch_lines(ahead);
        for (int64_t end = lt_min_i64(k + STEPS, depth); k < end; k++) {
            vf w[TILE_V];
#pragma GCC unroll 4
            for (int v = 0; v < TILE_V; v++) w[v] = vf_load(panel + k * PANEL + v * LANES);
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++) {
                vf a = SET_INPUT(x[i] + k * UNIT);
#pragma GCC unroll 4
                for (int v = 0; v < TILE_V; v++) acc[i][v] = MULTIPLY_ADD(a, w[v], acc[i][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        float *out = g->out + (m + i) * g->out_stride + n;
        const float *before = k0 ? out : g->bias ? g->bias + n : NULL;
#pragma GCC unroll 4
        for (int v = 0; v < TILE_V; v++) {
            if (before) acc[i][v] = vf_add(acc[i][v], load_within(before, v, width));
            store_within(out, v, width, acc[i][v]);
        }
    }
}

/* What is left of the rows when whole tiles are done. */
static void tile_rest(const lt_gemm *g, const float *panel, lt_ahead *ahead, int64_t m, int rows, int64_t n,
                      int64_t width, int64_t k0, int64_t depth)
{
    for (; rows >= 4; rows -= 4, m += 4) tile(g, panel, ahead, m, 4, n, width, k0, depth);
    switch (rows) {
    case 3: tile(g, panel, ahead, m, 3, n, width, k0, depth); break;
    case 2: tile(g, panel, ahead, m, 2, n, width, k0, depth); break;
    case 1: tile(g, panel, ahead, m, 1, n, width, k0, depth); break;
    default: break;
    }
}

static void panel_product(const lt_gemm *g, const float *panel, lt_ahead *ahead, int64_t m, int64_t m1,
                          int64_t n, int64_t width, int64_t k0, int64_t depth)
{
    for (; m + TILE_M <= m1; m += TILE_M)
        if (width == PANEL) tile(g, panel, ahead, m, TILE_M, n, PANEL, k0, depth);
        else tile(g, panel, ahead, m, TILE_M, n, width, k0, depth);
    tile_rest(g, panel, ahead, m, (int)(m1 - m), n, width, k0, depth);
}

#ifdef PAIRS

#define WEIGHT uint16_t
#define NAME(part) part##_pairs
#define LOAD vf_load_pairs
#define LOAD_PART vf_load_pairs_part
#include "kernels/cpu/gemm_weight.tmpl.h"

void FILL(lt_cpu_kernels *kernels) { kernels->gemm_pairs = gemm_pairs; }

#else

#define WEIGHT float
#define NAME(part) part##_f32
#define LOAD vf_load
#define LOAD_PART vf_load_part
#include "kernels/cpu/gemm_weight.tmpl.h"

#define WEIGHT uint16_t
#define NAME(part) part##_bf16
#define LOAD vf_load_bf16
#define LOAD_PART vf_load_bf16_part
#include "kernels/cpu/gemm_weight.tmpl.h"

#define WEIGHT uint16_t
#define NAME(part) part##_f16
#define LOAD vf_load_f16
#define LOAD_PART vf_load_f16_part
#include "kernels/cpu/gemm_weight.tmpl.h"

void FILL(lt_cpu_kernels *kernels)
{
    kernels->gemm[LT_GEMM_F32] = gemm_f32;
    kernels->gemm[LT_GEMM_BF16] = gemm_bf16;
    kernels->gemm[LT_GEMM_F16] = gemm_f16;
    kernels->gemm_grain = PANEL;
}

#endif
