/* Where the optional inputs of scaled dot product attention are. */
#ifndef LT_SDPA_H
#define LT_SDPA_H

#include "ir/attrs.h"
#include "ops/cache_row.h"

typedef struct lt_sdpa_inputs {
    int mask, last, first, sink; /* -1: there is none */
    int count;                   /* of all inputs */
} lt_sdpa_inputs;

/* Whether keys and values are rows of int8, and how many values a row of keys or values has. */
static inline bool lt_sdpa_is_quantized(lt_dtype dtype) { return dtype == LATHE_I8; }
static inline int64_t lt_sdpa_values(lt_dtype dtype, int64_t size)
{
    return lt_sdpa_is_quantized(dtype) ? size - LT_CACHE_SCALE : size;
}

static inline lt_sdpa_inputs lt_sdpa_find_inputs(const lt_attrs_sdpa *attrs)
{
    lt_sdpa_inputs at = {-1, -1, -1, -1, 3};
    if (attrs->has_mask) at.mask = at.count++;
    if (attrs->has_last) at.last = at.count++;
    if (attrs->has_first) at.first = at.count++;
    if (attrs->has_sink) at.sink = at.count++;
    return at;
}

#endif
