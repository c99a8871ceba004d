/* The values' part of attention, in float32. Part of attention.tmpl.h; attention_pairs.tmpl.h is its other
 * form. */

/* Adds the block's values to `rows` rows from `row` on, `vectors` of them from column `column` on. */
LT_INLINE void value_tile(lt_attend_state *s, int type, int64_t row, int rows, int vectors, int64_t column,
                          const lt_values *b, int64_t left)
{
    vf acc[6][8];
    float *out = s->out + row * s->out_stride + column;
    const float *p = s->scores + row * s->room;
    int64_t first = b->next ? column : 0;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        vf fade = vf_set(s->fade[row + i]);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            acc[i][j] = vf_mul(fade, vf_load(out + i * s->out_stride + j * LANES));
    }
    for (int64_t k = 0; k < b->n; k++) {
        vf x[8];
        if (b->next) fetch_values(b, type, k, column, vectors * LANES);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            int64_t at = k * b->v_stride + first + j * LANES;
            x[j] = vectors == 1 ? load_left(type, b->v, at, left) : load_as(type, b->v, at);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            vf weight = vf_set(p[i * s->room + k]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++) acc[i][j] = vf_fma(weight, x[j], acc[i][j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) vf_store(out + i * s->out_stride + j * LANES, acc[i][j]);
}

/* All columns of a few rows. */
LT_INLINE void value_columns(const lt_attend *t, lt_attend_state *s, int type, int rows, int vectors,
                             const lt_values *b)
{
    int64_t column = 0;
    for (; column + vectors * LANES <= t->value_dim; column += vectors * LANES)
        value_tile(s, type, 0, rows, vectors, column, b, LANES);
    for (; column < t->value_dim; column += LANES)
        value_tile(s, type, 0, rows, 1, column, b, t->value_dim - column);
}

/* One panel of WIDE vectors of every row; likewise. */
static __attribute__((noinline)) void value_panel(lt_attend_state *s, int64_t rows, int64_t column,
                                                  const float *panel, int64_t n)
{
    const lt_values b = {.v = panel, .v_stride = WIDE * LANES, .n = n};
    int64_t row = 0;
    for (; row + 6 <= rows; row += 6) value_tile(s, LT_GEMM_F32, row, 6, WIDE, column, &b, LANES);
    switch (rows - row) {
    case 5: value_tile(s, LT_GEMM_F32, row, 5, WIDE, column, &b, LANES); break;
    case 4: value_tile(s, LT_GEMM_F32, row, 4, WIDE, column, &b, LANES); break;
    case 3: value_tile(s, LT_GEMM_F32, row, 3, WIDE, column, &b, LANES); break;
    case 2: value_tile(s, LT_GEMM_F32, row, 2, WIDE, column, &b, LANES); break;
    case 1: value_tile(s, LT_GEMM_F32, row, 1, WIDE, column, &b, LANES); break;
    default: break;
    }
}

LT_INLINE void add_values(const lt_attend *t, lt_attend_state *s, int type, int64_t at, int64_t n)
{
    const lt_values b = values_at(t, type, at, n);
    if (type == LT_ATTEND_INT8) scale_keys(t, s, b.v, t->v_stride, n);
    switch (t->rows) {
    case 1: value_columns(t, s, type, 1, 8, &b); return;
    case 2: value_columns(t, s, type, 2, 4, &b); return;
    case 3: value_columns(t, s, type, 3, 3, &b); return;
    case 4: value_columns(t, s, type, 4, FEW_WIDE, &b); return;
    case 5: value_columns(t, s, type, 5, FEW_WIDE, &b); return;
    case 6: value_columns(t, s, type, 6, FEW_WIDE, &b); return;
    default: break;
    }
    float panel[BLOCK_MAX * WIDE * LANES];
    for (int64_t column = 0; column < t->value_dim; column += WIDE * LANES) {
        for (int64_t k = 0; k < n; k++)
            for (int j = 0; j < WIDE; j++) {
                int64_t c = column + j * LANES, left = t->value_dim - c;
                vf x = left > 0 ? load_left(type, b.v, k * t->v_stride + c, left) : vf_zero();
                vf_store(panel + (k * WIDE + j) * LANES, x);
            }
        value_panel(s, t->rows, column, panel, n);
    }
}
