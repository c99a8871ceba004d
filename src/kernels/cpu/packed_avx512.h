/* Vectors of int32 and of bytes for packed.tmpl.h on AVX-512. */
#ifndef LT_PACKED_AVX512_H
#define LT_PACKED_AVX512_H

#include <string.h>

#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/simd_types.h"

typedef __m512i vi, vb;
/* Shifts are written on this: the intrinsics want literal counts where nothing is inlined. */
typedef uint16_t pairs __attribute__((vector_size(64)));

LT_INLINE vi vi_zero(void) { return _mm512_setzero_si512(); }
LT_INLINE vi vi_set(int32_t x) { return _mm512_set1_epi32(x); }
LT_INLINE void vi_store(int32_t *p, vi v) { _mm512_storeu_si512(p, v); }
LT_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
LT_INLINE vi vi_round(vf v) { return _mm512_cvtps_epi32(v); }
LT_INLINE vf vi_to_vf(vi v) { return _mm512_cvtepi32_ps(v); }
LT_INLINE int32_t vi_total(vi v) { return _mm512_reduce_add_epi32(v); }

LT_INLINE __m128i load_16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
LT_INLINE vf vf_load_u8(const uint8_t *p) { return vi_to_vf(_mm512_cvtepu8_epi32(load_16(p))); }
LT_INLINE vf vf_load_s8(const uint8_t *p) { return vi_to_vf(_mm512_cvtepi8_epi32(load_16(p))); }

LT_INLINE vb vb_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
LT_INLINE vb vb_and(vb v, int byte) { return _mm512_and_si512(v, _mm512_set1_epi8((char)byte)); }
LT_INLINE vb vb_or(vb a, vb b) { return _mm512_or_si512(a, b); }
LT_INLINE vb vb_shr(vb v, int n) { return (vb)((pairs)v >> n); }
LT_INLINE vb vb_shl(vb v, int n) { return (vb)((pairs)v << n); }

LT_INLINE vi even_bytes(vb v, bool is_signed)
{
    return is_signed ? _mm512_srai_epi16(_mm512_slli_epi16(v, 8), 8)
                     : _mm512_and_si512(v, _mm512_set1_epi16(255));
}
LT_INLINE vi odd_bytes(vb v, bool is_signed)
{
    return is_signed ? _mm512_srai_epi16(v, 8) : _mm512_srli_epi16(v, 8);
}

#endif
