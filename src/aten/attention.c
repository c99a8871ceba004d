/* Attention. */
#include <math.h>

#include "aten/aten.h"
#include "ops/families.h"

/* The operands of one attention: leading dims of query, key and value broadcast; the last leading dim are the
 * heads, of which key and value may have fewer. */
typedef struct lt_attention_call {
    lt_id q, k, v, mask; /* mask may be LT_NONE */
    lt_type lead;        /* the common leading dims */
    int64_t rows, keys;  /* L, S */
    bool causal;
    double scale;
} lt_attention_call;

/* x [..., heads, n, m] as [batch, heads, n, m]; dims before the heads broadcast to those of `lead`. */
static lt_id as_four_dims(lt_builder *b, lt_id x, const lt_type *lead)
{
    const lt_type *type = lt_build_type(b, x);
    int rank = lead->rank + 2;
    int64_t dim[LT_MAX_RANK] = {0}, batch = 1;
    if (b->status != LATHE_OK || rank > LT_MAX_RANK || type->rank < 2)
        return lt_build_fail(b, LATHE_LIMIT, "attention over tensors of rank %d", rank);
    for (int i = 0; i < lead->rank - 1; i++) {
        dim[i] = lead->dim[i];
        batch *= dim[i];
    }
    int64_t heads = type->rank > 2 ? type->dim[type->rank - 3] : 1;
    int64_t n = type->dim[type->rank - 2], m = type->dim[type->rank - 1];
    if (lead->rank > 0) dim[rank - 3] = heads;
    dim[rank - 2] = n;
    dim[rank - 1] = m;
    return lt_build_reshape(b, lt_build_expand(b, x, rank, dim), 4, (int64_t[]){batch, heads, n, m});
}

/* Repeats each head of x [batch, heads, n, m] until there are `heads` of them. */
static lt_id repeat_heads(lt_builder *b, lt_id x, int64_t heads)
{
    lt_type type = *lt_build_type(b, x);
    int64_t own = lt_build_size(b, x, 1);
    if (own == heads || own == 0) return x;
    lt_id wide = lt_build_expand(b, lt_build_unsqueeze(b, x, 2), 5,
                                 (int64_t[]){type.dim[0], own, heads / own, type.dim[2], type.dim[3]});
    return lt_build_reshape(b, wide, 4, (int64_t[]){type.dim[0], heads, type.dim[2], type.dim[3]});
}

static int64_t heads_of(const lt_type *type) { return type->rank > 2 ? type->dim[type->rank - 3] : 1; }

/* The leading dims of query, key and value together; heads are the query's or one for all. */
static void find_lead(lt_builder *b, lt_attention_call *a)
{
    lt_id in[3] = {a->q, a->k, a->v};
    lt_type lead[3];
    for (int i = 0; i < 3; i++) {
        lead[i] = *lt_build_type(b, in[i]);
        if (lead[i].rank < 2) {
            lt_build_fail(b, LATHE_TYPE, "attention over a tensor of rank %d", lead[i].rank);
            return;
        }
        lead[i].rank -= 2;
        /* Fewer heads than the query has are groups, not a broadcast. */
        if (i && lead[i].rank && heads_of(lt_build_type(b, in[0])) > 1) lead[i].dim[lead[i].rank - 1] = 1;
    }
    for (int i = 1; i < 3 && b->status == LATHE_OK; i++) b->status = lt_broadcast(&lead[0], &lead[i], b->err);
    a->lead = lead[0];
}

static lt_id attend(lt_builder *b, lt_attention_call *a)
{
    find_lead(b, a);
    lt_type q = *lt_build_type(b, a->q), v = *lt_build_type(b, a->v);
    if (b->status != LATHE_OK) return LT_NONE;
    int rank = a->lead.rank + 2;
    lt_id in[4] = {as_four_dims(b, a->q, &a->lead), as_four_dims(b, a->k, &a->lead),
                   as_four_dims(b, a->v, &a->lead)};
    int64_t heads = a->lead.rank ? a->lead.dim[a->lead.rank - 1] : 1;
    in[0] = repeat_heads(b, in[0], heads);
    if (lt_build_size(b, in[1], 1) != lt_build_size(b, in[2], 1))
        for (int i = 1; i < 3; i++) in[i] = repeat_heads(b, in[i], heads);
    int64_t dim[LT_MAX_RANK];
    for (int i = 0; i < a->lead.rank; i++) dim[i] = a->lead.dim[i];
    dim[rank - 2] = q.dim[q.rank - 2];
    if (a->mask != LT_NONE) {
        dim[rank - 1] = lt_build_size(b, in[1], 2);
        lt_id mask = lt_build_expand(b, a->mask, rank, dim);
        in[3] = as_four_dims(b, mask, &a->lead);
    }
    lt_attrs attrs = {.sdpa = {.causal = a->causal, .scale = a->scale}};
    lt_id out = lt_build(b, LT_OP_SDPA, &attrs, in, a->mask == LT_NONE ? 3 : 4);
    dim[rank - 1] = v.dim[v.rank - 1];
    return lt_build_reshape(b, out, rank, dim);
}

/* What all spellings share; `mask` names the parameter, NULL when there is none. */
static lt_attention_call read_call(lt_call *c, const char *mask)
{
    lt_attention_call a = {.q = lt_call_tensor(c, "query"),
                           .k = lt_call_tensor(c, "key"),
                           .v = lt_call_tensor(c, "value"),
                           .mask = mask ? lt_call_optional_tensor(c, mask) : LT_NONE,
                           .causal = lt_call_bool(c, "is_causal")};
    double dropout = lt_call_float(c, "dropout_p");
    if (dropout < 0 || dropout > 0)
        lt_build_fail(c->b, LATHE_UNSUPPORTED, "attention with dropout %g gives random results", dropout);
    a.scale =
        lt_call_has(c, "scale") ? lt_call_float(c, "scale") : 1 / sqrt((double)lt_build_size(c->b, a.q, -1));
    return a;
}

static void sdpa(lt_call *c)
{
    lt_attention_call a = read_call(c, "attn_mask");
    lt_call_return(c, attend(c->b, &a));
}

const lt_aten_row lt_aten_attention[] = {
    {"scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
     "dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
     sdpa, 0},
    {NULL, NULL, 0}};
