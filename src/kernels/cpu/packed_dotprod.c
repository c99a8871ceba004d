/* Products with packed weights: dot products of bytes. Integers of 16 digits are two bytes, 256 * high + low,
 * each multiplied on its own. */
#include <string.h>

#include "kernels/cpu/simd_neon.h"
#include "kernels/cpu/simd_types.h"

enum { TILE_M = 4, TILE_PANELS = 1, FEW_ROWS = 1 };

#define BYTE_DOTS 1
#define UNSIGNED_BIAS(digits) 0

typedef int32x4_t vi;
typedef int8x16_t vb;

LT_INLINE vi vi_zero(void) { return vdupq_n_s32(0); }
LT_INLINE void vi_store(int32_t *p, vi v) { vst1q_s32(p, v); }
LT_INLINE vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
LT_INLINE vi vi_round(vf v) { return vcvtnq_s32_f32(v); }
LT_INLINE vf vi_to_vf(vi v) { return vcvtq_f32_s32(v); }
LT_INLINE int32_t vi_total(vi v) { return vaddvq_s32(v); }

LT_INLINE vf vf_load_u8(const uint8_t *p) { return (vf){(float)p[0], (float)p[1], (float)p[2], (float)p[3]}; }
LT_INLINE vf vf_load_s8(const uint8_t *p)
{
    return (vf){(float)(int8_t)p[0], (float)(int8_t)p[1], (float)(int8_t)p[2], (float)(int8_t)p[3]};
}

LT_INLINE vb vb_load(const uint8_t *p) { return vreinterpretq_s8_u8(vld1q_u8(p)); }
LT_INLINE vb vb_and(vb v, int byte) { return vandq_s8(v, vdupq_n_s8((int8_t)byte)); }
LT_INLINE vb vb_or(vb a, vb b) { return vorrq_s8(a, b); }
LT_INLINE vb vb_shift(vb v, int n)
{
    return vreinterpretq_s8_u16(vshlq_u16(vreinterpretq_u16_s8(v), vdupq_n_s16((int16_t)n)));
}
LT_INLINE vb vb_shr(vb v, int n) { return vb_shift(v, -n); }
LT_INLINE vb vb_shl(vb v, int n) { return vb_shift(v, n); }

typedef struct quad {
    vb low, high; /* weights have `low` alone, and so has x of 8 digits */
} quad;
typedef struct acc {
    vi low, high;
} acc;

LT_INLINE acc acc_start(int32_t first) { return (acc){vdupq_n_s32(first), vi_zero()}; }
LT_INLINE vi acc_sum(int digits, acc sum)
{
    return digits == LT_DIGITS_8 ? sum.low : vaddq_s32(sum.low, vshlq_n_s32(sum.high, 8));
}

LT_INLINE quad quad_of_weights(int digits, vb bytes, bool is_signed)
{
    (void)digits, (void)is_signed;
    return (quad){bytes, bytes};
}

/* Four bytes in all lanes. */
LT_INLINE vb word_at(const int8_t *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return vreinterpretq_s8_s32(vdupq_n_s32(word));
}

LT_INLINE quad quad_of_x(int digits, const lt_xgroup *group, int q)
{
    const int8_t *at = (const int8_t *)group->value + 4 * q;
    vb low = word_at(at);
    return (quad){low, digits == LT_DIGITS_8 ? low : word_at(at + LT_GROUP)};
}

LT_INLINE acc dot(int digits, acc sum, quad w, quad x)
{
    sum.low = vdotq_s32(sum.low, w.low, x.low);
    if (digits == LT_DIGITS_16) sum.high = vdotq_s32(sum.high, w.low, x.high);
    return sum;
}

/* The low bytes of all columns, then the high ones. */
LT_INLINE void order_x(int digits, const int32_t *values, lt_xgroup *group)
{
    int8_t *bytes = (int8_t *)group->value;
    for (int i = 0; i < LT_GROUP; i++) {
        bytes[i] = (int8_t)values[i];
        if (digits == LT_DIGITS_16) bytes[LT_GROUP + i] = (int8_t)((values[i] - bytes[i]) >> 8);
    }
}

#define FILL lt_cpu_fill_packed_dotprod
#include "kernels/cpu/packed.tmpl.h"
