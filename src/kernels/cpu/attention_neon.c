/* Attention. */
#include "kernels/cpu/simd_neon.h"

#define FILL lt_cpu_fill_attention_neon
#include "kernels/cpu/attention.tmpl.h"
