/* Recognises attention that is written out: softmax(q k' * scale + mask) v as products, in any of the forms
 * that exports bring, with the scale before or after, the mask added or filled in, the softmax in float32 or
 * in the type of the scores, and the guard of Core ATen against rows that see nothing. What it finds, and
 * attention that is one operator already, reads keys and values without repeated heads, and bounds instead of
 * masks where it can (attention_heads.c, attention_mask.c).
 *
 * Written out in half precision, scores and probabilities are rounded on their way: the one operator does the
 * same where the graph does. */
#include <math.h>

#include "pass/attention.h"
#include "pass/pass.h"

typedef struct lt_written_attention {
    lt_id q, k, v; /* [..., L, E], [..., E, S], [..., S, V] */
    double scale;
    const lt_type *shape; /* of the scores, as they have the most dims */
    lt_mask_term terms[LT_MAX_MASK_TERMS];
    int n_terms;
    bool guarded;     /* rows that see nothing give zeros */
    lt_dtype rounded; /* what the steps are rounded to */
    unsigned rounds;  /* LT_ROUND_... */
} lt_written_attention;

static bool is_half(lt_dtype dtype) { return dtype == LATHE_BF16 || dtype == LATHE_F16; }

/* Notes that a step gives this type; false when others were rounded to another one. */
static bool note_rounding(lt_written_attention *a, lt_dtype dtype, unsigned where)
{
    if (!is_half(dtype)) return true;
    if (a->rounds && a->rounded != dtype) return false;
    a->rounded = dtype;
    a->rounds |= where;
    return true;
}

/* ---- From the probabilities to the softmax ---- */

/* Whether `cond` says that all scores of a row are -infinity. */
static bool sees_nothing(const lt_rewrite *rw, lt_id cond, lt_id scores)
{
    double never;
    const lt_node *none = lt_rewrite_made_by(rw, cond, LT_OP_LOGICAL_NOT);
    const lt_node *any = none ? lt_rewrite_made_by(rw, none->in[0], LT_OP_REDUCE_SUM) : NULL;
    const lt_node *seen = any ? lt_rewrite_made_by(rw, any->in[0], LT_OP_LOGICAL_NOT) : NULL;
    const lt_node *hidden = seen ? lt_rewrite_made_by(rw, seen->in[0], LT_OP_EQ) : NULL;
    if (!hidden || lt_rewrite_type(rw, any->out)->dtype != LATHE_BOOL) return false;
    return hidden->in[0] == scores && lt_rewrite_scalar(rw, hidden->in[1], &never) && isinf(never) &&
           never < 0;
}

static bool is_zeros(const lt_rewrite *rw, lt_id value)
{
    const lt_node *expand = lt_rewrite_made_by(rw, value, LT_OP_EXPAND);
    double number;
    return lt_rewrite_scalar(rw, expand ? expand->in[0] : value, &number) && fabs(number) <= 0;
}

/* The softmax over keys that the probabilities come from, when nothing else reads them. */
static const lt_node *find_softmax(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    lt_id guard = LT_NONE;
    for (;;) {
        const lt_node *node = lt_graph_producer(rw->from, value);
        const lt_type *type = lt_rewrite_type(rw, value);
        if (!node || rw->uses[value] != 1 || !note_rounding(a, type->dtype, LT_ROUND_WEIGHTS)) return NULL;
        if (node->op == LT_OP_SOFTMAX) {
            a->guarded = guard != LT_NONE;
            if (node->attrs.softmax.log || node->attrs.softmax.dim != type->rank - 1) return NULL;
            return !a->guarded || sees_nothing(rw, guard, node->in[0]) ? node : NULL;
        }
        int next = 0;
        if (node->op == LT_OP_WHERE && guard == LT_NONE && is_zeros(rw, node->in[1])) {
            guard = node->in[0];
            next = 2;
        } else if (node->op != LT_OP_CAST &&
                   (node->op != LT_OP_RESHAPE || !lt_keeps_matrices(lt_rewrite_type(rw, node->in[0]), type)))
            return NULL;
        value = node->in[next];
        if (!lt_dtype_is_float(lt_rewrite_type(rw, value)->dtype)) return NULL;
    }
}

/* ---- From the softmax to the product of queries and keys ---- */

static bool find_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a);

static bool add_term(lt_written_attention *a, lt_mask_term term)
{
    /* A factor of the scores behind the mask would be one of the mask as well; and two sums round twice. */
    if (a->n_terms == LT_MAX_MASK_TERMS || a->scale > 1 || a->scale < 1) return false;
    if (a->n_terms && (a->rounds & LT_ROUND_MASKED)) return false;
    a->terms[a->n_terms++] = term;
    return true;
}

/* scores + mask, or mask + scores. */
static bool find_added(const lt_rewrite *rw, const lt_node *add, lt_written_attention *a)
{
    const lt_type *type = lt_rewrite_type(rw, add->out);
    for (int k = 0; k < 2; k++) {
        lt_written_attention attempt = *a;
        lt_mask_term term = {.value = add->in[1 - k], .shape = *type};
        if (!lt_dtype_is_float(lt_rewrite_type(rw, term.value)->dtype) || !add_term(&attempt, term) ||
            !note_rounding(&attempt, type->dtype, LT_ROUND_MASKED) || !find_scores(rw, add->in[k], &attempt))
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

/* What the scores are before a factor, a rounding or a view. */
static bool find_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    const lt_node *node = lt_graph_producer(rw->from, value);
    const lt_type *type = lt_rewrite_type(rw, value);
    if (!node || !lt_dtype_is_float(type->dtype) || lt_type_count(type) != lt_type_count(a->shape))
        return false;
    bool more = type->rank > a->shape->rank;
    if (more) a->shape = type;
    switch (node->op) {
    case LT_OP_MATMUL:
        a->q = node->in[0];
        a->k = node->in[1];
        return note_rounding(a, type->dtype, LT_ROUND_PRODUCT);
    case LT_OP_CAST: return !is_half(type->dtype) && find_scores(rw, node->in[0], a);
    case LT_OP_RESHAPE:
        return lt_keeps_matrices(lt_rewrite_type(rw, node->in[0]), type) && find_scores(rw, node->in[0], a);
    case LT_OP_ADD: return find_added(rw, node, a);
    case LT_OP_WHERE: return find_filled(rw, node, a);
    case LT_OP_MUL:
    case LT_OP_DIV: {
        lt_id scores;
        double factor;
        bool again = is_half(type->dtype) && (a->rounds & LT_ROUND_SCALED);
        if (again || !lt_split_factor(rw, node, &scores, &factor)) return false;
        a->scale *= factor;
        return note_rounding(a, type->dtype, LT_ROUND_SCALED) && find_scores(rw, scores, a);
    }
    default: return false;
    }
}

/* ---- Building ---- */

static lt_scores_shape shape_of(const lt_type *scores)
{
    int r = scores->rank;
    lt_scores_shape shape = {1, 1, scores->dim[r - 2], scores->dim[r - 1]};
    if (r > 3) shape.batch = scores->dim[0];
    for (int i = r > 3; i < r - 2; i++) shape.heads *= scores->dim[i];
    return shape;
}

/* Keys or values [B,G,S,D]; `across`: as the product reads them, they are [..., D, S]. */
static lt_id build_stored(lt_rewrite *rw, const lt_peeled *p, bool across, const lt_scores_shape *shape)
{
    lt_builder *b = &rw->b;
    lt_id x = rw->map[p->value];
    if (across != p->swapped) x = lt_build_transpose(b, x, -2, -1);
    return lt_build_reshape(b, x, 4,
                            (int64_t[]){shape->batch, shape->heads / p->repeat, lt_build_size(b, x, -2),
                                        lt_build_size(b, x, -1)});
}

/* Keys and values without their repeats and, where both have the same stored type, without casts. */
static void peel_stored(const lt_rewrite *rw, lt_id k, lt_id v, int64_t heads, lt_peeled *key,
                        lt_peeled *value)
{
    static const unsigned attempts[] = {LT_PEEL_HEADS | LT_PEEL_WIDEN, LT_PEEL_HEADS, 0};
    for (size_t i = 0; i < LT_COUNT(attempts); i++) {
        *key = lt_attention_peel(rw, k, heads, attempts[i] | LT_PEEL_FACTOR);
        *value = lt_attention_peel(rw, v, heads, attempts[i]);
        if (key->repeat == value->repeat &&
            lt_rewrite_type(rw, key->value)->dtype == lt_rewrite_type(rw, value->value)->dtype)
            return;
    }
}

static lt_id build_sdpa(lt_rewrite *rw, lt_id new_q, lt_id new_k, lt_id new_v, const lt_mask_plan *masks,
                        lt_attrs_sdpa sdpa)
{
    lt_id in[6] = {new_q, new_k, new_v};
    int n = 3;
    sdpa.has_mask = masks->new_mask != LT_NONE;
    sdpa.has_last = masks->new_last != LT_NONE;
    sdpa.has_first = masks->new_first != LT_NONE;
    if (sdpa.has_mask) in[n++] = masks->new_mask;
    if (sdpa.has_last) in[n++] = masks->new_last;
    if (sdpa.has_first) in[n++] = masks->new_first;
    lt_attrs attrs = {.sdpa = sdpa};
    return lt_build(&rw->b, LT_OP_SDPA, &attrs, in, n);
}

/* Whether the product's operands are stored the way round that attention wants them, for all batch entries.
 */
static bool fits(const lt_rewrite *rw, const lt_written_attention *a, const lt_node *product)
{
    const lt_type *q = lt_rewrite_type(rw, a->q), *v = lt_rewrite_type(rw, a->v),
                  *out = lt_rewrite_type(rw, product->out);
    int64_t rows = a->shape->dim[a->shape->rank - 2], keys = a->shape->dim[a->shape->rank - 1];
    return lt_type_count(a->shape) > 0 && lt_type_count(v) > 0 && lt_type_count(q) > 0 &&
           q->dim[q->rank - 2] == rows && v->dim[v->rank - 2] == keys && out->dim[out->rank - 2] == rows;
}

static bool fuse_written(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_builder *b = &rw->b;
    lt_written_attention a = {.scale = 1};
    if (node->op != LT_OP_MATMUL) return false;
    const lt_node *softmax = find_softmax(rw, node->in[0], &a);
    if (!softmax) return false;
    a.v = node->in[1];
    a.shape = lt_rewrite_type(rw, softmax->in[0]);
    if (!find_scores(rw, softmax->in[0], &a) || !fits(rw, &a, node)) return false;

    lt_scores_shape shape = shape_of(a.shape);
    lt_peeled q = lt_attention_peel(rw, a.q, 1, LT_PEEL_FACTOR), key, value;
    lt_mask_plan masks;
    peel_stored(rw, a.k, a.v, shape.heads, &key, &value);
    if (q.swapped || !lt_attention_masks(rw, a.terms, a.n_terms, &shape, &masks)) return false;
    lt_dtype dtype = lt_rewrite_type(rw, node->out)->dtype;
    lt_id new_q =
        lt_build_reshape(b, rw->map[q.value], 4, (int64_t[]){shape.batch, shape.heads, shape.rows, -1});
    lt_attrs_sdpa sdpa = {.scale = a.scale * q.factor * key.factor,
                          .empty_nan = !a.guarded,
                          .rounded = a.rounded,
                          .rounds = a.rounds};
    *out = build_sdpa(rw, lt_build_cast(b, new_q, dtype), build_stored(rw, &key, true, &shape),
                      build_stored(rw, &value, false, &shape), &masks, sdpa);
    const lt_type *type = lt_rewrite_type(rw, node->out);
    *out = lt_build_reshape(b, *out, type->rank, type->dim);
    return true;
}

/* Attention that is one operator already. */
static bool refine(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_SDPA || node->attrs.sdpa.has_last || node->attrs.sdpa.has_first) return false;
    const lt_type *q = lt_rewrite_type(rw, node->in[0]), *k = lt_rewrite_type(rw, node->in[1]);
    lt_scores_shape shape = {q->dim[0], q->dim[1], q->dim[2], k->dim[2]};
    lt_type scores = {.dtype = LATHE_F32, .rank = 4, .dim = {q->dim[0], q->dim[1], q->dim[2], k->dim[2]}};
    lt_peeled key, value;
    lt_mask_plan masks = {LT_NONE, LT_NONE, LT_NONE};
    if (lt_type_count(&scores) == 0 || k->dim[1] != q->dim[1]) shape.heads = k->dim[1];
    if (lt_type_count(&scores) == 0 || lt_type_count(k) == 0) return false;
    peel_stored(rw, node->in[1], node->in[2], shape.heads, &key, &value);
    lt_id new_k = build_stored(rw, &key, false, &shape), new_v = build_stored(rw, &value, false, &shape);
    shape.heads = q->dim[1];
    if (node->attrs.sdpa.has_mask) {
        lt_mask_term term = {.value = node->in[3], .shape = scores};
        term.condition = term.inverted = lt_rewrite_type(rw, term.value)->dtype == LATHE_BOOL;
        term.fill = -INFINITY;
        if (!lt_attention_masks(rw, &term, 1, &shape, &masks)) return false;
    }
    lt_attrs_sdpa sdpa = node->attrs.sdpa;
    sdpa.scale *= key.factor;
    *out = build_sdpa(rw, rw->map[node->in[0]], new_k, new_v, &masks, sdpa);
    return true;
}

static bool attend(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return fuse_written(rw, node, out) || refine(rw, node, out);
}

lathe_status lt_pass_attention(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, attend, out, err);
}
