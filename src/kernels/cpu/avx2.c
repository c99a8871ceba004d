/* Kernels for AVX2, FMA and F16C. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_avx2(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_avx2(kernels);
    lt_cpu_fill_packed_avx2(kernels);
    lt_cpu_fill_attention_avx2(kernels);
    lt_cpu_fill_rows_avx2(kernels);
    lt_cpu_fill_conv_avx2(kernels);
    lt_cpu_fill_blocks_avx2(kernels);
    lt_cpu_fill_winograd_avx2(kernels);
    lt_cpu_fill_probe_avx2(kernels);
}
