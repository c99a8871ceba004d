/* Rows into packed order and back, element by element. */
#include "kernels/packed.h"

#include <string.h>

#include "base/half.h"

enum { QUAD = 4, QUAD_BYTES = QUAD * LT_PANEL, QUADS = LT_GROUP / QUAD };

/* Where a block lies, and how many groups it has. */
static uint8_t *block_at(const lt_packed *w, int64_t row, int64_t block, int64_t *groups)
{
    const lt_packing_info *info = &lt_packing_table[w->packing];
    int64_t left = lt_packed_groups(w->k) - block * info->block_groups;
    *groups = lt_min_i64(left, info->block_groups);
    return w->data + row / LT_PANEL * lt_packed_panel_bytes(w->packing, w->k) +
           block * (info->header_bytes + info->block_groups * info->group_bytes);
}

static void put_u16(uint8_t *at, uint16_t value) { memcpy(at, &value, sizeof value); }

static uint16_t get_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* ---- Headers ---- */

/* Four groups' 6-bit numbers of a row: three bytes, whose upper pairs are the fourth. */
static void put_6bit(uint8_t *at, int64_t r, const int8_t value[4])
{
    for (int i = 0; i < 3; i++) at[16 * i + r] = (uint8_t)(value[i] | (value[3] >> (2 * i) & 3) << 6);
}

static void get_6bit(const uint8_t *at, int64_t r, int8_t value[4])
{
    value[3] = 0;
    for (int i = 0; i < 3; i++) {
        value[i] = (int8_t)(at[16 * i + r] & 63);
        value[3] = (int8_t)(value[3] | at[16 * i + r] >> 6 << (2 * i));
    }
}

static void put_header(lt_packing packing, uint8_t *at, int64_t r, const lt_block_row *from)
{
    put_u16(at + 2 * r, from->scale[0]);
    switch (packing) {
    case LT_PACK_INT4_MIN:
        for (int g = 0; g < 2; g++) put_u16(at + 64 + 32 * g + 2 * r, from->min[g]);
        /* fall through */
    case LT_PACK_INT8:
    case LT_PACK_INT4: put_u16(at + 32 + 2 * r, from->scale[1]); break;
    case LT_PACK_INT4_K:
        put_u16(at + 32 + 2 * r, from->min[0]);
        for (int half = 0; half < 2; half++) {
            put_6bit(at + 64 + 48 * half, r, from->sub_scale + 4 * half);
            put_6bit(at + 160 + 48 * half, r, from->sub_min + 4 * half);
        }
        break;
    default:
        for (int i = 0; i < LT_BLOCK_HALVES; i++) at[32 + 16 * i + r] = (uint8_t)from->sub_scale[i];
        break;
    }
}

static void get_header(lt_packing packing, const uint8_t *at, int64_t r, lt_block_row *to)
{
    to->scale[0] = get_u16(at + 2 * r);
    switch (packing) {
    case LT_PACK_INT4_MIN:
        for (int g = 0; g < 2; g++) to->min[g] = get_u16(at + 64 + 32 * g + 2 * r);
        /* fall through */
    case LT_PACK_INT8:
    case LT_PACK_INT4: to->scale[1] = get_u16(at + 32 + 2 * r); break;
    case LT_PACK_INT4_K:
        to->min[0] = get_u16(at + 32 + 2 * r);
        for (int half = 0; half < 2; half++) {
            get_6bit(at + 64 + 48 * half, r, to->sub_scale + 4 * half);
            get_6bit(at + 160 + 48 * half, r, to->sub_min + 4 * half);
        }
        break;
    default:
        for (int i = 0; i < LT_BLOCK_HALVES; i++) to->sub_scale[i] = (int8_t)at[32 + 16 * i + r];
        break;
    }
}

/* ---- Values ---- */

/* Quads of one group of a row: whole bytes, or nibbles of two quads in one. */
static void put_bytes(uint8_t *at, int64_t r, const int8_t *value)
{
    for (int q = 0; q < QUADS; q++) memcpy(at + q * QUAD_BYTES + QUAD * r, value + QUAD * q, QUAD);
}

static void get_bytes(const uint8_t *at, int64_t r, int8_t *value)
{
    for (int q = 0; q < QUADS; q++) memcpy(value + QUAD * q, at + q * QUAD_BYTES + QUAD * r, QUAD);
}

static void put_nibbles(uint8_t *at, int64_t r, const int8_t *value, int pairs)
{
    for (int p = 0; p < pairs; p++)
        for (int i = 0; i < QUAD; i++)
            at[p * QUAD_BYTES + QUAD * r + i] =
                (uint8_t)((value[8 * p + i] & 15) | (value[8 * p + QUAD + i] & 15) << 4);
}

static void get_nibbles(const uint8_t *at, int64_t r, int8_t *value, int pairs)
{
    for (int p = 0; p < pairs; p++)
        for (int i = 0; i < QUAD; i++) {
            uint8_t byte = at[p * QUAD_BYTES + QUAD * r + i];
            value[8 * p + i] = byte & 15;
            value[8 * p + QUAD + i] = (int8_t)(byte >> 4);
        }
}

/* Half a group of 6-bit values: the nibbles of two pairs of quads, then the upper two bits of all four. */
enum { HALF_PAIRS = QUADS / 4, HALF_BYTES = (HALF_PAIRS + 1) * QUAD_BYTES };

static void put_6bit_half(uint8_t *at, int64_t r, const int8_t *value)
{
    put_nibbles(at, r, value, HALF_PAIRS);
    for (int i = 0; i < QUAD; i++) {
        unsigned high = 0;
        for (int q = 0; q < QUADS / 2; q++) high |= (unsigned)(value[QUAD * q + i] >> 4 & 3) << (2 * q);
        at[HALF_PAIRS * QUAD_BYTES + QUAD * r + i] = (uint8_t)high;
    }
}

static void get_6bit_half(const uint8_t *at, int64_t r, int8_t *value)
{
    get_nibbles(at, r, value, HALF_PAIRS);
    for (int i = 0; i < QUAD; i++)
        for (int q = 0; q < QUADS / 2; q++) {
            unsigned high = at[HALF_PAIRS * QUAD_BYTES + QUAD * r + i] >> (2 * q) & 3;
            value[QUAD * q + i] = (int8_t)(value[QUAD * q + i] | (int)(high << 4));
        }
}

/* ---- Rows ---- */

void lt_packed_put(const lt_packed *w, int64_t row, int64_t block, const lt_block_row *from)
{
    int64_t groups, r = row % LT_PANEL;
    uint8_t *at = block_at(w, row, block, &groups);
    put_header(w->packing, at, r, from);
    at += lt_packing_table[w->packing].header_bytes;
    for (int64_t g = 0; g < groups; g++, at += lt_packing_table[w->packing].group_bytes) {
        const int8_t *value = from->value + LT_GROUP * g;
        if (w->packing == LT_PACK_INT8) put_bytes(at, r, value);
        else if (w->packing != LT_PACK_INT6_K) put_nibbles(at, r, value, QUADS / 2);
        else
            for (int half = 0; half < 2; half++)
                put_6bit_half(at + half * HALF_BYTES, r, value + half * LT_GROUP / 2);
    }
}

void lt_packed_get(const lt_packed *w, int64_t row, int64_t block, lt_block_row *to)
{
    int64_t groups, r = row % LT_PANEL;
    const uint8_t *at = block_at(w, row, block, &groups);
    get_header(w->packing, at, r, to);
    at += lt_packing_table[w->packing].header_bytes;
    for (int64_t g = 0; g < groups; g++, at += lt_packing_table[w->packing].group_bytes) {
        int8_t *value = to->value + LT_GROUP * g;
        if (w->packing == LT_PACK_INT8) get_bytes(at, r, value);
        else if (w->packing != LT_PACK_INT6_K) get_nibbles(at, r, value, QUADS / 2);
        else
            for (int half = 0; half < 2; half++)
                get_6bit_half(at + half * HALF_BYTES, r, value + half * LT_GROUP / 2);
    }
}

void lt_block_scales(lt_packing packing, const lt_block_row *from, float scale[LT_BLOCK_HALVES],
                     float min[LT_BLOCK_HALVES / 2])
{
    int groups = lt_packing_table[packing].block_groups;
    float d = lt_f16_to_f32(from->scale[0]), m = lt_f16_to_f32(from->min[0]);
    for (int g = 0; g < groups; g++) {
        min[g] = 0;
        switch (packing) {
        case LT_PACK_INT4_K:
            scale[2 * g] = scale[2 * g + 1] = d * (float)from->sub_scale[g];
            min[g] = -(m * (float)from->sub_min[g]);
            break;
        case LT_PACK_INT6_K:
            for (int half = 2 * g; half < 2 * g + 2; half++) scale[half] = d * (float)from->sub_scale[half];
            break;
        default:
            scale[2 * g] = scale[2 * g + 1] = lt_f16_to_f32(from->scale[g]);
            if (packing == LT_PACK_INT4_MIN) min[g] = lt_f16_to_f32(from->min[g]);
            break;
        }
    }
}

int64_t lt_packed_floats(const lt_packed *w, int64_t row, int64_t block, float out[LT_MAX_BLOCK])
{
    const lt_packing_info *info = &lt_packing_table[w->packing];
    int64_t columns = info->block_groups * LT_GROUP, n = lt_min_i64(columns, w->k - block * columns);
    lt_block_row values = {0};
    float scale[LT_BLOCK_HALVES], min[LT_BLOCK_HALVES / 2];
    lt_packed_get(w, row, block, &values);
    lt_block_scales(w->packing, &values, scale, min);
    for (int64_t i = 0; i < n; i++) {
        float product = (float)(values.value[i] - info->zero) * scale[i / (LT_GROUP / 2)];
        out[i] = info->has_min ? product + min[i / LT_GROUP] : product;
    }
    return n;
}
