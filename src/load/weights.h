/* Model weights from files: safetensors (one file, or shards listed by an index), GGUF. Opening maps the
 * files and reads their directories; the bytes of a weight are touched when it is viewed or read. */
#ifndef LT_WEIGHTS_H
#define LT_WEIGHTS_H

#include "load/dequant.h"

/* A weight as it lies in a file. Loaders of other formats may fill one in themselves. */
typedef struct lt_weight {
    const char *name;            /* as exported graphs call it: GGUF names of known families are translated */
    const char *stored_name;     /* as the file calls it */
    const char *file;            /* path, for messages */
    const char *unsupported;     /* NULL, or why it cannot be used ("its dtype is F8_E4M3") */
    lt_type type;                /* logical shape, and the dtype it yields: F32 from blocks */
    const lt_ggml_type *blocks;  /* NULL: plain elements; else rows of blocks, without gaps */
    int64_t stride[LT_MAX_RANK]; /* of plain elements, in elements, not negative */
    const uint8_t *data;         /* the element with all indices 0, or the first block; of any alignment */
    size_t bytes;                /* from `data` to the end of the last element */
    int64_t rotary_heads; /* 0, or the heads whose rows are in interleaved rotary order; reading puts them
                             right */
} lt_weight;

typedef struct lt_weights lt_weights;

/* Opens any number of sources: .safetensors files, .index.json files, folders that hold one of those under
 * Hugging Face's names, .gguf files. Two sources may not define the same weight. */
lathe_status lt_weights_open(const char *const *paths, size_t count, lt_weights **out,
                             lathe_error *err) LT_MUST_USE;
void lt_weights_close(lt_weights *weights); /* NULL is allowed; views become invalid */

size_t lt_weights_count(const lt_weights *weights);
const lt_weight *lt_weights_at(const lt_weights *weights, size_t index); /* in the order of the files */

/* The weight of this name; else the one of which this name is the dotted tail, or which is the longest dotted
 * tail of this name. Several, or none, is an error that names the candidates. */
lathe_status lt_weights_find(const lt_weights *weights, const char *name, const lt_weight **out,
                             lathe_error *err) LT_MUST_USE;

/* As above, NULL without an error when there is none. Several is still an error. */
lathe_status lt_weights_look_up(const lt_weights *weights, const char *name, const lt_weight **out,
                                lathe_error *err) LT_MUST_USE;

/* Writes the whole weight, contiguous and in logical row order, as `as`: any float type from any float type
 * or from blocks; integers and booleans only as themselves. `out` has room for the elements. */
lathe_status lt_weight_read(const lt_weight *weight, lt_dtype as, void *out, lathe_error *err) LT_MUST_USE;

/* Where row `row` of the exported order is stored. */
int64_t lt_weight_stored_row(const lt_weight *weight, int64_t row);

/* The weight in place, read-only, when it lies there as its type says and aligned. */
bool lt_weight_view(const lt_weight *weight, lt_tensor *out);

#endif
