/* lathe profile: where the time of a run goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_STRUCT profile_options
#include "tool_profile.h"

typedef struct profile_options {
    const char *file, *kv_type, *trace, *roofline;
    tool_weights weights;
    tool_placement placement;
    long depth, prompt, context, runs, top;
    int threads;
    tool_words tables;
} profile_options;

static const tool_word table_words[] = {
    {"kernel", PROFILE_KERNEL}, {"node", PROFILE_NODE}, {"module", PROFILE_MODULE}, {0}};

static const tool_option options[] = {
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_random_options),
    TOOL_SHARED(weights, tool_quantize_options),
    TOOL_SHARED(kv_type, tool_kv_options),
    {"-d N", TOOL_COUNT(depth, 0), "language models: a decode step behind N positions (default: 128)"},
    {"-p N", TOOL_COUNT(prompt, 1), "language models: the prefill of a prompt of N tokens instead"},
    {"-c N", TOOL_COUNT(context, 2), "positions of the caches, where the model leaves them open"},
    TOOL_SHARED(threads, tool_threads_options),
    {"-r N", TOOL_INTEGER(runs, 1, BENCH_MAX_RUNS), "runs (default: 7)"},
    TOOL_SHARED(placement, tool_placement_options),
    {"--by KEYS", TOOL_WORDS(tables, table_words),
     "of kernel, node, module: tables to print (default: kernel,module)"},
    {"--top N", TOOL_COUNT(top, 1), "most rows of a table (default: 20)"},
    {"--trace F", TOOL_TEXT(trace), "the run as a trace for Chrome (chrome://tracing) or Perfetto"},
    {"--roofline NAME", TOOL_TEXT(roofline),
     "kernels under the machine's roofline: NAME.svg, NAME.png and -dark, by gnuplot"},
    {0},
};

static const tool_command command = {
    .name = "profile",
    .intro = "Measures the steps of a run one by one: time, bytes moved, operations, and how near they "
             "come to what the machine can do.",
    .arguments = {{"MODEL", TOOL_ONE(file)}},
    .options = options,
    .notes =
        "Runs with and without the clock take turns; both figures are those of the fastest. Linear "
        "layers that run as one job count as one step. Roof: the time that the bytes take to read, or "
        "the products to multiply in float32, whichever is longer, as a part of the time that was "
        "spent. Bytes that lie in a cache of the processor can come faster than memory is. Transfers are "
        "what is carried between devices, in the time that the host sees it take; their bytes those that "
        "are copied.",
    .status = "0 done, 1 a run failed",
};

typedef struct subject {
    lathe_model *model;
    bench_subject runs;
    lathe_session *session; /* that runs; the generator's own, or ours */
    double seen;            /* the part of the caches that attention sees */
} subject;

/* ---- Running ---- */

static lathe_status open_subject(const profile_options *o, subject *s, lathe_error *err)
{
    long last = o->prompt ? o->prompt : o->depth + 1;
    lathe_status status = tool_open_model(o->file, &o->weights, &s->model, err);
    if (status != LATHE_OK) return status;
    tool_device_of(s->model, &o->placement);
    lathe_generator_options how = {.context = o->context ? o->context
                                              : last < 2 ? 2
                                                         : last,
                                   .chunk = o->prompt ? o->prompt : 1,
                                   .threads = o->threads,
                                   .activations = o->weights.activations,
                                   .kv_type = o->kv_type,
                                   .placement = o->placement.lathe};
    status = bench_subject_open(s->model, &how, &s->runs, err);
    s->seen = 1;
    if (status != LATHE_OK || !s->runs.generator) return status;
    double before = o->prompt ? (double)o->prompt / 2 : (double)last;
    s->seen = before / (double)lathe_generator_context(s->runs.generator);
    return o->prompt ? LATHE_OK : lathe_generator_randomize_caches(s->runs.generator, 0, err);
}

static lathe_status run_once(const profile_options *o, subject *s, double *seconds, lathe_error *err)
{
    lathe_generator_cost cost = {0};
    long first = o->prompt ? 0 : o->depth, count = o->prompt ? o->prompt : 1;
    lathe_status status = bench_subject_run(&s->runs, first, count, &cost, err);
    s->session = s->runs.generator ? lathe_generator_session(s->runs.generator) : s->runs.session;
    *seconds = cost.seconds;
    return status;
}

/* ---- Steps ---- */

/* "layers.3.mlp" becomes "layers.*.mlp": layers that are alike are added up. */
static void generalize(const char *path, char *out, size_t room)
{
    size_t used = 0;
    for (const char *at = path; *at && used + 2 < room;) {
        size_t length = strcspn(at, ".");
        bool number = length && strspn(at, "0123456789") == length;
        if (number) out[used++] = '*';
        for (size_t i = 0; i < length && !number && used + 2 < room; i++) out[used++] = at[i];
        at += length;
        if (*at == '.') out[used++] = *at++;
    }
    out[used] = '\0';
}

static void name_kernel(const lathe_step *info, char *out, size_t room)
{
    if (strcmp(info->device, "cpu") != 0 && strcmp(info->device, "ref") != 0)
        snprintf(out, room, "region on %s, %u steps", info->device, info->joint);
    else
        snprintf(out, room, "%s %s%s%s", info->op, info->type, info->joint > 1 ? ", joint" : "",
                 info->plain ? ", reference" : "");
}

/* The steps of the program, those that run as one joined. */
static lathe_status describe_steps(subject *s, profile *p, lathe_error *err)
{
    size_t count = lathe_session_step_count(s->session);
    p->steps = calloc(count + 1, sizeof *p->steps);
    p->spans = calloc(PROFILE_MAX_SPANS, sizeof *p->spans);
    if (!p->steps || !p->spans)
        return snprintf(err->message, sizeof err->message, "out of memory"), err->code = LATHE_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        lathe_step info;
        lathe_status status = lathe_session_step(s->session, i, &info, err);
        if (status != LATHE_OK) return status;
        if (info.joint) {
            profile_step *begun = &p->steps[p->n++];
            begun->info = info;
            begun->index = i;
            name_kernel(&info, begun->kernel, sizeof begun->kernel);
            generalize(info.module, begun->module, sizeof begun->module);
        }
        profile_step *step = &p->steps[p->n - 1];
        step->bytes += info.bytes - info.cache_bytes * (1 - s->seen);
        step->flops += info.flops - info.cache_flops * (1 - s->seen);
    }
    return LATHE_OK;
}

/* What the run carried; *seconds: in what time. */
static lathe_status get_transfers(const subject *s, lathe_transfer **out, size_t *n, double *seconds,
                                  lathe_error *err)
{
    *seconds = 0;
    *n = lathe_session_transfer_count(s->session);
    *out = calloc(*n + 1, sizeof **out);
    if (!*out) return snprintf(err->message, sizeof err->message, "out of memory"), LATHE_NO_MEMORY;
    for (size_t i = 0; i < *n; i++) {
        lathe_status status = lathe_session_transfer(s->session, i, &(*out)[i], err);
        if (status != LATHE_OK) return status;
        *seconds += (*out)[i].end - (*out)[i].begin;
    }
    return LATHE_OK;
}

/* Keeps the times of a run if it is the fastest so far. */
static lathe_status take_times(const subject *s, profile *p, lathe_error *err)
{
    double sum, begin, end;
    lathe_transfer *transfers;
    size_t n_transfers;
    lathe_status status = get_transfers(s, &transfers, &n_transfers, &sum, err);
    for (size_t i = 0; i < p->n; i++) {
        lathe_session_step_time(s->session, p->steps[i].index, &begin, &end);
        sum += end - begin;
    }
    if (status != LATHE_OK || (p->profile_seconds > 0 && sum >= p->profile_seconds)) {
        free(transfers);
        return status;
    }
    free(p->transfers);
    p->transfers = transfers;
    p->n_transfers = n_transfers;
    p->profile_seconds = sum;
    for (size_t i = 0; i < p->n; i++) {
        profile_step *step = &p->steps[i];
        lathe_session_step_time(s->session, step->index, &step->begin, &step->end);
        step->seconds = step->end - step->begin;
    }
    p->n_spans = lathe_session_spans(s->session, p->spans, PROFILE_MAX_SPANS);
    return LATHE_OK;
}

static lathe_status measure_pair(const profile_options *o, subject *s, profile *p, profile_counters *counters,
                                 lathe_error *err)
{
    double seconds;
    profile_counters_enable(counters, true);
    lathe_status status = run_once(o, s, &seconds, err);
    profile_counters_enable(counters, false);
    if (p->plain_seconds == 0 || seconds < p->plain_seconds) p->plain_seconds = seconds;
    if (status == LATHE_OK) status = lathe_session_profile(s->session, 1, err);
    if (status == LATHE_OK) status = run_once(o, s, &seconds, err);
    if (status == LATHE_OK) status = take_times(s, p, err);
    return status == LATHE_OK ? lathe_session_profile(s->session, 0, err) : status;
}

static lathe_status measure(const profile_options *o, subject *s, profile *p, profile_counters *counters,
                            lathe_error *err)
{
    double ignored;
    lathe_status status = run_once(o, s, &ignored, err); /* compiles and warms up */
    if (status == LATHE_OK) status = describe_steps(s, p, err);
    for (long run = 0; run < o->runs && status == LATHE_OK; run++)
        status = measure_pair(o, s, p, counters, err);
    return status == LATHE_OK ? lathe_measure_limits(o->threads, &p->limits, err) : status;
}

/* ---- Printing ---- */

static void print_row(const profile *p, const profile_group *g)
{
    double ms = g->seconds * 1e3;
    printf("| %s | %ld | %.3f | %.1f %% | %.2f | %.1f | %.1f | %.0f %% |\n", g->name, g->steps, ms,
           100 * g->seconds / p->profile_seconds, g->bytes / 1e6, ms > 0 ? g->bytes / ms / 1e6 : 0,
           ms > 0 ? g->flops / ms / 1e6 : 0, 100 * profile_share_of_roof(g, &p->limits));
}

static bool print_table(const profile *p, const tool_word *key, long top)
{
    size_t n;
    profile_group *groups = profile_groups(p, (profile_key)key->value, &n), rest = {.name = "the rest"};
    if (!groups) return fprintf(stderr, "lathe profile: out of memory\n"), false;
    printf("| %s | steps | ms | share | MB | GB/s | GFLOP/s | of roof |\n"
           "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
           key->name);
    for (size_t i = 0; i < n; i++) {
        if (i < (size_t)top) {
            print_row(p, &groups[i]);
            continue;
        }
        rest.steps += groups[i].steps;
        rest.seconds += groups[i].seconds;
        rest.bytes += groups[i].bytes;
        rest.flops += groups[i].flops;
    }
    if (rest.steps) print_row(p, &rest);
    printf("\n");
    free(groups);
    return true;
}

static bool print_all(const profile_options *o, const profile *p, const profile_counters *counters)
{
    for (int i = 0; i < o->tables.n; i++)
        if (!print_table(p, o->tables.word[i], o->top)) return false;
    printf("steps: %zu, ", p->n);
    if (p->n_transfers) printf("transfers: %zu, ", p->n_transfers);
    printf("together %.3f ms; a run without profile: %.3f ms (%+.1f %%)\n", p->profile_seconds * 1e3,
           p->plain_seconds * 1e3, 100 * (p->profile_seconds / p->plain_seconds - 1));
    printf("limits: %.1f GB/s read, %.1f GFLOP/s of float32 multiply-adds, %s, %d threads\n",
           p->limits.read_bytes_per_second / 1e9, p->limits.flops_per_second / 1e9, p->limits.level,
           p->limits.threads);
    profile_counters_print(counters, stdout, o->runs);
    return (!o->trace || profile_write_trace(p, o->trace)) &&
           (!o->roofline || profile_draw_roofline(p, o->roofline));
}

static int run_profile(const profile_options *o)
{
    lathe_error err = {0};
    subject s = {0};
    profile p = {0};
    profile_counters counters;
    profile_counters_open(&counters);
    lathe_status status = open_subject(o, &s, &err);
    if (status == LATHE_OK) status = measure(o, &s, &p, &counters, &err);
    bool good = status == LATHE_OK && print_all(o, &p, &counters);
    bench_subject_close(&s.runs);
    lathe_model_close(s.model);
    profile_counters_close(&counters);
    free(p.steps);
    free(p.spans);
    free(p.transfers);
    if (status != LATHE_OK) return tool_fail(&err);
    return good && fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}

int cmd_profile(int argc, char **argv)
{
    profile_options o = {.depth = 128,
                         .runs = 7,
                         .top = 20,
                         .tables = {{&table_words[PROFILE_KERNEL], &table_words[PROFILE_MODULE]}, 2}};
    int code = tool_parse(&command, argc, argv, &o);
    return code == TOOL_GO_ON ? run_profile(&o) : code;
}
