/* First fit over the blocks that are alive, in order of birth. */
#include "program/plan.h"

#include <string.h>

struct lt_plan_block {
    size_t bytes, offset;
    uint32_t from, to;
    uint32_t next; /* in the list of placed blocks that are alive, by offset; PLAN_END */
};

enum { PLAN_ALIGN = 64 };
#define PLAN_END UINT32_MAX

lathe_status lt_plan_add(lt_plan *plan, size_t bytes, uint32_t from, uint32_t to, uint32_t *block,
                         lathe_error *err)
{
    LT_GROW(plan->arena, plan->blocks, plan->n, plan->capacity, err);
    *block = plan->n++;
    plan->blocks[*block] = (struct lt_plan_block){
        .bytes = (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN, .from = from, .to = to};
    return LATHE_OK;
}

void lt_plan_extend(lt_plan *plan, uint32_t block, uint32_t to)
{
    if (plan->blocks[block].to < to) plan->blocks[block].to = to;
}

lathe_status lt_plan_solve(lt_plan *plan, size_t *bytes, lathe_error *err)
{
    uint32_t head = PLAN_END;
    *bytes = 0;
    for (uint32_t i = 0; i < plan->n; i++) { /* blocks are added in order of birth */
        struct lt_plan_block *block = &plan->blocks[i];
        size_t at = 0, end;
        uint32_t *link = &head;
        while (*link != PLAN_END) {
            struct lt_plan_block *other = &plan->blocks[*link];
            if (other->to < block->from) { /* dead: forget it */
                *link = other->next;
                continue;
            }
            if (other->offset - at >= block->bytes && other->offset >= at) break; /* the gap before it fits */
            at = other->offset + other->bytes;
            link = &other->next;
        }
        block->offset = at;
        block->next = *link;
        *link = i;
        if (!lt_add_size(at, block->bytes, &end))
            LT_FAIL(err, LIMIT, "the temporaries' size in bytes overflows");
        if (end > *bytes) *bytes = end;
    }
    return LATHE_OK;
}

size_t lt_plan_offset(const lt_plan *plan, uint32_t block) { return plan->blocks[block].offset; }
