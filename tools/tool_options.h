/* Command lines. A command is a table: from its rows its arguments are parsed and its --help is written, so
 * that the two cannot part. Knows nothing of models. */
#ifndef LATHE_TOOL_OPTIONS_H
#define LATHE_TOOL_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lathe/lathe.h>

/* Exit codes of every command. */
enum { EXIT_DONE = 0, EXIT_DIFFERS = 1, EXIT_USAGE = 2 };

/* ---- What values become ---- */

enum { TOOL_MAX_TEXTS = 64, TOOL_MAX_LIST = 256, TOOL_MAX_WORDS = 8, TOOL_LARGEST = 1 << 24 };

/* Of an option that may be repeated. */
typedef struct tool_texts {
    const char *item[TOOL_MAX_TEXTS];
    int n;
} tool_texts;

/* "1,128" and ranges "FIRST-LAST", "FIRST-LAST+STEP", "FIRST-LAST*FACTOR", mixed. A range by a factor ends
 * with LAST itself. */
typedef struct tool_list {
    long value[TOOL_MAX_LIST];
    int n;
} tool_list;

/* One of the words that an option takes; tables of at most TOOL_MAX_WORDS end with a name of NULL. */
typedef struct tool_word {
    const char *name;
    int value;
} tool_word;

/* Some of them between commas, each once, in the order given. */
typedef struct tool_words {
    const tool_word *word[TOOL_MAX_WORDS];
    int n;
} tool_words;

/* Arguments that are no options: a part of argv. */
typedef struct tool_rest {
    char *const *item;
    int n;
} tool_rest;

/* ---- Rows ---- */

typedef enum tool_kind {
    TOOL_END, /* of a table */
    TOOL_KIND_SHARED,
    TOOL_KIND_HELP,
    TOOL_KIND_FLAG,
    TOOL_KIND_TEXT,
    TOOL_KIND_NEEDED, /* a text that the command does not do without */
    TOOL_KIND_TEXTS,
    TOOL_KIND_INTEGER,
    TOOL_KIND_REAL,
    TOOL_KIND_LIST,
    TOOL_KIND_CHOICE,
    TOOL_KIND_WORD,
    TOOL_KIND_WORDS,
    TOOL_KIND_CUSTOM
} tool_kind;

typedef bool tool_take(void *to, const char *value); /* false: it is no such value */

/* Where a value goes, and which ones there are. Made by the macros below. */
typedef struct tool_target {
    tool_kind kind;
    unsigned size; /* of a number */
    size_t at;     /* in the struct of the command's options */
    union {
        struct {
            int64_t least, most; /* INT64_MAX: no bound */
        } range;
        const tool_word *words;
        tool_take *take;
        const struct tool_option *rows;
    } as;
} tool_target;

typedef struct tool_option {
    const char *names; /* as the help shows them, and the value's: "-n, --tokens N" */
    tool_target to;
    const char *help;
} tool_option;

/* Targets: fields of TOOL_STRUCT, which a file with tables defines as its struct of options. A field of
 * another type does not compile. */
/* clang-format off */
#define TOOL_AT(field, ...) \
    (offsetof(TOOL_STRUCT, field) + 0 * sizeof(_Generic(((TOOL_STRUCT *)0)->field, __VA_ARGS__)))
#define TOOL_TARGET(kind, field, types, ...) {kind, sizeof ((TOOL_STRUCT *)0)->field, TOOL_AT(field, types), {__VA_ARGS__}}
#define TOOL_INTEGERS bool: 0, int: 0, unsigned: 0, long: 0, unsigned long: 0, long long: 0, unsigned long long: 0
#define TOOL_REALS float: 0, double: 0

#define TOOL_FLAG(field) TOOL_TARGET(TOOL_KIND_FLAG, field, bool: 0, {0})
#define TOOL_TEXT(field) TOOL_TARGET(TOOL_KIND_TEXT, field, const char *: 0, {0})
#define TOOL_NEEDED(field) TOOL_TARGET(TOOL_KIND_NEEDED, field, const char *: 0, {0})
#define TOOL_TEXTS(field) TOOL_TARGET(TOOL_KIND_TEXTS, field, tool_texts: 0, {0})
#define TOOL_INTEGER(field, least, most) TOOL_TARGET(TOOL_KIND_INTEGER, field, TOOL_INTEGERS, {least, most})
#define TOOL_COUNT(field, least) TOOL_INTEGER(field, least, TOOL_LARGEST)
#define TOOL_REAL(field, least, most) TOOL_TARGET(TOOL_KIND_REAL, field, TOOL_REALS, {least, most})
#define TOOL_LIST(field, least) TOOL_TARGET(TOOL_KIND_LIST, field, tool_list: 0, {least, TOOL_LARGEST})
/* A word's value; its name; the words of a list. */
#define TOOL_CHOICE(field, table) TOOL_TARGET(TOOL_KIND_CHOICE, field, TOOL_INTEGERS, .words = table)
#define TOOL_WORD(field, table) TOOL_TARGET(TOOL_KIND_WORD, field, const char *: 0, .words = table)
#define TOOL_WORDS(field, table) TOOL_TARGET(TOOL_KIND_WORDS, field, tool_words: 0, .words = table)
/* `function` gets the field's address. */
#define TOOL_CUSTOM(field, function) {TOOL_KIND_CUSTOM, 0, offsetof(TOOL_STRUCT, field), {.take = function}}
/* A row that stands for those of a table that commands share; their struct is the field. */
#define TOOL_SHARED(field, table) {.to = {TOOL_KIND_SHARED, 0, offsetof(TOOL_STRUCT, field), {.rows = table}}}
/* Of arguments that are no options; those of tool_rest come last. */
#define TOOL_ONE(field) TOOL_AT(field, const char *: 0), 1, 1
#define TOOL_MAYBE(field) TOOL_AT(field, const char *: 0), 0, 1
#define TOOL_SOME(field) TOOL_AT(field, tool_rest: 0), 1, INT_MAX
#define TOOL_ANY(field) TOOL_AT(field, tool_rest: 0), 0, INT_MAX
/* clang-format on */

/* ---- Commands ---- */

/* Arguments that are no options: {name, TOOL_ONE(field)}. */
typedef struct tool_argument {
    const char *name;
    size_t at;
    int least, most;
} tool_argument;

enum { TOOL_MAX_ARGUMENTS = 2 };

/* Texts are wrapped where they are printed; '\n' begins a new line. */
typedef struct tool_command {
    const char *name;
    const char *intro;
    const char *usage; /* lines behind "lathe NAME "; NULL: made of the arguments and the options */
    tool_argument arguments[TOOL_MAX_ARGUMENTS + 1]; /* ends with a name of NULL */
    const tool_option *options;                      /* ends with {0}; NULL: none but --help */
    const char *notes;                               /* what comes last; may be NULL */
    const char *status;                              /* exit status 0 and 1; NULL: "0 done, 1 failed" */
} tool_command;

typedef enum tool_parsed { TOOL_PARSED, TOOL_HELP, TOOL_WRONG } tool_parsed;

/* Parses argv[1] and on; arguments that are no options come to lie at its front. TOOL_WRONG: err says what.
 */
tool_parsed tool_parse_arguments(const tool_command *command, int argc, char **argv, void *options,
                                 lathe_error *err);

void tool_print_help(const tool_command *command, FILE *to);

/* The two together: TOOL_GO_ON, or the exit code when help was asked for or something is wrong, which is
 * said. */
enum { TOOL_GO_ON = -1 };
int tool_parse(const tool_command *command, int argc, char **argv, void *options);

/* Prints a message about wrong usage; returns EXIT_USAGE. */
int tool_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether `name` looks like a slip for `meant`, closer than `*distance`, which becomes the new one; begin
 * with SIZE_MAX. */
bool tool_resembles(const char *name, const char *meant, size_t *distance);

bool tool_put_text(tool_texts *to, const char *text); /* false: too many */
bool tool_parse_list(const char *text, long least, tool_list *out);

#endif
