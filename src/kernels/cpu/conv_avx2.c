/* Convolution of channels in blocks. */
#include "kernels/cpu/simd_avx2.h"

enum { TILE_B = 1, TILE_P = 6 };
#define BLOCKS(f) f(1)
#define PIXELS(f, b) f(b, 1) f(b, 2) f(b, 3) f(b, 4) f(b, 5) f(b, 6)
#define FILL lt_cpu_fill_conv_avx2
#include "kernels/cpu/conv.tmpl.h"
