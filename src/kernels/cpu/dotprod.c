/* Kernels for the dot products of Armv8.2. */
#include "kernels/cpu/cpu.h"

void lt_cpu_fill_dotprod(lt_cpu_kernels *kernels) { lt_cpu_fill_packed_dotprod(kernels); }
