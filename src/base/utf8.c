/* UTF-8 reading, replacing and streaming. */
#include "base/utf8.h"

#include <string.h>

static const char replacement[3] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */

uint32_t lt_utf8_read(const char *at, size_t *length)
{
    const unsigned char *b = (const unsigned char *)at;
    *length = lt_utf8_length(*at);
    switch (*length) {
    case 1: return b[0];
    case 2: return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3: return (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    default: return (b[0] & 0x7u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    }
}

size_t lt_utf8_write(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80u | (code & 0x3fu));
    static const unsigned char mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(mark[length] | code);
    return length;
}

size_t lt_utf8_previous(const char *text, size_t end)
{
    do end--;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

lt_utf8_state lt_utf8_scan(const char *bytes, size_t size, size_t *length)
{
    const unsigned char *b = (const unsigned char *)bytes;
    *length = 1;
    if (b[0] < 0x80) return LT_UTF8_VALID;
    if (b[0] < 0xc2 || b[0] > 0xf4) return LT_UTF8_INVALID;
    /* The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    size_t need = lt_utf8_length(*bytes);
    for (; *length < need; ++*length) {
        if (*length == size) return LT_UTF8_PARTIAL;
        if (b[*length] < low || b[*length] > high) return LT_UTF8_INVALID;
        low = 0x80;
        high = 0xbf;
    }
    return LT_UTF8_VALID;
}

lathe_status lt_utf8_sanitize(lt_arena *arena, const char *bytes, size_t size, const char **out,
                              size_t *out_size, lathe_error *err)
{
    size_t invalid = 0, length;
    for (size_t at = 0; at < size; at += length)
        invalid += lt_utf8_scan(bytes + at, size - at, &length) != LT_UTF8_VALID;
    *out = bytes;
    *out_size = size;
    if (!invalid) return LATHE_OK;
    size_t room;
    if (!lt_mul_size(invalid, sizeof replacement, &room) || !lt_add_size(room, size, &room))
        return lt_out_of_memory(err, invalid, sizeof replacement);
    char *text;
    LT_ALLOC(arena, text, room, err);
    size_t used = 0;
    for (size_t at = 0; at < size; at += length) {
        bool valid = lt_utf8_scan(bytes + at, size - at, &length) == LT_UTF8_VALID;
        size_t take = valid ? length : sizeof replacement;
        memcpy(text + used, valid ? bytes + at : replacement, take);
        used += take;
    }
    *out = text;
    *out_size = used;
    return LATHE_OK;
}

size_t lt_utf8_push(lt_utf8_stream *stream, char byte, char out[8])
{
    stream->pending[stream->count++] = byte;
    size_t written = 0, length;
    /* At most two rounds: an invalid start, and then the new byte on its own. */
    while (stream->count) {
        lt_utf8_state state = lt_utf8_scan(stream->pending, stream->count, &length);
        if (state == LT_UTF8_PARTIAL) break;
        size_t take = state == LT_UTF8_VALID ? length : sizeof replacement;
        memcpy(out + written, state == LT_UTF8_VALID ? stream->pending : replacement, take);
        written += take;
        stream->count -= length;
        memmove(stream->pending, stream->pending + length, stream->count);
    }
    return written;
}

size_t lt_utf8_flush(lt_utf8_stream *stream, char out[8])
{
    if (!stream->count) return 0;
    stream->count = 0;
    memcpy(out, replacement, sizeof replacement);
    return sizeof replacement;
}
