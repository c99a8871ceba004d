/* A convolution in blocks that alone feeds a sum or an activation does that itself, before its result is
 * stored. */
#include <math.h>

#include "pass/pass.h"
#include "pass/rewrite.h"

/* The convolution, in the new graph, that makes an operand which nothing else reads; NULL: there is none, or
 * it does something with its result already. */
static const lt_node *open_conv(const lt_rewrite *rw, lt_id value)
{
    const lt_node *conv = lt_rewrite_new(rw, rw->map[value], LT_OP_BLOCKED_CONV);
    if (!conv) conv = lt_rewrite_new(rw, rw->map[value], LT_OP_WINOGRAD_CONV);
    if (!conv || rw->uses[value] != 1) return NULL;
    const lt_attrs_blocked_conv *a = &conv->attrs.blocked_conv;
    return a->activation == LT_ACTIVATION_CLAMP && isinf(a->low) && isinf(a->high) ? conv : NULL;
}

/* The convolution again, with one more operand (LT_NONE: none). */
static lt_id rebuild(lt_rewrite *rw, const lt_node *conv, const lt_attrs *attrs, lt_id add)
{
    lt_id in[4];
    int n = 0;
    for (uint32_t k = 0; k < conv->n_in; k++) in[n++] = conv->in[k];
    if (add != LT_NONE) in[n++] = add;
    return lt_build(&rw->b, conv->op, attrs, in, n);
}

static bool fuse_add(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_ADD) return false;
    for (int k = 0; k < 2; k++) {
        const lt_node *conv = open_conv(rw, node->in[k]);
        lt_id other = node->in[1 - k];
        if (!conv || conv->n_in > 3 ||
            !lt_type_equal(lt_rewrite_type(rw, other), lt_rewrite_type(rw, node->out)) ||
            !lt_type_equal(lt_rewrite_type(rw, node->in[k]), lt_rewrite_type(rw, node->out)))
            continue;
        lt_attrs attrs = conv->attrs;
        *out = rebuild(rw, conv, &attrs, rw->map[other]);
        return true;
    }
    return false;
}

/* Attributes of the convolution with the node's function behind it. */
static bool with_activation(const lt_rewrite *rw, const lt_node *node, lt_attrs_blocked_conv *a)
{
    static const struct {
        lt_op op;
        lt_activation activation;
    } functions[] = {
        {LT_OP_SIGMOID, LT_ACTIVATION_SIGMOID},    {LT_OP_SILU, LT_ACTIVATION_SILU},
        {LT_OP_GELU, LT_ACTIVATION_GELU},          {LT_OP_GELU_TANH, LT_ACTIVATION_GELU_TANH},
        {LT_OP_TANH, LT_ACTIVATION_TANH},          {LT_OP_HARDSIGMOID, LT_ACTIVATION_HARDSIGMOID},
        {LT_OP_HARDSWISH, LT_ACTIVATION_HARDSWISH}};
    for (size_t i = 0; i < LT_COUNT(functions); i++)
        if (functions[i].op == node->op) {
            a->activation = functions[i].activation;
            return true;
        }
    if (node->op == LT_OP_RELU) a->low = 0;
    else if (node->op != LT_OP_CLAMP || !lt_rewrite_scalar(rw, node->in[1], &a->low) ||
             !lt_rewrite_scalar(rw, node->in[2], &a->high))
        return false;
    return a->low <= a->high;
}

static bool fuse_activation(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_op_info *info = lt_op_get(node->op);
    if (!(info->flags & LT_OP_ELEMENTWISE) ||
        !lt_type_equal(lt_rewrite_type(rw, node->in[0]), lt_rewrite_type(rw, node->out)))
        return false;
    const lt_node *conv = open_conv(rw, node->in[0]);
    if (!conv) return false;
    lt_attrs attrs = conv->attrs;
    if (!with_activation(rw, node, &attrs.blocked_conv)) return false;
    *out = rebuild(rw, conv, &attrs, LT_NONE);
    return true;
}

static bool fuse(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return fuse_add(rw, node, out) || fuse_activation(rw, node, out);
}

lathe_status lt_pass_conv_epilogue(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, fuse, out, err);
}
