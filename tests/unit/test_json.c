/* The JSON reader and writer. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static lathe_status parse(const char *text, size_t length, bool nonfinite, lt_arena **arena,
                          const lt_json **out, lathe_error *err)
{
    char *exact = malloc(length ? length : 1); /* the sanitizer sees a read behind the end */
    assert_non_null(exact);
    memcpy(exact, text, length);
    assert_int_equal(lt_arena_create(arena, err), LATHE_OK);
    lathe_status status = lt_json_parse(exact, length, nonfinite, "text", *arena, out, err);
    free(exact);
    return status;
}

static void reads_values(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [1, -2.5e3, true, false, null, \"x\"],\n\"b\": {}, \"\": [] } ";
    lt_arena *arena;
    lathe_error err;
    const lt_json *root, *a;
    assert_int_equal(parse(text, strlen(text), false, &arena, &root, &err), LATHE_OK);
    assert_int_equal(lt_json_count(root), 3);
    assert_int_equal(lt_json_get_array(root, "a", &a, &err), LATHE_OK);
    assert_int_equal(lt_json_count(a), 6);
    assert_int_equal(lt_json_integer(lt_json_item(a, 0)), 1);
    assert_true(lt_json_item(a, 1)->value.real == -2500);
    assert_true(lt_json_true(lt_json_item(a, 2)));
    assert_false(lt_json_true(lt_json_item(a, 3)));
    assert_true(lt_json_is(lt_json_item(a, 4), LT_JSON_NULL));
    assert_string_equal(lt_json_text(lt_json_item(a, 5)), "x");
    assert_null(lt_json_item(a, 6));
    assert_memory_equal(text + a->begin, "[1, ", 4);
    assert_memory_equal(text + a->end - 4, "\"x\"]", 4);
    assert_string_equal(root->value.items[2].key, "");
    assert_null(lt_json_member(root, "c"));
    assert_null(lt_json_member(a, "c"));
    lt_arena_destroy(arena);
}

static void reads_strings(void **state)
{
    (void)state;
    static const char text[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00 \xc3\xa9\"";
    lt_arena *arena;
    lathe_error err;
    const lt_json *root;
    assert_int_equal(parse(text, strlen(text), false, &arena, &root, &err), LATHE_OK);
    assert_string_equal(lt_json_text(root), "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3\xa9");
    assert_int_equal(root->count, strlen(lt_json_text(root)));
    lt_arena_destroy(arena);
}

/* Numbers are those of strtod, whatever the locale. */
static void reads_numbers(void **state)
{
    (void)state;
    static const char *const reals[] = {"0.0",
                                        "-0.0",
                                        "1.5",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "123456789012345678.9",
                                        "4.9e-324",
                                        "1.7976931348623157e308",
                                        "2.2250738585072011e-308",
                                        "1E-400",
                                        "9007199254740993.0",
                                        "0.000000000000000000000000000000012345678901234567890"};
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed */
    for (size_t i = 0; i < LT_COUNT(reals); i++) {
        lt_arena *arena;
        lathe_error err;
        const lt_json *root;
        double value;
        assert_int_equal(parse(reals[i], strlen(reals[i]), false, &arena, &root, &err), LATHE_OK);
        assert_int_equal(lt_json_number(root, &value, &err), LATHE_OK);
        setlocale(LC_ALL, "C");
        double want = strtod(reals[i], NULL);
        assert_memory_equal(&value, &want, sizeof want);
        lt_arena_destroy(arena);
    }
}

static void reads_extremes(void **state)
{
    (void)state;
    static const char text[] = "[9223372036854775807, -9223372036854775808, NaN, Infinity, -Infinity]";
    lt_arena *arena;
    lathe_error err;
    const lt_json *root;
    double value;
    assert_int_equal(parse(text, strlen(text), true, &arena, &root, &err), LATHE_OK);
    assert_true(lt_json_integer(lt_json_item(root, 0)) == INT64_MAX);
    assert_true(lt_json_integer(lt_json_item(root, 1)) == INT64_MIN);
    assert_int_equal(lt_json_number(lt_json_item(root, 2), &value, &err), LATHE_OK);
    assert_true(isnan(value));
    assert_int_equal(lt_json_number(lt_json_item(root, 4), &value, &err), LATHE_OK);
    assert_true(isinf(value) && value < 0);
    lt_arena_destroy(arena);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "ends too early (line 1, column 1)"},
        {"[1,\n 2", "ends too early (line 2, column 3)"},
        {"{\"a\": 1,}", "a key in quotes is wanted (line 1, column 9)"},
        {"[1,]", "a value is wanted"},
        {"[1 2]", "a comma or the closing bracket is wanted"},
        {"{\"a\" 1}", "a colon is wanted"},
        {"{} x", "more text behind the value"},
        {"01", "leading zeros"},
        {"-", "a value is wanted"},
        {"1.", "ends too early"},
        {"1.x", "a number without digits"},
        {"1e+]", "an exponent without digits"},
        {".5", "a value is wanted"},
        {"1e999", "too large"},
        {"9223372036854775808", "more than 64 bits"},
        {"-9223372036854775809", "more than 64 bits"},
        {"NaN", "a value is wanted"},
        {"-Infinity", "a value is wanted"},
        {"nul", "a value is wanted"},
        {"\"a", "ends too early"},
        {"\"\\x\"", "an escape that JSON does not have"},
        {"\"\\u12g4\"", "four hexadecimal digits"},
        {"\"\\u0000\"", "\\u0000 is refused"},
        {"\"\\ud800\"", "half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "half of a surrogate pair"},
        {"\"\\udc00\"", "half of a surrogate pair"},
        {"\"\t\"", "a control character"},
        {"\"\xff\"", "not UTF-8"},
        {"\"\xed\xa0\x80\"", "not UTF-8"},
        {"\xef\xbb\xbf{}", "a value is wanted"},
        {"{\"a\": 1, \"a\": 2}", "duplicate key"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lt_arena *arena;
        lathe_error err = {0};
        const lt_json *root;
        lathe_status status = parse(cases[i].text, strlen(cases[i].text), false, &arena, &root, &err);
        if (status != LATHE_FORMAT || !strstr(err.message, cases[i].part))
            fail_msg("%s: %d, %s", cases[i].text, (int)status, err.message);
        assert_null(root);
        lt_arena_destroy(arena);
    }
}

/* Many members: found through the table; duplicates too. */
static void reads_large_objects(void **state)
{
    (void)state;
    lt_text text = {0};
    lt_arena *arena;
    lathe_error err;
    const lt_json *root;
    lt_text_printf(&text, "{");
    for (int i = 0; i < 10000; i++) lt_text_printf(&text, "%s\"key%d\": %d", i ? "," : "", i, i);
    size_t length = text.length;
    lt_text_printf(&text, "}");
    assert_int_equal(parse(text.data, text.length, false, &arena, &root, &err), LATHE_OK);
    assert_int_equal(lt_json_count(root), 10000);
    for (int i = 0; i < 10000; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(lt_json_integer(lt_json_member(root, key)), i);
    }
    assert_null(lt_json_member(root, "key"));
    lt_arena_destroy(arena);
    text.length = length;
    lt_text_printf(&text, ", \"key77\": 1}");
    assert_int_equal(parse(text.data, text.length, false, &arena, &root, &err), LATHE_FORMAT);
    assert_non_null(strstr(err.message, "'key77'"));
    lt_arena_destroy(arena);
    lt_text_free(&text);
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": [1, -2.5, 1e+100, 0.1, 3.0, true, false, null], \"b\": {}, \"c\": "
                               "[], \"d\\n\\u0001\": \"\\\"\\\\\"}";
    lt_arena *arena;
    lathe_error err;
    const lt_json *root;
    lt_text out = {0};
    assert_int_equal(parse(text, strlen(text), false, &arena, &root, &err), LATHE_OK);
    lt_json_write(root, 0, &out);
    assert_string_equal(out.data, text);
    lt_arena_destroy(arena);
    lt_text_free(&out);
}

static void writes_what_is_built(void **state)
{
    (void)state;
    lt_json_builder b = {0};
    lathe_error err;
    lt_text out = {0};
    assert_int_equal(lt_arena_create(&b.arena, &err), LATHE_OK);
    lt_json list = lt_json_new(LT_JSON_ARRAY), root = lt_json_new(LT_JSON_OBJECT);
    for (int i = 0; i < 3; i++) lt_json_push(&b, &list, lt_json_new_int(i));
    lt_json_put(&b, &root, "list", list);
    lt_json_put(&b, &root, "text", lt_json_new_text(&b, "a\xff", 2));
    assert_false(b.failed);
    lt_json_write(&root, 2, &out);
    assert_string_equal(out.data,
                        "{\n  \"list\": [\n    0,\n    1,\n    2\n  ],\n  \"text\": \"a\xef\xbf\xbd\"\n}");
    lt_arena_destroy(b.arena);
    lt_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_extremes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_large_objects),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_what_is_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
