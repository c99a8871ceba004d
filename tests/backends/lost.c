/* A device of OpenCL that is lost in the middle of its work: what is said then, and that everything else goes
 * on. Runs with the library of losing_opencl.c before the real one. Exit status: 0 all well, 1 not, 77 there
 * is no device. */
#include <dlfcn.h>
#include <stdio.h>

#include "backends/losing_opencl.h"
#include "standins/job.h"

static const char words[] = "an uncorrectable error in memory";
static const lathe_backend *backend;
static losing_arm_function *lose;

static void expect_lost(lathe_status status, const lathe_error *err)
{
    assert_int_equal(status, LATHE_DEVICE);
    assert_non_null(strstr(err->message, "OpenCL: "));
    assert_non_null(strstr(err->message, words));
}

/* The error has the driver's words; the device can be closed, and opened again. */
static void a_queue_may_fail(void **state)
{
    job j = job_of(backend, job_text);
    lathe_error err = {0};
    float out[JOB_N];
    (void)state;
    for (int stage = 0; stage < LOSING_STAGES; stage++) {
        assert_int_equal(job_start(&j, &err), LATHE_OK);
        assert_int_equal(job_compute(&j, out, &err), LATHE_OK);
        lose((losing_stage)stage, words);
        expect_lost(job_compute(&j, out, &err), &err);
        assert_int_equal(job_compute(&j, out, &err), LATHE_DEVICE);
        job_stop(&j);
    }
    assert_int_equal(job_run(&j, &err), LATHE_OK);
    job_end(&j);
}

static lathe_session *open_session(lathe_model *model, const char *device)
{
    static float data[48 * 48];
    lathe_error err = {0};
    lathe_session *session;
    lathe_tensor input;
    lathe_session_options options = {.threads = 1, .placement = {.device = device, .keep_islands = 1}};
    if (lathe_session_create(model, &options, &session, &err) != LATHE_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < 48 * 48; i++) data[i] = (float)i / (48 * 48);
    lathe_tensor_init(&input, LATHE_F32, 2, (int64_t[]){48, 48}, data);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(lathe_session_set_input(session, i, &input, &err), LATHE_OK);
    return session;
}

static void expect_result(lathe_session *session, const float *want)
{
    lathe_error err = {0};
    lathe_tensor out;
    if (lathe_session_run(session, &err) != LATHE_OK) fail_msg("%s", err.message);
    assert_int_equal(lathe_session_output(session, 0, &out, &err), LATHE_OK);
    for (int i = 0; i < 48 * 48; i++) assert_float_equal(((const float *)out.data)[i], want[i], 1e-4f);
}

/* A session tells of it; others, on the CPU and on the device opened anew, have their results. */
static void lose_session(losing_stage stage)
{
    float want[48 * 48];
    lathe_error err = {0};
    lathe_model *model;
    lathe_tensor out;
    assert_int_equal(lathe_model_open(LT_TEST_GOLDEN "/programs/two_towers.pt2", &model, &err), LATHE_OK);
    lathe_session *cpu = open_session(model, "cpu"), *lost = open_session(model, "opencl:0");
    assert_int_equal(lathe_session_run(cpu, &err), LATHE_OK);
    assert_int_equal(lathe_session_output(cpu, 0, &out, &err), LATHE_OK);
    memcpy(want, out.data, sizeof want);
    expect_result(lost, want);
    lose(stage, words);
    expect_lost(lathe_session_run(lost, &err), &err);
    assert_int_equal(lathe_session_run(lost, &err), LATHE_DEVICE);
    expect_result(cpu, want);
    lathe_session *again = open_session(model, "opencl:0");
    expect_result(again, want);
    lathe_session_close(lost);
    expect_result(again, want);
    lathe_session_close(again);
    lathe_session_close(cpu);
    lathe_model_close(model);
}

static void a_session_may_lose_it(void **state)
{
    (void)state;
    for (int stage = 0; stage < LOSING_STAGES; stage++) lose_session((losing_stage)stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_may_fail),
        cmocka_unit_test(a_session_may_lose_it),
    };
    uint32_t index;
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW),
         *symbol = library ? dlsym(library, "losing_arm") : NULL;
    memcpy(&lose, &symbol, sizeof lose);
    if (!lose || !lathe_device_exists("opencl:0") ||
        lt_backend_find("opencl:0", NULL, &backend, &index, NULL) != LATHE_OK) {
        printf("skipped: there is no device opencl:0\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
