/* The passes that make chains and lay weights out: what they join, and what they must leave alone. Graphs are
 * compared as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aten/builder.h"
#include "pass/hoist.h"
#include "pass/pass.h"

typedef struct fixture {
    lt_arena *arena;
    lt_builder b;
    lathe_error err;
    lt_id outputs[4];
    int n;
} fixture;

static lt_id add_leaf(fixture *f, lt_value_kind kind, lt_dtype dtype, int rank, const int64_t *dim)
{
    lt_value value = {.type = lt_type_make(dtype, rank, dim), .kind = kind};
    lt_id id = LT_NONE;
    value.index = f->b.graph->n_values;
    if (lt_graph_add_value(f->b.graph, &value, &id, &f->err) != LATHE_OK) fail_msg("%s", f->err.message);
    return id;
}

static lt_id add_input(fixture *f, lt_dtype dtype, int rank, const int64_t *dim)
{
    return add_leaf(f, LT_VALUE_INPUT, dtype, rank, dim);
}

static void start(fixture *f)
{
    *f = (fixture){.n = 0};
    assert_int_equal(lt_arena_create(&f->arena, &f->err), LATHE_OK);
    assert_int_equal(lt_graph_create(f->arena, &f->b.graph, &f->err), LATHE_OK);
    f->b.err = &f->err;
}

/* Runs a pass and compares; the outputs are what the test put into the fixture. */
static void expect(fixture *f, lathe_status (*pass)(const lt_graph *, lt_graph **, lathe_error *),
                   const char *want)
{
    lt_text text = {0};
    lt_graph *graph = f->b.graph;
    if (f->b.status != LATHE_OK) fail_msg("%s", f->err.message);
    graph->outputs = f->outputs;
    graph->n_outputs = (uint32_t)f->n;
    assert_int_equal(pass(graph, &graph, &f->err), LATHE_OK);
    lt_graph_print(graph, &text);
    if (strcmp(text.data, want) != 0) fail_msg("got\n%s\nexpected\n%s", text.data, want);
    lt_text_free(&text);
    lt_arena_destroy(f->arena);
}

static const int64_t dims[] = {3, 5};

/* Casts and roundings stay where they were; operands that broadcast are inputs of the chain. */
static void test_joins(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_BF16, 2, dims), w = add_input(&f, LATHE_BF16, 1, dims + 1);
    lt_id silu = lt_build_unary(&f.b, LT_OP_SILU, x);
    lt_id product = lt_build_mul(&f.b, silu, w);
    f.outputs[f.n++] = lt_build_cast(&f.b, lt_build_add(&f.b, product, x), LATHE_F32);
    expect(&f, lt_pass_chain,
           "%2: float32[3,5] = chain(i0, i1) {t0 = silu(a): bfloat16; t1 = mul(t0, b): bfloat16; "
           "t2 = add(t1, a): bfloat16; t3 = cast(t2): float32}\n"
           "return %2\n");
}

/* A value that only its own chain reads, if twice, is joined; an output is not. */
static void test_keeps_outputs(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_F32, 2, dims);
    lt_id a = lt_build_unary(&f.b, LT_OP_EXP, x), b = lt_build_unary(&f.b, LT_OP_NEG, a);
    lt_id c = lt_build_unary(&f.b, LT_OP_TANH, b);
    f.outputs[f.n++] = b;
    f.outputs[f.n++] = lt_build_mul(&f.b, c, c);
    expect(&f, lt_pass_chain,
           "%1: float32[3,5] = chain(i0) {t0 = exp(a): float32; t1 = neg(t0): float32}\n"
           "%2: float32[3,5] = chain(%1) {t0 = tanh(a): float32; t1 = mul(t0, t0): float32}\n"
           "return %1, %2\n");
}

/* Another shape, a reader outside, or an operator in between ends a chain; dead nodes do not count. */
static void test_borders(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_F32, 2, dims), row = add_input(&f, LATHE_F32, 1, dims + 1);
    lt_id scaled = lt_build_unary(&f.b, LT_OP_EXP, row);
    lt_id sum = lt_build_add(&f.b, x, scaled), twice = lt_build_add(&f.b, sum, sum);
    lt_build_reduce_dim(&f.b, LT_OP_REDUCE_SUM, sum, 1, false);
    f.outputs[f.n++] = lt_build_softmax(&f.b, twice, 1, false, LATHE_F32);
    expect(&f, lt_pass_chain,
           "%2: float32[5] = exp(i1)\n"
           "%3: float32[3,5] = chain(i0, %2) {t0 = add(a, b): float32; t1 = add(t0, t0): float32}\n"
           "%4: float32[3,5] = softmax(%3)\n"
           "return %4\n");
}

/* Long chains are cut. */
static void test_limits(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_F32, 2, dims);
    for (int i = 0; i < LT_CHAIN_STEPS + 1; i++) x = lt_build_unary(&f.b, LT_OP_NEG, x);
    f.outputs[f.n++] = x;
    lt_graph *graph = f.b.graph;
    graph->outputs = f.outputs;
    graph->n_outputs = 1;
    assert_int_equal(lt_pass_chain(graph, &graph, &f.err), LATHE_OK);
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->nodes[0].op, LT_OP_NEG);
    assert_int_equal(graph->nodes[1].attrs.chain.n, LT_CHAIN_STEPS);
    lt_arena_destroy(f.arena);
}

/* Weights that lie across are copied, unless something else reads them. */
static void test_layout(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_F32, 2, dims),
          v = add_leaf(&f, LT_VALUE_WEIGHT, LATHE_F32, 2, (int64_t[]){5, 2}),
          w = add_leaf(&f, LT_VALUE_WEIGHT, LATHE_F32, 2, (int64_t[]){5, 2});
    f.outputs[f.n++] = lt_build_linear(&f.b, x, lt_build_transpose(&f.b, v, 0, 1), LT_NONE);
    f.outputs[f.n++] = lt_build_linear(&f.b, x, lt_build_transpose(&f.b, w, 0, 1), LT_NONE);
    f.outputs[f.n++] = w;
    expect(&f, lt_pass_linear_weights,
           "%3: float32[2,5] = permute(w1)\n"
           "%4: float32[2,5] = copy(%3)\n"
           "%5: float32[3,2] = linear(i0, %4)\n"
           "%6: float32[2,5] = permute(w2)\n"
           "%7: float32[3,2] = linear(i0, %6)\n"
           "return %5, %7, w2\n");
}

/* States that belong to another region stay where they are not. */
static void test_foreign_states(void **state)
{
    (void)state;
    fixture f;
    uint32_t index;
    start(&f);
    lt_graph *graph = f.b.graph;
    lt_id kept = add_leaf(&f, LT_VALUE_STATE, LATHE_F32, 2, dims);
    graph->values[kept].index = 1;
    lt_id next = lt_build_unary(&f.b, LT_OP_NEG, kept);
    const lt_state states[] = {{.before = LT_NONE, .after = LT_NONE},
                               {.before = kept, .after = next},
                               {.before = LT_NONE, .after = next}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(lt_graph_add_state(graph, &states[i], &index, &f.err), LATHE_OK);
    lt_hoist hoist;
    assert_int_equal(lt_pass_unchain(graph, &graph, &f.err), LATHE_OK);
    assert_int_equal(lt_hoist_split(graph, &hoist, &f.err), LATHE_OK);
    assert_int_equal(lt_hoist_join(&hoist, hoist.rest, &graph, &f.err), LATHE_OK);
    assert_int_equal(graph->n_states, 3);
    assert_int_equal(graph->states[0].before, LT_NONE);
    assert_int_equal(graph->states[0].after, LT_NONE);
    assert_int_equal(graph->values[graph->states[1].before].kind, LT_VALUE_STATE);
    assert_int_equal(graph->states[2].before, LT_NONE);
    assert_int_equal(graph->states[2].after, graph->states[1].after);
    lt_arena_destroy(f.arena);
}

/* Taken apart and joined again, a chain is what it was. */
static void test_unchain(void **state)
{
    (void)state;
    fixture f;
    start(&f);
    lt_id x = add_input(&f, LATHE_BF16, 2, dims), w = add_input(&f, LATHE_F32, 1, dims + 1);
    lt_id wide = lt_build_cast(&f.b, lt_build_unary(&f.b, LT_OP_SILU, x), LATHE_F32);
    f.outputs[f.n++] = lt_build_mul(&f.b, w, lt_build_add(&f.b, wide, wide));
    lt_graph *graph = f.b.graph, *apart;
    graph->outputs = f.outputs;
    graph->n_outputs = 1;
    lt_text whole = {0}, again = {0}, written = {0}, formulas = {0};
    lt_graph_print(graph, &written);
    assert_int_equal(lt_pass_chain(graph, &graph, &f.err), LATHE_OK);
    assert_int_equal(graph->n_nodes, 1);
    lt_graph_print(graph, &whole);
    assert_int_equal(lt_pass_unchain(graph, &apart, &f.err), LATHE_OK);
    lt_graph_print(apart, &formulas);
    assert_string_equal(formulas.data, written.data);
    assert_int_equal(lt_pass_chain(apart, &graph, &f.err), LATHE_OK);
    lt_graph_print(graph, &again);
    assert_string_equal(again.data, whole.data);
    lt_text_free(&whole);
    lt_text_free(&again);
    lt_text_free(&written);
    lt_text_free(&formulas);
    lt_arena_destroy(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joins),   cmocka_unit_test(test_keeps_outputs),
                                       cmocka_unit_test(test_borders), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_layout),  cmocka_unit_test(test_foreign_states),
                                       cmocka_unit_test(test_unchain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
