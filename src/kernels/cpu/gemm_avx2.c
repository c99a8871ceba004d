/* Products with row-major weights. */
#include "kernels/cpu/simd_avx2.h"

enum { TILE_M = 6, TILE_V = 2 };
#define FILL lt_cpu_fill_gemm_avx2
#include "kernels/cpu/gemm.tmpl.h"
