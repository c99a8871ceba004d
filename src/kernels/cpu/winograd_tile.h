/* Where the tiles of Winograd's convolution lie. */
#ifndef LT_WINOGRAD_TILE_H
#define LT_WINOGRAD_TILE_H

#include "base/winograd.h"
#include "kernels/cpu/cpu.h"

typedef struct lt_winograd_tile {
    int64_t image, y, x; /* the first row and position of the output */
} lt_winograd_tile;

static inline lt_winograd_tile lt_winograd_tile_at(const lt_winograd *w, int64_t i)
{
    int64_t row = i / w->across;
    return (lt_winograd_tile){row / w->down, row % w->down * LT_WINOGRAD_OUT,
                              i % w->across * LT_WINOGRAD_OUT};
}

/* The tile's input: where it is, and in *row the floats from row to row. A tile at an edge is copied, with
 * zeros around the image. */
static inline const float *lt_winograd_tile_input(const lt_winograd *w, const lt_winograd_tile *tile,
                                                  int64_t *row, float copy[LT_WINOGRAD_POSITIONS * LT_BLOCK])
{
    int64_t top = tile->y - w->padding[0], left = tile->x - w->padding[1];
    const float *x = w->x + tile->image * w->x_image;
    *row = w->x_row;
    if (top >= 0 && left >= 0 && top + LT_WINOGRAD_IN <= w->height && left + LT_WINOGRAD_IN <= w->width)
        return x + top * *row + left * LT_BLOCK;
    for (int64_t i = 0; i < LT_WINOGRAD_POSITIONS; i++) {
        int64_t y = top + i / LT_WINOGRAD_IN, column = left + i % LT_WINOGRAD_IN;
        bool inside = y >= 0 && y < w->height && column >= 0 && column < w->width;
        for (int lane = 0; lane < LT_BLOCK; lane++)
            copy[i * LT_BLOCK + lane] = inside ? x[y * *row + column * LT_BLOCK + lane] : 0;
    }
    *row = (int64_t)LT_WINOGRAD_IN * LT_BLOCK;
    return copy;
}

#endif
