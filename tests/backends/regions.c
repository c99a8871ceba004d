/* What regions on the CPU beside a device run as. Usage: regions DEVICE (number 0 of a kind that is built
 * in). Exit status: 0 all well, 1 not, 77 there is no such device. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/model.h"

static const char *device;

typedef struct subject {
    lathe_model *model;
    lathe_tensors *file;
    lathe_error err;
} subject;

static void open_subject(subject *s, const char *name)
{
    char path[512];
    *s = (subject){0};
    snprintf(path, sizeof path, "%s/models/%s.pt2", LT_TEST_GOLDEN, name);
    if (lathe_model_open(path, &s->model, &s->err) != LATHE_OK) fail_msg("%s", s->err.message);
    snprintf(path, sizeof path, "%s/models/%s.safetensors", LT_TEST_GOLDEN, name);
    if (lathe_tensors_open(path, &s->file, &s->err) != LATHE_OK) fail_msg("%s", s->err.message);
}

static void close_subject(subject *s)
{
    lathe_tensors_close(s->file);
    lathe_model_close(s->model);
}

static lathe_session *run_on(subject *s, const lathe_placement *placement)
{
    lathe_session *session;
    lathe_tensor input;
    int found;
    lathe_session_options options = {.placement = *placement};
    lathe_status status = lathe_session_create(s->model, &options, &session, &s->err);
    if (status == LATHE_OK) status = lathe_tensors_get(s->file, "input.0", &input, &found, &s->err);
    if (status == LATHE_OK) status = lathe_session_set_input(session, 0, &input, &s->err);
    if (status == LATHE_OK) status = lathe_session_run(session, &s->err);
    if (status != LATHE_OK) fail_msg("%s", s->err.message);
    return session;
}

/* How many steps of that operator run there; op NULL: of any. */
static int count_steps(lathe_session *session, const char *op, const char *where)
{
    int n = 0;
    for (size_t i = 0; i < lathe_session_step_count(session); i++) {
        lathe_step step;
        lathe_error err;
        if (lathe_session_step(session, i, &step, &err) != LATHE_OK) fail_msg("%s", err.message);
        n += (!op || strcmp(step.op, op) == 0) && strcmp(step.device, where) == 0;
    }
    return n;
}

static void expect_equal(lathe_session *a, lathe_session *b)
{
    lathe_tensor x, y;
    lathe_error err;
    double largest = 0;
    assert_int_equal(lathe_session_output(a, 0, &x, &err), LATHE_OK);
    assert_int_equal(lathe_session_output(b, 0, &y, &err), LATHE_OK);
    int64_t n = lathe_tensor_count(&x);
    assert_true(n > 0 && n == lathe_tensor_count(&y));
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(lathe_tensor_value(&x, i)));
    for (int64_t i = 0; i < n; i++)
        assert_true(fabs(lathe_tensor_value(&x, i) - lathe_tensor_value(&y, i)) <= 1e-4 * largest);
}

/* Convolutions that are kept from the device run in blocks, with what follows them, as on the CPU alone, and
 * their packed weights are those that another session of such regions has. */
static void check(const char *name, int keep_islands)
{
    static const char convolutions[] = "aten.conv2d.default";
    subject s;
    open_subject(&s, name);
    lathe_placement placement = {.device = device, .cpu_ops = convolutions, .keep_islands = keep_islands};
    lathe_session *alone = run_on(&s, &(lathe_placement){.device = "cpu"});
    lathe_session *beside = run_on(&s, &placement);
    int blocked = count_steps(beside, "blocked_conv", "cpu") + count_steps(beside, "winograd_conv", "cpu");
    assert_int_equal(blocked,
                     count_steps(alone, "blocked_conv", "cpu") + count_steps(alone, "winograd_conv", "cpu"));
    assert_true(blocked > 0);
    assert_int_equal(count_steps(beside, "conv", "cpu"), 0);
    if (keep_islands) assert_true(count_steps(beside, NULL, device) > 0);
    expect_equal(alone, beside);
    const struct lt_hoisted *newest = s.model->hoisted;
    lathe_session *again = run_on(&s, &placement);
    assert_ptr_equal(s.model->hoisted, newest);
    expect_equal(alone, again);
    lathe_session_close(again);
    lathe_session_close(beside);
    lathe_session_close(alone);
    assert_null(s.model->hoisted);
    close_subject(&s);
}

/* What the device has left is too little for it: one region. */
static void large_regions_have_blocks(void **state)
{
    (void)state;
    check("resnet18_narrow", 0);
}

/* One for nearly every convolution. */
static void small_regions_have_blocks(void **state)
{
    (void)state;
    check("resnet18_narrow", 1);
    check("mobilenet_v2_narrow", 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_regions_have_blocks),
        cmocka_unit_test(small_regions_have_blocks),
    };
    device = argc > 1 ? argv[1] : "";
    if (!lathe_device_exists(device)) {
        printf("skipped: there is no device %s\n", device);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
