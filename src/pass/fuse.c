/* Recognises what exports write in pieces: RMS norm, rotary embedding, gated activations. A part that
 * something else reads, an output included, is kept beside the fused node: the old nodes are only left out
 * when nothing reads them. Half-precision graphs round between the pieces, and fused nodes round where they
 * do. */
#include "pass/pass.h"
#include "pass/rewrite.h"

/* ---- RMS norm: x * rsqrt(mean(x^2) + eps), then weight * that ---- */

/* The mean square of x over its last dim. */
static bool is_mean_square(const lt_rewrite *rw, lt_id value, lt_id x)
{
    const lt_node *mean = lt_rewrite_made_by(rw, value, LT_OP_REDUCE_MEAN);
    int rank = lt_rewrite_type(rw, x)->rank;
    if (!mean || !mean->attrs.reduce.keepdim) return false;
    for (int i = 0; i < rank; i++)
        if (mean->attrs.reduce.dims[i] != (i == rank - 1)) return false;
    const lt_node *square = lt_rewrite_made_by(rw, mean->in[0], LT_OP_SQUARE);
    const lt_node *product = lt_rewrite_made_by(rw, mean->in[0], LT_OP_MUL);
    return (square && square->in[0] == x) || (product && product->in[0] == x && product->in[1] == x);
}

/* One operand of a commutative node when the other is `known`. */
static bool split_scalar(const lt_rewrite *rw, const lt_node *node, lt_id *tensor, double *scalar)
{
    for (int k = 0; k < 2; k++)
        if (lt_rewrite_scalar(rw, node->in[k], scalar)) {
            *tensor = node->in[1 - k];
            return true;
        }
    return false;
}

/* Whether the node is x * rsqrt(mean(x^2) + eps). */
static bool match_normalised(const lt_rewrite *rw, const lt_node *node, lt_id *x, double *eps)
{
    if (!node || node->op != LT_OP_MUL) return false;
    for (int k = 0; k < 2; k++) {
        const lt_node *rsqrt = lt_rewrite_made_by(rw, node->in[k], LT_OP_RSQRT);
        const lt_node *add = rsqrt ? lt_rewrite_made_by(rw, rsqrt->in[0], LT_OP_ADD) : NULL;
        lt_id mean;
        *x = node->in[1 - k];
        if (add && lt_rewrite_type(rw, *x)->rank > 0 && split_scalar(rw, add, &mean, eps) &&
            is_mean_square(rw, mean, *x))
            return true;
    }
    return false;
}

static lt_id build_rms_norm(lt_rewrite *rw, lt_id x, double eps, lt_id weight)
{
    lt_attrs attrs = {.norm = {.n_dims = 1, .eps = eps}};
    return lt_build(&rw->b, LT_OP_RMS_NORM, &attrs, (lt_id[]){x, weight}, weight == LT_NONE ? 1 : 2);
}

/* Whether several operations of this type may become one: nothing is rounded between them. */
static bool is_exact(lt_dtype dtype) { return dtype == LATHE_F32 || dtype == LATHE_F64; }

/* The normalised x, cast back to the type that x had before it was widened. */
static bool fuse_cast_rms_norm(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_id x;
    double eps;
    if (node->op != LT_OP_CAST || !match_normalised(rw, lt_graph_producer(rw->from, node->in[0]), &x, &eps))
        return false;
    lt_id plain = lt_rewrite_uncast(rw, x);
    if (!lt_type_equal(lt_rewrite_type(rw, plain), lt_rewrite_type(rw, node->out))) return false;
    *out = build_rms_norm(rw, rw->map[plain], eps, LT_NONE);
    return true;
}

/* In half precision: weight * the normalised x, rounded in between. */
static bool fuse_rounded_rms_norm(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_type *type = lt_rewrite_type(rw, node->out);
    if (node->op != LT_OP_MUL || is_exact(type->dtype)) return false;
    for (int k = 0; k < 2; k++) {
        const lt_node *cast = lt_rewrite_made_by(rw, node->in[k], LT_OP_CAST);
        const lt_type *weight = lt_rewrite_type(rw, node->in[1 - k]);
        lt_id x;
        double eps;
        bool fits = cast && weight->rank == 1 && weight->dtype == type->dtype &&
                    lt_type_equal(lt_rewrite_type(rw, cast->out), type) &&
                    weight->dim[0] == type->dim[type->rank - 1];
        if (!fits || !match_normalised(rw, lt_graph_producer(rw->from, cast->in[0]), &x, &eps)) continue;
        x = lt_rewrite_uncast(rw, x);
        if (!lt_type_equal(lt_rewrite_type(rw, x), type)) continue;
        lt_attrs attrs = {.norm = {.n_dims = 1, .rounds = true, .eps = eps}};
        *out = lt_build(&rw->b, LT_OP_RMS_NORM, &attrs, (lt_id[]){rw->map[x], rw->map[node->in[1 - k]]}, 2);
        return true;
    }
    return false;
}

static bool fuse_rms_norm(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_id x;
    double eps;
    if (fuse_cast_rms_norm(rw, node, out) || fuse_rounded_rms_norm(rw, node, out)) return true;
    const lt_type *type = lt_rewrite_type(rw, node->out);
    if (node->op != LT_OP_MUL || !is_exact(type->dtype)) return false;
    for (int k = 0; k < 2; k++) {
        const lt_type *weight = lt_rewrite_type(rw, node->in[1 - k]);
        if (!match_normalised(rw, lt_graph_producer(rw->from, node->in[k]), &x, &eps)) continue;
        bool fits = weight->rank == 1 && weight->dim[0] == type->dim[type->rank - 1];
        if (!fits || !lt_type_equal(lt_rewrite_type(rw, x), type)) continue;
        *out = build_rms_norm(rw, rw->map[x], eps, rw->map[node->in[1 - k]]);
        return true;
    }
    if (!match_normalised(rw, node, &x, &eps) || !lt_type_equal(lt_rewrite_type(rw, x), type)) return false;
    *out = build_rms_norm(rw, rw->map[x], eps, LT_NONE);
    return true;
}

/* ---- Rotary embedding: x * cos + cat(-x[half:], x[:half]) * sin ---- */

static bool is_half(const lt_rewrite *rw, lt_id value, lt_id x, bool second)
{
    const lt_node *slice = lt_rewrite_made_by(rw, value, LT_OP_SLICE);
    const lt_type *type = lt_rewrite_type(rw, x);
    int last = type->rank - 1;
    int64_t half = type->dim[last] / 2;
    return slice && slice->in[0] == x && slice->attrs.slice.dim == last && slice->attrs.slice.step == 1 &&
           slice->attrs.slice.count == half && slice->attrs.slice.start == (second ? half : 0);
}

static bool is_rotated(const lt_rewrite *rw, lt_id value, lt_id x)
{
    const lt_node *cat = lt_rewrite_made_by(rw, value, LT_OP_CAT);
    const lt_type *type = lt_rewrite_type(rw, x);
    if (!cat || cat->n_in != 2 || type->rank == 0 || type->dim[type->rank - 1] % 2 != 0 ||
        cat->attrs.dim.dim != type->rank - 1)
        return false;
    const lt_node *neg = lt_rewrite_made_by(rw, cat->in[0], LT_OP_NEG);
    return neg && is_half(rw, neg->in[0], x, true) && is_half(rw, cat->in[1], x, false);
}

/* x and cos of one product, sin of the other. */
static bool match_rope(const lt_rewrite *rw, const lt_node *straight, const lt_node *turned, lt_id *x,
                       lt_id *cosine, lt_id *sine)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            *x = straight->in[i];
            *cosine = straight->in[1 - i];
            *sine = turned->in[1 - k];
            if (is_rotated(rw, turned->in[k], *x)) return true;
        }
    return false;
}

static bool fuse_rope(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_id x, cosine, sine;
    if (node->op != LT_OP_ADD) return false;
    const lt_node *a = lt_rewrite_sole(rw, node->in[0], LT_OP_MUL),
                  *b = lt_rewrite_sole(rw, node->in[1], LT_OP_MUL);
    if (!a || !b || (!match_rope(rw, a, b, &x, &cosine, &sine) && !match_rope(rw, b, a, &x, &cosine, &sine)))
        return false;
    const lt_type *type = lt_rewrite_type(rw, x), *c = lt_rewrite_type(rw, cosine),
                  *s = lt_rewrite_type(rw, sine);
    int64_t d = type->dim[type->rank - 1];
    bool whole = c->rank >= 1 && s->rank >= 1 && c->dim[c->rank - 1] == d && s->dim[s->rank - 1] == d;
    bool one_type = c->dtype == type->dtype && s->dtype == type->dtype; /* products are rounded to it */
    if (!whole || !one_type || !lt_type_equal(type, lt_rewrite_type(rw, node->out))) return false;
    *out = lt_build(&rw->b, LT_OP_ROPE, &(lt_attrs){0}, (lt_id[]){rw->map[x], rw->map[cosine], rw->map[sine]},
                    3);
    return true;
}

/* ---- Activations: x * sigmoid(x), and gated units act(x) * y ---- */

/* The x of a written x * sigmoid(x); LT_NONE when the value is something else. */
static lt_id silu_operand(const lt_rewrite *rw, lt_id value)
{
    const lt_node *product = lt_rewrite_made_by(rw, value, LT_OP_MUL);
    for (int k = 0; product && k < 2; k++) {
        const lt_node *sigmoid = lt_rewrite_made_by(rw, product->in[k], LT_OP_SIGMOID);
        if (sigmoid && sigmoid->in[0] == product->in[1 - k] &&
            lt_rewrite_type(rw, sigmoid->out)->dtype == lt_rewrite_type(rw, value)->dtype)
            return sigmoid->in[0];
    }
    return LT_NONE;
}

/* Written in float32 between casts, it is the same in half precision. */
static bool fuse_silu(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_dtype dtype = lt_rewrite_type(rw, node->out)->dtype;
    lt_id x = LT_NONE;
    if (node->op == LT_OP_MUL && is_exact(dtype)) x = silu_operand(rw, node->out);
    if (node->op == LT_OP_CAST && !is_exact(dtype)) {
        x = silu_operand(rw, node->in[0]);
        const lt_node *cast = x == LT_NONE ? NULL : lt_rewrite_made_by(rw, x, LT_OP_CAST);
        x = cast ? cast->in[0] : LT_NONE;
    }
    if (x == LT_NONE || !lt_type_equal(lt_rewrite_type(rw, x), lt_rewrite_type(rw, node->out))) return false;
    *out = lt_build_formula(&rw->b, LT_OP_SILU, dtype, dtype, &rw->map[x], 1);
    return true;
}

static bool fuse_gate(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    static const struct {
        lt_op activation, fused;
    } gates[] = {
        {LT_OP_SILU, LT_OP_SILU_MUL}, {LT_OP_GELU, LT_OP_GELU_MUL}, {LT_OP_GELU_TANH, LT_OP_GELU_TANH_MUL}};
    lt_dtype dtype = lt_rewrite_type(rw, node->out)->dtype;
    if (node->op != LT_OP_MUL || !is_exact(dtype)) return false;
    for (int k = 0; k < 2; k++) {
        lt_id x = rw->uses[node->in[k]] == 1 ? silu_operand(rw, node->in[k]) : LT_NONE;
        if (x == LT_NONE || lt_rewrite_type(rw, node->in[1 - k])->dtype != dtype) continue;
        *out = lt_build_formula(&rw->b, LT_OP_SILU_MUL, dtype, dtype,
                                (lt_id[]){rw->map[x], rw->map[node->in[1 - k]]}, 2);
        return true;
    }
    for (size_t g = 0; g < LT_COUNT(gates); g++)
        for (int k = 0; k < 2; k++) {
            const lt_node *act = lt_rewrite_sole(rw, node->in[k], gates[g].activation);
            if (!act || lt_rewrite_type(rw, act->out)->dtype != dtype ||
                lt_rewrite_type(rw, node->in[1 - k])->dtype != dtype)
                continue;
            *out = lt_build_formula(&rw->b, gates[g].fused, dtype, dtype,
                                    (lt_id[]){rw->map[act->in[0]], rw->map[node->in[1 - k]]}, 2);
            return true;
        }
    return false;
}

/* ---- Attention between casts: it computes in float32 anyway and rounds its result ---- */

static bool fuse_cast_sdpa(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_type *type = lt_rewrite_type(rw, node->out);
    if (node->op != LT_OP_CAST || is_exact(type->dtype)) return false;
    lt_id value = node->in[0];
    for (const lt_node *view; (view = lt_rewrite_sole(rw, value, LT_OP_RESHAPE));) value = view->in[0];
    const lt_node *sdpa = lt_rewrite_sole(rw, value, LT_OP_SDPA);
    const lt_node *query = sdpa ? lt_rewrite_made_by(rw, sdpa->in[0], LT_OP_CAST) : NULL;
    if (!query || lt_rewrite_type(rw, query->in[0])->dtype != type->dtype ||
        lt_rewrite_type(rw, value)->dtype != LATHE_F32)
        return false;
    lt_id in[7];
    lt_assert(sdpa->n_in <= LT_COUNT(in));
    for (uint32_t k = 0; k < sdpa->n_in; k++) in[k] = rw->map[k == 0 ? query->in[0] : sdpa->in[k]];
    *out = lt_build_reshape(&rw->b, lt_build(&rw->b, LT_OP_SDPA, &sdpa->attrs, in, (int)sdpa->n_in),
                            type->rank, type->dim);
    return true;
}

static bool fuse(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return fuse_rms_norm(rw, node, out) || fuse_rope(rw, node, out) || fuse_gate(rw, node, out) ||
           fuse_silu(rw, node, out) || fuse_cast_sdpa(rw, node, out);
}

lathe_status lt_pass_fuse(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, fuse, out, err);
}
