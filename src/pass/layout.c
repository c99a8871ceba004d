/* Brings convolutions, and what lies between them, into the layout with channels in blocks. Every value keeps
 * its plain form: a node in blocks is followed by an UNBLOCK, and whoever wants blocks looks through it, so
 * that the UNBLOCKs inside a region are read by nobody. Float32 only. */
#include "pass/layout.h"
#include "base/block.h"
#include "pass/pass.h"

lt_id lt_layout_blocked(const lt_rewrite *rw, lt_id value)
{
    const lt_node *unblock = lt_rewrite_new(rw, value, LT_OP_UNBLOCK);
    return unblock ? unblock->in[0] : LT_NONE;
}

/* Equal BLOCKs are met close to one another. */
static lt_id find_block(const lt_rewrite *rw, lt_id value)
{
    enum { WINDOW = 64 };
    const lt_graph *to = rw->b.graph;
    for (uint32_t i = to->n_nodes, n = 0; i-- > 0 && n < WINDOW; n++)
        if (to->nodes[i].op == LT_OP_BLOCK && to->nodes[i].in[0] == value) return to->nodes[i].out;
    return LT_NONE;
}

lt_id lt_layout_block(lt_rewrite *rw, lt_id value)
{
    lt_id blocked = lt_layout_blocked(rw, value);
    if (blocked == LT_NONE) blocked = find_block(rw, value);
    return blocked != LT_NONE ? blocked : lt_build(&rw->b, LT_OP_BLOCK, &(lt_attrs){0}, &value, 1);
}

lt_id lt_layout_unblock(lt_rewrite *rw, lt_id value, int64_t channels)
{
    return lt_build(&rw->b, LT_OP_UNBLOCK, &(lt_attrs){.unblock = {.channels = channels}}, &value, 1);
}

bool lt_layout_is_blocked(const lt_rewrite *rw, lt_id value)
{
    return lt_layout_blocked(rw, rw->map[value]) != LT_NONE;
}

static bool is_f32(const lt_rewrite *rw, lt_id value)
{
    return lt_rewrite_type(rw, value)->dtype == LATHE_F32;
}

/* ---- Pools ---- */

/* A pool of one dim as one of two. */
static lt_attrs_pool over_planes(const lt_attrs_pool *a)
{
    lt_attrs_pool p = *a;
    if (a->spatial == 2) return p;
    p.spatial = 2;
    p.size[1] = a->size[0];
    p.kernel[1] = a->kernel[0];
    p.stride[1] = a->stride[0];
    p.padding[1] = a->padding[0];
    p.dilation[1] = a->dilation[0];
    p.size[0] = p.kernel[0] = p.stride[0] = p.dilation[0] = 1;
    p.padding[0] = 0;
    return p;
}

/* [batch, channels, width] as [batch, channels, 1, width]. */
static lt_id as_planes(lt_rewrite *rw, lt_id x)
{
    return lt_build_rank(&rw->b, x) == 4 ? lt_build_unsqueeze(&rw->b, x, 2) : x;
}

static lt_id from_planes(lt_rewrite *rw, lt_id x, int rank)
{
    return rank == 4 ? lt_build_squeeze(&rw->b, x, 2) : x;
}

static bool pool(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    bool largest = node->op == LT_OP_MAX_POOL;
    const lt_attrs_pool *a = &node->attrs.pool;
    const lt_type *type = lt_rewrite_type(rw, node->in[0]);
    if (!largest && node->op != LT_OP_AVG_POOL) return false;
    if (!is_f32(rw, node->in[0]) || a->spatial > 2 || type->rank != a->spatial + 2 ||
        (largest && rw->uses[node->out + 1]) || !lt_layout_is_blocked(rw, node->in[0]))
        return false;
    int64_t channels = type->dim[1];
    int rank = type->rank + 1;
    lt_attrs attrs = {.pool = over_planes(a)};
    lt_id x = as_planes(rw, lt_layout_block(rw, rw->map[node->in[0]]));
    x = lt_build(&rw->b, largest ? LT_OP_BLOCKED_MAX_POOL : LT_OP_BLOCKED_AVG_POOL, &attrs, &x, 1);
    *out = lt_layout_unblock(rw, from_planes(rw, x, rank), channels);
    return true;
}

/* The mean over height and width is an adaptive pool. */
static bool mean(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_REDUCE_MEAN) return false;
    const lt_type *type = lt_rewrite_type(rw, node->in[0]);
    const bool *dims = node->attrs.reduce.dims;
    if (type->rank != 4 || dims[0] || dims[1] || !dims[2] || !dims[3] || !is_f32(rw, node->out) ||
        !lt_layout_is_blocked(rw, node->in[0]) || type->dim[2] * type->dim[3] == 0)
        return false;
    int64_t batch = type->dim[0], channels = type->dim[1];
    lt_attrs attrs = {.pool = {.spatial = 2, .adaptive = true, .size = {1, 1}}};
    lt_id x = lt_layout_block(rw, rw->map[node->in[0]]);
    x = lt_layout_unblock(rw, lt_build(&rw->b, LT_OP_BLOCKED_AVG_POOL, &attrs, &x, 1), channels);
    *out = node->attrs.reduce.keepdim ? x : lt_build_reshape(&rw->b, x, 2, (int64_t[]){batch, channels});
    return true;
}

/* ---- Elementwise ---- */

/* How an operand takes part in an operation on blocks. */
typedef enum lt_operand_form { FORM_NONE, FORM_SCALAR, FORM_BLOCKS, FORM_ALL_CHANNELS } lt_operand_form;

static lt_operand_form form_of(const lt_rewrite *rw, lt_id value, const lt_type *out)
{
    const lt_type *type = lt_rewrite_type(rw, value);
    int at = 1 + type->rank - out->rank; /* where its channels are */
    if (lt_type_count(type) == 1 && type->rank <= out->rank) return FORM_SCALAR;
    if (type->dtype != LATHE_F32 || type->rank > out->rank) return FORM_NONE;
    return at >= 0 && type->dim[at] == out->dim[1] ? FORM_BLOCKS : FORM_ALL_CHANNELS;
}

/* The operand with the rank of the result, blocked or with a last dim of 1 for all channels. */
static lt_id operand(lt_rewrite *rw, lt_id value, const lt_type *out, lt_operand_form form)
{
    const lt_type *type = lt_rewrite_type(rw, value);
    lt_id x = rw->map[value];
    int64_t dim[LT_MAX_RANK];
    if (form == FORM_SCALAR) return lt_build_reshape(&rw->b, x, 0, dim);
    for (int i = 0, missing = out->rank - type->rank; i < out->rank; i++)
        dim[i] = i < missing ? 1 : type->dim[i - missing];
    dim[out->rank] = 1;
    if (form == FORM_ALL_CHANNELS) return lt_build_reshape(&rw->b, x, out->rank + 1, dim);
    return lt_layout_block(rw, type->rank == out->rank ? x : lt_build_reshape(&rw->b, x, out->rank, dim));
}

static bool elementwise(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    enum { MAX_IN = 3 };
    lt_type type = *lt_rewrite_type(rw, node->out);
    lt_operand_form form[MAX_IN];
    lt_id in[MAX_IN];
    bool worth = false;
    if (!(lt_op_get(node->op)->flags & LT_OP_ELEMENTWISE) || type.dtype != LATHE_F32 || type.rank < 3 ||
        type.rank == LT_MAX_RANK || node->attrs.elementwise.compute != LATHE_F32)
        return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        form[k] = form_of(rw, node->in[k], &type);
        if (form[k] == FORM_NONE) return false;
        worth = worth || (lt_layout_is_blocked(rw, node->in[k]) &&
                          lt_type_equal(lt_rewrite_type(rw, node->in[k]), &type));
    }
    if (!worth) return false;
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = operand(rw, node->in[k], &type, form[k]);
    lt_id x = lt_build(&rw->b, node->op, &node->attrs, in, (int)node->n_in);
    *out = lt_layout_unblock(rw, x, type.dim[1]);
    return true;
}

/* ---- Factors and terms of channels ---- */

/* Whether an operand is one number for each channel of a result of this type. */
static bool is_channels(const lt_rewrite *rw, lt_id value, const lt_type *out)
{
    const lt_type *type = lt_rewrite_type(rw, value);
    int at = 1 + type->rank - out->rank;
    return type->dtype == LATHE_F32 && type->rank <= out->rank && at >= 0 && type->dim[at] == out->dim[1] &&
           lt_type_count(type) == out->dim[1];
}

/* x times a number for each channel, plus one, is a depthwise convolution of one tap: it can take activations
 * and sums behind it. */
static bool channel_factor(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_type type = *lt_rewrite_type(rw, node->out);
    bool plus = node->op == LT_OP_FMA;
    const lt_id *in = node->in + plus; /* x and the factor, in any order */
    if ((!plus && node->op != LT_OP_MUL) || type.dtype != LATHE_F32 || type.rank != 4 ||
        (plus && !is_channels(rw, node->in[0], &type)))
        return false;
    int k = is_channels(rw, in[0], &type) ? 1 : 0;
    if (!is_channels(rw, in[1 - k], &type) || !lt_layout_is_blocked(rw, in[k]) ||
        !lt_type_equal(lt_rewrite_type(rw, in[k]), &type))
        return false;
    int64_t blocks = lt_blocks(type.dim[1]);
    lt_id factor = operand(rw, in[1 - k], &type, FORM_BLOCKS), term;
    factor = lt_build_reshape(&rw->b, factor, 4, (int64_t[]){blocks, 1, 1, LT_BLOCK});
    if (plus)
        term = lt_build_reshape(&rw->b, operand(rw, node->in[0], &type, FORM_BLOCKS), 2,
                                (int64_t[]){blocks, LT_BLOCK});
    else term = lt_layout_no_bias(rw, type.dim[1]);
    *out = lt_layout_depthwise(rw, lt_layout_block(rw, rw->map[in[k]]), factor, term, type.dim[1]);
    return true;
}

/* ---- Moving ---- */

/* Channels that end with a block, so that others can follow. */
static bool fills_blocks(const lt_type *type) { return type->dim[1] % LT_BLOCK == 0; }

static bool cat(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_CAT || node->attrs.dim.dim < 1 || !is_f32(rw, node->out)) return false;
    const lt_type type = *lt_rewrite_type(rw, node->out);
    bool worth = false;
    if (type.rank < 3 || type.rank == LT_MAX_RANK) return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        worth = worth || lt_layout_is_blocked(rw, node->in[k]);
        if (node->attrs.dim.dim == 1 && k + 1 < node->n_in && !fills_blocks(lt_rewrite_type(rw, node->in[k])))
            return false;
    }
    if (!worth) return false;
    lt_id *in = lt_arena_alloc(rw->b.graph->arena, node->n_in, sizeof *in);
    if (!in) {
        rw->b.status = lt_out_of_memory(rw->b.err, node->n_in, sizeof *in);
        return false;
    }
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = lt_layout_block(rw, rw->map[node->in[k]]);
    lt_id x = lt_build(&rw->b, LT_OP_CAT, &node->attrs, in, (int)node->n_in);
    *out = lt_layout_unblock(rw, x, type.dim[1]);
    return true;
}

/* Whole blocks of channels, or a part of an image. */
static bool slice(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_SLICE || !lt_layout_is_blocked(rw, node->in[0])) return false;
    lt_attrs attrs = node->attrs;
    lt_attrs_slice *s = &attrs.slice;
    int64_t channels = lt_rewrite_type(rw, node->out)->dim[1];
    if (s->dim == 1) {
        bool last = s->start + s->count == lt_rewrite_type(rw, node->in[0])->dim[1];
        if (s->step != 1 || s->start % LT_BLOCK != 0 || (s->count % LT_BLOCK != 0 && !last)) return false;
        s->start /= LT_BLOCK;
        s->count = lt_blocks(s->count);
    }
    lt_id x = lt_layout_block(rw, rw->map[node->in[0]]);
    *out = lt_layout_unblock(rw, lt_build(&rw->b, LT_OP_SLICE, &attrs, &x, 1), channels);
    return true;
}

static bool resample(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_RESAMPLE || node->attrs.resample.dim < 2 || !lt_layout_is_blocked(rw, node->in[0]))
        return false;
    int64_t channels = lt_rewrite_type(rw, node->out)->dim[1];
    lt_id x = lt_layout_block(rw, rw->map[node->in[0]]);
    *out = lt_layout_unblock(rw, lt_build(&rw->b, LT_OP_RESAMPLE, &node->attrs, &x, 1), channels);
    return true;
}

static bool to_blocks(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return lt_layout_conv(rw, node, out) || pool(rw, node, out) || mean(rw, node, out) ||
           channel_factor(rw, node, out) || elementwise(rw, node, out) || cat(rw, node, out) ||
           slice(rw, node, out) || resample(rw, node, out) || lt_layout_view(rw, node, out);
}

lathe_status lt_pass_layout(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph_fixed(from, to_blocks, out, err);
}
