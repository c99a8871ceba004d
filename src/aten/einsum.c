/* Products over named dims: einsum, tensordot, bilinear, kron. Every operand is a tensor whose dims carry
 * labels; two operands are contracted by one batched matrix product, from left to right. */
#include <string.h>

#include "aten/aten.h"

enum {
    LETTERS = 52,                   /* A-Z, a-z */
    LABELS = LETTERS + LT_MAX_RANK, /* behind them: the dims of an ellipsis */
    MAX_OPERANDS = 32,
    ELLIPSIS = -1 /* in a parsed term */
};

typedef struct lt_labelled {
    lt_id x;
    int rank, label[LT_MAX_RANK]; /* all different */
} lt_labelled;

static int position(const lt_labelled *t, int label)
{
    for (int i = 0; i < t->rank; i++)
        if (t->label[i] == label) return i;
    return -1;
}

/* ---- One operand ---- */

static void drop_dim(lt_labelled *t, int i)
{
    for (t->rank--; i < t->rank; i++) t->label[i] = t->label[i + 1];
}

/* Takes the diagonal of dims `i` < `k`, which carry the same label; it becomes the last dim. */
static void take_diagonal(lt_builder *b, lt_labelled *t, int i, int k)
{
    int label = t->label[i];
    if (lt_build_size(b, t->x, i) != lt_build_size(b, t->x, k))
        lt_build_fail(b, LATHE_TYPE, "a repeated subscript names dims of different sizes");
    t->x = lt_build_diagonal(b, t->x, 0, i, k);
    drop_dim(t, k);
    drop_dim(t, i);
    t->label[t->rank++] = label;
}

/* Repeated labels become diagonals, and dims of size 1 that broadcast go away. */
static void tidy(lt_builder *b, lt_labelled *t, const int64_t *size)
{
    for (int k = 1; k < t->rank; k++) {
        int i = position(t, t->label[k]);
        if (i == k) continue;
        take_diagonal(b, t, i, k);
        k = 0; /* the dims have moved: look at all again */
    }
    for (int i = t->rank - 1; i >= 0; i--) {
        if (size[t->label[i]] == 1 || lt_build_size(b, t->x, i) != 1) continue;
        t->x = lt_build_squeeze(b, t->x, i);
        drop_dim(t, i);
    }
}

/* Sums over the dims whose labels nobody needs. */
static void sum_away(lt_builder *b, lt_labelled *t, const bool *needed)
{
    bool dims[LT_MAX_RANK] = {false}, any = false;
    for (int i = 0; i < t->rank; i++) any |= dims[i] = !needed[t->label[i]];
    if (!any) return;
    lt_dtype dtype = lt_build_dtype(b, t->x);
    t->x =
        lt_build_reduce(b, LT_OP_REDUCE_SUM, t->x, dims, false, lt_dtype_is_float(dtype) ? dtype : LATHE_I64);
    for (int i = t->rank - 1; i >= 0; i--)
        if (dims[i]) drop_dim(t, i);
}

/* ---- Two operands ---- */

/* Labels in groups: in both and needed, in the first only, summed over, in the second only. */
typedef struct lt_groups {
    int n[4], label[4][LT_MAX_RANK];
    int64_t count[4];
} lt_groups;

enum { BATCH, LEFT, SUM, RIGHT };

static void add_label(lt_groups *g, int group, int label, int64_t size)
{
    g->label[group][g->n[group]++] = label;
    g->count[group] *= size;
}

static lt_groups split_labels(const lt_labelled *x, const lt_labelled *y, const bool *needed,
                              const int64_t *size)
{
    lt_groups g = {.count = {1, 1, 1, 1}};
    for (int i = 0; i < x->rank; i++) {
        int label = x->label[i];
        add_label(&g, position(y, label) < 0 ? LEFT : needed[label] ? BATCH : SUM, label, size[label]);
    }
    for (int i = 0; i < y->rank; i++)
        if (position(x, y->label[i]) < 0) add_label(&g, RIGHT, y->label[i], size[y->label[i]]);
    return g;
}

/* t as [batch, first, second] of the groups. */
static lt_id as_matrices(lt_builder *b, const lt_labelled *t, const lt_groups *g, int first, int second)
{
    int dims[LT_MAX_RANK], n = 0, order[3] = {BATCH, first, second};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < g->n[order[k]]; i++) dims[n++] = position(t, g->label[order[k]][i]);
    lt_id x = lt_build_permute(b, t->x, dims);
    return lt_build_reshape(b, x, 3, (int64_t[]){g->count[BATCH], g->count[first], g->count[second]});
}

static lt_labelled contract(lt_builder *b, const lt_labelled *x, const lt_labelled *y, const bool *needed,
                            const int64_t *size)
{
    lt_groups g = split_labels(x, y, needed, size);
    lt_labelled out = {.x = LT_NONE};
    int64_t dim[LT_MAX_RANK];
    if (g.n[BATCH] + g.n[LEFT] + g.n[RIGHT] > LT_MAX_RANK) {
        lt_build_fail(b, LATHE_LIMIT, "an intermediate result has rank %d, at most %d is supported",
                      g.n[BATCH] + g.n[LEFT] + g.n[RIGHT], LT_MAX_RANK);
        return out;
    }
    lt_id left = as_matrices(b, x, &g, LEFT, SUM), right = as_matrices(b, y, &g, SUM, RIGHT);
    if (g.n[SUM]) out.x = lt_build_matmul(b, left, right);
    else out.x = lt_build_mul(b, left, right);
    static const int order[3] = {BATCH, LEFT, RIGHT};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < g.n[order[k]]; i++) {
            out.label[out.rank] = g.label[order[k]][i];
            dim[out.rank++] = size[g.label[order[k]][i]];
        }
    out.x = lt_build_reshape(b, out.x, out.rank, dim);
    return out;
}

/* The sizes of all labels; a label's dims may differ where one of them is 1. */
static void measure(lt_builder *b, const lt_labelled *t, int n, int64_t *size)
{
    for (int i = 0; i < LABELS; i++) size[i] = 1;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < t[k].rank; i++) {
            int64_t own = lt_build_size(b, t[k].x, i), *known = &size[t[k].label[i]];
            if (own == 1) continue;
            if (*known != 1 && *known != own)
                lt_build_fail(b, LATHE_TYPE, "a subscript names dims of sizes %lld and %lld",
                              (long long)*known, (long long)own);
            *known = own;
        }
}

/* The product of n operands, with the dims `out` in their order; labels not in `out` are summed over. */
static lt_id multiply(lt_builder *b, lt_labelled *t, int n, const int *out, int n_out)
{
    int64_t size[LABELS];
    int uses[LABELS] = {0}, dims[LT_MAX_RANK];
    bool needed[LABELS];
    measure(b, t, n, size);
    for (int k = 0; k < n; k++) tidy(b, &t[k], size);
    if (b->status != LATHE_OK) return LT_NONE;
    for (int i = 0; i < n_out; i++) uses[out[i]]++;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < t[k].rank; i++) uses[t[k].label[i]]++;
    lt_labelled product = t[0];
    for (int k = 0; k < n && b->status == LATHE_OK; k++) {
        for (int i = 0; i < t[k].rank; i++) uses[t[k].label[i]]--;
        for (int i = 0; i < LABELS; i++) needed[i] = uses[i] > 0;
        if (k == 0) {
            sum_away(b, &product, needed);
            continue;
        }
        lt_labelled next = t[k];
        bool wanted[LABELS];
        for (int i = 0; i < LABELS; i++) wanted[i] = needed[i] || position(&product, i) >= 0;
        sum_away(b, &next, wanted);
        for (int i = 0; i < LABELS; i++) wanted[i] = needed[i] || position(&next, i) >= 0;
        sum_away(b, &product, wanted);
        product = contract(b, &product, &next, needed, size);
    }
    if (b->status != LATHE_OK) return LT_NONE;
    for (int i = 0; i < n_out; i++) {
        dims[i] = position(&product, out[i]);
        if (dims[i] < 0) return lt_build_fail(b, LATHE_TYPE, "a subscript of the output is in no operand");
    }
    return lt_build_permute(b, product.x, dims);
}

/* ---- Equations ---- */

static int letter(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* One term of an equation, up to a comma, an arrow or the end: labels, at most one ELLIPSIS. -1: broken. */
static int parse_term(const char **at, int *label, int max)
{
    int n = 0;
    bool ellipsis = false;
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ') continue;
        bool dots = strncmp(*at, "...", 3) == 0;
        if (n == max || (dots && ellipsis) || (!dots && letter(**at) < 0)) return -1;
        label[n++] = dots ? ELLIPSIS : letter(**at);
        ellipsis |= dots;
        if (dots) *at += 2;
    }
    return n;
}

/* Gives the dims of x the labels of its term; the dims of an ellipsis get labels counted from the last. */
static bool label_dims(lt_builder *b, lt_labelled *t, const int *term, int n, int *widest)
{
    int rank = lt_build_rank(b, t->x), dots = 0;
    for (int i = 0; i < n; i++) dots += term[i] == ELLIPSIS;
    int spread = rank - (n - dots);
    if (spread < 0 || (!dots && spread)) return false;
    for (int i = 0; i < n; i++) {
        if (term[i] != ELLIPSIS) t->label[t->rank++] = term[i];
        for (int k = spread; term[i] == ELLIPSIS && k > 0; k--) t->label[t->rank++] = LABELS - k;
    }
    if (dots && spread > *widest) *widest = spread;
    return true;
}

/* The output of an equation without an arrow: the ellipsis, then what occurs once, in alphabetical order. */
static int implied_output(const lt_labelled *t, int n, int *term)
{
    int uses[LABELS] = {0}, n_out = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < t[k].rank; i++) uses[t[k].label[i]]++;
    term[n_out++] = ELLIPSIS;
    for (int i = 0; i < LETTERS; i++)
        if (uses[i] == 1 && n_out <= LT_MAX_RANK) term[n_out++] = i;
    return n_out;
}

/* Parses the equation; the number of output labels, or -1. */
static int parse_equation(lt_builder *b, const char *at, lt_labelled *t, int n, int *out)
{
    int term[LT_MAX_RANK + 1], widest = 0, n_out = 0;
    for (int k = 0; k < n; k++) {
        int n_term = parse_term(&at, term, LT_MAX_RANK + 1);
        if (n_term < 0 || !label_dims(b, &t[k], term, n_term, &widest)) return -1;
        if (k + 1 < n && *at++ != ',') return -1;
    }
    if (*at == '-' && at[1] != '>') return -1;
    bool arrow = *at == '-';
    if (arrow) at += 2;
    int n_term = arrow ? parse_term(&at, term, LT_MAX_RANK + 1) : implied_output(t, n, term);
    if (n_term < 0 || *at) return -1;
    for (int i = 0; i < n_term; i++) {
        if (n_out + (term[i] == ELLIPSIS ? widest : 1) > LT_MAX_RANK) return -1;
        if (term[i] != ELLIPSIS) out[n_out++] = term[i];
        for (int k = widest; term[i] == ELLIPSIS && k > 0; k--) out[n_out++] = LABELS - k;
    }
    return n_out;
}

static void einsum(lt_call *c)
{
    int n, out[LT_MAX_RANK];
    const lt_id *in = lt_call_tensors(c, "tensors", &n);
    const char *equation = lt_call_string(c, "equation");
    lt_labelled t[MAX_OPERANDS] = {0};
    if (n < 1 || n > MAX_OPERANDS) {
        lt_build_fail(c->b, LATHE_LIMIT, "einsum of %d tensors", n);
        return;
    }
    for (int k = 0; k < n; k++) t[k].x = in[k];
    int n_out = parse_equation(c->b, equation, t, n, out);
    if (n_out < 0) lt_build_fail(c->b, LATHE_FORMAT, "equation '%s' does not fit its operands", equation);
    else lt_call_return(c, multiply(c->b, t, n, out, n_out));
}

/* ---- Relatives ---- */

static void tensordot(lt_call *c)
{
    lt_labelled t[2] = {{.x = lt_call_tensor(c, "self")}, {.x = lt_call_tensor(c, "other")}};
    int64_t dims[2][LT_MAX_RANK];
    int n[2] = {lt_call_ints(c, "dims_self", dims[0], LT_MAX_RANK),
                lt_call_ints(c, "dims_other", dims[1], LT_MAX_RANK)};
    int next = 0, out[2 * LT_MAX_RANK], n_out = 0;
    if (n[0] != n[1]) lt_build_fail(c->b, LATHE_TYPE, "%d dims are contracted with %d", n[0], n[1]);
    for (int k = 0; k < 2 && c->b->status == LATHE_OK; k++) {
        t[k].rank = lt_build_rank(c->b, t[k].x);
        for (int i = 0; i < t[k].rank; i++) t[k].label[i] = -1;
        for (int i = 0; i < n[k]; i++) t[k].label[lt_build_dim(c->b, dims[k][i], t[k].rank)] = i;
        next = k ? next : n[0];
        for (int i = 0; i < t[k].rank; i++)
            if (t[k].label[i] < 0) t[k].label[i] = out[n_out++] = next++;
    }
    if (n_out > LT_MAX_RANK) lt_build_fail(c->b, LATHE_LIMIT, "the result has rank %d", n_out);
    if (c->b->status == LATHE_OK) lt_call_return(c, multiply(c->b, t, 2, out, n_out));
}

/* The operand of a product over `rank` dims that has no dim where `gaps` says so. */
static lt_labelled spread(lt_call *c, const char *name, const char *gaps, int rank)
{
    lt_labelled t = {.x = lt_call_tensor(c, name)};
    bool skip[LT_MAX_RANK];
    lt_call_dims(c, gaps, rank, false, skip);
    for (int i = 0; i < rank; i++)
        if (!skip[i]) t.label[t.rank++] = i;
    if (t.rank != lt_build_rank(c->b, t.x))
        lt_build_fail(c->b, LATHE_TYPE, "'%s' has rank %d, expected %d", name, lt_build_rank(c->b, t.x),
                      t.rank);
    return t;
}

static void trilinear(lt_call *c)
{
    int64_t gaps[LT_MAX_RANK];
    int rank = lt_build_rank(c->b, lt_call_tensor(c, "i1")) + lt_call_ints(c, "expand1", gaps, LT_MAX_RANK);
    int out[LT_MAX_RANK], n_out = 0;
    bool sum[LT_MAX_RANK];
    if (rank > LT_MAX_RANK) {
        lt_build_fail(c->b, LATHE_LIMIT, "rank %d, at most %d is supported", rank, LT_MAX_RANK);
        return;
    }
    lt_labelled t[3] = {spread(c, "i1", "expand1", rank), spread(c, "i2", "expand2", rank),
                        spread(c, "i3", "expand3", rank)};
    lt_call_dims(c, "sumdim", rank, false, sum);
    for (int i = 0; i < rank; i++)
        if (!sum[i]) out[n_out++] = i;
    if (c->b->status == LATHE_OK) lt_call_return(c, multiply(c->b, t, 3, out, n_out));
}

/* out[..., k] = sum over i, j of input1[..., i] weight[k, i, j] input2[..., j] + bias[k] */
static void bilinear(lt_call *c)
{
    enum { OUT = LT_MAX_RANK, FIRST, SECOND };
    lt_labelled t[3] = {{.x = lt_call_tensor(c, "input1")},
                        {.x = lt_call_tensor(c, "weight"), .rank = 3, .label = {OUT, FIRST, SECOND}},
                        {.x = lt_call_tensor(c, "input2")}};
    int rank = lt_build_rank(c->b, t[0].x), out[LT_MAX_RANK];
    lt_id bias = lt_call_optional_tensor(c, "bias");
    if (rank < 1 || rank != lt_build_rank(c->b, t[2].x) || lt_build_rank(c->b, t[1].x) != 3)
        lt_build_fail(c->b, LATHE_TYPE, "bilinear of ranks %d and %d", rank, lt_build_rank(c->b, t[2].x));
    if (c->b->status != LATHE_OK) return;
    t[0].rank = t[2].rank = rank;
    for (int i = 0; i < rank; i++) t[0].label[i] = t[2].label[i] = out[i] = i;
    t[0].label[rank - 1] = FIRST;
    t[2].label[rank - 1] = SECOND;
    out[rank - 1] = OUT;
    lt_id product = multiply(c->b, t, 3, out, rank);
    lt_call_return(c, bias == LT_NONE ? product : lt_build_add(c->b, product, bias));
}

/* Every dim is split in two: x varies in the first, y in the second. */
static void kron(lt_call *c)
{
    lt_id in[2] = {lt_call_tensor(c, "self"), lt_call_tensor(c, "other")};
    int rank = lt_build_rank(c->b, in[0]), other = lt_build_rank(c->b, in[1]);
    if (other > rank) rank = other;
    int64_t dim[LT_MAX_RANK];
    if (2 * rank > LT_MAX_RANK) {
        lt_build_fail(c->b, LATHE_LIMIT, "kron of rank %d, at most %d is supported", rank, LT_MAX_RANK / 2);
        return;
    }
    for (int i = 0; i < rank; i++) dim[i] = 1;
    for (int k = 0; k < 2; k++) {
        int64_t split[LT_MAX_RANK];
        int own = lt_build_rank(c->b, in[k]);
        for (int i = 0; i < rank; i++) {
            int64_t size = i < rank - own ? 1 : lt_build_size(c->b, in[k], i - (rank - own));
            split[2 * i + k] = size;
            split[2 * i + 1 - k] = 1;
            dim[i] *= size;
        }
        in[k] = lt_build_reshape(c->b, in[k], 2 * rank, split);
    }
    lt_call_return(c, lt_build_reshape(c->b, lt_build_mul(c->b, in[0], in[1]), rank, dim));
}

const lt_aten_row lt_aten_einsum[] = {
    {"einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", einsum, 0},
    {"tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor", tensordot, 0},
    {"bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor", bilinear, 0},
    {"_trilinear(Tensor i1, Tensor i2, Tensor i3, int[] expand1, int[] expand2, int[] expand3, int[] sumdim, "
     "int unroll_dim=1) -> Tensor",
     trilinear, 0},
    {"kron(Tensor self, Tensor other) -> Tensor", kron, 0},
    {NULL, NULL, 0}};
