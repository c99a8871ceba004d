/* Transforms of Winograd's convolution. */
#include "kernels/cpu/simd_neon.h"

#define FILL lt_cpu_fill_winograd_neon
#include "kernels/cpu/winograd.tmpl.h"
