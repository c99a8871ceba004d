/* Products with row-major weights. */
#include "kernels/cpu/simd_avx512.h"

enum { TILE_M = 12, TILE_V = 2 };
#define FILL lt_cpu_fill_gemm_avx512
#include "kernels/cpu/gemm.tmpl.h"
