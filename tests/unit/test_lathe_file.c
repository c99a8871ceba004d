/* .lathe files: what is written is read back the same, and damaged or foreign ones are refused with the
 * reason. */
#include "files.h"

#include "lathe/llm.h"
#include "load/lathe_layout.h"
#include "load/pt2.h"
#include "run/devices.h"
#include "run/model.h"

#define MODEL LT_TEST_GOLDEN "/programs/cond_data.pt2"
#define TINY LT_TEST_GOLDEN "/../../share/tiny"

/* ---- The graph's section ---- */

static lathe_status write_graph(const lt_exported *x, lt_text *out, lathe_error *err)
{
    lt_lathe_place *places;
    LT_ALLOC(x->arena, places, x->n_weights, err);
    for (uint32_t i = 0; i < x->n_weights; i++)
        places[i] = (lt_lathe_place){i % 3 ? i : LT_NONE, i % 2 ? LT_NONE : i};
    return lt_lathe_write_graph(x, places, out, err);
}

/* The bytes depend on every field: reading them and writing them again gives the same ones. */
static void graph_survives(const char *path)
{
    lathe_error err;
    lt_arena *arena;
    lt_file file;
    lt_exported *x, *back;
    lt_text first = {0}, second = {0};
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_file_open(path, &file, &err), &err);
    expect_ok(lt_pt2_load(&file, path, arena, &x, &err), &err);
    expect_ok(write_graph(x, &first, &err), &err);
    back = lt_arena_alloc(arena, 1, sizeof *back);
    assert_non_null(back);
    back->arena = back->weight_of.arena = back->symbol_of.arena = arena;
    expect_ok(lt_lathe_read_graph((const uint8_t *)first.data, first.length, back, &err), &err);
    assert_int_equal(back->graph.n_nodes, x->graph.n_nodes);
    assert_int_equal(back->n_weights, x->n_weights);
    assert_int_equal(back->n_symbols, x->n_symbols);
    assert_string_equal(back->producer, x->producer);
    expect_ok(write_graph(back, &second, &err), &err);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    lt_text_free(&first);
    lt_text_free(&second);
    lt_file_close(&file);
    lt_arena_destroy(arena);
}

static void graphs_survive(void **state)
{
    (void)state;
    graph_survives(MODEL);
    graph_survives(TINY ".pt2");
    graph_survives(LT_TEST_GOLDEN "/programs/derived_size.pt2");
    graph_survives(LT_TEST_GOLDEN "/families/bufkv.pt2");
}

/* ---- Whole files ---- */

static void compile(const char *from, const char *to, const lathe_compile_options *options,
                    const char *tokenizer)
{
    lathe_error err;
    lathe_model *model;
    expect_ok(lathe_model_open(from, &model, &err), &err);
    expect_ok(lathe_model_compile(model, options, &err), &err);
    expect_ok(lathe_model_save(model, to, tokenizer, &err), &err);
    lathe_model_close(model);
}

static void same_model_same_bytes(void **state)
{
    lt_file first, second;
    lathe_error err;
    (void)state;
    compile(TINY ".pt2", SCRATCH("a.lathe"), NULL, TINY "-tokenizer.json");
    compile(TINY ".pt2", SCRATCH("b.lathe"), NULL, TINY "-tokenizer.json");
    expect_ok(lt_file_open(SCRATCH("a.lathe"), &first, &err), &err);
    expect_ok(lt_file_open(SCRATCH("b.lathe"), &second, &err), &err);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    lt_file_close(&first);
    lt_file_close(&second);
}

/* A .lathe file is compiled like any other model; the tokenizer stays in it. */
static void fixes_sizes(void **state)
{
    const lathe_dim dims[] = {{"s18", 64}}, outside[] = {{"s18", 1 << 20}}, unknown[] = {{"c", 64}};
    lathe_error err;
    lathe_model *model;
    lathe_value_info info;
    lathe_tokenizer *tokenizer;
    (void)state;
    compile(TINY ".pt2", SCRATCH("a.lathe"), NULL, TINY "-tokenizer.json");
    compile(SCRATCH("a.lathe"), SCRATCH("fixed.lathe"),
            &(lathe_compile_options){.dims = dims, .n_dims = 1, .optimize = 1}, NULL);
    expect_ok(lathe_model_open(SCRATCH("fixed.lathe"), &model, &err), &err);
    expect_ok(lathe_model_input(model, 2, &info, &err), &err);
    assert_int_equal(info.dim[2], 64);
    assert_int_equal(info.max[2], 64);
    expect_error(lathe_model_compile(model, &(lathe_compile_options){.dims = outside, .n_dims = 1}, &err),
                 LATHE_INVALID_ARGUMENT, &err, "s18 = 1048576");
    expect_error(lathe_model_compile(model, &(lathe_compile_options){.dims = unknown, .n_dims = 1}, &err),
                 LATHE_INVALID_ARGUMENT, &err, "no symbolic size 'c', but these: s58, s18");
    expect_ok(lathe_model_check(model, &err), &err);
    lathe_model_close(model);
    expect_ok(lathe_tokenizer_open(SCRATCH("fixed.lathe"), &tokenizer, &err), &err);
    lathe_tokenizer_close(tokenizer);
    compile(MODEL, SCRATCH("plain.lathe"), NULL, NULL);
    expect_error(lathe_tokenizer_open(SCRATCH("plain.lathe"), &tokenizer, &err), LATHE_INVALID_ARGUMENT, &err,
                 "compiled without a tokenizer");
}

/* ---- Packed weights ---- */

enum { IDS = 8 };

/* Logits of some tokens; to be freed. */
static float *logits_of(lathe_model *model, size_t *count)
{
    static const int64_t ids[IDS] = {3, 1, 4, 1, 5, 9, 2, 6};
    lathe_error err;
    lathe_generator *generator;
    expect_ok(lathe_generator_create(model, NULL, NULL, &(lathe_generator_options){.context = 64}, &generator,
                                     &err),
              &err);
    *count = IDS * (size_t)lathe_generator_vocabulary(generator);
    float *logits = calloc(*count, sizeof *logits);
    assert_non_null(logits);
    expect_ok(lathe_generator_logits(generator, ids, 0, IDS, logits, &err), &err);
    lathe_generator_destroy(generator);
    return logits;
}

/* What was packed at compile time is what would be packed at load, bit for bit, and nothing is left of the
 * plain form. */
static void packs_ahead(void **state)
{
    lathe_error err;
    lathe_model *model;
    size_t n, packed = 0;
    (void)state;
    compile(TINY ".pt2", SCRATCH("int8.lathe"), &(lathe_compile_options){.quantization = LATHE_QUANTIZE_INT8},
            NULL);
    expect_ok(lathe_model_open(TINY ".pt2", &model, &err), &err);
    expect_ok(lathe_model_quantize(model, LATHE_QUANTIZE_INT8, &err), &err);
    float *want = logits_of(model, &n);
    lathe_model_close(model);
    expect_ok(lathe_model_open(SCRATCH("int8.lathe"), &model, &err), &err);
    expect_ok(lathe_model_check(model, &err), &err);
    for (uint32_t i = 0; i < model->exported->n_weights; i++) {
        const lt_xweight *weight = &model->exported->weights[i];
        assert_false(weight->packed && weight->data);
        packed += weight->packed != NULL;
    }
    assert_true(packed > 5);
    float *have = logits_of(model, &n);
    assert_memory_equal(have, want, n * sizeof *have);
    for (uint32_t i = 0; i < model->exported->n_weights; i++)
        assert_ptr_equal(model->weights[i].packed.data, model->exported->weights[i].packed);
    expect_error(lathe_model_add_weights(model, "more.safetensors", &err), LATHE_INVALID_ARGUMENT, &err,
                 "a compiled model has its weights");
    free(have);
    free(want);
    lathe_model_close(model);
}

/* ---- Placements ---- */

#define BUFFERS LT_TEST_GOLDEN "/families/bufkv.pt2"
static const lathe_compile_options placed = {
    .placement = {.device = "null:0", .executor = "dag", .cpu_ops = "aten.add.Tensor", .keep_islands = 1}};

static const char *origin_of(lathe_model *model, const lathe_session_options *options)
{
    lathe_error err;
    lt_devices devices;
    lt_arena *arena;
    lt_partition *partition;
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_devices_open(&devices, model, options, &err), &err);
    expect_ok(lt_model_partition(model, &devices, false, arena, &partition, &err), &err);
    const char *origin = devices.origin;
    lt_devices_close(&devices);
    lt_arena_destroy(arena);
    return origin;
}

static lathe_status run_on_zeros(lathe_model *model, lathe_error *err)
{
    static const uint64_t zeros[1 << 12];
    lathe_session *session;
    LT_TRY(lathe_session_create(model, NULL, &session, err));
    lathe_status status = LATHE_OK;
    for (size_t i = 0; i < lathe_model_input_count(model) && status == LATHE_OK; i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        expect_ok(lathe_model_input(model, i, &info, err), err);
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, (void *)(uintptr_t)zeros);
        status = lathe_session_set_input(session, i, &tensor, err);
    }
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    lathe_session_close(session);
    return status;
}

/* Sessions that are not told otherwise run where the file says, divided as it says. */
static void keeps_placement(void **state)
{
    lathe_error err;
    lathe_model *model;
    lathe_placement placement;
    (void)state;
    compile(BUFFERS, SCRATCH("placed.lathe"), &placed, NULL);
    compile(SCRATCH("placed.lathe"), SCRATCH("again.lathe"), NULL, NULL);
    expect_ok(lathe_model_open(SCRATCH("again.lathe"), &model, &err), &err);
    assert_true(lathe_model_placement(model, &placement));
    assert_string_equal(placement.device, "null:0");
    assert_string_equal(placement.executor, "dag");
    assert_true(model->n_partitions >= 1);
    assert_string_equal(origin_of(model, NULL), "as the file has it");
    lathe_session_options other = {.placement = {.device = "null:0", .keep_islands = 1}};
    assert_string_equal(origin_of(model, &other), "formed anew: the file has none for these options");
    other = (lathe_session_options){.placement = {.device = "cpu"}};
    assert_null(origin_of(model, &other));
    model->partitions[0].devices++;
    assert_string_equal(origin_of(model, NULL),
                        "formed anew: the file's is for other devices, or another lathe");
    model->partitions[0].graph++;
    assert_string_equal(origin_of(model, NULL), "formed anew: the file has none for this graph");
    expect_ok(run_on_zeros(model, &err), &err);
    lathe_model_close(model);
}

/* Where the device is not there, they run on the CPU. */
static void device_may_be_missing(void **state)
{
    lathe_error err;
    lathe_model *model;
    lathe_placement placement;
    lathe_session *session;
    (void)state;
    expect_ok(lathe_model_open(BUFFERS, &model, &err), &err);
    expect_error(
        lathe_model_compile(model, &(lathe_compile_options){.placement = {.device = "null:77"}}, &err),
        LATHE_DEVICE, &err, "null:77");
    model->settings.placement = (lathe_placement){.device = "null:77", .pins = "add=null:77"};
    expect_ok(lathe_model_save(model, SCRATCH("missing.lathe"), NULL, &err), &err);
    lathe_model_close(model);
    expect_ok(lathe_model_open(SCRATCH("missing.lathe"), &model, &err), &err);
    assert_false(lathe_model_placement(model, &placement));
    expect_ok(run_on_zeros(model, &err), &err);
    expect_error(lathe_session_create(model, &(lathe_session_options){.placement = {.device = "null:77"}},
                                      &session, &err),
                 LATHE_DEVICE, &err, "null:77");
    lathe_model_close(model);
}

/* What a partition says of the graph that it claims to be of is checked. */
static void partitions_are_checked(void **state)
{
    lathe_error err;
    lathe_model *model;
    (void)state;
    compile(BUFFERS, SCRATCH("placed.lathe"), &placed, NULL);
    expect_ok(lathe_model_open(SCRATCH("placed.lathe"), &model, &err), &err);
    lt_lathe_partition *partition = &model->partitions[0];
    uint8_t *device_of = calloc(partition->n_nodes, 1);
    assert_non_null(device_of);
    for (uint32_t i = 0; i < partition->n_nodes; i++) {
        static const uint8_t wrong[] = {2, UINT8_MAX - 1, UINT8_MAX, 0};
        memcpy(device_of, partition->device_of, partition->n_nodes);
        bool is_free = device_of[i] == UINT8_MAX;
        device_of[i] = is_free ? wrong[3] : wrong[i % 3];
        lt_lathe_partition whole = *partition;
        partition->device_of = device_of;
        expect_error(run_on_zeros(model, &err), LATHE_FORMAT, &err, "a partition with node");
        *partition = whole;
    }
    partition->n_nodes--;
    expect_error(run_on_zeros(model, &err), LATHE_FORMAT, &err, "a partition of ");
    free(device_of);
    lathe_model_close(model);
}

/* ---- Damage ---- */

static lathe_status use(const lt_file *file, lathe_error *err)
{
    lt_arena *arena;
    lt_lathe *lathe;
    lt_exported *x;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_lathe_open(file, "a.lathe", arena, &lathe, err);
    if (status == LATHE_OK) status = lt_lathe_load(lathe, "a.lathe", arena, &x, err);
    lt_lathe_partition *partitions;
    uint32_t n;
    if (status == LATHE_OK) status = lt_lathe_read_partitions(lathe, arena, &partitions, &n, err);
    if (status == LATHE_OK) status = lt_lathe_verify(lathe, x, err);
    lt_arena_destroy(arena);
    return status;
}

/* Opens a copy with one byte changed. */
static lathe_status use_changed(const lt_file *file, size_t at, uint8_t value, lathe_error *err)
{
    uint8_t *copy = aligned_alloc(LT_LATHE_ALIGN, (file->size + 63) / 64 * 64);
    assert_non_null(copy);
    memcpy(copy, file->data, file->size);
    copy[at] = value;
    lathe_status status = use(&(lt_file){.data = copy, .size = file->size}, err);
    free(copy);
    return status;
}

static void names_what_is_wrong(void **state)
{
    lt_file file;
    lathe_error err;
    (void)state;
    compile(TINY ".pt2", SCRATCH("a.lathe"), NULL, TINY "-tokenizer.json");
    expect_ok(lt_file_open(SCRATCH("a.lathe"), &file, &err), &err);
    expect_ok(use(&file, &err), &err);
    expect_error(use_changed(&file, 1, 'X', &err), LATHE_FORMAT, &err, "not a .lathe file");
    expect_error(use_changed(&file, 6, '\n', &err), LATHE_FORMAT, &err, "line ends were changed");
    expect_error(use_changed(&file, LT_LATHE_AT_VERSION, 3, &err), LATHE_UNSUPPORTED, &err,
                 "version 3 of the .lathe format, this lathe reads version 2");
    expect_error(use_changed(&file, LT_LATHE_AT_COUNT, 3, &err), LATHE_FORMAT, &err, "checksum of its table");
    expect_error(use_changed(&file, LT_LATHE_HEADER_BYTES, 'x', &err), LATHE_FORMAT, &err,
                 "checksum of its table");
    expect_error(use_changed(&file, LT_LATHE_PAGE + 1, (uint8_t)~file.data[LT_LATHE_PAGE + 1], &err),
                 LATHE_FORMAT, &err, "checksum of weight 'm.lm_head.weight'");
    expect_error(use_changed(&file, file.size - 1, (uint8_t)~file.data[file.size - 1], &err), LATHE_FORMAT,
                 &err, "checksum of section 'tokenizer.json'");
    lt_file half = {.data = file.data, .size = file.size / 2};
    expect_error(use(&half, &err), LATHE_FORMAT, &err, "cut off");
    lt_file_close(&file);
}

static void survives_damage(void **state)
{
    lt_file file;
    lathe_error err;
    (void)state;
    static const char *const files[] = {"literals", "two_branches_placed"};
    for (size_t i = 0; i < LT_COUNT(files); i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/../fuzz/corpus/lathe/%s.lathe", LT_TEST_GOLDEN, files[i]);
        expect_ok(lt_file_open(path, &file, &err), &err);
        try_truncations(use, &file, file.size);
        try_bit_flips(use, &file, file.size);
        lt_file_close(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_survive),
        cmocka_unit_test(same_model_same_bytes),
        cmocka_unit_test(fixes_sizes),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(packs_ahead),
        cmocka_unit_test(keeps_placement),
        cmocka_unit_test(device_may_be_missing),
        cmocka_unit_test(partitions_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
