/* Rows of caches in 8 bits: how near they come, and attention that reads them. */
#include "cpu_case.h"

#include "ops/cache_row.h"

enum { ROWS = 5, SIZE = 300 };

static float value_of(const int8_t *row, int64_t i)
{
    return lt_cache_scale(row + LT_CACHE_SCALE) * row[LT_CACHE_SCALE + i];
}

/* Every value is off by half a scale at most, and the largest of a row by its own rounding alone. */
static void values_are_near(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    static const int turned[] = {1, 0};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++) {
        lt_case c = {.step = {.op = LT_OP_QUANTIZE_ROWS}};
        lt_tensor *x = add_permuted(&c, dtypes[d], 2, (int64_t[]){ROWS, SIZE}, turned, 3);
        add_outputs(&c);
        run_reference(&c);
        const int8_t *rows = c.args[1].tensor.data;
        for (int64_t r = 0; r < ROWS; r++, rows += LT_CACHE_SCALE + SIZE) {
            double most = 0, off = 0;
            for (int64_t i = 0; i < SIZE; i++) {
                double value = lathe_tensor_value(x, r * SIZE + i);
                most = fmax(most, fabs(value));
                off = fmax(off, fabs(value - (double)value_of(rows, i)));
            }
            assert_true(fabs((double)lt_cache_scale(rows + LT_CACHE_SCALE) * 127 - most) <= most * 1e-6);
            assert_true(off <= most / 127 * 0.5001);
        }
        free_case(&c);
    }
}

static void threads_share_rows(void **state)
{
    (void)state;
    lt_case c = {.step = {.op = LT_OP_QUANTIZE_ROWS}};
    add_input(&c, LATHE_BF16, 4, (int64_t[]){1, 3, 40, 64}, 1);
    check_case(&c, -1, "rows of int8");
}

/* A row of zeros stays one; a row with an infinity or a NaN does not become finite. */
static void special_rows(void **state)
{
    (void)state;
    static const float first[] = {0, INFINITY, -INFINITY, NAN};
    float x[LT_COUNT(first)][8] = {{0}};
    int8_t rows[LT_COUNT(first)][LT_CACHE_SCALE + 8];
    for (size_t r = 0; r < LT_COUNT(first); r++)
        for (int i = 0; i < 8; i++) x[r][i] = i == 3 ? first[r] : r ? (float)i : 0;
    const int64_t dim[] = {LT_COUNT(first), 8}, row_dim[] = {LT_COUNT(first), LT_CACHE_SCALE + 8};
    lt_type from = lt_type_make(LATHE_F32, 2, dim), to = lt_type_make(LATHE_I8, 2, row_dim);
    lt_tensor x_view = lt_tensor_of(&from, x), row_view = lt_tensor_of(&to, rows);
    lt_cache_rows_put(&x_view, &row_view);
    for (int i = 0; i < 8; i++) assert_true(value_of(rows[0], i) >= 0 && value_of(rows[0], i) <= 0);
    for (size_t r = 1; r < LT_COUNT(first); r++) assert_true(!isfinite(value_of(rows[r], 3)));
}

/* Over rows of int8, attention gives what it gives over the values that they stand for. */
static void attention_reads_values(void **state)
{
    (void)state;
    enum { KEYS = 70, DIM = 20 };
    static const int64_t q_dim[] = {1, 4, 3, DIM}, dim[] = {1, 2, KEYS, DIM};
    lt_case rows = {.step = {.op = LT_OP_SDPA, .attrs = {.sdpa = {.scale = 0.3}}}};
    lt_case plain = rows;
    memcpy(add_input(&rows, LATHE_F32, 4, q_dim, 1)->data, add_input(&plain, LATHE_F32, 4, q_dim, 1)->data,
           sizeof(float) * 4 * 3 * DIM);
    for (int i = 0; i < 2; i++) {
        float *values = add_input(&plain, LATHE_F32, 4, dim, 1)->data;
        int8_t *row = add_input(&rows, LATHE_I8, 4, (int64_t[]){1, 2, KEYS, LT_CACHE_SCALE + DIM}, 1)->data;
        lt_cache_rows_put(&plain.args[1 + i].tensor, &rows.args[1 + i].tensor);
        for (int64_t k = 0; k < 2 * KEYS; k++, row += LT_CACHE_SCALE + DIM)
            for (int64_t d = 0; d < DIM; d++) values[k * DIM + d] = value_of(row, d);
    }
    add_outputs(&rows);
    add_outputs(&plain);
    run_reference(&rows);
    run_reference(&plain);
    compare_output(&rows.args[3].tensor, plain.args[3].tensor.data, 1e-6, "attention over rows");
    free_case(&rows);
    free_case(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_near),
        cmocka_unit_test(threads_share_rows),
        cmocka_unit_test(special_rows),
        cmocka_unit_test(attention_reads_values),
    };
    return cmocka_run_group_tests(tests, make_cpus, destroy_cpus);
}
