/* Convolution of channels in blocks, dense, planar and depthwise. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TAPS = 8 };

/* A convolution with its sizes; rows of the input end where the last tap of the last output reads. */
typedef struct conv_case {
    lt_conv c;
    int64_t tap[MAX_TAPS];
    int64_t blocks, rows, row; /* of the output: blocks, rows; row: positions of an input row */
    bool planar;
} conv_case;

static int64_t units(const conv_case *t) { return t->planar ? t->c.channels : lt_blocks(t->c.channels); }

/* Sizes at random; the taps lie anywhere in the row, as strides and dilations would have them. */
static void choose(conv_case *t, bool planar, int64_t channels, int64_t blocks, int64_t width)
{
    int64_t unit = planar ? 1 : LT_BLOCK, reach = 0;
    *t = (conv_case){.planar = planar, .blocks = blocks};
    lt_conv *c = &t->c;
    c->channels = channels;
    c->kernel[0] = check_range(1, 3);
    c->kernel[1] = check_range(1, planar ? 7 : 3);
    c->stride = check_range(1, 2);
    c->padding = check_range(0, 2);
    c->dilation = check_range(1, 2);
    c->out_width = width;
    for (int64_t k = 0; k < c->kernel[1]; k++) {
        t->tap[k] = check_range(0, 4);
        reach = lt_max_i64(reach, t->tap[k]);
        t->tap[k] *= unit;
    }
    c->chunk = check_range(0, 1) ? 512 : 16;
    c->streams = check_range(0, 1);
    c->height = check_range(1, 5);
    int64_t reads = (c->kernel[0] - 1) * c->dilation + 1;
    t->rows = lt_max_i64(1, (c->height + 2 * c->padding - reads) / c->stride + 1);
    t->row = width + reach;
    c->x_row = t->row * unit + check_range(0, 1) * LT_BLOCK;
    c->x_block = c->x_row * c->height;
    c->out_block = t->rows * width * LT_BLOCK + check_range(0, 1) * LT_BLOCK;
    c->low = check_range(0, 1) ? -INFINITY : 0;
    c->high = check_range(0, 1) ? INFINITY : 1;
}

/* Lanes behind the last channel stay what check_buffer made them: NaN. */
static void make_operands(conv_case *t)
{
    lt_conv *c = &t->c;
    int64_t unit = t->planar ? 1 : LT_BLOCK, n = units(t), taps = c->kernel[0] * c->kernel[1];
    int64_t floats = (n - 1) * c->x_block + (c->height - 1) * c->x_row + t->row * unit;
    float *x = check_buffer((size_t)floats * sizeof *x);
    for (int64_t u = 0; u < n; u++)
        for (int64_t y = 0; y < c->height; y++)
            for (int64_t i = 0; i < t->row; i++)
                check_floats(x + u * c->x_block + y * c->x_row + i * unit,
                             t->planar ? 1 : lt_min_i64(LT_BLOCK, c->channels - u * LT_BLOCK), 1);
    c->x = x;
    c->w = check_float_buffer(t->blocks * n * taps * unit * LT_BLOCK);
    c->bias = check_float_buffer(t->blocks * LT_BLOCK);
    int64_t out = (t->blocks - 1) * c->out_block + t->rows * c->out_width * LT_BLOCK;
    c->add = check_range(0, 1) ? check_float_buffer(out) : NULL;
    c->out = check_buffer((size_t)out * sizeof(float));
    c->tap = t->tap;
}

/* The sum for one output and the sum of its magnitudes. */
static double exact_conv(const conv_case *t, int64_t block, int64_t y, int64_t x, int lane, double *magnitude)
{
    const lt_conv *c = &t->c;
    int64_t unit = t->planar ? 1 : LT_BLOCK, rows = t->planar ? 1 : LT_BLOCK, k1 = c->kernel[1];
    double sum = 0;
    for (int64_t ch = 0; ch < c->channels; ch++)
        for (int64_t j = 0; j < c->kernel[0]; j++)
            for (int64_t i = 0; i < k1; i++) {
                int64_t u = ch / rows, k = ch % rows, iy = y * c->stride - c->padding + j * c->dilation;
                if (iy < 0 || iy >= c->height) continue;
                double product =
                    (double)c->x[u * c->x_block + iy * c->x_row + x * unit + t->tap[i] + k] *
                    (double)
                        c->w[((((block * units(t) + u) * c->kernel[0] + j) * k1 + i) * rows + k) * LT_BLOCK +
                             lane];
                sum += product;
                *magnitude += fabs(product);
            }
    return sum;
}

static double clamp(double x, float low, float high)
{
    return x < (double)low ? (double)low : x > (double)high ? (double)high : x;
}

static void compare(const conv_case *t)
{
    const lt_conv *c = &t->c;
    int64_t terms = c->channels * c->kernel[0] * c->kernel[1] + 4;
    for (int64_t b = 0; b < t->blocks; b++)
        for (int64_t y = 0; y < t->rows; y++)
            for (int64_t x = 0; x < c->out_width; x++)
                for (int lane = 0; lane < LT_BLOCK; lane++) {
                    int64_t at = b * c->out_block + (y * c->out_width + x) * LT_BLOCK + lane;
                    double magnitude = 0, sum = exact_conv(t, b, y, x, lane, &magnitude);
                    double bias = (double)c->bias[b * LT_BLOCK + lane], add = c->add ? (double)c->add[at] : 0;
                    magnitude += fabs(bias) + fabs(add);
                    check_close(c->out[at], clamp(sum + bias + add, c->low, c->high),
                                0x1p-24 * (double)terms * magnitude, "out", b * t->rows + y,
                                x * LT_BLOCK + lane);
                }
}

/* Whole rows, then in two parts and block by block: the same bits. */
static void run(const lt_cpu_kernels *kernels, conv_case *t)
{
    lt_conv *c = &t->c;
    void (*conv)(const lt_conv *, const lt_conv_part *) = t->planar ? kernels->conv_planar : kernels->conv;
    for (int64_t b = 0; b < t->blocks; b += kernels->conv_blocks)
        conv(c, &(lt_conv_part){.block = b,
                                .blocks = lt_min_i64(kernels->conv_blocks, t->blocks - b),
                                .rows = t->rows,
                                .end = c->out_width});
    compare(t);
    size_t floats = (size_t)((t->blocks - 1) * c->out_block + t->rows * c->out_width * LT_BLOCK);
    lt_conv again = *c;
    again.out = check_buffer(floats * sizeof(float));
    for (int64_t b = 0; b < t->blocks; b++)
        for (int64_t y = 0; y < t->rows; y++) {
            int64_t middle = check_range(0, c->out_width);
            lt_conv_part part = {
                .block = b, .blocks = 1, .y = y, .rows = 1, .begin = middle, .end = c->out_width};
            conv(&again, &part);
            part.begin = 0;
            part.end = middle;
            conv(&again, &part);
        }
    if (memcmp(again.out, c->out, floats * sizeof(float)) != 0) check_fail("depends on how it is split");
}

static void check_dense(const lt_cpu_kernels *kernels, bool planar, int64_t channels, int64_t blocks,
                        int64_t width)
{
    conv_case t;
    choose(&t, planar, channels, blocks, width);
    check_case(
        "%s channels %lld blocks %lld width %lld kernel %lld %lld stride %lld padding %lld dilation %lld",
        planar ? "planar" : "conv", (long long)channels, (long long)blocks, (long long)width,
        (long long)t.c.kernel[0], (long long)t.c.kernel[1], (long long)t.c.stride, (long long)t.c.padding,
        (long long)t.c.dilation);
    make_operands(&t);
    run(kernels, &t);
}

/* ---- Depthwise ---- */

static void compare_depthwise(const lt_depthwise *t, int64_t rows)
{
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < t->out_width; x++)
            for (int lane = 0; lane < LT_BLOCK; lane++) {
                int64_t at = (y * t->out_width + x) * LT_BLOCK + lane;
                double sum = (double)t->bias[lane] + (t->add ? (double)t->add[at] : 0), magnitude = fabs(sum);
                for (int64_t j = 0; j < t->kernel[0]; j++)
                    for (int64_t i = 0; i < t->kernel[1]; i++) {
                        int64_t iy = y * t->stride[0] - t->padding[0] + j * t->dilation[0],
                                ix = x * t->stride[1] - t->padding[1] + i * t->dilation[1];
                        if (iy < 0 || iy >= t->height || ix < 0 || ix >= t->width) continue;
                        double product = (double)t->x[iy * t->x_row + ix * LT_BLOCK + lane] *
                                         (double)t->w[(j * t->kernel[1] + i) * LT_BLOCK + lane];
                        sum += product;
                        magnitude += fabs(product);
                    }
                check_close(t->out[at], clamp(sum, t->low, t->high),
                            0x1p-24 * (double)(t->kernel[0] * t->kernel[1] + 4) * (magnitude + 2), "out", y,
                            x * LT_BLOCK + lane);
            }
}

static void check_depthwise(const lt_cpu_kernels *kernels, int64_t width)
{
    lt_depthwise t = {
        .height = check_range(1, 6), .width = width, .x_row = (width + check_range(0, 2)) * LT_BLOCK};
    int64_t size[2] = {t.height, t.width}, out[2];
    for (int i = 0; i < 2; i++) {
        t.kernel[i] = check_range(1, 5);
        t.stride[i] = check_range(1, 3);
        t.padding[i] = check_range(0, 3);
        t.dilation[i] = check_range(1, 2);
        out[i] = lt_max_i64(
            1, (size[i] + 2 * t.padding[i] - (t.kernel[i] - 1) * t.dilation[i] - 1) / t.stride[i] + 1);
    }
    t.out_width = out[1];
    t.low = check_range(0, 1) ? -INFINITY : 0;
    t.high = check_range(0, 1) ? INFINITY : 1;
    check_case("depthwise %lldx%lld kernel %lld %lld stride %lld %lld padding %lld %lld dilation %lld %lld",
               (long long)t.height, (long long)width, (long long)t.kernel[0], (long long)t.kernel[1],
               (long long)t.stride[0], (long long)t.stride[1], (long long)t.padding[0],
               (long long)t.padding[1], (long long)t.dilation[0], (long long)t.dilation[1]);
    t.x = check_float_buffer(t.height * t.x_row);
    t.w = check_float_buffer(t.kernel[0] * t.kernel[1] * LT_BLOCK);
    t.bias = check_float_buffer(LT_BLOCK);
    t.add = check_range(0, 1) ? check_float_buffer(out[0] * out[1] * LT_BLOCK) : NULL;
    t.out = check_buffer((size_t)(out[0] * out[1] * LT_BLOCK) * sizeof(float));
    for (int64_t y = 0; y < out[0]; y++) kernels->depthwise(&t, y);
    compare_depthwise(&t, out[0]);
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->conv != below->conv)
        for (int planar = 0; planar < 2; planar++) {
            for (int64_t width = 1; width <= 2 * kernels->conv_positions + 3; width++)
                check_dense(kernels, planar, check_range(1, 40), check_range(1, 5), width);
            for (int64_t channels = 1; channels <= 40; channels++)
                check_dense(kernels, planar, channels, check_range(1, 3), check_range(1, 20));
        }
    if (kernels->depthwise != below->depthwise)
        for (int64_t width = 1; width <= 40; width++)
            for (int i = 0; i < 4; i++) check_depthwise(kernels, width);
}

/* ---- Speed ---- */

typedef struct bench_job {
    const lt_cpu_kernels *kernels;
    lt_conv c;
    int64_t rows, stripe, span;
} bench_job;

/* Parts of about four tiles, as the backend makes them. */
static void work(void *context, int64_t begin, int64_t end)
{
    const bench_job *job = context;
    int64_t spans = (job->c.out_width + job->span - 1) / job->span,
            stripes = (job->rows + job->stripe - 1) / job->stripe;
    for (int64_t i = begin; i < end; i++) {
        lt_conv_part part = {.block = i / (spans * stripes) * job->kernels->conv_blocks,
                             .blocks = job->kernels->conv_blocks,
                             .y = i / spans % stripes * job->stripe,
                             .begin = i % spans * job->span};
        part.rows = lt_min_i64(job->stripe, job->rows - part.y);
        part.end = lt_min_i64(part.begin + job->span, job->c.out_width);
        job->kernels->conv(&job->c, &part);
    }
}

static void bench_one(const lt_cpu_kernels *kernels, int64_t channels, int64_t out_channels, int64_t size,
                      int64_t kernel)
{
    char name[80];
    int64_t width = size + kernel - 1, tap[MAX_TAPS];
    bench_job job = {.kernels = kernels, .rows = size};
    lt_conv *c = &job.c;
    *c = (lt_conv){.channels = channels,
                   .kernel = {kernel, kernel},
                   .height = size,
                   .stride = 1,
                   .padding = kernel / 2,
                   .dilation = 1,
                   .out_width = size,
                   .x_row = width * LT_BLOCK,
                   .x_block = width * LT_BLOCK * size,
                   .tap = tap,
                   .chunk = 512,
                   .out_block = size * size * LT_BLOCK,
                   .low = 0,
                   .high = INFINITY};
    for (int64_t k = 0; k < kernel; k++) tap[k] = k * LT_BLOCK;
    if (kernel == 1) { /* one row */
        c->out_width = size * size;
        c->height = job.rows = 1;
    }
    size_t x = (size_t)(c->x_block * lt_blocks(channels)) * 4,
           w = (size_t)(channels * out_channels * kernel * kernel) * 4,
           out = (size_t)(c->out_block * lt_blocks(out_channels)) * 4, bias = (size_t)out_channels * 4;
    float *memory[4] = {check_memory(x), check_memory(w), check_memory(out), check_memory(bias)};
    c->x = memory[0];
    c->w = memory[1];
    c->out = memory[2];
    c->bias = memory[3];
    int64_t positions = 4 * kernels->conv_positions;
    job.span = lt_min_i64(positions, c->out_width);
    job.stripe = lt_min_i64(job.rows, lt_max_i64(1, positions / c->out_width));
    int64_t parts = (c->out_width + job.span - 1) / job.span * ((job.rows + job.stripe - 1) / job.stripe);
    double seconds = check_time(work, &job, parts * lt_blocks(out_channels) / kernels->conv_blocks, 1);
    snprintf(name, sizeof name, "conv %lldx%lld %lld to %lld, %lldx%lld", (long long)kernel,
             (long long)kernel, (long long)channels, (long long)out_channels, (long long)size,
             (long long)size);
    check_report(name, seconds, 0,
                 2.0 * (double)(size * size) * (double)(channels * out_channels) * (double)(kernel * kernel),
                 0);
    check_memory_free(memory[0], x);
    check_memory_free(memory[1], w);
    check_memory_free(memory[2], out);
    check_memory_free(memory[3], bias);
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->conv == below->conv) return;
    bench_one(kernels, 64, 64, 56, 3);
    bench_one(kernels, 128, 128, 28, 3);
    bench_one(kernels, 256, 256, 14, 3);
    bench_one(kernels, 512, 512, 7, 3);
    bench_one(kernels, 64, 256, 56, 1);
    bench_one(kernels, 256, 64, 56, 1);
    bench_one(kernels, 1024, 256, 14, 1);
    bench_one(kernels, 512, 2048, 7, 1);
    bench_one(kernels, 32, 192, 28, 1);
}

const check_suite check_conv = {"conv", check, bench};
