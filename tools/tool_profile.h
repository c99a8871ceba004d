/* lathe profile: what is gathered of a model's steps, and what is made of it. */
#ifndef LATHE_TOOL_PROFILE_H
#define LATHE_TOOL_PROFILE_H

#include <stdio.h>

#include "tool_bench.h"

/* One step, or those that ran as one with it. */
typedef struct profile_step {
    lathe_step info;
    size_t index;                  /* among the program's steps */
    char kernel[128], module[256]; /* labels of groups; numbers in a module's path are "*" */
    double bytes, flops;           /* of all that ran as one */
    double seconds;                /* in the fastest run */
    double begin, end;             /* in that run */
} profile_step;

enum { PROFILE_MAX_SPANS = 1 << 16 };

typedef struct profile {
    profile_step *steps; /* [n] */
    size_t n;
    double plain_seconds;   /* of the fastest run that was not profiled */
    double profile_seconds; /* sum of the steps and transfers of the fastest that was */
    lathe_limits limits;
    lathe_span *spans; /* [n_spans], of that run */
    size_t n_spans;
    lathe_transfer *transfers; /* [n_transfers], of that run */
    size_t n_transfers;
} profile;

/* What steps are added up by. */
typedef enum profile_key { PROFILE_KERNEL, PROFILE_NODE, PROFILE_MODULE } profile_key;

typedef struct profile_group {
    const char *name;
    long steps;
    double seconds, bytes, flops;
} profile_group;

/* The groups, the longest first, to be freed; transfers are one of them. NULL: out of memory. */
profile_group *profile_groups(const profile *p, profile_key key, size_t *n);

/* The part of the roof that a group reaches: the time that its bytes or its products need at least, over its
 * own. */
double profile_share_of_roof(const profile_group *group, const lathe_limits *limits);

/* Counts of the processor, over all threads (profile_counters.c). */
typedef struct profile_counters {
    int fd[3];
} profile_counters;

/* Before the threads are started that shall be counted. Where the system counts nothing, all the calls do
 * nothing. */
void profile_counters_open(profile_counters *counters);
void profile_counters_enable(profile_counters *counters, bool on);
/* Prints what was counted, for `runs` runs. */
void profile_counters_print(const profile_counters *counters, FILE *to, long runs);
void profile_counters_close(profile_counters *counters);

/* A trace for Chrome's and Perfetto's viewers: the steps of each device in one row, what was carried to and
 * from it and what the threads did in others. False: said on standard error why not. */
bool profile_write_trace(const profile *p, const char *path);

/* A chart of groups under the roofline, as chart_draw makes it. */
bool profile_draw_roofline(const profile *p, const char *stem);

#endif
