/* The host code of CUDA on the stand-in driver: what it computes, and what it does when a call fails. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "backend/dl_cuda.h"
#include "backend/registry.h"
#include "base/str.h"
#include "kernels/gpu/text.h"
#include "standin_cuda.h"

static const lathe_backend *const cuda = &lt_backend_cuda;
static standin_fail_function fail_call;
static standin_capability_function set_capability;
static standin_count_function count;

enum { N = 1000, ITEMS = 64 };

/* y[i] = x[i] + p.add, summed over the group before, so that there is a barrier. */
static const char body[] = "typedef struct add_params { int n; float add; } add_params;\n"
                           "LT_KERNEL add(LT_BUF(0, const float, x), LT_BUF(1, float, y),\n"
                           "              LT_PARAMS(2, add_params, p) LT_IDS)\n"
                           "{\n"
                           "    LT_LOCAL_ARRAY(float, shared, 64);\n"
                           "    const int i = LT_GROUP(0) * 64 + LT_ITEM(0);\n"
                           "    shared[LT_ITEM(0)] = i < p.n ? x[i] : 0.0f;\n"
                           "    LT_BARRIER;\n"
                           "    if (i < p.n) y[i] = shared[63 - (63 - LT_ITEM(0))] + p.add;\n"
                           "}\n";
typedef struct add_params {
    int n;
    float add;
} add_params;

static lathe_kernel kernel_of(const char *text, lt_text *source)
{
    lt_text_printf(source, "%s%s", cuda->dialect(), text);
    assert_false(source->failed);
    return (lathe_kernel){.entry = "add", .source = source->data};
}

typedef struct job {
    lathe_device *device;
    lathe_device_info info;
    lathe_buffer *x, *y;
    lathe_batch *batch;
} job;

/* Everything that a run needs, in the order in which it is made; stops at the first error. */
static lathe_status start(job *j, const lathe_kernel *kernel, lathe_error *err)
{
    static const add_params p = {N, 1};
    LT_TRY(cuda->open(0, &j->device, &j->info, err));
    LT_TRY(cuda->alloc(j->device, N * sizeof(float), &j->x, err));
    LT_TRY(cuda->alloc(j->device, N * sizeof(float), &j->y, err));
    lathe_launch launches[2] = {{.kernel = kernel,
                                 .buffers = {j->x, j->y},
                                 .n_buffers = 2,
                                 .params = &p,
                                 .params_bytes = sizeof p,
                                 .group = {ITEMS, 1, 1},
                                 .groups = {(N + ITEMS - 1) / ITEMS, 1, 1}}};
    launches[1] = launches[0];
    launches[1].buffers[0] = j->y;
    return cuda->prepare(j->device, launches, 2, &j->batch, err);
}

static lathe_status compute(job *j, float *out, lathe_error *err)
{
    float in[N];
    uint64_t ticket;
    for (int i = 0; i < N; i++) in[i] = (float)i;
    LT_TRY(cuda->write(j->device, j->x, 0, in, sizeof in, err));
    memset(in, 0, sizeof in); /* may be changed at once */
    LT_TRY(cuda->submit(j->device, j->batch, err));
    LT_TRY(cuda->read(j->device, j->y, 0, out, sizeof in, err));
    LT_TRY(cuda->flush(j->device, &ticket, err));
    return cuda->wait(j->device, ticket, err);
}

static void stop(job *j)
{
    if (!j->device) return;
    if (j->batch) cuda->release(j->device, j->batch);
    cuda->free(j->device, j->x);
    cuda->free(j->device, j->y);
    cuda->close(j->device);
}

static lathe_status run_job(const lathe_kernel *kernel, float *out, lathe_error *err)
{
    job j = {0};
    lathe_status status = start(&j, kernel, err);
    if (status == LATHE_OK) status = compute(&j, out, err);
    stop(&j);
    return status;
}

static void check_result(const float *out)
{
    for (int i = 0; i < N; i++) assert_float_equal(out[i], (float)i + 2, 0);
}

/* ---- Tests ---- */

static void test_runs(void **state)
{
    (void)state;
    lt_text source = {0};
    lathe_kernel kernel = kernel_of(body, &source);
    lathe_error err;
    float out[N];
    int graphs, kernels, graphs_then, kernels_then;
    count(&graphs, &kernels);
    assert_int_equal(run_job(&kernel, out, &err), LATHE_OK);
    count(&graphs_then, &kernels_then);
    assert_int_equal(graphs_then, graphs + 1);
    assert_int_equal(kernels_then, kernels + 2);
    check_result(out);
    lt_text_free(&source);
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
    lt_text source = {0};
    lathe_kernel kernel = kernel_of(body, &source);
    float out[N];
    int failed = 0;
    for (size_t f = 0; f < LT_COUNT(names); f++)
        for (size_t c = 0; c < LT_COUNT(codes); c++)
            for (int nth = 1;; nth++) {
                lathe_error err = {0};
                fail_call(names[f], nth, codes[c]);
                lathe_status status = run_job(&kernel, out, &err);
                if (!fail_call("", 0, 0)) break; /* it is not called that often */
                failed += status != LATHE_OK;
                if (strcmp(names[f], "cuMemAlloc_v2") == 0) check_message(&err, codes[c]);
            }
    assert_true(failed > (int)LT_COUNT(names));
    assert_int_equal(run_job(&kernel, out, NULL), LATHE_OK);
    check_result(out);
    lt_text_free(&source);
}

/* The compiler's words are in the message, and the device goes on. */
static void test_broken_kernel(void **state)
{
    (void)state;
    lt_text source = {0}, good = {0};
    lathe_kernel broken =
        kernel_of("LT_KERNEL add(LT_BUF(0, float, x) LT_IDS) { x[0] = no_such_name; }\n", &source);
    lathe_kernel kernel = kernel_of(body, &good);
    lathe_error err = {0};
    float out[N];
    job j = {0};
    assert_int_equal(start(&j, &broken, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "kernel 'add' does not compile for sm_90"));
    assert_non_null(strstr(err.message, "no_such_name"));
    stop(&j);
    assert_int_equal(run_job(&kernel, out, NULL), LATHE_OK);
    lt_text_free(&source);
    lt_text_free(&good);
}

/* A device that is newer than the compiler gets text, which the driver compiles. */
static void test_newer_device(void **state)
{
    (void)state;
    lt_text source = {0};
    lathe_kernel kernel = kernel_of(body, &source);
    lathe_error err = {0};
    float out[N];
    set_capability(130);
    assert_int_equal(run_job(&kernel, out, &err), LATHE_OK);
    check_result(out);
    set_capability(60);
    assert_int_equal(run_job(&kernel, out, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "compute capability 6.0"));
    set_capability(90);
    lt_text_free(&source);
}

/* Groups that are too large are refused by name. */
static void test_large_group(void **state)
{
    (void)state;
    lt_text source = {0};
    lathe_kernel kernel = kernel_of(body, &source);
    lathe_error err = {0};
    job j = {0};
    static const add_params p = {N, 1};
    assert_int_equal(start(&j, &kernel, &err), LATHE_OK);
    lathe_launch launch = {.kernel = &kernel,
                           .buffers = {j.x, j.y},
                           .n_buffers = 2,
                           .params = &p,
                           .params_bytes = sizeof p,
                           .group = {2048, 1, 1},
                           .groups = {1, 1, 1}};
    lathe_batch *batch;
    assert_int_equal(cuda->prepare(j.device, &launch, 1, &batch, &err), LATHE_DEVICE);
    assert_non_null(strstr(err.message, "groups of at most 1024"));
    stop(&j);
    lt_text_free(&source);
}

/* More than the pinned memory holds, in pieces of all sizes, before anything is waited for. */
static void test_copies(void **state)
{
    enum { PIECES = 150, PIECE = 60000, LARGE = 3 << 20 };
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
    for (int i = 0; i < 70; i++) /* more than may be on their way */
        assert_int_equal(cuda->read(device, buffer, (size_t)i * PIECE, out + i, 1, NULL), LATHE_OK);
    assert_int_equal(cuda->flush(device, &first, NULL), LATHE_OK);
    assert_int_equal(cuda->read(device, buffer, (size_t)80 * PIECE, out + 80, 1, NULL), LATHE_OK);
    assert_int_equal(cuda->flush(device, &last, NULL), LATHE_OK);
    assert_int_equal(cuda->wait(device, first, NULL), LATHE_OK);
    for (int i = 0; i < 70; i++) assert_int_equal(out[i], i);
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
    void *functions[] = {symbol("standin_fail"), symbol("standin_capability"), symbol("standin_count")};
    memcpy(&fail_call, &functions[0], sizeof fail_call);
    memcpy(&set_capability, &functions[1], sizeof set_capability);
    memcpy(&count, &functions[2], sizeof count);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),         cmocka_unit_test(test_copies),
        cmocka_unit_test(test_large_group),  cmocka_unit_test(test_broken_kernel),
        cmocka_unit_test(test_newer_device), cmocka_unit_test(test_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
