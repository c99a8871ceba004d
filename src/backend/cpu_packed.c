/* Steps that read packed weights: linear layers, and lookups of rows in a table. */
#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/iter.h"

/* ---- Linear ---- */

/* Where row `row` of a tensor's last dim begins. */
static char *row_at(const lt_tensor *tensor, int64_t row)
{
    int64_t offset = 0;
    for (int d = tensor->rank - 2; d >= 0; d--) {
        offset += row % tensor->dim[d] * tensor->stride[d];
        row /= tensor->dim[d];
    }
    return (char *)tensor->data + offset * (int64_t)lathe_dtype_size(tensor->dtype);
}

static bool is_plain_row(const lt_tensor *tensor)
{
    return tensor->dtype == LATHE_F32 && lt_last_is_dense(tensor);
}

static bool is_plain(const lt_tensor *tensor)
{
    return tensor->dtype == LATHE_F32 && lt_tensor_is_contiguous(tensor);
}

static int64_t last_step(const lt_tensor *tensor)
{
    return tensor->stride[tensor->rank - 1] * (int64_t)lathe_dtype_size(tensor->dtype);
}

typedef struct lt_packed_job {
    const lt_cpu *cpu;
    const lt_tensor *x, *out;
    lt_packed_gemm gemm;
    lt_xgroup *rows; /* [m, groups] */
    float *wide;     /* [m, k] rows of x that are not plain */
} lt_packed_job;

static void quantize_rows(void *context, int64_t begin, int64_t end)
{
    const lt_packed_job *job = context;
    int64_t k = job->gemm.w->k, groups = lt_packed_groups(k);
    for (int64_t m = begin; m < end; m++) {
        const void *row = row_at(job->x, m);
        if (!is_plain_row(job->x)) {
            lt_load_f32(job->x->dtype, row, last_step(job->x), k, job->wide + m * k);
            row = job->wide + m * k;
        }
        job->cpu->kernels.quantize[job->cpu->digits](row, k, job->rows + m * groups);
    }
}

/* Columns of the product, rounded to the result's type while they are in the cache. */
static void multiply_columns(void *context, int64_t begin, int64_t end)
{
    const lt_packed_job *job = context;
    const lt_packed_gemm *g = &job->gemm;
    job->cpu->kernels.packed_gemm[job->cpu->digits](g, begin, end);
    if (is_plain(job->out)) return;
    int64_t step = last_step(job->out);
    for (int64_t m = 0; m < g->m; m++)
        lt_store_f32(job->out->dtype, row_at(job->out, m) + begin * step, step, end - begin,
                     g->out + m * g->out_stride + begin);
}

static const float *bias_floats(const lt_tensor *bias, char **scratch)
{
    if (is_plain(bias)) return bias->data;
    float *wide = lt_take(scratch, (size_t)bias->dim[0] * sizeof *wide);
    lt_load_f32(bias->dtype, bias->data, last_step(bias), bias->dim[0], wide);
    return wide;
}

lt_columns lt_prepare_packed(const lt_cpu *cpu, const lt_op_call *call, const lt_columns *sibling,
                             char **scratch)
{
    const lt_packed *w = call->in[1].data;
    int64_t m = lt_rows_of(&call->in[0], 1), groups = lt_packed_groups(w->k);
    lt_packed_job *job = lt_take(scratch, sizeof *job);
    *job = (lt_packed_job){.cpu = cpu, .x = &call->in[0], .out = call->out};
    job->gemm = (lt_packed_gemm){.m = m, .w = w, .out_stride = w->n};
    if (call->n_in > 2) job->gemm.bias = bias_floats(&call->in[2], scratch);
    job->gemm.out =
        is_plain(job->out) ? job->out->data : lt_take(scratch, (size_t)(m * w->n) * sizeof(float));
    if (sibling) {
        job->gemm.x = ((const lt_packed_job *)sibling->context)->gemm.x;
    } else {
        job->gemm.x = job->rows = lt_take(scratch, (size_t)(m * groups) * sizeof *job->rows);
        if (!is_plain_row(job->x)) job->wide = lt_take(scratch, (size_t)(m * w->k) * sizeof *job->wide);
        lt_cpu_split(cpu, m, w->k * (int64_t)sizeof(float), quantize_rows, job);
    }
    return (lt_columns){
        .n = w->n, .grain = cpu->kernels.packed_grain, .work = multiply_columns, .context = job};
}

void lt_run_packed_linear(const lt_cpu *cpu, const lt_op_call *call)
{
    char *scratch = call->scratch;
    lt_columns columns = lt_prepare_packed(cpu, call, NULL, &scratch);
    lt_pool_run(cpu->pool, columns.n, columns.grain, columns.work, columns.context);
}

lt_cpu_run lt_bind_packed(const lt_step *step, size_t *scratch)
{
    if (step->op != LT_OP_LINEAR) return NULL;
    const lt_tensor *w = &step->args[1].tensor;
    int64_t m = lt_rows_of(&step->args[0].tensor, 1), n = w->dim[0], k = w->dim[1];
    *scratch = lt_align64(sizeof(lt_packed_job)) +
               lt_align64((size_t)(m * lt_packed_groups(k)) * sizeof(lt_xgroup)) +
               lt_align64((size_t)(m * k) * sizeof(float)) + lt_align64((size_t)(m * n) * sizeof(float)) +
               lt_align64((size_t)n * sizeof(float));
    return lt_run_packed_linear;
}

/* ---- Row lookups ---- */

static void unpack_row(const lt_packed *w, int64_t row, lt_dtype dtype, char *to, int64_t step)
{
    for (int64_t block = 0; block < lt_packed_blocks(w); block++) {
        float values[LT_MAX_BLOCK];
        int64_t n = lt_packed_floats(w, row, block, values);
        lt_store_f32(dtype, to, step, n, values);
        to += n * step;
    }
}

/* INDEX with one tensor of row numbers. */
static lathe_status index_packed(const lt_op_call *call, lathe_error *err)
{
    const lt_packed *w = call->in[0].data;
    const lt_tensor *index = &call->in[1], *out = call->out;
    lt_tensor rows = *out; /* the first element of each row */
    rows.rank = index->rank;
    lt_iter it;
    lt_iter_start(&it, index, (const lt_tensor *const[]){index, &rows}, 2);
    if (!it.row) return LATHE_OK;
    do {
        for (int64_t i = 0; i < it.row; i++) {
            int64_t row = lt_load_index(index->dtype, it.at[0] + i * it.row_step[0]), wrapped = row;
            if (row < 0 && call->attrs->index.wrap) wrapped += w->n;
            if (wrapped < 0 || wrapped >= w->n)
                LT_FAIL(err, INVALID_ARGUMENT, "index %lld is out of range: dimension 0 has size %lld",
                        (long long)row, (long long)w->n);
            unpack_row(w, wrapped, out->dtype, it.at[1] + i * it.row_step[1], last_step(out));
        }
    } while (lt_iter_next(&it));
    return LATHE_OK;
}

bool lt_reads_packed(const lt_step *step)
{
    for (uint32_t k = 0; k < step->n_in; k++)
        if (step->args[k].kind == LT_BUFFER_PACKED) return true;
    return false;
}

lt_cpu_checked lt_cpu_reference(const lt_step *step)
{
    return lt_reads_packed(step) ? index_packed : lt_op_get(step->op)->ref;
}
