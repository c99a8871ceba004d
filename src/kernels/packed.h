/* Packed weights: matrices of low precision, in the one order in which kernels of every level read them.
 *
 * A matrix [n, k] is cut into panels of 16 rows. A panel is one stream of blocks along k: first the scales of
 * all groups in the block (16 side by side, one for each row), then group by group 32 columns of values.
 * Values lie in quads, four consecutive columns of one row, the 16 rows side by side: what integer dot
 * products take. In the formats of less than 8 bits a byte holds columns of two quads, the second in its
 * upper nibble. Rows and columns that the matrix does not have are zero. */
#ifndef LT_PACKED_H
#define LT_PACKED_H

#include "base/compiler.h"

typedef enum lt_packing {
    LT_PACK_INT8,     /* value * scale: a float16 scale for 32 columns */
    LT_PACK_INT4,     /* (value - 8) * scale */
    LT_PACK_INT4_MIN, /* value * scale + min, both float16 for 32 columns */
    LT_PACK_INT4_K,   /* the same, with 6-bit scales and minima in units of two float16 for 256 columns */
    LT_PACK_INT6_K,   /* (value - 32) * scale: int8 scales for 16 columns in units of a float16 for 256 */
    LT_PACKINGS
} lt_packing;

enum {
    LT_PANEL = 16,                                /* rows */
    LT_GROUP = 32,                                /* columns */
    LT_MAX_BLOCK = 256,                           /* columns of the longest block */
    LT_BLOCK_HALVES = LT_MAX_BLOCK / LT_GROUP * 2 /* halves of groups in it */
};

typedef struct lt_packing_info {
    const char *name;
    int16_t block_groups;              /* groups in a block; the last block of a panel may have fewer */
    int16_t header_bytes, group_bytes; /* of a panel's block: the scales; the values of each group */
    int8_t zero;                       /* the value that means 0 */
    bool has_min;                      /* something is added to value * scale */
    bool halves;                       /* 16 columns have a scale, not 32 */
} lt_packing_info;

static const lt_packing_info lt_packing_table[LT_PACKINGS] = {
    [LT_PACK_INT8] = {"int8", 2, 64, 512, 0, false, false},
    [LT_PACK_INT4] = {"int4", 2, 64, 256, 8, false, false},
    [LT_PACK_INT4_MIN] = {"int4_min", 2, 128, 256, 0, true, false},
    [LT_PACK_INT4_K] = {"int4_k", 8, 256, 256, 0, true, false},
    [LT_PACK_INT6_K] = {"int6_k", 8, 288, 384, 32, false, true},
};

typedef struct lt_packed {
    lt_packing packing;
    int64_t n, k;  /* rows and columns of the matrix */
    uint8_t *data; /* lt_packed_bytes, aligned to 64 */
} lt_packed;

static inline int64_t lt_packed_groups(int64_t k) { return (k + LT_GROUP - 1) / LT_GROUP; }

/* Bytes of one panel; n * k must be less than 2^56. */
static inline int64_t lt_packed_panel_bytes(lt_packing packing, int64_t k)
{
    const lt_packing_info *info = &lt_packing_table[packing];
    int64_t groups = lt_packed_groups(k), blocks = (groups + info->block_groups - 1) / info->block_groups;
    return blocks * info->header_bytes + groups * info->group_bytes;
}

static inline int64_t lt_packed_bytes(lt_packing packing, int64_t n, int64_t k)
{
    return (n + LT_PANEL - 1) / LT_PANEL * lt_packed_panel_bytes(packing, k);
}

/* The part of a row that lies in one block. */
typedef struct lt_block_row {
    uint16_t scale[2], min[2];           /* float16, for each group; INT4_K and INT6_K: [0], for the block */
    int8_t sub_scale[LT_BLOCK_HALVES];   /* INT4_K: for each group; INT6_K: for each half */
    int8_t sub_min[LT_BLOCK_HALVES / 2]; /* INT4_K: for each group; it is taken away */
    int8_t value[LT_MAX_BLOCK];
} lt_block_row;

/* Writes or reads row `row` of a panel in block `block`. All rows of a panel must be written. */
void lt_packed_put(const lt_packed *w, int64_t row, int64_t block, const lt_block_row *from);
void lt_packed_get(const lt_packed *w, int64_t row, int64_t block, lt_block_row *to);

/* What the block's parts are multiplied with, for each half of a group, and what is added, for each group, in
 * float32 as the formats' own reference code rounds them. */
void lt_block_scales(lt_packing packing, const lt_block_row *from, float scale[LT_BLOCK_HALVES],
                     float min[LT_BLOCK_HALVES / 2]);

/* The part of a row that lies in one block, in float32; the number of columns in it. */
int64_t lt_packed_floats(const lt_packed *w, int64_t row, int64_t block, float out[LT_MAX_BLOCK]);

static inline int64_t lt_packed_blocks(const lt_packed *w)
{
    int64_t groups = lt_packing_table[w->packing].block_groups;
    return (lt_packed_groups(w->k) + groups - 1) / groups;
}

/* 48 bytes of INT4_K's 6-bit numbers, as they lie in the header: those of four groups, 16 rows each. */
static inline void lt_unpack_6bit(const uint8_t *from, uint8_t to[4 * LT_PANEL])
{
    for (int i = 0; i < LT_PANEL; i++) {
        uint8_t a = from[i], b = from[16 + i], c = from[32 + i];
        to[i] = a & 63;
        to[16 + i] = b & 63;
        to[32 + i] = c & 63;
        to[48 + i] = (uint8_t)(a >> 6 | b >> 6 << 2 | c >> 6 << 4);
    }
}

#endif
