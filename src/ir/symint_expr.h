/* Expressions, for the files that parse and evaluate them. */
#ifndef LT_SYMINT_EXPR_H
#define LT_SYMINT_EXPR_H

#include "ir/symint.h"

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
    EXPR_IDENTITY,
    EXPR_CEILDIV,
    EXPR_ABS
} lt_expr_op;

/* Nesting is bounded by the parsers, so everything else may recurse. */
enum { LT_EXPR_DEPTH = 64, LT_EXPR_ARGS = 64 };

struct lt_expr {
    lt_expr_op op;
    uint32_t symbol, n; /* SYMBOL: its number; n: arguments */
    const char *name;   /* SYMBOL */
    int64_t i;          /* INTEGER */
    double f;           /* FLOAT */
    const lt_expr **args;
};

/* The name of a function in srepr; "?" for operators that are none. */
const char *lt_expr_function(lt_expr_op op);

#endif
