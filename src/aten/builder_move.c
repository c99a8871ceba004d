/* Graph building: moving elements about. Windows, writes through views, joins, indexing by tensors. */
#include <string.h>

#include "aten/builder.h"

lt_id lt_build_at_least(lt_builder *b, lt_id x, int rank)
{
    while (lt_build_rank(b, x) < rank && b->status == LATHE_OK)
        x = lt_build_unsqueeze(b, x, lt_build_rank(b, x) == 2 ? 2 : 0);
    return x;
}

lt_id lt_build_as_strided(lt_builder *b, lt_id x, int rank, const int64_t *dim, const int64_t *stride,
                          int64_t offset)
{
    if (rank < 0 || rank > LT_MAX_RANK)
        return lt_build_fail(b, LATHE_LIMIT, "rank %d, at most %d is supported", rank, LT_MAX_RANK);
    lt_attrs attrs = {.strided = {.rank = rank, .offset = offset}};
    memcpy(attrs.strided.dim, dim, (size_t)rank * sizeof *dim);
    memcpy(attrs.strided.stride, stride, (size_t)rank * sizeof *stride);
    return lt_build(b, LT_OP_AS_STRIDED, &attrs, &x, 1);
}

lt_id lt_build_diagonal(lt_builder *b, lt_id x, int64_t offset, int64_t dim1, int64_t dim2)
{
    lt_type type = *lt_build_type(b, x), out = {0};
    int d1 = lt_build_dim(b, dim1, type.rank), d2 = lt_build_dim(b, dim2, type.rank);
    if (type.rank < 2 || d1 == d2)
        return lt_build_fail(b, LATHE_TYPE, "the diagonal of dims %d and %d of a tensor of rank %d", d1, d2,
                             type.rank);
    int64_t own[LT_MAX_RANK], stride[LT_MAX_RANK];
    lt_contiguous_strides(type.rank, type.dim, own);
    for (int i = 0; i < type.rank; i++) {
        if (i == d1 || i == d2) continue;
        out.dim[out.rank] = type.dim[i];
        stride[out.rank++] = own[i];
    }
    int64_t row = offset < 0 ? lt_min_i64(-lt_max_i64(offset, -INT64_MAX), type.dim[d1]) : 0;
    int64_t column = offset > 0 ? lt_min_i64(offset, type.dim[d2]) : 0;
    int64_t length = lt_min_i64(type.dim[d1] - row, type.dim[d2] - column);
    out.dim[out.rank] = length;
    stride[out.rank++] = own[d1] + own[d2];
    return lt_build_as_strided(b, x, out.rank, out.dim, stride,
                               length ? row * own[d1] + column * own[d2] : 0);
}

lt_id lt_build_flip(lt_builder *b, lt_id x, int64_t dim)
{
    int rank = lt_build_rank(b, x), d = lt_build_dim(b, dim, rank);
    int64_t size = lt_build_size(b, x, d);
    if (rank == 0 || size < 2) return x;
    lt_attrs attrs = {.slice = {.dim = d, .start = size - 1, .count = size, .step = -1}};
    return lt_build(b, LT_OP_SLICE, &attrs, &x, 1);
}

/* ---- Writing through views ---- */

enum { MAX_VIEWS = 256 };

/* The nodes from `base` to `view`, innermost last; how many, or -1 when `base` is not reached by views. */
static int trace_views(const lt_builder *b, lt_id base, lt_id view, const lt_node *chain[MAX_VIEWS])
{
    int n = 0;
    for (lt_id at = view; at != base; n++) {
        const lt_node *node = lt_graph_producer(b->graph, at);
        if (!node || !(lt_op_get(node->op)->flags & LT_OP_VIEW) || n == MAX_VIEWS) return -1;
        chain[n] = node;
        at = node->in[0];
    }
    for (int i = 0; i < n / 2; i++) {
        const lt_node *node = chain[i];
        chain[i] = chain[n - 1 - i];
        chain[n - 1 - i] = node;
    }
    return n;
}

bool lt_build_is_view_of(const lt_builder *b, lt_id view, lt_id base)
{
    const lt_node *chain[MAX_VIEWS];
    return trace_views(b, base, view, chain) >= 0;
}

/* Where the elements of a view lie among the contiguous elements of its base; false when they do not lie at
 * even distances, or are of another dtype. */
static bool view_window(const lt_type *base, const lt_node *const *chain, int n, lt_attrs *out)
{
    char *origin = (char *)(uintptr_t)((uintptr_t)1 << 46); /* never followed: only offsets from it count */
    lt_tensor at = lt_tensor_of(base, origin);
    for (int i = 0; i < n; i++) {
        lt_tensor next;
        if (!lt_op_get(chain[i]->op)->view(&chain[i]->attrs, &at, &next) || next.dtype != base->dtype)
            return false;
        at = next;
    }
    *out = (lt_attrs){.strided = {.rank = at.rank}};
    memcpy(out->strided.dim, at.dim, (size_t)at.rank * sizeof *at.dim);
    memcpy(out->strided.stride, at.stride, (size_t)at.rank * sizeof *at.stride);
    out->strided.offset = ((char *)at.data - origin) / (int64_t)lathe_dtype_size(base->dtype);
    return true;
}

/* Writing to a tensor that shows one element at several places has no meaning: PyTorch refuses it too. */
static bool repeats_elements(const lt_attrs_strided *window)
{
    bool repeats = false;
    for (int i = 0; i < window->rank; i++) {
        if (window->dim[i] == 0) return false;
        repeats = repeats || (window->dim[i] > 1 && window->stride[i] == 0);
    }
    return repeats;
}

static lt_id write_window(lt_builder *b, lt_id base, const lt_attrs *window, lt_id value)
{
    if (repeats_elements(&window->strided))
        return lt_build_fail(b, LATHE_TYPE,
                             "writes to a tensor that shows one element at several places (an expanded one)");
    return lt_build(b, LT_OP_AS_STRIDED_SCATTER, window, (lt_id[]){base, value}, 2);
}

lt_id lt_build_write_view(lt_builder *b, lt_id base, lt_id view, lt_id value)
{
    lt_type type = *lt_build_type(b, view);
    value = lt_build_expand(b, lt_build_cast(b, value, type.dtype), type.rank, type.dim);
    if (b->status != LATHE_OK || view == base) return value;
    const lt_node *chain[MAX_VIEWS];
    int n = trace_views(b, base, view, chain);
    if (n < 0) return lt_build_fail(b, LATHE_LIMIT, "more than %d views of one tensor", MAX_VIEWS);
    /* In one step where strides can say it; else back through the views, one by one. */
    for (lt_attrs window; n > 0; n--) {
        if (view_window(lt_build_type(b, base), chain, n, &window))
            return write_window(b, base, &window, value);
        lt_id parent = chain[n - 1]->in[0];
        if (view_window(lt_build_type(b, parent), &chain[n - 1], 1, &window)) {
            value = write_window(b, parent, &window, value);
        } else {
            lt_attrs attrs = {.dtype = {lt_build_dtype(b, parent)}};
            value = lt_build(b, LT_OP_VIEW_DTYPE, &attrs, &value, 1);
        }
    }
    return value;
}

/* ---- Joining ---- */

/* The legacy exception of torch.cat: tensors of shape [0] join anything. */
static bool is_skipped(const lt_type *type) { return type->rank == 1 && type->dim[0] == 0; }

lt_id lt_build_cat(lt_builder *b, const lt_id *in, int n, int64_t dim)
{
    for (int i = 0; i < n; i++)
        if (in[i] == LT_NONE) return lt_build_fail(b, LATHE_FORMAT, "tensor %d of the list is missing", i);
    lt_dtype dtype = lt_build_promote(b, in, n);
    int kept = 0;
    lt_id *parts = lt_arena_alloc(b->graph->arena, (size_t)n + 1, sizeof *parts);
    if (!parts) return lt_build_fail(b, LATHE_NO_MEMORY, "out of memory");
    for (int i = 0; i < n; i++)
        if (!is_skipped(lt_build_type(b, in[i]))) parts[kept++] = lt_build_cast(b, in[i], dtype);
    if (n > 0 && kept == 0) parts[kept++] = lt_build_cast(b, in[0], dtype);
    if (kept == 1) return parts[0];
    lt_attrs attrs = {.dim = {kept ? lt_build_dim(b, dim, lt_build_rank(b, parts[0])) : 0}};
    return lt_build(b, LT_OP_CAT, &attrs, parts, kept);
}

lt_id lt_build_pad(lt_builder *b, lt_id x, const int64_t *before, const int64_t *after, lt_id value)
{
    lt_type type = *lt_build_type(b, x), wide = type;
    lt_attrs window = {.strided = {.rank = type.rank}};
    bool grows = false;
    for (int i = 0; i < type.rank; i++) {
        int64_t start = before[i] < 0 ? -lt_max_i64(before[i], -INT64_MAX) : 0, end = INT64_MAX;
        if (after[i] < 0 && !lt_add_i64(type.dim[i], after[i], &end)) end = 0;
        if (start > type.dim[i] || end < start)
            return lt_build_fail(b, LATHE_TYPE, "padding of %lld and %lld crops dimension %d of size %lld",
                                 (long long)before[i], (long long)after[i], i, (long long)type.dim[i]);
        x = lt_build_slice(b, x, i, start, end, 1);
        window.strided.dim[i] = lt_build_size(b, x, i);
        if (!lt_add_i64(window.strided.dim[i], lt_max_i64(before[i], 0), &wide.dim[i]) ||
            !lt_add_i64(wide.dim[i], lt_max_i64(after[i], 0), &wide.dim[i]))
            return lt_build_fail(b, LATHE_TYPE, "padding of dimension %d overflows", i);
        grows = grows || wide.dim[i] != window.strided.dim[i];
    }
    if (b->status != LATHE_OK || !grows) return x;
    b->status = lt_type_check(&wide, "padded tensor", b->err);
    lt_id out = lt_build_full(b, value, type.dtype, type.rank, wide.dim);
    lt_contiguous_strides(type.rank, wide.dim, window.strided.stride);
    for (int i = 0; i < type.rank; i++)
        window.strided.offset += lt_max_i64(before[i], 0) * window.strided.stride[i];
    return lt_build(b, LT_OP_AS_STRIDED_SCATTER, &window, (lt_id[]){out, x}, 2);
}

/* ---- Indexing ---- */

lt_id lt_build_gather(lt_builder *b, lt_id x, int64_t dim, lt_id index)
{
    if (lt_build_rank(b, x) == 0) x = lt_build_unsqueeze(b, x, 0);
    bool scalar = lt_build_rank(b, index) == 0;
    if (scalar) index = lt_build_unsqueeze(b, index, 0);
    lt_attrs attrs = {.dim = {lt_build_dim(b, dim, lt_build_rank(b, x))}};
    lt_id out = lt_build(b, LT_OP_GATHER, &attrs, (lt_id[]){x, index}, 2);
    return scalar ? lt_build_squeeze(b, out, 0) : out;
}

lt_id lt_build_scatter(lt_builder *b, lt_id x, int64_t dim, lt_id index, lt_id source, lt_reduce_kind reduce)
{
    bool scalar = lt_build_rank(b, x) == 0;
    lt_id in[3] = {x, index, source};
    for (int i = 0; i < 3; i++)
        if (lt_build_rank(b, in[i]) == 0) in[i] = lt_build_unsqueeze(b, in[i], 0);
    lt_attrs attrs = {.scatter = {.dim = lt_build_dim(b, dim, lt_build_rank(b, in[0])), .reduce = reduce}};
    lt_id out = lt_build(b, LT_OP_SCATTER, &attrs, in, 3);
    return scalar ? lt_build_squeeze(b, out, 0) : out;
}

lt_id lt_build_index_dim(lt_builder *b, lt_id x, int64_t dim, lt_id index, bool wrap)
{
    int d = lt_build_dim(b, dim, lt_build_rank(b, x));
    lt_attrs attrs = {.index = {.position = d, .wrap = wrap}};
    attrs.index.dims[d] = true;
    return lt_build(b, LT_OP_INDEX, &attrs, (lt_id[]){x, index}, 2);
}

lt_id lt_build_index_put_dim(lt_builder *b, lt_id x, int64_t dim, lt_id index, lt_id value, bool wrap,
                             bool accumulate)
{
    int d = lt_build_dim(b, dim, lt_build_rank(b, x));
    lt_attrs attrs = {.index = {.position = d, .wrap = wrap, .accumulate = accumulate}};
    attrs.index.dims[d] = true;
    return lt_build(b, LT_OP_INDEX_PUT, &attrs, (lt_id[]){x, value, index}, 3);
}
