/* Pooling. */
#include "aten/aten.h"

static void window_ints(lt_call *c, const char *name, int spatial, int64_t *out)
{
    int n = lt_call_ints(c, name, out, LT_MAX_SPATIAL);
    if (n != 1 && n != spatial)
        lt_build_fail(c->b, LATHE_TYPE, "argument '%s' has %d entries, expected %d", name, n, spatial);
    for (int i = 1; i < spatial && n == 1; i++) out[i] = out[0];
}

/* The dims that a schema pools over: the fixed size of its list parameter. */
static int spatial_dims(const lt_call *c, const char *name)
{
    uint32_t index = lt_schema_find(c->schema, name);
    return index == LT_NONE ? 1 : c->schema->params[index].list_size;
}

/* The window of max and avg pooling; the default stride is the kernel's size. */
static lt_attrs window_attrs(lt_call *c)
{
    int spatial = spatial_dims(c, "kernel_size");
    lt_attrs attrs = {.pool = {.spatial = spatial, .ceil_mode = lt_call_bool(c, "ceil_mode")}};
    int64_t stride[LT_MAX_SPATIAL];
    bool strided = lt_call_ints(c, "stride", stride, LT_MAX_SPATIAL) > 0;
    window_ints(c, "kernel_size", spatial, attrs.pool.kernel);
    window_ints(c, "padding", spatial, attrs.pool.padding);
    window_ints(c, strided ? "stride" : "kernel_size", spatial, attrs.pool.stride);
    return attrs;
}

static lt_attrs adaptive_attrs(lt_call *c)
{
    lt_attrs attrs = {.pool = {.spatial = spatial_dims(c, "output_size"), .adaptive = true}};
    window_ints(c, "output_size", attrs.pool.spatial, attrs.pool.size);
    return attrs;
}

/* Maxima and, for schemas with two results, their positions. */
static void return_maxima(lt_call *c, const lt_attrs *attrs, bool positions)
{
    lt_id x = lt_call_tensor(c, "self"), out = lt_build(c->b, LT_OP_MAX_POOL, attrs, &x, 1);
    lt_call_return(c, out);
    if (positions) lt_call_return(c, out + 1);
}

static lt_attrs max_attrs(lt_call *c)
{
    lt_attrs attrs = window_attrs(c);
    window_ints(c, "dilation", attrs.pool.spatial, attrs.pool.dilation);
    return attrs;
}

static void max_pool(lt_call *c)
{
    lt_attrs attrs = max_attrs(c);
    return_maxima(c, &attrs, false);
}

static void max_pool_with_indices(lt_call *c)
{
    lt_attrs attrs = max_attrs(c);
    return_maxima(c, &attrs, true);
}

static void adaptive_max_pool(lt_call *c)
{
    lt_attrs attrs = adaptive_attrs(c);
    return_maxima(c, &attrs, true);
}

static void avg_pool(lt_call *c)
{
    lt_attrs attrs = window_attrs(c);
    lt_id x = lt_call_tensor(c, "self");
    for (int i = 0; i < attrs.pool.spatial; i++) attrs.pool.dilation[i] = 1;
    attrs.pool.count_include_pad = lt_call_bool(c, "count_include_pad");
    if (attrs.pool.spatial > 1 && lt_call_has(c, "divisor_override")) {
        attrs.pool.divisor = lt_call_int(c, "divisor_override");
        if (attrs.pool.divisor == 0) lt_build_fail(c->b, LATHE_TYPE, "divisor_override is 0");
    }
    lt_call_return(c, lt_build(c->b, LT_OP_AVG_POOL, &attrs, &x, 1));
}

static void adaptive_avg_pool(lt_call *c)
{
    lt_attrs attrs = adaptive_attrs(c);
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build(c->b, LT_OP_AVG_POOL, &attrs, &x, 1));
}

/* Puts the elements of each plane where a max pool found them; everything else is zero. */
static void max_unpool(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), indices = lt_call_tensor(c, "indices");
    int64_t size[LT_MAX_SPATIAL], plane = 1, count = 1;
    int spatial = lt_call_ints(c, "output_size", size, LT_MAX_SPATIAL);
    lt_type type = *lt_build_type(b, x);
    if (type.rank < spatial) {
        lt_build_fail(b, LATHE_TYPE, "rank %d, expected at least %d", type.rank, spatial);
        return;
    }
    int outer = type.rank - spatial;
    for (int i = 0; i < spatial; i++)
        if (size[i] < 0 || !lt_mul_i64(plane, size[i], &plane))
            lt_build_fail(b, LATHE_TYPE, "output_size %lld", (long long)size[i]);
    for (int i = outer; i < type.rank; i++) count *= type.dim[i];
    type.dim[outer] = count;
    x = lt_build_reshape(b, x, outer + 1, type.dim);
    indices = lt_build_reshape(b, indices, outer + 1, type.dim);
    type.rank = outer + 1;
    type.dim[outer] = plane;
    x = lt_build_scatter(b, lt_build_zeros(b, &type), outer, indices, x, LT_REDUCE_SET);
    for (int i = 0; i < spatial; i++) type.dim[outer + i] = size[i];
    lt_call_return(c, lt_build_reshape(b, x, outer + spatial, type.dim));
}

const lt_aten_row lt_aten_pool[] = {
    {"max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, "
     "bool "
     "ceil_mode=False) -> Tensor",
     max_pool, 0},
    {"max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, "
     "bool "
     "ceil_mode=False) -> Tensor",
     max_pool, 0},
    {"max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, "
     "bool "
     "ceil_mode=False) -> Tensor",
     max_pool, 0},
    {"max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] "
     "dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     max_pool_with_indices, 0},
    {"max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
     "dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     max_pool_with_indices, 0},
    {"max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] "
     "dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
     max_pool_with_indices, 0},
    {"avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, "
     "bool count_include_pad=True) -> Tensor",
     avg_pool, 0},
    {"avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, "
     "bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     avg_pool, 0},
    {"avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool ceil_mode=False, "
     "bool count_include_pad=True, int? divisor_override=None) -> Tensor",
     avg_pool, 0},
    {"adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", adaptive_avg_pool, 0},
    {"adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", adaptive_avg_pool, 0},
    {"adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", adaptive_avg_pool, 0},
    {"_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", adaptive_avg_pool, 0},
    {"_adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", adaptive_avg_pool, 0},
    {"adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)", adaptive_max_pool, 0},
    {"adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)", adaptive_max_pool, 0},
    {"adaptive_max_pool3d(Tensor self, int[3] output_size) -> (Tensor, Tensor)", adaptive_max_pool, 0},
    {"max_unpool2d(Tensor self, Tensor indices, SymInt[2] output_size) -> Tensor", max_unpool, 0},
    {"max_unpool3d(Tensor self, Tensor indices, SymInt[3] output_size, int[3] stride, int[3] padding) -> "
     "Tensor",
     max_unpool, 0},
    {NULL, NULL, 0}};
