/* Kernels for AVX-512 F, BW, DQ, VL. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_avx512(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_avx512(kernels);
    lt_cpu_fill_packed_avx512(kernels);
    lt_cpu_fill_attention_avx512(kernels);
    lt_cpu_fill_rows_avx512(kernels);
    lt_cpu_fill_conv_avx512(kernels);
    lt_cpu_fill_blocks_avx512(kernels);
    lt_cpu_fill_winograd_avx512(kernels);
    lt_cpu_fill_probe_avx512(kernels);
}
