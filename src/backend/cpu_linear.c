/* Linear: x times the transposed weights, plus bias. */
#include "backend/bind.h"

typedef struct lt_gemm_job {
    lt_gemm gemm;
    void (*run)(const lt_gemm *gemm, int64_t n0, int64_t n1);
    void (*narrow)(const float *from, void *to, int64_t n);
    uint16_t *narrowed; /* [m, n] the result in half precision; NULL: it is float32 */
} lt_gemm_job;

/* Columns of the product; in half precision they are rounded while they are in the cache. */
static void gemm_work(void *context, int64_t begin, int64_t end)
{
    const lt_gemm_job *job = context;
    const lt_gemm *g = &job->gemm;
    job->run(g, begin, end);
    for (int64_t m = 0; m < g->m && job->narrowed; m++)
        job->narrow(g->out + m * g->out_stride + begin, job->narrowed + m * g->n + begin, end - begin);
}

typedef struct lt_widen_job {
    void (*widen)(const void *from, float *to, int64_t n);
    const uint16_t *from;
    float *to;
} lt_widen_job;

static void widen_work(void *context, int64_t begin, int64_t end)
{
    const lt_widen_job *job = context;
    job->widen(job->from + begin, job->to + begin, end - begin);
}

/* The elements as float32: in place, or converted in working memory. */
static const float *as_floats(const lt_cpu *cpu, const lt_tensor *tensor, char **scratch)
{
    enum { GRAIN = 16384 };
    lt_gemm_type type = LT_GEMM_F32;
    int64_t n = lathe_tensor_count(tensor);
    if (tensor->dtype == LATHE_F32) return tensor->data;
    lt_float_type(tensor->dtype, &type);
    lt_widen_job job = {.widen = cpu->kernels.widen[type],
                        .from = tensor->data,
                        .to = lt_take(scratch, (size_t)n * sizeof(float))};
    lt_pool_run(cpu->pool, n, GRAIN, widen_work, &job);
    return job.to;
}

/* Pairs of bfloat16 are multiplied as they are; other operands that are not float32 are converted in working
 * memory, weights in registers. */
static lt_columns prepare_linear(const lt_cpu *cpu, const lt_op_call *call, const lt_columns *sibling,
                                 char **scratch)
{
    const lt_tensor *w = &call->in[1], *out = call->out;
    lt_tensor input = call->in[0], *x = &input;
    lt_gemm_type type = LT_GEMM_F32;
    lt_float_type(w->dtype, &type);
    lt_gemm_job *job = lt_take(scratch, sizeof *job);
    lt_gemm g = {
        .m = lt_rows_of(x, 1), .n = w->dim[0], .k = w->dim[1], .w = w->data, .w_stride = w->stride[0]};
    g.x_stride = g.k;
    g.out_stride = g.n;
    bool pairs = cpu->kernels.gemm_pairs && x->dtype == LATHE_BF16 && g.k % 2 == 0;
    *job = (lt_gemm_job){.run = pairs ? cpu->kernels.gemm_pairs : cpu->kernels.gemm[type]};
    if (sibling) {
        g.x = ((const lt_gemm_job *)sibling->context)->gemm.x;
    } else {
        input = lt_dense_copy(cpu, &call->in[0], x->rank, scratch);
        g.x = pairs ? x->data : as_floats(cpu, x, scratch);
    }
    g.bias = call->n_in > 2 ? as_floats(cpu, &call->in[2], scratch) : NULL;
    g.out = out->data;
    if (out->dtype != LATHE_F32) {
        g.out = lt_take(scratch, (size_t)(g.m * g.n) * sizeof *g.out);
        job->narrow = cpu->kernels.narrow[type];
        job->narrowed = out->data;
    }
    job->gemm = g;
    return (lt_columns){.n = g.n, .grain = cpu->kernels.gemm_grain, .work = gemm_work, .context = job};
}

static void run_linear(const lt_cpu *cpu, const lt_op_call *call)
{
    char *scratch = call->scratch;
    lt_columns columns = prepare_linear(cpu, call, NULL, &scratch);
    lt_pool_run(cpu->pool, columns.n, columns.grain, columns.work, columns.context);
}

lt_prepare lt_prepare_linear(lt_cpu_run run)
{
    return run == run_linear ? prepare_linear : run == lt_run_packed_linear ? lt_prepare_packed : NULL;
}

lt_cpu_run lt_bind_linear(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *w = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    if (!lt_float_type(w->dtype, &type) || (x->dtype != w->dtype && x->dtype != LATHE_F32) ||
        out->dtype != x->dtype)
        return NULL;
    if (!lt_tensor_is_contiguous(out) || !lt_last_is_dense(w)) return NULL;
    if (step->n_in > 2) {
        const lt_tensor *bias = &step->args[2].tensor;
        if (!lt_tensor_is_contiguous(bias) || (bias->dtype != w->dtype && bias->dtype != x->dtype))
            return NULL;
    }
    size_t m = (size_t)lt_rows_of(x, 1), n = (size_t)w->dim[0], k = (size_t)w->dim[1];
    *scratch = lt_align64(sizeof(lt_gemm_job)) + lt_dense_bytes(x, x->rank);
    if (w->dtype != LATHE_F32) *scratch += lt_align64(n * sizeof(float));
    if (x->dtype != LATHE_F32)
        *scratch += lt_align64(m * k * sizeof(float)) + lt_align64(m * n * sizeof(float));
    return run_linear;
}
