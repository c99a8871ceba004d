/* Zip directory and inflation. Sizes come from the central directory (writers that stream leave them out of
 * the local headers), payload offsets from the local headers (their extra fields may differ in length). */
#include "load/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    ZIP_END_BYTES = 22,
    ZIP_END64_BYTES = 56,
    ZIP_LOCATOR_BYTES = 20,
    ZIP_CENTRAL_BYTES = 46,
    ZIP_LOCAL_BYTES = 30,
    ZIP_MAX_COMMENT = 65535,
    ZIP_STORED = 0,
    ZIP_DEFLATED = 8,
    ZIP_MAX_RATIO = 1032, /* no deflate stream gives more bytes per byte */
};

#define ZIP_END_MARK 0x06054b50u
#define ZIP_END64_MARK 0x06064b50u
#define ZIP_LOCATOR_MARK 0x07064b50u
#define ZIP_CENTRAL_MARK 0x02014b50u
#define ZIP_LOCAL_MARK 0x04034b50u

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }
static uint32_t get32(const uint8_t *at) { return get16(at) | (uint32_t)get16(at + 2) << 16; }
static uint64_t get64(const uint8_t *at) { return get32(at) | (uint64_t)get32(at + 4) << 32; }

/* Where the central directory lies, from one of the two end records. */
typedef struct zip_end {
    uint64_t count, bytes, offset; /* entries; size and place of the directory in the file */
    size_t limit;                  /* the directory ends at or before this file offset */
} zip_end;

/* An entry while its place is being checked. */
typedef struct zip_span {
    size_t begin, end; /* local header to the end of the payload, file offsets */
    uint32_t index;
} zip_span;

typedef struct zip_reader {
    const lt_file *file;
    const char *what;
    zip_end end;
    lt_zip_entry *entries;
    zip_span *spans;
} zip_reader;

static bool find_end(const lt_file *file, size_t *at)
{
    if (file->size < ZIP_END_BYTES) return false;
    size_t last = file->size - ZIP_END_BYTES;
    size_t first = last > ZIP_MAX_COMMENT ? last - ZIP_MAX_COMMENT : 0;
    for (*at = last;; --*at) {
        const uint8_t *record = file->data + *at;
        if (get32(record) == ZIP_END_MARK && get16(record + 20) == last - *at) return true;
        if (*at == first) return false;
    }
}

static lathe_status read_end64(zip_reader *reader, size_t locator, lathe_error *err)
{
    const uint8_t *data = reader->file->data;
    uint64_t at = get64(data + locator + 8);
    if (get32(data + locator + 4) != 0 || get32(data + locator + 16) > 1)
        LT_FAIL(err, UNSUPPORTED, "%s: a zip archive in several parts", reader->what);
    if (locator < ZIP_END64_BYTES || at > locator - ZIP_END64_BYTES)
        LT_FAIL(err, FORMAT, "%s: the ZIP64 end record is said to be at %llu, outside the file", reader->what,
                (unsigned long long)at);
    const uint8_t *record = data + at;
    if (get32(record) != ZIP_END64_MARK)
        LT_FAIL(err, FORMAT, "%s: no ZIP64 end record at %llu", reader->what, (unsigned long long)at);
    if (get32(record + 16) != 0 || get32(record + 20) != 0 || get64(record + 24) != get64(record + 32))
        LT_FAIL(err, UNSUPPORTED, "%s: a zip archive in several parts", reader->what);
    reader->end = (zip_end){.count = get64(record + 32),
                            .bytes = get64(record + 40),
                            .offset = get64(record + 48),
                            .limit = (size_t)at};
    return LATHE_OK;
}

static lathe_status read_end(zip_reader *reader, lathe_error *err)
{
    size_t at;
    if (!find_end(reader->file, &at))
        LT_FAIL(err, FORMAT, "%s: not a zip archive, or cut off: no end record", reader->what);
    const uint8_t *record = reader->file->data + at;
    if (at >= ZIP_LOCATOR_BYTES && get32(record - ZIP_LOCATOR_BYTES) == ZIP_LOCATOR_MARK) {
        LT_TRY(read_end64(reader, at - ZIP_LOCATOR_BYTES, err));
    } else {
        if (get16(record + 4) != 0 || get16(record + 6) != 0 || get16(record + 8) != get16(record + 10))
            LT_FAIL(err, UNSUPPORTED, "%s: a zip archive in several parts", reader->what);
        reader->end = (zip_end){.count = get16(record + 10),
                                .bytes = get32(record + 12),
                                .offset = get32(record + 16),
                                .limit = at};
    }
    const zip_end *end = &reader->end;
    if (end->offset > end->limit || end->bytes > end->limit - end->offset)
        LT_FAIL(err, FORMAT, "%s: the zip directory is said to be %llu bytes at %llu, outside the file",
                reader->what, (unsigned long long)end->bytes, (unsigned long long)end->offset);
    if (end->count > end->bytes / ZIP_CENTRAL_BYTES || end->count >= LT_NONE)
        LT_FAIL(err, FORMAT, "%s: the zip directory claims %llu entries in %llu bytes", reader->what,
                (unsigned long long)end->count, (unsigned long long)end->bytes);
    return LATHE_OK;
}

static const char *name_fault(const char *name, size_t length)
{
    if (length == 0) return "is empty";
    if (strlen(name) != length) return "contains a zero byte";
    if (strchr(name, '\\')) return "contains a backslash";
    if (name[0] == '/' || (length > 1 && name[1] == ':')) return "is absolute";
    for (const char *part = name; part; part = strchr(part, '/')) {
        if (*part == '/') part++;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return "leaves its folder";
    }
    return NULL;
}

/* Sizes and offset that do not fit their 32-bit fields are in the extra field 1, in this order. */
static bool read_extra64(const uint8_t *extra, size_t length, uint64_t *const field[3])
{
    bool wanted = false;
    for (int i = 0; i < 3; i++) wanted |= *field[i] == UINT32_MAX;
    if (!wanted) return true;
    while (length >= 4) {
        size_t id = get16(extra), bytes = get16(extra + 2);
        if (bytes > length - 4) return false;
        extra += 4;
        length -= 4;
        if (id == 1) {
            for (int i = 0; i < 3; i++) {
                if (*field[i] != UINT32_MAX) continue;
                if (bytes < 8) return false;
                *field[i] = get64(extra);
                extra += 8;
                bytes -= 8;
            }
            return true;
        }
        extra += bytes;
        length -= bytes;
    }
    return false;
}

/* Finds the payload behind the local header and checks that the header speaks of the same entry. */
static lathe_status locate_payload(zip_reader *reader, uint32_t index, uint64_t offset, size_t name_length,
                                   unsigned method, lathe_error *err)
{
    lt_zip_entry *entry = &reader->entries[index];
    uint64_t limit = reader->end.offset; /* payloads lie before the directory */
    if (limit < ZIP_LOCAL_BYTES || offset > limit - ZIP_LOCAL_BYTES)
        LT_FAIL(err, FORMAT, "%s: entry '%s' is said to be at %llu, outside the file", reader->what,
                entry->name, (unsigned long long)offset);
    const uint8_t *local = reader->file->data + offset;
    if (get32(local) != ZIP_LOCAL_MARK)
        LT_FAIL(err, FORMAT, "%s: entry '%s': no local header at %llu", reader->what, entry->name,
                (unsigned long long)offset);
    uint64_t left = limit - offset - ZIP_LOCAL_BYTES, skip = (uint64_t)get16(local + 26) + get16(local + 28);
    if (skip > left || get16(local + 26) != name_length || get16(local + 8) != method ||
        memcmp(local + ZIP_LOCAL_BYTES, entry->name, name_length) != 0)
        LT_FAIL(err, FORMAT, "%s: entry '%s': its local header does not match the directory", reader->what,
                entry->name);
    if (entry->compressed > left - skip)
        LT_FAIL(err, FORMAT, "%s: entry '%s' claims %zu bytes, only %llu are left in the file", reader->what,
                entry->name, entry->compressed, (unsigned long long)(left - skip));
    entry->data = local + ZIP_LOCAL_BYTES + skip;
    size_t begin = (size_t)offset;
    reader->spans[index] = (zip_span){
        .begin = begin, .end = begin + ZIP_LOCAL_BYTES + (size_t)skip + entry->compressed, .index = index};
    return LATHE_OK;
}

static lathe_status check_method(const zip_reader *reader, const lt_zip_entry *entry, unsigned flags,
                                 unsigned method, lathe_error *err)
{
    if (flags & 0x2041) /* traditional, strong, or hidden headers */
        LT_FAIL(err, UNSUPPORTED, "%s: entry '%s' is encrypted", reader->what, entry->name);
    if (method != ZIP_STORED && method != ZIP_DEFLATED)
        LT_FAIL(err, UNSUPPORTED, "%s: entry '%s' uses compression method %u; stored and deflated are read",
                reader->what, entry->name, method);
    if (method == ZIP_STORED && entry->size != entry->compressed)
        LT_FAIL(err, FORMAT, "%s: entry '%s' is stored, but its two sizes are %zu and %zu", reader->what,
                entry->name, entry->size, entry->compressed);
    if (method == ZIP_DEFLATED && entry->size / ZIP_MAX_RATIO > entry->compressed)
        LT_FAIL(err, FORMAT, "%s: entry '%s' claims %zu bytes, more than %zu compressed bytes can give",
                reader->what, entry->name, entry->size, entry->compressed);
    return LATHE_OK;
}

/* Reads the directory record at `at`; `left` bytes of directory remain. */
static lathe_status read_entry(zip_reader *reader, lt_zip *zip, uint32_t index, const uint8_t *at,
                               size_t left, size_t *used, lathe_error *err)
{
    size_t name_length = left >= ZIP_CENTRAL_BYTES ? get16(at + 28) : 0;
    size_t extra = left >= ZIP_CENTRAL_BYTES ? get16(at + 30) : 0;
    if (left < ZIP_CENTRAL_BYTES || get32(at) != ZIP_CENTRAL_MARK)
        LT_FAIL(err, FORMAT, "%s: record %u of the zip directory is broken", reader->what, index);
    *used = ZIP_CENTRAL_BYTES + name_length + extra + get16(at + 32);
    if (*used > left)
        LT_FAIL(err, FORMAT, "%s: record %u of the zip directory is cut off", reader->what, index);

    const char *name_bytes = (const char *)at + ZIP_CENTRAL_BYTES;
    char *name = lt_arena_strndup(zip->names.arena, name_bytes, name_length);
    if (!name) return lt_out_of_memory(err, name_length, 1);
    const char *fault = name_fault(name, name_length);
    if (fault)
        LT_FAIL(err, FORMAT, "%s: the name of zip entry %u, '%s', %s", reader->what, index, name, fault);
    if (lt_map_get(&zip->names, name) != LT_NONE)
        LT_FAIL(err, FORMAT, "%s: two zip entries are named '%s'", reader->what, name);
    LT_TRY(lt_map_put(&zip->names, name, index, err));

    uint64_t size = get32(at + 24), compressed = get32(at + 20), offset = get32(at + 42);
    uint64_t *const wide[3] = {&size, &compressed, &offset};
    if (!read_extra64(at + ZIP_CENTRAL_BYTES + name_length, extra, wide))
        LT_FAIL(err, FORMAT, "%s: entry '%s': its ZIP64 field is missing or broken", reader->what, name);
    if (get16(at + 34) != 0)
        LT_FAIL(err, UNSUPPORTED, "%s: entry '%s' is on another disk", reader->what, name);
    unsigned method = get16(at + 10);
    lt_zip_entry *entry = &reader->entries[index];
    *entry = (lt_zip_entry){.name = name,
                            .compressed = (size_t)compressed,
                            .size = (size_t)size,
                            .crc = get32(at + 16),
                            .deflated = method == ZIP_DEFLATED};
    LT_TRY(check_method(reader, entry, get16(at + 8), method, err));
    return locate_payload(reader, index, offset, name_length, method, err);
}

static int compare_spans(const void *a, const void *b)
{
    size_t x = ((const zip_span *)a)->begin, y = ((const zip_span *)b)->begin;
    return (x > y) - (x < y);
}

static lathe_status check_overlap(zip_reader *reader, uint32_t count, lathe_error *err)
{
    if (count) qsort(reader->spans, count, sizeof *reader->spans, compare_spans);
    for (uint32_t i = 1; i < count; i++)
        if (reader->spans[i].begin < reader->spans[i - 1].end)
            LT_FAIL(err, FORMAT, "%s: zip entries '%s' and '%s' overlap", reader->what,
                    reader->entries[reader->spans[i - 1].index].name,
                    reader->entries[reader->spans[i].index].name);
    return LATHE_OK;
}

lathe_status lt_zip_open(const lt_file *file, const char *what, lt_arena *arena, lt_zip **out,
                         lathe_error *err)
{
    *out = NULL;
    zip_reader reader = {.file = file, .what = what};
    LT_TRY(read_end(&reader, err));
    lt_zip *zip;
    LT_ALLOC(arena, zip, 1, err);
    zip->names.arena = arena;
    zip->count = (uint32_t)reader.end.count;
    zip->what = lt_arena_strdup(arena, what);
    if (!zip->what) return lt_out_of_memory(err, 1, strlen(what));
    LT_ALLOC(arena, reader.entries, zip->count, err);
    LT_ALLOC(arena, reader.spans, zip->count, err);
    const uint8_t *at = file->data + reader.end.offset;
    size_t left = (size_t)reader.end.bytes, used = 0;
    for (uint32_t i = 0; i < zip->count; i++, at += used, left -= used)
        LT_TRY(read_entry(&reader, zip, i, at, left, &used, err));
    LT_TRY(check_overlap(&reader, zip->count, err));
    zip->entries = reader.entries;
    *out = zip;
    return LATHE_OK;
}

uint32_t lt_zip_find(const lt_zip *zip, const char *name) { return lt_map_get(&zip->names, name); }

/* Inflates exactly `entry->size` bytes; zlib counts in 32 bits, so larger entries go in parts. */
static int inflate_all(const lt_zip_entry *entry, uint8_t *out)
{
    const size_t part = 1u << 30;
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)entry->data, .next_out = out};
    int code = inflateInit2(&stream, -MAX_WBITS);
    if (code != Z_OK) return code;
    size_t in_left = entry->compressed, out_left = entry->size;
    while (code == Z_OK) {
        size_t in = in_left < part ? in_left : part, room = out_left < part ? out_left : part;
        stream.avail_in = (uInt)in;
        stream.avail_out = (uInt)room;
        code = inflate(&stream, Z_NO_FLUSH);
        in_left -= in - stream.avail_in;
        out_left -= room - stream.avail_out;
    }
    inflateEnd(&stream);
    if (code == Z_STREAM_END && (in_left || out_left)) return Z_DATA_ERROR;
    return code;
}

lathe_status lt_zip_inflate(const lt_zip *zip, uint32_t index, lt_arena *arena, const void **data,
                            size_t *size, lathe_error *err)
{
    lt_assert(index < zip->count);
    const lt_zip_entry *entry = &zip->entries[index];
    *data = entry->data;
    *size = entry->size;
    if (!entry->deflated) return LATHE_OK;
    uint8_t *out;
    LT_ALLOC(arena, out, entry->size, err);
    int code = inflate_all(entry, out);
    if (code == Z_MEM_ERROR) return lt_out_of_memory(err, 1, entry->size);
    if (code != Z_STREAM_END)
        LT_FAIL(err, FORMAT, "%s: entry '%s' cannot be inflated to %zu bytes: its data is broken", zip->what,
                entry->name, entry->size);
    if (crc32_z(0, out, entry->size) != entry->crc)
        LT_FAIL(err, FORMAT, "%s: entry '%s' does not have the CRC that the directory gives", zip->what,
                entry->name);
    *data = out;
    return LATHE_OK;
}
