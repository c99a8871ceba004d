/* Matrix products. */
#include "aten/aten.h"

static void linear(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "input"), weight = lt_call_tensor(c, "weight");
    lt_id bias = lt_call_optional_tensor(c, "bias");
    bool vector = lt_build_rank(c->b, weight) == 1; /* one output, without a dim */
    if (!vector) return lt_call_return(c, lt_build_linear(c->b, x, weight, bias));
    lt_id product = lt_build_matmul(c->b, x, weight);
    lt_call_return(c, bias == LT_NONE ? product : lt_build_add(c->b, product, bias));
}

/* The two tensors, whatever the schema calls them. */
static void matmul(lt_call *c)
{
    lt_id x = lt_call_tensor(c, c->schema->params[0].name), y = lt_call_tensor(c, c->schema->params[1].name);
    lt_call_return(c, lt_build_matmul(c->b, x, y));
}

static void inner(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    int rank_x = lt_build_rank(c->b, x), rank_y = lt_build_rank(c->b, y);
    if (rank_x == 0 || rank_y == 0) return lt_call_return(c, lt_build_mul(c->b, x, y));
    int64_t dim[LT_MAX_RANK], size = lt_build_size(c->b, y, -1);
    for (int i = 0; i < rank_x - 1; i++) dim[i] = lt_build_size(c->b, x, i);
    for (int i = 0; i < rank_y - 1; i++) dim[rank_x - 1 + i] = lt_build_size(c->b, y, i);
    int64_t rows = 1;
    for (int i = 0; i < rank_y - 1; i++) rows *= dim[rank_x - 1 + i];
    lt_id flat = lt_build_linear(c->b, x, lt_build_reshape(c->b, y, 2, (int64_t[]){rows, size}), LT_NONE);
    lt_call_return(c, lt_build_reshape(c->b, flat, rank_x + rank_y - 2, dim));
}

static lt_id outer_product(lt_builder *b, lt_id x, lt_id y)
{
    return lt_build_mul(b, lt_build_unsqueeze(b, x, 1), y);
}

static void outer(lt_call *c)
{
    lt_call_return(c, outer_product(c->b, lt_call_tensor(c, "self"), lt_call_tensor(c, "vec2")));
}

/* beta * self + alpha * product, rounded once to the dtype of self; self is not looked at when beta is 0. */
static lt_id scaled_sum(lt_call *c, lt_id self, lt_id product)
{
    lt_dtype dtype = lt_build_dtype(c->b, self), compute = lt_build_dtype(c->b, product);
    lt_id alpha = lt_call_scalar(c, "alpha"), beta = lt_call_scalar(c, "beta");
    double a = lt_call_float(c, "alpha"), b = lt_call_float(c, "beta");
    if (a < 1 || a > 1)
        product = lt_build_formula(c->b, LT_OP_MUL, compute, compute, (lt_id[]){product, alpha}, 2);
    if (!(b < 0 || b > 0)) return lt_build_cast(c->b, product, dtype);
    if (b < 1 || b > 1) self = lt_build_formula(c->b, LT_OP_MUL, compute, compute, (lt_id[]){self, beta}, 2);
    return lt_build_formula(c->b, LT_OP_ADD, compute, dtype, (lt_id[]){self, product}, 2);
}

static bool is_one(lt_call *c, const char *name)
{
    double x = lt_call_float(c, name);
    return x >= 1 && x <= 1;
}

/* self as a bias [n] of a linear layer; LT_NONE when it is not one. */
static lt_id as_bias(lt_call *c, lt_id self, int64_t n)
{
    int rank = lt_build_rank(c->b, self);
    bool row = rank == 1 || (rank == 2 && lt_build_size(c->b, self, 0) == 1);
    if (!row || lt_build_size(c->b, self, -1) != n || !is_one(c, "alpha") || !is_one(c, "beta"))
        return LT_NONE;
    return lt_build_reshape(c->b, self, 1, &n);
}

static lt_id add_matmul(lt_call *c)
{
    lt_id self = lt_call_tensor(c, "self"), x = lt_call_tensor(c, "mat1"), y = lt_call_tensor(c, "mat2");
    lt_id bias = as_bias(c, self, lt_build_size(c->b, y, -1));
    if (bias != LT_NONE) return lt_build_linear(c->b, x, lt_build_transpose(c->b, y, 0, 1), bias);
    return scaled_sum(c, self, lt_build_matmul_wide(c->b, x, y));
}

static void addmm(lt_call *c) { lt_call_return(c, add_matmul(c)); }

static void addmm_activation(lt_call *c)
{
    lt_op op = lt_call_bool(c, "use_gelu") ? LT_OP_GELU : LT_OP_RELU;
    lt_call_return(c, lt_build_unary(c->b, op, add_matmul(c)));
}

static void baddbmm(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "batch1"), y = lt_call_tensor(c, "batch2");
    lt_call_return(c, scaled_sum(c, lt_call_tensor(c, "self"), lt_build_matmul_wide(c->b, x, y)));
}

/* Half precision rounds after every product. */
static void addbmm_in_turn(lt_call *c, lt_id x, lt_id y)
{
    lt_builder *b = c->b;
    lt_id sum = lt_call_tensor(c, "self"), alpha = lt_call_scalar(c, "alpha"),
          beta = lt_call_scalar(c, "beta");
    lt_dtype dtype = lt_build_dtype(b, sum);
    double first = lt_call_float(c, "beta");
    int64_t n = lt_build_size(b, x, 0);
    for (int64_t i = 0; i < n && b->status == LATHE_OK; i++) {
        lt_id product = lt_build_matmul_wide(b, lt_build_select(b, x, 0, i), lt_build_select(b, y, 0, i));
        product = lt_build_mul(b, product, alpha);
        lt_id before = lt_build_wide(b, sum);
        if (i == 0) before = lt_build_mul(b, before, beta);
        bool alone = i == 0 && !(first < 0 || first > 0); /* self is not looked at */
        sum = lt_build_cast(b, alone ? product : lt_build_add(b, before, product), dtype);
    }
    lt_call_return(c, sum);
}

/* The sum over the batch is one product: [n, b * m] times [b * m, p]. */
static void addbmm(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "batch1"), y = lt_call_tensor(c, "batch2");
    lt_type tx = *lt_build_type(c->b, x), ty = *lt_build_type(c->b, y);
    if (tx.rank != 3 || ty.rank != 3) {
        lt_build_fail(c->b, LATHE_TYPE, "addbmm of ranks %d and %d, expected 3", tx.rank, ty.rank);
        return;
    }
    if (tx.dim[0] > 0 && lt_dtype_wide(tx.dtype) != tx.dtype) return addbmm_in_turn(c, x, y);
    int64_t k = tx.dim[0] * tx.dim[2];
    x = lt_build_reshape(c->b, lt_build_transpose(c->b, x, 0, 1), 2, (int64_t[]){tx.dim[1], k});
    y = lt_build_reshape(c->b, y, 2, (int64_t[]){k, ty.dim[2]});
    lt_call_return(c, scaled_sum(c, lt_call_tensor(c, "self"), lt_build_matmul_wide(c->b, x, y)));
}

static void addmv(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "mat"), y = lt_call_tensor(c, "vec");
    lt_call_return(c, scaled_sum(c, lt_call_tensor(c, "self"), lt_build_matmul_wide(c->b, x, y)));
}

static void addr(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "vec1"), y = lt_call_tensor(c, "vec2"), self = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){self, x, y}, 3);
    x = lt_build_cast(c->b, x, dtype);
    y = lt_build_cast(c->b, y, dtype);
    self = lt_build_cast(c->b, self, dtype);
    if (lt_dtype_wide(dtype) == dtype)
        return lt_call_return(c, scaled_sum(c, self, outer_product(c->b, x, y)));
    /* Half precision rounds at every step, the factors too. */
    lt_id alpha = lt_build_cast(c->b, lt_call_scalar(c, "alpha"), dtype);
    lt_id factor = lt_build_cast(c->b, lt_call_scalar(c, "beta"), dtype);
    lt_id product = outer_product(c->b, lt_build_mul(c->b, x, alpha), y);
    double beta = lt_call_float(c, "beta");
    bool alone = !(beta < 0 || beta > 0);
    lt_call_return(c, alone ? product : lt_build_add(c->b, lt_build_mul(c->b, self, factor), product));
}

static void multi_dot(lt_call *c)
{
    int n;
    const lt_id *in = lt_call_tensors(c, c->schema->params[0].name, &n);
    if (n < 1) {
        lt_build_fail(c->b, LATHE_TYPE, "a product of no matrices");
        return;
    }
    lt_id product = in[0];
    for (int i = 1; i < n; i++) product = lt_build_matmul(c->b, product, in[i]);
    lt_call_return(c, product);
}

static lt_id identity(lt_builder *b, lt_id like)
{
    lt_type type = *lt_build_type(b, like);
    int64_t n = lt_build_size(b, like, -1);
    lt_id index = lt_build_arange(b, n, 0, 1);
    lt_id eye =
        lt_build_cast(b, lt_build_binary(b, LT_OP_EQ, lt_build_unsqueeze(b, index, 1), index), type.dtype);
    return lt_build_expand(b, eye, type.rank, type.dim);
}

static void matrix_power(lt_call *c)
{
    int64_t n = lt_call_int(c, "n");
    lt_id x = lt_call_tensor(c, "self"), power = LT_NONE;
    if (n < 0) lt_build_fail(c->b, LATHE_UNSUPPORTED, "negative powers of a matrix");
    if (lt_build_rank(c->b, x) < 2 || lt_build_size(c->b, x, -1) != lt_build_size(c->b, x, -2))
        lt_build_fail(c->b, LATHE_TYPE, "powers of a matrix that is not square");
    if (n == 0) power = identity(c->b, x);
    for (; n > 0 && c->b->status == LATHE_OK; n /= 2) {
        if (n % 2) power = power == LT_NONE ? x : lt_build_matmul(c->b, power, x);
        if (n > 1) x = lt_build_matmul(c->b, x, x);
    }
    lt_call_return(c, power);
}

/* x with its three elements along `dim` moved by `shift` places, cyclically. */
static lt_id roll_three(lt_builder *b, lt_id x, int dim, int64_t shift)
{
    lt_id parts[2] = {lt_build_slice(b, x, dim, shift, 3, 1), lt_build_slice(b, x, dim, 0, shift, 1)};
    return lt_build_cat(b, parts, 2, dim);
}

static void cross_product(lt_call *c, lt_id x, lt_id y, int64_t dim)
{
    lt_builder *b = c->b;
    lt_dtype dtype = lt_build_promote(b, (lt_id[]){x, y}, 2);
    int rank_x = lt_build_rank(b, x), rank_y = lt_build_rank(b, y), rank = rank_x > rank_y ? rank_x : rank_y;
    int back = lt_build_dim(b, dim, rank) - rank; /* counted from the end, the same in both */
    if (back < -rank_x || back < -rank_y || lt_build_size(b, x, back) != 3 ||
        lt_build_size(b, y, back) != 3) {
        lt_build_fail(b, LATHE_TYPE, "cross product over a dim that is not of size 3");
        return;
    }
    lt_id x1 = roll_three(b, x, rank_x + back, 1), x2 = roll_three(b, x, rank_x + back, 2);
    lt_id y1 = roll_three(b, y, rank_y + back, 1), y2 = roll_three(b, y, rank_y + back, 2);
    lt_id left = lt_build_mul(b, x1, y2), right = lt_build_mul(b, x2, y1);
    lt_call_return(c, lt_build_cast(b, lt_build_sub(b, left, right), dtype));
}

static void linalg_cross(lt_call *c)
{
    cross_product(c, lt_call_tensor(c, "self"), lt_call_tensor(c, "other"), lt_call_int(c, "dim"));
}

/* Without a dim: over the first of size 3. */
static void cross(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    int64_t dim = 0;
    if (lt_call_has(c, "dim")) dim = lt_call_int(c, "dim");
    else
        while (dim + 1 < lt_build_rank(c->b, x) && lt_build_size(c->b, x, (int)dim) != 3) dim++;
    cross_product(c, x, y, dim);
}

/* Mixtures of experts: rows sorted by expert, and where each expert's rows end. With rank-3 rows it is a
 * batched product. */
static void grouped_mm(lt_call *c)
{
    lt_id x = lt_call_tensor(c, c->schema->params[0].name), w = lt_call_tensor(c, c->schema->params[1].name);
    lt_id ends = lt_call_optional_tensor(c, "offs");
    if (ends == LT_NONE) return lt_call_return(c, lt_build_matmul(c->b, x, w));
    lt_call_return(c, lt_build(c->b, LT_OP_GROUPED_MATMUL, &(lt_attrs){0}, (lt_id[]){x, w, ends}, 3));
}

static void aten_grouped_mm(lt_call *c)
{
    lt_dtype own = lt_build_dtype(c->b, lt_call_tensor(c, "self"));
    if (lt_call_has(c, "bias") || lt_call_dtype(c, "out_dtype", own) != own)
        lt_build_fail(c->b, LATHE_UNSUPPORTED, "_grouped_mm with a bias or another result type");
    grouped_mm(c);
}

const lt_aten_row lt_aten_linear[] = {
    {"linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear, 0},
    {"matmul(Tensor self, Tensor other) -> Tensor", matmul, 0},
    {"linalg_matmul(Tensor self, Tensor other) -> Tensor", matmul, 0},
    {"mm(Tensor self, Tensor mat2) -> Tensor", matmul, 0},
    {"bmm(Tensor self, Tensor mat2) -> Tensor", matmul, 0},
    {"mv(Tensor self, Tensor vec) -> Tensor", matmul, 0},
    {"dot(Tensor self, Tensor tensor) -> Tensor", matmul, 0},
    {"vdot(Tensor self, Tensor other) -> Tensor", matmul, 0},
    {"inner(Tensor self, Tensor other) -> Tensor", inner, 0},
    {"outer(Tensor self, Tensor vec2) -> Tensor", outer, 0},
    {"ger(Tensor self, Tensor vec2) -> Tensor", outer, 0},
    {"addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmm, 0},
    {"_addmm_activation(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, bool "
     "use_gelu=False) -> Tensor",
     addmm_activation, 0},
    {"baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     baddbmm, 0},
    {"addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addbmm,
     0},
    {"addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmv, 0},
    {"addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addr, 0},
    {"chain_matmul(Tensor[] matrices) -> Tensor", multi_dot, 0},
    {"linalg_multi_dot(Tensor[] tensors) -> Tensor", multi_dot, 0},
    {"matrix_power(Tensor self, int n) -> Tensor", matrix_power, 0},
    {"linalg_matrix_power(Tensor self, int n) -> Tensor", matrix_power, 0},
    {"cross(Tensor self, Tensor other, int? dim=None) -> Tensor", cross, 0},
    {"linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor", linalg_cross, 0},
    {"_grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, ScalarType? "
     "out_dtype=None) -> Tensor",
     aten_grouped_mm, 0},
    {"transformers.grouped_mm_fallback(Tensor input, Tensor weight, Tensor offs) -> Tensor", grouped_mm, 0},
    {NULL, NULL, 0}};
