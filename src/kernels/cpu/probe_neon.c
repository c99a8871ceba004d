/* Limits of the machine. */
#include "kernels/cpu/simd_neon.h"

#define FILL lt_cpu_fill_probe_neon
#include "kernels/cpu/probe.tmpl.h"
