/* Where the optional inputs of scaled dot product attention are. */
#ifndef LT_SDPA_H
#define LT_SDPA_H

#include "ir/attrs.h"

typedef struct lt_sdpa_inputs {
    int mask, last, first; /* -1: there is none */
    int count;             /* of all inputs */
} lt_sdpa_inputs;

static inline lt_sdpa_inputs lt_sdpa_find_inputs(const lt_attrs_sdpa *attrs)
{
    lt_sdpa_inputs at = {-1, -1, -1, 3};
    if (attrs->has_mask) at.mask = at.count++;
    if (attrs->has_last) at.last = at.count++;
    if (attrs->has_first) at.first = at.count++;
    return at;
}

#endif
