/* Transforms of Winograd's convolution. */
#include "kernels/cpu/simd_avx2.h"

#define FILL lt_cpu_fill_winograd_avx2
#include "kernels/cpu/winograd.tmpl.h"
