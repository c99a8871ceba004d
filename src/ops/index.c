/* Reading and writing elements that integer tensors name. The writing ones copy their first input unless they
 * work in place, and then touch only what is written. Every index is checked. */
#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256 };

static lathe_status check_index(int64_t index, int64_t size, bool wrap, int dim, int64_t *out,
                                lathe_error *err)
{
    if (index >= size || index < (wrap ? -size : 0))
        LT_FAIL(err, INVALID_ARGUMENT, "index %lld is out of range: dimension %d has size %lld",
                (long long)index, dim, (long long)size);
    *out = index < 0 ? index + size : index;
    return LATHE_OK;
}

static lathe_status expect_integers(const lt_type *index, lathe_error *err)
{
    if (!lt_dtype_is_int(index->dtype))
        LT_FAIL(err, TYPE, "indices are %s, expected integers", lathe_dtype_name(index->dtype));
    return LATHE_OK;
}

/* ---- index, index_put ---- */

/* The type of a tensor whose marked dims are replaced by the common shape of the indices. */
static lathe_status picked_type(const lt_attrs_index *attrs, const lt_type *in, const lt_type *index, int n,
                                lt_type *out, lathe_error *err)
{
    lt_type shape = {0};
    int marked = 0, kept = 0;
    for (int i = 0; i < in->rank; i++) marked += attrs->dims[i];
    if (n < 1 || marked != n) LT_FAIL(err, TYPE, "%d index tensors for %d dimensions", n, marked);
    for (int k = 0; k < n; k++) {
        LT_TRY(expect_integers(&index[k], err));
        LT_TRY(lt_broadcast(&shape, &index[k], err));
    }
    if (in->rank - n + shape.rank > LT_MAX_RANK)
        LT_FAIL(err, LIMIT, "rank %d, at most %d is supported", in->rank - n + shape.rank, LT_MAX_RANK);
    if (attrs->position < 0 || attrs->position > in->rank - n)
        LT_FAIL(err, TYPE, "indexed dimensions at position %d", attrs->position);
    *out = (lt_type){.dtype = in->dtype};
    for (int i = 0; i <= in->rank; i++) {
        if (i < in->rank && attrs->dims[i]) continue;
        for (int k = 0; kept == attrs->position && k < shape.rank; k++) out->dim[out->rank++] = shape.dim[k];
        if (i < in->rank) out->dim[out->rank++] = in->dim[i];
        kept++;
    }
    return LATHE_OK;
}

lathe_status lt_infer_index(LT_INFER_ARGS)
{
    (void)op;
    return picked_type(&attrs->index, in, in + 1, n_in - 1, out, err);
}

lathe_status lt_infer_index_put(LT_INFER_ARGS)
{
    (void)op;
    lt_type window;
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    LT_TRY(picked_type(&attrs->index, in, in + 2, n_in - 2, &window, err));
    if (!lt_type_equal(&window, &in[1]))
        LT_FAIL(err, TYPE, "writes %s where the indices name %s", lt_type_print(&in[1], a),
                lt_type_print(&window, b));
    *out = in[0];
    return LATHE_OK;
}

/* Walks the common shape of the indices: at each place a block of the kept dims lies in both tensors. */
typedef struct lt_picker {
    int n, rank; /* index tensors; dims of their common shape */
    bool wrap;
    int64_t dim[LT_MAX_RANK], at[LT_MAX_RANK];
    lt_dtype dtype[LT_MAX_RANK];
    const char *index[LT_MAX_RANK];                 /* the current entry of each index tensor */
    int64_t step[LT_MAX_RANK][LT_MAX_RANK];         /* bytes, by index tensor and dim */
    int which[LT_MAX_RANK];                         /* the dim that an index tensor is for */
    int64_t size[LT_MAX_RANK], stride[LT_MAX_RANK]; /* of that dim: elements, bytes */
    int64_t picked_step[LT_MAX_RANK];               /* bytes */
    char *picked, *base; /* the current block of the picked tensor; the indexed tensor */
    lt_iter block;       /* operand 0 in the picked tensor, 1 in the indexed one */
    bool empty;
} lt_picker;

static void add_index(lt_picker *p, const lt_tensor *index, int dim, const lt_tensor *base)
{
    int k = p->n++, lead = p->rank - index->rank;
    p->dtype[k] = index->dtype;
    p->index[k] = index->data;
    p->which[k] = dim;
    p->size[k] = base->dim[dim];
    p->stride[k] = base->stride[dim] * (int64_t)lathe_dtype_size(base->dtype);
    for (int i = lead; i < p->rank; i++)
        if (index->dim[i - lead] != 1)
            p->step[k][i] = index->stride[i - lead] * (int64_t)lathe_dtype_size(index->dtype);
}

/* `picked` has the shape that picked_type gives for `base`. */
static void picker_start(lt_picker *p, const lt_attrs_index *attrs, const lt_tensor *picked,
                         const lt_tensor *base, const lt_tensor *index, int n)
{
    int64_t size = (int64_t)lathe_dtype_size(base->dtype);
    lt_tensor from = {.dtype = base->dtype, .data = base->data}, to = {.dtype = base->dtype};
    *p = (lt_picker){.wrap = attrs->wrap, .picked = picked->data, .base = base->data};
    p->rank = picked->rank - (base->rank - n);
    for (int i = 0; i < p->rank; i++) {
        p->dim[i] = picked->dim[attrs->position + i];
        p->picked_step[i] = picked->stride[attrs->position + i] * size;
        p->empty = p->empty || p->dim[i] == 0;
    }
    for (int i = 0; i < base->rank; i++) {
        if (attrs->dims[i]) {
            add_index(p, &index[p->n], i, base);
            continue;
        }
        int own = to.rank < attrs->position ? to.rank : to.rank + p->rank;
        to.dim[to.rank] = from.dim[to.rank] = base->dim[i];
        from.stride[to.rank] = base->stride[i];
        to.stride[to.rank++] = picked->stride[own];
        from.rank = to.rank;
    }
    lt_iter_start(&p->block, &to, (const lt_tensor *const[]){&to, &from}, 2);
    p->empty = p->empty || p->block.row == 0;
}

/* Points the block's rows at the current place. */
static lathe_status picker_locate(lt_picker *p, lathe_error *err)
{
    int64_t offset = 0;
    for (int k = 0; k < p->n; k++) {
        int64_t i = lt_load_index(p->dtype[k], p->index[k]);
        LT_TRY(check_index(i, p->size[k], p->wrap, p->which[k], &i, err));
        offset += i * p->stride[k];
    }
    p->block.at[0] = p->picked;
    p->block.at[1] = p->base + offset;
    return LATHE_OK;
}

static bool picker_next(lt_picker *p)
{
    for (int d = p->rank - 1; d >= 0; d--) {
        bool more = ++p->at[d] < p->dim[d];
        int64_t steps = more ? 1 : 1 - p->dim[d];
        for (int k = 0; k < p->n; k++) p->index[k] += steps * p->step[k][d];
        p->picked += steps * p->picked_step[d];
        if (more) return true;
        p->at[d] = 0;
    }
    return false;
}

lathe_status lt_ref_index(const lt_op_call *call, lathe_error *err)
{
    lt_picker p;
    size_t size = lathe_dtype_size(call->in->dtype);
    picker_start(&p, &call->attrs->index, call->out, call->in, call->in + 1, call->n_in - 1);
    if (p.empty) return LATHE_OK;
    do {
        LT_TRY(picker_locate(&p, err));
        do
            lt_move_row(size, p.block.at[0], p.block.row_step[0], p.block.at[1], p.block.row_step[1],
                        p.block.row);
        while (lt_iter_next(&p.block));
    } while (picker_next(&p));
    return LATHE_OK;
}

/* to += from, in the class of the dtype. */
static void add_row(lt_dtype dtype, char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n)
{
    float a32[CHUNK], b32[CHUNK];
    double a64[CHUNK], b64[CHUNK];
    int64_t ai[CHUNK], bi[CHUNK];
    for (int64_t m; n > 0; n -= m, to += m * to_step, from += m * from_step) {
        m = lt_min_i64(n, CHUNK);
        switch (lt_class_of(dtype)) {
        case LT_CLASS_F32:
            lt_load_f32(dtype, to, to_step, m, a32);
            lt_load_f32(dtype, from, from_step, m, b32);
            for (int64_t i = 0; i < m; i++) a32[i] += b32[i];
            lt_store_f32(dtype, to, to_step, m, a32);
            break;
        case LT_CLASS_F64:
            lt_load_f64(dtype, to, to_step, m, a64);
            lt_load_f64(dtype, from, from_step, m, b64);
            for (int64_t i = 0; i < m; i++) a64[i] += b64[i];
            lt_store_f64(dtype, to, to_step, m, a64);
            break;
        case LT_CLASS_I64:
            lt_load_i64(dtype, to, to_step, m, ai);
            lt_load_i64(dtype, from, from_step, m, bi);
            for (int64_t i = 0; i < m; i++) ai[i] = (int64_t)((uint64_t)ai[i] + (uint64_t)bi[i]);
            lt_store_i64(dtype, to, to_step, m, ai);
            break;
        }
    }
}

/* The first input into the output, unless they are the same memory. */
static void start_update(const lt_op_call *call)
{
    if (call->out->data != call->in->data) lt_tensor_copy(&call->in[0], call->out);
}

lathe_status lt_ref_index_put(const lt_op_call *call, lathe_error *err)
{
    lt_picker p;
    lt_dtype dtype = call->out->dtype;
    size_t size = lathe_dtype_size(dtype);
    start_update(call);
    picker_start(&p, &call->attrs->index, &call->in[1], call->out, call->in + 2, call->n_in - 2);
    if (p.empty) return LATHE_OK;
    do {
        LT_TRY(picker_locate(&p, err));
        do {
            const int64_t *step = p.block.row_step;
            if (call->attrs->index.accumulate)
                add_row(dtype, p.block.at[1], step[1], p.block.at[0], step[0], p.block.row);
            else lt_move_row(size, p.block.at[1], step[1], p.block.at[0], step[0], p.block.row);
        } while (lt_iter_next(&p.block));
    } while (picker_next(&p));
    return LATHE_OK;
}

/* ---- gather, scatter ---- */

/* `index` names, along one dim, elements of `along`: sizes agree up to what the index leaves out. */
static lathe_status check_gather(int dim, const lt_type *along, const lt_type *index, lathe_error *err)
{
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    LT_TRY(expect_integers(index, err));
    bool fits = along->rank == index->rank && dim >= 0 && dim < along->rank;
    for (int i = 0; fits && i < index->rank; i++) fits = i == dim || index->dim[i] <= along->dim[i];
    if (!fits)
        LT_FAIL(err, TYPE, "index %s does not fit %s along dimension %d", lt_type_print(index, a),
                lt_type_print(along, b), dim);
    return LATHE_OK;
}

lathe_status lt_infer_gather(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 2, err));
    LT_TRY(check_gather(attrs->dim.dim, &in[0], &in[1], err));
    *out = in[1];
    out->dtype = in[0].dtype;
    return LATHE_OK;
}

/* The part of a tensor that indices of this shape can meet: the dim that they choose in does not move. */
static lt_tensor gather_window(const lt_tensor *tensor, const lt_tensor *index, int dim)
{
    lt_tensor window = *tensor;
    for (int i = 0; i < index->rank; i++) window.dim[i] = index->dim[i];
    if (dim >= 0) window.stride[dim] = 0;
    return window;
}

lathe_status lt_ref_gather(const lt_op_call *call, lathe_error *err)
{
    const lt_tensor *in = &call->in[0], *index = &call->in[1];
    int dim = call->attrs->dim.dim;
    int64_t size = (int64_t)lathe_dtype_size(in->dtype), step = in->stride[dim] * size;
    lt_tensor window = gather_window(in, index, dim);
    lt_iter it;
    lt_iter_start(&it, call->out, (const lt_tensor *const[]){call->out, index, &window}, 3);
    if (!it.row) return LATHE_OK;
    int64_t rows[CHUNK];
    do {
        for (int64_t at = 0; at < it.row; at += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, it.row - at);
            lt_load_i64(index->dtype, it.at[1] + at * it.row_step[1], it.row_step[1], n, rows);
            for (int64_t i = 0; i < n; i++) {
                LT_TRY(check_index(rows[i], in->dim[dim], false, dim, &rows[i], err));
                lt_move_row((size_t)size, it.at[0] + (at + i) * it.row_step[0], 0,
                            it.at[2] + (at + i) * it.row_step[2] + rows[i] * step, 0, 1);
            }
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

lathe_status lt_infer_scatter(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 3, err));
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    LT_TRY(check_gather(attrs->scatter.dim, &in[0], &in[1], err));
    bool fits = in[2].rank == in[1].rank && in[2].dtype == in[0].dtype;
    for (int i = 0; fits && i < in[1].rank; i++) fits = in[1].dim[i] <= in[2].dim[i];
    if (!fits)
        LT_FAIL(err, TYPE, "index %s does not fit the source %s", lt_type_print(&in[1], a),
                lt_type_print(&in[2], b));
    *out = in[0];
    return LATHE_OK;
}

static double reduce_f64(lt_reduce_kind kind, double x, double y)
{
    switch (kind) {
    case LT_REDUCE_SUM: return x + y;
    case LT_REDUCE_PROD: return x * y;
    case LT_REDUCE_MAX: return isnan(x) || x > y ? x : y;
    case LT_REDUCE_MIN: return isnan(x) || x < y ? x : y;
    case LT_REDUCE_SET: break;
    }
    return y;
}

static int64_t reduce_i64(lt_reduce_kind kind, int64_t x, int64_t y)
{
    switch (kind) {
    case LT_REDUCE_SUM: return (int64_t)((uint64_t)x + (uint64_t)y);
    case LT_REDUCE_PROD: return (int64_t)((uint64_t)x * (uint64_t)y);
    case LT_REDUCE_MAX: return lt_max_i64(x, y);
    case LT_REDUCE_MIN: return lt_min_i64(x, y);
    case LT_REDUCE_SET: break;
    }
    return y;
}

/* One element of the output takes one of the source. */
static void scatter_one(lt_reduce_kind kind, lt_dtype dtype, size_t size, char *to, const char *from)
{
    if (kind == LT_REDUCE_SET) {
        lt_move_row(size, to, 0, from, 0, 1);
    } else if (lt_class_of(dtype) == LT_CLASS_I64) {
        int64_t value = reduce_i64(kind, lt_load_index(dtype, to), lt_load_index(dtype, from));
        lt_store_i64(dtype, to, 0, 1, &value);
    } else {
        double value = reduce_f64(kind, lt_load_one(dtype, to), lt_load_one(dtype, from));
        lt_store_f64(dtype, to, 0, 1, &value);
    }
}

lathe_status lt_ref_scatter(const lt_op_call *call, lathe_error *err)
{
    const lt_tensor *out = call->out, *index = &call->in[1];
    int dim = call->attrs->scatter.dim;
    size_t size = lathe_dtype_size(out->dtype);
    int64_t step = out->stride[dim] * (int64_t)size;
    lt_tensor window = gather_window(out, index, dim), source = gather_window(&call->in[2], index, -1);
    lt_iter it;
    start_update(call);
    lt_iter_start(&it, index, (const lt_tensor *const[]){&window, index, &source}, 3);
    if (!it.row) return LATHE_OK;
    int64_t rows[CHUNK];
    do {
        for (int64_t at = 0; at < it.row; at += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, it.row - at);
            lt_load_i64(index->dtype, it.at[1] + at * it.row_step[1], it.row_step[1], n, rows);
            for (int64_t i = 0; i < n; i++) {
                LT_TRY(check_index(rows[i], out->dim[dim], false, dim, &rows[i], err));
                scatter_one(call->attrs->scatter.reduce, out->dtype, size,
                            it.at[0] + (at + i) * it.row_step[0] + rows[i] * step,
                            it.at[2] + (at + i) * it.row_step[2]);
            }
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

/* ---- masked_scatter ---- */

lathe_status lt_infer_masked_scatter(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    LT_TRY(lt_expect_inputs(n_in, 3, err));
    lt_type mask = in[0];
    mask.dtype = LATHE_BOOL;
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    if (!lt_type_equal(&mask, &in[1]) || in[2].rank != 1 || in[2].dtype != in[0].dtype)
        LT_FAIL(err, TYPE, "mask %s and source %s do not fit", lt_type_print(&in[1], a),
                lt_type_print(&in[2], b));
    *out = in[0];
    return LATHE_OK;
}

/* The elements under the mask, in order, take those of the one-dimensional source. */
lathe_status lt_ref_masked_scatter(const lt_op_call *call, lathe_error *err)
{
    const lt_tensor *source = &call->in[2];
    size_t size = lathe_dtype_size(source->dtype);
    int64_t taken = 0, step = source->stride[0] * (int64_t)size;
    start_update(call);
    lt_iter it;
    lt_iter_start(&it, call->out, (const lt_tensor *const[]){call->out, &call->in[1]}, 2);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            if (!it.at[1][i * it.row_step[1]]) continue;
            if (taken == source->dim[0])
                LT_FAIL(err, INVALID_ARGUMENT, "the mask has more elements than the source, which has %lld",
                        (long long)source->dim[0]);
            lt_move_row(size, it.at[0] + i * it.row_step[0], 0, (char *)source->data + taken++ * step, 0, 1);
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}
