/* Binds steps to CPU kernels. */
#include "backend/cpu.h"

#include <stdlib.h>

#include "base/arena.h"
#include "ops/convert.h"

lathe_status lt_cpu_create(int threads, lt_cpu **out, lathe_error *err)
{
    *out = NULL;
    lt_cpu *cpu = lt_heap_alloc(1, sizeof *cpu);
    if (!cpu) return lt_out_of_memory(err, 1, sizeof *cpu);
    lt_cpu_kernels_init(&cpu->kernels, lt_cpu_detect(getenv("LATHE_CPU")));
    lathe_status status = lt_pool_create(threads ? threads : lt_pool_default_threads(), &cpu->pool, err);
    if (status == LATHE_OK) *out = cpu;
    else lt_cpu_destroy(cpu);
    return status;
}

void lt_cpu_destroy(lt_cpu *cpu)
{
    if (!cpu) return;
    lt_pool_destroy(cpu->pool);
    lt_heap_free(cpu);
}

/* ---- Linear ---- */

typedef struct lt_gemm_job {
    const lt_gemm *gemm;
    void (*run)(const lt_gemm *gemm, int64_t n0, int64_t n1);
} lt_gemm_job;

static void gemm_work(void *context, int64_t begin, int64_t end)
{
    const lt_gemm_job *job = context;
    job->run(job->gemm, begin, end);
}

static bool gemm_type(lt_dtype dtype, lt_gemm_type *out)
{
    switch (dtype) {
    case LATHE_F32: *out = LT_GEMM_F32; return true;
    case LATHE_BF16: *out = LT_GEMM_BF16; return true;
    case LATHE_F16: *out = LT_GEMM_F16; return true;
    default: return false;
    }
}

static int64_t rows_of(const lt_tensor *tensor)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < tensor->rank; i++) rows *= tensor->dim[i];
    return rows;
}

static size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* The operands that are not float32 are converted in working memory: input, bias and result; the weights in
 * registers. */
static void run_linear(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *bias = call->n_in > 2 ? &call->in[2] : NULL,
                    *out = call->out;
    lt_gemm g = {.m = rows_of(x), .n = w->dim[0], .k = w->dim[1], .w = w->data, .w_stride = w->stride[0]};
    lt_gemm_type type = LT_GEMM_F32;
    gemm_type(w->dtype, &type);
    g.x_stride = g.k;
    g.out_stride = g.n;
    float *scratch = call->scratch;
    if (x->dtype == LATHE_F32) {
        g.x = x->data;
        g.out = out->data;
    } else {
        lt_load_f32(x->dtype, x->data, (int64_t)lathe_dtype_size(x->dtype), g.m * g.k, scratch);
        g.x = scratch;
        scratch += align64((size_t)(g.m * g.k) * sizeof *scratch) / sizeof *scratch;
        g.out = scratch;
        scratch += align64((size_t)(g.m * g.n) * sizeof *scratch) / sizeof *scratch;
    }
    if (bias && bias->dtype == LATHE_F32) {
        g.bias = bias->data;
    } else if (bias) {
        lt_load_f32(bias->dtype, bias->data, (int64_t)lathe_dtype_size(bias->dtype), g.n, scratch);
        g.bias = scratch;
    }
    lt_gemm_job job = {.gemm = &g, .run = cpu->kernels.gemm[type]};
    lt_pool_run(cpu->pool, g.n, cpu->kernels.gemm_grain, gemm_work, &job);
    if (out->dtype != LATHE_F32)
        lt_store_f32(out->dtype, out->data, (int64_t)lathe_dtype_size(out->dtype), g.m * g.n, g.out);
}

static lt_cpu_run bind_linear(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *w = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    if (!gemm_type(w->dtype, &type) || (x->dtype != w->dtype && x->dtype != LATHE_F32) ||
        out->dtype != x->dtype)
        return NULL;
    if (!lt_tensor_is_contiguous(x) || !lt_tensor_is_contiguous(out) || (w->stride[1] != 1 && w->dim[1] != 1))
        return NULL;
    if (step->n_in > 2) {
        const lt_tensor *bias = &step->args[2].tensor;
        if (!lt_tensor_is_contiguous(bias) || (bias->dtype != w->dtype && bias->dtype != x->dtype))
            return NULL;
    }
    size_t m = (size_t)rows_of(x), n = (size_t)w->dim[0], k = (size_t)w->dim[1];
    *scratch = w->dtype == LATHE_F32 ? 0 : align64(n * sizeof(float));
    if (x->dtype != LATHE_F32) *scratch += align64(m * k * sizeof(float)) + align64(m * n * sizeof(float));
    return run_linear;
}

lt_cpu_run lt_cpu_bind(const lt_cpu *cpu, const lt_step *step, size_t *scratch)
{
    (void)cpu;
    *scratch = 0;
    switch (step->op) {
    case LT_OP_LINEAR: return bind_linear(step, scratch);
    default: return NULL;
    }
}
