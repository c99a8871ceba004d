/* Attention in portable C: the scores are computed twice, once for their maximum. */
#include <math.h>

#include "base/cache_row.h"
#include "base/half.h"
#include "kernels/cpu/attention_range.h"
#include "kernels/cpu/cpu.h"

typedef float (*lt_get)(const void *array, int64_t i);
typedef void (*lt_put)(void *array, int64_t i, float value);

static float get_f32(const void *array, int64_t i) { return ((const float *)array)[i]; }
static float get_bf16(const void *array, int64_t i) { return lt_bf16_to_f32(((const uint16_t *)array)[i]); }
static float get_f16(const void *array, int64_t i) { return lt_f16_to_f32(((const uint16_t *)array)[i]); }
static float get_int8(const void *array, int64_t i) { return ((const int8_t *)array)[i]; }
static void put_f32(void *array, int64_t i, float value) { ((float *)array)[i] = value; }
static void put_bf16(void *array, int64_t i, float value) { ((uint16_t *)array)[i] = lt_f32_to_bf16(value); }
static void put_f16(void *array, int64_t i, float value) { ((uint16_t *)array)[i] = lt_f32_to_f16(value); }

static const lt_get get_as[LT_GEMM_TYPES] = {
    [LT_GEMM_F32] = get_f32, [LT_GEMM_BF16] = get_bf16, [LT_GEMM_F16] = get_f16};
static const lt_put put_as[LT_GEMM_TYPES] = {
    [LT_GEMM_F32] = put_f32, [LT_GEMM_BF16] = put_bf16, [LT_GEMM_F16] = put_f16};

/* As the type that the task rounds to holds it, where it rounds. */
static float round_at(const lt_attend *t, unsigned where, float x)
{
    uint16_t half;
    if (!(t->rounds & where)) return x;
    put_as[t->rounded](&half, 0, x);
    return get_as[t->rounded](&half, 0);
}

/* What a row of int8 is multiplied by; 1 for floats. */
static float row_scale(const void *array, int64_t i, lt_get get)
{
    return get == get_int8 ? lt_cache_scale((const int8_t *)array + i) : 1;
}

static float capped(const lt_attend *t, float x)
{
    if (!(t->cap > 0)) return x;
    x = tanhf(round_at(t, LT_ATTEND_ROUND_CAPPED, x / t->cap));
    return round_at(t, LT_ATTEND_ROUND_CAPPED, round_at(t, LT_ATTEND_ROUND_CAPPED, x) * t->cap);
}

static float score(const lt_attend *t, const struct lt_attend_row *row, int64_t key, lt_get get)
{
    float sum = 0;
    lt_get get_q = get_as[t->q_type];
    for (int64_t d = 0; d < t->dim; d++) sum += get_q(row->q, d) * get(t->k, key * t->k_stride + d);
    sum *= row_scale(t->k, key * t->k_stride, get);
    sum = round_at(t, LT_ATTEND_ROUND_SCALED, round_at(t, LT_ATTEND_ROUND_PRODUCT, sum) * t->scale);
    sum = capped(t, sum);
    return round_at(t, LT_ATTEND_ROUND_MASKED, sum + (row->mask ? row->mask[key] : 0));
}

static float power(const lt_attend *t, float x, float most)
{
    return isinf(x) && x < 0 ? 0 : expf(round_at(t, LT_ATTEND_ROUND_SHIFTED, x - most));
}

static void attend_row(const lt_attend *t, int64_t r, lt_get get)
{
    const struct lt_attend_row *row = &t->row[r];
    float most = t->stats ? t->stats[2 * r] : row->sink, sum = t->stats ? t->stats[2 * r + 1] : 0;
    float out[LT_ATTEND_DIM] = {0};
    int64_t first = lt_max_i64(row->first, t->begin), last = lt_min_i64(row->last, t->end);
    for (int64_t key = first; !t->stats && key < last; key++) {
        float s = score(t, row, key, get);
        most = s > most ? s : most;
    }
    if (!t->stats) sum = power(t, row->sink, most);
    for (int64_t key = first; !t->stats && key < last; key++) sum += power(t, score(t, row, key, get), most);
    bool sees = sum > 0 || isnan(sum), rounds = t->rounds & LT_ATTEND_ROUND_WEIGHTS;
    bool measures = rounds && t->partial && !t->stats;
    for (int64_t key = first; sees && !measures && key < last; key++) {
        float weight = power(t, score(t, row, key, get), most);
        if (rounds) weight = round_at(t, LT_ATTEND_ROUND_WEIGHTS, weight * (1 / sum));
        weight *= row_scale(t->v, key * t->v_stride, get);
        for (int64_t d = 0; d < t->value_dim; d++) out[d] += weight * get(t->v, key * t->v_stride + d);
    }
    float *part = t->partial ? t->partial + r * (LT_ATTEND_PARTIAL + t->value_dim) : NULL;
    float scale = !sees ? t->empty : rounds ? 1 : 1 / sum;
    for (int64_t d = 0; d < t->value_dim; d++)
        if (part) part[LT_ATTEND_PARTIAL + d] = out[d];
        else put_as[t->q_type](row->out, d, out[d] * scale);
    if (!part) return;
    part[0] = most;
    part[1] = sum;
}

static void merge(const float *parts, int64_t n, int64_t stride, int64_t value_dim, float empty, void *out,
                  lt_put put)
{
    float most = -INFINITY, sum = 0, total[LT_ATTEND_DIM] = {0};
    for (int64_t i = 0; i < n; i++) most = parts[i * stride] > most ? parts[i * stride] : most;
    for (int64_t i = 0; i < n; i++) {
        const float *part = parts + i * stride;
        float weight = isinf(part[0]) && part[0] < 0 ? 1 : expf(part[0] - most);
        sum += weight * part[1];
        for (int64_t d = 0; d < value_dim; d++) total[d] += weight * part[LT_ATTEND_PARTIAL + d];
    }
    float scale = sum > 0 || isnan(sum) ? 1 / sum : empty;
    for (int64_t d = 0; d < value_dim; d++) put(out, d, total[d] * scale);
}

#define DEFINE_ATTEND(name)                                                 \
    static void attend_##name(const lt_attend *t)                           \
    {                                                                       \
        for (int64_t r = 0; r < t->rows; r++) attend_row(t, r, get_##name); \
    }
#define DEFINE_MERGE(name)                                                                                  \
    static void merge_##name(const float *parts, int64_t n, int64_t stride, int64_t value_dim, float empty, \
                             void *out)                                                                     \
    {                                                                                                       \
        merge(parts, n, stride, value_dim, empty, out, put_##name);                                         \
    }

DEFINE_ATTEND(f32)
DEFINE_ATTEND(bf16)
DEFINE_ATTEND(f16)
DEFINE_ATTEND(int8)
DEFINE_MERGE(f32)
DEFINE_MERGE(bf16)
DEFINE_MERGE(f16)

void lt_cpu_fill_attention_generic(lt_cpu_kernels *kernels)
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
