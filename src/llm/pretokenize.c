/* Splitting steps. Each takes the words of the step before and cuts them further; an expression sees one word
 * as its whole subject, so that look-around stops at word borders. */
#include "llm/pretokenize.h"

#include <string.h>

#include "base/utf8.h"

const char lt_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char lt_pattern_number[] = "[\\p{N}\\x{11de0}-\\x{11de9}\\x{16ff4}-\\x{16ff6}]"; /* up to Unicode 17 */
const char lt_pattern_punctuation[] = "[!-/:-@\\[-`{-~\\p{P}]";

/* GPT-2's table: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up, in order. */
static bool is_own_char(uint32_t byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

uint32_t lt_byte_char(uint8_t byte)
{
    if (is_own_char(byte)) return byte;
    if (byte <= ' ') return 0x100u + byte;
    if (byte <= 0xa0) return 0x100u + 0x21u + (byte - 0x7fu);
    return 0x100u + 0x43u; /* the soft hyphen */
}

int lt_char_byte(uint32_t code)
{
    if (code < 0x100) return is_own_char(code) ? (int)code : -1;
    if (code <= 0x120) return (int)(code - 0x100);
    if (code <= 0x142) return (int)(code - 0x121 + 0x7f);
    return code == 0x143 ? 0xad : -1;
}

/* One split in progress. */
typedef struct splitter {
    lt_arena *arena;
    lt_words *out;
    lt_split_behavior behavior;
    bool invert;
    bool last_matched; /* the piece before was a match */
    bool open;         /* a match waits for the piece that it begins */
    size_t base;       /* words in `out` before this subject: they are not extended */
    size_t from;       /* start of the waiting match */
} splitter;

static lathe_status push(splitter *s, size_t start, size_t end, lathe_error *err)
{
    lt_words *out = s->out;
    if (start == end) return LATHE_OK;
    LT_GROW(s->arena, out->span, out->count, out->capacity, err);
    out->span[out->count++] = (lt_span){start, end - start};
    return LATHE_OK;
}

static lathe_status extend(splitter *s, size_t start, size_t end, lathe_error *err)
{
    lt_words *out = s->out;
    if (out->count == s->base) return push(s, start, end, err);
    lt_span *last = &out->span[out->count - 1];
    last->size = end - last->start;
    return LATHE_OK;
}

static lathe_status flush(splitter *s, size_t end, lathe_error *err)
{
    bool open = s->open;
    s->open = false;
    return open ? push(s, s->from, end, err) : LATHE_OK;
}

/* Takes the next piece of the subject, a match or what lies between matches. */
static lathe_status add_piece(splitter *s, size_t start, size_t end, bool matched, lathe_error *err)
{
    matched = matched != s->invert;
    bool repeated = matched == s->last_matched, after_match = s->last_matched;
    s->last_matched = matched;
    switch (s->behavior) {
    case LT_SPLIT_ISOLATED: return push(s, start, end, err);
    case LT_SPLIT_REMOVED: return matched ? LATHE_OK : push(s, start, end, err);
    case LT_SPLIT_CONTIGUOUS: return repeated ? extend(s, start, end, err) : push(s, start, end, err);
    case LT_SPLIT_MERGED_PREVIOUS:
        return matched && !after_match ? extend(s, start, end, err) : push(s, start, end, err);
    case LT_SPLIT_MERGED_NEXT: break;
    }
    if (matched) {
        LT_TRY(flush(s, start, err));
        s->open = true;
        s->from = start;
        return LATHE_OK;
    }
    if (!s->open) return push(s, start, end, err);
    return flush(s, end, err);
}

static lathe_status split_subject(splitter *s, const lt_pre_step *step, lt_matcher *matcher, const char *text,
                                  lt_span subject, lathe_error *err)
{
    s->base = s->out->count;
    s->last_matched = s->open = false;
    size_t done = 0, at = 0, start, end;
    bool found, any = false; /* any: `done` is the end of a match */
    while (at <= subject.size) {
        LT_TRY(lt_pattern_find(step->pattern, matcher, text + subject.start, subject.size, at, &found, &start,
                               &end, err));
        if (!found) break;
        if (start == end && any && end == done) { /* an empty match right behind another one does not count */
            at += at < subject.size ? lt_utf8_length(text[subject.start + at]) : 1;
            continue;
        }
        if (done != start) LT_TRY(add_piece(s, subject.start + done, subject.start + start, false, err));
        LT_TRY(add_piece(s, subject.start + start, subject.start + end, true, err));
        at = done = end;
        any = true;
    }
    size_t last = subject.start + subject.size;
    if (done != subject.size) LT_TRY(add_piece(s, subject.start + done, last, false, err));
    return flush(s, last, err);
}

static lathe_status split(const lt_pre_step *step, lt_arena *arena, lt_matcher *matcher, lt_words *words,
                          lathe_error *err)
{
    lt_words out = {.text = words->text};
    splitter s = {.arena = arena, .out = &out, .behavior = step->behavior, .invert = step->invert};
    for (size_t i = 0; i < words->count; i++)
        LT_TRY(split_subject(&s, step, matcher, words->text, words->span[i], err));
    *words = out;
    return LATHE_OK;
}

static lathe_status add_spaces(lt_arena *arena, lt_words *words, lathe_error *err)
{
    size_t room = words->count, used = 0;
    for (size_t i = 0; i < words->count; i++)
        if (!lt_add_size(room, words->span[i].size, &room)) return lt_out_of_memory(err, words->count, room);
    char *text;
    LT_ALLOC(arena, text, room, err);
    for (size_t i = 0; i < words->count; i++) {
        lt_span *span = &words->span[i];
        size_t start = used;
        if (words->text[span->start] != ' ') text[used++] = ' ';
        memcpy(text + used, words->text + span->start, span->size);
        used += span->size;
        *span = (lt_span){start, used - start};
    }
    words->text = text;
    return LATHE_OK;
}

static lathe_status map_bytes(lt_arena *arena, lt_words *words, lathe_error *err)
{
    size_t bytes = 0, used = 0;
    for (size_t i = 0; i < words->count; i++) bytes += words->span[i].size;
    char *text;
    if (bytes > SIZE_MAX / 4) return lt_out_of_memory(err, bytes, 2);
    LT_ALLOC(arena, text, 2 * bytes + 4, err); /* a character takes at most two bytes here */
    for (size_t i = 0; i < words->count; i++) {
        lt_span *span = &words->span[i];
        size_t start = used;
        for (size_t k = 0; k < span->size; k++)
            used += lt_utf8_write(lt_byte_char((uint8_t)words->text[span->start + k]), text + used);
        *span = (lt_span){start, used - start};
    }
    words->text = text;
    return LATHE_OK;
}

lathe_status lt_pretokenize(const lt_pre_step *steps, size_t count, lt_arena *arena, lt_matcher *matcher,
                            const char *text, size_t size, lt_words *out, lathe_error *err)
{
    *out = (lt_words){.text = text};
    if (!size) return LATHE_OK;
    LT_GROW(arena, out->span, out->count, out->capacity, err);
    out->span[out->count++] = (lt_span){0, size};
    for (size_t i = 0; i < count; i++) {
        switch (steps[i].kind) {
        case LT_PRE_SPLIT: LT_TRY(split(&steps[i], arena, matcher, out, err)); break;
        case LT_PRE_SPACE: LT_TRY(add_spaces(arena, out, err)); break;
        case LT_PRE_BYTES: LT_TRY(map_bytes(arena, out, err)); break;
        }
    }
    return LATHE_OK;
}
