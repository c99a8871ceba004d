/* Any bytes as a GGUF file: metadata is read as every type, names and row orders are found, tensors
 * dequantised. */
#include "load/gguf.h"
#include "load/gguf_names.h"

static void read_values(const lt_gguf *gguf, lt_arena *arena)
{
    for (uint32_t i = 0; i < gguf->value_count; i++) {
        const char *key = gguf->values[i].key;
        lathe_error err;
        lt_gguf_string string;
        const lt_gguf_string *strings;
        const int64_t *ints;
        const float *floats;
        int64_t integer;
        double number;
        bool flag;
        size_t n;
        (void)!lt_gguf_get_int(gguf, key, &integer, &err);
        (void)!lt_gguf_get_float(gguf, key, &number, &err);
        (void)!lt_gguf_get_bool(gguf, key, &flag, &err);
        (void)!lt_gguf_get_string(gguf, key, &string, &err);
        (void)!lt_gguf_get_ints(gguf, key, arena, &ints, &n, &err);
        (void)!lt_gguf_get_floats(gguf, key, arena, &floats, &n, &err);
        if (lt_gguf_get_strings(gguf, key, arena, &strings, &n, &err) == LATHE_OK && n)
            lt_assert(strings[n - 1].data != NULL);
    }
}

static void read_tensor(const lt_gguf_family *family, const lt_gguf_tensor *tensor, lt_arena *arena)
{
    lathe_error err;
    const char *name;
    int64_t heads;
    float values[256];
    if (lt_gguf_translate(family, tensor->name, arena, &name, &err) != LATHE_OK) return;
    if (lt_gguf_rotary_heads(family, tensor, &heads, &err) != LATHE_OK) return;
    if (tensor->unsupported || !tensor->ggml->dequantize) return;
    for (size_t at = 0; at < tensor->bytes; at += tensor->ggml->block_bytes)
        tensor->ggml->dequantize(tensor->data + at, 1, values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lathe_error err;
    lt_arena *arena;
    lt_gguf *gguf;
    lt_gguf_family family;
    lt_file file = {.data = size ? data : NULL, .size = size};
    if (lt_arena_create(&arena, &err) != LATHE_OK) return 0;
    if (lt_gguf_open(&file, "fuzz.gguf", arena, &gguf, &err) == LATHE_OK) {
        read_values(gguf, arena);
        if (lt_gguf_family_read(gguf, arena, &family, &err) == LATHE_OK)
            for (uint32_t i = 0; i < gguf->tensor_count; i++) read_tensor(&family, &gguf->tensors[i], arena);
    }
    lt_arena_destroy(arena);
    return 0;
}
