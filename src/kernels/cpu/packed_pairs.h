/* The quads of packed.tmpl.h for processors that multiply pairs of 16-bit integers: a quad is its even
 * columns and its odd ones, because bytes are widened in place most easily. Over even_bytes, odd_bytes and
 * dot_16 of a level. With BYTE_DOTS integers of 8 digits are bytes, which dot_8 multiplies with
 * unsigned_bytes of the weights; else they are 16 bits wide like the others. */
#ifndef LT_PACKED_PAIRS_H
#define LT_PACKED_PAIRS_H

#define AS_BYTES(digits) (BYTE_DOTS && (digits) == LT_DIGITS_8)
#define UNSIGNED_BIAS(digits) (AS_BYTES(digits) ? 128 : 0)

typedef struct quad {
    vi even, odd; /* bytes: `even` alone */
} quad;
typedef vi acc;

LT_INLINE acc acc_start(int32_t first) { return vi_set(first); }
LT_INLINE vi acc_sum(int digits, acc sum)
{
    (void)digits;
    return sum;
}

LT_INLINE quad quad_of_weights(int digits, vb bytes, bool is_signed)
{
#if BYTE_DOTS
    if (AS_BYTES(digits)) return (quad){.even = unsigned_bytes(bytes, is_signed)};
#endif
    (void)digits;
    return (quad){even_bytes(bytes, is_signed), odd_bytes(bytes, is_signed)};
}

/* Four bytes of x in all lanes. */
LT_INLINE vi word_at(const void *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return vi_set(word);
}

LT_INLINE quad quad_of_x(int digits, const lt_xgroup *group, int q)
{
    const char *at = (const char *)group->value;
    if (AS_BYTES(digits)) return (quad){.even = word_at(at + 4 * q)};
    return (quad){word_at(at + 8 * q), word_at(at + 8 * q + 4)};
}

LT_INLINE acc dot(int digits, acc sum, quad w, quad x)
{
#if BYTE_DOTS
    if (AS_BYTES(digits)) return dot_8(sum, w.even, x.even);
#endif
    (void)digits;
    return dot_16(dot_16(sum, w.even, x.even), w.odd, x.odd);
}

LT_INLINE void order_x(int digits, const int32_t *values, lt_xgroup *group)
{
    int8_t *bytes = (int8_t *)group->value;
    if (AS_BYTES(digits)) {
        for (int i = 0; i < LT_GROUP; i++) bytes[i] = (int8_t)values[i];
        return;
    }
    for (int i = 0; i < LT_GROUP; i += 4) {
        group->value[i] = (int16_t)values[i];
        group->value[i + 1] = (int16_t)values[i + 2];
        group->value[i + 2] = (int16_t)values[i + 1];
        group->value[i + 3] = (int16_t)values[i + 3];
    }
}

#endif
