/* Views that leave channels whole, in blocks: [reshape,] permute [, reshape], or a reshape alone. They bring
 * the depth of a volume into the batch and back, and outputs of a transposed convolution to their places. */
#include "base/block.h"
#include "pass/layout.h"

/* The steps from a value in blocks; NULL: there is none. */
typedef struct lt_block_view {
    lt_id from;
    const lt_node *first, *permute, *last;
    lt_type split, moved; /* after `first`, after `permute` */
    int at, to;           /* where channels are in these */
} lt_block_view;

static int64_t count_before(const lt_type *type, int end)
{
    int64_t n = 1;
    for (int i = 0; i < end; i++) n *= type->dim[i];
    return n;
}

static bool trace(const lt_rewrite *rw, const lt_node *node, lt_block_view *v)
{
    *v = (lt_block_view){.from = node->out};
    if (node->op != LT_OP_RESHAPE && node->op != LT_OP_PERMUTE) return false;
    if (node->op == LT_OP_RESHAPE) {
        v->last = node;
        v->from = node->in[0];
    }
    v->moved = *lt_rewrite_type(rw, v->from);
    v->permute =
        v->last && lt_layout_is_blocked(rw, v->from) ? NULL : lt_rewrite_made_by(rw, v->from, LT_OP_PERMUTE);
    if (v->permute) v->from = v->permute->in[0];
    v->split = *lt_rewrite_type(rw, v->from);
    if (v->permute && !lt_layout_is_blocked(rw, v->from))
        v->first = lt_rewrite_made_by(rw, v->from, LT_OP_RESHAPE);
    if (v->first) v->from = v->first->in[0];
    return lt_layout_is_blocked(rw, v->from) && v->split.rank < LT_MAX_RANK &&
           lt_rewrite_type(rw, node->out)->rank < LT_MAX_RANK;
}

/* Whether dim v->to of what is moved has the channels of both ends, or whole blocks of those at the start. */
static bool keeps_channels(const lt_rewrite *rw, const lt_block_view *v, const lt_type *end)
{
    const lt_type *from = lt_rewrite_type(rw, v->from);
    int64_t channels = v->split.dim[v->at];
    if (end->dim[0] != count_before(&v->moved, v->to) || end->dim[1] != channels) return false;
    if (count_before(&v->split, v->at + 1) != count_before(from, 2)) return false;
    return channels == from->dim[1] || (channels % LT_BLOCK == 0 && from->dim[1] % LT_BLOCK == 0);
}

static lt_id reshape(lt_rewrite *rw, lt_id x, lt_type type, int at)
{
    type.dim[at] = lt_blocks(type.dim[at]);
    type.dim[type.rank] = LT_BLOCK;
    return lt_build_reshape(&rw->b, x, type.rank + 1, type.dim);
}

bool lt_layout_view(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    lt_block_view v;
    if (!trace(rw, node, &v)) return false;
    const lt_type end = *lt_rewrite_type(rw, node->out);
    bool found = false;
    for (int i = 1; i < v.moved.rank && end.rank > 1 && !found && (v.last || i == 1); i++) {
        v.to = i;
        v.at = v.permute ? v.permute->attrs.permute.dim[i] : i;
        found = keeps_channels(rw, &v, &end);
    }
    if (!found) return false;
    lt_id x = lt_layout_block(rw, rw->map[v.from]);
    if (v.first) x = reshape(rw, x, v.split, v.at);
    if (v.permute) {
        lt_attrs attrs = v.permute->attrs;
        attrs.permute.dim[v.split.rank] = v.split.rank;
        x = lt_build_permute(&rw->b, x, attrs.permute.dim);
    }
    if (v.last) x = reshape(rw, x, end, 1);
    *out = lt_layout_unblock(rw, x, end.dim[1]);
    return true;
}
