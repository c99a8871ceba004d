/* Rows of key/value caches in 8 bits: a float32 scale, then the values, each an int8 times the scale. Readers
 * are given the address of the values; the scale lies in front of them, not aligned. */
#ifndef LT_CACHE_ROW_H
#define LT_CACHE_ROW_H

#include <string.h>

#include "base/compiler.h"

enum { LT_CACHE_SCALE = sizeof(float) };

static inline float lt_cache_scale(const void *values)
{
    float scale;
    memcpy(&scale, (const char *)values - LT_CACHE_SCALE, sizeof scale);
    return scale;
}

#endif
