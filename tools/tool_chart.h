/* Charts of measured series. Data come from documents (docs/benchmark-json.md) and from what llama-bench -o
 * json writes; gnuplot draws. */
#ifndef LATHE_TOOL_CHART_H
#define LATHE_TOOL_CHART_H

#include <jansson.h>
#include <stdio.h>

#include "tool.h"

enum { CHART_MAX_SERIES = 48, CHART_MAX_FILES = 64, CHART_LABEL = 160 };

typedef struct chart_point {
    double position, ms, deviation, tokens_per_s;
    double share, limit; /* of the read bandwidth; tokens/s that it allows; 0: unknown */
} chart_point;

typedef struct chart_series {
    const char *engine, *device, *executor, *type; /* type: of weights */
    char label[CHART_LABEL];                       /* what tells it from the others of its set */
    char pair[CHART_LABEL];                        /* device and type */
    chart_point *points;                           /* [n], by position */
    int n, group; /* group: series that differ in the executor alone have one */
} chart_series;

typedef struct chart_set {
    chart_series series[CHART_MAX_SERIES];
    json_t *files[CHART_MAX_FILES]; /* texts of series lie in them */
    int n, n_files, n_groups;
} chart_set;

/* Adds what a file has; false: said on standard error why not. */
bool chart_set_read(chart_set *set, const char *path);
/* The same of a file's contents; keeps a reference. `path` is for messages. */
bool chart_set_add(chart_set *set, json_t *root, const char *path);
/* To be called when all files are read: labels and groups. */
void chart_set_finish(chart_set *set);
void chart_set_free(chart_set *set);

/* "bf16" for "bfloat16", and so on; other names stay. */
const char *chart_short_type(const char *type);

/* Bits of a value, by the first number in a type's name: 8 for int8 and Q8_0. */
int chart_type_bits(const char *type);

/* ---- gnuplot (gnuplot.c) ---- */

typedef struct chart_theme {
    const char *suffix; /* of files' names */
    const char *background, *ink, *grid;
    const char *colors[7]; /* Okabe and Ito's, as far as they can be told from the background */
} chart_theme;

enum { CHART_COLORS = 7, CHART_WIDTH = 900 };

/* Writes the part of a script that depends on what is drawn; `context` is the caller's. */
typedef void (*chart_script)(FILE *script, const chart_theme *theme, const void *context);

/* Draws a picture of CHART_WIDTH times `height` in every theme and form: STEM.svg, STEM.png (twice as large),
 * STEM-dark.svg, STEM-dark.png. False: said on standard error why not. */
bool chart_draw(const char *stem, int height, chart_script body, const void *context);

/* ---- Kinds of charts of a set (chart_kinds.c) ---- */

typedef struct chart_kind {
    const char *name, *title; /* name: of files */
    const char *missing;      /* what a set lacks that it cannot be drawn of */
    bool by_name;             /* repeats others: drawn only when it is asked for */
    int panels[4];            /* from top to bottom; -1 ends them */
} chart_kind;

extern const chart_kind chart_kinds[];
extern const int chart_kind_count;

const chart_kind *chart_kind_named(const char *name);
bool chart_kind_applies(const chart_kind *kind, const chart_set *set);
bool chart_kind_draw(const chart_kind *kind, const chart_set *set, const char *stem);

/* Draws those that apply into a folder, which is made if need be, and tells of the others on standard error.
 */
bool chart_draw_all(const chart_set *set, const char *folder);

#endif
