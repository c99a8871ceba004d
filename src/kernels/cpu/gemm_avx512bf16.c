/* Products of bfloat16 with row-major bfloat16 weights, a pair in a lane. */
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

enum { TILE_M = 12, TILE_V = 2 };
#define PAIRS
#define FILL lt_cpu_fill_gemm_avx512bf16
#include "kernels/cpu/gemm.tmpl.h"
