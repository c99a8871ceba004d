/* Compositions of reductions, scans and sorts. */
#include <math.h>
#include <string.h>

#include "aten/builder.h"

/* A tensor without dims, where an operator wants one to work along, is a line of one element. */
static lt_id at_least_line(lt_builder *b, lt_id x)
{
    return lt_build_rank(b, x) ? x : lt_build_reshape(b, x, 1, (int64_t[]){1});
}

/* The result for a tensor without dims has none either. */
static lt_id like(lt_builder *b, lt_id result, lt_id x)
{
    return lt_build_rank(b, x) ? result : lt_build_reshape(b, result, 0, NULL);
}

lt_id lt_build_narrow(lt_builder *b, lt_id x, int64_t dim, int64_t start, int64_t count)
{
    return lt_build_slice(b, x, dim, start, start + count, 1);
}

lt_id lt_build_pick(lt_builder *b, lt_id x, int64_t dim, int64_t index, bool keepdim)
{
    lt_id one = lt_build_select(b, x, dim, index);
    return keepdim ? lt_build_unsqueeze(b, one, lt_build_dim(b, dim, lt_build_rank(b, x))) : one;
}

lt_id lt_build_reduce_dim(lt_builder *b, lt_op op, lt_id x, int64_t dim, bool keepdim)
{
    bool dims[LT_MAX_RANK] = {false};
    dims[lt_build_dim(b, dim, lt_build_rank(b, x))] = true;
    return lt_build_reduce(b, op, x, dims, keepdim, lt_build_dtype(b, x));
}

lt_id lt_build_var(lt_builder *b, lt_id x, const bool *dims, double correction, bool keepdim, lt_dtype dtype)
{
    lt_attrs attrs = {.reduce = {.keepdim = keepdim, .dtype = dtype, .correction = correction}};
    int rank = lt_build_rank(b, x);
    if (!lt_dtype_is_float(lt_build_dtype(b, x)))
        return lt_build_fail(b, LATHE_TYPE, "variance of %s", lathe_dtype_name(lt_build_dtype(b, x)));
    if (rank) memcpy(attrs.reduce.dims, dims, (size_t)rank * sizeof *dims);
    return lt_build(b, LT_OP_REDUCE_VAR, &attrs, &x, 1);
}

static bool is(double p, double value) { return p >= value && p <= value; }

static lt_id power_sum(lt_builder *b, lt_id x, double p, const bool *dims, bool keepdim)
{
    lt_dtype dtype = lt_build_dtype(b, x);
    if (is(p, 0)) x = lt_build_cast(b, lt_build_binary(b, LT_OP_NE, x, lt_build_integer(b, 0)), dtype);
    else if (is(p, 2)) x = lt_build_unary(b, LT_OP_SQUARE, x);
    else x = lt_build_unary(b, LT_OP_ABS, x);
    if (!is(p, 0) && !is(p, 1) && !is(p, 2)) x = lt_build_binary(b, LT_OP_POW, x, lt_build_number(b, p));
    x = lt_build_reduce(b, LT_OP_REDUCE_SUM, x, dims, keepdim, dtype);
    if (is(p, 2)) return lt_build_unary(b, LT_OP_SQRT, x);
    return is(p, 0) || is(p, 1) ? x : lt_build_binary(b, LT_OP_POW, x, lt_build_number(b, 1 / p));
}

lt_id lt_build_norm(lt_builder *b, lt_id x, double p, const bool *dims, bool keepdim, lt_dtype dtype)
{
    lt_dtype own = lt_build_dtype(b, x), wide = lt_dtype_wide(dtype);
    if (!lt_dtype_is_float(own) || !lt_dtype_is_float(dtype))
        return lt_build_fail(b, LATHE_TYPE, "norm of %s as %s", lathe_dtype_name(own),
                             lathe_dtype_name(dtype));
    x = lt_build_cast(b, x, lt_dtype_wide(own));
    x = lt_build_cast(b, x, wide);
    if (isinf(p)) {
        x = lt_build_unary(b, LT_OP_ABS, x);
        x = lt_build_reduce(b, p > 0 ? LT_OP_REDUCE_MAX : LT_OP_REDUCE_MIN, x, dims, keepdim, wide);
    } else {
        x = power_sum(b, x, p, dims, keepdim);
    }
    return lt_build_cast(b, x, dtype);
}

lt_id lt_build_logsumexp(lt_builder *b, lt_id x, const bool *dims, bool keepdim)
{
    lt_dtype own = lt_build_dtype(b, x), out = lt_dtype_is_float(own) ? own : LATHE_F32,
             wide = lt_dtype_wide(out);
    x = lt_build_cast(b, x, wide);
    if (lt_type_count(lt_build_type(b, x)) == 0) {
        lt_id sum = lt_build_reduce(b, LT_OP_REDUCE_SUM, x, dims, keepdim, wide);
        return lt_build_cast(b, lt_build_unary(b, LT_OP_LOG, sum), out);
    }
    /* Infinite maxima take nothing away: they would leave NaN. */
    lt_id most = lt_build_reduce(b, LT_OP_REDUCE_MAX, x, dims, true, wide);
    most = lt_build_where(b, lt_build_unary(b, LT_OP_ISINF, most), lt_build_integer(b, 0), most);
    lt_id sum = lt_build_unary(b, LT_OP_EXP, lt_build_sub(b, x, most));
    sum = lt_build_unary(b, LT_OP_LOG, lt_build_reduce(b, LT_OP_REDUCE_SUM, sum, dims, keepdim, wide));
    const lt_type type = *lt_build_type(b, sum);
    return lt_build_cast(b, lt_build_add(b, sum, lt_build_reshape(b, most, type.rank, type.dim)), out);
}

lt_id lt_build_arg(lt_builder *b, lt_op op, lt_id x, int64_t dim, bool keepdim)
{
    lt_attrs attrs = {.arg = {.dim = lt_build_dim(b, dim, lt_build_rank(b, x)), .keepdim = keepdim}};
    lt_id line = at_least_line(b, x);
    return like(b, lt_build(b, op, &attrs, &line, 1), x);
}

lt_id lt_build_softmax(lt_builder *b, lt_id x, int64_t dim, bool log, lt_dtype dtype)
{
    lt_attrs attrs = {
        .softmax = {.dim = lt_build_dim(b, dim, lt_build_rank(b, x)), .log = log, .dtype = dtype}};
    /* The kernel loads into the class of the result: what rounds below that is rounded before. */
    lt_id line = at_least_line(b, lt_dtype_wide(dtype) == dtype ? x : lt_build_cast(b, x, dtype));
    return like(b, lt_build(b, LT_OP_SOFTMAX, &attrs, &line, 1), x);
}

/* Both results of a primitive that works along a dim. */
static lt_id values_and_indices(lt_builder *b, lt_op op, const lt_attrs *attrs, lt_id x, lt_id *indices)
{
    lt_id line = at_least_line(b, x), values = lt_build(b, op, attrs, &line, 1);
    if (indices) *indices = values == LT_NONE ? LT_NONE : like(b, values + 1, x);
    return like(b, values, x);
}

lt_id lt_build_scan(lt_builder *b, lt_op op, lt_id x, int64_t dim, lt_dtype dtype, lt_id *indices)
{
    lt_attrs attrs = {.scan = {.dim = lt_build_dim(b, dim, lt_build_rank(b, x)), .dtype = dtype}};
    return values_and_indices(b, op, &attrs, lt_build_cast(b, x, dtype), indices);
}

/* Long lines of integers are sorted by radix in PyTorch, which is stable. */
static bool sorts_by_digits(const lt_type *type, bool descending)
{
    enum { LONG_LINE = 32768 };
    return type->rank == 1 && !descending && lt_dtype_is_int(type->dtype) && type->dim[0] >= LONG_LINE;
}

lt_id lt_build_sort(lt_builder *b, lt_id x, int64_t dim, bool descending, bool stable, lt_id *indices)
{
    lt_attrs attrs = {.sort = {.dim = lt_build_dim(b, dim, lt_build_rank(b, x)),
                               .descending = descending,
                               .stable = stable || sorts_by_digits(lt_build_type(b, x), descending)}};
    return values_and_indices(b, LT_OP_SORT, &attrs, x, indices);
}

lt_id lt_build_searchsorted(lt_builder *b, lt_id lines, lt_id values, bool right)
{
    lt_attrs attrs = {.search = {.right = right}};
    lt_dtype dtype = lt_build_promote(b, (lt_id[]){lines, values}, 2);
    lt_id in[2] = {lt_build_cast(b, lines, dtype), lt_build_cast(b, values, dtype)};
    return lt_build(b, LT_OP_SEARCHSORTED, &attrs, in, 2);
}
