/* What works on one block of channels. */
#include "kernels/cpu/simd_avx2.h"

enum { DEPTH_P = 4 };
#define FILL lt_cpu_fill_blocks_avx2
#include "kernels/cpu/blocks.tmpl.h"
