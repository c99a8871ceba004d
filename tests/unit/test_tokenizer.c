/* Tokenizers: recorded ids of awkward strings, refusals by name, GGUF, long runs, broken files. */
#include "files.h"

#include <jansson.h>
#include <pthread.h>

#include "base/str.h"
#include "base/utf8.h"
#include "llm/pattern.h"
#include "llm/tokenizer.h"

/* ---- Recorded cases ---- */

static json_t *load_data(const char *name)
{
    lt_file file = open_data(name);
    json_t *root = json_loadb((const char *)file.data, file.size, JSON_ALLOW_NUL, NULL);
    lt_file_close(&file);
    assert_non_null(root);
    return root;
}

static void check_case(const lathe_tokenizer *t, const json_t *test, const char *name)
{
    const char *text = json_string_value(json_object_get(test, "text"));
    size_t size = json_string_length(json_object_get(test, "text"));
    const json_t *ids = json_object_get(test, "ids");
    lathe_error err;
    lathe_tokens got;
    expect_ok(lathe_tokenizer_encode(t, text, size, 0, &got, &err), &err);
    bool same = got.count == json_array_size(ids);
    for (size_t i = 0; same && i < got.count; i++)
        same = got.ids[i] == json_integer_value(json_array_get(ids, i));
    if (!same) fail_msg("%s: '%s' gives other ids", name, text);
    lathe_tokens_free(&got);
}

static void check_cases(const lathe_tokenizer *t, const json_t *cases, const char *name)
{
    size_t i;
    json_t *test;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach (cases, i, test) check_case(t, test, name);
}

static lathe_tokenizer *open_tokenizer(const char *folder)
{
    char path[1024];
    lathe_error err;
    lathe_tokenizer *t;
    snprintf(path, sizeof path, "%s/tokenizers/%s", LT_TEST_DATA, folder);
    expect_ok(lathe_tokenizer_open(path, &t, &err), &err);
    return t;
}

static lathe_status load_text(const char *text, size_t size, lathe_tokenizer **out, lathe_error *err)
{
    LT_TRY(lt_tokenizer_create(out, err));
    lathe_status status = lt_tokenizer_load_json(*out, text, size, "a.json", err);
    if (status == LATHE_OK) status = lt_tokenizer_finish(*out, err);
    if (status != LATHE_OK) lathe_tokenizer_close(*out);
    return status;
}

static const char *const folders[] = {"gpt2", "llama3", "qwen2", "smollm"};

static void ids_are_as_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < LT_COUNT(folders); i++) {
        static const char *const files[] = {"cases.json", "more.json"};
        lathe_tokenizer *t = open_tokenizer(folders[i]);
        for (size_t k = 0; k < 2; k++) {
            char name[128];
            snprintf(name, sizeof name, "tokenizers/%s/%s", folders[i], files[k]);
            json_t *cases = load_data(name);
            check_cases(t, cases, name);
            json_decref(cases);
        }
        lathe_tokenizer_close(t);
    }
}

static void rare_features_are_as_recorded(void **state)
{
    (void)state;
    static const char *const names[] = {"Removed",
                                        "Isolated",
                                        "MergedWithPrevious",
                                        "MergedWithNext",
                                        "Contiguous",
                                        "Removed-inverted",
                                        "Isolated-inverted",
                                        "MergedWithPrevious-inverted",
                                        "MergedWithNext-inverted",
                                        "Contiguous-inverted",
                                        "empty-matches",
                                        "string",
                                        "prefix-space",
                                        "digits-after-bytes",
                                        "added-NFC",
                                        "added-NFD",
                                        "added-NFKC",
                                        "added-NFKD",
                                        "lowercase",
                                        "roberta",
                                        "ignore-merges",
                                        "unknown",
                                        "unknown-fused",
                                        "no-unknown"};
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        char name[128];
        snprintf(name, sizeof name, "tokenizers/variants/%s.json", names[i]);
        json_t *root = load_data(name);
        char *text = json_dumps(json_object_get(root, "tokenizer"), 0);
        lathe_tokenizer *t;
        lathe_error err;
        expect_ok(load_text(text, strlen(text), &t, &err), &err);
        check_cases(t, json_object_get(root, "cases"), name);
        lathe_tokenizer_close(t);
        free(text);
        json_decref(root);
    }
}

static void text_comes_back(void **state)
{
    (void)state;
    lathe_tokenizer *t = open_tokenizer("smollm");
    json_t *cases = load_data("tokenizers/smollm/more.json"), *test;
    size_t i;
    json_array_foreach (cases, i, test) {
        const json_t *text = json_object_get(test, "text");
        lathe_error err;
        lathe_tokens ids;
        char *back;
        size_t size;
        expect_ok(lathe_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &ids, &err),
                  &err);
        expect_ok(lathe_tokenizer_decode(t, ids.ids, ids.count, 0, &back, &size, &err), &err);
        assert_int_equal(size, json_string_length(text));
        assert_memory_equal(back, json_string_value(text), size);
        lathe_text_free(back);
        lathe_tokens_free(&ids);
    }
    json_decref(cases);
    lathe_tokenizer_close(t);
}

/* ---- Flags and odd text ---- */

static void expect_ids(const lathe_tokenizer *t, const char *text, size_t size, unsigned flags, size_t count,
                       const int64_t *wanted)
{
    lathe_error err;
    lathe_tokens got;
    expect_ok(lathe_tokenizer_encode(t, text, size, flags, &got, &err), &err);
    assert_int_equal(got.count, count);
    if (count) assert_memory_equal(got.ids, wanted, count * sizeof *wanted);
    lathe_tokens_free(&got);
}

static void flags_change_what_is_special(void **state)
{
    (void)state;
    lathe_tokenizer *t = open_tokenizer("llama3");
    expect_ids(t, "", 0, 0, 1, (int64_t[]){1200});
    expect_ids(t, "", 0, LATHE_ENCODE_BARE, 0, NULL);
    expect_ids(t, "<|eot_id|>", 10, 0, 2, (int64_t[]){1200, 1204});
    lathe_error err;
    lathe_tokens ids;
    expect_ok(lathe_tokenizer_encode(t, "<|eot_id|>", 10, LATHE_ENCODE_LITERAL, &ids, &err), &err);
    assert_true(ids.count > 2 && ids.ids[0] == 1200);
    char *text;
    size_t size;
    expect_ok(lathe_tokenizer_decode(t, ids.ids, ids.count, LATHE_DECODE_NO_SPECIAL, &text, &size, &err),
              &err);
    assert_string_equal(text, "<|eot_id|>");
    lathe_text_free(text);
    lathe_tokens_free(&ids);
    assert_true(lathe_tokenizer_is_end(t, 1204) && lathe_tokenizer_is_end(t, 1201));
    assert_false(lathe_tokenizer_is_end(t, 1200) || lathe_tokenizer_is_end(t, -1));
    assert_true(lathe_tokenizer_is_special(t, 1202) && !lathe_tokenizer_is_special(t, 0));
    assert_null(lathe_tokenizer_piece(t, 1205, &size));
    assert_null(lathe_tokenizer_piece(t, -1, &size));
    expect_error(lathe_tokenizer_decode(t, (int64_t[]){7, 99999}, 2, 0, &text, &size, &err),
                 LATHE_INVALID_ARGUMENT, &err, "99999");
    lathe_tokenizer_close(t);
}

/* As Python's bytes.decode(errors="replace"). */
static void invalid_bytes_become_replacements(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"a\xff"
         "b",
         3,
         "a\xef\xbf\xbd"
         "b"},
        {"\xe2\x82", 2, "\xef\xbf\xbd"},
        {"\xe2\x28\xa1", 3, "\xef\xbf\xbd(\xef\xbf\xbd"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x98", 3, "\xef\xbf\xbd"},
        {"\xf0\x9f\x98\x80\x80", 5, "\xf0\x9f\x98\x80\xef\xbf\xbd"},
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    lathe_tokenizer *t = open_tokenizer("gpt2");
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lathe_error err;
        lathe_tokens ids;
        expect_ok(lathe_tokenizer_encode(t, cases[i].text, strlen(cases[i].text), 0, &ids, &err), &err);
        expect_ids(t, cases[i].bytes, cases[i].size, 0, ids.count, ids.ids);
        lathe_tokens_free(&ids);
        lt_utf8_stream stream = {0};
        char out[64];
        size_t used = 0;
        for (size_t k = 0; k < cases[i].size; k++)
            used += lt_utf8_push(&stream, cases[i].bytes[k], out + used);
        used += lt_utf8_flush(&stream, out + used);
        assert_int_equal(used, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, used);
    }
    lathe_tokenizer_close(t);
}

static void characters_stream_whole(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    lt_utf8_stream stream = {0};
    char out[8];
    size_t sizes[10];
    for (size_t i = 0; i < 10; i++) sizes[i] = lt_utf8_push(&stream, text[i], out);
    static const size_t wanted[10] = {1, 0, 2, 0, 0, 3, 0, 0, 0, 4};
    assert_memory_equal(sizes, wanted, sizeof sizes);
    assert_int_equal(lt_utf8_flush(&stream, out), 0);
}

/* ---- Long runs ---- */

enum { LONG = 1000000 };

typedef struct long_run {
    const lathe_tokenizer *tokenizer;
    const char *text;
    size_t size, count;
    bool good;
} long_run;

static void *encode_long(void *context)
{
    long_run *run = context;
    lathe_error err;
    lathe_tokens ids;
    run->good = lathe_tokenizer_encode(run->tokenizer, run->text, run->size, LATHE_ENCODE_BARE, &ids, &err) ==
                LATHE_OK;
    run->count = ids.count;
    lathe_tokens_free(&ids);
    return NULL;
}

/* On a small stack: neither matching nor merging may recurse, and both take time in proportion. */
static void long_runs_need_no_stack(void **state)
{
    (void)state;
    static const char *const units[] = {"a",  " ", "1", "\n", "!", "\xe6\x97\xa5", "\xcc\x81\xcc\xa3",
                                        "<|", "'s"};
    char *text = malloc(LONG);
    assert_non_null(text);
    for (size_t i = 0; i < LT_COUNT(folders); i++) {
        lathe_tokenizer *t = open_tokenizer(folders[i]);
        for (size_t u = 0; u < LT_COUNT(units); u++) {
            size_t unit = strlen(units[u]);
            for (size_t k = 0; k < LONG; k++) text[k] = units[u][k % unit];
            long_run run = {.tokenizer = t, .text = text, .size = u == 0 ? LONG : LONG / 10};
            pthread_attr_t small;
            pthread_t thread;
            assert_int_equal(pthread_attr_init(&small), 0);
            assert_int_equal(pthread_attr_setstacksize(&small, 256 * 1024), 0);
            assert_int_equal(pthread_create(&thread, &small, encode_long, &run), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
            pthread_attr_destroy(&small);
            assert_true(run.good && run.count > 0);
        }
        lathe_tokenizer_close(t);
    }
    free(text);
}

/* ---- Expressions ---- */

static void find(const char *expression, const char *text, size_t *start, size_t *end)
{
    lt_pattern *pattern;
    lt_matcher *matcher;
    lathe_error err;
    bool found;
    expect_ok(lt_pattern_create(expression, false, &pattern, &err), &err);
    expect_ok(lt_matcher_create(&matcher, &err), &err);
    *start = *end = SIZE_MAX;
    expect_ok(lt_pattern_find(pattern, matcher, text, strlen(text), 0, &found, start, end, &err), &err);
    if (!found) *start = *end = SIZE_MAX;
    lt_matcher_destroy(matcher);
    lt_pattern_destroy(pattern);
}

static void expressions_mean_what_their_authors_meant(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *text;
        size_t start, end;
    } cases[] = {
        {"\\s", "a\xe1\xa0\x8e", SIZE_MAX, SIZE_MAX}, /* U+180E is no white space */
        {"[\\s]", "a\xe3\x80\x80", 1, 4},
        {"[^\\s]+", " ab ", 1, 3},
        {"[\\S]+", " ab ", 1, 3},
        {"\\S+", " ab ", 1, 3},
        {"\\w+", "!a\xcc\x81_", 1, 5},          /* marks are word characters */
        {"\\h+", "xyz0fG", 3, 5},               /* hexadecimal digits */
        {"\\p{L}+", "1\xf0\xb1\x8d\x90", 1, 5}, /* U+31350, of Unicode 15 */
        {"\\P{L}", "a1", 1, 2},
        {"[^\\p{N}]", "1a", 1, 2},
        {"\\u0061+", "baa", 1, 3},
        {"(?i:'s)", "x'\xc5\xbf", 1, 4}, /* the long s */
        {"^b", "a\nb", 2, 3},
        {"[]a]", "]", 0, 1},
        {"[[:alpha:]]", "1a", 1, 2},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        size_t start, end;
        find(cases[i].expression, cases[i].text, &start, &end);
        if (start != cases[i].start || end != cases[i].end)
            fail_msg("'%s' matches %zu to %zu", cases[i].expression, start, end);
    }
}

static void expressions_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        lathe_status status;
        const char *part;
    } cases[] = {
        {"[a[b]]", LATHE_UNSUPPORTED, "inside a class"},
        {"[a&&b]", LATHE_UNSUPPORTED, "&&"},
        {"(?m:a.b)", LATHE_UNSUPPORTED, "(?m)"},
        {"(*FAIL)", LATHE_UNSUPPORTED, "(*"},
        {"[\\W]", LATHE_UNSUPPORTED, "\\W"},
        {"(a", LATHE_FORMAT, "(a"},
        {"a\\", LATHE_FORMAT, "backslash"},
        {"[a", LATHE_FORMAT, "[a"},
        {"\\p{Nope}", LATHE_FORMAT, "Nope"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lt_pattern *pattern;
        lathe_error err;
        expect_error(lt_pattern_create(cases[i].expression, false, &pattern, &err), cases[i].status, &err,
                     cases[i].part);
        assert_null(pattern);
    }
}

static void endless_backtracking_is_given_up(void **state)
{
    (void)state;
    lt_pattern *pattern;
    lt_matcher *matcher;
    lathe_error err;
    bool found;
    size_t start, end;
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    expect_ok(lt_pattern_create("(a+)+$", false, &pattern, &err), &err);
    expect_ok(lt_matcher_create(&matcher, &err), &err);
    expect_error(lt_pattern_find(pattern, matcher, text, strlen(text), 0, &found, &start, &end, &err),
                 LATHE_LIMIT, &err, "byte 0");
    lt_matcher_destroy(matcher);
    lt_pattern_destroy(pattern);
}

/* ---- Refusals ---- */

/* A tokenizer.json with all single bytes and "ab" (id 256). NULL: the usual. */
static char *write_json(const char *model, const char *merges, const char *added, const char *normalizer,
                        const char *pre, const char *rest)
{
    lt_text text = {0};
    lt_text_printf(&text,
                   "{\"added_tokens\":%s,\"normalizer\":%s,\"pre_tokenizer\":%s,%s\"model\":{%s,\"vocab\":{",
                   added ? added : "[]", normalizer ? normalizer : "null",
                   pre ? pre : "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", rest ? rest : "",
                   model ? model : "\"type\":\"BPE\"");
    for (unsigned byte = 0; byte < 256; byte++)
        lt_text_printf(&text, "\"\\u%04x\":%u,", lt_byte_char((uint8_t)byte), byte);
    lt_text_printf(&text, "\"ab\":256},\"merges\":%s}}", merges ? merges : "[\"a b\"]");
    return text.data;
}

static void files_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *model, *merges, *added, *normalizer, *pre, *rest;
        lathe_status status;
        const char *part;
    } cases[] = {
        {.model = "\"type\":\"Unigram\"", .status = LATHE_UNSUPPORTED, .part = "'Unigram'"},
        {.model = "\"type\":\"WordPiece\"", .status = LATHE_UNSUPPORTED, .part = "'WordPiece'"},
        {.model = "\"type\":\"BPE\",\"byte_fallback\":true",
         .status = LATHE_UNSUPPORTED,
         .part = "byte_fallback"},
        {.model = "\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"",
         .status = LATHE_UNSUPPORTED,
         .part = "</w>"},
        {.model = "\"type\":\"BPE\",\"dropout\":0.1", .status = LATHE_UNSUPPORTED, .part = "dropout"},
        {.merges = "[\"a c\"]", .status = LATHE_FORMAT, .part = "merge 0"},
        {.merges = "[\"ab\"]", .status = LATHE_FORMAT, .part = "merge 0"},
        {.merges = "[\"a b c\"]", .status = LATHE_FORMAT, .part = "merge 0"},
        {.merges = "[[\"a\"]]", .status = LATHE_FORMAT, .part = "merge 0"},
        {.merges = "[[\"a\",\"b\"],[\"a\",2]]", .status = LATHE_FORMAT, .part = "merge 1"},
        {.merges = "7", .status = LATHE_FORMAT, .part = "merges"},
        {.added = "[{\"id\":5,\"content\":\"x!\"}]", .status = LATHE_FORMAT, .part = "x!"},
        {.added = "[{\"id\":2147483647,\"content\":\"x!\"}]", .status = LATHE_FORMAT, .part = "2147483647"},
        {.added = "[{\"id\":-1,\"content\":\"x!\"}]", .status = LATHE_FORMAT, .part = "-1"},
        {.added = "[{\"id\":300}]", .status = LATHE_FORMAT, .part = "content"},
        {.normalizer = "{\"type\":\"StripAccents\"}", .status = LATHE_UNSUPPORTED, .part = "StripAccents"},
        {.pre = "{\"type\":\"Metaspace\"}", .status = LATHE_UNSUPPORTED, .part = "Metaspace"},
        {.pre = "null", .status = LATHE_UNSUPPORTED, .part = "ByteLevel"},
        {.pre = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}",
         .status = LATHE_FORMAT,
         .part = "pre_tokenizer"},
        {.pre = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}",
         .status = LATHE_UNSUPPORTED,
         .part = "Odd"},
        {.rest = "\"decoder\":{\"type\":\"WordPiece\"},", .status = LATHE_UNSUPPORTED, .part = "decoder"},
        {.rest = "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
                 "\"q\"}}],"
                 "\"special_tokens\":{}},",
         .status = LATHE_FORMAT,
         .part = "'q'"},
        {.rest = "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
                 "\"q\"}}],"
                 "\"special_tokens\":{\"q\":{\"ids\":[999]}}},",
         .status = LATHE_FORMAT,
         .part = "999"},
        {.rest = "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[],\"sep\":[]},",
         .status = LATHE_FORMAT,
         .part = "post_processor"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        char *text = write_json(cases[i].model, cases[i].merges, cases[i].added, cases[i].normalizer,
                                cases[i].pre, cases[i].rest);
        lathe_tokenizer *t;
        lathe_error err;
        expect_error(load_text(text, strlen(text), &t, &err), cases[i].status, &err, cases[i].part);
        free(text);
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    lt_text pre = {0};
    for (int i = 0; i < 100; i++) lt_text_printf(&pre, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    lt_text_printf(&pre, "{\"type\":\"ByteLevel\"}");
    for (int i = 0; i < 100; i++) lt_text_printf(&pre, "]}");
    char *text = write_json(NULL, NULL, NULL, NULL, pre.data, NULL);
    lathe_tokenizer *t;
    lathe_error err;
    expect_error(load_text(text, strlen(text), &t, &err), LATHE_LIMIT, &err, "nested");
    free(text);
    lt_text_free(&pre);
}

static lathe_status use_json(const lt_file *file, lathe_error *err)
{
    lathe_tokenizer *t;
    LT_TRY(load_text((const char *)file->data, file->size, &t, err));
    lathe_tokens ids;
    lathe_status status = lathe_tokenizer_encode(t, "ab <x> 12", 9, 0, &ids, err);
    lathe_tokens_free(&ids);
    lathe_tokenizer_close(t);
    return status;
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static const char pre[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},"
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}]}";
    char *text = write_json(NULL, "[[\"a\",\"b\"]]", "[{\"id\":257,\"content\":\"<x>\",\"lstrip\":true}]",
                            "{\"type\":\"NFC\"}", pre, NULL);
    lt_file file = {.data = (const uint8_t *)text, .size = strlen(text)};
    lathe_error err;
    expect_ok(use_json(&file, &err), &err);
    try_truncations(use_json, &file, file.size);
    try_bit_flips(use_json, &file, 400);
    free(text);
}

/* ---- GGUF ---- */

static void put(lt_text *out, const void *data, size_t size) { lt_text_append(out, data, size); }
static void put32(lt_text *out, uint32_t x) { put(out, &x, 4); }
static void put64(lt_text *out, uint64_t x) { put(out, &x, 8); }

static void put_string(lt_text *out, const char *text)
{
    put64(out, strlen(text));
    put(out, text, strlen(text));
}

static void put_key(lt_text *out, const char *key, uint32_t kind)
{
    put_string(out, key);
    put32(out, kind);
}

static void put_text(lt_text *out, const char *key, const char *value)
{
    put_key(out, key, 8);
    put_string(out, value);
}

static void put_id(lt_text *out, const char *key, uint32_t value)
{
    put_key(out, key, 4);
    put32(out, value);
}

/* 256 bytes, "ab" 256, "<|im_end|>" 257 (control), "<tool>" 258 (of the user), "[PAD]" 259 (unused), "cd"
 * 260. */
static lt_text write_gguf(const char *model, const char *pre, const char *merge)
{
    static const char *const more[] = {"ab", "<|im_end|>", "<tool>", "[PAD]", "cd"};
    static const uint32_t kinds[] = {1, 3, 4, 5, 1};
    lt_text out = {0};
    put(&out, "GGUF", 4);
    put32(&out, 3);
    put64(&out, 0);
    put64(&out, 8);
    put_text(&out, "tokenizer.ggml.model", model);
    put_text(&out, "tokenizer.ggml.pre", pre);
    put_text(&out, "tokenizer.chat_template", "<|im_start|>system\nBe kind.<|im_end|>");
    put_id(&out, "tokenizer.ggml.bos_token_id", 256);
    put_id(&out, "tokenizer.ggml.eos_token_id", 260);
    put_key(&out, "tokenizer.ggml.tokens", 9);
    put32(&out, 8);
    put64(&out, 261);
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelling[5] = {0};
        lt_utf8_write(lt_byte_char((uint8_t)byte), spelling);
        put_string(&out, spelling);
    }
    for (size_t i = 0; i < 5; i++) put_string(&out, more[i]);
    put_key(&out, "tokenizer.ggml.token_type", 9);
    put32(&out, 5);
    put64(&out, 261);
    for (size_t i = 0; i < 261; i++) put32(&out, i < 256 ? 1 : kinds[i - 256]);
    put_key(&out, "tokenizer.ggml.merges", 9);
    put32(&out, 8);
    put64(&out, 1);
    put_string(&out, merge);
    return out;
}

static lathe_status load_gguf(const lt_text *text, lathe_tokenizer **out, lathe_error *err)
{
    lt_file file = {.data = (const uint8_t *)text->data, .size = text->length};
    LT_TRY(lt_tokenizer_create(out, err));
    lathe_status status = lt_tokenizer_load_gguf(*out, &file, "a.gguf", err);
    if (status == LATHE_OK) status = lt_tokenizer_finish(*out, err);
    if (status != LATHE_OK) lathe_tokenizer_close(*out);
    return status;
}

static void gguf_names_its_splitting(void **state)
{
    (void)state;
    static const struct {
        const char *pre;
        size_t count;
        int64_t ids[12];
    } cases[] = {
        /* of "ab12cd<tool><|im_end|>": GPT-2 keeps "12" together, which merges to nothing here */
        {"gpt-2", 7, {256, '1', '2', 'c', 'd', 258, 257}},
        {"smollm", 7, {256, '1', '2', 'c', 'd', 258, 257}},
        {"qwen2", 7, {256, '1', '2', 'c', 'd', 258, 257}},
        {"llama-bpe", 7, {256, 256, '1', '2', 260, 258, 257}}, /* first token; "cd" is in the vocabulary */
        {"gpt-4o", 7, {256, '1', '2', 'c', 'd', 258, 257}},
        {"deepseek-v3", 7, {256, '1', '2', 'c', 'd', 258, 257}},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lt_text text = write_gguf("gpt2", cases[i].pre, "a b");
        lathe_tokenizer *t;
        lathe_error err;
        expect_ok(load_gguf(&text, &t, &err), &err);
        expect_ids(t, "ab12cd<tool><|im_end|>", 22, 0, cases[i].count, cases[i].ids);
        assert_true(lathe_tokenizer_is_end(t, 260) && lathe_tokenizer_is_end(t, 257));
        assert_int_equal(lathe_tokenizer_chat_format(t), LATHE_CHAT_CHATML);
        size_t size;
        assert_null(lathe_tokenizer_piece(t, 259, &size));
        lathe_tokenizer_close(t);
        lt_text_free(&text);
    }
}

static void gguf_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *model, *pre, *merge;
        lathe_status status;
        const char *part;
    } cases[] = {
        {"llama", "default", "a b", LATHE_UNSUPPORTED, "'llama'"},
        {"gpt2", "who-knows", "a b", LATHE_UNSUPPORTED, "'who-knows'"},
        {"gpt2", "qwen2 smollm", "a b", LATHE_UNSUPPORTED, "'qwen2 smollm'"},
        {"gpt2", "gpt-2", "ab", LATHE_FORMAT, "merge 0"},
        {"gpt2", "gpt-2", "a c", LATHE_FORMAT, "merge 0"},
        {"gpt2", "gpt-2", "", LATHE_FORMAT, "merge 0"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lt_text text = write_gguf(cases[i].model, cases[i].pre, cases[i].merge);
        lathe_tokenizer *t;
        lathe_error err;
        expect_error(load_gguf(&text, &t, &err), cases[i].status, &err, cases[i].part);
        lt_text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_as_recorded),
        cmocka_unit_test(rare_features_are_as_recorded),
        cmocka_unit_test(text_comes_back),
        cmocka_unit_test(flags_change_what_is_special),
        cmocka_unit_test(invalid_bytes_become_replacements),
        cmocka_unit_test(characters_stream_whole),
        cmocka_unit_test(long_runs_need_no_stack),
        cmocka_unit_test(expressions_mean_what_their_authors_meant),
        cmocka_unit_test(expressions_are_refused_by_name),
        cmocka_unit_test(endless_backtracking_is_given_up),
        cmocka_unit_test(files_are_refused_by_name),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(gguf_names_its_splitting),
        cmocka_unit_test(gguf_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
