/* Primitive operators: their ids and what the op table says of each. */
#ifndef LT_OP_H
#define LT_OP_H

#include "ir/attrs.h"

typedef enum lt_op {
#define LT_UNARY_FLOAT(ID, name, f) LT_OP_##ID,
#define LT_UNARY(ID, name, f, i) LT_OP_##ID,
#define LT_TEST(ID, name, f, i) LT_OP_##ID,
#define LT_BINARY_FLOAT(ID, name, f) LT_OP_##ID,
#define LT_BINARY(ID, name, f, i) LT_OP_##ID,
#define LT_COMPARE(ID, name, f) LT_OP_##ID,
#define LT_BITWISE(ID, name, i) LT_OP_##ID,
#define LT_TERNARY_FLOAT(ID, name, f) LT_OP_##ID,
#define LT_TERNARY(ID, name, f) LT_OP_##ID,
#include "ops/scalar.def"
#define LT_OP(ID, name, outputs, flags) LT_OP_##ID,
#include "ops/ops.def"
#undef LT_OP
    LT_OP_COUNT
} lt_op;

enum lt_op_flags {
    LT_OP_NONE = 0,
    LT_OP_VIEW = 1,        /* output may alias input 0 */
    LT_OP_UPDATE = 2,      /* output is input 0 with some elements overwritten: works in place */
    LT_OP_ELEMENTWISE = 4, /* a formula of scalar.def */
    LT_OP_SCRATCH = 8      /* wants working memory */
};

enum { LT_MAX_OUTPUTS = 3 };

/* What an elementwise formula takes and gives. */
typedef enum lt_formula_kind {
    LT_FORMULA_ANY,    /* any class, result of the same */
    LT_FORMULA_FLOAT,  /* floats only: integers become float32 */
    LT_FORMULA_TEST,   /* any class, result bool */
    LT_FORMULA_BITWISE /* integers and bool only */
} lt_formula_kind;

/* One execution of a primitive. */
typedef struct lt_op_call {
    lt_op op;
    const lt_attrs *attrs;
    const lt_tensor *in;  /* [n_in], any strides */
    const lt_tensor *out; /* [n_out]; UPDATE operators: out[0].data may equal in[0].data */
    int n_in;
    void *scratch; /* what the scratch function asked for, 64-byte aligned; contents undefined */
} lt_op_call;

typedef struct lt_op_info {
    const char *name;
    uint8_t n_out, flags;
    uint8_t n_in;            /* elementwise: number of operands; else 0 */
    lt_formula_kind formula; /* elementwise */
    /* Types of the outputs; a TYPE error when the inputs do not fit. */
    lathe_status (*infer)(lt_op op, const lt_attrs *attrs, const lt_type *in, int n_in, lt_type *out,
                          lathe_error *err);
    /* Plain C over any strides. Fails only on values it must check, such as an index out of range. */
    lathe_status (*ref)(const lt_op_call *call, lathe_error *err);
    /* VIEW: shows the output in the input's memory; false when strides cannot express it. */
    bool (*view)(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out);
    size_t (*scratch)(const lt_attrs *attrs, const lt_type *in, int n_in); /* bytes */
} lt_op_info;

const lt_op_info *lt_op_get(lt_op op);

#endif
