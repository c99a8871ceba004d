/* Normalisation. */
#include <float.h>

#include "aten/aten.h"

/* Dims to normalise over; they must be the last of x. */
static int normalised_dims(lt_call *c, lt_id x)
{
    int64_t shape[LT_MAX_RANK];
    int n = lt_call_ints(c, "normalized_shape", shape, LT_MAX_RANK), rank = lt_build_rank(c->b, x);
    bool fits = n >= 1 && n <= rank;
    for (int i = 0; fits && i < n; i++) fits = lt_build_size(c->b, x, rank - n + i) == shape[i];
    if (!fits) lt_build_fail(c->b, LATHE_TYPE, "normalized_shape is not the input's last dims");
    return n;
}

/* A weight of ones in the shape of the bias, where there is only a bias. */
static lt_id ones_like(lt_builder *b, lt_id bias)
{
    const lt_type *type = lt_build_type(b, bias);
    return lt_build_full(b, lt_build_integer(b, 1), type->dtype, type->rank, type->dim);
}

static lt_id build_layer_norm(lt_call *c)
{
    lt_id in[3] = {lt_call_tensor(c, "input"), lt_call_optional_tensor(c, "weight"),
                   lt_call_optional_tensor(c, "bias")};
    if (in[1] == LT_NONE && in[2] != LT_NONE) in[1] = ones_like(c->b, in[2]);
    lt_attrs attrs = {.norm = {.n_dims = normalised_dims(c, in[0]), .eps = lt_call_float(c, "eps")}};
    return lt_build(c->b, LT_OP_LAYER_NORM, &attrs, in, in[2] != LT_NONE ? 3 : in[1] != LT_NONE ? 2 : 1);
}

static void layer_norm(lt_call *c) { lt_call_return(c, build_layer_norm(c)); }

/* Statistics are in the input's dtype, as files record it (with wider parameters, eager PyTorch gives
 * theirs). */
static void native_layer_norm(lt_call *c)
{
    lt_id y = build_layer_norm(c);
    lt_dtype dtype = lt_build_dtype(c->b, y);
    lt_call_return(c, y);
    for (lt_id k = 1; k <= 2 && y != LT_NONE; k++) lt_call_return(c, lt_build_cast(c->b, y + k, dtype));
}

static lt_id build_rms_norm(lt_call *c)
{
    lt_id in[2] = {lt_call_tensor(c, "input"), lt_call_optional_tensor(c, "weight")};
    double eps = lt_build_dtype(c->b, in[0]) == LATHE_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
    if (lt_call_has(c, "eps")) eps = lt_call_float(c, "eps");
    lt_attrs attrs = {.norm = {.n_dims = normalised_dims(c, in[0]), .eps = eps}};
    return lt_build(c->b, LT_OP_RMS_NORM, &attrs, in, in[1] != LT_NONE ? 2 : 1);
}

static void rms_norm(lt_call *c) { lt_call_return(c, build_rms_norm(c)); }

static void fused_rms_norm(lt_call *c)
{
    lt_id y = build_rms_norm(c);
    lt_call_return(c, y);
    if (y != LT_NONE) lt_call_return(c, y + 1);
}

/* v * (g / |v|), the norm taken over all dims but one, in float32 for half precision. */
static void weight_norm(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id v = lt_call_tensor(c, "v"), g = lt_call_tensor(c, "g");
    int rank = lt_build_rank(b, v), kept = lt_call_dim(c, "dim", rank);
    lt_dtype dtype = lt_build_dtype(b, v);
    bool dims[LT_MAX_RANK];
    for (int i = 0; i < LT_MAX_RANK; i++) dims[i] = i != kept;
    lt_id norm = lt_build_norm(b, v, 2, dims, true, dtype);
    lt_call_return(c, lt_build_mul(b, v, lt_build_div(b, g, norm)));
    lt_call_return(c, norm);
}

const lt_aten_row lt_aten_norm[] = {
    {"layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float "
     "eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
     layer_norm, 0},
    {"native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> "
     "(Tensor, Tensor, Tensor)",
     native_layer_norm, 0},
    {"rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
     rms_norm, 0},
    {"_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> (Tensor, Tensor)",
     fused_rms_norm, 0},
    {"_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor", weight_norm, 0},
    {"_weight_norm_interface(Tensor v, Tensor g, int dim=0) -> (Tensor, Tensor)", weight_norm, 0},
    {NULL, NULL, 0}};
