/* Rows of caches in 8 bits. */
#include "ops/cache_row.h"

#include <math.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256 };

/* The largest magnitude of a row; NaN when one is NaN. */
static float largest(lt_dtype dtype, const char *from, int64_t step, int64_t n)
{
    float x[CHUNK], most = 0;
    bool nan = false;
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, n - at);
        lt_load_f32(dtype, from + at * step, step, part, x);
        for (int64_t i = 0; i < part; i++) {
            most = fmaxf(most, fabsf(x[i]));
            nan = nan || isnan(x[i]);
        }
    }
    return nan ? NAN : most;
}

static void put_row(lt_dtype dtype, const char *from, int64_t step, int64_t n, char *to)
{
    float x[CHUNK], scale = largest(dtype, from, step, n) / 127,
                    inverse = scale > 0 && isfinite(scale) ? 1 / scale : 0;
    memcpy(to, &scale, sizeof scale);
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, n - at);
        lt_load_f32(dtype, from + at * step, step, part, x);
        int8_t *value = (int8_t *)to + LT_CACHE_SCALE + at;
        for (int64_t i = 0; i < part; i++) value[i] = (int8_t)rintf(fminf(fmaxf(x[i] * inverse, -127), 127));
    }
}

void lt_cache_rows_put(const lt_tensor *from, const lt_tensor *to)
{
    lt_tensor rows[2] = {*from, *to};
    int last = from->rank - 1;
    int64_t n = from->dim[last], step = from->stride[last] * (int64_t)lathe_dtype_size(from->dtype);
    for (int k = 0; k < 2; k++) rows[k].dim[last] = 1;
    lt_iter it;
    lt_iter_start(&it, &rows[1], (const lt_tensor *const[]){&rows[0], &rows[1]}, 2);
    if (!it.row) return;
    do {
        for (int64_t i = 0; i < it.row; i++)
            put_row(from->dtype, it.at[0] + i * it.row_step[0], step, n, it.at[1] + i * it.row_step[1]);
    } while (lt_iter_next(&it));
}

lathe_status lt_infer_quantize_rows(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    char text[LT_TYPE_TEXT];
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (in->rank < 1 || !lt_dtype_is_float(in->dtype) || in->dtype == LATHE_F64)
        LT_FAIL(err, TYPE, "rows of %s", lt_type_print(in, text));
    *out = *in;
    out->dtype = LATHE_I8;
    out->dim[in->rank - 1] += LT_CACHE_SCALE;
    return LATHE_OK;
}

lathe_status lt_ref_quantize_rows(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_cache_rows_put(&call->in[0], call->out);
    return LATHE_OK;
}
