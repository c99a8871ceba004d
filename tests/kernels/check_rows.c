/* Rows: elementwise functions, conversions, norms, softmax, rotary embedding. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[LT_GEMM_TYPES] = {"f32", "bf16", "f16"};

static const struct {
    const char *name;
    int operands;
} rows[LT_ROW_OPS] = {
#define LT_ROW(ID, operands, vector, scalar) {#ID, operands},
#include "kernels/cpu/rows.def"
};

/* ---- Elementwise ---- */

static double gelu(double x) { return x * 0.5 * erfc(-x * 0.70710678118654752440); }
static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}
static double silu(double x) { return x / (1 + exp(-x)); }
static double six(double x) { return x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3; }

static double exact(lt_row_op op, double x, double y)
{
    switch (op) {
    case LT_ROW_NEG: return -x;
    case LT_ROW_ABS: return fabs(x);
    case LT_ROW_RELU: return x < 0 ? 0 : x;
    case LT_ROW_SQUARE: return x * x;
    case LT_ROW_SQRT: return sqrt(x);
    case LT_ROW_RSQRT: return 1 / sqrt(x);
    case LT_ROW_RECIPROCAL: return 1 / x;
    case LT_ROW_EXP: return exp(x);
    case LT_ROW_TANH: return tanh(x);
    case LT_ROW_ERF: return erf(x);
    case LT_ROW_SIGMOID: return 1 / (1 + exp(-x));
    case LT_ROW_SILU: return silu(x);
    case LT_ROW_GELU: return gelu(x);
    case LT_ROW_GELU_TANH: return gelu_tanh(x);
    case LT_ROW_HARDSIGMOID: return six(x) / 6;
    case LT_ROW_HARDSWISH: return x * six(x) / 6;
    case LT_ROW_ADD: return x + y;
    case LT_ROW_SUB: return x - y;
    case LT_ROW_MUL: return x * y;
    case LT_ROW_DIV: return x / y;
    case LT_ROW_MAXIMUM: return isnan(x) ? x : isnan(y) ? y : x > y ? x : y;
    case LT_ROW_MINIMUM: return isnan(x) ? x : isnan(y) ? y : x < y ? x : y;
    case LT_ROW_SILU_MUL: return silu(x) * y;
    case LT_ROW_GELU_MUL: return gelu(x) * y;
    case LT_ROW_GELU_TANH_MUL: return gelu_tanh(x) * y;
    case LT_ROW_OPS: break;
    }
    return NAN;
}

/* Units in the last place that the function's own approximation may be off; 0.5: rounded correctly. */
static double units(lt_row_op op)
{
    switch (op) {
    case LT_ROW_EXP: return 1.5;
    case LT_ROW_TANH:
    case LT_ROW_ERF: return 2.5;
    case LT_ROW_RSQRT: return 1.5;
    case LT_ROW_SIGMOID:
    case LT_ROW_SILU: return 3;
    case LT_ROW_SILU_MUL: return 3.5;
    case LT_ROW_GELU:
    case LT_ROW_GELU_TANH: return 4;
    case LT_ROW_GELU_MUL:
    case LT_ROW_GELU_TANH_MUL: return 5;
    case LT_ROW_HARDSIGMOID: return 1.5;
    case LT_ROW_HARDSWISH: return 2.5;
    default: return 0.5;
    }
}

/* What is lost where terms cancel: 1 + erf and 1 + tanh of large negative numbers, x + 3 near -3. */
static double cancelled(lt_row_op op, double x, double y)
{
    double scale = 0;
    if (op == LT_ROW_GELU || op == LT_ROW_GELU_TANH) scale = fabs(x);
    if (op == LT_ROW_GELU_MUL || op == LT_ROW_GELU_TANH_MUL) scale = fabs(x * y);
    if (op == LT_ROW_HARDSIGMOID) scale = 1;
    if (op == LT_ROW_HARDSWISH) scale = fabs(x);
    /* Where e^-x is infinite, what would be subnormal is 0. */
    if (op == LT_ROW_SIGMOID) return 0x1p-126;
    if (op == LT_ROW_SILU) return 0x1p-126 * fabs(x);
    if (op == LT_ROW_SILU_MUL) return 0x1p-126 * fabs(x * y);
    return scale * 0x1p-23;
}

static void compare_row(lt_row_op op, const float *x, const float *y, const float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double want = exact(op, (double)x[i], rows[op].operands == 2 ? (double)y[i] : 0);
        if (fabs(want) > 0x1.ffffffp127) want = copysign(INFINITY, want); /* past the largest float */
        double b = rows[op].operands == 2 ? (double)y[i] : 0;
        double tolerance = units(op) * 0x1p-23 * fabs(want) + cancelled(op, (double)x[i], b) + 0x1p-149;
        if (fabs(want) > 0x1.ffff8p127 && fabsf(out[i]) > 0x1.ffff8p127f) continue; /* the edge of infinity */
        check_close(out[i], want, tolerance, "out", i, 0);
    }
}

static void check_row(const lt_cpu_kernels *kernels, lt_row_op op, int64_t n, float scale)
{
    static const float special[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, 88.9f, -103.5f, -150, 1e30f};
    check_case("row %s n %lld scale %g", rows[op].name, (long long)n, (double)scale);
    bool infinite = op == LT_ROW_SILU || op == LT_ROW_SILU_MUL ||
                    (op >= LT_ROW_GELU && op <= LT_ROW_GELU_TANH) || op >= LT_ROW_GELU_MUL ||
                    op == LT_ROW_HARDSWISH; /* infinity times 0: left to the formula */
    float *x = check_buffer(sizeof *x * (size_t)n), *y = check_buffer(sizeof *y * (size_t)n),
          *out = check_buffer(sizeof *out * (size_t)n);
    check_floats(x, n, scale);
    check_floats(y, n, scale);
    if (!check_range(0, 3) && n) x[check_range(0, n - 1)] = special[check_range(0, infinite ? 1 : 9)];
    if (op == LT_ROW_SQRT || op == LT_ROW_RSQRT)
        for (int64_t i = 0; i < n; i++) x[i] = fabsf(x[i]);
    kernels->row[op](x, rows[op].operands == 2 ? y : NULL, out, n);
    compare_row(op, x, y, out, n);
    float *in_place = check_buffer(sizeof *in_place * (size_t)n);
    memcpy(in_place, x, sizeof *x * (size_t)n);
    kernels->row[op](in_place, rows[op].operands == 2 ? y : NULL, in_place, n);
    compare_row(op, x, y, in_place, n);
}

/* ---- Conversions ---- */

static void check_conversions(const lt_cpu_kernels *kernels, lt_gemm_type type, int64_t n)
{
    static const float special[] = {0,     -0.0f, INFINITY, -INFINITY, NAN,    1e-40f,
                                    65504, 65519, 65520,    1e-7f,     3.4e38f};
    check_case("convert %s n %lld", type_names[type], (long long)n);
    float *wide = check_buffer(sizeof *wide * (size_t)n), *back = check_buffer(sizeof *back * (size_t)n);
    void *stored = check_buffer(check_size(type) * (size_t)n),
         *want = check_buffer(check_size(type) * (size_t)n);
    check_floats(wide, n, check_range(0, 1) ? 1 : 70000);
    for (int64_t i = 0; i < n; i++) {
        if (!check_range(0, 4)) wide[i] = special[check_range(0, LT_COUNT(special) - 1)];
        check_put(type, want, i, wide[i]);
    }
    kernels->narrow[type](wide, stored, n);
    kernels->widen[type](stored, back, n);
    for (int64_t i = 0; i < n; i++) {
        if (!isnan(wide[i]) && memcmp((char *)stored + i * (int64_t)check_size(type),
                                      (char *)want + i * (int64_t)check_size(type), check_size(type)) != 0)
            check_fail("%.9g is not rounded to nearest even", (double)wide[i]);
        check_close(back[i], isnan(wide[i]) ? NAN : check_get(type, want, i), 0, "back", i, 0);
    }
}

/* ---- Norms ---- */

static void check_norm(const lt_cpu_kernels *kernels, lt_gemm_type type, int64_t n)
{
    check_case("norm %s n %lld", type_names[type], (long long)n);
    void *x = check_buffer(check_size(type) * (size_t)n), *out = check_buffer(check_size(type) * (size_t)n);
    float *weight = check_buffer(sizeof(float) * (size_t)n), *bias = check_buffer(sizeof(float) * (size_t)n);
    float stats[2], offset = check_range(0, 1) ? 3 : 0;
    for (int64_t i = 0; i < n; i++) check_put(type, x, i, check_float() + offset);
    check_floats(weight, n, 1);
    check_floats(bias, n, 1);
    lt_norm t = {.n = n, .x = x, .out = out, .stats = stats, .eps = 1e-5f, .centre = check_range(0, 1)};
    t.rounds = check_range(0, 1);
    if (check_range(0, 1)) t.weight = weight;
    if (check_range(0, 1)) t.bias = bias;
    kernels->norm[type](&t);
    double mean = 0, squares = 0, size = 0;
    for (int64_t i = 0; t.centre && i < n; i++) mean += check_get(type, x, i) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        squares += (check_get(type, x, i) - mean) * (check_get(type, x, i) - mean) / (double)n;
        size += fabs(check_get(type, x, i)) / (double)n;
    }
    double factor = 1 / sqrt(squares + (double)t.eps), chain = (double)n + 16;
    for (int64_t i = 0; i < n; i++) {
        double centred = (check_get(type, x, i) - mean) * factor, w = t.weight ? (double)weight[i] : 1;
        double want = centred * w + (t.bias ? (double)bias[i] : 0);
        double terms = (fabs(centred) + (fabs(check_get(type, x, i)) + size) * factor) * fabs(w) + fabs(want);
        double off = 0x1p-24 * chain * (terms + fabs(w * centred) * factor * size);
        if (t.rounds)
            off += check_rounding(type) * fabs(w * centred) + (type == LT_GEMM_F16 ? 0x1p-25 : 0) * fabs(w);
        check_close((float)check_get(type, out, i), want,
                    off + check_rounding(type) * fabs(want) + (type == LT_GEMM_F16 ? 0x1p-25 : 0), "out", i,
                    0);
    }
    check_close(stats[0], t.centre ? mean : factor, 0x1p-24 * chain * (size + factor), "statistic", 0, 0);
    check_close(stats[1], factor, 0x1p-24 * chain * factor * (1 + factor * size), "statistic", 1, 0);
}

/* ---- Softmax ---- */

static void check_softmax(const lt_cpu_kernels *kernels, lt_gemm_type type, int64_t n, bool wide,
                          bool logarithm)
{
    check_case("%ssoftmax %s%s n %lld", logarithm ? "log " : "", type_names[type], wide ? " to f32" : "",
               (long long)n);
    lt_gemm_type out_type = wide ? LT_GEMM_F32 : type;
    void *x = check_buffer(check_size(type) * (size_t)n),
         *out = check_buffer(check_size(out_type) * (size_t)n);
    for (int64_t i = 0; i < n; i++) check_put(type, x, i, check_range(0, 9) ? check_float() * 20 : -INFINITY);
    check_put(type, x, n - 1, check_float());
    (wide ? kernels->softmax_wide : kernels->softmax)[type](x, out, n, logarithm);
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, check_get(type, x, i));
    for (int64_t i = 0; i < n; i++) sum += exp(check_get(type, x, i) - most);
    for (int64_t i = 0; i < n; i++) {
        double d = check_get(type, x, i) - most, want = logarithm ? d - log(sum) : exp(d) / sum;
        double off = 0x1p-24 * ((double)n + 8 + fabs(isfinite(d) ? d : 0)) * (logarithm ? 1 : want) +
                     0x1p-24 * fabs(logarithm && isfinite(d) ? d : 0);
        if (!isfinite(want)) off = 0;
        check_close((float)check_get(out_type, out, i), want,
                    off + (isfinite(want) ? check_rounding(out_type) * fabs(want) : 0) +
                        (out_type == LT_GEMM_F16 ? 0x1p-25 : 1e-38),
                    "out", i, 0);
    }
}

/* ---- Rotary embedding ---- */

static void check_rope(const lt_cpu_kernels *kernels, lt_gemm_type type, int64_t n)
{
    check_case("rope %s n %lld", type_names[type], (long long)n);
    void *in[3], *out = check_buffer(check_size(type) * (size_t)n);
    for (int k = 0; k < 3; k++) {
        in[k] = check_buffer(check_size(type) * (size_t)n);
        for (int64_t i = 0; i < n; i++) check_put(type, in[k], i, check_float());
    }
    kernels->rope[type](in[0], in[1], in[2], out, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t other = i < n / 2 ? i + n / 2 : i - n / 2;
        double a = check_get(type, in[0], i) * check_get(type, in[1], i);
        double b = check_get(type, in[0], other) * check_get(type, in[2], i),
               want = i < n / 2 ? a - b : a + b;
        double off =
            (0x1p-23 + check_rounding(type)) * (fabs(a) + fabs(b)) + (type == LT_GEMM_F16 ? 0x1p-24 : 0);
        check_close((float)check_get(type, out, i), want, off + check_rounding(type) * fabs(want), "out", i,
                    0);
    }
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    static const float scales[] = {1e-3f, 1, 10, 100};
    for (int op = 0; op < LT_ROW_OPS; op++) {
        if (kernels->row[op] == below->row[op]) continue;
        for (int64_t n = 0; n <= 67; n++) check_row(kernels, (lt_row_op)op, n, 3);
        for (size_t s = 0; s < LT_COUNT(scales); s++) check_row(kernels, (lt_row_op)op, 5000, scales[s]);
    }
    for (int i = 0; i < LT_GEMM_TYPES; i++) {
        lt_gemm_type type = (lt_gemm_type)i;
        for (int64_t n = 0; n <= 67; n++) {
            if (kernels->widen[i] != below->widen[i]) check_conversions(kernels, type, n);
            if (kernels->norm[i] != below->norm[i] && n) check_norm(kernels, type, n);
            for (int kind = 0; kernels->softmax[i] != below->softmax[i] && n && kind < 4; kind++)
                check_softmax(kernels, type, n, kind & 1, kind & 2);
            if (kernels->rope[i] != below->rope[i]) check_rope(kernels, type, 2 * n);
        }
        if (kernels->norm[i] != below->norm[i]) check_norm(kernels, type, 2048);
        if (kernels->softmax[i] != below->softmax[i]) check_softmax(kernels, type, 4099, false, false);
        if (kernels->widen[i] != below->widen[i]) check_conversions(kernels, type, 20000);
    }
}

/* ---- Speed ---- */

typedef struct bench_job {
    const lt_cpu_kernels *kernels;
    lt_row_op op;
    lt_gemm_type type;
    int64_t n; /* elements of a row */
    char *x, *y, *out;
} bench_job;

static void row_work(void *context, int64_t begin, int64_t end)
{
    const bench_job *j = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i * j->n * 4;
        j->kernels->row[j->op]((float *)(void *)(j->x + at), (float *)(void *)(j->y + at),
                               (float *)(void *)(j->out + at), j->n);
    }
}

static void norm_work(void *context, int64_t begin, int64_t end)
{
    const bench_job *j = context;
    float stats[2];
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i * j->n * (int64_t)check_size(j->type);
        lt_norm t = {
            .n = j->n, .x = j->x + at, .out = j->out + at, .weight = (float *)(void *)j->y, .stats = stats};
        j->kernels->norm[j->type](&t);
    }
}

static void softmax_work(void *context, int64_t begin, int64_t end)
{
    const bench_job *j = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i * j->n * (int64_t)check_size(j->type);
        j->kernels->softmax[j->type](j->x + at, j->out + at, j->n, false);
    }
}

static void bench_rows(bench_job *job, const lt_cpu_kernels *below, const char *what, lt_work work,
                       int64_t count, double bytes)
{
    const lt_cpu_kernels *kernels = job->kernels;
    job->kernels = below;
    double before = check_time(work, job, count, 1);
    job->kernels = kernels;
    check_report(what, check_time(work, job, count, 1), bytes, 0, before);
}

/* Rows of 4096 elements that stay in the second cache level. */
static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->level == LT_CPU_GENERIC || kernels->row[0] == below->row[0]) return;
    enum { N = 4096, ROWS = 16 };
    char name[60];
    bench_job job = {.kernels = kernels,
                     .n = N,
                     .x = check_memory(N * ROWS * 4),
                     .y = check_memory(N * ROWS * 4),
                     .out = check_memory(N * ROWS * 4)};
    for (int op = 0; op < LT_ROW_OPS; op++) {
        job.op = (lt_row_op)op;
        snprintf(name, sizeof name, "row %s", rows[op].name);
        bench_rows(&job, below, name, row_work, ROWS, (rows[op].operands + 1) * 4.0 * N * ROWS);
    }
    for (int i = 0; i < LT_GEMM_TYPES; i++) {
        job.type = (lt_gemm_type)i;
        double bytes = 2.0 * (double)check_size(job.type) * N * ROWS;
        snprintf(name, sizeof name, "norm %s", type_names[i]);
        bench_rows(&job, below, name, norm_work, ROWS, bytes);
        snprintf(name, sizeof name, "softmax %s", type_names[i]);
        bench_rows(&job, below, name, softmax_work, ROWS, bytes);
    }
    check_memory_free(job.x, N * ROWS * 4);
    check_memory_free(job.y, N * ROWS * 4);
    check_memory_free(job.out, N * ROWS * 4);
}

const check_suite check_rows = {"rows", check, bench};
