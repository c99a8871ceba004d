/* Products with row-major weights. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[LT_GEMM_TYPES] = {"f32", "bf16", "f16"};

/* Operands whose gaps between rows hold NaN. */
static void make_operands(lt_gemm *g, lt_gemm_type type, float **out)
{
    float *x = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->x_stride + g->k));
    void *w = check_buffer(check_size(type) * (size_t)((g->n - 1) * g->w_stride + g->k));
    float *bias = check_range(0, 1) ? check_buffer(sizeof(float) * (size_t)g->n) : NULL;
    for (int64_t i = 0; i < g->m; i++) check_floats(x + i * g->x_stride, g->k, 1);
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t k = 0; k < g->k; k++) check_put(type, w, i * g->w_stride + k, check_float());
    if (bias) check_floats(bias, g->n, 1);
    g->x = x;
    g->w = w;
    g->bias = bias;
    *out = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->out_stride + g->n));
    g->out = *out;
}

static void compare_with_f64(const lt_gemm *g, lt_gemm_type type)
{
    for (int64_t m = 0; m < g->m; m++) {
        for (int64_t n = 0; n < g->n; n++) {
            double sum = g->bias ? (double)g->bias[n] : 0, magnitude = fabs(sum);
            for (int64_t k = 0; k < g->k; k++) {
                double product =
                    (double)g->x[m * g->x_stride + k] * check_get(type, g->w, n * g->w_stride + k);
                sum += product;
                magnitude += fabs(product);
            }
            double tolerance = 0x1p-24 * (fabs(sum) + (double)(g->k + 4) * magnitude);
            check_close(g->out[m * g->out_stride + n], sum, tolerance, "out", m, n);
        }
        int64_t gap = g->out_stride - g->n;
        if (m + 1 < g->m)
            check_untouched(g->out + m * g->out_stride + g->n, (size_t)gap * sizeof(float), "between rows");
    }
}

/* In parts of one to three grains, last part first: the same bits. */
static void compare_splits(const lt_cpu_kernels *kernels, const lt_gemm *g, lt_gemm_type type)
{
    lt_gemm again = *g;
    again.out = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->out_stride + g->n));
    int64_t end = g->n;
    while (end > 0) {
        int64_t begin = (end - 1) / kernels->gemm_grain - check_range(0, 2);
        begin = begin < 0 ? 0 : begin * kernels->gemm_grain;
        kernels->gemm[type](&again, begin, end);
        end = begin;
    }
    for (int64_t m = 0; m < g->m; m++)
        if (memcmp(again.out + m * g->out_stride, g->out + m * g->out_stride, sizeof(float) * (size_t)g->n) !=
            0)
            check_fail("row %lld depends on how the columns are split", (long long)m);
}

static void check_one(const lt_cpu_kernels *kernels, lt_gemm_type type, int64_t m, int64_t n, int64_t k)
{
    check_case("gemm %s m %lld n %lld k %lld", type_names[type], (long long)m, (long long)n, (long long)k);
    lt_gemm g = {.m = m, .n = n, .k = k};
    g.x_stride = k + check_range(0, 1) * check_range(1, 9);
    g.w_stride = k + check_range(0, 1) * check_range(1, 9);
    g.out_stride = n + check_range(0, 1) * check_range(1, 9);
    float *out;
    make_operands(&g, type, &out);
    kernels->gemm[type](&g, 0, n);
    compare_with_f64(&g, type);
    compare_splits(kernels, &g, type);
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    for (int t = 0; t < LT_GEMM_TYPES; t++) {
        if (kernels->gemm[t] == below->gemm[t]) continue;
        lt_gemm_type type = (lt_gemm_type)t;
        for (int64_t k = 0; k <= 67; k++) check_one(kernels, type, check_range(1, 20), check_range(1, 40), k);
        for (int64_t n = 1; n <= 40; n++) check_one(kernels, type, check_range(1, 20), n, check_range(1, 67));
        for (int64_t m = 1; m <= 40; m++) check_one(kernels, type, m, check_range(1, 40), check_range(1, 67));
        for (int64_t m = 1; m <= 20; m += 3) {
            check_one(kernels, type, m, check_range(1, 70), 2048);
            check_one(kernels, type, m, check_range(1, 70), 256 * check_range(1, 3) + check_range(-1, 1));
        }
    }
}

/* ---- Speed ---- */

typedef struct bench_job {
    lt_gemm g;
    void (*run)(const lt_gemm *gemm, int64_t n0, int64_t n1);
} bench_job;

static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    job->run(&job->g, begin, end);
}

static void bench_one(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below, lt_gemm_type type,
                      int64_t m, int64_t n, int64_t k, void *weights)
{
    char name[80];
    bench_job job = {
        .g = {.m = m, .n = n, .k = k, .x_stride = k, .w = weights, .w_stride = k, .out_stride = n}};
    size_t x_bytes = (size_t)(m * k) * sizeof(float), out_bytes = (size_t)(m * n) * sizeof(float);
    float *x = check_memory(x_bytes), *out = check_memory(out_bytes);
    job.g.x = x;
    job.g.out = out;
    snprintf(name, sizeof name, "gemm %s m %lld n %lld k %lld", type_names[type], (long long)m, (long long)n,
             (long long)k);
    double before = 0;
    if (below->gemm[type] && m <= 16) {
        job.run = below->gemm[type];
        before = check_time(work, &job, n, below->gemm_grain);
    }
    job.run = kernels->gemm[type];
    double seconds = check_time(work, &job, n, kernels->gemm_grain);
    double bytes = m > 16 ? 0 : (double)(n * k) * (double)check_size(type);
    check_report(name, seconds, bytes, m >= 4 ? 2.0 * (double)m * (double)n * (double)k : 0, before);
    check_memory_free(x, x_bytes);
    check_memory_free(out, out_bytes);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    /* Weights of 200 MB, so that they come from memory, and of a layer of a language model. */
    size_t bytes = (size_t)4 * 24576 * 2048;
    void *weights = check_memory(bytes);
    for (int t = 0; t < LT_GEMM_TYPES; t++) {
        if (kernels->gemm[t] == below->gemm[t]) continue;
        lt_gemm_type type = (lt_gemm_type)t;
        int64_t n = type == LT_GEMM_F32 ? 24576 : 49152;
        static const int64_t few[] = {1, 2, 3, 4, 8, 12, 16}, many[] = {32, 64, 128, 512};
        for (size_t i = 0; i < LT_COUNT(few); i++) bench_one(kernels, below, type, few[i], n, 2048, weights);
        bench_one(kernels, below, type, 1, n, 1536, weights);
        bench_one(kernels, below, type, 1, 5600, 8960, weights);
        if (kernels->level == LT_CPU_GENERIC) continue;
        for (size_t i = 0; i < LT_COUNT(many); i++)
            bench_one(kernels, below, type, many[i], 1536, 1536, weights);
        bench_one(kernels, below, type, 128, 8960, 1536, weights);
        bench_one(kernels, below, type, 128, 1536, 8960, weights);
        bench_one(kernels, below, type, 128, 2048, 2048, weights);
    }
    check_memory_free(weights, bytes);
}

const check_suite check_gemm = {"gemm", check, bench};
