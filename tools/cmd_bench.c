/* lathe bench: how fast a model runs, against what the machine can do at most. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL_STRUCT bench_options
#include "tool_bench.h"

enum { TURNS = 2 }; /* executors at most */

typedef struct bench_options {
    const char *file, *kv_type;
    tool_weights weights;
    tool_placement placement;
    tool_words executors; /* none: as the model was compiled */
    bench_form form;
    tool_list prompts, tokens, depths, threads;
    long runs, context;
    bool no_cold;
} bench_options;

static const tool_word form_words[] = {{"md", BENCH_MD}, {"json", BENCH_JSON}, {"csv", BENCH_CSV}, {0}};

static const tool_option options[] = {
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_random_options),
    TOOL_SHARED(weights, tool_quantize_options),
    {"-p LIST", TOOL_LIST(prompts, 0), "lengths of prompts to prefill (default: 128)"},
    {"-n LIST", TOOL_LIST(tokens, 0), "numbers of tokens to decode (default: 16); 0: none"},
    {"-d LIST", TOOL_LIST(depths, 0), "cache depths to decode at (default: 0)"},
    {"-t LIST", TOOL_LIST(threads, 1), "threads (default: all that the process may use)"},
    {"-r N", TOOL_INTEGER(runs, 1, BENCH_MAX_RUNS), "runs of each test (default: 5), after one to warm up"},
    {"-c N", TOOL_COUNT(context, 1),
     "positions of the caches, where the model leaves them open (default: what the tests need)"},
    TOOL_SHARED(kv_type, tool_kv_options),
    TOOL_SHARED(placement, tool_device_options),
    {"--executor LIST", TOOL_WORDS(executors, tool_executor_words),
     "linear (default), or dag: regions run as soon as they can; linear,dag: both, in turns step by step"},
    {"--no-cold", TOOL_FLAG(no_cold), "leave out the start with files that are not in memory"},
    {"-o md|json|csv", TOOL_CHOICE(form, form_words), "form of the output (default: md)"},
    {0},
};

static const tool_command command = {
    .name = "bench",
    .intro = "Measures a model: a language model's prefill of prompts and decode at cache depths, any "
             "other model's latency, and how long it takes from opening to the first token. The machine's "
             "read bandwidth and float32 multiply-add rate are measured in the same run.",
    .usage = "MODEL [OPTIONS]\n"
             "decode MODEL [OPTIONS]   decode steps at many cache positions, into JSON\n"
             "plot FILE... -o DIR      charts of such files\n"
             "report FILE... -o PAGE   a page about such files",
    .arguments = {{"MODEL", TOOL_ONE(file)}},
    .options = options,
    .notes = "A LIST is numbers and ranges between commas: 1,128,512-2048*2,0-4096+1024 (FIRST-LAST, times "
             "a factor, up to LAST itself, or plus a step). Reported are the median of the runs and their "
             "spread: the median distance from it, as a part of it. bytes are those of the weights and of "
             "the cache up to the last position. Of two executors a line says how fast the second is: by "
             "the medians, and by the median over pairs of steps next to each other in time, which a "
             "machine whose speed changes leaves alone.",
    .status = "0 done, 1 a run failed",
};

typedef struct bench {
    const bench_options *options;
    bench_row *rows; /* [BENCH_MAX_ROWS] */
    int n, first;    /* rows; the first of the present number of threads */
    int turns;       /* executors */
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
    fprintf(stderr, "%s of %ld at depth %ld%s%s, run %ld: %.3f ms; about %.0f s left", row->test, row->tokens,
            row->depth, row->executor ? ", " : "", row->executor ? row->executor : "", row->n,
            row->samples[row->n - 1], left);
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
        bench_row *row = &b->rows[b->first];
        bench_finish(row, &limits);
        row->device = b->device;
        if (row->against) row->speedup = row[-1].ms / row->ms;
    }
    return status;
}

/* ---- What is measured ---- */

typedef struct subject {
    lathe_model *model;
    bench_subject turn[TURNS]; /* of each executor */
} subject;

static void close_turns(subject *s)
{
    for (int i = 0; i < TURNS; i++) bench_subject_close(&s->turn[i]);
}

static long largest(const tool_list *list)
{
    long most = 0;
    for (int i = 0; i < list->n; i++) most = list->value[i] > most ? list->value[i] : most;
    return most;
}

static lathe_status open_turn(const bench_options *o, subject *s, int turn, long threads, lathe_error *err)
{
    long context = 2, prompt = largest(&o->prompts), end = largest(&o->depths) + largest(&o->tokens);
    if (prompt > context) context = prompt;
    if (end > context) context = end;
    lathe_generator_options how = {.context = o->context ? o->context : context,
                                   .chunk = 512,
                                   .threads = (int)threads,
                                   .activations = o->weights.activations,
                                   .kv_type = o->kv_type,
                                   .placement = o->placement.lathe};
    if (o->executors.n) how.placement.executor = o->executors.word[turn]->name;
    return bench_subject_open(s->model, &how, &s->turn[turn], err);
}

/* ---- Tests ---- */

/* One test; of each executor a row. */
typedef struct trial {
    bench_row rows[TURNS];
    long step;      /* tokens of a step */
    double *ratios; /* [n_ratios]: of the speeds of two steps, one after the other */
    long n_ratios;
} trial;

/* All steps of a run, those of the executors in turns; every other pair begins with the second. */
static lathe_status run_turns(bench *b, subject *s, trial *t, long run, lathe_error *err)
{
    double total[TURNS] = {0};
    for (int i = 0; i < b->turns; i++) t->rows[i].bytes = t->rows[i].flops = 0;
    for (long done = 0; done < t->rows[0].tokens; done += t->step) {
        double seconds[TURNS] = {0};
        for (int k = 0; k < b->turns; k++) {
            int i = (done / t->step + run) % 2 ? b->turns - 1 - k : k;
            bench_row *row = &t->rows[i];
            lathe_generator_cost cost = {0};
            lathe_status status = bench_subject_run(&s->turn[i], row->depth + done, t->step, &cost, err);
            if (status != LATHE_OK) return status;
            total[i] += seconds[i] = cost.seconds;
            row->bytes += cost.bytes;
            row->flops += cost.flops;
            row->weight_type = cost.weight_type;
            row->kv_type = cost.kv_type;
            row->activations = cost.activations;
        }
        if (run >= 0 && b->turns == TURNS) t->ratios[t->n_ratios++] = seconds[0] / seconds[1];
    }
    for (int i = 0; i < b->turns && run >= 0; i++) add_sample(b, &t->rows[i], total[i]);
    return LATHE_OK;
}

/* Runs `tokens` tokens behind `depth` positions, `step` at a time. */
static lathe_status measure_test(bench *b, subject *s, const char *test, long tokens, long step, long depth,
                                 lathe_error *err)
{
    const tool_words *executors = &b->options->executors;
    trial t = {.step = step, .ratios = calloc((size_t)(tokens / step * b->options->runs), sizeof(double))};
    lathe_status status = LATHE_OK;
    if (!t.ratios)
        return snprintf(err->message, sizeof err->message, "out of memory"), err->code = LATHE_NO_MEMORY;
    for (int i = 0; i < b->turns && status == LATHE_OK; i++) {
        t.rows[i] = (bench_row){.test = test, .state = "", .tokens = tokens, .depth = depth};
        if (executors->n) t.rows[i].executor = executors->word[i]->name;
        status = bench_subject_prepare(&s->turn[i], depth, step, NULL, err);
    }
    for (long run = -1; run < b->options->runs && status == LATHE_OK; run++) /* the first one warms up */
        status = run_turns(b, s, &t, run, err);
    if (t.n_ratios) {
        t.rows[1].against = t.rows[0].executor;
        t.rows[1].pairs = t.n_ratios;
        t.rows[1].pair_speedup = bench_median(t.ratios, t.n_ratios);
    }
    for (int i = 0; i < b->turns && status == LATHE_OK; i++) status = add_row(b, &t.rows[i], err);
    free(t.ratios);
    return status;
}

static lathe_status bench_language_model(bench *b, subject *s, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_status status = LATHE_OK;
    for (int i = 0; i < o->prompts.n && status == LATHE_OK; i++)
        if (o->prompts.value[i])
            status = measure_test(b, s, "prefill", o->prompts.value[i], o->prompts.value[i], 0, err);
    for (int k = 0; k < o->tokens.n; k++)
        for (int i = 0; i < o->depths.n && status == LATHE_OK; i++)
            if (o->tokens.value[k])
                status = measure_test(b, s, "decode", o->tokens.value[k], 1, o->depths.value[i], err);
    return status;
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
    for (int i = 0; i < o->weights.files.n; i++) act(o->weights.files.item[i]);
}

/* From opening to the first token, or the first result of another model. */
static lathe_status measure_start(bench *b, subject *s, const char *state, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_preparation spent = {0};
    lathe_generator_cost cost = {0};
    double start = bench_seconds();
    lathe_status status = tool_open_model(o->file, &o->weights, &s->model, err);
    if (status != LATHE_OK) return status;
    snprintf(b->device, sizeof b->device, "%s", tool_device_of(s->model, &o->placement));
    if (o->weights.random) start = bench_seconds(); /* making them up is no part of it */
    double loaded = bench_seconds();
    status = open_turn(o, s, 0, o->threads.value[0], err);
    if (status == LATHE_OK) status = bench_subject_prepare(&s->turn[0], 0, 1, &spent, err);
    if (status == LATHE_OK) status = bench_subject_run(&s->turn[0], 0, 1, &cost, err);
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
                     .kv_type = cost.kv_type,
                     .activations = cost.activations};
    fprintf(stderr, "%s start: %.1f ms to the first %s\n", state, row.first_token_ms,
            s->turn[0].generator ? "token" : "result");
    return add_row(b, &row, err);
}

/* The cold start comes first, while nothing has the files mapped. */
static lathe_status measure_starts(bench *b, subject *s, lathe_error *err)
{
    const bench_options *o = b->options;
    if (!o->no_cold && !o->weights.random) {
        each_file(o, forget_file);
        lathe_status status = measure_start(b, s, "cold", err);
        close_turns(s);
        lathe_model_close(s->model);
        s->model = NULL;
        if (status != LATHE_OK) return status;
    }
    each_file(o, remember_file);
    return measure_start(b, s, "warm", err);
}

/* ---- All of it ---- */

static long count_tests(const bench_options *o)
{
    long tests = 0;
    for (int i = 0; i < o->prompts.n; i++) tests += o->prompts.value[i] != 0;
    for (int i = 0; i < o->tokens.n; i++) tests += o->tokens.value[i] ? o->depths.n : 0;
    return tests;
}

static lathe_status measure(bench *b, subject *s, lathe_error *err)
{
    const bench_options *o = b->options;
    lathe_status status = measure_starts(b, s, err);
    bool language = s->turn[0].generator != NULL;
    b->runs_planned = (language ? count_tests(o) : 1) * o->threads.n * o->runs * b->turns;
    b->start = bench_seconds();
    for (int i = 0; i < o->threads.n && status == LATHE_OK; i++) {
        if (i) close_turns(s);
        for (int turn = i ? 0 : 1; turn < b->turns && status == LATHE_OK;
             turn++) /* one is open from the start */
            status = open_turn(o, s, turn, o->threads.value[i], err);
        if (status == LATHE_OK)
            status = language ? bench_language_model(b, s, err) : measure_test(b, s, "latency", 1, 1, 0, err);
        if (status == LATHE_OK) status = relate_to_limits(b, o->threads.value[i], err);
    }
    return status;
}

static int run_bench(const bench_options *o)
{
    lathe_error err = {0};
    subject s = {0};
    bench b = {.options = o,
               .turns = o->executors.n ? o->executors.n : 1,
               .rows = calloc(BENCH_MAX_ROWS, sizeof *b.rows)};
    if (!b.rows) return fprintf(stderr, "lathe bench: out of memory\n"), EXIT_DIFFERS;
    lathe_status status = measure(&b, &s, &err);
    close_turns(&s);
    lathe_model_close(s.model);
    if (status == LATHE_OK) bench_print(b.rows, b.n, o->form);
    free(b.rows);
    if (status != LATHE_OK) return tool_fail(&err);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
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
    int code = tool_parse(&command, argc, argv, &o);
    return code == TOOL_GO_ON ? run_bench(&o) : code;
}
