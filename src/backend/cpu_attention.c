/* Scaled dot product attention. Tasks are blocks of query rows that share a head's keys and values (the heads
 * of a group are rows of one task); when all rows fit one block, as in decoding, the keys are split too, at
 * fixed positions, and the parts merged in their order. */
#include <math.h>

#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/sdpa.h"

/* A tensor of four dims (missing leading ones repeat) as an address and steps in elements. */
typedef struct lt_grid {
    char *data;
    int64_t size, step[4]; /* size: bytes of an element */
} lt_grid;

_Static_assert((int)LT_ROUND_PRODUCT == (int)LT_ATTEND_ROUND_PRODUCT &&
                   (int)LT_ROUND_SCALED == (int)LT_ATTEND_ROUND_SCALED &&
                   (int)LT_ROUND_MASKED == (int)LT_ATTEND_ROUND_MASKED &&
                   (int)LT_ROUND_WEIGHTS == (int)LT_ATTEND_ROUND_WEIGHTS &&
                   (int)LT_ROUND_CAPPED == (int)LT_ATTEND_ROUND_CAPPED &&
                   (int)LT_ROUND_SHIFTED == (int)LT_ATTEND_ROUND_SHIFTED,
               "the operator's roundings are the kernel's");

typedef struct lt_sdpa {
    const lt_cpu *cpu;
    lt_gemm_type q_type; /* of queries and results */
    int kv_type;         /* of keys and values: an index of attend */
    lt_grid q, k, v, out;
    lt_grid last_key, first_key; /* int64 as [B,1,L,1]; data NULL: there is none */
    int64_t batch, heads, groups, length, keys, dim, value_dim;
    bool causal;
    float scale, cap, empty; /* see lt_attend */
    const lt_tensor *sink;   /* NULL: there is none */

    /* The mask as float32; step[3] is 1. Rows that are different in memory have one range each. */
    lt_grid mask, mask_in; /* mask.data NULL: none; mask_in: as it came */
    lt_dtype mask_dtype;
    int64_t mask_dim[3];
    struct lt_key_range {
        int64_t first, last;
    } * ranges; /* [mask_dim[0]][mask_dim[1]][mask_dim[2]] */

    int64_t blocks;        /* of query rows, for each group */
    int64_t chunk, chunks; /* keys are split into `chunks` from chunk `chunk` on; 1: not split */
    float *parts;          /* [batch][groups][chunks][rows][LT_ATTEND_PARTIAL + value_dim] */

    lt_gemm_type rounded;
    unsigned rounds; /* LT_ATTEND_ROUND_... */
    float *stats;    /* [batch][groups][rows][2], see lt_attend; NULL until the parts are measured */
} lt_sdpa;

static lt_grid grid_of(const lt_tensor *tensor)
{
    lt_grid grid = {.data = tensor->data, .size = (int64_t)lathe_dtype_size(tensor->dtype)};
    int missing = 4 - tensor->rank;
    for (int i = 0; i < tensor->rank; i++)
        grid.step[missing + i] = tensor->dim[i] == 1 ? 0 : tensor->stride[i];
    return grid;
}

/* Of keys or values: where int8 rows have their values. */
static lt_grid rows_of(const lt_tensor *tensor)
{
    lt_grid grid = grid_of(tensor);
    if (lt_sdpa_is_quantized(tensor->dtype)) grid.data += LT_CACHE_SCALE;
    return grid;
}

/* The kernel for queries and keys of these types and that size. Pairs of bfloat16 have weights of bfloat16.
 */
static int attend_type(const lt_cpu_kernels *kernels, const lt_attrs_sdpa *attrs, lt_dtype q, lt_dtype k,
                       int64_t dim)
{
    lt_gemm_type type = LT_GEMM_F32;
    bool rounds_so = !attrs->rounds || attrs->rounded == LATHE_BF16;
    bool pairs = q == LATHE_BF16 && k == LATHE_BF16 && dim % 2 == 0 && rounds_so;
    if (pairs && kernels->attend[LT_ATTEND_PAIRS]) return LT_ATTEND_PAIRS;
    if (lt_sdpa_is_quantized(k)) return LT_ATTEND_INT8;
    lt_float_type(k, &type);
    return (int)type;
}

static char *grid_at(const lt_grid *grid, int64_t i0, int64_t i1, int64_t i2)
{
    return grid->data + (i0 * grid->step[0] + i1 * grid->step[1] + i2 * grid->step[2]) * grid->size;
}

/* ---- Mask ---- */

/* The row of the mask that a query row sees. */
static int64_t mask_row(const lt_sdpa *s, int64_t b, int64_t h, int64_t l)
{
    int64_t i0 = s->mask_dim[0] > 1 ? b : 0, i1 = s->mask_dim[1] > 1 ? h : 0, i2 = s->mask_dim[2] > 1 ? l : 0;
    return (i0 * s->mask_dim[1] + i1) * s->mask_dim[2] + i2;
}

static void mask_work(void *context, int64_t begin, int64_t end)
{
    const lt_sdpa *s = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t l = i % s->mask_dim[2], h = i / s->mask_dim[2] % s->mask_dim[1],
                b = i / s->mask_dim[2] / s->mask_dim[1];
        float *row = (float *)(void *)grid_at(&s->mask, b, h, l);
        if (s->mask.data != s->mask_in.data) {
            lt_load_f32(s->mask_dtype, grid_at(&s->mask_in, b, h, l), s->mask_in.step[3] * s->mask_in.size,
                        s->keys, row);
            for (int64_t k = 0; s->mask_dtype == LATHE_BOOL && k < s->keys; k++)
                row[k] = row[k] > 0 ? 0 : -INFINITY;
        }
        s->cpu->kernels.attend_range(row, s->keys, &s->ranges[i].first, &s->ranges[i].last);
    }
}

/* Only float32 rows whose elements lie side by side are read where they are. */
static bool mask_is_ready(const lt_tensor *mask, int64_t keys)
{
    return mask->dtype == LATHE_F32 && lt_last_is_dense(mask) && mask->dim[mask->rank - 1] == keys;
}

static void mask_shape(const lt_tensor *mask, int64_t dim[3])
{
    for (int i = 0; i < 3; i++) {
        int at = i - 4 + mask->rank;
        dim[i] = at < 0 ? 1 : mask->stride[at] == 0 ? 1 : mask->dim[at];
    }
}

static void prepare_mask(lt_sdpa *s, const lt_tensor *mask, char **scratch)
{
    mask_shape(mask, s->mask_dim);
    s->mask_dtype = mask->dtype;
    s->mask = s->mask_in = grid_of(mask);
    int64_t rows = s->mask_dim[0] * s->mask_dim[1] * s->mask_dim[2];
    s->ranges = lt_take(scratch, (size_t)rows * sizeof *s->ranges);
    if (!mask_is_ready(mask, s->keys)) {
        s->mask = (lt_grid){.data = lt_take(scratch, (size_t)(rows * s->keys) * sizeof(float)),
                            .size = sizeof(float)};
        s->mask.step[2] = s->mask_dim[2] > 1 ? s->keys : 0;
        s->mask.step[1] = s->mask_dim[1] > 1 ? s->mask_dim[2] * s->keys : 0;
        s->mask.step[0] = s->mask_dim[0] > 1 ? s->mask_dim[1] * s->mask_dim[2] * s->keys : 0;
    }
    lt_pool_run(s->cpu->pool, rows, 1, mask_work, s);
}

/* Bounds [B,L] as [B,1,L,1]. */
static lt_grid bound_of(const lt_tensor *bound)
{
    lt_grid grid = grid_of(bound);
    grid.step[0] = grid.step[2];
    grid.step[2] = grid.step[3];
    grid.step[1] = grid.step[3] = 0;
    return grid;
}

static int64_t bound_at(const lt_grid *bound, int64_t b, int64_t l)
{
    return *(const int64_t *)(const void *)grid_at(bound, b, 0, l);
}

/* ---- Tasks ---- */

/* The keys that a row looks at. */
static struct lt_key_range row_keys(const lt_sdpa *s, int64_t b, int64_t h, int64_t l)
{
    int64_t most = s->keys - 1, last = s->causal ? lt_min_i64(l, most) : most, first = 0;
    if (s->last_key.data) last = lt_min_i64(last, bound_at(&s->last_key, b, l));
    if (s->first_key.data) first = lt_max_i64(first, bound_at(&s->first_key, b, l));
    struct lt_key_range range = {first, lt_max_i64(last, -1) + 1};
    if (s->mask.data) {
        struct lt_key_range shown = s->ranges[mask_row(s, b, h, l)];
        range.first = lt_max_i64(range.first, shown.first);
        range.last = lt_min_i64(range.last, shown.last);
    }
    return range.first < range.last ? range : (struct lt_key_range){0, 0};
}

static float sink_of(const lt_sdpa *s, int64_t h)
{
    if (!s->sink) return -INFINITY;
    float sink;
    int64_t size = (int64_t)lathe_dtype_size(s->sink->dtype);
    lt_load_f32(s->sink->dtype, (const char *)s->sink->data + h * s->sink->stride[0] * size, size, 1, &sink);
    return sink;
}

static void fill_row(const lt_sdpa *s, int64_t b, int64_t h, int64_t l, struct lt_attend_row *row)
{
    struct lt_key_range keys = row_keys(s, b, h, l);
    *row = (struct lt_attend_row){.q = grid_at(&s->q, b, h, l),
                                  .out = grid_at(&s->out, b, h, l),
                                  .first = keys.first,
                                  .last = keys.last,
                                  .sink = sink_of(s, h)};
    if (s->mask.data) row->mask = (const float *)(const void *)grid_at(&s->mask, b, h, l);
}

/* Rows of a group, heads innermost: neighbours see nearly the same keys. */
static int64_t group_rows(const lt_sdpa *s) { return s->heads / s->groups * s->length; }

/* Blocks from both ends in turn: with a causal mask the later ones cost more, and threads take runs of tasks.
 */
static int64_t block_of(const lt_sdpa *s, int64_t i) { return i % 2 ? s->blocks - 1 - i / 2 : i / 2; }

static void attend_work(void *context, int64_t begin, int64_t end)
{
    const lt_sdpa *s = context;
    lt_attend task = {.q_type = s->q_type,
                      .dim = s->dim,
                      .value_dim = s->value_dim,
                      .scale = s->scale,
                      .cap = s->cap,
                      .empty = s->empty,
                      .k_stride = s->k.step[2],
                      .v_stride = s->v.step[2],
                      .end = s->keys,
                      .rounded = s->rounded,
                      .rounds = s->rounds};
    int64_t group = s->heads / s->groups, rows = group_rows(s);
    for (int64_t i = begin; i < end; i++) {
        int64_t part = s->chunks > 1 ? i % s->chunks : 0,
                block = s->chunks > 1 ? 0 : block_of(s, i % s->blocks);
        int64_t g = i / (s->chunks > 1 ? s->chunks : s->blocks), b = g / s->groups,
                first = block * LT_ATTEND_ROWS;
        g %= s->groups;
        task.k = grid_at(&s->k, b, g, 0);
        task.v = grid_at(&s->v, b, g, 0);
        task.rows = lt_min_i64(LT_ATTEND_ROWS, rows - first);
        for (int64_t r = 0; r < task.rows; r++)
            fill_row(s, b, g * group + (first + r) % group, (first + r) / group, &task.row[r]);
        if (s->chunks > 1) {
            task.begin = (s->chunk + part) * LT_ATTEND_CHUNK;
            task.end = lt_min_i64(s->keys, task.begin + LT_ATTEND_CHUNK);
            task.partial = s->parts + i * rows * (LT_ATTEND_PARTIAL + s->value_dim);
            if (s->stats) task.stats = s->stats + i / s->chunks * rows * 2;
            for (int64_t r = 0; part > 0 && r < task.rows; r++) task.row[r].sink = -INFINITY;
        }
        s->cpu->kernels.attend[s->kv_type](&task);
    }
}

/* One row's maximum and sum over all chunks. */
static void stats_work(void *context, int64_t begin, int64_t end)
{
    const lt_sdpa *s = context;
    int64_t rows = group_rows(s), step = LT_ATTEND_PARTIAL + s->value_dim;
    for (int64_t i = begin; i < end; i++) {
        float *parts = s->parts + (i / rows * s->chunks * rows + i % rows) * step, most = -INFINITY, sum = 0;
        for (int64_t c = 0; c < s->chunks; c++) most = fmaxf(most, parts[c * rows * step]);
        for (int64_t c = 0; c < s->chunks; c++) {
            const float *part = parts + c * rows * step;
            if (!(part[1] <= 0)) sum += part[1] * expf(part[0] - most);
        }
        s->stats[2 * i] = most;
        s->stats[2 * i + 1] = sum;
    }
}

/* Parts that add up to the result become parts as merging wants them. */
static void settle_work(void *context, int64_t begin, int64_t end)
{
    const lt_sdpa *s = context;
    int64_t rows = group_rows(s), step = LT_ATTEND_PARTIAL + s->value_dim;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < s->chunks; c++) {
            float *part = s->parts + ((i / rows * s->chunks + c) * rows + i % rows) * step;
            part[0] = 0;
            part[1] = c == 0 && !(s->stats[2 * i + 1] <= 0);
        }
}

static void merge_work(void *context, int64_t begin, int64_t end)
{
    const lt_sdpa *s = context;
    int64_t rows = group_rows(s), group = s->heads / s->groups, row = LT_ATTEND_PARTIAL + s->value_dim;
    for (int64_t i = begin; i < end; i++) {
        int64_t r = i % rows, g = i / rows % s->groups, b = i / rows / s->groups;
        const float *parts = s->parts + ((b * s->groups + g) * s->chunks * rows + r) * row;
        s->cpu->kernels.attend_merge[s->q_type](parts, s->chunks, rows * row, s->value_dim, s->empty,
                                                grid_at(&s->out, b, g * group + r % group, r / group));
    }
}

/* The chunks that some row looks at; blocks of rows are split instead where there are several. Differences
 * from the maximum that are rounded take three walks over the keys, which one thread does for a head. */
static void choose_chunks(lt_sdpa *s)
{
    int64_t first = s->keys, last = 0;
    s->chunks = 1;
    if (s->blocks > 1 || s->rounds & LT_ATTEND_ROUND_SHIFTED) return;
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t h = 0; h < (s->mask.data ? s->heads : 1); h++)
            for (int64_t l = 0; l < s->length; l++) {
                struct lt_key_range keys = row_keys(s, b, h, l);
                if (keys.first == keys.last) continue;
                first = lt_min_i64(first, keys.first);
                last = lt_max_i64(last, keys.last);
            }
    s->chunk = lt_min_i64(first, last) / LT_ATTEND_CHUNK;
    s->chunks = (last + LT_ATTEND_CHUNK - 1) / LT_ATTEND_CHUNK - s->chunk;
}

/* Of every chunk, where chunks there may be. */
static size_t parts_bytes(const lt_tensor *q, const lt_tensor *k, const lt_tensor *v)
{
    if (!k->dim[1] || q->dim[1] / k->dim[1] * q->dim[2] > LT_ATTEND_ROWS) return 0;
    return (size_t)(q->dim[0] * q->dim[1] * q->dim[2]) * ((size_t)k->dim[2] / LT_ATTEND_CHUNK + 1) *
           (size_t)(LT_ATTEND_PARTIAL + v->dim[3]) * sizeof(float);
}

static void run_sdpa(const lt_cpu *cpu, const lt_op_call *call)
{
    lt_sdpa_inputs at = lt_sdpa_find_inputs(&call->attrs->sdpa);
    const lt_tensor *q = &call->in[0], *k = &call->in[1], *v = &call->in[2];
    lt_sdpa s = {.cpu = cpu,
                 .q = grid_of(q),
                 .k = rows_of(k),
                 .v = rows_of(v),
                 .out = grid_of(call->out),
                 .batch = q->dim[0],
                 .heads = q->dim[1],
                 .groups = k->dim[1],
                 .length = q->dim[2],
                 .keys = k->dim[2],
                 .dim = q->dim[3],
                 .value_dim = call->out->dim[3],
                 .kv_type = attend_type(&cpu->kernels, &call->attrs->sdpa, q->dtype, k->dtype, q->dim[3]),
                 .causal = call->attrs->sdpa.causal,
                 .scale = (float)call->attrs->sdpa.scale,
                 .cap = (float)call->attrs->sdpa.cap,
                 .empty = call->attrs->sdpa.empty_nan ? NAN : 0,
                 .rounds = call->attrs->sdpa.rounds};
    char *scratch = call->scratch;
    if (lathe_tensor_count(call->out) == 0) return;
    lt_float_type(q->dtype, &s.q_type);
    if (s.rounds) lt_float_type(call->attrs->sdpa.rounded, &s.rounded);
    if (at.mask >= 0) prepare_mask(&s, &call->in[at.mask], &scratch);
    if (at.last >= 0) s.last_key = bound_of(&call->in[at.last]);
    if (at.first >= 0) s.first_key = bound_of(&call->in[at.first]);
    if (at.sink >= 0) s.sink = &call->in[at.sink];
    s.blocks = (group_rows(&s) + LT_ATTEND_ROWS - 1) / LT_ATTEND_ROWS;
    choose_chunks(&s);
    s.parts = lt_take(&scratch, parts_bytes(q, k, v));
    int64_t tasks = s.batch * s.groups;
    lt_pool_run(cpu->pool, tasks * (s.chunks > 1 ? s.chunks : s.blocks), 1, attend_work, &s);
    if (s.chunks <= 1) return;
    int64_t all_rows = tasks * group_rows(&s);
    if (s.rounds & LT_ATTEND_ROUND_WEIGHTS) {
        s.stats = lt_take(&scratch, (size_t)all_rows * 2 * sizeof *s.stats);
        lt_pool_run(cpu->pool, all_rows, 1, stats_work, &s);
        lt_pool_run(cpu->pool, tasks * s.chunks, 1, attend_work, &s);
        lt_pool_run(cpu->pool, all_rows, 1, settle_work, &s);
    }
    lt_pool_run(cpu->pool, all_rows, 1, merge_work, &s);
}

/* Ranges, the mask as float32, and the parts of every chunk. */
static size_t sdpa_scratch(const lt_step *step)
{
    const lt_tensor *q = &step->args[0].tensor, *k = &step->args[1].tensor, *v = &step->args[2].tensor;
    size_t keys = (size_t)k->dim[2], bytes = 0;
    int at = lt_sdpa_find_inputs(&step->attrs.sdpa).mask;
    if (at >= 0) {
        const lt_tensor *mask = &step->args[at].tensor;
        int64_t dim[3];
        mask_shape(mask, dim);
        size_t rows = (size_t)(dim[0] * dim[1] * dim[2]);
        bytes += lt_align64(rows * sizeof(struct lt_key_range));
        if (!mask_is_ready(mask, k->dim[2])) bytes += lt_align64(rows * keys * sizeof(float));
    }
    bytes += lt_align64(parts_bytes(q, k, v));
    if (step->attrs.sdpa.rounds) bytes += (size_t)(q->dim[0] * q->dim[1] * q->dim[2]) * 2 * sizeof(float);
    return bytes;
}

lt_cpu_run lt_bind_sdpa(const lt_step *step, size_t *scratch)
{
    lt_gemm_type type;
    const lt_tensor *q = &step->args[0].tensor, *k = &step->args[1].tensor, *v = &step->args[2].tensor,
                    *out = &step->args[step->n_in].tensor;
    bool dense = lt_last_is_dense(q) && lt_last_is_dense(k) && lt_last_is_dense(v) && lt_last_is_dense(out);
    if (!dense || !lt_float_type(q->dtype, &type) ||
        (!lt_float_type(k->dtype, &type) && !lt_sdpa_is_quantized(k->dtype)) ||
        lt_max_i64(q->dim[3], out->dim[3]) > LT_ATTEND_DIM)
        return NULL;
    int mask = lt_sdpa_find_inputs(&step->attrs.sdpa).mask;
    if (mask >= 0 && step->args[mask].tensor.rank == 0) return NULL;
    *scratch = sdpa_scratch(step);
    return run_sdpa;
}
