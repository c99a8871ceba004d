/* Products of bfloat16 with row-major bfloat16 weights, a pair in a lane. */
#include "kernels/cpu/simd_i8mm.h"

enum { TILE_M = 6, TILE_V = 4 };
#define PAIRS
#define FILL lt_cpu_fill_gemm_i8mm
#include "kernels/cpu/gemm.tmpl.h"
