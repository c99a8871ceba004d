/* Portable C for every slot: what the levels are tested against. */
#include "base/half.h"
#include "kernels/cpu/cpu.h"

enum { LANES = 16 };

/* Sums in LANES chains, so the order is fixed and compilers can vectorise. */
#define DEFINE_GEMM(name, type, to_float)                                                    \
    static void name(const lt_gemm *g, int64_t n0, int64_t n1)                               \
    {                                                                                        \
        for (int64_t n = n0; n < n1; n++) {                                                  \
            const type *w = (const type *)g->w + n * g->w_stride;                            \
            for (int64_t m = 0; m < g->m; m++) {                                             \
                const float *x = (const float *)g->x + m * g->x_stride;                      \
                float acc[LANES] = {0};                                                      \
                int64_t k = 0;                                                               \
                for (; k + LANES <= g->k; k += LANES)                                        \
                    for (int j = 0; j < LANES; j++) acc[j] += x[k + j] * to_float(w[k + j]); \
                for (int j = 0; k < g->k; k++, j++) acc[j] += x[k] * to_float(w[k]);         \
                for (int half = LANES / 2; half; half /= 2)                                  \
                    for (int j = 0; j < half; j++) acc[j] += acc[j + half];                  \
                g->out[m * g->out_stride + n] = acc[0] + (g->bias ? g->bias[n] : 0);         \
            }                                                                                \
        }                                                                                    \
    }

DEFINE_GEMM(lt_gemm_f32_generic, float, )
DEFINE_GEMM(lt_gemm_bf16_generic, uint16_t, lt_bf16_to_f32)
DEFINE_GEMM(lt_gemm_f16_generic, uint16_t, lt_f16_to_f32)

static float probe_read(const float *data, int64_t count)
{
    float sum[LANES] = {0}, total = 0;
    for (int64_t i = 0; i + LANES <= count; i += LANES)
        for (int j = 0; j < LANES; j++) sum[j] += data[i + j];
    for (int j = 0; j < LANES; j++) total += sum[j];
    return total;
}

static float probe_fma(int64_t rounds)
{
    float acc[LANES] = {0};
    for (int64_t i = 0; i < rounds; i++)
        for (int j = 0; j < LANES; j++) acc[j] = acc[j] * 0.5f + 1;
    return acc[0];
}

void lt_cpu_fill_probe_generic(lt_cpu_kernels *kernels)
{
    kernels->probe_read = probe_read;
    kernels->probe_fma = probe_fma;
    kernels->probe_fma_flops = 2 * LANES;
}

void lt_cpu_fill_gemm_generic(lt_cpu_kernels *kernels)
{
    kernels->gemm_grain = 16;
    kernels->gemm[LT_GEMM_F32] = lt_gemm_f32_generic;
    kernels->gemm[LT_GEMM_BF16] = lt_gemm_bf16_generic;
    kernels->gemm[LT_GEMM_F16] = lt_gemm_f16_generic;
}

void lt_cpu_fill_generic(lt_cpu_kernels *kernels)
{
    lt_cpu_fill_gemm_generic(kernels);
    lt_cpu_fill_packed_generic(kernels);
    lt_cpu_fill_attention_generic(kernels);
    lt_cpu_fill_rows_generic(kernels);
    lt_cpu_fill_conv_generic(kernels);
    lt_cpu_fill_blocks_generic(kernels);
    lt_cpu_fill_winograd_generic(kernels);
    lt_cpu_fill_probe_generic(kernels);
}
