/* Sympy's srepr text: read and written. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ir/symint_expr.h"

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
    {"CeilDiv", EXPR_CEILDIV},
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
    {"Abs", EXPR_ABS},
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

static lathe_status parse_integer(lt_parser *p, lt_expr *expr)
{
    char *end;
    errno = 0;
    expr->op = EXPR_INTEGER;
    expr->i = strtoll(p->at, &end, 10);
    if (end == p->at || errno == ERANGE) return fail(p, "an integer of 64 bits");
    p->at = end;
    return LATHE_OK;
}

static lathe_status parse_leaf(lt_parser *p, const char *name, lt_expr *expr)
{
    char text[128];
    if (strcmp(name, "Integer") == 0) {
        LT_TRY(parse_integer(p, expr));
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
    const lt_expr *args[LT_EXPR_ARGS];
    if (!take(p, open_close[1])) {
        do {
            if (expr->n == LT_EXPR_ARGS) return fail(p, "fewer arguments");
            LT_TRY(parse(p, &args[expr->n++]));
        } while (take(p, ','));
        if (!take(p, open_close[1])) return fail(p, "')'");
    }
    LT_ALLOC(p->arena, expr->args, expr->n, p->err);
    for (uint32_t i = 0; i < expr->n; i++) expr->args[i] = args[i];
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
    if (++p->depth > LT_EXPR_DEPTH) return fail(p, "less nesting");
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

const char *lt_expr_function(lt_expr_op op)
{
    for (size_t i = 0; i < LT_COUNT(functions); i++)
        if (functions[i].op == op) return functions[i].name;
    return "?";
}

void lt_expr_write(const lt_expr *expr, lt_text *text)
{
    char quote = expr->name && strchr(expr->name, '\'') ? '"' : '\'';
    switch (expr->op) {
    case EXPR_INTEGER: lt_text_printf(text, "%lld", (long long)expr->i); return;
    case EXPR_FLOAT: lt_text_printf(text, "Float('%.17g')", expr->f); return;
    case EXPR_SYMBOL: lt_text_printf(text, "Symbol(%c%s%c)", quote, expr->name, quote); return;
    default: break;
    }
    lt_text_printf(text, "%s(", lt_expr_function(expr->op));
    for (uint32_t i = 0; i < expr->n; i++) {
        if (i) lt_text_printf(text, ", ");
        lt_expr_write(expr->args[i], text);
    }
    lt_text_printf(text, ")");
}
