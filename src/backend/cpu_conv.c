/* Convolution of channels in blocks. The kernels know no stride and no padding along a row: where there are
 * any, the rows are first copied so that tap k of output i lies at position i + tap[k]. A stride of s makes s
 * parts of a row, its positions modulo s. The work is split over output rows (or parts of them) and output
 * channels. Rows come first wherever there is a choice: a thread's part of a job is then of the same rows in
 * every step, and what it reads was mostly written by itself. */
#include <string.h>

#include "backend/bind.h"

enum {
    CHUNK = 512,         /* terms that are summed at a time */
    TASK_TILES = 4,      /* about so many register tiles of positions are a task */
    NEAR_BYTES = 1 << 18 /* weights of this size stay in the second cache level next to what they meet */
};

typedef struct lt_conv_job {
    const lt_cpu *cpu;
    lt_conv conv; /* of image 0 and group 0 */
    void (*run)(const lt_conv *conv, const lt_conv_part *part);
    lt_row_function activate;                                        /* NULL: clamping is all */
    int64_t groups, x_image, x_group, w_group, out_image, out_group; /* floats */
    int64_t blocks, sets;          /* output blocks of a group, and sets of conv_blocks of them */
    int64_t rows, stripe, stripes; /* of the output; rows of a task; tasks down */
    int64_t span, spans;           /* positions of a task along a row; tasks along */
    bool weights_stay;             /* all weights meet some positions before the next; else the other way */
} lt_conv_job;

/* How rows are arranged for the kernels. */
typedef struct lt_arrangement {
    const float *x;
    float *to;
    int64_t unit;                          /* floats of a position: LT_BLOCK, planar 1 */
    int64_t images, blocks, height, width; /* of the input: batch, blocks (channels), rows, positions */
    int64_t image, block, row;             /* floats between these in the input */
    int64_t rows, row_stride, first; /* of the copy; its row r is row r * row_stride + first of the input */
    int64_t stride, padding;         /* along the row */
    int64_t parts, part;             /* parts of a row, positions in each */
    bool needed, picked;             /* picked: the rows too are copied in the order of the outputs */
} lt_arrangement;

static lt_arrangement arrange(const lt_attrs_conv *a, const lt_tensor *x, const lt_tensor *w,
                              const lt_tensor *out)
{
    int64_t reach = (w->dim[3] - 1) * a->dilation[1];
    lt_arrangement r = {.x = x->data,
                        .unit = x->rank == 5 ? LT_BLOCK : 1,
                        .images = x->dim[0],
                        .blocks = x->dim[1],
                        .height = x->dim[2],
                        .width = x->dim[3],
                        .image = x->stride[0],
                        .block = x->stride[1],
                        .row = x->stride[2],
                        .rows = x->dim[2],
                        .row_stride = 1,
                        .stride = a->stride[1],
                        .padding = a->padding[1],
                        .parts = lt_min_i64(a->stride[1], reach + 1),
                        .part = out->dim[3] + reach / a->stride[1],
                        .needed = a->stride[1] != 1 || a->padding[1] != 0 || a->padding_after[1] != 0};
    if (r.needed && w->dim[2] == 1) {
        r.picked = true;
        r.rows = out->dim[2];
        r.row_stride = a->stride[0];
        r.first = -a->padding[0];
    }
    return r;
}

static size_t arranged_bytes(const lt_arrangement *r)
{
    return r->needed
               ? (size_t)(r->images * r->blocks * r->rows * r->parts * r->part * r->unit) * sizeof(float)
               : 0;
}

/* Part p of a row: the positions p - padding, p - padding + stride … */
static void arrange_part(const lt_arrangement *r, const float *row, int64_t p, float *to)
{
    int64_t column = p - r->padding, unit = r->unit, stride = r->stride;
    int64_t begin = column < 0 ? (-column + stride - 1) / stride : 0, left = r->width - column;
    int64_t end = left <= 0 ? 0 : lt_min_i64((left - 1) / stride + 1, r->part);
    begin = lt_min_i64(begin, r->part);
    end = lt_max_i64(begin, end);
    memset(to, 0, (size_t)(begin * unit) * sizeof *to);
    memset(to + end * unit, 0, (size_t)((r->part - end) * unit) * sizeof *to);
    const float *from = row + (begin * stride + column) * unit;
    to += begin * unit;
    if (stride == 1) memcpy(to, from, (size_t)((end - begin) * unit) * sizeof *to);
    else if (unit == 1)
        for (int64_t i = 0; i < end - begin; i++) to[i] = from[i * stride];
    else
        for (int64_t i = 0; i < end - begin; i++)
            memcpy(to + i * LT_BLOCK, from + i * stride * LT_BLOCK, LT_BLOCK * sizeof *to);
}

static void arrange_work(void *context, int64_t begin, int64_t end)
{
    const lt_arrangement *r = context;
    int64_t row_floats = r->parts * r->part * r->unit;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i / r->blocks % r->rows, row = at * r->row_stride + r->first;
        int64_t image = i / r->blocks / r->rows, block = i % r->blocks;
        float *to = r->to + ((image * r->blocks + block) * r->rows + at) * row_floats;
        const float *from = r->x + image * r->image + block * r->block + row * r->row;
        if (row < 0 || row >= r->height) memset(to, 0, (size_t)row_floats * sizeof *to);
        else
            for (int64_t p = 0; p < r->parts; p++) arrange_part(r, from, p, to + p * r->part * r->unit);
    }
}

/* ---- Dense and planar ---- */

static lt_conv_part part_of(const lt_conv_job *job, int64_t i)
{
    int64_t set_blocks = job->cpu->kernels.conv_blocks, places = job->stripes * job->spans;
    int64_t set = job->weights_stay ? i / places : i % job->sets,
            place = job->weights_stay ? i % places : i / job->sets;
    lt_conv_part part = {.block = set * set_blocks,
                         .y = place / job->spans * job->stripe,
                         .begin = place % job->spans * job->span};
    part.blocks = lt_min_i64(set_blocks, job->blocks - part.block);
    part.rows = lt_min_i64(job->stripe, job->rows - part.y);
    part.end = lt_min_i64(part.begin + job->span, job->conv.out_width);
    return part;
}

static void activate_part(const lt_conv_job *job, const lt_conv *c, const lt_conv_part *part)
{
    for (int64_t b = part->block; b < part->block + part->blocks; b++)
        for (int64_t y = part->y; y < part->y + part->rows; y++) {
            float *row = c->out + b * c->out_block + (y * c->out_width + part->begin) * LT_BLOCK;
            job->activate(row, NULL, row, (part->end - part->begin) * LT_BLOCK);
        }
}

static void conv_work(void *context, int64_t begin, int64_t end)
{
    const lt_conv_job *job = context;
    int64_t parts = job->sets * job->stripes * job->spans;
    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / parts % job->groups, image = i / parts / job->groups;
        lt_conv_part part = part_of(job, i % parts);
        lt_conv c = job->conv;
        c.x += image * job->x_image + g * job->x_group;
        c.w += g * job->w_group;
        c.bias += g * job->blocks * LT_BLOCK;
        c.out += image * job->out_image + g * job->out_group;
        if (c.add) c.add += image * job->out_image + g * job->out_group;
        job->run(&c, &part);
        if (job->activate) activate_part(job, &c, &part);
    }
}

static lt_row_op activation_row(lt_activation activation)
{
    switch (activation) {
    case LT_ACTIVATION_SIGMOID: return LT_ROW_SIGMOID;
    case LT_ACTIVATION_SILU: return LT_ROW_SILU;
    case LT_ACTIVATION_GELU: return LT_ROW_GELU;
    case LT_ACTIVATION_GELU_TANH: return LT_ROW_GELU_TANH;
    case LT_ACTIVATION_TANH: return LT_ROW_TANH;
    case LT_ACTIVATION_HARDSIGMOID: return LT_ROW_HARDSIGMOID;
    case LT_ACTIVATION_HARDSWISH: return LT_ROW_HARDSWISH;
    case LT_ACTIVATION_CLAMP: break;
    }
    return LT_ROW_OPS;
}

lt_row_function lt_conv_activation(const lt_cpu *cpu, const lt_attrs_blocked_conv *a)
{
    return a->activation == LT_ACTIVATION_CLAMP ? NULL : cpu->kernels.row[activation_row(a->activation)];
}

void lt_conv_bounds(const lt_attrs_blocked_conv *a, float *low, float *high)
{
    bool clamp = a->activation == LT_ACTIVATION_CLAMP;
    *low = clamp ? (float)a->low : -__builtin_inff();
    *high = clamp ? (float)a->high : __builtin_inff();
}

static lt_conv describe(const lt_op_call *call, const lt_arrangement *r, int64_t *tap)
{
    const lt_attrs_blocked_conv *a = &call->attrs->blocked_conv;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    lt_conv c = {.channels = a->channels,
                 .kernel = {w->dim[2], w->dim[3]},
                 .height = r->rows,
                 .stride = r->picked ? 1 : a->conv.stride[0],
                 .padding = r->picked ? 0 : a->conv.padding[0],
                 .dilation = a->conv.dilation[0],
                 .out_width = out->dim[3],
                 .x = r->needed ? r->to : x->data,
                 .x_row = r->needed ? r->parts * r->part * r->unit : r->row,
                 .tap = tap,
                 .w = w->data,
                 .chunk = CHUNK,
                 .bias = call->in[2].data,
                 .add = call->n_in > 3 ? call->in[3].data : NULL,
                 .out = out->data,
                 .out_block = out->dim[2] * out->dim[3] * LT_BLOCK};
    c.x_block = r->needed ? c.x_row * r->rows : r->block;
    for (int64_t k = 0; k < w->dim[3]; k++) {
        int64_t at = k * a->conv.dilation[1];
        tap[k] = (at % a->conv.stride[1] * r->part + at / a->conv.stride[1]) * r->unit;
    }
    lt_conv_bounds(a, &c.low, &c.high);
    return c;
}

static void run_dense(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_attrs_blocked_conv *a = &call->attrs->blocked_conv;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    char *scratch = call->scratch;
    int64_t *tap = lt_take(&scratch, (size_t)w->dim[3] * sizeof *tap);
    lt_arrangement r = arrange(&a->conv, x, w, out);
    r.to = (float *)(void *)scratch;
    if (lathe_tensor_count(out) == 0) return;
    if (r.needed) lt_pool_run(cpu->pool, r.images * r.rows * r.blocks, 1, arrange_work, &r);
    lt_conv_job job = {.cpu = cpu,
                       .conv = describe(call, &r, tap),
                       .run = x->rank == 5 ? cpu->kernels.conv : cpu->kernels.conv_planar,
                       .groups = a->conv.groups,
                       .blocks = w->dim[0] / a->conv.groups,
                       .rows = out->dim[2]};
    job.activate = lt_conv_activation(cpu, a);
    lt_conv *c = &job.conv;
    job.x_image = r.needed ? c->x_block * x->dim[1] : r.image;
    job.x_group = x->dim[1] / a->conv.groups * c->x_block;
    job.w_group = lathe_tensor_count(w) / a->conv.groups;
    job.out_group = c->out_block * job.blocks;
    job.out_image = c->out_block * out->dim[1];
    bool flat = c->kernel[0] == 1 && c->kernel[1] == 1 && c->stride == 1 && c->height == job.rows &&
                c->padding == 0 && c->x_row == c->out_width * r.unit;
    if (flat) { /* an image is one row */
        c->out_width *= job.rows;
        job.rows = c->height = 1;
    }
    int64_t positions = TASK_TILES * cpu->kernels.conv_positions;
    job.span = lt_min_i64(positions, c->out_width);
    job.spans = (c->out_width + job.span - 1) / job.span;
    job.stripe = lt_min_i64(lt_max_i64(1, positions / c->out_width), job.rows);
    job.stripes = (job.rows + job.stripe - 1) / job.stripe;
    job.sets = (job.blocks + cpu->kernels.conv_blocks - 1) / cpu->kernels.conv_blocks;
    job.weights_stay = job.w_group * (int64_t)sizeof(float) > NEAR_BYTES;
    lt_pool_run(cpu->pool, x->dim[0] * job.groups * job.sets * job.stripes * job.spans, 1, conv_work, &job);
}

/* ---- Depthwise ---- */

typedef struct lt_depthwise_job {
    const lt_cpu *cpu;
    lt_depthwise task; /* of the first image and block */
    lt_row_function activate;
    int64_t x_image, x_block;    /* floats */
    int64_t blocks, rows, plane; /* plane: floats of a block of the output */
} lt_depthwise_job;

static void depthwise_work(void *context, int64_t begin, int64_t end)
{
    const lt_depthwise_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t block = i % job->blocks, y = i / job->blocks % job->rows;
        int64_t image = i / job->blocks / job->rows, plane = image * job->blocks + block;
        lt_depthwise task = job->task;
        task.x += image * job->x_image + block * job->x_block;
        task.w += block * task.kernel[0] * task.kernel[1] * LT_BLOCK;
        task.bias += block * LT_BLOCK;
        task.out += plane * job->plane;
        if (task.add) task.add += plane * job->plane;
        job->cpu->kernels.depthwise(&task, y);
        float *row = task.out + y * task.out_width * LT_BLOCK;
        if (job->activate) job->activate(row, NULL, row, task.out_width * LT_BLOCK);
    }
}

static void run_depthwise(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_attrs_blocked_conv *a = &call->attrs->blocked_conv;
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *out = call->out;
    lt_depthwise_job job = {.cpu = cpu,
                            .task = {.height = x->dim[2],
                                     .width = x->dim[3],
                                     .out_width = out->dim[3],
                                     .x = x->data,
                                     .x_row = x->stride[2],
                                     .w = w->data,
                                     .bias = call->in[2].data,
                                     .add = call->n_in > 3 ? call->in[3].data : NULL,
                                     .out = out->data},
                            .x_image = x->stride[0],
                            .x_block = x->stride[1],
                            .blocks = out->dim[1],
                            .rows = out->dim[2],
                            .plane = out->dim[2] * out->dim[3] * LT_BLOCK};
    for (int i = 0; i < 2; i++) {
        job.task.kernel[i] = w->dim[1 + i];
        job.task.stride[i] = a->conv.stride[i];
        job.task.padding[i] = a->conv.padding[i];
        job.task.dilation[i] = a->conv.dilation[i];
    }
    lt_conv_bounds(a, &job.task.low, &job.task.high);
    job.activate = lt_conv_activation(cpu, a);
    lt_pool_run(cpu->pool, out->dim[0] * job.rows * job.blocks, 1, depthwise_work, &job);
}

bool lt_bind_rows(const lt_step *step)
{
    lt_tensor row = step->args[0].tensor;
    row.dim[0] = row.dim[1] = row.dim[2] = 1;
    for (uint32_t i = 1; i <= step->n_in; i++)
        if (!lt_tensor_is_contiguous(&step->args[i].tensor)) return false;
    return lt_tensor_is_contiguous(&row);
}

lt_cpu_run lt_bind_blocked_conv(const lt_step *step, size_t *scratch)
{
    if (!lt_bind_rows(step)) return NULL;
    const lt_tensor *x = &step->args[0].tensor, *w = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    if (w->rank == 4) return run_depthwise;
    lt_arrangement r = arrange(&step->attrs.blocked_conv.conv, x, w, out);
    *scratch = lt_align64((size_t)w->dim[3] * sizeof(int64_t)) + arranged_bytes(&r);
    return run_dense;
}
