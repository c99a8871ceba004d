/* A convolution whose result is multiplied by a fixed number for each channel, or has one added, as by a
 * batch norm with running statistics: the numbers go into its weights and bias. Float32 and float64 only,
 * where nothing is rounded in between. */
#include "pass/pass.h"
#include "pass/rewrite.h"

/* What is done to the result of a convolution: times `scale`, plus `shift`; old values, LT_NONE: nothing. */
typedef struct lt_affine {
    const lt_node *conv;
    lt_id scale, shift;
    bool negative; /* minus the shift */
} lt_affine;

static const lt_node *sole_conv(const lt_rewrite *rw, lt_id value)
{
    const lt_node *conv = lt_rewrite_sole(rw, value, LT_OP_CONV);
    if (!conv || !lt_rewrite_is_fixed(rw, conv->in[1]) ||
        (conv->attrs.conv.transposed && conv->attrs.conv.groups > 1))
        return NULL;
    return conv->n_in < 3 || lt_rewrite_is_fixed(rw, conv->in[2]) ? conv : NULL;
}

/* Whether a fixed value is one number for each channel of `like`, or one for all. */
static bool is_per_channel(const lt_rewrite *rw, lt_id value, const lt_type *like)
{
    const lt_type *type = lt_rewrite_type(rw, value);
    if (!lt_rewrite_is_fixed(rw, value) || !lt_dtype_is_float(type->dtype) || type->rank > like->rank)
        return false;
    for (int i = 0; i < type->rank; i++) {
        int at = i + like->rank - type->rank;
        if (type->dim[i] != 1 && (at != 1 || type->dim[i] != like->dim[1])) return false;
    }
    return true;
}

static bool match(const lt_rewrite *rw, const lt_node *node, lt_affine *out)
{
    const lt_type *type = lt_rewrite_type(rw, node->out);
    *out = (lt_affine){.scale = LT_NONE, .shift = LT_NONE};
    lt_id x[2]; /* one of them the convolution, the other the vector that multiplies it or is added */
    switch (node->op) {
    case LT_OP_FMA:
        out->shift = node->in[0];
        x[0] = node->in[1];
        x[1] = node->in[2];
        break;
    case LT_OP_MUL:
    case LT_OP_ADD:
    case LT_OP_SUB:
        x[0] = node->in[0];
        x[1] = node->in[1];
        break;
    default: return false;
    }
    for (int k = 0; k < (node->op == LT_OP_SUB ? 1 : 2) && !out->conv; k++) {
        const lt_node *conv = sole_conv(rw, x[k]);
        if (!conv || !lt_type_equal(lt_rewrite_type(rw, conv->out), type)) continue;
        out->conv = conv;
        if (node->op == LT_OP_FMA || node->op == LT_OP_MUL) out->scale = x[1 - k];
        else out->shift = x[1 - k];
    }
    out->negative = node->op == LT_OP_SUB;
    return out->conv && (out->scale == LT_NONE || is_per_channel(rw, out->scale, type)) &&
           (out->shift == LT_NONE || is_per_channel(rw, out->shift, type));
}

/* A fixed value as [channels], or [1]. */
static lt_id as_vector(lt_rewrite *rw, lt_id value)
{
    return lt_build_reshape(&rw->b, rw->map[value], 1, (int64_t[]){-1});
}

static lt_id formula(lt_rewrite *rw, lt_op op, lt_dtype dtype, const lt_id *in, int n)
{
    return lt_build_formula(&rw->b, op, dtype, dtype, in, n);
}

static lt_id scaled_weight(lt_rewrite *rw, const lt_node *conv, lt_id scale, lt_dtype dtype)
{
    lt_id weight = rw->map[conv->in[1]];
    int rank = lt_rewrite_type(rw, conv->in[1])->rank, channel = conv->attrs.conv.transposed ? 1 : 0;
    int64_t dim[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) dim[i] = i == channel ? -1 : 1;
    scale = lt_build_reshape(&rw->b, scale, rank, dim);
    return formula(rw, LT_OP_MUL, dtype, (lt_id[]){weight, scale}, 2);
}

/* [channels] from a vector that may be [1]. */
static lt_id for_all(lt_rewrite *rw, lt_id vector, int64_t channels)
{
    return lt_build_expand(&rw->b, vector, 1, &channels);
}

static bool fold(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_affine a;
    const lt_type *type = lt_rewrite_type(rw, node->out);
    lt_dtype dtype = type->dtype;
    if ((dtype != LATHE_F32 && dtype != LATHE_F64) || !match(rw, node, &a)) return false;
    lt_id in[3] = {rw->map[a.conv->in[0]], rw->map[a.conv->in[1]],
                   a.conv->n_in > 2 ? rw->map[a.conv->in[2]] : LT_NONE};
    if (a.scale != LT_NONE) {
        lt_id scale = as_vector(rw, a.scale);
        in[1] = scaled_weight(rw, a.conv, scale, dtype);
        if (in[2] != LT_NONE) in[2] = formula(rw, LT_OP_MUL, dtype, (lt_id[]){in[2], scale}, 2);
    }
    if (a.shift != LT_NONE) {
        lt_id shift = as_vector(rw, a.shift);
        if (a.negative) shift = formula(rw, LT_OP_NEG, dtype, &shift, 1);
        if (in[2] != LT_NONE) in[2] = formula(rw, LT_OP_ADD, dtype, (lt_id[]){in[2], shift}, 2);
        else in[2] = for_all(rw, lt_build_cast(&rw->b, shift, dtype), type->dim[1]);
    }
    rw->b.source = a.conv->source; /* devices and people know it by that */
    *out = lt_build(&rw->b, LT_OP_CONV, &a.conv->attrs, in, in[2] == LT_NONE ? 2 : 3);
    return true;
}

lathe_status lt_pass_conv_norm(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph_fixed(from, fold, out, err);
}
