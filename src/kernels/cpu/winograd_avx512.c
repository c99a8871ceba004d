/* Transforms of Winograd's convolution. */
#include "kernels/cpu/simd_avx512.h"

#define FILL lt_cpu_fill_winograd_avx512
#include "kernels/cpu/winograd.tmpl.h"
