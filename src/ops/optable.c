/* Expands the op table. */
#include "ops/families.h"

#define ELEMENTWISE(ID, label, operands, kind)     \
    [LT_OP_##ID] = {.name = #label,                \
                    .n_out = 1,                    \
                    .n_in = operands,              \
                    .formula = LT_FORMULA_##kind,  \
                    .flags = LT_OP_ELEMENTWISE,    \
                    .infer = lt_infer_elementwise, \
                    .ref = lt_ref_elementwise},

#define FUNCTIONS_NONE(label) .ref = lt_ref_##label
#define FUNCTIONS_UPDATE(label) .ref = lt_ref_##label
#define FUNCTIONS_VIEW(label) .view = lt_view_##label
#define FUNCTIONS_SCRATCH(label) .ref = lt_ref_##label, .scratch = lt_scratch_##label

static const lt_op_info table[LT_OP_COUNT] = {
#define LT_UNARY_FLOAT(ID, name, f) ELEMENTWISE(ID, name, 1, FLOAT)
#define LT_UNARY(ID, name, f, i) ELEMENTWISE(ID, name, 1, ANY)
#define LT_TEST(ID, name, f, i) ELEMENTWISE(ID, name, 1, TEST)
#define LT_BINARY_FLOAT(ID, name, f) ELEMENTWISE(ID, name, 2, FLOAT)
#define LT_BINARY(ID, name, f, i) ELEMENTWISE(ID, name, 2, ANY)
#define LT_COMPARE(ID, name, f) ELEMENTWISE(ID, name, 2, TEST)
#define LT_BITWISE(ID, name, i) ELEMENTWISE(ID, name, 2, BITWISE)
#define LT_TERNARY_FLOAT(ID, name, f) ELEMENTWISE(ID, name, 3, FLOAT)
#define LT_TERNARY(ID, name, f) ELEMENTWISE(ID, name, 3, ANY)
#include "ops/scalar.def"
#define LT_OP(ID, label, outputs, flag)        \
    [LT_OP_##ID] = {.name = #label,            \
                    .n_out = outputs,          \
                    .flags = LT_OP_##flag,     \
                    .infer = lt_infer_##label, \
                    FUNCTIONS_##flag(label)},
#include "ops/ops.def"
#undef LT_OP
};

const lt_op_info *lt_op_get(lt_op op)
{
    lt_assert(op < LT_OP_COUNT);
    return &table[op];
}

lathe_status lt_broadcast(lt_type *shape, const lt_type *with, lathe_error *err)
{
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    lt_type wide = {.dtype = shape->dtype, .rank = shape->rank > with->rank ? shape->rank : with->rank};
    for (int i = 0; i < wide.rank; i++) {
        int s = i - (wide.rank - shape->rank), w = i - (wide.rank - with->rank);
        int64_t from = s < 0 ? 1 : shape->dim[s], to = w < 0 ? 1 : with->dim[w];
        if (from != to && from != 1 && to != 1)
            LT_FAIL(err, TYPE, "%s and %s do not broadcast", lt_type_print(shape, a), lt_type_print(with, b));
        wide.dim[i] = from == 1 ? to : from;
    }
    *shape = wide;
    return LATHE_OK;
}

lathe_status lt_expect_inputs(int n_in, int expected, lathe_error *err)
{
    if (n_in != expected) LT_FAIL(err, INTERNAL, "%d inputs, expected %d", n_in, expected);
    return LATHE_OK;
}
