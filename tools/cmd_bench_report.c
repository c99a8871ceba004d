/* lathe bench report: the page of benchmarks, from the documents alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_STRUCT report
#include "tool_bench.h"
#include "tool_report.h"

enum { MAX_PARTS = 16 };

static const char begin_mark[] = "<!-- benchmarks: begin -->\n", end_mark[] = "<!-- benchmarks: end -->\n";

typedef struct report {
    tool_rest files;
    report_part parts[MAX_PARTS];
    int n;
    const char *page, *into, *charts, *published_file;
    json_t *published;
} report;

static const tool_option options[] = {
    {"-o PAGE", TOOL_NEEDED(page), "the page, written anew"},
    {"--charts DIR", TOOL_TEXT(charts),
     "charts of FILE are in DIR/NAME, where lathe bench plot FILE -o DIR/NAME put them; NAME is FILE's "
     "without folders and ending"},
    {"--published F", TOOL_TEXT(published_file), "published figures to compare the first FILE with"},
    {"--into PAGE", TOOL_TEXT(into),
     "replaces what PAGE has between the lines <!-- benchmarks: begin --> and <!-- benchmarks: end --> by "
     "a summary of the first FILE"},
    {0},
};

static const tool_command command = {
    .name = "bench report",
    .intro = "Writes a page in Markdown of what was measured: machine, settings, tables, charts, and "
             "comparisons with published figures and with peers.",
    .arguments = {{"FILE", TOOL_SOME(files)}},
    .options = options,
    .notes = "FILE is a document as docs/benchmark-json.md describes it.",
    .status = "0 done, 1 a page cannot be written",
};

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
                "A row is one decode step of a language model behind a cache of random values: the median "
                "of the timed\n"
                "steps, each from its token to its logits in memory. Executors take turns at each "
                "position. The read limit\n"
                "is what the same threads read from memory at most, measured in the same process; shares "
                "of it count the\n"
                "weights and the part of the cache that a step sees. First token: from a prompt of random "
                "tokens to the\n"
                "token after it, sampling included.\n\n");
    for (int i = 0; i < r->n; i++) {
        report_write_part(to, &r->parts[i], &links);
        if (i == 0 && r->published) {
            fprintf(to,
                    "### Against published figures\n\n"
                    "Published in %s, of %s. Cells: a step here, and how many times as fast it is as the "
                    "fastest that was published.\n\n",
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

int cmd_bench_report(int argc, char **argv)
{
    static report r;
    r.charts = "charts";
    int code = tool_parse(&command, argc, argv, &r);
    if (code != TOOL_GO_ON) return code;
    bool good = !r.published_file || read_published(&r, r.published_file);
    for (int i = 0; i < r.files.n && good; i++) good = add_part(&r, r.files.item[i]);
    code = !good ? EXIT_USAGE : make_page(&r) && (!r.into || make_summary(&r)) ? EXIT_DONE : EXIT_DIFFERS;
    for (int i = 0; i < r.n; i++) {
        chart_set_free(&r.parts[i].set);
        json_decref(r.parts[i].doc);
    }
    json_decref(r.published);
    return code;
}
