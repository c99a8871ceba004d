/* The transforms of Winograd's convolution: against float64 sums with the matrices, at every edge of an
 * image. */
#include "base/winograd.h"
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OUT = LT_WINOGRAD_OUT, IN = LT_WINOGRAD_IN, POSITIONS = LT_WINOGRAD_POSITIONS };

static const double input_matrix[IN][IN] = LT_WINOGRAD_INPUT;
static const double kernel_matrix[IN][LT_WINOGRAD_TAPS] = LT_WINOGRAD_KERNEL;
static const double output_matrix[OUT][IN] = LT_WINOGRAD_OUTPUT;

/* Of a case: tiles first … first + count - 1. */
typedef struct winograd_case {
    lt_winograd w;
    int64_t images, first, count;
} winograd_case;

static void choose(winograd_case *t, int64_t height, int64_t width)
{
    *t = (winograd_case){.images = check_range(1, 2)};
    lt_winograd *w = &t->w;
    w->height = height;
    w->width = width;
    for (int i = 0; i < 2; i++) w->padding[i] = check_range(0, 2);
    w->out_height = lt_max_i64(1, height + check_range(0, 2) + w->padding[0] - 2);
    w->out_width = lt_max_i64(1, width + check_range(0, 2) + w->padding[1] - 2);
    w->down = (w->out_height + OUT - 1) / OUT;
    w->across = (w->out_width + OUT - 1) / OUT;
    int64_t tiles = t->images * w->down * w->across;
    t->first = check_range(0, tiles - 1);
    t->count = check_range(1, tiles - t->first);
    w->position_step = (t->count + check_range(0, 1)) * LT_BLOCK;
    w->x_row = (width + check_range(0, 2)) * LT_BLOCK;
    w->x_image = height * w->x_row;
    w->out_image = w->out_height * w->out_width * LT_BLOCK;
    w->low = check_range(0, 1) ? -INFINITY : 0;
    w->high = check_range(0, 1) ? INFINITY : 1;
}

static int64_t position_floats(const winograd_case *t)
{
    return (POSITIONS - 1) * t->w.position_step + t->count * LT_BLOCK;
}

/* The tile's image, row and first output. */
static void place(const lt_winograd *w, int64_t tile, int64_t out[3])
{
    out[0] = tile / (w->down * w->across);
    out[1] = tile / w->across % w->down * OUT;
    out[2] = tile % w->across * OUT;
}

/* The element at row i, column j of matrix x matrix^T, and the sum of the magnitudes. */
static double element(const double (*matrix)[IN], int i, int j, const double x[IN][IN], double *magnitude)
{
    double sum = 0;
    for (int k = 0; k < IN; k++)
        for (int l = 0; l < IN; l++) {
            double product = matrix[i][k] * x[k][l] * matrix[j][l];
            sum += product;
            *magnitude += fabs(product);
        }
    return sum;
}

/* Twice six terms in float32. */
static double tolerance(double magnitude) { return 0x1p-24 * 14 * magnitude; }

static void compare_input(const winograd_case *t, int64_t i, int lane)
{
    const lt_winograd *w = &t->w;
    int64_t at[3];
    double x[IN][IN];
    place(w, t->first + i, at);
    for (int64_t j = 0; j < IN; j++)
        for (int64_t k = 0; k < IN; k++) {
            int64_t y = at[1] - w->padding[0] + j, column = at[2] - w->padding[1] + k;
            bool inside = y >= 0 && y < w->height && column >= 0 && column < w->width;
            x[j][k] = inside ? (double)w->x[at[0] * w->x_image + y * w->x_row + column * LT_BLOCK + lane] : 0;
        }
    for (int p = 0; p < POSITIONS; p++) {
        double magnitude = 0, want = element(input_matrix, p / IN, p % IN, x, &magnitude);
        check_close(w->positions[p * w->position_step + i * LT_BLOCK + lane], want, tolerance(magnitude),
                    "position", i, p * LT_BLOCK + lane);
    }
}

static void check_input(const lt_cpu_kernels *kernels, int64_t height, int64_t width)
{
    winograd_case t;
    choose(&t, height, width);
    lt_winograd *w = &t.w;
    check_case("input %lldx%lldx%lld padding %lld %lld output %lldx%lld tiles %lld, %lld",
               (long long)t.images, (long long)height, (long long)width, (long long)w->padding[0],
               (long long)w->padding[1], (long long)w->out_height, (long long)w->out_width,
               (long long)t.first, (long long)t.count);
    w->x = check_float_buffer(t.images * w->x_image);
    w->positions = check_buffer((size_t)position_floats(&t) * sizeof(float));
    kernels->winograd_input(w, t.first, t.count);
    for (int64_t i = 0; i < t.count; i++)
        for (int lane = 0; lane < LT_BLOCK; lane++) compare_input(&t, i, lane);
    for (int p = 0; p + 1 < POSITIONS; p++)
        check_untouched(w->positions + p * w->position_step + t.count * LT_BLOCK,
                        (size_t)(w->position_step - t.count * LT_BLOCK) * sizeof(float), "between positions");
}

static void compare_output(const winograd_case *t, int64_t i, int lane)
{
    const lt_winograd *w = &t->w;
    int64_t at[3];
    double x[IN][IN];
    place(w, t->first + i, at);
    for (int p = 0; p < POSITIONS; p++)
        x[p / IN][p % IN] = (double)w->positions[p * w->position_step + i * LT_BLOCK + lane];
    for (int j = 0; j < OUT && at[1] + j < w->out_height; j++)
        for (int k = 0; k < OUT && at[2] + k < w->out_width; k++) {
            int64_t to = at[0] * w->out_image + ((at[1] + j) * w->out_width + at[2] + k) * LT_BLOCK + lane;
            double bias = (double)w->bias[lane], add = w->add ? (double)w->add[to] : 0;
            double magnitude = fabs(bias) + fabs(add);
            double want = element(output_matrix, j, k, x, &magnitude) + bias + add;
            want = want < (double)w->low ? (double)w->low : want > (double)w->high ? (double)w->high : want;
            check_close(w->out[to], want, tolerance(magnitude), "out", i, (j * OUT + k) * LT_BLOCK + lane);
        }
}

/* What belongs to other tiles is not written. */
static void check_others(const winograd_case *t)
{
    const lt_winograd *w = &t->w;
    for (int64_t tile = 0; tile < t->images * w->down * w->across; tile++) {
        int64_t at[3];
        if (tile >= t->first && tile < t->first + t->count) continue;
        place(w, tile, at);
        for (int64_t j = 0; j < OUT && at[1] + j < w->out_height; j++)
            check_untouched(w->out + at[0] * w->out_image + ((at[1] + j) * w->out_width + at[2]) * LT_BLOCK,
                            (size_t)(lt_min_i64(OUT, w->out_width - at[2]) * LT_BLOCK) * sizeof(float),
                            "another tile");
    }
}

static void check_output(const lt_cpu_kernels *kernels, int64_t height, int64_t width)
{
    winograd_case t;
    choose(&t, height, width);
    lt_winograd *w = &t.w;
    check_case("output %lldx%lldx%lld tiles %lld, %lld", (long long)t.images, (long long)w->out_height,
               (long long)w->out_width, (long long)t.first, (long long)t.count);
    w->positions = check_float_buffer(position_floats(&t));
    w->bias = check_float_buffer(LT_BLOCK);
    w->add = check_range(0, 1) ? check_float_buffer(t.images * w->out_image) : NULL;
    w->out = check_buffer((size_t)(t.images * w->out_image) * sizeof(float));
    kernels->winograd_output(w, t.first, t.count);
    for (int64_t i = 0; i < t.count; i++)
        for (int lane = 0; lane < LT_BLOCK; lane++) compare_output(&t, i, lane);
    check_others(&t);
}

/* The three matrices together are a convolution: of every unit tile with every unit kernel. */
static void check_matrices(void)
{
    check_case("matrices");
    for (int x = 0; x < IN; x++)
        for (int tap = 0; tap < LT_WINOGRAD_TAPS; tap++)
            for (int i = 0; i < OUT; i++) {
                double sum = 0;
                for (int p = 0; p < IN; p++)
                    sum += output_matrix[i][p] * kernel_matrix[p][tap] * input_matrix[p][x];
                if (fabs(sum - (x == i + tap)) > 1e-12)
                    check_fail("input %d, tap %d, output %d: %g", x, tap, i, sum);
            }
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->winograd_input == below->winograd_input) return;
    check_matrices();
    for (int64_t height = 1; height <= 10; height++)
        for (int64_t width = 1; width <= 10; width++) {
            check_input(kernels, height, width);
            check_output(kernels, height, width);
        }
}

/* ---- Speed ---- */

typedef struct bench_job {
    lt_winograd w;
    void (*run)(const lt_winograd *task, int64_t first, int64_t count);
    int64_t plane;
} bench_job;

static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    for (int64_t b = begin; b < end; b++) {
        lt_winograd w = job->w;
        w.x += b * job->plane;
        w.out += b * job->plane;
        w.positions += b * w.down * w.across * LT_BLOCK;
        job->run(&w, 0, w.down * w.across);
    }
}

/* Both transforms of an image with so many blocks of channels. */
static void bench_one(const lt_cpu_kernels *kernels, int64_t size, int64_t blocks)
{
    int64_t across = (size + OUT - 1) / OUT, tiles = across * across, plane = size * size * LT_BLOCK;
    size_t image = (size_t)(blocks * plane) * sizeof(float),
           positions = (size_t)(POSITIONS * (blocks * tiles + 1) * LT_BLOCK) * sizeof(float);
    float *memory[4] = {check_memory(image), check_memory(positions), check_memory(image), check_memory(64)};
    bench_job job = {.run = kernels->winograd_input, .plane = plane};
    job.w = (lt_winograd){.down = across,
                          .across = across,
                          .height = size,
                          .width = size,
                          .x_row = size * LT_BLOCK,
                          .padding = {1, 1},
                          .out_height = size,
                          .out_width = size,
                          .x = memory[0],
                          .positions = memory[1],
                          .position_step = (blocks * tiles + 1) * LT_BLOCK,
                          .bias = memory[3],
                          .out = memory[2],
                          .high = INFINITY};
    char name[80];
    double bytes = (double)image + (double)positions;
    for (int i = 0; i < 2; i++) {
        double seconds = check_time(work, &job, blocks, 1);
        snprintf(name, sizeof name, "winograd %s, %lldx%lld, %lld blocks", i ? "output" : "input",
                 (long long)size, (long long)size, (long long)blocks);
        check_report(name, seconds, bytes, 0, 0);
        job.run = kernels->winograd_output;
    }
    check_memory_free(memory[0], image);
    check_memory_free(memory[1], positions);
    check_memory_free(memory[2], image);
    check_memory_free(memory[3], 64);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->winograd_input == below->winograd_input) return;
    bench_one(kernels, 12, 4);
    bench_one(kernels, 28, 8);
    bench_one(kernels, 14, 16);
}

const check_suite check_winograd = {"winograd", check, bench};
