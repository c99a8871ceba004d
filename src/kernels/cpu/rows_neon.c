/* Elementwise functions, norms, softmax. */
#include "kernels/cpu/simd_neon.h"

#define FILL lt_cpu_fill_rows_neon
#include "kernels/cpu/rows.tmpl.h"
