/* Matrix products for one arithmetic class. Before including: T, DTYPE (the dtype that is a T), FN(name).
 * Three loops, by what the operands allow. All of them sum blocks of k apart before adding them up, which
 * keeps the rounding error of long sums down. */

/* Sixteen partial sums: a fixed order, and independent chains for the compiler to vectorise. */
static T FN(dot)(const T *restrict a, const T *restrict b, int64_t n)
{
    T acc[16] = {0};
    int64_t k = 0;
    for (; k + 16 <= n; k += 16)
        for (int j = 0; j < 16; j++) acc[j] += a[k + j] * b[k + j];
    for (int j = 0; k < n; k++, j++) acc[j] += a[k] * b[k];
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) acc[j] += acc[j + half];
    return acc[0];
}

/* A row as T: in place when it already is one, else loaded into `buffer`. */
static const T *FN(as_row)(lt_dtype dtype, const char *data, int64_t step, int64_t n, T *buffer)
{
    if (dtype == DTYPE && (step == (int64_t)sizeof(T) || n == 1)) return (const T *)(const void *)data;
    FN(lt_load)(dtype, data, step, n, buffer);
    return buffer;
}

static const T *FN(a_row)(const lt_product *p, int64_t m, int64_t k0, int64_t k1, T *buffer)
{
    return FN(as_row)(p->a_dtype, p->a + m * p->a_step[0] + k0 * p->a_step[1], p->a_step[1], k1, buffer);
}

/* k1 elements of row n, and n1 elements of column k. */
static const T *FN(b_row)(const lt_product *p, int64_t n, int64_t k0, int64_t k1, T *buffer)
{
    return FN(as_row)(p->b_dtype, p->b + n * p->b_step[0] + k0 * p->b_step[1], p->b_step[1], k1, buffer);
}

static const T *FN(b_column)(const lt_product *p, int64_t k, int64_t n0, int64_t n1, T *buffer)
{
    return FN(as_row)(p->b_dtype, p->b + n0 * p->b_step[0] + k * p->b_step[1], p->b_step[0], n1, buffer);
}

/* Adds the bias and stores n1 results of row m; `row` has room for n1 elements. */
static void FN(finish)(const lt_product *p, int64_t m, int64_t n0, int64_t n1, T *sums, T *row)
{
    if (p->bias) {
        FN(lt_load)(p->bias_dtype, p->bias + n0 * p->bias_step, p->bias_step, n1, row);
        for (int64_t j = 0; j < n1; j++) sums[j] += row[j];
    }
    FN(lt_store)(p->out_dtype, p->out + m * p->out_step[0] + n0 * p->out_step[1], p->out_step[1], n1, sums);
}

/* A few rows of a, and rows of b that lie along k: dot products. */
static void FN(few_by_rows)(const lt_product *p, T *scratch)
{
    T *a_buffer = scratch, *b_buffer = a_buffer + FEW * LONG, *sums = b_buffer + LONG;
    const T *a[FEW];
    for (int64_t n0 = 0; n0 < p->n; n0 += LONG) {
        int64_t n1 = lt_min_i64(LONG, p->n - n0);
        for (int64_t i = 0; i < p->m; i++) memset(sums + i * LONG, 0, (size_t)n1 * sizeof *sums);
        for (int64_t k0 = 0; k0 < p->k; k0 += LONG) {
            int64_t k1 = lt_min_i64(LONG, p->k - k0);
            for (int64_t i = 0; i < p->m; i++) a[i] = FN(a_row)(p, i, k0, k1, a_buffer + i * LONG);
            for (int64_t j = 0; j < n1; j++) {
                const T *b = FN(b_row)(p, n0 + j, k0, k1, b_buffer);
                for (int64_t i = 0; i < p->m; i++) sums[i * LONG + j] += FN(dot)(a[i], b, k1);
            }
        }
        for (int64_t i = 0; i < p->m; i++) FN(finish)(p, i, n0, n1, sums + i * LONG, b_buffer);
    }
}

/* A few rows of a, and b lies along n: its columns, four at a time, are added up. */
static void FN(few_by_columns)(const lt_product *p, T *scratch)
{
    enum { STEP = 4 };
    T *b_buffer = scratch, *sums = b_buffer + STEP * LONG, *a_buffer = sums + FEW * LONG;
    const T *b[STEP], *a[FEW];
    for (int64_t n0 = 0; n0 < p->n; n0 += LONG) {
        int64_t n1 = lt_min_i64(LONG, p->n - n0);
        for (int64_t i = 0; i < p->m; i++) memset(sums + i * LONG, 0, (size_t)n1 * sizeof *sums);
        for (int64_t k0 = 0; k0 < p->k; k0 += STEP) {
            int64_t k1 = lt_min_i64(STEP, p->k - k0);
            for (int64_t s = 0; s < k1; s++) b[s] = FN(b_column)(p, k0 + s, n0, n1, b_buffer + s * LONG);
            for (int64_t i = 0; i < p->m; i++) {
                T *restrict to = sums + i * LONG;
                a[i] = FN(a_row)(p, i, k0, k1, a_buffer);
                const T *x = a[i];
                if (k1 == STEP)
                    for (int64_t j = 0; j < n1; j++)
                        to[j] += (x[0] * b[0][j] + x[1] * b[1][j]) + (x[2] * b[2][j] + x[3] * b[3][j]);
                else
                    for (int64_t s = 0; s < k1; s++)
                        for (int64_t j = 0; j < n1; j++) to[j] += x[s] * b[s][j];
            }
        }
        for (int64_t i = 0; i < p->m; i++) FN(finish)(p, i, n0, n1, sums + i * LONG, b_buffer);
    }
}

/* Packs k1 x n1 elements of b into panels of PANEL columns, [k][PANEL] each; columns behind n1 are zero. */
static void FN(pack)(const lt_product *p, int64_t n0, int64_t n1, int64_t k0, int64_t k1, T *row, T *packed)
{
    if (n1 < COLUMNS) memset(packed, 0, COLUMNS * BLOCK * sizeof *packed);
    if (llabs(p->b_step[1]) <= llabs(p->b_step[0])) {
        for (int64_t j = 0; j < n1; j++) {
            const T *b = FN(b_row)(p, n0 + j, k0, k1, row);
            T *restrict to = packed + j / PANEL * PANEL * BLOCK + j % PANEL;
            for (int64_t k = 0; k < k1; k++) to[k * PANEL] = b[k];
        }
        return;
    }
    for (int64_t k = 0; k < k1; k++) {
        const T *b = FN(b_column)(p, k0 + k, n0, n1, row);
        for (int64_t j = 0; j < n1; j += PANEL) {
            T *restrict to = packed + j * BLOCK + k * PANEL;
            if (n1 - j >= PANEL)
                for (int64_t i = 0; i < PANEL; i++) to[i] = b[j + i];
            else
                for (int64_t i = 0; i < n1 - j; i++) to[i] = b[j + i];
        }
    }
}

/* ROWS x PANEL sums of k1 products each, added to `sums` (rows lie COLUMNS apart). Vectors keep them in
 * registers. */
typedef T FN(lanes) __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));

static void FN(panel)(const T *const *a, const T *restrict b, int64_t k1, T *restrict sums)
{
    enum { LANES = 16 / sizeof(T), VECTORS = PANEL / LANES };
    FN(lanes) acc[ROWS][VECTORS] = {{{0}}};
    for (int64_t k = 0; k < k1; k++)
        for (int j = 0; j < VECTORS; j++) {
            FN(lanes) x = *(const FN(lanes) *)(b + k * PANEL + j * LANES);
            for (int i = 0; i < ROWS; i++) acc[i][j] += a[i][k] * x;
        }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++) *(FN(lanes) *)(sums + i * COLUMNS + j * LANES) += acc[i][j];
}

/* Many rows of a: blocks of b are packed once for MANY rows. */
static void FN(many)(const lt_product *p, T *scratch)
{
    T *packed = scratch, *sums = packed + COLUMNS * BLOCK, *a_buffer = sums + MANY * COLUMNS,
      *row = a_buffer + ROWS * BLOCK;
    const T *a[ROWS];
    for (int64_t m0 = 0; m0 < p->m; m0 += MANY) {
        int64_t m1 = lt_min_i64(MANY, p->m - m0);
        for (int64_t n0 = 0; n0 < p->n; n0 += COLUMNS) {
            int64_t n1 = lt_min_i64(COLUMNS, p->n - n0);
            memset(sums, 0, MANY * COLUMNS * sizeof *sums); /* also the rows behind the last */
            for (int64_t k0 = 0; k0 < p->k; k0 += BLOCK) {
                int64_t k1 = lt_min_i64(BLOCK, p->k - k0);
                FN(pack)(p, n0, n1, k0, k1, row, packed);
                for (int64_t i = 0; i < m1; i += ROWS) {
                    for (int r = 0; r < ROWS; r++) /* rows behind the last repeat it; nobody reads them */
                        a[r] = FN(a_row)(p, m0 + lt_min_i64(i + r, m1 - 1), k0, k1, a_buffer + r * BLOCK);
                    for (int64_t j = 0; j < n1; j += PANEL)
                        FN(panel)(a, packed + j * BLOCK, k1, sums + i * COLUMNS + j);
                }
            }
            for (int64_t i = 0; i < m1; i++) FN(finish)(p, m0 + i, n0, n1, sums + i * COLUMNS, row);
        }
    }
}

static void FN(product)(const lt_product *p, T *scratch)
{
    if (p->m > FEW) FN(many)(p, scratch);
    else if (llabs(p->b_step[1]) <= llabs(p->b_step[0])) FN(few_by_rows)(p, scratch);
    else FN(few_by_columns)(p, scratch);
}
