/* Floats to 8 and 4.5 bits a value: scales that make the squared error small. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "load/pack.h"

/* The float16 nearest to a scale; scales past its range are clamped. */
static uint16_t half_scale(float scale) { return lt_f32_to_f16(fminf(scale, 65504)); }

static int8_t clamped(float value, float low, float high)
{
    return (int8_t)rintf(fminf(fmaxf(value, low), high));
}

/* ---- INT8 ---- */

static uint16_t quantize_int8(const float *x, int8_t *value)
{
    float largest = 0;
    for (int i = 0; i < LT_GROUP; i++) largest = fmaxf(largest, fabsf(x[i]));
    uint16_t half = half_scale(largest / 127);
    float scale = lt_f16_to_f32(half), inverse = scale > 0 ? 1 / scale : 0;
    for (int i = 0; i < LT_GROUP; i++) value[i] = clamped(x[i] * inverse, -127, 127);
    return half;
}

/* ---- INT4_K: x is about scale * value - min, with value 0 … 15 and min not negative ---- */

typedef struct lt_fit {
    float scale, min, error;
} lt_fit;

static int8_t quantized(float x, float min, float inverse) { return clamped((x + min) * inverse, 0, 15); }

/* Values as a first scale and minimum give them, then the scale and minimum that are best for these. */
static lt_fit refine(const float *x, float scale, float min)
{
    float q1 = 0, q2 = 0, x1 = 0, qx = 0;
    float q[LT_GROUP];
    for (int i = 0; i < LT_GROUP; i++) {
        q[i] = rintf(fminf(fmaxf((x[i] + min) / scale, 0), 15));
        q1 += q[i];
        q2 += q[i] * q[i];
        x1 += x[i];
        qx += q[i] * x[i];
    }
    float determinant = LT_GROUP * q2 - q1 * q1;
    lt_fit fit = {.scale = scale, .min = min};
    if (determinant > 0) {
        fit.scale = (LT_GROUP * qx - q1 * x1) / determinant;
        fit.min = (q1 * qx - q2 * x1) / determinant;
    } else if (q2 > 0) { /* all values are the same */
        fit.scale = (qx + min * q1) / q2;
    }
    if (fit.min < 0) { /* not to be had: the best scale without one */
        fit.min = 0;
        fit.scale = q2 > 0 ? qx / q2 : 0;
    }
    for (int i = 0; i < LT_GROUP; i++) {
        float e = fit.scale * q[i] - fit.min - x[i];
        fit.error += e * e;
    }
    return fit;
}

/* Ranges a little narrower than the values' own lose the outermost and serve the others better. */
static lt_fit fit_group(const float *x)
{
    enum { TRIES = 9 };
    float low = 0, high = 0;
    for (int i = 0; i < LT_GROUP; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    lt_fit best = {.error = INFINITY};
    if (!(high - low > 1e-30f)) return (lt_fit){0};
    for (int i = 0; i < TRIES; i++) {
        lt_fit fit = refine(x, (high - low) / (14.2f + 0.3f * (float)i), -low);
        if (fit.error < best.error && fit.scale > 0) best = fit;
    }
    return best.scale > 0 ? best : (lt_fit){.scale = (high - low) / 15, .min = -low};
}

static void quantize_int4(const float *x, int64_t groups, lt_block_row *to)
{
    lt_fit fit[LT_MAX_BLOCK / LT_GROUP];
    float scale = 0, min = 0;
    for (int64_t g = 0; g < groups; g++) {
        fit[g] = fit_group(x + LT_GROUP * g);
        scale = fmaxf(scale, fit[g].scale);
        min = fmaxf(min, fit[g].min);
    }
    to->scale[0] = half_scale(scale / 63);
    to->min[0] = half_scale(min / 63);
    float d = lt_f16_to_f32(to->scale[0]), m = lt_f16_to_f32(to->min[0]);
    for (int64_t g = 0; g < groups; g++) {
        to->sub_scale[g] = d > 0 ? clamped(fit[g].scale / d, 0, 63) : 0;
        to->sub_min[g] = m > 0 ? clamped(fit[g].min / m, 0, 63) : 0;
        float inverse = to->sub_scale[g] ? 1 / (d * (float)to->sub_scale[g]) : 0;
        for (int64_t i = LT_GROUP * g; i < LT_GROUP * (g + 1); i++)
            to->value[i] = quantized(x[i], m * (float)to->sub_min[g], inverse);
    }
}

void lt_quantize_block(const lt_packed *to, int64_t row, int64_t block, const float *values)
{
    int64_t columns = lt_packing_table[to->packing].block_groups * LT_GROUP,
            n = lt_min_i64(columns, to->k - block * columns), groups = lt_packed_groups(n);
    float x[LT_MAX_BLOCK] = {0};
    lt_block_row out = {0};
    for (int64_t i = 0; i < n; i++) x[i] = isfinite(values[i]) ? values[i] : 0;
    if (to->packing == LT_PACK_INT4_K) quantize_int4(x, groups, &out);
    else
        for (int64_t g = 0; g < groups; g++)
            out.scale[g] = quantize_int8(x + LT_GROUP * g, out.value + LT_GROUP * g);
    lt_packed_put(to, row, block, &out);
}
