/* Activation functions, and dropout of models in eval mode. */
#include <string.h>

#include "aten/aten.h"

static void unary(lt_call *c)
{
    lt_call_return(c, lt_build_unary(c->b, c->row->op, lt_call_tensor(c, "self")));
}

static void gelu(lt_call *c)
{
    bool approximate = strcmp(lt_call_string(c, "approximate"), "tanh") == 0;
    lt_call_return(
        c, lt_build_unary(c->b, approximate ? LT_OP_GELU_TANH : LT_OP_GELU, lt_call_tensor(c, "self")));
}

/* A formula of the tensor and numbers, which do not take part in promotion. */
static lt_id with_numbers(lt_call *c, lt_op op, double y, double z)
{
    lt_id in[3] = {lt_call_tensor(c, "self"), lt_build_number(c->b, y), lt_build_number(c->b, z)};
    lt_dtype dtype = lt_build_dtype(c->b, in[0]);
    return lt_build_formula(c->b, op, dtype, dtype, in, lt_op_get(op)->n_in);
}

static void hardtanh(lt_call *c)
{
    lt_call_return(c, with_numbers(c, LT_OP_CLAMP, lt_call_float(c, "min_val"), lt_call_float(c, "max_val")));
}

static void relu6(lt_call *c) { lt_call_return(c, with_numbers(c, LT_OP_CLAMP, 0, 6)); }

static void leaky_relu(lt_call *c)
{
    lt_call_return(c, with_numbers(c, LT_OP_PRELU, lt_call_float(c, "negative_slope"), 0));
}

static void softplus(lt_call *c)
{
    lt_call_return(c,
                   with_numbers(c, LT_OP_SOFTPLUS, lt_call_float(c, "beta"), lt_call_float(c, "threshold")));
}

/* scale * (x > 0 ? x : alpha * expm1(x * input_scale)) */
static void scaled_elu(lt_call *c, double alpha, double scale, double input_scale)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_dtype(c->b, x), wide = lt_build_dtype(c->b, lt_build_wide(c->b, x));
    if (scale >= 1 && scale <= 1) {
        lt_call_return(c, with_numbers(c, LT_OP_ELU, alpha, input_scale));
        return;
    }
    lt_id in[3] = {x, lt_build_number(c->b, alpha), lt_build_number(c->b, input_scale)};
    lt_id y = lt_build_formula(c->b, LT_OP_ELU, wide, wide, in, 3);
    lt_id product[2] = {y, lt_build_number(c->b, scale)};
    lt_call_return(c, lt_build_formula(c->b, LT_OP_MUL, wide, dtype, product, 2));
}

static void elu(lt_call *c)
{
    scaled_elu(c, lt_call_float(c, "alpha"), lt_call_float(c, "scale"), lt_call_float(c, "input_scale"));
}

static void celu(lt_call *c)
{
    double alpha = lt_call_float(c, "alpha");
    scaled_elu(c, alpha, 1, 1 / alpha);
}

static void selu(lt_call *c)
{
    scaled_elu(c, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1);
}

static void threshold(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_dtype(b, x);
    lt_id below = lt_build_binary(b, LT_OP_LE, x, lt_build_cast(b, lt_call_scalar(c, "threshold"), dtype));
    lt_call_return(c, lt_build_where(b, below, lt_build_cast(b, lt_call_scalar(c, "value"), dtype), x));
}

/* Values within [-lambd, lambd] become 0; softshrink also moves the others towards it. */
static void shrink(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), zero = lt_build_number(b, 0);
    double lambd = lt_call_float(c, "lambd");
    lt_id far = lt_build_binary(b, LT_OP_GT, lt_build_unary(b, LT_OP_ABS, x), lt_build_number(b, lambd));
    lt_id keep = lt_build_binary(b, LT_OP_LOGICAL_OR, far, lt_build_unary(b, LT_OP_ISNAN, x)), moved = x;
    if (strcmp(c->schema->name, "softshrink.default") == 0)
        moved = lt_build_sub(b, x, with_numbers(c, LT_OP_CLAMP, -lambd, lambd));
    lt_call_return(c, lt_build_where(b, keep, moved, zero));
}

/* One weight, or one for each entry of dim 1. */
static void prelu(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), weight = lt_call_tensor(c, "weight");
    int rank = lt_build_rank(b, x);
    int64_t dim[LT_MAX_RANK], count = lt_type_count(lt_build_type(b, weight));
    for (int i = 0; i < rank; i++) dim[i] = i == 1 ? count : 1;
    if (count == 1) weight = lt_build_reshape(b, weight, 0, NULL);
    else weight = lt_build_reshape(b, weight, rank, dim);
    lt_call_return(c, lt_build_binary(b, LT_OP_PRELU, x, weight));
}

static void prelu_kernel(lt_call *c)
{
    lt_call_return(
        c, lt_build_binary(c->b, LT_OP_PRELU, lt_call_tensor(c, "self"), lt_call_tensor(c, "weight")));
}

/* What draws random numbers in training mode is refused there. */
static bool is_eval(lt_call *c, bool train)
{
    if (train)
        lt_build_fail(c->b, LATHE_UNSUPPORTED,
                      "draws random numbers because the model was exported in training mode: call eval() "
                      "before exporting it");
    return !train;
}

static void rrelu(lt_call *c)
{
    if (!is_eval(c, lt_call_bool(c, "training"))) return;
    double slope = (lt_call_float(c, "lower") + lt_call_float(c, "upper")) / 2;
    lt_call_return(c, with_numbers(c, LT_OP_PRELU, slope, 0));
}

static void rrelu_functional(lt_call *c)
{
    rrelu(c);
    lt_call_return(c, lt_call_tensor(c, "noise"));
}

static void log_sigmoid_forward(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), magnitude = lt_build_unary(c->b, LT_OP_ABS, x);
    lt_call_return(c, lt_build_unary(c->b, LT_OP_LOG_SIGMOID, x));
    lt_call_return(c, lt_build_unary(c->b, LT_OP_EXP, lt_build_unary(c->b, LT_OP_NEG, magnitude)));
}

/* The first half times the sigmoid of the second. */
static void glu(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_dtype(b, x);
    int dim = lt_call_dim(c, "dim", lt_build_rank(b, x));
    int64_t size = lt_build_size(b, x, dim);
    if (lt_build_rank(b, x) == 0 || size % 2 != 0) {
        lt_build_fail(b, LATHE_TYPE, "dimension %d has size %lld, expected an even one", dim,
                      (long long)size);
        return;
    }
    lt_id value = lt_build_slice(b, x, dim, 0, size / 2, 1),
          gate = lt_build_slice(b, x, dim, size / 2, size, 1);
    gate = lt_build_unary(b, LT_OP_SIGMOID, lt_build_wide(b, gate));
    lt_call_return(c, lt_build_formula(b, LT_OP_MUL, dtype, dtype, (lt_id[]){value, gate}, 2));
}

static void dropout(lt_call *c)
{
    if (is_eval(c, lt_call_bool(c, "train") && lt_call_float(c, "p") > 0))
        lt_call_return(c, lt_call_tensor(c, "input"));
}

/* Also returns the mask of what was kept: everything. */
static void native_dropout(lt_call *c)
{
    bool train = !lt_call_has(c, "train") || lt_call_bool(c, "train");
    if (!is_eval(c, train && lt_call_float(c, "p") > 0)) return;
    lt_id x = lt_call_tensor(c, "input"), yes = lt_build_boolean(c->b, true);
    const lt_type *type = lt_build_type(c->b, x);
    lt_call_return(c, x);
    lt_call_return(c, lt_build_full(c->b, yes, LATHE_BOOL, type->rank, type->dim));
}

/* Dropout gives its input itself in eval mode, which PyTorch's schemas do not say: they are marked as aliases
 * here. */
const lt_aten_row lt_aten_activation[] = {
    {"relu(Tensor self) -> Tensor", unary, LT_OP_RELU},
    {"relu6(Tensor self) -> Tensor", relu6, 0},
    {"hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor", hardtanh, 0},
    {"hardsigmoid(Tensor self) -> Tensor", unary, LT_OP_HARDSIGMOID},
    {"hardswish(Tensor self) -> Tensor", unary, LT_OP_HARDSWISH},
    {"silu(Tensor self) -> Tensor", unary, LT_OP_SILU},
    {"mish(Tensor self) -> Tensor", unary, LT_OP_MISH},
    {"gelu(Tensor self, *, str approximate='none') -> Tensor", gelu, 0},
    {"elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor", elu, 0},
    {"celu(Tensor self, Scalar alpha=1.0) -> Tensor", celu, 0},
    {"selu(Tensor self) -> Tensor", selu, 0},
    {"softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor", softplus, 0},
    {"log_sigmoid(Tensor self) -> Tensor", unary, LT_OP_LOG_SIGMOID},
    {"log_sigmoid_forward(Tensor self) -> (Tensor output, Tensor buffer)", log_sigmoid_forward, 0},
    {"threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor", threshold, 0},
    {"hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor", shrink, 0},
    {"softshrink(Tensor self, Scalar lambd=0.5) -> Tensor", shrink, 0},
    {"leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor", leaky_relu, 0},
    {"prelu(Tensor self, Tensor weight) -> Tensor", prelu, 0},
    {"_prelu_kernel(Tensor self, Tensor weight) -> Tensor", prelu_kernel, 0},
    {"rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, "
     "Generator? "
     "generator=None) -> Tensor",
     rrelu, 0},
    {"rrelu_with_noise_functional(Tensor self, Tensor noise, Scalar lower=0.125, Scalar "
     "upper=0.33333333333333331, bool "
     "training=False, Generator? generator=None) -> (Tensor, Tensor noise_out)",
     rrelu_functional, 0},
    {"rrelu_with_noise(Tensor self, Tensor(b!) noise, Scalar lower=0.125, Scalar upper=0.3333333333333333, "
     "bool "
     "training=False, Generator? generator=None) -> Tensor",
     rrelu, 0},
    {"glu(Tensor self, int dim=-1) -> Tensor", glu, 0},

    {"dropout(Tensor(a) input, float p, bool train) -> Tensor(a)", dropout, 0},
    {"feature_dropout(Tensor(a) input, float p, bool train) -> Tensor(a)", dropout, 0},
    {"alpha_dropout(Tensor(a) input, float p, bool train) -> Tensor(a)", dropout, 0},
    {"feature_alpha_dropout(Tensor(a) input, float p, bool train) -> Tensor(a)", dropout, 0},
    {"native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)", native_dropout, 0},
    {NULL, NULL, 0}};
