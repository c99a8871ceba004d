/* Operators of two and three tensors, element by element: arithmetic, comparison, logic, bits. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"

/* Of the first two parameters; each may be a number. */
static void binary(lt_call *c)
{
    lt_id x = lt_call_tensor(c, c->schema->params[0].name), y = lt_call_tensor(c, c->schema->params[1].name);
    lt_call_return(c, lt_build_binary(c->b, c->row->op, x, y));
}

static bool equals(double a, double b) { return a >= b && a <= b; }

/* x + alpha * y or x - alpha * y, rounded once. */
static lt_id scaled_sum(lt_call *c, lt_op op, lt_id x, lt_id y)
{
    if (equals(lt_call_float(c, "alpha"), 1)) return lt_build_binary(c->b, op, x, y);
    lt_id in[3] = {x, y, lt_call_scalar(c, "alpha")};
    lt_dtype dtype = lt_build_promote(c->b, in, 2);
    for (int i = 0; i < 3; i++) in[i] = lt_build_operand(c->b, in[i], dtype);
    if (op == LT_OP_SUB) in[2] = lt_build_formula(c->b, LT_OP_NEG, dtype, dtype, &in[2], 1);
    return lt_build_formula(c->b, LT_OP_FMA, dtype, dtype, in, 3);
}

static void add(lt_call *c)
{
    lt_call_return(c, scaled_sum(c, c->row->op, lt_call_tensor(c, "self"), lt_call_tensor(c, "other")));
}

static void rsub(lt_call *c)
{
    lt_call_return(c, scaled_sum(c, LT_OP_SUB, lt_call_tensor(c, "other"), lt_call_tensor(c, "self")));
}

/* In half precision the quotient of tensors is rounded before it is cut, as PyTorch has it. */
static void div_mode(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){x, y}, 2);
    lt_op op = LT_OP_DIV;
    if (lt_call_has(c, "rounding_mode"))
        op = strcmp(lt_call_string(c, "rounding_mode"), "floor") == 0 ? LT_OP_DIV_FLOOR : LT_OP_DIV_TRUNC;
    bool twice = op == LT_OP_DIV_TRUNC && lt_build_rank(c->b, y) > 0 && lt_dtype_is_half(dtype);
    lt_id quotient = lt_build_binary(c->b, twice ? LT_OP_DIV : op, x, y);
    lt_call_return(c, twice ? lt_build_unary(c->b, LT_OP_TRUNC, quotient) : quotient);
}

/* ---- Powers ---- */

/* PyTorch computes these exponents by other means, with other results at -0 and -inf. float16 only takes the
 * products. */
static lt_id power_of_floats(lt_builder *b, lt_id x, double e, lt_dtype dtype)
{
    bool roots = dtype != LATHE_F16;
    lt_dtype wide = dtype == LATHE_F64 ? LATHE_F64 : LATHE_F32;
    if (roots && equals(e, 0.5)) return lt_build_formula(b, LT_OP_SQRT, dtype, dtype, &x, 1);
    if (roots && equals(e, -0.5)) return lt_build_formula(b, LT_OP_RSQRT, dtype, dtype, &x, 1);
    if (roots && equals(e, -1)) return lt_build_formula(b, LT_OP_RECIPROCAL, dtype, dtype, &x, 1);
    if (equals(e, 2)) return lt_build_formula(b, LT_OP_SQUARE, dtype, dtype, &x, 1);
    if (equals(e, 3) || equals(e, -2)) {
        lt_id square = lt_build_formula(b, LT_OP_SQUARE, wide, wide, &x, 1);
        if (e < 0) return lt_build_formula(b, LT_OP_RECIPROCAL, dtype, dtype, &square, 1);
        return lt_build_formula(b, LT_OP_MUL, dtype, dtype, (lt_id[]){square, x}, 2);
    }
    lt_id exponent = lt_build_operand(b, lt_build_number(b, e), dtype);
    return lt_build_formula(b, LT_OP_POW, dtype, dtype, (lt_id[]){x, exponent}, 2);
}

static void pow_scalar(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_scalar(c, "exponent");
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){x, y}, 2);
    double exponent = lt_call_float(c, "exponent");
    if (lt_dtype_is_float(dtype)) y = power_of_floats(c->b, x, exponent, dtype);
    else if (equals(exponent, 2)) y = lt_build_formula(c->b, LT_OP_SQUARE, dtype, dtype, &x, 1);
    else y = lt_build_binary(c->b, LT_OP_POW, x, y);
    lt_call_return(c, y);
}

static void float_power(lt_call *c)
{
    lt_id x = lt_build_cast(c->b, lt_call_tensor(c, "self"), LATHE_F64);
    lt_id y = lt_build_cast(c->b, lt_call_tensor(c, "exponent"), LATHE_F64);
    lt_call_return(c, lt_build_binary(c->b, LT_OP_POW, x, y));
}

static void float_power_scalar(lt_call *c)
{
    lt_id x = lt_build_cast(c->b, lt_call_tensor(c, "self"), LATHE_F64);
    lt_call_return(c, power_of_floats(c->b, x, lt_call_float(c, "exponent"), LATHE_F64));
}

/* Integer exponents of floats count modulo 2^32, as PyTorch passes them on; others raise a 2 of the dtype of
 * x, or a Python number where that is the default dtype. */
static void ldexp_tensor(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), exponent = lt_call_tensor(c, "other"), two = lt_build_number(b, 2);
    lt_dtype dtype = lt_build_dtype(b, x);
    if (lt_dtype_is_float(dtype) && !lt_dtype_is_float(lt_build_dtype(b, exponent))) {
        lt_call_return(c, lt_build_binary(b, LT_OP_LDEXP, x, lt_build_cast(b, exponent, LATHE_I32)));
        return;
    }
    if (lt_dtype_is_float(dtype) && dtype != LATHE_F32) two = lt_build_cast(b, two, dtype);
    lt_call_return(c, lt_build_mul(b, x, lt_build_binary(b, LT_OP_POW, two, exponent)));
}

/* ---- Others of two operands ---- */

static void heaviside(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), values = lt_call_tensor(c, "values"), zero = lt_build_integer(b, 0);
    lt_id step = lt_build_cast(b, lt_build_binary(b, LT_OP_GT, x, zero), lt_build_dtype(b, x));
    lt_call_return(c, lt_build_where(b, lt_build_binary(b, LT_OP_EQ, x, zero), values, step));
}

/* The neighbour in half precision: the bits, as an integer, plus or minus one; from 0 the smallest number. */
static lt_id half_neighbour(lt_builder *b, lt_id x, lt_id y, lt_dtype dtype)
{
    lt_attrs as_int = {.dtype = {LATHE_I16}}, as_half = {.dtype = {dtype}};
    lt_id zero = lt_build_integer(b, 0), one = lt_build_integer(b, 1);
    lt_id grows = lt_build_binary(b, LT_OP_GT, y, x), positive = lt_build_binary(b, LT_OP_GT, x, zero);
    lt_id away = lt_build_binary(b, LT_OP_EQ, grows, positive);
    lt_id step = lt_build_where(b, away, one, lt_build_integer(b, -1));
    lt_id bits = lt_build_add(b, lt_build(b, LT_OP_VIEW_DTYPE, &as_int, &x, 1), step);
    bits = lt_build_cast(b, bits, LATHE_I16); /* of tensors without dims the sum is int64 */
    lt_id least = lt_build_where(b, grows, one, lt_build_integer(b, INT16_MIN + 1));
    bits = lt_build_where(b, lt_build_binary(b, LT_OP_EQ, x, zero), lt_build_cast(b, least, LATHE_I16), bits);
    lt_id next = lt_build(b, LT_OP_VIEW_DTYPE, &as_half, &bits, 1);
    next = lt_build_where(b, lt_build_binary(b, LT_OP_EQ, x, y), y, next);
    next = lt_build_where(b, lt_build_unary(b, LT_OP_ISNAN, x), x, next);
    return lt_build_where(b, lt_build_unary(b, LT_OP_ISNAN, y), y, next);
}

static void nextafter_tensor(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    lt_dtype dtype = lt_build_promote(c->b, (lt_id[]){x, y}, 2);
    if (lt_dtype_is_half(dtype)) {
        x = lt_build_cast(c->b, x, dtype);
        y = lt_build_cast(c->b, y, dtype);
        lt_call_return(c, half_neighbour(c->b, x, y, dtype));
    } else {
        lt_call_return(c, lt_build_binary(c->b, LT_OP_NEXTAFTER, x, y));
    }
}

static void isclose(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    lt_id close = lt_build_binary(b, LT_OP_EQ, x, y);
    double rtol = lt_call_float(c, "rtol"), atol = lt_call_float(c, "atol");
    if (lt_call_bool(c, "equal_nan") && lt_dtype_is_float(lt_build_dtype(b, x))) {
        lt_id both = lt_build_binary(b, LT_OP_LOGICAL_AND, lt_build_unary(b, LT_OP_ISNAN, x),
                                     lt_build_unary(b, LT_OP_ISNAN, y));
        close = lt_build_binary(b, LT_OP_LOGICAL_OR, close, both);
    }
    if (rtol > 0 || atol > 0) {
        if (!lt_dtype_is_float(lt_build_dtype(b, x))) y = lt_build_cast(b, y, LATHE_F32);
        lt_id allowed = lt_build_unary(b, LT_OP_ABS, lt_build_mul(b, y, lt_build_number(b, rtol)));
        allowed = lt_build_add(b, allowed, lt_build_number(b, atol));
        lt_id actual = lt_build_unary(b, LT_OP_ABS, lt_build_sub(b, x, y));
        lt_id near = lt_build_binary(b, LT_OP_LOGICAL_AND, lt_build_unary(b, LT_OP_ISFINITE, actual),
                                     lt_build_binary(b, LT_OP_LE, actual, allowed));
        close = lt_build_binary(b, LT_OP_LOGICAL_OR, close, near);
    }
    lt_call_return(c, close);
}

/* ---- Three operands ---- */

/* Both bounds are numbers or None. */
static void clamp(lt_call *c)
{
    lt_builder *b = c->b;
    bool has_low = lt_call_has(c, "min"), has_high = lt_call_has(c, "max");
    lt_id in[3] = {lt_call_tensor(c, "self"), lt_call_optional_tensor(c, "min"),
                   lt_call_optional_tensor(c, "max")};
    lt_dtype dtype = lt_build_promote(b, in, 3);
    double low = has_low ? lt_call_float(c, "min") : 0, high = has_high ? lt_call_float(c, "max") : 0;
    lt_id x = lt_build_cast(b, in[0], dtype);
    for (int i = 1; i < 3; i++)
        if (in[i] != LT_NONE) in[i] = lt_build_operand(b, in[i], dtype);
    if (isnan(low) || isnan(high)) {
        const lt_type *type = lt_build_type(b, x);
        lt_call_return(c, lt_build_full(b, lt_build_number(b, (double)NAN), dtype, type->rank, type->dim));
    } else if (has_low && has_high) {
        lt_call_return(c, lt_build_formula(b, LT_OP_CLAMP, dtype, dtype, (lt_id[]){x, in[1], in[2]}, 3));
    } else {
        lt_op op = has_low ? LT_OP_MAXIMUM : LT_OP_MINIMUM;
        lt_call_return(c, lt_build_formula(b, op, dtype, dtype, (lt_id[]){x, in[has_low ? 1 : 2]}, 2));
    }
}

static void clamp_one(lt_call *c, lt_op op, lt_id bound)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_binary(c->b, op, x, bound));
}

static void clamp_min(lt_call *c) { clamp_one(c, LT_OP_MAXIMUM, lt_call_tensor(c, "min")); }
static void clamp_max(lt_call *c) { clamp_one(c, LT_OP_MINIMUM, lt_call_tensor(c, "max")); }

static void clamp_tensor(lt_call *c)
{
    lt_id in[3] = {lt_call_tensor(c, "self"), lt_call_optional_tensor(c, "min"),
                   lt_call_optional_tensor(c, "max")};
    lt_dtype dtype = lt_build_promote(c->b, in, 3);
    for (int i = 1; i < 3; i++) {
        lt_op op = i == 1 ? LT_OP_MAXIMUM : LT_OP_MINIMUM;
        if (in[i] == LT_NONE) continue;
        lt_id pair[2] = {in[0], lt_build_operand(c->b, in[i], dtype)};
        in[0] = lt_build_formula(c->b, op, dtype, dtype, pair, 2);
    }
    lt_call_return(c, in[0]);
}

static void lerp(lt_call *c)
{
    lt_id in[3] = {lt_call_tensor(c, "self"), lt_call_tensor(c, "end"), lt_call_tensor(c, "weight")};
    lt_dtype dtype = lt_build_promote(c->b, in, 2);
    lt_call_return(c, lt_build_formula(c->b, LT_OP_LERP, dtype, dtype, in, 3));
}

/* self + value * tensor1 * tensor2, or / tensor2, rounded once. */
static void addc(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id in[3] = {lt_call_tensor(c, "self"), lt_call_tensor(c, "tensor1"), lt_call_tensor(c, "tensor2")};
    lt_dtype dtype = lt_build_promote(b, in, 3);
    for (int i = 0; i < 3; i++) in[i] = lt_build_operand(b, in[i], dtype);
    if (!equals(lt_call_float(c, "value"), 1)) {
        lt_dtype wide = lt_dtype_is_half(dtype) ? LATHE_F32 : dtype;
        in[1] = lt_build_formula(b, LT_OP_MUL, wide, wide, (lt_id[]){lt_call_scalar(c, "value"), in[1]}, 2);
    }
    lt_call_return(c, lt_build_formula(b, c->row->op, dtype, dtype, in, 3));
}

#define TENSORS "(Tensor self, Tensor other) -> Tensor"
#define NUMBER "(Tensor self, Scalar other) -> Tensor"
#define FROM_NUMBER "(Scalar self, Tensor other) -> Tensor"
#define ALPHA "(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor"
#define NUMBER_ALPHA "(Tensor self, Scalar other, Scalar alpha=1) -> Tensor"
#define MODE "(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor"
#define NUMBER_MODE "(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor"

const lt_aten_row lt_aten_arithmetic[] = {
    {"add.Tensor" ALPHA, add, LT_OP_ADD},
    {"add.Scalar" NUMBER_ALPHA, add, LT_OP_ADD},
    {"sub.Tensor" ALPHA, add, LT_OP_SUB},
    {"sub.Scalar" NUMBER_ALPHA, add, LT_OP_SUB},
    {"subtract.Tensor" ALPHA, add, LT_OP_SUB},
    {"subtract.Scalar" NUMBER_ALPHA, add, LT_OP_SUB},
    {"rsub.Tensor" ALPHA, rsub, 0},
    {"rsub.Scalar" NUMBER_ALPHA, rsub, 0},
    {"mul.Tensor" TENSORS, binary, LT_OP_MUL},
    {"mul.Scalar" NUMBER, binary, LT_OP_MUL},
    {"multiply.Tensor" TENSORS, binary, LT_OP_MUL},
    {"multiply.Scalar" NUMBER, binary, LT_OP_MUL},
    {"div.Tensor" TENSORS, binary, LT_OP_DIV},
    {"div.Scalar" NUMBER, binary, LT_OP_DIV},
    {"div.Tensor_mode" MODE, div_mode, 0},
    {"div.Scalar_mode" NUMBER_MODE, div_mode, 0},
    {"divide.Tensor" TENSORS, binary, LT_OP_DIV},
    {"divide.Scalar" NUMBER, binary, LT_OP_DIV},
    {"divide.Tensor_mode" MODE, div_mode, 0},
    {"divide.Scalar_mode" NUMBER_MODE, div_mode, 0},
    {"true_divide.Tensor" TENSORS, binary, LT_OP_DIV},
    {"true_divide.Scalar" NUMBER, binary, LT_OP_DIV},
    {"floor_divide" TENSORS, binary, LT_OP_DIV_FLOOR},
    {"floor_divide.Scalar" NUMBER, binary, LT_OP_DIV_FLOOR},
    {"remainder.Tensor" TENSORS, binary, LT_OP_REMAINDER},
    {"remainder.Scalar" NUMBER, binary, LT_OP_REMAINDER},
    {"remainder.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_REMAINDER},
    {"fmod.Tensor" TENSORS, binary, LT_OP_FMOD},
    {"fmod.Scalar" NUMBER, binary, LT_OP_FMOD},

    {"pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", binary, LT_OP_POW},
    {"pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", pow_scalar, 0},
    {"pow.Scalar(Scalar self, Tensor exponent) -> Tensor", binary, LT_OP_POW},
    {"float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", float_power, 0},
    {"float_power.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", float_power_scalar, 0},
    {"float_power.Scalar(Scalar self, Tensor exponent) -> Tensor", float_power, 0},
    {"ldexp.Tensor" TENSORS, ldexp_tensor, 0},

    {"atan2" TENSORS, binary, LT_OP_ATAN2},
    {"arctan2" TENSORS, binary, LT_OP_ATAN2},
    {"hypot" TENSORS, binary, LT_OP_HYPOT},
    {"copysign.Tensor" TENSORS, binary, LT_OP_COPYSIGN},
    {"copysign.Scalar" NUMBER, binary, LT_OP_COPYSIGN},
    {"nextafter" TENSORS, nextafter_tensor, 0},
    {"maximum" TENSORS, binary, LT_OP_MAXIMUM},
    {"minimum" TENSORS, binary, LT_OP_MINIMUM},
    {"max.other" TENSORS, binary, LT_OP_MAXIMUM},
    {"min.other" TENSORS, binary, LT_OP_MINIMUM},
    {"fmax" TENSORS, binary, LT_OP_FMAX},
    {"fmin" TENSORS, binary, LT_OP_FMIN},
    {"logaddexp" TENSORS, binary, LT_OP_LOGADDEXP},
    {"logaddexp2" TENSORS, binary, LT_OP_LOGADDEXP2},
    {"xlogy.Tensor" TENSORS, binary, LT_OP_XLOGY},
    {"xlogy.Scalar_Other" NUMBER, binary, LT_OP_XLOGY},
    {"xlogy.Scalar_Self" FROM_NUMBER, binary, LT_OP_XLOGY},
    {"special_xlogy" TENSORS, binary, LT_OP_XLOGY},
    {"special_xlogy.other_scalar" NUMBER, binary, LT_OP_XLOGY},
    {"special_xlogy.self_scalar" FROM_NUMBER, binary, LT_OP_XLOGY},
    {"special_xlog1py" TENSORS, binary, LT_OP_XLOG1PY},
    {"special_xlog1py.other_scalar" NUMBER, binary, LT_OP_XLOG1PY},
    {"special_xlog1py.self_scalar" FROM_NUMBER, binary, LT_OP_XLOG1PY},
    {"heaviside(Tensor self, Tensor values) -> Tensor", heaviside, 0},
    {"gcd" TENSORS, binary, LT_OP_GCD},
    {"lcm" TENSORS, binary, LT_OP_LCM},

    {"eq.Tensor" TENSORS, binary, LT_OP_EQ},
    {"eq.Scalar" NUMBER, binary, LT_OP_EQ},
    {"ne.Tensor" TENSORS, binary, LT_OP_NE},
    {"ne.Scalar" NUMBER, binary, LT_OP_NE},
    {"lt.Tensor" TENSORS, binary, LT_OP_LT},
    {"lt.Scalar" NUMBER, binary, LT_OP_LT},
    {"le.Tensor" TENSORS, binary, LT_OP_LE},
    {"le.Scalar" NUMBER, binary, LT_OP_LE},
    {"gt.Tensor" TENSORS, binary, LT_OP_GT},
    {"gt.Scalar" NUMBER, binary, LT_OP_GT},
    {"ge.Tensor" TENSORS, binary, LT_OP_GE},
    {"ge.Scalar" NUMBER, binary, LT_OP_GE},
    {"not_equal.Tensor" TENSORS, binary, LT_OP_NE},
    {"not_equal.Scalar" NUMBER, binary, LT_OP_NE},
    {"less.Tensor" TENSORS, binary, LT_OP_LT},
    {"less.Scalar" NUMBER, binary, LT_OP_LT},
    {"less_equal.Tensor" TENSORS, binary, LT_OP_LE},
    {"less_equal.Scalar" NUMBER, binary, LT_OP_LE},
    {"greater.Tensor" TENSORS, binary, LT_OP_GT},
    {"greater.Scalar" NUMBER, binary, LT_OP_GT},
    {"greater_equal.Tensor" TENSORS, binary, LT_OP_GE},
    {"greater_equal.Scalar" NUMBER, binary, LT_OP_GE},
    {"isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
     isclose, 0},

    {"logical_and" TENSORS, binary, LT_OP_LOGICAL_AND},
    {"logical_or" TENSORS, binary, LT_OP_LOGICAL_OR},
    {"logical_xor" TENSORS, binary, LT_OP_LOGICAL_XOR},
    {"bitwise_and.Tensor" TENSORS, binary, LT_OP_BITWISE_AND},
    {"bitwise_and.Scalar" NUMBER, binary, LT_OP_BITWISE_AND},
    {"bitwise_and.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_BITWISE_AND},
    {"bitwise_or.Tensor" TENSORS, binary, LT_OP_BITWISE_OR},
    {"bitwise_or.Scalar" NUMBER, binary, LT_OP_BITWISE_OR},
    {"bitwise_or.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_BITWISE_OR},
    {"bitwise_xor.Tensor" TENSORS, binary, LT_OP_BITWISE_XOR},
    {"bitwise_xor.Scalar" NUMBER, binary, LT_OP_BITWISE_XOR},
    {"bitwise_xor.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_BITWISE_XOR},
    {"bitwise_left_shift.Tensor" TENSORS, binary, LT_OP_LEFT_SHIFT},
    {"bitwise_left_shift.Tensor_Scalar" NUMBER, binary, LT_OP_LEFT_SHIFT},
    {"bitwise_left_shift.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_LEFT_SHIFT},
    {"bitwise_right_shift.Tensor" TENSORS, binary, LT_OP_RIGHT_SHIFT},
    {"bitwise_right_shift.Tensor_Scalar" NUMBER, binary, LT_OP_RIGHT_SHIFT},
    {"bitwise_right_shift.Scalar_Tensor" FROM_NUMBER, binary, LT_OP_RIGHT_SHIFT},
    {"__and__.Tensor" TENSORS, binary, LT_OP_BITWISE_AND},
    {"__and__.Scalar" NUMBER, binary, LT_OP_BITWISE_AND},
    {"__or__.Tensor" TENSORS, binary, LT_OP_BITWISE_OR},
    {"__or__.Scalar" NUMBER, binary, LT_OP_BITWISE_OR},
    {"__xor__.Tensor" TENSORS, binary, LT_OP_BITWISE_XOR},
    {"__xor__.Scalar" NUMBER, binary, LT_OP_BITWISE_XOR},
    {"__lshift__.Tensor" TENSORS, binary, LT_OP_LEFT_SHIFT},
    {"__lshift__.Scalar" NUMBER, binary, LT_OP_LEFT_SHIFT},
    {"__rshift__.Tensor" TENSORS, binary, LT_OP_RIGHT_SHIFT},
    {"__rshift__.Scalar" NUMBER, binary, LT_OP_RIGHT_SHIFT},

    {"clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clamp, 0},
    {"clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", clamp_tensor, 0},
    {"clip(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clamp, 0},
    {"clip.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", clamp_tensor, 0},
    {"clamp_min(Tensor self, Scalar min) -> Tensor", clamp_min, 0},
    {"clamp_min.Tensor(Tensor self, Tensor min) -> Tensor", clamp_min, 0},
    {"clamp_max(Tensor self, Scalar max) -> Tensor", clamp_max, 0},
    {"clamp_max.Tensor(Tensor self, Tensor max) -> Tensor", clamp_max, 0},
    {"lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", lerp, 0},
    {"lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", lerp, 0},
    {"addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", addc, LT_OP_FMA},
    {"addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor", addc,
     LT_OP_ADDCDIV},
    {NULL, NULL, 0}};
