/* Rows of caches in 8 bits (base/cache_row.h) as tensors: int8 [..., LT_CACHE_SCALE + n] for n values. */
#ifndef LT_OPS_CACHE_ROW_H
#define LT_OPS_CACHE_ROW_H

#include "base/cache_row.h"
#include "ir/tensor.h"

/* Fits `to` to rows of `from`, of float32 or half precision: the largest value becomes 127 times the scale. A
 * row that is not finite has a scale that is not. */
void lt_cache_rows_put(const lt_tensor *from, const lt_tensor *to);

#endif
