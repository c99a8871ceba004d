/* Rows of every elementwise formula for one arithmetic class. Before including: T, M(name), FN(name), WRAP(a,
 * op, b) and CLASS_INT (0 or 1). */

void FN(lt_formula)(lt_op op, const T *restrict a, const T *restrict b, const T *restrict c, int64_t n,
                    T *restrict out)
{
#define EACH(formula)                         \
    for (int64_t i = 0; i < n; i++) {         \
        const T x = a[i], y = b[i], z = c[i]; \
        (void)x, (void)y, (void)z;            \
        out[i] = (T)(formula);                \
    }                                         \
    return;
    switch (op) {
#if CLASS_INT
#define LT_UNARY(ID, name, f, i) \
    case LT_OP_##ID:             \
        EACH(INT_FORMULA(i))
#define LT_TEST LT_UNARY
#define LT_BINARY LT_UNARY
#define LT_BITWISE(ID, name, i) \
    case LT_OP_##ID:            \
        EACH(i)
#else
#define LT_UNARY(ID, name, f, i) \
    case LT_OP_##ID:             \
        EACH(f)
#define LT_TEST LT_UNARY
#define LT_BINARY LT_UNARY
#define LT_UNARY_FLOAT(ID, name, f) \
    case LT_OP_##ID:                \
        EACH(f)
#define LT_BINARY_FLOAT LT_UNARY_FLOAT
#define LT_TERNARY_FLOAT LT_UNARY_FLOAT
#endif
#define LT_COMPARE(ID, name, f) \
    case LT_OP_##ID:            \
        EACH(f)
#define LT_TERNARY LT_COMPARE
#define INT_FORMULA(f) (f)
#include "ops/scalar.def"
#undef INT_FORMULA
    default: lt_assert(!"formula without this class");
    }
#undef EACH
}

/* One output row, through buffers that stay in the first-level cache. */
static void FN(row_strided)(const lt_op_call *call, const lt_iter *it)
{
    T in[3][CHUNK], out[CHUNK];
    for (int64_t at = 0; at < it->row; at += CHUNK) {
        int64_t n = lt_min_i64(CHUNK, it->row - at);
        for (int k = 0; k < call->n_in; k++)
            if (at == 0 || it->row_step[k + 1]) /* a repeated value is loaded once */
                FN(lt_load)
        (call->in[k].dtype, it->at[k + 1] + at * it->row_step[k + 1], it->row_step[k + 1],
         at == 0 && !it->row_step[k + 1] ? lt_min_i64(CHUNK, it->row) : n, in[k]);
        FN(lt_formula)
        (call->op, in[0], in[call->n_in > 1 ? 1 : 0], in[call->n_in > 2 ? 2 : 0], n, out);
        FN(lt_store)(call->out[0].dtype, it->at[0] + at * it->row_step[0], it->row_step[0], n, out);
    }
}
