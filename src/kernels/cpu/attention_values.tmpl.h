/* The values' part of attention: a block's values, times their weights, onto the results. Part of
 * attention.tmpl.h. */

/* The values of a block; or a panel of them (next NULL): WIDE vectors for each TOGETHER keys. `next`: the
 * keys of the next block, fetched meanwhile. */
typedef struct lt_values {
    const void *v, *next;
    int64_t v_stride, next_stride, n; /* elements from key to key; keys */
} lt_values;

#ifdef PAIRS
#include "kernels/cpu/attention_pairs.tmpl.h"
#else
#include "kernels/cpu/attention_plain.tmpl.h"
#endif

/* Of `count` columns, what key k needs fetched. */
LT_INLINE void fetch_values(const lt_values *b, int type, int64_t k, int64_t column, int64_t count)
{
    int64_t bytes = count * element_size(type);
    fetch_near(element_at(type, b->v, (k + VALUES_AHEAD) * b->v_stride + column), bytes);
    fetch(element_at(type, b->next, k * b->next_stride + column), bytes);
}

/* Adds the block's values to `rows` rows from `row` on, `vectors` of them from column `column` on, of which
 * `left` columns are there. */
LT_INLINE void value_tile(lt_attend_state *s, int type, int64_t row, int rows, int vectors, int64_t column,
                          const lt_values *b, int64_t left)
{
    vf acc[6][8];
    float *out = s->out + row * s->out_stride + column;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        vf fade = vf_set(s->fade[row + i]);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            acc[i][j] = vf_mul(fade, vf_load(out + i * s->out_stride + j * LANES));
    }
    for (int64_t k = 0; k < b->n; k += TOGETHER) {
        vf x[8];
        if (b->next) {
#pragma GCC unroll 2
            for (int l = 0; l < TOGETHER; l++) fetch_values(b, type, k + l, column, vectors * LANES);
            load_values(type, b, k, column, vectors, left, x);
        } else {
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++)
                x[j] = vf_load((const float *)b->v + (k / TOGETHER * WIDE + j) * LANES);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            vf weight = weight_of(s, row + i, k);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++) acc[i][j] = add_product(weight, x[j], acc[i][j]);
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
        value_tile(s, type, 0, rows, vectors, column, b, vectors * LANES);
    for (; column < t->value_dim; column += TOGETHER * LANES)
        value_tile(s, type, 0, rows, TOGETHER, column, b, t->value_dim - column);
}

/* A panel, to every row. */
static __attribute__((noinline)) void value_panel(lt_attend_state *s, int64_t rows, int64_t column,
                                                  const float *panel, int64_t n)
{
    const lt_values b = {.v = panel, .n = n};
    int64_t row = 0;
    for (; row + 6 <= rows; row += 6) value_tile(s, LT_GEMM_F32, row, 6, WIDE, column, &b, 0);
    switch (rows - row) {
    case 5: value_tile(s, LT_GEMM_F32, row, 5, WIDE, column, &b, 0); break;
    case 4: value_tile(s, LT_GEMM_F32, row, 4, WIDE, column, &b, 0); break;
    case 3: value_tile(s, LT_GEMM_F32, row, 3, WIDE, column, &b, 0); break;
    case 2: value_tile(s, LT_GEMM_F32, row, 2, WIDE, column, &b, 0); break;
    case 1: value_tile(s, LT_GEMM_F32, row, 1, WIDE, column, &b, 0); break;
    default: break;
    }
}

LT_INLINE void add_values(const lt_attend *t, lt_attend_state *s, int type, int64_t at, int64_t n)
{
    const lt_values b = {.v = element_at(type, t->v, at * t->v_stride),
                         .next = element_at(type, t->k, (at + n) * t->k_stride),
                         .v_stride = t->v_stride,
                         .next_stride = t->k_stride,
                         .n = n};
    if (type == LT_ATTEND_INT8) scale_keys(t, s, b.v, t->v_stride, n);
    take_weights(t, s);
    switch (t->rows) {
    case 1: value_columns(t, s, type, 1, 8, &b); return;
    case 2: value_columns(t, s, type, 2, 4, &b); return;
    case 3: value_columns(t, s, type, 3, THREE_WIDE, &b); return;
    case 4: value_columns(t, s, type, 4, FEW_WIDE, &b); return;
    case 5: value_columns(t, s, type, 5, FEW_WIDE, &b); return;
    case 6: value_columns(t, s, type, 6, FEW_WIDE, &b); return;
    default: break;
    }
    float panel[BLOCK_MAX * WIDE * LANES];
    for (int64_t column = 0; column < t->value_dim; column += WIDE * LANES) {
        for (int64_t k = 0; k < n; k += TOGETHER) {
            vf x[WIDE];
            load_values(type, &b, k, column, WIDE, t->value_dim - column, x);
            for (int j = 0; j < WIDE; j++) vf_store(panel + (k / TOGETHER * WIDE + j) * LANES, x[j]);
        }
        value_panel(s, t->rows, column, panel, n);
    }
}
