/* The bytes of a .lathe file, for the files that read and write them. */
#ifndef LT_LATHE_LAYOUT_H
#define LT_LATHE_LAYOUT_H

#include "load/lathe_file.h"

/* A byte that is no text, the name, and both kinds of line ends: what a copy as text would change. */
#define LT_LATHE_MAGIC "\x93LATHE\r\n"

/* The header, and behind it the table: for each section its name, offset (8 bytes), size (8), checksum (4),
 * zeros (4). The checksum of both covers the header up to itself and the table. */
enum {
    LT_LATHE_MAGIC_BYTES = 8,
    LT_LATHE_AT_VERSION = 8,
    LT_LATHE_AT_COUNT = 12,
    LT_LATHE_AT_SIZE = 16,
    LT_LATHE_AT_CRC = 24,
    LT_LATHE_HEADER_BYTES = 64,
    LT_LATHE_ENTRY_BYTES = LT_LATHE_NAME_BYTES + 24,
    LT_LATHE_MAX_SECTIONS = 64
};

/* Little-endian numbers. */
static inline uint32_t lt_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t lt_get64(const uint8_t *at) { return lt_get32(at) | (uint64_t)lt_get32(at + 4) << 32; }

static inline void lt_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static inline void lt_put64(uint8_t *at, uint64_t value)
{
    lt_put32(at, (uint32_t)value);
    lt_put32(at + 4, (uint32_t)(value >> 32));
}

/* lathe_graph_read.c: reads it back; the texts stay in `data`. Weights get their record and no bytes. */
lathe_status lt_lathe_read_graph(const uint8_t *data, size_t size, lt_exported *x,
                                 lathe_error *err) LT_MUST_USE;

enum { LT_LATHE_DEPTH = 16 }; /* of lists in lists and regions in regions, together */

#endif
