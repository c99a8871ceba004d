/* Indexing by tensors, gather and scatter, and the operators that replace a part of a tensor. */
#include <string.h>

#include "aten/aten.h"

static lt_id self(lt_call *c) { return lt_call_tensor(c, c->schema->params[0].name); }

/* Views that operators on dims want: a tensor of rank 0 is taken as [1]. */
static lt_id at_least_1d(lt_builder *b, lt_id x)
{
    return lt_build_rank(b, x) == 0 ? lt_build_unsqueeze(b, x, 0) : x;
}

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
    lt_id x = self(c), index = at_least_1d(c->b, lt_call_tensor(c, "index"));
    int64_t dim = lt_call_int(c, "dim");
    lt_id out = lt_build_index_dim(c->b, at_least_1d(c->b, x), dim, index, false);
    lt_call_return(c, lt_build_rank(c->b, x) == 0 ? lt_build_squeeze(c->b, out, 0) : out);
}

/* The operators that write rows of `source` where `index` says. */
static lt_id put_rows(lt_call *c, lt_id x, lt_id source, bool wrap, bool accumulate)
{
    lt_id index = at_least_1d(c->b, lt_call_tensor(c, "index")), base = at_least_1d(c->b, x);
    lt_type window = *lt_build_type(c->b, base);
    int d = lt_call_dim(c, "dim", window.rank);
    window.dim[d] = lt_type_count(lt_build_type(c->b, index));
    if (lt_build_rank(c->b, source) == 0) source = lt_build_expand(c->b, source, window.rank, window.dim);
    if (lt_build_rank(c->b, index) > 1)
        lt_build_fail(c->b, LATHE_TYPE, "index of rank %d, expected 1", lt_build_rank(c->b, index));
    return like(c->b, lt_build_index_put_dim(c->b, base, d, index, source, wrap, accumulate), x);
}

static void index_copy(lt_call *c)
{
    lt_call_return(c, put_rows(c, self(c), lt_call_tensor(c, "source"), false, false));
}

/* ---- gather, scatter ---- */

static void gather(lt_call *c)
{
    lt_id x = self(c), index = lt_call_tensor(c, "index");
    lt_call_return(c, lt_build_gather(c->b, x, lt_call_int(c, "dim"), index));
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
    return n ? lt_build(c->b, LT_OP_INDEX, &attrs, in, n + 1) : x;
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

static void index_put(lt_call *c)
{
    lt_indices indices;
    lt_id x = self(c), values = lt_call_tensor(c, "values"), in[LT_MAX_RANK + 2] = {x};
    get_indices(c, lt_build_rank(c->b, x), &indices);
    lt_attrs attrs = {.index = {.accumulate = lt_call_bool(c, "accumulate")}};
    int n = index_attrs(&indices, &attrs.index, in + 2);
    lt_type window = picked_type(c, x, &attrs, in + 2, n);
    in[1] =
        lt_build_expand(c->b, lt_build_cast(c->b, values, lt_build_dtype(c->b, x)), window.rank, window.dim);
    lt_call_return(c, lt_build(c->b, LT_OP_INDEX_PUT, &attrs, in, n + 2));
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

#define SLICE_PARAMS "int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1"

const lt_aten_row lt_aten_index[] = {
    {"embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool "
     "sparse=False) -> Tensor",
     embedding, 0},
    {"index_select(Tensor self, int dim, Tensor index) -> Tensor", index_select, 0},
    {"index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor", index_copy, 0},
    {"gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor", gather, 0},
    {"index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", index_tensor, 0},
    {"_unsafe_index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", index_tensor, 0},
    {"index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor", index_put,
     0},
    {"_unsafe_index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
     index_put, 0},
    {"_index_put_impl(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False, bool "
     "unsafe=False) -> "
     "Tensor",
     index_put, 0},
    {"slice_scatter(Tensor self, Tensor src, " SLICE_PARAMS ") -> Tensor", slice_scatter, 0},
    {"select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", select_scatter, 0},
    {NULL, NULL, 0}};
