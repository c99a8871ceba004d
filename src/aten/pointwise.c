/* Elementwise operators and what is composed of them alone. */
#include <string.h>

#include "aten/aten.h"

static void unary(lt_call *c)
{
    lt_call_return(c, lt_build_unary(c->b, c->row->op, lt_call_tensor(c, "self")));
}

static void binary(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    lt_call_return(c, lt_build_binary(c->b, c->row->op, x, y));
}

/* self + alpha * other, rounded once. */
static lt_id scaled_sum(lt_call *c, lt_op op, lt_id x, lt_id y)
{
    double alpha = lt_call_float(c, "alpha");
    if (alpha >= 1 && alpha <= 1) return lt_build_binary(c->b, op, x, y);
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){x, y}, 2);
    lt_id scale = lt_call_scalar(c, "alpha");
    if (op == LT_OP_SUB) scale = lt_build_unary(c->b, LT_OP_NEG, scale);
    return lt_build_formula(c->b, LT_OP_FMA, dtype, dtype, (lt_id[]){x, y, scale}, 3);
}

static void add(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    lt_call_return(c, scaled_sum(c, c->row->op, x, y));
}

static void where(lt_call *c)
{
    lt_id condition = lt_call_tensor(c, "condition"), x = lt_call_tensor(c, "self"),
          y = lt_call_tensor(c, "other");
    lt_call_return(c, lt_build_where(c->b, condition, x, y));
}

static void gelu(lt_call *c)
{
    bool approximate = strcmp(lt_call_string(c, "approximate"), "tanh") == 0;
    lt_call_return(
        c, lt_build_unary(c->b, approximate ? LT_OP_GELU_TANH : LT_OP_GELU, lt_call_tensor(c, "self")));
}

/* Whole powers are products and roots, as PyTorch computes them. */
static void pow_scalar(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_scalar(c, "exponent");
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){x, y}, 2);
    double exponent = lt_call_float(c, "exponent");
    if (exponent >= 2 && exponent <= 2)
        lt_call_return(c, lt_build_formula(c->b, LT_OP_SQUARE, dtype, dtype, &x, 1));
    else lt_call_return(c, lt_build_binary(c->b, LT_OP_POW, x, y));
}

static void cast(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_cast(c->b, x, lt_call_dtype(c, "dtype", lt_build_dtype(c->b, x))));
}

static void same(lt_call *c) { lt_call_return(c, lt_call_tensor(c, "self")); }

static void nothing(lt_call *c) { (void)c; }

const lt_aten_row lt_aten_pointwise[] = {
    {"neg(Tensor self) -> Tensor", unary, LT_OP_NEG},
    {"abs(Tensor self) -> Tensor", unary, LT_OP_ABS},
    {"relu(Tensor self) -> Tensor", unary, LT_OP_RELU},
    {"silu(Tensor self) -> Tensor", unary, LT_OP_SILU},
    {"exp(Tensor self) -> Tensor", unary, LT_OP_EXP},
    {"rsqrt(Tensor self) -> Tensor", unary, LT_OP_RSQRT},
    {"sqrt(Tensor self) -> Tensor", unary, LT_OP_SQRT},
    {"cos(Tensor self) -> Tensor", unary, LT_OP_COS},
    {"sin(Tensor self) -> Tensor", unary, LT_OP_SIN},
    {"tanh(Tensor self) -> Tensor", unary, LT_OP_TANH},
    {"sigmoid(Tensor self) -> Tensor", unary, LT_OP_SIGMOID},
    {"gelu(Tensor self, *, str approximate='none') -> Tensor", gelu, 0},
    {"add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", add, LT_OP_ADD},
    {"sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", add, LT_OP_SUB},
    {"mul.Tensor(Tensor self, Tensor other) -> Tensor", binary, LT_OP_MUL},
    {"div.Tensor(Tensor self, Tensor other) -> Tensor", binary, LT_OP_DIV},
    {"pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", pow_scalar, 0},
    {"le.Tensor(Tensor self, Tensor other) -> Tensor", binary, LT_OP_LE},
    {"where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", where, 0},
    {"to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? "
     "memory_format=None) -> Tensor(a)",
     cast, 0},
    {"to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, "
     "MemoryFormat? memory_format=None) -> Tensor(a)",
     cast, 0},
    {"clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", same, 0},
    {"contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)", same, 0},
    {"_assert_tensor_metadata(Tensor a, SymInt[]? size=None, SymInt[]? stride=None, ScalarType? dtype=None, "
     "*, Device? "
     "device=None, Layout? layout=None) -> ()",
     nothing, 0},
    {NULL, NULL, 0}};
