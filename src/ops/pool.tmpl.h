/* Pooling of one plane for one arithmetic class. Before including: T, DTYPE (the dtype that is a T), SUM
 * (what sums are kept in), LOWEST, IS_NAN(x), FN(name). */

/* The current plane as contiguous T: in place when it already is, else copied to `buffer`. */
static const T *FN(plane)(const lt_tensor *plane, void *buffer)
{
    if (plane->dtype == DTYPE && lt_tensor_is_contiguous(plane)) return plane->data;
    lt_type type = lt_type_make(DTYPE, plane->rank, plane->dim);
    lt_tensor copy = lt_tensor_of(&type, buffer);
    lt_tensor_copy(plane, &copy);
    return buffer;
}

/* The largest of a window and where it is; the first of equals, the last NaN. */
static T FN(largest)(const lt_pool *p, const T *plane, const lt_window w[3], int64_t *where)
{
    T best = LOWEST;
    int64_t at = (w[0].start * p->in[1] + w[1].start) * p->in[2] + w[2].start;
    for (int64_t z = w[0].start; z < w[0].end; z += w[0].step)
        for (int64_t y = w[1].start; y < w[1].end; y += w[1].step) {
            int64_t row = (z * p->in[1] + y) * p->in[2];
            for (int64_t x = w[2].start; x < w[2].end; x += w[2].step) {
                T value = plane[row + x];
                if (!(value > best || IS_NAN(value))) continue;
                best = value;
                at = row + x;
            }
        }
    *where = at;
    return best;
}

static T FN(mean)(const lt_pool *p, const T *plane, const lt_window w[3])
{
    SUM sum = 0;
    int64_t count = (w[0].end - w[0].start) * (w[1].end - w[1].start) * (w[2].end - w[2].start);
    if (w[0].end <= w[0].start || w[1].end <= w[1].start || w[2].end <= w[2].start) return 0;
    for (int64_t z = w[0].start; z < w[0].end; z++)
        for (int64_t y = w[1].start; y < w[1].end; y++) {
            const T *row = plane + (z * p->in[1] + y) * p->in[2];
            for (int64_t x = w[2].start; x < w[2].end; x++) sum += row[x];
        }
    if (p->attrs->divisor) count = p->attrs->divisor;
    else if (p->attrs->count_include_pad) count = w[0].padded * w[1].padded * w[2].padded;
    return (T)(sum / (SUM)count);
}

/* One plane: the largest of each window or the mean; `where` is NULL when positions are not wanted. */
static void FN(pool_plane)(const lt_pool *p, const lt_tensor *from, const lt_tensor *to,
                           const lt_tensor *where, bool largest, void *buffer)
{
    const T *plane = FN(plane)(from, buffer);
    T values[CHUNK];
    int64_t positions[CHUNK];
    int last = to->rank - 1;
    int64_t rows = p->out[0] * p->out[1], size = (int64_t)lathe_dtype_size(to->dtype);
    for (int64_t row = 0; row < rows; row++) {
        int64_t z = row / p->out[1], y = row % p->out[1];
        lt_window w[3] = {window(p, 0, z), window(p, 1, y)};
        for (int64_t x0 = 0; x0 < p->out[2]; x0 += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, p->out[2] - x0);
            for (int64_t x = 0; x < n; x++) {
                w[2] = window(p, 2, x0 + x);
                values[x] = largest ? FN(largest)(p, plane, w, &positions[x]) : FN(mean)(p, plane, w);
            }
            FN(lt_store)
            (to->dtype, row_of(to, z, y) + x0 * to->stride[last] * size, to->stride[last] * size, n, values);
            if (where)
                lt_store_i64(where->dtype,
                             row_of(where, z, y) + x0 * where->stride[last] * (int64_t)sizeof(int64_t),
                             where->stride[last] * (int64_t)sizeof(int64_t), n, positions);
        }
    }
}
