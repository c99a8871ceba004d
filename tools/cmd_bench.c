/* lathe bench: how fast a model runs, against what the machine can do at most. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lathe/llm.h>

#include "tool_bench.h"

static const char help[] =
    "Measures a model: a language model's prefill of prompts and decode at cache depths, any\n"
    "other model's latency, and how long it takes from opening to the first token. The\n"
    "machine's read bandwidth and float32 multiply-add rate are measured in the same run.\n"
    "\n"
    "Usage: lathe bench MODEL [OPTIONS]\n"
    "       lathe bench decode MODEL [OPTIONS]   decode steps at many cache positions, into JSON\n"
    "       lathe bench plot FILE... -o DIR      charts of such files\n"
    "       lathe bench report FILE... -o PAGE   a page about such files\n"
    "\n"
    "  --weights F          weights file; may be repeated\n"
    "  --random-weights     random weights for those that MODEL has no bytes for\n"
    "  --quantize TYPE      int8 or int4: quantise the matrices while loading\n"
    "  --activations TYPE   int16 (default) or int8: what is multiplied with quantised weights\n"
    "  -p LIST              lengths of prompts to prefill (default: 128)\n"
    "  -n LIST              numbers of tokens to decode (default: 16); 0: none\n"
    "  -d LIST              cache depths to decode at (default: 0)\n"
    "  -t LIST              threads (default: all that the process may use)\n"
    "  -r N                 runs of each test (default: 5), after one to warm up\n"
    "  -c N                 positions of the caches, where the model leaves them open\n"
    "                       (default: what the tests need)\n"
    "  --kv TYPE            store caches as f32, bf16, f16 or int8 (default: as the model "
    "does)\n" TOOL_PLACEMENT_HELP
    "  --no-cold            leave out the start with files that are not in memory\n"
    "  -o md|json|csv       form of the output (default: md)\n"
    "\n"
    "A LIST is numbers and ranges between commas: 1,128,512-2048*2,0-4096+1024 (FIRST-LAST,\n"
    "times a factor, up to LAST itself, or plus a step). Reported are the median of the runs and their "
    "spread: the\n"
    "median distance from it, as a part of it. bytes are those of the weights and of the cache\n"
    "up to the last position.\n"
    "\n"
    "Exit status: 0 done, 1 a run failed, 2 wrong usage or a broken file.\n";

typedef struct bench_options {
    const char *file, *kv_type;
    tool_weights weights;
    tool_placement placement;
    bench_form form;
    bench_list prompts, tokens, depths, threads;
    long runs, context;
    bool no_cold;
} bench_options;

typedef struct bench {
    const bench_options *options;
    bench_row *rows; /* [BENCH_MAX_ROWS] */
    int n, first;    /* rows; the first of the present number of threads */
    double start;
    long runs_done, runs_planned;
    char device[64];
} bench;

/* ---- Rows ---- */

static lathe_status add_row(bench *b, const bench_row *row, lathe_error *err)
{
    if (b->n == BENCH_MAX_ROWS) {
        snprintf(err->message, sizeof err->message, "more than %d tests", BENCH_MAX_ROWS);
        return err->code = LATHE_LIMIT;
    }
    b->rows[b->n] = *row;
    b->rows[b->n++].rss_mb = bench_peak_memory_mb();
    return LATHE_OK;
}

/* Tests differ in length, so the time left is a guess. */
static void report(bench *b, const bench_row *row)
{
    bool terminal = isatty(STDERR_FILENO);
    if (!terminal && row->n < b->options->runs) return;
    double passed = bench_seconds() - b->start;
    double left = passed / (double)b->runs_done * (double)(b->runs_planned - b->runs_done);
    if (terminal) fprintf(stderr, "\r\033[K");
    fprintf(stderr, "%s of %ld at depth %ld, run %ld: %.3f ms; about %.0f s left", row->test, row->tokens,
            row->depth, row->n, row->samples[row->n - 1], left);
    if (!terminal || b->runs_done == b->runs_planned) fprintf(stderr, "\n");
}

static void add_sample(bench *b, bench_row *row, double seconds)
{
    row->samples[row->n++] = seconds * 1e3;
    b->runs_done++;
    report(b, row);
}

/* Measured after the model, which it shall not take the memory from. */
static lathe_status relate_to_limits(bench *b, long threads, lathe_error *err)
{
    lathe_limits limits;
    lathe_status status = lathe_measure_limits((int)threads, &limits, err);
    bench_reset_peak_memory(); /* its own is none of the model's */
    for (; status == LATHE_OK && b->first < b->n; b->first++) {
        bench_finish(&b->rows[b->first], &limits);
        b->rows[b->first].device = b->device;
    }
    return status;
}

/* ---- Language models ---- */

/* Runs `tokens` tokens behind `depth` positions, `step` at a time. */
static lathe_status measure_tokens(bench *b, lathe_generator *generator, const char *test, long tokens,
                                   long step, long depth, lathe_error *err)
{
    bench_row row = {.test = test, .state = "", .tokens = tokens, .depth = depth};
    lathe_status status = lathe_generator_prepare(generator, (size_t)depth, (size_t)step, NULL, err);
    for (long run = -1; run < b->options->runs; run++) { /* the first one warms up */
        double seconds = 0;
        row.bytes = row.flops = 0;
        for (long done = 0; done < tokens && status == LATHE_OK; done += step) {
            lathe_generator_cost cost = {0};
            status = lathe_generator_measure(generator, (size_t)(depth + done), (size_t)step, &cost, err);
            seconds += cost.seconds;
            row.bytes += cost.bytes;
            row.flops += cost.flops;
            row.weight_type = cost.weight_type;
            row.kv_type = cost.kv_type;
            row.activations = cost.activations;
        }
        if (status != LATHE_OK) return status;
        if (run >= 0) add_sample(b, &row, seconds);
    }
    return add_row(b, &row, err);
}

static lathe_status bench_language_model(bench *b, lathe_generator *generator, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_status status = LATHE_OK;
    for (int i = 0; i < o->prompts.n && status == LATHE_OK; i++)
        if (o->prompts.value[i])
            status =
                measure_tokens(b, generator, "prefill", o->prompts.value[i], o->prompts.value[i], 0, err);
    for (int k = 0; k < o->tokens.n; k++)
        for (int i = 0; i < o->depths.n && status == LATHE_OK; i++)
            if (o->tokens.value[k])
                status =
                    measure_tokens(b, generator, "decode", o->tokens.value[k], 1, o->depths.value[i], err);
    return status;
}

static long largest(const bench_list *list)
{
    long most = 0;
    for (int i = 0; i < list->n; i++) most = list->value[i] > most ? list->value[i] : most;
    return most;
}

static lathe_status create_generator(const bench_options *o, lathe_model *model, long threads,
                                     lathe_generator **out, lathe_error *err)
{
    long context = 2, prompt = largest(&o->prompts), end = largest(&o->depths) + largest(&o->tokens);
    if (prompt > context) context = prompt;
    if (end > context) context = end;
    if (o->context) context = o->context;
    return lathe_generator_create(model, NULL, NULL,
                                  &(lathe_generator_options){.context = context,
                                                             .chunk = 512,
                                                             .threads = (int)threads,
                                                             .activations = o->weights.activations,
                                                             .kv_type = o->kv_type,
                                                             .placement = o->placement.lathe},
                                  out, err);
}

/* ---- Other models ---- */

static lathe_status open_session(const bench_options *o, lathe_model *model, long threads,
                                 lathe_session **out, lathe_error *err)
{
    lathe_status status = lathe_session_create(model,
                                               &(lathe_session_options){.threads = (int)threads,
                                                                        .activations = o->weights.activations,
                                                                        .placement = o->placement.lathe},
                                               out, err);
    return status == LATHE_OK ? tool_set_zero_inputs(model, *out, err) : status;
}

static lathe_status bench_latency(bench *b, lathe_session *session, lathe_error *err)
{
    lathe_cost cost = {0};
    bench_row row = {.test = "latency", .state = "", .tokens = 1};
    lathe_status status = lathe_session_prepare(session, NULL, err);
    for (long run = -1; run < b->options->runs && status == LATHE_OK; run++) {
        double start = bench_seconds();
        status = lathe_session_run(session, err);
        if (run >= 0) add_sample(b, &row, bench_seconds() - start);
    }
    if (status == LATHE_OK) status = lathe_session_cost(session, &cost, err);
    row.bytes = cost.weight_bytes + cost.state_bytes;
    row.flops = cost.flops;
    row.weight_type = cost.weight_type;
    row.kv_type = cost.state_type;
    row.activations = cost.activations;
    return status == LATHE_OK ? add_row(b, &row, err) : status;
}

/* ---- Starting ---- */

/* Asks the system to forget what it keeps of a file in memory; not all systems can be asked. */
static void forget_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
#ifdef POSIX_FADV_DONTNEED
    if (fsync(fd) == 0) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
    close(fd);
}

/* Reads a file, so that the system has it in memory if there is room. */
static void remember_file(const char *path)
{
    static char buffer[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    while (read(fd, buffer, sizeof buffer) > 0) continue;
    close(fd);
}

static void each_file(const bench_options *o, void (*act)(const char *path))
{
    act(o->file);
    for (int i = 0; i < o->weights.n; i++) act(o->weights.path[i]);
}

/* What is to be measured: a generator of a language model, a session of any other. */
typedef struct subject {
    lathe_model *model;
    lathe_generator *generator;
    lathe_session *session;
} subject;

static void close_subject(subject *s)
{
    lathe_generator_destroy(s->generator);
    lathe_session_close(s->session);
    s->generator = NULL;
    s->session = NULL;
}

static lathe_status open_subject(const bench_options *o, subject *s, long threads, lathe_error *err)
{
    lathe_status status = create_generator(o, s->model, threads, &s->generator, err);
    if (status != LATHE_UNSUPPORTED) return status;
    return open_session(o, s->model, threads, &s->session, err); /* it is no language model */
}

/* From opening to the first token, or the first result of another model. */
static lathe_status measure_start(bench *b, subject *s, const char *state, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_preparation spent = {0};
    lathe_generator_cost token;
    lathe_cost cost = {0};
    double start = bench_seconds();
    lathe_status status = tool_open_model(o->file, &o->weights, &s->model, err);
    if (status != LATHE_OK) return status;
    snprintf(b->device, sizeof b->device, "%s", tool_device_of(s->model, &o->placement));
    if (o->weights.random) start = bench_seconds(); /* making them up is no part of it */
    double loaded = bench_seconds();
    status = open_subject(o, s, o->threads.value[0], err);
    if (status == LATHE_OK && s->generator) {
        status = lathe_generator_prepare(s->generator, 0, 1, &spent, err);
        if (status == LATHE_OK) status = lathe_generator_measure(s->generator, 0, 1, &token, err);
        if (status == LATHE_OK)
            cost = (lathe_cost){.weight_type = token.weight_type,
                                .state_type = token.kv_type,
                                .activations = token.activations};
    } else if (status == LATHE_OK) {
        status = lathe_session_prepare(s->session, &spent, err);
        if (status == LATHE_OK) status = lathe_session_run(s->session, err);
        if (status == LATHE_OK) status = lathe_session_cost(s->session, &cost, err);
    }
    if (status != LATHE_OK) return status;
    double end = bench_seconds();
    bench_row row = {.test = "startup",
                     .state = state,
                     .tokens = 1,
                     .samples = {(end - start) * 1e3},
                     .n = 1,
                     .load_ms = (loaded - start) * 1e3,
                     .compile_ms = spent.compile_seconds * 1e3,
                     .pack_ms = spent.pack_seconds * 1e3,
                     .first_token_ms = (end - start) * 1e3,
                     .weight_type = cost.weight_type,
                     .kv_type = cost.state_type,
                     .activations = cost.activations};
    fprintf(stderr, "%s start: %.1f ms to the first %s\n", state, row.first_token_ms,
            s->generator ? "token" : "result");
    return add_row(b, &row, err);
}

/* The cold start comes first, while nothing has the files mapped. */
static lathe_status measure_starts(bench *b, subject *s, lathe_error *err)
{
    const bench_options *o = b->options;
    if (!o->no_cold && !o->weights.random) {
        each_file(o, forget_file);
        lathe_status status = measure_start(b, s, "cold", err);
        close_subject(s);
        lathe_model_close(s->model);
        s->model = NULL;
        if (status != LATHE_OK) return status;
    }
    each_file(o, remember_file);
    return measure_start(b, s, "warm", err);
}

/* ---- All of it ---- */

static lathe_status measure(bench *b, subject *s, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_status status = measure_starts(b, s, err);
    bool language = s->generator != NULL;
    long tests = 0;
    for (int i = 0; i < o->prompts.n; i++) tests += o->prompts.value[i] != 0;
    for (int i = 0; i < o->tokens.n; i++) tests += o->tokens.value[i] ? o->depths.n : 0;
    b->runs_planned = (language ? tests : 1) * o->threads.n * o->runs;
    b->start = bench_seconds();
    for (int i = 0; i < o->threads.n && status == LATHE_OK; i++) {
        if (i) close_subject(s);
        if (i) status = open_subject(o, s, o->threads.value[i], err);
        if (status == LATHE_OK)
            status =
                language ? bench_language_model(b, s->generator, err) : bench_latency(b, s->session, err);
        if (status == LATHE_OK) status = relate_to_limits(b, o->threads.value[i], err);
    }
    return status;
}

static int run_bench(const bench_options *o)
{
    lathe_error err = {0};
    subject s = {0};
    bench b = {.options = o, .rows = calloc(BENCH_MAX_ROWS, sizeof *b.rows)};
    if (!b.rows) return fprintf(stderr, "lathe bench: out of memory\n"), EXIT_DIFFERS;
    lathe_status status = measure(&b, &s, &err);
    close_subject(&s);
    lathe_model_close(s.model);
    if (status == LATHE_OK) bench_print(b.rows, b.n, o->form);
    free(b.rows);
    if (status != LATHE_OK) return tool_fail(&err);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}

/* ---- Command line ---- */

static bool parse_form(bench_options *o, const char *text)
{
    static const char *const forms[] = {[BENCH_MD] = "md", [BENCH_JSON] = "json", [BENCH_CSV] = "csv"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(text, forms[i]) == 0) return o->form = (bench_form)i, true;
    return false;
}

static bool parse_option(bench_options *o, const char *name, const char *value)
{
    bench_list number;
    if (tool_set_placement(&o->placement, name, value)) return true;
    if (strcmp(name, "--weights") == 0) return tool_add_weights(&o->weights, value);
    if (strcmp(name, "--kv") == 0) return o->kv_type = value, true;
    if (strcmp(name, "-o") == 0) return parse_form(o, value);
    if (strcmp(name, "-p") == 0) return bench_parse_list(value, 0, &o->prompts);
    if (strcmp(name, "-n") == 0) return bench_parse_list(value, 0, &o->tokens);
    if (strcmp(name, "--quantize") == 0) return tool_set_quantization(&o->weights, value);
    if (strcmp(name, "--activations") == 0) return tool_set_activations(&o->weights, value);
    if (strcmp(name, "-d") == 0) return bench_parse_list(value, 0, &o->depths);
    if (strcmp(name, "-t") == 0) return bench_parse_list(value, 1, &o->threads);
    if (!bench_parse_list(value, 1, &number) || number.n != 1) return false;
    if (strcmp(name, "-c") == 0) return o->context = number.value[0], true;
    if (strcmp(name, "-r") == 0) return o->runs = number.value[0], o->runs <= BENCH_MAX_RUNS;
    return false;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"decode", cmd_bench_decode}, {"plot", cmd_bench_plot}, {"report", cmd_bench_report}};

int cmd_bench(int argc, char **argv)
{
    bench_options o = {.runs = 5,
                       .prompts = {.value = {128}, .n = 1},
                       .tokens = {.value = {16}, .n = 1},
                       .depths = {.n = 1},
                       .threads = {.n = 1}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "--random-weights") == 0) o.weights.random = true;
        else if (strcmp(argv[i], "--no-cold") == 0) o.no_cold = true;
        else if (argv[i][0] != '-' && !o.file) o.file = argv[i];
        else if (i + 1 < argc && argv[i][0] == '-' && parse_option(&o, argv[i], argv[i + 1])) i++;
        else return tool_usage("bench", "option %s %s", argv[i], i + 1 < argc ? argv[i + 1] : "");
    }
    return o.file ? run_bench(&o) : tool_usage("bench", "no file given");
}
