/* The document of lathe bench decode: made, gone on with, added to, saved. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool_decode.h"

static const char schema[] = "lathe-bench-decode";

/* ---- Opening ---- */

static json_t *number_list(const tool_list *list)
{
    json_t *out = json_array();
    for (int i = 0; i < list->n; i++) json_array_append_new(out, json_integer(list->value[i]));
    return out;
}

static json_t *path_list(const tool_weights *weights)
{
    json_t *out = json_array();
    for (int i = 0; i < weights->files.n; i++) {
        const char *slash = strrchr(weights->files.item[i], '/');
        json_array_append_new(out, json_string(slash ? slash + 1 : weights->files.item[i]));
    }
    return out;
}

/* What two runs must have the same of, so that their rows belong into one document. */
static json_t *configuration(const decode_options *o)
{
    const char *slash = strrchr(o->file, '/');
    return json_pack("{s:s, s:o, s:b, s:s?, s:i, s:i, s:i, s:i, s:i, s:i}", "model",
                     slash ? slash + 1 : o->file, "weights", path_list(&o->weights), "random_weights",
                     o->weights.random, "kv", o->kv_type, "prompt_length", (int)o->prompt, "prefill_len",
                     (int)o->prefill, "max_cache_len", (int)o->cache, "repeats", (int)o->repeats, "warmup",
                     (int)o->warmup, "seed", (int)o->seed);
}

static json_t *new_doc(const decode_options *o)
{
    char date[BENCH_DATE_BYTES];
    bench_date(date);
    json_t *doc =
        json_pack("{s:s, s:i, s:s, s:o, s:f, s:f}", "schema", schema, "schema_version", 1, "date", date,
                  "environment", bench_environment(), "compile_time_sec", 0.0, "weight_load_time_sec", 0.0);
    json_t *settings = configuration(o);
    json_object_update(doc, settings);
    json_decref(settings);
    json_object_set_new(doc, "positions", number_list(&o->positions));
    json_object_set_new(doc, "series", json_array());
    json_object_set_new(doc, "executor_results", json_array());
    json_object_set_new(doc, "dag_results", json_array());
    return doc;
}

/* Finds the first of these that the document has otherwise. */
static bool find_difference(json_t *ours, const json_t *theirs, char out[64])
{
    const char *key;
    json_t *value;
    json_object_foreach (ours, key, value)
        if (!json_equal(value, json_object_get(theirs, key))) return snprintf(out, 64, "%s", key), true;
    return false;
}

/* Whether another run had a setting or a machine otherwise, and which. */
static bool differs(const decode_options *o, const json_t *doc, char out[64])
{
    json_t *settings = configuration(o), *environment = bench_environment();
    bool found = find_difference(settings, doc, out) ||
                 find_difference(environment, json_object_get(doc, "environment"), out);
    json_decref(settings);
    json_decref(environment);
    return found;
}

static bool is_document(const json_t *doc)
{
    const char *name = json_string_value(json_object_get(doc, "schema"));
    return name && strcmp(name, schema) == 0 && json_is_array(json_object_get(doc, "series")) &&
           json_is_array(json_object_get(doc, "executor_results")) &&
           json_is_array(json_object_get(doc, "dag_results"));
}

json_t *decode_doc_open(const decode_options *o)
{
    json_error_t problem;
    char other[64];
    if (!o->resume || access(o->json, F_OK) != 0) return new_doc(o);
    json_t *doc = json_load_file(o->json, JSON_REJECT_DUPLICATES, &problem);
    if (!doc) fprintf(stderr, "lathe bench decode: %s: %s\n", o->json, problem.text);
    else if (!is_document(doc))
        fprintf(stderr, "lathe bench decode: %s: not a result of this command\n", o->json);
    else if (differs(o, doc, other))
        fprintf(stderr, "lathe bench decode: %s: was measured with another '%s': it cannot be gone on with\n",
                o->json, other);
    else {
        json_object_set_new(doc, "positions", number_list(&o->positions));
        return doc;
    }
    json_decref(doc);
    return NULL;
}

bool decode_doc_save(const json_t *doc, const char *path)
{
    char temporary[TOOL_PATH_BYTES];
    int length = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (length >= 0 && (size_t)length < sizeof temporary &&
        json_dump_file(doc, temporary, JSON_INDENT(1) | JSON_REAL_PRECISION(8)) == 0 &&
        rename(temporary, path) == 0)
        return true;
    fprintf(stderr, "lathe bench decode: cannot write %s: %s\n", path, strerror(errno));
    return false;
}

/* ---- Series ---- */

static json_t *text_or_null(const char *text) { return *text ? json_string(text) : json_null(); }

static bool has_text(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

json_t *decode_doc_series(const json_t *doc, const char *device, const char *executor, const char *quantize)
{
    size_t i;
    json_t *series;
    json_array_foreach (json_object_get(doc, "series"), i, series)
        if (has_text(series, "device", device) && has_text(series, "executor", executor) &&
            has_text(series, "quantize", quantize))
            return series;
    return NULL;
}

static json_t *samples(const double *values, long n)
{
    json_t *out = json_array();
    for (long i = 0; i < n; i++) json_array_append_new(out, json_real(values[i]));
    return out;
}

static double median_of(const double *values, long n)
{
    double sorted[BENCH_MAX_RUNS];
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    return bench_median(sorted, n);
}

json_t *decode_doc_add_series(json_t *doc, const decode_options *o, const decode_facts *f)
{
    bool host = strcmp(f->device->name, "cpu") == 0;
    json_t *chip = json_object_get(json_object_get(doc, "environment"), "chipset");
    json_t *list = json_object_get(doc, "series");
    if (json_array_size(list) == 0) { /* as readers that know of one series alone expect it */
        json_object_set_new(doc, "compile_time_sec", json_real(f->compile_seconds));
        json_object_set_new(doc, "weight_load_time_sec", json_real(f->load_seconds));
    }
    json_t *series = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "id",
        (int)json_array_size(list), "engine", "lathe", "version", LATHE_VERSION, "commit", bench_commit(),
        "device", f->device->name, "device_name", host ? json_incref(chip) : text_or_null(f->device->product),
        "driver", text_or_null(f->device->driver), "executor", f->executor, "quantize", f->quantize, "isa",
        f->limits.level, "threads", f->limits.threads, "weight_type", f->cost.weight_type, "kv_type",
        f->cost.kv_type, "activations", f->cost.activations);
    json_object_set_new(series, "compile_time_sec", json_real(f->compile_seconds));
    json_object_set_new(series, "weight_load_time_sec", json_real(f->load_seconds));
    json_object_set_new(series, "first_step_ms", json_real(f->first_step_ms));
    json_object_set_new(series, "ttft_ms", json_real(median_of(f->ttft_ms, o->repeats)));
    json_object_set_new(series, "ttft_std_ms", json_real(bench_deviation(f->ttft_ms, o->repeats)));
    json_object_set_new(series, "ttft_samples_ms", samples(f->ttft_ms, o->repeats));
    json_object_set_new(series, "bandwidth_gb_s",
                        f->device->shared ? json_real(f->limits.read_bytes_per_second / 1e9) : json_null());
    json_object_set_new(series, "peak_gflop_s",
                        host ? json_real(f->limits.flops_per_second / 1e9) : json_null());
    json_object_set_new(series, "peak_rss_mb", json_real(bench_peak_memory_mb()));
    json_array_append_new(list, series);
    return series;
}

/* ---- Rows ---- */

static json_t *rows_of(const json_t *doc, const json_t *series)
{
    return json_object_get(doc, has_text(series, "executor", "dag") ? "dag_results" : "executor_results");
}

bool decode_doc_has_row(const json_t *doc, const json_t *series, long position)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows_of(doc, series), i, row)
        if (json_integer_value(json_object_get(row, "position")) == position &&
            json_equal(json_object_get(row, "series"), json_object_get(series, "id")))
            return true;
    return false;
}

void decode_doc_add_row(json_t *doc, const decode_options *o, const json_t *series, const decode_row *row)
{
    double ms = median_of(row->ms, o->repeats);
    double rate = row->cost.bytes / ms / 1e6; /* GB/s */
    json_t *bandwidth = json_object_get(series, "bandwidth_gb_s");
    json_t *share = json_is_number(bandwidth) ? json_real(rate / json_number_value(bandwidth)) : json_null();
    json_t *out = json_pack(
        "{s:O, s:i, s:i, s:f, s:f, s:f, s:O, s:o, s:f, s:f, s:f, s:O, s:o, s:f}", "series",
        json_object_get(series, "id"), "position", (int)row->position, "cache_index", (int)row->index,
        "step_time_ms", ms, "step_time_std_ms", bench_deviation(row->ms, o->repeats), "tps", 1e3 / ms,
        "ttft_ms", json_object_get(series, "ttft_ms"), "samples_ms", samples(row->ms, o->repeats), "bytes",
        row->cost.bytes, "flops", row->cost.flops, "read_gb_s", rate, "bandwidth_gb_s", bandwidth,
        "share_of_bandwidth", share, "peak_rss_mb", bench_peak_memory_mb());
    json_array_append_new(rows_of(doc, series), out);
}
