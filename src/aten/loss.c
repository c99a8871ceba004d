/* Losses, as exports of models in training form contain them. Half precision is computed in float32, or,
 * where PyTorch composes the loss of operators, rounded at each of them. */
#include <math.h>

#include "aten/aten.h"

enum { REDUCE_NONE, REDUCE_MEAN, REDUCE_SUM }; /* the argument `reduction` */

static lt_id widen(lt_builder *b, lt_id x)
{
    return lt_build_cast(b, x, lt_dtype_wide(lt_build_dtype(b, x)));
}

static lt_id wide_tensor(lt_call *c, const char *name) { return widen(c->b, lt_call_tensor(c, name)); }

static lt_id total(lt_builder *b, lt_op op, lt_id x)
{
    bool dims[LT_MAX_RANK] = {true, true, true, true, true, true, true, true};
    return lt_build_reduce(b, op, x, dims, false, lt_build_dtype(b, x));
}

static lt_id clamp_min(lt_builder *b, lt_id x, double least)
{
    return lt_build_binary(b, LT_OP_MAXIMUM, x, lt_build_number(b, least));
}

/* x * scale + shift. */
static lt_id affine(lt_builder *b, lt_id x, double scale, double shift)
{
    x = lt_build_mul(b, x, lt_build_number(b, scale));
    return lt_build_add(b, x, lt_build_number(b, shift));
}

static lt_id unary(lt_builder *b, lt_op op, lt_id x) { return lt_build_unary(b, op, x); }

/* The elements' losses reduced. */
static lt_id reduced(lt_call *c, lt_id loss)
{
    int64_t reduction = lt_call_int(c, "reduction");
    if (reduction == REDUCE_MEAN) return total(c->b, LT_OP_REDUCE_MEAN, loss);
    if (reduction == REDUCE_SUM) return total(c->b, LT_OP_REDUCE_SUM, loss);
    if (reduction == REDUCE_NONE) return loss;
    return lt_build_fail(c->b, LATHE_FORMAT, "reduction %lld", (long long)reduction);
}

/* Returns them in the type that the named arguments promote to. */
static void return_loss(lt_call *c, lt_id loss, const char *input, const char *target)
{
    lt_id in[2] = {lt_call_tensor(c, input), lt_call_tensor(c, target)};
    lt_call_return(c, lt_build_cast(c->b, reduced(c, loss), lt_build_promote(c->b, in, 2)));
}

/* ---- Of differences ---- */

static lt_id difference(lt_call *c)
{
    return lt_build_sub(c->b, wide_tensor(c, "self"), wide_tensor(c, "target"));
}

static void mse_loss(lt_call *c)
{
    return_loss(c, unary(c->b, LT_OP_SQUARE, difference(c)), "self", "target");
}

static void l1_loss(lt_call *c) { return_loss(c, unary(c->b, LT_OP_ABS, difference(c)), "self", "target"); }

static void smooth_l1_loss(lt_call *c)
{
    lt_builder *b = c->b;
    double beta = lt_call_float(c, "beta");
    lt_id z = unary(b, LT_OP_ABS, difference(c)), near = unary(b, LT_OP_SQUARE, z);
    if (beta > 0) {
        near = affine(b, near, 0.5 / beta, 0);
        z = lt_build_where(b, lt_build_binary(b, LT_OP_LT, z, lt_build_number(b, beta)), near,
                           affine(b, z, 1, -0.5 * beta));
    }
    return_loss(c, z, "self", "target");
}

static void huber_loss(lt_call *c)
{
    lt_builder *b = c->b;
    double delta = lt_call_float(c, "delta");
    lt_id z = unary(b, LT_OP_ABS, difference(c)), near = affine(b, unary(b, LT_OP_SQUARE, z), 0.5, 0);
    z = lt_build_where(b, lt_build_binary(b, LT_OP_LE, z, lt_build_number(b, delta)), near,
                       affine(b, z, delta, -0.5 * delta * delta));
    return_loss(c, z, "self", "target");
}

/* ---- Of probabilities ---- */

static lt_id one_minus(lt_builder *b, lt_id x) { return lt_build_sub(b, lt_build_integer(b, 1), x); }

static lt_id weighted(lt_call *c, lt_id loss)
{
    lt_id weight = lt_call_optional_tensor(c, "weight");
    return weight == LT_NONE ? loss : lt_build_mul(c->b, loss, weight);
}

/* Logarithms are cut at -100, as PyTorch does. */
static void binary_cross_entropy(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = wide_tensor(c, "self"), t = wide_tensor(c, "target");
    lt_id yes = clamp_min(b, unary(b, LT_OP_LOG, x), -100);
    lt_id no = clamp_min(b, unary(b, LT_OP_LOG1P, unary(b, LT_OP_NEG, x)), -100);
    lt_id loss = lt_build_sub(b, lt_build_mul(b, lt_build_sub(b, t, lt_build_integer(b, 1)), no),
                              lt_build_mul(b, t, yes));
    return_loss(c, weighted(c, loss), "self", "target");
}

static void binary_cross_entropy_with_logits(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), t = lt_call_tensor(c, "target");
    lt_id positive = lt_call_optional_tensor(c, "pos_weight"), log = unary(b, LT_OP_LOG_SIGMOID, x);
    if (positive != LT_NONE) {
        lt_id scale = lt_build_mul(b, lt_build_sub(b, positive, lt_build_integer(b, 1)), t);
        log = lt_build_mul(b, log, lt_build_add(b, scale, lt_build_integer(b, 1)));
    }
    lt_id loss = lt_build_sub(b, lt_build_mul(b, one_minus(b, t), x), log);
    lt_call_return(c, reduced(c, weighted(c, loss)));
}

static void kl_div(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), t = lt_call_tensor(c, "target"), loss;
    if (lt_call_bool(c, "log_target")) loss = lt_build_mul(b, unary(b, LT_OP_EXP, t), lt_build_sub(b, t, x));
    else loss = lt_build_sub(b, lt_build_binary(b, LT_OP_XLOGY, t, t), lt_build_mul(b, t, x));
    lt_call_return(c, reduced(c, loss));
}

static void poisson_nll_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "input"), t = lt_call_tensor(c, "target"), loss;
    if (lt_call_bool(c, "log_input")) {
        loss = lt_build_sub(b, unary(b, LT_OP_EXP, x), lt_build_mul(b, t, x));
    } else {
        lt_id log = unary(b, LT_OP_LOG, affine(b, x, 1, lt_call_float(c, "eps")));
        loss = lt_build_sub(b, x, lt_build_mul(b, t, log));
    }
    if (lt_call_bool(c, "full")) { /* Stirling's formula for the logarithm of target! */
        lt_id stirling = lt_build_sub(b, lt_build_mul(b, t, unary(b, LT_OP_LOG, t)), t);
        stirling = lt_build_add(
            b, stirling, affine(b, unary(b, LT_OP_LOG, affine(b, t, 2 * 3.14159265358979323846, 0)), 0.5, 0));
        lt_id small = lt_build_binary(b, LT_OP_LE, t, lt_build_integer(b, 1));
        loss = lt_build_add(b, loss, lt_build_where(b, small, lt_build_integer(b, 0), stirling));
    }
    lt_call_return(c, reduced(c, loss));
}

/* ---- Of margins ---- */

static void soft_margin_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id z = lt_build_mul(b, unary(b, LT_OP_NEG, lt_call_tensor(c, "target")), lt_call_tensor(c, "self"));
    lt_call_return(c, reduced(c, unary(b, LT_OP_LOG1P, unary(b, LT_OP_EXP, z))));
}

static void margin_ranking_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id z = lt_build_sub(b, lt_call_tensor(c, "input1"), lt_call_tensor(c, "input2"));
    z = lt_build_mul(b, unary(b, LT_OP_NEG, lt_call_tensor(c, "target")), z);
    lt_call_return(c, reduced(c, clamp_min(b, affine(b, z, 1, lt_call_float(c, "margin")), 0)));
}

/* x where the target is not `other`, else 0. */
static lt_id unless(lt_builder *b, lt_id target, int64_t other, lt_id x)
{
    lt_id is_other = lt_build_binary(b, LT_OP_EQ, target, lt_build_integer(b, other));
    return lt_build_where(b, is_other, lt_build_integer(b, 0), x);
}

static void hinge_embedding_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), t = lt_call_tensor(c, "target");
    lt_id far = clamp_min(b, affine(b, x, -1, lt_call_float(c, "margin")), 0);
    lt_call_return(c, reduced(c, lt_build_add(b, unless(b, t, 1, far), unless(b, t, -1, x))));
}

/* x where the target is `own`, else 0. */
static lt_id where_target(lt_builder *b, lt_id target, int64_t own, lt_id x)
{
    lt_id is_own = lt_build_binary(b, LT_OP_EQ, target, lt_build_integer(b, own));
    return lt_build_where(b, is_own, x, lt_build_integer(b, 0));
}

static lt_id dot(lt_builder *b, lt_id x, lt_id y, int64_t dim)
{
    lt_id product = lt_build_mul(b, x, y);
    lt_dtype dtype = lt_build_dtype(b, product);
    if (!lt_dtype_is_float(dtype)) product = lt_build_cast(b, product, LATHE_I64);
    return lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, product, dim, false);
}

static void cosine_embedding_loss(lt_call *c)
{
    static const double EPSILON = 1e-12;
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "input1"), y = lt_call_tensor(c, "input2"), t = lt_call_tensor(c, "target");
    int dim = lt_build_rank(b, t);
    lt_id xx = affine(b, dot(b, x, x, dim), 1, EPSILON), yy = affine(b, dot(b, y, y, dim), 1, EPSILON);
    lt_id cosine = lt_build_div(b, dot(b, x, y, dim), unary(b, LT_OP_SQRT, lt_build_mul(b, xx, yy)));
    lt_id apart = clamp_min(b, affine(b, cosine, 1, -lt_call_float(c, "margin")), 0);
    lt_id near = where_target(b, t, 1, one_minus(b, cosine));
    lt_call_return(c, reduced(c, lt_build_add(b, near, where_target(b, t, -1, apart))));
}

static lt_id distance(lt_call *c, lt_id x, lt_id y)
{
    bool dims[LT_MAX_RANK] = {false};
    lt_id z = affine(c->b, lt_build_sub(c->b, x, y), 1, lt_call_float(c, "eps"));
    dims[lt_build_dim(c->b, -1, lt_build_rank(c->b, z))] = true;
    return lt_build_norm(c->b, z, lt_call_float(c, "p"), dims, false, lt_build_dtype(c->b, z));
}

static void triplet_margin_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id anchor = lt_call_tensor(c, "anchor"), positive = lt_call_tensor(c, "positive");
    lt_id negative = lt_call_tensor(c, "negative");
    lt_id near = distance(c, anchor, positive), far = distance(c, anchor, negative);
    if (lt_call_bool(c, "swap"))
        far = lt_build_binary(b, LT_OP_MINIMUM, far, distance(c, positive, negative));
    lt_id z = lt_build_sub(b, affine(b, near, 1, lt_call_float(c, "margin")), far);
    lt_call_return(c, reduced(c, clamp_min(b, z, 0)));
}

/* Of every row of [N, C] (or of [C] itself): how far each other class comes near the target's, by `margin`.
 */
static void multi_margin_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = wide_tensor(c, "self"), weight = lt_call_optional_tensor(c, "weight");
    int64_t p = lt_call_int(c, "p"), classes = lt_build_size(b, x, -1), rank = lt_build_rank(b, x);
    lt_id target = lt_build_reshape(b, lt_call_tensor(c, "target"), 1, (int64_t[]){-1});
    if (rank > 2) lt_build_fail(b, LATHE_TYPE, "input of rank %lld, expected 1 or 2", (long long)rank);
    x = lt_build_reshape(b, x, 2, (int64_t[]){-1, classes});
    lt_id column = lt_build_unsqueeze(b, target, 1), own = lt_build_gather(b, x, 1, column);
    lt_id z = lt_build_sub(b, lt_call_scalar(c, "margin"), own);
    z = clamp_min(b, lt_build_add(b, z, x), 0);
    if (p == 2) z = unary(b, LT_OP_SQUARE, z);
    if (weight != LT_NONE) z = lt_build_mul(b, z, widen(b, lt_build_index_dim(b, weight, 0, column, false)));
    lt_id is_own = lt_build_binary(b, LT_OP_EQ, lt_build_arange(b, classes, 0, 1), column);
    z = lt_build_where(b, is_own, lt_build_integer(b, 0), z);
    lt_id loss = affine(b, lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, z, 1, false), 1 / (double)classes, 0);
    if (rank < 2) loss = lt_build_squeeze(b, loss, 0);
    lt_call_return(c, lt_build_cast(b, reduced(c, loss), lt_build_dtype(b, lt_call_tensor(c, "self"))));
}

/* Targets of a row end at the first negative one. Also returns which classes are targets. */
static void multilabel_margin_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = wide_tensor(c, "self"), target = lt_call_tensor(c, "target"), zero = lt_build_integer(b, 0);
    lt_type shape = *lt_build_type(b, target);
    lt_dtype own = lt_build_dtype(b, lt_call_tensor(c, "self")), dtype = lt_build_dtype(b, x);
    int64_t classes = lt_build_size(b, x, -1), flat[2] = {-1, classes};
    x = lt_build_reshape(b, x, 2, flat);
    target = lt_build_reshape(b, target, 2, flat);
    lt_id valid = lt_build_cast(b, lt_build_binary(b, LT_OP_GE, target, zero), LATHE_I64);
    valid = lt_build_scan(b, LT_OP_CUMPROD, valid, 1, LATHE_I64, NULL);
    target = lt_build_where(b, valid, target, zero);
    lt_type none = *lt_build_type(b, target);
    lt_id is_target = lt_build_scatter(b, lt_build_zeros(b, &none), 1, target, valid, LT_REDUCE_MAX);
    lt_id near = lt_build_sub(b, lt_build_integer(b, 1), lt_build_gather(b, x, 1, target));
    lt_id z = lt_build_add(b, lt_build_unsqueeze(b, near, 2), lt_build_unsqueeze(b, x, 1));
    z = lt_build_where(b, lt_build_unsqueeze(b, valid, 2), clamp_min(b, z, 0), zero);
    z = lt_build_where(b, lt_build_unsqueeze(b, is_target, 1), zero, z);
    bool dims[LT_MAX_RANK] = {false, true, true};
    lt_id loss =
        affine(b, lt_build_reduce(b, LT_OP_REDUCE_SUM, z, dims, false, dtype), 1 / (double)classes, 0);
    if (shape.rank < 2) loss = lt_build_squeeze(b, loss, 0);
    lt_call_return(c, lt_build_cast(b, reduced(c, loss), own));
    lt_call_return(c, lt_build_reshape(b, lt_build_cast(b, is_target, own), shape.rank, shape.dim));
}

/* ---- Of classes ---- */

/* Log-probabilities [N, C, ...] (or [C]), classes [N, ...] and a weight for each class. */
typedef struct lt_classes {
    lt_id target;  /* class indices; ignored ones are 0 here */
    lt_id ignored; /* bool */
    lt_id weight;  /* [C]; LT_NONE */
    int dim;       /* of the classes */
} lt_classes;

static lt_classes read_classes(lt_call *c, lt_id x)
{
    lt_builder *b = c->b;
    lt_id target = lt_call_tensor(c, "target");
    lt_classes k = {.dim = lt_build_rank(b, x) > 1, .weight = lt_call_optional_tensor(c, "weight")};
    if (lt_build_rank(b, target) != lt_build_rank(b, x) - 1 || lt_dtype_is_float(lt_build_dtype(b, target)))
        lt_build_fail(b, LATHE_TYPE, "classes of rank %d for input of rank %d, expected one less",
                      lt_build_rank(b, target), lt_build_rank(b, x));
    target = lt_build_cast(b, target, LATHE_I64);
    k.ignored = lt_build_binary(b, LT_OP_EQ, target, lt_build_integer(b, lt_call_int(c, "ignore_index")));
    k.target = lt_build_where(b, k.ignored, lt_build_integer(b, 0), target);
    return k;
}

static lt_id unignored(lt_builder *b, const lt_classes *k, lt_id x)
{
    return lt_build_where(b, k->ignored, lt_build_integer(b, 0), x);
}

/* What each element weighs in a mean: 0 when it is ignored. */
static lt_id class_weights(lt_builder *b, const lt_classes *k, lt_dtype dtype)
{
    if (k->weight == LT_NONE) return lt_build_cast(b, unary(b, LT_OP_LOGICAL_NOT, k->ignored), dtype);
    lt_id weight = lt_build_index_dim(b, lt_build_cast(b, k->weight, dtype), 0, k->target, false);
    return unignored(b, k, weight);
}

/* x is log-probabilities; *weight gets the sum of weights, 0 without reduction. */
static lt_id nll(lt_call *c, lt_id x, lt_id *weight)
{
    lt_builder *b = c->b;
    lt_classes k = read_classes(c, x);
    lt_dtype dtype = lt_build_dtype(b, x);
    lt_id weights = class_weights(b, &k, dtype);
    lt_id picked = lt_build_gather(b, x, k.dim, lt_build_unsqueeze(b, k.target, k.dim));
    picked = unary(b, LT_OP_NEG, lt_build_squeeze(b, picked, k.dim));
    lt_id loss = unignored(b, &k, lt_build_mul(b, picked, weights));
    int64_t reduction = lt_call_int(c, "reduction");
    *weight = lt_build_full(b, lt_build_integer(b, 0), dtype, 0, NULL);
    if (reduction == REDUCE_NONE) return loss;
    *weight = total(b, LT_OP_REDUCE_SUM, weights);
    loss = total(b, LT_OP_REDUCE_SUM, loss);
    return reduction == REDUCE_MEAN ? lt_build_div(b, loss, *weight) : loss;
}

static void nll_loss(lt_call *c)
{
    lt_dtype dtype = lt_build_dtype(c->b, lt_call_tensor(c, "self"));
    lt_id weight, loss = nll(c, wide_tensor(c, "self"), &weight);
    lt_call_return(c, lt_build_cast(c->b, loss, dtype));
    lt_call_return(c, lt_build_cast(c->b, weight, dtype)); /* a second result of the _forward forms alone */
}

/* A weight for each class in the shape of [N, C, ...]. */
static lt_id spread_weight(lt_call *c, lt_id x, int dim)
{
    int64_t shape[LT_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    shape[dim] = lt_build_size(c->b, x, dim);
    lt_id weight = lt_build_cast(c->b, lt_call_tensor(c, "weight"), lt_build_dtype(c->b, x));
    return lt_build_reshape(c->b, weight, lt_build_rank(c->b, x), shape);
}

static lt_id smoothed_nll(lt_call *c, lt_id x, double smoothing)
{
    lt_builder *b = c->b;
    lt_id weight, loss = nll(c, x, &weight), smooth = x;
    lt_classes k = read_classes(c, x);
    int64_t reduction = lt_call_int(c, "reduction");
    if (k.weight != LT_NONE) smooth = lt_build_mul(b, smooth, spread_weight(c, x, k.dim));
    smooth = unary(b, LT_OP_NEG, lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, smooth, k.dim, false));
    smooth = unignored(b, &k, smooth);
    if (reduction != REDUCE_NONE) smooth = total(b, LT_OP_REDUCE_SUM, smooth);
    if (reduction == REDUCE_MEAN) smooth = lt_build_div(b, smooth, weight);
    double classes = (double)lt_build_size(b, x, k.dim);
    return lt_build_add(b, affine(b, loss, 1 - smoothing, 0), affine(b, smooth, smoothing / classes, 0));
}

/* The target is a probability for each class. */
static lt_id cross_entropy_of_probabilities(lt_call *c, lt_id x, double smoothing)
{
    lt_builder *b = c->b;
    int dim = lt_build_rank(b, x) > 1;
    int64_t reduction = lt_call_int(c, "reduction");
    double classes = (double)lt_build_size(b, x, dim);
    lt_id target = wide_tensor(c, "target");
    if (smoothing > 0) target = affine(b, target, 1 - smoothing, smoothing / classes);
    lt_id loss = unary(b, LT_OP_NEG, lt_build_mul(b, x, target));
    if (lt_call_has(c, "weight")) loss = lt_build_mul(b, loss, spread_weight(c, x, dim));
    if (reduction == REDUCE_NONE) return lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, loss, dim, false);
    loss = total(b, LT_OP_REDUCE_SUM, loss);
    if (reduction != REDUCE_MEAN) return loss;
    double rows = (double)lt_type_count(lt_build_type(b, x)) / classes;
    return lt_build_div(b, loss, lt_build_number(b, rows));
}

static void cross_entropy_loss(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), target = lt_call_tensor(c, "target"), weight;
    lt_dtype dtype = lt_build_dtype(b, x);
    double smoothing = lt_call_float(c, "label_smoothing");
    x = lt_build_softmax(b, x, lt_build_rank(b, x) > 1, true, lt_dtype_wide(dtype));
    lt_id loss;
    if (lt_dtype_is_float(lt_build_dtype(b, target))) loss = cross_entropy_of_probabilities(c, x, smoothing);
    else if (smoothing > 0) loss = smoothed_nll(c, x, smoothing);
    else loss = nll(c, x, &weight);
    lt_call_return(c, lt_build_cast(b, loss, dtype));
}

const lt_aten_row lt_aten_loss[] = {
    {"mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", mse_loss, 0},
    {"l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", l1_loss, 0},
    {"smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor", smooth_l1_loss,
     0},
    {"huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor", huber_loss, 0},
    {"binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor",
     binary_cross_entropy, 0},
    {"binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? "
     "pos_weight=None, "
     "int reduction=1) -> Tensor",
     binary_cross_entropy_with_logits, 0},
    {"kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor", kl_div, 0},
    {"poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction) -> "
     "Tensor",
     poisson_nll_loss, 0},
    {"soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", soft_margin_loss, 0},
    {"multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None, int "
     "reduction=1) -> Tensor",
     multi_margin_loss, 0},
    {"multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", multilabel_margin_loss,
     0},
    {"multilabel_margin_loss_forward(Tensor self, Tensor target, int reduction) -> (Tensor output, Tensor "
     "is_target)",
     multilabel_margin_loss, 0},
    {"margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) -> "
     "Tensor",
     margin_ranking_loss, 0},
    {"hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> Tensor",
     hinge_embedding_loss, 0},
    {"cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) "
     "-> "
     "Tensor",
     cosine_embedding_loss, 0},
    {"triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1., float p=2., "
     "float "
     "eps=1e-06, bool swap=False, int reduction=1) -> Tensor",
     triplet_margin_loss, 0},
    {"nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) "
     "-> "
     "Tensor",
     nll_loss, 0},
    {"nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) "
     "-> "
     "Tensor",
     nll_loss, 0},
    {"nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100) -> "
     "Tensor",
     nll_loss, 0},
    {"nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> "
     "(Tensor "
     "output, Tensor total_weight)",
     nll_loss, 0},
    {"nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> "
     "(Tensor "
     "output, Tensor total_weight)",
     nll_loss, 0},
    {"cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100, float label_smoothing=0.) -> Tensor",
     cross_entropy_loss, 0},
    {NULL, NULL, 0}};
