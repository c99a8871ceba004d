/* Text to ids: added tokens are cut out, what lies between is normalised, split into words and merged. */
#include <string.h>

#include "base/utf8.h"
#include "llm/tokenizer.h"

typedef struct encoder {
    const lathe_tokenizer *t;
    lt_arena *arena; /* scratch of this call */
    lt_matcher *matcher;
    lt_bpe_scratch bpe;
    uint32_t *word; /* [word_capacity] ids of the word at hand */
    size_t word_capacity;
    char *key; /* [t->longest + 1] a word, terminated */
    int64_t *ids;
    size_t count, capacity;
    unsigned flags;
    const lt_literal *literal; /* [n_literal], or none */
    size_t n_literal;
} encoder;

static lathe_status push_id(encoder *e, uint32_t id, lathe_error *err)
{
    LT_GROW(e->arena, e->ids, e->count, e->capacity, err);
    e->ids[e->count++] = id;
    return LATHE_OK;
}

/* Ids of the single bytes of a word, which is written as lt_byte_char. */
static size_t spell_word(const encoder *e, const char *text, size_t size)
{
    size_t count = 0, length;
    bool unknown_before = false;
    for (size_t at = 0; at < size; at += length) {
        int byte = lt_char_byte(lt_utf8_read(text + at, &length));
        uint32_t id = byte < 0 ? LT_NONE : e->t->byte_id[byte];
        bool unknown = id == LT_NONE;
        if (unknown) id = e->t->unknown;
        if (id != LT_NONE && !(unknown && unknown_before && e->t->fuse_unknown)) e->word[count++] = id;
        unknown_before = unknown;
    }
    return count;
}

static lathe_status encode_word(encoder *e, const char *text, size_t size, lathe_error *err)
{
    const lathe_tokenizer *t = e->t;
    if (t->ignore_merges && size <= t->longest) {
        memcpy(e->key, text, size);
        e->key[size] = '\0';
        uint32_t id = lt_map_get(&t->spelling, e->key);
        if (id != LT_NONE) return push_id(e, id, err);
    }
    if (size > e->word_capacity) {
        LT_ALLOC(e->arena, e->word, 2 * size, err);
        e->word_capacity = 2 * size;
    }
    size_t count = spell_word(e, text, size);
    LT_TRY(lt_bpe_merge(&t->bpe, &e->bpe, e->word, &count, err));
    for (size_t i = 0; i < count; i++) LT_TRY(push_id(e, e->word[i], err));
    return LATHE_OK;
}

static lathe_status encode_plain(encoder *e, const char *text, size_t size, lathe_error *err)
{
    lt_words words;
    LT_TRY(lt_pretokenize(e->t->step, e->t->n_steps, e->arena, e->matcher, text, size, &words, err));
    for (size_t i = 0; i < words.count; i++)
        LT_TRY(encode_word(e, words.text + words.span[i].start, words.span[i].size, err));
    return LATHE_OK;
}

/* Normalised text: its added tokens and what lies between. */
static lathe_status encode_normalized(encoder *e, const char *text, size_t size, lathe_error *err);

static bool is_literal(const encoder *e, size_t start, size_t end)
{
    for (size_t i = 0; i < e->n_literal; i++)
        if (start < e->literal[i].end && e->literal[i].start < end) return true;
    return false;
}

/* `raw`: the text as it came, in which literal parts are marked. */
static lathe_status encode_around(encoder *e, const lt_added_set *set, bool raw, const char *text,
                                  size_t size, lathe_error *err)
{
    size_t done = 0, start;
    const lt_added *token;
    for (size_t at = 0; (token = lt_added_find(set, text, size, at, &start)) != NULL;) {
        size_t end = at = start + token->size;
        bool hidden = e->flags & LATHE_ENCODE_LITERAL || (raw && is_literal(e, start, end));
        if (token->flags & LT_ADDED_SPECIAL && hidden) continue;
        if (!lt_added_accept(token, text, size, done, &start, &end)) continue;
        if (done < start) {
            if (raw) LT_TRY(encode_normalized(e, text + done, start - done, err));
            else LT_TRY(encode_plain(e, text + done, start - done, err));
        }
        LT_TRY(push_id(e, token->id, err));
        done = end;
    }
    if (done == size) return LATHE_OK;
    return raw ? encode_normalized(e, text + done, size - done, err)
               : encode_plain(e, text + done, size - done, err);
}

static lathe_status encode_normalized(encoder *e, const char *text, size_t size, lathe_error *err)
{
    const char *normal;
    size_t normal_size;
    LT_TRY(lt_normalize(&e->t->normalizer, e->arena, text, size, &normal, &normal_size, err));
    return encode_around(e, &e->t->added_normalized, false, normal, normal_size, err);
}

static lathe_status encode(encoder *e, const char *text, size_t size, lathe_tokens *out, lathe_error *err)
{
    const lathe_tokenizer *t = e->t;
    LT_ALLOC(e->arena, e->key, t->longest + 1, err);
    LT_TRY(lt_utf8_sanitize(e->arena, text, size, &text, &size, err));
    bool bare = e->flags & LATHE_ENCODE_BARE;
    for (size_t i = 0; i < t->n_prefix && !bare; i++) LT_TRY(push_id(e, t->prefix[i], err));
    LT_TRY(encode_around(e, &t->added, true, text, size, err));
    for (size_t i = 0; i < t->n_suffix && !bare; i++) LT_TRY(push_id(e, t->suffix[i], err));
    out->ids = lt_heap_alloc(e->count, sizeof *out->ids);
    if (!out->ids) return lt_out_of_memory(err, e->count, sizeof *out->ids);
    if (e->count) memcpy(out->ids, e->ids, e->count * sizeof *out->ids);
    out->count = e->count;
    return LATHE_OK;
}

lathe_status lt_tokenizer_encode(const lathe_tokenizer *t, const char *text, size_t size, unsigned flags,
                                 const lt_literal *literal, size_t n_literal, lathe_tokens *out,
                                 lathe_error *err)
{
    encoder e = {.t = t, .flags = flags, .literal = literal, .n_literal = n_literal};
    *out = (lathe_tokens){0};
    LT_TRY(lt_arena_create(&e.arena, err));
    e.bpe.arena = e.arena;
    lathe_status status = lt_matcher_create(&e.matcher, err);
    if (status == LATHE_OK) status = encode(&e, text, size, out, err);
    lt_matcher_destroy(e.matcher);
    lt_arena_destroy(e.arena);
    return status;
}

lathe_status lathe_tokenizer_encode(const lathe_tokenizer *tokenizer, const char *text, size_t size,
                                    unsigned flags, lathe_tokens *out, lathe_error *err)
{
    return lt_tokenizer_encode(tokenizer, text, size, flags, NULL, 0, out, err);
}
