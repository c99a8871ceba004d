/* Recognises attention that is written out: softmax(q k' * scale + mask) v as products, in any of the forms
 * that exports bring, with the scale before or after, the mask added or filled in, the softmax in float32 or
 * in the type of the scores, and the guard of Core ATen against rows that see nothing; scores that are
 * capped, and a sink beside them that is dropped from the probabilities (attention_scores.c). What it finds,
 * and attention that is one operator already, reads keys and values without repeated heads, and bounds
 * instead of masks where it can (attention_heads.c, attention_mask.c).
 *
 * Written out in half precision, scores and probabilities are rounded on their way: the one operator does the
 * same where the graph does. */
#include <math.h>

#include "pass/attention.h"
#include "pass/pass.h"

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

/* Whether a slice leaves out one column of the probabilities, the first or the last; which one. */
static bool drops_sink(const lt_rewrite *rw, const lt_node *slice, lt_written_attention *a)
{
    const lt_attrs_slice *s = &slice->attrs.slice;
    const lt_type *from = lt_rewrite_type(rw, slice->in[0]);
    if (a->sink_at >= 0 || s->dim != from->rank - 1 || s->step != 1 || s->count != from->dim[s->dim] - 1)
        return false;
    a->sink_at = s->start == 0;
    return true;
}

/* The softmax over keys that the probabilities come from, when nothing else reads them. */
static const lt_node *find_softmax(const lt_rewrite *rw, lt_id value, lt_written_attention *a)
{
    lt_id guard = LT_NONE;
    for (;;) {
        const lt_node *node = lt_graph_producer(rw->from, value);
        const lt_type *type = lt_rewrite_type(rw, value);
        if (!node || rw->uses[value] != 1 || !lt_note_rounding(a, type->dtype, LT_ROUND_WEIGHTS)) return NULL;
        if (node->op == LT_OP_SOFTMAX) {
            a->guarded = guard != LT_NONE;
            if (node->attrs.softmax.log || node->attrs.softmax.dim != type->rank - 1) return NULL;
            return !a->guarded || sees_nothing(rw, guard, node->in[0]) ? node : NULL;
        }
        int next = 0;
        if (node->op == LT_OP_WHERE && guard == LT_NONE && is_zeros(rw, node->in[1])) {
            guard = node->in[0];
            next = 2;
        } else if (node->op != LT_OP_CAST && !(node->op == LT_OP_SLICE && drops_sink(rw, node, a)) &&
                   (node->op != LT_OP_RESHAPE || !lt_keeps_matrices(lt_rewrite_type(rw, node->in[0]), type)))
            return NULL;
        value = node->in[next];
        if (!lt_dtype_is_float(lt_rewrite_type(rw, value)->dtype)) return NULL;
    }
}

/* ---- Building ---- */

/* The first `n` dims of the scores are batch entries, those from there on heads. */
static lt_scores_shape shape_of(const lt_type *scores, int n)
{
    int r = scores->rank;
    lt_scores_shape shape = {1, 1, scores->dim[r - 2], scores->dim[r - 1]};
    for (int i = 0; i < r - 2; i++)
        if (i < n) shape.batch *= scores->dim[i];
        else shape.heads *= scores->dim[i];
    return shape;
}

/* What the dims between the first and the last two are, is told by the masks: the heads of a group, or
 * windows of an image. */
static bool plan_masks(lt_rewrite *rw, const lt_written_attention *a, lt_scores_shape *shape,
                       lt_mask_plan *out)
{
    int rank = a->shape->rank, entries = rank > 3;
    *shape = shape_of(a->shape, entries);
    if (lt_attention_masks(rw, a->terms, a->n_terms, shape, out)) return true;
    if (rank <= 4) return false;
    *shape = shape_of(a->shape, rank - 3);
    return lt_attention_masks(rw, a->terms, a->n_terms, shape, out);
}

/* The sink as one number for each head, [H]; LT_NONE when it is something else. */
static lt_id build_sink(lt_rewrite *rw, lt_id sink, const lt_scores_shape *shape)
{
    lt_builder *b = &rw->b;
    double number;
    if (lt_attention_uniform(rw, sink, &number))
        return lt_build_full(b, lt_build_number(b, number), LATHE_F32, 1, &shape->heads);
    for (const lt_node *node; (node = lt_rewrite_made_by(rw, sink, LT_OP_EXPAND));) sink = node->in[0];
    const lt_type *type = lt_rewrite_type(rw, sink);
    int r = type->rank;
    bool per_head = r >= 3 && type->dim[r - 2] == 1 && type->dim[r - 3] == shape->heads &&
                    lt_type_count(type) == shape->heads;
    return per_head ? lt_build_reshape(b, rw->map[sink], 1, &shape->heads) : LT_NONE;
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
                        lt_id new_sink, lt_attrs_sdpa sdpa)
{
    lt_id in[7] = {new_q, new_k, new_v};
    int n = 3;
    sdpa.has_mask = masks->new_mask != LT_NONE;
    sdpa.has_last = masks->new_last != LT_NONE;
    sdpa.has_first = masks->new_first != LT_NONE;
    if (sdpa.has_mask) in[n++] = masks->new_mask;
    if (sdpa.has_last) in[n++] = masks->new_last;
    if (sdpa.has_first) in[n++] = masks->new_first;
    sdpa.has_sink = new_sink != LT_NONE;
    if (sdpa.has_sink) in[n++] = new_sink;
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

/* Queries [B,H,L,E], and what else of their factor is to come. */
static lt_id build_queries(lt_rewrite *rw, const lt_written_attention *a, const lt_scores_shape *shape,
                           double *factor)
{
    lt_builder *b = &rw->b;
    lt_peeled q = lt_attention_peel(rw, a->q, 1, LT_PEEL_FACTOR);
    lt_id x = rw->map[q.value];
    if (q.swapped || a->q_factor != LT_NONE) {
        q.factor = 1;
        x = rw->map[a->q];
    }
    if (a->q_factor != LT_NONE) {
        lt_type type = *a->factored;
        type.dim[type.rank - 1] = -1;
        x = lt_build_mul(b, lt_build_reshape(b, x, type.rank, type.dim), rw->map[a->q_factor]);
    }
    *factor = q.factor;
    return lt_build_reshape(b, x, 4, (int64_t[]){shape->batch, shape->heads, shape->rows, -1});
}

static bool find_written(const lt_rewrite *rw, const lt_node *product, lt_written_attention *a)
{
    *a = (lt_written_attention){
        .scale = 1, .q_factor = LT_NONE, .sink = LT_NONE, .sink_at = -1, .pending = LATHE_DTYPE_COUNT};
    if (product->op != LT_OP_MATMUL) return false;
    const lt_node *softmax = find_softmax(rw, product->in[0], a);
    a->v = product->in[1];
    return softmax && lt_attention_scores(rw, softmax->in[0], a) && fits(rw, a, product);
}

static bool fuse_written(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_builder *b = &rw->b;
    lt_written_attention a;
    lt_scores_shape shape;
    lt_peeled key, value;
    lt_mask_plan masks;
    lt_id sink = LT_NONE;
    double factor;
    if (!find_written(rw, node, &a) || !plan_masks(rw, &a, &shape, &masks) ||
        !lt_attention_settle(rw, &a, &shape))
        return false;
    if (a.sink != LT_NONE && (sink = build_sink(rw, a.sink, &shape)) == LT_NONE) return false;
    peel_stored(rw, a.k, a.v, shape.heads, &key, &value);
    const lt_type *type = lt_rewrite_type(rw, node->out);
    lt_id new_q = lt_build_cast(b, build_queries(rw, &a, &shape, &factor), type->dtype);
    lt_attrs_sdpa sdpa = {.scale = a.scale * factor * key.factor,
                          .cap = a.cap,
                          .empty_nan = !a.guarded,
                          .rounded = a.rounded,
                          .rounds = a.rounds};
    *out = build_sdpa(rw, new_q, build_stored(rw, &key, true, &shape),
                      build_stored(rw, &value, false, &shape), &masks, sink, sdpa);
    *out = lt_build_reshape(b, *out, type->rank, type->dim);
    return true;
}

/* Attention that is one operator already. */
static bool refine(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_SDPA || node->attrs.sdpa.has_last || node->attrs.sdpa.has_first ||
        node->attrs.sdpa.has_sink)
        return false;
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
        lt_mask_term term = {.value = node->in[3], .shape = scores, .factor = 1};
        term.condition = term.inverted = lt_rewrite_type(rw, term.value)->dtype == LATHE_BOOL;
        term.fill = -INFINITY;
        if (!lt_attention_masks(rw, &term, 1, &shape, &masks)) return false;
    }
    lt_attrs_sdpa sdpa = node->attrs.sdpa;
    sdpa.scale *= key.factor;
    *out = build_sdpa(rw, rw->map[node->in[0]], new_k, new_v, &masks, LT_NONE, sdpa);
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
