/* Elementwise functions, norms, softmax. */
#include "kernels/cpu/simd_avx2.h"

#define FILL lt_cpu_fill_rows_avx2
#include "kernels/cpu/rows.tmpl.h"
