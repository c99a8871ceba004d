/* Block arena and the heap behind it. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LT_BLOCK_BYTES = 64 * 1024, LT_ARENA_ALIGN = 16, LT_WIDE_ALIGN = 64 };

typedef struct lt_block {
    struct lt_block *next;
    size_t used, size; /* bytes behind this header */
} lt_block;

struct lt_arena {
    lt_block *blocks; /* newest first */
    size_t used;
};

/* Block headers are padded so that the payload starts on a wide boundary. */
enum { LT_BLOCK_HEADER = LT_WIDE_ALIGN };
_Static_assert(sizeof(lt_block) <= LT_BLOCK_HEADER, "block header fits its padding");

lathe_status lt_out_of_memory(lathe_error *err, size_t count, size_t size)
{
    LT_FAIL(err, NO_MEMORY, "out of memory (%zu x %zu bytes)", count, size);
}

void *lt_heap_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (!lt_mul_size(count, size, &bytes)) return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void lt_heap_free(void *memory) { free(memory); }

lathe_status lt_arena_create(lt_arena **out, lathe_error *err)
{
    *out = lt_heap_alloc(1, sizeof **out);
    if (!*out) return lt_out_of_memory(err, 1, sizeof **out);
    return LATHE_OK;
}

void lt_arena_destroy(lt_arena *arena)
{
    if (!arena) return;
    for (lt_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

static lt_block *block_create(size_t bytes)
{
    size_t size = bytes > LT_BLOCK_BYTES ? bytes : LT_BLOCK_BYTES, total;
    if (!lt_add_size(size, LT_BLOCK_HEADER + LT_WIDE_ALIGN - 1, &total)) return NULL;
    total -= total % LT_WIDE_ALIGN; /* aligned_alloc wants a multiple */
    lt_block *block = aligned_alloc(LT_WIDE_ALIGN, total);
    if (!block) return NULL;
    *block = (lt_block){.size = total - LT_BLOCK_HEADER};
    return block;
}

void *lt_arena_alloc(lt_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!lt_mul_size(count, size, &bytes)) return NULL;
    size_t align = bytes >= LT_WIDE_ALIGN ? LT_WIDE_ALIGN : LT_ARENA_ALIGN;
    lt_block *block = arena->blocks;
    size_t at = block ? (block->used + align - 1) / align * align : 0;
    if (!block || at > block->size || block->size - at < bytes) {
        block = block_create(bytes);
        if (!block) return NULL;
        /* A block made for one large object goes behind the current one, whose free tail stays in use. */
        if (bytes >= LT_BLOCK_BYTES && arena->blocks) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
        at = 0;
    }
    void *memory = (char *)block + LT_BLOCK_HEADER + at;
    block->used = at + bytes;
    arena->used += bytes;
    return memset(memory, 0, bytes);
}

char *lt_arena_strndup(lt_arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? lt_arena_alloc(arena, length + 1, 1) : NULL;
    if (copy) memcpy(copy, text, length);
    return copy;
}

char *lt_arena_strdup(lt_arena *arena, const char *text)
{
    return lt_arena_strndup(arena, text, strlen(text));
}

char *lt_arena_printf(lt_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = length < 0 ? NULL : lt_arena_alloc(arena, (size_t)length + 1, 1);
    if (text) vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}

size_t lt_arena_used(const lt_arena *arena) { return arena->used; }
