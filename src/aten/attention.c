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
    bool has_mask = a->mask != LT_NONE;
    lt_attrs attrs = {.sdpa = {.causal = a->causal, .has_mask = has_mask, .scale = a->scale}};
    lt_id out = lt_build(b, LT_OP_SDPA, &attrs, in, has_mask ? 4 : 3);
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

/* ---- Spellings that give more than the result ---- */

/* Scaled and masked scores [..., L, S] in float32 (float64 for float64). */
static lt_id masked_scores(lt_builder *b, const lt_attention_call *a)
{
    lt_id scores = lt_build_matmul_wide(b, a->q, lt_build_transpose(b, a->k, -2, -1));
    lt_dtype dtype = lt_build_dtype(b, scores);
    lt_id never = lt_build_full(b, lt_build_number(b, -INFINITY), dtype, 0, NULL), mask = a->mask;
    scores = lt_build_mul(b, scores, lt_build_number(b, a->scale));
    if (a->causal) {
        lt_id row = lt_build_arange(b, lt_build_size(b, scores, -2), 0, 1);
        lt_id key = lt_build_arange(b, lt_build_size(b, scores, -1), 0, 1);
        lt_id looks = lt_build_binary(b, LT_OP_LE, key, lt_build_unsqueeze(b, row, 1));
        scores = lt_build_where(b, looks, scores, never);
    }
    if (mask == LT_NONE) return scores;
    if (lt_build_dtype(b, mask) == LATHE_BOOL) return lt_build_where(b, mask, scores, never);
    return lt_build_add(b, scores, lt_build_cast(b, mask, dtype));
}

/* The largest score of each row, 0 where that is not finite; and the sum of exp(score - largest). */
static lt_id row_sums(lt_builder *b, lt_id scores, lt_id *largest, lt_id *powers)
{
    bool last[LT_MAX_RANK] = {false};
    lt_dtype dtype = lt_build_dtype(b, scores);
    int rank = lt_build_rank(b, scores);
    if (rank) last[rank - 1] = true;
    *largest = lt_build_reduce(b, LT_OP_REDUCE_MAX, scores, last, true, dtype);
    lt_id endless = lt_build_unary(b, LT_OP_ISINF, *largest);
    *largest = lt_build_where(b, endless, lt_build_full(b, lt_build_integer(b, 0), dtype, 0, NULL), *largest);
    *powers = lt_build_unary(b, LT_OP_EXP, lt_build_sub(b, scores, *largest));
    return lt_build_reduce(b, LT_OP_REDUCE_SUM, *powers, last, true, dtype);
}

/* Softmax of the scores; rows that look at nothing give zeros. */
static lt_id probabilities(lt_builder *b, lt_id scores)
{
    lt_id largest, powers, sums = row_sums(b, scores, &largest, &powers);
    lt_id none = lt_build_unary(b, LT_OP_LOGICAL_NOT, sums);
    lt_id zero = lt_build_full(b, lt_build_integer(b, 0), lt_build_dtype(b, scores), 0, NULL);
    return lt_build_where(b, none, zero, lt_build_div(b, powers, sums));
}

static void sdpa_with_logsumexp(lt_call *c)
{
    lt_attention_call a = read_call(c, "attn_mask");
    lt_call_return(c, attend(c->b, &a));
    lt_id largest, powers, sums = row_sums(c->b, masked_scores(c->b, &a), &largest, &powers);
    lt_id total = lt_build_add(c->b, lt_build_unary(c->b, LT_OP_LOG, sums), largest);
    lt_call_return(c, lt_build_squeeze(c->b, total, -1));
}

static void sdpa_with_weights(lt_call *c)
{
    lt_attention_call a = read_call(c, "attn_mask");
    lt_id out = attend(c->b, &a);
    lt_dtype dtype = lt_build_dtype(c->b, out);
    int rank = lt_build_rank(c->b, a.q);
    if (lt_call_has(c, "dropout_mask"))
        lt_build_fail(c->b, LATHE_UNSUPPORTED, "attention with a dropout mask");
    /* Grouped heads: the weights are per query head. */
    int64_t heads = lt_build_size(c->b, a.q, rank > 2 ? -3 : 0);
    if (rank == 4 && lt_build_size(c->b, a.k, 1) != heads) a.k = repeat_heads(c->b, a.k, heads);
    lt_call_return(c, out);
    lt_call_return(c, lt_build_cast(c->b, probabilities(c->b, masked_scores(c->b, &a)), dtype));
}

/* ---- Multi-head attention as one operator ---- */

/* x [batch, n, heads * e] as [batch, heads, n, e]. */
static lt_id split_heads(lt_builder *b, lt_id x, int64_t heads)
{
    lt_type type = *lt_build_type(b, x);
    if (type.rank != 3 || heads < 1 || type.dim[2] % heads)
        return lt_build_fail(b, LATHE_TYPE, "multi-head attention: %lld heads of rank %d", (long long)heads,
                             type.rank);
    lt_id split =
        lt_build_reshape(b, x, 4, (int64_t[]){type.dim[0], type.dim[1], heads, type.dim[2] / heads});
    return lt_build_transpose(b, split, 1, 2);
}

/* Where a key may be looked at, from a mask that is not zero where it may not: [T, T] (type 0), [B, T] of
 * keys (type 1) or [B, H, T, T]. */
static lt_id where_to_look(lt_call *c)
{
    lt_id mask = lt_call_optional_tensor(c, "mask");
    if (mask == LT_NONE) return LT_NONE;
    int64_t type = lt_call_has(c, "mask_type") ? lt_call_int(c, "mask_type") : 2;
    if (type == 1) mask = lt_build_unsqueeze(c->b, lt_build_unsqueeze(c->b, mask, 1), 1);
    return lt_build_unary(c->b, LT_OP_LOGICAL_NOT, mask);
}

/* Attention of x with itself; the weights and biases are the call's. */
static lt_id self_attention(lt_call *c, lt_id x, int64_t heads, lt_attention_call *a)
{
    lt_builder *b = c->b;
    lt_id qkv = lt_build_linear(b, x, lt_call_tensor(c, "qkv_weight"), lt_call_tensor(c, "qkv_bias"));
    int64_t width = lt_build_size(b, qkv, -1) / 3;
    lt_id *part[3] = {&a->q, &a->k, &a->v};
    for (int i = 0; i < 3; i++)
        *part[i] = split_heads(b, lt_build_slice(b, qkv, -1, i * width, (i + 1) * width, 1), heads);
    a->mask = where_to_look(c);
    a->scale = 1 / sqrt((double)lt_build_size(b, a->q, -1));
    lt_id out = lt_build_transpose(b, attend(b, a), 1, 2);
    out = lt_build_reshape(b, out, 3, (int64_t[]){lt_build_size(b, x, 0), lt_build_size(b, x, 1), width});
    return lt_build_linear(b, out, lt_call_tensor(c, "proj_weight"), lt_call_tensor(c, "proj_bias"));
}

static void multi_head_attention(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "query");
    if (lt_call_tensor(c, "key") != x || lt_call_tensor(c, "value") != x) {
        lt_build_fail(b, LATHE_UNSUPPORTED, "multi-head attention in one operator of different tensors");
        return;
    }
    lt_attention_call a = {.mask = LT_NONE};
    lt_call_return(c, self_attention(c, x, lt_call_int(c, "num_head"), &a));
    if (!lt_call_bool(c, "need_weights")) {
        lt_type none = {.dtype = lt_build_dtype(b, x), .rank = 1};
        return lt_call_return(c, lt_build_zeros(b, &none));
    }
    lt_id weights = probabilities(b, masked_scores(b, &a));
    bool heads[LT_MAX_RANK] = {false, true};
    if (lt_call_bool(c, "average_attn_weights"))
        weights = lt_build_reduce(b, LT_OP_REDUCE_MEAN, weights, heads, false, lt_build_dtype(b, weights));
    lt_call_return(c, lt_build_cast(b, weights, lt_build_dtype(b, x)));
}

static lt_id layer_norm(lt_call *c, lt_id x, const char *weight, const char *bias)
{
    lt_attrs attrs = {.norm = {.n_dims = 1, .eps = lt_call_float(c, "eps")}};
    lt_id in[3] = {x, lt_call_tensor(c, weight), lt_call_tensor(c, bias)};
    return lt_build(c->b, LT_OP_LAYER_NORM, &attrs, in, 3);
}

static lt_id feed_forward(lt_call *c, lt_id x)
{
    lt_op activation = lt_call_bool(c, "use_gelu") ? LT_OP_GELU : LT_OP_RELU;
    x = lt_build_linear(c->b, x, lt_call_tensor(c, "ffn_weight_1"), lt_call_tensor(c, "ffn_bias_1"));
    x = lt_build_unary(c->b, activation, x);
    return lt_build_linear(c->b, x, lt_call_tensor(c, "ffn_weight_2"), lt_call_tensor(c, "ffn_bias_2"));
}

static void encoder_layer(lt_call *c)
{
    lt_builder *b = c->b;
    bool first = lt_call_bool(c, "norm_first");
    lt_attention_call a = {.mask = LT_NONE};
    lt_id src = lt_call_tensor(c, "src");
    lt_id x = first ? layer_norm(c, src, "norm_weight_1", "norm_bias_1") : src;
    x = lt_build_add(b, self_attention(c, x, lt_call_int(c, "num_heads"), &a), src);
    if (!first) x = layer_norm(c, x, "norm_weight_1", "norm_bias_1");
    lt_id rest = x;
    if (first) x = layer_norm(c, x, "norm_weight_2", "norm_bias_2");
    x = lt_build_add(b, feed_forward(c, x), rest);
    if (!first) x = layer_norm(c, x, "norm_weight_2", "norm_bias_2");
    lt_call_return(c, x);
}

const lt_aten_row lt_aten_attention[] = {
    {"scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
     "dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
     sdpa, 0},
    {"_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float "
     "dropout_p=0., "
     "bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output, Tensor "
     "logsumexp)",
     sdpa_with_logsumexp, 0},
    {"_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, "
     "float "
     "dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, float? scale=None, bool "
     "enable_gqa=False) -> (Tensor, Tensor)",
     sdpa_with_weights, 0},
    {"_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head, "
     "Tensor "
     "qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool "
     "need_weights=True, bool average_attn_weights=True, int? mask_type=None) -> (Tensor, Tensor)",
     multi_head_attention, 0},
    {"_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor "
     "qkv_bias, Tensor proj_weight, Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor "
     "norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor norm_bias_2, Tensor ffn_weight_1, "
     "Tensor "
     "ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None) -> Tensor",
     encoder_layer, 0},
    {NULL, NULL, 0}};
