/* Kernels for Armv8 with the int8 and bfloat16 matrix extensions. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_i8mm(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_i8mm(kernels);
    lt_cpu_fill_attention_i8mm(kernels);
}
