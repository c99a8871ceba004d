/* Values, solutions and text of symbolic expressions. */
#include <math.h>
#include <string.h>

#include "ir/symint_expr.h"

static double as_float(const lt_number *x) { return x->is_float ? x->f : (double)x->i; }
static bool is_true(const lt_number *x) { return x->is_float ? x->f < 0 || x->f > 0 : x->i != 0; }

static lathe_status to_integer(double x, lt_number *out, lathe_error *err)
{
    if (!lt_fits_i64(x)) LT_FAIL(err, LIMIT, "symbolic size %g does not fit", x);
    *out = (lt_number){.i = (int64_t)x};
    return LATHE_OK;
}

/* Quotient rounded down and the remainder of b's sign, as in Python. */
static lathe_status divide(int64_t a, int64_t b, int64_t *quotient, int64_t *remainder, lathe_error *err)
{
    if (b == 0 || (a == INT64_MIN && b == -1))
        LT_FAIL(err, LIMIT, "symbolic size divides %lld by %lld", (long long)a, (long long)b);
    *quotient = a / b;
    *remainder = a % b;
    if (*remainder != 0 && (*remainder < 0) != (b < 0)) {
        --*quotient;
        *remainder += b;
    }
    return LATHE_OK;
}

static lathe_status eval_integers(lt_expr_op op, int64_t a, int64_t b, lt_number *out, lathe_error *err)
{
    bool fits = true;
    int64_t quotient = 0, remainder = 0;
    *out = (lt_number){0};
    switch (op) {
    case EXPR_ADD: fits = lt_add_i64(a, b, &out->i); break;
    case EXPR_MUL: fits = lt_mul_i64(a, b, &out->i); break;
    case EXPR_MAX: out->i = lt_max_i64(a, b); break;
    case EXPR_MIN: out->i = lt_min_i64(a, b); break;
    case EXPR_POW:
        fits = b >= 0 && b <= 63;
        for (out->i = 1; fits && b > 0; b--) fits = lt_mul_i64(out->i, a, &out->i);
        break;
    default: /* divisions */
        LT_TRY(divide(a, b, &quotient, &remainder, err));
        out->i = op == EXPR_MOD || op == EXPR_PYTHONMOD ? remainder : quotient;
        if (op == EXPR_CEILDIV && remainder != 0) fits = lt_add_i64(quotient, 1, &out->i);
    }
    if (!fits) LT_FAIL(err, LIMIT, "symbolic size overflows");
    return LATHE_OK;
}

static double eval_floats(lt_expr_op op, double x, double y)
{
    switch (op) {
    case EXPR_ADD: return x + y;
    case EXPR_MUL: return x * y;
    case EXPR_MAX: return fmax(x, y);
    case EXPR_MIN: return fmin(x, y);
    case EXPR_POW: return pow(x, y);
    case EXPR_MOD:
    case EXPR_PYTHONMOD: return x - y * floor(x / y);
    case EXPR_CEILDIV: return ceil(x / y);
    default: return floor(x / y);
    }
}

/* -1, 0 or 1; 2 when one is NaN. */
static int compare(const lt_number *a, const lt_number *b)
{
    if (!a->is_float && !b->is_float) return (a->i > b->i) - (a->i < b->i);
    double x = as_float(a), y = as_float(b);
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static lathe_status eval_pair(lt_expr_op op, const lt_number *a, const lt_number *b, lt_number *out,
                              lathe_error *err)
{
    int order = compare(a, b);
    switch (op) {
    case EXPR_GT: *out = (lt_number){.i = order == 1}; return LATHE_OK;
    case EXPR_GE: *out = (lt_number){.i = order == 1 || order == 0}; return LATHE_OK;
    case EXPR_LT: *out = (lt_number){.i = order == -1}; return LATHE_OK;
    case EXPR_LE: *out = (lt_number){.i = order == -1 || order == 0}; return LATHE_OK;
    case EXPR_EQ: *out = (lt_number){.i = order == 0}; return LATHE_OK;
    case EXPR_NE: *out = (lt_number){.i = order != 0}; return LATHE_OK;
    case EXPR_AND: *out = (lt_number){.i = is_true(a) && is_true(b)}; return LATHE_OK;
    case EXPR_OR: *out = (lt_number){.i = is_true(a) || is_true(b)}; return LATHE_OK;
    case EXPR_TRUEDIV:
    case EXPR_RATIONAL: *out = (lt_number){.is_float = true, .f = as_float(a) / as_float(b)}; return LATHE_OK;
    default: break;
    }
    bool negative_power = op == EXPR_POW && !b->is_float && b->i < 0;
    if (!a->is_float && !b->is_float && !negative_power) return eval_integers(op, a->i, b->i, out, err);
    *out = (lt_number){.is_float = true, .f = eval_floats(op, as_float(a), as_float(b))};
    return LATHE_OK;
}

static lathe_status eval_unary(lt_expr_op op, const lt_number *a, lt_number *out, lathe_error *err)
{
    double x = as_float(a);
    *out = *a;
    switch (op) {
    case EXPR_NOT: *out = (lt_number){.i = !is_true(a)}; return LATHE_OK;
    case EXPR_TOFLOAT: *out = (lt_number){.is_float = true, .f = x}; return LATHE_OK;
    case EXPR_ABS:
        if (a->is_float) out->f = fabs(x);
        else if (a->i < 0 && !lt_sub_i64(0, a->i, &out->i)) LT_FAIL(err, LIMIT, "symbolic size overflows");
        return LATHE_OK;
    default: break;
    }
    if (!a->is_float) return LATHE_OK; /* roundings, and sums of one term */
    switch (op) {
    case EXPR_TRUNC: return to_integer(trunc(x), out, err);
    case EXPR_CEIL: return to_integer(ceil(x), out, err);
    case EXPR_FLOOR: return to_integer(floor(x), out, err);
    case EXPR_ROUND: return to_integer(nearbyint(x), out, err);
    default: return LATHE_OK;
    }
}

static lathe_status eval_piecewise(const lt_expr *expr, const int64_t *bindings, lt_number *out,
                                   lathe_error *err)
{
    for (uint32_t i = 0; i < expr->n; i++) {
        const lt_expr *pair = expr->args[i];
        lt_number holds;
        if (pair->op != EXPR_PAIR || pair->n != 2)
            LT_FAIL(err, FORMAT, "Piecewise without (value, condition)");
        LT_TRY(lt_expr_eval(pair->args[1], bindings, &holds, err));
        if (is_true(&holds)) return lt_expr_eval(pair->args[0], bindings, out, err);
    }
    LT_FAIL(err, LIMIT, "no case of a Piecewise size holds");
}

/* (a // b) % c */
static lathe_status eval_modular(const lt_number in[3], lt_number *out, lathe_error *err)
{
    lt_number quotient;
    LT_TRY(eval_pair(EXPR_FLOORDIV, &in[0], &in[1], &quotient, err));
    return eval_pair(EXPR_MOD, &quotient, &in[2], out, err);
}

static lathe_status eval_symbol(const lt_expr *expr, int64_t value, lt_number *out, lathe_error *err)
{
    *out = (lt_number){.i = value};
    if (value != LT_UNBOUND) return LATHE_OK;
    /* PyTorch's names: u0 (zuf0, …) for numbers that come from data, s0 for sizes of inputs. */
    if (expr->name[0] == 'u' || expr->name[0] == 'z')
        LT_FAIL(err, UNSUPPORTED, "size '%s' depends on the data: it is not known before the graph runs",
                expr->name);
    LT_FAIL(err, INVALID_ARGUMENT, "size '%s' is not known: no input that is set has it", expr->name);
}

lathe_status lt_expr_eval(const lt_expr *expr, const int64_t *bindings, lt_number *out, lathe_error *err)
{
    lt_number in[3];
    switch (expr->op) {
    case EXPR_INTEGER: *out = (lt_number){.i = expr->i}; return LATHE_OK;
    case EXPR_FLOAT: *out = (lt_number){.is_float = true, .f = expr->f}; return LATHE_OK;
    case EXPR_SYMBOL: return eval_symbol(expr, bindings[expr->symbol], out, err);
    case EXPR_PIECEWISE: return eval_piecewise(expr, bindings, out, err);
    case EXPR_MODULAR_INDEXING:
        if (expr->n != 3) LT_FAIL(err, FORMAT, "ModularIndexing of %u arguments", expr->n);
        for (uint32_t i = 0; i < 3; i++) LT_TRY(lt_expr_eval(expr->args[i], bindings, &in[i], err));
        return eval_modular(in, out, err);
    default: break;
    }
    if (!expr->n) LT_FAIL(err, FORMAT, "symbolic function without arguments");
    LT_TRY(lt_expr_eval(expr->args[0], bindings, &in[0], err));
    if (expr->n == 1) return eval_unary(expr->op, &in[0], out, err);
    for (uint32_t i = 1; i < expr->n; i++) {
        LT_TRY(lt_expr_eval(expr->args[i], bindings, &in[1], err));
        LT_TRY(eval_pair(expr->op, &in[0], &in[1], &in[2], err));
        in[0] = in[2];
    }
    *out = in[0];
    return LATHE_OK;
}

lathe_status lt_xdim_eval(const lt_xdim *dim, const int64_t *bindings, int64_t *out, lathe_error *err)
{
    lt_number number;
    *out = dim->value;
    if (!dim->expr) return LATHE_OK;
    LT_TRY(lt_expr_eval(dim->expr, bindings, &number, err));
    if (number.is_float) {
        double near = nearbyint(number.f); /* products with fractions are a rounding error away from whole */
        if (!(fabs(number.f - near) <= 1e-6 * fmax(1, fabs(near))))
            LT_FAIL(err, TYPE, "symbolic size %g is no whole number", number.f);
        LT_TRY(to_integer(near, &number, err));
    }
    *out = number.i;
    return LATHE_OK;
}

uint32_t lt_expr_symbol(const lt_expr *expr) { return expr->op == EXPR_SYMBOL ? expr->symbol : LT_NONE; }

/* ---- Solving ---- */

/* The unbound symbol, when there is exactly one; LT_NONE when there is none, LT_NONE - 1 when there are
 * several. */
static uint32_t unbound_symbol(const lt_expr *expr, const int64_t *bindings)
{
    if (expr->op == EXPR_SYMBOL) return bindings[expr->symbol] == LT_UNBOUND ? expr->symbol : LT_NONE;
    uint32_t found = LT_NONE;
    for (uint32_t i = 0; i < expr->n; i++) {
        uint32_t symbol = unbound_symbol(expr->args[i], bindings);
        if (symbol == LT_NONE || symbol == found) continue;
        if (found != LT_NONE) return LT_NONE - 1;
        found = symbol;
    }
    return found;
}

static bool eval_at(const lt_expr *expr, int64_t *bindings, uint32_t symbol, int64_t at, int64_t *out)
{
    bindings[symbol] = at;
    bool known = lt_xdim_eval(&(lt_xdim){.expr = expr}, bindings, out, NULL) == LATHE_OK;
    bindings[symbol] = LT_UNBOUND;
    return known;
}

bool lt_expr_solve(const lt_expr *expr, int64_t *bindings, int64_t size, uint32_t *symbol, int64_t *value)
{
    static const int64_t points[] = {1, 2, 3, 5, 1001};
    int64_t at[LT_COUNT(points)], slope, check;
    *symbol = unbound_symbol(expr, bindings);
    if (*symbol >= LT_NONE - 1) return false;
    *value = size;
    if (expr->op == EXPR_SYMBOL) return true;
    for (size_t i = 0; i < LT_COUNT(points); i++)
        if (!eval_at(expr, bindings, *symbol, points[i], &at[i])) return false;
    if (!lt_sub_i64(at[1], at[0], &slope) || slope == 0) return false;
    for (size_t i = 1; i < LT_COUNT(points); i++) { /* a straight line? */
        int64_t rise;
        if (!lt_mul_i64(slope, points[i] - 1, &rise) || !lt_add_i64(at[0], rise, &rise) || rise != at[i])
            return false;
    }
    int64_t from_first;
    if (!lt_sub_i64(size, at[0], &from_first) || (from_first == INT64_MIN && slope == -1)) return false;
    return lt_add_i64(from_first / slope, 1, value) && *value >= 0 &&
           eval_at(expr, bindings, *symbol, *value, &check) && check == size;
}

/* ---- Text ---- */

typedef enum lt_precedence { PREC_SUM, PREC_PRODUCT, PREC_ATOM } lt_precedence;

static void print(const lt_expr *expr, lt_precedence outside, lt_text *text);

static void print_infix(const lt_expr *expr, const char *infix, lt_precedence own, lt_precedence outside,
                        lt_text *text)
{
    if (own < outside) lt_text_printf(text, "(");
    for (uint32_t i = 0; i < expr->n; i++) {
        const lt_expr *term = expr->args[i];
        bool minus =
            i && expr->op == EXPR_ADD && term->op == EXPR_INTEGER && term->i < 0 && term->i > INT64_MIN;
        if (minus) {
            lt_text_printf(text, " - %lld", (long long)-term->i);
            continue;
        }
        if (i) lt_text_printf(text, "%s", infix);
        /* a // (b * c) keeps its brackets: products group from the left */
        print(term, own == PREC_PRODUCT && (i || expr->op != EXPR_MUL) ? PREC_ATOM : own, text);
    }
    if (own < outside) lt_text_printf(text, ")");
}

static void print(const lt_expr *expr, lt_precedence outside, lt_text *text)
{
    switch (expr->op) {
    case EXPR_SYMBOL: lt_text_printf(text, "%s", expr->name); return;
    case EXPR_INTEGER: lt_text_printf(text, "%lld", (long long)expr->i); return;
    case EXPR_FLOAT: lt_text_printf(text, "%g", expr->f); return;
    case EXPR_ADD: print_infix(expr, " + ", PREC_SUM, outside, text); return;
    case EXPR_MUL: print_infix(expr, "*", PREC_PRODUCT, outside, text); return;
    case EXPR_FLOORDIV: print_infix(expr, "//", PREC_PRODUCT, outside, text); return;
    case EXPR_MOD: print_infix(expr, " % ", PREC_PRODUCT, outside, text); return;
    case EXPR_RATIONAL: print_infix(expr, "/", PREC_PRODUCT, outside, text); return;
    default: break;
    }
    lt_text_printf(text, "%s(", lt_expr_function(expr->op));
    for (uint32_t i = 0; i < expr->n; i++) {
        if (i) lt_text_printf(text, ", ");
        print(expr->args[i], PREC_SUM, text);
    }
    lt_text_printf(text, ")");
}

void lt_expr_print(const lt_expr *expr, lt_text *text) { print(expr, PREC_SUM, text); }
