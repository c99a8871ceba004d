/* Parser and evaluator of sympy srepr integers. */
#include "ir/symint.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum lt_expr_op {
    EXPR_SYMBOL,
    EXPR_INTEGER,
    EXPR_FLOAT,
    EXPR_ADD,
    EXPR_MUL,
    EXPR_POW,
    EXPR_FLOORDIV,
    EXPR_CLEANDIV,
    EXPR_MOD,
    EXPR_PYTHONMOD,
    EXPR_MODULAR_INDEXING,
    EXPR_RATIONAL,
    EXPR_MAX,
    EXPR_MIN,
    EXPR_TRUNC,
    EXPR_CEIL,
    EXPR_FLOOR,
    EXPR_ROUND,
    EXPR_TOFLOAT,
    EXPR_TRUEDIV,
    EXPR_GT,
    EXPR_GE,
    EXPR_LT,
    EXPR_LE,
    EXPR_EQ,
    EXPR_NE,
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT,
    EXPR_PIECEWISE,
    EXPR_PAIR,
    EXPR_IDENTITY
} lt_expr_op;

enum { MAX_DEPTH = 64, MAX_ARGS = 64 };

struct lt_expr {
    lt_expr_op op;
    uint32_t symbol, n;
    const char *name; /* of a symbol */
    int64_t i;
    double f;
    const lt_expr **args;
};

static const struct {
    const char *name;
    lt_expr_op op;
} functions[] = {
    {"Add", EXPR_ADD},
    {"Mul", EXPR_MUL},
    {"Pow", EXPR_POW},
    {"PowByNatural", EXPR_POW},
    {"FloatPow", EXPR_POW},
    {"FloorDiv", EXPR_FLOORDIV},
    {"CleanDiv", EXPR_CLEANDIV},
    {"CeilDiv", EXPR_CEIL},
    {"Mod", EXPR_MOD},
    {"PythonMod", EXPR_PYTHONMOD},
    {"ModularIndexing", EXPR_MODULAR_INDEXING},
    {"Rational", EXPR_RATIONAL},
    {"Max", EXPR_MAX},
    {"Min", EXPR_MIN},
    {"TruncToInt", EXPR_TRUNC},
    {"TruncToFloat", EXPR_TRUNC},
    {"CeilToInt", EXPR_CEIL},
    {"ceiling", EXPR_CEIL},
    {"FloorToInt", EXPR_FLOOR},
    {"floor", EXPR_FLOOR},
    {"RoundToInt", EXPR_ROUND},
    {"ToFloat", EXPR_TOFLOAT},
    {"IntTrueDiv", EXPR_TRUEDIV},
    {"FloatTrueDiv", EXPR_TRUEDIV},
    {"GreaterThan", EXPR_GE},
    {"LessThan", EXPR_LE},
    {"StrictGreaterThan", EXPR_GT},
    {"StrictLessThan", EXPR_LT},
    {"Equality", EXPR_EQ},
    {"Unequality", EXPR_NE},
    {"And", EXPR_AND},
    {"Or", EXPR_OR},
    {"Not", EXPR_NOT},
    {"Piecewise", EXPR_PIECEWISE},
    {"ExprCondPair", EXPR_PAIR},
    {"Tuple", EXPR_PAIR},
    {"Identity", EXPR_IDENTITY},
};

typedef struct lt_parser {
    const char *at, *start;
    lt_arena *arena;
    const lt_symbols *symbols;
    lathe_error *err;
    int depth;
} lt_parser;

static lathe_status parse(lt_parser *p, const lt_expr **out);

static lathe_status fail(const lt_parser *p, const char *expected)
{
    LT_FAIL(p->err, FORMAT, "symbolic expression '%.80s': expected %s at column %d", p->start, expected,
            (int)(p->at - p->start) + 1);
}

static void skip_space(lt_parser *p)
{
    while (*p->at == ' ') p->at++;
}

static bool take(lt_parser *p, char c)
{
    skip_space(p);
    if (*p->at != c) return false;
    p->at++;
    return true;
}

/* Skips ", key=word" arguments: assumptions and precisions that do not change the value. */
static lathe_status close_call(lt_parser *p)
{
    while (take(p, ',')) {
        skip_space(p);
        while (isalnum((unsigned char)*p->at) || *p->at == '_' || *p->at == '=') p->at++;
    }
    return take(p, ')') ? LATHE_OK : fail(p, "')'");
}

static lathe_status parse_quoted(lt_parser *p, char *buffer, size_t size)
{
    skip_space(p);
    char quote = *p->at;
    if (quote != '\'' && quote != '"') return fail(p, "a quoted name");
    size_t n = 0;
    for (p->at++; *p->at && *p->at != quote; p->at++) {
        if (n + 1 >= size) return fail(p, "a shorter name");
        buffer[n++] = *p->at;
    }
    buffer[n] = '\0';
    return take(p, quote) ? LATHE_OK : fail(p, "a closing quote");
}

static lathe_status parse_leaf(lt_parser *p, const char *name, lt_expr *expr)
{
    char text[128];
    if (strcmp(name, "Integer") == 0) {
        skip_space(p);
        char *end;
        expr->op = EXPR_INTEGER;
        expr->i = strtoll(p->at, &end, 10);
        if (end == p->at) return fail(p, "an integer");
        p->at = end;
        return close_call(p);
    }
    LT_TRY(parse_quoted(p, text, sizeof text));
    if (strcmp(name, "Float") == 0) {
        expr->op = EXPR_FLOAT;
        expr->f = strtod(text, NULL);
        return close_call(p);
    }
    expr->op = EXPR_SYMBOL;
    expr->name = lt_arena_strdup(p->arena, text);
    if (!expr->name) return lt_out_of_memory(p->err, 1, sizeof text);
    LT_TRY(p->symbols->intern(p->symbols->context, text, &expr->symbol, p->err));
    return close_call(p);
}

static lathe_status parse_args(lt_parser *p, lt_expr *expr, const char *open_close)
{
    const lt_expr *args[MAX_ARGS];
    if (!take(p, open_close[1])) {
        do {
            if (expr->n == MAX_ARGS) return fail(p, "fewer arguments");
            LT_TRY(parse(p, &args[expr->n++]));
        } while (take(p, ','));
        if (!take(p, open_close[1])) return fail(p, "')'");
    }
    LT_ALLOC(p->arena, expr->args, expr->n, p->err);
    for (uint32_t i = 0; i < expr->n; i++) expr->args[i] = args[i];
    return LATHE_OK;
}

static lathe_status parse_integer(lt_parser *p, lt_expr *expr)
{
    char *end;
    expr->op = EXPR_INTEGER;
    expr->i = strtoll(p->at, &end, 10);
    p->at = end;
    return LATHE_OK;
}

static lathe_status parse_node(lt_parser *p, lt_expr *expr)
{
    char name[64];
    size_t n = 0;
    skip_space(p);
    if (*p->at == '-' || isdigit((unsigned char)*p->at)) return parse_integer(p, expr);
    if (take(p, '(')) {
        expr->op = EXPR_PAIR;
        return parse_args(p, expr, "()");
    }
    while (isalnum((unsigned char)*p->at) || *p->at == '_' || *p->at == '.') {
        if (n + 1 >= sizeof name) return fail(p, "a shorter function name");
        name[n++] = *p->at++;
    }
    name[n] = '\0';
    const char *plain = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
    if (strcmp(plain, "true") == 0 || strcmp(plain, "false") == 0) {
        expr->op = EXPR_INTEGER;
        expr->i = plain[0] == 't';
        return LATHE_OK;
    }
    if (!take(p, '(')) return fail(p, "a function call");
    if (strcmp(plain, "Symbol") == 0 || strcmp(plain, "Integer") == 0 || strcmp(plain, "Float") == 0)
        return parse_leaf(p, plain, expr);
    for (size_t i = 0; i < LT_COUNT(functions); i++)
        if (strcmp(functions[i].name, plain) == 0) {
            expr->op = functions[i].op;
            return parse_args(p, expr, "()");
        }
    LT_FAIL(p->err, UNSUPPORTED, "symbolic expression '%.80s': function %s", p->start, plain);
}

static lathe_status parse(lt_parser *p, const lt_expr **out)
{
    lt_expr *expr;
    LT_ALLOC(p->arena, expr, 1, p->err);
    if (++p->depth > MAX_DEPTH) return fail(p, "less nesting");
    LT_TRY(parse_node(p, expr));
    p->depth--;
    *out = expr;
    return LATHE_OK;
}

lathe_status lt_expr_parse(lt_arena *arena, const char *text, const lt_symbols *symbols, const lt_expr **out,
                           lathe_error *err)
{
    lt_parser p = {.at = text, .start = text, .arena = arena, .symbols = symbols, .err = err};
    LT_TRY(parse(&p, out));
    skip_space(&p);
    return *p.at ? fail(&p, "the end") : LATHE_OK;
}

static double as_float(const lt_number *x) { return x->is_float ? x->f : (double)x->i; }

static lathe_status to_integer(double x, lt_number *out, lathe_error *err)
{
    if (!(x >= -0x1p62 && x <= 0x1p62)) LT_FAIL(err, LIMIT, "symbolic size %g does not fit", x);
    *out = (lt_number){.i = (int64_t)x};
    return LATHE_OK;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static lathe_status eval_integers(lt_expr_op op, int64_t a, int64_t b, lt_number *out, lathe_error *err)
{
    bool fits = true;
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
        if (b == 0 || (a == INT64_MIN && b == -1))
            LT_FAIL(err, LIMIT, "symbolic size divides %lld by %lld", (long long)a, (long long)b);
        out->i = op == EXPR_MOD || op == EXPR_PYTHONMOD ? a - b * floor_div(a, b) : floor_div(a, b);
    }
    if (!fits) LT_FAIL(err, LIMIT, "symbolic size overflows");
    return LATHE_OK;
}

static lathe_status eval_pair(lt_expr_op op, const lt_number *a, const lt_number *b, lt_number *out,
                              lathe_error *err)
{
    double x = as_float(a), y = as_float(b);
    switch (op) {
    case EXPR_GT: *out = (lt_number){.i = x > y}; return LATHE_OK;
    case EXPR_GE: *out = (lt_number){.i = x >= y}; return LATHE_OK;
    case EXPR_LT: *out = (lt_number){.i = x < y}; return LATHE_OK;
    case EXPR_LE: *out = (lt_number){.i = x <= y}; return LATHE_OK;
    case EXPR_EQ: *out = (lt_number){.i = !(x < y) && !(x > y)}; return LATHE_OK;
    case EXPR_NE: *out = (lt_number){.i = x < y || x > y}; return LATHE_OK;
    case EXPR_AND: *out = (lt_number){.i = a->i && b->i}; return LATHE_OK;
    case EXPR_OR: *out = (lt_number){.i = a->i || b->i}; return LATHE_OK;
    case EXPR_TRUEDIV:
    case EXPR_RATIONAL: *out = (lt_number){.is_float = true, .f = x / y}; return LATHE_OK;
    default: break;
    }
    bool negative_power = op == EXPR_POW && !b->is_float && b->i < 0;
    if (!a->is_float && !b->is_float && !negative_power) return eval_integers(op, a->i, b->i, out, err);
    out->is_float = true;
    switch (op) {
    case EXPR_ADD: out->f = x + y; break;
    case EXPR_MUL: out->f = x * y; break;
    case EXPR_MAX: out->f = fmax(x, y); break;
    case EXPR_MIN: out->f = fmin(x, y); break;
    case EXPR_POW: out->f = pow(x, y); break;
    case EXPR_MOD:
    case EXPR_PYTHONMOD: out->f = x - y * floor(x / y); break;
    default: out->f = floor(x / y);
    }
    return LATHE_OK;
}

static lathe_status eval_unary(lt_expr_op op, const lt_number *a, lt_number *out, lathe_error *err)
{
    double x = as_float(a);
    switch (op) {
    case EXPR_NOT: *out = (lt_number){.i = !a->i}; return LATHE_OK;
    case EXPR_TOFLOAT: *out = (lt_number){.is_float = true, .f = x}; return LATHE_OK;
    case EXPR_TRUNC: return to_integer(trunc(x), out, err);
    case EXPR_CEIL: return to_integer(ceil(x), out, err);
    case EXPR_FLOOR: return to_integer(floor(x), out, err);
    case EXPR_ROUND: return to_integer(nearbyint(x), out, err);
    default: *out = *a; return LATHE_OK;
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
        if (holds.i) return lt_expr_eval(pair->args[0], bindings, out, err);
    }
    LT_FAIL(err, LIMIT, "no case of a Piecewise size holds");
}

/* Depth is bounded by the parser. */
lathe_status lt_expr_eval(const lt_expr *expr, const int64_t *bindings, lt_number *out, lathe_error *err)
{
    switch (expr->op) {
    case EXPR_INTEGER: *out = (lt_number){.i = expr->i}; return LATHE_OK;
    case EXPR_FLOAT: *out = (lt_number){.is_float = true, .f = expr->f}; return LATHE_OK;
    case EXPR_SYMBOL:
        if (bindings[expr->symbol] == LT_UNBOUND)
            LT_FAIL(err, UNSUPPORTED, "size '%s' depends on the data: it is not known before the graph runs",
                    expr->name);
        *out = (lt_number){.i = bindings[expr->symbol]};
        return LATHE_OK;
    case EXPR_PIECEWISE: return eval_piecewise(expr, bindings, out, err);
    default: break;
    }
    if (!expr->n) LT_FAIL(err, FORMAT, "symbolic function without arguments");
    LT_TRY(lt_expr_eval(expr->args[0], bindings, out, err));
    lt_number a = *out;
    if (expr->n == 1) return eval_unary(expr->op, &a, out, err);
    if (expr->op == EXPR_MODULAR_INDEXING && expr->n == 3) { /* (a // b) % c */
        lt_number b, c, q;
        LT_TRY(lt_expr_eval(expr->args[1], bindings, &b, err));
        LT_TRY(lt_expr_eval(expr->args[2], bindings, &c, err));
        LT_TRY(eval_integers(EXPR_FLOORDIV, a.i, b.i, &q, err));
        return eval_integers(EXPR_MOD, q.i, c.i, out, err);
    }
    for (uint32_t i = 1; i < expr->n; i++) {
        lt_number b;
        LT_TRY(lt_expr_eval(expr->args[i], bindings, &b, err));
        if (expr->op == EXPR_CEIL) { /* CeilDiv */
            LT_TRY(eval_integers(EXPR_FLOORDIV, a.i, b.i ? -b.i : 0, out, err));
            out->i = -out->i;
        } else {
            LT_TRY(eval_pair(expr->op, &a, &b, out, err));
        }
        a = *out;
    }
    return LATHE_OK;
}

lathe_status lt_xdim_eval(const lt_xdim *dim, const int64_t *bindings, int64_t *out, lathe_error *err)
{
    lt_number number;
    *out = dim->value;
    if (!dim->expr) return LATHE_OK;
    LT_TRY(lt_expr_eval(dim->expr, bindings, &number, err));
    if (number.is_float) LT_TRY(to_integer(number.f, &number, err));
    *out = number.i;
    return LATHE_OK;
}

uint32_t lt_expr_symbol(const lt_expr *expr) { return expr->op == EXPR_SYMBOL ? expr->symbol : LT_NONE; }

void lt_expr_print(const lt_expr *expr, lt_text *text)
{
    const char *infix = expr->op == EXPR_ADD        ? " + "
                        : expr->op == EXPR_MUL      ? "*"
                        : expr->op == EXPR_FLOORDIV ? "//"
                                                    : ", ";
    switch (expr->op) {
    case EXPR_SYMBOL: lt_text_printf(text, "%s", expr->name); return;
    case EXPR_INTEGER: lt_text_printf(text, "%lld", (long long)expr->i); return;
    case EXPR_FLOAT: lt_text_printf(text, "%g", expr->f); return;
    default: break;
    }
    if (*infix == ',')
        for (size_t i = 0; i < LT_COUNT(functions); i++)
            if (functions[i].op == expr->op) {
                lt_text_printf(text, "%s", functions[i].name);
                break;
            }
    lt_text_printf(text, "(");
    for (uint32_t i = 0; i < expr->n; i++) {
        if (i) lt_text_printf(text, "%s", infix);
        lt_expr_print(expr->args[i], text);
    }
    lt_text_printf(text, ")");
}
