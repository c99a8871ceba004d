/* Products with packed weights, over the vectors of a simd_*.h. The including file defines TILE_M and
 * TILE_PANELS, a register tile of rows of x and panels; FEW_ROWS, so many rows of x or less go as one does;
 * FILL, the name of its fill function; and
 *
 *     vi_zero, _store, _add, _round, _to_vf, _total     vectors of LANES int32
 *     vf_load_u8, vf_load_s8                            LANES bytes as floats
 *     vb_load, _and, _or, _shr, _shl                    vectors of 4 * LANES bytes; shifts of 16 bits
 *     quad                                              four columns of weights or of x, as dot takes them
 *     quad_of_weights, quad_of_x, dot
 *     acc, acc_start, acc_sum                           sums of products: a first int32; all of it as int32
 *     order_x                                           puts the integers of a group where quad_of_x finds
 * them BYTE_DOTS                                         whether 8 digits are multiplied otherwise than 16
 *     UNSIGNED_BIAS                                     what quad_of_weights adds to signed weights
 *
 * One row of x: the weights go past as one stream a thread, which is what memory gives fastest; nothing is
 * fetched ahead of the processor's own prefetchers, whose way such hints only obstruct. A few rows: each
 * panel meets one after the other, from the cache but for the first. More rows: a chunk of some panels is
 * unpacked and meets all rows of x while it lies in the first cache level; sums pass from chunk to chunk
 * through the result. Integers are summed within a group, floats from group to group: the order of an
 * element's sum is always the same. */
#include "kernels/cpu/simd_types.h"

enum {
    VECTORS = LT_PANEL / LANES, /* of a panel */
    MAX_V = TILE_PANELS * VECTORS,
    VB = 4 * LANES, /* bytes */
    QUADS = LT_GROUP / 4,
    QUAD_BYTES = 4 * LT_PANEL,
    CHUNK = LT_MAX_BLOCK / LT_GROUP /* groups */
};

LT_INLINE const uint8_t *panel_at(const lt_packed *w, int64_t n)
{
    return w->data + n / LT_PANEL * lt_packed_panel_bytes(w->packing, w->k);
}

/* ---- Scales ---- */

/* A block's header; `small`: the 6-bit numbers of INT4_K, scales of eight groups, then minima. */
typedef struct lt_header {
    const uint8_t *at;
    uint8_t small[16 * LT_PANEL];
} lt_header;

LT_INLINE void read_header(int packing, const uint8_t *at, lt_header *to)
{
    to->at = at;
    if (packing != LT_PACK_INT4_K) return;
    for (int i = 0; i < 4; i++) lt_unpack_6bit(at + 64 + 48 * i, to->small + 64 * i);
}

LT_INLINE vf f16_at(const uint8_t *at, int v)
{
    return vf_load_f16((const uint16_t *)(const void *)at + v * LANES);
}

/* The scales of group `j` in the block (and of its half `half`) for vector `v` of the panel. */
LT_INLINE vf scale_of(int packing, const lt_header *h, int64_t j, int half, int v)
{
    switch (packing) {
    case LT_PACK_INT4_K: return vf_mul(f16_at(h->at, v), vf_load_u8(h->small + j * LT_PANEL + v * LANES));
    case LT_PACK_INT6_K:
        return vf_mul(f16_at(h->at, v), vf_load_s8(h->at + 32 + (2 * j + half) * LT_PANEL + v * LANES));
    default: return f16_at(h->at + 32 * j, v);
    }
}

LT_INLINE vf min_of(int packing, const lt_header *h, int64_t j, int v)
{
    if (packing == LT_PACK_INT4_MIN) return f16_at(h->at + 64 + 32 * j, v);
    vf taken = vf_mul(f16_at(h->at + 32, v), vf_load_u8(h->small + (CHUNK + j) * LT_PANEL + v * LANES));
    return vf_sub(vf_zero(), taken);
}

/* ---- Values ---- */

/* Quad `q` of a group, vector `v` of the panel, as bytes. */
LT_INLINE vb values_of(int packing, const uint8_t *group, int q, int v)
{
    if (packing == LT_PACK_INT8) return vb_load(group + q * QUAD_BYTES + v * VB);
    if (packing != LT_PACK_INT6_K) {
        vb pair = vb_load(group + q / 2 * QUAD_BYTES + v * VB);
        return vb_and(q % 2 ? vb_shr(pair, 4) : pair, 15);
    }
    const uint8_t *half = group + q / 4 * 3 * QUAD_BYTES + v * VB;
    vb pair = vb_load(half + q % 4 / 2 * QUAD_BYTES), high = vb_load(half + 2 * QUAD_BYTES);
    vb low = vb_and(q % 2 ? vb_shr(pair, 4) : pair, 15);
    high = q % 4 == 0 ? vb_shl(high, 4) : q % 4 == 1 ? vb_shl(high, 2) : q % 4 == 2 ? high : vb_shr(high, 2);
    return vb_or(low, vb_and(high, 48));
}

LT_INLINE int halves_of(int packing) { return lt_packing_table[packing].halves ? 2 : 1; }

/* Where a sum of products begins, so that values count from the one that means 0. */
LT_INLINE int32_t start_of(int packing, int digits, const lt_xgroup *x, int halves, int half)
{
    (void)digits;
    int zero = packing == LT_PACK_INT8 ? UNSIGNED_BIAS(digits) : lt_packing_table[packing].zero;
    return -zero * (halves == 1 ? x->total : half ? x->total - x->half : x->half);
}

LT_INLINE vf add_scaled(vi total, const lt_xgroup *x, vf scale, vf sum)
{
    return vf_fma(vf_mul(vi_to_vf(total), vf_set(x->scale)), scale, sum);
}

/* Row m of the result, from column n on. */
LT_INLINE void store_row(const lt_packed_gemm *g, const float *bias, int64_t m, int64_t n, int vectors,
                         const vf *sum)
{
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        int64_t at = n + v * LANES, left = g->w->n - at;
        if (left <= 0) return;
        vf value = bias ? vf_add(sum[v], load_left(LT_GEMM_F32, bias, at, left)) : sum[v];
        store_left(LT_GEMM_F32, g->out + m * g->out_stride, at, left, value);
    }
}

/* ---- One row of x ---- */

/* Adds the products of group `j` of a block. A sum is kept in several parts for the sake of the instructions'
 * latency. */
LT_INLINE void stream_group(int packing, int digits, const lt_header *h, const uint8_t *group, int64_t j,
                            const lt_xgroup *x, vf sum[VECTORS])
{
    enum { PARTS = VECTORS == 1 ? 4 : VECTORS == 2 ? 2 : 1 };
    const int halves = halves_of(packing), quads = QUADS / halves;
#pragma GCC unroll 2
    for (int half = 0; half < halves; half++) {
        acc part[VECTORS][PARTS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
#pragma GCC unroll 4
            for (int c = 0; c < PARTS; c++)
                part[v][c] = acc_start(c ? 0 : start_of(packing, digits, x, halves, half));
#pragma GCC unroll 8
        for (int q = half * quads; q < (half + 1) * quads; q++) {
            quad of_x = quad_of_x(digits, x, q);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                quad w = quad_of_weights(digits, values_of(packing, group, q, v), packing == LT_PACK_INT8);
                part[v][q % PARTS] = dot(digits, part[v][q % PARTS], w, of_x);
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            vi total = acc_sum(digits, part[v][0]);
#pragma GCC unroll 4
            for (int c = 1; c < PARTS; c++) total = vi_add(total, acc_sum(digits, part[v][c]));
            sum[v] = add_scaled(total, x, scale_of(packing, h, j, half, v), sum[v]);
        }
    }
    if (!lt_packing_table[packing].has_min) return;
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[v] = vf_fma(min_of(packing, h, j, v), vf_set(x->sum), sum[v]);
}

LT_INLINE void stream_panel(int packing, int digits, const lt_packed_gemm *g, int64_t m, int64_t n)
{
    const lt_packing_info info = lt_packing_table[packing];
    int64_t groups = lt_packed_groups(g->w->k);
    const uint8_t *at = panel_at(g->w, n);
    const lt_xgroup *x = g->x + m * groups;
    vf sum[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[v] = vf_zero();
    for (int64_t first = 0; first < groups; first += info.block_groups) {
        lt_header header;
        read_header(packing, at, &header);
        at += info.header_bytes;
        for (int64_t j = 0; j < lt_min_i64(info.block_groups, groups - first); j++, at += info.group_bytes)
            stream_group(packing, digits, &header, at, j, x++, sum);
    }
    store_row(g, g->bias, m, n, VECTORS, sum);
}

/* ---- Many rows ---- */

/* CHUNK groups of a panel. */
typedef struct lt_unpacked {
    quad value[CHUNK][QUADS][VECTORS];
    vf scale[CHUNK][2][VECTORS]; /* of halves; [0] of both, where they share it */
    vf min[CHUNK][VECTORS];
} lt_unpacked;

/* What a step of the product works on: a chunk of panels from row n of the weights on. */
typedef struct lt_chunk {
    const lt_packed_gemm *g;
    int64_t n, first, groups; /* the first group, and how many there are */
    lt_unpacked panel[TILE_PANELS];
} lt_chunk;

/* Reads the chunk's blocks of one panel; returns what lies behind them. */
LT_INLINE const uint8_t *unpack(int packing, int digits, const uint8_t *at, int64_t groups, lt_unpacked *to)
{
    const lt_packing_info info = lt_packing_table[packing];
    lt_header header = {0};
    for (int64_t g = 0; g < groups; g++, at += info.group_bytes) {
        int64_t j = g % info.block_groups;
        if (j == 0) {
            read_header(packing, at, &header);
            at += info.header_bytes;
        }
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
#pragma GCC unroll 8
            for (int q = 0; q < QUADS; q++)
                to->value[g][q][v] =
                    quad_of_weights(digits, values_of(packing, at, q, v), packing == LT_PACK_INT8);
#pragma GCC unroll 2
            for (int half = 0; half < halves_of(packing); half++)
                to->scale[g][half][v] = scale_of(packing, &header, j, half, v);
            if (info.has_min) to->min[g][v] = min_of(packing, &header, j, v);
        }
    }
    return at;
}

/* Adds the products of group `j` of the chunk with some rows of x. */
LT_INLINE void multiply_group(int digits, int halves, int rows, int panels, const lt_chunk *c, int64_t j,
                              const lt_xgroup *const *x, vf (*sum)[MAX_V])
{
    const int vectors = panels * VECTORS, quads = QUADS / halves;
    const int packing = (int)c->g->w->packing;
#pragma GCC unroll 2
    for (int half = 0; half < halves; half++) {
        acc a[TILE_M][MAX_V];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                a[i][v] = acc_start(start_of(packing, digits, x[i] + j, halves, half));
#pragma GCC unroll 1
        for (int q = half * quads; q < (half + 1) * quads; q++) {
            quad w[MAX_V];
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) w[v] = c->panel[v / VECTORS].value[j][q][v % VECTORS];
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                quad of_x = quad_of_x(digits, x[i] + j, q);
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v++) a[i][v] = dot(digits, a[i][v], w[v], of_x);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                sum[i][v] = add_scaled(acc_sum(digits, a[i][v]), x[i] + j,
                                       c->panel[v / VECTORS].scale[j][half][v % VECTORS], sum[i][v]);
    }
    if (!lt_packing_table[packing].has_min) return;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            sum[i][v] = vf_fma(c->panel[v / VECTORS].min[j][v % VECTORS], vf_set(x[i][j].sum), sum[i][v]);
}

LT_INLINE void multiply_tile(int digits, int halves, int rows, int panels, const lt_chunk *c, int64_t m)
{
    const lt_packed_gemm *g = c->g;
    int64_t groups = lt_packed_groups(g->w->k);
    const lt_xgroup *x[TILE_M];
    vf sum[TILE_M][MAX_V];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        x[i] = g->x + (m + i) * groups + c->first;
#pragma GCC unroll 8
        for (int v = 0; v < panels * VECTORS; v++) {
            int64_t at = c->n + v * LANES, left = g->w->n - at;
            sum[i][v] = c->first && left > 0
                            ? load_left(LT_GEMM_F32, g->out + (m + i) * g->out_stride, at, left)
                            : vf_zero();
        }
    }
    for (int64_t j = 0; j < c->groups; j++) multiply_group(digits, halves, rows, panels, c, j, x, sum);
    const float *bias = c->first + c->groups == groups ? g->bias : NULL;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) store_row(g, bias, m + i, c->n, panels * VECTORS, sum[i]);
}

/* Rows that are left over, and those of a panel that is, go one by one. */
LT_INLINE void multiply_rows(int digits, int halves, int panels, const lt_chunk *c)
{
    int64_t m = 0, rows = c->g->m;
    for (; panels == TILE_PANELS && m + TILE_M <= rows; m += TILE_M)
        multiply_tile(digits, halves, TILE_M, panels, c, m);
    for (; m < rows; m++) multiply_tile(digits, halves, 1, panels, c, m);
}

#define DEFINE_MULTIPLY(digits, halves)                                                               \
    static __attribute__((noinline)) void multiply_##digits##_##halves(const lt_chunk *c, int panels) \
    {                                                                                                 \
        if (TILE_PANELS == 1 || panels == TILE_PANELS)                                                \
            multiply_rows(LT_DIGITS_##digits, halves, TILE_PANELS, c);                                \
        else multiply_rows(LT_DIGITS_##digits, halves, 1, c);                                         \
    }

LT_INLINE void multiply_panels(int packing, int digits, const lt_packed_gemm *g, int64_t n, int panels,
                               void (*multiply)(const lt_chunk *c, int panels))
{
    lt_chunk c; /* too large to be cleared each time */
    const uint8_t *at[TILE_PANELS];
    int64_t groups = lt_packed_groups(g->w->k);
    for (int p = 0; p < panels; p++) at[p] = panel_at(g->w, n + p * LT_PANEL);
    c.g = g;
    c.n = n;
    for (c.first = 0; c.first < groups; c.first += CHUNK) {
        c.groups = lt_min_i64(CHUNK, groups - c.first);
        for (int p = 0; p < panels; p++) at[p] = unpack(packing, digits, at[p], c.groups, &c.panel[p]);
        multiply(&c, panels);
    }
}

LT_INLINE void packed_gemm(int packing, int digits, const lt_packed_gemm *g, int64_t n0, int64_t n1,
                           void (*multiply)(const lt_chunk *c, int panels))
{
    if (g->m <= FEW_ROWS) {
        for (int64_t n = n0; n < n1; n += LT_PANEL)
            for (int64_t m = 0; m < g->m; m++) stream_panel(packing, digits, g, m, n);
        return;
    }
    for (int64_t n = n0; n < n1;) {
        int panels = n + LT_PANEL * TILE_PANELS <= n1 ? TILE_PANELS : 1;
        multiply_panels(packing, digits, g, n, panels, multiply);
        n += LT_PANEL * panels;
    }
}

#define DEFINE_GEMM(packing, digits, halves)                                                         \
    static void gemm_##packing##_##digits(const lt_packed_gemm *g, int64_t n0, int64_t n1)           \
    {                                                                                                \
        packed_gemm(LT_PACK_##packing, LT_DIGITS_##digits, g, n0, n1, multiply_##digits##_##halves); \
    }
#define DEFINE_GEMMS(digits)                                                                       \
    DEFINE_MULTIPLY(digits, 1)                                                                     \
    DEFINE_MULTIPLY(digits, 2)                                                                     \
    DEFINE_GEMM(INT8, digits, 1)                                                                   \
    DEFINE_GEMM(INT4, digits, 1)                                                                   \
    DEFINE_GEMM(INT4_MIN, digits, 1)                                                               \
    DEFINE_GEMM(INT4_K, digits, 1)                                                                 \
    DEFINE_GEMM(INT6_K, digits, 2)                                                                 \
    static void gemm_##digits(const lt_packed_gemm *g, int64_t n0, int64_t n1)                     \
    {                                                                                              \
        static void (*const by_packing[LT_PACKINGS])(const lt_packed_gemm *, int64_t, int64_t) = { \
            gemm_INT8_##digits, gemm_INT4_##digits, gemm_INT4_MIN_##digits, gemm_INT4_K_##digits,  \
            gemm_INT6_K_##digits};                                                                 \
        by_packing[g->w->packing](g, n0, n1);                                                      \
    }
DEFINE_GEMMS(16)
#if BYTE_DOTS
DEFINE_GEMMS(8)
#else
#define gemm_8 gemm_16
#endif

/* ---- Rows of x ---- */

/* A group of fewer than 32 columns is filled up with zeros. */
LT_INLINE void quantize(int digits, const float *x, int64_t k, lt_xgroup *out)
{
    enum { V = LT_GROUP / LANES };
    const float limit = digits == LT_DIGITS_16 ? 32639 : 127, least = 1e-30f;
    for (int64_t at = 0; at < k; at += LT_GROUP, out++) {
        vf v[V], largest = vf_zero(), poison = vf_zero();
#pragma GCC unroll 8
        for (int i = 0; i < V; i++) {
            int64_t left = k - at - i * LANES;
            v[i] = left > 0 ? load_left(LT_GEMM_F32, x, at + i * LANES, left) : vf_zero();
            poison = vf_fma(v[i], vf_zero(), poison);
            largest = vf_max(largest, vf_abs(v[i]));
        }
        float most = vf_largest(largest), bad = vf_sum(poison);
        bool nothing = bad != 0 || most < least;
        vf inverse = vf_set(nothing ? 0 : limit / most);
        _Alignas(64) int32_t values[LT_GROUP];
        vi first = vi_zero(), second = vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < V; i++) {
            vi rounded = nothing ? vi_zero() : vi_round(vf_mul(v[i], inverse));
            vi_store(values + i * LANES, rounded);
            if (i < V / 2) first = vi_add(first, rounded);
            else second = vi_add(second, rounded);
        }
        out->half = vi_total(first);
        out->total = out->half + vi_total(second);
        out->scale = nothing ? bad : most / limit;
        out->sum = out->scale * (float)out->total;
        order_x(digits, values, out);
    }
}

static void quantize_16(const float *x, int64_t k, lt_xgroup *out) { quantize(LT_DIGITS_16, x, k, out); }
static void quantize_8(const float *x, int64_t k, lt_xgroup *out) { quantize(LT_DIGITS_8, x, k, out); }

void FILL(lt_cpu_kernels *kernels)
{
    kernels->quantize[LT_DIGITS_16] = quantize_16;
    kernels->quantize[LT_DIGITS_8] = quantize_8;
    kernels->packed_gemm[LT_DIGITS_16] = gemm_16;
    kernels->packed_gemm[LT_DIGITS_8] = gemm_8;
    kernels->packed_grain = TILE_PANELS * LT_PANEL;
}
