/* Vectors of 16 floats for the templates, on AVX-512 F, BW, DQ and VL. See simd_avx2.h. */
#ifndef LT_SIMD_AVX512_H
#define LT_SIMD_AVX512_H

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 16, REGISTERS = 32 };
typedef __m512 vf;
typedef __mmask16 vmask;

static inline vf vf_zero(void) { return _mm512_setzero_ps(); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }

/* Keeps a value in a register where the compiler would rather load it at every use. */
static inline vf vf_keep(vf v)
{
    __asm__("" : "+v"(v));
    return v;
}

static inline __mmask16 part_mask(int64_t n) { return (__mmask16)((1u << n) - 1); }
static inline vf vf_load_part(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(part_mask(n), p); }
static inline void vf_store_part(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, part_mask(n), v); }

static inline vf from_i8(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v)); }
static inline vf vf_load_i8(const int8_t *p) { return from_i8(_mm_loadu_si128((const __m128i *)p)); }
static inline vf vf_load_i8_part(const int8_t *p, int64_t n)
{
    return from_i8(_mm_maskz_loadu_epi8(part_mask(n), p));
}

static inline vf from_bf16(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}
static inline vf vf_load_bf16(const uint16_t *p) { return from_bf16(_mm256_loadu_si256((const __m256i *)p)); }
static inline vf vf_load_bf16_part(const uint16_t *p, int64_t n)
{
    return from_bf16(_mm256_maskz_loadu_epi16(part_mask(n), p));
}

/* Round to nearest even; a NaN stays one (made quiet). */
static inline __m256i to_bf16(vf v)
{
    __m512i bits = _mm512_castps_si512(v);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
static inline void vf_store_bf16(uint16_t *p, vf v) { _mm256_storeu_si256((__m256i *)p, to_bf16(v)); }
static inline void vf_store_bf16_part(uint16_t *p, vf v, int64_t n)
{
    _mm256_mask_storeu_epi16(p, part_mask(n), to_bf16(v));
}

static inline vf from_f16(__m256i v) { return _mm512_cvtph_ps(v); }
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_load_f16_part(const uint16_t *p, int64_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(part_mask(n), p));
}
static inline __m256i to_f16(vf v)
{
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline void vf_store_f16(uint16_t *p, vf v) { _mm256_storeu_si256((__m256i *)p, to_f16(v)); }
static inline void vf_store_f16_part(uint16_t *p, vf v, int64_t n)
{
    _mm256_mask_storeu_epi16(p, part_mask(n), to_f16(v));
}

static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); } /* a * b + c */

/* The larger and the smaller; where one is NaN, the second. */
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }

/* To the nearest integer, halves to even. */
static inline vf vf_round(vf v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* v * 2^n for integers n. */
static inline vf vf_scale(vf v, vf n) { return _mm512_scalef_ps(v, n); }

static inline vf vf_sqrt(vf v) { return _mm512_sqrt_ps(v); }
static inline vf vf_neg(vf v) { return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f)); }
static inline vf vf_abs(vf v) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), v); }
static inline vf vf_copysign(vf v, vf sign)
{
    vf bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, v), _mm512_and_ps(bit, sign));
}
static inline vmask vf_less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vmask vf_isnan(vf v) { return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q); }
static inline vf vf_select(vmask mask, vf yes, vf no) { return _mm512_mask_blend_ps(mask, no, yes); }

/* Lanes added half to half: lane 0 with lane LANES / 2 first. */
static inline float vf_sum(vf v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The sums of four vectors. */
static inline void vf_store_sums(float *p, vf a, vf b, vf c, vf d)
{
    __m256 a2 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m256 b2 = _mm256_add_ps(_mm512_castps512_ps256(b), _mm512_extractf32x8_ps(b, 1));
    __m256 c2 = _mm256_add_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps(c, 1));
    __m256 d2 = _mm256_add_ps(_mm512_castps512_ps256(d), _mm512_extractf32x8_ps(d, 1));
    __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(a2, b2), _mm256_hadd_ps(c2, d2));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}

/* The largest lane; NaN lanes may be passed over. */
static inline float vf_largest(vf v)
{
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* Rows become columns: t[i][j] = v[j][i]. */
static inline void vf_transpose(vf v[LANES])
{
    vf a[16], b[16];
    for (int i = 0; i < 8; i++) {
        a[2 * i] = _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) { /* b[4 i + c]: columns c, c + 4, c + 8, c + 12 of rows 4 i … 4 i + 3 */
        b[4 * i] = _mm512_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
        b[4 * i + 1] = _mm512_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
        b[4 * i + 2] = _mm512_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
        b[4 * i + 3] = _mm512_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    }
    for (int c = 0; c < 4; c++) {
        vf low0 = _mm512_shuffle_f32x4(b[c], b[4 + c], 0x44),
           high0 = _mm512_shuffle_f32x4(b[c], b[4 + c], 0xee);
        vf low1 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0x44),
           high1 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0xee);
        v[c] = _mm512_shuffle_f32x4(low0, low1, 0x88);
        v[4 + c] = _mm512_shuffle_f32x4(low0, low1, 0xdd);
        v[8 + c] = _mm512_shuffle_f32x4(high0, high1, 0x88);
        v[12 + c] = _mm512_shuffle_f32x4(high0, high1, 0xdd);
    }
}

#endif
