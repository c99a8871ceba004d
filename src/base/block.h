/* Tensors with their channels in blocks: [batch, channels] and more dims become [batch, blocks, …, LT_BLOCK],
 * so that the channels of a position lie side by side. A block is one vector of AVX-512, two of AVX2, four of
 * NEON. Where the channels do not fill the last block, the rest of it has no meaning. */
#ifndef LT_BLOCK_H
#define LT_BLOCK_H

#include <stdint.h>

enum { LT_BLOCK = 16 };

static inline int64_t lt_blocks(int64_t channels) { return channels / LT_BLOCK + (channels % LT_BLOCK != 0); }

#endif
