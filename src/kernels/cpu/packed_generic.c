/* Products with packed weights in portable C: what the levels are tested against. */
#include <math.h>

#include "kernels/cpu/cpu.h"

/* Groups whose largest element is less count as zero: nothing of them would be left in a float32 sum. */
static const float least_scale = 1e-30f;

static void quantize(const float *x, int64_t k, float limit, lt_xgroup *out)
{
    for (int64_t at = 0; at < k; at += LT_GROUP, out++) {
        int n = (int)lt_min_i64(LT_GROUP, k - at);
        float largest = 0, poison = 0;
        for (int i = 0; i < n; i++) {
            float magnitude = fabsf(x[at + i]);
            largest = magnitude > largest ? magnitude : largest;
            poison += 0 * magnitude;
        }
        *out = (lt_xgroup){.scale = poison, .sum = poison};
        if (poison != 0 || largest < least_scale) continue;
        float inverse = limit / largest;
        for (int i = 0; i < n; i++) {
            out->value[i] = (int16_t)rintf(x[at + i] * inverse);
            out->total += out->value[i];
            if (i < LT_GROUP / 2) out->half += out->value[i];
        }
        out->scale = largest / limit;
        out->sum = out->scale * (float)out->total;
    }
}

static void quantize_16(const float *x, int64_t k, lt_xgroup *out) { quantize(x, k, 32639, out); }
static void quantize_8(const float *x, int64_t k, lt_xgroup *out) { quantize(x, k, 127, out); }

/* What a group of x adds to one element. */
static float group_product(const lt_packing_info *info, const lt_xgroup *x, const int8_t *w,
                           const float scale[2], float min)
{
    enum { HALF = LT_GROUP / 2 };
    int32_t half[2] = {0};
    for (int i = 0; i < LT_GROUP; i++) half[i / HALF] += x->value[i] * (w[i] - info->zero);
    if (!info->halves) return (float)(half[0] + half[1]) * x->scale * scale[0] + x->sum * min;
    return (float)half[0] * x->scale * scale[0] + (float)half[1] * x->scale * scale[1];
}

/* Adds block by block to the result, so that each block of weights is unpacked once. */
static void add_block(const lt_packed_gemm *g, int64_t n, int64_t block)
{
    const lt_packing_info *info = &lt_packing_table[g->w->packing];
    int64_t groups = lt_packed_groups(g->w->k), first = block * info->block_groups;
    lt_block_row row = {0};
    float scale[LT_BLOCK_HALVES], min[LT_BLOCK_HALVES / 2];
    lt_packed_get(g->w, n, block, &row);
    lt_block_scales(g->w->packing, &row, scale, min);
    for (int64_t m = 0; m < g->m; m++) {
        float sum = 0;
        for (int64_t j = 0; j < lt_min_i64(info->block_groups, groups - first); j++)
            sum += group_product(info, &g->x[m * groups + first + j], row.value + LT_GROUP * j, scale + 2 * j,
                                 min[j]);
        g->out[m * g->out_stride + n] += sum;
    }
}

static void packed_gemm(const lt_packed_gemm *g, int64_t n0, int64_t n1)
{
    int64_t columns = LT_GROUP * lt_packing_table[g->w->packing].block_groups;
    for (int64_t n = n0; n < n1; n++) {
        for (int64_t m = 0; m < g->m; m++) g->out[m * g->out_stride + n] = 0;
        for (int64_t k = 0; k < g->w->k; k += columns) add_block(g, n, k / columns);
        for (int64_t m = 0; g->bias && m < g->m; m++) g->out[m * g->out_stride + n] += g->bias[n];
    }
}

void lt_cpu_fill_packed_generic(lt_cpu_kernels *kernels)
{
    kernels->quantize[LT_DIGITS_16] = quantize_16;
    kernels->quantize[LT_DIGITS_8] = quantize_8;
    kernels->packed_gemm[LT_DIGITS_16] = kernels->packed_gemm[LT_DIGITS_8] = packed_gemm;
    kernels->packed_grain = LT_PANEL;
}
