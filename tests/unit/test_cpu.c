/* The CPU device: every step that has a fast form gives what the operator's reference gives, and the same
 * bits for any number of threads. */
#include "cpu_case.h"

#include "ops/cache_row.h"

/* ---- Linear ---- */

static void test_linear(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    static const int64_t rows[] = {1, 3, 7, 33};
    static const int turned[] = {1, 2, 0};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (size_t r = 0; r < LT_COUNT(rows); r++)
            for (int bias = 0; bias < 2; bias++) {
                lt_case c = {.step = {.op = LT_OP_LINEAR}};
                if (rows[r] == 7) add_permuted(&c, dtypes[d], 3, (int64_t[]){2, 7, 70}, turned, 1);
                else add_input(&c, dtypes[d], 3, (int64_t[]){1, rows[r], 70}, 1);
                add_input(&c, dtypes[d], 2, (int64_t[]){75, 70}, 1);
                if (bias) add_input(&c, dtypes[d], 1, (int64_t[]){75}, 1);
                check_case(&c, 1e-5, "linear");
            }
}

/* ---- Linear layers of one input ---- */

enum { JOINT = 3 };

/* Layers over the input of the first case, which lies in the arena; weights do not. */
static void make_layers(lt_case cases[JOINT], lt_step steps[JOINT], lt_dtype dtype, int64_t m)
{
    static const int64_t widths[JOINT] = {75, 20, 130};
    for (int i = 0; i < JOINT; i++) {
        lt_case *c = &cases[i];
        *c = (lt_case){.step = {.op = LT_OP_LINEAR}};
        add_input(c, dtype, 2, (int64_t[]){m, 70}, 1);
        add_input(c, dtype, 2, (int64_t[]){widths[i], 70}, 1);
        if (i != 1) add_input(c, dtype, 1, &widths[i], 1);
        add_outputs(c);
        c->args[0].tensor.data = cases[0].args[0].tensor.data;
        for (uint32_t k = 1; k < c->step.n_in; k++) c->args[k].kind = LT_BUFFER_WEIGHT;
        steps[i] = c->step;
    }
}

static void check_joint(const lt_cpu *cpu, lt_dtype dtype, int64_t m)
{
    lt_case cases[JOINT];
    lt_step steps[JOINT];
    lt_op_call calls[JOINT];
    lt_tensor tensors[JOINT][MAX_ARGS];
    lt_cpu_run runs[JOINT];
    void *alone[JOINT][LT_MAX_OUTPUTS] = {{NULL}};
    size_t bytes;
    make_layers(cases, steps, dtype, m);
    for (int i = 0; i < JOINT; i++) {
        runs[i] = lt_cpu_bind(cpu, &steps[i], &bytes);
        assert_true(run_fast(&cases[i], cpu));
        copy_outputs(&cases[i], alone[i]);
        fill_outputs(&cases[i], 0xff);
    }
    assert_int_equal(lt_cpu_join(cpu, steps, runs, JOINT, &bytes), JOINT);
    void *scratch = lt_os_alloc(bytes);
    for (int i = 0; i < JOINT; i++) calls[i] = call_of(&cases[i], tensors[i], scratch);
    lt_cpu_run_joint(cpu, calls, runs[0], JOINT);
    for (int i = 0; i < JOINT; i++) {
        assert_true(same_outputs(&cases[i], alone[i]));
        lt_os_free(alone[i][0]);
    }
    steps[2].args[0].offset = 64; /* another input */
    assert_int_equal(lt_cpu_join(cpu, steps, runs, JOINT, &bytes), 2);
    steps[1].args[1].kind = LT_BUFFER_ARENA; /* what might be written by the step before */
    assert_int_equal(lt_cpu_join(cpu, steps, runs, JOINT, &bytes), 1);
    lt_os_free(scratch);
    for (int i = 0; i < JOINT; i++) free_case(&cases[i]);
}

static void test_joint(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    for (int p = 0; p < POOLS; p++)
        for (size_t d = 0; d < LT_COUNT(dtypes); d++) {
            check_joint(cpus[p], dtypes[d], 1);
            check_joint(cpus[p], dtypes[d], 33);
        }
}

/* ---- Attention ---- */

typedef struct sdpa_shape {
    int64_t batch, heads, groups, length, keys, dim;
} sdpa_shape;

/* The masks that models bring: none, by booleans, by -infinity, by the smallest number; for all heads or
 * each; a causal one written out; and what passes make of them: the last key of a row, or both ends. */
enum {
    MASK_NONE,
    MASK_CAUSAL,
    MASK_BOOL,
    MASK_ADDED,
    MASK_HEADS,
    MASK_WRITTEN,
    MASK_LAST,
    MASK_WINDOW,
    MASK_KINDS
};

/* A key for each row, some of them outside. */
static void add_bound(lt_case *c, int rank, const int64_t *dim, int64_t keys)
{
    lt_tensor *bound = add_input(c, LATHE_I64, rank, dim, 1);
    for (int64_t i = 0; i < lathe_tensor_count(bound); i++)
        ((int64_t *)bound->data)[i] = (int64_t)((uniform() * 0.6 + 0.5) * (double)keys);
}

static void hide_future(lt_tensor *mask, int64_t length, int64_t keys, double hidden)
{
    int64_t size = (int64_t)lathe_dtype_size(mask->dtype);
    for (int64_t l = 0; l < length; l++)
        for (int64_t k = 0; k < keys; k++) {
            double value = k <= keys - length + l ? 0 : hidden;
            lt_store_f64(mask->dtype, (char *)mask->data + (l * keys + k) * size, size, 1, &value);
        }
}

/* Keys or values [batch, groups, keys, dim]; int8: rows with a scale. */
static void add_rows(lt_case *c, lt_dtype stored, const sdpa_shape *s)
{
    bool quantized = stored == LATHE_I8;
    int64_t dim[] = {s->batch, s->groups, s->keys, s->dim + (quantized ? LT_CACHE_SCALE : 0)};
    lt_tensor *rows = add_input(c, stored, 4, dim, 1);
    if (!quantized) return;
    lt_case plain = {0};
    dim[3] = s->dim;
    lt_cache_rows_put(add_input(&plain, LATHE_F32, 4, dim, 1), rows);
    free_case(&plain);
}

/* A score on the other side of a rounding moves the result by as much: a rounding of the graph's, or that of
 * a sum with -65504, of which a row that sees nothing has its weights. Products of bfloat16 pairs round the
 * weights: errors of 2^-9 each, which add up as the terms do. */
static double sdpa_tolerance(const lt_attrs_sdpa *attrs, const sdpa_shape *s, lt_dtype dtype, lt_dtype stored,
                             int kind)
{
    if (!attrs->rounds && dtype == LATHE_BF16 && stored == LATHE_BF16) return 0x1p-8;
    if (attrs->rounds) return attrs->rounded == LATHE_BF16 ? 0x1p-6 : 0x1p-9;
    return kind == MASK_WRITTEN && s->length > s->keys && dtype == LATHE_F16 ? 0x1p-8 : 1e-5;
}

static void check_sdpa(const sdpa_shape *s, lt_dtype dtype, lt_dtype stored, int kind, unsigned rounds,
                       double cap, bool sink)
{
    static const int as_stored[] = {0, 2, 1, 3}; /* projections are [batch, position, head, dim] */
    char name[160];
    bool mask = kind == MASK_BOOL || kind == MASK_ADDED || kind == MASK_HEADS || kind == MASK_WRITTEN;
    lt_case c = {.step = {.op = LT_OP_SDPA,
                          .attrs = {.sdpa = {.causal = kind == MASK_CAUSAL,
                                             .has_mask = mask,
                                             .has_last = kind == MASK_LAST || kind == MASK_WINDOW,
                                             .has_first = kind == MASK_WINDOW,
                                             .empty_nan = kind == MASK_WINDOW,
                                             .rounded = stored == LATHE_I8 ? dtype : stored,
                                             .rounds = rounds,
                                             .has_sink = sink,
                                             .cap = cap,
                                             .scale = 0.2}}}};
    snprintf(name, sizeof name,
             "sdpa %s over %s mask %d rounds %u cap %g sink %d, %lld heads of %lld, %lld rows, %lld keys",
             lathe_dtype_name(dtype), lathe_dtype_name(stored), kind, rounds, cap, sink, (long long)s->heads,
             (long long)s->groups, (long long)s->length, (long long)s->keys);
    add_permuted(&c, dtype, 4, (int64_t[]){s->batch, s->heads, s->length, s->dim}, as_stored, 3);
    add_rows(&c, stored, s);
    add_rows(&c, stored, s);
    if (kind == MASK_LAST || kind == MASK_WINDOW) add_bound(&c, 1, (int64_t[]){s->length}, s->keys);
    if (kind == MASK_WINDOW) add_bound(&c, 2, (int64_t[]){s->batch, s->length}, s->keys);
    if (kind == MASK_BOOL) add_input(&c, LATHE_BOOL, 2, (int64_t[]){s->length, s->keys}, 1);
    if (kind == MASK_ADDED) add_input(&c, dtype, 4, (int64_t[]){s->batch, 1, 1, s->keys}, 1);
    if (kind == MASK_HEADS) add_input(&c, LATHE_F32, 4, (int64_t[]){1, s->heads, s->length, s->keys}, 1);
    if (kind == MASK_WRITTEN)
        hide_future(add_input(&c, dtype, 4, (int64_t[]){1, 1, s->length, s->keys}, 1), s->length, s->keys,
                    s->dim % 2           ? -INFINITY
                    : dtype == LATHE_F16 ? -65504
                                         : -3.3e38);
    if (sink) add_input(&c, LATHE_F32, 1, &s->heads, 1);
    check_case(&c, sdpa_tolerance(&c.step.attrs.sdpa, s, dtype, stored, kind), name);
}

static void test_sdpa(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    static const sdpa_shape shapes[] = {{1, 6, 2, 1, 1300, 32}, {2, 4, 4, 1, 40, 17},  {1, 3, 1, 70, 70, 24},
                                        {2, 4, 2, 5, 600, 16},  {1, 2, 2, 130, 40, 8}, {1, 1, 1, 3, 1, 1}};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (size_t s = 0; s < LT_COUNT(shapes); s++)
            for (int kind = 0; kind < MASK_KINDS; kind++) {
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 0, 0, false);
                check_sdpa(&shapes[s], dtypes[d], dtypes[(d + 1) % LT_COUNT(dtypes)], kind, 0, 0, true);
                check_sdpa(&shapes[s], dtypes[d], LATHE_I8, kind, 0, 3, false);
                if (dtypes[d] == LATHE_F32) continue;
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 15, 0, false);
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 31, 3, false);
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 47, 0, true);
                check_sdpa(&shapes[s], dtypes[d], LATHE_I8, kind, 15, 0, true);
                check_sdpa(&shapes[s], LATHE_F32, dtypes[d], kind, 8, 0, true);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_joint),
        cmocka_unit_test(test_sdpa),
    };
    return cmocka_run_group_tests(tests, make_cpus, destroy_cpus);
}
