/* Reader and writer of safetensors files. */
#include "load/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "load/gather.h"

enum { ST_LENGTH_BYTES = 8, ST_MAX_HEADER = 100000000 /* the limit of the format's own library */ };

static const struct {
    const char *name;
    lt_dtype dtype;
} st_dtypes[] = {
    {"BOOL", LATHE_BOOL}, {"U8", LATHE_U8},   {"I8", LATHE_I8},     {"I16", LATHE_I16}, {"I32", LATHE_I32},
    {"I64", LATHE_I64},   {"F16", LATHE_F16}, {"BF16", LATHE_BF16}, {"F32", LATHE_F32}, {"F64", LATHE_F64},
};

static lt_dtype dtype_from_st(const char *name)
{
    for (size_t i = 0; i < LT_COUNT(st_dtypes); i++)
        if (strcmp(st_dtypes[i].name, name) == 0) return st_dtypes[i].dtype;
    return LATHE_DTYPE_COUNT;
}

static const char *dtype_to_st(lt_dtype dtype)
{
    for (size_t i = 0; i < LT_COUNT(st_dtypes); i++)
        if (st_dtypes[i].dtype == dtype) return st_dtypes[i].name;
    return NULL;
}

/* ---- Reading ---- */

/* The part of the file behind the header. */
typedef struct st_payload {
    const uint8_t *data;
    size_t size; /* bytes */
} st_payload;

static lathe_status read_shape(const lt_json *shape, lt_arena *arena, lt_safetensors_entry *entry,
                               lathe_error *err)
{
    size_t rank = lt_json_count(shape);
    if (rank > LT_MAX_RANK && !entry->unsupported) {
        entry->unsupported =
            lt_arena_printf(arena, "its rank is %zu, at most %d is supported", rank, LT_MAX_RANK);
        if (!entry->unsupported) return lt_out_of_memory(err, 1, 1);
    }
    for (size_t i = 0; i < rank; i++) {
        const lt_json *dim = lt_json_item(shape, i);
        if (!lt_json_is(dim, LT_JSON_INTEGER) || lt_json_integer(dim) < 0)
            LT_FAIL(err, FORMAT, "field 'shape': entry %zu is %s, expected a size", i,
                    lt_json_is(dim, LT_JSON_INTEGER) ? "negative" : lt_json_type_name(dim));
        if (!entry->unsupported) entry->type.dim[i] = lt_json_integer(dim);
    }
    if (entry->unsupported) return LATHE_OK;
    entry->type.rank = (int)rank;
    return lt_type_check(&entry->type, "field 'shape'", err);
}

static lathe_status read_range(const lt_json *offsets, const st_payload *payload, lt_safetensors_entry *entry,
                               lathe_error *err)
{
    const lt_json *first = lt_json_item(offsets, 0), *last = lt_json_item(offsets, 1);
    if (lt_json_count(offsets) != 2 || !lt_json_is(first, LT_JSON_INTEGER) ||
        !lt_json_is(last, LT_JSON_INTEGER))
        LT_FAIL(err, FORMAT, "field 'data_offsets' is not a pair of integers");
    int64_t begin = lt_json_integer(first), end = lt_json_integer(last);
    if (begin < 0 || end < begin || (uint64_t)end > payload->size)
        LT_FAIL(err, FORMAT, "field 'data_offsets' is [%lld, %lld], the file has %zu bytes of data",
                (long long)begin, (long long)end, payload->size);
    entry->data = payload->data + begin;
    entry->bytes = (size_t)(end - begin);
    if (!entry->unsupported && lt_type_bytes(&entry->type) != entry->bytes) {
        char text[LT_TYPE_TEXT];
        LT_FAIL(err, FORMAT, "field 'data_offsets' gives %zu bytes, %s has %zu", entry->bytes,
                lt_type_print(&entry->type, text), lt_type_bytes(&entry->type));
    }
    return LATHE_OK;
}

static lathe_status read_entry(const lt_json *value, const st_payload *payload, lt_arena *arena,
                               lt_safetensors_entry *entry, lathe_error *err)
{
    const char *dtype;
    const lt_json *shape, *offsets;
    LT_TRY(lt_json_get_string(value, "dtype", &dtype, err));
    LT_TRY(lt_json_get_array(value, "shape", &shape, err));
    LT_TRY(lt_json_get_array(value, "data_offsets", &offsets, err));
    entry->type.dtype = dtype_from_st(dtype);
    if (entry->type.dtype == LATHE_DTYPE_COUNT) {
        entry->unsupported = lt_arena_printf(arena, "its dtype is %s, which lathe does not have", dtype);
        if (!entry->unsupported) return lt_out_of_memory(err, 1, strlen(dtype));
    }
    LT_TRY(read_shape(shape, arena, entry, err));
    return read_range(offsets, payload, entry, err);
}

static lathe_status check_metadata(const lt_json *metadata, lathe_error *err)
{
    const lt_json *value;
    size_t i;
    if (!lt_json_is(metadata, LT_JSON_OBJECT))
        LT_FAIL(err, FORMAT, "field '__metadata__' is %s, expected an object", lt_json_type_name(metadata));
    lt_json_foreach (metadata, i, value) {
        if (!lt_json_is(value, LT_JSON_STRING))
            LT_FAIL(err, FORMAT, "field '__metadata__': '%s' is %s, expected a string", value->key,
                    lt_json_type_name(value));
    }
    return LATHE_OK;
}

static lathe_status read_header(const lt_json *root, const st_payload *payload, lt_arena *arena,
                                lt_safetensors *file, lt_safetensors_entry **entries, lathe_error *err)
{
    const lt_json *value;
    size_t i;
    if (!lt_json_is(root, LT_JSON_OBJECT))
        LT_FAIL(err, FORMAT, "the header is %s, expected an object", lt_json_type_name(root));
    LT_ALLOC(arena, *entries, lt_json_count(root), err);
    file->entries = *entries;
    lt_json_foreach (root, i, value) {
        const char *key = value->key;
        if (strcmp(key, "__metadata__") == 0) {
            LT_TRY(check_metadata(value, err));
            continue;
        }
        lt_safetensors_entry *entry = &(*entries)[file->count];
        entry->name = lt_arena_strdup(arena, key);
        if (!entry->name) return lt_out_of_memory(err, 1, strlen(key));
        LT_TRY_NOTE(read_entry(value, payload, arena, entry, err), err, "tensor '%s'", key);
        LT_TRY(lt_map_put(&file->names, key, file->count++, err));
    }
    return LATHE_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const uint8_t *x = (*(const lt_safetensors_entry *const *)a)->data;
    const uint8_t *y = (*(const lt_safetensors_entry *const *)b)->data;
    return (x > y) - (x < y);
}

static lathe_status check_overlap(const lt_safetensors *file, lt_arena *arena, lathe_error *err)
{
    const lt_safetensors_entry **order;
    uint32_t count = 0; /* empty tensors share no byte with anything */
    LT_ALLOC(arena, order, file->count, err);
    for (uint32_t i = 0; i < file->count; i++)
        if (file->entries[i].bytes) order[count++] = &file->entries[i];
    if (count) qsort(order, count, sizeof *order, compare_entries);
    for (uint32_t i = 1; i < count; i++)
        if (order[i]->data < order[i - 1]->data + order[i - 1]->bytes)
            LT_FAIL(err, FORMAT, "tensors '%s' and '%s' overlap", order[i - 1]->name, order[i]->name);
    return LATHE_OK;
}

static lathe_status parse_header(const lt_file *bytes, lt_arena *arena, lt_safetensors *file,
                                 lathe_error *err)
{
    uint64_t length = 0;
    if (bytes->size < ST_LENGTH_BYTES)
        LT_FAIL(err, FORMAT, "%zu bytes are too few for a safetensors file", bytes->size);
    for (int i = ST_LENGTH_BYTES - 1; i >= 0; i--) length = length << 8 | bytes->data[i];
    if (length > bytes->size - ST_LENGTH_BYTES || length > ST_MAX_HEADER)
        LT_FAIL(err, FORMAT, "not a safetensors file, or cut off: a header of %llu bytes in a file of %zu",
                (unsigned long long)length, bytes->size);
    const char *text = (const char *)bytes->data + ST_LENGTH_BYTES;
    st_payload payload = {.data = bytes->data + ST_LENGTH_BYTES + length,
                          .size = bytes->size - ST_LENGTH_BYTES - (size_t)length};
    const lt_json *root = NULL;
    lt_safetensors_entry *entries = NULL;
    lt_arena *scratch;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status = lt_json_parse(text, (size_t)length, false, "header", scratch, &root, err);
    if (status == LATHE_OK) status = read_header(root, &payload, arena, file, &entries, err);
    lt_arena_destroy(scratch);
    LT_TRY(status);
    return check_overlap(file, arena, err);
}

lathe_status lt_safetensors_open(const lt_file *file, const char *what, lt_arena *arena, lt_safetensors **out,
                                 lathe_error *err)
{
    *out = NULL;
    lt_safetensors *opened;
    LT_ALLOC(arena, opened, 1, err);
    opened->names.arena = arena;
    opened->what = lt_arena_strdup(arena, what);
    if (!opened->what) return lt_out_of_memory(err, 1, strlen(what));
    LT_TRY_NOTE(parse_header(file, arena, opened, err), err, "%s", what);
    *out = opened;
    return LATHE_OK;
}

uint32_t lt_safetensors_find(const lt_safetensors *file, const char *name)
{
    return lt_map_get(&file->names, name);
}

lathe_status lt_safetensors_tensor(const lt_safetensors *file, uint32_t index, lt_arena *arena,
                                   lt_tensor *out, lathe_error *err)
{
    lt_assert(index < file->count);
    const lt_safetensors_entry *entry = &file->entries[index];
    if (entry->unsupported)
        LT_FAIL(err, UNSUPPORTED, "%s: tensor '%s': %s", file->what, entry->name, entry->unsupported);
    void *data = (void *)(uintptr_t)entry->data;
    if ((uintptr_t)data % lathe_dtype_size(entry->type.dtype) != 0) {
        data = lt_arena_alloc(arena, entry->bytes, 1);
        if (!data) return lt_out_of_memory(err, entry->bytes, 1);
        memcpy(data, entry->data, entry->bytes);
    }
    *out = lt_tensor_of(&entry->type, data);
    return LATHE_OK;
}

/* ---- Writing ---- */

static lt_json entry_to_json(lt_json_builder *b, const lt_tensor *tensor, size_t begin, size_t end)
{
    lt_json entry = lt_json_new(LT_JSON_OBJECT), shape = lt_json_new(LT_JSON_ARRAY), range = shape;
    const char *dtype = dtype_to_st(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++) lt_json_push(b, &shape, lt_json_new_int(tensor->dim[i]));
    lt_json_push(b, &range, lt_json_new_int((int64_t)begin));
    lt_json_push(b, &range, lt_json_new_int((int64_t)end));
    lt_json_put(b, &entry, "dtype", lt_json_new_text(b, dtype, strlen(dtype)));
    lt_json_put(b, &entry, "shape", shape);
    lt_json_put(b, &entry, "data_offsets", range);
    return entry;
}

static bool is_utf8(const char *text)
{
    size_t left = strlen(text);
    for (size_t n; left; text += n, left -= n)
        if (lt_utf8_scan(text, left, &n) != LT_UTF8_VALID) return false;
    return true;
}

/* Gives each tensor its place, wide elements first: then all are aligned and there are no gaps. */
static lathe_status place_tensors(const char *const *names, const lt_tensor *tensors, size_t *offset,
                                  size_t count, size_t *total, lathe_error *err)
{
    *total = 0;
    for (size_t width = 8; width; width /= 2)
        for (size_t i = 0; i < count; i++) {
            lt_type type = lt_tensor_type(&tensors[i]);
            if (lathe_dtype_size(type.dtype) != width) continue;
            LT_TRY(lt_type_check(&type, names[i], err));
            offset[i] = *total;
            if (!lt_add_size(*total, lt_type_bytes(&type), total) || *total > INT64_MAX)
                LT_FAIL(err, LIMIT, "tensor '%s': the file would be too large", names[i]);
        }
    return LATHE_OK;
}

static lathe_status build_header(lt_arena *arena, const char *const *names, const lt_tensor *tensors,
                                 const size_t *offset, size_t count, lt_text *header, lathe_error *err)
{
    lt_json_builder b = {.arena = arena};
    lt_json root = lt_json_new(LT_JSON_OBJECT);
    lt_map taken = {.arena = arena};
    for (size_t i = 0; i < count; i++) {
        lt_type type = lt_tensor_type(&tensors[i]);
        if (lt_map_get(&taken, names[i]) != LT_NONE || strcmp(names[i], "__metadata__") == 0)
            LT_FAIL(err, INVALID_ARGUMENT, "tensor name '%s' is taken already", names[i]);
        if (!is_utf8(names[i])) LT_FAIL(err, INVALID_ARGUMENT, "tensor name '%s' is not UTF-8", names[i]);
        LT_TRY(lt_map_put(&taken, names[i], (uint32_t)i, err));
        lt_json_put(&b, &root, names[i],
                    entry_to_json(&b, &tensors[i], offset[i], offset[i] + lt_type_bytes(&type)));
    }
    if (b.failed) return lt_out_of_memory(err, count, sizeof root);
    lt_json_write(&root, 0, header);
    return lt_text_status(header, err);
}

/* The length, the header padded to a multiple of 8 bytes, and the data in one buffer. */
static lathe_status build_image(const lt_text *header, const lt_tensor *tensors, const size_t *offset,
                                size_t count, size_t total, uint8_t **out, size_t *size, lathe_error *err)
{
    size_t padded = (header->length + 7) / 8 * 8;
    if (!lt_add_size(ST_LENGTH_BYTES + padded, total, size))
        LT_FAIL(err, LIMIT, "the file would be too large");
    uint8_t *image = *out = lt_heap_alloc(*size, 1);
    if (!image) return lt_out_of_memory(err, *size, 1);
    for (int i = 0; i < ST_LENGTH_BYTES; i++) image[i] = (uint8_t)((uint64_t)padded >> 8 * i);
    memcpy(image + ST_LENGTH_BYTES, header->data, header->length);
    memset(image + ST_LENGTH_BYTES + header->length, ' ', padded - header->length);
    for (size_t i = 0; i < count; i++)
        lt_gather(&tensors[i], 0, lathe_tensor_count(&tensors[i]),
                  image + ST_LENGTH_BYTES + padded + offset[i]);
    return LATHE_OK;
}

static lathe_status build_file(lt_arena *arena, const char *const *names, const lt_tensor *tensors,
                               size_t count, lt_text *header, uint8_t **image, size_t *size, lathe_error *err)
{
    size_t total = 0, *offset;
    LT_ALLOC(arena, offset, count, err);
    LT_TRY(place_tensors(names, tensors, offset, count, &total, err));
    LT_TRY(build_header(arena, names, tensors, offset, count, header, err));
    return build_image(header, tensors, offset, count, total, image, size, err);
}

lathe_status lt_safetensors_write(const char *path, const char *const *names, const lt_tensor *tensors,
                                  size_t count, lathe_error *err)
{
    size_t size = 0;
    lt_arena *arena;
    lt_text header = {0};
    uint8_t *image = NULL;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = build_file(arena, names, tensors, count, &header, &image, &size, err);
    if (status != LATHE_OK) lt_error_note(err, status, "%s", path);
    else status = lt_file_write(path, image, size, err);
    lt_heap_free(image);
    lt_text_free(&header);
    lt_arena_destroy(arena);
    return status;
}
