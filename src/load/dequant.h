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

#endif
