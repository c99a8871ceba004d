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

/* 32 numbers, of which the first n count; zeros behind. */
static inline vf vf_load_halves(const uint16_t *p, int64_t n)
{
    return n >= 32 ? _mm512_loadu_ps(p)
                   : _mm512_castsi512_ps(_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), p));
}

/* 32 numbers of two rows, as pairs of one of each: those of columns 0 … 15, and of 16 … 31. */
static inline void vf_join_rows(vf a, vf b, vf out[2])
{
    const __m512i odd = _mm512_set1_epi32(32 << 16); /* of an index pair, the second is of b */
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i low = _mm512_add_epi32(_mm512_or_si512(lane, _mm512_slli_epi32(lane, 16)), odd);
    __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(16 << 16 | 16));
    __m512i x = _mm512_castps_si512(a), y = _mm512_castps_si512(b);
    out[0] = _mm512_castsi512_ps(_mm512_permutex2var_epi16(x, low, y));
    out[1] = _mm512_castsi512_ps(_mm512_permutex2var_epi16(x, high, y));
}

/* 32 floats as bfloat16, to the nearest, ties to even. */
static inline void vf_store_as_bf16(uint16_t *p, vf low, vf high)
{
    _mm512_storeu_ps(p, (__m512)_mm512_cvtne2ps_pbh(high, low));
}

#endif
