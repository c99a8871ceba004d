/* Runs after the first ones allocate nothing and touch no new page, whatever the model. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lathe/lathe.h"

/* In place of the C library's own, for shared libraries too. */
#define LT_EXPORT __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static atomic_long allocations;

static void *counted(void *memory)
{
    atomic_fetch_add(&allocations, 1);
    return memory;
}

LT_EXPORT void *malloc(size_t size) { return counted(__libc_malloc(size)); }
LT_EXPORT void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
LT_EXPORT void *realloc(void *memory, size_t size) { return counted(__libc_realloc(memory, size)); }
LT_EXPORT void *aligned_alloc(size_t align, size_t size) { return counted(__libc_memalign(align, size)); }

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

static void must(lathe_status status, const lathe_error *err)
{
    if (status != LATHE_OK) fail_msg("%s", err->message);
}

/* Zeros for every input; symbols become 7. */
static void set_inputs(lathe_model *model, lathe_session *session)
{
    static float zeros[1 << 18];
    lathe_error err;
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        must(lathe_model_input(model, i, &info, &err), &err);
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = 7;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, zeros);
        must(lathe_session_set_input(session, i, &tensor, &err), &err);
    }
}

static void check_archive(const char *name, int threads)
{
    enum { FIRST = 4, RUNS = 20, TIMES = 4 };
    char path[512];
    lathe_error err;
    lathe_model *model;
    lathe_session *session;
    snprintf(path, sizeof path, LT_TEST_GOLDEN "/models/%s.pt2", name);
    must(lathe_model_open(path, &model, &err), &err);
    must(lathe_session_create(model, &(lathe_session_options){.threads = threads}, &session, &err), &err);
    set_inputs(model, session);
    for (int i = 0; i < FIRST; i++) must(lathe_session_run(session, &err), &err);
    long faults = 1, before = atomic_load(&allocations);
    /* The system may move a page of its own accord: what the runs do themselves, they do every time. */
    for (int time = 0; time < TIMES && faults; time++) {
        faults = page_faults();
        for (int i = 0; i < RUNS; i++) must(lathe_session_run(session, &err), &err);
        faults = page_faults() - faults;
    }
    before = atomic_load(&allocations) - before;
    lathe_session_close(session);
    lathe_model_close(model);
    if (before) fail_msg("%s, %d threads: %ld allocations", name, threads, before);
    if (faults) fail_msg("%s, %d threads: %ld page faults", name, threads, faults);
}

static void test_steady(void **state)
{
    (void)state;
    static const char *const archives[] = {"tiny_qwen2_decode_bf16", "tiny_qwen2_prefill_f32",
                                           "tiny_llama_dynamic",     "tiny_bert",
                                           "resnet18_narrow",        "mobilenet_v2_narrow"};
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
        for (int threads = 1; threads <= 3; threads++) check_archive(archives[i], threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
