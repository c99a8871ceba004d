/* Attention. */
#include "kernels/cpu/simd_avx2.h"

#define FILL lt_cpu_fill_attention_avx2
#include "kernels/cpu/attention.tmpl.h"
