/* Channels to blocks and back, and pools of blocked channels. */
#include "backend/bind.h"

/* ---- To and from blocks ---- */

typedef struct lt_block_job {
    const lt_cpu *cpu;
    const lt_tensor *plain, *blocked;
    int64_t inner; /* positions of an image */
} lt_block_job;

/* Parts of an image of one block: long enough to stream, short enough to share. */
enum { PART = 1024 };

static int64_t inner_of(const lt_tensor *plain)
{
    int64_t inner = 1;
    for (int i = 2; i < plain->rank; i++) inner *= plain->dim[i];
    return inner;
}

/* Where task i is: the first channel, how many, the first position, how many. */
static void locate(const lt_block_job *job, int64_t i, float **plain, float **blocked, int64_t *channels,
                   int64_t *n)
{
    int64_t parts = (job->inner + PART - 1) / PART, at = i % parts * PART, blocks = job->blocked->dim[1];
    int64_t block = i / parts % blocks, image = i / parts / blocks, all = job->plain->dim[1];
    *channels = lt_min_i64(LT_BLOCK, all - block * LT_BLOCK);
    *n = lt_min_i64(PART, job->inner - at);
    *plain = (float *)job->plain->data + (image * all + block * LT_BLOCK) * job->inner + at;
    *blocked = (float *)job->blocked->data + ((image * blocks + block) * job->inner + at) * LT_BLOCK;
}

static void block_work(void *context, int64_t begin, int64_t end)
{
    const lt_block_job *job = context;
    float *plain, *blocked;
    int64_t channels, n;
    for (int64_t i = begin; i < end; i++) {
        locate(job, i, &plain, &blocked, &channels, &n);
        job->cpu->kernels.block(plain, job->inner, channels, n, blocked);
    }
}

static void unblock_work(void *context, int64_t begin, int64_t end)
{
    const lt_block_job *job = context;
    float *plain, *blocked;
    int64_t channels, n;
    for (int64_t i = begin; i < end; i++) {
        locate(job, i, &plain, &blocked, &channels, &n);
        job->cpu->kernels.unblock(blocked, n, plain, job->inner, channels);
    }
}

static void run_block(const lt_cpu *cpu, const lt_op_call *call)
{
    bool from = call->op == LT_OP_UNBLOCK;
    lt_block_job job = {
        .cpu = cpu, .plain = from ? call->out : call->in, .blocked = from ? call->in : call->out};
    job.inner = inner_of(job.plain);
    int64_t parts = (job.inner + PART - 1) / PART;
    lt_pool_run(cpu->pool, job.blocked->dim[0] * job.blocked->dim[1] * parts, 1,
                from ? unblock_work : block_work, &job);
}

/* Planes of images with their channels innermost ("channels last"), block by block. */
static void gather_work(void *context, int64_t begin, int64_t end)
{
    const lt_block_job *job = context;
    const lt_tensor *plain = job->plain, *blocked = job->blocked;
    int64_t rows = plain->dim[2], columns = plain->dim[3], blocks = blocked->dim[1];
    for (int64_t i = begin; i < end; i++) {
        int64_t y = i % rows, block = i / rows % blocks, image = i / rows / blocks;
        int64_t channels = lt_min_i64(LT_BLOCK, plain->dim[1] - block * LT_BLOCK);
        const float *from =
            (const float *)plain->data + image * plain->stride[0] + block * LT_BLOCK + y * plain->stride[2];
        float *to = (float *)blocked->data + i * columns * LT_BLOCK;
        for (int64_t x = 0; x < columns; x++, from += plain->stride[3], to += LT_BLOCK)
            for (int64_t c = 0; c < LT_BLOCK; c++) to[c] = c < channels ? from[c] : 0;
    }
}

static void run_gather(const lt_cpu *cpu, const lt_op_call *call)
{
    lt_block_job job = {.cpu = cpu, .plain = call->in, .blocked = call->out};
    lt_pool_run(cpu->pool, call->out->dim[0] * call->out->dim[1] * call->out->dim[2], 1, gather_work, &job);
}

/* One float32 operand, and a result that is contiguous. */
static bool is_f32_step(const lt_step *step)
{
    return step->args[0].tensor.dtype == LATHE_F32 && lt_tensor_is_contiguous(&step->args[1].tensor);
}

lt_cpu_run lt_bind_block(const lt_step *step, size_t *scratch)
{
    (void)scratch;
    const lt_tensor *in = &step->args[0].tensor;
    if (!is_f32_step(step)) return NULL;
    if (lt_tensor_is_contiguous(in)) return run_block;
    return in->rank == 4 && in->stride[1] == 1 ? run_gather : NULL;
}

lt_cpu_run lt_bind_unblock(const lt_step *step, size_t *scratch)
{
    (void)scratch;
    return is_f32_step(step) && lt_tensor_is_contiguous(&step->args[0].tensor) ? run_block : NULL;
}

/* ---- Pools ---- */

typedef struct lt_pool_job {
    const lt_attrs_pool *attrs;
    const lt_tensor *in, *out;
    void (*run)(const lt_pool_window *window, float *out);
} lt_pool_job;

/* What an output covers of a dim: `count` positions from `first` on, and its size with the padding. */
typedef struct lt_cover {
    int64_t first, count, padded;
} lt_cover;

static lt_cover cover(const lt_pool_job *job, int dim, int64_t at)
{
    const lt_attrs_pool *a = job->attrs;
    int64_t in = job->in->dim[2 + dim], out = job->out->dim[2 + dim];
    if (a->adaptive) {
        int64_t whole = in / out, rest = in % out, first = at * whole + at * rest / out;
        int64_t count = (at + 1) * whole + ((at + 1) * rest + out - 1) / out - first;
        return (lt_cover){first, count, count};
    }
    int64_t first = at * a->stride[dim] - a->padding[dim], step = a->dilation[dim];
    int64_t end = first + (a->kernel[dim] - 1) * step + 1;
    lt_cover c = {.padded = lt_min_i64(end, in + a->padding[dim]) - first};
    c.first = first < 0 ? first + (-first + step - 1) / step * step : first;
    end = lt_min_i64(end, in);
    c.count = end > c.first ? (end - c.first - 1) / step + 1 : 0;
    return c;
}

/* Rows of the output, of all blocks, of all images: as convolutions are split. */
static void pool_work(void *context, int64_t begin, int64_t end)
{
    const lt_pool_job *job = context;
    const lt_attrs_pool *a = job->attrs;
    int64_t row = job->in->stride[2], rows = job->out->dim[2], columns = job->out->dim[3],
            blocks = job->out->dim[1];
    int64_t down = a->adaptive ? 1 : a->dilation[0], along = a->adaptive ? 1 : a->dilation[1];
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i / blocks % rows, image = i / blocks / rows, plane = image * blocks + i % blocks;
        const float *from =
            (const float *)job->in->data + image * job->in->stride[0] + i % blocks * job->in->stride[1];
        float *to = (float *)job->out->data + (plane * rows + at) * columns * LT_BLOCK;
        lt_cover y = cover(job, 0, at);
        for (int64_t column = 0; column < columns; column++) {
            lt_cover x = cover(job, 1, column);
            int64_t count = y.count * x.count;
            if (a->divisor) count = a->divisor;
            else if (a->count_include_pad) count = y.padded * x.padded;
            lt_pool_window w = {.x = from + y.first * row + x.first * LT_BLOCK,
                                .rows = y.count,
                                .row_step = down * row,
                                .columns = x.count,
                                .column_step = along * LT_BLOCK,
                                .divisor = x.count && y.count ? (float)count : 1};
            job->run(&w, to + column * LT_BLOCK);
        }
    }
}

static void run_pool(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_tensor *out = call->out;
    bool largest = call->op == LT_OP_BLOCKED_MAX_POOL;
    lt_pool_job job = {.attrs = &call->attrs->pool,
                       .in = call->in,
                       .out = out,
                       .run = largest ? cpu->kernels.pool_max : cpu->kernels.pool_mean};
    lt_pool_run(cpu->pool, out->dim[0] * out->dim[1] * out->dim[2], 1, pool_work, &job);
}

lt_cpu_run lt_bind_blocked_pool(const lt_step *step, size_t *scratch)
{
    (void)scratch;
    return is_f32_step(step) && lt_bind_rows(step) ? run_pool : NULL;
}
