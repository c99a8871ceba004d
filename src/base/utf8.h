/* UTF-8: reading valid text, replacing what is not valid, and cutting a byte stream into whole characters. */
#ifndef LT_UTF8_H
#define LT_UTF8_H

#include "base/arena.h"

/* Bytes of the character that starts with `lead`, in valid text. */
static inline size_t lt_utf8_length(char lead)
{
    unsigned char byte = (unsigned char)lead;
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* The character at `at` in valid text; `length` gets its bytes. */
uint32_t lt_utf8_read(const char *at, size_t *length);

/* Writes a character and returns its bytes. */
size_t lt_utf8_write(uint32_t code, char out[4]);

/* Where the character that ends before `end` starts, in valid text; `end` is more than 0. */
size_t lt_utf8_previous(const char *text, size_t end);

typedef enum lt_utf8_state {
    LT_UTF8_VALID,   /* a whole character */
    LT_UTF8_INVALID, /* bytes that stand for one U+FFFD */
    LT_UTF8_PARTIAL, /* the start of a character that further bytes could complete */
} lt_utf8_state;

/* Looks at the first character of `size` > 0 arbitrary bytes; `length` gets the bytes that it takes. Invalid
 * bytes are cut as Python's decode(errors="replace") and the Unicode standard do: one replacement for each
 * longest piece that could have begun a character. */
lt_utf8_state lt_utf8_scan(const char *bytes, size_t size, size_t *length);

/* Valid text for arbitrary bytes: the bytes themselves where they are valid, else a copy in the arena with
 * U+FFFD in place of what is not. */
lathe_status lt_utf8_sanitize(lt_arena *arena, const char *bytes, size_t size, const char **out,
                              size_t *out_size, lathe_error *err) LT_MUST_USE;

/* Bytes in, whole characters out. Zero-initialise. */
typedef struct lt_utf8_stream {
    char pending[4];
    size_t count; /* bytes pending: the start of a character, at most 3 between calls */
} lt_utf8_stream;

/* Takes one byte and writes the characters that it completes to `out`; returns their bytes (0 while a
 * character is incomplete; more than one character after an invalid start). */
size_t lt_utf8_push(lt_utf8_stream *stream, char byte, char out[8]);

/* Writes what is left at the end of the stream, U+FFFD or nothing; returns its bytes. */
size_t lt_utf8_flush(lt_utf8_stream *stream, char out[8]);

#endif
