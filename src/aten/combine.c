/* Elements combined with one another, and elements found by a condition, where the number of results is known
 * beforehand. */
#include "aten/aten.h"

/* ---- Products of sets ---- */

/* The vectors as columns of [product of their sizes, n], the last one running fastest. */
static void cartesian_prod(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id columns[LT_MAX_RANK];
    int64_t dim[LT_MAX_RANK];
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    if (n == 1) return lt_call_return(c, x[0]);
    if (n < 1 || n > LT_MAX_RANK) {
        lt_build_fail(b, LATHE_LIMIT, "a product of %d vectors, expected 1 to %d", n, LT_MAX_RANK);
        return;
    }
    for (int i = 0; i < n; i++) dim[i] = lt_build_size(b, x[i], 0);
    for (int i = 0; i < n && b->status == LATHE_OK; i++) {
        int64_t own[LT_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
        own[i] = dim[i];
        lt_id grid = lt_build_expand(b, lt_build_reshape(b, x[i], n, own), n, dim);
        int64_t count = 1;
        for (int d = 0; d < n; d++) count *= dim[d];
        columns[i] = lt_build_reshape(b, grid, 2, (int64_t[]){count, 1});
    }
    lt_call_return(c, lt_build_cat(b, columns, n, 1));
}

/* The next choice of `r` of `n` indices in order; false after the last. */
static bool next_choice(int64_t *index, int64_t r, int64_t n, bool again)
{
    int64_t i = r - 1;
    while (i >= 0 && index[i] == (again ? n - 1 : n - r + i)) i--;
    if (i < 0) return false;
    index[i]++;
    for (int64_t k = i + 1; k < r; k++) index[k] = again ? index[i] : index[k - 1] + 1;
    return true;
}

/* How many choices there are; more than `most` count as one more. */
static int64_t count_choices(int64_t *index, int64_t r, int64_t n, bool again, int64_t most)
{
    if (n == 0 || (!again && r > n)) return 0;
    for (int64_t k = 0; k < r; k++) index[k] = again ? 0 : k;
    int64_t count = 1;
    while (count <= most && next_choice(index, r, n, again)) count++;
    return count;
}

/* Choices of r elements as rows: a table of their indices, looked up. */
static void combinations(lt_call *c)
{
    enum { MOST = 1 << 20 };
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    int64_t r = lt_call_int(c, "r"), n = lt_build_size(b, x, 0), index[LT_MAX_SPATIAL * LT_MAX_RANK];
    bool again = lt_call_bool(c, "with_replacement");
    if (lt_build_rank(b, x) != 1 || r < 0 || r > (int64_t)LT_COUNT(index)) {
        lt_build_fail(b, LATHE_TYPE, "combinations of %lld in a tensor of rank %d", (long long)r,
                      lt_build_rank(b, x));
        return;
    }
    lt_type type = {
        .dtype = LATHE_I64, .rank = 2, .dim = {r ? count_choices(index, r, n, again, MOST) : 0, r}};
    if (type.dim[0] > MOST) {
        lt_build_fail(b, LATHE_LIMIT, "more than %d combinations", MOST);
        return;
    }
    if (!r) return lt_call_return(c, lt_build_slice(b, x, 0, 0, 0, 1));
    int64_t *table = lt_arena_alloc(b->graph->arena, (size_t)lt_type_count(&type), sizeof *table);
    if (!table) {
        lt_build_fail(b, LATHE_NO_MEMORY, "a table of %lld combinations", (long long)type.dim[0]);
        return;
    }
    for (int64_t k = 0; k < r; k++) index[k] = again ? 0 : k;
    for (int64_t i = 0; i < type.dim[0]; i++, next_choice(index, r, n, again))
        for (int64_t k = 0; k < r; k++) table[i * r + k] = index[k];
    lt_call_return(c, lt_build_index_dim(b, x, 0, lt_build_const(b, &type, table), false));
}

/* ---- Places of what is not zero ---- */

static lt_id filled(lt_builder *b, int64_t value, int64_t size)
{
    return lt_build_full(b, lt_build_integer(b, value), LATHE_I64, 1, &size);
}

/* The first `size` of them, as rows of coordinates; where there are less, rows of `fill`. Every element that
 * is found knows its row by counting; all others write into a row behind the last. */
static void nonzero_static(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), zero = lt_build_integer(b, 0), columns[LT_MAX_RANK];
    lt_type type = *lt_build_type(b, x);
    int64_t size = lt_call_int(c, "size"), count = lt_type_count(&type), stride[LT_MAX_RANK];
    if (size < 0) lt_build_fail(b, LATHE_TYPE, "size %lld", (long long)size);
    if (type.rank == 0) {
        lt_type none = {.dtype = LATHE_I64, .rank = 2, .dim = {size, 0}};
        return lt_call_return(c, lt_build_zeros(b, &none));
    }
    lt_id found = lt_build_binary(b, LT_OP_NE, lt_build_reshape(b, x, 1, &count), zero);
    lt_id row = lt_build_scan(b, LT_OP_CUMSUM, lt_build_cast(b, found, LATHE_I64), 0, LATHE_I64, NULL);
    row = lt_build_binary(b, LT_OP_MINIMUM, lt_build_sub(b, row, lt_build_integer(b, 1)),
                          lt_build_integer(b, size));
    row = lt_build_where(b, found, row, lt_build_integer(b, size));
    lt_id place =
        lt_build_scatter(b, filled(b, -1, size + 1), 0, row, lt_build_arange(b, count, 0, 1), LT_REDUCE_SET);
    place = lt_build_unsqueeze(b, lt_build_slice(b, place, 0, 0, size, 1), 1);
    lt_id missing = lt_build_binary(b, LT_OP_LT, place, zero);
    lt_contiguous_strides(type.rank, type.dim, stride);
    for (int d = 0; d < type.rank; d++) {
        lt_id step = lt_build_integer(b, lt_max_i64(stride[d], 1));
        lt_id at = lt_build_binary(b, LT_OP_DIV_FLOOR, place, step);
        at = lt_build_binary(b, LT_OP_REMAINDER, at, lt_build_integer(b, lt_max_i64(type.dim[d], 1)));
        columns[d] = lt_build_where(b, missing, lt_build_integer(b, lt_call_int(c, "fill_value")), at);
    }
    lt_call_return(c, lt_build_cat(b, columns, type.rank, 1));
}

/* ---- Sums and norms ---- */

/* The inverse of a broadcast: what was repeated is summed. */
static void sum_to_size(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    lt_type type = *lt_build_type(b, x);
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK), lead = type.rank - rank;
    bool dims[LT_MAX_RANK] = {false}, fits = lead >= 0, any = rank == 0; /* a sum even of one */
    for (int i = 0; i < type.rank && fits; i++) {
        dims[i] = i < lead || (size[i - lead] == 1 && type.dim[i] != 1);
        fits = dims[i] || size[i - lead] == type.dim[i];
        any = any || dims[i];
    }
    if (!fits) lt_build_fail(b, LATHE_TYPE, "a tensor of rank %d summed to rank %d", type.rank, rank);
    lt_dtype dtype = lt_dtype_is_float(type.dtype) ? type.dtype : LATHE_I64;
    if (any) x = lt_build_reduce(b, LT_OP_REDUCE_SUM, x, dims, true, dtype);
    lt_call_return(c, lt_build_reshape(b, x, rank, size));
}

/* What shortens vectors of these lengths to `most`. */
static lt_id shortening(lt_builder *b, lt_id length, double most)
{
    lt_id factor =
        lt_build_div(b, lt_build_number(b, most), lt_build_add(b, length, lt_build_number(b, 1e-7)));
    lt_id longer = lt_build_binary(b, LT_OP_GT, length, lt_build_number(b, most));
    return lt_build_where(b, longer, factor, lt_build_integer(b, 1));
}

/* Of every part along `dim` that is longer than maxnorm, that much of it. */
static void renorm(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self");
    int rank = lt_build_rank(b, x), dim = lt_call_dim(c, "dim", rank);
    bool dims[LT_MAX_RANK];
    for (int i = 0; i < LT_MAX_RANK; i++) dims[i] = i < rank && i != dim;
    lt_dtype wide = lt_dtype_wide(lt_build_dtype(b, x));
    lt_id length = lt_build_norm(b, x, lt_call_float(c, "p"), dims, true, wide);
    lt_id factor = shortening(b, length, lt_call_float(c, "maxnorm"));
    lt_call_return(c, lt_build_mul(b, x, lt_build_cast(b, factor, lt_build_dtype(b, x))));
}

/* The same of the rows of a table that are looked up. */
static void embedding_renorm(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), index = lt_call_tensor(c, "indices");
    int64_t rows = lt_build_size(b, x, 0), count = lt_type_count(lt_build_type(b, index));
    index = lt_build_cast(b, lt_build_reshape(b, index, 1, &count), LATHE_I64);
    lt_id used = lt_build_scatter(b, filled(b, 0, rows), 0, index, filled(b, 1, count), LT_REDUCE_SET);
    lt_id length = lt_build_norm(b, x, lt_call_float(c, "norm_type"), (bool[LT_MAX_RANK]){false, true}, true,
                                 lt_build_dtype(b, x));
    lt_id factor = shortening(b, length, lt_call_float(c, "max_norm"));
    lt_id shorter = lt_build_mul(b, x, lt_build_cast(b, factor, lt_build_dtype(b, x)));
    lt_call_return(c, lt_build_where(b, lt_build_unsqueeze(b, used, 1), shorter, x));
}

const lt_aten_row lt_aten_combine[] = {
    {"cartesian_prod(Tensor[] tensors) -> Tensor", cartesian_prod, 0},
    {"combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor", combinations, 0},
    {"nonzero_static(Tensor self, *, SymInt size, int fill_value=-1) -> Tensor", nonzero_static, 0},
    {"sum_to_size(Tensor self, SymInt[] size) -> Tensor", sum_to_size, 0},
    {"renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor", renorm, 0},
    {"embedding_renorm(Tensor self, Tensor indices, float max_norm, float norm_type) -> Tensor",
     embedding_renorm, 0},
    {NULL, NULL, 0}};
