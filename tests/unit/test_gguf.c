/* GGUF files: every encoding against the gguf package's values, metadata, and broken files. */
#include "files.h"

#include "load/gguf.h"
#include "load/gguf_names.h"
#include "load/safetensors.h"

static lathe_status use(const lt_file *file, lathe_error *err)
{
    lt_arena *arena;
    lt_gguf *gguf;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_gguf_open(file, "a.gguf", arena, &gguf, err);
    for (uint32_t i = 0; status == LATHE_OK && i < gguf->value_count; i++) {
        const char *key = gguf->values[i].key;
        const lt_gguf_string *strings;
        const int64_t *ints;
        const float *floats;
        size_t count;
        (void)!lt_gguf_get_strings(gguf, key, arena, &strings, &count, NULL);
        (void)!lt_gguf_get_ints(gguf, key, arena, &ints, &count, NULL);
        (void)!lt_gguf_get_floats(gguf, key, arena, &floats, &count, NULL);
    }
    for (uint32_t i = 0; status == LATHE_OK && i < gguf->tensor_count; i++) {
        uint8_t sum = 0;
        for (size_t k = 0; k < gguf->tensors[i].bytes; k++) sum = (uint8_t)(sum + gguf->tensors[i].data[k]);
        (void)sum;
    }
    lt_arena_destroy(arena);
    return status;
}

static void dequantises_every_type(void **state)
{
    (void)state;
    static const char *const names[] = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",   "Q2_K",
                                        "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"};
    lathe_error err;
    lt_arena *arena;
    lt_gguf *gguf;
    lt_safetensors *wanted;
    lt_file file = open_data("weights/types.gguf"), values = open_data("weights/types.safetensors");
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_gguf_open(&file, "types", arena, &gguf, &err), &err);
    expect_ok(lt_safetensors_open(&values, "values", arena, &wanted, &err), &err);
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        const lt_gguf_tensor *tensor = lt_gguf_find_tensor(gguf, names[i]);
        assert_non_null(tensor);
        assert_string_equal(tensor->ggml->name, names[i]);
        assert_int_equal(tensor->type.rank, 2);
        assert_int_equal(tensor->type.dim[0], 2);
        assert_int_equal(tensor->type.dim[1], 512);
        float got[1024];
        lt_tensor want;
        tensor->ggml->dequantize(tensor->data, 1024 / tensor->ggml->block_elements, got);
        uint32_t index = lt_safetensors_find(wanted, names[i]);
        expect_ok(lt_safetensors_tensor(wanted, index, arena, &want, &err), &err);
        assert_memory_equal(got, want.data, sizeof got);
    }
    const lt_gguf_tensor *unread = lt_gguf_find_tensor(gguf, "iq2_xxs");
    assert_non_null(strstr(unread->unsupported, "its type is IQ2_XXS"));
    assert_int_equal(unread->bytes, 66);
    assert_null(lt_gguf_find_tensor(gguf, "nothing"));
    lt_arena_destroy(arena);
    lt_file_close(&file);
    lt_file_close(&values);
}

static void reads_metadata(void **state)
{
    (void)state;
    lathe_error err;
    lt_arena *arena;
    lt_gguf *gguf;
    lt_file file = open_data("weights/llama.gguf");
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_gguf_open(&file, "llama", arena, &gguf, &err), &err);
    int64_t heads;
    double base;
    bool add_bos;
    lt_gguf_string architecture;
    expect_ok(lt_gguf_get_int(gguf, "llama.attention.head_count", &heads, &err), &err);
    assert_int_equal(heads, 4);
    expect_ok(lt_gguf_get_float(gguf, "llama.rope.freq_base", &base, &err), &err);
    assert_true(base == 10000.0);
    expect_ok(lt_gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &add_bos, &err), &err);
    assert_false(add_bos);
    expect_ok(lt_gguf_get_string(gguf, "general.architecture", &architecture, &err), &err);
    assert_int_equal(architecture.length, 5);
    assert_memory_equal(architecture.data, "llama", 5);

    const lt_gguf_string *tokens;
    const float *scores;
    const int64_t *kinds;
    size_t n;
    expect_ok(lt_gguf_get_strings(gguf, "tokenizer.ggml.tokens", arena, &tokens, &n, &err), &err);
    assert_int_equal(n, 4);
    assert_int_equal(tokens[2].length, 0);
    assert_int_equal(tokens[3].length, 4);
    assert_memory_equal(tokens[3].data, "d\303\251f", 4);
    expect_ok(lt_gguf_get_floats(gguf, "tokenizer.ggml.scores", arena, &scores, &n, &err), &err);
    assert_true(n == 4 && scores[1] == -1.0f);
    expect_ok(lt_gguf_get_ints(gguf, "tokenizer.ggml.token_type", arena, &kinds, &n, &err), &err);
    assert_true(n == 4 && kinds[2] == 3);

    expect_error(lt_gguf_get_int(gguf, "nothing", &heads, &err), LATHE_FORMAT, &err,
                 "llama: key 'nothing' is missing, expected an integer");
    expect_error(lt_gguf_get_int(gguf, "general.architecture", &heads, &err), LATHE_FORMAT, &err,
                 "key 'general.architecture' is string, expected an integer");
    expect_error(lt_gguf_get_string(gguf, "tokenizer.ggml.scores", &architecture, &err), LATHE_FORMAT, &err,
                 "is an array of float32, expected a string");
    expect_error(lt_gguf_get_ints(gguf, "tokenizer.ggml.tokens", arena, &kinds, &n, &err), LATHE_FORMAT, &err,
                 "is an array of string, expected an array of integers");
    lt_arena_destroy(arena);
    lt_file_close(&file);
}

/* ---- Files made here ---- */

typedef struct image {
    uint8_t bytes[1024];
    size_t size;
} image;

static void put(image *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) to->bytes[to->size++] = (uint8_t)(value >> 8 * i);
}

static void put_string(image *to, const char *text)
{
    put(to, strlen(text), 8);
    for (; *text; text++) put(to, (uint8_t)*text, 1);
}

static void begin(image *to, uint64_t version, uint64_t tensors, uint64_t values)
{
    *to = (image){.bytes = "GGUF", .size = 4};
    put(to, version, 4), put(to, tensors, 8), put(to, values, 8);
}

static void put_tensor(image *to, const char *name, uint64_t rank, uint64_t dim, uint64_t type,
                       uint64_t offset)
{
    put_string(to, name);
    put(to, rank, 4);
    for (uint64_t i = 0; i < rank; i++) put(to, dim, 8);
    put(to, type, 4), put(to, offset, 8);
}

/* The data begins at the next multiple of 32. */
static void pad(image *to, size_t data_bytes) { to->size = (to->size + 31) / 32 * 32 + data_bytes; }

static void expect_broken(const image *from, lathe_status status, const char *message)
{
    lathe_error err;
    expect_error(try_copy(use, from->bytes, from->size, SIZE_MAX, &err), status, &err, message);
    assert_non_null(strstr(err.message, "a.gguf: "));
}

static void refuses_broken_directories(void **state)
{
    (void)state;
    image file;
    begin(&file, 1, 0, 0), expect_broken(&file, LATHE_UNSUPPORTED, "version 1");
    begin(&file, 0x03000000, 0, 0), expect_broken(&file, LATHE_UNSUPPORTED, "big-endian");
    begin(&file, 3, 1u << 30, 0), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT, "1073741824 tensors are claimed");
    begin(&file, 3, 0, UINT64_MAX), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT, "18446744073709551615 metadata entries are claimed");

    begin(&file, 3, 0, 1), put(&file, UINT64_MAX, 8), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT,
                  "metadata entry 0: key at byte 32: 18446744073709551615 bytes expected");
    begin(&file, 3, 0, 1), put_string(&file, "k"), put(&file, 13, 4), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT, "key 'k': value type 13 is unknown");
    begin(&file, 3, 0, 1), put_string(&file, "k"), put(&file, 9, 4), put(&file, 4, 4);
    put(&file, 1u << 30, 8), pad(&file, 64); /* 160 bytes that ask for gigabytes */
    expect_broken(&file, LATHE_FORMAT, "key 'k': 1073741824 elements of 4 bytes are claimed");
    begin(&file, 3, 0, 1), put_string(&file, "k"), put(&file, 9, 4), put(&file, 8, 4);
    put(&file, UINT64_MAX, 8), pad(&file, 64);
    expect_broken(&file, LATHE_FORMAT, "key 'k': string length");
    begin(&file, 3, 0, 2);
    for (int i = 0; i < 2; i++) put_string(&file, "k"), put(&file, 0, 4), put(&file, 1, 1);
    expect_broken(&file, LATHE_FORMAT, "key 'k' occurs twice");
    begin(&file, 3, 0, 1), put_string(&file, "k"), put(&file, 9, 4);
    for (int i = 0; i < 20; i++) put(&file, 9, 4), put(&file, 1, 8);
    expect_broken(&file, LATHE_LIMIT, "key 'k': arrays are nested more than 4 deep");
    begin(&file, 3, 0, 1), put_string(&file, "general.alignment"), put(&file, 4, 4), put(&file, 3, 4);
    expect_broken(&file, LATHE_FORMAT, "'general.alignment' is 3");
}

static void refuses_broken_tensors(void **state)
{
    (void)state;
    static const struct {
        uint64_t rank, dim, type, offset;
        lathe_status status;
        const char *message;
    } cases[] = {
        {9, 1, 0, 0, LATHE_FORMAT, "tensor 't': its rank is 9"},
        {1, UINT64_MAX, 0, 0, LATHE_FORMAT, "tensor 't': dimension 0 overflows"},
        {2, 1ull << 32, 0, 0, LATHE_LIMIT, "tensor 't': its shape: its size in bytes overflows"},
        {1, 1ull << 40, 2, 0, LATHE_FORMAT, "tensor 't': it takes"},
        {1, 33, 2, 0, LATHE_FORMAT, "its rows have 33 values, Q4_0 packs them in blocks of 32"},
        {1, 8, 0, 31, LATHE_FORMAT, "its offset is 31, expected a multiple of 32"},
        {1, 8, 0, 1u << 20, LATHE_FORMAT, "its offset is 1048576"},
        {1, 9, 0, 96, LATHE_FORMAT, "it takes 36 bytes, the file ends after 32"},
        {0, 0, 2, 0, LATHE_FORMAT, "its rows have 1 values"},
    };
    image file;
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        begin(&file, 3, 1, 0);
        put_tensor(&file, "t", cases[i].rank, cases[i].dim, cases[i].type, cases[i].offset), pad(&file, 128);
        expect_broken(&file, cases[i].status, cases[i].message);
    }
    begin(&file, 3, 2, 0);
    put_tensor(&file, "t", 1, 16, 0, 0), put_tensor(&file, "u", 1, 8, 0, 32), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT, "tensors 't' and 'u' overlap");
    begin(&file, 3, 2, 0);
    put_tensor(&file, "t", 1, 8, 0, 0), put_tensor(&file, "t", 1, 8, 0, 32), pad(&file, 128);
    expect_broken(&file, LATHE_FORMAT, "tensor 't' occurs twice");

    lathe_error err; /* an unknown type is listed; its use is what fails */
    begin(&file, 3, 1, 0), put_tensor(&file, "t", 1, 8, 77, 0), pad(&file, 128);
    expect_ok(try_copy(use, file.bytes, file.size, SIZE_MAX, &err), &err);
}

static void survives_damage(void **state)
{
    (void)state;
    lt_file file = open_data("weights/qwen2.gguf");
    try_truncations(use, &file, 23);
    try_truncations(use, &file, file.size - 32); /* the last tensor has 16 bytes, the rest is padding */
    try_bit_flips(use, &file, file.size);
    lt_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dequantises_every_type),
        cmocka_unit_test(reads_metadata),
        cmocka_unit_test(refuses_broken_directories),
        cmocka_unit_test(refuses_broken_tensors),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
