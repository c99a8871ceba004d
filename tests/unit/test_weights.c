/* Sets of weight files: opening every kind, finding by name, reading as every type. */
#include "files.h"

#include "base/half.h"
#include "base/str.h"
#include "load/safetensors.h"
#include "load/weights.h"

static lt_weights *open_set(const char *const *names, size_t count)
{
    char paths[4][1024];
    const char *pointers[4];
    lathe_error err;
    lt_weights *set;
    for (size_t i = 0; i < count; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/weights/%s", LT_TEST_DATA, names[i]);
        pointers[i] = paths[i];
    }
    expect_ok(lt_weights_open(pointers, count, &set, &err), &err);
    return set;
}

static const lt_weight *find(const lt_weights *set, const char *name)
{
    lathe_error err;
    const lt_weight *weight;
    expect_ok(lt_weights_find(set, name, &weight, &err), &err);
    return weight;
}

/* Every weight of a GGUF file, read as float32, equals the tensor of its translated name. */
static void check_values(const char *gguf, const char *values)
{
    lathe_error err;
    lt_arena *arena;
    lt_safetensors *wanted;
    lt_weights *set = open_set(&gguf, 1);
    lt_file file = open_data(values);
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_safetensors_open(&file, values, arena, &wanted, &err), &err);
    for (uint32_t i = 0; i < wanted->count; i++) {
        const lt_weight *weight = find(set, wanted->entries[i].name);
        assert_string_equal(weight->name, wanted->entries[i].name);
        lt_tensor want;
        expect_ok(lt_safetensors_tensor(wanted, i, arena, &want, &err), &err);
        size_t bytes = wanted->entries[i].bytes;
        float *got = malloc(bytes);
        assert_non_null(got);
        assert_int_equal(lt_type_count(&weight->type) * 4, bytes);
        expect_ok(lt_weight_read(weight, LATHE_F32, got, &err), &err);
        assert_memory_equal(got, want.data, bytes);
        free(got);
    }
    lt_arena_destroy(arena);
    lt_file_close(&file);
    lt_weights_close(set);
}

static void reads_gguf(void **state)
{
    (void)state;
    check_values("types.gguf", "weights/types.safetensors");
    check_values("llama.gguf",
                 "weights/llama.safetensors"); /* names and row order as transformers has them */
}

static void keeps_rows_of_qwen(void **state)
{
    (void)state;
    static const char *const files[] = {"qwen2.gguf", "qwen3.gguf"};
    for (size_t i = 0; i < LT_COUNT(files); i++) {
        lt_weights *set = open_set(&files[i], 1);
        lt_tensor view;
        assert_true(lt_weight_view(find(set, "model.layers.10.self_attn.q_proj.weight"), &view));
        assert_true(view.rank == 2 && view.dim[0] == 16 && view.dim[1] == 4);
        assert_true(lt_weight_view(find(set, "model.layers.10.self_attn.k_proj.bias"), &view));
        find(set, "model.layers.10.self_attn.q_norm.weight");
        find(set, "model.layers.10.self_attn.k_norm.weight");
        lt_weights_close(set);
    }
}

static void reads_as_other_floats(void **state)
{
    (void)state;
    static const char *const file = "dtypes.safetensors";
    static const struct {
        const char *name;
        lt_dtype dtype;
    } sources[] = {{"f32", LATHE_F32}, {"f16", LATHE_F16}, {"bf16", LATHE_BF16}, {"f64", LATHE_F64}};
    lathe_error err;
    lt_weights *set = open_set(&file, 1);
    for (size_t i = 0; i < LT_COUNT(sources); i++) {
        const lt_weight *weight = find(set, sources[i].name);
        float f32[6];
        double f64[6];
        uint16_t f16[6], bf16[6];
        expect_ok(lt_weight_read(weight, LATHE_F32, f32, &err), &err);
        expect_ok(lt_weight_read(weight, LATHE_F64, f64, &err), &err);
        expect_ok(lt_weight_read(weight, LATHE_F16, f16, &err), &err);
        expect_ok(lt_weight_read(weight, LATHE_BF16, bf16, &err), &err);
        for (int k = 0; k < 6; k++) {
            assert_true((float)f64[k] == f32[k]);
            assert_int_equal(f16[k], lt_f32_to_f16(f32[k]));
            assert_int_equal(bf16[k], lt_f32_to_bf16(f32[k]));
        }
        lt_tensor view;
        assert_true(lt_weight_view(weight, &view));
        assert_int_equal(view.dtype, sources[i].dtype);
        assert_ptr_equal(view.data, weight->data);
    }
    int64_t ints[6];
    float floats[6];
    expect_ok(lt_weight_read(find(set, "int64"), LATHE_I64, ints, &err), &err);
    assert_int_equal(ints[5], 5);
    expect_error(lt_weight_read(find(set, "int64"), LATHE_F32, floats, &err), LATHE_TYPE, &err,
                 "weight 'int64' is int64, expected float32");
    expect_error(lt_weight_read(find(set, "f32"), LATHE_I64, ints, &err), LATHE_TYPE, &err,
                 "weight 'f32' is float32, expected int64");
    expect_error(lt_weight_read(find(set, "f8"), LATHE_F32, floats, &err), LATHE_UNSUPPORTED, &err,
                 "dtypes.safetensors: weight 'f8': its dtype is F8_E4M3");
    lt_tensor view;
    assert_false(lt_weight_view(find(set, "f8"), &view));
    lt_weights_close(set);
}

static void keeps_float64(void **state)
{
    (void)state;
    const double pi = 3.14159265358979323846;
    double got;
    lathe_error err;
    lt_weight weight = {.name = "w", .type = {.dtype = LATHE_F64}, .data = (const uint8_t *)&pi, .bytes = 8};
    expect_ok(lt_weight_read(&weight, LATHE_F64, &got, &err), &err);
    assert_true(got == pi);
}

/* A weight longer than the conversion buffer, transposed and unaligned. */
static void reads_long_strided_weights(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 5000 };
    lathe_error err;
    uint8_t *bytes = malloc(ROWS * COLUMNS * 2 + 1);
    float *got = malloc(ROWS * COLUMNS * sizeof *got);
    assert_true(bytes && got);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        uint16_t value = lt_f32_to_bf16((float)(i % 128));
        memcpy(bytes + 1 + 2 * i, &value, 2);
    }
    lt_weight weight = {.name = "w",
                        .type = {.dtype = LATHE_BF16, .rank = 2, .dim = {COLUMNS, ROWS}},
                        .stride = {1, COLUMNS},
                        .data = bytes + 1,
                        .bytes = ROWS * COLUMNS * 2};
    lt_tensor view;
    assert_false(lt_weight_view(&weight, &view));
    expect_ok(lt_weight_read(&weight, LATHE_F32, got, &err), &err);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_true(got[i] == (float)((i % ROWS * COLUMNS + i / ROWS) % 128));
    free(bytes);
    free(got);
}

static void opens_shards(void **state)
{
    (void)state;
    static const char *const names[] = {"sharded", "sharded/model.safetensors.index.json"};
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        lt_weights *set = open_set(&names[i], 1);
        assert_int_equal(lt_weights_count(set), 3);
        assert_non_null(
            strstr(find(set, "model.c.weight")->file, "sharded/model-00002-of-00002.safetensors"));
        lt_weights_close(set);
    }
}

/* A one-byte tensor of each name in a file of its own. */
static void write_names(const char *path, const char *const *names, size_t count)
{
    lathe_error err;
    uint8_t byte = 0;
    lt_tensor tensors[8];
    assert_true(count <= LT_COUNT(tensors));
    for (size_t i = 0; i < count; i++) lathe_tensor_init(&tensors[i], LATHE_U8, 0, NULL, &byte);
    expect_ok(lt_safetensors_write(path, names, tensors, count, &err), &err);
}

static void finds_by_tail(void **state)
{
    (void)state;
    static const char *const names[] = {"model.norm.weight", "norm.weight",    "enc.layers.0.w",
                                        "dec.layers.0.w",    "encoder.x.bias", "lm_head.weight"};
    static const struct {
        const char *wanted, *found;
    } cases[] = {
        {"norm.weight", "norm.weight"},
        {"model.norm.weight", "model.norm.weight"},
        {"m.model.norm.weight", "model.norm.weight"},
        {"a.b.model.norm.weight", "model.norm.weight"},
        {"m.norm.weight", "norm.weight"},
        {"m.enc.layers.0.w", "enc.layers.0.w"},
        {"x.bias", "encoder.x.bias"},
        {"m.lm_head.weight", "lm_head.weight"},
    };
    const char *path = SCRATCH("names.safetensors");
    lathe_error err;
    lt_weights *set;
    const lt_weight *weight;
    write_names(path, names, LT_COUNT(names));
    expect_ok(lt_weights_open(&path, 1, &set, &err), &err);
    for (size_t i = 0; i < LT_COUNT(cases); i++)
        assert_string_equal(find(set, cases[i].wanted)->name, cases[i].found);
    expect_error(
        lt_weights_find(set, "layers.0.w", &weight, &err), LATHE_TYPE, &err,
        "weight 'layers.0.w' could be any of 'dec.layers.0.w', 'enc.layers.0.w' in " SCRATCH("names"));
    expect_error(lt_weights_find(set, "model.norms.weight", &weight, &err), LATHE_TYPE, &err,
                 "weight 'model.norms.weight' is not in " SCRATCH(
                     "names.safetensors") "; the nearest names are "
                                          "'model.norm.weight', 'norm.weight', 'lm_head.weight'");
    /* Tails are whole parts of a name. */
    expect_ok(lt_weights_look_up(set, "supernorm.weight", &weight, &err), &err);
    assert_null(weight);
    expect_ok(lt_weights_look_up(set, "bias", &weight, &err), &err);
    assert_non_null(weight);
    lt_weights_close(set);
    remove(path);
}

static void names_missing_in_small_sets(void **state)
{
    (void)state;
    static const char *const one[] = {"a"}, *const two[] = {"b", "c"};
    const char *paths[] = {SCRATCH("one.safetensors"), SCRATCH("two.safetensors")};
    lathe_error err;
    lt_weights *set;
    const lt_weight *weight;
    write_names(paths[0], one, 1);
    write_names(paths[1], two, 2);
    expect_ok(lt_weights_open(NULL, 0, &set, &err), &err);
    expect_error(lt_weights_find(set, "x", &weight, &err), LATHE_TYPE, &err, "no weights were given");
    lt_weights_close(set);
    expect_ok(lt_weights_open(paths, 1, &set, &err), &err);
    expect_error(lt_weights_find(set, "x", &weight, &err), LATHE_TYPE, &err,
                 "weight 'x' is not in " SCRATCH("one.safetensors") "; the nearest names are 'a'");
    lt_weights_close(set);
    expect_ok(lt_weights_open(paths, 2, &set, &err), &err);
    expect_error(lt_weights_find(set, "x", &weight, &err), LATHE_TYPE, &err,
                 " and the other files; the nearest names are 'a', 'b', 'c'");
    lt_weights_close(set);
    paths[1] = paths[0];
    expect_error(lt_weights_open(paths, 2, &set, &err), LATHE_INVALID_ARGUMENT, &err,
                 "weight 'a' is defined twice, in " SCRATCH("one.safetensors") " and in");
    remove(SCRATCH("one.safetensors"));
    remove(SCRATCH("two.safetensors"));
}

static void names_unknown_architectures(void **state)
{
    (void)state;
    static const char *const file = "types.gguf";
    lathe_error err;
    const lt_weight *weight;
    lt_weights *set = open_set(&file, 1);
    expect_error(lt_weights_find(set, "x", &weight, &err), LATHE_TYPE, &err,
                 "names of the GGUF architecture 'none' are not translated: weight 'x' is not in");
    lt_weights_close(set);
}

static void expect_open_error(const char *path, const char *content, lathe_status status, const char *message)
{
    lathe_error err;
    lt_weights *set;
    if (content) expect_ok(lt_file_write(path, content, strlen(content), &err), &err);
    expect_error(lt_weights_open(&path, 1, &set, &err), status, &err, message);
    assert_non_null(strstr(err.message, path));
    assert_null(set);
    if (content) remove(path);
}

static void refuses_bad_sources(void **state)
{
    (void)state;
    const char *index = SCRATCH("index.json");
    expect_open_error("no/such/file", NULL, LATHE_IO, "no folder with model.safetensors");
    expect_open_error(LT_TEST_DATA, NULL, LATHE_IO, "no folder with model.safetensors");
    expect_open_error(SCRATCH("pickle.bin"), "PK\3\4 and more", LATHE_UNSUPPORTED, "pickle");
    expect_open_error(SCRATCH("empty.safetensors"), "", LATHE_FORMAT, "too few");
    expect_open_error(index, "{", LATHE_FORMAT, "not valid JSON");
    expect_open_error(index, "{}", LATHE_FORMAT, "'weight_map' is missing");
    expect_open_error(index, "{\"weight_map\":{\"a\":1}}", LATHE_FORMAT, "'a' is an integer");
    expect_open_error(index, "{\"weight_map\":{\"a\":\"../a.safetensors\"}}", LATHE_FORMAT,
                      "shard '../a.safetensors' is not in the folder");
    expect_open_error(index, "{\"weight_map\":{\"a\":\"x/../../a\"}}", LATHE_FORMAT, "is not in the folder");
    expect_open_error(index, "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", LATHE_FORMAT,
                      "is not in the folder");
    expect_open_error(index, "{\"weight_map\":{\"a\":\"\"}}", LATHE_FORMAT, "is not in the folder");
    expect_open_error(index, "{\"weight_map\":{\"a\":\"none.safetensors\"}}", LATHE_IO, "none.safetensors");

    static const char *const names[] = {"b"};
    write_names(SCRATCH("shard.safetensors"), names, 1);
    expect_open_error(index, "{\"weight_map\":{\"a\":\"" SCRATCH("shard.safetensors") "\"}}", LATHE_FORMAT,
                      "places 'a' in '" SCRATCH("shard.safetensors") "', which does not have it");
    remove(SCRATCH("shard.safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_gguf),
        cmocka_unit_test(keeps_rows_of_qwen),
        cmocka_unit_test(reads_as_other_floats),
        cmocka_unit_test(keeps_float64),
        cmocka_unit_test(reads_long_strided_weights),
        cmocka_unit_test(opens_shards),
        cmocka_unit_test(finds_by_tail),
        cmocka_unit_test(names_missing_in_small_sets),
        cmocka_unit_test(names_unknown_architectures),
        cmocka_unit_test(refuses_bad_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
