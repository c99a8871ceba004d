/* Products with packed weights, over the vectors of a simd_*.h. The including file defines TILE_M and
 * TILE_PANELS, a register tile of rows of x and panels; FILL, the name of its fill function; and
 *
 *     vi_zero, _set, _store, _add, _sub, _shl, _round, _to_vf, _total   vectors of LANES int32
 *     vf_load_u8, vf_load_s8                                          LANES bytes as floats
 *     vb_load, _and, _or, _shr, _shl                                  vectors of 4 * LANES bytes; shifts of
 * 16 bits quad                           four columns of weights or of x, as dot takes them acc, acc_zero,
 * acc_sum         sums of products; as int32 quad_of_weights, quad_of_x, dot order_x puts the 32 integers of
 * a group where quad_of_x finds them BYTE_DOTS                      whether 8 digits are multiplied otherwise
 * than 16 UNSIGNED_BIAS                  what quad_of_weights adds to signed weights
 *
 * One row of x: the weights go past as one stream a thread, which is what memory gives fastest; nothing is
 * fetched ahead of the processor's own prefetchers, whose way such hints only obstruct. More rows: weights
 * are unpacked in registers for TILE_M rows of x. Integers are summed within a group, floats from group to
 * group; an element's order of summation is the same wherever it falls in a tile. */
#include "kernels/cpu/simd_types.h"

enum {
    VECTORS = LT_PANEL / LANES /* of a panel */,
    VB = 4 * LANES,
    QUAD_BYTES = 4 * LT_PANEL,
    FEW = 2 /* rows of x for which one panel is streamed */
};

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

/* What is added, by sign. */
LT_INLINE vf add_min(int packing, const lt_header *h, int64_t j, int v, vf sum_of_x, vf sum)
{
    if (packing == LT_PACK_INT4_MIN) return vf_fma(f16_at(h->at + 64 + 32 * j, v), sum_of_x, sum);
    vf min = vf_mul(f16_at(h->at + 32, v), vf_load_u8(h->small + (8 + j) * LT_PANEL + v * LANES));
    return vf_sub(sum, vf_mul(min, sum_of_x));
}

/* ---- Values ---- */

/* Quad `q` (0 … 7) of a group, vector `v` of the panel, as bytes. */
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

/* Rows of x and panels that a tile works on. */
typedef struct lt_tile {
    const lt_xgroup *x[TILE_M];
    const uint8_t *w[TILE_PANELS];
    vf sum[TILE_M][TILE_PANELS * VECTORS];
} lt_tile;

/* Adds the products of group `j` of the current block: `x_at` is its number in the rows of x. */
LT_INLINE void add_group(int packing, int digits, int rows, int panels, lt_tile *t, const lt_header *h,
                         const uint8_t *const *group, int64_t j, int64_t x_at)
{
    enum { MAX_V = TILE_PANELS * VECTORS, MAX_CHAINS = 4 };
    const int halves = lt_packing_table[packing].halves ? 2 : 1, quads = 8 / halves,
              vectors = panels * VECTORS;
    /* Few sums are kept in several parts, for the sake of the instructions' latency. */
    const int chains = rows * vectors == 1 ? 4 : rows * vectors <= 3 ? 2 : 1;
    const int zero = packing == LT_PACK_INT8 ? UNSIGNED_BIAS(digits) : lt_packing_table[packing].zero;
#pragma GCC unroll 2
    for (int half = 0; half < halves; half++) {
        acc a[TILE_M * MAX_V][MAX_CHAINS];
#pragma GCC unroll 16
        for (int i = 0; i < rows * vectors; i++)
#pragma GCC unroll 4
            for (int c = 0; c < chains; c++) a[i][c] = acc_zero();
#pragma GCC unroll 8
        for (int q = half * quads; q < (half + 1) * quads; q++) {
            quad w[MAX_V];
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++)
                w[v] = quad_of_weights(digits, values_of(packing, group[v / VECTORS], q, v % VECTORS),
                                       packing == LT_PACK_INT8);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                quad x = quad_of_x(digits, t->x[i] + x_at, q);
#pragma GCC unroll 8
                for (int v = 0; v < vectors; v++) {
                    acc *sum = &a[i * vectors + v][q % chains];
                    *sum = dot(digits, *sum, w[v], x);
                }
            }
        }
        vf scale[MAX_V];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) scale[v] = scale_of(packing, &h[v / VECTORS], j, half, v % VECTORS);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const lt_xgroup *x = t->x[i] + x_at;
            vf x_scale = vf_set(x->scale);
            vi correction = vi_zero();
            if (zero) {
                vi of_x = vi_set(halves == 2 ? x->half : x->total);
                if (half) of_x = vi_sub(vi_set(x->total), of_x);
                correction = vi_shl(of_x, zero == 8 ? 3 : zero == 32 ? 5 : 7);
            }
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                vi total = acc_sum(digits, a[i * vectors + v][0]);
#pragma GCC unroll 4
                for (int c = 1; c < chains; c++)
                    total = vi_add(total, acc_sum(digits, a[i * vectors + v][c]));
                if (zero) total = vi_sub(total, correction);
                t->sum[i][v] = vf_fma(vf_mul(vi_to_vf(total), x_scale), scale[v], t->sum[i][v]);
                if (lt_packing_table[packing].has_min)
                    t->sum[i][v] =
                        add_min(packing, &h[v / VECTORS], j, v % VECTORS, vf_set(x->sum), t->sum[i][v]);
            }
        }
    }
}

LT_INLINE void store_tile(const lt_packed_gemm *g, int64_t m, int rows, int64_t n, int vectors, lt_tile *t)
{
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            int64_t at = n + v * LANES, left = g->w->n - at;
            if (left <= 0) continue;
            vf value = t->sum[i][v];
            if (g->bias) value = vf_add(value, load_left(LT_GEMM_F32, g->bias, at, left));
            store_left(LT_GEMM_F32, g->out + (m + i) * g->out_stride, at, left, value);
        }
}

/* `rows` rows of x from m on with `panels` panels from row n of the weights on. */
LT_INLINE void tile(int packing, int digits, const lt_packed_gemm *g, int64_t m, int rows, int64_t n,
                    int panels)
{
    const lt_packing_info info = lt_packing_table[packing];
    int64_t groups = lt_packed_groups(g->w->k),
            panel_bytes = lt_packed_panel_bytes((lt_packing)packing, g->w->k);
    lt_tile t;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        t.x[i] = g->x + (m + i) * groups;
#pragma GCC unroll 8
        for (int v = 0; v < panels * VECTORS; v++) t.sum[i][v] = vf_zero();
    }
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) t.w[p] = g->w->data + (n / LT_PANEL + p) * panel_bytes;
    for (int64_t at = 0; at < groups; at += info.block_groups) {
        lt_header header[TILE_PANELS];
        const uint8_t *group[TILE_PANELS];
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++) {
            read_header(packing, t.w[p], &header[p]);
            group[p] = t.w[p] + info.header_bytes;
        }
        int64_t n_groups = lt_min_i64(info.block_groups, groups - at);
        for (int64_t j = 0; j < n_groups; j++) {
            add_group(packing, digits, rows, panels, &t, header, group, j, at + j);
#pragma GCC unroll 4
            for (int p = 0; p < panels; p++) group[p] += info.group_bytes;
        }
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++) t.w[p] = group[p];
    }
    store_tile(g, m, rows, n, panels * VECTORS, &t);
}

/* All rows of x with some panels. */
LT_INLINE void tiles(int packing, int digits, const lt_packed_gemm *g, int64_t n, int panels)
{
    int64_t m = 0;
    for (; m + TILE_M <= g->m; m += TILE_M) tile(packing, digits, g, m, TILE_M, n, panels);
    for (; m + 2 <= g->m; m += 2) tile(packing, digits, g, m, 2, n, panels);
    if (m < g->m) tile(packing, digits, g, m, 1, n, panels);
}

LT_INLINE void packed_gemm(int packing, int digits, const lt_packed_gemm *g, int64_t n0, int64_t n1)
{
    int64_t n = n0;
    for (; g->m > FEW && n + LT_PANEL * TILE_PANELS <= n1; n += LT_PANEL * TILE_PANELS)
        tiles(packing, digits, g, n, TILE_PANELS);
    for (; n < n1; n += LT_PANEL) tiles(packing, digits, g, n, 1);
}

#define DEFINE_PACKED_GEMM(packing, digits)                                                \
    static void gemm_##packing##_##digits(const lt_packed_gemm *g, int64_t n0, int64_t n1) \
    {                                                                                      \
        packed_gemm(LT_PACK_##packing, LT_DIGITS_##digits, g, n0, n1);                     \
    }
#define DEFINE_PACKED_GEMMS(digits)                                                                \
    DEFINE_PACKED_GEMM(INT8, digits)                                                               \
    DEFINE_PACKED_GEMM(INT4, digits)                                                               \
    DEFINE_PACKED_GEMM(INT4_MIN, digits)                                                           \
    DEFINE_PACKED_GEMM(INT4_K, digits)                                                             \
    DEFINE_PACKED_GEMM(INT6_K, digits)                                                             \
    static void gemm_##digits(const lt_packed_gemm *g, int64_t n0, int64_t n1)                     \
    {                                                                                              \
        static void (*const by_packing[LT_PACKINGS])(const lt_packed_gemm *, int64_t, int64_t) = { \
            gemm_INT8_##digits, gemm_INT4_##digits, gemm_INT4_MIN_##digits, gemm_INT4_K_##digits,  \
            gemm_INT6_K_##digits};                                                                 \
        by_packing[g->w->packing](g, n0, n1);                                                      \
    }
DEFINE_PACKED_GEMMS(16)
#if BYTE_DOTS
DEFINE_PACKED_GEMMS(8)
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
