/* What becomes of measured samples: statistics, and tables of them. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool_bench.h"

/* ---- Statistics ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, long n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_deviation(const double *values, long n)
{
    double mean = 0, squares = 0;
    for (long i = 0; i < n; i++) mean += values[i] / (double)n;
    for (long i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
    return n < 2 ? 0 : sqrt(squares / (double)(n - 1));
}

void bench_finish(bench_row *row, const lathe_limits *limits)
{
    double sorted[BENCH_MAX_RUNS];
    memcpy(sorted, row->samples, (size_t)row->n * sizeof *sorted);
    row->ms = bench_median(sorted, row->n);
    row->min_ms = sorted[0];
    for (long i = 0; i < row->n; i++) sorted[i] = fabs(row->samples[i] - row->ms);
    row->spread = bench_median(sorted, row->n) / row->ms;
    row->tokens_per_s = (double)row->tokens * 1e3 / row->ms;
    row->bandwidth_gb_s = limits->read_bytes_per_second / 1e9;
    row->peak_gflop_s = limits->flops_per_second / 1e9;
    row->share_of_bandwidth = row->bytes * 1e3 / row->ms / limits->read_bytes_per_second;
    row->share_of_peak = row->flops * 1e3 / row->ms / limits->flops_per_second;
    row->threads = limits->threads;
    row->isa = limits->level;
    row->device = "cpu";
    row->version = LATHE_VERSION;
}

/* ---- Columns ---- */

typedef enum column_kind { TEXT, WHOLE, REAL, SAMPLES } column_kind;

enum { IN_TABLE = 1, OF_RUNS = 2, OF_STARTUP = 4, OF_EXECUTORS = 8, OF_PAIRS = 16 };

static const struct column {
    const char *name;
    column_kind kind;
    size_t offset;
    int flags; /* IN_TABLE: in Markdown too; the others: of one kind of row alone */
} columns[] = {
#define COLUMN(field, kind, flags)                      \
    {                                                   \
#field, kind, offsetof(bench_row, field), flags \
    }
    COLUMN(test, TEXT, IN_TABLE),
    COLUMN(state, TEXT, IN_TABLE | OF_STARTUP),
    COLUMN(tokens, WHOLE, IN_TABLE | OF_RUNS),
    COLUMN(depth, WHOLE, IN_TABLE | OF_RUNS),
    COLUMN(executor, TEXT, IN_TABLE | OF_RUNS | OF_EXECUTORS),
    COLUMN(load_ms, REAL, IN_TABLE | OF_STARTUP),
    COLUMN(compile_ms, REAL, IN_TABLE | OF_STARTUP),
    COLUMN(pack_ms, REAL, IN_TABLE | OF_STARTUP),
    COLUMN(first_token_ms, REAL, IN_TABLE | OF_STARTUP),
    COLUMN(ms, REAL, IN_TABLE | OF_RUNS),
    COLUMN(spread, REAL, IN_TABLE | OF_RUNS),
    COLUMN(min_ms, REAL, OF_RUNS),
    {"samples_ms", SAMPLES, 0, OF_RUNS},
    COLUMN(speedup, REAL, OF_RUNS | OF_PAIRS),
    COLUMN(pair_speedup, REAL, OF_RUNS | OF_PAIRS),
    COLUMN(tokens_per_s, REAL, IN_TABLE | OF_RUNS),
    COLUMN(bytes, REAL, OF_RUNS),
    COLUMN(flops, REAL, OF_RUNS),
    COLUMN(bandwidth_gb_s, REAL, OF_RUNS),
    COLUMN(peak_gflop_s, REAL, OF_RUNS),
    COLUMN(share_of_bandwidth, REAL, IN_TABLE | OF_RUNS),
    COLUMN(share_of_peak, REAL, IN_TABLE | OF_RUNS),
    COLUMN(threads, WHOLE, IN_TABLE),
    COLUMN(isa, TEXT, 0),
    COLUMN(device, TEXT, 0),
    COLUMN(weight_type, TEXT, IN_TABLE),
    COLUMN(kv_type, TEXT, IN_TABLE),
    COLUMN(activations, TEXT, IN_TABLE),
    COLUMN(rss_mb, REAL, IN_TABLE),
    COLUMN(version, TEXT, 0),
#undef COLUMN
};

enum { COLUMNS = sizeof columns / sizeof *columns };

static bool is_startup(const bench_row *row) { return strcmp(row->test, "startup") == 0; }

static bool has(const bench_row *row, const struct column *column)
{
    int never = (is_startup(row) ? OF_RUNS : OF_STARTUP) | (row->executor ? 0 : OF_EXECUTORS) |
                (row->against ? 0 : OF_PAIRS);
    return !(column->flags & never);
}

static void print_samples(const bench_row *row)
{
    for (long i = 0; i < row->n; i++) printf("%s%.6g", i ? ", " : "[", row->samples[i]);
    printf("]");
}

/* `precise`: all digits that count, for programs. */
static void print_value(const bench_row *row, const struct column *column, const char *quote, bool precise)
{
    const char *at = (const char *)row + column->offset;
    switch (column->kind) {
    case TEXT: printf("%s%s%s", quote, *(const char *const *)(const void *)at, quote); break;
    case WHOLE: printf("%ld", *(const long *)(const void *)at); break;
    case REAL: printf(precise ? "%.10g" : "%.3f", *(const double *)(const void *)at); break;
    case SAMPLES: print_samples(row); break;
    }
}

static void print_json(const bench_row *rows, int n)
{
    printf("[");
    for (int i = 0; i < n; i++) {
        const char *before = "";
        printf("%s\n  {", i ? "," : "");
        for (int k = 0; k < COLUMNS; k++) {
            if (!has(&rows[i], &columns[k])) continue;
            printf("%s\n    \"%s\": ", before, columns[k].name);
            print_value(&rows[i], &columns[k], "\"", true);
            before = ",";
        }
        printf("\n  }");
    }
    printf("\n]\n");
}

/* All rows have all columns; those that mean nothing are empty. Samples have no place in it. */
static void print_csv(const bench_row *rows, int n)
{
    for (int k = 0; k < COLUMNS; k++)
        if (columns[k].kind != SAMPLES) printf("%s%s", k ? "," : "", columns[k].name);
    printf("\n");
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            if (columns[k].kind == SAMPLES) continue;
            if (k) printf(",");
            if (has(&rows[i], &columns[k])) print_value(&rows[i], &columns[k], "", true);
        }
        printf("\n");
    }
}

/* A table of the rows of one kind. */
static void print_table(const bench_row *rows, int n, bool startup)
{
    int first = 0;
    while (first < n && is_startup(&rows[first]) != startup) first++;
    if (first == n) return;
    for (int line = -2; line < n; line++) {
        if (line >= 0 && is_startup(&rows[line]) != startup) continue;
        for (int k = 0; k < COLUMNS; k++) {
            if (!(columns[k].flags & IN_TABLE) || !has(&rows[first], &columns[k])) continue;
            printf("| ");
            if (line == -2) printf("%s", columns[k].name);
            else if (line == -1) printf("---");
            else print_value(&rows[line], &columns[k], "", false);
            printf(" ");
        }
        printf("|\n");
    }
    printf("\n");
}

void bench_print(const bench_row *rows, int n, bench_form form)
{
    switch (form) {
    case BENCH_JSON: print_json(rows, n); return;
    case BENCH_CSV: print_csv(rows, n); return;
    case BENCH_MD: break;
    }
    print_table(rows, n, true);
    print_table(rows, n, false);
    for (const bench_row *row = rows; row < rows + n; row++)
        if (row->against)
            printf("%s of %ld at depth %ld: %s is %.4fx as fast as %s by the medians, %.4fx by %ld pairs of "
                   "steps\n",
                   row->test, row->tokens, row->depth, row->executor, row->speedup, row->against,
                   row->pair_speedup, row->pairs);
    if (!n) return;
    printf("limits: %.1f GB/s read, %.1f GFLOP/s of float32 multiply-adds, %s, %ld threads\n",
           rows[n - 1].bandwidth_gb_s, rows[n - 1].peak_gflop_s, rows[n - 1].isa, rows[n - 1].threads);
}
