/* Which keys a row of an additive mask lets through; plain C that every level compiles for itself. */
#ifndef LT_ATTENTION_RANGE_H
#define LT_ATTENTION_RANGE_H

#include <float.h>
#include <math.h>

#include "base/compiler.h"

/* Masks hide keys with -infinity, or with the smallest number: what lies this far below the largest has an
 * exponential of exactly 0. A row of nothing but the smallest number hides nothing. NaN hides nothing. */
static inline bool mask_shows(const float *mask, int64_t from, int64_t to, float least)
{
    int shown = 0;
    for (int64_t i = from; i < to; i++) shown |= !(mask[i] < least);
    return shown;
}

static void attend_range(const float *mask, int64_t n, int64_t *first, int64_t *last)
{
    enum { STEP = 64 };
    float most = -INFINITY;
    for (int64_t i = 0; i < n; i++) most = mask[i] > most ? mask[i] : most;
    float least = most - 1e30f > -FLT_MAX ? most - 1e30f : -FLT_MAX;
    int64_t from = 0, to = n;
    while (to - from >= STEP && !mask_shows(mask, from, from + STEP, least)) from += STEP;
    while (to - from >= STEP && !mask_shows(mask, to - STEP, to, least)) to -= STEP;
    while (from < to && mask[from] < least) from++;
    while (from < to && mask[to - 1] < least) to--;
    *first = from;
    *last = to;
}

#endif
