/* Products of bfloat16 with row-major bfloat16 weights, a pair in a lane. */
#include "kernels/cpu/simd_avx512bf16.h"

enum { TILE_M = 12, TILE_V = 2 };
#define PAIRS
#define FILL lt_cpu_fill_gemm_avx512bf16
#include "kernels/cpu/gemm.tmpl.h"
