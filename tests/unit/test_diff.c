/* Nodes as models of their own: each primitive of a model, with its attributes, is written, opened again and
 * computes the same bits; what is wrong on a device is wrong there as well. */
#include "files.h"

#include <dirent.h>
#include <math.h>

#include "ir/attr_list.h"
#include "pass/pass.h"
#include "run/model.h"

/* A device that computes nothing: all of its results are wrong. */
#define WRONG "null:0"

/* ---- Attributes ---- */

static lathe_status survives(const lt_node *node, lt_arena *arena, lathe_error *err)
{
    lt_attr_list list, again;
    lt_attrs back;
    LT_TRY(lt_attr_list_write(node->op, &node->attrs, arena, &list, err));
    LT_TRY_NOTE(lt_attr_list_read(node->op, &list, &back, err), err, "%s", lt_op_get(node->op)->name);
    LT_TRY(lt_attr_list_write(node->op, &back, arena, &again, err));
    bool same = again.n_ints == list.n_ints && again.n_reals == list.n_reals &&
                memcmp(again.ints, list.ints, sizeof list.ints) == 0 &&
                memcmp(again.reals, list.reals, sizeof list.reals) == 0 &&
                strcmp(again.formulas, list.formulas) == 0;
    if (!same) LT_FAIL(err, INTERNAL, "%s: attributes change", lt_op_get(node->op)->name);
    return LATHE_OK;
}

static lathe_status all_survive(lathe_model *model, int optimize, bool *seen, lathe_error *err)
{
    lt_arena *arena;
    lt_graph *graph;
    model->settings.optimize = optimize;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_model_graph(model, &(lt_graph_request){0}, arena, &graph, err);
    bool made = status == LATHE_OK; /* not of the least sizes, or not without weights */
    for (uint32_t i = 0; made && i < graph->n_nodes && status == LATHE_OK; i++) {
        seen[graph->nodes[i].op] = true;
        status = survives(&graph->nodes[i], arena, err);
    }
    lt_arena_destroy(arena);
    return made ? status : LATHE_OK;
}

static void attributes_survive(void **state)
{
    static const char *const folders[] = {"ops",    "nn",     "pointwise", "index", "reduce",
                                          "vision", "models", "attention", "quirks"};
    bool seen[LT_OP_COUNT] = {0};
    int n = 0;
    (void)state;
    for (size_t f = 0; f < LT_COUNT(folders); f++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", LT_TEST_GOLDEN, folders[f]);
        DIR *folder = opendir(path);
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            lathe_model *model;
            lathe_error err;
            if (!lt_str_ends_with(entry->d_name, ".pt2")) continue;
            snprintf(path, sizeof path, "%s/%s/%s", LT_TEST_GOLDEN, folders[f], entry->d_name);
            expect_ok(lathe_model_open(path, &model, &err), &err);
            for (int optimize = 1; optimize <= LT_OPTIMIZE_MAX + 1; optimize += LT_OPTIMIZE_MAX)
                expect_ok(all_survive(model, optimize, seen, &err), &err);
            lathe_model_close(model);
        }
        closedir(folder);
    }
    for (int op = 0; op < LT_OP_COUNT; op++) n += seen[op];
    assert_true(n > LT_OP_COUNT / 2);
}

/* ---- Attributes of any kind ---- */

enum { TRIES = 3000, MAX_IN = 5, MAX_ELEMENTS = 4096 };

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % below;
}

static void random_list(uint64_t *seed, lt_attr_list *list)
{
    static const int64_t odd[] = {-1,        -2,       7, 8, 9, 64, INT64_C(1) << 31, -(INT64_C(1) << 31),
                                  INT64_MAX, INT64_MIN};
    static const char *const formulas[] = {"", "add", "mul,cast", "exp,mul,add", "bitwise_and", "sort"};
    static const double reals[] = {0, 1, 0.5, -1, 1e300, -1e-300, HUGE_VAL, (double)NAN};
    *list = (lt_attr_list){.n_ints = (int)draw(seed, 24), .n_reals = (int)draw(seed, 3)};
    for (int i = 0; i < list->n_ints; i++)
        list->ints[i] = draw(seed, 12) ? (int64_t)draw(seed, 4) : odd[draw(seed, LT_COUNT(odd))];
    for (int i = 0; i < list->n_reals; i++) list->reals[i] = reals[draw(seed, LT_COUNT(reals))];
    list->formulas = formulas[draw(seed, LT_COUNT(formulas))];
}

static void random_type(uint64_t *seed, const lt_type *like, lt_type *out)
{
    *out = *like;
    if (draw(seed, 2)) return;
    *out = (lt_type){.dtype = (lt_dtype)draw(seed, LATHE_DTYPE_COUNT), .rank = (int)draw(seed, 6)};
    for (int i = 0; i < out->rank; i++) out->dim[i] = (int64_t)draw(seed, 5);
}

static void run_reference(lt_arena *arena, lt_op op, const lt_attrs *attrs, const lt_type *in, int n_in,
                          const lt_type *out)
{
    lathe_error err;
    const lt_op_info *info = lt_op_get(op);
    lt_tensor tensors[MAX_IN + LT_MAX_OUTPUTS];
    for (int i = 0; i < n_in + info->n_out; i++) {
        const lt_type *type = i < n_in ? &in[i] : &out[i - n_in];
        if (lt_type_count(type) > MAX_ELEMENTS) return;
        void *data = lt_arena_alloc(arena, lt_type_bytes(type), 1);
        assert_non_null(data);
        tensors[i] = lt_tensor_of(type, data);
    }
    size_t scratch = info->scratch ? info->scratch(attrs, in, n_in) : 0;
    if (scratch > MAX_ELEMENTS * 1024) return;
    lt_op_call call = {.op = op, .attrs = attrs, .in = tensors, .out = tensors + n_in, .n_in = n_in};
    call.scratch = lt_os_alloc(scratch);
    assert_non_null(call.scratch);
    if (info->ref) (void)!info->ref(&call, &err);
    if (info->view) (void)info->view(attrs, tensors, &tensors[n_in]);
    lt_os_free(call.scratch);
}

/* False: what is read is refused, by the list or by the type rule. */
static bool try_random(lt_op op, uint64_t *seed)
{
    lathe_error err;
    lt_attr_list list;
    lt_attrs attrs;
    lt_arena *arena;
    lt_type in[MAX_IN] = {0}, out[LT_MAX_OUTPUTS] = {0};
    int n_in = (int)draw(seed, MAX_IN);
    random_list(seed, &list);
    random_type(seed, &in[0], &in[0]);
    for (int i = 1; i < MAX_IN; i++) random_type(seed, &in[draw(seed, (uint64_t)i)], &in[i]);
    bool good = lt_attr_list_read(op, &list, &attrs, &err) == LATHE_OK &&
                lt_op_get(op)->infer(op, &attrs, in, n_in, out, &err) == LATHE_OK;
    for (int i = 0; i < lt_op_get(op)->n_out && good; i++)
        good = lt_type_check(&out[i], "out", &err) == LATHE_OK;
    if (!good) return false;
    expect_ok(lt_arena_create(&arena, &err), &err);
    run_reference(arena, op, &attrs, in, n_in, out);
    lt_arena_destroy(arena);
    return true;
}

/* Whatever a file says: it is refused, or runs. Sanitizers see what else happens. */
static void any_attributes_are_safe(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (int op = 0; op < LT_OP_COUNT; op++)
        for (int i = 0; i < TRIES; i++) try_random((lt_op)op, &seed);
}

/* ---- Cases ---- */

static lathe_tensors *open_tensors(const char *path)
{
    lathe_error err;
    lathe_tensors *file;
    expect_ok(lathe_tensors_open(path, &file, &err), &err);
    return file;
}

static bool take(lathe_tensors *file, const char *form, size_t i, lathe_tensor *out)
{
    char name[32];
    int found;
    lathe_error err;
    snprintf(name, sizeof name, "%s.%zu", form, i);
    expect_ok(lathe_tensors_get(file, name, out, &found, &err), &err);
    return found;
}

/* Whether the case gives the bits that were recorded. */
static bool replays(const char *device)
{
    lathe_error err;
    lathe_model *model;
    lathe_session *session;
    lathe_tensor tensor, want;
    lathe_tensors *file = open_tensors(SCRATCH("case.safetensors"));
    lathe_session_options options = {.threads = 1, .placement = {.device = device, .keep_islands = 1}};
    bool same = true;
    expect_ok(lathe_model_open(SCRATCH("case.lathe"), &model, &err), &err);
    expect_ok(lathe_session_create(model, &options, &session, &err), &err);
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        assert_true(take(file, "input", i, &tensor));
        expect_ok(lathe_session_set_input(session, i, &tensor, &err), &err);
    }
    expect_ok(lathe_session_run(session, &err), &err);
    for (size_t i = 0; i < lathe_model_output_count(model); i++) {
        assert_true(take(file, "output", i, &want) && take(file, "tolerance", i, &tensor));
        expect_ok(lathe_session_output(session, i, &tensor, &err), &err);
        size_t bytes = (size_t)lathe_tensor_count(&want) * lathe_dtype_size(want.dtype);
        assert_int_equal(tensor.dtype, want.dtype);
        assert_int_equal(lathe_tensor_count(&tensor), lathe_tensor_count(&want));
        same = same && memcmp(tensor.data, want.data, bytes) == 0;
    }
    lathe_session_close(session);
    lathe_model_close(model);
    lathe_tensors_close(file);
    return same;
}

/* One node of each operator that was not seen; a file is written to the disk itself, which takes long. */
static void each_operator(const char *stem, bool seen[LT_OP_COUNT])
{
    char path[1024];
    lathe_error err;
    lathe_model *model;
    lathe_tensor inputs[64];
    size_t cases = 0;
    snprintf(path, sizeof path, "%s/%s.pt2", LT_TEST_GOLDEN, stem);
    expect_ok(lathe_model_open(path, &model, &err), &err);
    snprintf(path, sizeof path, "%s/%s.safetensors", LT_TEST_GOLDEN, stem);
    lathe_tensors *file = open_tensors(path);
    for (size_t i = 0; i < lathe_model_input_count(model); i++)
        if (!take(file, "input", i, &inputs[i])) inputs[i] = (lathe_tensor){.rank = -1};
    for (size_t skip = 0;;) {
        lathe_difference difference;
        lathe_diff_options options = {
            .device = {.device = WRONG}, .against = {.device = "ref"}, .inputs = inputs, .skip = skip};
        expect_ok(lathe_model_diff(model, &options, &difference, &err), &err);
        if (!difference.text) break;
        lt_op op = lt_op_find(difference.text, strcspn(difference.text, " "));
        lathe_text_free(difference.text);
        skip = difference.checked;
        if (seen[op]) continue;
        seen[op] = true;
        options.skip = skip - 1;
        options.case_path = SCRATCH("case.lathe");
        expect_ok(lathe_model_diff(model, &options, &difference, &err), &err);
        if (!replays("ref")) fail_msg("%s: %s", stem, difference.text);
        lathe_text_free(difference.text);
        cases++;
    }
    assert_true(cases > 0);
    lathe_tensors_close(file);
    lathe_model_close(model);
}

static void cases_replay(void **state)
{
    static const lt_op expected[] = {LT_OP_CHAIN, LT_OP_LINEAR,    LT_OP_SDPA,
                                     LT_OP_CONV,  LT_OP_INDEX_PUT, LT_OP_ROPE};
    bool seen[LT_OP_COUNT] = {0};
    (void)state;
    each_operator("ops/linear", seen);
    each_operator("models/tiny_qwen2_decode_bf16", seen);
    each_operator("families/bufkv", seen);
    each_operator("convnets/add_conv_twice", seen);
    for (size_t i = 0; i < LT_COUNT(expected); i++)
        if (!seen[expected[i]]) fail_msg("no case of %s", lt_op_get(expected[i])->name);
}

/* The device that was wrong is wrong about the case. */
static void cases_show_the_difference(void **state)
{
    bool seen[LT_OP_COUNT] = {0};
    (void)state;
    each_operator("ops/linear", seen);
    assert_false(replays(WRONG));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_survive),
        cmocka_unit_test(any_attributes_are_safe),
        cmocka_unit_test(cases_replay),
        cmocka_unit_test(cases_show_the_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
