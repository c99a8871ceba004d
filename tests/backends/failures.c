/* A device after failures: a kernel that does not compile, memory that is not there, an index out of range,
 * and many sessions. Usage: failures DEVICE (of a kind that is built in; number 0). Exit status: 0 all well,
 * 1 not, 77 there is no such device. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "standins/job.h"

static const char *device;
static const lathe_backend *backend;

static void broken_kernels_are_told(void **state)
{
    (void)state;
    job_check_broken(backend);
}

/* More than there is: refused, and the device goes on. */
static void memory_may_be_short(void **state)
{
    job j = job_of(backend, job_text);
    lathe_error err = {0};
    lathe_buffer *huge = NULL;
    float out[JOB_N];
    (void)state;
    assert_int_equal(job_start(&j, &err), LATHE_OK);
    assert_int_not_equal(backend->alloc(j.device, (size_t)1 << 50, &huge, &err), LATHE_OK);
    assert_true(err.message[0] != 0);
    assert_int_equal(job_compute(&j, out, &err), LATHE_OK);
    assert_float_equal(out[1], 3, 0);
    job_end(&j);
}

/* ---- Sessions ---- */

static lathe_status run_once(lathe_session *session, const lathe_tensor *inputs, size_t n, lathe_error *err)
{
    for (size_t i = 0; i < n; i++) LT_TRY(lathe_session_set_input(session, i, &inputs[i], err));
    return lathe_session_run(session, err);
}

static lathe_session *open_session(lathe_model *model)
{
    lathe_error err = {0};
    lathe_session *session;
    lathe_session_options options = {.threads = 1, .placement = {.device = device, .keep_islands = 1}};
    if (lathe_session_create(model, &options, &session, &err) != LATHE_OK) fail_msg("%s", err.message);
    return session;
}

/* The device tells of an index that is out of range, by the node, and the session goes on. */
static void indices_are_checked(void **state)
{
    lathe_error err = {0};
    lathe_model *model;
    lathe_tensors *file;
    lathe_tensor inputs[2];
    int found;
    (void)state;
    assert_int_equal(lathe_model_open(LT_TEST_GOLDEN "/index/gather_big.pt2", &model, &err), LATHE_OK);
    assert_int_equal(lathe_tensors_open(LT_TEST_GOLDEN "/index/gather_big.safetensors", &file, &err),
                     LATHE_OK);
    assert_int_equal(lathe_model_input_count(model), 2);
    assert_int_equal(lathe_tensors_get(file, "input.0", &inputs[0], &found, &err), LATHE_OK);
    assert_int_equal(lathe_tensors_get(file, "input.1", &inputs[1], &found, &err), LATHE_OK);
    size_t bytes = (size_t)lathe_tensor_count(&inputs[1]) * lathe_dtype_size(inputs[1].dtype);
    void *wrong = malloc(bytes);
    assert_non_null(wrong);
    memset(wrong, 0x3f, bytes);
    lathe_tensor out_of_range = inputs[1];
    out_of_range.data = wrong;
    lathe_session *session = open_session(model);
    for (int time = 0; time < 3; time++) {
        assert_int_equal(run_once(session, inputs, 2, &err), LATHE_OK);
        assert_int_equal(run_once(session, (lathe_tensor[]){inputs[0], out_of_range}, 2, &err),
                         LATHE_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "gather"));
        assert_non_null(strstr(err.message, "out of range"));
    }
    lathe_session_close(session);
    free(wrong);
    lathe_tensors_close(file);
    lathe_model_close(model);
}

static long resident_kb(void)
{
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What is left after a session is nothing: memory does not grow with their number. */
static void sessions_leave_nothing(void **state)
{
    enum { WARM = 100, SESSIONS = 1000, MOST_KB = 4096 };
    float data[12] = {0};
    lathe_error err = {0};
    lathe_model *model;
    lathe_tensor inputs[2];
    long before = 0;
    (void)state;
    for (size_t i = 0; i < 2; i++) lathe_tensor_init(&inputs[i], LATHE_F32, 2, (int64_t[]){3, 4}, data);
    assert_int_equal(lathe_model_open(LT_TEST_GOLDEN "/programs/two_branches.pt2", &model, &err), LATHE_OK);
    for (int i = 0; i < WARM + SESSIONS; i++) {
        if (i == WARM) before = resident_kb();
        lathe_session *session = open_session(model);
        if (run_once(session, inputs, 2, &err) != LATHE_OK) fail_msg("%s", err.message);
        lathe_session_close(session);
    }
    lathe_model_close(model);
    long grown = resident_kb() - before;
    printf("%d sessions: resident memory grew by %ld kB\n", SESSIONS, grown);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    assert_true(grown < MOST_KB);
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_kernels_are_told),
        cmocka_unit_test(memory_may_be_short),
        cmocka_unit_test(indices_are_checked),
        cmocka_unit_test(sessions_leave_nothing),
    };
    uint32_t index;
    device = argc > 1 ? argv[1] : "";
    if (!lathe_device_exists(device) || lt_backend_find(device, NULL, &backend, &index, NULL) != LATHE_OK) {
        printf("skipped: there is no device %s\n", device);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
