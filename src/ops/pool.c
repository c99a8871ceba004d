/* Pooling over one to three dims: maxima with their positions, and means, in sliding or adaptive windows. */
#include <math.h>

#include <string.h>

#include "base/block.h"
#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"

enum { CHUNK = 256 };

/* A plane's sizes, missing leading dims as 1. */
typedef struct lt_pool {
    const lt_attrs_pool *attrs;
    int64_t in[LT_MAX_SPATIAL], out[LT_MAX_SPATIAL];
} lt_pool;

/* What one output covers of a dim: start, start + step … before end. */
typedef struct lt_window {
    int64_t start, end, step;
    int64_t padded; /* its size with the padding that it covers */
} lt_window;

static lt_window window(const lt_pool *p, int dim, int64_t at)
{
    const lt_attrs_pool *a = p->attrs;
    int i = dim - (LT_MAX_SPATIAL - a->spatial);
    int64_t in = p->in[dim], out = p->out[dim];
    if (i < 0) return (lt_window){.end = 1, .step = 1, .padded = 1};
    if (a->adaptive) { /* floor(at * in / out) … ceil((at + 1) * in / out), without overflow */
        int64_t whole = in / out, rest = in % out;
        lt_window w = {.start = at * whole + at * rest / out,
                       .end = (at + 1) * whole + ((at + 1) * rest + out - 1) / out,
                       .step = 1};
        w.padded = w.end - w.start;
        return w;
    }
    lt_window w = {.start = at * a->stride[i] - a->padding[i], .step = a->dilation[i]};
    w.end = w.start + (a->kernel[i] - 1) * w.step + 1;
    w.padded = lt_min_i64(w.end, in + a->padding[i]) - w.start;
    if (w.start < 0) w.start += (-w.start + w.step - 1) / w.step * w.step;
    w.end = lt_min_i64(w.end, in);
    return w;
}

/* Row (z, y) of a plane of rank 1 to 3. */
static char *row_of(const lt_tensor *plane, int64_t z, int64_t y)
{
    int64_t at = 0;
    if (plane->rank > 1) at += y * plane->stride[plane->rank - 2];
    if (plane->rank > 2) at += z * plane->stride[plane->rank - 3];
    return (char *)plane->data + at * (int64_t)lathe_dtype_size(plane->dtype);
}

#pragma GCC diagnostic ignored "-Wconversion"
#define T float
#define DTYPE LATHE_F32
#define SUM double
#define LOWEST -INFINITY
#define IS_NAN(x) isnan(x)
#define FN(name) name##_f32
#include "ops/pool.tmpl.h"
#undef T
#undef DTYPE
#undef FN
#define T double
#define DTYPE LATHE_F64
#define FN(name) name##_f64
#include "ops/pool.tmpl.h"
#undef T
#undef DTYPE
#undef SUM
#undef LOWEST
#undef IS_NAN
#undef FN
#define T int64_t
#define DTYPE LATHE_I64
#define SUM int64_t
#define LOWEST INT64_MIN
#define IS_NAN(x) 0
#define FN(name) name##_i64
#include "ops/pool.tmpl.h"

/* ---- Types ---- */

static lathe_status check_window(const lt_attrs_pool *a, int i, int64_t in, int64_t *out, lathe_error *err)
{
    int64_t kernel = a->kernel[i], stride = a->stride[i], padding = a->padding[i], reach, size;
    bool fits = kernel > 0 && stride > 0 && a->dilation[i] > 0 && padding >= 0 &&
                lt_mul_i64(kernel - 1, a->dilation[i], &reach) && reach < INT64_MAX / 4 &&
                in < INT64_MAX / 4 && stride < INT64_MAX / 4 && padding <= (reach + 1) / 2;
    if (fits) {
        size = in + 2 * padding - reach - 1 + (a->ceil_mode ? stride - 1 : 0);
        *out = size < 0 ? 0 : size / stride + 1;
        if (a->ceil_mode && *out > 0 && (*out - 1) * stride >= in + padding) --*out;
    }
    if (!fits || *out < 1)
        LT_FAIL(err, TYPE,
                "dim %d: input of %lld with a window of %lld, stride %lld, padding %lld, dilation %lld", i,
                (long long)in, (long long)kernel, (long long)stride, (long long)padding,
                (long long)a->dilation[i]);
    return LATHE_OK;
}

static lathe_status infer_pool(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_pool *a = &attrs->pool;
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    *out = *in;
    int lead = in->rank - a->spatial;
    if (lead < 0) LT_FAIL(err, TYPE, "pooling over %d dims of a tensor of rank %d", a->spatial, in->rank);
    for (int i = 0; i < a->spatial; i++) {
        if (in->dim[lead + i] == 0) LT_FAIL(err, TYPE, "dimension %d is empty", lead + i);
        if (a->adaptive) out->dim[lead + i] = a->size[i];
        else LT_TRY(check_window(a, i, in->dim[lead + i], &out->dim[lead + i], err));
    }
    return LATHE_OK;
}

lathe_status lt_infer_max_pool(LT_INFER_ARGS)
{
    LT_TRY(infer_pool(op, attrs, in, n_in, out, err));
    out[1] = out[0];
    out[1].dtype = LATHE_I64;
    return LATHE_OK;
}

lathe_status lt_infer_avg_pool(LT_INFER_ARGS) { return infer_pool(op, attrs, in, n_in, out, err); }

/* A plane in the widest class. */
static size_t plane_scratch(const lt_attrs *attrs, const lt_type *in)
{
    size_t count = 1;
    for (int i = in->rank - attrs->pool.spatial; i < in->rank; i++) count *= (size_t)in->dim[i];
    return count * sizeof(double);
}

size_t lt_scratch_max_pool(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return plane_scratch(attrs, in);
}

size_t lt_scratch_avg_pool(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    return lt_scratch_max_pool(attrs, in, n_in);
}

/* ---- Running ---- */

/* The last `spatial` dims of a tensor as a tensor of their own. */
static lt_tensor plane_view(const lt_tensor *tensor, int spatial)
{
    lt_tensor plane = {.dtype = tensor->dtype, .rank = spatial};
    for (int i = 0; i < spatial; i++) {
        plane.dim[i] = tensor->dim[tensor->rank - spatial + i];
        plane.stride[i] = tensor->stride[tensor->rank - spatial + i];
    }
    return plane;
}

static lt_tensor leading_view(const lt_tensor *tensor, int spatial)
{
    lt_tensor lead = *tensor;
    lead.rank -= spatial;
    return lead;
}

static void pool_plane(const lt_pool *p, const lt_tensor *from, const lt_tensor *to, const lt_tensor *where,
                       bool largest, void *buffer)
{
    switch (lt_class_of(from->dtype)) {
    case LT_CLASS_F32: pool_plane_f32(p, from, to, where, largest, buffer); break;
    case LT_CLASS_F64: pool_plane_f64(p, from, to, where, largest, buffer); break;
    case LT_CLASS_I64: pool_plane_i64(p, from, to, where, largest, buffer); break;
    }
}

/* `positions` is NULL where the pool gives none. */
static lathe_status run_pool(const lt_op_call *call, const lt_tensor *in, const lt_tensor *out,
                             const lt_tensor *positions)
{
    const lt_attrs_pool *a = &call->attrs->pool;
    int spatial = a->spatial, missing = LT_MAX_SPATIAL - spatial;
    bool largest = call->op == LT_OP_MAX_POOL || call->op == LT_OP_BLOCKED_MAX_POOL;
    lt_tensor from = plane_view(in, spatial), to = plane_view(out, spatial),
              where = positions ? plane_view(positions, spatial) : to;
    lt_tensor leads[3] = {leading_view(out, spatial), leading_view(in, spatial),
                          leading_view(positions ? positions : out, spatial)};
    lt_pool p = {.attrs = a};
    for (int d = 0; d < LT_MAX_SPATIAL; d++) {
        p.in[d] = d < missing ? 1 : from.dim[d - missing];
        p.out[d] = d < missing ? 1 : to.dim[d - missing];
    }
    lt_iter it;
    lt_iter_start(&it, &leads[0], (const lt_tensor *const[]){&leads[0], &leads[1], &leads[2]}, 3);
    if (!it.row || lathe_tensor_count(&to) == 0) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            to.data = it.at[0] + i * it.row_step[0];
            from.data = it.at[1] + i * it.row_step[1];
            where.data = it.at[2] + i * it.row_step[2];
            pool_plane(&p, &from, &to, positions ? &where : NULL, largest, call->scratch);
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

lathe_status lt_ref_max_pool(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    return run_pool(call, &call->in[0], &call->out[0], &call->out[1]);
}

lathe_status lt_ref_avg_pool(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    return run_pool(call, &call->in[0], &call->out[0], NULL);
}

/* ---- Channels in blocks: [batch, blocks, height, width, LT_BLOCK] ---- */

/* Moves the last dim in front of the planes, or back. */
static void move_lanes(bool last, int64_t dim[5])
{
    int64_t lanes = dim[last ? 2 : 4];
    if (last) memmove(&dim[2], &dim[3], 2 * sizeof *dim);
    else memmove(&dim[3], &dim[2], 2 * sizeof *dim);
    dim[last ? 4 : 2] = lanes;
}

static lathe_status infer_blocked_pool(LT_INFER_ARGS)
{
    char text[LT_TYPE_TEXT];
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (in->rank != 5 || in->dim[4] != LT_BLOCK || attrs->pool.spatial != 2)
        LT_FAIL(err, TYPE, "input %s is not of images with channels in blocks", lt_type_print(in, text));
    lt_type planes = *in;
    move_lanes(false, planes.dim);
    LT_TRY(infer_pool(op, attrs, &planes, n_in, out, err));
    move_lanes(true, out->dim);
    return LATHE_OK;
}

lathe_status lt_infer_blocked_max_pool(LT_INFER_ARGS)
{
    return infer_blocked_pool(op, attrs, in, n_in, out, err);
}

lathe_status lt_infer_blocked_avg_pool(LT_INFER_ARGS)
{
    return infer_blocked_pool(op, attrs, in, n_in, out, err);
}

size_t lt_scratch_blocked_max_pool(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    lt_type planes = *in;
    move_lanes(false, planes.dim);
    return lt_scratch_max_pool(attrs, &planes, n_in);
}

size_t lt_scratch_blocked_avg_pool(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    return lt_scratch_blocked_max_pool(attrs, in, n_in);
}

lathe_status lt_ref_blocked_max_pool(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    lt_tensor in = call->in[0], out = call->out[0];
    move_lanes(false, in.dim);
    move_lanes(false, in.stride);
    move_lanes(false, out.dim);
    move_lanes(false, out.stride);
    return run_pool(call, &in, &out, NULL);
}

lathe_status lt_ref_blocked_avg_pool(const lt_op_call *call, lathe_error *err)
{
    return lt_ref_blocked_max_pool(call, err);
}
