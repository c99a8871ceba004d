/* Name map and growable text. */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lt_map_slot {
    const char *key; /* NULL: free */
    uint64_t hash;
    uint32_t value;
};

/* Both halves of the product of the words that come and those that were. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t lt_digest(uint64_t digest, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        digest = (digest ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return digest;
}

uint64_t lt_hash(const char *text, size_t length, const void *seed)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t hash = mix((uintptr_t)seed ^ odd, length ^ 0xe7037ed1a0b428dbu), word = 0;
    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = mix(hash ^ word, odd);
    }
    word = 0;
    memcpy(&word, text, length);
    return mix(hash ^ word, odd);
}

static uint64_t hash_key(const lt_map *map, const char *key) { return lt_hash(key, strlen(key), map->arena); }

static struct lt_map_slot *find_slot(const lt_map *map, const char *key, uint64_t hash)
{
    uint32_t mask = map->capacity - 1;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        struct lt_map_slot *slot = &map->slots[i];
        if (!slot->key || (slot->hash == hash && strcmp(slot->key, key) == 0)) return slot;
    }
}

uint32_t lt_map_get(const lt_map *map, const char *key)
{
    if (!map->capacity) return LT_NONE;
    const struct lt_map_slot *slot = find_slot(map, key, hash_key(map, key));
    return slot->key ? slot->value : LT_NONE;
}

static lathe_status map_grow(lt_map *map, lathe_error *err)
{
    lt_map grown = {
        .arena = map->arena, .count = map->count, .capacity = map->capacity ? 2 * map->capacity : 64};
    LT_ALLOC(map->arena, grown.slots, grown.capacity, err);
    for (uint32_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key) *find_slot(&grown, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    *map = grown;
    return LATHE_OK;
}

lathe_status lt_map_put(lt_map *map, const char *key, uint32_t value, lathe_error *err)
{
    if (map->count >= map->capacity / 2) LT_TRY(map_grow(map, err));
    uint64_t hash = hash_key(map, key);
    struct lt_map_slot *slot = find_slot(map, key, hash);
    if (!slot->key) {
        const char *copy = lt_arena_strdup(map->arena, key);
        if (!copy) return lt_out_of_memory(err, 1, strlen(key) + 1);
        *slot = (struct lt_map_slot){.key = copy, .hash = hash};
        map->count++;
    }
    slot->value = value;
    return LATHE_OK;
}

bool lt_map_next(const lt_map *map, uint32_t *at, const char **key, uint32_t *value)
{
    while (*at < map->capacity && !map->slots[*at].key) ++*at;
    if (*at >= map->capacity) return false;
    *key = map->slots[*at].key;
    *value = map->slots[(*at)++].value;
    return true;
}

static bool text_reserve(lt_text *text, size_t more)
{
    if (text->failed) return false;
    size_t need;
    if (!lt_add_size(text->length, more, &need) || !lt_add_size(need, 1, &need)) text->failed = true;
    if (text->failed) return false;
    if (need <= text->capacity) return true;
    size_t capacity = need < 256 ? 256 : need + need / 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void lt_text_append(lt_text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length)) return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void lt_text_printf(lt_text *text, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length >= 0 && text_reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, fmt, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

lathe_status lt_text_status(const lt_text *text, lathe_error *err)
{
    return text->failed ? lt_out_of_memory(err, 1, text->length) : LATHE_OK;
}

void lt_text_free(lt_text *text)
{
    free(text->data);
    *text = (lt_text){0};
}

bool lt_str_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool lt_str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}
