/* lathe bench decode: decode steps at many positions of the cache, for devices, executors and precisions side
 * by side, into one document. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL_STRUCT decode_options
#include "tool_chart.h"
#include "tool_decode.h"

static const tool_word quantize_words[] = {
    {"none", LATHE_QUANTIZE_NONE}, {"int8", LATHE_QUANTIZE_INT8}, {"int4", LATHE_QUANTIZE_INT4}, {0}};
static const tool_word executor_words[] = {{"executor", 0}, {"dag", 1}, {"both", 2}, {0}};

static const tool_option options[] = {
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_random_options),
    {"--positions LIST", TOOL_LIST(positions, 1),
     "positions to measure at (default: 1, 2, 4 … up to the last, which is max-cache-len - prefill-len); "
     "at position P the new token is number prefill-len + P of the cache"},
    {"--max-cache-len N", TOOL_COUNT(cache, 2),
     "positions of the cache (default: 32768, or what the model has)"},
    {"--prefill-len N", TOOL_COUNT(prefill, 0), "positions that come before position 1 (default: 128)"},
    {"--prompt-length N", TOOL_COUNT(prompt, 1),
     "tokens of the prompt that the first token is timed for (default: 64)"},
    {"--repeats N", TOOL_INTEGER(repeats, 1, BENCH_MAX_RUNS), "timed steps at each position (default: 3)"},
    {"--warmup N", TOOL_INTEGER(warmup, 0, BENCH_MAX_RUNS),
     "steps before them that are not timed (default: 1)"},
    {"--quantize LIST", TOOL_WORDS(quantizations, quantize_words),
     "of none, int8, int4: one series for each (default: none)"},
    {"--device LIST", TOOL_TEXT(device),
     "a series for each: cpu (default), opencl:0 …; all: those there are"},
    {"--mode MODE", TOOL_CHOICE(mode, executor_words), "executor (default), dag, or both: a series for each"},
    TOOL_SHARED(weights, tool_activations_options),
    TOOL_SHARED(kv_type, tool_kv_options),
    TOOL_SHARED(threads, tool_threads_options),
    {"--seed N", TOOL_COUNT(seed, 0), "of random weights, prompt and caches (default: 0)"},
    {"--json F", TOOL_TEXT(json), "write the results there, anew after each position"},
    {"--resume", TOOL_FLAG(resume), "go on with what F has; nothing in it is measured again"},
    {"--chart F", TOOL_TEXT(chart), "draw tokens/s and step time: F.svg, F.png, F-dark.svg, F-dark.png"},
    {"--comparison-chart F", TOOL_TEXT(comparison_chart), "the same, and the DAG executor against the other"},
    {"--chart-dir DIR", TOOL_TEXT(chart_dir), "all charts of lathe bench plot"},
    {0},
};

static const tool_command command = {
    .name = "bench decode",
    .intro = "Times decode steps of a language model at many positions of its cache, which is filled with "
             "random values first, and the time from a prompt to its first token.",
    .arguments = {{"MODEL", TOOL_ONE(file)}},
    .options = options,
    .notes = "A LIST of positions is numbers and ranges between commas, as in lathe bench: 1-32640*2. "
             "Executors take turns at each position. A step ends when its logits have arrived. An "
             "interrupted run (Ctrl-C) keeps what it has measured. docs/benchmark-json.md describes F.",
    .status = "0 done, 1 a run failed or was interrupted",
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL); /* the second one ends the program */
}

/* One of the timelines that take turns over the same model. */
typedef struct timeline {
    lathe_generator *generator;
    json_t *series; /* borrowed from the document */
} timeline;

typedef struct decode_run {
    const decode_options *options;
    const lathe_device_entry *device;
    const tool_word *quantize;
    json_t *doc;
    lathe_model *model;
    lathe_limits *limits; /* of the host, measured once; no threads: not yet */
    double load_seconds;
    timeline timelines[DECODE_EXECUTORS]; /* [executors.n] */
    long steps_left, runs_left;           /* of this run at all positions; runs like this one after it */
} decode_run;

/* ---- One series ---- */

/* From a prompt of random tokens to its first token, sampling included. */
static lathe_status measure_first_token(const decode_options *o, lathe_generator *generator, double *ms,
                                        lathe_error *err)
{
    lathe_generation how;
    lathe_generation_result result;
    int64_t vocabulary = lathe_generator_vocabulary(generator);
    uint64_t state = o->seed;
    int64_t *prompt = malloc((size_t)o->prompt * sizeof *prompt);
    if (!prompt)
        return snprintf(err->message, sizeof err->message, "out of memory"), err->code = LATHE_NO_MEMORY;
    for (long i = 0; i < o->prompt; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        prompt[i] = vocabulary > 0 ? (int64_t)((state >> 33) % (uint64_t)vocabulary) : 0;
    }
    lathe_generation_init(&how);
    how.max_tokens = 1;
    lathe_status status = LATHE_OK;
    for (long run = -o->warmup; run < o->repeats && status == LATHE_OK && !interrupted; run++) {
        status = lathe_generator_prepare(generator, 0, (size_t)o->prompt, NULL, err);
        double start = bench_seconds();
        if (status == LATHE_OK)
            status = lathe_generator_run(generator, prompt, (size_t)o->prompt, &how, &result, err);
        if (run >= 0) ms[run] = (bench_seconds() - start) * 1e3;
    }
    free(prompt);
    return status;
}

/* Everything of a series but its rows; its caches are full afterwards. */
static lathe_status begin_series(decode_run *r, timeline *t, const char *executor, lathe_error *err)
{
    const decode_options *o = r->options;
    lathe_preparation spent = {0};
    decode_facts facts = {
        .device = r->device, .executor = executor, .quantize = r->quantize->name, .limits = *r->limits};
    lathe_status status = lathe_generator_prepare(t->generator, (size_t)o->prefill, 1, &spent, err);
    if (status == LATHE_OK)
        status = lathe_generator_measure(t->generator, (size_t)o->prefill, 1, &facts.cost, err);
    facts.first_step_ms = facts.cost.seconds * 1e3;
    facts.compile_seconds = spent.compile_seconds;
    facts.load_seconds = r->load_seconds + spent.pack_seconds;
    if (status == LATHE_OK && !t->series) status = measure_first_token(o, t->generator, facts.ttft_ms, err);
    if (status == LATHE_OK) status = lathe_generator_randomize_caches(t->generator, o->seed, err);
    if (status == LATHE_OK && !t->series && !interrupted)
        t->series = decode_doc_add_series(r->doc, o, &facts);
    return status;
}

static lathe_status create_generator(decode_run *r, timeline *t, const tool_word *executor, lathe_error *err)
{
    const decode_options *o = r->options;
    lathe_placement placement = {.device = r->device->name, .executor = executor->value ? "dag" : "linear"};
    return lathe_generator_create(r->model, NULL, NULL,
                                  &(lathe_generator_options){.context = o->cache,
                                                             .chunk = 512,
                                                             .threads = o->threads,
                                                             .activations = o->weights.activations,
                                                             .kv_type = o->kv_type,
                                                             .placement = placement},
                                  &t->generator, err);
}

/* ---- Positions ---- */

/* Steps take about as long as the newest one; other runs as long as this one. */
static void report(const decode_run *r, const json_t *series, const decode_row *row)
{
    const decode_options *o = r->options;
    double ms = row->ms[o->repeats - 1];
    double left =
        ms * 1e-3 *
        (double)(r->steps_left + r->runs_left * (o->repeats + o->warmup) * o->positions.n * o->executors.n);
    fprintf(stderr, "%s %s %s, position %6ld: %8.2f ms, %7.2f tokens/s; about %.0f s left\n", r->device->name,
            json_string_value(json_object_get(series, "executor")),
            json_string_value(json_object_get(series, "weight_type")), row->position, ms, 1e3 / ms, left);
}

static lathe_status measure_position(decode_run *r, long position, lathe_error *err)
{
    const decode_options *o = r->options;
    decode_row rows[DECODE_EXECUTORS];
    lathe_status status = LATHE_OK;
    size_t index = (size_t)(o->prefill + position - 1);
    for (long run = -o->warmup; run < o->repeats; run++)
        for (int i = 0; i < o->executors.n && status == LATHE_OK && !interrupted; i++) {
            decode_row *row = &rows[i];
            *row = run == -o->warmup ? (decode_row){.position = position, .index = (long)index} : *row;
            status = lathe_generator_prepare(r->timelines[i].generator, index, 1, NULL, err);
            if (status == LATHE_OK)
                status = lathe_generator_measure(r->timelines[i].generator, index, 1, &row->cost, err);
            if (run >= 0) row->ms[run] = row->cost.seconds * 1e3;
            r->steps_left--;
        }
    for (int i = 0; i < o->executors.n && status == LATHE_OK && !interrupted; i++) {
        decode_doc_add_row(r->doc, o, r->timelines[i].series, &rows[i]);
        report(r, r->timelines[i].series, &rows[i]);
    }
    return status;
}

static bool has_position(const decode_run *r, long position)
{
    for (int i = 0; i < r->options->executors.n; i++) {
        const json_t *series = decode_doc_series(r->doc, r->device->name, r->options->executors.word[i]->name,
                                                 r->quantize->name);
        if (!series || !decode_doc_has_row(r->doc, series, position)) return false;
    }
    return true;
}

static int count_missing(const decode_run *r)
{
    int n = 0;
    for (int i = 0; i < r->options->positions.n; i++) n += !has_position(r, r->options->positions.value[i]);
    return n;
}

/* ---- One device and precision ---- */

static lathe_status open_model(decode_run *r, lathe_error *err)
{
    tool_weights weights = r->options->weights;
    weights.quantization = (lathe_quantization)r->quantize->value;
    double start = bench_seconds();
    lathe_status status = tool_open_model(r->options->file, &weights, &r->model, err);
    r->load_seconds = bench_seconds() - start;
    return status;
}

static lathe_status measure_all(decode_run *r, lathe_error *err)
{
    const decode_options *o = r->options;
    lathe_status status = LATHE_OK;
    for (int i = 0; i < o->executors.n && status == LATHE_OK; i++) {
        timeline *t = &r->timelines[i];
        t->series = decode_doc_series(r->doc, r->device->name, o->executors.word[i]->name, r->quantize->name);
        status = create_generator(r, t, o->executors.word[i], err);
        if (status == LATHE_OK) status = begin_series(r, t, o->executors.word[i]->name, err);
    }
    for (int i = 0; i < o->positions.n && status == LATHE_OK && !interrupted; i++) {
        if (has_position(r, o->positions.value[i])) continue;
        status = measure_position(r, o->positions.value[i], err);
        if (status == LATHE_OK && o->json && !decode_doc_save(r->doc, o->json)) {
            snprintf(err->message, sizeof err->message, "the results cannot be kept");
            status = err->code = LATHE_IO;
        }
    }
    return status;
}

static lathe_status measure_run(decode_run *r, lathe_error *err)
{
    const decode_options *o = r->options;
    int missing = count_missing(r);
    if (!missing) return LATHE_OK;
    r->steps_left = missing * (o->repeats + o->warmup) * o->executors.n;
    lathe_status status = LATHE_OK;
    /* Before a model takes the memory. */
    if (!r->limits->threads) status = lathe_measure_limits(o->threads, r->limits, err);
    bench_reset_peak_memory();
    if (status == LATHE_OK) status = open_model(r, err);
    if (status == LATHE_OK) status = measure_all(r, err);
    for (int i = 0; i < o->executors.n; i++) lathe_generator_destroy(r->timelines[i].generator);
    lathe_model_close(r->model);
    return status;
}

/* ---- All of it ---- */

static void print_table(const json_t *doc, const char *rows_name)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get(doc, rows_name), i, row) {
        const json_t *series = json_array_get(json_object_get(doc, "series"),
                                              (size_t)json_integer_value(json_object_get(row, "series")));
        printf("| %s | %s | %s | %lld | %.2f ± %.2f | %.2f | %.0f %% | %.1f |\n",
               json_string_value(json_object_get(series, "device")),
               json_string_value(json_object_get(series, "executor")),
               json_string_value(json_object_get(series, "weight_type")),
               (long long)json_integer_value(json_object_get(row, "position")),
               json_number_value(json_object_get(row, "step_time_ms")),
               json_number_value(json_object_get(row, "step_time_std_ms")),
               json_number_value(json_object_get(row, "tps")),
               100 * json_number_value(json_object_get(row, "share_of_bandwidth")),
               json_number_value(json_object_get(row, "ttft_ms")));
    }
}

static lathe_status measure(const decode_options *o, json_t *doc, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    lathe_limits limits = {0};
    long runs = (long)o->quantizations.n * o->n_devices;
    for (int q = 0; q < o->quantizations.n; q++)
        for (int d = 0; d < o->n_devices && status == LATHE_OK && !interrupted; d++) {
            decode_run r = {.options = o,
                            .device = &o->devices[d],
                            .quantize = o->quantizations.word[q],
                            .doc = doc,
                            .limits = &limits,
                            .runs_left = --runs};
            status = measure_run(&r, err);
        }
    return status;
}

/* A chart's name may have the ending of one of its forms. */
static bool draw(const chart_set *set, const char *kind_name, const char *name)
{
    const chart_kind *kind = chart_kind_named(kind_name);
    size_t length = strlen(name);
    if (length > 4 && (strcmp(name + length - 4, ".svg") == 0 || strcmp(name + length - 4, ".png") == 0))
        length -= 4;
    char stem[TOOL_PATH_BYTES];
    snprintf(stem, sizeof stem, "%.*s", (int)length, name);
    if (chart_kind_applies(kind, set)) return chart_kind_draw(kind, set, stem);
    return fprintf(stderr, "lathe bench decode: no %s chart, there is no %s\n", kind->name, kind->missing),
           false;
}

static bool draw_charts(const decode_options *o, json_t *doc)
{
    static chart_set set;
    if (!o->chart && !o->comparison_chart && !o->chart_dir) return true;
    bool good = chart_set_add(&set, doc, "results");
    chart_set_finish(&set);
    good = good && (!o->chart || draw(&set, "overview", o->chart));
    good = good && (!o->comparison_chart || draw(&set, "comparison", o->comparison_chart));
    good = good && (!o->chart_dir || chart_draw_all(&set, o->chart_dir));
    chart_set_free(&set);
    return good;
}

static int run_decode(const decode_options *o)
{
    lathe_error err = {0};
    json_t *doc = decode_doc_open(o);
    if (!doc) return EXIT_USAGE;
    signal(SIGINT, on_interrupt);
    lathe_status status = measure(o, doc, &err);
    if (status == LATHE_OK) {
        printf("| device | executor | weights | position | step, ms | tokens/s | of bandwidth | first "
               "token, ms |\n"
               "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        print_table(doc, "executor_results");
        print_table(doc, "dag_results");
    }
    bool saved = status != LATHE_OK || !o->json || decode_doc_save(doc, o->json);
    bool drawn = status != LATHE_OK || interrupted || draw_charts(o, doc);
    json_decref(doc);
    if (status != LATHE_OK) return tool_fail(&err);
    if (interrupted)
        fprintf(stderr, "lathe bench decode: interrupted%s\n", o->json ? "; --resume goes on" : "");
    return fflush(stdout) == 0 && saved && drawn && !interrupted ? EXIT_DONE : EXIT_DIFFERS;
}

/* ---- Command line ---- */

/* "all": those that there are. What is not among them is kept by its name: it may have another spelling. */
static bool choose_devices(decode_options *o)
{
    lathe_device_entry found[DECODE_MAX_DEVICES] = {{.name = "cpu", .shared = 1}};
    size_t n = 1;
    lathe_error err;
    bool others = strcmp(o->device, "cpu") != 0, all = strcmp(o->device, "all") == 0;
    /* Drivers are not loaded for nothing. */
    if (others && lathe_list_devices(found, DECODE_MAX_DEVICES, &n, &err) != LATHE_OK) n = 1;
    if (n > DECODE_MAX_DEVICES) n = DECODE_MAX_DEVICES;
    if (all) memcpy(o->devices, found, n * sizeof *found);
    if (all) return o->n_devices = (int)n, true;
    for (const char *at = o->device;; at++) {
        size_t length = strcspn(at, ",");
        if (o->n_devices == DECODE_MAX_DEVICES || length >= sizeof found->name) return false;
        lathe_device_entry *device = &o->devices[o->n_devices++];
        memcpy(device->name, at, length);
        for (size_t k = 0; k < n; k++)
            if (strcmp(device->name, found[k].name) == 0) *device = found[k];
        at += length;
        if (!*at) return true;
    }
}

/* How many positions the model's caches can have, up to `wanted`. */
static int64_t find_context(const decode_options *o, long wanted, lathe_error *err)
{
    lathe_model *model;
    lathe_generator *generator = NULL;
    int64_t context = 0;
    if (lathe_model_open(o->file, &model, err) != LATHE_OK) return 0;
    if (lathe_generator_create(model, NULL, NULL, &(lathe_generator_options){.context = wanted}, &generator,
                               err) == LATHE_OK)
        context = lathe_generator_context(generator);
    lathe_generator_destroy(generator);
    lathe_model_close(model);
    return context;
}

/* Settles what was left open. */
static int complete(decode_options *o)
{
    enum { DEFAULT_CACHE = 32768 };
    lathe_error err = {0};
    char range[64];
    long context = (long)find_context(o, o->cache ? o->cache : DEFAULT_CACHE, &err);
    if (!context) return tool_fail(&err);
    if (o->cache > context)
        return tool_usage("bench decode", "the model's caches have %ld positions, less than %ld", context,
                          o->cache);
    o->cache = context;
    long last = o->cache - o->prefill;
    if (last < 1 || o->prompt > o->cache)
        return tool_usage("bench decode",
                          "caches of %ld positions are too small for a prefill of %ld and a prompt of %ld",
                          o->cache, o->prefill, o->prompt);
    snprintf(range, sizeof range, "1-%ld*2", last);
    if (!o->positions.n) (void)tool_parse_list(range, 1, &o->positions);
    for (int i = 0; i < o->positions.n; i++)
        if (o->positions.value[i] > last)
            return tool_usage("bench decode", "position %ld: the last one is %ld", o->positions.value[i],
                              last);
    return EXIT_DONE;
}

int cmd_bench_decode(int argc, char **argv)
{
    decode_options o = {.device = "cpu",
                        .prefill = 128,
                        .prompt = 64,
                        .repeats = 3,
                        .warmup = 1,
                        .quantizations = {{quantize_words}, 1}};
    int code = tool_parse(&command, argc, argv, &o);
    if (code != TOOL_GO_ON) return code;
    if (o.resume && !o.json) return tool_usage("bench decode", "--resume without --json");
    if (!choose_devices(&o))
        return tool_usage("bench decode", "--device takes up to %d names", DECODE_MAX_DEVICES);
    o.weights.seed = o.seed;
    o.executors = (tool_words){{&executor_words[o.mode % 2], &executor_words[1]}, o.mode == 2 ? 2 : 1};
    code = complete(&o);
    return code == EXIT_DONE ? run_decode(&o) : code;
}
