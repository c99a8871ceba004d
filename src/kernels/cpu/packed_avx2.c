/* Products with packed weights: 16-bit multiply-adds. */
#include "kernels/cpu/simd_avx2.h"

#include "kernels/cpu/simd_types.h"

enum { TILE_M = 3, TILE_PANELS = 1, FEW_ROWS = 1 };

typedef __m256i vi, vb;

LT_INLINE vi vi_zero(void) { return _mm256_setzero_si256(); }
LT_INLINE vi vi_set(int32_t x) { return _mm256_set1_epi32(x); }
LT_INLINE void vi_store(int32_t *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
LT_INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
LT_INLINE vi vi_round(vf v) { return _mm256_cvtps_epi32(v); }
LT_INLINE vf vi_to_vf(vi v) { return _mm256_cvtepi32_ps(v); }
LT_INLINE int32_t vi_total(vi v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

LT_INLINE __m128i load_8(const uint8_t *p) { return _mm_loadl_epi64((const __m128i *)(const void *)p); }
LT_INLINE vf vf_load_u8(const uint8_t *p) { return vi_to_vf(_mm256_cvtepu8_epi32(load_8(p))); }
LT_INLINE vf vf_load_s8(const uint8_t *p) { return vi_to_vf(_mm256_cvtepi8_epi32(load_8(p))); }

LT_INLINE vb vb_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
LT_INLINE vb vb_and(vb v, int byte) { return _mm256_and_si256(v, _mm256_set1_epi8((char)byte)); }
LT_INLINE vb vb_or(vb a, vb b) { return _mm256_or_si256(a, b); }
LT_INLINE vb vb_shr(vb v, int n) { return _mm256_srli_epi16(v, n); }
LT_INLINE vb vb_shl(vb v, int n) { return _mm256_slli_epi16(v, n); }

LT_INLINE vi dot_16(vi sum, vi a, vi b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
LT_INLINE vi even_bytes(vb v, bool is_signed)
{
    return is_signed ? _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8)
                     : _mm256_and_si256(v, _mm256_set1_epi16(255));
}
LT_INLINE vi odd_bytes(vb v, bool is_signed)
{
    return is_signed ? _mm256_srai_epi16(v, 8) : _mm256_srli_epi16(v, 8);
}

#define BYTE_DOTS 0
#include "kernels/cpu/packed_pairs.h"

#define FILL lt_cpu_fill_packed_avx2
#include "kernels/cpu/packed.tmpl.h"
