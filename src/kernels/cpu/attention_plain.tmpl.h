/* How attention multiplies values: in float32, whatever they are stored as. Part of attention_values.tmpl.h;
 * attention_pairs.tmpl.h is the other form. */

enum {
    TOGETHER = 1,  /* keys in a lane */
    THREE_WIDE = 3 /* vectors in a tile of results of three rows */
};

/* Gets the block's exponentials ready. */
LT_INLINE void take_weights(const lt_attend *t, lt_attend_state *s) { (void)t, (void)s; }

LT_INLINE vf weight_of(const lt_attend_state *s, int64_t row, int64_t k)
{
    return vf_set(s->scores[row * s->room + k]);
}

LT_INLINE vf add_product(vf weight, vf x, vf sum) { return vf_fma(weight, x, sum); }

/* `vectors` vectors of the values of TOGETHER keys from k on; zeros behind `left` columns. */
LT_INLINE void load_values(int type, const lt_values *b, int64_t k, int64_t column, int vectors, int64_t left,
                           vf *x)
{
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
        int64_t at = k * b->v_stride + column + j * LANES, there = left - j * LANES;
        x[j] = there > 0 ? load_left(type, b->v, at, there) : vf_zero();
    }
}
