/* Linear: x times the transposed weights, plus bias. */
#include "backend/bind.h"
#include "ops/convert.h"

typedef struct lt_gemm_job {
    const lt_gemm *gemm;
    void (*run)(const lt_gemm *gemm, int64_t n0, int64_t n1);
} lt_gemm_job;

static void gemm_work(void *context, int64_t begin, int64_t end)
{
    const lt_gemm_job *job = context;
    job->run(job->gemm, begin, end);
}

/* The operands that are not float32 are converted in working memory: input, bias and result; the weights in
 * registers. */
static void run_linear(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_tensor *x = &call->in[0], *w = &call->in[1], *bias = call->n_in > 2 ? &call->in[2] : NULL,
                    *out = call->out;
    lt_gemm g = {
        .m = lt_rows_of(x, 1), .n = w->dim[0], .k = w->dim[1], .w = w->data, .w_stride = w->stride[0]};
    lt_gemm_type type = LT_GEMM_F32;
    lt_float_type(w->dtype, &type);
    g.x_stride = g.k;
    g.out_stride = g.n;
    float *scratch = call->scratch;
    if (x->dtype == LATHE_F32) {
        g.x = x->data;
        g.out = out->data;
        g.bias = bias ? bias->data : NULL;
    } else {
        lt_load_f32(x->dtype, x->data, (int64_t)lathe_dtype_size(x->dtype), g.m * g.k, scratch);
        g.x = scratch;
        scratch += lt_align64((size_t)(g.m * g.k) * sizeof *scratch) / sizeof *scratch;
        g.out = scratch;
        scratch += lt_align64((size_t)(g.m * g.n) * sizeof *scratch) / sizeof *scratch;
        if (bias) lt_load_f32(bias->dtype, bias->data, (int64_t)lathe_dtype_size(bias->dtype), g.n, scratch);
        g.bias = bias ? scratch : NULL;
    }
    lt_gemm_job job = {.gemm = &g, .run = cpu->kernels.gemm[type]};
    lt_pool_run(cpu->pool, g.n, cpu->kernels.gemm_grain, gemm_work, &job);
    if (out->dtype != LATHE_F32)
        lt_store_f32(out->dtype, out->data, (int64_t)lathe_dtype_size(out->dtype), g.m * g.n, g.out);
}

lt_cpu_run lt_bind_linear(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *w = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    if (!lt_float_type(w->dtype, &type) || x->dtype != w->dtype || out->dtype != w->dtype) return NULL;
    if (!lt_tensor_is_contiguous(x) || !lt_tensor_is_contiguous(out) || !lt_last_is_dense(w)) return NULL;
    if (step->n_in > 2) {
        const lt_tensor *bias = &step->args[2].tensor;
        if (!lt_tensor_is_contiguous(bias) || bias->dtype != w->dtype) return NULL;
    }
    size_t m = (size_t)lt_rows_of(x, 1), n = (size_t)w->dim[0], k = (size_t)w->dim[1];
    *scratch = x->dtype == LATHE_F32 ? 0
                                     : lt_align64(m * k * sizeof(float)) + lt_align64(m * n * sizeof(float)) +
                                           lt_align64(n * sizeof(float));
    return run_linear;
}
