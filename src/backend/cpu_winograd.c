/* Convolution of 3x3 taps by Winograd's minimal filtering: tiles of the input are taken to their positions,
 * at each position all tiles are multiplied with its weights, as a convolution of one tap is, and tiles of
 * the output are made of that.
 *
 * Tiles are worked through in strips. Where the weights are few, each strip is one thread's work from
 * beginning to end, and small enough that what lies between the steps stays in that thread's second-level
 * cache. Where they are many, a strip is long, so that weights are read once, and its steps are split over
 * the threads one by one. */
#include <stdatomic.h>
#include <string.h>

#include "backend/bind.h"
#include "base/winograd.h"

enum {
    CHUNK = 16,              /* terms of a product that are summed at a time */
    FEW_BYTES = 1 << 20,     /* so many weights are few */
    SHORT_BYTES = 320 << 10, /* positions of inputs and outputs of a strip that stays near */
    LONG_BYTES = 4 << 20,    /* those of a long one, or half as many as weights */
    STRIPS = 8,              /* short strips come in multiples of so many, */
    STRIP_TILES = 12,        /* with at least so many tiles each */
    PIECE = 4                /* tiles of a part of a long strip's steps */
};

/* How a convolution is cut. */
typedef struct lt_winograd_plan {
    int64_t in_blocks, out_blocks;
    int64_t down, across, tiles; /* tiles: of all images */
    int64_t strips;
    bool apart; /* each strip is worked through by one thread */
} lt_winograd_plan;

typedef struct lt_winograd_job {
    lt_winograd_plan plan;
    const lt_cpu *cpu;
    lt_winograd task; /* of block 0 */
    lt_conv products; /* of position 0 */
    lt_row_function activate;
    float *memory;      /* of the strips that are worked on at a time */
    atomic_bool *taken; /* apart: which of them */
    int64_t memory_floats, slots;
    int64_t begin, count; /* not apart: tiles of the strip */
    int64_t x_block;      /* floats between blocks of the input */
} lt_winograd_job;

static int64_t most_tiles(const lt_winograd_plan *p) { return (p->tiles + p->strips - 1) / p->strips; }

/* Floats between positions; a cache line more than needed, so that they spread over a cache's sets. */
static int64_t position_step(int64_t blocks, int64_t tiles) { return (blocks * tiles + 1) * LT_BLOCK; }

static int64_t strip_floats(const lt_winograd_plan *p)
{
    int64_t tiles = most_tiles(p);
    return LT_WINOGRAD_POSITIONS * (position_step(p->in_blocks, tiles) + position_step(p->out_blocks, tiles));
}

static lt_winograd_plan make_plan(const lt_tensor *x, const lt_tensor *w, const lt_tensor *out)
{
    lt_winograd_plan p = {.in_blocks = w->dim[2],
                          .out_blocks = w->dim[1],
                          .down = lt_winograd_tiles(out->dim[2]),
                          .across = lt_winograd_tiles(out->dim[3])};
    p.tiles = x->dim[0] * p.down * p.across;
    int64_t tile = LT_WINOGRAD_POSITIONS * (p.in_blocks + p.out_blocks) * LT_BLOCK * (int64_t)sizeof(float);
    int64_t weights = lathe_tensor_count(w) * (int64_t)sizeof(float);
    p.apart = weights <= FEW_BYTES && p.tiles >= STRIPS * STRIP_TILES;
    int64_t bytes = p.apart ? SHORT_BYTES : lt_max_i64(LONG_BYTES, weights / 2);
    int64_t strips = (p.tiles * tile + bytes - 1) / bytes;
    if (p.apart) strips = (strips + STRIPS - 1) / STRIPS * STRIPS;
    p.strips = lt_max_i64(1, lt_min_i64(strips, p.tiles));
    return p;
}

/* ---- The steps of a strip ---- */

/* The memory of a strip's positions: of the input, then of the output. */
static float *output_positions(const lt_winograd_job *job, float *memory)
{
    return memory + LT_WINOGRAD_POSITIONS * position_step(job->plan.in_blocks, most_tiles(&job->plan));
}

/* Tiles first … first + count - 1 of one block of the input; `at`: the first one's place in the strip of
 * `tiles`.
 */
static void transform_input(const lt_winograd_job *job, float *memory, int64_t tiles, int64_t at,
                            int64_t first, int64_t count, int64_t block)
{
    lt_winograd t = job->task;
    t.x += block * job->x_block;
    t.positions = memory + (block * tiles + at) * LT_BLOCK;
    t.position_step = position_step(job->plan.in_blocks, tiles);
    job->cpu->kernels.winograd_input(&t, first, count);
}

/* A set of output blocks at one position. */
static void multiply(const lt_winograd_job *job, float *memory, int64_t tiles, int64_t position, int64_t set)
{
    const lt_winograd_plan *p = &job->plan;
    int64_t most = job->cpu->kernels.conv_blocks;
    lt_conv c = job->products;
    c.x = memory + position * position_step(p->in_blocks, tiles);
    c.out = output_positions(job, memory) + position * position_step(p->out_blocks, tiles);
    c.x_block = c.x_row = c.out_block = tiles * LT_BLOCK;
    c.out_width = tiles;
    c.w += position * p->out_blocks * p->in_blocks * LT_BLOCK * LT_BLOCK;
    lt_conv_part part = {.block = set * most, .rows = 1, .end = tiles};
    part.blocks = lt_min_i64(most, p->out_blocks - part.block);
    job->cpu->kernels.conv(&c, &part);
}

static void activate_tiles(const lt_winograd_job *job, float *out, int64_t first, int64_t count)
{
    const lt_winograd *t = &job->task;
    for (int64_t i = first; i < first + count; i++) {
        int64_t row = i / t->across, y = row % t->down * LT_WINOGRAD_OUT, x = i % t->across * LT_WINOGRAD_OUT;
        int64_t end = lt_min_i64(y + LT_WINOGRAD_OUT, t->out_height),
                n = lt_min_i64(LT_WINOGRAD_OUT, t->out_width - x) * LT_BLOCK;
        for (; y < end; y++) {
            float *at = out + row / t->down * t->out_image + (y * t->out_width + x) * LT_BLOCK;
            job->activate(at, NULL, at, n);
        }
    }
}

/* As transform_input. */
static void transform_output(const lt_winograd_job *job, float *memory, int64_t tiles, int64_t at,
                             int64_t first, int64_t count, int64_t block)
{
    lt_winograd t = job->task;
    int64_t plane = block * t.out_height * t.out_width * LT_BLOCK;
    t.out += plane;
    if (t.add) t.add += plane;
    t.bias += block * LT_BLOCK;
    t.positions = output_positions(job, memory) + (block * tiles + at) * LT_BLOCK;
    t.position_step = position_step(job->plan.out_blocks, tiles);
    job->cpu->kernels.winograd_output(&t, first, count);
    if (job->activate) activate_tiles(job, t.out, first, count);
}

static int64_t strip_begin(const lt_winograd_plan *p, int64_t strip) { return p->tiles * strip / p->strips; }

static int64_t sets_of(const lt_winograd_job *job)
{
    int64_t most = job->cpu->kernels.conv_blocks;
    return (job->plan.out_blocks + most - 1) / most;
}

/* ---- Strip by strip ---- */

/* Memory that no other thread is using: there is some for each of them. */
static int64_t take_memory(lt_winograd_job *job)
{
    for (int64_t i = 0;; i = (i + 1) % job->slots)
        if (!atomic_exchange_explicit(&job->taken[i], true, memory_order_acquire)) return i;
}

static void run_strips(void *context, int64_t begin, int64_t end)
{
    lt_winograd_job *job = context;
    const lt_winograd_plan *p = &job->plan;
    int64_t slot = take_memory(job);
    float *memory = job->memory + slot * job->memory_floats;
    for (int64_t strip = begin; strip < end; strip++) {
        int64_t first = strip_begin(p, strip), tiles = strip_begin(p, strip + 1) - first;
        for (int64_t b = 0; b < p->in_blocks; b++) transform_input(job, memory, tiles, 0, first, tiles, b);
        for (int64_t i = 0; i < LT_WINOGRAD_POSITIONS; i++)
            for (int64_t set = 0; set < sets_of(job); set++) multiply(job, memory, tiles, i, set);
        for (int64_t b = 0; b < p->out_blocks; b++) transform_output(job, memory, tiles, 0, first, tiles, b);
    }
    atomic_store_explicit(&job->taken[slot], false, memory_order_release);
}

/* ---- Step by step ---- */

static void input_work(void *context, int64_t begin, int64_t end)
{
    const lt_winograd_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i / job->plan.in_blocks * PIECE;
        transform_input(job, job->memory, job->count, at, job->begin + at, lt_min_i64(PIECE, job->count - at),
                        i % job->plan.in_blocks);
    }
}

static void product_work(void *context, int64_t begin, int64_t end)
{
    const lt_winograd_job *job = context;
    for (int64_t i = begin; i < end; i++)
        multiply(job, job->memory, job->count, i / sets_of(job), i % sets_of(job));
}

static void output_work(void *context, int64_t begin, int64_t end)
{
    const lt_winograd_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i / job->plan.out_blocks * PIECE;
        transform_output(job, job->memory, job->count, at, job->begin + at,
                         lt_min_i64(PIECE, job->count - at), i % job->plan.out_blocks);
    }
}

static void run_steps(lt_winograd_job *job)
{
    const lt_winograd_plan *p = &job->plan;
    lt_pool *pool = job->cpu->pool;
    for (int64_t strip = 0; strip < p->strips; strip++) {
        job->begin = strip_begin(p, strip);
        job->count = strip_begin(p, strip + 1) - job->begin;
        int64_t pieces = (job->count + PIECE - 1) / PIECE;
        lt_pool_run(pool, pieces * p->in_blocks, 1, input_work, job);
        lt_pool_run(pool, LT_WINOGRAD_POSITIONS * sets_of(job), 1, product_work, job);
        lt_pool_run(pool, pieces * p->out_blocks, 1, output_work, job);
    }
}

/* ---- Binding ---- */

static const int64_t no_tap[1] = {0};

static void describe(lt_winograd_job *job, const lt_op_call *call, const float *zeros)
{
    const lt_attrs_blocked_conv *a = &call->attrs->blocked_conv;
    const lt_tensor *x = &call->in[0], *out = call->out;
    job->task = (lt_winograd){.down = job->plan.down,
                              .across = job->plan.across,
                              .height = x->dim[2],
                              .width = x->dim[3],
                              .padding = {a->conv.padding[0], a->conv.padding[1]},
                              .out_height = out->dim[2],
                              .out_width = out->dim[3],
                              .x = x->data,
                              .x_row = x->stride[2],
                              .x_image = x->stride[0],
                              .out_image = out->stride[0],
                              .bias = call->in[2].data,
                              .add = call->n_in > 3 ? call->in[3].data : NULL,
                              .out = out->data};
    job->x_block = x->stride[1];
    lt_conv_bounds(a, &job->task.low, &job->task.high);
    job->products = (lt_conv){.channels = a->channels,
                              .kernel = {1, 1},
                              .height = 1,
                              .stride = 1,
                              .dilation = 1,
                              .tap = no_tap,
                              .w = call->in[1].data,
                              .chunk = CHUNK,
                              .streams = true,
                              .bias = zeros,
                              .low = -__builtin_inff(),
                              .high = __builtin_inff()};
    job->activate = lt_conv_activation(job->cpu, a);
}

static void run_winograd(const lt_cpu *cpu, const lt_op_call *call)
{
    if (lathe_tensor_count(call->out) == 0) return;
    lt_winograd_job job = {.plan = make_plan(&call->in[0], &call->in[1], call->out), .cpu = cpu};
    char *scratch = call->scratch;
    size_t bias = (size_t)(job.plan.out_blocks * LT_BLOCK) * sizeof(float);
    float *zeros = lt_take(&scratch, bias);
    memset(zeros, 0, bias);
    describe(&job, call, zeros);
    job.memory_floats = strip_floats(&job.plan);
    if (!job.plan.apart) {
        job.memory = (float *)(void *)scratch;
        run_steps(&job);
        return;
    }
    job.slots = lt_pool_threads(cpu->pool);
    job.taken = lt_take(&scratch, (size_t)job.slots * sizeof *job.taken);
    for (int64_t i = 0; i < job.slots; i++) atomic_init(&job.taken[i], false);
    job.memory = (float *)(void *)scratch;
    lt_pool_run(cpu->pool, job.plan.strips, 1, run_strips, &job);
}

lt_cpu_run lt_bind_winograd_conv(const lt_cpu *cpu, const lt_step *step, size_t *scratch)
{
    if (!lt_bind_rows(step)) return NULL;
    lt_winograd_plan p =
        make_plan(&step->args[0].tensor, &step->args[1].tensor, &step->args[step->n_in].tensor);
    size_t slots = p.apart ? (size_t)lt_pool_threads(cpu->pool) : 1;
    *scratch = lt_align64((size_t)(p.out_blocks * LT_BLOCK) * sizeof(float)) + lt_align64(slots) +
               slots * (size_t)strip_floats(&p) * sizeof(float);
    return run_winograd;
}
