/* Products with row-major weights. */
#include "kernels/cpu/simd_neon.h"

enum { TILE_M = 6, TILE_V = 4 };
#define FILL lt_cpu_fill_gemm_neon
#include "kernels/cpu/gemm.tmpl.h"
