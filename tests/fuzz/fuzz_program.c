/* Any bytes as the JSON inside a torch.export archive, so that what is tried is not lost on the archive
 * around it: the program, and behind a NUL the weights config, whose records are all alike. */
#include "fuzz/model_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOCAL_HEADER = 30, RECORD_BYTES = 4096 };

typedef struct lt_archive {
    lt_text bytes, directory;
    unsigned entries;
} lt_archive;

static void put(lt_text *text, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        lt_text_append(text, &(char){(char)(i < sizeof value ? value >> 8 * i : 0)}, 1);
}

/* Signature, versions, flags and method, date, CRC, sizes and length of the name: what both headers share. */
static void put_header(lt_text *text, uint32_t signature, bool directory, const char *name, size_t size)
{
    put(text, signature, 4);
    put(text, 20, directory ? 4 : 2);
    put(text, 0, 12);
    put(text, size, 4);
    put(text, size, 4);
    put(text, strlen(name), 2);
}

static void add_entry(lt_archive *archive, const char *name, const void *data, size_t size)
{
    size_t offset = archive->bytes.length;
    put_header(&archive->bytes, 0x04034b50, false, name, size);
    size_t padding = -(offset + LOCAL_HEADER + strlen(name)) % 64;
    put(&archive->bytes, padding, 2);
    lt_text_append(&archive->bytes, name, strlen(name));
    for (; padding; padding--) put(&archive->bytes, 0, 1);
    lt_text_append(&archive->bytes, data, size);
    put_header(&archive->directory, 0x02014b50, true, name, size);
    put(&archive->directory, 0, 12);
    put(&archive->directory, offset, 4);
    lt_text_append(&archive->directory, name, strlen(name));
    archive->entries++;
}

static void finish(lt_archive *archive)
{
    size_t start = archive->bytes.length;
    lt_text_append(&archive->bytes, archive->directory.data, archive->directory.length);
    put(&archive->bytes, 0x06054b50, 4);
    put(&archive->bytes, 0, 4);
    put(&archive->bytes, archive->entries, 2);
    put(&archive->bytes, archive->entries, 2);
    put(&archive->bytes, archive->directory.length, 4);
    put(&archive->bytes, start, 4);
    put(&archive->bytes, 0, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t record[RECORD_BYTES];
    lt_archive archive = {0};
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t program = end ? (size_t)(end - data) : size;
    add_entry(&archive, "m/models/model.json", data, program);
    if (end) add_entry(&archive, "m/data/weights/model_weights_config.json", end + 1, size - program - 1);
    add_entry(&archive, "m/data/weights/weight_0", record, sizeof record);
    add_entry(&archive, "m/data/weights/weight_1", record, sizeof record);
    finish(&archive);
    if (!archive.bytes.failed && !archive.directory.failed)
        fuzz_model((const uint8_t *)archive.bytes.data, archive.bytes.length);
    lt_text_free(&archive.bytes);
    lt_text_free(&archive.directory);
    return 0;
}
