/* Search for added tokens by narrowing a sorted table byte by byte. */
#include "llm/added.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

lathe_status lt_added_add(lt_added_set *set, lt_arena *arena, lt_added token, lathe_error *err)
{
    LT_GROW(arena, set->token, set->count, set->capacity, err);
    set->token[set->count++] = token;
    return LATHE_OK;
}

static int compare_text(const lt_added *a, const lt_added *b)
{
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int compare(const void *a, const void *b)
{
    const lt_added *x = a, *y = b;
    int order = compare_text(x, y);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

void lt_added_sort(lt_added_set *set)
{
    if (set->count) qsort(set->token, set->count, sizeof *set->token, compare);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (kept && compare_text(&set->token[kept - 1], &set->token[i]) == 0) kept--;
        set->token[kept++] = set->token[i];
    }
    set->count = kept;
    size_t at = 0;
    for (size_t byte = 0; byte <= 256; byte++) {
        while (at < kept && (unsigned char)set->token[at].text[0] < byte) at++;
        set->first[byte] = at;
    }
}

/* First token of [low, high), all of which agree in their first `depth` bytes and are longer, whose next byte
 * is at least `byte`. */
static size_t lower_bound(const lt_added_set *set, size_t low, size_t high, size_t depth, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)set->token[middle].text[depth] < byte) low = middle + 1;
        else high = middle;
    }
    return low;
}

static const lt_added *longest_at(const lt_added_set *set, const char *text, size_t size)
{
    const lt_added *best = NULL;
    size_t low = set->first[(unsigned char)text[0]], high = set->first[(unsigned char)text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (set->token[low].size == depth) best = &set->token[low++];
        if (depth == size) break;
        int byte = (unsigned char)text[depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1);
    }
    return best;
}

const lt_added *lt_added_find(const lt_added_set *set, const char *text, size_t size, size_t from,
                              size_t *start)
{
    if (!set->count) return NULL;
    for (size_t at = from; at < size; at++) {
        const lt_added *token = longest_at(set, text + at, size - at);
        *start = at;
        if (token) return token;
    }
    return NULL;
}

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

static bool is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: /* joiners and circled letters */
        return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
               (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    }
}

bool lt_added_accept(const lt_added *token, const char *text, size_t size, size_t done, size_t *start,
                     size_t *end)
{
    size_t length;
    if (token->flags & LT_ADDED_SINGLE_WORD) {
        if (*start > 0 && is_word(lt_utf8_read(text + lt_utf8_previous(text, *start), &length))) return false;
        if (*end < size && is_word(lt_utf8_read(text + *end, &length))) return false;
    }
    if (token->flags & LT_ADDED_LSTRIP) {
        while (*start > done) {
            size_t before = lt_utf8_previous(text, *start);
            if (before < done || !is_space(lt_utf8_read(text + before, &length))) break;
            *start = before;
        }
    }
    if (token->flags & LT_ADDED_RSTRIP)
        while (*end < size && is_space(lt_utf8_read(text + *end, &length))) *end += length;
    return true;
}
