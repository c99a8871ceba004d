/* Rows times rows for one arithmetic class. Before including: T, DTYPE (the dtype that is a T), FN(name). */

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
static const T *FN(as_row)(const char *data, lt_dtype dtype, int64_t step, int64_t n, T *buffer)
{
    if (dtype == DTYPE && (step == (int64_t)sizeof(T) || n == 1)) return (const T *)(const void *)data;
    FN(lt_load)(dtype, data, step, n, buffer);
    return buffer;
}

/* One matrix: out[m, n] = sum over k of a[m, k] * b[n, k] (+ bias[n]). */
static void FN(product)(const lt_product *p, T *scratch)
{
    T tile[ROWS][COLUMNS];
    const T *rows[ROWS];
    T *b_buffer = scratch, *a_buffer = scratch + p->k;
    for (int64_t m0 = 0; m0 < p->m; m0 += ROWS) {
        int64_t m1 = lt_min_i64(ROWS, p->m - m0);
        for (int64_t i = 0; i < m1; i++)
            rows[i] = FN(as_row)(p->a + (m0 + i) * p->a_step[0], p->a_dtype, p->a_step[1], p->k,
                                 a_buffer + i * p->k);
        for (int64_t n0 = 0; n0 < p->n; n0 += COLUMNS) {
            int64_t n1 = lt_min_i64(COLUMNS, p->n - n0);
            for (int64_t j = 0; j < n1; j++) {
                const T *b =
                    FN(as_row)(p->b + (n0 + j) * p->b_step[0], p->b_dtype, p->b_step[1], p->k, b_buffer);
                T bias = 0;
                if (p->bias) FN(lt_load)(p->bias_dtype, p->bias + (n0 + j) * p->bias_step, 0, 1, &bias);
                for (int64_t i = 0; i < m1; i++) tile[i][j] = FN(dot)(rows[i], b, p->k) + bias;
            }
            for (int64_t i = 0; i < m1; i++) FN(lt_store)
            (p->out_dtype, p->out + (m0 + i) * p->out_step[0] + n0 * p->out_step[1], p->out_step[1], n1,
             tile[i]);
        }
    }
}
