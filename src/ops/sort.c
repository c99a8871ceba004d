/* Sorting along a dim, and binary search in sorted lines. */
#include <math.h>
#include <string.h>

#include "ops/convert.h"
#include "ops/families.h"
#include "ops/iter.h"
#include "ops/order.h"

enum { CHUNK = 256, RUN = 16 };

/* Bit patterns of doubles order as integers once negative ones are turned over. */
static uint64_t key_of_double(double x)
{
    uint64_t bits;
    if (isnan(x)) return UINT64_MAX;
    x += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

void lt_keys_load(lt_dtype dtype, const char *from, int64_t step, int64_t n, bool descending, lt_keyed *to)
{
    double f[CHUNK];
    int64_t i[CHUNK];
    uint64_t flip = descending ? UINT64_MAX : 0;
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t count = lt_min_i64(CHUNK, n - at);
        bool floats = lt_dtype_is_float(dtype);
        if (floats) lt_load_f64(dtype, from + at * step, step, count, f);
        else lt_load_i64(dtype, from + at * step, step, count, i);
        for (int64_t k = 0; k < count; k++) {
            uint64_t key = floats ? key_of_double(f[k]) : (uint64_t)i[k] ^ (uint64_t)1 << 63;
            to[at + k] = (lt_keyed){.key = key ^ flip, .index = at + k};
        }
    }
}

void lt_keys_store(lt_dtype dtype, const char *from, int64_t from_step, const lt_keyed *keys, int64_t n,
                   char *to, int64_t to_step, char *to_index, int64_t index_step)
{
    size_t size = lathe_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        memcpy(to + i * to_step, from + keys[i].index * from_step, size);
        memcpy(to_index + i * index_step, &keys[i].index, sizeof keys[i].index);
    }
}

static void insertion_sort(lt_keyed *keys, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        lt_keyed moved = keys[i];
        int64_t at = i;
        for (; at > 0 && moved.key < keys[at - 1].key; at--) keys[at] = keys[at - 1];
        keys[at] = moved;
    }
}

static void merge(const lt_keyed *left, int64_t n_left, const lt_keyed *right, int64_t n_right, lt_keyed *to)
{
    while (n_left && n_right) {
        bool take_right = right->key < left->key;
        *to++ = take_right ? *right++ : *left++;
        n_right -= take_right;
        n_left -= !take_right;
    }
    memcpy(to, n_left ? left : right, (size_t)(n_left + n_right) * sizeof *to);
}

/* Bottom-up merge sort of short sorted runs; the result lies in the array that is returned. */
static lt_keyed *sort_stable(lt_keyed *keys, lt_keyed *other, int64_t n)
{
    for (int64_t at = 0; at < n; at += RUN) insertion_sort(keys + at, lt_min_i64(RUN, n - at));
    for (int64_t run = RUN; run < n; run *= 2) {
        for (int64_t at = 0; at < n; at += 2 * run) {
            int64_t left = lt_min_i64(run, n - at), right = lt_min_i64(run, n - at - left);
            merge(keys + at, left, keys + at + left, right, other + at);
        }
        lt_keyed *sorted = other;
        other = keys;
        keys = sorted;
    }
    return keys;
}

/* ---- Lines along a dim: result values, result indices, input ---- */

typedef struct lt_lines {
    lt_iter it;
    int64_t step[3];
} lt_lines;

static bool start_lines(const lt_op_call *call, int dim, lt_lines *lines)
{
    lt_tensor t[3] = {call->out[0], call->out[1], call->in[0]};
    for (int k = 0; k < 3; k++) {
        lines->step[k] = t[k].stride[dim] * (int64_t)lathe_dtype_size(t[k].dtype);
        t[k].dim[dim] = 1;
    }
    lt_iter_start(&lines->it, &t[0], (const lt_tensor *const[]){&t[0], &t[1], &t[2]}, 3);
    return lines->it.row != 0;
}

static lathe_status infer_values_and_indices(const lt_type *in, int n_in, int dim, lt_type *out,
                                             lathe_error *err)
{
    LT_TRY(lt_expect_inputs(n_in, 1, err));
    if (dim < 0 || dim >= in->rank) LT_FAIL(err, TYPE, "dim %d of a tensor of rank %d", dim, in->rank);
    out[0] = out[1] = *in;
    out[1].dtype = LATHE_I64;
    return LATHE_OK;
}

lathe_status lt_infer_sort(LT_INFER_ARGS)
{
    (void)op;
    return infer_values_and_indices(in, n_in, attrs->sort.dim, out, err);
}

size_t lt_scratch_sort(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return 2 * (size_t)in->dim[attrs->sort.dim] * sizeof(lt_keyed);
}

lathe_status lt_ref_sort(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_attrs_sort *attrs = &call->attrs->sort;
    int64_t n = call->in->dim[attrs->dim];
    lt_keyed *keys = call->scratch;
    lt_lines l;
    if (n == 0 || !start_lines(call, attrs->dim, &l)) return LATHE_OK;
    do {
        for (int64_t i = 0; i < l.it.row; i++) {
            char *to = l.it.at[0] + i * l.it.row_step[0], *to_index = l.it.at[1] + i * l.it.row_step[1];
            const char *from = l.it.at[2] + i * l.it.row_step[2];
            lt_keys_load(call->in->dtype, from, l.step[2], n, attrs->descending, keys);
            lt_keyed *sorted = keys;
            if (attrs->stable) sorted = sort_stable(keys, keys + n, n);
            else lt_keys_sort(keys, n);
            lt_keys_store(call->in->dtype, from, l.step[2], sorted, n, to, l.step[0], to_index, l.step[1]);
        }
    } while (lt_iter_next(&l.it));
    return LATHE_OK;
}

lathe_status lt_infer_topk(LT_INFER_ARGS)
{
    (void)op;
    const lt_attrs_topk *t = &attrs->topk;
    LT_TRY(infer_values_and_indices(in, n_in, t->dim, out, err));
    if (t->k < 0 || t->k > in->dim[t->dim])
        LT_FAIL(err, TYPE, "%lld of %lld elements", (long long)t->k, (long long)in->dim[t->dim]);
    out[0].dim[t->dim] = out[1].dim[t->dim] = t->k;
    return LATHE_OK;
}

size_t lt_scratch_topk(const lt_attrs *attrs, const lt_type *in, int n_in)
{
    (void)n_in;
    return (size_t)in->dim[attrs->topk.dim] * sizeof(lt_keyed);
}

lathe_status lt_ref_topk(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_attrs_topk *attrs = &call->attrs->topk;
    int64_t n = call->in->dim[attrs->dim];
    lt_keyed *keys = call->scratch;
    lt_lines l;
    if (attrs->k == 0 || !start_lines(call, attrs->dim, &l)) return LATHE_OK;
    do {
        for (int64_t i = 0; i < l.it.row; i++) {
            char *to = l.it.at[0] + i * l.it.row_step[0], *to_index = l.it.at[1] + i * l.it.row_step[1];
            const char *from = l.it.at[2] + i * l.it.row_step[2];
            lt_keys_load(call->in->dtype, from, l.step[2], n, attrs->largest, keys);
            lt_keys_select(keys, n, attrs->k, attrs->sorted);
            lt_keys_store(call->in->dtype, from, l.step[2], keys, attrs->k, to, l.step[0], to_index,
                          l.step[1]);
        }
    } while (lt_iter_next(&l.it));
    return LATHE_OK;
}

/* ---- Binary search: lines [..., n], values [..., m] with equal leading dims, or one line for all values
 * ---- */

lathe_status lt_infer_searchsorted(LT_INFER_ARGS)
{
    (void)op, (void)attrs;
    LT_TRY(lt_expect_inputs(n_in, 2, err));
    const lt_type *lines = &in[0], *values = &in[1];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    bool fits = lines->rank == 1 || (lines->rank == values->rank && lines->rank > 0);
    for (int i = 0; fits && i + 1 < lines->rank; i++) fits = lines->dim[i] == values->dim[i];
    if (!fits || lines->dtype != values->dtype)
        LT_FAIL(err, TYPE, "%s searched in %s", lt_type_print(values, b), lt_type_print(lines, a));
    *out = *values;
    out->dtype = LATHE_I64;
    return LATHE_OK;
}

/* How many elements of a line go before the value: those that are less, or, on the right, not greater. */
static int64_t search_line(const lt_tensor *line, const char *at, int64_t step, const char *value, bool right)
{
    int64_t low = 0, high = line->dim[line->rank - 1];
    bool floats = lt_dtype_is_float(line->dtype);
    double f = floats ? lt_load_one(line->dtype, value) : 0;
    int64_t i = floats ? 0 : lt_load_index(line->dtype, value);
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const char *probe = at + middle * step;
        double pf = floats ? lt_load_one(line->dtype, probe) : 0;
        int64_t pi = floats ? 0 : lt_load_index(line->dtype, probe);
        bool behind = floats ? (right ? pf > f : pf >= f) : (right ? pi > i : pi >= i);
        if (behind) high = middle;
        else low = middle + 1;
    }
    return low;
}

lathe_status lt_ref_searchsorted(const lt_op_call *call, lathe_error *err)
{
    (void)err;
    const lt_tensor *lines = &call->in[0];
    int last = lines->rank - 1;
    int64_t step = lines->stride[last] * (int64_t)lathe_dtype_size(lines->dtype);
    lt_tensor starts = *lines; /* where each value's line starts, in the shape of the values */
    starts.dim[last] = 1;
    lt_iter it;
    lt_iter_start(&it, call->out, (const lt_tensor *const[]){call->out, &call->in[1], &starts}, 3);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            int64_t place = search_line(lines, it.at[2] + i * it.row_step[2], step,
                                        it.at[1] + i * it.row_step[1], call->attrs->search.right);
            lt_store_i64(LATHE_I64, it.at[0] + i * it.row_step[0], 0, 1, &place);
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}
