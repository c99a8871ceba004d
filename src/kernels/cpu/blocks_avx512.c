/* What works on one block of channels. */
#include "kernels/cpu/simd_avx512.h"

enum { DEPTH_P = 8 };
#define FILL lt_cpu_fill_blocks_avx512
#include "kernels/cpu/blocks.tmpl.h"
