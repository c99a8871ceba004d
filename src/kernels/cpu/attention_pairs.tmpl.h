/* How attention multiplies values: in products of bfloat16 pairs, a lane takes two keys at once. Weights are
 * rounded to bfloat16 for it, as PyTorch's own kernels do; they are summed before. Part of
 * attention_values.tmpl.h; attention_plain.tmpl.h is the other form and says what the functions are for. */

enum { TOGETHER = 2, THREE_WIDE = 4 };

LT_INLINE void take_weights(const lt_attend *t, lt_attend_state *s)
{
    for (int64_t i = 0; i < t->rows * s->room; i += 2 * LANES)
        vf_store_as_bf16(s->weights + i, vf_load(s->scores + i), vf_load(s->scores + i + LANES));
}

LT_INLINE vf weight_of(const lt_attend_state *s, int64_t row, int64_t k)
{
    return vf_set_pair(s->weights + row * s->room + k);
}

LT_INLINE vf add_product(vf weight, vf x, vf sum) { return vf_fma_pairs(weight, x, sum); }

/* A vector of bfloat16 of each key gives two vectors of pairs. Behind the last key there are zeros. */
LT_INLINE void load_values(int type, const lt_values *b, int64_t k, int64_t column, int vectors, int64_t left,
                           vf *x)
{
    (void)type;
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j += 2) {
        const uint16_t *at = (const uint16_t *)b->v + k * b->v_stride + column + j * LANES;
        vf second = k + 1 < b->n ? vf_load_halves(at + b->v_stride, left - j * LANES) : vf_zero();
        vf_join_rows(vf_load_halves(at, left - j * LANES), second, x + j);
    }
}
