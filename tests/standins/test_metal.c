/* The host code of Metal on the stand-in framework: what it computes, and what it does when a message fails.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "job.h"
#include "standin_metal.h"

static const lathe_backend *const metal = &lt_backend_metal;
static standin_metal_fail_function fail_message;

static void test_runs(void **state)
{
    (void)state;
    job j = job_of(metal, job_text);
    assert_int_equal(job_run(&j, NULL), LATHE_OK);
    job_end(&j);
}

static void test_broken_kernel(void **state)
{
    (void)state;
    job_check_broken(metal);
}

static void test_large_group(void **state)
{
    (void)state;
    job_check_large_group(metal);
}

/* Memory of the host that begins and ends within pages: results are in it when a run has been waited for. */
static void test_import(void **state)
{
    enum { OFFSET = 64 };
    (void)state;
    job j = job_of(metal, job_text);
    uint64_t ticket;
    char *memory = lt_os_alloc(3 * lt_os_page_bytes());
    float *in = (float *)(void *)(memory + OFFSET), out[JOB_N];
    lathe_buffer *shared;
    lathe_batch *batch;
    assert_int_equal(job_start(&j, NULL), LATHE_OK);
    assert_int_equal(metal->import(j.device, in, sizeof out, &shared, NULL), LATHE_OK);
    lathe_launch launch = job_launch(&j, shared, JOB_ITEMS);
    launch.buffers[1] = shared;
    for (int i = 0; i < JOB_N; i++) in[i] = (float)i;
    assert_int_equal(metal->prepare(j.device, &launch, 1, &batch, NULL), LATHE_OK);
    assert_int_equal(metal->write(j.device, shared, 0, in, sizeof out, NULL), LATHE_OK); /* nothing to do */
    assert_int_equal(metal->submit(j.device, batch, NULL), LATHE_OK);
    assert_int_equal(metal->read(j.device, shared, 0, in, sizeof out, NULL), LATHE_OK); /* nor here */
    assert_int_equal(metal->flush(j.device, &ticket, NULL), LATHE_OK);
    assert_float_equal(in[0], 0, 0);
    assert_int_equal(metal->wait(j.device, ticket, NULL), LATHE_OK);
    for (int i = 0; i < JOB_N; i++) assert_float_equal(in[i], (float)i + 1, 0);
    metal->release(j.device, batch);
    metal->free(j.device, shared);
    job_end(&j);
    lt_os_free(memory);
}

/* More batches than may be on their way at once. */
static void test_many_batches(void **state)
{
    enum { BATCHES = 200 };
    (void)state;
    job j = job_of(metal, job_text);
    uint64_t tickets[BATCHES];
    assert_int_equal(job_start(&j, NULL), LATHE_OK);
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(metal->submit(j.device, j.batch, NULL), LATHE_OK);
        assert_int_equal(metal->flush(j.device, &tickets[i], NULL), LATHE_OK);
    }
    assert_int_equal(metal->wait(j.device, tickets[BATCHES - 1], NULL), LATHE_OK);
    assert_int_equal(metal->wait(j.device, tickets[0], NULL), LATHE_OK);
    job_end(&j);
}

/* Each message that makes something gives nil at its first, second … time; after that everything works again.
 */
static void test_every_failure(void **state)
{
    static const char *const selectors[] = {"newCommandQueue",
                                            "newBufferWithLength:options:",
                                            "newLibraryWithSource:options:error:",
                                            "newFunctionWithName:",
                                            "newComputePipelineStateWithFunction:error:",
                                            "commandBuffer",
                                            "computeCommandEncoder",
                                            "commit"};
    (void)state;
    job j = job_of(metal, job_text);
    for (size_t s = 0; s < LT_COUNT(selectors); s++)
        for (int nth = 1;; nth++) {
            lathe_error err = {0};
            fail_message(selectors[s], nth);
            lathe_status status = job_run(&j, &err);
            if (!fail_message("", 0)) break; /* it is not sent that often */
            assert_int_not_equal(status, LATHE_OK);
            assert_int_equal(strncmp(err.message, "Metal: ", 7), 0);
            if (strcmp(selectors[s], "commit") == 0)
                assert_non_null(strstr(err.message, "Caused GPU Address Fault Error"));
        }
    assert_int_equal(job_run(&j, NULL), LATHE_OK);
    job_end(&j);
}

int main(void)
{
    void *library = dlopen("libobjc.A.dylib", RTLD_NOW);
    void *found = library ? dlsym(library, "standin_metal_fail") : NULL;
    if (!found) fprintf(stderr, "the stand-in framework is not in LD_LIBRARY_PATH\n");
    if (!found) return 1;
    memcpy(&fail_message, &found, sizeof fail_message);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),         cmocka_unit_test(test_broken_kernel),
        cmocka_unit_test(test_large_group),  cmocka_unit_test(test_import),
        cmocka_unit_test(test_many_batches), cmocka_unit_test(test_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
