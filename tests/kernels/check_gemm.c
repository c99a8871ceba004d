/* Products with row-major weights. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef void (*gemm_run)(const lt_gemm *gemm, int64_t n0, int64_t n1);

/* The slots: by the type of the weights, and of x. */
typedef struct gemm_form {
    const char *name;
    lt_gemm_type w, x;
    int64_t step; /* k is a multiple of it */
} gemm_form;

enum { FORMS = LT_GEMM_TYPES + 1 };
static const gemm_form forms[FORMS] = {{"f32", LT_GEMM_F32, LT_GEMM_F32, 1},
                                       {"bf16", LT_GEMM_BF16, LT_GEMM_F32, 1},
                                       {"f16", LT_GEMM_F16, LT_GEMM_F32, 1},
                                       {"bf16 pairs", LT_GEMM_BF16, LT_GEMM_BF16, 2}};

static gemm_run slot(const lt_cpu_kernels *kernels, const gemm_form *form)
{
    return form->step == 2 ? kernels->gemm_pairs : kernels->gemm[form->w];
}

/* Operands whose gaps between rows hold NaN. */
static void make_operands(lt_gemm *g, const gemm_form *form, float **out)
{
    void *x = check_buffer(check_size(form->x) * (size_t)((g->m - 1) * g->x_stride + g->k));
    void *w = check_buffer(check_size(form->w) * (size_t)((g->n - 1) * g->w_stride + g->k));
    float *bias = check_range(0, 1) ? check_buffer(sizeof(float) * (size_t)g->n) : NULL;
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t k = 0; k < g->k; k++) check_put(form->x, x, i * g->x_stride + k, check_float());
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t k = 0; k < g->k; k++) check_put(form->w, w, i * g->w_stride + k, check_float());
    if (bias) check_floats(bias, g->n, 1);
    g->x = x;
    g->w = w;
    g->bias = bias;
    *out = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->out_stride + g->n));
    g->out = *out;
}

static void compare_with_f64(const lt_gemm *g, const gemm_form *form)
{
    for (int64_t m = 0; m < g->m; m++) {
        for (int64_t n = 0; n < g->n; n++) {
            double sum = g->bias ? (double)g->bias[n] : 0, magnitude = fabs(sum);
            for (int64_t k = 0; k < g->k; k++) {
                double product = check_get(form->x, g->x, m * g->x_stride + k) *
                                 check_get(form->w, g->w, n * g->w_stride + k);
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
static void compare_splits(const lt_cpu_kernels *kernels, const lt_gemm *g, const gemm_form *form)
{
    lt_gemm again = *g;
    again.out = check_buffer(sizeof(float) * (size_t)((g->m - 1) * g->out_stride + g->n));
    int64_t end = g->n;
    while (end > 0) {
        int64_t begin = (end - 1) / kernels->gemm_grain - check_range(0, 2);
        begin = begin < 0 ? 0 : begin * kernels->gemm_grain;
        slot(kernels, form)(&again, begin, end);
        end = begin;
    }
    for (int64_t m = 0; m < g->m; m++)
        if (memcmp(again.out + m * g->out_stride, g->out + m * g->out_stride, sizeof(float) * (size_t)g->n) !=
            0)
            check_fail("row %lld depends on how the columns are split", (long long)m);
}

static void check_one(const lt_cpu_kernels *kernels, const gemm_form *form, int64_t m, int64_t n, int64_t k)
{
    k -= k % form->step;
    check_case("gemm %s m %lld n %lld k %lld", form->name, (long long)m, (long long)n, (long long)k);
    lt_gemm g = {.m = m, .n = n, .k = k};
    g.x_stride = k + check_range(0, 1) * check_range(1, 9);
    g.w_stride = k + check_range(0, 1) * check_range(1, 9);
    g.out_stride = n + check_range(0, 1) * check_range(1, 9);
    float *out;
    make_operands(&g, form, &out);
    slot(kernels, form)(&g, 0, n);
    compare_with_f64(&g, form);
    compare_splits(kernels, &g, form);
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    for (const gemm_form *form = forms; form < forms + FORMS; form++) {
        if (slot(kernels, form) == slot(below, form)) continue;
        for (int64_t k = 0; k <= 67; k++) check_one(kernels, form, check_range(1, 20), check_range(1, 40), k);
        for (int64_t n = 1; n <= 40; n++) check_one(kernels, form, check_range(1, 20), n, check_range(1, 67));
        for (int64_t m = 1; m <= 40; m++) check_one(kernels, form, m, check_range(1, 40), check_range(1, 67));
        for (int64_t m = 1; m <= 20; m += 3) {
            check_one(kernels, form, m, check_range(1, 70), 2048);
            check_one(kernels, form, m, check_range(1, 70), 256 * check_range(1, 3) + check_range(-1, 1));
        }
        check_one(kernels, form, 25, 70, 1100); /* panels in several chunks */
    }
}

/* ---- Speed ---- */

typedef struct bench_job {
    lt_gemm g;
    gemm_run run;
} bench_job;

static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    job->run(&job->g, begin, end);
}

static void bench_one(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below, const gemm_form *form,
                      int64_t m, int64_t n, int64_t k, void *weights)
{
    char name[80];
    bench_job job = {
        .g = {.m = m, .n = n, .k = k, .x_stride = k, .w = weights, .w_stride = k, .out_stride = n}};
    size_t x_bytes = (size_t)(m * k) * check_size(form->x), out_bytes = (size_t)(m * n) * sizeof(float);
    void *x = check_memory(x_bytes);
    float *out = check_memory(out_bytes);
    job.g.x = x;
    job.g.out = out;
    snprintf(name, sizeof name, "gemm %s m %lld n %lld k %lld", form->name, (long long)m, (long long)n,
             (long long)k);
    double before = 0;
    if (slot(below, form) && m <= 16) {
        job.run = slot(below, form);
        before = check_time(work, &job, n, below->gemm_grain);
    }
    job.run = slot(kernels, form);
    double seconds = check_time(work, &job, n, kernels->gemm_grain);
    double bytes = m > 16 ? 0 : (double)(n * k) * (double)check_size(form->w);
    check_report(name, seconds, bytes, m >= 4 ? 2.0 * (double)m * (double)n * (double)k : 0, before);
    check_memory_free(x, x_bytes);
    check_memory_free(out, out_bytes);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    /* Weights of 200 MB, so that they come from memory, and of a layer of a language model. */
    size_t bytes = (size_t)4 * 24576 * 2048;
    void *weights = check_memory(bytes);
    for (const gemm_form *form = forms; form < forms + FORMS; form++) {
        if (slot(kernels, form) == slot(below, form)) continue;
        int64_t n = form->w == LT_GEMM_F32 ? 24576 : 49152;
        static const int64_t few[] = {1, 2, 3, 4, 8, 12, 16}, many[] = {32, 64, 128, 512};
        for (size_t i = 0; i < LT_COUNT(few); i++) bench_one(kernels, below, form, few[i], n, 2048, weights);
        bench_one(kernels, below, form, 1, n, 1536, weights);
        bench_one(kernels, below, form, 1, 5600, 8960, weights);
        if (kernels->level == LT_CPU_GENERIC) continue;
        for (size_t i = 0; i < LT_COUNT(many); i++)
            bench_one(kernels, below, form, many[i], 1536, 1536, weights);
        bench_one(kernels, below, form, 128, 8960, 1536, weights);
        bench_one(kernels, below, form, 128, 1536, 8960, weights);
        bench_one(kernels, below, form, 128, 2048, 2048, weights);
    }
    check_memory_free(weights, bytes);
}

const check_suite check_gemm = {"gemm", check, bench};
