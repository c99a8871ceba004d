/* Strided elements into contiguous ones, bit for bit: what every writer and reader of tensor files needs. */
#ifndef LT_GATHER_H
#define LT_GATHER_H

#include "ir/tensor.h"

/* Writes `count` elements of the tensor, in row-major order from element `first` on, to `out`. Neither side
 * has to be aligned. The tensor's shape must have passed lt_type_check. */
void lt_gather(const lt_tensor *tensor, int64_t first, int64_t count, void *out);

#endif
