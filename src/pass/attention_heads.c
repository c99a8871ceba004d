/* Keys and values behind repeated heads. Exports repeat the heads of grouped queries by an expand between two
 * reshapes, or by an index; attention reads each of them once instead. */
#include "ops/convert.h"
#include "pass/attention.h"

bool lt_keeps_matrices(const lt_type *from, const lt_type *to)
{
    int a = from->rank, b = to->rank;
    return a >= 2 && b >= 2 && from->dim[a - 1] == to->dim[b - 1] && from->dim[a - 2] == to->dim[b - 2] &&
           lt_type_count(from) == lt_type_count(to) && lt_type_count(from) > 0;
}

/* How often an expand repeats each entry of the leading dims, when equal ones stand side by side; 0: they do
 * not. */
static int64_t expand_repeat(const lt_type *from, const lt_type *to)
{
    int64_t repeat = 1;
    int missing = to->rank - from->rank;
    if (from->rank < 2 || from->dim[from->rank - 1] != to->dim[to->rank - 1] ||
        from->dim[from->rank - 2] != to->dim[to->rank - 2])
        return 0;
    for (int i = 0; i < to->rank - 2; i++) {
        int64_t own = i < missing ? 1 : from->dim[i - missing];
        if (own != to->dim[i]) repeat *= to->dim[i];
        else if (repeat > 1 && own > 1) return 0; /* a repeated dim before one that is not */
    }
    return repeat;
}

/* The same for an index of the last leading dim by constants 0 0 … 1 1 … */
static int64_t index_repeat(const lt_rewrite *rw, const lt_node *node)
{
    const lt_type *from = lt_rewrite_type(rw, node->in[0]), *to = lt_rewrite_type(rw, node->out);
    const lt_value *index = &rw->from->values[node->in[1]];
    int head = from->rank - 3;
    if (node->n_in != 2 || head < 0 || to->rank != from->rank || index->kind != LT_VALUE_CONST ||
        index->type.rank != 1 || from->dim[head] == 0 || index->type.dim[0] % from->dim[head] != 0 ||
        node->attrs.index.position != head)
        return 0;
    for (int i = 0; i < from->rank; i++)
        if (node->attrs.index.dims[i] != (i == head)) return 0;
    int64_t n = index->type.dim[0], repeat = n / from->dim[head];
    for (int64_t i = 0; i < n; i++) {
        const char *at = (const char *)index->data + i * (int64_t)lathe_dtype_size(index->type.dtype);
        if (lt_load_index(index->type.dtype, at) != i / repeat) return 0;
    }
    return repeat;
}

static bool swaps_last(const lt_node *permute, int rank)
{
    for (int i = 0; i < rank - 2; i++)
        if (permute->attrs.permute.dim[i] != i) return false;
    return rank >= 2 && permute->attrs.permute.dim[rank - 1] == rank - 2 &&
           permute->attrs.permute.dim[rank - 2] == rank - 1;
}

bool lt_split_factor(const lt_rewrite *rw, const lt_node *node, lt_id *x, double *factor)
{
    double number;
    if (node->op != LT_OP_MUL && node->op != LT_OP_DIV) return false;
    for (int k = 1; k >= (node->op == LT_OP_MUL ? 0 : 1); k--) {
        if (!lt_rewrite_scalar(rw, node->in[k], &number)) continue;
        *x = node->in[1 - k];
        *factor = node->op == LT_OP_MUL ? number : 1 / number;
        return lt_type_equal(lt_rewrite_type(rw, *x), lt_rewrite_type(rw, node->out));
    }
    return false;
}

static bool is_widening(const lt_rewrite *rw, const lt_node *cast)
{
    lt_dtype from = lt_rewrite_type(rw, cast->in[0])->dtype;
    return lt_dtype_is_float(from) &&
           lt_dtype_promote(from, cast->attrs.dtype.dtype) == cast->attrs.dtype.dtype;
}

/* One node less; false when it has to stay. */
static bool peel_node(const lt_rewrite *rw, const lt_node *node, int64_t heads, unsigned what, lt_peeled *p)
{
    const lt_type *to = lt_rewrite_type(rw, node->out);
    double factor;
    int64_t repeat = 1;
    lt_id in = node->n_in ? node->in[0] : LT_NONE;
    switch (node->op) {
    case LT_OP_RESHAPE:
        if (!lt_keeps_matrices(lt_rewrite_type(rw, in), to)) return false;
        break;
    case LT_OP_EXPAND: repeat = expand_repeat(lt_rewrite_type(rw, in), to); break;
    case LT_OP_INDEX: repeat = index_repeat(rw, node); break;
    case LT_OP_PERMUTE:
        if (!swaps_last(node, to->rank)) return false;
        p->swapped = !p->swapped;
        break;
    case LT_OP_CAST:
        if (!(what & LT_PEEL_WIDEN) || !is_widening(rw, node)) return false;
        break;
    case LT_OP_MUL:
    case LT_OP_DIV:
        if (!(what & LT_PEEL_FACTOR) || !lt_split_factor(rw, node, &in, &factor)) return false;
        if (lt_dtype_is_half(to->dtype)) return false; /* it rounds */
        p->factor *= factor;
        break;
    default: return false;
    }
    if (repeat == 0 || (repeat > 1 && !(what & LT_PEEL_HEADS)) || heads % (repeat * p->repeat) != 0)
        return false;
    p->repeat *= repeat;
    p->value = in;
    return true;
}

lt_peeled lt_attention_peel(const lt_rewrite *rw, lt_id value, int64_t heads, unsigned what)
{
    lt_peeled p = {.value = value, .repeat = 1, .factor = 1};
    for (const lt_node *node; (node = lt_graph_producer(rw->from, p.value));)
        if (!peel_node(rw, node, heads, what, &p)) break;
    return p;
}
