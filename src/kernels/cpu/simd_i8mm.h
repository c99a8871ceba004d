/* Vectors of 4 pairs of bfloat16, beside those of 4 floats, on Armv8 with bfloat16 products. */
#ifndef LT_SIMD_I8MM_H
#define LT_SIMD_I8MM_H

#include <stddef.h>

#include "kernels/cpu/simd_neon.h"

/* Pairs travel as the bits of a float. */
static inline vf vf_load_pairs(const uint16_t *p) { return vreinterpretq_f32_u16(vld1q_u16(p)); }
static inline vf vf_load_pairs_part(const uint16_t *p, int64_t n)
{
    uint16_t pairs[2 * LANES] = {0};
    __builtin_memcpy(pairs, p, (size_t)n * sizeof(uint32_t));
    return vf_load_pairs(pairs);
}
static inline vf vf_set_pair(const uint16_t *p)
{
    uint32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return vreinterpretq_f32_u32(vdupq_n_u32(pair));
}
static inline vf vf_fma_pairs(vf a, vf b, vf c) /* a * b + c */
{
    return vbfdotq_f32(c, vreinterpretq_bf16_f32(a), vreinterpretq_bf16_f32(b));
}

/* 8 numbers, of which the first n count; zeros behind. */
static inline vf vf_load_halves(const uint16_t *p, int64_t n)
{
    uint16_t part[2 * LANES] = {0};
    if (n >= 2 * LANES) return vf_load_pairs(p);
    __builtin_memcpy(part, p, (size_t)n * sizeof *p);
    return vf_load_pairs(part);
}

/* 8 numbers of two rows, as pairs of one of each: those of columns 0 … 3, and of 4 … 7. */
static inline void vf_join_rows(vf a, vf b, vf out[2])
{
    uint16x8_t x = vreinterpretq_u16_f32(a), y = vreinterpretq_u16_f32(b);
    out[0] = vreinterpretq_f32_u16(vzip1q_u16(x, y));
    out[1] = vreinterpretq_f32_u16(vzip2q_u16(x, y));
}

/* 8 floats as bfloat16, to the nearest, ties to even. */
static inline void vf_store_as_bf16(uint16_t *p, vf low, vf high)
{
    vf_store_bf16(p, low);
    vf_store_bf16(p + LANES, high);
}

#endif
