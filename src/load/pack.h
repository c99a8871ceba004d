/* Matrices into packed form: the blocks of GGUF files as they are, value for value; floats by quantising
 * them.
 */
#ifndef LT_PACK_H
#define LT_PACK_H

#include "base/threads.h"
#include "kernels/packed.h"
#include "load/weights.h"

/* The packing that holds every value of the weight exactly; false when there is none. */
bool lt_weight_packing(const lt_weight *weight, lt_packing *out);

/* Packs such a weight, rows in logical order, on all threads of the pool (NULL: on this one). to->data is
 * zeroed and has lt_packed_bytes. */
void lt_weight_pack(const lt_weight *weight, lt_pool *pool, const lt_packed *to);

/* Quantises the part of a row that lies in one block, to INT8 or INT4_K, so that the squared error is small.
 * Values that are no numbers count as 0. Rows behind the last need not be written. */
void lt_quantize_block(const lt_packed *to, int64_t row, int64_t block, const float *values);

#endif
