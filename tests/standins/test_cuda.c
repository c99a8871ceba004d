/* The host code of CUDA on the stand-in driver: what it computes, and what it does when a call fails. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/dl_cuda.h"
#include "job.h"
#include "standin_cuda.h"

static const lathe_backend *const cuda = &lt_backend_cuda;
static standin_fail_function fail_call;
static standin_capability_function set_capability;
static standin_count_function count;
static standin_calls_function calls;

/* A batch of two launches is one launch of a graph. */
static void test_runs(void **state)
{
    (void)state;
    job j = job_of(cuda, job_text);
    int graphs, kernels, graphs_then, kernels_then;
    count(&graphs, &kernels);
    assert_int_equal(job_run(&j, NULL), LATHE_OK);
    count(&graphs_then, &kernels_then);
    assert_int_equal(graphs_then, graphs + 1);
    assert_int_equal(kernels_then, kernels + 2);
    job_end(&j);
}

static void test_broken_kernel(void **state)
{
    (void)state;
    job_check_broken(cuda);
}

static void test_large_group(void **state)
{
    (void)state;
    job_check_large_group(cuda);
}

/* A device that is newer than the compiler gets text, which the driver compiles; one that is too old is
 * refused. */
static void test_architectures(void **state)
{
    (void)state;
    job j = job_of(cuda, job_text);
    lathe_error err = {0};
    set_capability(130);
    assert_int_equal(job_run(&j, &err), LATHE_OK);
    set_capability(60);
    assert_int_equal(job_run(&j, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "compute capability 6.0"));
    set_capability(90);
    job_end(&j);
}

/* More than the pinned memory holds, in pieces of all sizes, before anything is waited for. */
static void test_copies(void **state)
{
    enum { PIECES = 150, PIECE = 60000, LARGE = 3 << 20, READS = 70 };
    (void)state;
    lathe_device *device;
    lathe_device_info info;
    lathe_buffer *buffer;
    uint64_t first, last;
    unsigned char *in = malloc(LARGE), *out = malloc(LARGE);
    assert_true(in && out);
    assert_int_equal(cuda->open(1, &device, &info, NULL), LATHE_OK);
    assert_int_equal(cuda->alloc(device, PIECES * PIECE, &buffer, NULL), LATHE_OK);
    for (int i = 0; i < PIECES; i++) {
        memset(in, i, PIECE);
        assert_int_equal(cuda->write(device, buffer, (size_t)i * PIECE, in, PIECE, NULL), LATHE_OK);
    }
    for (int i = 0; i < READS; i++)
        assert_int_equal(cuda->read(device, buffer, (size_t)i * PIECE, out + i, 1, NULL), LATHE_OK);
    assert_int_equal(cuda->flush(device, &first, NULL), LATHE_OK);
    assert_int_equal(cuda->read(device, buffer, (size_t)80 * PIECE, out + 80, 1, NULL), LATHE_OK);
    assert_int_equal(cuda->flush(device, &last, NULL), LATHE_OK);
    assert_int_equal(cuda->wait(device, first, NULL), LATHE_OK);
    for (int i = 0; i < READS; i++) assert_int_equal(out[i], i);
    assert_int_equal(cuda->wait(device, last, NULL), LATHE_OK);
    assert_int_equal(out[80], 80);
    for (int i = 0; i < LARGE; i++) in[i] = (unsigned char)(i % 251);
    assert_int_equal(cuda->write(device, buffer, 1000, in, LARGE, NULL), LATHE_OK);
    assert_int_equal(cuda->read(device, buffer, 1000, out, LARGE, NULL), LATHE_OK);
    assert_int_equal(cuda->flush(device, &last, NULL), LATHE_OK);
    assert_int_equal(cuda->wait(device, last, NULL), LATHE_OK);
    assert_memory_equal(in, out, LARGE);
    cuda->free(device, buffer);
    cuda->close(device);
    free(in);
    free(out);
}

static void check_message(const lathe_error *err, int code)
{
    bool lost = code == STANDIN_LOST;
    assert_int_equal(err->code, lost ? LATHE_DEVICE : LATHE_NO_MEMORY);
    assert_non_null(strstr(err->message, lost ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OUT_OF_MEMORY"));
}

/* Each function of the driver fails at its first, second … call; after that everything works again. */
static void test_every_failure(void **state)
{
    static const char *const names[] = {
#define X(result, name, arguments) #name,
        LT_CUDA_FUNCTIONS(X)
#undef X
    };
    static const int codes[] = {CUDA_ERROR_OUT_OF_MEMORY, STANDIN_LOST};
    (void)state;
    job j = job_of(cuda, job_text);
    int failed = 0;
    for (size_t f = 0; f < LT_COUNT(names); f++)
        for (size_t c = 0; c < LT_COUNT(codes); c++)
            for (int nth = 1;; nth++) {
                lathe_error err = {0};
                fail_call(names[f], nth, codes[c]);
                lathe_status status = job_run(&j, &err);
                if (!fail_call("", 0, 0)) break; /* it is not called that often */
                failed += status != LATHE_OK;
                if (strcmp(names[f], "cuMemAlloc_v2") == 0) check_message(&err, codes[c]);
            }
    assert_true(failed > (int)LT_COUNT(names));
    assert_int_equal(job_run(&j, NULL), LATHE_OK);
    job_end(&j);
}

/* ---- Sessions ---- */

#define MODEL LT_TEST_GOLDEN "/models/tiny_qwen2_decode_f32"

/* A session over the model's recorded inputs, run `runs` times. */
static lathe_status run_session(lathe_model *model, lathe_tensors *inputs, int runs, lathe_error *err)
{
    const lathe_session_options options = {.placement = {.device = "cuda:0", .keep_islands = 1}};
    lathe_session *session = NULL;
    lathe_status status = lathe_session_create(model, &options, &session, err);
    for (size_t i = 0; status == LATHE_OK && i < lathe_model_input_count(model); i++) {
        char name[32];
        lathe_tensor tensor;
        int found;
        snprintf(name, sizeof name, "input.%zu", i);
        status = lathe_tensors_get(inputs, name, &tensor, &found, err);
        if (status == LATHE_OK && found) status = lathe_session_set_input(session, i, &tensor, err);
    }
    for (int i = 0; status == LATHE_OK && i < runs; i++) status = lathe_session_run(session, err);
    lathe_session_close(session);
    return status;
}

/* A device that is lost in the middle of a run, memory that is short: the session says so, the next one
 * works. */
static void test_sessions(void **state)
{
    enum { SESSIONS = 20, RUNS = 3 };
    (void)state;
    lathe_model *model;
    lathe_tensors *inputs;
    lathe_error err = {0};
    assert_int_equal(lathe_model_open(MODEL ".pt2", &model, &err), LATHE_OK);
    assert_int_equal(lathe_tensors_open(MODEL ".safetensors", &inputs, &err), LATHE_OK);
    for (int i = 0; i < SESSIONS; i++) {
        fail_call("cuGraphLaunch", i % RUNS + 1, STANDIN_LOST);
        assert_int_equal(run_session(model, inputs, RUNS, &err), LATHE_DEVICE);
        assert_non_null(strstr(err.message, "CUDA_ERROR_ILLEGAL_ADDRESS"));
        fail_call("cuMemAlloc_v2", i + 1, CUDA_ERROR_OUT_OF_MEMORY);
        assert_int_equal(run_session(model, inputs, 1, &err), LATHE_NO_MEMORY);
        fail_call("", 0, 0);
        assert_int_equal(run_session(model, inputs, 1, &err), LATHE_OK);
    }
    lathe_tensors_close(inputs);
    lathe_model_close(model);
}

/* Steps of a decoder, each at another position. */
static void run_steps(lathe_session *session, int64_t *position, int steps)
{
    lathe_error err = {0};
    const lathe_tensor tensor = {.dtype = LATHE_I64, .rank = 1, .dim = {1}, .stride = {1}, .data = position};
    for (int i = 0; i < steps; i++) {
        ++*position;
        assert_int_equal(lathe_session_set_input(session, 1, &tensor, &err), LATHE_OK);
        assert_int_equal(lathe_session_run(session, &err), LATHE_OK);
    }
}

/* A steady step is one launch of a graph, whatever the position: kernels, memory and graphs are made before.
 */
static void test_steady_steps(void **state)
{
    enum { STEPS = 8 };
    static const char *const never[] = {"cuLaunchKernel", "cuModule",    "cuFunc",
                                        "cuMemAlloc",     "cuMemFree",   "cuMemHost",
                                        "cuStreamBegin",  "cuGraphInst", "cuGraphExec"};
    (void)state;
    int before[LT_COUNT(never)], all, graphs;
    int64_t position = 0, token = 5;
    lathe_model *model;
    lathe_session *session;
    lathe_error err = {0};
    const lathe_session_options options = {.keep_state = 1,
                                           .placement = {.device = "cuda:0", .keep_islands = 1}};
    const lathe_tensor tokens = {
        .dtype = LATHE_I64, .rank = 2, .dim = {1, 1}, .stride = {1, 1}, .data = &token};
    assert_int_equal(lathe_model_open(MODEL ".pt2", &model, &err), LATHE_OK);
    assert_int_equal(lathe_session_create(model, &options, &session, &err), LATHE_OK);
    assert_int_equal(lathe_session_set_input(session, 0, &tokens, &err), LATHE_OK);
    run_steps(session, &position, 2);
    for (size_t i = 0; i < LT_COUNT(never); i++) before[i] = calls(never[i]);
    all = calls("");
    graphs = calls("cuGraphLaunch");
    run_steps(session, &position, STEPS);
    for (size_t i = 0; i < LT_COUNT(never); i++) assert_int_equal(calls(never[i]), before[i]);
    assert_int_equal(calls("cuGraphLaunch") - graphs, STEPS);
    print_message("%d calls of the driver a step\n", (calls("") - all) / STEPS);
    lathe_session_close(session);
    lathe_model_close(model);
}

static void *symbol(const char *name)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) fprintf(stderr, "the stand-in driver is not in LD_LIBRARY_PATH\n");
    if (!found) exit(1);
    return found;
}

int main(void)
{
    void *functions[] = {symbol("standin_fail"), symbol("standin_capability"), symbol("standin_count"),
                         symbol("standin_calls")};
    memcpy(&fail_call, &functions[0], sizeof fail_call);
    memcpy(&set_capability, &functions[1], sizeof set_capability);
    memcpy(&count, &functions[2], sizeof count);
    memcpy(&calls, &functions[3], sizeof calls);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),          cmocka_unit_test(test_copies),
        cmocka_unit_test(test_large_group),   cmocka_unit_test(test_broken_kernel),
        cmocka_unit_test(test_architectures), cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_sessions),      cmocka_unit_test(test_steady_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
