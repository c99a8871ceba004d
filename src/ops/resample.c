/* Resampling: one dim of a tensor at another size, and images at the places that a grid names. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256 };

/* Inputs that an output is made of: at least the four of a cubic. */
static int64_t most_taps(int64_t in) { return lt_max_i64(in, 4); }

static int filter_size(lt_resample_mode mode)
{
    return mode == LT_RESAMPLE_LINEAR ? 2 : mode == LT_RESAMPLE_CUBIC ? 4 : 6;
}

/* x[..., at, ...] without the dim. */
static lt_tensor slice_of(const lt_tensor *x, int dim, int64_t at)
{
    lt_tensor slice = *x;
    slice.data = (char *)x->data + at * x->stride[dim] * (int64_t)lathe_dtype_size(x->dtype);
    slice.rank--;
    for (int i = dim; i < slice.rank; i++) {
        slice.dim[i] = x->dim[i + 1];
        slice.stride[i] = x->stride[i + 1];
    }
    return slice;
}

#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-equal"
#define T float
#define M(name) name##f
#define FN(name) name##_f32
#include "ops/resample.tmpl.h"
#undef T
#undef M
#undef FN
#define T double
#define M(name) name
#define FN(name) name##_f64
#include "ops/resample.tmpl.h"
#undef T
#undef M
#undef FN

/* ---- uint8 ---- */

/* Neighbours that the border doubles count once, with the sum of their weights. */
static int64_t merge_taps(int64_t n, int64_t *from, double *weight)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept && from[kept - 1] == from[i]) {
            weight[kept - 1] += weight[i];
            continue;
        }
        from[kept] = from[i];
        weight[kept++] = weight[i];
    }
    return kept;
}

/* Bits behind the point so that the largest weight of all outputs still is an int16. */
static int weight_bits(const lt_attrs_resample *a, int64_t in, int64_t *from, double *weight)
{
    double largest = 0;
    int bits = 0;
    for (int64_t at = 0; at < a->size; at++) {
        int64_t n = merge_taps(taps_f64(a, in, at, from, weight), from, weight);
        for (int64_t i = 0; i < n; i++) largest = fmax(largest, weight[i]);
    }
    while (bits < 22 && (int)(0.5 + largest * (1 << (bits + 1))) < 1 << 15) bits++;
    return bits;
}

static void blend_u8(const lt_tensor *in, const lt_tensor *to, int64_t step, int64_t n, const int64_t *from,
                     const double *weight, int bits)
{
    lt_iter it;
    lt_iter_start(&it, to, (const lt_tensor *const[]){to, in}, 2);
    if (it.row) do {
            for (int64_t j = 0; j < it.row; j++) {
                const uint8_t *x = (const uint8_t *)it.at[1] + j * it.row_step[1];
                int64_t sum = (int64_t)1 << bits >> 1;
                for (int64_t t = 0; t < n; t++) sum += (int64_t)weight[t] * x[from[t] * step];
                sum >>= bits;
                it.at[0][j * it.row_step[0]] = (char)(uint8_t)lt_max_i64(lt_min_i64(sum, 255), 0);
            }
        } while (lt_iter_next(&it));
}

/* PyTorch blends bytes with fixed-point weights, and rounds after each dim. */
static void resample_u8(const lt_op_call *call, void *scratch)
{
    const lt_attrs_resample *a = &call->attrs->resample;
    int64_t in = call->in->dim[a->dim], *from = scratch;
    double *weight = (double *)(void *)(from + most_taps(in));
    int bits = weight_bits(a, in, from, weight);
    lt_tensor slice = slice_of(call->in, a->dim, 0);
    for (int64_t at = 0; at < a->size; at++) {
        lt_tensor to = slice_of(call->out, a->dim, at);
        int64_t n = merge_taps(taps_f64(a, in, at, from, weight), from, weight);
        for (int64_t i = 0; i < n; i++) weight[i] = trunc(weight[i] * (1 << bits) + copysign(0.5, weight[i]));
        blend_u8(&slice, &to, call->in->stride[a->dim], n, from, weight, bits);
    }
}

/* ---- One dim ---- */

lathe_status lt_infer_resample(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_resample *a = &attrs->resample;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    if (in->dim[a->dim] < 1 || a->size < 1)
        LT_FAIL(err, TYPE, "dimension %d from size %lld to %lld, expected at least 1", a->dim,
                (long long)in->dim[a->dim], (long long)a->size);
    bool blends = in->dtype == LATHE_F32 || in->dtype == LATHE_F64 || in->dtype == LATHE_U8;
    if (a->mode > LT_RESAMPLE_NEAREST_EXACT && !blends)
        LT_FAIL(err, TYPE, "blends %s", lathe_dtype_name(in->dtype));
    if (!isfinite(a->scale) || a->scale < 0) LT_FAIL(err, TYPE, "scale %g", a->scale);
    out->dim[a->dim] = a->size;
    return LATHE_OK;
}

size_t lt_scratch_resample(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return (size_t)most_taps(in->dim[attrs->resample.dim]) * (sizeof(int64_t) + sizeof(double));
}

static void copy_nearest(const lt_op_call *call)
{
    const lt_attrs_resample *a = &call->attrs->resample;
    int64_t in = call->in->dim[a->dim];
    for (int64_t at = 0; at < a->size; at++) {
        int64_t from = a->wide ? nearest_f64(a, in, at) : nearest_f32(a, in, at);
        lt_tensor x = slice_of(call->in, a->dim, from), to = slice_of(call->out, a->dim, at);
        lt_tensor_copy(&x, &to);
    }
}

lathe_status lt_ref_resample(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    if (call->attrs->resample.mode <= LT_RESAMPLE_NEAREST_EXACT) copy_nearest(call);
    else if (call->in->dtype == LATHE_U8) resample_u8(call, call->scratch);
    else if (call->in->dtype == LATHE_F64) resample_f64(call, call->scratch);
    else resample_f32(call, call->scratch);
    return LATHE_OK;
}

/* ---- Grid ---- */

#define T float
#define M(name) name##f
#define DTYPE LATHE_F32
#define LOAD lt_load_f32
#define STORE lt_store_f32
#define R(x) (x)
#define FN(name) name##_f32
#include "ops/sample.tmpl.h"
#undef R
#undef FN
#define R(x) lt_bf16_to_f32(lt_f32_to_bf16(x))
#define FN(name) name##_bf16
#include "ops/sample.tmpl.h"
#undef R
#undef FN
#define R(x) lt_f16_to_f32(lt_f32_to_f16(x))
#define FN(name) name##_f16
#include "ops/sample.tmpl.h"
#undef T
#undef M
#undef DTYPE
#undef LOAD
#undef STORE
#undef R
#undef FN
#define T double
#define M(name) name
#define DTYPE LATHE_F64
#define LOAD lt_load_f64
#define STORE lt_store_f64
#define R(x) (x)
#define FN(name) name##_f64
#include "ops/sample.tmpl.h"

lathe_status lt_infer_grid_sample(LT_INFER_ARGS)
{
    (void)op;
    LT_TRY(lt_expect_inputs(n_in, 2, err));
    const lt_type *x = &in[0], *grid = &in[1];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    int spatial = x->rank - 2;
    bool fits = spatial >= 2 && spatial <= LT_MAX_SPATIAL && grid->rank == x->rank &&
                x->dim[0] == grid->dim[0] && grid->dim[spatial + 1] == spatial && x->dtype == grid->dtype &&
                lt_dtype_is_float(x->dtype);
    fits = fits && (attrs->sample.mode != LT_RESAMPLE_CUBIC || spatial == 2);
    for (int i = 0; fits && i < spatial; i++) fits = x->dim[i + 2] > 0;
    if (!fits) LT_FAIL(err, TYPE, "input %s, grid %s", lt_type_print(x, a), lt_type_print(grid, b));
    *out = *x;
    for (int i = 0; i < spatial; i++) out->dim[i + 2] = grid->dim[i + 1];
    return LATHE_OK;
}

/* One image as contiguous floats of the widest class. */
size_t lt_scratch_grid_sample(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)attrs, (void)n_in;
    size_t count = 1;
    for (int i = 1; i < in->rank; i++) count *= (size_t)in->dim[i];
    return count * sizeof(double);
}

typedef void sample_image(const lt_attrs *attrs, const lt_tensor *image, const lt_tensor *grid,
                          const lt_tensor *out, void *scratch);

lathe_status lt_ref_grid_sample(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_dtype dtype = call->in->dtype;
    sample_image *sample = dtype == LATHE_F64    ? sample_image_f64
                           : dtype == LATHE_BF16 ? sample_image_bf16
                           : dtype == LATHE_F16  ? sample_image_f16
                                                 : sample_image_f32;
    for (int64_t n = 0; n < call->in->dim[0]; n++) {
        lt_tensor image = slice_of(&call->in[0], 0, n), grid = slice_of(&call->in[1], 0, n),
                  out = slice_of(call->out, 0, n);
        if (lathe_tensor_count(&out) == 0) continue;
        sample(call->attrs, &image, &grid, &out, call->scratch);
    }
    return LATHE_OK;
}
