/* Sampling: greedy choice, limits, penalty, random numbers, and logits that make no sense. */
#include "files.h"

#include <math.h>

#include "lathe/llm.h"

static lathe_sampler *make(lathe_sampling how)
{
    lathe_error err;
    lathe_sampler *sampler;
    expect_ok(lathe_sampler_create(&how, &sampler, &err), &err);
    return sampler;
}

static lathe_sampling greedy(void)
{
    lathe_sampling how;
    lathe_sampling_init(&how);
    return how;
}

static lathe_sampling at_temperature(float temperature, uint64_t seed)
{
    lathe_sampling how = greedy();
    how.temperature = temperature;
    how.seed = seed;
    return how;
}

static int64_t next(lathe_sampler *sampler, const float *logits, size_t count)
{
    lathe_error err;
    int64_t id;
    expect_ok(lathe_sampler_next(sampler, logits, count, NULL, 0, &id, &err), &err);
    return id;
}

/* How often each of `count` tokens comes in 20000 draws. */
static void draw(lathe_sampling how, const float *logits, size_t count, size_t *times)
{
    lathe_sampler *sampler = make(how);
    memset(times, 0, count * sizeof *times);
    for (int i = 0; i < 20000; i++) times[next(sampler, logits, count)]++;
    lathe_sampler_destroy(sampler);
}

static void greedy_takes_the_first_of_equals(void **state)
{
    (void)state;
    lathe_sampler *sampler = make(greedy());
    assert_int_equal(next(sampler, (float[]){1, 3, 2, 3}, 4), 1);
    assert_int_equal(next(sampler, (float[]){-INFINITY, -5, -INFINITY}, 3), 1);
    assert_int_equal(next(sampler, (float[]){0}, 1), 0);
    lathe_sampler_destroy(sampler);
}

static void broken_logits_are_errors(void **state)
{
    (void)state;
    static const struct {
        float logits[3];
        const char *part;
    } cases[] = {
        {{1, NAN, 2}, "token 1 is NaN"},
        {{1, 2, INFINITY}, "token 2 is infinite"},
        {{-INFINITY, -INFINITY, -INFINITY}, "every logit"},
    };
    for (int hot = 0; hot < 2; hot++) {
        lathe_sampler *sampler = make(at_temperature((float)hot, 1));
        for (size_t i = 0; i < 3; i++) {
            lathe_error err;
            int64_t id;
            expect_error(lathe_sampler_next(sampler, cases[i].logits, 3, NULL, 0, &id, &err),
                         LATHE_INVALID_ARGUMENT, &err, cases[i].part);
        }
        lathe_sampler_destroy(sampler);
    }
}

static void options_are_checked(void **state)
{
    (void)state;
    lathe_sampling bad[7];
    static const char *const parts[7] = {"temperature", "temperature", "top-k",  "top-p",
                                         "top-p",       "min-p",       "penalty"};
    for (size_t i = 0; i < 7; i++) bad[i] = greedy();
    bad[0].temperature = -1;
    bad[1].temperature = NAN;
    bad[2].top_k = -1;
    bad[3].top_p = 0;
    bad[4].top_p = 1.5f;
    bad[5].min_p = -0.1f;
    bad[6].repetition_penalty = 0;
    for (size_t i = 0; i < 7; i++) {
        lathe_error err;
        lathe_sampler *sampler;
        expect_error(lathe_sampler_create(&bad[i], &sampler, &err), LATHE_INVALID_ARGUMENT, &err, parts[i]);
        assert_null(sampler);
    }
}

static void draws_follow_the_probabilities(void **state)
{
    (void)state;
    static const float logits[] = {0, 1, 2, -1};
    size_t times[4];
    draw(at_temperature(0.7f, 3), logits, 4, times);
    double total = 0;
    for (size_t i = 0; i < 4; i++) total += exp((double)logits[i] / 0.7);
    for (size_t i = 0; i < 4; i++) {
        double p = exp((double)logits[i] / 0.7) / total, sigma = sqrt(20000 * p * (1 - p));
        assert_true(fabs((double)times[i] - 20000 * p) < 5 * sigma);
    }
}

static void seeds_repeat(void **state)
{
    (void)state;
    static const float logits[50] = {0};
    lathe_sampler *a = make(at_temperature(1, 42)), *b = make(at_temperature(1, 42)),
                  *c = make(at_temperature(1, 43));
    int same = 0;
    for (int i = 0; i < 200; i++) {
        int64_t id = next(a, logits, 50);
        assert_int_equal(id, next(b, logits, 50));
        same += id == next(c, logits, 50);
    }
    assert_true(same < 50);
    lathe_sampler_destroy(a);
    lathe_sampler_destroy(b);
    lathe_sampler_destroy(c);
}

/* The published algorithms' own numbers for seed 42, as the top 53 bits over 2^53 and 1000 equal tokens. */
static void random_numbers_are_xoshiro(void **state)
{
    (void)state;
    static const float logits[1000] = {0};
    static const int64_t wanted[] = {83, 378, 680, 924, 991, 769};
    lathe_sampler *sampler = make(at_temperature(1, 42));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_int_equal(next(sampler, logits, 1000), wanted[i]);
    lathe_sampler_destroy(sampler);
}

static void top_k_keeps_the_lowest_ids_of_equals(void **state)
{
    (void)state;
    static const float logits[] = {1, 5, 3, 3, 3, -2};
    size_t times[6];
    lathe_sampling how = at_temperature(1, 5);
    how.top_k = 3;
    draw(how, logits, 6, times);
    assert_true(times[1] > times[2] && times[2] > 0 && times[3] > 0);
    assert_int_equal(times[1] + times[2] + times[3], 20000);
    how.top_k = 100; /* more than there are: all */
    draw(how, logits, 6, times);
    assert_true(times[4] > 0 && times[0] > 0);
}

static void top_p_keeps_what_reaches_it(void **state)
{
    (void)state;
    /* probabilities 0.5, 0.3, 0.15, 0.05 */
    const float logits[] = {logf(0.15f), logf(0.5f), logf(0.05f), logf(0.3f)};
    static const struct {
        float top_p;
        int64_t top_k;
        int kept; /* in the order of probability */
    } cases[] = {{0.49f, 0, 1}, {0.51f, 0, 2}, {0.79f, 0, 2}, {0.81f, 0, 3}, {0.96f, 0, 4},
                 {1e-6f, 0, 1}, {0.6f, 2, 1},  {0.63f, 2, 2}, {0.99f, 2, 2}};
    static const size_t order[] = {1, 3, 0, 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t times[4];
        lathe_sampling how = at_temperature(1, 7);
        how.top_p = cases[i].top_p;
        how.top_k = cases[i].top_k;
        draw(how, logits, 4, times);
        for (int k = 0; k < 4; k++)
            if ((times[order[k]] > 0) != (k < cases[i].kept)) fail_msg("case %zu: token %zu", i, order[k]);
    }
}

static void min_p_is_relative_to_the_likeliest(void **state)
{
    (void)state;
    const float logits[] = {logf(0.15f), logf(0.5f), logf(0.05f), logf(0.3f)};
    size_t times[4];
    lathe_sampling how = at_temperature(1, 9);
    how.min_p = 0.25f; /* of 0.5 */
    draw(how, logits, 4, times);
    assert_true(times[0] > 0 && times[1] > 0 && times[3] > 0 && times[2] == 0);
}

static void penalty_counts_once(void **state)
{
    (void)state;
    lathe_sampling how = greedy();
    how.repetition_penalty = 2;
    lathe_sampler *sampler = make(how);
    lathe_error err;
    int64_t id;
    static const int64_t seen[] = {1, 1, 7, -3};
    expect_ok(lathe_sampler_next(sampler, (float[]){2.4f, 5, 1}, 3, seen, 4, &id, &err), &err);
    assert_int_equal(id, 1); /* 5 / 2, and not 5 / 4 */
    expect_ok(lathe_sampler_next(sampler, (float[]){2.6f, 5, 1}, 3, seen, 4, &id, &err), &err);
    assert_int_equal(id, 0);
    expect_ok(lathe_sampler_next(sampler, (float[]){-1.5f, -1, -1.8f}, 3, seen, 4, &id, &err), &err);
    assert_int_equal(id, 0); /* -1 becomes -2 */
    lathe_sampler_destroy(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_first_of_equals),
        cmocka_unit_test(broken_logits_are_errors),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(seeds_repeat),
        cmocka_unit_test(random_numbers_are_xoshiro),
        cmocka_unit_test(top_k_keeps_the_lowest_ids_of_equals),
        cmocka_unit_test(top_p_keeps_what_reaches_it),
        cmocka_unit_test(min_p_is_relative_to_the_likeliest),
        cmocka_unit_test(penalty_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
