/* Rotary position embedding, as Llama-like models write it: x * cos + rotate_half(x) * sin, where rotate_half
 * puts the negated second half of the last dim before the first. Inputs x [..., D], cos and sin that
 * broadcast to x; made by a pass, never by a file. Computed in float32 (float64 for float64); the products
 * are rounded to the type of x before they are added, as in the graphs that it is made from. */
#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

lathe_status lt_infer_rope(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    LT_TRY(lt_expect_inputs(n_in, 3, err));
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    for (int k = 1; k < 3; k++) {
        lt_type wide = in[0];
        LT_TRY(lt_broadcast(&wide, &in[k], err));
        bool fits = lt_type_equal(&wide, &in[0]) && in[k].rank >= 1 &&
                    in[k].dim[in[k].rank - 1] == in[0].dim[in[0].rank - 1];
        if (!fits) LT_FAIL(err, TYPE, "angles %s for %s", lt_type_print(&in[k], a), lt_type_print(&in[0], b));
    }
    if (!lt_dtype_is_float(in->dtype) || in->rank < 1 || in->dim[in->rank - 1] % 2 != 0)
        LT_FAIL(err, TYPE, "%s: expected floats and an even last dimension", lt_type_print(in, a));
    *out = in[0];
    return LATHE_OK;
}

size_t lt_scratch_rope(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)attrs, (void)n_in;
    return 5 * (size_t)in->dim[in->rank - 1] * sizeof(double);
}

/* One row of D elements: buffers hold x, cos, sin, the result and what is added to it. */
#define DEFINE_ROW(suffix, T)                                                                                \
    static void round_##suffix(lt_dtype dtype, int64_t n, T *x)                                              \
    {                                                                                                        \
        uint16_t half;                                                                                       \
        bool rounds = lt_dtype_is_half(dtype);                                                               \
        for (int64_t i = 0; rounds && i < n; i++) {                                                          \
            lt_store_##suffix(dtype, &half, sizeof half, 1, x + i);                                          \
            lt_load_##suffix(dtype, &half, sizeof half, 1, x + i);                                           \
        }                                                                                                    \
    }                                                                                                        \
    static void rope_row_##suffix(const lt_op_call *call, char *const at[4], T *buffer)                      \
    {                                                                                                        \
        int64_t d = call->in->dim[call->in->rank - 1], half = d / 2;                                         \
        T *rows[3] = {buffer, buffer + d, buffer + 2 * d}, *out = buffer + 3 * d;                            \
        for (int k = 0; k < 3; k++) {                                                                        \
            const lt_tensor *in = &call->in[k];                                                              \
            lt_load_##suffix(in->dtype, at[k + 1],                                                           \
                             in->stride[in->rank - 1] * (int64_t)lathe_dtype_size(in->dtype), d, rows[k]);   \
        }                                                                                                    \
        T *turned = buffer + 4 * d;                                                                          \
        for (int64_t i = 0; i < half; i++) {                                                                 \
            turned[i] = -rows[0][i + half] * rows[2][i];                                                     \
            turned[i + half] = rows[0][i] * rows[2][i + half];                                               \
        }                                                                                                    \
        for (int64_t i = 0; i < d; i++) out[i] = rows[0][i] * rows[1][i];                                    \
        round_##suffix(call->out->dtype, d, out);                                                            \
        round_##suffix(call->out->dtype, d, turned);                                                         \
        for (int64_t i = 0; i < d; i++) out[i] += turned[i];                                                 \
        const lt_tensor *to = call->out;                                                                     \
        lt_store_##suffix(to->dtype, at[0], to->stride[to->rank - 1] * (int64_t)lathe_dtype_size(to->dtype), \
                          d, out);                                                                           \
    }

DEFINE_ROW(f32, float)
DEFINE_ROW(f64, double)

lathe_status lt_ref_rope(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor views[4] = {call->out[0], call->in[0], call->in[1], call->in[2]};
    for (int k = 0; k < 4; k++) views[k].rank--; /* the walk is over rows */
    lt_iter it;
    lt_iter_start(&it, &views[0], (const lt_tensor *const[]){&views[0], &views[1], &views[2], &views[3]}, 4);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            char *at[4];
            for (int k = 0; k < 4; k++) at[k] = it.at[k] + i * it.row_step[k];
            if (call->out->dtype == LATHE_F64) rope_row_f64(call, at, call->scratch);
            else rope_row_f32(call, at, call->scratch);
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}
