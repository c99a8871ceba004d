/* Sorting, order statistics, and searching in what is sorted. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"

/* Operators that work along a dim see a tensor without dims as one element. */
static lt_id line_of(lt_builder *b, lt_id x)
{
    return lt_build_rank(b, x) ? x : lt_build_reshape(b, x, 1, (int64_t[]){1});
}

static lt_id flat(lt_builder *b, lt_id x)
{
    return lt_build_reshape(b, x, 1, (int64_t[]){lt_type_count(lt_build_type(b, x))});
}

/* ---- Sorting ---- */

static lt_id sort_as_told(lt_call *c, lt_id *indices)
{
    bool stable = lt_call_takes(c, "stable") && lt_call_has(c, "stable") && lt_call_bool(c, "stable");
    return lt_build_sort(c->b, lt_call_tensor(c, "self"), lt_call_int(c, "dim"),
                         lt_call_bool(c, "descending"), stable, indices);
}

static void sort(lt_call *c)
{
    lt_id indices;
    lt_call_return(c, sort_as_told(c, &indices));
    lt_call_return(c, indices);
}

static void argsort(lt_call *c)
{
    lt_id indices;
    sort_as_told(c, &indices);
    lt_call_return(c, indices);
}

static void msort(lt_call *c)
{
    lt_call_return(c, lt_build_sort(c->b, lt_call_tensor(c, "self"), 0, false, false, NULL));
}

static void topk(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), line = line_of(b, x);
    lt_attrs attrs = {.topk = {.dim = lt_call_dim(c, "dim", lt_build_rank(b, x)),
                               .k = lt_call_int(c, "k"),
                               .largest = lt_call_bool(c, "largest"),
                               .sorted = lt_call_bool(c, "sorted")}};
    if (lt_build_dtype(b, x) == LATHE_BOOL) lt_build_fail(b, LATHE_TYPE, "topk of bool");
    lt_id values = lt_build(b, LT_OP_TOPK, &attrs, &line, 1);
    for (int i = 0; i < 2 && values != LT_NONE; i++) {
        lt_id result = values + (lt_id)i;
        bool whole = lt_build_rank(b, x) || attrs.topk.k == 0; /* topk(0) of a number has shape [0] */
        lt_call_return(c, whole ? result : lt_build_reshape(b, result, 0, NULL));
    }
}

/* ---- Order statistics ---- */

/* Of equal elements the index is that of any. */
static void kthvalue(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), line = line_of(b, x), indices;
    int dim = lt_call_dim(c, "dim", lt_build_rank(b, x));
    int64_t k = lt_call_int(c, "k"), size = lt_build_size(b, line, dim);
    bool keepdim = lt_call_bool(c, "keepdim") && lt_build_rank(b, x);
    if (k < 1 || k > size)
        lt_build_fail(b, LATHE_TYPE, "element %lld of %lld", (long long)k, (long long)size);
    lt_id values = lt_build_sort(b, line, dim, false, true, &indices);
    lt_call_return(c, lt_build_pick(b, values, dim, k - 1, keepdim));
    lt_call_return(c, lt_build_pick(b, indices, dim, k - 1, keepdim));
}

/* The lower of the middle elements of each line, and where it lies; the first NaN where there is one. */
static lt_id median_of(lt_builder *b, lt_id x, int dim, bool keepdim, lt_id *index)
{
    lt_id order, sorted = lt_build_sort(b, x, dim, false, true, &order);
    int64_t size = lt_build_size(b, x, dim);
    if (size == 0) return lt_build_fail(b, LATHE_TYPE, "median along an empty dim");
    lt_id value = lt_build_pick(b, sorted, dim, (size - 1) / 2, keepdim);
    *index = lt_build_pick(b, order, dim, (size - 1) / 2, keepdim);
    if (!lt_dtype_is_float(lt_build_dtype(b, x))) return value;
    lt_id last = lt_build_pick(b, sorted, dim, size - 1, keepdim), nan = lt_build_unary(b, LT_OP_ISNAN, last);
    *index = lt_build_where(b, nan, lt_build_arg(b, LT_OP_ARGMAX, x, dim, keepdim), *index);
    return lt_build_where(b, nan, last, value);
}

/* The same of the elements that are numbers. */
static lt_id nanmedian_of(lt_builder *b, lt_id x, int dim, bool keepdim, lt_id *index)
{
    lt_id order, sorted = lt_build_sort(b, x, dim, false, true, &order);
    if (lt_build_size(b, x, dim) == 0) return lt_build_fail(b, LATHE_TYPE, "median along an empty dim");
    lt_id numbers = lt_build_unary(b, LT_OP_LOGICAL_NOT, lt_build_unary(b, LT_OP_ISNAN, sorted));
    numbers = lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, lt_build_cast(b, numbers, LATHE_I64), dim, true);
    lt_id middle = lt_build_sub(b, numbers, lt_build_integer(b, 1));
    middle = lt_build_binary(b, LT_OP_MAXIMUM, middle, lt_build_integer(b, 0));
    middle = lt_build_binary(b, LT_OP_DIV_FLOOR, middle, lt_build_integer(b, 2));
    lt_id value = lt_build_gather(b, sorted, dim, middle);
    *index = lt_build_gather(b, order, dim, middle);
    if (keepdim) return value;
    *index = lt_build_squeeze(b, *index, dim);
    return lt_build_squeeze(b, value, dim);
}

typedef lt_id median_fn(lt_builder *b, lt_id x, int dim, bool keepdim, lt_id *index);

/* Without `dim` it is the median of all elements, NaN when there are none. */
static void median_with(lt_call *c, median_fn *median)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), index;
    if (lt_call_takes(c, "dim")) {
        int dim = lt_call_dim(c, "dim", lt_build_rank(b, x));
        bool keepdim = lt_call_bool(c, "keepdim") && lt_build_rank(b, x);
        lt_call_return(c, median(b, line_of(b, x), dim, keepdim, &index));
        lt_call_return(c, index);
    } else if (lt_type_count(lt_build_type(b, x)) == 0) {
        lt_call_return(c, lt_build_full(b, lt_build_number(b, NAN), lt_build_dtype(b, x), 0, NULL));
    } else {
        lt_call_return(c, median(b, flat(b, x), 0, false, &index));
    }
}

static void median(lt_call *c) { median_with(c, median_of); }

static void nanmedian(lt_call *c)
{
    lt_dtype dtype = lt_build_dtype(c->b, lt_call_tensor(c, "self"));
    median_with(c, lt_dtype_is_float(dtype) ? nanmedian_of : median_of);
}

/* The smallest of the most frequent elements; of equal ones the last in sorted order. In a sorted line an
 * element's place less that of its first equal is how often it came up to there. */
static void mode(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), line = line_of(b, x), order;
    int dim = lt_call_dim(c, "dim", lt_build_rank(b, x));
    bool keepdim = lt_call_bool(c, "keepdim") && lt_build_rank(b, x);
    line = lt_build_transpose(b, line, dim, -1);
    lt_id sorted = lt_build_sort(b, line, -1, false, false, &order);
    lt_id place = lt_build_arange(b, lt_build_size(b, line, -1), 0, 1);
    lt_id times = lt_build_sub(b, place, lt_build_searchsorted(b, sorted, sorted, false));
    times = lt_build_binary(b, LT_OP_MAXIMUM, times, lt_build_integer(b, 0)); /* NaN is found nowhere */
    lt_id best = lt_build_arg(b, LT_OP_ARGMAX, times, -1, true);
    lt_id results[2] = {lt_build_gather(b, sorted, -1, best), lt_build_gather(b, order, -1, best)};
    for (int i = 0; i < 2; i++) {
        lt_id result = lt_build_transpose(b, results[i], dim, -1);
        lt_call_return(c, keepdim ? result : lt_build_squeeze(b, result, dim));
    }
}

/* ---- Quantiles ---- */

/* Where in each sorted line [..., n] the quantiles q [Q] lie: [..., Q], in the lines' type. */
static lt_id quantile_ranks(lt_builder *b, lt_id sorted, lt_id q, bool skip_nan)
{
    int64_t last = lt_build_size(b, sorted, -1) - 1;
    lt_dtype dtype = lt_build_dtype(b, sorted);
    if (skip_nan) {
        lt_id numbers = lt_build_unary(b, LT_OP_LOGICAL_NOT, lt_build_unary(b, LT_OP_ISNAN, sorted));
        numbers = lt_build_reduce_dim(b, LT_OP_REDUCE_SUM, lt_build_cast(b, numbers, LATHE_I64), -1, true);
        lt_id ranks = lt_build_mul(b, lt_build_sub(b, numbers, lt_build_integer(b, 1)), q);
        return lt_build_binary(b, LT_OP_MAXIMUM, ranks, lt_build_integer(b, 0));
    }
    lt_id nan = lt_build_unary(b, LT_OP_ISNAN, lt_build_pick(b, sorted, -1, last, true));
    lt_id top = lt_build_cast(b, lt_build_integer(b, last), dtype);
    return lt_build_where(b, nan, top, lt_build_mul(b, q, top));
}

/* Elements at the ranks, mixed with the ones above as `interpolation` says. */
static lt_id quantile_values(lt_builder *b, lt_id sorted, lt_id ranks, const char *interpolation)
{
    bool linear = strcmp(interpolation, "linear") == 0, midpoint = strcmp(interpolation, "midpoint") == 0;
    if (strcmp(interpolation, "lower") == 0) ranks = lt_build_unary(b, LT_OP_FLOOR, ranks);
    else if (strcmp(interpolation, "higher") == 0) ranks = lt_build_unary(b, LT_OP_CEIL, ranks);
    else if (strcmp(interpolation, "nearest") == 0) ranks = lt_build_unary(b, LT_OP_ROUND, ranks);
    else if (!linear && !midpoint)
        return lt_build_fail(b, LATHE_UNSUPPORTED, "interpolation '%s'", interpolation);
    lt_id floor = lt_build_cast(b, ranks, LATHE_I64), below = lt_build_gather(b, sorted, -1, floor);
    if (!linear && !midpoint) return below;
    lt_id ceil = lt_build_cast(b, lt_build_unary(b, LT_OP_CEIL, ranks), LATHE_I64);
    lt_id step = lt_build_sub(b, lt_build_gather(b, sorted, -1, ceil), below);
    lt_id weight = midpoint ? lt_build_number(b, 0.5) : lt_build_sub(b, ranks, floor);
    /* From the nearer end, as torch.lerp. */
    lt_id up = lt_build_add(b, below, lt_build_mul(b, weight, step));
    lt_id rest = lt_build_sub(b, lt_build_integer(b, 1), weight);
    lt_id down = lt_build_sub(b, lt_build_add(b, below, step), lt_build_mul(b, step, rest));
    return lt_build_where(b, lt_build_binary(b, LT_OP_LT, weight, lt_build_number(b, 0.5)), up, down);
}

static void quantile_with(lt_call *c, bool skip_nan)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), q = lt_call_scalar(c, "q"), line = line_of(b, x);
    lt_dtype dtype = lt_build_dtype(b, x);
    int rank = lt_build_rank(b, x), q_rank = lt_build_rank(b, q);
    bool keepdim = lt_call_bool(c, "keepdim") && rank, all = !lt_call_has(c, "dim");
    int dim = all ? 0 : lt_call_dim(c, "dim", rank);
    if ((dtype != LATHE_F32 && dtype != LATHE_F64) || q_rank > 1 || lt_type_count(lt_build_type(b, x)) == 0)
        lt_build_fail(b, LATHE_TYPE, "quantiles of %s, q of rank %d", lathe_dtype_name(dtype), q_rank);
    q = flat(b, lt_build_cast(b, q, dtype));
    line = all ? flat(b, x) : lt_build_transpose(b, line, dim, -1);
    lt_id sorted = lt_build_sort(b, line, -1, false, true, NULL);
    lt_id y = quantile_values(b, sorted, quantile_ranks(b, sorted, q, skip_nan),
                              lt_call_string(c, "interpolation"));
    /* [..., Q] becomes [Q, ..., 1, ...]: the reduced dim stands where it was. */
    int64_t ones[LT_MAX_RANK + 1] = {lt_build_size(b, q, 0), 1, 1, 1, 1, 1, 1, 1, 1};
    y = lt_build_unsqueeze(b, y, 0);
    y = lt_build_transpose(b, y, 0, -1);
    if (all) {
        y = lt_build_reshape(b, y, keepdim ? rank + 1 : 1, ones);
    } else {
        y = lt_build_transpose(b, y, dim + 1, -1);
        if (!keepdim) y = lt_build_squeeze(b, y, dim + 1);
    }
    lt_call_return(c, q_rank ? y : lt_build_squeeze(b, y, 0));
}

static void quantile(lt_call *c) { quantile_with(c, false); }

static void nanquantile(lt_call *c) { quantile_with(c, true); }

/* ---- Searching ---- */

static void return_places(lt_call *c, lt_id places)
{
    lt_call_return(c, lt_build_cast(c->b, places, lt_call_bool(c, "out_int32") ? LATHE_I32 : LATHE_I64));
}

static void searchsorted(lt_call *c)
{
    lt_id lines = lt_call_tensor(c, "sorted_sequence"), values = lt_call_scalar(c, "self");
    lt_id sorter = lt_call_optional_tensor(c, "sorter");
    bool right = lt_call_bool(c, "right");
    if (lt_call_has(c, "side")) right = strcmp(lt_call_string(c, "side"), "right") == 0;
    if (sorter != LT_NONE) lines = lt_build_gather(c->b, lines, -1, sorter);
    return_places(c, lt_build_searchsorted(c->b, lines, values, right));
}

static void bucketize(lt_call *c)
{
    lt_id values = lt_call_scalar(c, "self"), boundaries = lt_call_tensor(c, "boundaries");
    return_places(c, lt_build_searchsorted(c->b, boundaries, values, lt_call_bool(c, "right")));
}

/* A sorted line with the largest number in place of NaN: searches want an order, and NaN equals nothing. */
static lt_id without_nan(lt_builder *b, lt_id sorted)
{
    if (!lt_dtype_is_float(lt_build_dtype(b, sorted)) || lt_build_size(b, sorted, 0) == 0) return sorted;
    lt_id nan = lt_build_unary(b, LT_OP_ISNAN, sorted), first = lt_build_pick(b, sorted, 0, 0, true);
    lt_id most = lt_build_reduce_dim(b, LT_OP_REDUCE_MAX, lt_build_where(b, nan, first, sorted), 0, true);
    return lt_build_where(b, nan, most, sorted);
}

/* An element is among the others when, of these sorted, not as many are less as are not greater. */
static void isin(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_scalar(c, lt_call_takes(c, "elements") ? "elements" : "element");
    lt_id among = lt_call_scalar(c, lt_call_takes(c, "test_elements") ? "test_elements" : "test_element");
    lt_dtype dtype = lt_build_promote(b, (lt_id[]){x, among}, 2);
    lt_id sorted = lt_build_sort(b, flat(b, lt_build_cast(b, among, dtype)), 0, false, false, NULL);
    sorted = without_nan(b, sorted);
    x = lt_build_cast(b, x, dtype);
    lt_op op = lt_call_bool(c, "invert") ? LT_OP_EQ : LT_OP_NE;
    lt_call_return(c, lt_build_binary(b, op, lt_build_searchsorted(b, sorted, x, false),
                                      lt_build_searchsorted(b, sorted, x, true)));
}

/* The range that histc spreads its bins over: the given one; when that is empty, that of the elements, a bit
 * wider when these are all equal. */
static void histogram_range(lt_call *c, lt_id x, lt_id *low, lt_id *high)
{
    lt_builder *b = c->b;
    lt_dtype dtype = lt_build_dtype(b, x);
    double min = lt_call_float(c, "min"), max = lt_call_float(c, "max");
    *low = lt_build_cast(b, lt_call_scalar(c, "min"), dtype);
    *high = lt_build_cast(b, lt_call_scalar(c, "max"), dtype);
    if (min < max) return;
    if (min > max) lt_build_fail(b, LATHE_TYPE, "histogram from %g to %g", min, max);
    if (lt_build_size(b, x, 0)) {
        *low = lt_build_reduce_dim(b, LT_OP_REDUCE_MIN, x, 0, false);
        *high = lt_build_reduce_dim(b, LT_OP_REDUCE_MAX, x, 0, false);
    }
    lt_id equal = lt_build_cast(b, lt_build_binary(b, LT_OP_EQ, *low, *high), dtype);
    *low = lt_build_sub(b, *low, equal);
    *high = lt_build_add(b, *high, equal);
}

static void histc(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), low, high;
    lt_dtype dtype = lt_build_dtype(b, x), wide = lt_dtype_wide(dtype);
    int64_t bins = lt_call_int(c, "bins");
    if (!lt_dtype_is_float(dtype) || bins < 1)
        lt_build_fail(b, LATHE_TYPE, "histogram of %s, %lld bins", lathe_dtype_name(dtype), (long long)bins);
    x = lt_build_cast(b, flat(b, x), wide);
    histogram_range(c, x, &low, &high);
    lt_id inside = lt_build_binary(b, LT_OP_LOGICAL_AND, lt_build_binary(b, LT_OP_GE, x, low),
                                   lt_build_binary(b, LT_OP_LE, x, high));
    lt_id place = lt_build_mul(b, lt_build_sub(b, x, low), lt_build_integer(b, bins));
    place = lt_build_div(b, place, lt_build_sub(b, high, low));
    place = lt_build_cast(b, lt_build_where(b, inside, place, lt_build_integer(b, 0)), LATHE_I64);
    place = lt_build_binary(b, LT_OP_MINIMUM, place, lt_build_integer(b, bins - 1));
    lt_id counts = lt_build_zeros(b, &(lt_type){.dtype = LATHE_I64, .rank = 1, .dim = {bins}});
    counts = lt_build_scatter(b, counts, 0, place, lt_build_cast(b, inside, LATHE_I64), LT_REDUCE_SUM);
    lt_call_return(c, lt_build_cast(b, counts, dtype));
}

const lt_aten_row lt_aten_sort[] = {
    {"sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)", sort, 0},
    {"sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
     "indices)",
     sort, 0},
    {"argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor", argsort, 0},
    {"argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor", argsort, 0},
    {"msort(Tensor self) -> Tensor", msort, 0},
    {"topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor "
     "indices)",
     topk, 0},
    {"kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
     kthvalue, 0},
    {"median(Tensor self) -> Tensor", median, 0},
    {"median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", median, 0},
    {"nanmedian(Tensor self) -> Tensor", nanmedian, 0},
    {"nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", nanmedian,
     0},
    {"mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)", mode, 0},
    {"quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> "
     "Tensor",
     quantile, 0},
    {"quantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str "
     "interpolation='linear') -> "
     "Tensor",
     quantile, 0},
    {"nanquantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') "
     "-> "
     "Tensor",
     nanquantile, 0},
    {"nanquantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str "
     "interpolation='linear') "
     "-> Tensor",
     nanquantile, 0},
    {"searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, "
     "str? "
     "side=None, Tensor? sorter=None) -> Tensor",
     searchsorted, 0},
    {"searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, "
     "str? "
     "side=None, Tensor? sorter=None) -> Tensor",
     searchsorted, 0},
    {"bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
     bucketize, 0},
    {"bucketize.Scalar(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
     bucketize, 0},
    {"isin.Tensor_Tensor(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool "
     "invert=False) -> "
     "Tensor",
     isin, 0},
    {"isin.Tensor_Scalar(Tensor elements, Scalar test_element, *, bool assume_unique=False, bool "
     "invert=False) -> "
     "Tensor",
     isin, 0},
    {"isin.Scalar_Tensor(Scalar element, Tensor test_elements, *, bool assume_unique=False, bool "
     "invert=False) -> "
     "Tensor",
     isin, 0},
    {"histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor", histc, 0},
    {NULL, NULL, 0}};
