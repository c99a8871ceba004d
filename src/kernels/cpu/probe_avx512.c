/* Limits of the machine. */
#include "kernels/cpu/simd_avx512.h"

#define FILL lt_cpu_fill_probe_avx512
#include "kernels/cpu/probe.tmpl.h"
