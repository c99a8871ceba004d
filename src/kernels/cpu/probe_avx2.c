/* Limits of the machine. */
#include "kernels/cpu/simd_avx2.h"

#define FILL lt_cpu_fill_probe_avx2
#include "kernels/cpu/probe.tmpl.h"
