/* Linear: x times the transposed weights, plus bias. */
#include "backend/bind.h"

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
    char *scratch = call->scratch;
    if (x->dtype == LATHE_F32) {
        g.x = x->data;
        g.out = out->data;
    } else {
        float *wide = lt_take(&scratch, (size_t)(g.m * g.k) * sizeof *wide);
        cpu->kernels.widen[type](x->data, wide, g.m * g.k);
        g.x = wide;
        g.out = lt_take(&scratch, (size_t)(g.m * g.n) * sizeof *g.out);
    }
    if (bias && bias->dtype == LATHE_F32) {
        g.bias = bias->data;
    } else if (bias) {
        float *wide = lt_take(&scratch, (size_t)g.n * sizeof *wide);
        cpu->kernels.widen[type](bias->data, wide, g.n);
        g.bias = wide;
    }
    lt_gemm_job job = {.gemm = &g, .run = cpu->kernels.gemm[type]};
    lt_pool_run(cpu->pool, g.n, cpu->kernels.gemm_grain, gemm_work, &job);
    if (out->dtype != LATHE_F32) cpu->kernels.narrow[type](g.out, out->data, g.m * g.n);
}

lt_cpu_run lt_bind_linear(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *w = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    if (!lt_float_type(w->dtype, &type) || (x->dtype != w->dtype && x->dtype != LATHE_F32) ||
        out->dtype != x->dtype)
        return NULL;
    if (!lt_tensor_is_contiguous(x) || !lt_tensor_is_contiguous(out) || !lt_last_is_dense(w)) return NULL;
    if (step->n_in > 2) {
        const lt_tensor *bias = &step->args[2].tensor;
        if (!lt_tensor_is_contiguous(bias) || (bias->dtype != w->dtype && bias->dtype != x->dtype))
            return NULL;
    }
    size_t m = (size_t)lt_rows_of(x, 1), n = (size_t)w->dim[0], k = (size_t)w->dim[1];
    *scratch = w->dtype == LATHE_F32 ? 0 : lt_align64(n * sizeof(float));
    if (x->dtype != LATHE_F32)
        *scratch += lt_align64(m * k * sizeof(float)) + lt_align64(m * n * sizeof(float));
    return run_linear;
}
