/* Resampling: interpolation to another size, and sampling along grids. */
#include <string.h>

#include "aten/aten.h"

/* What a schema says that its primitive does not: how many dims, which filter. */
typedef struct lt_resize {
    int spatial;
    lt_resample_mode mode;
    bool antialias;
} lt_resize;

/* Sizes and scales (0: none) of the output: from output_size and scales_* or from scale_factors. */
static void output_sizes(lt_call *c, lt_id x, int spatial, int64_t *size, double *scale)
{
    bool listed = lt_schema_find(c->schema, "scale_factors") != LT_NONE;
    static const char *const names[3][3] = {
        {"scales"}, {"scales_h", "scales_w"}, {"scales_d", "scales_h", "scales_w"}};
    int rank = lt_build_rank(c->b, x), n = 0, factors = 0;
    for (int i = 0; i < spatial; i++) scale[i] = 0;
    if (rank != spatial + 2) {
        lt_build_fail(c->b, LATHE_TYPE, "input of rank %d, expected %d", rank, spatial + 2);
        return;
    }
    n = lt_call_ints(c, "output_size", size, spatial);
    if (listed && n == 0) factors = lt_call_floats(c, "scale_factors", scale, spatial);
    for (int i = 0; i < spatial && !listed; i++)
        if (lt_call_has(c, names[spatial - 1][i])) scale[i] = lt_call_float(c, names[spatial - 1][i]);
    for (int i = 0; i < spatial && factors == spatial; i++) {
        double wanted = (double)lt_build_size(c->b, x, i + 2) * scale[i];
        if (!(wanted >= 1 && wanted < 0x1p53)) lt_build_fail(c->b, LATHE_TYPE, "scale factor %g", scale[i]);
        else size[i] = (int64_t)wanted;
    }
    if (n != spatial && factors != spatial)
        lt_build_fail(c->b, LATHE_TYPE, "neither output_size nor scale_factors has %d entries", spatial);
}

/* Dim by dim from the last; halves are blended in float32 and rounded once. */
static void resize(lt_call *c, lt_resize how)
{
    lt_builder *b = c->b;
    int64_t size[LT_MAX_SPATIAL] = {0};
    double scale[LT_MAX_SPATIAL];
    lt_id x = lt_call_tensor(c, c->schema->params[0].name);
    lt_dtype dtype = lt_build_dtype(b, x);
    bool blends = how.mode > LT_RESAMPLE_NEAREST_EXACT;
    output_sizes(c, x, how.spatial, size, scale);
    if (blends && lt_dtype_is_half(dtype)) x = lt_build_cast(b, x, LATHE_F32);
    for (int i = how.spatial - 1; i >= 0; i--) {
        int64_t in = lt_build_size(b, x, i + 2);
        /* PyTorch's kernel for images keeps and doubles sizes exactly, whatever the scale that led to them.
         */
        bool whole = size[i] == in || (size[i] % 2 == 0 && size[i] / 2 == in);
        if (whole && how.spatial == 2 && how.mode == LT_RESAMPLE_NEAREST) scale[i] = 0;
        lt_attrs attrs = {.resample = {.mode = how.mode,
                                       .dim = i + 2,
                                       .size = size[i],
                                       .scale = scale[i] > 0 ? scale[i] : 0,
                                       .align_corners = blends && lt_call_bool(c, "align_corners"),
                                       .antialias = how.antialias,
                                       .wide = dtype == LATHE_F64 && how.spatial != 2}};
        x = lt_build(b, LT_OP_RESAMPLE, &attrs, &x, 1);
    }
    lt_call_return(c, lt_build_cast(b, x, dtype));
}

static void nearest1d(lt_call *c) { resize(c, (lt_resize){1, LT_RESAMPLE_NEAREST, false}); }
static void nearest2d(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_NEAREST, false}); }
static void nearest3d(lt_call *c) { resize(c, (lt_resize){3, LT_RESAMPLE_NEAREST, false}); }
static void nearest_exact1d(lt_call *c) { resize(c, (lt_resize){1, LT_RESAMPLE_NEAREST_EXACT, false}); }
static void nearest_exact2d(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_NEAREST_EXACT, false}); }
static void nearest_exact3d(lt_call *c) { resize(c, (lt_resize){3, LT_RESAMPLE_NEAREST_EXACT, false}); }
static void linear1d(lt_call *c) { resize(c, (lt_resize){1, LT_RESAMPLE_LINEAR, false}); }
static void bilinear2d(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_LINEAR, false}); }
static void trilinear3d(lt_call *c) { resize(c, (lt_resize){3, LT_RESAMPLE_LINEAR, false}); }
static void bicubic2d(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_CUBIC, false}); }
static void bilinear2d_aa(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_LINEAR, true}); }
static void bicubic2d_aa(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_CUBIC, true}); }
static void lanczos2d_aa(lt_call *c) { resize(c, (lt_resize){2, LT_RESAMPLE_LANCZOS, true}); }

/* ---- Grids ---- */

static void grid_sampler(lt_call *c)
{
    static const lt_resample_mode modes[] = {LT_RESAMPLE_LINEAR, LT_RESAMPLE_NEAREST, LT_RESAMPLE_CUBIC};
    int64_t mode = lt_call_int(c, "interpolation_mode"), padding = lt_call_int(c, "padding_mode");
    lt_id in[2] = {lt_call_tensor(c, "input"), lt_call_tensor(c, "grid")};
    if (mode < 0 || mode > 2 || padding < 0 || padding > 2) {
        lt_build_fail(c->b, LATHE_TYPE, "interpolation_mode %lld, padding_mode %lld, expected 0 to 2",
                      (long long)mode, (long long)padding);
        return;
    }
    lt_attrs attrs = {.sample = {.mode = modes[mode],
                                 .padding = (lt_sample_padding)padding,
                                 .align_corners = lt_call_bool(c, "align_corners")}};
    lt_call_return(c, lt_build(c->b, LT_OP_GRID_SAMPLE, &attrs, in, 2));
}

/* The centers of `size` cells (or points from border to border) of -1 … 1, as [1, …, size, …, 1]. */
static lt_id axis(lt_builder *b, int64_t size, bool align_corners, int dim, int rank, lt_dtype dtype)
{
    int64_t shape[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) shape[i] = i == dim ? size : 1;
    double step = align_corners ? (size > 1 ? 2.0 / (double)(size - 1) : 0) : 2.0 / (double)size;
    double start = align_corners ? (size > 1 ? -1.0 : 0) : -1.0 + 1.0 / (double)size;
    lt_id at = lt_build_cast(b, lt_build_arange(b, size, 0, 1), LATHE_F64);
    at = lt_build_add(b, lt_build_mul(b, at, lt_build_number(b, step)), lt_build_number(b, start));
    return lt_build_reshape(b, lt_build_cast(b, at, dtype), rank, shape);
}

/* theta [N, d, d + 1] times (x, y, (z,) 1) at every place of an [N, C, (D,) H, W] image. */
static void affine_grid(lt_call *c)
{
    lt_builder *b = c->b;
    int64_t size[5], shape[5];
    lt_id theta = lt_call_tensor(c, "theta");
    int rank = lt_call_ints(c, "size", size, 5), d = rank - 2;
    const lt_type type = *lt_build_type(b, theta);
    bool align = lt_call_bool(c, "align_corners");
    if (d < 2 || type.rank != 3 || type.dim[1] != d || type.dim[2] != d + 1 || size[0] != type.dim[0]) {
        lt_build_fail(b, LATHE_TYPE, "size of %d dims and theta of rank %d do not fit", rank, type.rank);
        return;
    }
    for (int i = 0; i < d; i++)
        if (size[i + 2] < 1) lt_build_fail(b, LATHE_TYPE, "an image of size %lld", (long long)size[i + 2]);
    if (b->status != LATHE_OK) return;
    memcpy(shape, size, sizeof shape);
    for (int i = 0; i < d; i++) shape[i + 1] = size[i + 2];
    shape[d + 1] = 1;
    lt_id base[4], ones = lt_build_full(b, lt_build_number(b, 1), type.dtype, d + 2, shape);
    for (int i = 0; i < d; i++)
        base[i] = lt_build_expand(b, axis(b, size[d + 1 - i], align, d - i, d + 2, type.dtype), d + 2, shape);
    base[d] = ones;
    int64_t places = 1;
    for (int i = 0; i < d; i++) places *= size[i + 2];
    lt_id rows =
        lt_build_reshape(b, lt_build_cat(b, base, d + 1, -1), 3, (int64_t[]){size[0], places, d + 1});
    lt_id grid = lt_build_matmul(b, rows, lt_build_transpose(b, theta, 1, 2));
    shape[d + 1] = d;
    lt_call_return(c, lt_build_reshape(b, grid, d + 2, shape));
}

const lt_aten_row lt_aten_resample[] = {
    {"upsample_nearest1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor", nearest1d, 0},
    {"upsample_nearest1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest1d, 0},
    {"upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> "
     "Tensor",
     nearest2d, 0},
    {"upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest2d, 0},
    {"upsample_nearest3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     nearest3d, 0},
    {"upsample_nearest3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest3d, 0},
    {"_upsample_nearest_exact1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor",
     nearest_exact1d, 0},
    {"_upsample_nearest_exact1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest_exact1d, 0},
    {"_upsample_nearest_exact2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? "
     "scales_w=None) -> Tensor",
     nearest_exact2d, 0},
    {"_upsample_nearest_exact2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest_exact2d, 0},
    {"_upsample_nearest_exact3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? "
     "scales_h=None, float? scales_w=None) -> Tensor",
     nearest_exact3d, 0},
    {"_upsample_nearest_exact3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
     nearest_exact3d, 0},
    {"upsample_linear1d(Tensor self, SymInt[1] output_size, bool align_corners, float? scales=None) -> "
     "Tensor",
     linear1d, 0},
    {"upsample_linear1d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) "
     "-> Tensor",
     linear1d, 0},
    {"upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     bilinear2d, 0},
    {"upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     bilinear2d, 0},
    {"upsample_trilinear3d(Tensor self, SymInt[3] output_size, bool align_corners, float? scales_d=None, "
     "float? scales_h=None, float? scales_w=None) -> Tensor",
     trilinear3d, 0},
    {"upsample_trilinear3d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     trilinear3d, 0},
    {"upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     bicubic2d, 0},
    {"upsample_bicubic2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     bicubic2d, 0},
    {"_upsample_bilinear2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     bilinear2d_aa, 0},
    {"_upsample_bilinear2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     bilinear2d_aa, 0},
    {"_upsample_bicubic2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     bicubic2d_aa, 0},
    {"_upsample_bicubic2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     bicubic2d_aa, 0},
    {"_upsample_lanczos2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, "
     "float? scales_w=None) -> Tensor",
     lanczos2d_aa, 0},
    {"_upsample_lanczos2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? "
     "scale_factors) -> Tensor",
     lanczos2d_aa, 0},
    {"grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) "
     "-> Tensor",
     grid_sampler, 0},
    {"grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     grid_sampler, 0},
    {"grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
     "align_corners) -> Tensor",
     grid_sampler, 0},
    {"affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor", affine_grid, 0},
    {NULL, NULL, 0}};
