/* Functions of one tensor, element by element: mathematics, rounding, tests. */
#include <float.h>
#include <math.h>

#include "aten/aten.h"

static void unary(lt_call *c)
{
    lt_call_return(c, lt_build_unary(c->b, c->row->op, lt_call_tensor(c, "self")));
}

static void same(lt_call *c) { lt_call_return(c, lt_call_tensor(c, "self")); }

static void bitwise_not(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    if (lt_build_dtype(c->b, x) == LATHE_BOOL) x = lt_build_unary(c->b, LT_OP_LOGICAL_NOT, x);
    else x = lt_build_binary(c->b, LT_OP_BITWISE_XOR, x, lt_build_integer(c->b, -1));
    lt_call_return(c, x);
}

static void square(lt_call *c)
{
    lt_id in[2] = {lt_call_tensor(c, "self"), lt_build_integer(c->b, 2)};
    lt_dtype dtype = lt_build_promote(c->b, in, 2); /* bool becomes int64 */
    lt_call_return(c, lt_build_formula(c->b, LT_OP_SQUARE, dtype, dtype, in, 1));
}

static void frac(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_sub(c->b, x, lt_build_unary(c->b, LT_OP_TRUNC, x)));
}

/* Tenths and hundreds. */
static void round_decimals(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_build_dtype(b, x);
    int64_t decimals = lt_call_int(c, "decimals");
    if (lt_dtype_is_float(dtype) && decimals != 0) {
        lt_id power = lt_build_number(b, pow(10, fabs((double)decimals)));
        x = lt_build_binary(b, decimals < 0 ? LT_OP_DIV : LT_OP_MUL, lt_build_wide(b, x), power);
        x = lt_build_unary(b, LT_OP_ROUND, x);
        x = lt_build_binary(b, decimals < 0 ? LT_OP_MUL : LT_OP_DIV, x, power);
    } else {
        x = lt_build_unary(b, LT_OP_ROUND, x);
    }
    lt_call_return(c, lt_build_cast(b, x, dtype));
}

static void infinity_of_sign(lt_call *c, double sign)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_binary(c->b, LT_OP_EQ, x, lt_build_number(c->b, sign * (double)INFINITY)));
}

static void isposinf(lt_call *c) { infinity_of_sign(c, 1); }
static void isneginf(lt_call *c) { infinity_of_sign(c, -1); }

static void isreal(lt_call *c)
{
    const lt_type *type = lt_build_type(c->b, lt_call_tensor(c, "self"));
    lt_id yes = lt_build_boolean(c->b, true);
    lt_call_return(c, lt_build_full(c->b, yes, LATHE_BOOL, type->rank, type->dim));
}

static double largest_number(lt_dtype dtype)
{
    return dtype == LATHE_F64   ? DBL_MAX
           : dtype == LATHE_F32 ? FLT_MAX
           : dtype == LATHE_F16 ? 65504
                                : 0x1.FEp127;
}

static void nan_to_num(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), result = x;
    lt_dtype dtype = lt_build_dtype(b, x);
    if (lt_dtype_is_float(dtype)) {
        double nan = lt_call_has(c, "nan") ? lt_call_float(c, "nan") : 0, most = largest_number(dtype);
        double high = lt_call_has(c, "posinf") ? lt_call_float(c, "posinf") : most;
        double low = lt_call_has(c, "neginf") ? lt_call_float(c, "neginf") : -most;
        lt_id is_high = lt_build_binary(b, LT_OP_GT, x, lt_build_number(b, most));
        lt_id is_low = lt_build_binary(b, LT_OP_LT, x, lt_build_number(b, -most));
        result = lt_build_where(b, lt_build_unary(b, LT_OP_ISNAN, x), lt_build_number(b, nan), x);
        result = lt_build_where(b, is_high, lt_build_number(b, high), result);
        result = lt_build_where(b, is_low, lt_build_number(b, low), result);
    }
    lt_call_return(c, result);
}

/* Half precision rounds at every step, as PyTorch has it. */
static void logit(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), one = lt_build_number(b, 1);
    if (!lt_dtype_is_float(lt_build_dtype(b, x))) x = lt_build_cast(b, x, LATHE_F32);
    if (lt_call_has(c, "eps")) {
        lt_id low = lt_build_cast(b, lt_build_number(b, lt_call_float(c, "eps")), lt_build_dtype(b, x));
        lt_id high = lt_build_sub(b, one, low); /* may be below */
        lt_id most = lt_build_where(b, lt_build_binary(b, LT_OP_GT, x, high), high, x);
        x = lt_build_where(b, lt_build_binary(b, LT_OP_LT, x, low), low, most);
    }
    lt_call_return(c, lt_build_unary(b, LT_OP_LOG, lt_build_div(b, x, lt_build_sub(b, one, x))));
}

/* Of real numbers: 0 or pi. */
static void angle(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    if (!lt_dtype_is_float(lt_build_dtype(b, x))) x = lt_build_cast(b, x, LATHE_F32);
    lt_id behind = lt_build_binary(b, LT_OP_LT, x, lt_build_integer(b, 0));
    lt_id turn = lt_build_where(b, behind, lt_build_number(b, 3.14159265358979323846), lt_build_number(b, 0));
    lt_id nan = lt_build_unary(b, LT_OP_ISNAN, x);
    lt_call_return(c, lt_build_where(b, nan, x, lt_build_cast(b, turn, lt_build_dtype(b, x))));
}

static void frexp_parts(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_unary(c->b, LT_OP_MANTISSA, x));
    lt_call_return(c, lt_build_cast(c->b, lt_build_unary(c->b, LT_OP_EXPONENT, x), LATHE_I32));
}

static void scaled(lt_call *c, double factor)
{
    lt_call_return(c, lt_build_mul(c->b, lt_call_tensor(c, "self"), lt_build_number(c->b, factor)));
}

static void deg2rad(lt_call *c) { scaled(c, M_PI / 180); }
static void rad2deg(lt_call *c) { scaled(c, 180 / M_PI); }

/* A composition of floats that is rounded once: widened before, and narrowed to the result's dtype after. */
static void in_float32(lt_call *c, lt_id (*f)(lt_builder *b, lt_id x))
{
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype dtype = lt_dtype_is_float(lt_build_dtype(c->b, x)) ? lt_build_dtype(c->b, x) : LATHE_F32;
    x = lt_build_wide(c->b, lt_build_cast(c->b, x, dtype));
    lt_call_return(c, lt_build_cast(c->b, f(c->b, x), dtype));
}

/* -x log x, 0 at 0, -inf below. */
static lt_id entr_of(lt_builder *b, lt_id x)
{
    lt_id zero = lt_build_number(b, 0);
    lt_id positive = lt_build_unary(b, LT_OP_NEG, lt_build_binary(b, LT_OP_XLOGY, x, x));
    lt_id below = lt_build_binary(b, LT_OP_LT, x, zero);
    return lt_build_where(b, below, lt_build_number(b, -(double)INFINITY), positive);
}

/* Half of erfc(-x / sqrt 2). */
static lt_id ndtr_of(lt_builder *b, lt_id x)
{
    x = lt_build_unary(b, LT_OP_ERFC, lt_build_mul(b, x, lt_build_number(b, -M_SQRT1_2)));
    return lt_build_mul(b, x, lt_build_number(b, 0.5));
}

static void entr(lt_call *c) { in_float32(c, entr_of); }
static void ndtr(lt_call *c) { in_float32(c, ndtr_of); }

const lt_aten_row lt_aten_pointwise[] = {
    {"neg(Tensor self) -> Tensor", unary, LT_OP_NEG},
    {"negative(Tensor self) -> Tensor", unary, LT_OP_NEG},
    {"positive(Tensor(a) self) -> Tensor(a)", same, 0},
    {"abs(Tensor self) -> Tensor", unary, LT_OP_ABS},
    {"absolute(Tensor self) -> Tensor", unary, LT_OP_ABS},
    {"sign(Tensor self) -> Tensor", unary, LT_OP_SIGN},
    {"sgn(Tensor self) -> Tensor", unary, LT_OP_SIGN},
    {"square(Tensor self) -> Tensor", square, 0},
    {"reciprocal(Tensor self) -> Tensor", unary, LT_OP_RECIPROCAL},
    {"sqrt(Tensor self) -> Tensor", unary, LT_OP_SQRT},
    {"rsqrt(Tensor self) -> Tensor", unary, LT_OP_RSQRT},
    {"exp(Tensor self) -> Tensor", unary, LT_OP_EXP},
    {"exp2(Tensor self) -> Tensor", unary, LT_OP_EXP2},
    {"expm1(Tensor self) -> Tensor", unary, LT_OP_EXPM1},
    {"log(Tensor self) -> Tensor", unary, LT_OP_LOG},
    {"log2(Tensor self) -> Tensor", unary, LT_OP_LOG2},
    {"log10(Tensor self) -> Tensor", unary, LT_OP_LOG10},
    {"log1p(Tensor self) -> Tensor", unary, LT_OP_LOG1P},
    {"special_exp2(Tensor self) -> Tensor", unary, LT_OP_EXP2},
    {"special_expm1(Tensor self) -> Tensor", unary, LT_OP_EXPM1},
    {"special_log1p(Tensor self) -> Tensor", unary, LT_OP_LOG1P},

    {"sin(Tensor self) -> Tensor", unary, LT_OP_SIN},
    {"cos(Tensor self) -> Tensor", unary, LT_OP_COS},
    {"tan(Tensor self) -> Tensor", unary, LT_OP_TAN},
    {"asin(Tensor self) -> Tensor", unary, LT_OP_ASIN},
    {"acos(Tensor self) -> Tensor", unary, LT_OP_ACOS},
    {"atan(Tensor self) -> Tensor", unary, LT_OP_ATAN},
    {"arcsin(Tensor self) -> Tensor", unary, LT_OP_ASIN},
    {"arccos(Tensor self) -> Tensor", unary, LT_OP_ACOS},
    {"arctan(Tensor self) -> Tensor", unary, LT_OP_ATAN},
    {"sinh(Tensor self) -> Tensor", unary, LT_OP_SINH},
    {"cosh(Tensor self) -> Tensor", unary, LT_OP_COSH},
    {"tanh(Tensor self) -> Tensor", unary, LT_OP_TANH},
    {"asinh(Tensor self) -> Tensor", unary, LT_OP_ASINH},
    {"acosh(Tensor self) -> Tensor", unary, LT_OP_ACOSH},
    {"atanh(Tensor self) -> Tensor", unary, LT_OP_ATANH},
    {"arcsinh(Tensor self) -> Tensor", unary, LT_OP_ASINH},
    {"arccosh(Tensor self) -> Tensor", unary, LT_OP_ACOSH},
    {"arctanh(Tensor self) -> Tensor", unary, LT_OP_ATANH},
    {"sinc(Tensor self) -> Tensor", unary, LT_OP_SINC},
    {"special_sinc(Tensor self) -> Tensor", unary, LT_OP_SINC},
    {"deg2rad(Tensor self) -> Tensor", deg2rad, 0},
    {"rad2deg(Tensor self) -> Tensor", rad2deg, 0},

    {"erf(Tensor self) -> Tensor", unary, LT_OP_ERF},
    {"erfc(Tensor self) -> Tensor", unary, LT_OP_ERFC},
    {"erfinv(Tensor self) -> Tensor", unary, LT_OP_ERFINV},
    {"special_erf(Tensor self) -> Tensor", unary, LT_OP_ERF},
    {"special_erfc(Tensor self) -> Tensor", unary, LT_OP_ERFC},
    {"special_erfinv(Tensor self) -> Tensor", unary, LT_OP_ERFINV},
    {"special_ndtr(Tensor self) -> Tensor", ndtr, 0},
    {"special_entr(Tensor self) -> Tensor", entr, 0},
    {"lgamma(Tensor self) -> Tensor", unary, LT_OP_LGAMMA},
    {"special_gammaln(Tensor self) -> Tensor", unary, LT_OP_LGAMMA},
    {"digamma(Tensor self) -> Tensor", unary, LT_OP_DIGAMMA},
    {"special_digamma(Tensor self) -> Tensor", unary, LT_OP_DIGAMMA},
    {"special_psi(Tensor self) -> Tensor", unary, LT_OP_DIGAMMA},
    {"sigmoid(Tensor self) -> Tensor", unary, LT_OP_SIGMOID},
    {"special_expit(Tensor self) -> Tensor", unary, LT_OP_SIGMOID},
    {"i0(Tensor self) -> Tensor", unary, LT_OP_I0},
    {"special_i0(Tensor self) -> Tensor", unary, LT_OP_I0},
    {"special_i0e(Tensor self) -> Tensor", unary, LT_OP_I0E},
    {"special_i1(Tensor self) -> Tensor", unary, LT_OP_I1},
    {"special_i1e(Tensor self) -> Tensor", unary, LT_OP_I1E},
    {"angle(Tensor self) -> Tensor", angle, 0},
    {"frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)", frexp_parts, 0},
    {"logit(Tensor self, float? eps=None) -> Tensor", logit, 0},
    {"special_logit(Tensor self, float? eps=None) -> Tensor", logit, 0},

    {"ceil(Tensor self) -> Tensor", unary, LT_OP_CEIL},
    {"floor(Tensor self) -> Tensor", unary, LT_OP_FLOOR},
    {"trunc(Tensor self) -> Tensor", unary, LT_OP_TRUNC},
    {"fix(Tensor self) -> Tensor", unary, LT_OP_TRUNC},
    {"round(Tensor self) -> Tensor", unary, LT_OP_ROUND},
    {"round.decimals(Tensor self, *, int decimals) -> Tensor", round_decimals, 0},
    {"special_round(Tensor self, *, int decimals=0) -> Tensor", round_decimals, 0},
    {"frac(Tensor self) -> Tensor", frac, 0},

    {"logical_not(Tensor self) -> Tensor", unary, LT_OP_LOGICAL_NOT},
    {"bitwise_not(Tensor self) -> Tensor", bitwise_not, 0},
    {"isnan(Tensor self) -> Tensor", unary, LT_OP_ISNAN},
    {"isinf(Tensor self) -> Tensor", unary, LT_OP_ISINF},
    {"isfinite(Tensor self) -> Tensor", unary, LT_OP_ISFINITE},
    {"isposinf(Tensor self) -> Tensor", isposinf, 0},
    {"isneginf(Tensor self) -> Tensor", isneginf, 0},
    {"isreal(Tensor self) -> Tensor", isreal, 0},
    {"signbit(Tensor self) -> Tensor", unary, LT_OP_SIGNBIT},
    {"nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor", nan_to_num,
     0},

    {"real(Tensor(a) self) -> Tensor(a)", same, 0},
    {"conj(Tensor(a) self) -> Tensor(a)", same, 0},
    {"_conj(Tensor(a) self) -> Tensor(a)", same, 0},
    {"conj_physical(Tensor self) -> Tensor", same, 0},
    {"resolve_conj(Tensor(a) self) -> Tensor(a)", same, 0},
    {"resolve_neg(Tensor(a) self) -> Tensor(a)", same, 0},
    {NULL, NULL, 0}};
