/* Read-only zip archives over a mapped file: stored entries are pointers into the mapping, deflated ones are
 * inflated on request. ZIP64 is understood; encryption, several disks and self-extracting prefixes are not.
 * Used by the .pt2 loader. Opening touches the directory and the local headers only, never the payloads. */
#ifndef LT_ZIP_H
#define LT_ZIP_H

#include "base/os.h"
#include "base/str.h"

typedef struct lt_zip_entry {
    const char *name;    /* whole path inside the archive, relative, without ".."; unique */
    const uint8_t *data; /* payload in the mapping: the bytes themselves, or the deflate stream */
    size_t compressed;   /* bytes at `data` */
    size_t size;         /* bytes of the content; equal to `compressed` when stored */
    uint32_t crc;        /* of the content, as the directory claims */
    bool deflated;       /* false: stored, `data` is the content */
} lt_zip_entry;

/* Lives in the arena it was opened with; entries point into the file, which must stay open. */
typedef struct lt_zip {
    const char *what;            /* names the archive in messages */
    const lt_zip_entry *entries; /* in the order of the central directory */
    uint32_t count;
    lt_map names; /* entry name → index */
} lt_zip;

/* Reads and checks the whole directory: every entry lies inside the file and overlaps no other. */
lathe_status lt_zip_open(const lt_file *file, const char *what, lt_arena *arena, lt_zip **out,
                         lathe_error *err) LT_MUST_USE;

/* Index of an entry, or LT_NONE. */
uint32_t lt_zip_find(const lt_zip *zip, const char *name);

/* The content of an entry: in place when stored, else inflated into the arena with its CRC checked. */
lathe_status lt_zip_inflate(const lt_zip *zip, uint32_t index, lt_arena *arena, const void **data,
                            size_t *size, lathe_error *err) LT_MUST_USE;

#endif
