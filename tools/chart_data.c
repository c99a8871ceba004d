/* Reads documents and llama-bench's output as series. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tool_chart.h"

/* ---- Fields ---- */

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

const char *chart_short_type(const char *type)
{
    static const char *const names[][2] = {
        {"bfloat16", "bf16"}, {"float32", "f32"}, {"float16", "f16"}, {"float64", "f64"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i][0]) == 0) return names[i][1];
    return type;
}

int chart_type_bits(const char *type) { return (int)strtol(type + strcspn(type, "0123456789"), NULL, 10); }

/* ---- Series ---- */

static chart_series *new_series(chart_set *set, const char *path)
{
    if (set->n == CHART_MAX_SERIES) {
        fprintf(stderr, "lathe: %s: more than %d series\n", path, CHART_MAX_SERIES);
        return NULL;
    }
    chart_series *s = &set->series[set->n++];
    *s = (chart_series){0};
    return s;
}

static bool add_point(chart_series *s, const chart_point *point)
{
    chart_point *more = realloc(s->points, ((size_t)s->n + 1) * sizeof *more);
    if (!more) return fprintf(stderr, "lathe: out of memory\n"), false;
    s->points = more;
    s->points[s->n++] = *point;
    return true;
}

static int by_position(const void *a, const void *b)
{
    double x = ((const chart_point *)a)->position, y = ((const chart_point *)b)->position;
    return (x > y) - (x < y);
}

/* ---- Documents ---- */

static bool read_rows(chart_series *s, const json_t *rows, size_t id)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        if ((size_t)json_integer_value(json_object_get(row, "series")) != id) continue;
        double bytes = number_of(row, "bytes");
        chart_point point = {.position = number_of(row, "position"),
                             .ms = number_of(row, "step_time_ms"),
                             .deviation = number_of(row, "step_time_std_ms"),
                             .tokens_per_s = number_of(row, "tps"),
                             .share = number_of(row, "share_of_bandwidth")};
        if (bytes > 0) point.limit = number_of(row, "bandwidth_gb_s") * 1e9 / bytes;
        if (point.position > 0 && point.ms > 0 && !add_point(s, &point)) return false;
    }
    return true;
}

static bool read_document(chart_set *set, const json_t *doc, const char *path)
{
    size_t i;
    json_t *from;
    json_array_foreach (json_object_get(doc, "series"), i, from) {
        chart_series *s = new_series(set, path);
        if (!s) return false;
        s->engine = text_of(from, "engine", "?");
        s->device = text_of(from, "device", "?");
        s->executor = text_of(from, "executor", "executor");
        s->type = chart_short_type(text_of(from, "weight_type", "?"));
        bool dag = strcmp(s->executor, "dag") == 0;
        if (!read_rows(s, json_object_get(doc, dag ? "dag_results" : "executor_results"), i)) return false;
    }
    return true;
}

/* ---- llama-bench ---- */

/* Of "qwen2 1.5B Q8_0": what follows the second blank. */
static const char *llama_type(const json_t *row)
{
    const char *model = text_of(row, "model_type", "?");
    for (int i = 0; i < 2; i++) {
        const char *blank = strchr(model, ' ');
        if (blank) model = blank + 1;
    }
    return model;
}

static chart_series *llama_series(chart_set *set, const json_t *row, const char *path)
{
    const char *device = text_of(row, "backends", "?"), *type = llama_type(row);
    const json_t *flash = json_object_get(row, "flash_attn");
    const char *engine =
        json_is_true(flash) || json_integer_value(flash) == 1 ? "llama.cpp -fa 1" : "llama.cpp";
    for (int i = 0; i < set->n; i++) {
        chart_series *s = &set->series[i];
        if (strcmp(s->engine, engine) == 0 && strcmp(s->device, device) == 0 && strcmp(s->type, type) == 0)
            return s;
    }
    chart_series *s = new_series(set, path);
    if (s) *s = (chart_series){.engine = engine, .device = device, .executor = "executor", .type = type};
    return s;
}

/* Its depth is what is in the cache before the step: position 1 is depth 128, and whatever is less. */
static bool read_llama(chart_set *set, const json_t *rows, const char *path)
{
    enum { PREFILL = 128 };
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        double rate = number_of(row, "avg_ts"), deviation = number_of(row, "stddev_ts");
        double position = number_of(row, "n_depth") - PREFILL + 1;
        if (number_of(row, "n_gen") < 1 || number_of(row, "n_prompt") > 0 || !(rate > 0)) continue;
        chart_series *s = llama_series(set, row, path);
        chart_point point = {.position = position < 1 ? 1 : position,
                             .ms = 1e3 / rate,
                             .deviation = 1e3 / rate * deviation / rate,
                             .tokens_per_s = rate};
        if (!s || !add_point(s, &point)) return false;
    }
    return true;
}

/* ---- Sets ---- */

bool chart_set_add(chart_set *set, json_t *root, const char *path)
{
    if (set->n_files == CHART_MAX_FILES)
        return fprintf(stderr, "lathe: %s: more than %d files\n", path, CHART_MAX_FILES), false;
    set->files[set->n_files++] = json_incref(root);
    if (json_is_array(root) && json_object_get(json_array_get(root, 0), "n_gen"))
        return read_llama(set, root, path);
    if (json_is_array(json_object_get(root, "series"))) return read_document(set, root, path);
    return fprintf(stderr, "lathe: %s: neither results of lathe bench decode nor of llama-bench\n", path),
           false;
}

bool chart_set_read(chart_set *set, const char *path)
{
    json_error_t problem;
    json_t *root = json_load_file(path, 0, &problem);
    if (!root) return fprintf(stderr, "lathe: %s: %s\n", path, problem.text), false;
    bool good = chart_set_add(set, root, path);
    json_decref(root);
    return good;
}

/* Whether all series have the same in a field. */
static bool all_same(const chart_set *set, size_t offset)
{
    for (int i = 1; i < set->n; i++) {
        const char *a = *(const char *const *)(const void *)((const char *)&set->series[0] + offset);
        const char *b = *(const char *const *)(const void *)((const char *)&set->series[i] + offset);
        if (strcmp(a, b) != 0) return false;
    }
    return true;
}

/* Labels stand in scripts, and come from files: nothing in them may mean anything to gnuplot. */
static void append(char *label, const char *text)
{
    size_t used = strlen(label);
    snprintf(label + used, CHART_LABEL - used, "%s%s", used ? " " : "", text);
    for (char *at = label + used; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(" .,:;_+-/()=#%", *at)) *at = '_';
}

static bool same_group(const chart_series *a, const chart_series *b)
{
    return strcmp(a->engine, b->engine) == 0 && strcmp(a->device, b->device) == 0 &&
           strcmp(a->type, b->type) == 0;
}

void chart_set_finish(chart_set *set)
{
    bool one_engine = all_same(set, offsetof(chart_series, engine)),
         one_device = all_same(set, offsetof(chart_series, device)),
         one_executor = all_same(set, offsetof(chart_series, executor));
    for (int i = 0; i < set->n; i++) {
        chart_series *s = &set->series[i];
        if (!one_engine) append(s->label, s->engine);
        if (!one_device) append(s->label, s->device);
        append(s->label, s->type);
        append(s->pair, s->device);
        append(s->pair, s->type);
        if (!one_executor) append(s->label, strcmp(s->executor, "dag") == 0 ? "DAG" : "executor");
        int k = 0;
        while (k < i && !same_group(s, &set->series[k])) k++;
        s->group = k < i ? set->series[k].group : set->n_groups++;
        if (s->n) qsort(s->points, (size_t)s->n, sizeof *s->points, by_position);
    }
}

void chart_set_free(chart_set *set)
{
    for (int i = 0; i < set->n; i++) free(set->series[i].points);
    for (int i = 0; i < set->n_files; i++) json_decref(set->files[i]);
    *set = (chart_set){0};
}
