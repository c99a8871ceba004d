/* The ggml tensor encodings: their sizes, and what the quantised ones mean in float32. */
#ifndef LT_DEQUANT_H
#define LT_DEQUANT_H

#include "ir/tensor.h"

typedef struct lt_ggml_type {
    uint32_t id;             /* as GGUF files write it */
    const char *name;        /* "Q4_1" */
    uint32_t block_elements; /* values per block; 1 for plain types */
    uint32_t block_bytes;
    lt_dtype
        dtype; /* what it yields: itself when plain, F32 from blocks, LATHE_DTYPE_COUNT when not supported */
    /* Writes n_blocks * block_elements floats; NULL for plain and for unsupported types. Any alignment. */
    void (*dequantize)(const uint8_t *blocks, int64_t n_blocks, float *out);
} lt_ggml_type;

/* NULL for ids that no ggml known to lathe has written. */
const lt_ggml_type *lt_ggml_type_find(uint32_t id);

/* ---- Parts of blocks ---- */

/* IQ4_NL and IQ4_XS: nibbles index a fixed, non-uniform grid. */
extern const int8_t lt_iq4_grid[16];

/* Q3_K: 16 scales of 6 bits in 12 bytes: the low nibbles of 0..7 and 8..15 share bytes 0..7, the high pairs
 * of i, i+4, i+8, i+12 share byte 8+i. */
void lt_unpack_q3_scales(const uint8_t *packed, int8_t scale[16]);

/* Q4_K, Q5_K: 8 scales and 8 minima of 6 bits in 12 bytes: 0..3 in whole bytes, whose upper pairs complete
 * 4..7. */
void lt_unpack_k_scales(const uint8_t *packed, uint8_t scale[8], uint8_t min[8]);

#endif
