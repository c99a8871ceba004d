/* The texts and tables of lathe bench report. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "tool_report.h"

/* ---- Fields ---- */

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return strcmp(text_of(object, key), text) == 0;
}

/* A cell with a number, empty where there is none. */
static void write_cell(FILE *to, const json_t *object, const char *key, const char *form)
{
    const json_t *value = json_object_get(object, key);
    fputs("| ", to);
    if (json_is_number(value)) fprintf(to, form, json_number_value(value));
    fputc(' ', to);
}

static const chart_point *point_at(const chart_series *s, double position)
{
    for (int i = 0; i < s->n; i++)
        if (s->points[i].position == position) return &s->points[i];
    return NULL;
}

/* ---- Charts ---- */

/* The name of a file without folders and ending. */
static void stem_of(const char *path, char out[TOOL_PATH_BYTES])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    snprintf(out, TOOL_PATH_BYTES, "%.*s", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
}

static void write_chart(FILE *to, const report_part *part, const report_links *links, const chart_kind *kind)
{
    char name[TOOL_PATH_BYTES], path[2 * TOOL_PATH_BYTES], file[2 * TOOL_PATH_BYTES + 8];
    stem_of(part->path, name);
    snprintf(path, sizeof path, "%s/%s/%s", links->charts, name, kind->name);
    size_t inside = strlen(links->base);
    const char *link = strncmp(path, links->base, inside) == 0 ? path + inside : path;
    snprintf(file, sizeof file, "%s.svg", path);
    if (access(file, R_OK) != 0) return;
    fprintf(
        to,
        "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"%s-dark.svg\"><img src=\"%s.svg\" "
        "alt=\"%s\"></picture>\n\n",
        link, link, kind->title);
}

/* ---- A document ---- */

static void write_settings(FILE *to, const json_t *doc)
{
    const json_t *environment = json_object_get(doc, "environment");
    fprintf(to, "%s, %.0f processors, %.0f GB, %s, %s; measured %.10s.\n\n", text_of(environment, "chipset"),
            number_of(environment, "processors"), number_of(environment, "ram_gb"),
            text_of(environment, "distribution"), text_of(environment, "platform"), text_of(doc, "date"));
    fprintf(
        to,
        "Caches of %.0f positions, %.0f before position 1; prompts of %.0f tokens; %.0f timed steps at each "
        "position after %.0f that are not timed; seed %.0f%s.\n\n",
        number_of(doc, "max_cache_len"), number_of(doc, "prefill_len"), number_of(doc, "prompt_length"),
        number_of(doc, "repeats"), number_of(doc, "warmup"), number_of(doc, "seed"),
        json_is_true(json_object_get(doc, "random_weights")) ? "; random weights" : "");
}

static void write_series(FILE *to, const json_t *doc)
{
    size_t i;
    json_t *series;
    fprintf(to, "| engine | device | executor | weights | caches | threads | first token, ms | compile, s | "
                "weights, s | read limit, GB/s | memory, MB |\n"
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    json_array_foreach (json_object_get(doc, "series"), i, series) {
        fprintf(to, "| %s %s | %s | %s | %s | %s ", text_of(series, "engine"), text_of(series, "version"),
                text_of(series, "device"), text_of(series, "executor"), text_of(series, "weight_type"),
                text_of(series, "kv_type"));
        write_cell(to, series, "threads", "%.0f");
        write_cell(to, series, "ttft_ms", "%.1f");
        write_cell(to, series, "compile_time_sec", "%.2f");
        write_cell(to, series, "weight_load_time_sec", "%.2f");
        write_cell(to, series, "bandwidth_gb_s", "%.1f");
        write_cell(to, series, "peak_rss_mb", "%.0f");
        fprintf(to, "|\n");
    }
    fprintf(to, "\n");
}

/* Some series of a set, in columns. */
typedef struct columns {
    const chart_series *series[CHART_MAX_SERIES];
    int n;
} columns;

static bool same_device(const chart_series *a, const chart_series *b)
{
    return strcmp(a->engine, b->engine) == 0 && strcmp(a->device, b->device) == 0;
}

/* The least position behind another that a column has; infinite at the end. */
static double next_position(const columns *c, double position)
{
    double next = INFINITY;
    for (int k = 0; k < c->n; k++)
        for (int i = 0; i < c->series[k]->n; i++)
            if (c->series[k]->points[i].position > position)
                next = fmin(next, c->series[k]->points[i].position);
    return next;
}

static void write_position(FILE *to, const columns *c, double position)
{
    fprintf(to, "\n| %.0f |", position);
    for (int k = 0; k < c->n; k++) {
        const chart_point *p = point_at(c->series[k], position);
        if (p) fprintf(to, " %.2f (%.1f ± %.1f) |", p->tokens_per_s, p->ms, p->deviation);
        else fprintf(to, " |");
    }
}

/* Rows of one device: a column for each of its series, a line for each position. */
static void write_device(FILE *to, const chart_set *set, const chart_series *first)
{
    columns c = {.n = 0};
    for (int i = 0; i < set->n; i++)
        if (same_device(&set->series[i], first)) c.series[c.n++] = &set->series[i];
    fprintf(to, "%s, %s: tokens per second, and milliseconds of a step with their standard deviation.\n\n",
            first->engine, first->device);
    fprintf(to, "| position |");
    for (int k = 0; k < c.n; k++) fprintf(to, " %s %s |", c.series[k]->type, c.series[k]->executor);
    fprintf(to, "\n| --- |");
    for (int k = 0; k < c.n; k++) fprintf(to, " --- |");
    for (double at = next_position(&c, 0); !isinf(at); at = next_position(&c, at)) write_position(to, &c, at);
    fprintf(to, "\n\n");
}

void report_write_part(FILE *to, const report_part *part, const report_links *links)
{
    fprintf(to, "## %s\n\n", text_of(part->doc, "model"));
    write_settings(to, part->doc);
    for (int i = 0; i < chart_kind_count; i++) write_chart(to, part, links, &chart_kinds[i]);
    write_series(to, part->doc);
    for (int i = 0; i < part->set.n; i++) {
        const chart_series *s = &part->set.series[i];
        int k = 0;
        while (k < i && !same_device(&part->set.series[k], s)) k++;
        if (k == i && s->n) write_device(to, &part->set, s);
    }
}

/* ---- Comparisons ---- */

/* A published figure as a column's head: "Metal, position 1: 359.5 ms". */
static void write_published_heads(FILE *to, const json_t *published)
{
    size_t i, k, n = 0;
    json_t *result, *row;
    fprintf(to, "| lathe |");
    json_array_foreach (json_object_get(published, "results"), i, result)
        json_array_foreach (json_object_get(result, "rows"), k, row) {
            double fastest = number_of(row, "fastest_ms"), slowest = number_of(row, "slowest_ms");
            fprintf(to, " %s, position %.0f: %.1f", text_of(result, "name"), number_of(row, "position"),
                    fastest);
            if (slowest > fastest) fprintf(to, " to %.1f", slowest);
            fprintf(to, " ms |");
            n++;
        }
    fprintf(to, "\n| --- |");
    while (n--) fprintf(to, " --- |");
    fprintf(to, "\n");
}

/* How many times as fast a step is, over the fastest that was published for its position. */
static void write_against(FILE *to, const chart_series *s, const json_t *published)
{
    size_t i, k;
    json_t *result, *row;
    fprintf(to, "| %s %s, %s |", s->type, s->device, s->executor);
    json_array_foreach (json_object_get(published, "results"), i, result)
        json_array_foreach (json_object_get(result, "rows"), k, row) {
            const chart_point *p = point_at(s, number_of(row, "position"));
            if (p) fprintf(to, " %.1f ms: %.2fx |", p->ms, number_of(row, "fastest_ms") / p->ms);
            else fprintf(to, " |");
        }
    fprintf(to, "\n");
}

void report_write_published(FILE *to, const report_part *part, const json_t *published)
{
    write_published_heads(to, published);
    for (int i = 0; i < part->set.n; i++)
        if (strcmp(part->set.series[i].engine, "lathe") == 0)
            write_against(to, &part->set.series[i], published);
    fprintf(to, "\n");
}

/* Lathe's fastest series with as many bits a weight. */
static const chart_point *fastest_point(const chart_set *set, const chart_series *peer, double position,
                                        const chart_series **of)
{
    const chart_point *best = NULL;
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        const chart_point *p = point_at(s, position);
        bool comparable =
            strcmp(s->engine, "lathe") == 0 && chart_type_bits(s->type) == chart_type_bits(peer->type);
        if (p && comparable && (!best || p->ms < best->ms)) best = p, *of = s;
    }
    return best;
}

void report_write_peers(FILE *to, const report_part *part)
{
    bool begun = false;
    for (int i = 0; i < part->set.n; i++) {
        const chart_series *peer = &part->set.series[i], *own = NULL;
        for (int k = 0; k < peer->n && strcmp(peer->engine, "lathe") != 0; k++) {
            const chart_point *p = &peer->points[k], *q = fastest_point(&part->set, peer, p->position, &own);
            if (!q) continue;
            if (!begun)
                fprintf(to, "### Against other engines\n\nMeasured in turns on the same machine; lathe's "
                            "fastest series with as "
                            "many bits a weight.\n\n| position | peer | step, ms | lathe | step, ms | times "
                            "as fast |\n"
                            "| --- | --- | --- | --- | --- | --- |\n");
            begun = true;
            fprintf(to, "| %.0f | %s, %s | %.1f ± %.1f | %s, %s, %s | %.1f ± %.1f | %.2fx |\n", p->position,
                    peer->engine, peer->type, p->ms, p->deviation, own->device, own->executor, own->type,
                    q->ms, q->deviation, p->ms / q->ms);
        }
    }
    if (begun) fprintf(to, "\n");
}

/* ---- Summary ---- */

static void write_series_summary(FILE *to, const chart_series *s, const json_t *series)
{
    const chart_point *first = &s->points[0], *last = &s->points[s->n - 1];
    fprintf(to, "| %s | %s | %.2f at %.0f, %.2f at %.0f | ", s->type, s->device, first->tokens_per_s,
            first->position, last->tokens_per_s, last->position);
    if (first->limit > 0) fprintf(to, "%.0f %%, %.0f %% ", 100 * first->share, 100 * last->share);
    fprintf(to, "| %.0f ms |\n", number_of(series, "ttft_ms"));
}

static void write_published_summary(FILE *to, const json_t *result)
{
    size_t k;
    json_t *row;
    fprintf(to, "| %s | %s |", chart_short_type(text_of(result, "weight_type")), text_of(result, "name"));
    json_array_foreach (json_object_get(result, "rows"), k, row)
        fprintf(to, "%s %.2f at %.0f", k ? "," : "", 1e3 / number_of(row, "fastest_ms"),
                number_of(row, "position"));
    fprintf(to, " (published) | | ");
    if (json_is_number(json_object_get(result, "ttft_ms")))
        fprintf(to, "%.0f ms ", number_of(result, "ttft_ms"));
    fprintf(to, "|\n");
}

void report_write_summary(FILE *to, const report_part *part, const json_t *published,
                          const report_links *links)
{
    size_t i;
    json_t *result;
    write_chart(to, part, links, chart_kind_named("tokens-per-second"));
    fprintf(to,
            "| weights | device | tokens/s at position | of read bandwidth | first token of %.0f |\n"
            "| --- | --- | --- | --- | --- |\n",
            number_of(part->doc, "prompt_length"));
    for (int n = 0; n < part->set.n; n++) {
        const json_t *series = json_array_get(json_object_get(part->doc, "series"), (size_t)n);
        if (part->set.series[n].n && is_text(series, "engine", "lathe") &&
            is_text(series, "executor", "executor"))
            write_series_summary(to, &part->set.series[n], series);
    }
    json_array_foreach (json_object_get(published, "results"), i, result) write_published_summary(to, result);
}
