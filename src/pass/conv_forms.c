/* Convolutions that the CPU's kernels do not know, as some that they do, with float32 weights arranged once:
 * those of half precision, which are summed in float32 and rounded once; transposed ones as one convolution
 * with an output for each remainder of the position; those of three dims as sums over the taps of the depth.
 * And pools of three dims as one over the planes and one over the depth. */
#include "pass/pass.h"
#include "pass/rewrite.h"

enum {
    MAX_STRIDE = 64,
    MAX_GROWTH = 4,      /* of the weights of a transposed convolution, by taps of zeros */
    MAX_DEPTH_TAPS = 16, /* each is a convolution of its own */
    MAX_PADDED = 8       /* times the depth: what padding it may add */
};

/* A convolution to be built: values of the new graph; bias may be LT_NONE. */
typedef struct lt_new_conv {
    lt_attrs_conv a;
    lt_id x, w, bias;
} lt_new_conv;

static lt_id convolve(lt_rewrite *rw, const lt_new_conv *c)
{
    return lt_build(&rw->b, LT_OP_CONV, &(lt_attrs){.conv = c->a}, (lt_id[]){c->x, c->w, c->bias},
                    c->bias == LT_NONE ? 2 : 3);
}

/* ---- Three dims ---- */

/* [batch, channels, depth, height, width] as [depth * batch, channels, height, width]. */
static lt_id merge_depth(lt_rewrite *rw, lt_id x)
{
    const int64_t *dim = lt_build_type(&rw->b, x)->dim;
    int64_t planes[] = {dim[2] * dim[0], dim[1], dim[3], dim[4]};
    return lt_build_reshape(&rw->b, lt_build_permute(&rw->b, x, (int[]){2, 0, 1, 3, 4}), 4, planes);
}

static lt_id split_depth(lt_rewrite *rw, lt_id x, int64_t batch)
{
    const int64_t *dim = lt_build_type(&rw->b, x)->dim;
    int64_t whole[] = {dim[0] / batch, batch, dim[1], dim[2], dim[3]};
    return lt_build_permute(&rw->b, lt_build_reshape(&rw->b, x, 5, whole), (int[]){1, 2, 0, 3, 4});
}

/* Height and width as one dim, and back. */
static lt_id flatten_planes(lt_rewrite *rw, lt_id x)
{
    const int64_t *dim = lt_build_type(&rw->b, x)->dim;
    return lt_build_reshape(&rw->b, x, 4, (int64_t[]){dim[0], dim[1], dim[2], dim[3] * dim[4]});
}

static lt_id unflatten_planes(lt_rewrite *rw, lt_id x, int64_t height, int64_t width)
{
    const int64_t *dim = lt_build_type(&rw->b, x)->dim;
    return lt_build_reshape(&rw->b, x, 5, (int64_t[]){dim[0], dim[1], dim[2], height, width});
}

static lt_id pad_depth(lt_rewrite *rw, lt_id x, int64_t before, int64_t after)
{
    lt_id in[3];
    int n = 0;
    lt_type zeros = *lt_build_type(&rw->b, x);
    zeros.dim[2] = before;
    if (before > 0) in[n++] = lt_build_zeros(&rw->b, &zeros);
    in[n++] = x;
    zeros.dim[2] = after;
    if (after > 0) in[n++] = lt_build_zeros(&rw->b, &zeros);
    return n > 1 ? lt_build_cat(&rw->b, in, n, 2) : x;
}

/* Whether nothing but the depth is convolved. */
static bool is_depth_only(const lt_attrs_conv *a, const int64_t *w_dim)
{
    bool only = true;
    for (int i = 1; i < 3; i++)
        only =
            only && w_dim[i + 2] == 1 && a->stride[i] == 1 && a->padding[i] == 0 && a->padding_after[i] == 0;
    return only;
}

/* Dims `first` and `second` of three. */
static lt_attrs_conv two_dims(const lt_attrs_conv *a, int first, int second)
{
    return (lt_attrs_conv){.spatial = 2,
                           .stride = {a->stride[first], a->stride[second]},
                           .padding = {a->padding[first], a->padding[second]},
                           .padding_after = {a->padding_after[first], a->padding_after[second]},
                           .dilation = {a->dilation[first], a->dilation[second]},
                           .groups = a->groups};
}

static bool fits_volume(const lt_attrs_conv *a, const lt_type *x, const lt_type *w)
{
    int64_t most = x->dim[2] * MAX_PADDED;
    return is_depth_only(a, w->dim) ||
           (w->dim[2] <= MAX_DEPTH_TAPS && a->padding[0] <= most && a->padding_after[0] <= most);
}

static lt_id convolve_depth(lt_rewrite *rw, const lt_new_conv *c)
{
    lt_type x = *lt_build_type(&rw->b, c->x);
    lt_new_conv plane = {two_dims(&c->a, 0, 1), flatten_planes(rw, c->x), flatten_planes(rw, c->w), c->bias};
    return unflatten_planes(rw, convolve(rw, &plane), x.dim[3], x.dim[4]);
}

/* Each tap of the depth is a convolution of the planes that it meets. Padded once, their input is a part of
 * one tensor, and only sums as large as the result are added. */
static lt_id convolve_volume(lt_rewrite *rw, const lt_new_conv *c)
{
    const lt_attrs_conv *a = &c->a;
    const lt_type w = *lt_build_type(&rw->b, c->w);
    if (is_depth_only(a, w.dim)) return convolve_depth(rw, c);
    lt_id x = pad_depth(rw, c->x, a->padding[0], a->padding_after[0]), sum = LT_NONE;
    int64_t batch = lt_build_size(&rw->b, x, 0), step = a->stride[0], reach = (w.dim[2] - 1) * a->dilation[0];
    int64_t span = (lt_build_size(&rw->b, x, 2) - reach - 1) / step * step + 1; /* first to last output */
    if (step == 1) x = merge_depth(rw, x);
    for (int64_t t = 0; t < w.dim[2]; t++) {
        lt_new_conv tap = {two_dims(a, 1, 2), x, c->w, t == 0 ? c->bias : LT_NONE};
        int64_t from = t * a->dilation[0];
        if (step == 1) tap.x = lt_build_slice(&rw->b, x, 0, from * batch, (from + span) * batch, 1);
        else tap.x = merge_depth(rw, lt_build_slice(&rw->b, x, 2, from, from + span, step));
        tap.w = lt_build_select(&rw->b, c->w, 2, t);
        lt_id part = convolve(rw, &tap);
        sum = sum == LT_NONE ? part : lt_build_add(&rw->b, sum, part);
    }
    return split_depth(rw, sum, batch);
}

/* ---- Transposed ---- */

/* One dim of a transposed convolution: output o reads tap r + stride * m at input j - m, where
 * o + padding = stride * j + r. So all outputs of one r are a convolution of `taps` taps. */
typedef struct lt_phases {
    int64_t stride, taps, first, count; /* of j */
} lt_phases;

static bool find_phases(const lt_new_conv *c, const lt_type *x, const lt_type *w, const lt_type *out,
                        lt_phases phases[LT_MAX_SPATIAL])
{
    double taps = 1, wanted = 1;
    bool fits = c->a.groups == 1;
    for (int i = 0; i < c->a.spatial && fits; i++) {
        int64_t s = c->a.stride[i], p = c->a.padding[i], kernel = w->dim[i + 2];
        if (s > MAX_STRIDE || p >= kernel || (c->a.dilation[i] != 1 && kernel > 1)) return false;
        lt_phases f = {.stride = s, .taps = (kernel + s - 1) / s, .first = p / s};
        f.count = (p + out->dim[i + 2] + s - 1) / s - f.first;
        taps *= (double)kernel;
        wanted *= (double)(f.taps * s);
        fits = f.first + f.count >= x->dim[i + 2] && (c->a.spatial < 3 || f.taps <= MAX_DEPTH_TAPS);
        phases[i] = f;
    }
    return fits && wanted <= MAX_GROWTH * taps;
}

/* [channels, out channels, taps…] as [phases * out channels, channels, taps…], the taps in the order of a
 * convolution. */
static lt_id phase_weight(lt_rewrite *rw, lt_id w, int n, const lt_phases *phases)
{
    lt_type type = *lt_build_type(&rw->b, w);
    int64_t dim[LT_MAX_RANK] = {type.dim[0], type.dim[1]}, after[LT_MAX_RANK] = {0};
    int64_t none[LT_MAX_RANK] = {0}, to[LT_MAX_RANK] = {type.dim[1], type.dim[0]};
    int order[LT_MAX_RANK];
    bool pads = false;
    order[n] = 1;
    order[n + 1] = 0;
    for (int i = 0; i < n; i++) {
        const lt_phases *f = &phases[i];
        after[i + 2] = f->taps * f->stride - type.dim[i + 2];
        pads = pads || after[i + 2] > 0;
        dim[2 * i + 2] = to[i + 2] = f->taps;
        dim[2 * i + 3] = f->stride;
        to[0] *= f->stride;
        order[i] = 2 * i + 3;
        order[n + 2 + i] = 2 * i + 2;
    }
    if (pads) w = lt_build_pad(&rw->b, w, none, after, lt_build_number(&rw->b, 0));
    w = lt_build_reshape(&rw->b, w, 2 * n + 2, dim);
    for (int i = 0; i < n; i++) w = lt_build_flip(&rw->b, w, 2 * i + 2);
    return lt_build_reshape(&rw->b, lt_build_permute(&rw->b, w, order), n + 2, to);
}

/* [batch, phases * channels, …]: each phase to its positions; and the part of them that is the result. */
static lt_id interleave(lt_rewrite *rw, lt_id x, const lt_type *out, const lt_attrs_conv *a,
                        const lt_phases *phases)
{
    int n = a->spatial, order[LT_MAX_RANK] = {0, n + 1};
    int64_t dim[LT_MAX_RANK] = {out->dim[0]}, to[LT_MAX_RANK] = {out->dim[0], out->dim[1]};
    dim[n + 1] = out->dim[1];
    for (int i = 0; i < n; i++) {
        dim[i + 1] = phases[i].stride;
        dim[n + 2 + i] = phases[i].count;
        to[i + 2] = phases[i].stride * phases[i].count;
        order[2 * i + 2] = n + 2 + i;
        order[2 * i + 3] = i + 1;
    }
    x = lt_build_permute(&rw->b, lt_build_reshape(&rw->b, x, 2 * n + 2, dim), order);
    x = lt_build_reshape(&rw->b, x, n + 2, to);
    for (int i = 0; i < n; i++)
        x = lt_build_narrow(&rw->b, x, i + 2, a->padding[i] % phases[i].stride, out->dim[i + 2]);
    return x;
}

static lt_id convolve_any(lt_rewrite *rw, const lt_new_conv *c)
{
    return c->a.spatial == 3 ? convolve_volume(rw, c) : convolve(rw, c);
}

static lt_id convolve_phases(lt_rewrite *rw, const lt_new_conv *c, const lt_type *out,
                             const lt_phases *phases)
{
    int n = c->a.spatial;
    int64_t channels = out->dim[1], all = 1;
    lt_new_conv plain = {{.spatial = n, .groups = 1}, c->x, phase_weight(rw, c->w, n, phases), c->bias};
    for (int i = 0; i < n; i++) {
        plain.a.stride[i] = plain.a.dilation[i] = 1;
        plain.a.padding[i] = phases[i].taps - 1 - phases[i].first;
        plain.a.padding_after[i] = phases[i].first + phases[i].count - lt_build_size(&rw->b, c->x, i + 2);
        all *= phases[i].stride;
    }
    if (plain.bias != LT_NONE) {
        plain.bias = lt_build_expand(&rw->b, plain.bias, 2, (int64_t[]){all, channels});
        plain.bias = lt_build_reshape(&rw->b, plain.bias, 1, (int64_t[]){all * channels});
    }
    return interleave(rw, convolve_any(rw, &plain), out, &c->a, phases);
}

/* ---- Rules ---- */

static bool conv(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_CONV) return false;
    const lt_type x = *lt_rewrite_type(rw, node->in[0]), w = *lt_rewrite_type(rw, node->in[1]);
    const lt_type type = *lt_rewrite_type(rw, node->out);
    lt_new_conv c = {node->attrs.conv, rw->map[node->in[0]], rw->map[node->in[1]], LT_NONE};
    lt_phases phases[LT_MAX_SPATIAL];
    bool known = !c.a.transposed && c.a.spatial < 3;
    if ((x.dtype != LATHE_F32 && !lt_dtype_is_half(x.dtype)) || (known && !lt_dtype_is_half(x.dtype)) ||
        !lt_rewrite_is_fixed(rw, node->in[1]) || (node->n_in > 2 && !lt_rewrite_is_fixed(rw, node->in[2])) ||
        lt_type_count(&type) == 0 || lt_type_count(&x) == 0)
        return false;
    if (c.a.transposed ? !find_phases(&c, &x, &w, &type, phases)
                       : c.a.spatial == 3 && !fits_volume(&c.a, &x, &w))
        return false;
    c.x = lt_build_cast(&rw->b, c.x, LATHE_F32);
    c.w = lt_build_cast(&rw->b, c.w, LATHE_F32);
    if (node->n_in > 2) c.bias = lt_build_cast(&rw->b, rw->map[node->in[2]], LATHE_F32);
    lt_id y = c.a.transposed ? convolve_phases(rw, &c, &type, phases) : convolve_any(rw, &c);
    *out = lt_build_cast(&rw->b, y, type.dtype);
    return true;
}

/* Dims `first` and `second` of three; -1: one that is left as it is. */
static lt_attrs two_windows(const lt_attrs_pool *a, int first, int second, int64_t size)
{
    lt_attrs attrs = {.pool = *a};
    lt_attrs_pool *p = &attrs.pool;
    int dim[2] = {first, second};
    p->spatial = 2;
    for (int i = 0; i < LT_MAX_SPATIAL; i++) {
        bool own = i < 2 && dim[i] >= 0, unit = i < 2 && !own;
        p->size[i] = own ? a->size[dim[i]] : unit && a->adaptive ? size : 0;
        p->kernel[i] = own ? a->kernel[dim[i]] : unit;
        p->stride[i] = own ? a->stride[dim[i]] : unit;
        p->padding[i] = own ? a->padding[dim[i]] : 0;
        p->dilation[i] = own ? a->dilation[dim[i]] : unit;
    }
    return attrs;
}

/* An average is one of averages where all windows have the same number of elements, or dims are cut apart. */
static bool is_average_of_averages(const lt_attrs_pool *a)
{
    bool padded = a->padding[0] || a->padding[1] || a->padding[2];
    return a->adaptive || (!a->divisor && !a->ceil_mode && (!padded || a->count_include_pad));
}

static bool pool(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_attrs_pool *a = &node->attrs.pool;
    bool largest = node->op == LT_OP_MAX_POOL;
    if (!largest && node->op != LT_OP_AVG_POOL) return false;
    const lt_type x = *lt_rewrite_type(rw, node->in[0]), type = *lt_rewrite_type(rw, node->out);
    if (a->spatial != 3 || x.rank != 5 || x.dtype != LATHE_F32 || lt_type_count(&type) == 0 ||
        (largest ? rw->uses[node->out + 1] > 0 : !is_average_of_averages(a)))
        return false;
    lt_attrs depth = two_windows(a, 0, -1, x.dim[3] * x.dim[4]), planes = two_windows(a, 1, 2, 0);
    lt_id y = rw->map[node->in[0]];
    if (a->adaptive || a->kernel[0] > 1 || a->stride[0] > 1) {
        y = flatten_planes(rw, y);
        y = unflatten_planes(rw, lt_build(&rw->b, node->op, &depth, &y, 1), x.dim[3], x.dim[4]);
    }
    y = merge_depth(rw, y);
    *out = split_depth(rw, lt_build(&rw->b, node->op, &planes, &y, 1), x.dim[0]);
    return true;
}

/* ---- Activations ---- */

/* `value` again, a view of the new graph, with `from` in the place of what it shows. */
static lt_id view_again(lt_rewrite *rw, lt_id value, lt_id shown, lt_id from)
{
    if (value == shown) return from;
    const lt_node view = *lt_graph_producer(rw->b.graph, value);
    lt_id in = view_again(rw, view.in[0], shown, from);
    return lt_build(&rw->b, view.op, &view.attrs, &in, 1);
}

/* A function of one tensor and numbers goes before the views that end a convolution: the kernel that computes
 * it can take it in. */
static bool activation(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    enum { MAX_IN = 3 };
    lt_id in[MAX_IN];
    const lt_type *type = lt_rewrite_type(rw, node->out);
    if (!(lt_op_get(node->op)->flags & LT_OP_ELEMENTWISE) || node->n_in > MAX_IN ||
        !lt_rewrite_sole(rw, node->in[0], LT_OP_CONV) ||
        !lt_type_equal(type, lt_rewrite_type(rw, node->in[0])))
        return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        in[k] = rw->map[node->in[k]];
        if (k > 0 && lt_rewrite_type(rw, node->in[k])->rank > 0) return false;
    }
    lt_id value = in[0];
    const lt_node *view;
    while ((view = lt_graph_producer(rw->b.graph, in[0])) && (lt_op_get(view->op)->flags & LT_OP_VIEW))
        in[0] = view->in[0];
    if (in[0] == value) return false;
    *out = view_again(rw, value, in[0], lt_build(&rw->b, node->op, &node->attrs, in, (int)node->n_in));
    return true;
}

static bool rewrite(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    return conv(rw, node, out) || pool(rw, node, out) || activation(rw, node, out);
}

lathe_status lt_pass_conv_forms(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph_fixed(from, rewrite, out, err);
}
