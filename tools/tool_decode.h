/* lathe bench decode: what is measured, and the document that the results are written to
 * (docs/benchmark-json.md). */
#ifndef LATHE_TOOL_DECODE_H
#define LATHE_TOOL_DECODE_H

#include <jansson.h>
#include <lathe/llm.h>

#include "tool_bench.h"

enum { DECODE_MAX_DEVICES = 8, DECODE_EXECUTORS = 2 };

typedef struct decode_options {
    const char *file, *device, *kv_type, *json, *chart, *comparison_chart, *chart_dir;
    tool_weights weights;
    lathe_device_entry devices[DECODE_MAX_DEVICES]; /* [n_devices] */
    int n_devices;
    tool_words executors, quantizations;
    tool_list positions; /* empty: 1, 2, 4 … and the last that the cache has */
    long cache, prefill, prompt, repeats, warmup;
    int threads;
    uint64_t seed;
    int mode;
    bool resume;
} decode_options;

/* What a series is besides its rows. */
typedef struct decode_facts {
    const lathe_device_entry *device;
    const char *executor, *quantize;
    double load_seconds, compile_seconds, first_step_ms;
    double ttft_ms[BENCH_MAX_RUNS]; /* [repeats] */
    lathe_limits limits;            /* of the host */
    lathe_generator_cost cost;      /* of one step */
} decode_facts;

/* One position. */
typedef struct decode_row {
    long position, index; /* index: of the cache's entry that the step writes */
    double ms[BENCH_MAX_RUNS];
    lathe_generator_cost cost;
} decode_row;

/* A new document, or, to go on with, what the file of an earlier run with the same options has. NULL: said on
 * standard error why not. */
json_t *decode_doc_open(const decode_options *options);

/* Writes the file anew under another name and renames it, so that there is a whole one at any time. */
bool decode_doc_save(const json_t *doc, const char *path);

/* The series of that device, executor and quantisation; NULL when there is none yet. */
json_t *decode_doc_series(const json_t *doc, const char *device, const char *executor, const char *quantize);
json_t *decode_doc_add_series(json_t *doc, const decode_options *options, const decode_facts *facts);

bool decode_doc_has_row(const json_t *doc, const json_t *series, long position);
void decode_doc_add_row(json_t *doc, const decode_options *options, const json_t *series,
                        const decode_row *row);

#endif
