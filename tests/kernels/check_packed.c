/* Products with packed weights. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"

static const char *const digit_names[LT_DIGITS] = {"16", "8"};
static const double digit_limits[LT_DIGITS] = {32639, 127};

/* A random row of a block: scales of ordinary size, values over their whole range. */
static void random_row(lt_packing packing, lt_block_row *row)
{
    int low = packing == LT_PACK_INT8 ? -128 : 0;
    int high = packing == LT_PACK_INT8 ? 127 : packing == LT_PACK_INT6_K ? 63 : 15;
    for (int g = 0; g < 2; g++) {
        row->scale[g] = lt_f32_to_f16(check_float());
        row->min[g] = lt_f32_to_f16(check_float());
    }
    for (int i = 0; i < LT_BLOCK_HALVES; i++)
        row->sub_scale[i] = (int8_t)(packing == LT_PACK_INT4_K ? check_range(0, 63) : check_range(-128, 127));
    for (int i = 0; i < LT_BLOCK_HALVES / 2; i++) row->sub_min[i] = (int8_t)check_range(0, 63);
    for (int i = 0; i < LT_MAX_BLOCK; i++) row->value[i] = (int8_t)check_range(low, high);
}

static lt_packed random_weights(lt_packing packing, int64_t n, int64_t k)
{
    lt_packed w = {.packing = packing, .n = n, .k = k};
    w.data = check_buffer((size_t)lt_packed_bytes(packing, n, k));
    for (int64_t r = 0; r < (n + LT_PANEL - 1) / LT_PANEL * LT_PANEL; r++)
        for (int64_t b = 0; b < lt_packed_blocks(&w); b++) {
            lt_block_row row = {0};
            if (r < n) random_row(packing, &row);
            lt_packed_put(&w, r, b, &row);
        }
    return w;
}

static void unpack_row(const lt_packed *w, int64_t row, float *out)
{
    float block[LT_MAX_BLOCK];
    for (int64_t b = 0, at = 0; b < lt_packed_blocks(w); b++) {
        int64_t n = lt_packed_floats(w, row, b, block);
        memcpy(out + at, block, sizeof(float) * (size_t)n);
        at += n;
    }
}

/* The error that rounding x brings, and that of float32 sums over the groups. */
static void compare_with_f64(const lt_packed_gemm *g, const float *x, double limit)
{
    int64_t k = g->w->k;
    float *w = check_buffer(sizeof(float) * (size_t)k);
    for (int64_t n = 0; n < g->w->n; n++) {
        unpack_row(g->w, n, w);
        for (int64_t m = 0; m < g->m; m++) {
            double sum = g->bias ? (double)g->bias[n] : 0, magnitude = fabs(sum), rounding = 0;
            for (int64_t at = 0; at < k; at += LT_GROUP) {
                double largest = 0, weights = 0;
                for (int64_t i = at; i < lt_min_i64(at + LT_GROUP, k); i++) {
                    double a = (double)x[m * k + i], product = a * (double)w[i];
                    sum += product;
                    magnitude += fabs(product);
                    largest = fabs(a) > largest ? fabs(a) : largest;
                    weights += fabs((double)w[i]);
                }
                /* Minima and values are multiplied apart: their parts may be larger than what is left. */
                rounding += 0.5 * largest / limit * weights;
                magnitude += 64 * largest * 4;
            }
            double tolerance = rounding * 1.001 + 0x1p-24 * (double)(k / LT_GROUP + 8) * magnitude;
            check_close(g->out[m * g->out_stride + n], sum, tolerance, "out", m, n);
        }
    }
}

/* In parts of one to three grains, last part first: the same bits. */
static void compare_splits(const lt_cpu_kernels *kernels, const lt_packed_gemm *g, int digits)
{
    lt_packed_gemm again = *g;
    again.out = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->out_stride + g->w->n));
    int64_t end = g->w->n;
    while (end > 0) {
        int64_t begin = (end - 1) / kernels->packed_grain - check_range(0, 2);
        begin = begin < 0 ? 0 : begin * kernels->packed_grain;
        kernels->packed_gemm[digits](&again, begin, end);
        end = begin;
    }
    for (int64_t m = 0; m < g->m; m++)
        if (memcmp(again.out + m * g->out_stride, g->out + m * g->out_stride,
                   sizeof(float) * (size_t)g->w->n) != 0)
            check_fail("row %lld depends on how the columns are split", (long long)m);
}

static void check_one(const lt_cpu_kernels *kernels, lt_packing packing, int digits, int64_t m, int64_t n,
                      int64_t k)
{
    check_case("packed gemm %s, x %s, m %lld n %lld k %lld", lt_packing_table[packing].name,
               digit_names[digits], (long long)m, (long long)n, (long long)k);
    int64_t groups = lt_packed_groups(k);
    lt_packed w = random_weights(packing, n, k);
    lt_packed_gemm g = {.m = m, .w = &w, .out_stride = n + check_range(0, 1) * check_range(1, 9)};
    float *x = check_buffer(sizeof(float) * (size_t)(m * k)),
          *bias = check_range(0, 1) ? check_buffer(sizeof(float) * (size_t)n) : NULL;
    lt_xgroup *rows = check_buffer(sizeof(lt_xgroup) * (size_t)(m * groups));
    if (bias) check_floats(bias, n, 1);
    g.x = rows;
    g.bias = bias;
    g.out = check_buffer(sizeof(float) * (size_t)((m - 1) * g.out_stride + n));
    for (int64_t i = 0; i < m; i++) {
        check_floats(x + i * k, k, check_range(0, 7) ? 1 : 0);
        kernels->quantize[digits](x + i * k, k, rows + i * groups);
    }
    kernels->packed_gemm[digits](&g, 0, n);
    compare_with_f64(&g, x, digit_limits[digits]);
    for (int64_t i = 0; i + 1 < m; i++)
        check_untouched(g.out + i * g.out_stride + n, sizeof(float) * (size_t)(g.out_stride - n),
                        "between rows");
    compare_splits(kernels, &g, digits);
}

/* What is no number stays none; what is next to nothing is nothing. */
static void check_special(const lt_cpu_kernels *kernels, int digits)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 1e-38f, 0};
    for (size_t i = 0; i < LT_COUNT(special); i++) {
        check_case("quantize %g", (double)special[i]);
        float *x = check_buffer(sizeof(float) * 40);
        lt_xgroup *group = check_buffer(sizeof *group * 2);
        memset(x, 0, sizeof(float) * 40);
        x[check_range(0, 31)] = special[i];
        kernels->quantize[digits](x, 40, group);
        bool number = isfinite(special[i]);
        check_close(group[0].scale, number ? 0 : NAN, 0, "scale", 0, 0);
        check_close(group[0].sum, number ? 0 : NAN, 0, "sum", 0, 0);
        check_close(group[1].sum, 0, 0, "sum", 1, 0);
    }
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    for (int digits = 0; digits < LT_DIGITS; digits++) {
        if (kernels->packed_gemm[digits] == below->packed_gemm[digits]) continue;
        check_special(kernels, digits);
        for (int p = 0; p < LT_PACKINGS; p++) {
            lt_packing packing = (lt_packing)p;
            for (int64_t k = 1; k <= 70; k += 1 + k / 4)
                check_one(kernels, packing, digits, check_range(1, 7), check_range(1, 40), k);
            for (int64_t n = 1; n <= 70; n += 1 + n / 8)
                check_one(kernels, packing, digits, check_range(1, 3), n, 32 * check_range(1, 20));
            for (int64_t m = 1; m <= 20; m++)
                check_one(kernels, packing, digits, m, check_range(1, 40), 32 * check_range(1, 9));
            check_one(kernels, packing, digits, 3, 33, 8960);
        }
    }
}

/* ---- Speed ---- */

typedef struct bench_job {
    lt_packed_gemm g;
    void (*run)(const lt_packed_gemm *gemm, int64_t n0, int64_t n1);
} bench_job;

static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    job->run(&job->g, begin, end);
}

static void bench_one(const lt_cpu_kernels *kernels, lt_packing packing, int digits, int64_t m, int64_t n,
                      int64_t k, void *weights)
{
    char name[80];
    lt_packed w = {.packing = packing, .n = n, .k = k, .data = weights};
    bench_job job = {.g = {.m = m, .w = &w, .out_stride = n}, .run = kernels->packed_gemm[digits]};
    size_t x_bytes = sizeof(lt_xgroup) * (size_t)(m * lt_packed_groups(k)),
           out_bytes = sizeof(float) * (size_t)(m * n);
    lt_xgroup *x = check_memory(x_bytes);
    float *out = check_memory(out_bytes);
    job.g.x = x;
    job.g.out = out;
    snprintf(name, sizeof name, "%s x %s m %lld n %lld k %lld", lt_packing_table[packing].name,
             digit_names[digits], (long long)m, (long long)n, (long long)k);
    double seconds = check_time(work, &job, n, kernels->packed_grain);
    double bytes = m > 16 ? 0 : (double)lt_packed_bytes(packing, n, k);
    check_report(name, seconds, bytes, m >= 4 ? 2.0 * (double)m * (double)n * (double)k : 0, 0);
    check_memory_free(x, x_bytes);
    check_memory_free(out, out_bytes);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    int64_t n = 65536, k = 1536;
    size_t bytes = (size_t)lt_packed_bytes(LT_PACK_INT8, n, k);
    void *weights = check_memory(bytes);
    for (int digits = 0; digits < LT_DIGITS; digits++) {
        if (kernels->packed_gemm[digits] == below->packed_gemm[digits]) continue;
        for (int p = 0; p < LT_PACKINGS; p++) {
            lt_packing packing = (lt_packing)p;
            bench_one(kernels, packing, digits, 1, n, k, weights);
            if (kernels->level == LT_CPU_GENERIC) continue;
            bench_one(kernels, packing, digits, 2, n, k, weights);
            bench_one(kernels, packing, digits, 128, 1536, 1536, weights);
            bench_one(kernels, packing, digits, 128, 8960, 1536, weights);
            bench_one(kernels, packing, digits, 128, 1536, 8960, weights);
        }
    }
    check_memory_free(weights, bytes);
}

const check_suite check_packed = {"packed", check, bench};
