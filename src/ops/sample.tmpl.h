/* Sampling one image where a grid says, for one arithmetic class. Before including: T, M(name), DTYPE (the
 * dtype that is a T), FN(name). */

/* One spatial dim of the input around a position: up to four neighbours; index -1: outside, counts as 0. */
typedef struct FN(lt_neighbours) {
    int n;
    int64_t at[4];
    T weight[4];
} FN(lt_neighbours);

/* -1 … 1 to 0 … size - 1. */
static T FN(position)(const lt_attrs_sample *a, T x, int64_t size)
{
    return a->align_corners ? (x + 1) / 2 * (T)(size - 1) : ((x + 1) * (T)size - 1) / 2;
}

/* Mirrors x at `low` and `high`, given doubled, as often as needed. */
static T FN(reflect)(T x, int64_t low, int64_t high)
{
    if (low == high) return 0;
    T min = (T)low / 2, span = (T)(high - low) / 2;
    x = M(fabs)(x - min);
    T extra = M(fmod)(x, span);
    return M(fmod)(M(floor)(x / span), 2) == 0 ? extra + min : span - extra + min;
}

/* A position moved inside, where the padding does that. */
static T FN(bring_inside)(const lt_attrs_sample *a, T x, int64_t size)
{
    if (a->padding == LT_SAMPLE_ZEROS) return x;
    if (a->padding == LT_SAMPLE_REFLECT)
        x = a->align_corners ? FN(reflect)(x, 0, 2 * (size - 1)) : FN(reflect)(x, -1, 2 * size - 1);
    return M(fmin)(M(fmax)(x, 0), (T)(size - 1));
}

/* The index of a neighbour; -1 when it is outside, or no number at all. */
static int64_t FN(index_of)(T x, int64_t size) { return x >= 0 && x < (T)size ? (int64_t)x : -1; }

static void FN(find_neighbours)(const lt_attrs_sample *a, T x, int64_t size, FN(lt_neighbours) * out)
{
    x = FN(position)(a, x, size);
    out->n = a->mode == LT_RESAMPLE_NEAREST ? 1 : a->mode == LT_RESAMPLE_CUBIC ? 4 : 2;
    if (a->mode != LT_RESAMPLE_CUBIC) x = FN(bring_inside)(a, x, size);
    if (a->mode == LT_RESAMPLE_NEAREST) {
        out->at[0] = FN(index_of)(M(nearbyint)(x), size);
        out->weight[0] = 1;
        return;
    }
    T left = M(floor)(x), t = x - left;
    if (a->mode == LT_RESAMPLE_LINEAR) {
        for (int i = 0; i < 2; i++) out->at[i] = FN(index_of)(left + (T)i, size);
        out->weight[0] = left + 1 - x;
        out->weight[1] = t;
        return;
    }
    for (int i = 0; i < 4; i++) {
        out->at[i] = FN(index_of)(FN(bring_inside)(a, left + (T)(i - 1), size), size);
        out->weight[i] = FN(cubic)(t + (T)(1 - i), (T)-0.75);
    }
}

enum { FN(BLOCK) = 32, FN(CORNERS) = 16 };

/* The corners around one place of the output, as positions in a plane of the image and weights. */
typedef struct FN(lt_place) {
    int n;
    int64_t at[FN(CORNERS)];
    T weight[FN(CORNERS)];
} FN(lt_place);

/* `grid`: the coordinates of the place, x first. */
static void FN(find_place)(const lt_attrs_sample *a, const lt_tensor *image, const T *grid, FN(lt_place) * out)
{
    int spatial = image->rank - 1;
    FN(lt_neighbours) dim[LT_MAX_SPATIAL] = {{.n = 1, .weight = {1}}};
    for (int i = 0; i < spatial; i++) /* dim: z (or a single 0), y, x */
        FN(find_neighbours)(a, grid[i], image->dim[spatial - i], &dim[LT_MAX_SPATIAL - 1 - i]);
    int64_t height = image->dim[spatial - 1], width = image->dim[spatial];
    out->n = 0;
    for (int z = 0; z < dim[0].n; z++)
        for (int y = 0; y < dim[1].n; y++)
            for (int x = 0; x < dim[2].n; x++) {
                if (dim[0].at[z] < 0 || dim[1].at[y] < 0 || dim[2].at[x] < 0) continue;
                out->at[out->n] = (dim[0].at[z] * height + dim[1].at[y]) * width + dim[2].at[x];
                out->weight[out->n++] = dim[0].weight[z] * dim[1].weight[y] * dim[2].weight[x];
            }
}

/* A row of places for every channel. */
static void FN(sample_row)(const FN(lt_place) * places, int64_t n, const T *image, int64_t plane,
                           int64_t channels, const lt_tensor *out, char *to)
{
    int64_t size = (int64_t)lathe_dtype_size(out->dtype), step = out->stride[out->rank - 1] * size;
    for (int64_t c = 0; c < channels; c++, image += plane) {
        T values[FN(BLOCK)];
        for (int64_t j = 0; j < n; j++) {
            T sum = 0;
            for (int i = 0; i < places[j].n; i++) sum += image[places[j].at[i]] * places[j].weight[i];
            values[j] = sum;
        }
        FN(lt_store)(out->dtype, to + c * out->stride[0] * size, step, n, values);
    }
}

/* image [C, (D,) H, W], grid [(D',) H', W', 2 or 3], out [C, (D',) H', W']. */
static void FN(sample_image)(const lt_attrs *attrs, const lt_tensor *image, const lt_tensor *grid,
                             const lt_tensor *out, void *scratch)
{
    const T *data = image->data;
    if (image->dtype != DTYPE || !lt_tensor_is_contiguous(image)) {
        lt_type type = lt_type_make(DTYPE, image->rank, image->dim);
        lt_tensor copy = lt_tensor_of(&type, scratch);
        lt_tensor_copy(image, &copy);
        data = scratch;
    }
    int spatial = image->rank - 1, last = spatial - 1;
    int64_t plane = lathe_tensor_count(image) / image->dim[0];
    int64_t size = (int64_t)lathe_dtype_size(grid->dtype);
    lt_tensor rows_grid = *grid, rows_out = slice_of(out, 0, 0); /* both [(D',) H'], rows walked below */
    rows_grid.rank = rows_out.rank = last;
    lt_iter it;
    lt_iter_start(&it, &rows_out, (const lt_tensor *const[]){&rows_out, &rows_grid}, 2);
    if (it.row) do {
            for (int64_t j = 0; j < it.row; j++)
                for (int64_t x0 = 0; x0 < grid->dim[last]; x0 += FN(BLOCK)) {
                    FN(lt_place) places[FN(BLOCK)];
                    int64_t n = lt_min_i64(FN(BLOCK), grid->dim[last] - x0);
                    for (int64_t x = 0; x < n; x++) {
                        T at[LT_MAX_SPATIAL];
                        const char *from = it.at[1] + j * it.row_step[1] + (x0 + x) * grid->stride[last] * size;
                        FN(lt_load)(grid->dtype, from, grid->stride[spatial] * size, spatial, at);
                        FN(find_place)(&attrs->sample, image, at, &places[x]);
                    }
                    char *to = it.at[0] + j * it.row_step[0] +
                               x0 * out->stride[spatial] * (int64_t)lathe_dtype_size(out->dtype);
                    FN(sample_row)(places, n, data, plane, image->dim[0], out, to);
                }
        } while (lt_iter_next(&it));
}
