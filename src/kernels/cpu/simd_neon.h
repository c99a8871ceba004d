/* Vectors of 4 floats for the templates, on Armv8 Advanced SIMD. See simd_avx2.h. */
#ifndef LT_SIMD_NEON_H
#define LT_SIMD_NEON_H

#include <arm_neon.h>
#include <stdint.h>

enum { LANES = 4, REGISTERS = 32 };
typedef float32x4_t vf;
typedef uint32x4_t vmask; /* all ones where true */

static inline vf vf_zero(void) { return vdupq_n_f32(0); }
static inline vf vf_set(float x) { return vdupq_n_f32(x); }
static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, vf v) { vst1q_f32(p, v); }

/* Keeps a value in a register where the compiler would rather load it at every use. */
static inline vf vf_keep(vf v)
{
    __asm__("" : "+w"(v));
    return v;
}

static inline vf vf_load_part(const float *p, int64_t n)
{
    vf v = vld1q_lane_f32(p, vdupq_n_f32(0), 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}
static inline void vf_store_part(float *p, vf v, int64_t n)
{
    vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
}
static inline uint16x4_t load_u16_part(const uint16_t *p, int64_t n)
{
    uint16x4_t v = vld1_lane_u16(p, vdup_n_u16(0), 0);
    if (n > 1) v = vld1_lane_u16(p + 1, v, 1);
    if (n > 2) v = vld1_lane_u16(p + 2, v, 2);
    return v;
}
static inline void store_u16_part(uint16_t *p, uint16x4_t v, int64_t n)
{
    vst1_lane_u16(p, v, 0);
    if (n > 1) vst1_lane_u16(p + 1, v, 1);
    if (n > 2) vst1_lane_u16(p + 2, v, 2);
}

static inline vf vf_load_i8(const int8_t *p)
{
    uint64_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four)))));
}
static inline vf vf_load_i8_part(const int8_t *p, int64_t n)
{
    int8_t t[4] = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
    return vf_load_i8(t);
}

static inline vf from_bf16(uint16x4_t v) { return vreinterpretq_f32_u32(vshll_n_u16(v, 16)); }
static inline vf vf_load_bf16(const uint16_t *p) { return from_bf16(vld1_u16(p)); }
static inline vf vf_load_bf16_part(const uint16_t *p, int64_t n) { return from_bf16(load_u16_part(p, n)); }

/* Round to nearest even; a NaN stays one (made quiet). */
static inline uint16x4_t to_bf16(vf v)
{
    uint32x4_t bits = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16);
}
static inline void vf_store_bf16(uint16_t *p, vf v) { vst1_u16(p, to_bf16(v)); }
static inline void vf_store_bf16_part(uint16_t *p, vf v, int64_t n) { store_u16_part(p, to_bf16(v), n); }

static inline vf from_f16(uint16x4_t v) { return vcvt_f32_f16(vreinterpret_f16_u16(v)); }
static inline vf vf_load_f16(const uint16_t *p) { return from_f16(vld1_u16(p)); }
static inline vf vf_load_f16_part(const uint16_t *p, int64_t n) { return from_f16(load_u16_part(p, n)); }
static inline uint16x4_t to_f16(vf v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }
static inline void vf_store_f16(uint16_t *p, vf v) { vst1_u16(p, to_f16(v)); }
static inline void vf_store_f16_part(uint16_t *p, vf v, int64_t n) { store_u16_part(p, to_f16(v), n); }

static inline vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); } /* a * b + c */

/* The larger and the smaller; where one is NaN, the second. */
static inline vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vf vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }

/* To the nearest integer, halves to even. */
static inline vf vf_round(vf v) { return vrndnq_f32(v); }

/* v * 2^n for integers -252 <= n <= 254; in two steps, so that results may be subnormal or infinite. */
static inline vf vf_scale(vf v, vf n)
{
    int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1), bias = vdupq_n_s32(127);
    int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
    int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
    return vmulq_f32(vmulq_f32(v, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
}

static inline vf vf_sqrt(vf v) { return vsqrtq_f32(v); }
static inline vf vf_neg(vf v) { return vnegq_f32(v); }
static inline vf vf_abs(vf v) { return vabsq_f32(v); }
static inline vf vf_copysign(vf v, vf sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, v); }
static inline vmask vf_less(vf a, vf b) { return vcltq_f32(a, b); }
static inline vmask vf_isnan(vf v) { return vmvnq_u32(vceqq_f32(v, v)); }
static inline vf vf_select(vmask mask, vf yes, vf no) { return vbslq_f32(mask, yes, no); }

/* Lanes added half to half: lane 0 with lane LANES / 2 first. */
static inline float vf_sum(vf v)
{
    float32x2_t s = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}

/* The sums of four vectors. */
static inline void vf_store_sums(float *p, vf a, vf b, vf c, vf d)
{
    vst1q_f32(p, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

/* The largest lane; NaN lanes may be passed over. */
static inline float vf_largest(vf v) { return vmaxvq_f32(v); }

/* Rows become columns: t[i][j] = v[j][i]. */
static inline void vf_transpose(vf v[LANES])
{
    float32x4x2_t a = vtrnq_f32(v[0], v[1]), b = vtrnq_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    v[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    v[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    v[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#endif
