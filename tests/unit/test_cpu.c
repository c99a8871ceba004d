/* The CPU device: every step that has a fast form gives what the operator's reference gives, and the same
 * bits for any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "backend/cpu.h"
#include "base/os.h"
#include "ops/convert.h"
#include "ops/families.h"

enum { MAX_ARGS = 8, POOLS = 4 };

static lt_cpu *cpus[POOLS]; /* with 1, 2, 3 and 5 threads */
static uint64_t seed = 1;

static int make_cpus(void **state)
{
    static const int threads[POOLS] = {1, 2, 3, 5};
    (void)state;
    for (int i = 0; i < POOLS; i++)
        if (lt_cpu_create(threads[i], &cpus[i], NULL) != LATHE_OK) return -1;
    return 0;
}

static int destroy_cpus(void **state)
{
    (void)state;
    for (int i = 0; i < POOLS; i++) lt_cpu_destroy(cpus[i]);
    return 0;
}

static double uniform(void) /* -1 … 1 */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-52 - 1;
}

/* ---- Steps ---- */

typedef struct lt_case {
    lt_step step;
    lt_operand args[MAX_ARGS];
    void *memory[MAX_ARGS];
} lt_case;

/* A contiguous operand of random values. */
static lt_tensor *add_operand(lt_case *c, lt_dtype dtype, int rank, const int64_t *dim, double scale)
{
    lt_type type = lt_type_make(dtype, rank, dim);
    uint32_t i = c->step.n_in + c->step.n_out;
    int64_t n = lt_type_count(&type), size = (int64_t)lathe_dtype_size(dtype);
    assert_true(i < MAX_ARGS);
    c->memory[i] = lt_os_alloc(lt_type_bytes(&type));
    for (int64_t k = 0; k < n; k++) {
        double value = dtype == LATHE_BOOL ? uniform() > -0.5 : uniform() * scale;
        lt_store_f64(dtype, (char *)c->memory[i] + k * size, size, 1, &value);
    }
    c->args[i].tensor = lt_tensor_of(&type, c->memory[i]);
    return &c->args[i].tensor;
}

static lt_tensor *add_input(lt_case *c, lt_dtype dtype, int rank, const int64_t *dim, double scale)
{
    lt_tensor *tensor = add_operand(c, dtype, rank, dim, scale);
    c->step.n_in++;
    return tensor;
}

/* An input whose dims are stored in another order: dim i of the tensor is dim order[i] in memory. */
static lt_tensor *add_permuted(lt_case *c, lt_dtype dtype, int rank, const int64_t *dim, const int *order,
                               double scale)
{
    int64_t stored[LT_MAX_RANK];
    for (int i = 0; i < rank; i++) stored[order[i]] = dim[i];
    lt_tensor *tensor = add_input(c, dtype, rank, stored, scale), flat = *tensor;
    for (int i = 0; i < rank; i++) {
        tensor->dim[i] = dim[i];
        tensor->stride[i] = flat.stride[order[i]];
    }
    return tensor;
}

static void add_outputs(lt_case *c)
{
    const lt_op_info *info = lt_op_get(c->step.op);
    lt_type in[MAX_ARGS], out[LT_MAX_OUTPUTS];
    lathe_error err;
    for (uint32_t i = 0; i < c->step.n_in; i++) in[i] = lt_tensor_type(&c->args[i].tensor);
    lathe_status status = info->infer(c->step.op, &c->step.attrs, in, (int)c->step.n_in, out, &err);
    if (status != LATHE_OK) fail_msg("%s: %s", info->name, err.message);
    for (int i = 0; i < info->n_out; i++) {
        add_operand(c, out[i].dtype, out[i].rank, out[i].dim, 1);
        c->step.n_out++;
    }
    c->step.args = c->args;
}

static void free_case(lt_case *c)
{
    for (int i = 0; i < MAX_ARGS; i++) lt_os_free(c->memory[i]);
}

static lt_op_call call_of(const lt_case *c, lt_tensor *tensors, void *scratch)
{
    for (uint32_t i = 0; i < c->step.n_in + c->step.n_out; i++) tensors[i] = c->args[i].tensor;
    return (lt_op_call){.op = c->step.op,
                        .attrs = &c->step.attrs,
                        .in = tensors,
                        .out = tensors + c->step.n_in,
                        .n_in = (int)c->step.n_in,
                        .scratch = scratch};
}

static void *run_reference(const lt_case *c)
{
    const lt_op_info *info = lt_op_get(c->step.op);
    lt_tensor tensors[MAX_ARGS];
    lt_type in[MAX_ARGS];
    for (uint32_t i = 0; i < c->step.n_in; i++) in[i] = lt_tensor_type(&c->args[i].tensor);
    void *scratch = lt_os_alloc(info->scratch ? info->scratch(&c->step.attrs, in, (int)c->step.n_in) : 0);
    lt_op_call call = call_of(c, tensors, scratch);
    size_t bytes = (size_t)lathe_tensor_count(call.out) * lathe_dtype_size(call.out->dtype);
    void *result = lt_os_alloc(bytes);
    tensors[c->step.n_in].data = result;
    assert_int_equal(info->ref(&call, NULL), LATHE_OK);
    lt_os_free(scratch);
    return result;
}

/* False when the step has no fast form. */
static bool run_fast(const lt_case *c, const lt_cpu *cpu)
{
    lt_tensor tensors[MAX_ARGS];
    size_t bytes;
    lt_cpu_run run = lt_cpu_bind(cpu, &c->step, &bytes);
    if (!run) return false;
    void *scratch = lt_os_alloc(bytes);
    lt_op_call call = call_of(c, tensors, scratch);
    run(cpu, &call);
    lt_os_free(scratch);
    return true;
}

static double largest(lt_dtype dtype, const void *data, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = fabs(lt_load_one(dtype, (const char *)data + i * (int64_t)lathe_dtype_size(dtype)));
        if (x > most && isfinite(x)) most = x;
    }
    return most;
}

/* `tolerance`: of the largest result, for float32; rounding to the type of the result comes on top. */
static void check_case(lt_case *c, double tolerance, const char *what)
{
    add_outputs(c);
    const lt_tensor *out = &c->args[c->step.n_in].tensor;
    int64_t n = lathe_tensor_count(out), size = (int64_t)lathe_dtype_size(out->dtype);
    char *want = run_reference(c), *first = lt_os_alloc((size_t)(n * size));
    double rounding = out->dtype == LATHE_BF16 ? 0x1p-7 : out->dtype == LATHE_F16 ? 0x1p-10 : 0;
    double scale = largest(out->dtype, want, n) * tolerance;
    for (int p = 0; p < POOLS; p++) {
        memset(out->data, 0xff, (size_t)(n * size));
        if (!run_fast(c, cpus[p])) fail_msg("%s: no fast form", what);
        if (p == 0) memcpy(first, out->data, (size_t)(n * size));
        else if (memcmp(first, out->data, (size_t)(n * size)) != 0)
            fail_msg("%s: depends on the threads", what);
    }
    for (int64_t i = 0; i < n; i++) {
        double a = lt_load_one(out->dtype, first + i * size), b = lt_load_one(out->dtype, want + i * size);
        if (isnan(b) ? !isnan(a) : a != b && !(fabs(a - b) <= scale + rounding * fabs(b)))
            fail_msg("%s: element %lld is %g, expected %g", what, (long long)i, a, b);
    }
    lt_os_free(want);
    lt_os_free(first);
    free_case(c);
}

/* ---- Linear ---- */

static void test_linear(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    static const int64_t rows[] = {1, 3, 7, 33};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (size_t r = 0; r < LT_COUNT(rows); r++)
            for (int bias = 0; bias < 2; bias++) {
                lt_case c = {.step = {.op = LT_OP_LINEAR}};
                add_input(&c, dtypes[d], 3, (int64_t[]){1, rows[r], 70}, 1);
                add_input(&c, dtypes[d], 2, (int64_t[]){75, 70}, 1);
                if (bias) add_input(&c, dtypes[d], 1, (int64_t[]){75}, 1);
                check_case(&c, 1e-5, "linear");
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

static void check_sdpa(const sdpa_shape *s, lt_dtype dtype, lt_dtype stored, int kind, unsigned rounds)
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
                                             .rounded = stored,
                                             .rounds = rounds,
                                             .scale = 0.2}}}};
    snprintf(name, sizeof name, "sdpa %s over %s mask %d rounds %u, %lld heads of %lld, %lld rows, %lld keys",
             lathe_dtype_name(dtype), lathe_dtype_name(stored), kind, rounds, (long long)s->heads,
             (long long)s->groups, (long long)s->length, (long long)s->keys);
    add_permuted(&c, dtype, 4, (int64_t[]){s->batch, s->heads, s->length, s->dim}, as_stored, 3);
    add_input(&c, stored, 4, (int64_t[]){s->batch, s->groups, s->keys, s->dim}, 1);
    add_input(&c, stored, 4, (int64_t[]){s->batch, s->groups, s->keys, s->dim}, 1);
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
    /* A score on the other side of a rounding moves the result by as much. */
    check_case(&c, rounds ? stored == LATHE_BF16 ? 0x1p-6 : 0x1p-9 : 1e-5, name);
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
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 0);
                check_sdpa(&shapes[s], dtypes[d], dtypes[(d + 1) % LT_COUNT(dtypes)], kind, 0);
                if (dtypes[d] == LATHE_F32) continue;
                check_sdpa(&shapes[s], dtypes[d], dtypes[d], kind, 15);
                check_sdpa(&shapes[s], LATHE_F32, dtypes[d], kind, 8);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_sdpa),
    };
    return cmocka_run_group_tests(tests, make_cpus, destroy_cpus);
}
