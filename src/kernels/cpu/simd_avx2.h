/* Vectors of 8 floats for the templates, on AVX2, FMA and F16C. The other simd_*.h give the same names;
 * `part` forms touch the first n elements only (0 < n < LANES) and read the rest as 0. */
#ifndef LT_SIMD_AVX2_H
#define LT_SIMD_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8, REGISTERS = 16 };
typedef __m256 vf;
typedef __m256 vmask; /* all ones where true */

static inline vf vf_zero(void) { return _mm256_setzero_ps(); }
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }

/* Keeps a value in a register where the compiler would rather load it at every use. */
static inline vf vf_keep(vf v)
{
    __asm__("" : "+x"(v));
    return v;
}

static inline __m256i part_mask(int64_t n)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(ones + 8 - n));
}
static inline vf vf_load_part(const float *p, int64_t n) { return _mm256_maskload_ps(p, part_mask(n)); }
static inline void vf_store_part(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, part_mask(n), v); }

/* Eight 16-bit elements, by pieces of 4, 2 and 1: there is no masked load of that width. */
static inline __m128i load_u16_part(const uint16_t *p, int64_t n)
{
    uint16_t t[8] = {0};
    int64_t i = 0;
    if (n & 4) memcpy(t, p, 8), i = 4;
    if (n & 2) memcpy(t + i, p + i, 4), i += 2;
    if (n & 1) t[i] = p[i];
    return _mm_loadu_si128((const __m128i *)t);
}
static inline void store_u16_part(uint16_t *p, __m128i v, int64_t n)
{
    uint16_t t[8];
    int64_t i = 0;
    _mm_storeu_si128((__m128i *)t, v);
    if (n & 4) memcpy(p, t, 8), i = 4;
    if (n & 2) memcpy(p + i, t + i, 4), i += 2;
    if (n & 1) p[i] = t[i];
}

static inline vf from_i8(__m128i v) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)); }
static inline vf vf_load_i8(const int8_t *p) { return from_i8(_mm_loadl_epi64((const __m128i *)p)); }
static inline vf vf_load_i8_part(const int8_t *p, int64_t n)
{
    int8_t t[8] = {0};
    int64_t i = 0;
    if (n & 4) memcpy(t, p, 4), i = 4;
    if (n & 2) memcpy(t + i, p + i, 2), i += 2;
    if (n & 1) t[i] = p[i];
    return vf_load_i8(t);
}

static inline vf from_bf16(__m128i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}
static inline vf vf_load_bf16(const uint16_t *p) { return from_bf16(_mm_loadu_si128((const __m128i *)p)); }
static inline vf vf_load_bf16_part(const uint16_t *p, int64_t n) { return from_bf16(load_u16_part(p, n)); }

/* Round to nearest even; a NaN stays one (made quiet). */
static inline __m128i to_bf16(vf v)
{
    __m256i bits = _mm256_castps_si256(v);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
}
static inline void vf_store_bf16(uint16_t *p, vf v) { _mm_storeu_si128((__m128i *)p, to_bf16(v)); }
static inline void vf_store_bf16_part(uint16_t *p, vf v, int64_t n) { store_u16_part(p, to_bf16(v), n); }

static inline vf from_f16(__m128i v) { return _mm256_cvtph_ps(v); }
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vf vf_load_f16_part(const uint16_t *p, int64_t n)
{
    return _mm256_cvtph_ps(load_u16_part(p, n));
}
static inline __m128i to_f16(vf v)
{
    return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline void vf_store_f16(uint16_t *p, vf v) { _mm_storeu_si128((__m128i *)p, to_f16(v)); }
static inline void vf_store_f16_part(uint16_t *p, vf v, int64_t n) { store_u16_part(p, to_f16(v), n); }

static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); } /* a * b + c */

/* The larger and the smaller; where one is NaN, the second. */
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }

/* To the nearest integer, halves to even. */
static inline vf vf_round(vf v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* v * 2^n for integers -252 <= n <= 254; in two steps, so that results may be subnormal or infinite. */
static inline vf vf_scale(vf v, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

static inline vf vf_sqrt(vf v) { return _mm256_sqrt_ps(v); }
static inline vf vf_neg(vf v) { return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f)); }
static inline vf vf_abs(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
static inline vf vf_copysign(vf v, vf sign)
{
    vf bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, v), _mm256_and_ps(bit, sign));
}
static inline vmask vf_less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vmask vf_isnan(vf v) { return _mm256_cmp_ps(v, v, _CMP_UNORD_Q); }
static inline vf vf_select(vmask mask, vf yes, vf no) { return _mm256_blendv_ps(no, yes, mask); }

/* Lanes added half to half: lane 0 with lane LANES / 2 first. */
static inline float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The sums of four vectors. */
static inline void vf_store_sums(float *p, vf a, vf b, vf c, vf d)
{
    vf s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}

/* The largest lane; NaN lanes may be passed over. */
static inline float vf_largest(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* Rows become columns: t[i][j] = v[j][i]. */
static inline void vf_transpose(vf v[LANES])
{
    vf a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
        b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
        b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
        b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

#endif
