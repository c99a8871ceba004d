/* The part of gemm.tmpl.h that knows the type of the weights: WEIGHT, NAME, LOAD and LOAD_PART. */

/* Dot products of `rows` rows of x with `cols` rows of weights, `apart` rows from each other, from (m, n) on.
 */
LT_INLINE void NAME(dots)(const lt_gemm *g, int64_t m, int rows, int64_t n, int cols, int64_t apart)
{
    enum { LINE = 64 / sizeof(WEIGHT), STEP = LANES * UNIT };
    vf acc[DOT_M][DOT_N];
    const INPUT *x = (const INPUT *)g->x + m * g->x_stride;
    const WEIGHT *w = (const WEIGHT *)g->w + n * g->w_stride;
    int64_t w_step = apart * g->w_stride;
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) acc[i][j] = vf_zero();

#define ADD_STEP(load_x, load_w)                                                        \
    {                                                                                   \
        vf xv[DOT_M];                                                                   \
        _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) xv[i] = vf_keep(load_x); \
        _Pragma("GCC unroll 4") for (int j = 0; j < cols; j++)                          \
        {                                                                               \
            vf wv = load_w;                                                             \
            _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) acc[i][j] =          \
                MULTIPLY_ADD(xv[i], wv, acc[i][j]);                                     \
        }                                                                               \
    }
    int64_t k = 0;
    for (; k + LINE <= g->k; k += LINE) {
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) __builtin_prefetch(w + j * w_step + k + AHEAD / (int)sizeof(WEIGHT));
#pragma GCC unroll 8
        for (int u = 0; u < LINE; u += STEP)
            ADD_STEP(LOAD_INPUT(x + i * g->x_stride + k + u), LOAD(w + j * w_step + k + u))
    }
    for (; k + STEP <= g->k; k += STEP)
        ADD_STEP(LOAD_INPUT(x + i * g->x_stride + k), LOAD(w + j * w_step + k))
    int64_t left = (g->k - k) / UNIT;
    if (left) ADD_STEP(LOAD_INPUT_PART(x + i * g->x_stride + k, left), LOAD_PART(w + j * w_step + k, left))
#undef ADD_STEP

#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++)
            g->out[(m + i) * g->out_stride + n + j * apart] =
                vf_sum(acc[i][j]) + (g->bias ? g->bias[n + j * apart] : 0);
}

LT_INLINE void NAME(dots_rows)(const lt_gemm *g, int64_t n, int cols, int64_t apart)
{
    int64_t tiles = (g->m + DOT_M - 1) / DOT_M;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t m = g->m * t / tiles;
        switch (g->m * (t + 1) / tiles - m) {
        case 1: NAME(dots)(g, m, 1, n, cols, apart); break;
        case 2: NAME(dots)(g, m, 2, n, cols, apart); break;
        default: NAME(dots)(g, m, 3, n, cols, apart); break;
        }
    }
}

/* Weight rows n … n + width as columns: panel[k][row], zero past the last row; k0 and depth in units. */
static void NAME(pack)(const lt_gemm *g, int64_t n, int64_t width, int64_t k0, int64_t depth, float *panel)
{
    const WEIGHT *w = (const WEIGHT *)g->w + n * g->w_stride + k0 * UNIT;
    for (int64_t r = 0; r < PANEL; r += LANES) {
        for (int64_t k = 0; k < depth; k += LANES) {
            vf v[LANES];
            int64_t left = depth - k;
            const WEIGHT *from = w + r * g->w_stride + k * UNIT;
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++, from += g->w_stride)
                v[i] = r + i >= width ? vf_zero() : left >= LANES ? LOAD(from) : LOAD_PART(from, left);
            vf_transpose(v);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) vf_store(panel + (k + i) * PANEL + r, v[i]);
        }
    }
}

/* The panel that comes after that of rows n … in the chunk from k on (units), of those up to n1. */
static lt_ahead NAME(next_panel)(const lt_gemm *g, int64_t n0, int64_t n, int64_t n1, int64_t k, int64_t m)
{
    n += PANEL;
    if (n >= n1 && k + CHUNK < g->k / UNIT) n = n0, k += CHUNK;
    else if (n >= n1) k = 0;
    int64_t rows = lt_min_i64(PANEL, g->n - n), depth = lt_min_i64(CHUNK, g->k / UNIT - k) * UNIT;
    if (rows <= 0) return (lt_ahead){.rows = 1};
    return fetch_ahead((const WEIGHT *)g->w + n * g->w_stride + k * UNIT,
                       g->w_stride * (int64_t)sizeof(WEIGHT), rows, depth * (int64_t)sizeof(WEIGHT), m);
}

/* Rows m … m1 of x with weight rows n0 … n1, chunk by chunk. */
static void NAME(panels)(const lt_gemm *g, int64_t m, int64_t m1, int64_t n0, int64_t n1)
{
    _Alignas(64) float panel[CHUNK * PANEL];
    for (int64_t k = 0; k < g->k / UNIT; k += CHUNK) {
        int64_t depth = lt_min_i64(CHUNK, g->k / UNIT - k);
        for (int64_t n = n0; n < n1; n += PANEL) {
            int64_t width = lt_min_i64(PANEL, n1 - n);
            lt_ahead ahead = NAME(next_panel)(g, n0, n, n1, k, m1 - m);
            NAME(pack)(g, n, width, k, depth, panel);
            panel_product(g, panel, &ahead, m, m1, n, width, k, depth);
        }
    }
}

static void NAME(gemm)(const lt_gemm *g, int64_t n0, int64_t n1)
{
    if (g->m < DOT_LIMIT || g->k == 0) {
        int64_t part = (n1 - n0) / DOT_N, n = n0;
        for (; n < n0 + part; n++) NAME(dots_rows)(g, n, DOT_N, part);
        for (n = n0 + DOT_N * part; n < n1; n++) NAME(dots_rows)(g, n, 1, 1);
        return;
    }
    int64_t group = RESULTS / lt_min_i64(g->m, BLOCK) / PANEL * PANEL;
    for (int64_t m = 0; m < g->m; m += BLOCK)
        for (int64_t n = n0; n < n1; n += group)
            NAME(panels)(g, m, lt_min_i64(g->m, m + BLOCK), n, lt_min_i64(n + group, n1));
}

#undef WEIGHT
#undef NAME
#undef LOAD
#undef LOAD_PART
