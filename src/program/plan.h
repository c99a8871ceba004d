/* Offsets for blocks of memory that are alive over intervals of time: blocks that are never alive together
 * share. */
#ifndef LT_PLAN_H
#define LT_PLAN_H

#include "base/arena.h"

typedef struct lt_plan {
    lt_arena *arena;
    struct lt_plan_block *blocks;
    uint32_t n, capacity;
} lt_plan;

/* A block of `bytes` alive from time `from` to time `to`, both included. */
lathe_status lt_plan_add(lt_plan *plan, size_t bytes, uint32_t from, uint32_t to, uint32_t *block,
                         lathe_error *err) LT_MUST_USE;
void lt_plan_extend(lt_plan *plan, uint32_t block, uint32_t to);

/* Chooses the offsets, multiples of 64; *bytes is what all blocks need together. */
lathe_status lt_plan_solve(lt_plan *plan, size_t *bytes, lathe_error *err) LT_MUST_USE;
size_t lt_plan_offset(const lt_plan *plan, uint32_t block);

#endif
