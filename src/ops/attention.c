/* Scaled dot product attention: query [B,H,L,E], key [B,G,S,E], value [B,G,S,V] with H a multiple of G (query
 * head h reads key head h / (H / G)). Optional inputs, as the attributes say: a mask that broadcasts to
 * [B,H,L,S], bool (true: look) or added; the last and the first key that a row looks at, int64 that broadcast
 * to [B,L]; the score of a sink for each head, [H], which has a share of the weights and no value. Keys and
 * values may be stored in another float type than the query, which gives the type of the result, or as rows
 * of int8 (ops/cache_row.h), which are longer by their scale. Softmax in float32 (float64 for float64). A row
 * that may look at nothing gives zeros, as PyTorch's, or NaN where the attributes say so. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/product.h"
#include "ops/sdpa.h"

enum { ROWS = 32, CHUNK = 256 };

/* Query rows that read the same keys and values. */
typedef struct lt_attention {
    int64_t rows, keys;             /* at most ROWS; S */
    int64_t begin[ROWS], end[ROWS]; /* per row, the keys that it may look at: begin … end - 1 */
    lt_product scores, values;      /* per block: m, n or k and the addresses of the range */
    bool quantized;                 /* keys and values have scales */
    const char *mask;               /* NULL: none */
    int64_t mask_step[2];           /* bytes: row, key */
    lt_dtype mask_dtype;
    double sink[ROWS]; /* per row; -infinity: there is none */
    bool empty_nan;
    lt_dtype rounded;
    unsigned rounds;
    double scale, cap;
} lt_attention;

/* The scale of row `key` of the keys or values that a product reads. */
static float key_scale(const lt_product *p, int key_dim, int64_t key)
{
    return lt_cache_scale(p->b + key * p->b_step[key_dim]);
}

#pragma GCC diagnostic ignored "-Wfloat-equal"
#define T float
#define DTYPE LATHE_F32
#define M(name) name##f
#define FN(name) name##_f32
#include "ops/attention.tmpl.h"
#undef T
#undef DTYPE
#undef M
#undef FN
#define T double
#define DTYPE LATHE_F64
#define M(name) name
#define FN(name) name##_f64
#include "ops/attention.tmpl.h"

static lathe_status check_mask(const lt_type *mask, const lt_type *scores, lathe_error *err)
{
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    lt_type wide = *scores;
    LT_TRY(lt_broadcast(&wide, mask, err));
    if (!lt_type_equal(&wide, scores) || (mask->dtype != LATHE_BOOL && !lt_dtype_is_float(mask->dtype)))
        LT_FAIL(err, TYPE, "mask %s for scores %s", lt_type_print(mask, a), lt_type_print(scores, b));
    return LATHE_OK;
}

/* Of a key for each row. */
static lathe_status check_bound(const lt_type *bound, const lt_type *scores, lathe_error *err)
{
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    lt_type rows = {.dtype = LATHE_I64, .rank = 2, .dim = {scores->dim[0], scores->dim[2]}}, wide = rows;
    LT_TRY(lt_broadcast(&wide, bound, err));
    if (!lt_type_equal(&wide, &rows) || bound->dtype != LATHE_I64)
        LT_FAIL(err, TYPE, "bounds %s for scores %s", lt_type_print(bound, a), lt_type_print(scores, b));
    return LATHE_OK;
}

static lathe_status check_sink(const lt_type *sink, const lt_type *scores, lathe_error *err)
{
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    if (sink->rank != 1 || sink->dim[0] != scores->dim[1] || !lt_dtype_is_float(sink->dtype))
        LT_FAIL(err, TYPE, "sinks %s for scores %s", lt_type_print(sink, a), lt_type_print(scores, b));
    return LATHE_OK;
}

lathe_status lt_infer_sdpa(LT_INFER_ARGS)
{
    (void)op;
    lt_sdpa_inputs at = lt_sdpa_find_inputs(&attrs->sdpa);
    if (n_in != at.count) LT_FAIL(err, INTERNAL, "%d inputs, expected %d", n_in, at.count);
    const lt_type *q = &in[0], *k = &in[1], *v = &in[2];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT], c[LT_TYPE_TEXT];
    bool quantized = lt_sdpa_is_quantized(k->dtype);
    int64_t v_size = lt_sdpa_values(v->dtype, v->dim[3]);
    bool fits = q->rank == 4 && k->rank == 4 && v->rank == 4 && k->dtype == v->dtype &&
                lt_dtype_is_float(q->dtype) && (lt_dtype_is_float(k->dtype) || quantized) &&
                q->dim[0] == k->dim[0] && q->dim[0] == v->dim[0] && k->dim[1] == v->dim[1] &&
                k->dim[2] == v->dim[2] && q->dim[3] == lt_sdpa_values(k->dtype, k->dim[3]) && v_size >= 0 &&
                (k->dim[1] ? q->dim[1] % k->dim[1] == 0 : q->dim[1] == 0);
    if (!fits)
        LT_FAIL(err, TYPE, "query %s, key %s, value %s", lt_type_print(q, a), lt_type_print(k, b),
                lt_type_print(v, c));
    *out = *q;
    out->dim[3] = v_size;
    lt_type scores = {.dtype = q->dtype, .rank = 4, .dim = {q->dim[0], q->dim[1], q->dim[2], k->dim[2]}};
    if (at.mask >= 0) LT_TRY(check_mask(&in[at.mask], &scores, err));
    if (at.last >= 0) LT_TRY(check_bound(&in[at.last], &scores, err));
    if (at.first >= 0) LT_TRY(check_bound(&in[at.first], &scores, err));
    return at.sink < 0 ? LATHE_OK : check_sink(&in[at.sink], &scores, err);
}

size_t lt_scratch_sdpa(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)attrs, (void)n_in;
    size_t bytes;
    if (!lt_mul_size(ROWS * sizeof(double), (size_t)in[1].dim[2], &bytes) ||
        !lt_add_size(bytes, lt_product_scratch(), &bytes))
        return SIZE_MAX / 2; /* more than there is */
    return bytes;
}

/* A tensor of four dims (missing leading ones repeat) as an address and byte steps. */
typedef struct lt_grid {
    char *data;
    int64_t step[4];
} lt_grid;

static lt_grid grid_of(const lt_tensor *tensor)
{
    lt_grid grid = {.data = tensor->data};
    int missing = 4 - tensor->rank;
    for (int i = 0; i < tensor->rank; i++)
        grid.step[missing + i] =
            tensor->dim[i] == 1 ? 0 : tensor->stride[i] * (int64_t)lathe_dtype_size(tensor->dtype);
    return grid;
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

/* Of keys or values: where int8 rows have their values. */
static lt_grid rows_of(const lt_tensor *tensor)
{
    lt_grid grid = grid_of(tensor);
    if (lt_sdpa_is_quantized(tensor->dtype)) grid.data += LT_CACHE_SCALE;
    return grid;
}

static char *grid_at(const lt_grid *grid, int64_t i0, int64_t i1, int64_t i2)
{
    return grid->data + i0 * grid->step[0] + i1 * grid->step[1] + i2 * grid->step[2];
}

typedef struct lt_attention_grids {
    lt_grid q, k, v, mask, last, first, out; /* last and first as [B,1,L,1]; data NULL: there is none */
    const lt_tensor *sink;                   /* NULL: none */
} lt_attention_grids;

/* The keys that row l of a batch entry looks at. */
static void find_keys(const lt_attention_grids *g, int64_t batch, int64_t l, bool causal, int64_t keys,
                      int64_t *begin, int64_t *end)
{
    int64_t last = causal ? l : keys - 1, first = 0;
    if (g->last.data) last = lt_min_i64(last, *(const int64_t *)(const void *)grid_at(&g->last, batch, 0, l));
    if (g->first.data) first = *(const int64_t *)(const void *)grid_at(&g->first, batch, 0, l);
    *end = lt_max_i64(lt_min_i64(last, keys - 1), -1) + 1;
    *begin = lt_max_i64(lt_min_i64(first, keys), 0);
}

static double sink_of(const lt_tensor *sink, int64_t head)
{
    return sink
               ? lt_load_one(sink->dtype, (const char *)sink->data +
                                              head * sink->stride[0] * (int64_t)lathe_dtype_size(sink->dtype))
               : -INFINITY;
}

/* Rows `row` … of one batch entry, starting at head h and position l; they lie along dim `along`. */
static void run_block(const lt_op_call *call, const lt_attention_grids *g, lt_attention *block, int64_t batch,
                      int64_t h, int64_t l, int along, int64_t group)
{
    for (int64_t row = 0; row < block->rows; row++) {
        find_keys(g, batch, along == 2 ? l + row : l, call->attrs->sdpa.causal, block->keys,
                  &block->begin[row], &block->end[row]);
        block->sink[row] = sink_of(g->sink, along == 1 ? h + row : h);
    }
    block->scores.m = block->values.m = block->rows;
    block->scores.a = grid_at(&g->q, batch, h, l);
    block->scores.a_step[0] = g->q.step[along];
    block->scores.b = grid_at(&g->k, batch, h / group, 0);
    block->values.b = grid_at(&g->v, batch, h / group, 0);
    block->values.out = grid_at(&g->out, batch, h, l);
    block->values.out_step[0] = g->out.step[along];
    if (block->mask_dtype != LATHE_DTYPE_COUNT) {
        block->mask = grid_at(&g->mask, batch, h, l);
        block->mask_step[0] = g->mask.step[along];
    }
    void *rows = (char *)call->scratch + lt_product_scratch();
    if (lt_class_of(call->out->dtype) == LT_CLASS_F64) attend_f64(block, call->scratch, rows);
    else attend_f32(block, call->scratch, rows);
}

/* What all blocks have in common. */
static lt_attention describe(const lt_op_call *call, const lt_attention_grids *g)
{
    const lt_tensor *q = &call->in[0], *k = &call->in[1], *v = &call->in[2];
    int mask = lt_sdpa_find_inputs(&call->attrs->sdpa).mask;
    return (lt_attention){
        .keys = k->dim[2],
        .mask_dtype = mask < 0 ? LATHE_DTYPE_COUNT : call->in[mask].dtype,
        .mask_step = {0, g->mask.step[3]},
        .quantized = lt_sdpa_is_quantized(k->dtype),
        .empty_nan = call->attrs->sdpa.empty_nan,
        .rounded = call->attrs->sdpa.rounded,
        .rounds = call->attrs->sdpa.rounds,
        .scale = call->attrs->sdpa.scale,
        .cap = call->attrs->sdpa.cap,
        .scores = {.k = q->dim[3],
                   .a_dtype = q->dtype,
                   .b_dtype = k->dtype,
                   .a_step = {0, g->q.step[3]},
                   .b_step = {g->k.step[2], g->k.step[3]}},
        .values = {.n = lt_sdpa_values(v->dtype, v->dim[3]),
                   .b_dtype = v->dtype,
                   .out_dtype = call->out->dtype,
                   .b_step = {g->v.step[3], g->v.step[2]},
                   .out_step = {0, g->out.step[3]}},
    };
}

lathe_status lt_ref_sdpa(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *q = &call->in[0];
    if (lathe_tensor_count(call->out) == 0) return LATHE_OK;
    lt_sdpa_inputs at = lt_sdpa_find_inputs(&call->attrs->sdpa);
    lt_attention_grids g = {
        .q = grid_of(q), .k = rows_of(&call->in[1]), .v = rows_of(&call->in[2]), .out = grid_of(call->out)};
    if (at.mask >= 0) g.mask = grid_of(&call->in[at.mask]);
    if (at.last >= 0) g.last = bound_of(&call->in[at.last]);
    if (at.first >= 0) g.first = bound_of(&call->in[at.first]);
    if (at.sink >= 0) g.sink = &call->in[at.sink];
    lt_attention block = describe(call, &g);
    int64_t heads = q->dim[1], length = q->dim[2], group = heads / call->in[1].dim[1];
    /* With one query position, the heads of a group are the rows, so that keys and values are read once. */
    bool by_head = length == 1;
    int64_t step = by_head ? group : 1;
    for (int64_t batch = 0; batch < q->dim[0]; batch++)
        for (int64_t h = 0; h < heads; h += step)
            for (int64_t row = 0, n = by_head ? group : length; row < n; row += ROWS) {
                block.rows = lt_min_i64(ROWS, n - row);
                run_block(call, &g, &block, batch, by_head ? h + row : h, by_head ? 0 : row, by_head ? 1 : 2,
                          group);
            }
    return LATHE_OK;
}
