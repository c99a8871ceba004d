/* Convolution of 3x3 taps by Winograd's minimal filtering F(4x4, 3x3): a tile of 6x6 inputs and the kernel
 * are taken to 36 positions, where products of single numbers make 4x4 outputs: 36 instead of 144. Along a
 * row,
 *
 *   output = LT_WINOGRAD_OUTPUT ((LT_WINOGRAD_KERNEL kernel) * (LT_WINOGRAD_INPUT input)),
 *
 * and down a column the same again. The polynomials are evaluated at 0, ±A, ±B and infinity. A = 5/8 and B =
 * 3/2 make results nearly as exact as sums of products are (1 and 2, which are usual, lose a bit and a half
 * more); all numbers of the matrices besides the kernel's are exact in float32. Infinities and NaNs spread
 * over a tile.
 */
#ifndef LT_WINOGRAD_H
#define LT_WINOGRAD_H

#include <stdint.h>

enum { LT_WINOGRAD_TAPS = 3, LT_WINOGRAD_OUT = 4, LT_WINOGRAD_IN = 6, LT_WINOGRAD_POSITIONS = 36 };

/* Tiles along a dim of the output. */
static inline int64_t lt_winograd_tiles(int64_t n)
{
    return n / LT_WINOGRAD_OUT + (n % LT_WINOGRAD_OUT != 0);
}

#define LT_WINOGRAD_A 0.625
#define LT_WINOGRAD_B 1.5
#define LT_WINOGRAD_A2 (LT_WINOGRAD_A * LT_WINOGRAD_A)
#define LT_WINOGRAD_B2 (LT_WINOGRAD_B * LT_WINOGRAD_B)

/* [LT_WINOGRAD_IN][LT_WINOGRAD_IN] */
#define LT_WINOGRAD_INPUT                                                                    \
    {                                                                                        \
        {LT_WINOGRAD_A2 * LT_WINOGRAD_B2, 0, -LT_WINOGRAD_A2 - LT_WINOGRAD_B2, 0, 1, 0},     \
            {0, -LT_WINOGRAD_A * LT_WINOGRAD_B2, -LT_WINOGRAD_B2, LT_WINOGRAD_A, 1, 0},      \
            {0, LT_WINOGRAD_A * LT_WINOGRAD_B2, -LT_WINOGRAD_B2, -LT_WINOGRAD_A, 1, 0},      \
            {0, -LT_WINOGRAD_B * LT_WINOGRAD_A2, -LT_WINOGRAD_A2, LT_WINOGRAD_B, 1, 0},      \
            {0, LT_WINOGRAD_B * LT_WINOGRAD_A2, -LT_WINOGRAD_A2, -LT_WINOGRAD_B, 1, 0},      \
            {0, LT_WINOGRAD_A2 * LT_WINOGRAD_B2, 0, -LT_WINOGRAD_A2 - LT_WINOGRAD_B2, 0, 1}, \
    }

/* 1 over the product of the distances of a point to the others, infinity left out. */
#define LT_WINOGRAD_AT_0 (1 / (LT_WINOGRAD_A2 * LT_WINOGRAD_B2))
#define LT_WINOGRAD_AT_A (1 / (2 * LT_WINOGRAD_A2 * (LT_WINOGRAD_A2 - LT_WINOGRAD_B2)))
#define LT_WINOGRAD_AT_B (1 / (2 * LT_WINOGRAD_B2 * (LT_WINOGRAD_B2 - LT_WINOGRAD_A2)))

/* [LT_WINOGRAD_IN][LT_WINOGRAD_TAPS] */
#define LT_WINOGRAD_KERNEL                                                                            \
    {                                                                                                 \
        {LT_WINOGRAD_AT_0, 0, 0},                                                                     \
            {LT_WINOGRAD_AT_A, LT_WINOGRAD_AT_A * LT_WINOGRAD_A, LT_WINOGRAD_AT_A * LT_WINOGRAD_A2},  \
            {LT_WINOGRAD_AT_A, -LT_WINOGRAD_AT_A * LT_WINOGRAD_A, LT_WINOGRAD_AT_A * LT_WINOGRAD_A2}, \
            {LT_WINOGRAD_AT_B, LT_WINOGRAD_AT_B * LT_WINOGRAD_B, LT_WINOGRAD_AT_B * LT_WINOGRAD_B2},  \
            {LT_WINOGRAD_AT_B, -LT_WINOGRAD_AT_B * LT_WINOGRAD_B, LT_WINOGRAD_AT_B * LT_WINOGRAD_B2}, \
            {0, 0, 1},                                                                                \
    }

/* [LT_WINOGRAD_OUT][LT_WINOGRAD_IN] */
#define LT_WINOGRAD_OUTPUT                                                                        \
    {                                                                                             \
        {1, 1, 1, 1, 1, 0}, {0, LT_WINOGRAD_A, -LT_WINOGRAD_A, LT_WINOGRAD_B, -LT_WINOGRAD_B, 0}, \
            {0, LT_WINOGRAD_A2, LT_WINOGRAD_A2, LT_WINOGRAD_B2, LT_WINOGRAD_B2, 0},               \
            {0,                                                                                   \
             LT_WINOGRAD_A * LT_WINOGRAD_A2,                                                      \
             -LT_WINOGRAD_A * LT_WINOGRAD_A2,                                                     \
             LT_WINOGRAD_B * LT_WINOGRAD_B2,                                                      \
             -LT_WINOGRAD_B * LT_WINOGRAD_B2,                                                     \
             1},                                                                                  \
    }

#endif
