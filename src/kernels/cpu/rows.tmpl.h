/* Rows over the vectors of a simd_*.h: elementwise functions, conversions, norms, softmax, rotary embedding.
 * The including file defines FILL, the name of its fill function. */
#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/simd_types.h"

/* ---- Elementwise ---- */

#define LT_ROW(ID, operands, vector, scalar)                                                             \
    LT_INLINE vf formula_##ID(vf x, vf y)                                                                \
    {                                                                                                    \
        (void)y;                                                                                         \
        return vector;                                                                                   \
    }                                                                                                    \
    static void row_##ID(const float *a, const float *b, float *out, int64_t n)                          \
    {                                                                                                    \
        int64_t i = 0;                                                                                   \
        for (; i + LANES <= n; i += LANES)                                                               \
            vf_store(out + i, formula_##ID(vf_load(a + i), operands == 2 ? vf_load(b + i) : vf_zero())); \
        if (i < n)                                                                                       \
            vf_store_part(out + i,                                                                       \
                          formula_##ID(vf_load_part(a + i, n - i),                                       \
                                       operands == 2 ? vf_load_part(b + i, n - i) : vf_zero()),          \
                          n - i);                                                                        \
    }
#include "kernels/cpu/rows.def"

/* ---- Conversions ---- */

LT_INLINE void widen(int type, const void *from, float *to, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(to + i, load_as(type, from, i));
    if (i < n) vf_store_part(to + i, load_left(type, from, i, n - i), n - i);
}

LT_INLINE void narrow(int type, const float *from, void *to, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) store_as(type, to, i, vf_load(from + i));
    if (i < n) store_left(type, to, i, n - i, vf_load_part(from + i, n - i));
}

/* ---- Norms ---- */

enum { SUMS = 4 };

/* Sums of x - shift or of its square, in SUMS vectors: short chains keep the rounding errors small. */
LT_INLINE float sum_row(int type, const void *x, int64_t n, vf shift, bool square)
{
    vf sum[SUMS];
    for (int j = 0; j < SUMS; j++) sum[j] = vf_zero();
    int64_t i = 0;
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
#pragma GCC unroll 4
        for (int j = 0; j < SUMS; j++) {
            vf d = vf_sub(load_as(type, x, i + j * LANES), shift);
            sum[j] = square ? vf_fma(d, d, sum[j]) : vf_add(sum[j], d);
        }
    for (; i < n; i += LANES) { /* lanes past the end hold the shift: they add nothing */
        vf d = vf_sub(load_left(type, x, i, n - i), shift);
        if (n - i < LANES) {
            float part[LANES];
            vf_store(part, d);
            d = vf_load_part(part, n - i);
        }
        sum[0] = square ? vf_fma(d, d, sum[0]) : vf_add(sum[0], d);
    }
    return vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

LT_INLINE void norm(const lt_norm *t, int type)
{
    float mean = t->centre && t->n ? sum_row(type, t->x, t->n, vf_zero(), false) / (float)t->n : 0;
    vf shift = vf_set(mean);
    float squares = sum_row(type, t->x, t->n, shift, true) / (float)t->n;
    float scale[LANES];
    vf_store(scale, vf_div(vf_set(1), vf_sqrt(vf_set(squares + t->eps))));
    for (int64_t i = 0; i < t->n; i += LANES) {
        int64_t left = t->n - i;
        vf y = vf_mul(vf_sub(load_left(type, t->x, i, left), shift), vf_set(scale[0]));
        if (t->rounds) y = round_as(type, y);
        if (t->weight) y = vf_mul(y, load_left(LT_GEMM_F32, t->weight, i, left));
        if (t->bias) y = vf_add(y, load_left(LT_GEMM_F32, t->bias, i, left));
        store_left(type, t->out, i, left, y);
    }
    t->stats[0] = t->centre ? mean : scale[0];
    t->stats[1] = scale[0];
}

/* ---- Softmax ---- */

/* The exponentials are computed twice rather than stored: in half precision there is no room for them. */
LT_INLINE void softmax(const void *x, void *out, int64_t n, bool logarithm, int in_type, int out_type)
{
    vf largest = vf_set(-__builtin_inff()), sum = vf_zero();
    int64_t i = 0, whole = n / LANES * LANES, left = n - whole;
    float total[LANES];
    for (i = 0; i < whole; i += LANES) largest = vf_max(load_as(in_type, x, i), largest);
    float most = vf_largest(largest);
    if (left) {
        vf_store(total, load_left(in_type, x, whole, left));
        for (i = 0; i < left; i++) most = total[i] > most ? total[i] : most;
    }
    vf shift = vf_set(most);
    for (i = 0; i < whole; i += LANES) sum = vf_add(sum, vf_exp(vf_sub(load_as(in_type, x, i), shift)));
    if (left) {
        vf_store(total, vf_exp(vf_sub(load_left(in_type, x, whole, left), shift)));
        sum = vf_add(sum, vf_load_part(total, left));
    }
    vf divisor = vf_set(vf_sum(sum)), subtract = vf_set(logarithm ? __builtin_logf(vf_sum(sum)) : 0);
    for (i = 0; i < n; i += LANES) {
        vf d = vf_sub(load_left(in_type, x, i, n - i), shift);
        store_left(out_type, out, i, n - i, logarithm ? vf_sub(d, subtract) : vf_div(vf_exp(d), divisor));
    }
}

/* ---- Rotary embedding ---- */

LT_INLINE void rope(const void *x, const void *cosine, const void *sine, void *out, int64_t n, int type)
{
    int64_t half = n / 2;
    for (int64_t i = 0; i < half; i += LANES) {
        int64_t left = half - i;
        vf a = load_left(type, x, i, left), b = load_left(type, x, half + i, left);
        vf first = vf_sub(round_as(type, vf_mul(a, load_left(type, cosine, i, left))),
                          round_as(type, vf_mul(b, load_left(type, sine, i, left))));
        vf second = vf_add(round_as(type, vf_mul(b, load_left(type, cosine, half + i, left))),
                           round_as(type, vf_mul(a, load_left(type, sine, half + i, left))));
        store_left(type, out, i, left, first);
        store_left(type, out, half + i, left, second);
    }
}

/* ---- Slots ---- */

#define DEFINE(name, type)                                                                             \
    static void widen_##name(const void *from, float *to, int64_t n) { widen(type, from, to, n); }     \
    static void narrow_##name(const float *from, void *to, int64_t n) { narrow(type, from, to, n); }   \
    static void norm_##name(const lt_norm *task) { norm(task, type); }                                 \
    static void softmax_##name(const void *x, void *out, int64_t n, bool logarithm)                    \
    {                                                                                                  \
        softmax(x, out, n, logarithm, type, type);                                                     \
    }                                                                                                  \
    static void softmax_wide_##name(const void *x, void *out, int64_t n, bool logarithm)               \
    {                                                                                                  \
        softmax(x, out, n, logarithm, type, LT_GEMM_F32);                                              \
    }                                                                                                  \
    static void rope_##name(const void *x, const void *cosine, const void *sine, void *out, int64_t n) \
    {                                                                                                  \
        rope(x, cosine, sine, out, n, type);                                                           \
    }

DEFINE(f32, LT_GEMM_F32)
DEFINE(bf16, LT_GEMM_BF16)
DEFINE(f16, LT_GEMM_F16)

#define SET(ID, name)                                          \
    kernels->widen[LT_GEMM_##ID] = widen_##name;               \
    kernels->narrow[LT_GEMM_##ID] = narrow_##name;             \
    kernels->norm[LT_GEMM_##ID] = norm_##name;                 \
    kernels->softmax[LT_GEMM_##ID] = softmax_##name;           \
    kernels->softmax_wide[LT_GEMM_##ID] = softmax_wide_##name; \
    kernels->rope[LT_GEMM_##ID] = rope_##name;

void FILL(lt_cpu_kernels *kernels)
{
    SET(F32, f32)
    SET(BF16, bf16)
    SET(F16, f16)
#define LT_ROW(ID, operands, vector, scalar) kernels->row[LT_ROW_##ID] = row_##ID;
#include "kernels/cpu/rows.def"
}
