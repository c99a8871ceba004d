/* Parses the GGUF directory front to back with a cursor that never passes the end of the file. */
#include "load/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"

enum {
    GGUF_MAX_NESTING = 4,      /* arrays of arrays of …; no writer goes beyond two */
    GGUF_ALIGNMENT = 32,       /* unless general.alignment says otherwise */
    GGUF_MIN_VALUE_BYTES = 14, /* key length, one-letter key, kind and one byte at the least */
    GGUF_MIN_TENSOR_BYTES = 25 /* name length, one letter, rank, kind and offset at the least */
};

static const struct {
    const char *name;
    uint8_t bytes; /* of an element; 0: not of fixed size */
} kinds[LT_GGUF_KIND_COUNT] = {
    [LT_GGUF_U8] = {"uint8", 1},    [LT_GGUF_I8] = {"int8", 1},    [LT_GGUF_U16] = {"uint16", 2},
    [LT_GGUF_I16] = {"int16", 2},   [LT_GGUF_U32] = {"uint32", 4}, [LT_GGUF_I32] = {"int32", 4},
    [LT_GGUF_F32] = {"float32", 4}, [LT_GGUF_BOOL] = {"bool", 1},  [LT_GGUF_STRING] = {"string", 0},
    [LT_GGUF_ARRAY] = {"array", 0}, [LT_GGUF_U64] = {"uint64", 8}, [LT_GGUF_I64] = {"int64", 8},
    [LT_GGUF_F64] = {"float64", 8},
};

const char *lt_gguf_kind_name(lt_gguf_kind kind)
{
    return (unsigned)kind < LT_GGUF_KIND_COUNT ? kinds[kind].name : "?";
}

typedef struct gguf_reader {
    const uint8_t *begin, *at, *end; /* whole file, cursor */
    lt_arena *arena;
    lt_gguf *gguf;
    lt_gguf_value *values;
    lt_gguf_tensor *tensors;
} gguf_reader;

static size_t left(const gguf_reader *reader) { return (size_t)(reader->end - reader->at); }

static uint64_t get_uint(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    while (bytes--) value = value << 8 | at[bytes];
    return value;
}

static lathe_status skip(gguf_reader *reader, uint64_t bytes, const char *field, lathe_error *err)
{
    if (bytes > left(reader))
        LT_FAIL(err, FORMAT, "%s at byte %zu: %llu bytes expected, the file ends after %zu", field,
                (size_t)(reader->at - reader->begin), (unsigned long long)bytes, left(reader));
    reader->at += bytes;
    return LATHE_OK;
}

static lathe_status read_uint(gguf_reader *reader, size_t bytes, const char *field, uint64_t *out,
                              lathe_error *err)
{
    const uint8_t *at = reader->at;
    LT_TRY(skip(reader, bytes, field, err));
    *out = get_uint(at, bytes);
    return LATHE_OK;
}

/* A key or tensor name, copied. */
static lathe_status read_name(gguf_reader *reader, const char *field, const char **out, lathe_error *err)
{
    uint64_t length;
    LT_TRY(read_uint(reader, 8, field, &length, err));
    const char *text = (const char *)reader->at;
    LT_TRY(skip(reader, length, field, err));
    if (length == 0 || memchr(text, 0, (size_t)length))
        LT_FAIL(err, FORMAT, "%s is %s", field, length ? "text with a zero byte in it" : "empty");
    *out = lt_arena_strndup(reader->arena, text, (size_t)length);
    return *out ? LATHE_OK : lt_out_of_memory(err, (size_t)length, 1);
}

static lathe_status check_kind(uint64_t kind, lathe_error *err)
{
    if (kind >= LT_GGUF_KIND_COUNT)
        LT_FAIL(err, FORMAT, "value type %llu is unknown", (unsigned long long)kind);
    return LATHE_OK;
}

static lathe_status skip_elements(gguf_reader *reader, lt_gguf_kind kind, uint64_t count, int depth,
                                  lathe_error *err);

static lathe_status skip_array(gguf_reader *reader, int depth, lathe_error *err)
{
    uint64_t kind, count;
    if (depth >= GGUF_MAX_NESTING)
        LT_FAIL(err, LIMIT, "arrays are nested more than %d deep", GGUF_MAX_NESTING);
    LT_TRY(read_uint(reader, 4, "element type", &kind, err));
    LT_TRY(check_kind(kind, err));
    LT_TRY(read_uint(reader, 8, "element count", &count, err));
    return skip_elements(reader, (lt_gguf_kind)kind, count, depth, err);
}

/* Every element that is not of fixed size takes bytes of the file, so this is linear in the file. */
static lathe_status skip_elements(gguf_reader *reader, lt_gguf_kind kind, uint64_t count, int depth,
                                  lathe_error *err)
{
    size_t width = kinds[kind].bytes;
    if (width) {
        if (count > left(reader) / width)
            LT_FAIL(err, FORMAT, "%llu elements of %zu bytes are claimed, the file ends after %zu bytes",
                    (unsigned long long)count, width, left(reader));
        return skip(reader, count * width, "elements", err);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length;
        if (kind == LT_GGUF_ARRAY) {
            LT_TRY(skip_array(reader, depth + 1, err));
            continue;
        }
        LT_TRY(read_uint(reader, 8, "string length", &length, err));
        LT_TRY(skip(reader, length, "string", err));
    }
    return LATHE_OK;
}

static lathe_status read_value_body(gguf_reader *reader, lt_gguf_value *value, lathe_error *err)
{
    uint64_t kind;
    value->count = 1;
    LT_TRY(read_uint(reader, 4, "value type", &kind, err));
    LT_TRY(check_kind(kind, err));
    value->array = kind == LT_GGUF_ARRAY;
    if (value->array) {
        LT_TRY(read_uint(reader, 4, "element type", &kind, err));
        LT_TRY(check_kind(kind, err));
        LT_TRY(read_uint(reader, 8, "element count", &value->count, err));
    }
    value->kind = (lt_gguf_kind)kind;
    value->data = reader->at;
    return skip_elements(reader, value->kind, value->count, 0, err);
}

static lathe_status read_values(gguf_reader *reader, lathe_error *err)
{
    lt_gguf *gguf = reader->gguf;
    for (uint32_t i = 0; i < gguf->value_count; i++) {
        lt_gguf_value *value = &reader->values[i];
        LT_TRY_NOTE(read_name(reader, "key", &value->key, err), err, "metadata entry %u", i);
        LT_TRY_NOTE(read_value_body(reader, value, err), err, "key '%s'", value->key);
        if (lt_map_get(&gguf->value_names, value->key) != LT_NONE)
            LT_FAIL(err, FORMAT, "key '%s' occurs twice", value->key);
        LT_TRY(lt_map_put(&gguf->value_names, value->key, i, err));
    }
    return LATHE_OK;
}

static lathe_status note_unsupported(gguf_reader *reader, lt_gguf_tensor *tensor, uint64_t id,
                                     lathe_error *err)
{
    tensor->unsupported =
        tensor->ggml
            ? lt_arena_printf(reader->arena, "its type is %s, which lathe does not read; requantise it",
                              tensor->ggml->name)
            : lt_arena_printf(reader->arena, "its type number %u is unknown", (unsigned)id);
    return tensor->unsupported ? LATHE_OK : lt_out_of_memory(err, 1, 1);
}

/* Rank, sizes (innermost first in the file) and encoding. */
static lathe_status read_tensor_type(gguf_reader *reader, lt_gguf_tensor *tensor, lathe_error *err)
{
    uint64_t rank, id;
    LT_TRY(read_uint(reader, 4, "rank", &rank, err));
    if (rank > LT_MAX_RANK)
        LT_FAIL(err, FORMAT, "its rank is %llu, at most %d is supported", (unsigned long long)rank,
                LT_MAX_RANK);
    const uint8_t *dims = reader->at;
    LT_TRY(skip(reader, 8 * rank, "shape", err));
    LT_TRY(read_uint(reader, 4, "type", &id, err));
    tensor->ggml = lt_ggml_type_find((uint32_t)id);
    if (!tensor->ggml || tensor->ggml->dtype == LATHE_DTYPE_COUNT)
        LT_TRY(note_unsupported(reader, tensor, id, err));

    lt_type *type = &tensor->type;
    *type = (lt_type){.dtype = tensor->unsupported ? LATHE_F32 : tensor->ggml->dtype, .rank = (int)rank};
    for (uint64_t i = 0; i < rank; i++) {
        uint64_t size = get_uint(dims + 8 * i, 8);
        if (size > INT64_MAX) LT_FAIL(err, FORMAT, "dimension %llu overflows", (unsigned long long)i);
        type->dim[rank - 1 - i] = (int64_t)size;
    }
    return lt_type_check(type, "its shape", err);
}

static lathe_status place_tensor(const gguf_reader *reader, lt_gguf_tensor *tensor, uint64_t offset,
                                 uint64_t alignment, const uint8_t *data, lathe_error *err)
{
    uint64_t available = (uint64_t)(reader->end - data);
    if (offset > available || offset % alignment != 0)
        LT_FAIL(err, FORMAT, "its offset is %llu, expected a multiple of %llu up to %llu",
                (unsigned long long)offset, (unsigned long long)alignment, (unsigned long long)available);
    tensor->data = data + offset;
    if (!tensor->ggml) return LATHE_OK;
    /* No overflow below: lt_type_check has passed the shape at four bytes per value, or at the plain type's
     * size, and no block encoding takes more than four. */
    int64_t count = lt_type_count(&tensor->type), block = tensor->ggml->block_elements;
    int64_t row = tensor->type.rank ? tensor->type.dim[tensor->type.rank - 1] : 1;
    if (row % block != 0)
        LT_FAIL(err, FORMAT, "its rows have %lld values, %s packs them in blocks of %lld", (long long)row,
                tensor->ggml->name, (long long)block);
    tensor->bytes = (size_t)(count / block) * tensor->ggml->block_bytes;
    if (tensor->bytes > available - offset)
        LT_FAIL(err, FORMAT, "it takes %zu bytes, the file ends after %llu", tensor->bytes,
                (unsigned long long)(available - offset));
    return LATHE_OK;
}

static lathe_status read_alignment(const lt_gguf *gguf, uint64_t *out, lathe_error *err)
{
    int64_t alignment = GGUF_ALIGNMENT;
    if (lt_gguf_find(gguf, "general.alignment"))
        LT_TRY(lt_gguf_get_int(gguf, "general.alignment", &alignment, err));
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
        LT_FAIL(err, FORMAT, "key 'general.alignment' is %lld, expected a power of two",
                (long long)alignment);
    *out = (uint64_t)alignment;
    return LATHE_OK;
}

static int compare_tensors(const void *a, const void *b)
{
    const uint8_t *x = (*(const lt_gguf_tensor *const *)a)->data;
    const uint8_t *y = (*(const lt_gguf_tensor *const *)b)->data;
    return (x > y) - (x < y);
}

static lathe_status check_overlap(const gguf_reader *reader, lathe_error *err)
{
    const lt_gguf_tensor **order;
    uint32_t count = 0; /* empty tensors share no byte with anything */
    LT_ALLOC(reader->arena, order, reader->gguf->tensor_count, err);
    for (uint32_t i = 0; i < reader->gguf->tensor_count; i++)
        if (reader->tensors[i].bytes) order[count++] = &reader->tensors[i];
    if (count) qsort(order, count, sizeof *order, compare_tensors);
    for (uint32_t i = 1; i < count; i++)
        if (order[i]->data < order[i - 1]->data + order[i - 1]->bytes)
            LT_FAIL(err, FORMAT, "tensors '%s' and '%s' overlap", order[i - 1]->name, order[i]->name);
    return LATHE_OK;
}

/* The directory first, since the data begins behind it; then the places of the tensors in the data. */
static lathe_status read_tensors(gguf_reader *reader, lathe_error *err)
{
    lt_gguf *gguf = reader->gguf;
    uint64_t *offsets, alignment = 0;
    LT_ALLOC(reader->arena, offsets, gguf->tensor_count, err);
    LT_TRY(read_alignment(gguf, &alignment, err));
    for (uint32_t i = 0; i < gguf->tensor_count; i++) {
        lt_gguf_tensor *tensor = &reader->tensors[i];
        LT_TRY_NOTE(read_name(reader, "name", &tensor->name, err), err, "tensor %u", i);
        LT_TRY_NOTE(read_tensor_type(reader, tensor, err), err, "tensor '%s'", tensor->name);
        LT_TRY_NOTE(read_uint(reader, 8, "offset", &offsets[i], err), err, "tensor '%s'", tensor->name);
        if (lt_map_get(&gguf->tensor_names, tensor->name) != LT_NONE)
            LT_FAIL(err, FORMAT, "tensor '%s' occurs twice", tensor->name);
        LT_TRY(lt_map_put(&gguf->tensor_names, tensor->name, i, err));
    }
    uint64_t used = (uint64_t)(reader->at - reader->begin), size = (uint64_t)(reader->end - reader->begin);
    uint64_t data = (used + alignment - 1) / alignment * alignment;
    for (uint32_t i = 0; i < gguf->tensor_count; i++) {
        if (data > size) LT_FAIL(err, FORMAT, "the file ends before its data begins");
        LT_TRY_NOTE(
            place_tensor(reader, &reader->tensors[i], offsets[i], alignment, reader->begin + data, err), err,
            "tensor '%s'", reader->tensors[i].name);
    }
    return check_overlap(reader, err);
}

static lathe_status read_counts(gguf_reader *reader, uint32_t *values, uint32_t *tensors, lathe_error *err)
{
    uint64_t version, n_tensors, n_values;
    if (left(reader) < 4 || memcmp(reader->at, "GGUF", 4) != 0) LT_FAIL(err, FORMAT, "not a GGUF file");
    reader->at += 4;
    LT_TRY(read_uint(reader, 4, "version", &version, err));
    if (version && (version & 0xffff) == 0)
        LT_FAIL(err, UNSUPPORTED, "a big-endian GGUF file; convert it to little-endian");
    if (version != 2 && version != 3)
        LT_FAIL(err, UNSUPPORTED, "GGUF version %llu; versions 2 and 3 are read, convert the model again",
                (unsigned long long)version);
    reader->gguf->version = (uint32_t)version;
    LT_TRY(read_uint(reader, 8, "tensor count", &n_tensors, err));
    LT_TRY(read_uint(reader, 8, "metadata count", &n_values, err));
    if (n_values > left(reader) / GGUF_MIN_VALUE_BYTES || n_values >= LT_NONE)
        LT_FAIL(err, FORMAT, "%llu metadata entries are claimed in %zu bytes", (unsigned long long)n_values,
                left(reader));
    if (n_tensors > left(reader) / GGUF_MIN_TENSOR_BYTES || n_tensors >= LT_NONE)
        LT_FAIL(err, FORMAT, "%llu tensors are claimed in %zu bytes", (unsigned long long)n_tensors,
                left(reader));
    *values = (uint32_t)n_values;
    *tensors = (uint32_t)n_tensors;
    return LATHE_OK;
}

static lathe_status read_all(gguf_reader *reader, lathe_error *err)
{
    lt_gguf *gguf = reader->gguf;
    LT_TRY(read_counts(reader, &gguf->value_count, &gguf->tensor_count, err));
    LT_ALLOC(reader->arena, reader->values, gguf->value_count, err);
    gguf->values = reader->values;
    LT_TRY(read_values(reader, err));
    gguf->metadata_bytes = (size_t)(reader->at - reader->begin);
    LT_ALLOC(reader->arena, reader->tensors, gguf->tensor_count, err);
    gguf->tensors = reader->tensors;
    return read_tensors(reader, err);
}

lathe_status lt_gguf_open(const lt_file *file, const char *what, lt_arena *arena, lt_gguf **out,
                          lathe_error *err)
{
    *out = NULL;
    lt_gguf *gguf;
    LT_ALLOC(arena, gguf, 1, err);
    gguf->value_names.arena = gguf->tensor_names.arena = arena;
    gguf->what = lt_arena_strdup(arena, what);
    if (!gguf->what) return lt_out_of_memory(err, 1, strlen(what));
    gguf_reader reader = {.begin = file->data,
                          .at = file->data,
                          .end = file->data ? file->data + file->size : NULL,
                          .arena = arena,
                          .gguf = gguf};
    LT_TRY_NOTE(read_all(&reader, err), err, "%s", what);
    *out = gguf;
    return LATHE_OK;
}

/* ---- Access ---- */

const lt_gguf_value *lt_gguf_find(const lt_gguf *gguf, const char *key)
{
    uint32_t index = lt_map_get(&gguf->value_names, key);
    return index == LT_NONE ? NULL : &gguf->values[index];
}

const lt_gguf_tensor *lt_gguf_find_tensor(const lt_gguf *gguf, const char *name)
{
    uint32_t index = lt_map_get(&gguf->tensor_names, name);
    return index == LT_NONE ? NULL : &gguf->tensors[index];
}

static lathe_status fail_kind(const lt_gguf *gguf, const lt_gguf_value *value, const char *expected,
                              lathe_error *err)
{
    LT_FAIL(err, FORMAT, "%s: key '%s' is %s%s, expected %s", gguf->what, value->key,
            value->array ? "an array of " : "", lt_gguf_kind_name(value->kind), expected);
}

static lathe_status require(const lt_gguf *gguf, const char *key, bool array, const char *expected,
                            const lt_gguf_value **out, lathe_error *err)
{
    *out = lt_gguf_find(gguf, key);
    if (!*out) LT_FAIL(err, FORMAT, "%s: key '%s' is missing, expected %s", gguf->what, key, expected);
    if ((*out)->array != array) return fail_kind(gguf, *out, expected, err);
    return LATHE_OK;
}

/* False when the kind is no integer or its value does not fit. */
static bool element_int(lt_gguf_kind kind, const uint8_t *at, int64_t *out)
{
    uint64_t raw = get_uint(at, kinds[kind].bytes);
    switch (kind) {
    case LT_GGUF_U8:
    case LT_GGUF_U16:
    case LT_GGUF_U32:
    case LT_GGUF_U64: *out = (int64_t)raw; return raw <= INT64_MAX;
    case LT_GGUF_I8: *out = (int8_t)raw; return true; // NOLINT(bugprone-signed-char-misuse,cert-str34-c)
    case LT_GGUF_I16: *out = (int16_t)raw; return true;
    case LT_GGUF_I32: *out = (int32_t)raw; return true;
    case LT_GGUF_I64: *out = (int64_t)raw; return true;
    default: return false;
    }
}

static bool element_float(lt_gguf_kind kind, const uint8_t *at, double *out)
{
    int64_t integer;
    uint64_t raw = get_uint(at, kinds[kind].bytes);
    if (kind == LT_GGUF_F32) *out = (double)lt_f32_from_bits((uint32_t)raw);
    else if (kind == LT_GGUF_F64) memcpy(out, &raw, sizeof *out);
    else if (element_int(kind, at, &integer)) *out = (double)integer;
    else return false;
    return true;
}

lathe_status lt_gguf_get_int(const lt_gguf *gguf, const char *key, int64_t *out, lathe_error *err)
{
    const lt_gguf_value *value;
    LT_TRY(require(gguf, key, false, "an integer", &value, err));
    if (!element_int(value->kind, value->data, out)) return fail_kind(gguf, value, "an integer", err);
    return LATHE_OK;
}

lathe_status lt_gguf_get_float(const lt_gguf *gguf, const char *key, double *out, lathe_error *err)
{
    const lt_gguf_value *value;
    LT_TRY(require(gguf, key, false, "a number", &value, err));
    if (!element_float(value->kind, value->data, out)) return fail_kind(gguf, value, "a number", err);
    return LATHE_OK;
}

lathe_status lt_gguf_get_bool(const lt_gguf *gguf, const char *key, bool *out, lathe_error *err)
{
    const lt_gguf_value *value;
    LT_TRY(require(gguf, key, false, "a boolean", &value, err));
    if (value->kind != LT_GGUF_BOOL || value->data[0] > 1) return fail_kind(gguf, value, "a boolean", err);
    *out = value->data[0] != 0;
    return LATHE_OK;
}

static const uint8_t *element_string(const uint8_t *at, lt_gguf_string *out)
{
    out->length = (size_t)get_uint(at, 8);
    out->data = (const char *)at + 8;
    return at + 8 + out->length;
}

lathe_status lt_gguf_get_string(const lt_gguf *gguf, const char *key, lt_gguf_string *out, lathe_error *err)
{
    const lt_gguf_value *value;
    LT_TRY(require(gguf, key, false, "a string", &value, err));
    if (value->kind != LT_GGUF_STRING) return fail_kind(gguf, value, "a string", err);
    element_string(value->data, out);
    return LATHE_OK;
}

lathe_status lt_gguf_get_ints(const lt_gguf *gguf, const char *key, lt_arena *arena, const int64_t **out,
                              size_t *count, lathe_error *err)
{
    const lt_gguf_value *value;
    int64_t *ints;
    LT_TRY(require(gguf, key, true, "an array of integers", &value, err));
    size_t width = kinds[value->kind].bytes;
    if (!width) return fail_kind(gguf, value, "an array of integers", err);
    *count = (size_t)value->count;
    LT_ALLOC(arena, ints, *count, err);
    for (size_t i = 0; i < *count; i++)
        if (!element_int(value->kind, value->data + i * width, &ints[i]))
            return fail_kind(gguf, value, "an array of integers", err);
    *out = ints;
    return LATHE_OK;
}

lathe_status lt_gguf_get_floats(const lt_gguf *gguf, const char *key, lt_arena *arena, const float **out,
                                size_t *count, lathe_error *err)
{
    const lt_gguf_value *value;
    float *floats;
    LT_TRY(require(gguf, key, true, "an array of numbers", &value, err));
    size_t width = kinds[value->kind].bytes;
    if (!width) return fail_kind(gguf, value, "an array of numbers", err);
    *count = (size_t)value->count;
    LT_ALLOC(arena, floats, *count, err);
    for (size_t i = 0; i < *count; i++) {
        double number;
        if (!element_float(value->kind, value->data + i * width, &number))
            return fail_kind(gguf, value, "an array of numbers", err);
        floats[i] = (float)number;
    }
    *out = floats;
    return LATHE_OK;
}

lathe_status lt_gguf_get_strings(const lt_gguf *gguf, const char *key, lt_arena *arena,
                                 const lt_gguf_string **out, size_t *count, lathe_error *err)
{
    const lt_gguf_value *value;
    lt_gguf_string *strings;
    LT_TRY(require(gguf, key, true, "an array of strings", &value, err));
    if (value->kind != LT_GGUF_STRING) return fail_kind(gguf, value, "an array of strings", err);
    *count = (size_t)value->count;
    LT_ALLOC(arena, strings, *count, err);
    const uint8_t *at = value->data;
    for (size_t i = 0; i < *count; i++) at = element_string(at, &strings[i]);
    *out = strings;
    return LATHE_OK;
}
