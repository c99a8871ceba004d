/* A small job for tests of hosts: a kernel with a barrier, launched twice in a batch. */
#ifndef STANDIN_JOB_H
#define STANDIN_JOB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/registry.h"
#include "base/str.h"

enum { JOB_N = 1000, JOB_ITEMS = 64 };

typedef struct job_params {
    int n;
    float add;
} job_params;
static const job_params job_p = {JOB_N, 1};

/* y[i] = x[i] + add: through memory of the group, which another item has filled. */
static const char job_text[] = "typedef struct add_params { int n; float add; } add_params;\n"
                               "LT_KERNEL add(LT_BUF(0, const float, x), LT_BUF(1, float, y),\n"
                               "              LT_PARAMS(2, add_params, p) LT_IDS)\n"
                               "{\n"
                               "    LT_LOCAL_ARRAY(float, shared, 64);\n"
                               "    const int first = LT_GROUP(0) * 64, i = first + LT_ITEM(0);\n"
                               "    if (first + 63 - LT_ITEM(0) < p.n)\n"
                               "        shared[63 - LT_ITEM(0)] = x[first + 63 - LT_ITEM(0)];\n"
                               "    LT_BARRIER;\n"
                               "    if (i < p.n) y[i] = shared[LT_ITEM(0)] + p.add;\n"
                               "}\n";

typedef struct job {
    const lathe_backend *backend;
    lathe_device *device;
    lathe_device_info info;
    lathe_buffer *x, *y;
    lathe_batch *batch;
    lathe_kernel kernel;
    lt_text source;
} job;

/* The kernel of a text behind the backend's vocabulary. */
static inline job job_of(const lathe_backend *backend, const char *text)
{
    job j = {.backend = backend};
    lt_text_printf(&j.source, "%s%s", backend->dialect(), text);
    assert_false(j.source.failed);
    return j;
}

static inline lathe_launch job_launch(job *j, lathe_buffer *from, uint32_t items)
{
    j->kernel = (lathe_kernel){.entry = "add", .source = j->source.data};
    return (lathe_launch){.kernel = &j->kernel,
                          .buffers = {from, j->y},
                          .n_buffers = 2,
                          .params = &job_p,
                          .params_bytes = sizeof job_p,
                          .group = {items, 1, 1},
                          .groups = {(JOB_N + JOB_ITEMS - 1) / JOB_ITEMS, 1, 1}};
}

/* Makes what a run needs, up to the first error. */
static inline lathe_status job_start(job *j, lathe_error *err)
{
    const lathe_backend *b = j->backend;
    LT_TRY(b->open(0, &j->device, &j->info, err));
    LT_TRY(b->alloc(j->device, JOB_N * sizeof(float), &j->x, err));
    LT_TRY(b->alloc(j->device, JOB_N * sizeof(float), &j->y, err));
    lathe_launch launches[2] = {job_launch(j, j->x, JOB_ITEMS), job_launch(j, j->y, JOB_ITEMS)};
    return b->prepare(j->device, launches, 2, &j->batch, err);
}

/* out[i] = i + 2 */
static inline lathe_status job_compute(job *j, float *out, lathe_error *err)
{
    const lathe_backend *b = j->backend;
    float in[JOB_N];
    uint64_t ticket;
    for (int i = 0; i < JOB_N; i++) in[i] = (float)i;
    LT_TRY(b->write(j->device, j->x, 0, in, sizeof in, err));
    memset(in, 0, sizeof in); /* may be changed at once */
    LT_TRY(b->submit(j->device, j->batch, err));
    LT_TRY(b->read(j->device, j->y, 0, out, sizeof in, err));
    LT_TRY(b->flush(j->device, &ticket, err));
    return b->wait(j->device, ticket, err);
}

static inline void job_stop(job *j)
{
    const lathe_backend *b = j->backend;
    if (j->device) {
        if (j->batch) b->release(j->device, j->batch);
        b->free(j->device, j->x);
        b->free(j->device, j->y);
        b->close(j->device);
    }
    j->device = NULL;
    j->batch = NULL;
    j->x = j->y = NULL;
}

static inline void job_end(job *j)
{
    job_stop(j);
    lt_text_free(&j->source);
}

/* All of it, once. */
static inline lathe_status job_run(job *j, lathe_error *err)
{
    float out[JOB_N];
    lathe_status status = job_start(j, err);
    if (status == LATHE_OK) status = job_compute(j, out, err);
    job_stop(j);
    for (int i = 0; i < JOB_N && status == LATHE_OK; i++) assert_float_equal(out[i], (float)i + 2, 0);
    return status;
}

/* A kernel that does not compile: the message has its name and the compiler's words, and the device goes on.
 */
static inline void job_check_broken(const lathe_backend *backend)
{
    job broken = job_of(backend, "LT_KERNEL add(LT_BUF(0, float, x), LT_PARAMS(1, int, p) LT_IDS)\n"
                                 "{ x[0] = no_such_name; }\n");
    job good = job_of(backend, job_text);
    lathe_error err = {0};
    assert_int_equal(job_start(&broken, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "kernel 'add' does not compile"));
    assert_non_null(strstr(err.message, "no_such_name"));
    broken.kernel = (lathe_kernel){.entry = "add", .source = good.source.data};
    lathe_launch launch = job_launch(&good, broken.x, JOB_ITEMS);
    launch.buffers[1] = broken.y;
    assert_int_equal(backend->prepare(broken.device, &launch, 1, &broken.batch, &err), LATHE_OK);
    job_end(&broken);
    assert_int_equal(job_run(&good, &err), LATHE_OK);
    job_end(&good);
}

/* A group that is too large is refused by name. */
static inline void job_check_large_group(const lathe_backend *backend)
{
    job j = job_of(backend, job_text);
    lathe_error err = {0};
    lathe_batch *batch;
    assert_int_equal(job_start(&j, &err), LATHE_OK);
    lathe_launch launch = job_launch(&j, j.x, 2048);
    assert_int_equal(backend->prepare(j.device, &launch, 1, &batch, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "groups of at most 1024"));
    job_end(&j);
}

#endif
