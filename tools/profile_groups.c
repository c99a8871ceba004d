/* What a profile comes to: groups of steps, a trace, a roofline. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool_chart.h"
#include "tool_profile.h"

/* ---- Groups ---- */

static const char *key_of(const profile_step *step, profile_key key)
{
    switch (key) {
    case PROFILE_KERNEL: return step->kernel;
    case PROFILE_NODE: return *step->info.node ? step->info.node : "(none)";
    default: return *step->module ? step->module : "(none)";
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const profile_group *)a)->name, ((const profile_group *)b)->name);
}

static int by_time(const void *a, const void *b)
{
    double x = ((const profile_group *)a)->seconds, y = ((const profile_group *)b)->seconds;
    int order = (x < y) - (x > y);
    return order ? order : by_name(a, b);
}

/* What was carried, as one group; bytes are those that were copied. */
static profile_group add_transfers(const profile *p)
{
    profile_group all = {.name = "transfers", .steps = (long)p->n_transfers};
    for (size_t i = 0; i < p->n_transfers; i++) {
        all.seconds += p->transfers[i].end - p->transfers[i].begin;
        if (!p->transfers[i].shared) all.bytes += p->transfers[i].bytes;
    }
    return all;
}

profile_group *profile_groups(const profile *p, profile_key key, size_t *n)
{
    profile_group *groups = calloc(p->n + 2, sizeof *groups);
    size_t last = 0;
    if (!groups) return NULL;
    for (size_t i = 0; i < p->n; i++)
        groups[i] = (profile_group){key_of(&p->steps[i], key), 1, p->steps[i].seconds, p->steps[i].bytes,
                                    p->steps[i].flops};
    qsort(groups, p->n, sizeof *groups, by_name);
    for (size_t i = 1; i < p->n; i++) {
        if (strcmp(groups[last].name, groups[i].name) != 0) {
            groups[++last] = groups[i];
            continue;
        }
        groups[last].steps++;
        groups[last].seconds += groups[i].seconds;
        groups[last].bytes += groups[i].bytes;
        groups[last].flops += groups[i].flops;
    }
    *n = p->n ? last + 1 : 0;
    if (p->n_transfers) groups[(*n)++] = add_transfers(p);
    qsort(groups, *n, sizeof *groups, by_time);
    return groups;
}

double profile_share_of_roof(const profile_group *group, const lathe_limits *limits)
{
    double least =
        fmax(group->bytes / limits->read_bytes_per_second, group->flops / limits->flops_per_second);
    return group->seconds > 0 ? least / group->seconds : 0;
}

/* ---- Trace ---- */

/* Rows of a trace: a device's steps, then the threads, then other devices, and what is carried to and from
 * each. */
enum { STEP_ROW, THREAD_ROW, DEVICE_ROW = 1000, TRANSFER_ROW = 2000, MAX_DEVICE_ROWS = 8 };

static json_t *make_event(const char *name, int row, double begin, double end)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:f, s:f}", "name", name, "ph", "X", "pid", 1, "tid", row, "ts",
                     begin * 1e6, "dur", (end - begin) * 1e6);
}

static void name_row(json_t *events, int row, const char *name)
{
    json_array_append_new(events, json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", "thread_name", "ph", "M",
                                            "pid", 1, "tid", row, "args", "name", name));
}

/* The step that was running then. */
static const char *kernel_at(const profile *p, double seconds)
{
    for (size_t i = 0; i < p->n; i++)
        if (seconds >= p->steps[i].begin && seconds < p->steps[i].end) return p->steps[i].kernel;
    return "work";
}

/* The number of a device. `devices`: those met so far; *added: it is new. */
static int number_of(const char *devices[MAX_DEVICE_ROWS], const char *device, bool *added)
{
    int i = 0;
    while (i < MAX_DEVICE_ROWS - 1 && devices[i] && strcmp(devices[i], device) != 0) i++;
    *added = !devices[i];
    if (*added) devices[i] = device;
    return i;
}

/* The row of a step's device, named when it is new. */
static int row_of(json_t *events, const char *devices[MAX_DEVICE_ROWS], const char *device)
{
    char name[64];
    bool added;
    int i = number_of(devices, device, &added), row = i ? DEVICE_ROW + i : STEP_ROW;
    snprintf(name, sizeof name, "steps on %s", device);
    if (added) name_row(events, row, name);
    return row;
}

/* That of what is carried to and from it. */
static int transfer_row_of(json_t *events, const char *devices[MAX_DEVICE_ROWS], const char *device)
{
    char name[64];
    bool added;
    int row = TRANSFER_ROW + number_of(devices, device, &added);
    snprintf(name, sizeof name, "transfers of %s", device);
    if (added) name_row(events, row, name);
    return row;
}

static bool is_host(const char *device) { return strcmp(device, "cpu") == 0 || strcmp(device, "ref") == 0; }

static void add_transfer(json_t *events, const lathe_transfer *t, const char *devices[MAX_DEVICE_ROWS])
{
    char name[300], direction[64];
    const char *device = is_host(t->to) ? t->from : t->to;
    double seconds = t->end - t->begin;
    snprintf(direction, sizeof direction, "%s -> %s", t->from, t->to);
    snprintf(name, sizeof name, "%s: %s", direction, *t->value ? t->value : "(none)");
    json_t *event = make_event(name, transfer_row_of(events, devices, device), t->begin, t->end);
    json_t *args = json_pack("{s:s, s:f, s:s, s:b}", "value", t->value, "bytes", t->bytes, "direction",
                             direction, "shared", t->shared);
    if (!t->shared && seconds > 0) json_object_set_new(args, "gb_per_s", json_real(t->bytes / seconds / 1e9));
    json_object_set_new(event, "args", args);
    json_array_append_new(events, event);
}

static void add_step(json_t *events, const profile_step *step, int row)
{
    json_t *event = make_event(step->kernel, row, step->begin, step->end);
    json_object_set_new(event, "args",
                        json_pack("{s:s, s:s, s:s, s:f, s:f}", "node", step->info.node, "target",
                                  step->info.target, "module", step->info.module, "bytes", step->bytes,
                                  "flops", step->flops));
    json_array_append_new(events, event);
}

bool profile_write_trace(const profile *p, const char *path)
{
    char name[64];
    int threads = 0;
    json_t *events = json_array();
    const char *devices[MAX_DEVICE_ROWS] = {0}, *carriers[MAX_DEVICE_ROWS] = {0};
    for (size_t i = 0; i < p->n; i++)
        add_step(events, &p->steps[i], row_of(events, devices, p->steps[i].info.device));
    for (size_t i = 0; i < p->n_transfers; i++) add_transfer(events, &p->transfers[i], carriers);
    for (size_t i = 0; i < p->n_spans; i++) {
        const lathe_span *span = &p->spans[i];
        if (span->thread >= threads) threads = span->thread + 1;
        json_array_append_new(
            events, make_event(kernel_at(p, span->begin), THREAD_ROW + span->thread, span->begin, span->end));
    }
    for (int i = 0; i < threads; i++) {
        snprintf(name, sizeof name, "thread %d", i);
        name_row(events, THREAD_ROW + i, name);
    }
    json_t *root = json_pack("{s:s, s:o}", "displayTimeUnit", "ms", "traceEvents", events);
    bool good = root && json_dump_file(root, path, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
    if (!good) fprintf(stderr, "lathe profile: cannot write %s: %s\n", path, strerror(errno));
    json_decref(root);
    return good;
}

/* ---- Roofline ---- */

typedef struct roofline {
    const lathe_limits *limits;
    const profile_group *groups;
    size_t n; /* of the groups: those that multiply */
} roofline;

/* Both axes around the points and the ridge, where the roof's slope ends. */
static void write_ranges(FILE *script, const roofline *r, double bandwidth, double peak)
{
    double left = peak / bandwidth, right = left, low = peak;
    for (size_t i = 0; i < r->n; i++) {
        left = fmin(left, r->groups[i].flops / r->groups[i].bytes);
        right = fmax(right, r->groups[i].flops / r->groups[i].bytes);
        low = fmin(low, r->groups[i].flops / r->groups[i].seconds / 1e9);
    }
    left /= 4;
    fprintf(script, "set xrange [%g:%g]\nset yrange [%g:%g]\n", left, right * 4,
            fmin(low / 2, left * bandwidth), fmax(peak, low) * 2);
}

static void write_roofline(FILE *script, const chart_theme *theme, const void *context)
{
    const roofline *r = context;
    double bandwidth = r->limits->read_bytes_per_second / 1e9, peak = r->limits->flops_per_second / 1e9;
    fprintf(script, "set logscale xy\nset xlabel 'operations per byte' textcolor rgb '%s'\n", theme->ink);
    fprintf(script, "set ylabel 'GFLOP/s' textcolor rgb '%s'\n", theme->ink);
    fprintf(script, "set title '{/:Bold Roofline}: %.1f GB/s read, %.0f GFLOP/s' textcolor rgb '%s'\n",
            bandwidth, peak, theme->ink);
    fprintf(script,
            "set key outside right top vertical Left reverse noenhanced samplen 1\nset samples 1000\n");
    for (size_t i = 0; i < r->n; i++)
        fprintf(script, "$group%zu << EOD\n%.6g %.6g\nEOD\n", i, r->groups[i].flops / r->groups[i].bytes,
                r->groups[i].flops / r->groups[i].seconds / 1e9);
    write_ranges(script, r, bandwidth, peak);
    fprintf(script, "plot (x*%g<%g?x*%g:%g) with lines linecolor rgb '%s' linewidth 1.5 title 'the machine'",
            bandwidth, peak, bandwidth, peak, theme->ink);
    for (size_t i = 0; i < r->n; i++)
        fprintf(script,
                ", $group%zu using 1:2 with points linetype %zu pointtype %zu pointsize 1.4 title '%s'", i,
                i % CHART_COLORS + 1, i % 5 * 2 + 5, r->groups[i].name);
    fprintf(script, "\n");
}

bool profile_draw_roofline(const profile *p, const char *stem)
{
    size_t n, used = 0;
    profile_group *groups = profile_groups(p, PROFILE_KERNEL, &n);
    if (!groups) return fprintf(stderr, "lathe profile: out of memory\n"), false;
    for (size_t i = 0; i < n; i++)
        if (groups[i].flops > 0 && groups[i].bytes > 0 && groups[i].seconds > 0) groups[used++] = groups[i];
    roofline r = {&p->limits, groups, used};
    bool good = used > 0 && chart_draw(stem, 480, write_roofline, &r);
    if (!used) fprintf(stderr, "lathe profile: nothing multiplies: there is no roofline\n");
    free(groups);
    return good;
}
