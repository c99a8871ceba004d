/* Sessions as their users meet them: state that goes in and out, one row of an output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lathe/lathe.h"

#define MODEL LT_TEST_GOLDEN "/models/tiny_qwen2_dynamic_bf16.pt2"

enum { TOKENS = 3, CACHE = 16, CACHES = 4, VOCABULARY = 512 };

static lathe_error err;

static void ok(lathe_status status)
{
    if (status != LATHE_OK) fail_msg("%s", err.message);
}

static void open_session(lathe_model **model, lathe_session **session)
{
    static int64_t ids[TOKENS] = {7, 300, 41}, positions[TOKENS] = {0, 1, 2};
    lathe_tensor tensor;
    ok(lathe_model_open(MODEL, model, &err));
    ok(lathe_session_create(*model, &(lathe_session_options){.keep_state = 1, .threads = 2}, session, &err));
    lathe_tensor_init(&tensor, LATHE_I64, 2, (int64_t[]){1, TOKENS}, ids);
    ok(lathe_session_set_input(*session, 0, &tensor, &err));
    lathe_tensor_init(&tensor, LATHE_I64, 1, (int64_t[]){TOKENS}, positions);
    ok(lathe_session_set_input(*session, 1, &tensor, &err));
    for (size_t i = 0; i < CACHES; i++)
        ok(lathe_session_shape_input(*session, 2 + i, 4, (int64_t[]){1, 2, CACHE, 16}, &err));
}

static void close_session(lathe_model *model, lathe_session *session)
{
    lathe_session_close(session);
    lathe_model_close(model);
}

/* A row is what it is among all of them. */
static void one_row_of_an_output(void **unused)
{
    (void)unused;
    lathe_model *model;
    lathe_session *session;
    lathe_tensor out;
    static uint16_t all[TOKENS * VOCABULARY];
    open_session(&model, &session);
    ok(lathe_session_run(session, &err));
    ok(lathe_session_output(session, 0, &out, &err));
    assert_int_equal(lathe_tensor_count(&out), TOKENS * VOCABULARY);
    memcpy(all, out.data, sizeof all);
    for (int64_t row = 0; row < TOKENS; row++) {
        ok(lathe_session_select_row(session, 0, row, &err));
        ok(lathe_session_run(session, &err));
        ok(lathe_session_output(session, 0, &out, &err));
        assert_int_equal(out.dim[1], 1);
        for (int64_t i = 0; i < VOCABULARY; i++) {
            double have = lathe_tensor_value(&out, i);
            lathe_tensor_init(&out, LATHE_BF16, 2, (int64_t[]){TOKENS, VOCABULARY}, all);
            double want = lathe_tensor_value(&out, row * VOCABULARY + i), off = have - want;
            assert_true(off < 0.07 && off > -0.07); /* a row alone is summed in another order */
            ok(lathe_session_output(session, 0, &out, &err));
        }
    }
    ok(lathe_session_select_row(session, 0, TOKENS, &err));
    assert_int_not_equal(lathe_session_run(session, &err), LATHE_OK);
    ok(lathe_session_select_row(session, 0, -1, &err));
    ok(lathe_session_run(session, &err));
    ok(lathe_session_output(session, 0, &out, &err));
    assert_memory_equal(out.data, all, sizeof all);
    assert_int_equal(lathe_session_select_row(session, 99, 0, &err), LATHE_INVALID_ARGUMENT);
    close_session(model, session);
}

/* What one session kept is what another goes on with; other float types are converted, and a part is enough.
 */
static void state_goes_to_another_session(void **unused)
{
    (void)unused;
    lathe_model *model, *other_model;
    lathe_session *session, *other;
    lathe_tensor from, to, ones;
    static float values[2 * 4 * 16];
    open_session(&model, &session);
    open_session(&other_model, &other);
    ok(lathe_session_run(session, &err));
    ok(lathe_session_state(session, 3, &from, &err));
    ok(lathe_session_write_state(other, 3, &from, &err));
    ok(lathe_session_state(other, 3, &to, &err));
    assert_int_equal(to.dim[2], CACHE);
    assert_memory_equal(from.data, to.data, (size_t)lathe_tensor_count(&to) * 2);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) values[i] = 1;
    lathe_tensor_init(&ones, LATHE_F32, 4, (int64_t[]){1, 2, 4, 16}, values);
    ok(lathe_session_write_state(other, 3, &ones, &err));
    for (int64_t i = 0; i < lathe_tensor_count(&to); i++) {
        int64_t position = i / 16 % CACHE;
        assert_true(lathe_tensor_value(&to, i) == (position < 4 ? 1 : lathe_tensor_value(&from, i)));
    }
    ones.dim[3] = 17;
    assert_int_equal(lathe_session_write_state(other, 3, &ones, &err), LATHE_TYPE);
    assert_int_equal(lathe_session_state(other, 0, &to, &err), LATHE_INVALID_ARGUMENT);
    close_session(other_model, other);
    close_session(model, session);
}

static void profiles_tell_when_steps_ran(void **unused)
{
    (void)unused;
    lathe_model *model;
    lathe_session *session;
    lathe_step step;
    double begin, end, last = 0, bytes = 0;
    size_t linear = 0;
    open_session(&model, &session);
    assert_int_equal(lathe_session_step_count(session), 0);
    ok(lathe_session_profile(session, 1, &err));
    ok(lathe_session_run(session, &err));
    size_t n = lathe_session_step_count(session);
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        ok(lathe_session_step(session, i, &step, &err));
        lathe_session_step_time(session, i, &begin, &end);
        assert_true(step.joint ? begin >= last && end >= begin : end == 0);
        if (step.joint) last = end;
        bytes += step.bytes;
        linear += strcmp(step.op, "linear") == 0 && strstr(step.module, "layers.") != NULL;
        assert_string_equal(step.device, "cpu");
    }
    assert_true(last > 0 && last < 60 && bytes > 0);
    assert_true(linear > 0);
    assert_int_equal(lathe_session_step(session, n, &step, &err), LATHE_INVALID_ARGUMENT);
    ok(lathe_session_profile(session, 0, &err));
    close_session(model, session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_of_an_output),
        cmocka_unit_test(state_goes_to_another_session),
        cmocka_unit_test(profiles_tell_when_steps_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
