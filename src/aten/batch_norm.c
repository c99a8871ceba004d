/* Batch, instance and group normalisation, as compositions. Statistics are taken and applied in float32
 * (float64 for float64), whatever the input's dtype, and the result is rounded once. */
#include "aten/aten.h"

/* What normalises: `mean` and `scale` = 1 / sqrt(var + eps) have the shape that broadcasts to the input. */
typedef struct lt_stats {
    lt_id mean, var, scale;
} lt_stats;

static lt_dtype compute_dtype(const lt_builder *b, lt_id x)
{
    return lt_build_dtype(b, x) == LATHE_F64 ? LATHE_F64 : LATHE_F32;
}

/* A vector over dim 1 as [1, n, 1, …]; LT_NONE stays. */
static lt_id along_channels(lt_builder *b, lt_id vector, lt_dtype dtype, int rank)
{
    if (vector == LT_NONE) return LT_NONE;
    int64_t dim[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) dim[i] = i == 1 ? -1 : 1;
    return lt_build_reshape(b, lt_build_cast(b, vector, dtype), rank, dim);
}

static lt_id inverse_root(lt_builder *b, lt_id var, double eps)
{
    return lt_build_unary(b, LT_OP_RSQRT, lt_build_add(b, var, lt_build_number(b, eps)));
}

/* Mean and biased variance over the marked dims, which are kept. */
static lt_stats measure(lt_builder *b, lt_id x, const bool *dims, double eps)
{
    lt_dtype dtype = compute_dtype(b, x);
    lt_stats s = {.mean = lt_build_reduce(b, LT_OP_REDUCE_MEAN, x, dims, true, dtype)};
    lt_id off = lt_build_formula(b, LT_OP_SUB, dtype, dtype, (lt_id[]){x, s.mean}, 2);
    s.var = lt_build_reduce(b, LT_OP_REDUCE_MEAN, lt_build_unary(b, LT_OP_SQUARE, off), dims, true, dtype);
    s.scale = inverse_root(b, s.var, eps);
    return s;
}

/* (x - mean) * scale * weight + bias as one product and one sum, as PyTorch's kernels do it. */
static lt_id apply(lt_builder *b, lt_id x, lt_id mean, lt_id scale, lt_id weight, lt_id bias)
{
    if (weight != LT_NONE) scale = lt_build_mul(b, scale, weight);
    lt_id shift = lt_build_mul(b, mean, scale);
    shift = bias != LT_NONE ? lt_build_sub(b, bias, shift) : lt_build_unary(b, LT_OP_NEG, shift);
    return lt_build_formula(b, LT_OP_FMA, compute_dtype(b, x), lt_build_dtype(b, x),
                            (lt_id[]){shift, x, scale}, 3);
}

static lt_id as_vector(lt_builder *b, lt_id x) { return lt_build_reshape(b, x, 1, (int64_t[]){-1}); }

/* (1 - momentum) * running + momentum * fresh, in the running value's dtype. */
static lt_id moved(lt_builder *b, lt_id running, lt_id fresh, double momentum)
{
    lt_id old = lt_build_mul(b, running, lt_build_number(b, 1 - momentum));
    lt_id sum = lt_build_add(b, old, lt_build_mul(b, fresh, lt_build_number(b, momentum)));
    return lt_build_cast(b, sum, lt_build_dtype(b, running));
}

/* ---- Batch norm ---- */

typedef struct lt_batch_norm {
    lt_id x, weight, bias, mean, var; /* mean and var are the running ones; LT_NONE where there is none */
    int rank;
    lt_dtype compute;
    bool mixed; /* the parameters have another type than x */
    double momentum, eps;
} lt_batch_norm;

static bool is_mixed(const lt_builder *b, const lt_batch_norm *n)
{
    const lt_id params[] = {n->weight, n->bias, n->mean, n->var};
    for (size_t i = 0; i < LT_COUNT(params); i++)
        if (params[i] != LT_NONE) return lt_build_dtype(b, params[i]) != lt_build_dtype(b, n->x);
    return false;
}

static lt_batch_norm batch_norm_args(lt_call *c, bool running)
{
    lt_batch_norm n = {.x = lt_call_tensor(c, "input"),
                       .weight = lt_call_optional_tensor(c, "weight"),
                       .bias = lt_call_optional_tensor(c, "bias"),
                       .mean = running ? lt_call_optional_tensor(c, "running_mean") : LT_NONE,
                       .var = running ? lt_call_optional_tensor(c, "running_var") : LT_NONE,
                       .momentum = lt_call_float(c, "momentum"),
                       .eps = lt_call_float(c, "eps")};
    n.rank = lt_build_rank(c->b, n.x);
    n.compute = compute_dtype(c->b, n.x);
    n.mixed = is_mixed(c->b, &n);
    if (n.rank < 2) lt_build_fail(c->b, LATHE_TYPE, "input of rank %d, expected 2 or more", n.rank);
    if (!lt_dtype_is_float(lt_build_dtype(c->b, n.x)))
        lt_build_fail(c->b, LATHE_TYPE, "input of %s", lathe_dtype_name(lt_build_dtype(c->b, n.x)));
    n.weight = along_channels(c->b, n.weight, n.compute, n.rank);
    n.bias = along_channels(c->b, n.bias, n.compute, n.rank);
    return n;
}

static lt_id with_running_stats(lt_call *c, const lt_batch_norm *n)
{
    if (n->mean == LT_NONE || n->var == LT_NONE)
        return lt_build_fail(c->b, LATHE_TYPE, "running_mean and running_var are needed outside of training");
    lt_id mean = along_channels(c->b, n->mean, n->compute, n->rank);
    lt_id var = along_channels(c->b, n->var, n->compute, n->rank);
    return apply(c->b, n->x, mean, inverse_root(c->b, var, n->eps), n->weight, n->bias);
}

/* All dims but the channels'. */
static void batch_dims(int rank, bool *dims)
{
    for (int i = 0; i < LT_MAX_RANK; i++) dims[i] = i < rank && i != 1;
}

/* The variance of a sample, from that of its values. */
static lt_id unbiased(lt_builder *b, lt_id var, int64_t count)
{
    return lt_build_mul(b, var, lt_build_number(b, (double)count / ((double)count - 1)));
}

static int64_t reduced_count(const lt_builder *b, lt_id x, const bool *dims)
{
    const lt_type *type = lt_build_type(b, x);
    int64_t count = 1;
    for (int i = 0; i < type->rank; i++)
        if (dims[i]) count *= type->dim[i];
    return count;
}

/* Statistics of half precision parameters are stored as these are before they are applied. */
static void store_stats(lt_builder *b, const lt_batch_norm *n, lt_stats *stats)
{
    if (n->mixed) return;
    lt_dtype own = lt_build_dtype(b, n->x);
    stats->mean = lt_build_cast(b, lt_build_cast(b, stats->mean, own), n->compute);
    stats->scale = lt_build_cast(b, lt_build_cast(b, stats->scale, own), n->compute);
}

/* Normalises by the batch itself; next[0] and next[1] are what the running statistics become. */
static lt_id with_batch_stats(lt_call *c, const lt_batch_norm *n, lt_stats *stats, lt_id next[2])
{
    bool dims[LT_MAX_RANK];
    batch_dims(n->rank, dims);
    *stats = measure(c->b, n->x, dims, n->eps);
    next[0] = next[1] = LT_NONE;
    int64_t count = reduced_count(c->b, n->x, dims);
    if (n->mean != LT_NONE) next[0] = moved(c->b, n->mean, as_vector(c->b, stats->mean), n->momentum);
    if (n->var != LT_NONE)
        next[1] = moved(c->b, n->var, as_vector(c->b, unbiased(c->b, stats->var, count)), n->momentum);
    store_stats(c->b, n, stats);
    return apply(c->b, n->x, stats->mean, stats->scale, n->weight, n->bias);
}

static void write_running(lt_call *c, const lt_id next[2])
{
    if (next[0] != LT_NONE) lt_call_write(c, "running_mean", next[0]);
    if (next[1] != LT_NONE) lt_call_write(c, "running_var", next[1]);
}

static void batch_norm(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_stats stats;
    lt_id next[2];
    if (!lt_call_bool(c, "training")) {
        lt_call_return(c, with_running_stats(c, &n));
        return;
    }
    lt_call_return(c, with_batch_stats(c, &n, &stats, next));
    write_running(c, next);
}

/* The statistics that backward wants: of the batch in training, else empty. */
static void return_saved(lt_call *c, const lt_batch_norm *n, const lt_stats *stats)
{
    lt_dtype dtype = lt_build_dtype(c->b, n->x);
    if (stats) {
        lt_call_return(c, lt_build_cast(c->b, as_vector(c->b, stats->mean), dtype));
        lt_call_return(c, lt_build_cast(c->b, as_vector(c->b, stats->scale), dtype));
        return;
    }
    lt_type none = {.dtype = dtype, .rank = 1};
    lt_call_return(c, lt_build_zeros(c->b, &none));
    lt_call_return(c, lt_build_zeros(c->b, &none));
}

/* (out, mean, rstd), with the running statistics updated in place. */
static void native_batch_norm(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_stats stats;
    lt_id next[2];
    bool training = lt_call_bool(c, "training");
    lt_call_return(c, training ? with_batch_stats(c, &n, &stats, next) : with_running_stats(c, &n));
    return_saved(c, &n, training ? &stats : NULL);
    if (training) write_running(c, next);
}

static void batch_norm_no_stats(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, false);
    lt_stats stats;
    lt_id next[2];
    lt_call_return(c, with_batch_stats(c, &n, &stats, next));
    return_saved(c, &n, &stats);
}

static void batch_norm_no_training(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_call_return(c, with_running_stats(c, &n));
    return_saved(c, &n, NULL);
}

/* (out, mean, rstd, running mean, running var): the updates are results. */
static void batch_norm_functional(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_stats stats;
    lt_id next[2] = {n.mean, n.var};
    bool training = lt_call_bool(c, "training");
    lt_call_return(c, training ? with_batch_stats(c, &n, &stats, next) : with_running_stats(c, &n));
    return_saved(c, &n, training ? &stats : NULL);
    lt_call_return(c, next[0]);
    lt_call_return(c, next[1]);
}

/* What some devices keep for backward beside that: nothing here. */
static void return_reserve(lt_call *c)
{
    lt_type none = {.dtype = LATHE_U8, .rank = 1};
    lt_call_return(c, lt_build_zeros(c->b, &none));
}

static void batch_norm_with_update(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_stats stats;
    lt_id next[2];
    lt_call_return(c, with_batch_stats(c, &n, &stats, next));
    return_saved(c, &n, &stats);
    return_reserve(c);
    write_running(c, next);
}

static void batch_norm_with_update_functional(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    lt_stats stats;
    lt_id next[2];
    lt_call_return(c, with_batch_stats(c, &n, &stats, next));
    return_saved(c, &n, &stats);
    return_reserve(c);
    lt_call_return(c, next[0]);
    lt_call_return(c, next[1]);
}

static void batch_norm_no_update(lt_call *c)
{
    batch_norm_no_training(c);
    return_reserve(c);
}

/* ---- Instance norm ---- */

static lt_id batch_mean(lt_builder *b, lt_id x)
{
    bool dims[LT_MAX_RANK] = {true};
    return as_vector(b, lt_build_reduce(b, LT_OP_REDUCE_MEAN, x, dims, false, lt_build_dtype(b, x)));
}

static void instance_norm(lt_call *c)
{
    lt_batch_norm n = batch_norm_args(c, true);
    if (!lt_call_bool(c, "use_input_stats")) {
        lt_call_return(c, with_running_stats(c, &n));
        return;
    }
    bool dims[LT_MAX_RANK] = {false};
    for (int i = 2; i < n.rank; i++) dims[i] = true;
    lt_stats stats = measure(c->b, n.x, dims, n.eps);
    lt_id mean = stats.mean;
    store_stats(c->b, &n, &stats);
    lt_call_return(c, apply(c->b, n.x, stats.mean, stats.scale, n.weight, n.bias));
    lt_id next[2] = {LT_NONE, LT_NONE};
    int64_t count = reduced_count(c->b, n.x, dims);
    if (n.mean != LT_NONE) next[0] = moved(c->b, n.mean, batch_mean(c->b, mean), n.momentum);
    if (n.var != LT_NONE)
        next[1] = moved(c->b, n.var, batch_mean(c->b, unbiased(c->b, stats.var, count)), n.momentum);
    write_running(c, next);
}

/* ---- Group norm ---- */

/* [batch, groups] as [batch, channels, 1, …]. */
static lt_id group_to_channels(lt_builder *b, lt_id stat, int64_t batch, int64_t groups, int64_t channels,
                               int rank)
{
    int64_t dim[LT_MAX_RANK] = {batch, channels};
    for (int i = 2; i < rank; i++) dim[i] = 1;
    stat = lt_build_reshape(b, stat, 3, (int64_t[]){batch, groups, 1});
    stat = lt_build_expand(b, stat, 3, (int64_t[]){batch, groups, channels / groups});
    return lt_build_reshape(b, stat, rank, dim);
}

static lt_id normalize_groups(lt_call *c, int64_t groups, lt_stats *stats)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "input");
    lt_type type = *lt_build_type(b, x);
    lt_dtype compute = compute_dtype(b, x);
    if (type.rank < 2 || groups < 1 || type.dim[1] % groups != 0 || !lt_dtype_is_float(type.dtype))
        return lt_build_fail(b, LATHE_TYPE, "%lld groups of an input of %s of rank %d", (long long)groups,
                             lathe_dtype_name(type.dtype), type.rank);
    bool dims[LT_MAX_RANK] = {false, false, true};
    int64_t rest = type.dim[1] / groups;
    for (int i = 2; i < type.rank; i++) rest *= type.dim[i];
    lt_id rows = lt_build_reshape(b, x, 3, (int64_t[]){type.dim[0], groups, rest});
    *stats = measure(b, rows, dims, lt_call_float(c, "eps"));
    lt_id weight = along_channels(b, lt_call_optional_tensor(c, "weight"), compute, type.rank);
    lt_id bias = along_channels(b, lt_call_optional_tensor(c, "bias"), compute, type.rank);
    return apply(b, x, group_to_channels(b, stats->mean, type.dim[0], groups, type.dim[1], type.rank),
                 group_to_channels(b, stats->scale, type.dim[0], groups, type.dim[1], type.rank), weight,
                 bias);
}

static void group_norm(lt_call *c)
{
    lt_stats stats;
    lt_call_return(c, normalize_groups(c, lt_call_int(c, "num_groups"), &stats));
}

static void native_group_norm(lt_call *c)
{
    lt_stats stats = {LT_NONE, LT_NONE, LT_NONE};
    int64_t groups = lt_call_int(c, "group");
    lt_id x = lt_call_tensor(c, "input"), out = normalize_groups(c, groups, &stats);
    lt_dtype dtype = lt_build_dtype(c->b, x);
    int64_t dim[2] = {lt_build_size(c->b, x, 0), groups};
    lt_call_return(c, out);
    lt_call_return(c, lt_build_cast(c->b, lt_build_reshape(c->b, stats.mean, 2, dim), dtype));
    lt_call_return(c, lt_build_cast(c->b, lt_build_reshape(c->b, stats.scale, 2, dim), dtype));
}

const lt_aten_row lt_aten_batch_norm[] = {
    {"batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool "
     "training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     batch_norm, 0},
    {"native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     native_batch_norm, 0},
    {"_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, "
     "Tensor(b!) running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     native_batch_norm, 0},
    {"_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float "
     "momentum, float eps) -> (Tensor, Tensor, Tensor)",
     batch_norm_no_stats, 0},
    {"_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, "
     "Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     batch_norm_no_training, 0},
    {"_native_batch_norm_legit_functional(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, "
     "Tensor running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor "
     "running_mean_out, Tensor running_var_out)",
     batch_norm_functional, 0},
    {"_batch_norm_with_update(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, "
     "Tensor(b!) "
     "running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor)",
     batch_norm_with_update, 0},
    {"_batch_norm_with_update_functional(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, "
     "Tensor "
     "running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor, Tensor running_mean_out, "
     "Tensor running_var_out)",
     batch_norm_with_update_functional, 0},
    {"_batch_norm_no_update(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
     "running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor)",
     batch_norm_no_update, 0},
    {"instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
     "bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor",
     instance_norm, 0},
    {"group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool "
     "cudnn_enabled=True) -> Tensor",
     group_norm, 0},
    {"native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int "
     "group, float eps) -> (Tensor, Tensor, Tensor)",
     native_group_norm, 0},
    {NULL, NULL, 0}};
