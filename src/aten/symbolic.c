/* Arithmetic on Python numbers, with Python's rules. */
#include "aten/symbolic.h"

#include <math.h>
#include <string.h>

typedef enum lt_sym_op {
    SYM_ADD,
    SYM_SUB,
    SYM_MUL,
    SYM_FLOORDIV,
    SYM_TRUEDIV,
    SYM_MOD,
    SYM_POW,
    SYM_EQ,
    SYM_NE,
    SYM_LT,
    SYM_LE,
    SYM_GT,
    SYM_GE,
    SYM_AND,
    SYM_OR,
    SYM_MAX,
    SYM_MIN,
    SYM_NEG,
    SYM_POS,
    SYM_NOT,
    SYM_ABS,
    SYM_CEIL,
    SYM_FLOOR,
    SYM_TRUNC,
    SYM_ROUND,
    SYM_INT,
    SYM_FLOAT,
    SYM_SQRT,
    SYM_ITE
} lt_sym_op;

static const struct {
    const char *target;
    lt_sym_op op;
    uint32_t n;
} table[] = {
    {"_operator.add", SYM_ADD, 2},
    {"_operator.sub", SYM_SUB, 2},
    {"_operator.mul", SYM_MUL, 2},
    {"_operator.floordiv", SYM_FLOORDIV, 2},
    {"_operator.truediv", SYM_TRUEDIV, 2},
    {"_operator.mod", SYM_MOD, 2},
    {"_operator.pow", SYM_POW, 2},
    {"_operator.eq", SYM_EQ, 2},
    {"_operator.ne", SYM_NE, 2},
    {"_operator.lt", SYM_LT, 2},
    {"_operator.le", SYM_LE, 2},
    {"_operator.gt", SYM_GT, 2},
    {"_operator.ge", SYM_GE, 2},
    {"_operator.and_", SYM_AND, 2},
    {"_operator.or_", SYM_OR, 2},
    {"_operator.neg", SYM_NEG, 1},
    {"_operator.pos", SYM_POS, 1},
    {"_operator.abs", SYM_ABS, 1},
    {"math.ceil", SYM_CEIL, 1},
    {"math.floor", SYM_FLOOR, 1},
    {"math.trunc", SYM_TRUNC, 1},
    {"math.sqrt", SYM_SQRT, 1},
    {"builtins.round", SYM_ROUND, 1},
    {"builtins.abs", SYM_ABS, 1},
    {"builtins.max", SYM_MAX, 2},
    {"builtins.min", SYM_MIN, 2},
    {"torch.sym_max", SYM_MAX, 2},
    {"torch.sym_min", SYM_MIN, 2},
    {"torch.sym_int", SYM_INT, 1},
    {"torch.sym_float", SYM_FLOAT, 1},
    {"torch.sym_not", SYM_NOT, 1},
    {"torch.sym_ite", SYM_ITE, 3},
    {"torch.sym_sqrt", SYM_SQRT, 1},
    {"torch._sym_sqrt", SYM_SQRT, 1},
};

static size_t find(const char *target)
{
    size_t i = 0;
    while (i < LT_COUNT(table) && strcmp(table[i].target, target) != 0) i++;
    return i;
}

bool lt_symbolic_known(const char *target) { return find(target) < LT_COUNT(table); }

static double as_float(const lt_arg *arg)
{
    return arg->kind == LT_ARG_FLOAT ? arg->f : arg->kind == LT_ARG_BOOL ? arg->b : (double)arg->i;
}
static int64_t as_int(const lt_arg *arg) { return arg->kind == LT_ARG_BOOL ? arg->b : arg->i; }
static lt_arg make_int(int64_t i) { return (lt_arg){.kind = LT_ARG_INT, .i = i}; }
static lt_arg make_float(double f) { return (lt_arg){.kind = LT_ARG_FLOAT, .f = f}; }
static lt_arg make_bool(bool b) { return (lt_arg){.kind = LT_ARG_BOOL, .b = b}; }

static lathe_status round_to_int(double x, lt_arg *out, lathe_error *err)
{
    if (!lt_fits_i64(x)) LT_FAIL(err, LIMIT, "size %g does not fit", x);
    *out = make_int((int64_t)x);
    return LATHE_OK;
}

static lathe_status eval_integers(lt_sym_op op, int64_t a, int64_t b, lt_arg *out, lathe_error *err)
{
    int64_t r = 0;
    bool fits = true;
    switch (op) {
    case SYM_ADD: fits = lt_add_i64(a, b, &r); break;
    case SYM_SUB: fits = lt_sub_i64(a, b, &r); break;
    case SYM_MUL: fits = lt_mul_i64(a, b, &r); break;
    case SYM_POW:
        fits = b >= 0 && b <= 63;
        for (r = 1; fits && b > 0; b--) fits = lt_mul_i64(r, a, &r);
        break;
    default: /* floordiv, mod */
        if (b == 0 || (a == INT64_MIN && b == -1))
            LT_FAIL(err, LIMIT, "size arithmetic divides %lld by %lld", (long long)a, (long long)b);
        r = a / b;
        if (a % b != 0 && (a < 0) != (b < 0)) r--;
        if (op == SYM_MOD) r = a - b * r;
    }
    if (!fits) LT_FAIL(err, LIMIT, "size arithmetic overflows");
    *out = make_int(r);
    return LATHE_OK;
}

static lathe_status eval_floats(lt_sym_op op, double a, double b, lt_arg *out)
{
    double r = 0;
    switch (op) {
    case SYM_ADD: r = a + b; break;
    case SYM_SUB: r = a - b; break;
    case SYM_MUL: r = a * b; break;
    case SYM_POW: r = pow(a, b); break;
    case SYM_MOD: r = a - b * floor(a / b); break;
    default: r = floor(a / b);
    }
    *out = make_float(r);
    return LATHE_OK;
}

static lathe_status eval_unary(lt_sym_op op, const lt_arg *a, lt_arg *out, lathe_error *err)
{
    double x = as_float(a);
    bool whole = a->kind != LT_ARG_FLOAT;
    switch (op) {
    case SYM_NEG:
        return whole ? eval_integers(SYM_SUB, 0, as_int(a), out, err) : eval_floats(SYM_SUB, 0, x, out);
    case SYM_NOT: *out = make_bool(x == 0); return LATHE_OK;
    case SYM_FLOAT: *out = make_float(x); return LATHE_OK;
    case SYM_SQRT: *out = make_float(sqrt(x)); return LATHE_OK;
    case SYM_ABS:
        if (whole && as_int(a) < 0) return eval_integers(SYM_SUB, 0, as_int(a), out, err);
        *out = whole ? make_int(as_int(a)) : make_float(fabs(x));
        return LATHE_OK;
    case SYM_POS: *out = *a; return LATHE_OK;
    default: break;
    }
    if (whole) {
        *out = make_int(as_int(a));
        return LATHE_OK;
    }
    return round_to_int(op == SYM_CEIL    ? ceil(x)
                        : op == SYM_FLOOR ? floor(x)
                        : op == SYM_ROUND ? nearbyint(x)
                                          : trunc(x),
                        out, err);
}

static bool compare(lt_sym_op op, double a, double b)
{
    switch (op) {
    case SYM_EQ: return a >= b && a <= b;
    case SYM_NE: return a < b || a > b;
    case SYM_LT: return a < b;
    case SYM_LE: return a <= b;
    case SYM_GT: return a > b;
    default: return a >= b;
    }
}

static lathe_status eval_binary(lt_sym_op op, const lt_arg *a, const lt_arg *b, lt_arg *out, lathe_error *err)
{
    double x = as_float(a), y = as_float(b);
    switch (op) {
    case SYM_TRUEDIV: *out = make_float(x / y); return LATHE_OK;
    case SYM_MAX: *out = x >= y ? *a : *b; return LATHE_OK;
    case SYM_MIN: *out = x <= y ? *a : *b; return LATHE_OK;
    case SYM_AND: *out = make_bool(x != 0 && y != 0); return LATHE_OK;
    case SYM_OR: *out = make_bool(x != 0 || y != 0); return LATHE_OK;
    default: break;
    }
    if (op >= SYM_EQ && op <= SYM_GE) {
        *out = make_bool(compare(op, x, y));
        return LATHE_OK;
    }
    if (a->kind == LT_ARG_FLOAT || b->kind == LT_ARG_FLOAT) return eval_floats(op, x, y, out);
    return eval_integers(op, as_int(a), as_int(b), out, err);
}

lathe_status lt_symbolic_eval(const char *target, const lt_arg *args, uint32_t n, lt_arg *out,
                              lathe_error *err)
{
    size_t row = find(target);
    if (row == LT_COUNT(table)) LT_FAIL(err, UNSUPPORTED, "%s", target);
    if (n != table[row].n) LT_FAIL(err, FORMAT, "%u arguments, expected %u", n, table[row].n);
    for (uint32_t i = 0; i < n; i++) {
        if (args[i].kind == LT_ARG_INT || args[i].kind == LT_ARG_FLOAT || args[i].kind == LT_ARG_BOOL)
            continue;
        if (args[i].kind != LT_ARG_TENSOR && args[i].kind != LT_ARG_OTHER)
            LT_FAIL(err, FORMAT, "argument %u is not a number", i);
        *out = (lt_arg){.kind = LT_ARG_OTHER, .text = "a number that only a run knows"};
        return LATHE_OK;
    }
    if (table[row].op == SYM_ITE) {
        *out = as_int(&args[0]) ? args[1] : args[2];
        return LATHE_OK;
    }
    return n == 1 ? eval_unary(table[row].op, &args[0], out, err)
                  : eval_binary(table[row].op, &args[0], &args[1], out, err);
}
