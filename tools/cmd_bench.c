/* lathe bench: how fast a model runs, against what the machine can do at most. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <lathe/llm.h>

#include "tool.h"

static const char help[] =
    "Measures a model: a language model's prefill of prompts and decode at cache depths, any other model's "
    "latency.\n"
    "The machine's read bandwidth and float32 multiply-add rate are measured in the same run.\n"
    "\n"
    "Usage: lathe bench MODEL [OPTIONS]\n"
    "\n"
    "  --weights F          weights file; may be repeated\n"
    "  --random-weights     random weights for those that MODEL has no bytes for\n"
    "  -p N[,N...]          prompt lengths to prefill (default: 128)\n"
    "  -n N                 tokens to decode at each depth (default: 16)\n"
    "  -d N[,N...]          cache depths to decode at (default: 0)\n"
    "  -t N                 threads (default: all that the process may use)\n"
    "  -r N                 runs of each test, the median is reported (default: 5)\n"
    "  -o md|json|csv       form of the output (default: md)\n"
    "\n"
    "Exit status: 0 done, 1 a run failed, 2 wrong usage or a broken file.\n";

enum { MAX_WEIGHTS = 16, MAX_LIST = 64, MAX_RUNS = 100 };

typedef struct bench_options {
    const char *file, *weights[MAX_WEIGHTS], *form;
    int n_weights, random, threads, runs;
    long prompts[MAX_LIST], depths[MAX_LIST], tokens;
    int n_prompts, n_depths;
} bench_options;

typedef struct bench {
    const bench_options *options;
    json_t *rows;
} bench;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_row(bench *b, const char *test, long tokens, long depth, double *ms, int n, double bytes,
                    double flops)
{
    json_t *samples = json_array(), *row = json_object();
    for (int i = 0; i < n; i++) json_array_append_new(samples, json_real(ms[i]));
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    double median = n % 2 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(row, "test", json_string(test));
    json_object_set_new(row, "tokens", json_integer(tokens));
    json_object_set_new(row, "depth", json_integer(depth));
    json_object_set_new(row, "ms", json_real(median));
    json_object_set_new(row, "samples_ms", samples);
    json_object_set_new(row, "tokens_per_s", json_real((double)tokens * 1e3 / median));
    json_object_set_new(row, "bytes", json_real(bytes));
    json_object_set_new(row, "flops", json_real(flops));
    json_object_set_new(row, "device", json_string("cpu"));
    json_object_set_new(row, "rss_mb", json_real((double)usage.ru_maxrss / 1024));
    json_object_set_new(row, "version", json_string(LATHE_VERSION));
    json_array_append_new(b->rows, row);
    fprintf(stderr, "%s of %ld at depth %ld: %.3f ms\n", test, tokens, depth, median);
}

/* Measured after the model, whose peak memory would else be that of the measurement. */
static lathe_status relate_to_limits(bench *b, lathe_error *err)
{
    lathe_limits limits;
    size_t i;
    json_t *row;
    lathe_status status = lathe_measure_limits(b->options->threads, &limits, err);
    if (status != LATHE_OK) return status;
    json_array_foreach(b->rows, i, row)
    {
        double seconds = json_real_value(json_object_get(row, "ms")) / 1e3;
        double bytes = json_real_value(json_object_get(row, "bytes"));
        double flops = json_real_value(json_object_get(row, "flops"));
        json_object_set_new(row, "bandwidth_gb_s", json_real(limits.read_bytes_per_second / 1e9));
        json_object_set_new(row, "peak_gflop_s", json_real(limits.flops_per_second / 1e9));
        json_object_set_new(row, "share_of_bandwidth",
                            json_real(bytes / seconds / limits.read_bytes_per_second));
        json_object_set_new(row, "share_of_peak", json_real(flops / seconds / limits.flops_per_second));
        json_object_set_new(row, "threads", json_integer(limits.threads));
        json_object_set_new(row, "isa", json_string(limits.level));
    }
    return LATHE_OK;
}

/* ---- Language models ---- */

/* Runs `tokens` tokens behind `depth` positions, `step` at a time. */
static lathe_status measure_tokens(bench *b, lathe_generator *generator, const char *test, long tokens,
                                   long step, long depth, lathe_error *err)
{
    double ms[MAX_RUNS], bytes = 0, flops = 0;
    for (int run = -1; run < b->options->runs; run++) { /* the first one warms up */
        double seconds = 0;
        bytes = flops = 0;
        for (long done = 0; done < tokens; done += step) {
            lathe_generator_cost cost;
            lathe_status status =
                lathe_generator_measure(generator, (size_t)(depth + done), (size_t)step, &cost, err);
            if (status != LATHE_OK) return status;
            seconds += cost.seconds;
            bytes += cost.bytes;
            flops += cost.flops;
        }
        if (run >= 0) ms[run] = seconds * 1e3;
    }
    add_row(b, test, tokens, depth, ms, b->options->runs, bytes, flops);
    return LATHE_OK;
}

static lathe_status bench_language_model(bench *b, lathe_generator *generator, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_status status = LATHE_OK;
    for (int i = 0; i < o->n_prompts && status == LATHE_OK; i++)
        status = measure_tokens(b, generator, "prefill", o->prompts[i], o->prompts[i], 0, err);
    for (int i = 0; i < o->n_depths && status == LATHE_OK; i++)
        status = measure_tokens(b, generator, "decode", o->tokens, 1, o->depths[i], err);
    return status;
}

/* ---- Other models ---- */

static lathe_status set_zero_inputs(lathe_model *model, lathe_session *session, lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        lathe_status status = lathe_model_input(model, i, &info, err);
        if (status != LATHE_OK) return status;
        if (info.rank < 0) continue;
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = 1;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, NULL);
        tensor.data = calloc((size_t)lathe_tensor_count(&tensor) + 1, lathe_dtype_size(info.dtype));
        if (tensor.data) status = lathe_session_set_input(session, i, &tensor, err);
        free(tensor.data);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

static lathe_status bench_latency(bench *b, lathe_model *model, lathe_error *err)
{
    lathe_session *session;
    lathe_cost cost;
    double ms[MAX_RUNS];
    lathe_status status =
        lathe_session_create(model, &(lathe_session_options){.threads = b->options->threads}, &session, err);
    if (status != LATHE_OK) return status;
    status = set_zero_inputs(model, session, err);
    for (int run = -1; run < b->options->runs && status == LATHE_OK; run++) {
        double start = seconds_now();
        status = lathe_session_run(session, err);
        if (run >= 0) ms[run] = (seconds_now() - start) * 1e3;
    }
    if (status == LATHE_OK) status = lathe_session_cost(session, &cost, err);
    if (status == LATHE_OK)
        add_row(b, "latency", 1, 0, ms, b->options->runs, cost.weight_bytes + cost.state_bytes, cost.flops);
    lathe_session_close(session);
    return status;
}

/* ---- Output ---- */

static void print_table(const json_t *rows, const char *form)
{
    static const char *const columns[] = {
        "test",          "tokens",         "depth",        "ms",      "tokens_per_s", "share_of_bandwidth",
        "share_of_peak", "bandwidth_gb_s", "peak_gflop_s", "threads", "isa",          "rss_mb"};
    bool md = strcmp(form, "md") == 0;
    size_t n = sizeof columns / sizeof *columns, i;
    const json_t *row;
    for (size_t k = 0; k < n; k++) printf("%s%s", md ? k ? " | " : "| " : k ? "," : "", columns[k]);
    printf(md ? " |\n" : "\n");
    for (size_t k = 0; md && k < n; k++) printf(k + 1 < n ? "| --- " : "| --- |\n");
    json_array_foreach(rows, i, row)
    {
        for (size_t k = 0; k < n; k++) {
            const json_t *value = json_object_get(row, columns[k]);
            printf("%s", md ? k ? " | " : "| " : k ? "," : "");
            if (json_is_string(value)) printf("%s", json_string_value(value));
            else if (json_is_integer(value)) printf("%lld", (long long)json_integer_value(value));
            else printf("%.3f", json_number_value(value));
        }
        printf(md ? " |\n" : "\n");
    }
}

static int run_bench(bench *b)
{
    const bench_options *o = b->options;
    lathe_error err = {0};
    lathe_model *model = NULL;
    lathe_generator *generator = NULL;
    lathe_status status = lathe_model_open(o->file, &model, &err);
    for (int i = 0; i < o->n_weights && status == LATHE_OK; i++)
        status = lathe_model_add_weights(model, o->weights[i], &err);
    if (status == LATHE_OK && o->random) status = lathe_model_randomize_weights(model, 1, &err);
    if (status == LATHE_OK) {
        long context = 2;
        for (int i = 0; i < o->n_prompts; i++) context = o->prompts[i] > context ? o->prompts[i] : context;
        for (int i = 0; i < o->n_depths; i++)
            context = o->depths[i] + o->tokens > context ? o->depths[i] + o->tokens : context;
        lathe_generator_options options = {.context = context, .chunk = 512, .threads = o->threads};
        status = lathe_generator_create(model, NULL, NULL, &options, &generator, &err);
        if (status == LATHE_OK) status = bench_language_model(b, generator, &err);
        else if (status == LATHE_UNSUPPORTED) status = bench_latency(b, model, &err); /* no language model */
    }
    if (status == LATHE_OK) status = relate_to_limits(b, &err);
    if (status == LATHE_OK && strcmp(o->form, "json") == 0) {
        json_dumpf(b->rows, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (status == LATHE_OK) {
        print_table(b->rows, o->form);
    }
    lathe_generator_destroy(generator);
    lathe_model_close(model);
    return status == LATHE_OK ? EXIT_DONE : tool_fail(&err);
}

/* ---- Command line ---- */

/* "1,128,512": 0 when it is no such list. */
static int parse_list(const char *text, long *out)
{
    int n = 0;
    for (char *end; n < MAX_LIST; text = end + 1) {
        out[n] = strtol(text, &end, 10);
        if (end == text || out[n] < 0 || out[n] > 1 << 24) return 0;
        n++;
        if (!*end) return n;
        if (*end != ',') return 0;
    }
    return 0;
}

static bool parse_option(bench_options *o, const char *name, const char *value)
{
    long number[MAX_LIST];
    if (strcmp(name, "--weights") == 0 && o->n_weights < MAX_WEIGHTS)
        return o->weights[o->n_weights++] = value, true;
    if (strcmp(name, "-o") == 0)
        return o->form = value,
               strcmp(value, "md") == 0 || strcmp(value, "json") == 0 || strcmp(value, "csv") == 0;
    if (strcmp(name, "-p") == 0) return (o->n_prompts = parse_list(value, o->prompts)) > 0;
    if (strcmp(name, "-d") == 0) return (o->n_depths = parse_list(value, o->depths)) > 0;
    if (parse_list(value, number) != 1 || number[0] < 1) return false;
    if (strcmp(name, "-n") == 0) o->tokens = number[0];
    else if (strcmp(name, "-t") == 0) o->threads = (int)number[0];
    else if (strcmp(name, "-r") == 0 && number[0] <= MAX_RUNS) o->runs = (int)number[0];
    else return false;
    return true;
}

int cmd_bench(int argc, char **argv)
{
    bench_options o = {
        .form = "md", .runs = 5, .prompts = {128}, .n_prompts = 1, .n_depths = 1, .tokens = 16};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "--random-weights") == 0) o.random = 1;
        else if (argv[i][0] != '-' && !o.file) o.file = argv[i];
        else if (i + 1 < argc && argv[i][0] == '-' && parse_option(&o, argv[i], argv[i + 1])) i++;
        else return tool_usage("bench", "option %s %s", argv[i], i + 1 < argc ? argv[i + 1] : "");
    }
    if (!o.file) return tool_usage("bench", "no file given");
    bench b = {.options = &o, .rows = json_array()};
    int code = run_bench(&b);
    json_decref(b.rows);
    return code;
}
