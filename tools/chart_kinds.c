/* The charts: which panels each has, and how a panel is written as a gnuplot script. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "tool_chart.h"

enum { PANEL_RATE, PANEL_TIME, PANEL_RATIO, PANEL_SPEEDUP, PANEL_SHARE, PANEL_END = -1 };

const chart_kind chart_kinds[] = {
    {"tokens-per-second", "Tokens per second", "row", false, {PANEL_RATE, PANEL_END}},
    {"step-time", "Time of a step", "row", false, {PANEL_TIME, PANEL_END}},
    {"dag-ratio", "DAG against executor", "series of both executors", false, {PANEL_RATIO, PANEL_END}},
    {"devices",
     "Device against device",
     "series of two devices or engines",
     false,
     {PANEL_RATE, PANEL_TIME, PANEL_SPEEDUP, PANEL_END}},
    {"share-of-limit", "Share of the limit", "known read bandwidth", false, {PANEL_SHARE, PANEL_END}},
    {"overview", "Decode", "row", true, {PANEL_RATE, PANEL_TIME, PANEL_END}},
    {"comparison",
     "Executor and DAG",
     "series of both executors",
     true,
     {PANEL_RATE, PANEL_TIME, PANEL_RATIO, PANEL_END}},
};
const int chart_kind_count = sizeof chart_kinds / sizeof *chart_kinds;

/* ---- Pairs of series ---- */

static const chart_point *point_at(const chart_series *s, double position)
{
    for (int i = 0; i < s->n; i++)
        if (s->points[i].position == position) return &s->points[i];
    return NULL;
}

/* The series that a panel compares this one with; NULL: none. */
typedef const chart_series *(*partner)(const chart_set *set, const chart_series *s);

/* For the DAG executor: the other one, all else the same. */
static const chart_series *other_executor(const chart_set *set, const chart_series *s)
{
    for (int i = 0; i < set->n && strcmp(s->executor, "dag") == 0; i++)
        if (set->series[i].group == s->group && strcmp(set->series[i].executor, "dag") != 0)
            return &set->series[i];
    return NULL;
}

/* The first series with the same executor and as many bits a weight, if that is another device's or engine's.
 */
static const chart_series *first_device(const chart_set *set, const chart_series *s)
{
    for (int i = 0; i < set->n; i++) {
        const chart_series *first = &set->series[i];
        bool same = strcmp(first->engine, s->engine) == 0 && strcmp(first->device, s->device) == 0;
        if (strcmp(first->executor, s->executor) == 0 &&
            chart_type_bits(first->type) == chart_type_bits(s->type))
            return same ? NULL : first;
    }
    return NULL;
}

static bool any_pair(const chart_set *set, partner find)
{
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i], *with = find(set, s);
        for (int k = 0; with && k < s->n; k++)
            if (point_at(with, s->points[k].position)) return true;
    }
    return false;
}

static bool any_limit(const chart_set *set)
{
    for (int i = 0; i < set->n; i++)
        if (set->series[i].n && set->series[i].points[0].limit > 0) return true;
    return false;
}

static bool any_point(const chart_set *set)
{
    for (int i = 0; i < set->n; i++)
        if (set->series[i].n) return true;
    return false;
}

bool chart_kind_applies(const chart_kind *kind, const chart_set *set)
{
    bool good = any_point(set);
    for (int i = 0; kind->panels[i] != PANEL_END; i++) {
        int panel = kind->panels[i];
        if (panel == PANEL_RATIO) good = good && any_pair(set, other_executor);
        if (panel == PANEL_SPEEDUP) good = good && any_pair(set, first_device);
        if (panel == PANEL_SHARE) good = good && any_limit(set);
    }
    return good;
}

/* ---- Data and axes ---- */

static void write_data(FILE *script, const chart_set *set)
{
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        fprintf(script, "$series%d << EOD\n", i);
        for (int k = 0; k < s->n; k++) {
            const chart_point *p = &s->points[k];
            fprintf(script, "%.0f %.6g %.6g %.6g %.6g %.6g\n", p->position, p->tokens_per_s, p->ms,
                    p->deviation, 100 * p->share, p->limit);
        }
        fprintf(script, "EOD\n");
    }
}

static void write_pairs(FILE *script, const chart_set *set, partner find, const char *name)
{
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i], *with = find(set, s);
        if (!with) continue;
        fprintf(script, "$%s%d << EOD\n", name, i);
        for (int k = 0; k < s->n; k++) {
            const chart_point *p = &s->points[k], *q = point_at(with, p->position);
            if (q) fprintf(script, "%.0f %.6g\n", p->position, p->tokens_per_s / q->tokens_per_s);
        }
        fprintf(script, "EOD\n");
    }
}

/* Ticks at powers of two, and at the last position where there is room for it. */
static void write_positions(FILE *script, const chart_set *set)
{
    double first = INFINITY, last = 1;
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        if (!s->n) continue;
        first = fmin(first, s->points[0].position);
        last = fmax(last, s->points[s->n - 1].position);
    }
    fprintf(script, "set logscale x 2\nset xlabel 'position in the cache'\nset xrange [%g:%g]\nset xtics (",
            first / 1.5, last * 1.5);
    double at = exp2(floor(log2(first)));
    for (; at * 1.5 < last; at *= 2) fprintf(script, "'%.0f' %.0f, ", at, at);
    fprintf(script, "'%.0f' %.0f)\n", last, last);
}

/* ---- Panels ---- */

/* Colours go by group; the second executor has open squares, which show around the filled circles of the
 * first. */
static void write_style(FILE *script, const chart_series *s)
{
    bool dag = strcmp(s->executor, "dag") == 0;
    fprintf(script, "linetype %d pointtype %d pointsize %g", s->group % CHART_COLORS + 1, dag ? 4 : 7,
            dag ? 1.1 : 0.75);
}

static void write_lines(FILE *script, const chart_set *set, const char *columns, bool legend)
{
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        if (!s->n) continue;
        fprintf(script, "$series%d using %s with linespoints ", i, columns);
        write_style(script, s);
        if (legend) fprintf(script, " title '%s', ", s->label);
        else fprintf(script, " notitle, ");
    }
}

/* Devices of one machine may have the same limit: it is drawn once. */
static bool is_new_limit(const chart_set *set, int i)
{
    const chart_series *s = &set->series[i];
    bool found = s->n && s->points[0].limit > 0;
    for (int k = 0; k < i && found; k++)
        found = !set->series[k].n || set->series[k].points[0].limit != s->points[0].limit;
    return found;
}

static void panel_rate(FILE *script, const chart_theme *theme, const chart_set *set, bool legend)
{
    fprintf(script, "set ylabel 'tokens per second'\nset yrange [0:*]\nplot ");
    write_lines(script, set, "1:2", legend);
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        if (is_new_limit(set, i))
            fprintf(script, "$series%d using 1:6 with lines linetype %d linewidth 1 dashtype 2 notitle, ", i,
                    s->group % CHART_COLORS + 1);
    }
    if (any_limit(set))
        fprintf(script,
                "NaN with lines linecolor rgb '%s' linewidth 1 dashtype 2 title 'limit by memory bandwidth'",
                theme->ink);
    fprintf(script, "\n");
}

static void panel_time(FILE *script, const chart_theme *theme, const chart_set *set, bool legend)
{
    (void)theme;
    fprintf(script, "set ylabel 'step, ms'\nset yrange [0:*]\nplot ");
    for (int i = 0; i < set->n; i++) {
        if (!set->series[i].n) continue;
        fprintf(script,
                "$series%d using 1:3:4 with yerrorbars linetype %d pointtype -1 linewidth 1 notitle, ", i,
                set->series[i].group % CHART_COLORS + 1);
    }
    write_lines(script, set, "1:3", legend);
    fprintf(script, "\n");
}

/* How many series have a partner. */
static int count_pairs(const chart_set *set, partner find)
{
    int n = 0;
    for (int i = 0; i < set->n; i++) n += find(set, &set->series[i]) != NULL;
    return n;
}

/* Bars that begin at 1; those of one position stand beside each other. */
static void panel_ratio(FILE *script, const chart_theme *theme, const chart_set *set, bool legend)
{
    (void)legend; /* it has its own */
    int pairs = count_pairs(set, other_executor), at = 0;
    double width = 0.7 / pairs;
    write_pairs(script, set, other_executor, "ratio");
    fprintf(script, "set ylabel 'DAG / executor, tokens per second'\n");
    fprintf(script, "set yrange [*<0.9:1.1<*]\nset style fill solid 0.85 noborder\nplot ");
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        if (!other_executor(set, s)) continue;
        double left = exp2(-0.35 + width * at), right = exp2(-0.35 + width * (at + 0.92));
        fprintf(script,
                "$ratio%d using 1:2:($1*%g):($1*%g):($2<1?$2:1):($2<1?1:$2) with boxxyerror linetype %d "
                "title '%s', ",
                i, left, right, s->group % CHART_COLORS + 1, s->pair);
        if (pairs == 1)
            fprintf(script,
                    "$ratio%d using 1:2:(sprintf('%%.2f',$2)) with labels offset 0,0.7 font ',10' "
                    "textcolor rgb '%s' notitle, ",
                    i, theme->ink);
        at++;
    }
    fprintf(script, "1 with lines linecolor rgb '%s' linewidth 1 dashtype 2 notitle\n", theme->ink);
}

static void panel_speedup(FILE *script, const chart_theme *theme, const chart_set *set, bool legend)
{
    (void)legend; /* it has its own */
    write_pairs(script, set, first_device, "speedup");
    fprintf(script, "set ylabel 'times as fast'\nset yrange [0:*]\nplot ");
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i], *first = first_device(set, s);
        if (!first) continue;
        fprintf(script, "$speedup%d using 1:2 with linespoints ", i);
        write_style(script, s);
        fprintf(script, " title '%s over %s', ", s->label, first->label);
    }
    fprintf(script, "1 with lines linecolor rgb '%s' linewidth 1 dashtype 2 notitle\n", theme->ink);
}

static void panel_share(FILE *script, const chart_theme *theme, const chart_set *set, bool legend)
{
    (void)legend; /* it has its own */
    fprintf(script, "set ylabel '%% of the memory bandwidth'\nset yrange [0:105]\nplot ");
    for (int i = 0; i < set->n; i++) {
        const chart_series *s = &set->series[i];
        if (!s->n || !(s->points[0].limit > 0)) continue;
        fprintf(script, "$series%d using 1:5 with linespoints ", i);
        write_style(script, s);
        fprintf(script, " title '%s', ", s->label);
    }
    fprintf(script, "100 with lines linecolor rgb '%s' linewidth 1 dashtype 2 notitle\n", theme->ink);
}

/* `legend`: no panel above it has the same. */
static void (*const panels[])(FILE *, const chart_theme *, const chart_set *, bool legend) = {
    [PANEL_RATE] = panel_rate,       [PANEL_TIME] = panel_time,   [PANEL_RATIO] = panel_ratio,
    [PANEL_SPEEDUP] = panel_speedup, [PANEL_SHARE] = panel_share,
};

/* ---- Charts ---- */

typedef struct chart {
    const chart_kind *kind;
    const chart_set *set;
} chart;

static int panel_count(const chart_kind *kind)
{
    int n = 0;
    while (kind->panels[n] != PANEL_END) n++;
    return n;
}

static void write_chart(FILE *script, const chart_theme *theme, const void *context)
{
    const chart *c = context;
    write_data(script, c->set);
    write_positions(script, c->set);
    fprintf(script, "set xlabel textcolor rgb '%s'\nset ylabel textcolor rgb '%s'\n", theme->ink, theme->ink);
    fprintf(script, "set samples 2\nset key above center horizontal Left reverse samplen 2.5 noenhanced\n");
    fprintf(script, "set multiplot layout %d,1 title \"{/:Bold %s}\\n\" textcolor rgb '%s'\n",
            panel_count(c->kind), c->kind->title, theme->ink);
    for (int i = 0; c->kind->panels[i] != PANEL_END; i++)
        panels[c->kind->panels[i]](script, theme, c->set, i == 0);
}

bool chart_kind_draw(const chart_kind *kind, const chart_set *set, const char *stem)
{
    enum { PANEL_HEIGHT = 400 };
    chart c = {kind, set};
    return chart_draw(stem, PANEL_HEIGHT * panel_count(kind), write_chart, &c);
}

const chart_kind *chart_kind_named(const char *name)
{
    for (int i = 0; i < chart_kind_count; i++)
        if (strcmp(chart_kinds[i].name, name) == 0) return &chart_kinds[i];
    return NULL;
}

bool chart_draw_all(const chart_set *set, const char *folder)
{
    char stem[TOOL_PATH_BYTES];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return fprintf(stderr, "lathe: %s: %s\n", folder, strerror(errno)), false;
    for (int i = 0; i < chart_kind_count; i++) {
        const chart_kind *kind = &chart_kinds[i];
        if (kind->by_name) continue;
        if (!chart_kind_applies(kind, set)) {
            fprintf(stderr, "%s: left out, there is no %s\n", kind->name, kind->missing);
            continue;
        }
        snprintf(stem, sizeof stem, "%s/%s", folder, kind->name);
        if (!chart_kind_draw(kind, set, stem)) return false;
        printf("%s.svg\n", stem);
    }
    return true;
}
