/* Parsing command lines by tables of options. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool_options.h"

/* ---- Rows one by one ---- */

static const tool_option help_row = {"-h, --help", {.kind = TOOL_KIND_HELP}, "print this"};

/* Those of shared tables, which have none in them, come in their place; --help comes last. */
typedef struct walk {
    const tool_option *row, *back;
    size_t base; /* of the targets of the present row */
    bool ended;
} walk;

static const tool_option *next_row(walk *w)
{
    while (w->row && !w->ended) {
        const tool_option *row = w->row++;
        if (row->to.kind == TOOL_KIND_SHARED) *w = (walk){row->to.as.rows, w->row, row->to.at, false};
        else if (row->to.kind != TOOL_END) return row;
        else if (w->back) *w = (walk){.row = w->back};
        else break;
    }
    bool last = !w->ended;
    w->ended = true;
    return last ? &help_row : NULL;
}

/* The name of the row's value; NULL: it takes none. */
static const char *value_of(const tool_option *row)
{
    const char *comma = strstr(row->names, ", "), *space = strchr(comma ? comma + 2 : row->names, ' ');
    return space ? space + 1 : NULL;
}

static bool has_name(const tool_option *row, const char *name, size_t length)
{
    for (const char *at = row->names;; at += 2) {
        size_t n = strcspn(at, ", ");
        if (n == length && strncmp(at, name, n) == 0) return true;
        at += n;
        if (*at != ',') return false;
    }
}

/* ---- Values ---- */

static bool take_number(const char **text, long *out)
{
    char *end;
    *out = strtol(*text, &end, 10);
    bool good = end != *text;
    *text = end;
    return good;
}

/* FIRST-LAST, FIRST-LAST+STEP or FIRST-LAST*FACTOR; a number alone is a range of one. */
static bool parse_range(const char **text, long least, tool_list *out)
{
    long first, last, step = 1;
    bool good = take_number(text, &first), times = false;
    last = first;
    if (good && **text == '-') {
        ++*text;
        good = take_number(text, &last);
        times = **text == '*';
        if (good && (times || **text == '+')) ++*text, good = take_number(text, &step);
    }
    if (!good || first < least || last < first || last > TOOL_LARGEST || step < (times ? 2 : 1) ||
        step > TOOL_LARGEST || (times && first < 1))
        return false;
    for (long next; first <= last; first = next) {
        if (out->n == TOOL_MAX_LIST) return false;
        out->value[out->n++] = first;
        next = times ? first * step : first + step;
        if (times && first < last && next > last) next = last;
    }
    return true;
}

bool tool_parse_list(const char *text, long least, tool_list *out)
{
    out->n = 0;
    for (;; text++) {
        if (!parse_range(&text, least, out)) return false;
        if (!*text) return true;
        if (*text != ',') return false;
    }
}

static const tool_word *find_word(const tool_word *words, const char *text, size_t length)
{
    for (; words->name; words++)
        if (strlen(words->name) == length && strncmp(words->name, text, length) == 0) return words;
    return NULL;
}

static bool parse_words(const char *text, const tool_word *words, tool_words *out)
{
    out->n = 0;
    for (;; text++) {
        size_t length = strcspn(text, ",");
        const tool_word *word = find_word(words, text, length);
        int i = 0;
        while (i < out->n && out->word[i] != word) i++;
        if (!word) return false;
        if (i == out->n) out->word[out->n++] = word;
        text += length;
        if (!*text) return true;
    }
}

static bool put_integer(const tool_target *target, void *to, int64_t value)
{
    int32_t narrow = (int32_t)value;
    bool truth = value != 0;
    const void *as = target->size == sizeof truth ? (void *)&truth : (void *)&value;
    memcpy(to, target->size == sizeof narrow ? &narrow : as, target->size);
    return true;
}

static bool take_integer(const tool_target *target, void *to, const char *text)
{
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    return end != text && !*end && !errno && value >= target->as.range.least &&
           value <= target->as.range.most && put_integer(target, to, value);
}

static bool take_real(const tool_target *target, void *to, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    float narrow = (float)value;
    if (end == text || *end || !isfinite(value) || value < (double)target->as.range.least ||
        value > (double)target->as.range.most)
        return false;
    memcpy(to, target->size == sizeof narrow ? (void *)&narrow : (void *)&value, target->size);
    return true;
}

static bool take_word(const tool_target *target, void *to, const char *text)
{
    const tool_word *word = find_word(target->as.words, text, strlen(text));
    if (word && target->kind == TOOL_KIND_CHOICE) put_integer(target, to, word->value);
    else if (word) *(const char **)to = word->name;
    return word != NULL;
}

bool tool_put_text(tool_texts *to, const char *text)
{
    if (to->n == TOOL_MAX_TEXTS) return false;
    to->item[to->n++] = text;
    return true;
}

static bool put(const tool_target *target, void *to, const char *text)
{
    switch (target->kind) {
    case TOOL_KIND_FLAG: return *(bool *)to = true;
    case TOOL_KIND_TEXT:
    case TOOL_KIND_NEEDED: return *(const char **)to = text, true;
    case TOOL_KIND_TEXTS: return tool_put_text(to, text);
    case TOOL_KIND_INTEGER: return take_integer(target, to, text);
    case TOOL_KIND_REAL: return take_real(target, to, text);
    case TOOL_KIND_LIST: return tool_parse_list(text, (long)target->as.range.least, to);
    case TOOL_KIND_CHOICE:
    case TOOL_KIND_WORD: return take_word(target, to, text);
    case TOOL_KIND_WORDS: return parse_words(text, target->as.words, to);
    case TOOL_KIND_CUSTOM: return target->as.take(to, text);
    default: return false; /* no row that takes a value */
    }
}

/* ---- Messages ---- */

static __attribute__((format(printf, 2, 3))) tool_parsed wrong(lathe_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    err->code = LATHE_INVALID_ARGUMENT;
    return TOOL_WRONG;
}

enum { TAKES_BYTES = 160, SHOWN = 80 /* characters of an argument in a message */ };

/* What an option takes: "a number from 1 to 256", "int8 or int4". */
static void describe(const tool_option *row, char out[TAKES_BYTES])
{
    const tool_target *to = &row->to;
    bool list = to->kind == TOOL_KIND_LIST, some = to->kind == TOOL_KIND_WORDS;
    long long least = (long long)to->as.range.least, most = (long long)to->as.range.most;
    if (list || to->kind == TOOL_KIND_INTEGER || to->kind == TOOL_KIND_REAL) {
        int used = snprintf(out, TAKES_BYTES, list ? "a list of numbers " : "a number ");
        snprintf(out + used, TAKES_BYTES - (size_t)used,
                 to->as.range.most == INT64_MAX ? "of at least %lld" : "from %lld to %lld", least, most);
    } else if (some || to->kind == TOOL_KIND_CHOICE || to->kind == TOOL_KIND_WORD) {
        int used = snprintf(out, TAKES_BYTES, some ? "one or more of " : "");
        for (const tool_word *word = to->as.words; word->name; word++) {
            const char *between = !word[1].name ? "" : word[2].name ? ", " : some ? " and " : " or ";
            used += snprintf(out + used, TAKES_BYTES - (size_t)used, "%s%s", word->name, between);
        }
    } else snprintf(out, TAKES_BYTES, "%s", value_of(row));
}

bool tool_resembles(const char *name, const char *meant, size_t *distance)
{
    enum { MOST = 32 };
    size_t row[MOST + 1], length = strlen(name), n = strlen(meant), least;
    if (length > MOST || n > MOST) return false;
    for (size_t k = 0; k <= n; k++) row[k] = k;
    for (size_t i = 1; i <= length; i++) { /* row[k]: edits from name[0, i) to meant[0, k) */
        size_t before = row[0];
        row[0] = i;
        for (size_t k = 1; k <= n; k++) {
            least = before + (name[i - 1] != meant[k - 1]);
            before = row[k];
            if (row[k] + 1 < least) least = row[k] + 1;
            if (row[k - 1] + 1 < least) least = row[k - 1] + 1;
            row[k] = least;
        }
    }
    size_t edits = length > 1 && strncmp(name, meant, length) == 0 ? 1 : row[n]; /* cut off: but one slip */
    if (edits > 1 + length / 4 || edits >= length || edits >= *distance) return false;
    *distance = edits;
    return true;
}

/* ---- Parsing ---- */

typedef struct parser {
    const tool_command *command;
    char **argv;
    int argc, at; /* the argument that is being looked at */
    int n;        /* that are no options: argv[1, n + 1) */
    char *options;
    lathe_error *err;
} parser;

static tool_parsed unknown_option(const parser *p, const char *name, int length)
{
    walk w = {.row = p->command->options};
    const char *best = NULL;
    size_t distance = SIZE_MAX;
    char given[64], meant[64];
    snprintf(given, sizeof given, "%.*s", length, name);
    for (const tool_option *row; (row = next_row(&w));) {
        const char *own = strstr(row->names, "--");
        if (!own) continue;
        snprintf(meant, sizeof meant, "%.*s", (int)strcspn(own, " "), own);
        if (tool_resembles(given + strspn(given, "-"), meant + 2, &distance)) best = own;
    }
    if (!best) return wrong(p->err, "unknown option '%s'", given);
    return wrong(p->err, "unknown option '%s'; did you mean '%.*s'?", given, (int)strcspn(best, " "), best);
}

/* The option `name` (of `length` characters, dashes included); `value`: what is joined to it, or NULL: the
 * next argument, where it takes one. */
static tool_parsed take_row(parser *p, const tool_option *row, void *to, const char *name, int length,
                            const char *value)
{
    char takes[TAKES_BYTES];
    if (row->to.kind == TOOL_KIND_HELP) return TOOL_HELP;
    if (value_of(row)) describe(row, takes);
    else if (value) return wrong(p->err, "%.*s takes no value, got '%.*s'", length, name, SHOWN, value);
    if (value_of(row) && !value) {
        if (p->at + 1 == p->argc) return wrong(p->err, "%.*s needs a value: %s", length, name, takes);
        value = p->argv[++p->at];
    }
    if (put(&row->to, to, value)) return TOOL_PARSED;
    if (row->to.kind == TOOL_KIND_TEXTS)
        return wrong(p->err, "more than %d of %.*s", TOOL_MAX_TEXTS, length, name);
    return wrong(p->err, "%.*s takes %s, got '%.*s'", length, name, takes, SHOWN, value);
}

static const tool_option *find_row(const parser *p, const char *name, int length, void **to)
{
    walk w = {.row = p->command->options};
    const tool_option *row;
    while ((row = next_row(&w)) && !has_name(row, name, (size_t)length)) continue;
    if (row) *to = p->options + w.base + row->to.at;
    return row;
}

/* --name, --name=value; -n, -n5, and letters of flags before it: -in5. */
static tool_parsed take_option(parser *p, const char *arg)
{
    void *to;
    int length = (int)strcspn(arg, "=");
    const tool_option *row = find_row(p, arg, length, &to);
    if (row && arg[1] == '-') return take_row(p, row, to, arg, length, arg[length] ? arg + length + 1 : NULL);
    if (arg[1] == '-') return unknown_option(p, arg, length);
    tool_parsed state = TOOL_PARSED;
    for (const char *at = arg + 1; *at && state == TOOL_PARSED; at++) {
        char name[3] = {'-', *at};
        row = find_row(p, name, 2, &to);
        if (!row) return unknown_option(p, arg, length);
        bool takes = value_of(row) != NULL;
        state = take_row(p, row, to, name, 2, takes && at[1] ? at + 1 : NULL);
        if (takes) break;
    }
    return state;
}

/* Hands out the arguments that are no options. */
static tool_parsed take_arguments(const parser *p)
{
    int next = 0;
    const tool_argument *a = p->command->arguments;
    for (; a->name; a++) {
        void *to = p->options + a->at;
        int n = p->n - next < a->most ? p->n - next : a->most;
        if (n < a->least) return wrong(p->err, "%s is missing", a->name);
        if (a->most > 1) *(tool_rest *)to = (tool_rest){p->argv + 1 + next, n};
        else if (n) *(const char **)to = p->argv[1 + next];
        next += n;
    }
    const char *extra = p->argv[1 + next];
    if (next == p->n) return TOOL_PARSED;
    if (!next) return wrong(p->err, "unexpected argument '%.*s'", SHOWN, extra);
    return wrong(p->err, "unexpected argument '%.*s' after %s '%.*s'", SHOWN, extra, a[-1].name, SHOWN,
                 p->argv[next]);
}

tool_parsed tool_parse_arguments(const tool_command *command, int argc, char **argv, void *options,
                                 lathe_error *err)
{
    parser p = {.command = command, .argv = argv, .argc = argc, .options = options, .err = err};
    tool_parsed state = TOOL_PARSED;
    bool ended = false;
    for (p.at = 1; p.at < argc && state == TOOL_PARSED; p.at++) {
        char *arg = argv[p.at];
        if (ended || arg[0] != '-' || !arg[1]) argv[1 + p.n++] = arg;
        else if (strcmp(arg, "--") == 0) ended = true;
        else state = take_option(&p, arg);
    }
    if (state == TOOL_PARSED) state = take_arguments(&p);
    walk w = {.row = command->options};
    for (const tool_option *row; state == TOOL_PARSED && (row = next_row(&w));)
        if (row->to.kind == TOOL_KIND_NEEDED && !*(const char **)(void *)(p.options + w.base + row->to.at))
            state = wrong(err, "%s is missing", row->names);
    return state;
}

int tool_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "lathe %s: ", command);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nTry 'lathe %s --help'.\n", command);
    va_end(args);
    return EXIT_USAGE;
}

int tool_parse(const tool_command *command, int argc, char **argv, void *options)
{
    lathe_error err;
    switch (tool_parse_arguments(command, argc, argv, options, &err)) {
    case TOOL_PARSED: return TOOL_GO_ON;
    case TOOL_HELP: tool_print_help(command, stdout); return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
    default: return tool_usage(command->name, "%s", err.message);
    }
}

/* ---- Help ---- */

enum { WIDTH = 100, WIDEST = 26 /* of the column of names, with its margins */ };

/* Characters, not bytes. */
static int width_of(const char *text, size_t length)
{
    int width = 0;
    for (size_t i = 0; i < length; i++) width += (text[i] & 0xc0) != 0x80;
    return width;
}

/* Lines broken between words, those after the first indented; spaces within a line stay. */
static void print_wrapped(FILE *to, const char *text, int column, int indent)
{
    while (*text) {
        size_t spaces = strspn(text, " "), length = strcspn(text + spaces, " \n");
        int width = width_of(text + spaces, length);
        bool fits = column + (int)spaces + width <= WIDTH;
        if (!fits) fprintf(to, "\n%*s", indent, "");
        fprintf(to, "%.*s", (int)(fits ? spaces + length : length), fits ? text : text + spaces);
        column = fits ? column + (int)spaces + width : indent + width;
        text += spaces + length;
        if (*text == '\n') {
            fprintf(to, "\n%*s", text[1] ? indent : 0, "");
            column = indent;
            text++;
        }
    }
    fprintf(to, "\n");
}

static void print_rows(FILE *to, const tool_option *rows)
{
    int column = (int)strlen(help_row.names) + 4;
    walk w = {.row = rows};
    for (const tool_option *row; (row = next_row(&w));) {
        int width = (int)strlen(row->names) + 4;
        if (width > column && width <= WIDEST) column = width;
    }
    w = (walk){.row = rows};
    for (const tool_option *row; (row = next_row(&w));) {
        fprintf(to, "  %-*s", column - 2, row->names);
        if ((int)strlen(row->names) + 4 > column) fprintf(to, "\n%*s", column, "");
        print_wrapped(to, row->help, column, column);
    }
}

/* The lines that the command has, or one of its arguments and what it needs. */
static void print_usage(FILE *to, const tool_command *command)
{
    bool optional = false;
    walk w = {.row = command->options};
    const char *line = command->usage;
    fprintf(to, "Usage: lathe %s", command->name);
    for (; line && *line; line += *line == '\n') {
        int length = (int)strcspn(line, "\n");
        fprintf(to, "%s%s %.*s", line == command->usage ? "" : "\n       lathe ",
                line == command->usage ? "" : command->name, length, line);
        line += length;
    }
    for (const tool_argument *a = command->arguments; !line && a->name; a++)
        fprintf(to, a->least ? " %s%s" : " [%s%s]", a->name, a->most > 1 ? "..." : "");
    for (const tool_option *row; !line && (row = next_row(&w));) {
        if (row->to.kind == TOOL_KIND_NEEDED) fprintf(to, " %s", row->names);
        else optional = optional || row != &help_row;
    }
    fprintf(to, optional ? " [OPTIONS]\n\n" : "\n\n");
}

void tool_print_help(const tool_command *command, FILE *to)
{
    print_wrapped(to, command->intro, 0, 0);
    fprintf(to, "\n");
    print_usage(to, command);
    print_rows(to, command->options);
    fprintf(to, "\n");
    if (command->notes) print_wrapped(to, command->notes, 0, 0);
    fprintf(to, "Exit status: %s, 2 wrong usage or a broken file.\n",
            command->status ? command->status : "0 done, 1 failed");
}
