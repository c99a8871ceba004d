/* Convolution of channels in blocks. */
#include "kernels/cpu/simd_avx512.h"

enum { TILE_B = 2, TILE_P = 14 };
#define BLOCKS(f) f(1) f(2)
#define PIXELS(f, b)                                                                                   \
    f(b, 1) f(b, 2) f(b, 3) f(b, 4) f(b, 5) f(b, 6) f(b, 7) f(b, 8) f(b, 9) f(b, 10) f(b, 11) f(b, 12) \
        f(b, 13) f(b, 14)
#define FILL lt_cpu_fill_conv_avx512
#include "kernels/cpu/conv.tmpl.h"
