/* Vectors of 16 pairs of bfloat16, beside those of 16 floats, on AVX-512 with BF16. */
#ifndef LT_SIMD_AVX512BF16_H
#define LT_SIMD_AVX512BF16_H

#include "kernels/cpu/simd_avx512.h"

/* Pairs travel as the bits of a float. */
static inline vf vf_load_pairs(const uint16_t *p) { return _mm512_loadu_ps(p); }
static inline vf vf_load_pairs_part(const uint16_t *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(part_mask(n), p);
}
static inline vf vf_set_pair(const uint16_t *p)
{
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
}
static inline vf vf_fma_pairs(vf a, vf b, vf c) /* a * b + c */
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

#endif
