/* lathe bench report: the page of benchmarks, from the documents alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool_bench.h"
#include "tool_report.h"

static const char help[] =
    "Writes a page in Markdown of what was measured: machine, settings, tables, charts, and\n"
    "comparisons with published figures and with peers.\n"
    "\n"
    "Usage: lathe bench report FILE... -o PAGE [OPTIONS]\n"
    "\n"
    "  -o PAGE            the page, written anew\n"
    "  --charts DIR       charts of FILE are in DIR/NAME, where lathe bench plot FILE -o DIR/NAME\n"
    "                     put them; NAME is FILE's without folders and ending\n"
    "  --published F      published figures to compare the first FILE with\n"
    "  --into PAGE        replaces what PAGE has between the lines <!-- benchmarks: begin --> and\n"
    "                     <!-- benchmarks: end --> by a summary of the first FILE\n"
    "\n"
    "FILE is a document as docs/benchmark-json.md describes it.\n"
    "\n"
    "Exit status: 0 done, 1 a page cannot be written, 2 wrong usage or a broken file.\n";

enum { MAX_PARTS = 16 };

static const char begin_mark[] = "<!-- benchmarks: begin -->\n", end_mark[] = "<!-- benchmarks: end -->\n";

typedef struct report {
    report_part parts[MAX_PARTS];
    int n;
    const char *page, *into, *charts;
    json_t *published;
} report;

static bool add_part(report *r, const char *path)
{
    json_error_t problem;
    if (r->n == MAX_PARTS)
        return fprintf(stderr, "lathe bench report: more than %d files\n", MAX_PARTS), false;
    report_part *part = &r->parts[r->n++];
    part->path = path;
    part->doc = json_load_file(path, 0, &problem);
    if (!part->doc) return fprintf(stderr, "lathe bench report: %s: %s\n", path, problem.text), false;
    if (!json_is_array(json_object_get(part->doc, "series")))
        return fprintf(stderr, "lathe bench report: %s: no results of lathe bench decode\n", path), false;
    if (!chart_set_add(&part->set, part->doc, path)) return false;
    chart_set_finish(&part->set);
    return true;
}

static bool read_published(report *r, const char *path)
{
    json_error_t problem;
    json_decref(r->published);
    r->published = json_load_file(path, 0, &problem);
    if (!r->published) fprintf(stderr, "lathe bench report: %s: %s\n", path, problem.text);
    return r->published != NULL;
}

/* The folder of a page, with its slash. */
static void folder_of(const char *path, char out[TOOL_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, TOOL_PATH_BYTES, "%.*s", slash ? (int)(slash + 1 - path) : 0, path);
}

/* Replaces a file by what `text` has. */
static bool replace_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    bool good = file && fwrite(text, 1, size, file) == size;
    if (file && fclose(file) != 0) good = false;
    if (!good) fprintf(stderr, "lathe bench report: cannot write %s: %s\n", path, strerror(errno));
    return good;
}

static void write_page(FILE *to, const report *r)
{
    char base[TOOL_PATH_BYTES];
    folder_of(r->page, base);
    report_links links = {r->charts, base};
    fprintf(to, "# Benchmarks\n\n"
                "Written by `lathe bench report` from the JSON in `bench/results`; do not edit. "
                "`bench/page.sh` measures\n"
                "everything anew. docs/benchmark-json.md says what each figure is.\n\n"
                "A row is one decode step of a language model behind a cache of random values: the median of "
                "the timed\n"
                "steps, each from its token to its logits in memory. Executors take turns at each position. "
                "The read limit\n"
                "is what the same threads read from memory at most, measured in the same process; shares of "
                "it count the\n"
                "weights and the part of the cache that a step sees. First token: from a prompt of random "
                "tokens to the\n"
                "token after it, sampling included.\n\n");
    for (int i = 0; i < r->n; i++) {
        report_write_part(to, &r->parts[i], &links);
        if (i == 0 && r->published) {
            fprintf(to,
                    "### Against published figures\n\nPublished in %s, of %s. Cells: a step here, and how "
                    "many times as "
                    "fast it is as the fastest that was published.\n\n",
                    json_string_value(json_object_get(r->published, "source")),
                    json_string_value(json_object_get(r->published, "model")));
            report_write_published(to, &r->parts[i], r->published);
        }
        report_write_peers(to, &r->parts[i]);
    }
}

/* Both texts are made in memory first, so that a page is whole or as it was. */
static bool make_page(const report *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return false;
    write_page(to, r);
    bool good = fclose(to) == 0;
    while (size > 1 && text[size - 2] == '\n') size--; /* one end of the last line */
    good = good && replace_file(r->page, text, size);
    free(text);
    return good;
}

static bool make_summary(const report *r)
{
    tool_text old;
    char *text = NULL, base[TOOL_PATH_BYTES];
    size_t size = 0;
    if (tool_read_text("bench report", r->into, &old) != EXIT_DONE) return false;
    char *begin = strstr(old.data, begin_mark), *end = begin ? strstr(begin, end_mark) : NULL;
    FILE *to = end ? open_memstream(&text, &size) : NULL;
    bool good = to != NULL;
    if (!end)
        fprintf(stderr, "lathe bench report: %s has no lines %.*s and %s", r->into,
                (int)sizeof begin_mark - 2, begin_mark, end_mark);
    if (to) {
        folder_of(r->into, base);
        begin += strlen(begin_mark);
        fwrite(old.data, 1, (size_t)(begin - old.data), to);
        report_write_summary(to, &r->parts[0], r->published, &(report_links){r->charts, base});
        fwrite(end, 1, old.size - (size_t)(end - old.data), to);
        good = fclose(to) == 0 && replace_file(r->into, text, size);
    }
    free(text);
    free(old.data);
    return good;
}

static bool parse_option(report *r, const char *name, const char *value, bool *good)
{
    if (strcmp(name, "-o") == 0) return r->page = value, true;
    if (strcmp(name, "--into") == 0) return r->into = value, true;
    if (strcmp(name, "--charts") == 0) return r->charts = value, true;
    if (strcmp(name, "--published") == 0) return *good = read_published(r, value), true;
    return false;
}

int cmd_bench_report(int argc, char **argv)
{
    static report r;
    bool good = true;
    int code = EXIT_USAGE;
    r.charts = "charts";
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (argv[i][0] != '-') good = add_part(&r, argv[i]);
        else if (i + 1 < argc && parse_option(&r, argv[i], argv[i + 1], &good)) i++;
        else return tool_usage("bench report", "option %s", argv[i]);
    }
    if (good && (!r.page || !r.n)) (void)tool_usage("bench report", "FILE... -o PAGE is needed");
    else if (good) code = make_page(&r) && (!r.into || make_summary(&r)) ? EXIT_DONE : EXIT_DIFFERS;
    for (int i = 0; i < r.n; i++) {
        chart_set_free(&r.parts[i].set);
        json_decref(r.parts[i].doc);
    }
    json_decref(r.published);
    return code;
}
