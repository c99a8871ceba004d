/* bfloat16 and float16 to and from float32: round to nearest even, infinities and NaN kept. */
#ifndef LT_HALF_H
#define LT_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t lt_f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float lt_f32_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float lt_bf16_to_f32(uint16_t x) { return lt_f32_from_bits((uint32_t)x << 16); }

static inline uint16_t lt_f32_to_bf16(float x)
{
    uint32_t bits = lt_f32_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u); /* quiet NaN */
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/* The multiplication puts the exponent right, for subnormals too; branch-free, so that rows vectorise. */
static inline float lt_f16_to_f32(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, magnitude = x & 0x7fffu;
    uint32_t scaled = lt_f32_bits(lt_f32_from_bits(magnitude << 13) * 0x1p112f);
    return lt_f32_from_bits(sign | (magnitude >= 0x7c00u ? 0x7f800000u | magnitude << 13 : scaled));
}

static inline uint16_t lt_f32_to_f16(float x)
{
    uint32_t bits = lt_f32_bits(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds past 65504 */
    if (magnitude < 0x38800000u) {                          /* subnormal: let the FPU round to the grid */
        float shifted = lt_f32_from_bits(magnitude) + 0.5f; /* one ulp of 0.5f is the subnormal step, 2^-24 */
        return (uint16_t)(sign | (lt_f32_bits(shifted) - 0x3f000000u));
    }
    uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

#endif
