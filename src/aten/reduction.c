/* Reductions, norms, softmax and running folds. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"

/* The dims to reduce: those of the argument `dim`; all without it, or when it is None or empty. */
static void reduced_dims(lt_call *c, lt_id x, bool *dims)
{
    for (int i = 0; i < LT_MAX_RANK; i++) dims[i] = true;
    if (lt_call_takes(c, "dim")) lt_call_dims(c, "dim", lt_build_rank(c->b, x), true, dims);
}

static bool keeps_dims(lt_call *c) { return lt_call_takes(c, "keepdim") && lt_call_bool(c, "keepdim"); }

static lt_id fail_dtype(lt_call *c, lt_dtype dtype)
{
    return lt_build_fail(c->b, LATHE_TYPE, "%s of %s", c->schema->name, lathe_dtype_name(dtype));
}

/* ---- Sums, means, products ---- */

/* Integers are summed and multiplied as int64, and have no mean. */
static lt_dtype sum_dtype(lt_call *c, lt_id x)
{
    lt_dtype own = lt_build_dtype(c->b, x);
    lt_dtype dtype = lt_call_dtype(c, "dtype", lt_dtype_is_float(own) ? own : LATHE_I64);
    if (c->row->op == LT_OP_REDUCE_MEAN && !lt_dtype_is_float(dtype)) fail_dtype(c, dtype);
    return dtype;
}

/* Kernels accumulate wider than any input, so only a cast that changes values is one. */
static lt_id summand(lt_call *c, lt_id x, lt_dtype dtype)
{
    lt_dtype own = lt_build_dtype(c->b, x);
    bool same_kind = lt_dtype_is_float(own) == lt_dtype_is_float(dtype);
    return same_kind && lt_dtype_promote(own, dtype) == dtype ? x : lt_build_cast(c->b, x, dtype);
}

static void sum(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = sum_dtype(c, x);
    reduced_dims(c, x, dims);
    x = summand(c, x, dtype);
    lt_call_return(c, lt_build_reduce(c->b, c->row->op, x, dims, keeps_dims(c), dtype));
}

static lt_id without_nan(lt_builder *b, lt_id x, lt_id nan)
{
    return lt_build_where(b, nan, lt_build_integer(b, 0), x);
}

static void nansum(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = sum_dtype(c, x);
    reduced_dims(c, x, dims);
    x = lt_build_cast(c->b, x, dtype);
    x = without_nan(c->b, x, lt_build_unary(c->b, LT_OP_ISNAN, x));
    lt_call_return(c, lt_build_reduce(c->b, LT_OP_REDUCE_SUM, x, dims, keeps_dims(c), dtype));
}

static void nanmean(lt_call *c)
{
    bool dims[LT_MAX_RANK], keepdim = keeps_dims(c);
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype own = lt_build_dtype(c->b, x), dtype = lt_call_dtype(c, "dtype", own);
    if (!lt_dtype_is_float(own) || !lt_dtype_is_float(dtype)) fail_dtype(c, own);
    reduced_dims(c, x, dims);
    lt_id nan = lt_build_unary(c->b, LT_OP_ISNAN, x), wide = lt_build_cast(c->b, x, dtype);
    lt_id total = lt_build_reduce(c->b, LT_OP_REDUCE_SUM, without_nan(c->b, wide, nan), dims, keepdim, dtype);
    lt_id there = lt_build_unary(c->b, LT_OP_LOGICAL_NOT, nan);
    lt_call_return(c, lt_build_div(c->b, total,
                                   lt_build_reduce(c->b, LT_OP_REDUCE_SUM, there, dims, keepdim, LATHE_I64)));
}

static void count_nonzero(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    reduced_dims(c, x, dims);
    x = lt_build_cast(c->b, x, LATHE_BOOL);
    lt_call_return(c, lt_build_reduce(c->b, LT_OP_REDUCE_SUM, x, dims, false, LATHE_I64));
}

/* any is a sum and all a product of bools. The result is bool, but uint8 stays uint8. */
static void any_or_all(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    int64_t listed[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype out = lt_build_dtype(c->b, x) == LATHE_U8 ? LATHE_U8 : LATHE_BOOL;
    reduced_dims(c, x, dims);
    if (lt_call_takes(c, "dim") && lt_call_has(c, "dim") && lt_call_ints(c, "dim", listed, LT_MAX_RANK) == 0)
        memset(dims, 0, sizeof dims); /* here an empty list means none */
    x = lt_build_cast(c->b, x, LATHE_BOOL);
    x = lt_build_reduce(c->b, c->row->op, x, dims, keeps_dims(c), LATHE_BOOL);
    lt_call_return(c, lt_build_cast(c->b, x, out));
}

/* ---- Extrema ---- */

static void extremum(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    reduced_dims(c, x, dims);
    lt_call_return(c, lt_build_reduce(c->b, c->row->op, x, dims, keeps_dims(c), lt_build_dtype(c->b, x)));
}

static void extremum_and_index(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    int64_t dim = lt_call_int(c, "dim");
    bool keepdim = lt_call_bool(c, "keepdim");
    lt_op arg = c->row->op == LT_OP_REDUCE_MAX ? LT_OP_ARGMAX : LT_OP_ARGMIN;
    lt_call_return(c, lt_build_reduce_dim(c->b, c->row->op, x, dim, keepdim));
    lt_call_return(c, lt_build_arg(c->b, arg, x, dim, keepdim));
}

static void aminmax(lt_call *c)
{
    bool dims[LT_MAX_RANK], keepdim = keeps_dims(c);
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_dtype(c->b, x);
    reduced_dims(c, x, dims);
    lt_call_return(c, lt_build_reduce(c->b, LT_OP_REDUCE_MIN, x, dims, keepdim, dtype));
    lt_call_return(c, lt_build_reduce(c->b, LT_OP_REDUCE_MAX, x, dims, keepdim, dtype));
}

static void arg(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    bool keepdim = lt_call_bool(c, "keepdim");
    if (lt_build_dtype(c->b, x) == LATHE_BOOL) fail_dtype(c, LATHE_BOOL);
    if (lt_call_has(c, "dim")) {
        lt_call_return(c, lt_build_arg(c->b, c->row->op, x, lt_call_int(c, "dim"), keepdim));
        return;
    }
    int64_t ones[LT_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    int rank = keepdim ? lt_build_rank(c->b, x) : 0;
    lt_id flat = lt_build_reshape(c->b, x, 1, (int64_t[]){lt_type_count(lt_build_type(c->b, x))});
    lt_call_return(c, lt_build_reshape(c->b, lt_build_arg(c->b, c->row->op, flat, 0, false), rank, ones));
}

/* ---- Variance ---- */

static double correction(lt_call *c)
{
    if (lt_call_takes(c, "unbiased")) return lt_call_bool(c, "unbiased");
    return lt_call_has(c, "correction") ? lt_call_float(c, "correction") : 1;
}

static lt_id variance(lt_call *c, lt_id x, const bool *dims, bool root)
{
    lt_dtype dtype = lt_build_dtype(c->b, x);
    x = lt_build_var(c->b, x, dims, correction(c), keeps_dims(c), lt_dtype_wide(dtype));
    if (root) x = lt_build_unary(c->b, LT_OP_SQRT, x);
    return lt_build_cast(c->b, x, dtype);
}

/* The row's op tells std (SQRT) from var. */
static void var(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    reduced_dims(c, x, dims);
    lt_call_return(c, variance(c, x, dims, c->row->op == LT_OP_SQRT));
}

static void var_mean(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    reduced_dims(c, x, dims);
    lt_call_return(c, variance(c, x, dims, c->row->op == LT_OP_SQRT));
    lt_call_return(c,
                   lt_build_reduce(c->b, LT_OP_REDUCE_MEAN, x, dims, keeps_dims(c), lt_build_dtype(c->b, x)));
}

/* ---- Norms ---- */

static void norm(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    const char *order = lt_call_takes(c, "ord") ? "ord" : "p";
    lt_id x = lt_call_tensor(c, "self");
    double p = lt_call_takes(c, order) && lt_call_has(c, order) ? lt_call_float(c, order) : 2;
    lt_dtype dtype = lt_build_dtype(c->b, x);
    if (lt_call_takes(c, "dtype")) dtype = lt_call_dtype(c, "dtype", dtype);
    reduced_dims(c, x, dims);
    lt_call_return(c, lt_build_norm(c->b, x, p, dims, keeps_dims(c), dtype));
}

/* Of the matrices in two dims: Frobenius, or the largest or smallest sum of magnitudes along the first dim
 * (1) or the second (infinity). Those made of singular values are not there. */
static lt_id matrix_norm(lt_call *c, lt_id x, bool frobenius, double ord, const int64_t *dim, lt_dtype dtype)
{
    lt_builder *b = c->b;
    int rank = lt_build_rank(b, x), d[2] = {lt_build_dim(b, dim[0], rank), lt_build_dim(b, dim[1], rank)};
    bool keepdim = lt_call_bool(c, "keepdim"), dims[LT_MAX_RANK] = {false};
    if (rank < 2 || d[0] == d[1]) return lt_build_fail(b, LATHE_TYPE, "matrix norm needs two dims");
    if (frobenius) {
        dims[d[0]] = dims[d[1]] = true;
        return lt_build_norm(b, x, 2, dims, keepdim, dtype);
    }
    double magnitude = fabs(ord);
    if (!isinf(ord) && !(magnitude >= 1 && magnitude <= 1))
        return lt_build_fail(b, LATHE_UNSUPPORTED, "matrix norm of order %g", ord);
    int inner = isinf(ord) ? d[1] : d[0], outer = isinf(ord) ? d[0] : d[1];
    dims[inner] = true;
    x = lt_build_norm(b, x, 1, dims, true, dtype);
    x = lt_build_reduce_dim(b, ord > 0 ? LT_OP_REDUCE_MAX : LT_OP_REDUCE_MIN, x, outer, true);
    if (keepdim) return x;
    x = lt_build_squeeze(b, x, inner > outer ? inner : outer);
    return lt_build_squeeze(b, x, inner > outer ? outer : inner);
}

static bool is_frobenius(lt_call *c)
{
    const char *name = lt_call_string(c, "ord");
    if (strcmp(name, "fro") != 0) lt_build_fail(c->b, LATHE_UNSUPPORTED, "matrix norm '%s'", name);
    return true;
}

static void linalg_matrix_norm(lt_call *c)
{
    int64_t dim[2] = {-2, -1};
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_call_dtype(c, "dtype", lt_build_dtype(c->b, x));
    bool named = c->schema->params[1].type == LT_PARAM_STRING, frobenius = named && is_frobenius(c);
    lt_call_ints(c, "dim", dim, 2);
    lt_call_return(c, matrix_norm(c, x, frobenius, named ? 0 : lt_call_float(c, "ord"), dim, dtype));
}

/* A matrix norm when there are two dims and an order, else that of a vector. */
static void linalg_norm(lt_call *c)
{
    bool named = c->schema->params[1].type == LT_PARAM_STRING;
    int64_t dim[LT_MAX_RANK] = {0, 1};
    lt_id x = lt_call_tensor(c, "self");
    int rank = lt_build_rank(c->b, x), n = lt_call_ints(c, "dim", dim, LT_MAX_RANK);
    if (!lt_call_has(c, "ord") || (!named && !(n == 2 || (n == 0 && rank == 2)))) {
        norm(c);
        return;
    }
    lt_dtype dtype = lt_call_dtype(c, "dtype", lt_build_dtype(c->b, x));
    bool frobenius = named && is_frobenius(c);
    lt_call_return(c, matrix_norm(c, x, frobenius, named ? 0 : lt_call_float(c, "ord"), dim, dtype));
}

static void logsumexp(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_id x = lt_call_tensor(c, "self");
    reduced_dims(c, x, dims);
    lt_call_return(c, lt_build_logsumexp(c->b, x, dims, keeps_dims(c)));
}

/* ---- Softmax ---- */

static lt_id softmax_of(lt_call *c, lt_id x, bool log)
{
    lt_dtype dtype = lt_build_dtype(c->b, x);
    if (lt_call_takes(c, "dtype")) dtype = lt_call_dtype(c, "dtype", dtype);
    else if (lt_call_bool(c, "half_to_float")) dtype = lt_dtype_wide(dtype);
    return lt_build_softmax(c->b, x, lt_call_int(c, "dim"), log, dtype);
}

static void softmax(lt_call *c) { lt_call_return(c, softmax_of(c, lt_call_tensor(c, "self"), false)); }

static void log_softmax(lt_call *c) { lt_call_return(c, softmax_of(c, lt_call_tensor(c, "self"), true)); }

/* Rows of -inf alone give zeros. */
static void safe_softmax(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = softmax_of(c, x, false);
    lt_id masked = lt_build_binary(c->b, LT_OP_EQ, x, lt_build_number(c->b, -INFINITY));
    masked = lt_build_reduce_dim(c->b, LT_OP_REDUCE_PROD, masked, lt_call_int(c, "dim"), true);
    lt_call_return(c, lt_build_where(c->b, masked, lt_build_integer(c->b, 0), y));
}

/* ---- Running folds ---- */

static void cumsum(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype own = lt_build_dtype(c->b, x);
    lt_dtype dtype = lt_call_dtype(c, "dtype", lt_dtype_is_float(own) ? own : LATHE_I64);
    lt_call_return(c, lt_build_scan(c->b, c->row->op, x, lt_call_int(c, "dim"), dtype, NULL));
}

static void logcumsumexp(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c,
                   lt_build_scan(c->b, c->row->op, x, lt_call_int(c, "dim"), lt_build_dtype(c->b, x), NULL));
}

static void cummax(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), indices;
    lt_call_return(
        c, lt_build_scan(c->b, c->row->op, x, lt_call_int(c, "dim"), lt_build_dtype(c->b, x), &indices));
    lt_call_return(c, indices);
}

/* torch.diff: n times each element less the one before. */
static void diff(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id parts[3] = {lt_call_optional_tensor(c, "prepend"), lt_call_tensor(c, "self"),
                      lt_call_optional_tensor(c, "append")};
    int rank = lt_build_rank(b, parts[1]), dim = lt_call_dim(c, "dim", rank), first = parts[0] == LT_NONE;
    lt_id x = lt_build_cat(b, parts + first, 3 - first - (parts[2] == LT_NONE), dim);
    int64_t n = lt_call_int(c, "n"), size = rank ? lt_build_size(b, x, dim) : 0;
    lt_op op = lt_build_dtype(b, x) == LATHE_BOOL ? LT_OP_LOGICAL_XOR : LT_OP_SUB;
    if (rank == 0 || n < 0) lt_build_fail(b, LATHE_TYPE, "%lld differences in rank %d", (long long)n, rank);
    if (n == 0) x = parts[1]; /* without what is put before and behind it */
    else if (n >= size) x = lt_build_narrow(b, x, dim, 0, 0);
    for (; n > 0 && size > n; n--) {
        int64_t left = lt_build_size(b, x, dim) - 1;
        x = lt_build_binary(b, op, lt_build_narrow(b, x, dim, 1, left), lt_build_narrow(b, x, dim, 0, left));
        size--;
    }
    lt_call_return(c, x);
}

/* Trapezoids summed, or (CUMSUM) summed up to each. */
static lt_id add_up(lt_call *c, lt_id x, int dim)
{
    if (c->row->op == LT_OP_REDUCE_SUM) return lt_build_reduce_dim(c->b, LT_OP_REDUCE_SUM, x, dim, false);
    lt_dtype dtype = lt_build_dtype(c->b, x);
    return lt_build_scan(c->b, LT_OP_CUMSUM, x, dim, lt_dtype_is_float(dtype) ? dtype : LATHE_I64, NULL);
}

/* (y[i] + y[i+1]) / 2 * dx. Steps of one size are halved before they are added up one by one. */
static void trapezoid(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id y = lt_call_tensor(c, "y");
    int rank = lt_build_rank(b, y), dim = lt_call_dim(c, "dim", rank);
    int64_t steps = lt_max_i64(lt_build_size(b, y, dim) - 1, 0);
    if (rank == 0) lt_build_fail(b, LATHE_TYPE, "trapezoid of a tensor without dims");
    lt_id sum = lt_build_add(b, lt_build_narrow(b, y, dim, 0, steps), lt_build_narrow(b, y, dim, 1, steps));
    if (!lt_call_takes(c, "x")) {
        lt_id half = lt_build_number(b, lt_call_float(c, "dx") / 2);
        bool before = c->row->op == LT_OP_CUMSUM;
        sum = add_up(c, before ? lt_build_mul(b, sum, half) : sum, dim);
        return lt_call_return(c, before ? sum : lt_build_mul(b, sum, half));
    }
    lt_id x = lt_call_tensor(c, "x");
    if (lt_build_rank(b, x) == 1) {
        int64_t shape[LT_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
        shape[dim] = lt_build_size(b, x, 0);
        x = lt_build_reshape(b, x, rank, shape);
    }
    dim -= rank - lt_build_rank(b, x);
    lt_id dx = lt_build_sub(b, lt_build_narrow(b, x, dim, 1, steps), lt_build_narrow(b, x, dim, 0, steps));
    sum = lt_build_mul(b, dx, sum);
    dim += lt_build_rank(b, sum) - lt_build_rank(b, x);
    lt_call_return(c, lt_build_div(b, add_up(c, sum, dim), lt_build_integer(b, 2)));
}

const lt_aten_row lt_aten_reduction[] = {
    {"sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", sum, LT_OP_REDUCE_SUM},
    {"sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
     sum, LT_OP_REDUCE_SUM},
    {"mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", sum, LT_OP_REDUCE_MEAN},
    {"mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", sum,
     LT_OP_REDUCE_MEAN},
    {"prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", sum, LT_OP_REDUCE_PROD},
    {"prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", sum,
     LT_OP_REDUCE_PROD},
    {"nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor", nansum,
     0},
    {"nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
     nanmean, 0},
    {"count_nonzero(Tensor self, int? dim=None) -> Tensor", count_nonzero, 0},
    {"count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor", count_nonzero, 0},
    {"any(Tensor self) -> Tensor", any_or_all, LT_OP_REDUCE_SUM},
    {"any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", any_or_all, LT_OP_REDUCE_SUM},
    {"any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", any_or_all, LT_OP_REDUCE_SUM},
    {"all(Tensor self) -> Tensor", any_or_all, LT_OP_REDUCE_PROD},
    {"all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", any_or_all, LT_OP_REDUCE_PROD},
    {"all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", any_or_all, LT_OP_REDUCE_PROD},
    {"_is_any_true(Tensor self) -> Tensor", any_or_all, LT_OP_REDUCE_SUM},
    {"_is_all_true(Tensor self) -> Tensor", any_or_all, LT_OP_REDUCE_PROD},
    {"max(Tensor self) -> Tensor", extremum, LT_OP_REDUCE_MAX},
    {"max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     extremum_and_index, LT_OP_REDUCE_MAX},
    {"min(Tensor self) -> Tensor", extremum, LT_OP_REDUCE_MIN},
    {"min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
     extremum_and_index, LT_OP_REDUCE_MIN},
    {"amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", extremum, LT_OP_REDUCE_MAX},
    {"amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", extremum, LT_OP_REDUCE_MIN},
    {"aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)", aminmax, 0},
    {"_aminmax(Tensor self) -> (Tensor, Tensor)", aminmax, 0},
    {"_aminmax.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor, Tensor)", aminmax, 0},
    {"argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", arg, LT_OP_ARGMAX},
    {"argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", arg, LT_OP_ARGMIN},
    {"var(Tensor self, bool unbiased=True) -> Tensor", var, 0},
    {"var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", var, 0},
    {"var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
     "Tensor",
     var, 0},
    {"std(Tensor self, bool unbiased=True) -> Tensor", var, LT_OP_SQRT},
    {"std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", var, LT_OP_SQRT},
    {"std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
     "Tensor",
     var, LT_OP_SQRT},
    {"var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", var_mean, 0},
    {"var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
     var_mean, 0},
    {"var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
     "(Tensor, Tensor)",
     var_mean, 0},
    {"std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", var_mean, LT_OP_SQRT},
    {"std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
     var_mean, LT_OP_SQRT},
    {"std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
     "(Tensor, Tensor)",
     var_mean, LT_OP_SQRT},
    {"norm.Scalar(Tensor self, Scalar p=2) -> Tensor", norm, 0},
    {"norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor", norm, 0},
    {"norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p, int[1] dim, bool keepdim, *, ScalarType dtype) -> "
     "Tensor",
     norm, 0},
    {"norm.ScalarOpt_dtype(Tensor self, Scalar? p, *, ScalarType dtype) -> Tensor", norm, 0},
    {"frobenius_norm.dim(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", norm, 0},
    {"linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? "
     "dtype=None) -> Tensor",
     norm, 0},
    {"linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? "
     "dtype=None) "
     "-> Tensor",
     linalg_norm, 0},
    {"linalg_norm.ord_str(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, ScalarType? "
     "dtype=None) "
     "-> Tensor",
     linalg_norm, 0},
    {"linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? "
     "dtype=None) -> Tensor",
     linalg_matrix_norm, 0},
    {"linalg_matrix_norm.str_ord(Tensor self, str ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, "
     "ScalarType? dtype=None) -> Tensor",
     linalg_matrix_norm, 0},
    {"logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", logsumexp, 0},
    {"special_logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", logsumexp, 0},
    {"softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmax, 0},
    {"special_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmax, 0},
    {"_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", softmax, 0},
    {"log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", log_softmax, 0},
    {"special_log_softmax(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", log_softmax, 0},
    {"_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", log_softmax, 0},
    {"_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", safe_softmax, 0},
    {"cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", cumsum, LT_OP_CUMSUM},
    {"cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", cumsum, LT_OP_CUMPROD},
    {"logcumsumexp(Tensor self, int dim) -> Tensor", logcumsumexp, LT_OP_LOGCUMSUMEXP},
    {"cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)", cummax, LT_OP_CUMMAX},
    {"cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)", cummax, LT_OP_CUMMIN},
    {"diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor", diff, 0},
    {"trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", trapezoid, LT_OP_REDUCE_SUM},
    {"trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", trapezoid, LT_OP_REDUCE_SUM},
    {"cumulative_trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", trapezoid, LT_OP_CUMSUM},
    {"cumulative_trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", trapezoid, LT_OP_CUMSUM},
    {"trapz.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", trapezoid, LT_OP_REDUCE_SUM},
    {"trapz.dx(Tensor y, *, float dx=1., int dim=-1) -> Tensor", trapezoid, LT_OP_REDUCE_SUM},
    {NULL, NULL, 0}};
