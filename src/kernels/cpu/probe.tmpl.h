/* The limits of the machine, as the instructions of a level reach them. The including file has a simd_*.h and
 * defines FILL. */
#include "kernels/cpu/cpu.h"

enum { CHAINS = 12 };

/* Four streams side by side, as weight rows are read. */
static float probe_read(const float *data, int64_t count)
{
    enum { STREAMS = 4, LINE = 16, AHEAD = 128 };
    vf sum[STREAMS];
    int64_t stream = count / STREAMS;
#pragma GCC unroll 4
    for (int s = 0; s < STREAMS; s++) sum[s] = vf_zero();
    for (int64_t i = 0; i + LINE <= stream; i += LINE)
#pragma GCC unroll 4
        for (int s = 0; s < STREAMS; s++) {
            __builtin_prefetch(data + s * stream + i + AHEAD);
#pragma GCC unroll 4
            for (int j = 0; j < LINE; j += LANES) sum[s] = vf_add(sum[s], vf_load(data + s * stream + i + j));
        }
    return vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

static float probe_fma(int64_t rounds)
{
    vf acc[CHAINS], half = vf_set(0.5f), one = vf_set(1);
#pragma GCC unroll 16
    for (int j = 0; j < CHAINS; j++) acc[j] = vf_set((float)j);
    for (int64_t i = 0; i < rounds; i++)
#pragma GCC unroll 16
        for (int j = 0; j < CHAINS; j++) acc[j] = vf_fma(acc[j], half, one);
    for (int j = 1; j < CHAINS; j++) acc[0] = vf_add(acc[0], acc[j]);
    return vf_sum(acc[0]);
}

void FILL(lt_cpu_kernels *kernels)
{
    kernels->probe_read = probe_read;
    kernels->probe_fma = probe_fma;
    kernels->probe_fma_flops = 2.0 * CHAINS * LANES;
}
