/* Reading the table of a .lathe file. */
#include "load/lathe_file.h"

#include <string.h>
#include <zlib.h>

#include "kernels/packed.h"
#include "load/lathe_layout.h"

const char *const lt_lathe_tokenizer_files[] = {LT_LATHE_TOKENIZER_GGUF, LT_LATHE_TOKENIZER_JSON,
                                                "tokenizer_config.json", "generation_config.json",
                                                "chat_template.jinja",   NULL};

uint32_t lt_lathe_crc(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}

/* ---- The table ---- */

bool lt_lathe_is(const lt_file *file)
{
    return file->size >= 6 && memcmp(file->data, LT_LATHE_MAGIC, 6) == 0;
}

static lathe_status check_header(const lt_file *file, uint32_t *n, lathe_error *err)
{
    const uint8_t *h = file->data;
    if (file->size < LT_LATHE_HEADER_BYTES)
        LT_FAIL(err, FORMAT, "cut off: %zu bytes are no .lathe file", file->size);
    if (memcmp(h, LT_LATHE_MAGIC, LT_LATHE_MAGIC_BYTES) != 0)
        LT_FAIL(err, FORMAT, "%s",
                lt_lathe_is(file) ? "a .lathe file whose line ends were changed on the way: copy it as binary"
                                  : "not a .lathe file");
    uint32_t version = lt_get32(h + LT_LATHE_AT_VERSION);
    if (version != LT_LATHE_VERSION)
        LT_FAIL(err, UNSUPPORTED,
                "version %u of the .lathe format, this lathe reads version %d: compile the model again",
                version, LT_LATHE_VERSION);
    uint64_t size = lt_get64(h + LT_LATHE_AT_SIZE);
    if (size != file->size)
        LT_FAIL(err, FORMAT, "%s: %zu bytes, written with %llu",
                size > file->size ? "cut off" : "something was added", file->size, (unsigned long long)size);
    *n = lt_get32(h + LT_LATHE_AT_COUNT);
    if (*n > LT_LATHE_MAX_SECTIONS) LT_FAIL(err, FORMAT, "damaged: %u sections", *n);
    size_t table = *n * (size_t)LT_LATHE_ENTRY_BYTES;
    if (file->size - LT_LATHE_HEADER_BYTES < table) LT_FAIL(err, FORMAT, "damaged: %u sections", *n);
    uint32_t crc = lt_lathe_crc(0, h, LT_LATHE_AT_CRC);
    if (lt_lathe_crc(crc, h + LT_LATHE_HEADER_BYTES, table) != lt_get32(h + LT_LATHE_AT_CRC))
        LT_FAIL(err, FORMAT, "damaged: the checksum of its table does not fit");
    return LATHE_OK;
}

/* Sections stand in the order of their offsets, so none overlaps another. */
static lathe_status read_section(const lt_file *file, const uint8_t *entry, size_t *end,
                                 lt_lathe_section *out, lathe_error *err)
{
    uint64_t offset = lt_get64(entry + LT_LATHE_NAME_BYTES), size = lt_get64(entry + LT_LATHE_NAME_BYTES + 8);
    if (!memchr(entry, 0, LT_LATHE_NAME_BYTES)) LT_FAIL(err, FORMAT, "damaged: a section's name has no end");
    out->name = (const char *)entry;
    if (offset < *end || offset > file->size || size > file->size - offset)
        LT_FAIL(err, FORMAT, "damaged: section '%s' is said to have %llu bytes at %llu", out->name,
                (unsigned long long)size, (unsigned long long)offset);
    *end = (size_t)(offset + size);
    out->data = file->data + offset;
    out->size = (size_t)size;
    out->crc = lt_get32(entry + LT_LATHE_NAME_BYTES + 16);
    return LATHE_OK;
}

lathe_status lt_lathe_open(const lt_file *file, const char *what, lt_arena *arena, lt_lathe **out,
                           lathe_error *err)
{
    uint32_t n = 0;
    lt_lathe *lathe;
    lt_lathe_section *sections;
    LT_TRY_NOTE(check_header(file, &n, err), err, "%s", what);
    size_t end = LT_LATHE_HEADER_BYTES + n * (size_t)LT_LATHE_ENTRY_BYTES;
    LT_ALLOC(arena, lathe, 1, err);
    LT_ALLOC(arena, sections, n, err);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *entry = file->data + LT_LATHE_HEADER_BYTES + i * (size_t)LT_LATHE_ENTRY_BYTES;
        LT_TRY_NOTE(read_section(file, entry, &end, &sections[i], err), err, "%s", what);
    }
    *lathe = (lt_lathe){.what = what, .file = file, .sections = sections, .n = n};
    *out = lathe;
    return LATHE_OK;
}

const lt_lathe_section *lt_lathe_find(const lt_lathe *lathe, const char *name)
{
    for (uint32_t i = 0; i < lathe->n; i++)
        if (strcmp(lathe->sections[i].name, name) == 0) return &lathe->sections[i];
    return NULL;
}

lathe_status lt_lathe_check(const lt_lathe *lathe, const lt_lathe_section *section, lathe_error *err)
{
    if (strcmp(section->name, LT_LATHE_DATA) == 0) return LATHE_OK;
    if (lt_lathe_crc(0, section->data, section->size) == section->crc) return LATHE_OK;
    LT_FAIL(err, FORMAT, "%s: damaged: the checksum of section '%s' does not fit", lathe->what,
            section->name);
}

lathe_status lt_lathe_need(const lt_lathe *lathe, const char *name, const lt_lathe_section **out,
                           lathe_error *err)
{
    *out = lt_lathe_find(lathe, name);
    if (!*out) LT_FAIL(err, FORMAT, "%s: there is no section '%s'", lathe->what, name);
    return lt_lathe_check(lathe, *out, err);
}

/* ---- The model in it ---- */

/* The places of the weights, checked to lie in their section. */
static lathe_status read_records(const lt_lathe *lathe, const lt_lathe_section *data, lt_arena *arena,
                                 lt_lathe_record **out, uint32_t *n, lathe_error *err)
{
    const lt_lathe_section *section;
    LT_TRY(lt_lathe_need(lathe, LT_LATHE_RECORDS, &section, err));
    size_t count = section->size / LT_LATHE_RECORD_BYTES;
    if (section->size % LT_LATHE_RECORD_BYTES || count >= LT_NONE)
        LT_FAIL(err, FORMAT, "section '%s' has %zu bytes", section->name, section->size);
    LT_ALLOC(arena, *out, count, err);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = section->data + i * LT_LATHE_RECORD_BYTES;
        lt_lathe_record *r = &(*out)[i];
        *r = (lt_lathe_record){.offset = lt_get64(at),
                               .size = lt_get64(at + 8),
                               .crc = lt_get32(at + 16),
                               .form = lt_get32(at + 20)};
        if (r->offset % LT_LATHE_ALIGN || r->offset > data->size || r->size > data->size - r->offset)
            LT_FAIL(err, FORMAT, "record %zu is said to have %llu bytes at %llu", i,
                    (unsigned long long)r->size, (unsigned long long)r->offset);
    }
    *n = (uint32_t)count;
    return LATHE_OK;
}

/* Where the bytes of a record lie, which must be of that form and as many. */
static lathe_status place(const lt_lathe_section *data, const lt_lathe_record *records, uint32_t n,
                          uint32_t index, uint32_t form, size_t bytes, const void **out, lathe_error *err)
{
    if (index >= n) LT_FAIL(err, FORMAT, "record %u of %u", index, n);
    const lt_lathe_record *record = &records[index];
    if (record->form != form || record->size != bytes)
        LT_FAIL(err, FORMAT, "its record has %llu bytes of form %u, expected %zu of form %u",
                (unsigned long long)record->size, record->form, bytes, form);
    *out = data->data + record->offset;
    return LATHE_OK;
}

static lathe_status place_packed(const lt_lathe_section *data, const lt_lathe_record *records, uint32_t n,
                                 lt_xweight *weight, lathe_error *err)
{
    const lt_type *type = &weight->type;
    uint32_t form = weight->packed_record < n ? records[weight->packed_record].form : 0;
    if (form < 1 || form > LT_PACKINGS) LT_FAIL(err, FORMAT, "packed form %u", form);
    if (type->rank != 2 || !lt_dtype_is_float(type->dtype) || !lt_type_count(type))
        LT_FAIL(err, FORMAT, "a packed weight that is no matrix");
    weight->packing = form - 1;
    size_t bytes = (size_t)lt_packed_bytes((lt_packing)weight->packing, type->dim[0], type->dim[1]);
    return place(data, records, n, weight->packed_record, form, bytes, &weight->packed, err);
}

static lathe_status place_weight(const lt_lathe_section *data, const lt_lathe_record *records, uint32_t n,
                                 lt_xweight *weight, lathe_error *err)
{
    size_t bytes = lt_type_bytes(&weight->type);
    if (weight->record != LT_NONE)
        LT_TRY(place(data, records, n, weight->record, 0, bytes, &weight->data, err));
    return weight->packed_record == LT_NONE ? LATHE_OK : place_packed(data, records, n, weight, err);
}

static lathe_status load(const lt_lathe *lathe, lt_arena *arena, lt_exported *x, lathe_error *err)
{
    const lt_lathe_section *graph, *data = lt_lathe_find(lathe, LT_LATHE_DATA);
    lt_lathe_record *records = NULL;
    uint32_t n = 0;
    if (!data) LT_FAIL(err, FORMAT, "there is no section '%s'", LT_LATHE_DATA);
    if ((uintptr_t)data->data % LT_LATHE_ALIGN)
        LT_FAIL(err, FORMAT, "section '%s' is not aligned", data->name);
    LT_TRY(read_records(lathe, data, arena, &records, &n, err));
    LT_TRY(lt_lathe_need(lathe, LT_LATHE_GRAPH, &graph, err));
    LT_TRY_NOTE(lt_lathe_read_graph(graph->data, graph->size, x, err), err, "section '%s'", graph->name);
    for (uint32_t i = 0; i < x->n_weights; i++)
        LT_TRY_NOTE(place_weight(data, records, n, &x->weights[i], err), err, "weight '%s'",
                    x->weights[i].name);
    return LATHE_OK;
}

lathe_status lt_lathe_load(const lt_lathe *lathe, const char *path, lt_arena *arena, lt_exported **out,
                           lathe_error *err)
{
    lt_exported *x;
    LT_ALLOC(arena, x, 1, err);
    *x = (lt_exported){.arena = arena, .format = "lathe"};
    x->path = lt_arena_strdup(arena, path);
    if (!x->path) return lt_out_of_memory(err, 1, strlen(path));
    x->weight_of.arena = x->symbol_of.arena = arena;
    lathe_status status = load(lathe, arena, x, err);
    if (status != LATHE_OK)
        return err && strstr(err->message, lathe->what) ? status
                                                        : lt_error_note(err, status, "%s", lathe->what);
    *out = x;
    return LATHE_OK;
}

static bool is_whole(const lt_lathe_section *records, uint32_t index, const void *data)
{
    if (index == LT_NONE) return true;
    const uint8_t *record = records->data + (size_t)index * LT_LATHE_RECORD_BYTES;
    return lt_lathe_crc(0, data, (size_t)lt_get64(record + 8)) == lt_get32(record + 16);
}

lathe_status lt_lathe_verify(const lt_lathe *lathe, const lt_exported *exported, lathe_error *err)
{
    const lt_lathe_section *records = lt_lathe_find(lathe, LT_LATHE_RECORDS);
    for (uint32_t i = 0; i < lathe->n; i++) LT_TRY(lt_lathe_check(lathe, &lathe->sections[i], err));
    for (uint32_t i = 0; records && i < exported->n_weights; i++) {
        const lt_xweight *weight = &exported->weights[i];
        if (!is_whole(records, weight->record, weight->data) ||
            !is_whole(records, weight->packed_record, weight->packed))
            LT_FAIL(err, FORMAT, "%s: damaged: the checksum of weight '%s' does not fit", lathe->what,
                    weight->name);
    }
    return LATHE_OK;
}
