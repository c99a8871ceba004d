/* One pass of a convolution for one arithmetic class. Before including: T, DTYPE (the dtype that is a T),
 * FN(name). */

/* What kernel entry (c, z, y, x) reads for the outputs at … at + n - 1 of the pass. */
static void FN(gather_taps)(const lt_conv_pass *p, const int64_t tap[4], int64_t at, int64_t n, T *to)
{
    const lt_conv_dim *dz = &p->dim[0], *dy = &p->dim[1], *dx = &p->dim[2];
    int64_t x = at % dx->count, y = at / dx->count % dy->count, z = at / dx->count / dy->count;
    int64_t first, end, offset = tap_offset(dx, tap[3]);
    readable_outputs(dx, offset, &first, &end);
    for (int64_t count; n > 0; n -= count, to += count) {
        count = lt_min_i64(n, dx->count - x);
        int64_t iz = z * dz->in_step + tap_offset(dz, tap[1]), iy = y * dy->in_step + tap_offset(dy, tap[2]);
        bool inside = iz >= 0 && iz < dz->in_size && iy >= 0 && iy < dy->in_size;
        int64_t lo = inside ? lt_min_i64(lt_max_i64(first - x, 0), count) : count;
        int64_t hi = lt_max_i64(lt_min_i64(end - x, count), lo);
        memset(to, 0, (size_t)lo * sizeof(T));
        if (hi > lo) FN(lt_load)
        (p->x_dtype,
         p->x + tap[0] * p->x_step[0] + iz * p->x_step[1] + iy * p->x_step[2] +
             ((x + lo) * dx->in_step + offset) * p->x_step[3],
         dx->in_step * p->x_step[3], hi - lo, to + lo);
        memset(to + hi, 0, (size_t)(count - hi) * sizeof(T));
        x = 0;
        if (++y == dy->count) y = 0, z++;
    }
}

static void FN(fill_panel)(const lt_conv_pass *p, int64_t k0, int64_t kn, int64_t at, int64_t n, T *panel)
{
    for (int64_t k = 0; k < kn; k++, panel += PANEL_WIDTH) {
        int64_t tap[4];
        split_tap(p, k0 + k, tap);
        FN(gather_taps)(p, tap, at, n, panel);
        memset(panel + n, 0, (size_t)(POSITIONS - n) * sizeof(T));
    }
}

/* Kernel entries k0 … k0 + kn - 1 of one output channel as T: in place when they already lie so. */
static const T *FN(weight_row)(const lt_conv_pass *p, int64_t channel, int64_t k0, int64_t kn, T *buffer)
{
    const char *w = p->w + channel * p->w_step[0];
    if (p->w_block) {
        w += k0 * p->w_step[4];
        if (p->w_dtype == DTYPE) return (const T *)(const void *)w;
        FN(lt_load)(p->w_dtype, w, p->w_step[4], kn, buffer);
        return buffer;
    }
    for (int64_t k = 0; k < kn; k++) {
        int64_t tap[4], at = 0;
        split_tap(p, k0 + k, tap);
        for (int i = 0; i < 3; i++)
            at += (p->dim[i].tap + tap[i + 1] * p->dim[i].tap_step) * p->w_step[i + 2];
        FN(lt_load)(p->w_dtype, w + tap[0] * p->w_step[1] + at, 0, 1, &buffer[k]);
    }
    return buffer;
}

/* out[i][j] += sum over k of w[i][k] * panel[k][j], for ROWS x COLUMNS outputs held in registers. */
static void FN(multiply)(const T *const w[ROWS], const T *panel, int64_t kn, T *restrict out)
{
    T acc[ROWS][COLUMNS] = {{0}};
    for (int64_t k = 0; k < kn; k++, panel += PANEL_WIDTH)
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLUMNS; j++) acc[i][j] += w[i][k] * panel[j];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) out[i * POSITIONS + j] += acc[i][j];
}

/* Sums of one channel, plus bias, to their places in the output. */
static void FN(store_outputs)(const lt_conv_pass *p, int64_t channel, int64_t at, int64_t n, T *sums)
{
    const lt_conv_dim *dz = &p->dim[0], *dy = &p->dim[1], *dx = &p->dim[2];
    T bias = 0;
    if (p->bias) FN(lt_load)(p->bias_dtype, p->bias + channel * p->bias_step, 0, 1, &bias);
    for (int64_t i = 0; i < n; i++) sums[i] += bias;
    int64_t x = at % dx->count, y = at / dx->count % dy->count, z = at / dx->count / dy->count;
    for (int64_t count; n > 0; n -= count, sums += count) {
        count = lt_min_i64(n, dx->count - x);
        char *to = p->out + channel * p->out_step[0] + (dz->start + z * dz->step) * p->out_step[1] +
                   (dy->start + y * dy->step) * p->out_step[2] + (dx->start + x * dx->step) * p->out_step[3];
        FN(lt_store)(p->out_dtype, to, dx->step * p->out_step[3], count, sums);
        x = 0;
        if (++y == dy->count) y = 0, z++;
    }
}

/* Many channels: gathers a panel [DEPTH, POSITIONS] of inputs at a time and multiplies it by all kernels. */
static void FN(pass_panels)(const lt_conv_pass *p, T *scratch)
{
    int64_t depth = p->channels * p->dim[0].taps * p->dim[1].taps * p->dim[2].taps;
    int64_t total = p->dim[0].count * p->dim[1].count * p->dim[2].count;
    int64_t rows = round_up(p->out_channels, ROWS);
    T *panel = scratch, *weights = panel + DEPTH * PANEL_WIDTH, *sums = weights + ROWS * DEPTH;
    for (int64_t at = 0; at < total; at += POSITIONS) {
        int64_t n = lt_min_i64(POSITIONS, total - at);
        memset(sums, 0, (size_t)(rows * POSITIONS) * sizeof(T));
        for (int64_t k0 = 0; k0 < depth; k0 += DEPTH) {
            int64_t kn = lt_min_i64(DEPTH, depth - k0);
            FN(fill_panel)(p, k0, kn, at, n, panel);
            for (int64_t c0 = 0; c0 < p->out_channels; c0 += ROWS) {
                const T *w[ROWS];
                for (int64_t i = 0; i < ROWS; i++) /* the last rows may repeat: their sums are not used */
                    w[i] = FN(weight_row)(p, lt_min_i64(c0 + i, p->out_channels - 1), k0, kn,
                                          weights + i * DEPTH);
                for (int64_t j = 0; j < n; j += COLUMNS)
                    FN(multiply)(w, panel + j, kn, sums + c0 * POSITIONS + j);
            }
        }
        for (int64_t c = 0; c < p->out_channels; c++) FN(store_outputs)(p, c, at, n, sums + c * POSITIONS);
    }
}

/* sums[x] += what one row of the kernel adds to one row of outputs. */
static void FN(add_row)(const lt_conv_pass *p, int64_t channel, const int64_t at[2], const int64_t tap[2],
                        T *row, T *restrict sums)
{
    const lt_conv_dim *dx = &p->dim[2];
    const char *from = p->x + at[0] * p->x_step[1] + at[1] * p->x_step[2];
    const char *w = p->w + channel * p->w_step[0] +
                    (p->dim[0].tap + tap[0] * p->dim[0].tap_step) * p->w_step[2] +
                    (p->dim[1].tap + tap[1] * p->dim[1].tap_step) * p->w_step[3];
    const T *x = row;
    if (p->x_dtype == DTYPE && p->x_step[3] == (int64_t)sizeof(T)) x = (const T *)(const void *)from;
    else FN(lt_load)(p->x_dtype, from, p->x_step[3], dx->in_size, row);
    for (int64_t t = 0; t < dx->taps; t++) {
        int64_t first, end, offset = tap_offset(dx, t), step = dx->in_step;
        T weight;
        FN(lt_load)(p->w_dtype, w + (dx->tap + t * dx->tap_step) * p->w_step[4], 0, 1, &weight);
        readable_outputs(dx, offset, &first, &end);
        if (step == 1)
            for (int64_t j = first; j < end; j++) sums[j] += weight * x[j + offset];
        else
            for (int64_t j = first; j < end; j++) sums[j] += weight * x[j * step + offset];
    }
}

/* One input channel a group (depthwise): row by row, nothing is gathered. */
static void FN(pass_rows)(const lt_conv_pass *p, T *scratch)
{
    const lt_conv_dim *dz = &p->dim[0], *dy = &p->dim[1], *dx = &p->dim[2];
    T *row = scratch, *sums = row + dx->in_size;
    int64_t rows = dz->count * dy->count;
    for (int64_t channel = 0; channel < p->out_channels; channel++)
        for (int64_t r = 0; r < rows; r++) {
            memset(sums, 0, (size_t)dx->count * sizeof(T));
            for (int64_t t = 0; t < dz->taps * dy->taps; t++) {
                int64_t tap[2] = {t / dy->taps, t % dy->taps};
                int64_t at[2] = {r / dy->count * dz->in_step + tap_offset(dz, tap[0]),
                                 r % dy->count * dy->in_step + tap_offset(dy, tap[1])};
                if (at[0] >= 0 && at[0] < dz->in_size && at[1] >= 0 && at[1] < dy->in_size)
                    FN(add_row)(p, channel, at, tap, row, sums);
            }
            FN(store_outputs)(p, channel, r * dx->count, dx->count, sums);
        }
}

static void FN(run_pass)(const lt_conv_pass *p, void *scratch)
{
    if (p->channels == 1) FN(pass_rows)(p, scratch);
    else FN(pass_panels)(p, scratch);
}
