/* Rows in portable C. */
#include <math.h>

#include "base/half.h"
#include "kernels/cpu/cpu.h"

#define LT_ROW(ID, operands, vector, scalar)                                    \
    static void row_##ID(const float *a, const float *b, float *out, int64_t n) \
    {                                                                           \
        for (int64_t i = 0; i < n; i++) {                                       \
            float x = a[i], y = operands == 2 ? b[i] : 0;                       \
            (void)y;                                                            \
            out[i] = scalar;                                                    \
        }                                                                       \
    }
#include "kernels/cpu/rows.def"

typedef float (*lt_get)(const void *array, int64_t i);
typedef void (*lt_put)(void *array, int64_t i, float value);

static void norm(const lt_norm *t, lt_get get, lt_put put)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; t->centre && i < t->n; i++) mean += (double)get(t->x, i);
    if (t->n) mean /= (double)t->n;
    for (int64_t i = 0; i < t->n; i++) {
        double d = (double)get(t->x, i) - mean;
        squares += d * d;
    }
    float shift = (float)mean, scale = (float)(1 / sqrt(squares / (double)t->n + (double)t->eps));
    for (int64_t i = 0; i < t->n; i++) {
        float y = (get(t->x, i) - shift) * scale;
        if (t->rounds) {
            put(t->out, i, y);
            y = get(t->out, i);
        }
        if (t->weight) y *= t->weight[i];
        if (t->bias) y += t->bias[i];
        put(t->out, i, y);
    }
    t->stats[0] = t->centre ? shift : scale;
    t->stats[1] = scale;
}

static void softmax(const void *x, void *out, int64_t n, bool logarithm, lt_get get, lt_put put)
{
    float most = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) most = get(x, i) > most ? get(x, i) : most;
    for (int64_t i = 0; i < n; i++) sum += (double)expf(get(x, i) - most);
    float total = (float)sum, log_sum = (float)log(sum);
    for (int64_t i = 0; i < n; i++) {
        float d = get(x, i) - most;
        put(out, i, logarithm ? d - log_sum : expf(d) / total);
    }
}

static void rope(const void *x, const void *cosine, const void *sine, void *out, int64_t n, lt_get get,
                 lt_put put)
{
    int64_t half = n / 2;
    for (int64_t i = 0; i < half; i++) {
        float a = get(x, i), b = get(x, half + i),
              products[4] = {a * get(cosine, i), b * get(sine, i), b * get(cosine, half + i),
                             a * get(sine, half + i)};
        float rounded[4]; /* room for any type */
        for (int k = 0; k < 4; k++) {
            put(rounded, k, products[k]);
            products[k] = get(rounded, k);
        }
        put(out, i, products[0] - products[1]);
        put(out, half + i, products[2] + products[3]);
    }
}

static float get_f32(const void *array, int64_t i) { return ((const float *)array)[i]; }
static float get_bf16(const void *array, int64_t i) { return lt_bf16_to_f32(((const uint16_t *)array)[i]); }
static float get_f16(const void *array, int64_t i) { return lt_f16_to_f32(((const uint16_t *)array)[i]); }
static void put_f32(void *array, int64_t i, float value) { ((float *)array)[i] = value; }
static void put_bf16(void *array, int64_t i, float value) { ((uint16_t *)array)[i] = lt_f32_to_bf16(value); }
static void put_f16(void *array, int64_t i, float value) { ((uint16_t *)array)[i] = lt_f32_to_f16(value); }

#define DEFINE(name)                                                                                   \
    static void widen_##name(const void *from, float *to, int64_t n)                                   \
    {                                                                                                  \
        for (int64_t i = 0; i < n; i++) to[i] = get_##name(from, i);                                   \
    }                                                                                                  \
    static void narrow_##name(const float *from, void *to, int64_t n)                                  \
    {                                                                                                  \
        for (int64_t i = 0; i < n; i++) put_##name(to, i, from[i]);                                    \
    }                                                                                                  \
    static void norm_##name(const lt_norm *task) { norm(task, get_##name, put_##name); }               \
    static void softmax_##name(const void *x, void *out, int64_t n, bool logarithm)                    \
    {                                                                                                  \
        softmax(x, out, n, logarithm, get_##name, put_##name);                                         \
    }                                                                                                  \
    static void softmax_wide_##name(const void *x, void *out, int64_t n, bool logarithm)               \
    {                                                                                                  \
        softmax(x, out, n, logarithm, get_##name, put_f32);                                            \
    }                                                                                                  \
    static void rope_##name(const void *x, const void *cosine, const void *sine, void *out, int64_t n) \
    {                                                                                                  \
        rope(x, cosine, sine, out, n, get_##name, put_##name);                                         \
    }

DEFINE(f32)
DEFINE(bf16)
DEFINE(f16)

#define SET(ID, name)                                          \
    kernels->widen[LT_GEMM_##ID] = widen_##name;               \
    kernels->narrow[LT_GEMM_##ID] = narrow_##name;             \
    kernels->norm[LT_GEMM_##ID] = norm_##name;                 \
    kernels->softmax[LT_GEMM_##ID] = softmax_##name;           \
    kernels->softmax_wide[LT_GEMM_##ID] = softmax_wide_##name; \
    kernels->rope[LT_GEMM_##ID] = rope_##name;

void lt_cpu_fill_rows_generic(lt_cpu_kernels *kernels)
{
    SET(F32, f32)
    SET(BF16, bf16)
    SET(F16, f16)
#define LT_ROW(ID, operands, vector, scalar) kernels->row[LT_ROW_##ID] = row_##ID;
#include "kernels/cpu/rows.def"
}
