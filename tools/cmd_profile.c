/* lathe profile: where the time of a run goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lathe/llm.h>

#include "tool_profile.h"

static const char help[] =
    "Measures the steps of a run one by one: time, bytes moved, operations, and how near they come\n"
    "to what the machine can do.\n"
    "\n"
    "Usage: lathe profile MODEL [OPTIONS]\n"
    "\n"
    "  --weights F          weights file; may be repeated\n"
    "  --random-weights     random weights for those that MODEL has no bytes for\n"
    "  --quantize TYPE      int8 or int4: quantise the matrices while loading\n"
    "  --activations TYPE   int16 (default) or int8: what is multiplied with quantised weights\n"
    "  --kv TYPE            store caches as f32, bf16 or f16 (default: as the model does)\n"
    "  -d N                 language models: a decode step behind N positions (default: 128)\n"
    "  -p N                 language models: the prefill of a prompt of N tokens instead\n"
    "  -c N                 positions of the caches, where the model leaves them open\n"
    "  -t N                 threads (default: all that the process may use)\n"
    "  -r N                 runs (default: 7)\n" TOOL_PLACEMENT_HELP
    "  --by KEYS            of kernel, node, module: tables to print (default: kernel,module)\n"
    "  --top N              most rows of a table (default: 20)\n"
    "  --trace F            the run as a trace for Chrome (chrome://tracing) or Perfetto\n"
    "  --roofline NAME      kernels under the machine's roofline: NAME.svg, NAME.png and -dark, by\n"
    "                       gnuplot\n"
    "\n"
    "Runs with and without the clock take turns; both figures are those of the fastest. Linear\n"
    "layers that run as one job count as one step. Roof: the time that the bytes take to read, or the "
    "products to\n"
    "multiply in float32, whichever is longer, as a part of the time that was spent. Bytes that\n"
    "lie in a cache of the processor can come faster than memory is. Transfers are what is carried\n"
    "between devices, in the time that the host sees it take; their bytes those that are copied.\n"
    "\n"
    "Exit status: 0 done, 1 a run failed, 2 wrong usage or a broken file.\n";

typedef struct profile_options {
    const char *file, *kv_type, *trace, *roofline;
    tool_weights weights;
    tool_placement placement;
    long depth, prompt, context, threads, runs, top;
    bool tables[PROFILE_KEYS];
} profile_options;

/* What is profiled: a generator of a language model, a session of any other. */
typedef struct subject {
    lathe_model *model;
    lathe_generator *generator;
    lathe_session *session; /* that runs; the generator's own, or ours */
    double seen;            /* the part of the caches that attention sees */
} subject;

/* ---- Running ---- */

static lathe_status open_subject(const profile_options *o, subject *s, lathe_error *err)
{
    size_t last = (size_t)(o->prompt ? o->prompt : o->depth + 1);
    lathe_status status = tool_open_model(o->file, &o->weights, &s->model, err);
    if (status != LATHE_OK) return status;
    tool_device_of(s->model, &o->placement);
    s->seen = 1;
    lathe_generator_options options = {.context = o->context ? o->context
                                                  : last < 2 ? 2
                                                             : (int64_t)last,
                                       .chunk = o->prompt ? o->prompt : 1,
                                       .threads = (int)o->threads,
                                       .activations = o->weights.activations,
                                       .kv_type = o->kv_type,
                                       .placement = o->placement.lathe};
    status = lathe_generator_create(s->model, NULL, NULL, &options, &s->generator, err);
    if (status == LATHE_OK) {
        double before = o->prompt ? (double)o->prompt / 2 : (double)last;
        s->seen = before / (double)lathe_generator_context(s->generator);
        return o->prompt ? LATHE_OK : lathe_generator_randomize_caches(s->generator, 0, err);
    }
    if (status != LATHE_UNSUPPORTED) return status;
    lathe_session_options plain = {
        .threads = (int)o->threads, .activations = o->weights.activations, .placement = o->placement.lathe};
    status = lathe_session_create(s->model, &plain, &s->session, err);
    return status == LATHE_OK ? tool_set_zero_inputs(s->model, s->session, err) : status;
}

static void close_subject(subject *s)
{
    if (s->generator) lathe_generator_destroy(s->generator);
    else lathe_session_close(s->session);
    lathe_model_close(s->model);
}

static lathe_status run_once(const profile_options *o, subject *s, double *seconds, lathe_error *err)
{
    double start = bench_seconds();
    lathe_status status;
    if (s->generator) {
        lathe_generator_cost cost = {0};
        size_t first = o->prompt ? 0 : (size_t)o->depth, count = o->prompt ? (size_t)o->prompt : 1;
        status = lathe_generator_measure(s->generator, first, count, &cost, err);
        s->session = lathe_generator_session(s->generator);
        *seconds = cost.seconds;
        return status;
    }
    status = lathe_session_run(s->session, err);
    *seconds = bench_seconds() - start;
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
    return status == LATHE_OK ? lathe_measure_limits((int)o->threads, &p->limits, err) : status;
}

/* ---- Printing ---- */

static const char *const key_names[PROFILE_KEYS] = {
    [PROFILE_KERNEL] = "kernel", [PROFILE_NODE] = "node", [PROFILE_MODULE] = "module"};

static void print_row(const profile *p, const profile_group *g)
{
    double ms = g->seconds * 1e3;
    printf("| %s | %ld | %.3f | %.1f %% | %.2f | %.1f | %.1f | %.0f %% |\n", g->name, g->steps, ms,
           100 * g->seconds / p->profile_seconds, g->bytes / 1e6, ms > 0 ? g->bytes / ms / 1e6 : 0,
           ms > 0 ? g->flops / ms / 1e6 : 0, 100 * profile_share_of_roof(g, &p->limits));
}

static bool print_table(const profile *p, profile_key key, long top)
{
    size_t n;
    profile_group *groups = profile_groups(p, key, &n), rest = {.name = "the rest"};
    if (!groups) return fprintf(stderr, "lathe profile: out of memory\n"), false;
    printf("| %s | steps | ms | share | MB | GB/s | GFLOP/s | of roof |\n"
           "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
           key_names[key]);
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
    for (int key = 0; key < PROFILE_KEYS; key++)
        if (o->tables[key] && !print_table(p, (profile_key)key, o->top)) return false;
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
    close_subject(&s);
    profile_counters_close(&counters);
    free(p.steps);
    free(p.spans);
    free(p.transfers);
    if (status != LATHE_OK) return tool_fail(&err);
    return good && fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}

/* ---- Command line ---- */

static bool parse_tables(profile_options *o, const char *text)
{
    memset(o->tables, 0, sizeof o->tables);
    for (;; text++) {
        size_t length = strcspn(text, ",");
        int key = 0;
        while (key < PROFILE_KEYS &&
               (strlen(key_names[key]) != length || strncmp(text, key_names[key], length) != 0))
            key++;
        if (key == PROFILE_KEYS) return false;
        o->tables[key] = true;
        text += length;
        if (!*text) return true;
    }
}

static bool parse_number(profile_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        long *to, least, most;
    } numbers[] = {{"-d", &o->depth, 0, 1 << 24},       {"-p", &o->prompt, 1, 1 << 24},
                   {"-c", &o->context, 2, 1 << 24},     {"-t", &o->threads, 1, 256},
                   {"-r", &o->runs, 1, BENCH_MAX_RUNS}, {"--top", &o->top, 1, 1 << 24}};
    bench_list list;
    if (!bench_parse_list(value, 0, &list) || list.n != 1) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0 && list.value[0] >= numbers[i].least &&
            list.value[0] <= numbers[i].most)
            return *numbers[i].to = list.value[0], true;
    return false;
}

static bool parse_option(profile_options *o, const char *name, const char *value)
{
    if (strcmp(name, "--weights") == 0) return tool_add_weights(&o->weights, value);
    if (strcmp(name, "--quantize") == 0) return tool_set_quantization(&o->weights, value);
    if (strcmp(name, "--activations") == 0) return tool_set_activations(&o->weights, value);
    if (strcmp(name, "--kv") == 0) return o->kv_type = value, true;
    if (strcmp(name, "--trace") == 0) return o->trace = value, true;
    if (strcmp(name, "--roofline") == 0) return o->roofline = value, true;
    if (strcmp(name, "--by") == 0) return parse_tables(o, value);
    return tool_set_placement(&o->placement, name, value) || parse_number(o, name, value);
}

int cmd_profile(int argc, char **argv)
{
    profile_options o = {
        .depth = 128, .runs = 7, .top = 20, .tables = {[PROFILE_KERNEL] = true, [PROFILE_MODULE] = true}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "--random-weights") == 0) o.weights.random = true;
        else if (argv[i][0] != '-' && !o.file) o.file = argv[i];
        else if (i + 1 < argc && argv[i][0] == '-' && parse_option(&o, argv[i], argv[i + 1])) i++;
        else return tool_usage("profile", "option %s %s", argv[i], i + 1 < argc ? argv[i + 1] : "");
    }
    return o.file ? run_profile(&o) : tool_usage("profile", "no file given");
}
