/* Building graphs from primitives, with PyTorch's promotion and broadcasting rules. Errors are sticky: after
 * the first one every call returns LT_NONE and does nothing, so compositions are written as plain expressions
 * and the status is looked at once, at the end. Dims may be negative where PyTorch allows it. */
#ifndef LT_BUILDER_H
#define LT_BUILDER_H

#include "ir/exported.h"
#include "ir/graph.h"

/* A complex tensor: the value that stands for it, which shows the real parts, and both parts. */
typedef struct lt_complex {
    lt_id value, part[2];
} lt_complex;

typedef struct lt_builder {
    lt_graph *graph;
    lathe_error *err;
    lathe_status status;
    uint32_t source; /* the file's node that is being built */
    lt_complex *complex;
    uint32_t n_complex, cap_complex;
} lt_builder;

/* Records the first error; always returns LT_NONE. */
lt_id lt_build_fail(lt_builder *b, lathe_status code, const char *fmt, ...) LT_PRINTF(3, 4);

/* A primitive; the id of its first output. */
lt_id lt_build(lt_builder *b, lt_op op, const lt_attrs *attrs, const lt_id *in, int n_in);

/* The type of a value; a rank-0 float32 after an error. */
const lt_type *lt_build_type(const lt_builder *b, lt_id x);
int lt_build_rank(const lt_builder *b, lt_id x);
lt_dtype lt_build_dtype(const lt_builder *b, lt_id x);
int64_t lt_build_size(lt_builder *b, lt_id x, int dim);

/* 0 … rank-1 from a dim that may be negative (a tensor of rank 0 has dims 0 and -1); fails when out of range.
 */
int lt_build_dim(lt_builder *b, int64_t dim, int rank);

/* Constants. A Python number is rank 0 and `wrapped`: it never widens a tensor's dtype within its kind. */
lt_id lt_build_number(lt_builder *b, double value);                         /* Python float: float64 */
lt_id lt_build_integer(lt_builder *b, int64_t value);                       /* Python int: int64 */
lt_id lt_build_boolean(lt_builder *b, bool value);                          /* Python bool */
lt_id lt_build_const(lt_builder *b, const lt_type *type, const void *data); /* copies contiguous data */
lt_id lt_build_full(lt_builder *b, lt_id scalar, lt_dtype dtype, int rank, const int64_t *dim);
lt_id lt_build_zeros(lt_builder *b, const lt_type *type);
lt_id lt_build_arange(lt_builder *b, int64_t count, int64_t start, int64_t step); /* int64 [count] */

/* The number that a tensor of one element holds, where it is computed from constants alone. */
bool lt_build_known(const lt_builder *b, lt_id x, lt_arg *out);

/* Elementwise. Inputs broadcast and promote; integers become float32 where the formula wants floats. */
lt_dtype lt_build_promote(const lt_builder *b, const lt_id *in, int n);
lt_id lt_build_unary(lt_builder *b, lt_op op, lt_id x);
lt_id lt_build_binary(lt_builder *b, lt_op op, lt_id x, lt_id y);
lt_id lt_build_ternary(lt_builder *b, lt_op op, lt_id x, lt_id y, lt_id z);
lt_id lt_build_where(lt_builder *b, lt_id condition, lt_id x, lt_id y);
/* x as a kernel of `dtype` reads it: values without dims are rounded or wrapped to it first. */
lt_id lt_build_operand(lt_builder *b, lt_id x, lt_dtype dtype);
/* Half precision as float32, so that a composition rounds once, when it is cast back. */
lt_id lt_build_wide(lt_builder *b, lt_id x);
/* Any formula with the compute and result dtypes given. */
lt_id lt_build_formula(lt_builder *b, lt_op op, lt_dtype compute, lt_dtype out, const lt_id *in, int n);
lt_id lt_build_cast(lt_builder *b, lt_id x, lt_dtype dtype);

static inline lt_id lt_build_add(lt_builder *b, lt_id x, lt_id y)
{
    return lt_build_binary(b, LT_OP_ADD, x, y);
}
static inline lt_id lt_build_sub(lt_builder *b, lt_id x, lt_id y)
{
    return lt_build_binary(b, LT_OP_SUB, x, y);
}
static inline lt_id lt_build_mul(lt_builder *b, lt_id x, lt_id y)
{
    return lt_build_binary(b, LT_OP_MUL, x, y);
}
static inline lt_id lt_build_div(lt_builder *b, lt_id x, lt_id y)
{
    return lt_build_binary(b, LT_OP_DIV, x, y);
}

/* Views. */
lt_id lt_build_reshape(lt_builder *b, lt_id x, int rank, const int64_t *dim); /* one dim may be -1 */
lt_id lt_build_permute(lt_builder *b, lt_id x, const int *dims);              /* rank entries */
lt_id lt_build_transpose(lt_builder *b, lt_id x, int64_t dim0, int64_t dim1);
lt_id lt_build_slice(lt_builder *b, lt_id x, int64_t dim, int64_t start, int64_t end,
                     int64_t step); /* Python's rules */
lt_id lt_build_select(lt_builder *b, lt_id x, int64_t dim, int64_t index);
lt_id lt_build_expand(lt_builder *b, lt_id x, int rank, const int64_t *dim); /* -1 keeps a dim */
lt_id lt_build_unsqueeze(lt_builder *b, lt_id x, int64_t dim);
lt_id lt_build_squeeze(lt_builder *b, lt_id x,
                       int64_t dim); /* as torch.squeeze(dim): other sizes than 1 stay */

/* At least `rank` dims, as torch.atleast_1d, _2d and _3d add them. */
lt_id lt_build_at_least(lt_builder *b, lt_id x, int rank);
/* Over the contiguous elements of x, as torch.as_strided; dim and stride have `rank` entries. */
lt_id lt_build_as_strided(lt_builder *b, lt_id x, int rank, const int64_t *dim, const int64_t *stride,
                          int64_t offset);
/* dim2 and dim1 become one last dim: the elements with equal indices, shifted by `offset`. */
lt_id lt_build_diagonal(lt_builder *b, lt_id x, int64_t offset, int64_t dim1, int64_t dim2);
lt_id lt_build_flip(lt_builder *b, lt_id x, int64_t dim);

/* Writing through views: `base` with the elements that `view` shows replaced by `value`, which broadcasts and
 * converts. `view` must be made from `base` by views alone. */
lt_id lt_build_write_view(lt_builder *b, lt_id base, lt_id view, lt_id value);
/* Whether `view` is made from `base` by views alone. */
bool lt_build_is_view_of(const lt_builder *b, lt_id view, lt_id base);

/* Joining. torch.cat: dtypes promote, one-dimensional tensors without elements do not count. */
lt_id lt_build_cat(lt_builder *b, const lt_id *in, int n, int64_t dim);
/* Puts `before` and `after` elements of the value (a number or a rank-0 tensor) around x; negative ones crop.
 * Both have an entry for each dim. */
lt_id lt_build_pad(lt_builder *b, lt_id x, const int64_t *before, const int64_t *after, lt_id value);

/* Indexing by integer tensors. */
lt_id lt_build_gather(lt_builder *b, lt_id x, int64_t dim, lt_id index); /* torch.gather */
lt_id lt_build_scatter(lt_builder *b, lt_id x, int64_t dim, lt_id index, lt_id source, lt_reduce_kind reduce);
/* x[..., index, ...]: the index's shape replaces `dim`. `wrap`: negative indices count from the end. */
lt_id lt_build_index_dim(lt_builder *b, lt_id x, int64_t dim, lt_id index, bool wrap);
/* x with x[..., index, ...] set to `value` (or with it added), which has exactly the indexed shape. */
lt_id lt_build_index_put_dim(lt_builder *b, lt_id x, int64_t dim, lt_id index, lt_id value, bool wrap,
                             bool accumulate);

/* Complex numbers: a value that stands for two tensors of one float type. */
lt_id lt_build_complex(lt_builder *b, lt_id re, lt_id im);
lt_id lt_build_paired(lt_builder *b, lt_id pairs); /* [..., 2]: real, imaginary */
bool lt_build_is_complex(const lt_builder *b, lt_id x);
lt_id lt_build_part(lt_builder *b, lt_id x, int part); /* 0: real, 1: imaginary, zeros of a real tensor */

/* Reductions over the marked dims. */
lt_id lt_build_reduce(lt_builder *b, lt_op op, lt_id x, const bool *dims, bool keepdim, lt_dtype dtype);

/* As lt_build_reduce over one dim, in the type of x. */
lt_id lt_build_reduce_dim(lt_builder *b, lt_op op, lt_id x, int64_t dim, bool keepdim);
/* sum((x - mean)^2) / (count - correction). */
lt_id lt_build_var(lt_builder *b, lt_id x, const bool *dims, double correction, bool keepdim, lt_dtype dtype);
/* (sum |x|^p)^(1/p), with the limits for p = 0 and the infinities; computed in float32 or wider. */
lt_id lt_build_norm(lt_builder *b, lt_id x, double p, const bool *dims, bool keepdim, lt_dtype dtype);
lt_id lt_build_logsumexp(lt_builder *b, lt_id x, const bool *dims, bool keepdim);
/* Index of the extremum along a dim, LT_OP_ARGMAX or LT_OP_ARGMIN: int64. */
lt_id lt_build_arg(lt_builder *b, lt_op op, lt_id x, int64_t dim, bool keepdim);
lt_id lt_build_softmax(lt_builder *b, lt_id x, int64_t dim, bool log, lt_dtype dtype);

/* torch.narrow: `count` elements along a dim. */
lt_id lt_build_narrow(lt_builder *b, lt_id x, int64_t dim, int64_t start, int64_t count);
/* One element along a dim, which stays with size 1 or goes. */
lt_id lt_build_pick(lt_builder *b, lt_id x, int64_t dim, int64_t index, bool keepdim);

/* Running folds and sorting along a dim. Those with two results put the indices into *indices. */
lt_id lt_build_scan(lt_builder *b, lt_op op, lt_id x, int64_t dim, lt_dtype dtype, lt_id *indices);
/* `stable`: equal elements keep their order; else PyTorch's. */
lt_id lt_build_sort(lt_builder *b, lt_id x, int64_t dim, bool descending, bool stable, lt_id *indices);
/* How many elements of each sorted line are less than the value (`right`: not greater): int64. */
lt_id lt_build_searchsorted(lt_builder *b, lt_id lines, lt_id values, bool right);

/* torch.matmul: operands of rank 1 and more with equal dtypes, batch dims broadcast. Half-precision operands
 * accumulate in float32; `wide` keeps the float32 result. */
lt_id lt_build_matmul(lt_builder *b, lt_id x, lt_id y);
lt_id lt_build_matmul_wide(lt_builder *b, lt_id x, lt_id y);
/* x [..., K] times weight [N, K] plus bias [N] (may be LT_NONE), rounded once. */
lt_id lt_build_linear(lt_builder *b, lt_id x, lt_id weight, lt_id bias);

#endif
