/* GGUF blocks in packed order. */
#include "load/pack.h"

#include <string.h>

/* Reads the GGUF blocks of one packed block: `columns` values of one row. */
typedef void (*lt_read_blocks)(const uint8_t *from, int64_t columns, lt_block_row *to);

static uint16_t get_u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

/* ---- Blocks of 32: low nibbles are the first half, high nibbles the second ---- */

static void read_nibbles(const uint8_t *from, int8_t *to)
{
    for (int i = 0; i < 16; i++) {
        to[i] = from[i] & 15;
        to[i + 16] = (int8_t)(from[i] >> 4);
    }
}

static void read_q4_0(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    for (int64_t g = 0; g < columns / LT_GROUP; g++, from += 18) {
        to->scale[g] = get_u16(from);
        read_nibbles(from + 2, to->value + LT_GROUP * g);
    }
}

static void read_q4_1(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    for (int64_t g = 0; g < columns / LT_GROUP; g++, from += 20) {
        to->scale[g] = get_u16(from);
        to->min[g] = get_u16(from + 2);
        read_nibbles(from + 4, to->value + LT_GROUP * g);
    }
}

static void read_q8_0(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    for (int64_t g = 0; g < columns / LT_GROUP; g++, from += 34) {
        to->scale[g] = get_u16(from);
        memcpy(to->value + LT_GROUP * g, from + 2, LT_GROUP);
    }
}

/* As INT8: 16 is the zero of 5-bit values. */
static void read_q5_0(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    for (int64_t g = 0; g < columns / LT_GROUP; g++, from += 22) {
        int8_t *value = to->value + LT_GROUP * g;
        to->scale[g] = get_u16(from);
        read_nibbles(from + 6, value);
        for (int i = 0; i < LT_GROUP; i++)
            value[i] = (int8_t)((value[i] | (from[2 + i / 8] >> (i % 8) & 1) << 4) - 16);
    }
}

/* As INT8: the grid's numbers. */
static void read_iq4_nl(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    for (int64_t g = 0; g < columns / LT_GROUP; g++, from += 18) {
        int8_t *value = to->value + LT_GROUP * g;
        to->scale[g] = get_u16(from);
        read_nibbles(from + 2, value);
        for (int i = 0; i < LT_GROUP; i++) value[i] = lt_iq4_grid[value[i]];
    }
}

/* ---- Blocks of 256 ---- */

static void read_q4_k(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    (void)columns;
    uint8_t scale[8], min[8];
    to->scale[0] = get_u16(from);
    to->min[0] = get_u16(from + 2);
    lt_unpack_k_scales(from + 4, scale, min);
    for (int g = 0; g < 8; g++) {
        const uint8_t *nibbles = from + 16 + g / 2 * 32;
        to->sub_scale[g] = (int8_t)scale[g];
        to->sub_min[g] = (int8_t)min[g];
        for (int i = 0; i < LT_GROUP; i++)
            to->value[LT_GROUP * g + i] = (int8_t)(g % 2 ? nibbles[i] >> 4 : nibbles[i] & 15);
    }
}

static void read_q6_k(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    (void)columns;
    to->scale[0] = get_u16(from + 208);
    memcpy(to->sub_scale, from + 192, 16);
    for (int g = 0; g < 8; g++) { /* four groups share 64 bytes of nibbles and 32 of upper pairs */
        const uint8_t *low = from + g / 4 * 64 + g % 2 * 32, *high = from + 128 + g / 4 * 32;
        for (int i = 0; i < LT_GROUP; i++)
            to->value[LT_GROUP * g + i] =
                (int8_t)((low[i] >> (g % 4 / 2 * 4) & 15) | (high[i] >> (g % 4 * 2) & 3) << 4);
    }
}

/* As INT6_K: values of -4 to 3 around its zero. */
static void read_q3_k(const uint8_t *from, int64_t columns, lt_block_row *to)
{
    (void)columns;
    to->scale[0] = get_u16(from + 108);
    lt_unpack_q3_scales(from + 96, to->sub_scale);
    for (int g = 0; g < 8; g++) {
        const uint8_t *mask = from, *low = from + 32 + g / 4 * 32;
        for (int i = 0; i < LT_GROUP; i++) {
            int q = (low[i] >> (g % 4 * 2) & 3) - (mask[i] >> g & 1 ? 0 : 4);
            to->value[LT_GROUP * g + i] = (int8_t)(q + 32);
        }
    }
}

static const struct {
    const char *name; /* of the GGUF type */
    lt_packing packing;
    lt_read_blocks read;
} readers[] = {
    {"Q8_0", LT_PACK_INT8, read_q8_0},     {"Q5_0", LT_PACK_INT8, read_q5_0},
    {"IQ4_NL", LT_PACK_INT8, read_iq4_nl}, {"Q4_0", LT_PACK_INT4, read_q4_0},
    {"Q4_1", LT_PACK_INT4_MIN, read_q4_1}, {"Q4_K", LT_PACK_INT4_K, read_q4_k},
    {"Q6_K", LT_PACK_INT6_K, read_q6_k},   {"Q3_K", LT_PACK_INT6_K, read_q3_k},
};

static size_t find_reader(const lt_weight *weight)
{
    size_t i = 0;
    while (i < LT_COUNT(readers) && strcmp(readers[i].name, weight->blocks->name) != 0) i++;
    return i;
}

bool lt_weight_packing(const lt_weight *weight, lt_packing *out)
{
    if (!weight->blocks || weight->unsupported || weight->type.rank != 2) return false;
    if (weight->type.dim[0] < 1 || weight->type.dim[1] < 1) return false;
    size_t i = find_reader(weight);
    if (i < LT_COUNT(readers)) *out = readers[i].packing;
    return i < LT_COUNT(readers);
}

typedef struct lt_pack_job {
    const lt_weight *weight;
    const lt_packed *to;
    lt_read_blocks read;
} lt_pack_job;

static void pack_rows(void *context, int64_t begin, int64_t end)
{
    const lt_pack_job *job = context;
    const lt_weight *weight = job->weight;
    const lt_packed *to = job->to;
    int64_t columns = lt_packing_table[to->packing].block_groups * LT_GROUP,
            row_bytes = to->k / weight->blocks->block_elements * weight->blocks->block_bytes,
            step = columns / weight->blocks->block_elements * weight->blocks->block_bytes;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *from = weight->data + lt_weight_stored_row(weight, row) * row_bytes;
        for (int64_t b = 0; b < lt_packed_blocks(to); b++) {
            lt_block_row block = {0};
            job->read(from + b * step, lt_min_i64(columns, to->k - b * columns), &block);
            lt_packed_put(to, row, b, &block);
        }
    }
}

void lt_weight_pack(const lt_weight *weight, lt_pool *pool, const lt_packed *to)
{
    lt_pack_job job = {.weight = weight, .to = to, .read = readers[find_reader(weight)].read};
    lt_pool_run(pool, to->n, LT_PANEL, pack_rows, &job);
}
