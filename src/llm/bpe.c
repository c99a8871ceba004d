/* Merging with a heap of candidate pairs over a linked list of symbols. Entries are not taken out of the heap
 * when a neighbour changes: an entry counts only if the pair at its place still becomes the same token. */
#include "llm/bpe.h"

#include "base/str.h"

static const uint64_t free_pair = UINT64_MAX;

struct lt_bpe_symbol {
    uint32_t id;        /* LT_NONE: merged into the symbol before it */
    int32_t prev, next; /* -1: none */
};

struct lt_bpe_entry {
    uint64_t key; /* rank << 32 | position of the left symbol */
    uint32_t id;  /* what the pair becomes */
};

static size_t hash_pair(uint64_t pair)
{
    pair ^= pair >> 32;
    pair *= 0x9e3779b97f4a7c15u;
    return (size_t)(pair ^ pair >> 29);
}

lathe_status lt_bpe_reserve(lt_bpe *bpe, lt_arena *arena, size_t count, lathe_error *err)
{
    if (count > UINT32_MAX / 4) LT_FAIL(err, LIMIT, "%zu merges are too many", count);
    bpe->capacity = 16;
    while (bpe->capacity < 2 * count) bpe->capacity *= 2;
    LT_ALLOC(arena, bpe->slots, bpe->capacity, err);
    for (size_t i = 0; i < bpe->capacity; i++) bpe->slots[i].pair = free_pair;
    return LATHE_OK;
}

static lt_merge *find_slot(const lt_bpe *bpe, uint64_t pair)
{
    for (size_t i = hash_pair(pair);; i++) {
        lt_merge *slot = &bpe->slots[i & (bpe->capacity - 1)];
        if (slot->pair == pair || slot->pair == free_pair) return slot;
    }
}

void lt_bpe_add(lt_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t id)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    *find_slot(bpe, pair) = (lt_merge){.pair = pair, .rank = rank, .id = id};
}

static const lt_merge *find_merge(const lt_bpe *bpe, uint32_t left, uint32_t right)
{
    const lt_merge *slot = find_slot(bpe, (uint64_t)left << 32 | right);
    return slot->pair == free_pair ? NULL : slot;
}

/* A binary heap, smallest key first. */
typedef struct queue {
    struct lt_bpe_entry *entry;
    size_t count;
} queue;

static void queue_push(queue *q, struct lt_bpe_entry entry)
{
    size_t at = q->count++;
    for (size_t parent; at > 0 && q->entry[parent = (at - 1) / 2].key > entry.key; at = parent)
        q->entry[at] = q->entry[parent];
    q->entry[at] = entry;
}

static struct lt_bpe_entry queue_pop(queue *q)
{
    struct lt_bpe_entry top = q->entry[0], last = q->entry[--q->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < q->count; at = child) {
        if (child + 1 < q->count && q->entry[child + 1].key < q->entry[child].key) child++;
        if (q->entry[child].key >= last.key) break;
        q->entry[at] = q->entry[child];
    }
    q->entry[at] = last;
    return top;
}

static void push_pair(const lt_bpe *bpe, queue *q, const struct lt_bpe_symbol *symbols, int32_t left)
{
    if (left < 0 || symbols[left].next < 0) return;
    const lt_merge *merge = find_merge(bpe, symbols[left].id, symbols[symbols[left].next].id);
    if (merge) queue_push(q, (struct lt_bpe_entry){(uint64_t)merge->rank << 32 | (uint32_t)left, merge->id});
}

static lathe_status scratch_reserve(lt_bpe_scratch *scratch, size_t count, lathe_error *err)
{
    if (count <= scratch->capacity) return LATHE_OK;
    size_t capacity = scratch->capacity ? scratch->capacity : 64;
    while (capacity < count) capacity *= 2;
    LT_ALLOC(scratch->arena, scratch->symbols, capacity, err);
    LT_ALLOC(scratch->arena, scratch->queue, 2 * capacity, err);
    scratch->capacity = capacity;
    return LATHE_OK;
}

static void merge_at(struct lt_bpe_symbol *symbols, int32_t left, uint32_t id)
{
    int32_t right = symbols[left].next, after = symbols[right].next;
    symbols[left].id = id;
    symbols[left].next = after;
    if (after >= 0) symbols[after].prev = left;
    symbols[right].id = LT_NONE;
}

lathe_status lt_bpe_merge(const lt_bpe *bpe, lt_bpe_scratch *scratch, uint32_t *ids, size_t *count,
                          lathe_error *err)
{
    if (*count < 2) return LATHE_OK;
    if (*count > INT32_MAX) LT_FAIL(err, LIMIT, "a word of %zu bytes is too long", *count);
    LT_TRY(scratch_reserve(scratch, *count, err));
    struct lt_bpe_symbol *symbols = scratch->symbols;
    int32_t n = (int32_t)*count;
    for (int32_t i = 0; i < n; i++)
        symbols[i] = (struct lt_bpe_symbol){ids[i], i - 1, i + 1 < n ? i + 1 : -1};
    /* At most n - 1 entries to begin with, and each of the at most n - 1 merges takes one and adds two. */
    queue q = {.entry = scratch->queue};
    for (int32_t i = 0; i < n; i++) push_pair(bpe, &q, symbols, i);
    while (q.count) {
        struct lt_bpe_entry top = queue_pop(&q);
        int32_t left = (int32_t)(uint32_t)top.key, right = symbols[left].next;
        if (symbols[left].id == LT_NONE || right < 0) continue;
        const lt_merge *merge = find_merge(bpe, symbols[left].id, symbols[right].id);
        if (!merge || merge->id != top.id) continue;
        merge_at(symbols, left, top.id);
        push_pair(bpe, &q, symbols, symbols[left].prev);
        push_pair(bpe, &q, symbols, left);
    }
    *count = 0;
    for (int32_t i = 0; i >= 0; i = symbols[i].next) ids[(*count)++] = symbols[i].id;
    return LATHE_OK;
}
