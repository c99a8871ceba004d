/* Every allocation of opening and running a model fails once: the call must say NO_MEMORY, leak nothing, and
 * leave the process usable. The heap's functions are wrapped for lathe and this program alone:
 * shared libraries keep their own, since jansson 2.14 aborts when an allocation fails within its lexer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lathe/llm.h"

/* ---- The heap ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

static long countdown = -1; /* allocations until one fails; -1: none does */
static long live;           /* blocks that are not freed */

static int fails(void)
{
    if (countdown < 0) return 0;
    return countdown-- == 0;
}

static void *counted(void *memory)
{
    if (memory) live++;
    return memory;
}

void *malloc(size_t size) { return fails() ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : counted(__libc_calloc(count, size)); }
void *aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(align, size));
}

void *realloc(void *memory, size_t size)
{
    if (fails()) return NULL;
    void *moved = __libc_realloc(memory, size);
    if (!memory) counted(moved);
    return moved;
}

void free(void *memory)
{
    if (memory) live--;
    __libc_free(memory);
}

/* ---- The sweep ---- */

static float numbers[4096];

static lathe_status set_inputs(lathe_model *model, lathe_session *session, lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        lathe_status status = lathe_model_input(model, i, &info, err);
        if (status != LATHE_OK) return status;
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = 4;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, numbers);
        status = lathe_session_set_input(session, i, &tensor, err);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

static lathe_status run_model(const char *path, lathe_error *err)
{
    lathe_model *model;
    lathe_session *session = NULL;
    lathe_tensor out;
    lathe_status status = lathe_model_open(path, &model, err);
    if (status != LATHE_OK) return status;
    status = lathe_session_create(model, &(lathe_session_options){.threads = 1}, &session, err);
    if (status == LATHE_OK) status = set_inputs(model, session, err);
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    if (status == LATHE_OK) status = lathe_session_output(session, 0, &out, err);
    lathe_session_close(session);
    lathe_model_close(model);
    return status;
}

/* Fails allocation 0, 1, 2 … until none is left to fail. */
static void sweep(const char *path)
{
    lathe_error err;
    assert_int_equal(run_model(path, &err), LATHE_OK); /* whatever libraries keep for good is there now */
    for (long n = 0;; n++) {
        long before = live;
        countdown = n;
        lathe_status status = run_model(path, &err);
        long left = countdown;
        countdown = -1;
        if (live != before) fail_msg("%s: failing allocation %ld leaks %ld blocks", path, n, live - before);
        if (left >= 0) { /* fewer allocations than that */
            assert_int_equal(status, LATHE_OK);
            assert_true(n > 10); /* the wrappers were in use */
            print_message("%s: %ld allocations, each failed once\n", path, n);
            break;
        }
        if (status != LATHE_NO_MEMORY)
            fail_msg("%s: failing allocation %ld gives %d: %s", path, n, (int)status, err.message);
    }
    assert_int_equal(run_model(path, &err), LATHE_OK);
}

static void test_linear(void **state)
{
    (void)state;
    sweep(LT_TEST_GOLDEN "/ops/linear.pt2");
}

static void test_state(void **state)
{
    (void)state;
    sweep(LT_TEST_GOLDEN "/families/bufkv.pt2");
}

static void test_convolution(void **state)
{
    (void)state;
    sweep(LT_TEST_GOLDEN "/ops/batch3_conv_bn_relu.pt2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_state),
                                       cmocka_unit_test(test_convolution)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
