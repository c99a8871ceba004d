/* Byte pair encoding: the merge table and the merging of one word. */
#ifndef LT_BPE_H
#define LT_BPE_H

#include "base/arena.h"

typedef struct lt_merge {
    uint64_t pair; /* left id << 32 | right id */
    uint32_t rank; /* lower merges first */
    uint32_t id;   /* what the pair becomes */
} lt_merge;

/* Open-addressing table of merges by pair. Zero-initialise, then lt_bpe_reserve. */
typedef struct lt_bpe {
    lt_merge *slots; /* in the arena given to lt_bpe_reserve */
    size_t capacity; /* a power of two */
} lt_bpe;

/* Makes room for `count` merges. */
lathe_status lt_bpe_reserve(lt_bpe *bpe, lt_arena *arena, size_t count, lathe_error *err) LT_MUST_USE;

/* Adds a merge; a pair given twice keeps its last rank. At most as many as were reserved. */
void lt_bpe_add(lt_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t id);

/* Working memory of lt_bpe_merge, kept from word to word. Zero-initialise, then set `arena`. */
typedef struct lt_bpe_scratch {
    lt_arena *arena;
    struct lt_bpe_symbol *symbols;
    struct lt_bpe_entry *queue;
    size_t capacity; /* symbols; the queue has twice as many */
} lt_bpe_scratch;

/* Merges a word in place: always the pair of lowest rank, the leftmost of equals; O(n log n). Returns the new
 * count through `count`, which is at most INT32_MAX. */
lathe_status lt_bpe_merge(const lt_bpe *bpe, lt_bpe_scratch *scratch, uint32_t *ids, size_t *count,
                          lathe_error *err) LT_MUST_USE;

#endif
