/* Tokens that are found in the text before anything else: "<|im_start|>" and the like. */
#ifndef LT_ADDED_H
#define LT_ADDED_H

#include "base/arena.h"

enum {
    LT_ADDED_SPECIAL = 1,     /* a control token: hidden when text is decoded for people */
    LT_ADDED_NORMALIZED = 2,  /* searched for in the normalised text */
    LT_ADDED_SINGLE_WORD = 4, /* only where no word character touches it */
    LT_ADDED_LSTRIP = 8,      /* takes the white space before it */
    LT_ADDED_RSTRIP = 16,     /* takes the white space behind it */
};

enum { LT_ADDED_MAX_BYTES = 1024 }; /* longest name of an added token */

typedef struct lt_added {
    const char *text; /* borrowed, not terminated */
    size_t size;      /* bytes, 1 to LT_ADDED_MAX_BYTES */
    uint32_t id;
    uint32_t flags;
} lt_added;

typedef struct lt_added_set {
    lt_added *token; /* sorted by text after lt_added_sort; texts differ */
    size_t count, capacity;
    size_t first[257]; /* tokens that start with byte b are first[b] up to first[b + 1] */
} lt_added_set;

lathe_status lt_added_add(lt_added_set *set, lt_arena *arena, lt_added token, lathe_error *err) LT_MUST_USE;

/* To be called once, when all tokens are there. Of tokens with the same text the last one stays. */
void lt_added_sort(lt_added_set *set);

/* The token that starts first at or after `from`, the longest of those that start there; NULL when there is
 * none. `start` gets its place. */
const lt_added *lt_added_find(const lt_added_set *set, const char *text, size_t size, size_t from,
                              size_t *start);

/* Whether a token that was found in valid UTF-8 at [*start, *end) counts there; widens the range over white
 * space as its flags say. Characters before `done` are taken. */
bool lt_added_accept(const lt_added *token, const char *text, size_t size, size_t done, size_t *start,
                     size_t *end);

#endif
