/* Names: a map from text to a 32-bit number, and a growable text. */
#ifndef LT_STR_H
#define LT_STR_H

#include "base/arena.h"

#define LT_NONE UINT32_MAX /* "no id": what a lookup returns when there is nothing */

/* For tables over names from files. The seed is an address, which nobody who writes a file can know: so
 * nobody can make names that collide. */
uint64_t lt_hash(const char *text, size_t length, const void *seed);

/* FNV-1a of 64 bits, the same in every process: start with LT_DIGEST_START. */
#define LT_DIGEST_START UINT64_C(0xcbf29ce484222325)
uint64_t lt_digest(uint64_t digest, const void *data, size_t bytes);

/* Open-addressing hash map. Zero-initialise, then set `arena`. Keys are copied into the arena. */
typedef struct lt_map {
    lt_arena *arena;
    struct lt_map_slot *slots;
    uint32_t count, capacity; /* capacity: a power of two, or 0 */
} lt_map;

uint32_t lt_map_get(const lt_map *map, const char *key); /* LT_NONE when absent */
lathe_status lt_map_put(lt_map *map, const char *key, uint32_t value,
                        lathe_error *err) LT_MUST_USE; /* replaces */
/* Goes through the entries, in no order that means anything: start with *at = 0, false at the end. */
bool lt_map_next(const lt_map *map, uint32_t *at, const char **key, uint32_t *value);

/* Growable text on the heap, for dumps and reports: appending never fails visibly, lt_text_status tells at
 * the end. */
typedef struct lt_text {
    char *data; /* NUL-terminated once something was appended */
    size_t length, capacity;
    bool failed; /* an allocation failed: the text is incomplete */
} lt_text;

void lt_text_printf(lt_text *text, const char *fmt, ...) LT_PRINTF(2, 3);
void lt_text_append(lt_text *text, const char *bytes, size_t length);
lathe_status lt_text_status(const lt_text *text, lathe_error *err) LT_MUST_USE;
void lt_text_free(lt_text *text);

bool lt_str_ends_with(const char *text, const char *suffix);
bool lt_str_starts_with(const char *text, const char *prefix);

#endif
