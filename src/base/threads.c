/* Thread pool: workers spin for a moment between jobs, then sleep. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/os.h"

enum {
    MAX_THREADS = 256,
    SPINS_PER_LOOK = 64,   /* looks at the clock are not free */
    SPIN_ROUNDS = 20000,   /* of the caller, before it lets others run */
    UNITS_PER_THREAD = 32, /* that a job is cut into: enough to even out */
    TAKEN_PART = 3,        /* of what is left in a queue, a thread takes one in so many units at a time */
    STACK_BYTES = 1 << 20, /* of a worker */
    WORK_BYTES = 192 << 10 /* of stack that work may use: small tiles of many operands */
};

_Static_assert(MAX_THREADS *UNITS_PER_THREAD <= UINT16_MAX, "a queue counts units in 16 bits");

/* How long a worker waits awake. Longer than the scheduler's tick: a worker that is woken on the caller's
 * processor must be seen beside it by the tick to be moved to an idle one; one that sleeps again before would
 * never take part. */
#define SPIN_SECONDS 8e-3

/* The units of a job that are meant for one thread and not yet taken: number of the job, first unit, unit
 * behind the last, in one word, so that a late thread never takes a unit of one job with the particulars of
 * another. */
typedef _Atomic uint64_t lt_queue;

typedef struct lt_worker {
    lt_pool *pool;
    int index; /* 0: the caller */
    pthread_t thread;
    lt_queue queue;
    char apart[64]; /* queues do not share a cache line */
} lt_worker;

struct lt_pool {
    int threads;
    lt_worker workers[MAX_THREADS];
    atomic_uint generation; /* counts jobs; workers wait for it to change */
    atomic_uint done;       /* units of the current job that are finished */
    atomic_int sleepers;
    int started; /* workers that are ready; under the mutex */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    lt_work work;
    void *context;
    int64_t count, unit;           /* unit: a multiple of the grain */
    _Atomic(lt_pool_span *) spans; /* NULL: nobody wants them */
    atomic_uint n_spans;           /* wanted so far; those behind the room were not written */
    uint32_t room;
};

static int quota_threads(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    char line[64] = "", *end;
    if (!file) return MAX_THREADS;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    long quota = strtol(line, &end, 10), period = strtol(end, NULL, 10); /* "max 100000": 0 and 0 */
    if (!read || quota <= 0 || period <= 0 || quota > period * MAX_THREADS) return MAX_THREADS;
    return (int)((quota + period - 1) / period);
}

int lt_pool_default_threads(void)
{
    int n = lt_os_processors(), quota = quota_threads();
    if (n > quota) n = quota;
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void add_span(lt_pool *pool, int thread, double begin)
{
    lt_pool_span *spans = atomic_load(&pool->spans);
    uint32_t i = spans ? atomic_fetch_add(&pool->n_spans, 1) : UINT32_MAX;
    if (spans && i < pool->room) spans[i] = (lt_pool_span){thread, begin, lt_os_seconds()};
}

static uint64_t queue_of(uint32_t generation, uint32_t first, uint32_t end)
{
    return (uint64_t)generation << 32 | first << 16 | end;
}

/* Units begin … end - 1. */
typedef struct lt_units {
    uint32_t begin, end;
} lt_units;

/* Takes units of job `generation`: of one's own queue the first, of another's the last. Large pieces stream
 * through memory, and the last ones are small, so that all threads end at about the same time. Empty when
 * there are none. */
static lt_units take_units(lt_queue *queue, uint32_t generation, bool own)
{
    uint64_t word = atomic_load_explicit(queue, memory_order_acquire);
    for (;;) {
        uint32_t first = (uint32_t)word >> 16, end = (uint32_t)word & UINT16_MAX;
        if (word >> 32 != generation || first == end) return (lt_units){0};
        uint32_t n = (end - first + TAKEN_PART - 1) / TAKEN_PART;
        uint64_t rest = own ? queue_of(generation, first + n, end) : queue_of(generation, first, end - n);
        if (atomic_compare_exchange_weak_explicit(queue, &word, rest, memory_order_acq_rel,
                                                  memory_order_acquire))
            return own ? (lt_units){first, first + n} : (lt_units){end - n, end};
    }
}

static void run_units(lt_pool *pool, lt_units units, int thread)
{
    bool traced = atomic_load_explicit(&pool->spans, memory_order_relaxed) != NULL;
    double start = traced ? lt_os_seconds() : 0;
    pool->work(pool->context, units.begin * pool->unit, lt_min_i64(units.end * pool->unit, pool->count));
    if (traced) add_span(pool, thread, start);
    atomic_fetch_add_explicit(&pool->done, units.end - units.begin, memory_order_release);
}

/* A thread takes its own units first: the same part of every job, so that it meets again what it wrote in
 * the job before, which may be far from other processors. Then it helps: a thread that the system keeps from
 * running holds nobody up. */
static void run_job(lt_pool *pool, uint32_t generation, int thread)
{
    for (int i = 0; i < pool->threads; i++) {
        lt_queue *queue = &pool->workers[(thread + i) % pool->threads].queue;
        for (;;) {
            lt_units units = take_units(queue, generation, i == 0);
            if (units.begin == units.end) break;
            run_units(pool, units, thread);
        }
    }
}

/* Waits until there is a job other than `seen`. */
static unsigned wait_for_job(lt_pool *pool, unsigned seen)
{
    double end = lt_os_seconds() + SPIN_SECONDS;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
            if (now != seen) return now;
            relax();
        }
    } while (lt_os_seconds() < end);
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return atomic_load(&pool->generation);
}

/* Has the stack that work uses in memory before any work begins, so that no step waits for a page. */
static void touch_stack(void)
{
    enum { PAGE = 4096 };
    volatile char stack[WORK_BYTES];
    for (size_t i = 0; i < sizeof stack; i += PAGE) stack[i] = 0;
}

static void *worker_main(void *argument)
{
    const lt_worker *worker = argument;
    lt_pool *pool = worker->pool;
    unsigned seen = 0;
    touch_stack();
    pthread_mutex_lock(&pool->mutex);
    pool->started++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (;;) {
        seen = wait_for_job(pool, seen);
        if (atomic_load(&pool->stop)) return NULL;
        run_job(pool, seen, worker->index);
    }
}

static void wait_for_workers(lt_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->started < pool->threads - 1) pthread_cond_wait(&pool->wake, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

static void announce(lt_pool *pool)
{
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&pool->sleepers, memory_order_seq_cst) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static lathe_status start_workers(lt_pool *pool, int threads, lathe_error *err)
{
    pthread_attr_t attributes;
    int problem = pthread_attr_init(&attributes);
    if (!problem) problem = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (pool->threads = 1; !problem && pool->threads < threads; pool->threads++) {
        lt_worker *worker = &pool->workers[pool->threads];
        worker->pool = pool;
        worker->index = pool->threads;
        problem = pthread_create(&worker->thread, &attributes, worker_main, worker);
        if (problem) break;
    }
    pthread_attr_destroy(&attributes);
    if (problem)
        LT_FAIL(err, LIMIT, "cannot start thread %d of %d: %s", pool->threads + 1, threads,
                strerror(problem));
    return LATHE_OK;
}

lathe_status lt_pool_create(int threads, lt_pool **out, lathe_error *err)
{
    *out = NULL;
    if (threads < 1 || threads > MAX_THREADS)
        LT_FAIL(err, INVALID_ARGUMENT, "%d threads, expected 1 to %d", threads, MAX_THREADS);
    lt_pool *pool = lt_heap_alloc(1, sizeof *pool);
    if (!pool) return lt_out_of_memory(err, 1, sizeof *pool);
    touch_stack();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    lathe_status status = start_workers(pool, threads, err);
    wait_for_workers(pool);
    if (status == LATHE_OK) *out = pool;
    else lt_pool_destroy(pool);
    return status;
}

void lt_pool_destroy(lt_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->stop, true);
    announce(pool);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    lt_heap_free(pool);
}

void lt_pool_trace(lt_pool *pool, lt_pool_span *spans, uint32_t room)
{
    pool->room = room;
    atomic_store(&pool->n_spans, 0);
    atomic_store(&pool->spans, spans);
}

uint32_t lt_pool_traced(const lt_pool *pool)
{
    uint32_t wanted = atomic_load(&pool->n_spans);
    return wanted < pool->room ? wanted : pool->room;
}

int lt_pool_threads(const lt_pool *pool) { return pool ? pool->threads : 1; }

void lt_pool_run(lt_pool *pool, int64_t count, int64_t grain, lt_work work, void *context)
{
    if (count <= 0) return;
    if (!pool || pool->threads == 1 || count <= grain) {
        work(context, 0, count);
        return;
    }
    int64_t grains = (count + grain - 1) / grain,
            most = lt_min_i64(grains, (int64_t)pool->threads * UNITS_PER_THREAD);
    uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
    pool->work = work;
    pool->context = context;
    pool->count = count;
    pool->unit = (grains + most - 1) / most * grain;
    uint32_t units = (uint32_t)((count + pool->unit - 1) / pool->unit), threads = (uint32_t)pool->threads;
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < threads; i++)
        atomic_store_explicit(&pool->workers[i].queue,
                              queue_of(generation, units * i / threads, units * (i + 1) / threads),
                              memory_order_release);
    announce(pool);
    run_job(pool, generation, 0);
    for (int i = 0; atomic_load_explicit(&pool->done, memory_order_acquire) != units; i++) {
        if (i < SPIN_ROUNDS) relax();
        else sched_yield();
    }
}
