/* Attributes as lists of numbers, for files: the fields of an operator's struct in their order. */
#ifndef LT_ATTR_LIST_H
#define LT_ATTR_LIST_H

#include "base/str.h"
#include "ir/op.h"

enum { LT_ATTR_INTS = 128, LT_ATTR_REALS = 8 };

typedef struct lt_attr_list {
    int64_t ints[LT_ATTR_INTS];
    double reals[LT_ATTR_REALS];
    int n_ints, n_reals;  /* without the zeros at the end */
    const char *formulas; /* of a chain, its steps: "mul,add,cast"; else "" */
} lt_attr_list;

/* The texts are in `arena`. */
lathe_status lt_attr_list_write(lt_op op, const lt_attrs *attrs, lt_arena *arena, lt_attr_list *out,
                                lathe_error *err) LT_MUST_USE;

/* The lists may say anything: what no field can be is an error. What does not fit the operands, the
 * operator's type rule refuses. */
lathe_status lt_attr_list_read(lt_op op, const lt_attr_list *list, lt_attrs *attrs,
                               lathe_error *err) LT_MUST_USE;

/* The operator of that name; LT_OP_COUNT: there is none. */
lt_op lt_op_find(const char *name, size_t length);

#endif
