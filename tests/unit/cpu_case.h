/* Steps as test cases: a fast form must give what the operator's reference gives, and the same bits for any
 * number of threads. */
#ifndef LT_CPU_CASE_H
#define LT_CPU_CASE_H

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

enum { MAX_ARGS = 12, POOLS = 4 };

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
    int64_t stored[LT_MAX_RANK] = {0};
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

static size_t bytes_of(const lt_tensor *tensor)
{
    return (size_t)lathe_tensor_count(tensor) * lathe_dtype_size(tensor->dtype);
}

static void fill_outputs(lt_case *c, int fill)
{
    for (uint32_t k = 0; k < c->step.n_out; k++) {
        const lt_tensor *out = &c->args[c->step.n_in + k].tensor;
        memset(out->data, fill, bytes_of(out));
    }
}

static void copy_outputs(const lt_case *c, void *copies[LT_MAX_OUTPUTS])
{
    for (uint32_t k = 0; k < c->step.n_out; k++) {
        const lt_tensor *out = &c->args[c->step.n_in + k].tensor;
        if (!copies[k]) copies[k] = lt_os_alloc(bytes_of(out));
        memcpy(copies[k], out->data, bytes_of(out));
    }
}

static bool same_outputs(const lt_case *c, void *const copies[LT_MAX_OUTPUTS])
{
    bool same = true;
    for (uint32_t k = 0; k < c->step.n_out; k++) {
        const lt_tensor *out = &c->args[c->step.n_in + k].tensor;
        same = same && memcmp(copies[k], out->data, bytes_of(out)) == 0;
    }
    return same;
}

static void run_reference(const lt_case *c)
{
    const lt_op_info *info = lt_op_get(c->step.op);
    lt_tensor tensors[MAX_ARGS];
    lt_type in[MAX_ARGS];
    for (uint32_t i = 0; i < c->step.n_in; i++) in[i] = lt_tensor_type(&c->args[i].tensor);
    void *scratch = lt_os_alloc(info->scratch ? info->scratch(&c->step.attrs, in, (int)c->step.n_in) : 0);
    lt_op_call call = call_of(c, tensors, scratch);
    assert_int_equal(info->ref(&call, NULL), LATHE_OK);
    lt_os_free(scratch);
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

/* `tolerance`: of the largest result, for float32; rounding to the type of the result comes on top. Negative:
 * the reference's very values. */
static void compare_output(const lt_tensor *out, const char *want, double tolerance, const char *what)
{
    int64_t n = lathe_tensor_count(out), size = (int64_t)lathe_dtype_size(out->dtype);
    double rounding = out->dtype == LATHE_BF16 ? 0x1p-7 : out->dtype == LATHE_F16 ? 0x1p-10 : 0;
    double scale = tolerance > 0 ? largest(out->dtype, want, n) * tolerance : 0;
    if (tolerance < 0 || !lt_dtype_is_float(out->dtype)) rounding = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *at = (const char *)out->data + i * size;
        double a = lt_load_one(out->dtype, at), b = lt_load_one(out->dtype, want + i * size);
        bool floats = lt_dtype_is_float(out->dtype);
        if (floats && (isnan(b) ? isnan(a) : a == b)) continue;
        if (memcmp(at, want + i * size, (size_t)size) == 0) continue;
        if (tolerance < 0 || !(a == b || fabs(a - b) <= scale + rounding * fabs(b)))
            fail_msg("%s: element %lld is %g, expected %g", what, (long long)i, a, b);
    }
}

static void check_case(lt_case *c, double tolerance, const char *what)
{
    void *want[LT_MAX_OUTPUTS] = {NULL}, *first[LT_MAX_OUTPUTS] = {NULL};
    add_outputs(c);
    run_reference(c);
    copy_outputs(c, want);
    for (int p = 0; p < POOLS; p++) {
        fill_outputs(c, 0xff);
        if (!run_fast(c, cpus[p])) fail_msg("%s: no fast form", what);
        if (p == 0) copy_outputs(c, first);
        else if (!same_outputs(c, first)) fail_msg("%s: depends on the threads", what);
    }
    for (uint32_t k = 0; k < c->step.n_out; k++)
        compare_output(&c->args[c->step.n_in + k].tensor, want[k], tolerance, what);
    for (uint32_t k = 0; k < c->step.n_out; k++) {
        lt_os_free(want[k]);
        lt_os_free(first[k]);
    }
    free_case(c);
}

#endif
