/* What attention that is written out does between its softmax and the product of queries and keys: scales,
 * caps, masks, biases, sinks and roundings, read from the end. */
#include <math.h>

#include "pass/attention.h"

bool lt_note_rounding(lt_written_attention *a, lt_dtype dtype, unsigned where)
{
    if (!lt_dtype_is_half(dtype)) return true;
    if (a->rounds && a->rounded != dtype) return false;
    a->rounded = dtype;
    a->rounds |= where;
    return true;
}

/* What a step of this type is rounded to: its own half precision, or that of a cast behind it. */
static lt_dtype take_rounding(lt_written_attention *a, lt_dtype dtype)
{
    lt_dtype to = lt_dtype_is_half(dtype) ? dtype : a->pending;
    a->pending = LATHE_DTYPE_COUNT;
    return to;
}

static bool find_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a);

static bool is_one(double x) { return x >= 1 && x <= 1; }

/* Attention adds masks to scores that have been scaled, and to those that have been capped. A factor behind
 * a mask is one of the mask as well, unless something was rounded in between. */
static bool add_term(lt_written_attention *a, lt_mask_term term)
{
    if (a->n_terms == LT_MAX_MASK_TERMS || a->cap > 0 || a->q_factor != LT_NONE || !(a->scale > 0))
        return false;
    if (!is_one(a->scale) && (term.rounded || a->rounds & LT_ROUND_SCALED)) return false;
    term.factor = a->scale;
    a->terms[a->n_terms++] = term;
    return true;
}

/* scores + mask, or mask + scores. */
static bool find_added(const lt_rewrite *rw, const lt_node *add, lt_written_attention *a)
{
    const lt_type *type = lt_rewrite_type(rw, add->out);
    lt_dtype to = take_rounding(a, type->dtype);
    for (int k = 0; k < 2; k++) {
        lt_written_attention attempt = *a;
        lt_mask_term term = {.value = add->in[1 - k], .shape = *type, .rounded = lt_dtype_is_half(to)};
        if (!lt_dtype_is_float(lt_rewrite_type(rw, term.value)->dtype) || !add_term(&attempt, term) ||
            !lt_note_rounding(&attempt, to, 0) || !find_scores(rw, add->in[k], &attempt))
            continue;
        *a = attempt;
        return true;
    }
    return false;
}

/* where(condition, scores, number), or where(condition, number, scores). */
static bool find_filled(const lt_rewrite *rw, const lt_node *where, lt_written_attention *a)
{
    const lt_type *type = lt_rewrite_type(rw, where->out);
    for (int k = 1; k <= 2; k++) {
        lt_mask_term term = {.value = where->in[0], .shape = *type, .condition = true, .inverted = k == 1};
        if (!lt_rewrite_scalar(rw, where->in[3 - k], &term.fill) || !(term.fill < 0)) continue;
        if (type->dtype != LATHE_F64 && term.fill < -(double)__FLT_MAX__) term.fill = -INFINITY;
        return add_term(a, term) && find_scores(rw, where->in[k], a);
    }
    return false;
}

/* cap * tanh(scores / cap), where `x` is the tanh; another factor inside is one of the scores. */
static bool find_capped(const lt_rewrite *rw, const lt_node *mul, lt_id x, double cap,
                        lt_written_attention *a)
{
    lt_dtype dtype = lt_rewrite_type(rw, mul->out)->dtype;
    const lt_node *inner = lt_graph_producer(rw->from, lt_graph_producer(rw->from, x)->in[0]);
    lt_id scores;
    double factor;
    if (!inner || lt_rewrite_type(rw, inner->out)->dtype != dtype ||
        !lt_split_factor(rw, inner, &scores, &factor))
        return false;
    bool same = fabs(factor * cap - 1) < 1e-6;
    if (!(cap > 0) || a->cap > 0 || a->q_factor != LT_NONE || !is_one(a->scale) ||
        a->pending != LATHE_DTYPE_COUNT || (lt_dtype_is_half(dtype) && !same))
        return false;
    a->cap = cap;
    if (!same) a->scale = factor * cap;
    return lt_note_rounding(a, dtype, LT_ROUND_CAPPED) && find_scores(rw, scores, a);
}

/* Scores times a number of each head, which may as well be one of the queries, where nothing is rounded. */
static bool find_head_factor(const lt_rewrite *rw, const lt_node *mul, lt_written_attention *a)
{
    const lt_type *type = lt_rewrite_type(rw, mul->out);
    if (mul->op != LT_OP_MUL || lt_dtype_is_half(type->dtype) || a->pending != LATHE_DTYPE_COUNT ||
        a->q_factor != LT_NONE)
        return false;
    a->factored = type;
    for (int k = 0; k < 2; k++) {
        const lt_type *factor = lt_rewrite_type(rw, mul->in[1 - k]);
        if (factor->rank < 2 || factor->dim[factor->rank - 1] != 1 || factor->dim[factor->rank - 2] != 1 ||
            !lt_type_equal(lt_rewrite_type(rw, mul->in[k]), type))
            continue;
        a->q_factor = mul->in[1 - k];
        return find_scores(rw, mul->in[k], a);
    }
    return false;
}

static bool find_factor(const lt_rewrite *rw, const lt_node *node, lt_written_attention *a)
{
    lt_id scores;
    double factor;
    lt_dtype dtype = lt_rewrite_type(rw, node->out)->dtype;
    if (!lt_split_factor(rw, node, &scores, &factor)) return find_head_factor(rw, node, a);
    if (lt_rewrite_made_by(rw, scores, LT_OP_TANH)) return find_capped(rw, node, scores, factor, a);
    lt_dtype to = take_rounding(a, dtype);
    if (lt_dtype_is_half(to) && (a->rounds & LT_ROUND_SCALED)) return false;
    a->scale *= factor;
    return lt_note_rounding(a, to, LT_ROUND_SCALED) && find_scores(rw, scores, a);
}

/* A cast to half precision rounds what is before it; one from there has nothing to round. */
static bool find_cast(const lt_rewrite *rw, const lt_node *cast, lt_written_attention *a)
{
    lt_dtype from = lt_rewrite_type(rw, cast->in[0])->dtype, to = cast->attrs.dtype.dtype;
    if (lt_dtype_is_half(from) &&
        ((lt_dtype_is_half(to) && to != from) || (a->pending != LATHE_DTYPE_COUNT && a->pending != from)))
        return false;
    if (lt_dtype_is_half(from)) a->pending = LATHE_DTYPE_COUNT;
    else if (lt_dtype_is_half(to)) a->pending = to;
    return find_scores(rw, cast->in[0], a);
}

/* What the scores are before a factor, a rounding or a view. */
static bool find_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    const lt_node *node = lt_graph_producer(rw->from, value);
    const lt_type *type = lt_rewrite_type(rw, value);
    if (!node || !lt_dtype_is_float(type->dtype) || lt_type_count(type) != lt_type_count(a->shape))
        return false;
    if (type->rank > a->shape->rank) a->shape = type;
    switch (node->op) {
    case LT_OP_MATMUL:
        a->q = node->in[0];
        a->k = node->in[1];
        return lt_note_rounding(a, take_rounding(a, type->dtype), LT_ROUND_PRODUCT);
    case LT_OP_CAST: return find_cast(rw, node, a);
    case LT_OP_RESHAPE:
        return lt_keeps_matrices(lt_rewrite_type(rw, node->in[0]), type) && find_scores(rw, node->in[0], a);
    case LT_OP_ADD: return find_added(rw, node, a);
    case LT_OP_WHERE: return find_filled(rw, node, a);
    case LT_OP_MUL:
    case LT_OP_DIV: return find_factor(rw, node, a);
    default: return false;
    }
}

/* x - max(x) of each row, which a softmax does not see but where it rounds: x. */
static lt_id behind_shift(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    const lt_node *sub = lt_rewrite_made_by(rw, value, LT_OP_SUB);
    const lt_node *most = sub ? lt_rewrite_made_by(rw, sub->in[1], LT_OP_REDUCE_MAX) : NULL;
    int last = lt_rewrite_type(rw, value)->rank - 1;
    if (!most || most->in[0] != sub->in[0] || !most->attrs.reduce.keepdim || !most->attrs.reduce.dims[last])
        return value;
    for (int i = 0; i < last; i++)
        if (most->attrs.reduce.dims[i]) return value;
    lt_dtype dtype = lt_rewrite_type(rw, value)->dtype;
    bool fits = !lt_dtype_is_half(dtype) || ((a->rounds & LT_ROUND_WEIGHTS) && a->rounded == dtype);
    if (fits) lt_note_rounding(a, dtype, LT_ROUND_SHIFTED);
    return fits ? sub->in[0] : value;
}

bool lt_attention_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    value = behind_shift(rw, value, a);
    if (a->sink_at >= 0) {
        const lt_node *cat = lt_rewrite_made_by(rw, value, LT_OP_CAT);
        if (!cat || cat->n_in != 2 || cat->attrs.dim.dim != lt_rewrite_type(rw, value)->rank - 1)
            return false;
        a->sink = cat->in[a->sink_at];
        value = cat->in[1 - a->sink_at];
        const lt_type *sink = lt_rewrite_type(rw, a->sink);
        if (sink->dim[sink->rank - 1] != 1) return false;
    }
    a->shape = lt_rewrite_type(rw, value);
    unsigned before_masks = LT_ROUND_PRODUCT | LT_ROUND_SCALED | LT_ROUND_CAPPED;
    return find_scores(rw, value, a) && (a->q_factor == LT_NONE || !(a->rounds & before_masks));
}

bool lt_attention_settle(lt_rewrite *rw, lt_written_attention *a, const lt_scores_shape *shape)
{
    bool biased = false, closed = false, early = false; /* closed: with its bias, a score was rounded */
    for (int i = a->n_terms - 1; i >= 0; i--) {
        const lt_mask_term *term = &a->terms[i];
        if (!lt_attention_hides(rw, term, shape)) {
            if (closed) return false;
            biased = true;
        }
        early = early || (term->rounded && !biased);
        closed = closed || (term->rounded && biased);
    }
    if (closed || (early && !biased)) a->rounds |= LT_ROUND_MASKED;
    if (!early || !biased) return true;
    /* Hiding keys rounded the others, before something was added to them. */
    if (a->cap > 0) return a->rounds & LT_ROUND_CAPPED;
    a->rounds |= LT_ROUND_SCALED;
    return true;
}
