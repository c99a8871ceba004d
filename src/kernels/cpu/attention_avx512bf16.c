/* Attention over bfloat16 keys, the products with bfloat16 queries a pair in a lane. */
#include "kernels/cpu/simd_avx512bf16.h"

#define PAIRS
#define FILL lt_cpu_fill_attention_avx512bf16
#include "kernels/cpu/attention.tmpl.h"
