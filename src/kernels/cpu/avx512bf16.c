/* Kernels for AVX-512 with BF16 and VNNI. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_avx512bf16(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_avx512bf16(kernels);
    lt_cpu_fill_packed_avx512bf16(kernels);
    lt_cpu_fill_attention_avx512bf16(kernels);
}
