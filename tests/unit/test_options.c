/* Command lines: what tables of options take, refuse and print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOOL_STRUCT test_options
#include "tool_options.h"

typedef struct inner {
    const char *device;
    int keep;
} inner;

typedef struct test_options {
    inner place;
    const char *first, *second, *name, *kv;
    tool_rest rest;
    tool_texts files;
    tool_list list;
    tool_words words;
    bool flag, other;
    int choice;
    long whole;
    uint64_t seed;
    float narrow;
    double wide;
    size_t custom;
} test_options;

static const tool_word keep_words[] = {{"merge", 0}, {"keep", 1}, {0}};
static const tool_word types[] = {{"int8", 8}, {"int4", 4}, {"none", 0}, {0}};

static bool take_length(void *to, const char *value)
{
    *(size_t *)to = strlen(value);
    return *value != '!';
}

static const tool_option shared_rows[] = {
    {"--device LIST", {.kind = TOOL_KIND_TEXT, .at = offsetof(inner, device)}, "where to run"},
    {"--islands merge|keep",
     {.kind = TOOL_KIND_CHOICE, .size = sizeof(int), .at = offsetof(inner, keep), .as.words = keep_words},
     "what is small"},
    {0},
};

static const tool_option rows[] = {
    {"--weights F", TOOL_TEXTS(files), "may be repeated"},
    TOOL_SHARED(place, shared_rows),
    {"-d LIST", TOOL_LIST(list, 0), "depths"},
    {"-n, --tokens N", TOOL_INTEGER(whole, 1, 256), "most tokens"},
    {"--seed N", TOOL_INTEGER(seed, 0, INT64_MAX), "of random numbers"},
    {"-q, --quantize TYPE", TOOL_CHOICE(choice, types), "a type"},
    {"--kv TYPE", TOOL_WORD(kv, types), "a type, by name"},
    {"--by LIST", TOOL_WORDS(words, types), "some of them"},
    {"--top-p P", TOOL_REAL(narrow, 0, 1), "a part"},
    {"--rtol R", TOOL_REAL(wide, 0, INT64_MAX), "a tolerance"},
    {"--custom THING", TOOL_CUSTOM(custom, take_length), "anything but !"},
    {"-f, --flag", TOOL_FLAG(flag), "one way"},
    {"-g", TOOL_FLAG(other), "another"},
    {0},
};

static const tool_command command = {
    .name = "test",
    .intro = "Tests.",
    .arguments = {{"FIRST", TOOL_ONE(first)}, {"SECOND", TOOL_MAYBE(second)}},
    .options = rows};

/* Parses words between spaces. */
static tool_parsed parse_with(const tool_command *with, const char *line, test_options *o, lathe_error *err)
{
    static char text[4096];
    char *argv[256] = {text};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    argv[argc] = NULL;
    *o = (test_options){0};
    *err = (lathe_error){0};
    return tool_parse_arguments(with, argc, argv, o, err);
}

static test_options parse(const char *line)
{
    test_options o;
    lathe_error err;
    if (parse_with(&command, line, &o, &err) != TOOL_PARSED) fail_msg("%s: %s", line, err.message);
    return o;
}

static void refuse_with(const tool_command *with, const char *line, const char *why)
{
    test_options o;
    lathe_error err;
    assert_int_equal(parse_with(with, line, &o, &err), TOOL_WRONG);
    assert_string_equal(err.message, why);
}

static void refuse(const char *line, const char *why) { refuse_with(&command, line, why); }

static void takes_every_kind(void **state)
{
    (void)state;
    test_options o =
        parse("a --weights u --weights=v --device cpu --islands keep -d 1,4-16*2,20-24+2 --tokens 5 "
              "--seed 9223372036854775807 -q int4 --kv int8 --by none,int8,none --top-p 0.5 --rtol 1e-3 "
              "--custom abc --flag");
    assert_string_equal(o.first, "a");
    assert_null(o.second);
    assert_int_equal(o.files.n, 2);
    assert_string_equal(o.files.item[1], "v");
    assert_string_equal(o.place.device, "cpu");
    assert_int_equal(o.place.keep, 1);
    const long list[] = {1, 4, 8, 16, 20, 22, 24};
    assert_int_equal(o.list.n, 7);
    assert_memory_equal(o.list.value, list, sizeof list);
    assert_int_equal(o.whole, 5);
    assert_true(o.seed == INT64_MAX);
    assert_int_equal(o.choice, 4);
    assert_string_equal(o.kv, "int8");
    assert_int_equal(o.words.n, 2);
    assert_string_equal(o.words.word[0]->name, "none");
    assert_true(o.narrow == 0.5f && o.wide == 1e-3);
    assert_int_equal(o.custom, 3);
    assert_true(o.flag && !o.other);
}

static void takes_every_spelling(void **state)
{
    (void)state;
    assert_int_equal(parse("-n5 a").whole, 5);
    assert_int_equal(parse("-n 5 a").whole, 5);
    assert_int_equal(parse("--tokens=5 a").whole, 5);
    assert_int_equal(parse("a -fgn5").whole, 5);
    assert_true(parse("a -fgn 5").other);
    assert_int_equal(parse("a -n 3 -n 4").whole, 4);
    assert_string_equal(parse("-f a b").second, "b");
    assert_string_equal(parse("a -n 5 b").second, "b");
    assert_string_equal(parse("-- -f").first, "-f");
    assert_string_equal(parse("-f -").first, "-");
    assert_string_equal(parse("a --device=--flag").place.device, "--flag");
    assert_string_equal(parse("a --device --flag").place.device, "--flag");
    assert_int_equal(parse("a --custom=").custom, 0);
}

static void asks_for_help(void **state)
{
    (void)state;
    test_options o;
    lathe_error err;
    assert_int_equal(parse_with(&command, "-h", &o, &err), TOOL_HELP);
    assert_int_equal(parse_with(&command, "a b c --help", &o, &err), TOOL_HELP);
    assert_int_equal(parse_with(&command, "-fh", &o, &err), TOOL_HELP);
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    refuse("", "FIRST is missing");
    refuse("a b c", "unexpected argument 'c' after SECOND 'b'");
    refuse("a -d x", "-d takes a list of numbers from 0 to 16777216, got 'x'");
    refuse("a -d 1,", "-d takes a list of numbers from 0 to 16777216, got '1,'");
    refuse("a -d 0-8*2", "-d takes a list of numbers from 0 to 16777216, got '0-8*2'");
    refuse("a -d 2-9*9223372036854775807",
           "-d takes a list of numbers from 0 to 16777216, got '2-9*9223372036854775807'");
    refuse("a -d 0-256", "-d takes a list of numbers from 0 to 16777216, got '0-256'");
    refuse("a -d", "-d needs a value: a list of numbers from 0 to 16777216");
    refuse("a --tokens 0", "--tokens takes a number from 1 to 256, got '0'");
    refuse("a -n5x", "-n takes a number from 1 to 256, got '5x'");
    refuse("a --seed=-1", "--seed takes a number of at least 0, got '-1'");
    refuse("a --seed 9223372036854775808", "--seed takes a number of at least 0, got '9223372036854775808'");
    refuse("a -q int5", "-q takes int8, int4 or none, got 'int5'");
    refuse("a --kv in", "--kv takes int8, int4 or none, got 'in'");
    refuse("a --by int8,", "--by takes one or more of int8, int4 and none, got 'int8,'");
    refuse("a --islands x", "--islands takes merge or keep, got 'x'");
    refuse("a --top-p nan", "--top-p takes a number from 0 to 1, got 'nan'");
    refuse("a --rtol inf", "--rtol takes a number of at least 0, got 'inf'");
    refuse("a --custom !", "--custom takes THING, got '!'");
    refuse("a --device", "--device needs a value: LIST");
    refuse("a --flag=1", "--flag takes no value, got '1'");
    char many[1024] = "a";
    for (int i = 0; i <= TOOL_MAX_TEXTS; i++) strcat(many, " --weights w");
    refuse(many, "more than 64 of --weights");
}

static void suggests_the_nearest(void **state)
{
    (void)state;
    refuse("a --quantise int8", "unknown option '--quantise'; did you mean '--quantize'?");
    refuse("a --quantise=int8", "unknown option '--quantise'; did you mean '--quantize'?");
    refuse("a --quant int8", "unknown option '--quant'; did you mean '--quantize'?");
    refuse("a -weights", "unknown option '-weights'; did you mean '--weights'?");
    refuse("a --devcie cpu", "unknown option '--devcie'; did you mean '--device'?");
    refuse("a --helf", "unknown option '--helf'; did you mean '--help'?");
    refuse("a --weather", "unknown option '--weather'");
    refuse("a -x", "unknown option '-x'");
    refuse("a ---", "unknown option '---'");
    refuse("a --=", "unknown option '--'");
}

static void hands_out_arguments(void **state)
{
    (void)state;
    static const tool_option needed[] = {{"-o DIR", TOOL_NEEDED(name), "where"}, {0}};
    const tool_command some = {
        .name = "some", .intro = "", .arguments = {{"FILE", TOOL_SOME(rest)}}, .options = needed};
    const tool_command none = {.name = "none", .intro = ""};
    test_options o;
    lathe_error err;
    refuse_with(&some, "", "FILE is missing");
    refuse_with(&some, "a b", "-o DIR is missing");
    assert_int_equal(parse_with(&some, "a -o d b", &o, &err), TOOL_PARSED);
    assert_int_equal(o.rest.n, 2);
    assert_string_equal(o.rest.item[1], "b");
    refuse_with(&none, "x", "unexpected argument 'x'");
    refuse_with(&none, "-x", "unknown option '-x'");
    assert_int_equal(parse_with(&none, "", &o, &err), TOOL_PARSED);
}

static void prints_help_of_the_table(void **state)
{
    (void)state;
    static const tool_option few[] = {
        {"-n, --tokens N", TOOL_INTEGER(whole, 1, 256),
         "a text that is so long that it does not fit into a line of a hundred columns \xe2\x80\xa6, and "
         "goes on"},
        {"--a-name-that-is-too-long-for-the-column N", TOOL_TEXT(name), "its text is below"},
        {"-o DIR", TOOL_NEEDED(kv), "where"},
        {0},
    };
    const tool_command with = {.name = "some",
                               .intro = "What it does.",
                               .arguments = {{"MODEL", TOOL_ONE(first)}, {"FILE", TOOL_ANY(rest)}},
                               .options = few,
                               .notes = "First.\n  second  line",
                               .status = "0 good, 1 bad"};
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    tool_print_help(&with, to);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(
        text, "What it does.\n\n"
              "Usage: lathe some MODEL [FILE...] -o DIR [OPTIONS]\n\n"
              "  -n, --tokens N  a text that is so long that it does not fit into a line of a hundred "
              "columns \xe2\x80\xa6,\n"
              "                  and goes on\n"
              "  --a-name-that-is-too-long-for-the-column N\n"
              "                  its text is below\n"
              "  -o DIR          where\n"
              "  -h, --help      print this\n\n"
              "First.\n  second  line\n"
              "Exit status: 0 good, 1 bad, 2 wrong usage or a broken file.\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_kind),
        cmocka_unit_test(takes_every_spelling),
        cmocka_unit_test(asks_for_help),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(suggests_the_nearest),
        cmocka_unit_test(hands_out_arguments),
        cmocka_unit_test(prints_help_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
