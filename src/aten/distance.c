/* Distances between vectors. */
#include <math.h>

#include "aten/aten.h"

static lt_id widen(lt_builder *b, lt_id x)
{
    return lt_build_cast(b, x, lt_dtype_wide(lt_build_dtype(b, x)));
}

/* The p-norm along one dim, in the type of x. */
static lt_id norm_along(lt_builder *b, lt_id x, double p, int64_t dim, bool keepdim)
{
    bool dims[LT_MAX_RANK] = {false};
    dims[lt_build_dim(b, dim, lt_build_rank(b, x))] = true;
    return lt_build_norm(b, x, p, dims, keepdim, lt_build_dtype(b, x));
}

static lt_id sum_along(lt_builder *b, lt_id x, int64_t dim, bool keepdim)
{
    return lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, x, dim, keepdim);
}

static void dist(lt_call *c)
{
    bool dims[LT_MAX_RANK] = {true, true, true, true, true, true, true, true};
    lt_id x = lt_build_sub(c->b, lt_call_tensor(c, "self"), lt_call_tensor(c, "other"));
    lt_call_return(c, lt_build_norm(c->b, x, lt_call_float(c, "p"), dims, false, lt_build_dtype(c->b, x)));
}

static void pairwise_distance(lt_call *c)
{
    lt_id x = lt_build_sub(c->b, lt_call_tensor(c, "x1"), lt_call_tensor(c, "x2"));
    x = lt_build_add(c->b, x, lt_build_number(c->b, lt_call_float(c, "eps")));
    lt_call_return(c, norm_along(c->b, x, lt_call_float(c, "p"), -1, lt_call_bool(c, "keepdim")));
}

static lt_id unit_vectors(lt_builder *b, lt_id x, int64_t dim, double eps)
{
    lt_id length = norm_along(b, x, 2, dim, true);
    return lt_build_div(b, x, lt_build_binary(b, LT_OP_MAXIMUM, length, lt_build_number(b, eps)));
}

/* Each operand in its own type, integers in the common one: PyTorch rounds at every step too. */
static void cosine_similarity(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x[2] = {lt_call_tensor(c, "x1"), lt_call_tensor(c, "x2")};
    double eps = lt_call_float(c, "eps");
    lt_dtype dtype = lt_build_promote(b, x, 2);
    if (!lt_dtype_is_float(dtype)) lt_build_fail(b, LATHE_TYPE, "cosine of %s", lathe_dtype_name(dtype));
    /* A dim of size 1 in one of them repeats before lengths are taken. */
    const lt_type shape = *lt_build_type(b, lt_build_binary(b, LT_OP_EQ, x[0], x[1]));
    int dim = lt_call_dim(c, "dim", shape.rank);
    for (int i = 0; i < 2; i++) {
        if (!lt_dtype_is_float(lt_build_dtype(b, x[i]))) x[i] = lt_build_cast(b, x[i], dtype);
        x[i] = unit_vectors(b, lt_build_expand(b, x[i], shape.rank, shape.dim), dim, eps);
    }
    lt_call_return(c, sum_along(b, lt_build_mul(b, x[0], x[1]), dim, false));
}

/* ---- All pairs of rows ---- */

/* From [..., P, M] and [..., R, M] to [..., P, R]. */
static lt_id direct_distances(lt_builder *b, lt_id x, lt_id y, double p)
{
    lt_id difference = lt_build_sub(b, lt_build_unsqueeze(b, x, -2), lt_build_unsqueeze(b, y, -3));
    if (lt_build_size(b, x, -1) == 0) return lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, difference, -1, false);
    return norm_along(b, difference, p, -1, false);
}

/* |x - y|^2 = |x|^2 + |y|^2 - 2 x.y: one matrix product. */
static lt_id euclidean_distances(lt_builder *b, lt_id x, lt_id y)
{
    lt_id xx = sum_along(b, lt_build_unary(b, LT_OP_SQUARE, x), -1, true);
    lt_id yy = sum_along(b, lt_build_unary(b, LT_OP_SQUARE, y), -1, true);
    lt_id product = lt_build_matmul(b, x, lt_build_transpose(b, y, -1, -2));
    lt_id sum = lt_build_add(b, xx, lt_build_transpose(b, yy, -1, -2));
    sum = lt_build_sub(b, sum, lt_build_mul(b, product, lt_build_integer(b, 2)));
    return lt_build_unary(b, LT_OP_SQRT, lt_build_binary(b, LT_OP_MAXIMUM, sum, lt_build_integer(b, 0)));
}

/* The differences of all pairs are at most so many numbers at once. */
enum { PAIR_ELEMENTS = 1 << 22 };

/* Direct distances of a few rows of x at a time. */
static lt_id blocked_distances(lt_builder *b, lt_id x, lt_id y, double p)
{
    enum { MAX_BLOCKS = 4096 };
    lt_id parts[MAX_BLOCKS];
    int n = 0;
    int64_t rows = lt_build_size(b, x, -2), per_row;
    if (!lt_mul_i64(lt_type_count(lt_build_type(b, y)),
                    lt_type_count(lt_build_type(b, x)) / lt_max_i64(rows, 1), &per_row))
        per_row = INT64_MAX; /* a bound from above: batches count twice */
    per_row /= lt_max_i64(lt_build_size(b, x, -1), 1);
    int64_t block = lt_max_i64(PAIR_ELEMENTS / lt_max_i64(per_row, 1), rows / (MAX_BLOCKS - 1) + 1);
    if (rows <= block) return direct_distances(b, x, y, p);
    for (int64_t at = 0; at < rows; at += block)
        parts[n++] = direct_distances(b, lt_build_narrow(b, x, -2, at, block), y, p);
    return lt_build_cat(b, parts, n, -2);
}

/* Gives the batch dims of both operands to x; the last two dims stay. */
static lt_id expand_batch(lt_builder *b, lt_id x, lt_id other)
{
    lt_type type = *lt_build_type(b, x), with = *lt_build_type(b, other);
    int rank = type.rank > with.rank ? type.rank : with.rank;
    int64_t dim[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        int own = i - (rank - type.rank), its = i - (rank - with.rank);
        dim[i] = own < 0 ? 1 : type.dim[own];
        if (its >= 0 && dim[i] == 1 && (i < rank - 2 || own < 0)) dim[i] = with.dim[its];
    }
    return lt_build_expand(b, x, rank, dim);
}

/* compute_mode: 1 a matrix product always, 2 never, else for more than 25 rows, as PyTorch decides. */
static void cdist(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "x1"), y = lt_call_tensor(c, "x2");
    lt_dtype dtype = lt_build_promote(b, (lt_id[]){x, y}, 2);
    double p = lt_call_float(c, "p");
    int64_t mode = lt_call_has(c, "compute_mode") ? lt_call_int(c, "compute_mode") : 0;
    int rank[2] = {lt_build_rank(b, x), lt_build_rank(b, y)};
    if (rank[0] < 2 || rank[1] < 2 || !lt_dtype_is_float(dtype) ||
        lt_build_size(b, x, -1) != lt_build_size(b, y, -1)) {
        lt_build_fail(b, LATHE_TYPE, "distances between rows of tensors of rank %d and %d", rank[0], rank[1]);
        return;
    }
    x = lt_build_cast(b, x, lt_dtype_wide(dtype));
    y = lt_build_cast(b, y, lt_dtype_wide(dtype));
    lt_id wide_x = expand_batch(b, x, y), wide_y = expand_batch(b, y, x);
    bool many = lt_build_size(b, x, -2) > 25 || lt_build_size(b, y, -2) > 25;
    bool product = p >= 2 && p <= 2 && (mode == 1 || (mode != 2 && many));
    x = product ? euclidean_distances(b, wide_x, wide_y) : blocked_distances(b, wide_x, wide_y, p);
    lt_call_return(c, lt_build_cast(b, x, dtype));
}

static void euclidean_dist(lt_call *c)
{
    lt_call_return(c, euclidean_distances(c->b, lt_call_tensor(c, "x1"), lt_call_tensor(c, "x2")));
}

/* Rows i < j of all pairs, in order. */
static bool pair_rows(lt_builder *b, int64_t n, lt_id *first, lt_id *second)
{
    int64_t count = n * (n - 1) / 2, at = 0;
    lt_type type = {.dtype = LATHE_I64, .rank = 1, .dim = {count}};
    int64_t *rows = lt_arena_alloc(b->graph->arena, (size_t)count * 2, sizeof *rows);
    if (!rows) {
        lt_build_fail(b, LATHE_NO_MEMORY, "out of memory");
        return false;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++, at++) {
            rows[at] = i;
            rows[count + at] = j;
        }
    *first = lt_build_const(b, &type, rows);
    *second = lt_build_const(b, &type, rows + count);
    return true;
}

static void pdist(lt_call *c)
{
    enum { MAX_ROWS = 1 << 12 };
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), first, second;
    lt_dtype dtype = lt_build_dtype(b, x);
    if (lt_build_rank(b, x) != 2 || !lt_dtype_is_float(dtype)) {
        lt_build_fail(b, LATHE_TYPE, "distances between the rows of %s of rank %d", lathe_dtype_name(dtype),
                      lt_build_rank(b, x));
        return;
    }
    int64_t n = lt_build_size(b, x, 0);
    if (n > MAX_ROWS) {
        lt_build_fail(b, LATHE_LIMIT, "pairs of %lld rows, at most %d are supported", (long long)n, MAX_ROWS);
        return;
    }
    if (!pair_rows(b, n, &first, &second)) return;
    x = widen(b, x);
    x = lt_build_sub(b, lt_build_index_dim(b, x, 0, first, false),
                     lt_build_index_dim(b, x, 0, second, false));
    x = lt_build_size(b, x, 1) ? norm_along(b, x, lt_call_float(c, "p"), 1, false)
                               : sum_along(b, x, 1, false);
    lt_call_return(c, lt_build_cast(b, x, dtype));
}

const lt_aten_row lt_aten_distance[] = {
    {"dist(Tensor self, Tensor other, Scalar p=2) -> Tensor", dist, 0},
    {"pairwise_distance(Tensor x1, Tensor x2, float p=2., float eps=1e-06, bool keepdim=False) -> Tensor",
     pairwise_distance, 0},
    {"cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor", cosine_similarity, 0},
    {"cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor", cdist, 0},
    {"_cdist_forward(Tensor x1, Tensor x2, float p, int? compute_mode) -> Tensor", cdist, 0},
    {"_euclidean_dist(Tensor x1, Tensor x2) -> Tensor", euclidean_dist, 0},
    {"pdist(Tensor self, float p=2.) -> Tensor", pdist, 0},
    {"_pdist_forward(Tensor self, float p=2.) -> Tensor", pdist, 0},
    {NULL, NULL, 0}};
