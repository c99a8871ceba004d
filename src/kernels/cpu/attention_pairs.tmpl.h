/* The values' part of attention in products of bfloat16 pairs: a lane takes two keys at once. Weights are
 * rounded to bfloat16 for it, as PyTorch's own kernels do; they are summed before. Part of attention.tmpl.h.
 */

enum { COUPLE = 2 * LANES }; /* columns of a vector of bfloat16, and of two of results */

/* The block's exponentials as bfloat16. */
static void round_weights(const lt_attend *t, lt_attend_state *s)
{
    for (int64_t i = 0; i < t->rows * s->room; i += COUPLE)
        vf_store_as_bf16(s->weights + i, vf_load(s->scores + i), vf_load(s->scores + i + LANES));
}

/* `couples` columns' worth of keys k and k + 1 side by side; behind the last key, zeros. */
LT_INLINE void join_values(const lt_values *b, int64_t k, int64_t column, int couples, int64_t left, vf *x)
{
#pragma GCC unroll 4
    for (int j = 0; j < couples; j++) {
        const uint16_t *at = (const uint16_t *)b->v + k * b->v_stride + column + j * COUPLE;
        vf second = k + 1 < b->n ? vf_load_halves(at + b->v_stride, left) : vf_zero();
        vf_join_rows(vf_load_halves(at, left), second, x + 2 * j);
    }
}

/* Adds the block's values to `rows` rows from `row` on, to 32 `couples` columns from `column` on. `panel`:
 * the values of one couple, side by side already; or NULL. */
LT_INLINE void pair_tile(lt_attend_state *s, int64_t row, int rows, int couples, int64_t column,
                         const lt_values *b, const float *panel, int64_t left)
{
    vf acc[6][8];
    float *out = s->out + row * s->out_stride + column;
    const uint16_t *p = s->weights + row * s->room;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        vf fade = vf_set(s->fade[row + i]);
#pragma GCC unroll 8
        for (int j = 0; j < 2 * couples; j++)
            acc[i][j] = vf_mul(fade, vf_load(out + i * s->out_stride + j * LANES));
    }
    for (int64_t k = 0; k < b->n; k += 2) {
        vf x[8];
        if (panel) {
            x[0] = vf_load(panel + k * LANES);
            x[1] = vf_load(panel + (k + 1) * LANES);
        } else {
            fetch_values(b, LT_GEMM_BF16, k, column, couples * COUPLE);
            fetch_values(b, LT_GEMM_BF16, k + 1, column, couples * COUPLE);
            join_values(b, k, column, couples, left, x);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            vf weight = vf_set_pair(p + i * s->room + k);
#pragma GCC unroll 8
            for (int j = 0; j < 2 * couples; j++) acc[i][j] = vf_fma_pairs(weight, x[j], acc[i][j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < 2 * couples; j++) vf_store(out + i * s->out_stride + j * LANES, acc[i][j]);
}

/* All columns of a few rows. */
LT_INLINE void pair_columns(const lt_attend *t, lt_attend_state *s, int rows, int couples, const lt_values *b)
{
    int64_t column = 0;
    for (; column + couples * COUPLE <= t->value_dim; column += couples * COUPLE)
        pair_tile(s, 0, rows, couples, column, b, NULL, COUPLE);
    for (; column < t->value_dim; column += COUPLE)
        pair_tile(s, 0, rows, 1, column, b, NULL, t->value_dim - column);
}

/* A panel of 32 columns, to every row. */
static __attribute__((noinline)) void pair_panel(lt_attend_state *s, int64_t rows, int64_t column,
                                                 const lt_values *b, const float *panel)
{
    int64_t row = 0;
    for (; row + 6 <= rows; row += 6) pair_tile(s, row, 6, 1, column, b, panel, 0);
    switch (rows - row) {
    case 5: pair_tile(s, row, 5, 1, column, b, panel, 0); break;
    case 4: pair_tile(s, row, 4, 1, column, b, panel, 0); break;
    case 3: pair_tile(s, row, 3, 1, column, b, panel, 0); break;
    case 2: pair_tile(s, row, 2, 1, column, b, panel, 0); break;
    case 1: pair_tile(s, row, 1, 1, column, b, panel, 0); break;
    default: break;
    }
}

LT_INLINE void add_values(const lt_attend *t, lt_attend_state *s, int type, int64_t at, int64_t n)
{
    const lt_values b = values_at(t, type, at, n);
    round_weights(t, s);
    switch (t->rows) {
    case 1: pair_columns(t, s, 1, 4, &b); return;
    case 2: pair_columns(t, s, 2, 2, &b); return;
    case 3: pair_columns(t, s, 3, 2, &b); return;
    case 4: pair_columns(t, s, 4, 2, &b); return;
    case 5: pair_columns(t, s, 5, 2, &b); return;
    case 6: pair_columns(t, s, 6, 2, &b); return;
    default: break;
    }
    float panel[BLOCK_MAX * LANES];
    for (int64_t column = 0; column < t->value_dim; column += COUPLE) {
        for (int64_t k = 0; k < n; k += 2) {
            vf x[2];
            join_values(&b, k, column, 1, t->value_dim - column, x);
            vf_store(panel + k * LANES, x[0]);
            vf_store(panel + (k + 1) * LANES, x[1]);
        }
        pair_panel(s, t->rows, column, &b, panel);
    }
}
