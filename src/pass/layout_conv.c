/* Convolutions in blocks: which of the kernels' forms one takes, and its weights packed for it. The nodes
 * that pack depend on weights alone, so they run once. */
#include <math.h>

#include "base/block.h"
#include "pass/layout.h"

typedef enum lt_conv_form { CONV_PLAIN, CONV_DENSE, CONV_WINOGRAD, CONV_PLANAR, CONV_DEPTHWISE } lt_conv_form;

enum {
    PLANAR_CHANNELS = 8, /* up to so many, an input that is not blocked stays so */
    MAX_MERGED = 4       /* groups that are computed as one, with zeros in between */
};

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

/* How many groups together fill whole blocks. */
static int64_t merged_groups(int64_t in, int64_t out) { return LT_BLOCK / gcd(LT_BLOCK, gcd(in, out)); }

static lt_conv_form form_of(const lt_rewrite *rw, const lt_node *node)
{
    const lt_attrs_conv *a = &node->attrs.conv;
    const lt_type *x = lt_rewrite_type(rw, node->in[0]), *w = lt_rewrite_type(rw, node->in[1]);
    if (x->dtype != LATHE_F32 || a->spatial > 2 || a->transposed || !lt_rewrite_is_fixed(rw, node->in[1]) ||
        lt_type_count(x) == 0 || lt_type_count(w) == 0)
        return CONV_PLAIN;
    if (node->n_in > 2 &&
        (lt_rewrite_type(rw, node->in[2])->dtype != LATHE_F32 || !lt_rewrite_is_fixed(rw, node->in[2])))
        return CONV_PLAIN;
    int64_t out = w->dim[0] / a->groups;
    if (a->groups == 1) {
        bool blocked = lt_layout_is_blocked(rw, node->in[0]);
        if (!blocked && w->dim[1] <= PLANAR_CHANNELS) return CONV_PLANAR;
        return lt_layout_winograd_wins(a, w, lt_rewrite_type(rw, node->out)) ? CONV_WINOGRAD : CONV_DENSE;
    }
    if (w->dim[1] == 1 && out == 1) return CONV_DEPTHWISE;
    int64_t merged = merged_groups(w->dim[1], out);
    return merged <= MAX_MERGED && a->groups % merged == 0 ? CONV_DENSE : CONV_PLAIN;
}

/* ---- Weights ---- */

static lt_id reshape(lt_rewrite *rw, lt_id x, int rank, const int64_t *dim)
{
    return lt_build_reshape(&rw->b, x, rank, dim);
}

/* The first dim in blocks behind all others, which become one: [n, …] as [blocks, rest, LT_BLOCK]. */
static lt_id block_first(lt_rewrite *rw, lt_id x, int64_t n)
{
    x = reshape(rw, x, 3, (int64_t[]){1, n, -1});
    return lt_build(&rw->b, LT_OP_BLOCK, &(lt_attrs){0}, &x, 1);
}

/* Groups merged by `by`: each output sees the channels of all of them, with zeros for those of the others. */
static lt_id merge_groups(lt_rewrite *rw, lt_id w, const int64_t dim[4], int64_t groups, int64_t by)
{
    lt_type type = {.dtype = LATHE_BOOL, .rank = 6, .dim = {1, by, 1, by, 1, 1}};
    bool same[MAX_MERGED * MAX_MERGED] = {false};
    for (int64_t i = 0; i < by; i++) same[i * by + i] = true;
    w = reshape(rw, w, 6, (int64_t[]){groups / by, by, dim[0] / groups, 1, dim[1], dim[2] * dim[3]});
    w = lt_build_formula(&rw->b, LT_OP_WHERE, LATHE_F32, LATHE_F32,
                         (lt_id[]){lt_build_const(&rw->b, &type, same), w, lt_build_number(&rw->b, 0)}, 3);
    return w;
}

/* The mask stands before the channels of a group: [group, output, by, channels, …]. */
static lt_id dense_weight(lt_rewrite *rw, lt_id w, int64_t dim[4], int64_t *groups)
{
    if (*groups > 1) {
        int64_t by = merged_groups(dim[1], dim[0] / *groups);
        if (by > 1) w = merge_groups(rw, w, dim, *groups, by);
        *groups /= by;
        dim[1] *= by;
    }
    w = reshape(rw, w, 4, dim);
    w = lt_build(&rw->b, LT_OP_BLOCK, &(lt_attrs){0}, &w, 1);
    w = block_first(rw, w, dim[0]);
    return reshape(rw, w, 6,
                   (int64_t[]){lt_blocks(dim[0]), lt_blocks(dim[1]), dim[2], dim[3], LT_BLOCK, LT_BLOCK});
}

static lt_id pack_weight(lt_rewrite *rw, lt_id w, const lt_type *type, lt_conv_form form,
                         lt_attrs_blocked_conv *a)
{
    bool row = a->conv.spatial == 1;
    int64_t dim[4] = {type->dim[0], type->dim[1], row ? 1 : type->dim[2], type->dim[row ? 2 : 3]};
    if (form == CONV_DENSE) {
        w = dense_weight(rw, w, dim, &a->conv.groups);
        a->channels = dim[1];
        return w;
    }
    a->channels = dim[1];
    if (form == CONV_WINOGRAD) return lt_layout_winograd_weight(rw, w, dim[0], dim[1]);
    w = block_first(rw, w, dim[0]);
    if (form == CONV_PLANAR)
        return reshape(rw, w, 5, (int64_t[]){lt_blocks(dim[0]), dim[1], dim[2], dim[3], LT_BLOCK});
    return reshape(rw, w, 4, (int64_t[]){lt_blocks(dim[0]), dim[2], dim[3], LT_BLOCK});
}

lt_id lt_layout_no_bias(lt_rewrite *rw, int64_t channels)
{
    lt_type type = {.dtype = LATHE_F32, .rank = 2, .dim = {lt_blocks(channels), LT_BLOCK}};
    const float *zeros = lt_arena_alloc(rw->b.graph->arena, lt_type_bytes(&type), 1);
    if (!zeros) return lt_build_fail(&rw->b, LATHE_NO_MEMORY, "no memory for a bias");
    return lt_build_const(&rw->b, &type, zeros);
}

static lt_id pack_bias(lt_rewrite *rw, const lt_node *node, int64_t channels)
{
    if (node->n_in < 3) return lt_layout_no_bias(rw, channels);
    return reshape(rw, block_first(rw, rw->map[node->in[2]], channels), 2,
                   (int64_t[]){lt_blocks(channels), LT_BLOCK});
}

/* Attributes before an activation is known. */
static lt_attrs open_attrs(const lt_attrs_conv *conv)
{
    return (lt_attrs){
        .blocked_conv = {
            .conv = *conv, .activation = LT_ACTIVATION_CLAMP, .low = -INFINITY, .high = INFINITY}};
}

lt_id lt_layout_depthwise(lt_rewrite *rw, lt_id x, lt_id factor, lt_id term, int64_t channels)
{
    lt_attrs attrs =
        open_attrs(&(lt_attrs_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .groups = channels});
    attrs.blocked_conv.channels = 1;
    x = lt_build(&rw->b, LT_OP_BLOCKED_CONV, &attrs, (lt_id[]){x, factor, term}, 3);
    return lt_layout_unblock(rw, x, channels);
}

/* One dim as two. */
static lt_attrs_conv over_planes(const lt_attrs_conv *a)
{
    lt_attrs_conv c = *a;
    if (a->spatial == 2) return c;
    c.spatial = 2;
    c.stride[1] = a->stride[0];
    c.padding[1] = a->padding[0];
    c.padding_after[1] = a->padding_after[0];
    c.dilation[1] = a->dilation[0];
    c.stride[0] = c.dilation[0] = 1;
    c.padding[0] = c.padding_after[0] = 0;
    return c;
}

bool lt_layout_conv(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_CONV) return false;
    lt_conv_form form = form_of(rw, node);
    if (form == CONV_PLAIN) return false;
    bool row = node->attrs.conv.spatial == 1;
    const lt_type *weight = lt_rewrite_type(rw, node->in[1]);
    int64_t channels = weight->dim[0];
    lt_attrs attrs = open_attrs(&node->attrs.conv);
    lt_id x = rw->map[node->in[0]];
    if (form != CONV_PLANAR) x = lt_layout_block(rw, x);
    if (row) x = lt_build_unsqueeze(&rw->b, x, 2);
    lt_id w = pack_weight(rw, rw->map[node->in[1]], weight, form, &attrs.blocked_conv);
    lt_id bias = pack_bias(rw, node, channels);
    attrs.blocked_conv.conv = over_planes(&attrs.blocked_conv.conv);
    lt_op op = form == CONV_WINOGRAD ? LT_OP_WINOGRAD_CONV : LT_OP_BLOCKED_CONV;
    x = lt_build(&rw->b, op, &attrs, (lt_id[]){x, w, bias}, 3);
    if (row) x = lt_build_squeeze(&rw->b, x, 2);
    *out = lt_layout_unblock(rw, x, channels);
    return true;
}
