/* Writing a .lathe file: sections first, the header and the table over their place at last. */
#include <string.h>

#include "load/lathe_layout.h"

struct lt_lathe_writer {
    lt_writer *file;
    size_t start; /* of the section */
    bool summed;
    uint32_t crc, n;
    uint8_t head[LT_LATHE_HEADER_BYTES + LT_LATHE_MAX_SECTIONS * LT_LATHE_ENTRY_BYTES];
};

void lt_lathe_encode_record(const lt_lathe_record *record, uint8_t out[LT_LATHE_RECORD_BYTES])
{
    lt_put64(out, record->offset);
    lt_put64(out + 8, record->size);
    lt_put32(out + 16, record->crc);
    lt_put32(out + 20, record->form);
}

static uint8_t *entry(lt_lathe_writer *writer)
{
    return writer->head + LT_LATHE_HEADER_BYTES + writer->n * (size_t)LT_LATHE_ENTRY_BYTES;
}

/* Zeros up to a multiple of `align`. */
static lathe_status pad(lt_lathe_writer *writer, size_t align, lathe_error *err)
{
    static const uint8_t zeros[4096];
    for (size_t left = -lt_writer_size(writer->file) & (align - 1); left;) {
        size_t n = left < sizeof zeros ? left : sizeof zeros;
        LT_TRY(lt_writer_put(writer->file, zeros, n, err));
        left -= n;
    }
    return LATHE_OK;
}

lathe_status lt_lathe_writer_open(const char *path, lt_lathe_writer **out, lathe_error *err)
{
    lt_lathe_writer *writer = *out = lt_heap_alloc(1, sizeof *writer);
    if (!writer) return lt_out_of_memory(err, 1, sizeof *writer);
    lathe_status status = lt_writer_open(path, &writer->file, err);
    if (status == LATHE_OK) status = lt_writer_put(writer->file, writer->head, sizeof writer->head, err);
    if (status == LATHE_OK) return LATHE_OK;
    lt_lathe_writer_close(writer);
    *out = NULL;
    return status;
}

lathe_status lt_lathe_writer_begin(lt_lathe_writer *writer, const char *name, size_t align, bool summed,
                                   lathe_error *err)
{
    if (writer->n == LT_LATHE_MAX_SECTIONS)
        LT_FAIL(err, LIMIT, "more than %d sections", LT_LATHE_MAX_SECTIONS);
    if (strlen(name) >= LT_LATHE_NAME_BYTES)
        LT_FAIL(err, LIMIT, "section name '%s': more than %d bytes", name, LT_LATHE_NAME_BYTES - 1);
    LT_TRY(pad(writer, align, err));
    memcpy(entry(writer), name, strlen(name));
    writer->start = lt_writer_size(writer->file);
    writer->summed = summed;
    writer->crc = 0;
    return LATHE_OK;
}

lathe_status lt_lathe_writer_put(lt_lathe_writer *writer, const void *data, size_t size, lathe_error *err)
{
    if (writer->summed) writer->crc = lt_lathe_crc(writer->crc, data, size);
    return lt_writer_put(writer->file, data, size, err);
}

size_t lt_lathe_writer_at(const lt_lathe_writer *writer)
{
    return lt_writer_size(writer->file) - writer->start;
}

void lt_lathe_writer_end(lt_lathe_writer *writer)
{
    uint8_t *at = entry(writer) + LT_LATHE_NAME_BYTES;
    lt_put64(at, writer->start);
    lt_put64(at + 8, lt_lathe_writer_at(writer));
    lt_put32(at + 16, writer->crc);
    writer->n++;
}

lathe_status lt_lathe_writer_add(lt_lathe_writer *writer, const char *name, const void *data, size_t size,
                                 lathe_error *err)
{
    LT_TRY(lt_lathe_writer_begin(writer, name, LT_LATHE_ALIGN, true, err));
    LT_TRY(lt_lathe_writer_put(writer, data, size, err));
    lt_lathe_writer_end(writer);
    return LATHE_OK;
}

lathe_status lt_lathe_writer_finish(lt_lathe_writer *writer, lathe_error *err)
{
    uint8_t *h = writer->head;
    size_t table = writer->n * (size_t)LT_LATHE_ENTRY_BYTES;
    memcpy(h, LT_LATHE_MAGIC, LT_LATHE_MAGIC_BYTES);
    lt_put32(h + LT_LATHE_AT_VERSION, LT_LATHE_VERSION);
    lt_put32(h + LT_LATHE_AT_COUNT, writer->n);
    lt_put64(h + LT_LATHE_AT_SIZE, lt_writer_size(writer->file));
    uint32_t crc = lt_lathe_crc(0, h, LT_LATHE_AT_CRC);
    lt_put32(h + LT_LATHE_AT_CRC, lt_lathe_crc(crc, h + LT_LATHE_HEADER_BYTES, table));
    LT_TRY(lt_writer_patch(writer->file, 0, h, LT_LATHE_HEADER_BYTES + table, err));
    return lt_writer_finish(writer->file, err);
}

void lt_lathe_writer_close(lt_lathe_writer *writer)
{
    if (!writer) return;
    lt_writer_close(writer->file);
    lt_heap_free(writer);
}
