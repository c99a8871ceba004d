/* Reader and writer of safetensors files. */
#include "load/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/json.h"
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

static lathe_status read_shape(const json_t *shape, lt_arena *arena, lt_safetensors_entry *entry,
                               lathe_error *err)
{
    size_t rank = json_array_size(shape);
    if (rank > LT_MAX_RANK && !entry->unsupported) {
        entry->unsupported =
            lt_arena_printf(arena, "its rank is %zu, at most %d is supported", rank, LT_MAX_RANK);
        if (!entry->unsupported) return lt_out_of_memory(err, 1, 1);
    }
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            LT_FAIL(err, FORMAT, "field 'shape': entry %zu is %s, expected a size", i,
                    json_is_integer(dim) ? "negative" : lt_json_type_name(dim));
        if (!entry->unsupported) entry->type.dim[i] = (int64_t)json_integer_value(dim);
    }
    if (entry->unsupported) return LATHE_OK;
    entry->type.rank = (int)rank;
    return lt_type_check(&entry->type, "field 'shape'", err);
}

static lathe_status read_range(const json_t *offsets, const st_payload *payload, lt_safetensors_entry *entry,
                               lathe_error *err)
{
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        LT_FAIL(err, FORMAT, "field 'data_offsets' is not a pair of integers");
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
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

static lathe_status read_entry(const json_t *value, const st_payload *payload, lt_arena *arena,
                               lt_safetensors_entry *entry, lathe_error *err)
{
    const char *dtype;
    json_t *shape, *offsets;
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

static lathe_status check_metadata(const json_t *metadata, lathe_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        LT_FAIL(err, FORMAT, "field '__metadata__' is %s, expected an object", lt_json_type_name(metadata));
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
    {
        if (!json_is_string(value))
            LT_FAIL(err, FORMAT, "field '__metadata__': '%s' is %s, expected a string", key,
                    lt_json_type_name(value));
    }
    return LATHE_OK;
}

static lathe_status read_header(json_t *root, const st_payload *payload, lt_arena *arena,
                                lt_safetensors *file, lt_safetensors_entry **entries, lathe_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        LT_FAIL(err, FORMAT, "the header is %s, expected an object", lt_json_type_name(root));
    LT_ALLOC(arena, *entries, json_object_size(root), err);
    file->entries = *entries;
    json_object_foreach(root, key, value)
    {
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
    json_t *root = NULL;
    lt_safetensors_entry *entries = NULL;
    LT_TRY(lt_json_parse(text, (size_t)length, false, "header", &root, err));
    lathe_status status = read_header(root, &payload, arena, file, &entries, err);
    json_decref(root);
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

static json_t *entry_to_json(const lt_tensor *tensor, size_t begin, size_t end)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++) {
        if (json_array_append_new(shape, json_integer(tensor->dim[i])) == 0) continue;
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_to_st(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static bool is_utf8(const char *text)
{
    utf8proc_int32_t code;
    for (utf8proc_ssize_t n; *text; text += n) {
        n = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
        if (n <= 0) return false;
    }
    return true;
}

/* Gives each tensor its place, wide elements first: then all are aligned and there are no gaps. */
static lathe_status build_header(json_t *root, const char *const *names, const lt_tensor *tensors,
                                 size_t *offset, size_t count, size_t *total, lathe_error *err)
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
    for (size_t i = 0; i < count; i++) {
        lt_type type = lt_tensor_type(&tensors[i]);
        if (json_object_get(root, names[i]) || strcmp(names[i], "__metadata__") == 0)
            LT_FAIL(err, INVALID_ARGUMENT, "tensor name '%s' is taken already", names[i]);
        if (!is_utf8(names[i])) LT_FAIL(err, INVALID_ARGUMENT, "tensor name '%s' is not UTF-8", names[i]);
        json_t *value = entry_to_json(&tensors[i], offset[i], offset[i] + lt_type_bytes(&type));
        if (!value || json_object_set_new_nocheck(root, names[i], value) != 0)
            return lt_out_of_memory(err, 1, strlen(names[i]));
    }
    return LATHE_OK;
}

static int append_text(const char *bytes, size_t length, void *text)
{
    lt_text_append(text, bytes, length);
    return ((lt_text *)text)->failed ? -1 : 0;
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

lathe_status lt_safetensors_write(const char *path, const char *const *names, const lt_tensor *tensors,
                                  size_t count, lathe_error *err)
{
    size_t total = 0, size = 0, *offset = lt_heap_alloc(count, sizeof *offset);
    json_t *root = json_object();
    lt_text header = {0};
    uint8_t *image = NULL;
    lathe_status status = offset && root ? LATHE_OK : lt_out_of_memory(err, count, sizeof *offset);
    if (status == LATHE_OK) status = build_header(root, names, tensors, offset, count, &total, err);
    if (status == LATHE_OK && json_dump_callback(root, append_text, &header, JSON_COMPACT) != 0)
        status = lt_out_of_memory(err, count, sizeof *tensors);
    if (status == LATHE_OK) status = build_image(&header, tensors, offset, count, total, &image, &size, err);
    if (status != LATHE_OK) lt_error_note(err, status, "%s", path);
    else status = lt_file_write(path, image, size, err);
    lt_heap_free(image);
    lt_text_free(&header);
    json_decref(root);
    lt_heap_free(offset);
    return status;
}
