/* Block arena: allocations live until the arena is reset or destroyed; nothing is freed one by one.
 * Not thread-safe. Memory is zeroed. The only heap calls of the library are here and in os.c. */
#ifndef LT_ARENA_H
#define LT_ARENA_H

#include "base/error.h"

typedef struct lt_arena lt_arena;

lathe_status lt_arena_create(lt_arena **out, lathe_error *err) LT_MUST_USE;
void lt_arena_destroy(lt_arena *arena); /* NULL is allowed */

/* `count` zeroed objects of `size` bytes, aligned for any type (64 bytes from 64 bytes up); NULL when out of
 * memory or when the product overflows. A count of 0 gives a valid pointer. */
void *lt_arena_alloc(lt_arena *arena, size_t count, size_t size);

/* Copies of text; NULL when out of memory. */
char *lt_arena_strdup(lt_arena *arena, const char *text);
char *lt_arena_strndup(lt_arena *arena, const char *text, size_t length);
char *lt_arena_printf(lt_arena *arena, const char *fmt, ...) LT_PRINTF(2, 3);

/* Bytes handed out so far. */
size_t lt_arena_used(const lt_arena *arena);

/* Assigns `count` zeroed objects to the typed pointer `ptr`, or returns NO_MEMORY from the enclosing
 * function. */
#define LT_ALLOC(arena, ptr, count, err)                                                         \
    do {                                                                                         \
        (ptr) = lt_arena_alloc((arena), (size_t)(count), sizeof *(ptr));                         \
        if (LT_UNLIKELY(!(ptr))) return lt_out_of_memory((err), (size_t)(count), sizeof *(ptr)); \
    } while (0)

/* Grows a typed array with `count` used and `capacity` allocated elements so that one more fits. */
#define LT_GROW(arena, ptr, count, capacity, err)                                                     \
    do {                                                                                              \
        if ((count) == (capacity)) {                                                                  \
            size_t lt_grow_to = (capacity) ? 2 * (size_t)(capacity) : 16;                             \
            void *lt_grow_new = lt_arena_alloc((arena), lt_grow_to, sizeof *(ptr));                   \
            if (LT_UNLIKELY(!lt_grow_new)) return lt_out_of_memory((err), lt_grow_to, sizeof *(ptr)); \
            if (count) memcpy(lt_grow_new, (ptr), (size_t)(count) * sizeof *(ptr));                   \
            (ptr) = lt_grow_new;                                                                      \
            (capacity) = (__typeof__(capacity))lt_grow_to;                                            \
        }                                                                                             \
    } while (0)

lathe_status lt_out_of_memory(lathe_error *err, size_t count, size_t size);

/* Plain heap memory for the few long-lived objects that are resized or released on their own. */
void *lt_heap_alloc(size_t count, size_t size); /* zeroed; NULL when out of memory */
void lt_heap_free(void *memory);

#endif
