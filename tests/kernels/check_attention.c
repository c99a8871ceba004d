/* Attention: parts and their merging. */
#include "checkasm.h"

#include "base/cache_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[LT_ATTEND_TYPES] = {"f32", "bf16", "f16", "int8", "pairs"};

enum { MAX_KEYS = 1300 };

/* Keys and values: `type` is one of attention's. An element of a row that begins at element `row`. */
static lt_gemm_type float_of(int type) { return type == LT_ATTEND_PAIRS ? LT_GEMM_BF16 : (lt_gemm_type)type; }

static size_t kv_size(int type) { return type == LT_ATTEND_INT8 ? 1 : check_size(float_of(type)); }

static double kv_get(int type, const void *array, int64_t row, int64_t d)
{
    if (type != LT_ATTEND_INT8) return check_get(float_of(type), array, row + d);
    const int8_t *values = (const int8_t *)array + row;
    return (double)lt_cache_scale(values) * values[d];
}

/* `keys` rows of `dim` elements, `stride` apart. */
static const void *make_rows(int type, int64_t keys, int64_t stride, int64_t dim)
{
    int64_t front = type == LT_ATTEND_INT8 ? LT_CACHE_SCALE : 0;
    char *rows = (char *)check_buffer(kv_size(type) * (size_t)(front + (keys - 1) * stride + dim)) + front;
    for (int64_t i = 0; i < keys; i++) {
        float scale = check_float() / 100;
        if (front) memcpy(rows + i * stride - front, &scale, sizeof scale);
        for (int64_t d = 0; d < dim; d++)
            if (front) rows[i * stride + d] = (char)check_range(-127, 127);
            else check_put(float_of(type), rows, i * stride + d, check_float());
    }
    return rows;
}

/* One row in float64: what it should be, and how large the terms were. */
static void reference_row(const lt_attend *t, int type, int64_t r, double *out, double *magnitude,
                          double *spread)
{
    static double scores[MAX_KEYS];
    const struct lt_attend_row *row = &t->row[r];
    double most = (double)row->sink, sum;
    int64_t first = lt_max_i64(row->first, t->begin), last = lt_min_i64(row->last, t->end);
    *spread = 0;
    for (int64_t k = first; k < last; k++) {
        double s = 0, size = 0;
        for (int64_t d = 0; d < t->dim; d++) {
            double product =
                check_get(t->q_type, row->q, d) * kv_get(type, t->k, k * t->k_stride, d) * (double)t->scale;
            s += product;
            size += fabs(product);
        }
        if (t->cap > 0) {
            s = (double)t->cap * tanh(s / (double)t->cap);
            size += 4 * (double)t->cap;
        }
        if (row->mask)
            s += (double)row->mask[k], size += isinf(row->mask[k]) ? 0 : fabs((double)row->mask[k]);
        scores[k - first] = s;
        if (s > most) most = s;
        if (size > *spread) *spread = size;
    }
    sum = most > -INFINITY ? exp((double)row->sink - most) : 0;
    for (int64_t d = 0; d < t->value_dim; d++) out[d] = magnitude[d] = 0;
    for (int64_t k = first; k < last && most > -INFINITY; k++) {
        double weight = exp(scores[k - first] - most);
        sum += weight;
        for (int64_t d = 0; d < t->value_dim; d++) {
            double term = weight * kv_get(type, t->v, k * t->v_stride, d);
            out[d] += term;
            magnitude[d] += fabs(term);
        }
    }
    for (int64_t d = 0; d < t->value_dim && sum > 0; d++) out[d] /= sum, magnitude[d] /= sum;
    for (int64_t d = 0; d < t->value_dim && !(sum > 0); d++) out[d] = (double)t->empty;
}

/* Scores are off by their chain of additions, exponentials by that and their own rounding, sums by theirs.
 * Where pairs are multiplied, exponentials are bfloat16 then. */
static void compare_rows(const lt_attend *t, int type)
{
    double out[LT_ATTEND_DIM], magnitude[LT_ATTEND_DIM], spread;
    double weight = type == LT_ATTEND_PAIRS ? check_rounding(LT_GEMM_BF16) : 0;
    for (int64_t r = 0; r < t->rows; r++) {
        reference_row(t, type, r, out, magnitude, &spread);
        for (int64_t d = 0; d < t->value_dim; d++) {
            if (isnan(out[d]) && isnan(check_get(t->q_type, t->row[r].out, d))) continue;
            double relative = 2 * ((double)t->dim + 4) * spread + (double)(t->end - t->begin) + 16;
            double tolerance = (0x1p-24 * relative + weight) * magnitude[d] +
                               check_rounding(t->q_type) * fabs(out[d]) +
                               (t->q_type == LT_GEMM_F16 ? 0x1p-25 : 1e-30);
            check_close((float)check_get(t->q_type, t->row[r].out, d), out[d], tolerance, "out", r, d);
        }
    }
}

/* Masks as models write them: nothing, a few keys hidden, the smallest number instead of -infinity. */
static void make_row(lt_attend *t, int64_t r, int64_t keys)
{
    struct lt_attend_row *row = &t->row[r];
    size_t size = check_size(t->q_type);
    void *q = check_buffer(size * (size_t)t->dim);
    for (int64_t d = 0; d < t->dim; d++) check_put(t->q_type, q, d, check_float() * 3);
    row->q = q;
    row->out = check_buffer(size * (size_t)t->value_dim);
    row->first = check_range(0, 3) ? 0 : check_range(0, keys);
    row->last = check_range(0, 3) ? keys : check_range(0, keys);
    row->sink = check_range(0, 2) ? -INFINITY : check_float() * 4;
    row->mask = NULL;
    if (!check_range(0, 2)) return;
    float *mask = check_buffer(sizeof *mask * (size_t)keys);
    int64_t kind = check_range(0, 2);
    for (int64_t k = 0; k < keys; k++)
        mask[k] = kind == 0 ? check_float() : check_range(0, 2) ? 0 : kind == 1 ? -INFINITY : -3.4028235e38f;
    row->mask = mask;
}

static void make_task(lt_attend *t, int type, int64_t rows, int64_t keys, int64_t dim, int64_t value_dim)
{
    *t = (lt_attend){.rows = rows, .dim = dim, .value_dim = value_dim, .end = keys, .scale = 0.3f};
    t->empty = check_range(0, 1) ? 0 : NAN;
    t->cap = check_range(0, 2) ? 0 : 2.5f;
    bool int8 = type == LT_ATTEND_INT8;
    bool other = int8 || (type != LT_ATTEND_PAIRS && check_range(0, 1));
    t->q_type = other ? (lt_gemm_type)check_range(0, LT_GEMM_TYPES - 1) : float_of(type);
    t->k_stride = dim + (int8 ? LT_CACHE_SCALE : 0) + check_range(0, 1) * check_range(1, 9);
    t->v_stride = value_dim + (int8 ? LT_CACHE_SCALE : 0) + check_range(0, 1) * check_range(1, 9);
    t->k = make_rows(type, keys, t->k_stride, dim);
    t->v = make_rows(type, keys, t->v_stride, value_dim);
    for (int64_t r = 0; r < rows; r++) make_row(t, r, keys);
}

/* In chunks, merged: the same within the tolerance. */
static void check_parts(const lt_cpu_kernels *kernels, lt_attend *t, int type)
{
    int64_t keys = t->end, chunks = (keys + LT_ATTEND_CHUNK - 1) / LT_ATTEND_CHUNK;
    int64_t row = LT_ATTEND_PARTIAL + t->value_dim, stride = t->rows * row;
    float *parts = check_buffer(sizeof *parts * (size_t)(chunks * stride)), sinks[LT_ATTEND_ROWS];
    for (int64_t r = 0; r < t->rows; r++) sinks[r] = t->row[r].sink;
    for (int64_t c = 0; c < chunks; c++) {
        for (int64_t r = 0; r < t->rows; r++) t->row[r].sink = c == 0 ? sinks[r] : -INFINITY;
        t->begin = c * LT_ATTEND_CHUNK;
        t->end = lt_min_i64(keys, t->begin + LT_ATTEND_CHUNK);
        t->partial = parts + c * stride;
        kernels->attend[type](t);
    }
    for (int64_t r = 0; r < t->rows; r++)
        kernels->attend_merge[t->q_type](parts + r * row, chunks, stride, t->value_dim, t->empty,
                                         t->row[r].out);
    t->begin = 0;
    t->end = keys;
    t->partial = NULL;
    for (int64_t r = 0; r < t->rows; r++) t->row[r].sink = sinks[r];
    compare_rows(t, type);
}

static void check_one(const lt_cpu_kernels *kernels, int type, int64_t rows, int64_t keys, int64_t dim,
                      int64_t value_dim)
{
    static lt_attend t;
    if (type == LT_ATTEND_PAIRS) dim += dim % 2;
    check_case("attention %s rows %lld keys %lld dims %lld, %lld", type_names[type], (long long)rows,
               (long long)keys, (long long)dim, (long long)value_dim);
    make_task(&t, type, rows, keys, dim, value_dim);
    kernels->attend[type](&t);
    compare_rows(&t, type);
    check_parts(kernels, &t, type);
}

/* A NaN in a row's scores or in a value is not lost. */
static void check_nan(const lt_cpu_kernels *kernels, int type)
{
    static lt_attend t;
    check_case("attention %s with NaN", type_names[type]);
    make_task(&t, type, 3, 70, 32, 32);
    for (int64_t r = 0; r < 3; r++) t.row[r].mask = NULL, t.row[r].first = 0, t.row[r].last = 70;
    check_put(t.q_type, (void *)(uintptr_t)t.row[1].q, 5, NAN);
    if (type != LT_ATTEND_INT8) check_put(float_of(type), (void *)(uintptr_t)t.v, 40 * t.v_stride + 7, NAN);
    kernels->attend[type](&t);
    for (int64_t d = 0; d < 32; d++) {
        if (!isnan(check_get(t.q_type, t.row[1].out, d))) check_fail("NaN of a query is lost");
        if (isnan(check_get(t.q_type, t.row[0].out, d)) != (d == 7 && type != LT_ATTEND_INT8))
            check_fail("NaN of a value is lost or spreads");
    }
}

/* Masks that hide the ends, by the smallest number or by -infinity. */
static void check_ranges(const lt_cpu_kernels *kernels)
{
    for (int64_t n = 0; n < 300; n++) {
        check_case("mask of %lld keys", (long long)n);
        float *mask = check_buffer(sizeof *mask * (size_t)n),
              hidden = check_range(0, 1) ? -INFINITY : -3.3895314e38f;
        int64_t first = check_range(0, n), last = check_range(first, n), from, to;
        for (int64_t i = 0; i < n; i++) mask[i] = i < first || i >= last ? hidden : check_float() * 1e6f;
        if (first + 1 < last && check_range(0, 3) == 0) mask[first] = NAN;
        if (first == last) first = last = hidden > -INFINITY ? 0 : n;
        if (first == 0 && last == 0 && hidden > -INFINITY) last = n;
        kernels->attend_range(mask, n, &from, &to);
        bool empty = first == last && from == to;
        if (!empty && (from != first || to != last))
            check_fail("shows %lld … %lld, expected %lld … %lld", (long long)from, (long long)to,
                       (long long)first, (long long)last);
    }
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->attend_range != below->attend_range) check_ranges(kernels);
    for (int type = 0; type < LT_ATTEND_TYPES; type++) {
        bool merges = type < LT_GEMM_TYPES && kernels->attend_merge[type] != below->attend_merge[type];
        if (kernels->attend[type] == below->attend[type] && !merges) continue;
        for (int64_t dim = 1; dim <= 67; dim++)
            check_one(kernels, type, check_range(1, 12), check_range(1, 100), dim, check_range(1, 67));
        for (int64_t keys = 1; keys <= 67; keys++)
            check_one(kernels, type, check_range(1, 12), keys, check_range(1, 67), check_range(1, 67));
        for (int64_t rows = 1; rows <= LT_ATTEND_ROWS; rows++)
            check_one(kernels, type, rows, check_range(1, 100), check_range(1, 40), check_range(1, 40));
        check_one(kernels, type, 3, 1, 64, 64);
        check_one(kernels, type, 3, MAX_KEYS, 64, 64);
        check_one(kernels, type, 7, MAX_KEYS - 1, 128, 128);
        check_one(kernels, type, 2, 600, 256, 256);
        check_nan(kernels, type);
    }
}

/* ---- Speed ---- */

typedef struct bench_job {
    lt_attend *tasks;
    void (*run)(const lt_attend *task);
} bench_job;

static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    for (int64_t i = begin; i < end; i++) job->run(&job->tasks[i]);
}

/* `heads` tasks, each with keys and values of its own. */
static void bench_one(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below, int type, int64_t heads,
                      int64_t rows, int64_t keys, int64_t dim)
{
    lt_gemm_type q_type = type == LT_ATTEND_INT8 ? LT_GEMM_F32 : float_of(type);
    int64_t front = type == LT_ATTEND_INT8 ? LT_CACHE_SCALE : 0;
    size_t size = check_size(q_type), bytes = (size_t)(heads * keys * (dim + front)) * kv_size(type);
    char *k = check_memory(bytes), *v = check_memory(bytes);
    char *q = check_memory((size_t)(heads * rows * dim) * size),
         *out = check_memory((size_t)(heads * rows * dim) * size);
    bench_job job = {.tasks = calloc((size_t)heads, sizeof *job.tasks)};
    for (int64_t h = 0; h < heads; h++) {
        lt_attend *t = &job.tasks[h];
        int64_t at = h * keys * (dim + front) * (int64_t)kv_size(type) + front;
        *t = (lt_attend){.q_type = q_type,
                         .rows = rows,
                         .dim = dim,
                         .value_dim = dim,
                         .end = keys,
                         .scale = 0.1f,
                         .k = k + at,
                         .v = v + at,
                         .k_stride = dim + front,
                         .v_stride = dim + front};
        for (int64_t r = 0; r < rows; r++)
            t->row[r] = (struct lt_attend_row){.q = q + (h * rows + r) * dim * (int64_t)size,
                                               .out = out + (h * rows + r) * dim * (int64_t)size,
                                               .last = keys,
                                               .sink = -INFINITY};
    }
    double before = 0;
    if (below->attend[type] && below->level == LT_CPU_GENERIC && keys * heads * rows < 1 << 17) {
        job.run = below->attend[type];
        before = check_time(work, &job, heads, 1);
    }
    job.run = kernels->attend[type];
    double seconds = check_time(work, &job, heads, 1);
    char name[80];
    snprintf(name, sizeof name, "attention %s rows %lld keys %lld dim %lld x %lld", type_names[type],
             (long long)rows, (long long)keys, (long long)dim, (long long)heads);
    check_report(name, seconds, rows > 8 ? 0 : 2.0 * (double)bytes, 4.0 * (double)(heads * rows * keys * dim),
                 before);
    check_memory_free(k, bytes);
    check_memory_free(v, bytes);
    check_memory_free(q, (size_t)(heads * rows * dim) * size);
    check_memory_free(out, (size_t)(heads * rows * dim) * size);
    free(job.tasks);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    for (int type = 0; type < LT_ATTEND_TYPES; type++) {
        if (kernels->attend[type] == below->attend[type] || kernels->level == LT_CPU_GENERIC) continue;
        bench_one(kernels, below, type, 2, 6, 512, 128);
        bench_one(kernels, below, type, 2, 1, 65536, 128);
        bench_one(kernels, below, type, 2, 3, 65536, 64);
        bench_one(kernels, below, type, 2, 6, 65536, 128);
        bench_one(kernels, below, type, 16, LT_ATTEND_ROWS, 1024, 64);
        bench_one(kernels, below, type, 16, LT_ATTEND_ROWS, 1024, 128);
    }
}

const check_suite check_attention = {"attention", check, bench};
