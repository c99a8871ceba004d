/* Elementwise functions, norms, softmax. */
#include "kernels/cpu/simd_avx512.h"

#define FILL lt_cpu_fill_rows_avx512
#include "kernels/cpu/rows.tmpl.h"
