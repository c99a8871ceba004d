/* A fixed pool of threads. Work is split by position, so results do not depend on the number of threads. */
#ifndef LT_THREADS_H
#define LT_THREADS_H

#include "base/error.h"

typedef struct lt_pool lt_pool;

/* Processors this process may use: the affinity mask, limited by the cgroup's CPU quota. At least 1. */
int lt_pool_default_threads(void);

/* A pool of `threads` (the caller counts as one of them; at least 1). */
lathe_status lt_pool_create(int threads, lt_pool **out, lathe_error *err) LT_MUST_USE;
void lt_pool_destroy(lt_pool *pool); /* NULL is allowed */
int lt_pool_threads(const lt_pool *pool);

/* Calls work(context, begin, end) on parts of 0 … count, multiples of `grain` but for the last, on all
 * threads, and returns when all are done. Parts are disjoint and cover the range. NULL pool: one call for
 * everything. */
typedef void (*lt_work)(void *context, int64_t begin, int64_t end);
void lt_pool_run(lt_pool *pool, int64_t count, int64_t grain, lt_work work, void *context);

/* When a thread (0: the caller) worked on a part of a job, for profiles. */
typedef struct lt_pool_span {
    int thread;
    double begin, end; /* of lt_os_seconds */
} lt_pool_span;

/* From now on the spans of all parts are written there, as long as there is room; NULL: no longer. Not during
 * a job.
 */
void lt_pool_trace(lt_pool *pool, lt_pool_span *spans, uint32_t room);
uint32_t lt_pool_traced(const lt_pool *pool); /* how many were written since */

#endif
