/* Elements that are read and written by index, joined, and made from nothing: see move.k. */
#include <stdio.h>

#include "backend/gpu.h"

enum { DEFINES = 256, LONG_WALK = 1 << 16 };

static bool declines_reach(lt_gpu_lowering *lo)
{
    return lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
}

/* An update begins with a copy of its first input, unless it works in place. */
static bool start_update(lt_gpu_lowering *lo, const lt_operand *in, const lt_operand *out)
{
    bool same = in->kind == out->kind && in->index == out->index && in->offset == out->offset;
    return same || lt_gpu_copy(lo, in, out);
}

static bool may_walk(lt_gpu_lowering *lo, int64_t items, int64_t steps)
{
    bool serial = lo->gpu->info.features & LATHE_DEVICE_SERIAL;
    return serial || steps <= LONG_WALK || items >= LONG_WALK / 64 ||
           lt_gpu_decline(lo, "so many writes that must come in order");
}

/* ---- index, index_put ---- */

/* Strides of a tensor's dims as a view over the shape in which the common shape of the indices, of `n` dims,
 * replaces the marked dims. */
static lt_view kept_view(const lt_attrs_index *attrs, const lt_view *view, int rank, int n)
{
    lt_view out = {.offset = view->offset};
    for (int d = 0, kept = 0; d < rank; d++) {
        if (attrs->dims[d]) continue;
        out.stride[kept < attrs->position ? kept : kept + n] = view->stride[d];
        kept++;
    }
    return out;
}

/* An index tensor as a view over that shape, whose dims from `position` on are those of the indices. */
static bool index_view(const lt_operand *index, const int64_t *dim, int position, int n, lt_view *out)
{
    lt_view own;
    if (!lt_gpu_view(index, n, dim + position, &own)) return false;
    *out = (lt_view){.offset = own.offset};
    for (int d = 0; d < n; d++) out->stride[position + d] = own.stride[d];
    return true;
}

/* What both share: `base` is indexed, `picked` has the shape with the indices in it. */
static bool describe_index(lt_gpu_lowering *lo, const lt_step *step, const lt_operand *base,
                           const lt_operand *picked, const lt_operand *index, int n_index, lt_index_params *p)
{
    const lt_attrs_index *attrs = &step->attrs.index;
    const lt_tensor *b = &base->tensor, *shape = &picked->tensor;
    int n = shape->rank - (b->rank - n_index);
    lt_view whole;
    if (n_index > LT_INDICES) return lt_gpu_decline(lo, "more than four index tensors");
    *p = (lt_index_params){.wrap = attrs->wrap, .flag = lt_gpu_flag_value(lo)};
    if (!lt_gpu_own_view(lo, base, &whole) || !lt_gpu_own_view(lo, picked, &p->other)) return false;
    p->base = kept_view(attrs, &whole, b->rank, n);
    lt_gpu_dims(shape, p->dim);
    for (int k = 0, d = 0; k < n_index; k++, d++) {
        while (!attrs->dims[d]) d++;
        p->size[k] = (int)b->dim[d];
        p->stride[k] = whole.stride[d];
        if (index[k].tensor.dtype != index[0].tensor.dtype)
            return lt_gpu_decline(lo, "index tensors of different types");
        if (!index_view(&index[k], shape->dim, attrs->position, n, &p->index[k])) return declines_reach(lo);
    }
    return true;
}

static bool emit_index(lt_gpu_lowering *lo, const lt_index_params *p, const char *entry, const char *defines,
                       const lt_operand *from, const lt_operand *to, const lt_operand *index, int n_index,
                       int n_args)
{
    uint32_t items = lt_gpu_group(lo->gpu);
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "move.k", NULL, entry, defines);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, p, sizeof *p);
    lt_gpu_arg(launch, from);
    lt_gpu_arg(launch, to);
    lt_gpu_flag_arg(launch);
    for (int k = 0; k < n_args; k++) lt_gpu_arg(launch, &index[k < n_index ? k : 0]);
    return lt_gpu_grid(launch, p->count, items);
}

static bool lower_index(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_index_params p;
    char defines[DEFINES];
    const lt_operand *out = &step->args[step->n_in];
    int n_index = (int)step->n_in - 1;
    if (step->args[0].kind == LT_BUFFER_PACKED) return lt_gpu_packed_rows(lo, step);
    if (!describe_index(lo, step, &step->args[0], out, &step->args[1], n_index, &p)) return false;
    p.count = (int)lathe_tensor_count(&out->tensor);
    if (p.count == 0) return true;
    /* Views lie one behind the other: base, other, and the index tensors. */
    int rank = lt_gpu_join(p.dim, out->tensor.rank, &p.base, 2 + LT_INDICES);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_X %s\n#define LT_I %s\n#define LT_N %d\n",
             lt_gpu_group(lo->gpu), rank, lt_gpu_dtype(lt_gpu_bits(out->tensor.dtype)),
             lt_gpu_dtype(step->args[1].tensor.dtype), n_index);
    return emit_index(lo, &p, "move_index", defines, &step->args[0], out, &step->args[1], n_index,
                      LT_INDICES);
}

/* Takes the dims of the places out of those of the work items. */
static void split_places(lt_index_params *p, int rank, int position, int n, int *item_rank)
{
    bool marked[LT_DIMS] = {false};
    lt_view taken, rest;
    for (int d = 0; d < n; d++) marked[position + d] = true;
    p->count = p->places = 1;
    int n_items = 0, n_places = 0, dim[LT_DIMS];
    for (int d = 0; d < rank; d++) {
        if (marked[d]) p->places *= p->places_dim[n_places++] = p->dim[d];
        else p->count *= dim[n_items++] = p->dim[d];
    }
    for (int d = 0; d < n_items; d++) p->dim[d] = dim[d];
    lt_gpu_split(&p->base, rank, marked, &rest, &taken);
    p->base = rest;
    lt_gpu_split(&p->other, rank, marked, &rest, &p->other_places);
    p->other = rest;
    for (int k = 0; k < LT_INDICES; k++) {
        int offset = p->index[k].offset;
        lt_gpu_split(&p->index[k], rank, marked, &rest, &taken);
        p->index[k] = taken;
        p->index[k].offset = offset;
    }
    *item_rank = lt_gpu_join(p->dim, n_items, &p->base, 2);
}

/* The dtype, and how elements are reduced. */
static void define_write(const lt_gpu *gpu, char defines[DEFINES], lt_dtype dtype, lt_reduce_kind kind,
                         bool wide, const char *more)
{
    static const char *const macros[] = {"", "LT_SUM", "LT_PROD", "LT_MAX", "LT_MIN"};
    if (kind == LT_REDUCE_SET) {
        snprintf(defines, DEFINES, "#define LT_X %s\n%s", lt_gpu_dtype(lt_gpu_bits(dtype)), more);
        return;
    }
    const char *class = lt_gpu_class(dtype);
    if (wide && class[0] == 'f' && lt_gpu_has(gpu, LATHE_F64)) class = "f64";
    snprintf(defines, DEFINES,
             "#define LT_X %s\n#define LT_AS %s\n#define LT_AS_%s 1\n#define LT_REDUCE(a, b) %s(a, b)\n%s",
             lt_gpu_dtype(dtype), class, class, macros[kind], more);
}

static bool lower_index_put(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_index_params p;
    char defines[DEFINES], more[DEFINES / 2];
    const lt_operand *out = &step->args[step->n_in], *from = &step->args[1];
    int n_index = (int)step->n_in - 2, rank = from->tensor.rank, item_rank;
    if (!start_update(lo, &step->args[0], out) ||
        !describe_index(lo, step, out, from, &step->args[2], n_index, &p))
        return false;
    if (lathe_tensor_count(&from->tensor) == 0) return true;
    split_places(&p, rank, step->attrs.index.position, rank - (out->tensor.rank - n_index), &item_rank);
    if (!may_walk(lo, p.count, p.places)) return false;
    int inner = rank - (out->tensor.rank - n_index);
    snprintf(more, sizeof more,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_INNER %d\n#define LT_I %s\n"
             "#define LT_N %d\n",
             lt_gpu_group(lo->gpu), item_rank, inner > 0 ? inner : 1,
             lt_gpu_dtype(step->args[2].tensor.dtype), n_index);
    if (inner == 0) p.places_dim[0] = 1;
    define_write(lo->gpu, defines, out->tensor.dtype,
                 step->attrs.index.accumulate ? LT_REDUCE_SUM : LT_REDUCE_SET, false, more);
    return emit_index(lo, &p, "move_index_put", defines, from, out, &step->args[2], n_index, LT_INDICES);
}

/* ---- gather, scatter ---- */

/* A gather is an index in one dim whose places are those of the index tensor. */
static bool lower_gather(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_index_params p = {.flag = lt_gpu_flag_value(lo)};
    char defines[DEFINES];
    const lt_operand *in = &step->args[0], *index = &step->args[1], *out = &step->args[2];
    int dim = step->attrs.dim.dim;
    if (!lt_gpu_own_view(lo, in, &p.base) || !lt_gpu_own_view(lo, index, &p.index[0]) ||
        !lt_gpu_own_view(lo, out, &p.other))
        return false;
    p.count = (int)lathe_tensor_count(&out->tensor);
    if (p.count == 0) return true;
    p.size[0] = (int)in->tensor.dim[dim];
    p.stride[0] = p.base.stride[dim];
    p.base.stride[dim] = 0;
    lt_gpu_dims(&out->tensor, p.dim);
    int rank = lt_gpu_join(p.dim, out->tensor.rank, &p.base, 3);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_X %s\n#define LT_I %s\n#define LT_N 1\n",
             lt_gpu_group(lo->gpu), rank, lt_gpu_dtype(lt_gpu_bits(out->tensor.dtype)),
             lt_gpu_dtype(index->tensor.dtype));
    return emit_index(lo, &p, "move_index", defines, in, out, index, 1, LT_INDICES);
}

static bool lower_scatter(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_index_params p = {.flag = lt_gpu_flag_value(lo), .count = 1};
    char defines[DEFINES], more[DEFINES / 2];
    bool marked[LT_DIMS] = {false};
    const lt_operand *index = &step->args[1], *from = &step->args[2], *out = &step->args[3];
    int dim = step->attrs.scatter.dim, rank = out->tensor.rank, n = 0;
    lt_view views[3], taken[3];
    if (!start_update(lo, &step->args[0], out)) return false;
    const lt_operand *operands[3] = {out, index, from};
    for (int k = 0; k < 3; k++)
        if (!lt_gpu_own_view(lo, operands[k], &views[k])) return false;
    if (lathe_tensor_count(&index->tensor) == 0) return true;
    marked[dim] = true;
    for (int d = 0; d < rank; d++)
        if (d != dim) p.count *= p.dim[n++] = (int)index->tensor.dim[d];
    p.places = (int)index->tensor.dim[dim];
    lt_gpu_split(&views[0], rank, marked, &p.base, &taken[0]);
    lt_gpu_split(&views[1], rank, marked, &p.index[0], &taken[1]);
    lt_gpu_split(&views[2], rank, marked, &p.other, &taken[2]);
    for (int k = 0; k < 3; k++) p.stride[k] = taken[k].stride[0];
    p.size[0] = (int)out->tensor.dim[dim];
    if (!may_walk(lo, p.count, p.places)) return false;
    int item_rank = lt_gpu_join(p.dim, n, &p.base, 3);
    snprintf(more, sizeof more, "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_I %s\n",
             lt_gpu_group(lo->gpu), item_rank, lt_gpu_dtype(index->tensor.dtype));
    define_write(lo->gpu, defines, out->tensor.dtype, step->attrs.scatter.reduce, true, more);
    return emit_index(lo, &p, "move_scatter", defines, from, out, index, 1, 1);
}

static bool lower_masked_scatter(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_index_params p = {.flag = lt_gpu_flag_value(lo)};
    char defines[DEFINES];
    const lt_operand *mask = &step->args[1], *from = &step->args[2], *out = &step->args[3];
    lt_view source;
    if (!start_update(lo, &step->args[0], out) || !lt_gpu_own_view(lo, out, &p.base) ||
        !lt_gpu_own_view(lo, mask, &p.other) || !lt_gpu_own_view(lo, from, &source))
        return false;
    p.count = (int)lathe_tensor_count(&out->tensor);
    if (p.count == 0) return true;
    if (!may_walk(lo, 1, p.count)) return false;
    p.index[0].offset = source.offset;
    p.stride[0] = source.stride[0];
    p.size[0] = (int)from->tensor.dim[0];
    lt_gpu_dims(&out->tensor, p.dim);
    int rank = lt_gpu_join(p.dim, out->tensor.rank, &p.base, 2);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS 1\n#define LT_RANK %d\n#define LT_X %s\n#define LT_I bool\n", rank,
             lt_gpu_dtype(lt_gpu_bits(out->tensor.dtype)));
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "move.k", NULL, "move_masked", defines);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &p, sizeof p);
    lt_gpu_arg(launch, from);
    lt_gpu_arg(launch, out);
    lt_gpu_flag_arg(launch);
    lt_gpu_arg(launch, mask);
    return true;
}

/* ---- Copies into a part of the result ---- */

static bool lower_cat(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_operand part = step->args[step->n_in];
    int dim = step->attrs.dim.dim;
    int64_t bytes = part.tensor.stride[dim] * (int64_t)lathe_dtype_size(part.tensor.dtype);
    for (uint32_t k = 0; k < step->n_in; k++) {
        part.tensor.dim[dim] = step->args[k].tensor.dim[dim];
        if (!lt_gpu_copy(lo, &step->args[k], &part)) return false;
        part.offset += part.tensor.dim[dim] * bytes;
    }
    return true;
}

/* Whether elements of a window surely lie apart: its dims, in some order, are nested. */
static bool is_apart(const lt_attrs_strided *s)
{
    bool used[LT_MAX_RANK] = {false};
    int64_t reach = 1;
    for (int n = 0; n < s->rank; n++) {
        int least = 0; /* of those that are left */
        while (used[least]) least++;
        for (int d = least + 1; d < s->rank; d++)
            if (!used[d] && s->stride[d] < s->stride[least]) least = d;
        used[least] = true;
        if (s->dim[least] == 1) continue;
        if (s->stride[least] < reach) return false;
        reach = s->stride[least] * s->dim[least];
    }
    return true;
}

static bool lower_strided_scatter(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_strided *s = &step->attrs.strided;
    lt_operand window = step->args[2];
    if (!is_apart(s)) return lt_gpu_decline(lo, "a window whose elements overlap");
    if (!start_update(lo, &step->args[0], &window)) return false;
    window.tensor.rank = s->rank;
    window.offset += s->offset * (int64_t)lathe_dtype_size(window.tensor.dtype);
    for (int d = 0; d < s->rank; d++) {
        window.tensor.dim[d] = s->dim[d];
        window.tensor.stride[d] = s->stride[d];
    }
    return lt_gpu_copy(lo, &step->args[1], &window);
}

/* ---- Progressions ---- */

static void split_words(int64_t x, int out[2])
{
    uint64_t bits = (uint64_t)x;
    uint32_t words[2] = {(uint32_t)bits, (uint32_t)(bits >> 32)};
    for (int i = 0; i < 2; i++) out[i] = (int)words[i];
}

static bool lower_iota(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_iota *a = &step->attrs.iota;
    lt_iota_params p = {.count = (int)a->count};
    char defines[DEFINES];
    lt_view view;
    if (a->count == 0) return true;
    if (!lt_gpu_own_view(lo, &step->args[0], &view)) return false;
    p.offset = view.offset;
    p.stride = view.stride[0];
    lt_gpu_number(a->start, p.start);
    lt_gpu_number(a->step, p.step);
    split_words(a->int_start, p.int_start);
    split_words(a->int_step, p.int_step);
    const char *class = !lt_dtype_is_float(a->dtype) ? "i64" : lt_gpu_has(lo->gpu, LATHE_F64) ? "f64" : "f32";
    snprintf(
        defines, sizeof defines,
        "#define LT_ITEMS %u\n#define LT_X %s\n#define LT_I bool\n#define LT_AS %s\n#define LT_AS_%s 1\n",
        lt_gpu_group(lo->gpu), lt_gpu_dtype(a->dtype), class, class);
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "move.k", NULL, "move_iota", defines);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &p, sizeof p);
    lt_gpu_arg(launch, &step->args[0]);
    return lt_gpu_grid(launch, p.count, lt_gpu_group(lo->gpu));
}

const lt_gpu_row lt_gpu_move_rows[] = {
    {LT_OP_INDEX, lower_index},
    {LT_OP_INDEX_PUT, lower_index_put},
    {LT_OP_GATHER, lower_gather},
    {LT_OP_SCATTER, lower_scatter},
    {LT_OP_MASKED_SCATTER, lower_masked_scatter},
    {LT_OP_CAT, lower_cat},
    {LT_OP_AS_STRIDED_SCATTER, lower_strided_scatter},
    {LT_OP_IOTA, lower_iota},
    {0, NULL},
};
