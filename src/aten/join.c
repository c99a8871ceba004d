/* Operators that move elements about: joins, padding, repeats, flips, windows. Their results are new tensors.
 */
#include <string.h>

#include "aten/aten.h"

static lt_id self(lt_call *c) { return lt_call_tensor(c, c->schema->params[0].name); }

/* ---- Joins ---- */

static void cat(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_call_return(c, lt_build_cat(c->b, x, n, lt_call_int(c, "dim")));
}

/* Room for the changed tensors of a list argument. */
static lt_id *list_of(lt_call *c, int n)
{
    lt_id *list = lt_arena_alloc(c->b->graph->arena, (size_t)n + 1, sizeof *list);
    if (!list) lt_build_fail(c->b, LATHE_NO_MEMORY, "out of memory");
    return list;
}

static void stack(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_id *rows = list_of(c, n);
    if (n == 0) lt_build_fail(c->b, LATHE_TYPE, "stack of no tensors");
    for (int i = 0; i < n && rows; i++) rows[i] = lt_build_unsqueeze(c->b, x[i], lt_call_int(c, "dim"));
    if (c->b->status != LATHE_OK) return;
    lt_call_return(c, lt_build_cat(c->b, rows, n, lt_call_dim(c, "dim", lt_build_rank(c->b, rows[0]))));
}

/* hstack, vstack and dstack join along dim 1, 0 and 2 of tensors of at least rank 1, 2 and 3. */
static void named_stack(lt_call *c)
{
    int n, dim = c->schema->name[0] == 'h' ? 1 : c->schema->name[0] == 'd' ? 2 : 0;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_id *parts = list_of(c, n);
    for (int i = 0; i < n && parts; i++)
        parts[i] = lt_build_at_least(c->b, x[i], dim == 0 ? 2 : dim == 1 ? 1 : 3);
    if (c->b->status != LATHE_OK || n == 0) {
        lt_build_fail(c->b, LATHE_TYPE, "a stack of no tensors");
        return;
    }
    if (dim == 1 && lt_build_rank(c->b, parts[0]) == 1) dim = 0;
    lt_call_return(c, lt_build_cat(c->b, parts, n, dim));
}

static void column_stack(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_id *parts = list_of(c, n);
    for (int i = 0; i < n && parts; i++)
        parts[i] = lt_build_rank(c->b, x[i]) < 2 ? lt_build_reshape(c->b, x[i], 2, (int64_t[]){-1, 1}) : x[i];
    if (c->b->status == LATHE_OK) lt_call_return(c, lt_build_cat(c->b, parts, n, 1));
}

static void block_diag(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_type wide = {.dtype = lt_build_promote(c->b, x, n), .rank = 2};
    for (int i = 0; i < n; i++) {
        const lt_type *type = lt_build_type(c->b, lt_build_at_least(c->b, x[i], 2));
        if (type->rank != 2) lt_build_fail(c->b, LATHE_TYPE, "a block of rank %d", type->rank);
        wide.dim[0] += type->dim[0];
        wide.dim[1] += type->dim[1];
    }
    if (c->b->status == LATHE_OK) c->b->status = lt_type_check(&wide, "block diagonal", c->b->err);
    lt_id out = lt_build_zeros(c->b, &wide);
    int64_t row = 0, column = 0;
    for (int i = 0; i < n; i++) {
        lt_id block = lt_build_at_least(c->b, x[i], 2);
        int64_t rows = lt_build_size(c->b, block, 0), columns = lt_build_size(c->b, block, 1);
        lt_id window = lt_build_slice(c->b, lt_build_slice(c->b, out, 0, row, row + rows, 1), 1, column,
                                      column + columns, 1);
        out = lt_build_write_view(c->b, out, window, block);
        row += rows;
        column += columns;
    }
    lt_call_return(c, out);
}

/* ---- Padding ---- */

/* A pad list names the last dim first, with two entries for each. */
static int get_padding(lt_call *c, const char *name, int rank, int64_t *before, int64_t *after)
{
    int64_t pad[2 * LT_MAX_RANK];
    int n = lt_call_ints(c, name, pad, 2 * LT_MAX_RANK);
    if (n % 2 != 0 || n / 2 > rank) {
        lt_build_fail(c->b, LATHE_TYPE, "%d entries of padding for a tensor of rank %d", n, rank);
        n = 0;
    }
    for (int i = 0; i < rank; i++) before[i] = after[i] = 0;
    for (int i = 0; i < n / 2; i++) {
        before[rank - 1 - i] = pad[2 * i];
        after[rank - 1 - i] = pad[2 * i + 1];
    }
    return n / 2;
}

static void constant_pad(lt_call *c, const char *name, lt_id value)
{
    lt_id x = self(c);
    int64_t before[LT_MAX_RANK], after[LT_MAX_RANK];
    get_padding(c, name, lt_build_rank(c->b, x), before, after);
    lt_call_return(c, lt_build_pad(c->b, x, before, after, value));
}

typedef enum lt_border { BORDER_REFLECT, BORDER_REPLICATE, BORDER_CIRCULAR } lt_border;

/* n elements beyond the start (or the end) of a dim. */
static lt_id border(lt_builder *b, lt_id x, int d, int64_t n, bool end, lt_border kind)
{
    lt_type type = *lt_build_type(b, x);
    int64_t size = type.dim[d];
    if (kind == BORDER_REPLICATE) {
        if (size == 0) return lt_build_fail(b, LATHE_TYPE, "nothing to replicate in dimension %d", d);
        type.dim[d] = n;
        return lt_build_expand(b, lt_build_slice(b, x, d, end ? size - 1 : 0, end ? size : 1, 1), type.rank,
                               type.dim);
    }
    if (n > (kind == BORDER_REFLECT ? size - 1 : size))
        return lt_build_fail(b, LATHE_TYPE, "padding of %lld is too much for dimension %d of size %lld",
                             (long long)n, d, (long long)size);
    if (kind == BORDER_CIRCULAR)
        return end ? lt_build_slice(b, x, d, 0, n, 1) : lt_build_slice(b, x, d, size - n, size, 1);
    return lt_build_flip(
        b, end ? lt_build_slice(b, x, d, size - 1 - n, size - 1, 1) : lt_build_slice(b, x, d, 1, n + 1, 1),
        d);
}

static lt_id pad_dim(lt_builder *b, lt_id x, int d, int64_t before, int64_t after, lt_border kind)
{
    int64_t size = lt_build_size(b, x, d);
    if (before < -size || after < -size || (before < 0 && after < 0 && before + after < -size))
        return lt_build_fail(b, LATHE_TYPE, "padding of %lld and %lld crops dimension %d of size %lld",
                             (long long)before, (long long)after, d, (long long)size);
    lt_id middle = lt_build_slice(b, x, d, before < 0 ? -before : 0, after < 0 ? size + after : size, 1);
    lt_id source = kind == BORDER_CIRCULAR ? middle : x, parts[3];
    int n = 0;
    if (before > 0) parts[n++] = border(b, source, d, before, false, kind);
    parts[n++] = middle;
    if (after > 0) parts[n++] = border(b, source, d, after, true, kind);
    return b->status == LATHE_OK ? lt_build_cat(b, parts, n, d) : LT_NONE;
}

static void border_pad(lt_call *c, const char *name, lt_border kind)
{
    lt_id x = self(c);
    int64_t before[LT_MAX_RANK], after[LT_MAX_RANK];
    int rank = lt_build_rank(c->b, x), n = get_padding(c, name, rank, before, after);
    for (int d = rank - n; d < rank; d++)
        if (before[d] != 0 || after[d] != 0) x = pad_dim(c->b, x, d, before[d], after[d], kind);
    lt_call_return(c, x);
}

static void constant_pad_nd(lt_call *c) { constant_pad(c, "pad", lt_call_scalar(c, "value")); }
static void reflection_pad(lt_call *c) { border_pad(c, "padding", BORDER_REFLECT); }
static void replication_pad(lt_call *c) { border_pad(c, "padding", BORDER_REPLICATE); }
static void circular_pad(lt_call *c) { border_pad(c, "pad", BORDER_CIRCULAR); }

static void pad(lt_call *c)
{
    const char *mode = lt_call_string(c, "mode");
    if (strcmp(mode, "constant") == 0)
        constant_pad(c, "pad",
                     lt_call_has(c, "value") ? lt_call_scalar(c, "value") : lt_build_integer(c->b, 0));
    else if (strcmp(mode, "reflect") == 0) border_pad(c, "pad", BORDER_REFLECT);
    else if (strcmp(mode, "replicate") == 0) border_pad(c, "pad", BORDER_REPLICATE);
    else if (strcmp(mode, "circular") == 0) border_pad(c, "pad", BORDER_CIRCULAR);
    else
        lt_build_fail(c->b, LATHE_FORMAT,
                      "padding mode '%s', expected constant, reflect, replicate or circular", mode);
}

/* ---- Repeats ---- */

/* Repeats up to three dims in one copy: [a,d,b] becomes [a,r,d,b] by expansion. */
static lt_id repeat_some(lt_builder *b, lt_id x, const int64_t *repeats, bool *done)
{
    lt_type type = *lt_build_type(b, x), out = type;
    int64_t split[LT_MAX_RANK] = {1}, wide[LT_MAX_RANK] = {1}; /* what was not split is one dim */
    int n = 0, count = 0;
    for (int i = 0; i < type.rank; i++) {
        if (!done[i] && repeats[i] != 1 && count < 3) {
            count++;
            done[i] = true;
            n++;
            split[n] = 1;
            wide[n++] = repeats[i];
            split[n] = wide[n] = 1;
            if (!lt_mul_i64(type.dim[i], repeats[i], &out.dim[i])) out.dim[i] = INT64_MAX; /* refused below */
        }
        split[n] *= type.dim[i];
        wide[n] *= type.dim[i];
    }
    if (count == 0) return x;
    x = lt_build_expand(b, lt_build_reshape(b, x, n + 1, split), n + 1, wide);
    return lt_build_reshape(b, x, out.rank, out.dim);
}

static lt_id repeat_dims(lt_builder *b, lt_id x, int n, const int64_t *repeats)
{
    lt_type type = *lt_build_type(b, x), out = {.rank = n};
    bool done[LT_MAX_RANK] = {false}, empty = false;
    if (n < type.rank) return lt_build_fail(b, LATHE_TYPE, "%d repeats for rank %d", n, type.rank);
    for (int i = 0; i < n; i++) {
        int own = i - (n - type.rank);
        out.dim[i] = own < 0 ? 1 : type.dim[own];
        if (repeats[i] < 0) return lt_build_fail(b, LATHE_TYPE, "%lld repeats", (long long)repeats[i]);
        empty = empty || repeats[i] == 0 || out.dim[i] == 0;
    }
    x = lt_build_reshape(b, x, n, out.dim);
    for (int i = 0; i < n && empty; i++)
        if (!lt_mul_i64(out.dim[i], repeats[i], &out.dim[i]))
            return lt_build_fail(b, LATHE_TYPE, "sizes overflow");
    out.dtype = type.dtype;
    if (empty) return lt_build_zeros(b, &out);
    for (int i = 0; i < n; i += 3) x = repeat_some(b, x, repeats, done);
    return x;
}

static void repeat(lt_call *c)
{
    int64_t repeats[LT_MAX_RANK];
    int n = lt_call_ints(c, "repeats", repeats, LT_MAX_RANK);
    lt_call_return(c, repeat_dims(c->b, self(c), n, repeats));
}

/* As repeat, but a short list is for the last dims. */
static void tile(lt_call *c)
{
    lt_id x = self(c);
    int64_t dims[LT_MAX_RANK], repeats[LT_MAX_RANK];
    int rank = lt_build_rank(c->b, x), n = lt_call_ints(c, "dims", dims, LT_MAX_RANK),
        lead = rank > n ? rank - n : 0;
    for (int i = 0; i < lead; i++) repeats[i] = 1;
    for (int i = 0; i < n; i++) repeats[lead + i] = dims[i];
    lt_call_return(c, repeat_dims(c->b, x, lead + n, repeats));
}

static void repeat_interleave_int(lt_call *c)
{
    lt_id x = self(c);
    if (!lt_call_has(c, "dim")) x = lt_build_reshape(c->b, x, 1, (int64_t[]){-1});
    lt_type type = *lt_build_type(c->b, x), wide = type;
    int d = lt_call_has(c, "dim") ? lt_call_dim(c, "dim", type.rank) : 0;
    int64_t n = lt_call_int(c, "repeats");
    if (n < 0 || type.rank == LT_MAX_RANK || !lt_mul_i64(type.dim[d], n, &type.dim[d]))
        lt_build_fail(c->b, LATHE_TYPE, "%lld repeats of a tensor of rank %d", (long long)n, type.rank);
    x = lt_build_unsqueeze(c->b, x, d + 1);
    for (int i = wide.rank++; i > d + 1; i--) wide.dim[i] = wide.dim[i - 1];
    wide.dim[d + 1] = n;
    lt_call_return(
        c, lt_build_reshape(c->b, lt_build_expand(c->b, x, wide.rank, wide.dim), type.rank, type.dim));
}

/* ---- Reversal and rotation ---- */

static void flip(lt_call *c)
{
    lt_id x = self(c);
    int rank = lt_build_rank(c->b, x);
    bool marks[LT_MAX_RANK];
    lt_call_dims(c, "dims", rank, false, marks);
    for (int d = 0; d < rank; d++)
        if (marks[d]) x = lt_build_flip(c->b, x, d);
    lt_call_return(c, x);
}

static void fliplr(lt_call *c) { lt_call_return(c, lt_build_flip(c->b, self(c), 1)); }
static void flipud(lt_call *c) { lt_call_return(c, lt_build_flip(c->b, self(c), 0)); }

static void rot90(lt_call *c)
{
    lt_id x = self(c);
    int64_t dims[2] = {0, 0}, k = lt_call_int(c, "k") & 3; /* quarter turns */
    if (lt_call_ints(c, "dims", dims, 2) != 2) lt_build_fail(c->b, LATHE_TYPE, "a plane has two dims");
    if (k == 1 || k == 2) x = lt_build_flip(c->b, x, dims[1]);
    if (k == 2 || k == 3) x = lt_build_flip(c->b, x, dims[0]);
    lt_call_return(c, k & 1 ? lt_build_transpose(c->b, x, dims[0], dims[1]) : x);
}

static lt_id roll_dim(lt_builder *b, lt_id x, int64_t dim, int64_t shift)
{
    int d = lt_build_dim(b, dim, lt_build_rank(b, x));
    int64_t size = lt_build_size(b, x, d);
    if (size < 2 || shift % size == 0) return x;
    int64_t cut = size - (shift % size + size) % size;
    return lt_build_cat(
        b, (lt_id[]){lt_build_slice(b, x, d, cut, size, 1), lt_build_slice(b, x, d, 0, cut, 1)}, 2, d);
}

static void roll(lt_call *c)
{
    lt_id x = self(c);
    int64_t shifts[LT_MAX_RANK], dims[LT_MAX_RANK];
    int n = lt_call_ints(c, "shifts", shifts, LT_MAX_RANK), m = lt_call_ints(c, "dims", dims, LT_MAX_RANK);
    lt_type type = *lt_build_type(c->b, x);
    if (m == 0 && n == 1) { /* the elements in one row */
        x = roll_dim(c->b, lt_build_reshape(c->b, x, 1, (int64_t[]){-1}), 0, shifts[0]);
        lt_call_return(c, lt_build_reshape(c->b, x, type.rank, type.dim));
        return;
    }
    if (m != n) lt_build_fail(c->b, LATHE_TYPE, "%d shifts for %d dims", n, m);
    for (int i = 0; i < n && c->b->status == LATHE_OK; i++) x = roll_dim(c->b, x, dims[i], shifts[i]);
    lt_call_return(c, x);
}

/* ---- Matrices ---- */

static void triangle(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    if (type.rank < 2) lt_build_fail(c->b, LATHE_TYPE, "a triangle of a tensor of rank %d", type.rank);
    if (c->b->status != LATHE_OK) return;
    int64_t diagonal = lt_call_int(c, "diagonal"), rows = type.dim[type.rank - 2];
    lt_id row = lt_build_reshape(c->b, lt_build_arange(c->b, rows, 0, 1), 2, (int64_t[]){-1, 1});
    lt_id column = lt_build_arange(c->b, type.dim[type.rank - 1], 0, 1);
    lt_op keeps = c->schema->name[3] == 'l' ? LT_OP_LE : LT_OP_GE; /* tril, triu */
    lt_id keep =
        lt_build_binary(c->b, keeps, lt_build_sub(c->b, column, row), lt_build_integer(c->b, diagonal));
    lt_id zero = lt_build_zeros(c->b, &(lt_type){.dtype = type.dtype});
    lt_call_return(c, lt_build_where(c->b, keep, x, zero));
}

static void trace(lt_call *c)
{
    lt_id x = lt_build_diagonal(c->b, self(c), 0, 0, 1);
    lt_dtype dtype = lt_build_dtype(c->b, x);
    bool all[LT_MAX_RANK] = {true};
    if (!lt_dtype_is_float(dtype)) dtype = LATHE_I64;
    lt_call_return(c, lt_build_reduce(c->b, LT_OP_REDUCE_SUM, x, all, false, dtype));
}

/* The last dim becomes the diagonal of two new dims. */
static lt_id diag_embed(lt_builder *b, lt_id x, int64_t offset, int64_t dim1, int64_t dim2)
{
    lt_type type = *lt_build_type(b, x), wide = {.dtype = type.dtype, .rank = type.rank + 1};
    int d1 = lt_build_dim(b, dim1, wide.rank), d2 = lt_build_dim(b, dim2, wide.rank);
    if (type.rank < 1 || wide.rank > LT_MAX_RANK || d1 == d2)
        return lt_build_fail(b, LATHE_TYPE, "a diagonal from a tensor of rank %d", type.rank);
    int64_t size;
    if (!lt_add_i64(type.dim[type.rank - 1], offset < 0 ? -lt_max_i64(offset, -INT64_MAX) : offset, &size))
        return lt_build_fail(b, LATHE_TYPE, "diagonal %lld", (long long)offset);
    for (int i = 0, next = 0; i < wide.rank; i++) wide.dim[i] = i == d1 || i == d2 ? size : type.dim[next++];
    if (b->status == LATHE_OK) b->status = lt_type_check(&wide, "result", b->err);
    lt_id zeros = lt_build_zeros(b, &wide);
    return lt_build_write_view(b, zeros, lt_build_diagonal(b, zeros, offset, d1, d2), x);
}

static void diag_embed_row(lt_call *c)
{
    lt_call_return(c, diag_embed(c->b, self(c), lt_call_int(c, "offset"), lt_call_int(c, "dim1"),
                                 lt_call_int(c, "dim2")));
}

static void diag(lt_call *c)
{
    lt_id x = self(c);
    int64_t offset = lt_call_int(c, "diagonal");
    lt_call_return(c, lt_build_rank(c->b, x) == 1 ? diag_embed(c->b, x, offset, 0, 1)
                                                  : lt_build_diagonal(c->b, x, offset, 0, 1));
}

static void diagflat(lt_call *c)
{
    lt_id x = lt_build_reshape(c->b, self(c), 1, (int64_t[]){-1});
    lt_call_return(c, diag_embed(c->b, x, lt_call_int(c, "offset"), 0, 1));
}

/* ---- Pixels and channels ---- */

/* [..., C*r*r, H, W] to [..., C, H*r, W*r], or the way back. */
static void pixel_shuffle(lt_call *c)
{
    bool back = c->schema->name[6] == 'u'; /* pixel_unshuffle */
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int64_t r = lt_call_int(c, back ? "downscale_factor" : "upscale_factor"), area;
    if (type.rank < 3 || r < 1 || !lt_mul_i64(r, r, &area)) {
        lt_build_fail(c->b, LATHE_TYPE, "factor %lld of a tensor of rank %d", (long long)r, type.rank);
        return;
    }
    int64_t *channels = &type.dim[type.rank - 3], *height = channels + 1, *width = channels + 2;
    bool fits = back ? *height % r == 0 && *width % r == 0 : *channels % area == 0;
    if (!fits) lt_build_fail(c->b, LATHE_TYPE, "sizes do not divide by factor %lld", (long long)r);
    int64_t n = 1, small[6], large[6];
    for (int i = 0; i < type.rank - 3; i++) n *= type.dim[i]; /* lt_type_check bounds the product */
    int64_t ch = back ? *channels : *channels / area, h = back ? *height / r : *height,
            w = back ? *width / r : *width;
    memcpy(small, (int64_t[]){n, ch, r, r, h, w}, sizeof small);
    memcpy(large, (int64_t[]){n, ch, h, r, w, r}, sizeof large);
    x = lt_build_permute(c->b, lt_build_reshape(c->b, x, 6, back ? large : small),
                         back ? (int[]){0, 1, 3, 5, 2, 4} : (int[]){0, 1, 4, 2, 5, 3});
    *channels = back ? ch * area : ch;
    *height = back ? h : h * r;
    *width = back ? w : w * r;
    lt_call_return(c, lt_build_reshape(c->b, x, type.rank, type.dim));
}

static void channel_shuffle(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int64_t groups = lt_call_int(c, "groups");
    if (type.rank < 3 || groups < 1 || type.dim[1] % groups != 0) {
        lt_build_fail(c->b, LATHE_TYPE, "%lld groups of a tensor of rank %d", (long long)groups, type.rank);
        return;
    }
    int64_t split[4] = {type.dim[0], groups, type.dim[1] / groups, 1};
    for (int i = 2; i < type.rank; i++) split[3] *= type.dim[i];
    x = lt_build_transpose(c->b, lt_build_reshape(c->b, x, 4, split), 1, 2);
    lt_call_return(c, lt_build_reshape(c->b, x, type.rank, type.dim));
}

/* ---- Windows of images ---- */

/* The windows of a plane: where they start and where their elements are. */
typedef struct lt_windows {
    int64_t kernel[2], dilation[2], padding[2], stride[2];
    int64_t padded[2], count[2]; /* the padded plane; windows along each of its dims */
    int64_t area, n;             /* elements of a window; windows */
} lt_windows;

static bool get_windows(lt_call *c, const int64_t *plane, lt_windows *w)
{
    *w = (lt_windows){0};
    lt_call_ints(c, "kernel_size", w->kernel, 2);
    lt_call_ints(c, "dilation", w->dilation, 2);
    lt_call_ints(c, "padding", w->padding, 2);
    lt_call_ints(c, "stride", w->stride, 2);
    for (int i = 0; i < 2; i++) {
        int64_t reach;
        bool fits = w->kernel[i] > 0 && w->dilation[i] > 0 && w->stride[i] > 0 && w->padding[i] >= 0 &&
                    w->padding[i] < INT32_MAX && plane[i] >= 0 && plane[i] < INT32_MAX &&
                    lt_mul_i64(w->kernel[i] - 1, w->dilation[i], &reach);
        w->padded[i] = fits ? plane[i] + 2 * w->padding[i] : 0;
        if (!fits || reach >= w->padded[i]) {
            lt_build_fail(c->b, LATHE_TYPE, "windows of %lld do not fit into %lld elements",
                          (long long)w->kernel[i], (long long)plane[i]);
            return false;
        }
        if (w->kernel[i] == 1) w->dilation[i] = 1;
        w->stride[i] = lt_min_i64(w->stride[i], w->padded[i]); /* then there is one window */
        w->count[i] = (w->padded[i] - reach - 1) / w->stride[i] + 1;
    }
    int64_t all;
    bool fits = lt_mul_i64(w->kernel[0], w->kernel[1], &w->area) &&
                lt_mul_i64(w->count[0], w->count[1], &w->n) && lt_mul_i64(w->area, w->n, &all) &&
                lt_mul_i64(w->padded[0], w->padded[1], &all);
    if (!fits) lt_build_fail(c->b, LATHE_LIMIT, "the windows' sizes overflow");
    return c->b->status == LATHE_OK;
}

/* A view [..., kh, kw, rows, columns] of the windows of contiguous planes [..., padded height, padded width].
 */
static lt_id view_windows(lt_builder *b, lt_id planes, const lt_windows *w)
{
    lt_type type = *lt_build_type(b, planes);
    int lead = type.rank - 2;
    int64_t dim[LT_MAX_RANK + 2], stride[LT_MAX_RANK + 2], width = w->padded[1];
    lt_contiguous_strides(type.rank, type.dim, stride);
    memcpy(dim, type.dim, (size_t)lead * sizeof *dim);
    memcpy(dim + lead, (int64_t[]){w->kernel[0], w->kernel[1], w->count[0], w->count[1]}, 4 * sizeof *dim);
    memcpy(stride + lead,
           (int64_t[]){w->dilation[0] * width, w->dilation[1], w->stride[0] * width, w->stride[1]},
           4 * sizeof *stride);
    return lt_build_as_strided(b, planes, lead + 4, dim, stride, 0);
}

/* [N, C, H, W] to [N, C*kh*kw, windows]; without N likewise. */
static void im2col(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    lt_windows w;
    int d = type.rank - 2;
    if (type.rank != 3 && type.rank != 4) lt_build_fail(c->b, LATHE_TYPE, "an image of rank %d", type.rank);
    if (c->b->status != LATHE_OK || !get_windows(c, type.dim + d, &w)) return;
    int64_t pad[LT_MAX_RANK] = {0}, out[3] = {type.dim[0]};
    memcpy(pad + d, w.padding, sizeof w.padding);
    x = view_windows(c->b, lt_build_pad(c->b, x, pad, pad, lt_build_integer(c->b, 0)), &w);
    if (!lt_mul_i64(type.dim[d - 1], w.area, &out[d - 1])) out[d - 1] = INT64_MAX; /* refused below */
    out[d] = w.n;
    lt_call_return(c, lt_build_reshape(c->b, x, d + 1, out));
}

/* The way back: elements of windows add up where they overlap. */
static void col2im(lt_call *c)
{
    lt_id x = self(c);
    lt_type type = *lt_build_type(c->b, x);
    int64_t size[2] = {0, 0};
    lt_windows w;
    int rank = lt_call_ints(c, "output_size", size, 2) == 2 ? type.rank : 0;
    if (rank != 2 && rank != 3) lt_build_fail(c->b, LATHE_TYPE, "columns of rank %d", type.rank);
    if (c->b->status != LATHE_OK || !get_windows(c, size, &w)) return;
    int64_t elements = w.area * w.n, batch = rank == 3 ? type.dim[0] : 1, rows = type.dim[rank - 2];
    if (rows % w.area != 0 || w.n != type.dim[rank - 1])
        lt_build_fail(c->b, LATHE_TYPE, "columns do not match the windows");
    lt_type wide = {.dtype = type.dtype == LATHE_F64 ? LATHE_F64 : LATHE_F32, .rank = 3};
    memcpy(wide.dim, (int64_t[]){batch, rows / w.area, w.padded[0] * w.padded[1]}, 3 * sizeof(int64_t));
    if (c->b->status == LATHE_OK) c->b->status = lt_type_check(&wide, "image", c->b->err);
    if (c->b->status != LATHE_OK) return;
    lt_id plane = lt_build_reshape(c->b, lt_build_arange(c->b, wide.dim[2], 0, 1), 2, w.padded);
    lt_id index = lt_build_reshape(c->b, view_windows(c->b, plane, &w), 1, &elements);
    x = lt_build_reshape(c->b, lt_build_cast(c->b, x, wide.dtype), 3,
                         (int64_t[]){batch, rows / w.area, elements});
    x = lt_build_index_put_dim(c->b, lt_build_zeros(c->b, &wide), 2, index, x, false, true);
    x = lt_build_reshape(c->b, lt_build_cast(c->b, x, type.dtype), 4,
                         (int64_t[]){batch, rows / w.area, w.padded[0], w.padded[1]});
    for (int i = 0; i < 2; i++) x = lt_build_slice(c->b, x, 2 + i, w.padding[i], w.padding[i] + size[i], 1);
    lt_call_return(c, rank == 3 ? x : lt_build_squeeze(c->b, x, 0));
}

#define WINDOW_PARAMS "int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride"

const lt_aten_row lt_aten_join[] = {
    {"cat(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
    {"concat(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
    {"concatenate(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
    {"stack(Tensor[] tensors, int dim=0) -> Tensor", stack, 0},
    {"hstack(Tensor[] tensors) -> Tensor", named_stack, 0},
    {"vstack(Tensor[] tensors) -> Tensor", named_stack, 0},
    {"row_stack(Tensor[] tensors) -> Tensor", named_stack, 0},
    {"dstack(Tensor[] tensors) -> Tensor", named_stack, 0},
    {"column_stack(Tensor[] tensors) -> Tensor", column_stack, 0},
    {"block_diag(Tensor[] tensors) -> Tensor", block_diag, 0},

    {"constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor", constant_pad_nd, 0},
    {"pad(Tensor self, SymInt[] pad, str mode=\"constant\", float? value=None) -> Tensor", pad, 0},
    {"reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor", reflection_pad, 0},
    {"reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor", reflection_pad, 0},
    {"reflection_pad3d(Tensor self, SymInt[6] padding) -> Tensor", reflection_pad, 0},
    {"replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor", replication_pad, 0},
    {"replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor", replication_pad, 0},
    {"replication_pad3d(Tensor self, SymInt[6] padding) -> Tensor", replication_pad, 0},
    {"_pad_circular(Tensor self, SymInt[] pad) -> Tensor", circular_pad, 0},

    {"repeat(Tensor self, SymInt[] repeats) -> Tensor", repeat, 0},
    {"tile(Tensor self, SymInt[] dims) -> Tensor", tile, 0},
    {"repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> "
     "Tensor",
     repeat_interleave_int, 0},
    {"flip(Tensor self, int[] dims) -> Tensor", flip, 0},
    {"fliplr(Tensor self) -> Tensor", fliplr, 0},
    {"flipud(Tensor self) -> Tensor", flipud, 0},
    {"rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", rot90, 0},
    {"roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor", roll, 0},

    {"tril(Tensor self, SymInt diagonal=0) -> Tensor", triangle, 0},
    {"triu(Tensor self, SymInt diagonal=0) -> Tensor", triangle, 0},
    {"trace(Tensor self) -> Tensor", trace, 0},
    {"diag(Tensor self, int diagonal=0) -> Tensor", diag, 0},
    {"diagflat(Tensor self, int offset=0) -> Tensor", diagflat, 0},
    {"diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", diag_embed_row, 0},

    {"pixel_shuffle(Tensor self, int upscale_factor) -> Tensor", pixel_shuffle, 0},
    {"pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor", pixel_shuffle, 0},
    {"channel_shuffle(Tensor self, SymInt groups) -> Tensor", channel_shuffle, 0},
    {"native_channel_shuffle(Tensor self, SymInt groups) -> Tensor", channel_shuffle, 0},
    {"im2col(Tensor self, " WINDOW_PARAMS ") -> Tensor", im2col, 0},
    {"col2im(Tensor self, SymInt[2] output_size, " WINDOW_PARAMS ") -> Tensor", col2im, 0},
    {NULL, NULL, 0}};
