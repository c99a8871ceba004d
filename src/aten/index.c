/* Indexing by tensors, gather and scatter, and the operators that replace a part of a tensor. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"
#include "ops/families.h"

static lt_id self(lt_call *c) { return lt_call_tensor(c, c->schema->params[0].name); }

static lt_id like(lt_builder *b, lt_id x, lt_id shape)
{
    const lt_type *type = lt_build_type(b, shape);
    return lt_build_reshape(b, x, type->rank, type->dim);
}

/* ---- One dimension ---- */

static void embedding(lt_call *c)
{
    lt_id weight = lt_call_tensor(c, "weight"), indices = lt_call_tensor(c, "indices");
    lt_call_return(c, lt_build_index_dim(c->b, weight, 0, indices, false));
}

static void index_select(lt_call *c)
{
    lt_id x = self(c), index = lt_build_at_least(c->b, lt_call_tensor(c, "index"), 1);
    int64_t dim = lt_call_int(c, "dim");
    lt_id out = lt_build_index_dim(c->b, lt_build_at_least(c->b, x, 1), dim, index, false);
    lt_call_return(c, lt_build_rank(c->b, x) == 0 ? lt_build_squeeze(c->b, out, 0) : out);
}

/* `source` written where `index` names places along a dim, or added there. */
static lt_id put_rows(lt_call *c, lt_id source, bool wrap, bool accumulate)
{
    lt_id x = self(c), index = lt_build_at_least(c->b, lt_call_tensor(c, "index"), 1);
    lt_dtype dtype = lt_build_dtype(c->b, x), sums = accumulate ? lt_dtype_wide(dtype) : dtype;
    lt_id base = lt_build_at_least(c->b, lt_build_cast(c->b, x, sums), 1);
    lt_type window = *lt_build_type(c->b, base);
    int d = lt_call_dim(c, "dim", window.rank);
    if (lt_build_rank(c->b, index) > 1)
        lt_build_fail(c->b, LATHE_TYPE, "index of rank %d, expected 1", lt_build_rank(c->b, index));
    window.dim[d] = lt_build_size(c->b, index, 0);
    if (lt_build_rank(c->b, source) == 0) source = lt_build_expand(c->b, source, window.rank, window.dim);
    source = lt_build_cast(c->b, source, sums);
    lt_id out = lt_build_index_put_dim(c->b, base, d, index, source, wrap, accumulate);
    return lt_build_cast(c->b, like(c->b, out, x), dtype);
}

static void index_copy(lt_call *c)
{
    lt_call_return(c, put_rows(c, lt_call_tensor(c, "source"), false, false));
}
static void index_fill(lt_call *c)
{
    lt_call_return(c, put_rows(c, lt_call_tensor(c, "value"), true, false));
}

static void index_add(lt_call *c)
{
    lt_id source = lt_call_tensor(c, "source");
    double alpha = lt_call_float(c, "alpha");
    if (!(alpha >= 1 && alpha <= 1)) {
        source = lt_build_cast(c->b, source, lt_dtype_wide(lt_build_dtype(c->b, source)));
        source = lt_build_mul(c->b, source, lt_call_scalar(c, "alpha"));
    }
    lt_call_return(c, put_rows(c, source, false, true));
}

/* take and put see all tensors as one row. */
static lt_id flat(lt_builder *b, lt_id x) { return lt_build_reshape(b, x, 1, (int64_t[]){-1}); }

static void take(lt_call *c)
{
    lt_id x = flat(c->b, self(c)), index = lt_call_tensor(c, "index");
    lt_call_return(c, lt_build_index_dim(c->b, x, 0, index, true));
}

static void put(lt_call *c)
{
    lt_id x = self(c), index = flat(c->b, lt_call_tensor(c, "index"));
    lt_id source = flat(c->b, lt_call_tensor(c, "source"));
    bool accumulate = lt_call_bool(c, "accumulate");
    lt_dtype dtype = lt_build_dtype(c->b, x), sums = accumulate ? lt_dtype_wide(dtype) : dtype;
    lt_id out = lt_build_index_put_dim(c->b, flat(c->b, lt_build_cast(c->b, x, sums)), 0, index,
                                       lt_build_cast(c->b, source, sums), true, accumulate);
    lt_call_return(c, lt_build_cast(c->b, like(c->b, out, x), dtype));
}

/* ---- gather, scatter ---- */

static void gather(lt_call *c)
{
    lt_id x = self(c), index = lt_call_tensor(c, "index");
    lt_type none = *lt_build_type(c->b, index);
    if (lt_type_count(&none) > 0)
        return lt_call_return(c, lt_build_gather(c->b, x, lt_call_int(c, "dim"), index));
    none.dtype = lt_build_dtype(c->b, x); /* no index: its sizes need not fit */
    lt_call_return(c, lt_build_zeros(c->b, &none));
}

/* Indices below 0 count from the end of a dim of that size. */
static lt_id from_end(lt_builder *b, lt_id index, int64_t size)
{
    lt_id below = lt_build_binary(b, LT_OP_LT, index, lt_build_integer(b, 0));
    return lt_build_where(b, below, lt_build_add(b, index, lt_build_integer(b, size)), index);
}

/* Both tensors broadcast to each other in all dims but that of the gather. */
static void take_along_dim(lt_call *c)
{
    lt_id x = self(c), index = lt_call_tensor(c, "indices");
    if (!lt_call_has(c, "dim")) {
        x = flat(c->b, x);
        lt_call_return(c, lt_build_gather(c->b, x, 0, flat(c->b, index)));
        return;
    }
    lt_type from = *lt_build_type(c->b, x), to = *lt_build_type(c->b, index);
    int d = lt_call_dim(c, "dim", from.rank);
    if (from.rank != to.rank)
        lt_build_fail(c->b, LATHE_TYPE, "indices of rank %d for a tensor of rank %d", to.rank, from.rank);
    for (int i = 0; i < from.rank && c->b->status == LATHE_OK; i++) {
        if (i == d) continue;
        if (from.dim[i] == 1) from.dim[i] = to.dim[i];
        else to.dim[i] = from.dim[i]; /* what does not fit is refused below */
    }
    x = lt_build_expand(c->b, x, from.rank, from.dim);
    index = from_end(c->b, index, lt_build_size(c->b, x, d));
    lt_call_return(c, lt_build_gather(c->b, x, d, lt_build_expand(c->b, index, to.rank, to.dim)));
}

/* What is scattered: a tensor, or a number for every index. */
static lt_id scatter_source(lt_call *c, lt_id index)
{
    bool number = lt_schema_find(c->schema, "value") != LT_NONE;
    if (!number) return lt_call_tensor(c, "src");
    const lt_type *type = lt_build_type(c->b, index);
    return lt_build_full(c->b, lt_call_scalar(c, "value"), lt_build_dtype(c->b, self(c)), type->rank,
                         type->dim);
}

/* Sums and products of half-precision numbers are rounded once, when they are done. */
static lt_id scatter_reduced(lt_call *c, lt_id x, int64_t dim, lt_id index, lt_id source, lt_reduce_kind kind)
{
    lt_dtype dtype = lt_build_dtype(c->b, x);
    bool folds = kind == LT_REDUCE_SUM || kind == LT_REDUCE_PROD;
    if (lt_build_dtype(c->b, source) != dtype)
        return lt_build_fail(c->b, LATHE_TYPE, "the source is %s, expected %s",
                             lathe_dtype_name(lt_build_dtype(c->b, source)), lathe_dtype_name(dtype));
    if (folds) source = lt_build_cast(c->b, source, lt_dtype_wide(dtype));
    x = lt_build_cast(c->b, x, folds ? lt_dtype_wide(dtype) : dtype);
    return lt_build_cast(c->b, lt_build_scatter(c->b, x, dim, index, source, kind), dtype);
}

static void scatter(lt_call *c, lt_reduce_kind kind)
{
    lt_id index = lt_call_tensor(c, "index"), source = scatter_source(c, index);
    lt_call_return(c, scatter_reduced(c, self(c), lt_call_int(c, "dim"), index, source, kind));
}

static void scatter_set(lt_call *c) { scatter(c, LT_REDUCE_SET); }
static void scatter_add(lt_call *c) { scatter(c, LT_REDUCE_SUM); }

static void scatter_named(lt_call *c)
{
    bool add = strcmp(lt_call_string(c, "reduce"), "add") == 0; /* else multiply */
    scatter(c, add ? LT_REDUCE_SUM : LT_REDUCE_PROD);
}

/* What a reduction starts from where the old value does not count. */
static lt_id identity(lt_builder *b, lt_reduce_kind kind, lt_dtype dtype)
{
    static const int64_t lowest[] = {[LATHE_U8] = 0,
                                     [LATHE_I8] = INT8_MIN,
                                     [LATHE_I16] = INT16_MIN,
                                     [LATHE_I32] = INT32_MIN,
                                     [LATHE_I64] = INT64_MIN};
    bool max = kind == LT_REDUCE_MAX;
    if (kind == LT_REDUCE_SUM) return lt_build_integer(b, 0);
    if (kind == LT_REDUCE_PROD) return lt_build_integer(b, 1);
    if (lt_dtype_is_float(dtype)) return lt_build_number(b, max ? -INFINITY : INFINITY);
    if (dtype == LATHE_BOOL) return lt_build_boolean(b, !max);
    if (dtype == LATHE_U8) return lt_build_integer(b, max ? 0 : UINT8_MAX);
    return lt_build_integer(b, max ? lowest[dtype] : -(lowest[dtype] + 1));
}

/* sum / how many there were; integers round down. */
static lt_id mean_of(lt_call *c, lt_id sum, lt_id x, int64_t dim, lt_id index, bool include_self)
{
    const lt_type *type = lt_build_type(c->b, x), *shape = lt_build_type(c->b, index);
    lt_dtype dtype = lt_build_dtype(c->b, sum);
    lt_id ones = lt_build_full(c->b, lt_build_integer(c->b, 1), dtype, shape->rank, shape->dim);
    lt_id start = lt_build_full(c->b, lt_build_integer(c->b, include_self), dtype, type->rank, type->dim);
    lt_id count = lt_build_scatter(c->b, start, dim, index, ones, LT_REDUCE_SUM);
    count = lt_build_binary(c->b, LT_OP_MAXIMUM, count, lt_build_integer(c->b, 1));
    return lt_build_binary(c->b, lt_dtype_is_float(dtype) ? LT_OP_DIV : LT_OP_DIV_FLOOR, sum, count);
}

static void reduce_into(lt_call *c, int64_t dim, lt_id index, lt_id source)
{
    static const struct {
        const char *name;
        lt_reduce_kind kind;
    } kinds[] = {{"sum", LT_REDUCE_SUM},
                 {"mean", LT_REDUCE_SUM},
                 {"prod", LT_REDUCE_PROD},
                 {"amax", LT_REDUCE_MAX},
                 {"amin", LT_REDUCE_MIN}};
    const char *name = lt_call_string(c, "reduce");
    lt_id x = self(c);
    lt_dtype dtype = lt_build_dtype(c->b, x);
    bool include_self = lt_call_bool(c, "include_self");
    size_t k = 0;
    while (k < LT_COUNT(kinds) && strcmp(kinds[k].name, name) != 0) k++;
    if (k == LT_COUNT(kinds)) {
        lt_build_fail(c->b, LATHE_FORMAT, "reduce '%s', expected sum, prod, mean, amax or amin", name);
        return;
    }
    lt_id wide = lt_build_cast(c->b, x, lt_dtype_wide(dtype));
    source = lt_build_cast(c->b, source, lt_dtype_wide(dtype));
    if (!include_self) {
        const lt_type *shape = lt_build_type(c->b, index);
        lt_id start = lt_build_full(c->b, identity(c->b, kinds[k].kind, dtype), lt_dtype_wide(dtype),
                                    shape->rank, shape->dim);
        wide = lt_build_scatter(c->b, wide, dim, index, start, LT_REDUCE_SET);
    }
    lt_id out = lt_build_scatter(c->b, wide, dim, index, source, kinds[k].kind);
    if (strcmp(name, "mean") == 0) out = mean_of(c, out, x, dim, index, include_self);
    lt_call_return(c, lt_build_cast(c->b, out, dtype));
}

static void scatter_reduce(lt_call *c)
{
    reduce_into(c, lt_call_int(c, "dim"), lt_call_tensor(c, "index"), lt_call_tensor(c, "src"));
}

/* As scatter_reduce with the index repeated over the other dims. */
static void index_reduce(lt_call *c)
{
    lt_id source = lt_build_at_least(c->b, lt_call_tensor(c, "source"), 1);
    lt_id index = lt_build_at_least(c->b, lt_call_tensor(c, "index"), 1);
    lt_type type = *lt_build_type(c->b, source);
    int d = lt_call_dim(c, "dim", type.rank);
    int64_t shape[LT_MAX_RANK];
    for (int i = 0; i < type.rank; i++) shape[i] = i == d ? -1 : 1;
    index = lt_build_expand(c->b, lt_build_reshape(c->b, index, type.rank, shape), type.rank, type.dim);
    reduce_into(c, d, index, source);
}

static void one_hot(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int64_t classes = lt_call_int(c, "num_classes");
    if (classes < 1 || type.rank == LT_MAX_RANK) {
        lt_build_fail(
            c->b, LATHE_UNSUPPORTED,
            "num_classes is %lld: the result's shape depends on the values. Give num_classes in the model",
            (long long)classes);
        return;
    }
    type.dtype = LATHE_I64;
    type.dim[type.rank++] = classes;
    lt_id index = lt_build_unsqueeze(c->b, x, -1), one = lt_build_integer(c->b, 1);
    const lt_type *shape = lt_build_type(c->b, index);
    one = lt_build_full(c->b, one, LATHE_I64, shape->rank, shape->dim);
    lt_call_return(c, lt_build_scatter(c->b, lt_build_zeros(c->b, &type), -1, index, one, LT_REDUCE_SET));
}

/* ---- Bags of embeddings ---- */

typedef enum lt_bag_mode { BAG_SUM, BAG_MEAN, BAG_MAX } lt_bag_mode;

/* The bag that each of n indices lies in: how many offsets are at or before it, less one. */
static lt_id bag_of_index(lt_builder *b, lt_id offsets, int64_t n)
{
    lt_id at = lt_build_reshape(b, lt_build_arange(b, n, 0, 1), 2, (int64_t[]){-1, 1});
    lt_id before = lt_build_binary(b, LT_OP_LE, offsets, at);
    lt_id count =
        lt_build_reduce(b, LT_OP_REDUCE_SUM, before, (bool[LT_MAX_RANK]){false, true}, false, LATHE_I64);
    return lt_build_sub(b, count, lt_build_integer(b, 1));
}

/* [bags] int64: how many indices count in each bag. */
static lt_id bag_sizes(lt_builder *b, lt_id bag, lt_id counts, int64_t bags)
{
    lt_id zero = lt_build_zeros(b, &(lt_type){.dtype = LATHE_I64, .rank = 1, .dim = {bags}});
    return lt_build_index_put_dim(b, zero, 0, bag, lt_build_cast(b, counts, LATHE_I64), false, true);
}

/* Rows [n, width] of the weight folded into bags [bags, width]; padding does not count. */
static lt_id fold_bags(lt_builder *b, lt_id rows, lt_id bag, lt_id counts, int64_t bags, lt_bag_mode mode)
{
    lt_type type = *lt_build_type(b, rows), out = type;
    lt_dtype wide = lt_dtype_wide(type.dtype);
    out.dtype = wide;
    out.dim[0] = bags;
    lt_id mask = lt_build_unsqueeze(b, counts, 1),
          sizes = lt_build_unsqueeze(b, bag_sizes(b, bag, counts, bags), 1);
    rows = lt_build_cast(b, rows, wide);
    lt_id nothing = lt_build_full(b, lt_build_number(b, mode == BAG_MAX ? -INFINITY : 0), wide, 0, NULL);
    rows = lt_build_where(b, mask, rows, nothing);
    if (mode != BAG_MAX) {
        lt_id sum = lt_build_index_put_dim(b, lt_build_zeros(b, &out), 0, bag, rows, false, true);
        lt_id n = lt_build_binary(b, LT_OP_MAXIMUM, sizes, lt_build_integer(b, 1));
        return lt_build_cast(b, mode == BAG_MEAN ? lt_build_div(b, sum, lt_build_cast(b, n, wide)) : sum,
                             type.dtype);
    }
    lt_id index = lt_build_expand(b, lt_build_unsqueeze(b, bag, 1), 2, type.dim);
    lt_id start = lt_build_full(b, nothing, wide, 2, out.dim);
    lt_id most = lt_build_scatter(b, start, 0, index, rows, LT_REDUCE_MAX);
    lt_id empty = lt_build_binary(b, LT_OP_EQ, sizes, lt_build_integer(b, 0));
    most = lt_build_where(b, empty, lt_build_full(b, lt_build_integer(b, 0), wide, 0, NULL), most);
    return lt_build_cast(b, most, type.dtype);
}

static void embedding_bag(lt_call *c)
{
    lt_id weight = lt_call_tensor(c, "weight"), indices = lt_call_tensor(c, "indices");
    lt_id offsets = lt_call_tensor(c, "offsets"), scale = lt_call_optional_tensor(c, "per_sample_weights");
    int64_t n = lt_build_size(c->b, indices, 0), bags = lt_build_size(c->b, offsets, 0),
            mode = lt_call_int(c, "mode");
    bool pads = lt_schema_find(c->schema, "padding_idx") != LT_NONE && lt_call_has(c, "padding_idx");
    int64_t padding = pads ? lt_call_int(c, "padding_idx") : -1;
    bags -= lt_call_bool(c, "include_last_offset");
    if (lt_build_rank(c->b, indices) != 1 || lt_build_rank(c->b, weight) != 2 || mode < BAG_SUM ||
        mode > BAG_MAX || bags < 0)
        lt_build_fail(c->b, LATHE_TYPE, "mode %lld of %lld bags of indices of rank %d", (long long)mode,
                      (long long)bags, lt_build_rank(c->b, indices));
    lt_id rows = lt_build_index_dim(c->b, weight, 0, indices, false);
    if (scale != LT_NONE) rows = lt_build_mul(c->b, rows, lt_build_unsqueeze(c->b, scale, 1));
    if (padding < 0 && pads && strncmp(c->schema->name, "embedding_bag", 13) == 0)
        padding += lt_build_size(c->b, weight, 0);
    lt_id counts = lt_build_binary(c->b, LT_OP_NE, indices, lt_build_integer(c->b, padding));
    lt_id bag = bag_of_index(c->b, lt_build_slice(c->b, offsets, 0, 0, bags, 1), n);
    lt_call_return(c, fold_bags(c->b, rows, bag, counts, bags, (lt_bag_mode)mode));
    /* What training needs besides: there is nothing to it here. */
    for (int i = 0; i < 3; i++) lt_call_return_arg(c, (lt_arg){.kind = LT_ARG_NONE});
}

/* ---- Several dimensions ---- */

/* Index tensors of an operator: by dim, LT_NONE where a dim is taken whole. */
typedef struct lt_indices {
    lt_id id[LT_MAX_RANK];
    int n, masks; /* entries; how many of them are masks */
} lt_indices;

static void get_indices(lt_call *c, int rank, lt_indices *out)
{
    *out = (lt_indices){0};
    const lt_id *id = lt_call_tensors(c, "indices", &out->n);
    if (out->n > rank) lt_build_fail(c->b, LATHE_TYPE, "%d indices for a tensor of rank %d", out->n, rank);
    for (int i = 0; i < out->n && c->b->status == LATHE_OK; i++) {
        out->id[i] = id[i];
        if (id[i] == LT_NONE) continue;
        lt_dtype dtype = lt_build_dtype(c->b, id[i]);
        out->masks += dtype == LATHE_BOOL || dtype == LATHE_U8;
    }
}

/* Where the indexed dims stand and what is indexed, by NumPy's rule: in place of the indices when these are
 * neighbours, else in front. */
static int index_attrs(const lt_indices *indices, lt_attrs_index *attrs, lt_id *tensors)
{
    int n = 0, first = -1, last = -1;
    for (int i = 0; i < indices->n; i++) {
        if (indices->id[i] == LT_NONE) continue;
        attrs->dims[i] = true;
        tensors[n++] = indices->id[i];
        if (first < 0) first = i;
        last = i;
    }
    attrs->wrap = true;
    attrs->position = last - first + 1 == n ? first : 0;
    return n;
}

static lt_id index_tensors(lt_call *c, lt_id x, const lt_indices *indices)
{
    lt_attrs attrs = {0};
    lt_id in[LT_MAX_RANK + 1] = {x};
    if (indices->masks)
        return lt_build_fail(c->b, LATHE_UNSUPPORTED,
                             "indexing by a mask: the result's shape depends on the mask's values. Use "
                             "torch.where or masked_fill in the model");
    int n = index_attrs(indices, &attrs.index, in + 1);
    return n && c->b->status == LATHE_OK ? lt_build(c->b, LT_OP_INDEX, &attrs, in, n + 1) : x;
}

static void index_tensor(lt_call *c)
{
    lt_indices indices;
    lt_id x = self(c);
    get_indices(c, lt_build_rank(c->b, x), &indices);
    lt_call_return(c, index_tensors(c, x, &indices));
}

/* The shape that the indices pick. */
static lt_type picked_type(lt_call *c, lt_id x, const lt_attrs *attrs, const lt_id *tensors, int n)
{
    lt_type out = {0}, in[LT_MAX_RANK + 1] = {*lt_build_type(c->b, x)};
    for (int i = 0; i < n; i++) in[i + 1] = *lt_build_type(c->b, tensors[i]);
    if (c->b->status == LATHE_OK)
        c->b->status = lt_op_get(LT_OP_INDEX)->infer(LT_OP_INDEX, attrs, in, n + 1, &out, c->b->err);
    return out;
}

/* x with `values`, which broadcast, set where the indices say, or added there. */
static lt_id put_indices(lt_call *c, lt_id x, const lt_indices *indices, lt_id values, bool accumulate)
{
    lt_dtype dtype = lt_build_dtype(c->b, x), sums = accumulate ? lt_dtype_wide(dtype) : dtype;
    lt_attrs attrs = {.index = {.accumulate = accumulate}};
    lt_id in[LT_MAX_RANK + 2] = {lt_build_cast(c->b, x, sums)};
    int n = index_attrs(indices, &attrs.index, in + 2);
    if (n == 0 || c->b->status != LATHE_OK)
        return lt_build_fail(c->b, LATHE_TYPE, "index_put without an index");
    lt_type window = picked_type(c, x, &attrs, in + 2, n);
    in[1] = lt_build_expand(c->b, lt_build_cast(c->b, values, sums), window.rank, window.dim);
    return lt_build_cast(c->b, lt_build(c->b, LT_OP_INDEX_PUT, &attrs, in, n + 2), dtype);
}

/* x[mask] = values, the mask standing at dim `at`. Values that are the same for all elements of the mask are
 * chosen by where; others are taken in order, which needs the mask in front. */
static lt_id put_mask(lt_call *c, lt_id x, lt_id mask, int at, lt_id values, bool accumulate)
{
    lt_type type = *lt_build_type(c->b, x), span = *lt_build_type(c->b, mask),
            value = *lt_build_type(c->b, values);
    int behind = type.rank - at - span.rank; /* dims after the mask */
    if (behind < 0) return lt_build_fail(c->b, LATHE_TYPE, "a mask of rank %d at dim %d", span.rank, at);
    for (int i = 0; i < span.rank; i++)
        if (span.dim[i] != type.dim[at + i])
            return lt_build_fail(c->b, LATHE_TYPE, "size %lld of the mask, %lld of the tensor",
                                 (long long)span.dim[i], (long long)type.dim[at + i]);
    for (int i = 0; i < behind; i++) span.dim[span.rank++] = 1;
    lt_id wide = lt_build_reshape(c->b, lt_build_cast(c->b, mask, LATHE_BOOL), span.rank, span.dim);
    wide = lt_build_expand(c->b, wide, type.rank, type.dim);
    values = lt_build_cast(c->b, values, type.dtype);
    if (value.rank <= behind || value.dim[value.rank - behind - 1] == 1) {
        /* In the values, the mask is one dim: as many as it has take its place. */
        for (int i = span.rank - behind; value.rank > behind && i > 1; i--)
            values = lt_build_unsqueeze(c->b, values, value.rank - behind - 1);
        if (accumulate) values = lt_build_add(c->b, x, values);
        return lt_build_where(c->b, wide, values, x);
    }
    if (at != 0 || accumulate)
        return lt_build_fail(c->b, LATHE_UNSUPPORTED,
                             "writes as many values as the mask has elements. Use torch.where in the model");
    return lt_build(c->b, LT_OP_MASKED_SCATTER, &(lt_attrs){0}, (lt_id[]){x, wide, flat(c->b, values)}, 3);
}

static void index_put(lt_call *c)
{
    lt_indices indices;
    lt_id x = self(c), values = lt_call_tensor(c, "values");
    bool accumulate = lt_call_bool(c, "accumulate");
    get_indices(c, lt_build_rank(c->b, x), &indices);
    if (c->b->status != LATHE_OK) return;
    int given = 0, at = 0;
    for (int i = 0; i < indices.n; i++) {
        if (indices.id[i] == LT_NONE) continue;
        given++;
        at = i;
    }
    if (indices.masks && given > 1)
        lt_build_fail(c->b, LATHE_UNSUPPORTED, "writes by a mask together with other indices");
    lt_call_return(c, indices.masks ? put_mask(c, x, indices.id[at], at, values, accumulate)
                                    : put_indices(c, x, &indices, values, accumulate));
}

/* Indices that may be out of range, where a mask says that nobody looks. */
static void get_clamped_indices(lt_call *c, lt_id x, lt_indices *indices)
{
    lt_builder *b = c->b;
    get_indices(c, lt_build_rank(b, x), indices);
    for (int i = 0; i < indices->n && b->status == LATHE_OK; i++) {
        if (indices->id[i] == LT_NONE) continue;
        lt_id last = lt_build_integer(b, lt_build_size(b, x, i) - 1), zero = lt_build_integer(b, 0);
        indices->id[i] =
            lt_build_binary(b, LT_OP_MAXIMUM, lt_build_binary(b, LT_OP_MINIMUM, indices->id[i], last), zero);
    }
}

static void masked_index(lt_call *c)
{
    lt_indices indices;
    lt_id x = self(c), mask = lt_call_tensor(c, "mask");
    lt_id fill = lt_build_full(c->b, lt_call_scalar(c, "fill"), lt_build_dtype(c->b, x), 0, NULL);
    get_clamped_indices(c, x, &indices);
    lt_call_return(c, lt_build_where(c->b, mask, index_tensors(c, x, &indices), fill));
}

static void masked_index_put(lt_call *c)
{
    lt_indices indices;
    lt_id x = self(c), values = lt_call_tensor(c, "values");
    lt_id zero = lt_build_full(c->b, lt_build_integer(c->b, 0), lt_build_dtype(c->b, values), 0, NULL);
    get_clamped_indices(c, x, &indices);
    values = lt_build_where(c->b, lt_call_tensor(c, "mask"), values, zero);
    lt_call_return(c, put_indices(c, x, &indices, values, true));
}

static void masked_scatter(lt_call *c)
{
    lt_id x = self(c), mask = lt_call_tensor(c, "mask"), source = lt_call_tensor(c, "source");
    lt_type from = *lt_build_type(c->b, x), with = *lt_build_type(c->b, mask);
    if (c->b->status == LATHE_OK) c->b->status = lt_broadcast(&from, &with, c->b->err);
    x = lt_build_expand(c->b, x, from.rank, from.dim);
    mask = lt_build_expand(c->b, lt_build_cast(c->b, mask, LATHE_BOOL), from.rank, from.dim);
    lt_call_return(
        c, lt_build(c->b, LT_OP_MASKED_SCATTER, &(lt_attrs){0}, (lt_id[]){x, mask, flat(c->b, source)}, 3));
}

/* ---- Parts replaced ---- */

static void slice_scatter(lt_call *c)
{
    lt_id x = self(c);
    int64_t start = lt_call_has(c, "start") ? lt_call_int(c, "start") : 0;
    int64_t end = lt_call_has(c, "end") ? lt_call_int(c, "end") : INT64_MAX;
    lt_id part = lt_build_slice(c->b, x, lt_call_int(c, "dim"), start, end, lt_call_int(c, "step"));
    lt_call_return(c, lt_build_write_view(c->b, x, part, lt_call_tensor(c, "src")));
}

static void select_scatter(lt_call *c)
{
    lt_id x = self(c), part = lt_build_select(c->b, x, lt_call_int(c, "dim"), lt_call_int(c, "index"));
    lt_call_return(c, lt_build_write_view(c->b, x, part, lt_call_tensor(c, "src")));
}

static void diagonal_scatter(lt_call *c)
{
    lt_id x = self(c), part = lt_build_diagonal(c->b, x, lt_call_int(c, "offset"), lt_call_int(c, "dim1"),
                                                lt_call_int(c, "dim2"));
    lt_call_return(c, lt_build_write_view(c->b, x, part, lt_call_tensor(c, "src")));
}

static void as_strided_scatter(lt_call *c)
{
    lt_id x = self(c);
    int64_t size[LT_MAX_RANK], stride[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    if (lt_call_ints(c, "stride", stride, LT_MAX_RANK) != rank)
        lt_build_fail(c->b, LATHE_TYPE, "as many strides as sizes are wanted");
    int64_t offset = lt_call_has(c, "storage_offset") ? lt_call_int(c, "storage_offset") : 0;
    lt_id part = lt_build_as_strided(c->b, x, rank, size, stride, offset);
    x = lt_build_write_view(c->b, x, part, lt_call_tensor(c, "src"));
    if (c->owner == LT_NONE) return lt_call_return(c, x);
    const lt_attrs_strided *w = &c->window; /* self in the memory that was written */
    lt_call_return(c, lt_build_as_strided(c->b, x, w->rank, w->dim, w->stride, w->offset));
}

/* The diagonal of a matrix; of a tall one, with `wrap`, those below it too. */
static void fill_diagonal(lt_call *c)
{
    lt_id x = self(c), value = lt_call_scalar(c, "fill_value");
    lt_type type = *lt_build_type(c->b, x);
    int64_t stride[LT_MAX_RANK], step = 0, length = INT64_MAX, count = lt_type_count(&type);
    if (type.rank < 2) lt_build_fail(c->b, LATHE_TYPE, "fill_diagonal_ of a tensor of rank %d", type.rank);
    lt_contiguous_strides(type.rank, type.dim, stride);
    for (int i = 0; i < type.rank; i++) {
        step += stride[i];
        length = lt_min_i64(length, type.dim[i]);
    }
    if (lt_call_bool(c, "wrap") && type.rank == 2 && count) length = (count + step - 1) / step;
    lt_id part = lt_build_as_strided(c->b, x, 1, &length, &step, 0);
    lt_call_return(c, lt_build_write_view(c->b, x, part, value));
}

#define SLICE_PARAMS "int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1"
#define STRIDED_PARAMS "SymInt[] size, SymInt[] stride, SymInt? storage_offset=None"
#define BAG_PARAMS                                                                                    \
    "Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool " \
    "sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False"
#define BAG_RESULTS ") -> (Tensor, Tensor, Tensor, Tensor)"
#define PUT_PARAMS "Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False"
#define ROWS_PARAMS "Tensor self, int dim, Tensor index"

const lt_aten_row lt_aten_index[] = {
    {"embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool "
     "sparse=False) -> Tensor",
     embedding, 0},
    {"embedding_bag(" BAG_PARAMS BAG_RESULTS, embedding_bag, 0},
    {"embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq, int "
     "mode, bool sparse, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx" BAG_RESULTS,
     embedding_bag, 0},
    {"_embedding_bag(" BAG_PARAMS ", int padding_idx=-1" BAG_RESULTS, embedding_bag, 0},
    {"_embedding_bag_forward_only(" BAG_PARAMS ", int padding_idx=-1" BAG_RESULTS, embedding_bag, 0},
    {"one_hot(Tensor self, int num_classes=-1) -> Tensor", one_hot, 0},

    {"index_select(" ROWS_PARAMS ") -> Tensor", index_select, 0},
    {"index_copy(" ROWS_PARAMS ", Tensor source) -> Tensor", index_copy, 0},
    {"index_add(" ROWS_PARAMS ", Tensor source, *, Scalar alpha=1) -> Tensor", index_add, 0},
    {"index_fill.int_Scalar(" ROWS_PARAMS ", Scalar value) -> Tensor", index_fill, 0},
    {"index_fill.int_Tensor(" ROWS_PARAMS ", Tensor value) -> Tensor", index_fill, 0},
    {"index_reduce(" ROWS_PARAMS ", Tensor source, str reduce, *, bool include_self=True) -> Tensor",
     index_reduce, 0},
    {"take(Tensor self, Tensor index) -> Tensor", take, 0},
    {"put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor", put, 0},

    {"gather(" ROWS_PARAMS ", *, bool sparse_grad=False) -> Tensor", gather, 0},
    {"take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor", take_along_dim, 0},
    {"scatter.src(" ROWS_PARAMS ", Tensor src) -> Tensor", scatter_set, 0},
    {"scatter.value(" ROWS_PARAMS ", Scalar value) -> Tensor", scatter_set, 0},
    {"scatter.reduce(" ROWS_PARAMS ", Tensor src, *, str reduce) -> Tensor", scatter_named, 0},
    {"scatter.value_reduce(" ROWS_PARAMS ", Scalar value, *, str reduce) -> Tensor", scatter_named, 0},
    {"scatter_add(" ROWS_PARAMS ", Tensor src) -> Tensor", scatter_add, 0},
    {"scatter_reduce.two(" ROWS_PARAMS ", Tensor src, str reduce, *, bool include_self=True) -> Tensor",
     scatter_reduce, 0},

    {"index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", index_tensor, 0},
    {"_unsafe_index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", index_tensor, 0},
    {"_unsafe_masked_index(Tensor self, Tensor mask, Tensor?[] indices, Scalar fill) -> Tensor", masked_index,
     0},
    {"index_put(" PUT_PARAMS ") -> Tensor", index_put, 0},
    {"_unsafe_index_put(" PUT_PARAMS ") -> Tensor", index_put, 0},
    {"_index_put_impl(" PUT_PARAMS ", bool unsafe=False) -> Tensor", index_put, 0},
    {"_unsafe_masked_index_put_accumulate(Tensor self, Tensor mask, Tensor?[] indices, Tensor values) -> "
     "Tensor",
     masked_index_put, 0},
    {"masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor", masked_scatter, 0},

    {"slice_scatter(Tensor self, Tensor src, " SLICE_PARAMS ") -> Tensor", slice_scatter, 0},
    {"select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", select_scatter, 0},
    {"diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
     diagonal_scatter, 0},
    {"as_strided_scatter(Tensor self, Tensor src, " STRIDED_PARAMS ") -> Tensor", as_strided_scatter, 0},
    {"fill_diagonal(Tensor self, Scalar fill_value, bool wrap=False) -> Tensor", fill_diagonal, 0},
    {NULL, NULL, 0}};
