/* Vectors of any storage type, over a simd_*.h that is included before. Everything is inlined with a constant
 * `type` (an lt_gemm_type; to read, LT_ATTEND_INT8 as well), so the switches cost nothing. */
#ifndef LT_SIMD_TYPES_H
#define LT_SIMD_TYPES_H

#include "kernels/cpu/cpu.h"

#define LT_INLINE static inline __attribute__((always_inline))

/* Elements i … i + LANES - 1 of an array. */
LT_INLINE vf load_as(int type, const void *array, int64_t i)
{
    switch (type) {
    case LT_GEMM_F32: return vf_load((const float *)array + i);
    case LT_GEMM_BF16: return vf_load_bf16((const uint16_t *)array + i);
    case LT_ATTEND_INT8: return vf_load_i8((const int8_t *)array + i);
    default: return vf_load_f16((const uint16_t *)array + i);
    }
}

/* The first `left` of them (all when there are more), zeros behind. */
LT_INLINE vf load_left(int type, const void *array, int64_t i, int64_t left)
{
    if (left >= LANES) return load_as(type, array, i);
    switch (type) {
    case LT_GEMM_F32: return vf_load_part((const float *)array + i, left);
    case LT_GEMM_BF16: return vf_load_bf16_part((const uint16_t *)array + i, left);
    case LT_ATTEND_INT8: return vf_load_i8_part((const int8_t *)array + i, left);
    default: return vf_load_f16_part((const uint16_t *)array + i, left);
    }
}

/* Rounded to a storage type. */
LT_INLINE vf round_as(int type, vf v)
{
    return type == LT_GEMM_F32 ? v : type == LT_GEMM_BF16 ? from_bf16(to_bf16(v)) : from_f16(to_f16(v));
}

LT_INLINE void store_as(int type, void *array, int64_t i, vf v)
{
    switch (type) {
    case LT_GEMM_F32: vf_store((float *)array + i, v); break;
    case LT_GEMM_BF16: vf_store_bf16((uint16_t *)array + i, v); break;
    default: vf_store_f16((uint16_t *)array + i, v); break;
    }
}

LT_INLINE void store_left(int type, void *array, int64_t i, int64_t left, vf v)
{
    if (left >= LANES) {
        store_as(type, array, i, v);
        return;
    }
    switch (type) {
    case LT_GEMM_F32: vf_store_part((float *)array + i, v, left); break;
    case LT_GEMM_BF16: vf_store_bf16_part((uint16_t *)array + i, v, left); break;
    default: vf_store_f16_part((uint16_t *)array + i, v, left); break;
    }
}

LT_INLINE int64_t element_size(int type) { return type == LT_GEMM_F32 ? 4 : type == LT_ATTEND_INT8 ? 1 : 2; }

/* An element's address. */
LT_INLINE const void *element_at(int type, const void *array, int64_t i)
{
    return (const char *)array + i * element_size(type);
}

#endif
