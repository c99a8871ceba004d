/* Generation over tiny models in every form, against PyTorch's greedy continuation. */
#include "files.h"

#include <jansson.h>

#include "llm/tokenizer.h"

#define DATA(name) LT_TEST_DATA "/generate/" name

enum { MOST = 64 };

typedef struct expected {
    int64_t prompt[MOST], answer[MOST];
    size_t n_prompt, n_answer;
} expected;

static size_t read_ids(const json_t *list, int64_t *out)
{
    size_t n = json_array_size(list);
    assert_true(n > 0 && n <= MOST);
    for (size_t i = 0; i < n; i++) out[i] = json_integer_value(json_array_get(list, i));
    return n;
}

static expected load_expected(void)
{
    expected e;
    json_t *root = json_load_file(DATA("expected.json"), 0, NULL);
    e.n_prompt = read_ids(json_object_get(root, "prompt"), e.prompt);
    e.n_answer = read_ids(json_object_get(root, "answer"), e.answer);
    json_decref(root);
    return e;
}

/* A model or two, and a tokenizer whose first 94 ids are the printable characters. */
typedef struct rig {
    lathe_model *model, *decode;
    lathe_tokenizer *tokenizer;
    lathe_generator *generator;
} rig;

static lathe_status open_rig(rig *r, const char *model, const char *decode,
                             const lathe_generator_options *options, lathe_error *err)
{
    *r = (rig){0};
    expect_ok(lathe_tokenizer_open(LT_TEST_DATA "/tokenizers/gpt2", &r->tokenizer, err), err);
    expect_ok(lathe_model_open(model, &r->model, err), err);
    if (decode) expect_ok(lathe_model_open(decode, &r->decode, err), err);
    return lathe_generator_create(r->model, r->decode, r->tokenizer, options, &r->generator, err);
}

static void close_rig(rig *r)
{
    lathe_generator_destroy(r->generator);
    lathe_model_close(r->model);
    lathe_model_close(r->decode);
    lathe_tokenizer_close(r->tokenizer);
}

static void run(rig *r, const expected *e, int64_t most, lathe_generation_result *result)
{
    lathe_generation how;
    lathe_error err;
    size_t count;
    lathe_generation_init(&how);
    how.max_tokens = most;
    expect_ok(lathe_generator_run(r->generator, e->prompt, e->n_prompt, &how, result, &err), &err);
    const int64_t *tokens = lathe_generator_tokens(r->generator, &count);
    assert_int_equal(count, e->n_prompt + result->answer_tokens);
    assert_memory_equal(tokens, e->prompt, e->n_prompt * sizeof *tokens);
    assert_true(result->answer_tokens <= e->n_answer);
    assert_memory_equal(tokens + e->n_prompt, e->answer, result->answer_tokens * sizeof *tokens);
}

static void every_form_answers_as_pytorch(void **state)
{
    (void)state;
    static const struct {
        const char *model, *decode;
        lathe_generator_options options;
    } cases[] = {
        {DATA("open.pt2"), NULL, {.context = 32}},
        {DATA("open.pt2"), NULL, {.context = 32, .chunk = 1}},
        {DATA("open.pt2"), NULL, {.context = 32, .chunk = 4}},
        {DATA("open.pt2"), NULL, {.context = 32, .kv_type = "f16"}},
        {DATA("prefill.pt2"), DATA("decode.pt2"), {.kv_type = "f16"}},
        {DATA("open.pt2"), NULL, {.context = 32, .kv_type = "int8"}},
        {DATA("prefill.pt2"), DATA("decode.pt2"), {.kv_type = "int8"}},
        {DATA("open.pt2"), DATA("decode.pt2"), {.kv_type = "int8"}},
        {DATA("buffers.pt2"), NULL, {.context = 32}},
        {DATA("decode.pt2"), NULL, {0}},
        {DATA("prefill.pt2"), DATA("decode.pt2"), {0}},
        {DATA("open.pt2"), DATA("decode.pt2"), {0}},
    };
    expected e = load_expected();
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        rig r;
        lathe_error err;
        lathe_generation_result result;
        expect_ok(open_rig(&r, cases[i].model, cases[i].decode, &cases[i].options, &err), &err);
        assert_int_equal(lathe_generator_context(r.generator), 32);
        run(&r, &e, 0, &result);
        assert_int_equal(result.stop, LATHE_STOP_CONTEXT);
        assert_int_equal(result.answer_tokens, e.n_answer);
        assert_int_equal(result.prompt_tokens, e.n_prompt);
        run(&r, &e, 7, &result);
        assert_int_equal(result.stop, LATHE_STOP_LENGTH);
        assert_int_equal(result.answer_tokens, 7);
        close_rig(&r);
    }
}

static void context_is_not_overrun(void **state)
{
    (void)state;
    expected e = load_expected();
    rig r;
    lathe_error err;
    lathe_generation how;
    lathe_generation_result result;
    expect_ok(open_rig(&r, DATA("open.pt2"), NULL, &(lathe_generator_options){.context = 12}, &err), &err);
    run(&r, &e, 0, &result);
    assert_int_equal(result.stop, LATHE_STOP_CONTEXT);
    assert_int_equal(result.answer_tokens, 2); /* the last one need not be run */
    close_rig(&r);
    expect_ok(open_rig(&r, DATA("open.pt2"), NULL, &(lathe_generator_options){.context = 10}, &err), &err);
    lathe_generation_init(&how);
    expect_error(lathe_generator_run(r.generator, e.prompt, e.n_prompt, &how, NULL, &err), LATHE_LIMIT, &err,
                 "11 tokens and the context holds 10");
    expect_error(lathe_generator_run(r.generator, e.prompt, 0, &how, NULL, &err), LATHE_INVALID_ARGUMENT,
                 &err, "no tokens");
    expect_error(lathe_generator_run(r.generator, (int64_t[]){1, 64}, 2, &how, NULL, &err),
                 LATHE_INVALID_ARGUMENT, &err, "token 64 is none of the model's 64");
    close_rig(&r);
    /* Caches of 32 positions limit a larger wish. */
    expect_ok(open_rig(&r, DATA("decode.pt2"), NULL, &(lathe_generator_options){.context = 100}, &err), &err);
    assert_int_equal(lathe_generator_context(r.generator), 32);
    close_rig(&r);
    expect_error(open_rig(&r, DATA("open.pt2"), NULL, &(lathe_generator_options){.context = 1}, &err),
                 LATHE_INVALID_ARGUMENT, &err, "context of 1");
    close_rig(&r);
}

static void prefixes_are_not_run_again(void **state)
{
    (void)state;
    static const struct {
        const char *model, *decode;
        bool reuses;
    } cases[] = {{DATA("open.pt2"), NULL, true},
                 {DATA("buffers.pt2"), NULL, true},
                 {DATA("open.pt2"), DATA("decode.pt2"), true},
                 {DATA("prefill.pt2"), DATA("decode.pt2"), false}};
    const expected e = load_expected();
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        rig r;
        lathe_error err;
        lathe_generation_result result;
        expect_ok(
            open_rig(&r, cases[i].model, cases[i].decode, &(lathe_generator_options){.context = 32}, &err),
            &err);
        run(&r, &e, 5, &result);
        assert_int_equal(result.reused_tokens, 0);
        run(&r, &e, 5, &result); /* all but the last token of the prompt */
        assert_int_equal(result.reused_tokens, cases[i].reuses ? e.n_prompt - 1 : 0);
        expected longer = e; /* the answer is part of the next prompt */
        memcpy(longer.prompt + e.n_prompt, e.answer, 6 * sizeof *e.answer);
        longer.n_prompt += 6;
        memmove(longer.answer, e.answer + 6, (e.n_answer - 6) * sizeof *e.answer);
        longer.n_answer -= 6;
        run(&r, &longer, 5, &result);
        assert_int_equal(result.reused_tokens, cases[i].reuses ? e.n_prompt + 4 : 0);
        lathe_generation how;
        lathe_generation_init(&how);
        how.max_tokens = 1;
        int64_t other[] = {e.prompt[0], e.prompt[1], 50, 51}; /* another way from the third token on */
        expect_ok(lathe_generator_run(r.generator, other, 4, &how, &result, &err), &err);
        assert_int_equal(result.reused_tokens, cases[i].reuses ? 2 : 0);
        run(&r, &e, 9, &result);
        assert_int_equal(result.reused_tokens, cases[i].reuses ? 2 : 0);
        close_rig(&r);
    }
}

/* ---- Text ---- */

typedef struct sink {
    char text[256];
    size_t size, calls, stop_after; /* calls; 0: never */
} sink;

static bool collect(void *user, const char *text, size_t size)
{
    sink *s = user;
    assert_true(size > 0 && s->size + size < sizeof s->text);
    memcpy(s->text + s->size, text, size);
    s->size += size;
    s->text[s->size] = '\0';
    return ++s->calls != s->stop_after;
}

static void text_comes_until_an_end(void **state)
{
    (void)state;
    expected e = load_expected();
    rig r;
    lathe_error err;
    lathe_generation how;
    lathe_generation_result result;
    sink s = {.stop_after = 3};
    char whole[MOST + 1] = {0};
    for (size_t i = 0; i < e.n_answer; i++) whole[i] = (char)('!' + e.answer[i]);
    expect_ok(open_rig(&r, DATA("open.pt2"), NULL, &(lathe_generator_options){.context = 32}, &err), &err);
    lathe_generation_init(&how);
    how.on_text = collect;
    how.user = &s;
    expect_ok(lathe_generator_run(r.generator, e.prompt, e.n_prompt, &how, &result, &err), &err);
    assert_int_equal(result.stop, LATHE_STOP_CALLER);
    assert_memory_equal(s.text, whole, 3);
    assert_int_equal(s.size, 3);
    /* The eighth token ends the answer and is no part of its text. */
    s = (sink){0};
    expect_ok(lt_tokenizer_add_end(r.tokenizer, (uint32_t)e.answer[7], &err), &err);
    expect_ok(lathe_generator_run(r.generator, e.prompt, e.n_prompt, &how, &result, &err), &err);
    assert_int_equal(result.stop, LATHE_STOP_END);
    assert_int_equal(result.answer_tokens, 7);
    assert_int_equal(s.size, 7);
    assert_memory_equal(s.text, whole, 7);
    size_t count;
    const int64_t *tokens = lathe_generator_tokens(r.generator, &count);
    assert_int_equal(tokens[count - 1], e.answer[7]);
    close_rig(&r);
}

/* ---- What is refused ---- */

static void models_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *model, *decode, *part;
    } cases[] = {
        {LT_TEST_GOLDEN "/models/resnet18_narrow.pt2", NULL, "no input_ids"},
        {LT_TEST_GOLDEN "/models/tiny_llama_dynamic.pt2", NULL, "no cache_position"},
        {DATA("prefill.pt2"), NULL, "it needs a second model"},
        {DATA("decode.pt2"), DATA("prefill.pt2"), "expected as many"},
        {DATA("buffers.pt2"), DATA("decode.pt2"), "expected as many"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        rig r;
        lathe_error err;
        expect_error(open_rig(&r, cases[i].model, cases[i].decode, NULL, &err), LATHE_UNSUPPORTED, &err,
                     cases[i].part);
        close_rig(&r);
    }
}

static void write_mapping(const char *path, const char *const names[6])
{
    static const char *const fields[6] = {"prefill_key_output", "prefill_value_output",
                                          "decode_key_input",   "decode_value_input",
                                          "decode_key_output",  "decode_value_output"};
    json_t *layer = json_object();
    for (int i = 0; i < 6; i++)
        if (names[i]) json_object_set_new(layer, fields[i], json_string(names[i]));
    json_t *root = json_pack("{s:[o]}", "layers", layer);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

static const char *output_name(lathe_model *model, size_t index)
{
    lathe_value_info info;
    lathe_error err;
    expect_ok(lathe_model_output(model, index, &info, &err), &err);
    return info.name;
}

static void caches_are_paired_by_name(void **state)
{
    (void)state;
    static const char path[] = SCRATCH("mapping.json");
    expected e = load_expected();
    const lathe_generator_options options = {.kv_mapping = path};
    rig names, r;
    lathe_error err;
    lathe_generation_result result;
    expect_ok(open_rig(&names, DATA("prefill.pt2"), DATA("decode.pt2"), NULL, &err), &err);
    const char *name[6] = {output_name(names.model, 1),  output_name(names.model, 2), "past_0", "past_1",
                           output_name(names.decode, 1), output_name(names.decode, 2)};
    write_mapping(path, name);
    expect_ok(open_rig(&r, DATA("prefill.pt2"), DATA("decode.pt2"), &options, &err), &err);
    run(&r, &e, 0, &result);
    close_rig(&r);
    name[3] = "past_7";
    write_mapping(path, name);
    expect_error(open_rig(&r, DATA("prefill.pt2"), DATA("decode.pt2"), &options, &err), LATHE_FORMAT, &err,
                 "layers[0]: the model has no input 'past_7'");
    close_rig(&r);
    name[3] = NULL;
    write_mapping(path, name);
    expect_error(open_rig(&r, DATA("prefill.pt2"), DATA("decode.pt2"), &options, &err), LATHE_FORMAT, &err,
                 "decode_value_input");
    close_rig(&r);
    close_rig(&names);
    remove(path);
}

/* The logits of a token behind some positions of what the caches hold, added up with weights that tell them
 * apart. */
static double glance(lathe_generator *generator)
{
    static const int64_t id = 3;
    lathe_error err;
    size_t n = (size_t)lathe_generator_vocabulary(generator);
    float *logits = calloc(n, sizeof *logits);
    double sum = 0;
    expect_ok(lathe_generator_logits(generator, &id, 5, 1, logits, &err), &err);
    for (size_t i = 0; i < n; i++) sum += (double)(i % 7) * (double)logits[i];
    free(logits);
    return sum;
}

static void caches_are_filled_by_seed(void **state)
{
    (void)state;
    expected e = load_expected();
    rig r;
    lathe_error err;
    lathe_generation_result result;
    double seen[3];
    expect_ok(open_rig(&r, DATA("open.pt2"), NULL, NULL, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        expect_ok(lathe_generator_randomize_caches(r.generator, i % 2, &err), &err);
        seen[i] = glance(r.generator);
    }
    assert_true(seen[0] == seen[2]);
    assert_true(seen[0] != seen[1]);
    run(&r, &e, 3, &result); /* and nothing of it is left when a text begins */
    close_rig(&r);
}

static void tokens_need_no_tokenizer(void **state)
{
    (void)state;
    expected e = load_expected();
    lathe_error err;
    rig r = {0};
    lathe_generation_result result;
    expect_ok(lathe_model_open(DATA("open.pt2"), &r.model, &err), &err);
    expect_ok(lathe_generator_create(r.model, NULL, NULL, NULL, &r.generator, &err), &err);
    expect_ok(lathe_generator_prepare(r.generator, 0, e.n_prompt, NULL, &err), &err);
    run(&r, &e, 3, &result);
    assert_int_equal(result.answer_tokens, 3);
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_answers_as_pytorch), cmocka_unit_test(context_is_not_overrun),
        cmocka_unit_test(prefixes_are_not_run_again),    cmocka_unit_test(text_comes_until_an_end),
        cmocka_unit_test(models_are_refused_by_name),    cmocka_unit_test(caches_are_paired_by_name),
        cmocka_unit_test(caches_are_filled_by_seed),     cmocka_unit_test(tokens_need_no_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
