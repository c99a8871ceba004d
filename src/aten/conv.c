/* Convolution. */
#include <string.h>

#include "aten/aten.h"

/* One integer for each spatial dim; a single one stands for all. */
static void spatial_ints(lt_call *c, const char *name, int spatial, int64_t *out)
{
    int n = lt_call_ints(c, name, out, LT_MAX_SPATIAL);
    if (n != 1 && n != spatial)
        lt_build_fail(c->b, LATHE_TYPE, "argument '%s' has %d entries, expected %d", name, n, spatial);
    for (int i = 1; i < spatial && n == 1; i++) out[i] = out[0];
}

/* Stride, dilation and groups, which every form has. */
static lt_attrs common_attrs(lt_call *c)
{
    lt_attrs attrs = {.conv = {.groups = lt_call_int(c, "groups")}};
    int spatial = lt_build_rank(c->b, lt_call_tensor(c, "weight")) - 2;
    if (spatial < 1 || spatial > LT_MAX_SPATIAL) {
        lt_build_fail(c->b, LATHE_TYPE, "weight of rank %d, expected 3 to 5", spatial + 2);
        spatial = 1;
    }
    attrs.conv.spatial = spatial;
    spatial_ints(c, "stride", spatial, attrs.conv.stride);
    spatial_ints(c, "dilation", spatial, attrs.conv.dilation);
    return attrs;
}

/* An input without batch dim gets one for the while. */
static void convolve(lt_call *c, const lt_attrs *attrs)
{
    lt_id in[3] = {lt_call_tensor(c, "input"), lt_call_tensor(c, "weight"),
                   lt_call_optional_tensor(c, "bias")};
    bool unbatched = lt_build_rank(c->b, in[0]) == attrs->conv.spatial + 1;
    if (unbatched) in[0] = lt_build_unsqueeze(c->b, in[0], 0);
    lt_id out = lt_build(c->b, LT_OP_CONV, attrs, in, in[2] == LT_NONE ? 2 : 3);
    lt_call_return(c, unbatched ? lt_build_squeeze(c->b, out, 0) : out);
}

static void set_padding(lt_call *c, lt_attrs *attrs)
{
    spatial_ints(c, "padding", attrs->conv.spatial, attrs->conv.padding);
    memcpy(attrs->conv.padding_after, attrs->conv.padding, sizeof attrs->conv.padding);
}

static void set_transposed(lt_call *c, lt_attrs *attrs)
{
    int64_t more[LT_MAX_SPATIAL] = {0};
    spatial_ints(c, "output_padding", attrs->conv.spatial, more);
    attrs->conv.transposed = true;
    for (int i = 0; i < attrs->conv.spatial; i++) {
        int64_t limit = lt_max_i64(attrs->conv.stride[i], attrs->conv.dilation[i]);
        if (more[i] < 0 || more[i] >= limit)
            lt_build_fail(c->b, LATHE_TYPE, "output_padding %lld, expected 0 to %lld", (long long)more[i],
                          (long long)limit - 1);
        else if (!lt_sub_i64(attrs->conv.padding[i], more[i], &attrs->conv.padding_after[i]))
            lt_build_fail(c->b, LATHE_TYPE, "padding %lld", (long long)attrs->conv.padding[i]);
    }
}

static void conv(lt_call *c)
{
    lt_attrs attrs = common_attrs(c);
    set_padding(c, &attrs);
    convolve(c, &attrs);
}

static void conv_transpose(lt_call *c)
{
    lt_attrs attrs = common_attrs(c);
    set_padding(c, &attrs);
    set_transposed(c, &attrs);
    convolve(c, &attrs);
}

static void convolution(lt_call *c)
{
    lt_attrs attrs = common_attrs(c);
    set_padding(c, &attrs);
    if (lt_call_bool(c, "transposed")) set_transposed(c, &attrs);
    convolve(c, &attrs);
}

/* "same" keeps the size: an odd padding has its larger half behind. */
static void conv_padding(lt_call *c)
{
    lt_attrs attrs = common_attrs(c);
    const char *mode = lt_call_string(c, "padding");
    const lt_type *weight = lt_build_type(c->b, lt_call_tensor(c, "weight"));
    bool same = strcmp(mode, "same") == 0;
    if (!same && strcmp(mode, "valid") != 0)
        lt_build_fail(c->b, LATHE_TYPE, "padding '%s', expected 'same' or 'valid'", mode);
    for (int i = 0; i < attrs.conv.spatial && same; i++) {
        int64_t total;
        if (attrs.conv.stride[i] != 1) lt_build_fail(c->b, LATHE_TYPE, "padding 'same' with a stride");
        if (!lt_mul_i64(weight->dim[i + 2] - 1, attrs.conv.dilation[i], &total))
            lt_build_fail(c->b, LATHE_TYPE, "dilation %lld", (long long)attrs.conv.dilation[i]);
        attrs.conv.padding[i] = total / 2;
        attrs.conv.padding_after[i] = total - total / 2;
    }
    convolve(c, &attrs);
}

const lt_aten_row lt_aten_conv[] = {
    {"conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, "
     "SymInt[1] dilation=1, SymInt groups=1) -> Tensor",
     conv, 0},
    {"conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, "
     "SymInt[2] dilation=1, SymInt groups=1) -> Tensor",
     conv, 0},
    {"conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=1, SymInt[3] padding=0, "
     "SymInt[3] dilation=1, SymInt groups=1) -> Tensor",
     conv, 0},
    {"conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, str "
     "padding=\"valid\", SymInt[1] dilation=1, SymInt groups=1) -> Tensor",
     conv_padding, 0},
    {"conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, str "
     "padding=\"valid\", SymInt[2] dilation=1, SymInt groups=1) -> Tensor",
     conv_padding, 0},
    {"conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=1, str "
     "padding=\"valid\", SymInt[3] dilation=1, SymInt groups=1) -> Tensor",
     conv_padding, 0},
    {"_convolution_mode(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, str padding, SymInt[] "
     "dilation, SymInt groups) -> Tensor",
     conv_padding, 0},
    {"convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] "
     "dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor",
     convolution, 0},
    {"_convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] "
     "dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool benchmark, bool deterministic, "
     "bool cudnn_enabled, bool allow_tf32) -> Tensor",
     convolution, 0},
    {"_convolution.deprecated(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, "
     "SymInt[] dilation, bool transposed, int[] output_padding, SymInt groups, bool benchmark, bool "
     "deterministic, bool cudnn_enabled) -> Tensor",
     convolution, 0},
    {"conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] "
     "padding=0, SymInt[1] output_padding=0, SymInt groups=1, SymInt[1] dilation=1) -> Tensor",
     conv_transpose, 0},
    {"conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] "
     "padding=0, SymInt[2] output_padding=0, SymInt groups=1, SymInt[2] dilation=1) -> Tensor",
     conv_transpose, 0},
    {"conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=1, SymInt[3] "
     "padding=0, SymInt[3] output_padding=0, SymInt groups=1, SymInt[3] dilation=1) -> Tensor",
     conv_transpose, 0},
    {NULL, NULL, 0}};
