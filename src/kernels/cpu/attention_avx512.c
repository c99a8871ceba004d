/* Attention. */
#include "kernels/cpu/simd_avx512.h"

#define FILL lt_cpu_fill_attention_avx512
#include "kernels/cpu/attention.tmpl.h"
