/* Kernels for Armv8 Advanced SIMD. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_neon(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_neon(kernels);
    lt_cpu_fill_attention_neon(kernels);
    lt_cpu_fill_rows_neon(kernels);
    lt_cpu_fill_conv_neon(kernels);
    lt_cpu_fill_blocks_neon(kernels);
    lt_cpu_fill_winograd_neon(kernels);
    lt_cpu_fill_probe_neon(kernels);
}
