/* Resampling of one dim for one arithmetic class. Positions are computed in T, as PyTorch computes them:
 * where an output falls between inputs depends on how they round. Before including: T, M(name), FN(name). */

/* Input positions per output position. */
static T FN(ratio)(const lt_attrs_resample *a, int64_t in)
{
    if (a->align_corners) return a->size > 1 ? (T)(in - 1) / (T)(a->size - 1) : 0;
    return a->scale > 0 ? (T)(1 / a->scale) : (T)in / (T)a->size;
}

static T FN(source)(const lt_attrs_resample *a, T ratio, int64_t at)
{
    if (a->align_corners) return ratio * (T)at;
    return ratio * ((T)at + (T)0.5) - (T)0.5;
}

/* The input that output `at` copies. */
static int64_t FN(nearest)(const lt_attrs_resample *a, int64_t in, int64_t at)
{
    T ratio = FN(ratio)(a, in), from = ratio * (T)at;
    if (a->mode == LT_RESAMPLE_NEAREST_EXACT) from = M(fmax)(FN(source)(a, ratio, at), 0) + (T)0.5;
    float position = floorf((float)from);
    return position < (float)in ? lt_min_i64((int64_t)position, in - 1) : in - 1;
}

/* The filters: weight of an input at distance x. */
static T FN(cubic)(T x, T a)
{
    x = M(fabs)(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static T FN(sinc)(T x)
{
    x *= (T)3.14159265358979323846;
    return x == 0 ? 1 : M(sin)(x) / x;
}

static T FN(filter)(lt_resample_mode mode, T x)
{
    T distance = M(fabs)(x);
    if (mode == LT_RESAMPLE_CUBIC) return FN(cubic)(x, (T)-0.5);
    if (mode == LT_RESAMPLE_LANCZOS) return distance < 3 ? FN(sinc)(x) * FN(sinc)(x / 3) : 0;
    return distance < 1 ? 1 - distance : 0;
}

/* Two or four neighbours, those outside replaced by the border. */
static int64_t FN(plain_taps)(const lt_attrs_resample *a, int64_t in, int64_t at, int64_t *from, T *weight)
{
    bool cubic = a->mode == LT_RESAMPLE_CUBIC;
    T position = FN(source)(a, FN(ratio)(a, in), at);
    if (!cubic && position < 0) position = 0;
    if (!cubic && in == a->size) position = (T)at;
    position = M(fmin)(position, (T)in);
    int64_t left = lt_min_i64((int64_t)M(floor)(position), in - 1);
    T t = M(fmin)(M(fmax)(position - (T)left, 0), 1);
    if (!cubic) {
        from[0] = left;
        from[1] = left < in - 1 ? left + 1 : left;
        weight[0] = 1 - t;
        weight[1] = t;
        return 2;
    }
    for (int64_t i = 0; i < 4; i++) {
        from[i] = lt_max_i64(lt_min_i64(left - 1 + i, in - 1), 0);
        weight[i] = FN(cubic)(t + (T)(1 - i), (T)-0.75);
    }
    return 4;
}

/* Every input under the filter, which is as wide as what an output stands for; the weights add up to 1. */
static int64_t FN(smooth_taps)(const lt_attrs_resample *a, int64_t in, int64_t at, int64_t *from, T *weight)
{
    T ratio = FN(ratio)(a, in), total = 0, reach = filter_size(a->mode) * (T)0.5;
    T support = ratio >= 1 ? reach * ratio : reach, inverse = ratio >= 1 ? 1 / ratio : 1;
    T center = (T)(ratio * ((double)at + 0.5));
    double limit = (double)in;
    int64_t first = (int64_t)fmax(fmin(center - support + 0.5, limit), 0);
    int64_t end = (int64_t)fmax(fmin(center + support + 0.5, limit), 0), n = end - first;
    for (int64_t i = 0; i < n; i++) {
        from[i] = first + i;
        weight[i] = FN(filter)(a->mode, (T)(((T)(i + first) - center + 0.5) * inverse));
        total += weight[i];
    }
    for (int64_t i = 0; i < n && total != 0; i++) weight[i] /= total;
    return n > 0 ? n : 0;
}

/* Slice `to` of the output: the weighted sum of slices of the input. */
static void FN(blend)(const lt_tensor *in, const lt_tensor *to, int64_t step, int64_t n, const int64_t *from,
                      const T *weight)
{
    T sum[CHUNK], row[CHUNK];
    lt_iter it;
    lt_iter_start(&it, to, (const lt_tensor *const[]){to, in}, 2);
    if (it.row) do {
            for (int64_t at = 0; at < it.row; at += CHUNK) {
                int64_t count = lt_min_i64(CHUNK, it.row - at);
                for (int64_t j = 0; j < count; j++) sum[j] = 0;
                for (int64_t t = 0; t < n; t++) {
                    FN(lt_load)
                    (in->dtype, it.at[1] + from[t] * step + at * it.row_step[1], it.row_step[1], count, row);
                    for (int64_t j = 0; j < count; j++) sum[j] += weight[t] * row[j];
                }
                FN(lt_store)(to->dtype, it.at[0] + at * it.row_step[0], it.row_step[0], count, sum);
            }
        } while (lt_iter_next(&it));
}

static int64_t FN(taps)(const lt_attrs_resample *a, int64_t in, int64_t at, int64_t *from, T *weight)
{
    return a->antialias ? FN(smooth_taps)(a, in, at, from, weight) : FN(plain_taps)(a, in, at, from, weight);
}

static void FN(resample)(const lt_op_call *call, void *scratch)
{
    const lt_attrs_resample *a = &call->attrs->resample;
    int64_t in = call->in->dim[a->dim], *from = scratch;
    T *weight = (T *)(void *)(from + most_taps(in));
    int64_t step = call->in->stride[a->dim] * (int64_t)lathe_dtype_size(call->in->dtype);
    lt_tensor slice = slice_of(call->in, a->dim, 0);
    for (int64_t at = 0; at < a->size; at++) {
        lt_tensor to = slice_of(call->out, a->dim, at);
        FN(blend)(&slice, &to, step, FN(taps)(a, in, at, from, weight), from, weight);
    }
}
