/* GGUF files (versions 2 and 3, little-endian): metadata and tensor directory over a mapped file. Opening
 * reads the directory and never the tensors' bytes. What the tensors are called in the exported graphs, and
 * in which order their rows lie, is the matter of gguf_names.h. */
#ifndef LT_GGUF_H
#define LT_GGUF_H

#include "base/os.h"
#include "base/str.h"
#include "load/dequant.h"

/* Value types, numbered as in the file. */
typedef enum lt_gguf_kind {
    LT_GGUF_U8,
    LT_GGUF_I8,
    LT_GGUF_U16,
    LT_GGUF_I16,
    LT_GGUF_U32,
    LT_GGUF_I32,
    LT_GGUF_F32,
    LT_GGUF_BOOL,
    LT_GGUF_STRING,
    LT_GGUF_ARRAY,
    LT_GGUF_U64,
    LT_GGUF_I64,
    LT_GGUF_F64,
    LT_GGUF_KIND_COUNT
} lt_gguf_kind;

/* Text in the mapping: not NUL-terminated, of any bytes. */
typedef struct lt_gguf_string {
    const char *data;
    size_t length; /* bytes */
} lt_gguf_string;

/* One metadata entry; checked to lie inside the file, elements included. */
typedef struct lt_gguf_value {
    const char *key;
    lt_gguf_kind kind;   /* of the value, or of the elements when `array` */
    bool array;          /* elements may be arrays again: such values can be listed, not read */
    uint64_t count;      /* elements; 1 when not an array */
    const uint8_t *data; /* first element, of any alignment */
} lt_gguf_value;

typedef struct lt_gguf_tensor {
    const char *name;         /* as in the file */
    const char *unsupported;  /* NULL, or why the tensor cannot be used ("its type is IQ1_S") */
    lt_type type;             /* logical shape, outermost dimension first; F32 for blocks */
    const lt_ggml_type *ggml; /* encoding; NULL when the id is unknown */
    const uint8_t *data;      /* in the mapping */
    size_t bytes;             /* at `data`; 0 when the encoding is unknown */
} lt_gguf_tensor;

/* Lives in the arena it was opened with; values and tensors point into the file, which must stay open. */
typedef struct lt_gguf {
    const char *what; /* names the file in messages */
    uint32_t version;
    const lt_gguf_value *values; /* in the order of the file */
    uint32_t value_count;
    size_t metadata_bytes;         /* of the file: its head and the values */
    const lt_gguf_tensor *tensors; /* in the order of the file */
    uint32_t tensor_count;
    lt_map value_names, tensor_names; /* name → index */
} lt_gguf;

lathe_status lt_gguf_open(const lt_file *file, const char *what, lt_arena *arena, lt_gguf **out,
                          lathe_error *err) LT_MUST_USE;

/* NULL when there is no such entry or tensor. */
const lt_gguf_value *lt_gguf_find(const lt_gguf *gguf, const char *key);
const lt_gguf_tensor *lt_gguf_find_tensor(const lt_gguf *gguf, const char *name);

/* Typed access; a missing key and another type are errors that name the key. Integers of any width are ints
 * (a uint64 must fit), both float widths are floats, and an integer is accepted for a float. */
lathe_status lt_gguf_get_int(const lt_gguf *gguf, const char *key, int64_t *out,
                             lathe_error *err) LT_MUST_USE;
lathe_status lt_gguf_get_float(const lt_gguf *gguf, const char *key, double *out,
                               lathe_error *err) LT_MUST_USE;
lathe_status lt_gguf_get_bool(const lt_gguf *gguf, const char *key, bool *out, lathe_error *err) LT_MUST_USE;
lathe_status lt_gguf_get_string(const lt_gguf *gguf, const char *key, lt_gguf_string *out,
                                lathe_error *err) LT_MUST_USE;

/* Whole arrays, copied into the arena; strings still point into the file. */
lathe_status lt_gguf_get_ints(const lt_gguf *gguf, const char *key, lt_arena *arena, const int64_t **out,
                              size_t *count, lathe_error *err) LT_MUST_USE;
lathe_status lt_gguf_get_floats(const lt_gguf *gguf, const char *key, lt_arena *arena, const float **out,
                                size_t *count, lathe_error *err) LT_MUST_USE;
lathe_status lt_gguf_get_strings(const lt_gguf *gguf, const char *key, lt_arena *arena,
                                 const lt_gguf_string **out, size_t *count, lathe_error *err) LT_MUST_USE;

const char *lt_gguf_kind_name(lt_gguf_kind kind); /* "uint32", "string", … */

#endif
