/* Sampling one image where a grid says, for one dtype. PyTorch's kernels round every step of the arithmetic
 * to the dtype, so R does. Before including: T, M(name), DTYPE (of numbers that are a T), LOAD and STORE (of
 * T), R(x), FN(name). */

/* One spatial dim of the input around a position: up to four neighbours; index -1: outside, counts as 0. */
typedef struct FN(lt_neighbours) {
    int n;
    int64_t at[4];
    T weight[4];
} FN(lt_neighbours);

/* -1 … 1 to 0 … size - 1. */
static T FN(position)(const lt_attrs_sample *a, T x, int64_t size, bool flat)
{
    x = R(x + 1);
    T width = R((T)(a->align_corners ? size - 1 : size));
    if (flat) x = R(x * R(width / 2));
    else x = a->align_corners ? R(R(x / 2) * width) : R(R(R(x * width) - 1) / 2);
    return flat && !a->align_corners ? R(x - (T)0.5) : x;
}

/* Mirrors x at both ends, the centres of the outer elements or their outer edges, as often as needed. */
static T FN(reflect)(const lt_attrs_sample *a, T x, int64_t size, bool flat)
{
    T low = a->align_corners ? 0 : (T)-0.5, span = R((T)(a->align_corners ? size - 1 : size)), extra, flips;
    if (span == 0) return 0;
    x = M(fabs)(R(x - low));
    if (flat) {
        T twice = R(2 * span);
        extra = R(x - R(M(trunc)(R(x / twice)) * twice));
        return R(M(fmin)(extra, R(twice - extra)) + low);
    }
    extra = M(fmod)(x, span);
    flips = M(floor)(R(x / span));
    return M(fmod)(flips, 2) == 0 ? R(extra + low) : R(R(span - extra) + low);
}

/* A position moved inside, where the padding does that. */
static T FN(bring_inside)(const lt_attrs_sample *a, T x, int64_t size, bool flat)
{
    if (a->padding == LT_SAMPLE_ZEROS) return x;
    if (a->padding == LT_SAMPLE_REFLECT) x = FN(reflect)(a, x, size, flat);
    return M(fmin)(M(fmax)(x, 0), R((T)(size - 1)));
}

/* The index of a neighbour; -1 when it is outside, or no number at all. */
static int64_t FN(index_of)(T x, int64_t size) { return x >= 0 && x < (T)size ? (int64_t)x : -1; }

/* Weights of the four neighbours of a cubic, `t` behind the second. */
static void FN(cubic_weights)(T t, T *weight)
{
    const T a = (T)-0.75;
    for (int i = 0; i < 4; i++) {
        T x = i == 0 ? R(t + 1) : i == 1 ? t : R((T)(i - 1) - t);
        bool near = i == 1 || i == 2;
        T first = R((near ? a + 2 : a) * x), second = R(R(first - (near ? a + 3 : 5 * a)) * x);
        weight[i] = near ? R(R(second * x) + 1) : R(R(R(second + 8 * a) * x) - 4 * a);
    }
}

static FN(lt_neighbours) FN(find_neighbours)(const lt_attrs_sample *a, T x, int64_t size, bool flat)
{
    FN(lt_neighbours) out = {0};
    x = FN(position)(a, x, size, flat);
    out.n = a->mode == LT_RESAMPLE_NEAREST ? 1 : a->mode == LT_RESAMPLE_CUBIC ? 4 : 2;
    if (a->mode != LT_RESAMPLE_CUBIC) x = FN(bring_inside)(a, x, size, flat);
    if (a->mode == LT_RESAMPLE_NEAREST) {
        out.at[0] = FN(index_of)(M(nearbyint)(x), size);
        out.weight[0] = 1;
        return out;
    }
    T left = M(floor)(x), t = R(x - left);
    if (a->mode == LT_RESAMPLE_LINEAR) {
        for (int i = 0; i < 2; i++) out.at[i] = FN(index_of)(left + (T)i, size);
        out.weight[0] = R(1 - t);
        out.weight[1] = t;
        return out;
    }
    for (int i = 0; i < 4; i++)
        out.at[i] = FN(index_of)(FN(bring_inside)(a, R(left + (T)(i - 1)), size, flat), size);
    FN(cubic_weights)(t, out.weight);
    return out;
}

enum { FN(BLOCK) = 32, FN(CORNERS) = 16 };

/* The corners around one place of the output, as positions in a plane of the image (-1: outside), in rows of
 * equal length. A corner's weight is its own, times that of its row once the row is summed. */
typedef struct FN(lt_place) {
    int rows, n; /* n: corners in a row */
    int64_t at[FN(CORNERS)];
    T weight[FN(CORNERS)], row_weight[4];
} FN(lt_place);

/* `grid`: the coordinates of the place, x first. */
static void FN(find_place)(const lt_attrs_sample *a, const lt_tensor *image, const T *grid,
                           FN(lt_place) * out)
{
    int spatial = image->rank - 1, n = 0;
    bool cubic = a->mode == LT_RESAMPLE_CUBIC;
    FN(lt_neighbours) dim[LT_MAX_SPATIAL] = {{.n = 1, .weight = {1}}};
    for (int i = 0; i < spatial; i++) /* dim: z (or a single 0), y, x */
        dim[LT_MAX_SPATIAL - 1 - i] = FN(find_neighbours)(a, grid[i], image->dim[spatial - i], spatial == 2);
    int64_t height = image->dim[spatial - 1], width = image->dim[spatial];
    for (int z = 0; z < dim[0].n; z++)
        for (int y = 0; y < dim[1].n; y++)
            for (int x = 0; x < dim[2].n; x++) {
                bool inside = dim[0].at[z] >= 0 && dim[1].at[y] >= 0 && dim[2].at[x] >= 0;
                out->at[n] = inside ? (dim[0].at[z] * height + dim[1].at[y]) * width + dim[2].at[x] : -1;
                T across = cubic ? dim[2].weight[x] : R(dim[2].weight[x] * dim[1].weight[y]);
                out->weight[n++] = R(across * dim[0].weight[z]);
            }
    out->rows = cubic ? dim[1].n : 1;
    out->n = n / out->rows;
    for (int y = 0; y < out->rows; y++) out->row_weight[y] = cubic ? dim[1].weight[y] : 1;
}

/* Corners outside count as 0, whatever their weight, and so do not count at all. */
static T FN(sum_corners)(const FN(lt_place) * place, const T *image)
{
    T sum = 0;
    for (int row = 0, i = 0; row < place->rows; row++) {
        T part = 0;
        for (int end = i + place->n; i < end; i++)
            if (place->at[i] >= 0) part = R(part + R(image[place->at[i]] * place->weight[i]));
        sum = R(sum + R(part * place->row_weight[row]));
    }
    return sum;
}

/* A row of places for every channel. */
static void FN(sample_row)(const FN(lt_place) * places, int64_t n, const T *image, int64_t plane,
                           int64_t channels, const lt_tensor *out, char *to)
{
    int64_t size = (int64_t)lathe_dtype_size(out->dtype), step = out->stride[out->rank - 1] * size;
    for (int64_t c = 0; c < channels; c++, image += plane) {
        T values[FN(BLOCK)];
        for (int64_t j = 0; j < n; j++) values[j] = FN(sum_corners)(&places[j], image);
        STORE(out->dtype, to + c * out->stride[0] * size, step, n, values);
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
                        const char *from =
                            it.at[1] + j * it.row_step[1] + (x0 + x) * grid->stride[last] * size;
                        LOAD(grid->dtype, from, grid->stride[spatial] * size, spatial, at);
                        FN(find_place)(&attrs->sample, image, at, &places[x]);
                    }
                    char *to = it.at[0] + j * it.row_step[0] +
                               x0 * out->stride[spatial] * (int64_t)lathe_dtype_size(out->dtype);
                    FN(sample_row)(places, n, data, plane, image->dim[0], out, to);
                }
        } while (lt_iter_next(&it));
}
