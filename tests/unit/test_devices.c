/* Sessions on devices of a backend that is made here: what executors ask of it and in which order, and what
 * is left after each of its functions has failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "lathe/backend.h"

/* ---- A backend of two devices that counts and fails as it is told ---- */

enum { DEVICES = 2, EVENTS = 256 };

struct lathe_device {
    char number;
};
static lathe_device devices[DEVICES] = {{'0'}, {'1'}};

typedef enum call { OPEN, ALLOC, WRITE, READ, PREPARE, SUBMIT, FLUSH, WAIT, CALLS } call;
static const char *const call_names[CALLS] = {"open",    "alloc",  "write", "read",
                                              "prepare", "submit", "flush", "wait"};

static char events[EVENTS]; /* "s0" a submission to device 0, "w0" waiting for it */
static int live;            /* open devices, buffers and batches */
static int left[CALLS];     /* calls until one fails; 0: none does */

static lathe_status may_fail(call which, lathe_error *err)
{
    if (left[which] == 0 || --left[which] > 0) return LATHE_OK;
    LT_FAIL(err, DEVICE, "mock: %s failed, says the device's log", call_names[which]);
}

static void note(char what, const lathe_device *device)
{
    size_t length = strlen(events);
    if (length + 3 < EVENTS) snprintf(events + length, EVENTS - length, "%c%c", what, device->number);
}

static const char *mock_dialect(void) { return "mock"; }

static lathe_status mock_enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    (void)err;
    *count = DEVICES;
    *why = "";
    return LATHE_OK;
}

static lathe_status mock_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    LT_TRY(may_fail(OPEN, err));
    *out = &devices[index];
    *info =
        (lathe_device_info){.name = "mock", .max_group = 64, .features = LATHE_DEVICE_F64 | LATHE_DEVICE_DRY};
    live++;
    return LATHE_OK;
}

static void mock_close(lathe_device *device)
{
    (void)device;
    live--;
}

static lathe_status mock_alloc(lathe_device *device, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    (void)device;
    LT_TRY(may_fail(ALLOC, err));
    *out = calloc(bytes + 1, 1);
    assert_non_null(*out);
    live++;
    return LATHE_OK;
}

static void mock_free(lathe_device *device, lathe_buffer *buffer)
{
    (void)device;
    free(buffer);
    live--;
}

static lathe_status mock_write(lathe_device *device, lathe_buffer *to, size_t offset, const void *host,
                               size_t bytes, lathe_error *err)
{
    (void)device;
    LT_TRY(may_fail(WRITE, err));
    memcpy((char *)to + offset, host, bytes);
    return LATHE_OK;
}

static lathe_status mock_read(lathe_device *device, lathe_buffer *from, size_t offset, void *host,
                              size_t bytes, lathe_error *err)
{
    (void)device;
    LT_TRY(may_fail(READ, err));
    memcpy(host, (char *)from + offset, bytes);
    return LATHE_OK;
}

static lathe_status mock_prepare(lathe_device *device, const lathe_launch *launches, uint32_t n,
                                 lathe_batch **out, lathe_error *err)
{
    (void)device;
    LT_TRY(may_fail(PREPARE, err));
    for (uint32_t i = 0; i < n; i++) {
        assert_true(launches[i].n_buffers > 0 && launches[i].n_buffers <= LATHE_MAX_BUFFERS);
        assert_int_equal(strncmp(launches[i].kernel->source, "mock\n", 5), 0);
        for (uint32_t k = 0; k < launches[i].n_buffers; k++) assert_non_null(launches[i].buffers[k]);
    }
    *out = malloc(1);
    live++;
    return LATHE_OK;
}

static void mock_release(lathe_device *device, lathe_batch *batch)
{
    (void)device;
    free(batch);
    live--;
}

static lathe_status mock_submit(lathe_device *device, lathe_batch *batch, lathe_error *err)
{
    (void)batch;
    LT_TRY(may_fail(SUBMIT, err));
    note('s', device);
    return LATHE_OK;
}

static lathe_status mock_flush(lathe_device *device, uint64_t *ticket, lathe_error *err)
{
    (void)device;
    *ticket = 1;
    return may_fail(FLUSH, err);
}

static lathe_status mock_wait(lathe_device *device, uint64_t ticket, lathe_error *err)
{
    (void)ticket;
    LT_TRY(may_fail(WAIT, err));
    note('w', device);
    return LATHE_OK;
}

static const lathe_backend mock = {
    .name = "mock",
    .dialect = mock_dialect,
    .enumerate = mock_enumerate,
    .open = mock_open,
    .close = mock_close,
    .alloc = mock_alloc,
    .free = mock_free,
    .write = mock_write,
    .read = mock_read,
    .prepare = mock_prepare,
    .release = mock_release,
    .submit = mock_submit,
    .flush = mock_flush,
    .wait = mock_wait,
};
static const lathe_backend *const backends[] = {&mock, NULL};

/* ---- Two chains, each on a device of its own, that meet on the CPU ---- */

static lathe_model *model;

static lathe_status open_and_run(const char *executor, lathe_session **session, lathe_error *err)
{
    float data[12] = {0};
    lathe_tensor x;
    lathe_tensor_init(&x, LATHE_F32, 2, (int64_t[]){3, 4}, data);
    lathe_session_options options = {
        .optimize = 1,
        .threads = 1,
        .placement = {.device = "mock:0,mock:1",
                      .executor = executor,
                      .pins = "exp=mock:0,tanh=mock:0,sin=mock:1,cos=mock:1,add=cpu",
                      .backends = backends}};
    *session = NULL;
    LT_TRY(lathe_session_create(model, &options, session, err));
    for (size_t i = 0; i < 2; i++) LT_TRY(lathe_session_set_input(*session, i, &x, err));
    return lathe_session_run(*session, err);
}

static void expect_events(const char *executor, const char *expected)
{
    lathe_error err;
    lathe_session *session;
    assert_int_equal(open_and_run(executor, &session, &err), LATHE_OK);
    events[0] = 0;
    assert_int_equal(lathe_session_run(session, &err), LATHE_OK);
    assert_string_equal(events, expected);
    lathe_session_close(session);
    assert_int_equal(live, 0);
}

/* In order, a device idles while the other runs; as ready, both run at once. Nothing is waited for that no
 * kernel tells. */
static void devices_overlap(void **state)
{
    (void)state;
    expect_events("linear", "s0w0s1w1");
    expect_events("dag", "s0s1w0w1");
}

/* Each function fails at its first, second … call until a whole run gets by without a failure. */
static void failures_leave_nothing(void **state)
{
    (void)state;
    for (int which = 0; which < CALLS; which++) {
        bool failed = true;
        int n = 1;
        for (; failed; n++) {
            lathe_error err = {0};
            lathe_session *session;
            left[which] = n;
            lathe_status status = open_and_run(n % 2 ? "dag" : "linear", &session, &err);
            failed = status != LATHE_OK;
            if (failed) assert_non_null(strstr(err.message, "says the device's log"));
            left[which] = 0;
            if (failed && session) /* it goes on where the device does */
                assert_int_equal(lathe_session_run(session, &err), LATHE_OK);
            lathe_session_close(session);
            assert_int_equal(live, 0);
        }
        assert_true(n > 2); /* it did fail */
    }
}

static void sessions_leave_nothing(void **state)
{
    (void)state;
    lathe_error err;
    for (int i = 0; i < 1000; i++) {
        lathe_session *session;
        assert_int_equal(open_and_run(i % 2 ? "dag" : "linear", &session, &err), LATHE_OK);
        lathe_session_close(session);
    }
    assert_int_equal(live, 0);
}

static void names_are_checked(void **state)
{
    (void)state;
    static const struct {
        lathe_placement placement;
        const char *says;
    } cases[] = {
        {{.device = "mok:0"}, "'mok:0', expected cpu, ref"},
        {{.device = "mock:x", .backends = backends}, "'mock:x'"},
        {{.executor = "tree"}, "expected linear or dag"},
        {{.pins = "exp=mock:0"}, "none of the session's devices"},
        {{.pins = "nobody=cpu"}, "no node 'nobody'"},
        {{.pins = "exp"}, "expected NODE=DEVICE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lathe_error err;
        lathe_session *session;
        lathe_session_options options = {.placement = cases[i].placement};
        assert_int_not_equal(lathe_session_create(model, &options, &session, &err), LATHE_OK);
        assert_non_null(strstr(err.message, cases[i].says));
    }
    assert_int_equal(live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_overlap),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(sessions_leave_nothing),
        cmocka_unit_test(names_are_checked),
    };
    lathe_error err;
    if (lathe_model_open(LT_TEST_GOLDEN "/programs/two_branches.pt2", &model, &err) != LATHE_OK) {
        printf("%s\n", err.message);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lathe_model_close(model);
    return failed;
}
