/* Parser of the conditions that torch.export writes as Python text: comparisons of sums and products of the
 * sizes of inputs, L['x'].size()[0] * 2 <= 64. Anything else is left to Python. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir/symint_expr.h"

typedef struct lt_guard_parser {
    const char *at;
    lt_arena *arena;
    const lt_sizes *sizes;
    int depth;
} lt_guard_parser;

typedef struct lt_infix {
    const char *text;
    lt_expr_op op;
} lt_infix;

static const lt_expr *parse_comparison(lt_guard_parser *p);

static bool take(lt_guard_parser *p, const char *text)
{
    while (*p->at == ' ') p->at++;
    if (!lt_str_starts_with(p->at, text)) return false;
    p->at += strlen(text);
    return true;
}

/* NULL when an argument is: out of memory and text that is not understood look the same to the caller. */
static const lt_expr *make(lt_guard_parser *p, lt_expr_op op, const lt_expr *a, const lt_expr *b)
{
    lt_expr *expr = a && b ? lt_arena_alloc(p->arena, 1, sizeof *expr) : NULL;
    if (!expr) return NULL;
    *expr = (lt_expr){.op = op, .n = 2, .args = lt_arena_alloc(p->arena, 2, sizeof *expr->args)};
    if (!expr->args) return NULL;
    expr->args[0] = a;
    expr->args[1] = b;
    return expr;
}

static const lt_expr *make_integer(lt_guard_parser *p, int64_t value)
{
    lt_expr *expr = lt_arena_alloc(p->arena, 1, sizeof *expr);
    if (expr) *expr = (lt_expr){.op = EXPR_INTEGER, .i = value};
    return expr;
}

static const lt_expr *parse_integer(lt_guard_parser *p)
{
    char *end;
    if (!isdigit((unsigned char)*p->at)) return NULL;
    int64_t value = strtoll(p->at, &end, 10);
    p->at = end;
    return value == INT64_MAX ? NULL : make_integer(p, value);
}

/* L['kv'][1].size()[2]: the name is "kv[1]", as inputs are labelled. */
static const lt_expr *parse_size(lt_guard_parser *p)
{
    const char *name = p->at, *end = strchr(name, '\'');
    const char *size = strstr(name, ".size()[");
    if (!end || !size || end[1] != ']' || end > size) return NULL;
    char *label =
        lt_arena_printf(p->arena, "%.*s%.*s", (int)(end - name), name, (int)(size - end - 2), end + 2);
    lt_xdim dim;
    p->at = size + strlen(".size()[");
    if (!label || !isdigit((unsigned char)*p->at)) return NULL;
    long index = strtol(p->at, (char **)(uintptr_t)&p->at, 10);
    if (!take(p, "]") || index >= LT_MAX_RANK || !p->sizes->get(p->sizes->context, label, (int)index, &dim))
        return NULL;
    return dim.expr ? dim.expr : make_integer(p, dim.value);
}

static const lt_expr *parse_operand(lt_guard_parser *p)
{
    const lt_expr *inner;
    if (take(p, "L['")) return parse_size(p);
    bool negative = take(p, "-");
    if (!negative && !take(p, "(")) return parse_integer(p);
    if (++p->depth > LT_EXPR_DEPTH) return NULL;
    inner = negative ? make(p, EXPR_MUL, make_integer(p, -1), parse_operand(p)) : parse_comparison(p);
    p->depth--;
    return negative || take(p, ")") ? inner : NULL;
}

static const lt_infix *take_infix(lt_guard_parser *p, const lt_infix *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (take(p, list[i].text)) return &list[i];
    return NULL;
}

/* Chains count as depth, so that evaluating them stays bounded. */
static const lt_expr *parse_product(lt_guard_parser *p)
{
    static const lt_infix list[] = {
        {"//", EXPR_FLOORDIV}, {"*", EXPR_MUL}, {"%", EXPR_MOD}, {"/", EXPR_TRUEDIV}};
    const lt_expr *left = parse_operand(p);
    const lt_infix *infix;
    int depth = p->depth;
    while (left && p->depth++ < LT_EXPR_DEPTH && (infix = take_infix(p, list, LT_COUNT(list))))
        left = make(p, infix->op, left, parse_operand(p));
    p->depth = depth;
    return left;
}

static const lt_expr *parse_sum(lt_guard_parser *p)
{
    const lt_expr *left = parse_product(p);
    int depth = p->depth;
    while (left && p->depth++ < LT_EXPR_DEPTH) {
        if (take(p, "+")) left = make(p, EXPR_ADD, left, parse_product(p));
        else if (take(p, "-"))
            left = make(p, EXPR_ADD, left, make(p, EXPR_MUL, make_integer(p, -1), parse_product(p)));
        else break;
    }
    p->depth = depth;
    return left;
}

static const lt_expr *parse_comparison(lt_guard_parser *p)
{
    static const lt_infix list[] = {{"==", EXPR_EQ}, {"!=", EXPR_NE}, {"<=", EXPR_LE},
                                    {">=", EXPR_GE}, {"<", EXPR_LT},  {">", EXPR_GT}};
    const lt_expr *left = parse_sum(p);
    const lt_infix *infix = left ? take_infix(p, list, LT_COUNT(list)) : NULL;
    return infix ? make(p, infix->op, left, parse_sum(p)) : left;
}

const lt_expr *lt_guard_parse(lt_arena *arena, const char *text, const lt_sizes *sizes)
{
    lt_guard_parser p = {.at = text, .arena = arena, .sizes = sizes};
    const lt_expr *expr = parse_comparison(&p);
    while (*p.at == ' ') p.at++;
    return *p.at ? NULL : expr;
}
