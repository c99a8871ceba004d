/* What works on one block of channels. */
#include "kernels/cpu/simd_neon.h"

enum { DEPTH_P = 4 };
#define FILL lt_cpu_fill_blocks_neon
#include "kernels/cpu/blocks.tmpl.h"
