/* Whole models give the same bits on any number of threads, at every level of optimisation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "lathe/lathe.h"

enum { MAX_OUTPUTS = 64, LEVELS = 3, THREADS = 3 };

static void must(const char *path, lathe_status status, const lathe_error *err)
{
    if (status != LATHE_OK) fail_msg("%s: %s", path, err->message);
}

/* The recorded inputs: input.K in the safetensors file beside the archive. */
static void set_inputs(const char *path, lathe_model *model, lathe_session *session, lathe_tensors *file)
{
    lathe_error err;
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        char name[32];
        int found;
        lathe_tensor tensor;
        lathe_value_info info;
        snprintf(name, sizeof name, "input.%zu", i);
        must(path, lathe_model_input(model, i, &info, &err), &err);
        must(path, lathe_tensors_get(file, name, &tensor, &found, &err), &err);
        if (found && info.rank >= 0) must(path, lathe_session_set_input(session, i, &tensor, &err), &err);
    }
}

/* Output `i` against a copy of the first run's, which is made when there is none yet. */
static void compare(const char *path, lathe_session *session, size_t i, void **first)
{
    lathe_tensor out;
    lathe_error err;
    must(path, lathe_session_output(session, i, &out, &err), &err);
    if (out.rank < 0) return;
    size_t bytes = (size_t)lathe_tensor_count(&out) * lathe_dtype_size(out.dtype);
    if (*first) {
        if (memcmp(*first, out.data, bytes) != 0) fail_msg("%s: output %zu depends on the threads", path, i);
        return;
    }
    *first = malloc(bytes + 1);
    assert_non_null(*first);
    memcpy(*first, out.data, bytes);
}

static void check_level(const char *path, lathe_model *model, lathe_tensors *file, int level)
{
    void *first[MAX_OUTPUTS] = {NULL};
    size_t n = lathe_model_output_count(model);
    lathe_error err;
    assert_true(n <= MAX_OUTPUTS);
    for (int threads = 1; threads <= THREADS; threads++) {
        lathe_session *session;
        lathe_session_options options = {.threads = threads, .optimize = level};
        must(path, lathe_session_create(model, &options, &session, &err), &err);
        set_inputs(path, model, session, file);
        must(path, lathe_session_run(session, &err), &err);
        for (size_t i = 0; i < n; i++) compare(path, session, i, &first[i]);
        lathe_session_close(session);
    }
    for (size_t i = 0; i < n; i++) free(first[i]);
}

static void check_archive(const char *path)
{
    char recorded[512];
    lathe_error err;
    lathe_model *model;
    lathe_tensors *file;
    size_t stem = strlen(path) - strlen(".pt2");
    if (stem > 5 && strncmp(path + stem - 5, ".core", 5) == 0) stem -= 5;
    snprintf(recorded, sizeof recorded, "%.*s.safetensors", (int)stem, path);
    must(path, lathe_model_open(path, &model, &err), &err);
    must(path, lathe_tensors_open(recorded, &file, &err), &err);
    for (int level = 1; level <= LEVELS; level++) check_level(path, model, file, level);
    lathe_tensors_close(file);
    lathe_model_close(model);
}

static void check_folder(const char *pattern)
{
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) check_archive(found.gl_pathv[i]);
    globfree(&found);
}

static void test_models(void **state)
{
    (void)state;
    check_folder(LT_TEST_GOLDEN "/models/*.pt2");
}

static void test_families(void **state)
{
    (void)state;
    check_folder(LT_TEST_GOLDEN "/families/*.pt2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_families)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
