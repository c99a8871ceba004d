/* Symbolic integers: sympy's srepr text parsed into expressions over symbols, evaluated with overflow checks.
 * Nothing is ever executed. */
#ifndef LT_SYMINT_H
#define LT_SYMINT_H

#include "base/str.h"
#include "ir/tensor.h"

typedef struct lt_expr lt_expr;

/* A size, stride or offset: a number, or an expression. */
typedef struct lt_xdim {
    int64_t value; /* when expr is NULL */
    const lt_expr *expr;
} lt_xdim;

/* The value of an expression: sizes are integers, but intermediate results may be real. */
typedef struct lt_number {
    bool is_float;
    int64_t i;
    double f;
} lt_number;

enum { LT_UNBOUND = -1 }; /* a symbol without a value yet: sizes are never negative */

/* Symbols are numbered in the order in which they are first met: `intern` gives a name its number. */
typedef struct lt_symbols {
    void *context;
    lathe_status (*intern)(void *context, const char *name, uint32_t *index, lathe_error *err);
} lt_symbols;

lathe_status lt_expr_parse(lt_arena *arena, const char *text, const lt_symbols *symbols, const lt_expr **out,
                           lathe_error *err) LT_MUST_USE;

/* `bindings` has a value for every symbol; an unbound one is an error that names it. */
lathe_status lt_expr_eval(const lt_expr *expr, const int64_t *bindings, lt_number *out,
                          lathe_error *err) LT_MUST_USE;
lathe_status lt_xdim_eval(const lt_xdim *dim, const int64_t *bindings, int64_t *out,
                          lathe_error *err) LT_MUST_USE;

/* The symbol's number when the expression is a bare symbol; else LT_NONE. */
uint32_t lt_expr_symbol(const lt_expr *expr);

/* Whether the expression is a straight line in exactly one unbound symbol and has the value `size` for a
 * whole number that is not negative: then which symbol, and which number. `bindings` is as before on return.
 */
bool lt_expr_solve(const lt_expr *expr, int64_t *bindings, int64_t size, uint32_t *symbol, int64_t *value);

/* Sizes of inputs by their labels. */
typedef struct lt_sizes {
    void *context;
    bool (*get)(void *context, const char *label, int dim, lt_xdim *out);
} lt_sizes;

/* A condition in Python, "L['x'].size()[0] <= 64"; its value is not zero when it holds. NULL when the text is
 * not one of the simple comparisons that are understood. */
const lt_expr *lt_guard_parse(lt_arena *arena, const char *text, const lt_sizes *sizes);

/* Readable text: "2*s + 1". */
void lt_expr_print(const lt_expr *expr, lt_text *text);

/* Text that lt_expr_parse reads back: "Add(Mul(2, Symbol('s')), 1)". */
void lt_expr_write(const lt_expr *expr, lt_text *text);

#endif
