/* The header of an .npy file is the text of a Python dictionary with three known keys: parsed as such, never
 * evaluated. */
#include "load/npy.h"

#include <string.h>

#include "base/str.h"
#include "load/gather.h"

enum { NPY_PREFIX = 8 /* magic and version */, NPY_ALIGN = 64, NPY_DESCR = 16 };

/* The letter and size of NumPy's type text; the byte order before it is checked apart. */
static const struct {
    const char *descr;
    lt_dtype dtype;
} npy_dtypes[] = {
    {"b1", LATHE_BOOL}, {"u1", LATHE_U8},  {"i1", LATHE_I8},  {"i2", LATHE_I16}, {"i4", LATHE_I32},
    {"i8", LATHE_I64},  {"f2", LATHE_F16}, {"f4", LATHE_F32}, {"f8", LATHE_F64},
};

/* The header text while it is being read, and what it said. */
typedef struct npy_header {
    const char *at, *end;
    lt_type type;
    bool fortran; /* column-major */
    bool has[3];  /* the keys met, in the order of npy_keys */
} npy_header;

static void skip_space(npy_header *header)
{
    while (header->at < header->end && strchr(" \t\r\n", *header->at) && *header->at) header->at++;
}

/* Takes a character if it is next. */
static bool take(npy_header *header, char c)
{
    skip_space(header);
    if (header->at == header->end || *header->at != c) return false;
    header->at++;
    return true;
}

static bool take_word(npy_header *header, const char *word)
{
    size_t n = strlen(word);
    skip_space(header);
    if ((size_t)(header->end - header->at) < n || memcmp(header->at, word, n) != 0) return false;
    header->at += n;
    return true;
}

/* A quoted text without escapes. */
static bool take_string(npy_header *header, char out[NPY_DESCR])
{
    skip_space(header);
    if (header->at == header->end || (*header->at != '\'' && *header->at != '"')) return false;
    char quote = *header->at++;
    size_t n = 0;
    for (; header->at < header->end && *header->at != quote; header->at++) {
        if (n == NPY_DESCR - 1 || *header->at == '\\' || *header->at == '\0') return false;
        out[n++] = *header->at;
    }
    out[n] = '\0';
    return take(header, quote);
}

static lathe_status parse_descr(npy_header *header, lathe_error *err)
{
    char descr[NPY_DESCR];
    if (!take_string(header, descr))
        LT_FAIL(err, UNSUPPORTED,
                "'descr' is not the name of a plain number type (structured arrays are not read)");
    if (descr[0] == '>')
        LT_FAIL(err, UNSUPPORTED, "'descr' is '%s', big-endian; save it with array.astype('<%s')", descr,
                descr + 1);
    const char *name = descr[0] && strchr("<|=", descr[0]) ? descr + 1 : descr;
    for (size_t i = 0; i < LT_COUNT(npy_dtypes); i++)
        if (strcmp(npy_dtypes[i].descr, name) == 0) {
            header->type.dtype = npy_dtypes[i].dtype;
            return LATHE_OK;
        }
    if (strcmp(name, "V2") == 0)
        LT_FAIL(err, UNSUPPORTED,
                "'descr' is '%s', perhaps bfloat16; NumPy has no such type, use .safetensors", descr);
    LT_FAIL(err, UNSUPPORTED,
            "'descr' is '%s'; bool, uint8, int8 to int64, float16, float32 and float64 are read", descr);
}

static lathe_status parse_order(npy_header *header, lathe_error *err)
{
    header->fortran = take_word(header, "True");
    if (!header->fortran && !take_word(header, "False"))
        LT_FAIL(err, FORMAT, "'fortran_order' is neither True nor False");
    return LATHE_OK;
}

static lathe_status parse_shape(npy_header *header, lathe_error *err)
{
    if (!take(header, '(')) LT_FAIL(err, FORMAT, "'shape' is not a tuple");
    while (!take(header, ')')) {
        int64_t size = 0;
        const char *begin = header->at;
        for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++)
            if (!lt_mul_i64(size, 10, &size) || !lt_add_i64(size, *header->at - '0', &size))
                LT_FAIL(err, FORMAT, "'shape' has a size that overflows");
        if (header->at == begin) LT_FAIL(err, FORMAT, "'shape' has an entry that is no size");
        if (header->type.rank == LT_MAX_RANK)
            LT_FAIL(err, LIMIT, "'shape' has more than %d dimensions", LT_MAX_RANK);
        header->type.dim[header->type.rank++] = size;
        if (take(header, ',')) {
            skip_space(header);
            continue;
        }
        if (!take(header, ')')) LT_FAIL(err, FORMAT, "'shape' is not a tuple of sizes");
        break;
    }
    return LATHE_OK;
}

static const struct {
    const char *key;
    lathe_status (*parse)(npy_header *header, lathe_error *err);
} npy_keys[] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};

static lathe_status parse_member(npy_header *header, lathe_error *err)
{
    char key[NPY_DESCR];
    if (!take_string(header, key) || !take(header, ':'))
        LT_FAIL(err, FORMAT, "the header is not a dictionary of three known keys");
    for (size_t i = 0; i < LT_COUNT(npy_keys); i++) {
        if (strcmp(npy_keys[i].key, key) != 0) continue;
        if (header->has[i]) LT_FAIL(err, FORMAT, "'%s' occurs twice", key);
        header->has[i] = true;
        return npy_keys[i].parse(header, err);
    }
    LT_FAIL(err, FORMAT, "'%s' is no key of an .npy header", key);
}

static lathe_status parse_dictionary(npy_header *header, lathe_error *err)
{
    if (!take(header, '{')) LT_FAIL(err, FORMAT, "the header is not a dictionary");
    while (!take(header, '}')) {
        LT_TRY(parse_member(header, err));
        if (take(header, ',')) continue;
        if (!take(header, '}')) LT_FAIL(err, FORMAT, "the header is not a dictionary of three known keys");
        break;
    }
    skip_space(header);
    if (header->at != header->end) LT_FAIL(err, FORMAT, "there is text behind the header's dictionary");
    for (size_t i = 0; i < LT_COUNT(npy_keys); i++)
        if (!header->has[i]) LT_FAIL(err, FORMAT, "'%s' is missing from the header", npy_keys[i].key);
    return lt_type_check(&header->type, "'shape'", err);
}

static lathe_status read_header(const lt_file *file, npy_header *header, const uint8_t **data,
                                lathe_error *err)
{
    if (file->size < NPY_PREFIX + 4 || memcmp(file->data, "\x93NUMPY", 6) != 0)
        LT_FAIL(err, FORMAT, "not an .npy file");
    unsigned version = file->data[6];
    if (version < 1 || version > 3) LT_FAIL(err, UNSUPPORTED, ".npy version %u; 1 to 3 are read", version);
    size_t width = version == 1 ? 2 : 4, length = 0;
    for (size_t i = width; i > 0; i--) length = length << 8 | file->data[NPY_PREFIX + i - 1];
    if (length > file->size - NPY_PREFIX - width)
        LT_FAIL(err, FORMAT, "cut off: a header of %zu bytes in a file of %zu", length, file->size);
    header->at = (const char *)file->data + NPY_PREFIX + width;
    header->end = header->at + length;
    *data = file->data + NPY_PREFIX + width + length;
    LT_TRY(parse_dictionary(header, err));
    size_t bytes = lt_type_bytes(&header->type), available = (size_t)(file->data + file->size - *data);
    char text[LT_TYPE_TEXT];
    if (bytes > available)
        LT_FAIL(err, FORMAT, "cut off: %s has %zu bytes, %zu are left", lt_type_print(&header->type, text),
                bytes, available);
    return LATHE_OK;
}

lathe_status lt_npy_open(const lt_file *file, const char *what, lt_arena *arena, lt_tensor *out,
                         lathe_error *err)
{
    npy_header header = {0};
    const uint8_t *data = NULL;
    LT_TRY_NOTE(read_header(file, &header, &data, err), err, "%s", what);
    void *elements = (void *)(uintptr_t)data;
    if ((uintptr_t)elements % lathe_dtype_size(header.type.dtype) != 0) {
        size_t bytes = lt_type_bytes(&header.type);
        elements = lt_arena_alloc(arena, bytes, 1);
        if (!elements) return lt_out_of_memory(err, bytes, 1);
        memcpy(elements, data, bytes);
    }
    *out = lt_tensor_of(&header.type, elements);
    int64_t step = 1;
    for (int i = 0; i < out->rank && header.fortran; i++) {
        out->stride[i] = step;
        step *= lt_max_i64(out->dim[i], 1);
    }
    return LATHE_OK;
}

/* Version 1: the rank is small, so the header always fits its 16-bit length. */
static lathe_status print_header(const lt_tensor *tensor, lt_text *text, lathe_error *err)
{
    const char *descr = NULL;
    for (size_t i = 0; i < LT_COUNT(npy_dtypes); i++)
        if (npy_dtypes[i].dtype == tensor->dtype) descr = npy_dtypes[i].descr;
    if (!descr)
        LT_FAIL(err, UNSUPPORTED, "NumPy has no %s; write a .safetensors file",
                lathe_dtype_name(tensor->dtype));
    lt_text_append(text, "\x93NUMPY\1\0\0\0", NPY_PREFIX + 2);
    lt_text_printf(text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                   lathe_dtype_size(tensor->dtype) == 1 ? '|' : '<', descr);
    for (int i = 0; i < tensor->rank; i++)
        lt_text_printf(text, tensor->rank == 1 ? "%lld," : i ? ", %lld" : "%lld", (long long)tensor->dim[i]);
    lt_text_printf(text, "), }");
    while (!text->failed && text->length % NPY_ALIGN != NPY_ALIGN - 1) lt_text_append(text, " ", 1);
    lt_text_append(text, "\n", 1);
    LT_TRY(lt_text_status(text, err));
    size_t length = text->length - NPY_PREFIX - 2;
    text->data[NPY_PREFIX] = (char)(length & 0xff);
    text->data[NPY_PREFIX + 1] = (char)(length >> 8);
    return LATHE_OK;
}

static lathe_status build_image(const lt_tensor *tensor, uint8_t **image, size_t *size, lathe_error *err)
{
    lt_type type = lt_tensor_type(tensor);
    lt_text text = {0};
    LT_TRY(lt_type_check(&type, "the tensor", err));
    lathe_status status = print_header(tensor, &text, err);
    if (status == LATHE_OK && !lt_add_size(text.length, lt_type_bytes(&type), size))
        status = lt_error_set(err, LATHE_LIMIT, "the file would be too large");
    if (status == LATHE_OK) {
        *image = lt_heap_alloc(*size, 1);
        if (!*image) status = lt_out_of_memory(err, *size, 1);
    }
    if (status == LATHE_OK) {
        memcpy(*image, text.data, text.length);
        lt_gather(tensor, 0, lt_type_count(&type), *image + text.length);
    }
    lt_text_free(&text);
    return status;
}

lathe_status lt_npy_write(const char *path, const lt_tensor *tensor, lathe_error *err)
{
    uint8_t *image = NULL;
    size_t size = 0;
    LT_TRY_NOTE(build_image(tensor, &image, &size, err), err, "%s", path);
    lathe_status status = lt_file_write(path, image, size, err);
    lt_heap_free(image);
    return status;
}
