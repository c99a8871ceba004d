/* One small function per block type. A block of 32 values has one scale (and perhaps a minimum); a "K" block
 * of 256 values has sub-blocks of 16 or 32 whose small integer scales share one scale. Multiplications and
 * additions are rounded one by one, in the order of the formats' own reference code. */
#include "load/dequant.h"

#include <string.h>

#include "base/half.h"

enum { SUPER = 256 /* values of a K block */ };

static float get_f16(const uint8_t *at) { return lt_f16_to_f32((uint16_t)(at[0] | at[1] << 8)); }

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- Blocks of 32: low nibbles are the first half, high nibbles the second ---- */

static void dequantize_q4_0(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 18, out += 32) {
        float d = get_f16(block);
        const uint8_t *q = block + 2;
        for (int i = 0; i < 16; i++) {
            out[i] = (float)((q[i] & 15) - 8) * d;
            out[i + 16] = (float)((q[i] >> 4) - 8) * d;
        }
    }
}

static void dequantize_q4_1(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 20, out += 32) {
        float d = get_f16(block), m = get_f16(block + 2);
        const uint8_t *q = block + 4;
        for (int i = 0; i < 16; i++) {
            out[i] = (float)(q[i] & 15) * d + m;
            out[i + 16] = (float)(q[i] >> 4) * d + m;
        }
    }
}

/* The fifth bits of values 0..31 are the bits of one word. */
static void dequantize_q5_0(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 22, out += 32) {
        float d = get_f16(block);
        uint32_t high = get_u32(block + 2);
        const uint8_t *q = block + 6;
        for (int i = 0; i < 16; i++) {
            out[i] = (float)((int)((q[i] & 15) | (high >> i & 1) << 4) - 16) * d;
            out[i + 16] = (float)((int)((q[i] >> 4) | (high >> (i + 16) & 1) << 4) - 16) * d;
        }
    }
}

static void dequantize_q5_1(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 24, out += 32) {
        float d = get_f16(block), m = get_f16(block + 2);
        uint32_t high = get_u32(block + 4);
        const uint8_t *q = block + 8;
        for (int i = 0; i < 16; i++) {
            out[i] = (float)(int)((q[i] & 15) | (high >> i & 1) << 4) * d + m;
            out[i + 16] = (float)(int)((q[i] >> 4) | (high >> (i + 16) & 1) << 4) * d + m;
        }
    }
}

static void dequantize_q8_0(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 34, out += 32) {
        float d = get_f16(block);
        for (int i = 0; i < 32; i++) out[i] = (float)(int8_t)block[2 + i] * d;
    }
}

const int8_t lt_iq4_grid[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static void dequantize_iq4_nl(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 18, out += 32) {
        float d = get_f16(block);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)lt_iq4_grid[block[2 + i] & 15];
            out[i + 16] = d * (float)lt_iq4_grid[block[2 + i] >> 4];
        }
    }
}

/* ---- Blocks of 256 ---- */

/* 16 bytes of 4-bit scale and 4-bit minimum, 64 bytes of 2-bit values, scale, scale of the minima. */
static void dequantize_q2_k(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 84) {
        const uint8_t *scale = block, *q = block + 16;
        float d = get_f16(block + 80), dmin = get_f16(block + 82);
        for (int half = 0; half < 2; half++, q += 32)
            for (int shift = 0; shift < 8; shift += 2)
                for (int part = 0; part < 32; part += 16, scale++, out += 16) {
                    float dl = d * (float)(*scale & 15), ml = dmin * (float)(*scale >> 4);
                    for (int i = 0; i < 16; i++) out[i] = dl * (float)(q[part + i] >> shift & 3) - ml;
                }
    }
}

void lt_unpack_q3_scales(const uint8_t *packed, int8_t scale[16])
{
    for (int i = 0; i < 16; i++) {
        int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        int high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
        scale[i] = (int8_t)((low | high << 4) - 32);
    }
}

/* 32 bytes of third bits (clear means "minus 4"), 64 bytes of 2-bit values, scales, scale. */
static void dequantize_q3_k(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 110) {
        const uint8_t *mask = block, *q = block + 32;
        float d = get_f16(block + 108);
        int8_t scales[16], *scale = scales;
        lt_unpack_q3_scales(block + 96, scales);
        for (int bit = 0; bit < 8; bit++) {
            const uint8_t *low = q + bit / 4 * 32;
            for (int part = 0; part < 32; part += 16, scale++, out += 16) {
                float dl = d * (float)*scale;
                for (int i = 0; i < 16; i++) {
                    int minus = (mask[part + i] >> bit & 1) ? 0 : 4;
                    out[i] = dl * (float)((low[part + i] >> (bit % 4 * 2) & 3) - minus);
                }
            }
        }
    }
}

void lt_unpack_k_scales(const uint8_t *packed, uint8_t scale[8], uint8_t min[8])
{
    for (int i = 0; i < 4; i++) {
        scale[i] = packed[i] & 63;
        min[i] = packed[i + 4] & 63;
        scale[i + 4] = (uint8_t)((packed[i + 8] & 15) | packed[i] >> 6 << 4);
        min[i + 4] = (uint8_t)(packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4);
    }
}

/* Scale, scale of the minima, scales, 128 bytes of nibbles: 32 low ones, then 32 high ones. */
static void dequantize_q4_k(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 144) {
        float d = get_f16(block), dmin = get_f16(block + 2);
        uint8_t scale[8], min[8];
        lt_unpack_k_scales(block + 4, scale, min);
        const uint8_t *q = block + 16;
        for (int s = 0; s < 8; s += 2, q += 32, out += 64) {
            float d0 = d * (float)scale[s], m0 = dmin * (float)min[s];
            float d1 = d * (float)scale[s + 1], m1 = dmin * (float)min[s + 1];
            for (int i = 0; i < 32; i++) {
                out[i] = d0 * (float)(q[i] & 15) - m0;
                out[i + 32] = d1 * (float)(q[i] >> 4) - m1;
            }
        }
    }
}

/* As Q4_K, with 32 bytes of fifth bits (bit s for sub-block s) before the nibbles. */
static void dequantize_q5_k(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 176) {
        float d = get_f16(block), dmin = get_f16(block + 2);
        uint8_t scale[8], min[8];
        lt_unpack_k_scales(block + 4, scale, min);
        const uint8_t *high = block + 16, *q = block + 48;
        for (int s = 0; s < 8; s += 2, q += 32, out += 64) {
            float d0 = d * (float)scale[s], m0 = dmin * (float)min[s];
            float d1 = d * (float)scale[s + 1], m1 = dmin * (float)min[s + 1];
            for (int i = 0; i < 32; i++) {
                out[i] = d0 * (float)((q[i] & 15) | (high[i] >> s & 1) << 4) - m0;
                out[i + 32] = d1 * (float)((q[i] >> 4) | (high[i] >> (s + 1) & 1) << 4) - m1;
            }
        }
    }
}

/* 128 bytes of low nibbles, 64 bytes of upper pairs, 16 signed scales, scale. */
static void dequantize_q6_k(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 210) {
        const uint8_t *low = block, *high = block + 128;
        const int8_t *scale = (const int8_t *)block + 192;
        float d = get_f16(block + 208);
        for (int half = 0; half < 2; half++, low += 64, high += 32)
            for (int quarter = 0; quarter < 4; quarter++)
                for (int part = 0; part < 32; part += 16, scale++, out += 16) {
                    const uint8_t *l = low + quarter % 2 * 32 + part, *h = high + part;
                    float dl = d * (float)*scale;
                    for (int i = 0; i < 16; i++) {
                        int q = (l[i] >> (quarter / 2 * 4) & 15) | (h[i] >> (quarter * 2) & 3) << 4;
                        out[i] = dl * (float)(q - 32);
                    }
                }
    }
}

/* Scale, upper pairs of 8 scales, their low nibbles, 8 sub-blocks as in IQ4_NL. */
static void dequantize_iq4_xs(const uint8_t *block, int64_t n, float *out)
{
    for (; n > 0; n--, block += 136) {
        float d = get_f16(block);
        const uint8_t *low = block + 4, *q = block + 8;
        unsigned high = block[2] | (unsigned)block[3] << 8;
        for (int s = 0; s < 8; s++, q += 16, out += 32) {
            int scale = (low[s / 2] >> (s % 2 * 4) & 15) | (int)(high >> (2 * s) & 3) << 4;
            float dl = d * (float)(scale - 32);
            for (int i = 0; i < 16; i++) {
                out[i] = dl * (float)lt_iq4_grid[q[i] & 15];
                out[i + 16] = dl * (float)lt_iq4_grid[q[i] >> 4];
            }
        }
    }
}

#define PLAIN(id, dtype, bytes)                   \
    {                                             \
        id, #dtype, 1, bytes, LATHE_##dtype, NULL \
    }
#define BLOCKS(id, name, elements, bytes, function)    \
    {                                                  \
        id, name, elements, bytes, LATHE_F32, function \
    }
#define KNOWN(id, name, elements, bytes)                   \
    {                                                      \
        id, name, elements, bytes, LATHE_DTYPE_COUNT, NULL \
    }

static const lt_ggml_type types[] = {
    PLAIN(0, F32, 4),
    PLAIN(1, F16, 2),
    PLAIN(24, I8, 1),
    PLAIN(25, I16, 2),
    PLAIN(26, I32, 4),
    PLAIN(27, I64, 8),
    PLAIN(28, F64, 8),
    PLAIN(30, BF16, 2),
    BLOCKS(2, "Q4_0", 32, 18, dequantize_q4_0),
    BLOCKS(3, "Q4_1", 32, 20, dequantize_q4_1),
    BLOCKS(6, "Q5_0", 32, 22, dequantize_q5_0),
    BLOCKS(7, "Q5_1", 32, 24, dequantize_q5_1),
    BLOCKS(8, "Q8_0", 32, 34, dequantize_q8_0),
    BLOCKS(10, "Q2_K", SUPER, 84, dequantize_q2_k),
    BLOCKS(11, "Q3_K", SUPER, 110, dequantize_q3_k),
    BLOCKS(12, "Q4_K", SUPER, 144, dequantize_q4_k),
    BLOCKS(13, "Q5_K", SUPER, 176, dequantize_q5_k),
    BLOCKS(14, "Q6_K", SUPER, 210, dequantize_q6_k),
    BLOCKS(20, "IQ4_NL", 32, 18, dequantize_iq4_nl),
    BLOCKS(23, "IQ4_XS", SUPER, 136, dequantize_iq4_xs),
    KNOWN(9, "Q8_1", 32, 36),
    KNOWN(15, "Q8_K", SUPER, 292),
    KNOWN(16, "IQ2_XXS", SUPER, 66),
    KNOWN(17, "IQ2_XS", SUPER, 74),
    KNOWN(18, "IQ3_XXS", SUPER, 98),
    KNOWN(19, "IQ1_S", SUPER, 50),
    KNOWN(21, "IQ3_S", SUPER, 110),
    KNOWN(22, "IQ2_S", SUPER, 82),
    KNOWN(29, "IQ1_M", SUPER, 56),
    KNOWN(34, "TQ1_0", SUPER, 54),
    KNOWN(35, "TQ2_0", SUPER, 66),
    KNOWN(39, "MXFP4", 32, 17),
};

const lt_ggml_type *lt_ggml_type_find(uint32_t id)
{
    for (size_t i = 0; i < LT_COUNT(types); i++)
        if (types[i].id == id) return &types[i];
    return NULL;
}
