/* The parts of lathe bench: lists of sizes, rows of results, and how both are written. */
#ifndef LATHE_TOOL_BENCH_H
#define LATHE_TOOL_BENCH_H

#include <jansson.h>
#include <lathe/llm.h>

#include "tool.h"

enum { BENCH_MAX_RUNS = 100, BENCH_MAX_ROWS = 512 };

/* One measured test. Texts are constants. */
typedef struct bench_row {
    const char *test, *state; /* "prefill", "decode", "latency" or "startup"; of startup: "cold" or "warm" */
    long tokens, depth, threads;
    double samples[BENCH_MAX_RUNS]; /* [n], in the order they were taken */
    long n;
    double bytes, flops; /* of one sample */
    const char *weight_type, *kv_type, *activations;
    double load_ms, compile_ms, pack_ms, first_token_ms; /* of startup; the last one contains the others */
    double rss_mb;
    const char *executor; /* NULL: none was asked for */
    const char *against;  /* the executor of the row before, which it took turns with; NULL: none */
    double pair_speedup;  /* against it: the median over `pairs` pairs of steps */
    long pairs;
    /* Made of the above by bench_finish. */
    double ms, min_ms, spread, tokens_per_s, bandwidth_gb_s, peak_gflop_s, share_of_bandwidth, share_of_peak;
    double speedup; /* against that row, by the medians */
    const char *isa, *device, *version;
} bench_row;

/* Median, least and spread (half the samples lie within so much of the median) of the samples, and what
 * follows from them and the limits. */
void bench_finish(bench_row *row, const lathe_limits *limits);

typedef enum bench_form { BENCH_MD, BENCH_JSON, BENCH_CSV } bench_form;

void bench_print(const bench_row *rows, int n, bench_form form);

/* Of n values; sorts them. */
double bench_median(double *values, long n);
double bench_deviation(const double *values, long n); /* standard, of a sample; 0 for less than two values */

/* ---- The machine (bench_machine.c) ---- */

double bench_seconds(void); /* monotonic */

/* The most memory that this process had since the last reset, where the system can reset it; else since the
 * start. */
double bench_peak_memory_mb(void);
void bench_reset_peak_memory(void);

/* The commit that this program was built from, with "-dirty" when files differed; "unknown". */
const char *bench_commit(void);

enum { BENCH_DATE_BYTES = 32 };
void bench_date(char out[BENCH_DATE_BYTES]); /* now, in UTC: 2026-01-31T12:00:00Z */

/* Operating system, processor and memory, as the field `environment` of a document has them. */
json_t *bench_environment(void);

/* ---- Subjects (bench_subject.c) ---- */

/* A generator of a language model, or a session of any other; all zero: closed. */
typedef struct bench_subject {
    lathe_generator *generator;
    lathe_session *session;
} bench_subject;

lathe_status bench_subject_open(lathe_model *model, const lathe_generator_options *how, bench_subject *out,
                                lathe_error *err) LATHE_MUST_USE;
void bench_subject_close(bench_subject *s);

/* `count` tokens behind `at` positions; of a session, a run. */
lathe_status bench_subject_prepare(const bench_subject *s, long at, long count, lathe_preparation *spent,
                                   lathe_error *err) LATHE_MUST_USE;
lathe_status bench_subject_run(const bench_subject *s, long at, long count, lathe_generator_cost *out,
                               lathe_error *err) LATHE_MUST_USE;

/* Commands of their own under lathe bench. */
int cmd_bench_decode(int argc, char **argv);
int cmd_bench_plot(int argc, char **argv);
int cmd_bench_report(int argc, char **argv);

#endif
