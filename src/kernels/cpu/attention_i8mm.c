/* Attention over bfloat16 keys, the products with bfloat16 queries a pair in a lane. */
#include "kernels/cpu/simd_i8mm.h"

#define PAIRS
#define FILL lt_cpu_fill_attention_i8mm
#include "kernels/cpu/attention.tmpl.h"
