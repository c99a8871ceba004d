/* Attention over the vectors of a simd_*.h: keys and values are read once, block by block, with a running
 * maximum (online softmax). The including file defines FILL, the name of its fill function.
 *
 * Scores are dot products of three query rows with four keys at a time; values are added to the results as
 * outer products. With many rows, keys and values are converted to float32 once for all of them. Blocks begin
 * at multiples of their size, so what a row gets depends on the shapes alone. */
#include <math.h>
#include <string.h>

#include "base/cache_row.h"
#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/simd_types.h"

enum {
    ROWS = LT_ATTEND_ROWS,
    BLOCK_FLOATS = 16384, /* of keys (or values) in a block: with the scores they fit the first cache level */
    BLOCK_MAX = 128,      /* keys in a block; divides LT_ATTEND_CHUNK */
    BLOCK_MIN = 16,       /* a multiple of LANES */
    MANY = 7,             /* rows from which keys and values are converted before */
    AHEAD = 16,           /* keys that are fetched ahead */
    VALUES_AHEAD = 8,     /* likewise, of those that are on their way to the second level */
    KEYS = 4,             /* side by side in a tile of scores */
    Q_ROWS = REGISTERS > 16 ? 6 : 3,   /* rows in it */
    FEW_WIDE = REGISTERS > 16 ? 4 : 2, /* vectors in a tile of results of 4 to 6 rows */
    WIDE = 2                           /* of more */
};

/* Bfloat16 queries and keys, a pair in a lane: not converted, and two products at once. */
#ifdef PAIRS
LT_INLINE vf load_pairs(const void *array, int64_t d, int64_t left)
{
    const uint16_t *at = (const uint16_t *)array + 2 * d;
    return left >= LANES ? vf_load_pairs(at) : vf_load_pairs_part(at, left);
}
#else
LT_INLINE vf load_pairs(const void *array, int64_t d, int64_t left)
{
    (void)array, (void)d, (void)left;
    return vf_zero();
}
LT_INLINE vf vf_fma_pairs(vf a, vf b, vf c) { return (void)a, (void)b, c; }
#endif

/* What one call keeps while it goes over the keys. Rows lie `q_stride` and `out_stride` apart, whole vectors,
 * zero past their end. */
typedef struct lt_attend_state {
    int64_t q_stride, out_stride, room; /* room: keys in a block */
    float q[ROWS * LT_ATTEND_DIM];      /* queries times the scale, or pairs of them as they are */
    float out[ROWS * LT_ATTEND_DIM];    /* sums of values, relative to `most` */
    float scores[ROWS * BLOCK_MAX];     /* [row][room] of this block, then their exponentials */
    float most[ROWS], sum[ROWS];        /* sum: once weights are rounded, what they are multiplied by */
    float fade[ROWS];                   /* what the block changed earlier sums by */
#ifdef PAIRS
    uint16_t weights[ROWS * BLOCK_MAX]; /* [row][room] exponentials as bfloat16 */
#endif
} lt_attend_state;

static int64_t block_keys(const lt_attend *t)
{
    int64_t dim = lt_max_i64(t->dim, t->value_dim), n = BLOCK_MAX;
    while (n > BLOCK_MIN && n * dim > BLOCK_FLOATS) n /= 2;
    return n;
}

/* ---- Scores ---- */

LT_INLINE void score_step(const lt_attend_state *s, int type, const float *q, int rows,
                          const void *const key[KEYS], int64_t d, int64_t left, vf acc[Q_ROWS][KEYS])
{
    vf x[Q_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) x[i] = vf_load(q + i * s->q_stride + d);
#pragma GCC unroll 8
    for (int i = 0; i < rows && Q_ROWS < 6; i++) x[i] = vf_keep(x[i]);
#pragma GCC unroll 4
    for (int j = 0; j < KEYS; j++) {
        vf y = type == LT_ATTEND_PAIRS ? load_pairs(key[j], d, left) : load_left(type, key[j], d, left);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            acc[i][j] =
                type == LT_ATTEND_PAIRS ? vf_fma_pairs(x[i], y, acc[i][j]) : vf_fma(x[i], y, acc[i][j]);
    }
}

LT_INLINE void score_tile(const lt_attend_state *s, int type, int64_t row, int rows,
                          const void *const key[KEYS], int64_t dim, float *scores)
{
    vf acc[Q_ROWS][KEYS];
    const float *q = s->q + row * s->q_stride;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < KEYS; j++) acc[i][j] = vf_zero();
    int64_t d = 0;
    for (; d + LANES <= dim; d += LANES) score_step(s, type, q, rows, key, d, LANES, acc);
    if (d < dim) score_step(s, type, q, rows, key, d, dim - d, acc);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        vf_store_sums(scores + (row + i) * s->room, acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
}

/* Four keys against every row; `dim` counts lanes. */
LT_INLINE void score_rows(const lt_attend_state *s, int type, int64_t rows, const void *const key[KEYS],
                          int64_t dim, float *scores)
{
    int64_t row = 0;
    for (; row + Q_ROWS <= rows; row += Q_ROWS) score_tile(s, type, row, Q_ROWS, key, dim, scores);
    switch (rows - row) {
    case 5: score_tile(s, type, row, Q_ROWS < 6 ? 1 : 5, key, dim, scores); break;
    case 4: score_tile(s, type, row, Q_ROWS < 6 ? 1 : 4, key, dim, scores); break;
    case 3: score_tile(s, type, row, Q_ROWS < 6 ? 1 : 3, key, dim, scores); break;
    case 2: score_tile(s, type, row, 2, key, dim, scores); break;
    case 1: score_tile(s, type, row, 1, key, dim, scores); break;
    default: break;
    }
}

/* Keys that were converted: one copy of the tiles for all types of keys. */
static __attribute__((noinline)) void score_wide(const lt_attend_state *s, int64_t rows,
                                                 const void *const key[KEYS], float *scores)
{
    score_rows(s, LT_GEMM_F32, rows, key, s->q_stride, scores);
}

/* Asks for `bytes` bytes that are read soon, and for such that the next part reads: those go to the second
 * cache level, as the first is full. */
LT_INLINE void fetch_near(const void *from, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)from + i);
}
LT_INLINE void fetch(const void *from, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)from + i, 0, 2);
}

/* Keys at … at + n - 1. Past the last one, a tile repeats it. */
LT_INLINE void score_block(const lt_attend *t, lt_attend_state *s, int type, bool pairs, int64_t at,
                           int64_t n)
{
    float wide[KEYS * LT_ATTEND_DIM];
    const int64_t size = element_size(type);
    for (int64_t k = 0; k < n; k += KEYS) {
        const void *key[KEYS];
        for (int j = 0; j < KEYS; j++) {
            int64_t index = at + lt_min_i64(k + j, n - 1);
            key[j] = element_at(type, t->k, index * t->k_stride);
            fetch(element_at(type, t->v, index * t->v_stride), t->value_dim * size);
            fetch_near(element_at(type, t->k, (index + AHEAD) * t->k_stride), t->dim * size);
        }
        if (pairs) {
            score_rows(s, LT_ATTEND_PAIRS, t->rows, key, t->dim / 2, s->scores + k);
            continue;
        }
        if (t->rows < MANY) {
            score_rows(s, type, t->rows, key, t->dim, s->scores + k);
            continue;
        }
        for (int j = 0; j < KEYS; j++) {
            float *to = wide + j * LT_ATTEND_DIM;
            for (int64_t d = 0; d < t->dim; d += LANES)
                vf_store(to + d, load_left(type, key[j], d, t->dim - d));
            key[j] = to;
        }
        score_wide(s, t->rows, key, s->scores + k);
    }
}

/* Scores (or weights) of the block's rows, times the scales of the int8 rows that begin at `rows`. */
static void scale_keys(const lt_attend *t, lt_attend_state *s, const void *rows, int64_t stride, int64_t n)
{
    float scale[BLOCK_MAX];
    for (int64_t k = 0; k < n; k++) scale[k] = lt_cache_scale((const char *)rows + k * stride);
    for (int64_t k = n; k < s->room; k++) scale[k] = 0;
    for (int64_t r = 0; r < t->rows; r++) {
        float *scores = s->scores + r * s->room;
        for (int64_t i = 0; i < n; i += LANES)
            vf_store(scores + i, vf_mul(vf_load(scores + i), vf_load(scale + i)));
    }
}

/* ---- Softmax ---- */

/* A block without a score above -infinity: nothing is added, but NaN is not lost. */
static void soften_nothing(lt_attend_state *s, int64_t row, float *scores)
{
    for (int64_t i = 0; i < s->room; i++) {
        scores[i] = isnan(scores[i]) ? scores[i] : 0;
        s->sum[row] += scores[i];
    }
    s->fade[row] = 1;
}

LT_INLINE vf round_half(const lt_attend *t, vf x)
{
    return t->rounded == LT_GEMM_BF16 ? round_as(LT_GEMM_BF16, x) : round_as(LT_GEMM_F16, x);
}

LT_INLINE vf round_at(const lt_attend *t, unsigned where, vf x)
{
    return t->rounds & where ? round_half(t, x) : x;
}

/* Products of queries that were not scaled. */
static void round_scaled(const lt_attend *t, float *scores, int64_t n)
{
    vf scale = vf_set(t->scale);
    for (int64_t i = 0; i < n; i += LANES) {
        vf x = round_at(t, LT_ATTEND_ROUND_PRODUCT, vf_load(scores + i));
        vf_store(scores + i, round_at(t, LT_ATTEND_ROUND_SCALED, vf_mul(x, scale)));
    }
}

static void cap_scores(const lt_attend *t, float *scores, int64_t n)
{
    vf cap = vf_set(t->cap);
    for (int64_t i = 0; i < n; i += LANES) {
        vf x = vf_tanh(round_at(t, LT_ATTEND_ROUND_CAPPED, vf_div(vf_load(scores + i), cap)));
        x = vf_mul(round_at(t, LT_ATTEND_ROUND_CAPPED, x), cap);
        vf_store(scores + i, round_at(t, LT_ATTEND_ROUND_CAPPED, x));
    }
}

static void add_mask(const lt_attend *t, const float *mask, float *scores, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        vf x = vf_load(scores + i);
        if (mask) x = vf_add(x, load_left(LT_GEMM_F32, mask, i, n - i));
        vf_store(scores + i, round_at(t, LT_ATTEND_ROUND_MASKED, x));
    }
}

/* Scales them, unless queries were. */
LT_INLINE void scale_scores(float *scores, float factor, int64_t n)
{
    vf scale = vf_set(factor);
    for (int64_t i = 0; i < n; i += LANES) vf_store(scores + i, vf_mul(vf_load(scores + i), scale));
}

/* Caps the scores of keys at … at + n - 1, adds the mask to them and hides what the row does not look at. */
static __attribute__((noinline)) void mask_scores(const lt_attend *t, const struct lt_attend_row *r,
                                                  float *scores, int64_t at, int64_t n, int64_t room)
{
    const float *mask = r->mask ? r->mask + at : NULL;
    if (t->rounds) round_scaled(t, scores, n);
    if (t->cap > 0) cap_scores(t, scores, n);
    if (mask || t->rounds & LT_ATTEND_ROUND_MASKED) add_mask(t, mask, scores, n);
    for (int64_t i = 0; i < n && at + i < r->first; i++) scores[i] = -INFINITY;
    for (int64_t i = lt_max_i64(0, lt_min_i64(n, r->last - at)); i < room; i++) scores[i] = -INFINITY;
}

/* The exponential of scores, whose maximum is known. */
LT_INLINE vf weight_at(const lt_attend *t, vf score, vf most)
{
    return vf_exp(round_at(t, LT_ATTEND_ROUND_SHIFTED, vf_sub(score, most)));
}

/* Scores become weights, whose maximum and sum are known: rounded, they are summed as they are. */
static __attribute__((noinline)) void weigh(const lt_attend *t, lt_attend_state *s, int64_t row)
{
    float *scores = s->scores + row * s->room;
    vf most = vf_set(s->most[row]), inverse = vf_set(s->sum[row]);
    for (int64_t i = 0; i < s->room; i += LANES)
        vf_store(scores + i, round_half(t, vf_mul(weight_at(t, vf_load(scores + i), most), inverse)));
    s->fade[row] = 1;
}

/* Adds the exponentials up, whose maximum is known. */
static __attribute__((noinline)) void sum_up(const lt_attend *t, lt_attend_state *s, int64_t row)
{
    const float *scores = s->scores + row * s->room;
    vf most = vf_set(s->most[row]), total = vf_zero();
    for (int64_t i = 0; i < s->room; i += LANES)
        total = vf_add(total, weight_at(t, vf_load(scores + i), most));
    s->sum[row] += vf_sum(total);
}

/* Finds the new maximum and turns scores into exponentials. */
static __attribute__((noinline)) void soften(lt_attend_state *s, int64_t row)
{
    float *scores = s->scores + row * s->room;
    vf largest = vf_set(s->most[row]), total = vf_zero();
    for (int64_t i = 0; i < s->room; i += LANES) largest = vf_max(vf_load(scores + i), largest);
    float most = vf_largest(largest);
    if (isinf(most) && most < 0) {
        soften_nothing(s, row, scores);
        return;
    }
    vf shift = vf_set(most);
    for (int64_t i = 0; i < s->room; i += LANES) {
        vf e = vf_exp(vf_sub(vf_load(scores + i), shift));
        vf_store(scores + i, e);
        total = vf_add(total, e);
    }
    float fade[LANES];
    vf_store(fade, vf_exp(vf_sub(vf_set(s->most[row]), shift)));
    s->fade[row] = fade[0];
    s->sum[row] = s->sum[row] * fade[0] + vf_sum(total);
    s->most[row] = most;
}

#include "kernels/cpu/attention_values.tmpl.h"

/* ---- Whole calls ---- */

/* A row of queries, times the scale. */
LT_INLINE void take_query(int type, const void *q, int64_t dim, vf scale, float *to)
{
    for (int64_t d = 0; d < dim; d += LANES) vf_store(to + d, vf_mul(scale, load_left(type, q, d, dim - d)));
}

static void begin(const lt_attend *t, lt_attend_state *s, bool pairs)
{
    enum { STEP = WIDE * LANES };
    s->room = block_keys(t);
    s->q_stride = (t->dim + LANES - 1) / LANES * LANES;
    s->out_stride = (t->value_dim + STEP - 1) / STEP * STEP;
    vf scale = vf_set(t->rounds ? 1 : t->scale);
    for (int64_t r = 0; r < t->rows; r++) {
        float *to = s->q + r * s->q_stride;
        if (pairs) {
            memset(to, 0, (size_t)s->q_stride * sizeof *to);
            memcpy(to, t->row[r].q, (size_t)t->dim * sizeof(uint16_t));
        } else switch (t->q_type) {
            case LT_GEMM_F32: take_query(LT_GEMM_F32, t->row[r].q, t->dim, scale, to); break;
            case LT_GEMM_BF16: take_query(LT_GEMM_BF16, t->row[r].q, t->dim, scale, to); break;
            default: take_query(LT_GEMM_F16, t->row[r].q, t->dim, scale, to); break;
            }
        for (int64_t d = 0; d < s->out_stride; d += LANES)
            vf_store(s->out + r * s->out_stride + d, vf_zero());
        s->most[r] = t->row[r].sink;
        s->sum[r] = isinf(s->most[r]) && s->most[r] < 0 ? 0 : 1;
    }
}

/* `n` sums, times the scale, as a result. */
LT_INLINE void give_result(int type, const float *from, int64_t n, vf scale, void *to)
{
    for (int64_t d = 0; d < n; d += LANES) store_left(type, to, d, n - d, vf_mul(scale, vf_load(from + d)));
}

/* What a row's sums are multiplied by. */
static float last_factor(const lt_attend *t, const lt_attend_state *s, int64_t r)
{
    bool nothing = !(s->sum[r] > 0 || isnan(s->sum[r]));
    if (nothing) return t->empty;
    return t->rounds & LT_ATTEND_ROUND_WEIGHTS ? 1 : 1 / s->sum[r];
}

static void finish(const lt_attend *t, const lt_attend_state *s)
{
    for (int64_t r = 0; r < t->rows; r++) {
        const float *from = s->out + r * s->out_stride;
        float *part = t->partial ? t->partial + r * (LT_ATTEND_PARTIAL + t->value_dim) : NULL;
        if (part) {
            part[0] = s->most[r];
            part[1] = s->sum[r];
            give_result(LT_GEMM_F32, from, t->value_dim, vf_set(1), part + LT_ATTEND_PARTIAL);
            continue;
        }
        vf scale = vf_set(last_factor(t, s, r));
        switch (t->q_type) {
        case LT_GEMM_F32: give_result(LT_GEMM_F32, from, t->value_dim, scale, t->row[r].out); break;
        case LT_GEMM_BF16: give_result(LT_GEMM_BF16, from, t->value_dim, scale, t->row[r].out); break;
        default: give_result(LT_GEMM_F16, from, t->value_dim, scale, t->row[r].out); break;
        }
    }
}

enum { WALK_SOFTEN, WALK_MEASURE, WALK_SUM, WALK_WEIGH };

/* Over keys first … last - 1, block by block. MEASURE and SUM leave the values out. */
LT_INLINE void go_over(const lt_attend *t, lt_attend_state *s, int type, bool pairs, int64_t first,
                       int64_t last, int walk)
{
    for (int64_t at = first; at < last; at += s->room) {
        int64_t n = lt_min_i64(s->room, last - at);
        score_block(t, s, type, pairs, at, n);
        if (type == LT_ATTEND_INT8)
            scale_keys(t, s, element_at(type, t->k, at * t->k_stride), t->k_stride, n);
        for (int64_t r = 0; r < t->rows; r++) {
            if (pairs && !t->rounds) scale_scores(s->scores + r * s->room, t->scale, n);
            mask_scores(t, &t->row[r], s->scores + r * s->room, at, n, s->room);
            if (walk == WALK_WEIGH) weigh(t, s, r);
            else if (walk == WALK_SUM) sum_up(t, s, r);
            else soften(s, r);
        }
        if (walk == WALK_MEASURE || walk == WALK_SUM) continue;
        add_values(t, s, type, at, n);
    }
}

/* The maximum and the sum of all keys; a row that looks at nothing has no weights. */
static __attribute__((noinline)) void know_stats(const lt_attend *t, lt_attend_state *s)
{
    for (int64_t r = 0; r < t->rows; r++) {
        if (t->stats) {
            s->most[r] = t->stats[2 * r];
            s->sum[r] = t->stats[2 * r + 1];
        }
        bool nothing = !(s->sum[r] > 0 || isnan(s->sum[r]));
        if (nothing) s->most[r] = 0;
        s->sum[r] = nothing ? 0 : 1 / s->sum[r];
    }
}

/* Sums begin anew, for exponentials of rounded differences from the maximum. A row that looks at nothing has
 * one of 0, so that its weights are numbers. */
static __attribute__((noinline)) void know_most(const lt_attend *t, lt_attend_state *s)
{
    for (int64_t r = 0; r < t->rows; r++) {
        float first[LANES];
        bool nothing = isinf(s->most[r]) && s->most[r] < 0;
        if (nothing) s->most[r] = 0;
        vf_store(first, weight_at(t, vf_set(t->row[r].sink), vf_set(s->most[r])));
        s->sum[r] = first[0];
    }
}

LT_INLINE void attend(const lt_attend *t, int type, bool pairs)
{
    lt_attend_state s;
    int64_t first = t->end, last = t->begin;
    begin(t, &s, pairs);
    for (int64_t r = 0; r < t->rows; r++) {
        if (t->row[r].first >= t->row[r].last) continue;
        first = lt_min_i64(first, t->row[r].first);
        last = lt_max_i64(last, t->row[r].last);
    }
    first = lt_max_i64(first, t->begin) / s.room * s.room;
    last = lt_min_i64(last, t->end);
    bool rounds = t->rounds & LT_ATTEND_ROUND_WEIGHTS;
    int walk = !rounds ? WALK_SOFTEN : t->stats ? WALK_WEIGH : WALK_MEASURE;
    for (;;) {
        if (walk == WALK_SUM) know_most(t, &s);
        if (walk == WALK_WEIGH) know_stats(t, &s);
        go_over(t, &s, type, pairs, first, last, walk);
        if (walk == WALK_SOFTEN || walk == WALK_WEIGH || t->partial) break;
        walk = walk == WALK_MEASURE && t->rounds & LT_ATTEND_ROUND_SHIFTED ? WALK_SUM : WALK_WEIGH;
    }
    finish(t, &s);
}

#ifdef PAIRS
static void attend_pairs(const lt_attend *t) { attend(t, LT_GEMM_BF16, true); }

void FILL(lt_cpu_kernels *kernels) { kernels->attend[LT_ATTEND_PAIRS] = attend_pairs; }
#else
#include "kernels/cpu/attention_merge.tmpl.h"
#include "kernels/cpu/attention_range.h"

static void attend_f32(const lt_attend *t) { attend(t, LT_GEMM_F32, false); }
static void attend_bf16(const lt_attend *t) { attend(t, LT_GEMM_BF16, false); }
static void attend_f16(const lt_attend *t) { attend(t, LT_GEMM_F16, false); }
static void attend_int8(const lt_attend *t) { attend(t, LT_ATTEND_INT8, false); }

void FILL(lt_cpu_kernels *kernels)
{
    kernels->attend[LT_GEMM_F32] = attend_f32;
    kernels->attend[LT_GEMM_BF16] = attend_bf16;
    kernels->attend[LT_GEMM_F16] = attend_f16;
    kernels->attend[LT_ATTEND_INT8] = attend_int8;
    kernels->attend_range = attend_range;
    kernels->attend_merge[LT_GEMM_F32] = merge_f32;
    kernels->attend_merge[LT_GEMM_BF16] = merge_bf16;
    kernels->attend_merge[LT_GEMM_F16] = merge_f16;
}
#endif
