/* Views: the same elements under another shape, and questions about shapes. The _copy operators build the
 * same views: that their results are tensors of their own is what their schemas say. */
#include <string.h>

#include "aten/aten.h"

static lt_id self(lt_call *c) { return lt_call_tensor(c, c->schema->params[0].name); }

/* An int argument that may be None. */
static int64_t int_or(lt_call *c, const char *name, int64_t fallback)
{
    return lt_call_has(c, name) ? lt_call_int(c, name) : fallback;
}

/* ---- New shapes ---- */

static void view(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, c->schema->params[1].name, size, LT_MAX_RANK);
    lt_call_return(c, lt_build_reshape(c->b, self(c), rank, size));
}

static void view_as(lt_call *c)
{
    const lt_type *type = lt_build_type(c->b, lt_call_tensor(c, "other"));
    lt_call_return(c, lt_build_reshape(c->b, self(c), type->rank, type->dim));
}

static void view_dtype(lt_call *c)
{
    lt_id x = self(c);
    lt_attrs attrs = {.dtype = {lt_call_dtype(c, "dtype", lt_build_dtype(c->b, x))}};
    bool same = attrs.dtype.dtype == lt_build_dtype(c->b, x);
    lt_call_return(c, same ? x : lt_build(c->b, LT_OP_VIEW_DTYPE, &attrs, &x, 1));
}

/* Dims first … last become one. */
static lt_id flatten_dims(lt_builder *b, lt_id x, int64_t first, int64_t last)
{
    lt_type type = *lt_build_type(b, x), out = {0};
    int start = lt_build_dim(b, first, type.rank), end = lt_build_dim(b, last, type.rank);
    if (type.rank == 0) return lt_build_unsqueeze(b, x, 0);
    if (start > end) return lt_build_fail(b, LATHE_TYPE, "flattens dims %d to %d", start, end);
    for (int i = 0; i < type.rank; i++) {
        if (i > start && i <= end) out.dim[out.rank - 1] *= type.dim[i];
        else out.dim[out.rank++] = type.dim[i];
    }
    return lt_build_reshape(b, x, out.rank, out.dim);
}

static void flatten(lt_call *c)
{
    lt_call_return(c, flatten_dims(c->b, self(c), lt_call_int(c, "start_dim"), lt_call_int(c, "end_dim")));
}

static void ravel(lt_call *c) { lt_call_return(c, flatten_dims(c->b, self(c), 0, -1)); }

static void unflatten(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int64_t size[LT_MAX_RANK], dim[2 * LT_MAX_RANK], known = 1;
    int d = lt_call_dim(c, "dim", type.rank), n = lt_call_ints(c, "sizes", size, LT_MAX_RANK), rank = 0;
    for (int i = 0; i < type.rank; i++)
        if (i != d) dim[rank++] = type.dim[i];
        else
            for (int k = 0; k < n; k++) dim[rank++] = size[k];
    /* -1 stands for what is missing of this dimension, not of the whole tensor. */
    for (int k = 0; k < n; k++)
        if (size[k] > 0 && !lt_mul_i64(known, size[k], &known)) known = 0;
    for (int k = 0; k < n && type.rank; k++)
        if (size[k] == -1 && known > 0) dim[d + k] = type.dim[d] / known;
    lt_call_return(c, lt_build_reshape(c->b, x, rank, dim));
}

static void squeeze_all(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x), out = {0};
    for (int i = 0; i < type.rank; i++)
        if (type.dim[i] != 1) out.dim[out.rank++] = type.dim[i];
    lt_call_return(c, lt_build_reshape(c->b, x, out.rank, out.dim));
}

/* One dim, or a list of them. */
static void squeeze_dims(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x), out = {0};
    bool marks[LT_MAX_RANK] = {false};
    lt_call_dims(c, "dim", type.rank, false, marks);
    for (int i = 0; i < type.rank; i++)
        if (!marks[i] || type.dim[i] != 1) out.dim[out.rank++] = type.dim[i];
    lt_call_return(c, lt_build_reshape(c->b, x, out.rank, out.dim));
}

static void unsqueeze(lt_call *c)
{
    lt_call_return(c, lt_build_unsqueeze(c->b, self(c), lt_call_int(c, "dim")));
}

static void atleast(lt_call *c)
{
    int rank = c->schema->name[8] - '0', n; /* atleast_1d … atleast_3d */
    if (!c->schema->params[0].list) {
        lt_call_return(c, lt_build_at_least(c->b, self(c), rank));
        return;
    }
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    for (int i = 0; i < n; i++) lt_call_return(c, lt_build_at_least(c->b, x[i], rank));
}

static void expand(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_call_return(c, lt_build_expand(c->b, self(c), rank, size));
}

static void expand_as(lt_call *c)
{
    const lt_type *type = lt_build_type(c->b, lt_call_tensor(c, "other"));
    lt_call_return(c, lt_build_expand(c->b, self(c), type->rank, type->dim));
}

/* The tensors of a list argument, expanded to their common shape. */
static void broadcast_tensors(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_type wide = {0};
    for (int i = 0; i < n; i++) {
        const lt_type *type = lt_build_type(c->b, x[i]);
        int rank = type->rank > wide.rank ? type->rank : wide.rank;
        int64_t dim[LT_MAX_RANK];
        for (int d = 0; d < rank; d++) {
            int s = d - (rank - wide.rank), w = d - (rank - type->rank);
            int64_t from = s < 0 ? 1 : wide.dim[s], with = w < 0 ? 1 : type->dim[w];
            dim[d] = from == 1 ? with : from; /* what does not fit is refused below */
        }
        wide = lt_type_make(LATHE_BOOL, rank, dim);
    }
    for (int i = 0; i < n; i++) lt_call_return(c, lt_build_expand(c->b, x[i], wide.rank, wide.dim));
}

static void meshgrid(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    bool xy = lt_schema_find(c->schema, "indexing") != LT_NONE &&
              strcmp(lt_call_string(c, "indexing"), "xy") == 0 && n >= 2;
    int64_t dim[LT_MAX_RANK];
    if (n > LT_MAX_RANK) lt_build_fail(c->b, LATHE_LIMIT, "a grid of %d dimensions", n);
    for (int i = 0; i < n && c->b->status == LATHE_OK; i++)
        dim[i] = lt_type_count(lt_build_type(c->b, x[xy && i < 2 ? 1 - i : i]));
    for (int i = 0; i < n && c->b->status == LATHE_OK; i++) {
        int64_t own[LT_MAX_RANK];
        int at = xy && i < 2 ? 1 - i : i;
        for (int d = 0; d < n; d++) own[d] = d == at ? dim[d] : 1;
        lt_call_return(c, lt_build_expand(c->b, lt_build_reshape(c->b, x[i], n, own), n, dim));
    }
}

/* ---- Order of dims ---- */

static void permute(lt_call *c)
{
    lt_id x = self(c);
    int64_t dims[LT_MAX_RANK];
    int order[LT_MAX_RANK], rank = lt_build_rank(c->b, x), n = lt_call_ints(c, "dims", dims, LT_MAX_RANK);
    if (n != rank) lt_build_fail(c->b, LATHE_TYPE, "%d dims for a tensor of rank %d", n, rank);
    for (int i = 0; i < n; i++) order[i] = lt_build_dim(c->b, dims[i], rank);
    lt_call_return(c, c->b->status == LATHE_OK ? lt_build_permute(c->b, x, order) : LT_NONE);
}

static void transpose(lt_call *c)
{
    const lt_param *dims = &c->schema->params[1]; /* dim0 and dim1, or axis0 and axis1 */
    int64_t first = lt_call_int(c, dims[0].name), second = lt_call_int(c, dims[1].name);
    lt_call_return(c, lt_build_transpose(c->b, self(c), first, second));
}

/* t: of matrices; vectors stay. */
static void t(lt_call *c)
{
    lt_id x = self(c);
    int rank = lt_build_rank(c->b, x);
    if (rank > 2) lt_build_fail(c->b, LATHE_TYPE, "t of a tensor of rank %d, expected at most 2", rank);
    lt_call_return(c, rank < 2 ? x : lt_build_transpose(c->b, x, 0, 1));
}

static void reverse_dims(lt_call *c)
{
    lt_id x = self(c);
    int rank = lt_build_rank(c->b, x), order[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) order[i] = rank - 1 - i;
    lt_call_return(c, lt_build_permute(c->b, x, order));
}

static void transpose_last(lt_call *c)
{
    lt_id x = self(c);
    lt_call_return(c, lt_build_rank(c->b, x) == 0 ? x : lt_build_transpose(c->b, x, -2, -1));
}

static void movedim(lt_call *c)
{
    lt_id x = self(c);
    int64_t from[LT_MAX_RANK], to[LT_MAX_RANK];
    int rank = lt_build_rank(c->b, x), order[LT_MAX_RANK], n = lt_call_ints(c, "source", from, LT_MAX_RANK);
    bool moved[LT_MAX_RANK] = {false};
    if (lt_call_ints(c, "destination", to, LT_MAX_RANK) != n)
        lt_build_fail(c->b, LATHE_TYPE, "as many destinations as sources are wanted");
    for (int i = 0; i < LT_MAX_RANK; i++) order[i] = -1;
    for (int i = 0; i < n; i++) {
        int s = lt_build_dim(c->b, from[i], rank), d = lt_build_dim(c->b, to[i], rank);
        if (moved[s] || order[d] >= 0) lt_build_fail(c->b, LATHE_TYPE, "a dim is moved twice");
        moved[s] = true;
        order[d] = s;
    }
    for (int d = 0, next = 0; d < rank && c->b->status == LATHE_OK; d++) {
        while (next < rank && moved[next]) next++;
        if (order[d] < 0) order[d] = next++;
    }
    lt_call_return(c, c->b->status == LATHE_OK && rank ? lt_build_permute(c->b, x, order) : x);
}

/* ---- Parts ---- */

static void slice(lt_call *c)
{
    int64_t start = int_or(c, "start", 0), end = int_or(c, "end", INT64_MAX);
    lt_call_return(c,
                   lt_build_slice(c->b, self(c), lt_call_int(c, "dim"), start, end, lt_call_int(c, "step")));
}

/* At an index that only a run knows: a copy, where PyTorch has a view. */
static void select_late(lt_call *c, lt_id index)
{
    lt_builder *b = c->b;
    lt_id x = self(c);
    lt_type type = *lt_build_type(b, x);
    int d = lt_call_dim(c, "dim", type.rank);
    if (type.rank == 0) lt_build_fail(b, LATHE_TYPE, "select in a tensor without dims");
    lt_id wrapped = lt_build_add(b, index, lt_build_integer(b, lt_build_size(b, x, d)));
    lt_id negative = lt_build_binary(b, LT_OP_LT, index, lt_build_integer(b, 0));
    index = lt_build_cast(b, lt_build_where(b, negative, wrapped, index), LATHE_I64);
    type.dim[d] = 1;
    x = lt_build_gather(b, x, d, lt_build_expand(b, index, type.rank, type.dim));
    c->copies_view = true;
    lt_call_return(c, lt_build_select(b, x, d, 0));
}

static void select(lt_call *c)
{
    lt_id late = lt_call_late_int(c, "index");
    if (late != LT_NONE) select_late(c, late);
    else lt_call_return(c, lt_build_select(c->b, self(c), lt_call_int(c, "dim"), lt_call_int(c, "index")));
}

/* `length` elements from `start`, which may count from the end. */
static lt_id narrow_dim(lt_builder *b, lt_id x, int d, int64_t start, int64_t length)
{
    int64_t size = lt_build_size(b, x, d);
    if (start < 0 && start >= -size) start += size;
    if (start < 0 || length < 0 || start > size || length > size - start)
        return lt_build_fail(b, LATHE_TYPE, "%lld elements from %lld of a dimension of size %lld",
                             (long long)length, (long long)start, (long long)size);
    return lt_build_slice(b, x, d, start, start + length, 1);
}

static void narrow(lt_call *c)
{
    lt_id x = self(c);
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    lt_call_return(c, narrow_dim(c->b, x, d, lt_call_int(c, "start"), lt_call_int(c, "length")));
}

/* The start is only known when the graph runs: rows are gathered. */
static void narrow_tensor(lt_call *c)
{
    lt_id x = self(c), start = lt_call_tensor(c, "start");
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    int64_t length = lt_call_int(c, "length"), size = lt_build_size(c->b, x, d);
    if (length < 0 || length > size)
        lt_build_fail(c->b, LATHE_TYPE, "%lld elements of a dimension of size %lld", (long long)length,
                      (long long)size);
    lt_id zero = lt_build_integer(c->b, 0);
    lt_id wrapped = lt_build_where(c->b, lt_build_binary(c->b, LT_OP_LT, start, zero),
                                   lt_build_add(c->b, start, lt_build_integer(c->b, size)), start);
    lt_id rows =
        lt_build_add(c->b, lt_build_arange(c->b, length, 0, 1), lt_build_reshape(c->b, wrapped, 0, NULL));
    lt_call_return(c, lt_build_index_dim(c->b, x, d, rows, false));
}

static void split_size(lt_call *c)
{
    lt_id x = self(c);
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    int64_t size = lt_build_size(c->b, x, d), part = lt_call_int(c, "split_size"), at = 0;
    if (part < 0 || (part == 0 && size > 0))
        lt_build_fail(c->b, LATHE_TYPE, "parts of %lld elements of a dimension of size %lld", (long long)part,
                      (long long)size);
    do {
        int64_t n = lt_min_i64(part, size - at);
        lt_call_return(c, narrow_dim(c->b, x, d, at, n));
        at += n;
    } while (at < size && c->b->status == LATHE_OK);
}

static void split_sizes(lt_call *c)
{
    lt_id x = self(c);
    const char *sizes = c->schema->params[1].name;
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    int64_t size = lt_build_size(c->b, x, d), at = 0;
    for (uint32_t i = 0; i < lt_call_count(c, sizes) && c->b->status == LATHE_OK; i++) {
        int64_t part = lt_call_int_at(c, sizes, i);
        lt_call_return(c, narrow_dim(c->b, x, d, at, part));
        at += c->b->status == LATHE_OK ? part : 0;
    }
    if (at != size)
        lt_build_fail(c->b, LATHE_TYPE, "parts of %lld elements of a dimension of size %lld", (long long)at,
                      (long long)size);
}

static void chunk(lt_call *c)
{
    lt_id x = self(c);
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    int64_t size = lt_build_size(c->b, x, d), n = lt_call_int(c, "chunks"), at = 0;
    if (n < 1) lt_build_fail(c->b, LATHE_TYPE, "%lld chunks", (long long)n);
    n = lt_max_i64(n, 1);
    int64_t part = size / n + (size % n != 0);
    /* Of nothing there are as many chunks as were asked for; else as many as have elements. */
    for (int64_t i = 0; i < n && (at < size || size == 0) && c->b->status == LATHE_OK; i++) {
        int64_t length = lt_min_i64(part, size - at);
        lt_call_return(c, narrow_dim(c->b, x, d, at, length));
        at += length;
    }
}

/* `n` parts whose sizes differ by at most one. */
static void split_evenly(lt_call *c, lt_id x, int d, int64_t n)
{
    int64_t size = lt_build_size(c->b, x, d), at = 0;
    if (n < 1) lt_build_fail(c->b, LATHE_TYPE, "%lld sections", (long long)n);
    for (int64_t i = 0; i < n && c->b->status == LATHE_OK; i++) {
        int64_t length = size / n + (i < size % n);
        lt_call_return(c, narrow_dim(c->b, x, d, at, length));
        at += length;
    }
}

/* Cuts at the indices, as Python slices do. */
static void split_at(lt_call *c, lt_id x, int d)
{
    const char *cuts = c->schema->params[1].name;
    int64_t at = 0;
    for (uint32_t i = 0; i < lt_call_count(c, cuts); i++) {
        int64_t cut = lt_call_int_at(c, cuts, i);
        lt_call_return(c, lt_build_slice(c->b, x, d, at, cut, 1));
        at = cut;
    }
    lt_call_return(c, lt_build_slice(c->b, x, d, at, INT64_MAX, 1));
}

static void tensor_split(lt_call *c)
{
    lt_id x = self(c);
    int d = lt_call_dim(c, "dim", lt_build_rank(c->b, x));
    if (c->schema->params[1].list) split_at(c, x, d);
    else split_evenly(c, x, d, lt_call_int(c, "sections"));
}

/* hsplit, vsplit, dsplit: the dim is in the name. */
static void split_named(lt_call *c)
{
    lt_id x = self(c);
    int rank = lt_build_rank(c->b, x), d = c->schema->name[0] == 'v'   ? 0
                                           : c->schema->name[0] == 'd' ? 2
                                                                       : rank > 1;
    if (d >= rank) lt_build_fail(c->b, LATHE_TYPE, "splits dim %d of a tensor of rank %d", d, rank);
    if (c->schema->params[1].list) split_at(c, x, d);
    else split_evenly(c, x, d, lt_call_int(c, "sections"));
}

static void unbind(lt_call *c)
{
    lt_id x = self(c);
    int rank = lt_build_rank(c->b, x), d = lt_call_dim(c, "dim", rank);
    if (rank == 0) lt_build_fail(c->b, LATHE_TYPE, "unbind of a tensor without dims");
    int64_t size = lt_build_size(c->b, x, d);
    for (int64_t i = 0; i < size && c->b->status == LATHE_OK; i++)
        lt_call_return(c, lt_build_select(c->b, x, d, i));
}

static void diagonal(lt_call *c)
{
    lt_call_return(c, lt_build_diagonal(c->b, self(c), lt_call_int(c, "offset"), lt_call_int(c, "dim1"),
                                        lt_call_int(c, "dim2")));
}

static void as_strided(lt_call *c)
{
    int64_t size[LT_MAX_RANK], stride[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    if (lt_call_ints(c, "stride", stride, LT_MAX_RANK) != rank)
        lt_build_fail(c->b, LATHE_TYPE, "as many strides as sizes are wanted");
    lt_call_return(c, lt_build_as_strided(c->b, self(c), rank, size, stride, int_or(c, "storage_offset", 0)));
}

/* The first elements of the memory as another shape. What would be behind them is in no memory. */
static void resize(lt_call *c)
{
    int64_t size[LT_MAX_RANK], stride[LT_MAX_RANK];
    lt_builder *b = c->b;
    lt_type type = {.rank = lt_call_ints(c, "size", size, LT_MAX_RANK)};
    memcpy(type.dim, size, (size_t)type.rank * sizeof *size);
    int64_t offset = lt_call_int(c, "storage_offset"), count = 0;
    if (b->status == LATHE_OK) b->status = lt_type_check(&type, "size", b->err);
    if (b->status != LATHE_OK) return;
    lt_id owner = c->owner == LT_NONE ? self(c) : c->owner;
    const lt_type *own = lt_build_type(b, owner);
    if (own->rank == type.rank && memcmp(own->dim, type.dim, (size_t)type.rank * sizeof *size) == 0) {
        lt_call_return(c, owner);
        return;
    }
    count = lt_type_count(&type);
    if (count > lt_build_size(b, self(c), 0) - offset)
        lt_build_fail(b, LATHE_UNSUPPORTED,
                      "resize_ to more elements than there are: they would be undefined");
    lt_contiguous_strides(type.rank, type.dim, stride);
    lt_call_return(c, lt_build_as_strided(b, self(c), type.rank, type.dim, stride, count ? offset : 0));
}

/* Windows of `size` every `step` along a dim, as a new last dim. */
static void unfold(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int d = lt_call_dim(c, "dimension", type.rank);
    int64_t size = lt_call_int(c, "size"), step = lt_call_int(c, "step"), stride[LT_MAX_RANK + 1];
    int64_t whole = lt_build_size(c->b, x, d);
    if (size < 0 || size > whole || step < 1 || type.rank == LT_MAX_RANK)
        lt_build_fail(c->b, LATHE_TYPE, "windows of %lld every %lld in a dimension of size %lld",
                      (long long)size, (long long)step, (long long)whole);
    if (c->b->status != LATHE_OK) return;
    if (type.rank == 0) {
        lt_call_return(c, lt_build_slice(c->b, lt_build_unsqueeze(c->b, x, 0), 0, 0, size, 1));
        return;
    }
    lt_contiguous_strides(type.rank, type.dim, stride);
    stride[type.rank] = stride[d];
    type.dim[type.rank] = size;
    type.dim[d] = (whole - size) / step + 1;
    if (!lt_mul_i64(stride[d], step, &stride[d])) stride[d] = 0; /* then there is one window */
    lt_call_return(c, lt_build_as_strided(c->b, x, type.rank + 1, type.dim, stride, 0));
}

static void same(lt_call *c) { lt_call_return(c, self(c)); }

/* ---- Numbers ---- */

static void return_int(lt_call *c, int64_t value)
{
    lt_call_return_arg(c, (lt_arg){.kind = LT_ARG_INT, .i = value});
}

static void size_of_dim(lt_call *c)
{
    return_int(c, lt_build_size(c->b, self(c), lt_call_dim(c, "dim", lt_build_rank(c->b, self(c)))));
}

static void all_sizes(lt_call *c)
{
    lt_type type = *lt_build_type(c->b, self(c));
    for (int i = 0; i < type.rank; i++) return_int(c, type.dim[i]);
}

static void numel(lt_call *c) { return_int(c, lt_type_count(lt_build_type(c->b, self(c)))); }
/* Tensors lie row by row, from the start of their storage, as far as a graph can tell. */
static void stride_of_dim(lt_call *c)
{
    const lt_type *type = lt_build_type(c->b, self(c));
    int64_t stride[LT_MAX_RANK] = {1};
    int dim = lt_call_dim(c, "dim", type->rank);
    lt_contiguous_strides(type->rank, type->dim, stride);
    return_int(c, stride[dim]);
}

static void no_offset(lt_call *c) { return_int(c, 0); }
static void is_contiguous(lt_call *c) { lt_call_return_arg(c, (lt_arg){.kind = LT_ARG_BOOL, .b = true}); }
static void rank_of(lt_call *c) { return_int(c, lt_build_rank(c->b, self(c))); }

#define SLICE_PARAMS "int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1"
#define STRIDED_PARAMS "SymInt[] size, SymInt[] stride, SymInt? storage_offset=None"

const lt_aten_row lt_aten_shape[] = {
    {"view(Tensor(a) self, SymInt[] size) -> Tensor(a)", view, 0},
    {"view_copy(Tensor self, SymInt[] size) -> Tensor", view, 0},
    {"_unsafe_view(Tensor self, SymInt[] size) -> Tensor", view, 0},
    {"_reshape_alias(Tensor(a) self, SymInt[] size, SymInt[] stride) -> Tensor(a)", view, 0},
    {"_reshape_copy(Tensor self, SymInt[] size) -> Tensor", view, 0},
    {"reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", view, 0},
    {"view_as(Tensor(a) self, Tensor other) -> Tensor(a)", view_as, 0},
    {"reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)", view_as, 0},
    {"view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)", view_dtype, 0},
    {"view_copy.dtype(Tensor self, ScalarType dtype) -> Tensor", view_dtype, 0},
    {"flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)", flatten, 0},
    {"ravel(Tensor(a) self) -> Tensor(a)", ravel, 0},
    {"unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", unflatten, 0},
    {"squeeze(Tensor(a) self) -> Tensor(a)", squeeze_all, 0},
    {"squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", squeeze_dims, 0},
    {"squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", squeeze_dims, 0},
    {"squeeze_copy(Tensor self) -> Tensor", squeeze_all, 0},
    {"squeeze_copy.dim(Tensor self, int dim) -> Tensor", squeeze_dims, 0},
    {"squeeze_copy.dims(Tensor self, int[] dim) -> Tensor", squeeze_dims, 0},
    {"unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", unsqueeze, 0},
    {"unsqueeze_copy(Tensor self, int dim) -> Tensor", unsqueeze, 0},
    {"atleast_1d(Tensor self) -> Tensor", atleast, 0},
    {"atleast_2d(Tensor self) -> Tensor", atleast, 0},
    {"atleast_3d(Tensor self) -> Tensor", atleast, 0},
    {"atleast_1d.Sequence(Tensor[] tensors) -> Tensor[]", atleast, 0},
    {"atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]", atleast, 0},
    {"atleast_3d.Sequence(Tensor[] tensors) -> Tensor[]", atleast, 0},
    {"expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)", expand, 0},
    {"expand_copy(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor", expand, 0},
    {"expand_as(Tensor(a) self, Tensor other) -> Tensor(a)", expand_as, 0},
    {"broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", expand, 0},
    {"broadcast_tensors(Tensor[] tensors) -> Tensor[]", broadcast_tensors, 0},
    {"meshgrid(Tensor[] tensors) -> Tensor[]", meshgrid, 0},
    {"meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]", meshgrid, 0},

    {"permute(Tensor(a) self, int[] dims) -> Tensor(a)", permute, 0},
    {"permute_copy(Tensor self, int[] dims) -> Tensor", permute, 0},
    {"transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", transpose, 0},
    {"transpose_copy.int(Tensor self, int dim0, int dim1) -> Tensor", transpose, 0},
    {"swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", transpose, 0},
    {"swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", transpose, 0},
    {"t(Tensor(a) self) -> Tensor(a)", t, 0},
    {"t_copy(Tensor self) -> Tensor", t, 0},
    {"numpy_T(Tensor(a) self) -> Tensor(a)", reverse_dims, 0},
    {"matrix_H(Tensor(a) self) -> Tensor(a)", transpose_last, 0},
    {"mT(Tensor(a) self) -> Tensor(a)", transpose_last, 0},
    {"mH(Tensor(a) self) -> Tensor(a)", transpose_last, 0},
    {"adjoint(Tensor(a) self) -> Tensor(a)", transpose_last, 0},
    {"movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)", movedim, 0},
    {"movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", movedim, 0},
    {"moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)", movedim, 0},
    {"moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", movedim, 0},

    {"slice.Tensor(Tensor(a) self, " SLICE_PARAMS ") -> Tensor(a)", slice, 0},
    {"slice_copy.Tensor(Tensor self, " SLICE_PARAMS ") -> Tensor", slice, 0},
    {"select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", select, 0},
    {"select_copy.int(Tensor self, int dim, SymInt index) -> Tensor", select, 0},
    {"narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)", narrow, 0},
    {"narrow_copy(Tensor self, int dim, SymInt start, SymInt length) -> Tensor", narrow, 0},
    {"narrow.Tensor(Tensor(a) self, int dim, Tensor start, SymInt length) -> Tensor(a)", narrow_tensor, 0},
    {"split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]", split_size, 0},
    {"split_copy.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", split_size, 0},
    {"unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", split_size, 0},
    {"split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]", split_sizes, 0},
    {"split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]", split_sizes, 0},
    {"split_with_sizes_copy(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]", split_sizes, 0},
    {"unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]", split_sizes, 0},
    {"chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]", chunk, 0},
    {"unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", chunk, 0},
    {"tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]", tensor_split,
     0},
    {"tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]", tensor_split,
     0},
    {"hsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", split_named, 0},
    {"hsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", split_named, 0},
    {"vsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", split_named, 0},
    {"vsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", split_named, 0},
    {"dsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", split_named, 0},
    {"dsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", split_named, 0},
    {"unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]", unbind, 0},
    {"unbind_copy.int(Tensor self, int dim=0) -> Tensor[]", unbind, 0},
    {"diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", diagonal, 0},
    {"diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", diagonal, 0},
    {"linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)", diagonal, 0},
    {"as_strided(Tensor(a) self, " STRIDED_PARAMS ") -> Tensor(a)", as_strided, 0},
    /* resize_ alone; the storage_offset is ours: it asks for the memory. */
    {"resize(Tensor(a) self, SymInt[] size, *, MemoryFormat? memory_format=None, SymInt? "
     "storage_offset=None) -> "
     "Tensor(a)",
     resize, 0},
    {"as_strided_copy(Tensor self, " STRIDED_PARAMS ") -> Tensor", as_strided, 0},
    {"unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", unfold, 0},
    {"unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor", unfold, 0},

    {"alias(Tensor(a) self) -> Tensor(a)", same, 0},
    {"alias_copy(Tensor self) -> Tensor", same, 0},
    {"detach(Tensor(a) self) -> Tensor(a)", same, 0},
    {"detach_copy(Tensor self) -> Tensor", same, 0},
    {"lift(Tensor self) -> Tensor", same, 0},
    {"lift_fresh(Tensor(a) self) -> Tensor(a)", same, 0},
    {"lift_fresh_copy(Tensor self) -> Tensor", same, 0},

    {"sym_size.int(Tensor self, int dim) -> SymInt", size_of_dim, 0},
    {"sym_size(Tensor self) -> SymInt[]", all_sizes, 0},
    {"size.int(Tensor self, int dim) -> int", size_of_dim, 0},
    {"size(Tensor self) -> int[]", all_sizes, 0},
    {"sym_stride.int(Tensor self, int dim) -> SymInt", stride_of_dim, 0},
    {"sym_storage_offset(Tensor self) -> SymInt", no_offset, 0},
    {"sym_is_contiguous(Tensor self, MemoryFormat memory_format=contiguous_format) -> SymBool", is_contiguous,
     0},
    {"sym_numel(Tensor self) -> SymInt", numel, 0},
    {"numel(Tensor self) -> int", numel, 0},
    {"dim(Tensor self) -> int", rank_of, 0},
    {NULL, NULL, 0}};
