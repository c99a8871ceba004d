/* Steps that work on rows: norms, softmax, rotary embedding. A row is one call of a kernel. */
#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/iter.h"

/* The rows of several tensors: what is left of them without their last `inner` dims. */
static void start_rows(lt_iter *it, const lt_tensor *const *tensors, int n, int inner)
{
    lt_tensor outer[LT_ITER_OPERANDS];
    const lt_tensor *operands[LT_ITER_OPERANDS];
    for (int k = 0; k < n; k++) {
        outer[k] = *tensors[k];
        outer[k].rank = outer[k].rank > inner ? outer[k].rank - inner : 0;
        operands[k] = &outer[k];
    }
    lt_iter_start(it, operands[0], operands, n);
    lt_iter_elements(it);
}

/* ---- Norms ---- */

typedef struct lt_norm_rows {
    lt_iter it; /* output, input, statistics */
    lt_norm task;
    void (*run)(const lt_norm *task);
} lt_norm_rows;

static void norm_work(void *context, int64_t begin, int64_t end)
{
    const lt_norm_rows *rows = context;
    lt_iter it = rows->it;
    lt_norm task = rows->task;
    float stats[2];
    task.stats = stats;
    lt_iter_seek(&it, begin);
    for (int64_t i = begin; i < end; i++, lt_iter_next(&it)) {
        task.out = it.at[0];
        task.x = it.at[1];
        rows->run(&task);
        *(float *)(void *)it.at[2] = stats[0];
        *(float *)(void *)it.at[3] = stats[1];
    }
}

/* A row of any float type as float32. */
static const float *wide_row(const lt_cpu *cpu, const lt_tensor *tensor, int64_t n, char **scratch)
{
    lt_gemm_type type = LT_GEMM_F32;
    if (tensor->dtype == LATHE_F32) return tensor->data;
    float *wide = lt_take(scratch, (size_t)n * sizeof *wide);
    lt_float_type(tensor->dtype, &type);
    cpu->kernels.widen[type](tensor->data, wide, n);
    return wide;
}

static void run_norm(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_attrs_norm *attrs = &call->attrs->norm;
    char *scratch = call->scratch;
    const lt_tensor dense = lt_dense_copy(cpu, call->in, attrs->n_dims, &scratch), *x = &dense,
                    *out = call->out;
    lt_norm_rows rows = {.task = {.n = 1,
                                  .eps = (float)attrs->eps,
                                  .centre = call->op == LT_OP_LAYER_NORM,
                                  .rounds = attrs->rounds}};
    lt_gemm_type type = LT_GEMM_F32;
    for (int i = x->rank - attrs->n_dims; i < x->rank; i++) rows.task.n *= x->dim[i];
    lt_float_type(x->dtype, &type);
    rows.run = cpu->kernels.norm[type];
    if (call->n_in > 1) rows.task.weight = wide_row(cpu, &call->in[1], rows.task.n, &scratch);
    if (call->n_in > 2) rows.task.bias = wide_row(cpu, &call->in[2], rows.task.n, &scratch);
    const lt_tensor *tensors[] = {out, x, &out[1], &out[rows.task.centre ? 2 : 1]};
    start_rows(&rows.it, tensors, LT_COUNT(tensors), attrs->n_dims);
    if (!rows.it.row) return;
    int64_t bytes = 6 * rows.task.n * (int64_t)lathe_dtype_size(x->dtype);
    lt_cpu_split(cpu, lt_iter_rows(&rows.it), bytes, norm_work, &rows);
}

lt_cpu_run lt_bind_norm(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *out = &step->args[step->n_in].tensor;
    int n_dims = step->attrs.norm.n_dims;
    lt_gemm_type type;
    size_t n = 1;
    if (!lt_float_type(x->dtype, &type) || out->dtype != x->dtype || !lt_inner_is_dense(out, n_dims))
        return NULL;
    *scratch += lt_dense_bytes(x, n_dims);
    for (int i = x->rank - n_dims; i < x->rank; i++) n *= (size_t)x->dim[i];
    for (uint32_t k = 1; k < step->n_in; k++) {
        const lt_tensor *row = &step->args[k].tensor;
        if (!lt_float_type(row->dtype, &type) || !lt_tensor_is_contiguous(row)) return NULL;
        if (row->dtype != LATHE_F32) *scratch += lt_align64(n * sizeof(float));
    }
    return run_norm;
}

/* ---- Softmax ---- */

typedef struct lt_softmax_rows {
    lt_iter it; /* output, input */
    int64_t n;
    bool logarithm;
    void (*run)(const void *x, void *out, int64_t n, bool logarithm);
} lt_softmax_rows;

static void softmax_work(void *context, int64_t begin, int64_t end)
{
    const lt_softmax_rows *rows = context;
    lt_iter it = rows->it;
    lt_iter_seek(&it, begin);
    for (int64_t i = begin; i < end; i++, lt_iter_next(&it))
        rows->run(it.at[1], it.at[0], rows->n, rows->logarithm);
}

static void run_softmax(const lt_cpu *cpu, const lt_op_call *call)
{
    char *scratch = call->scratch;
    const lt_tensor dense = lt_dense_copy(cpu, call->in, 1, &scratch), *x = &dense, *out = call->out;
    lt_softmax_rows rows = {.n = x->dim[x->rank - 1], .logarithm = call->attrs->softmax.log};
    lt_gemm_type type = LT_GEMM_F32;
    lt_float_type(x->dtype, &type);
    rows.run = out->dtype == x->dtype ? cpu->kernels.softmax[type] : cpu->kernels.softmax_wide[type];
    start_rows(&rows.it, (const lt_tensor *const[]){out, x}, 2, 1);
    if (!rows.it.row || !rows.n) return;
    lt_cpu_split(cpu, lt_iter_rows(&rows.it), 32 * rows.n, softmax_work, &rows);
}

lt_cpu_run lt_bind_softmax(const lt_step *step, size_t *scratch)
{
    const lt_tensor *x = &step->args[0].tensor, *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    bool fits = lt_float_type(x->dtype, &type) && (out->dtype == x->dtype || out->dtype == LATHE_F32) &&
                step->attrs.softmax.dim == x->rank - 1 && lt_last_is_dense(out);
    if (!fits) return NULL;
    *scratch = lt_dense_bytes(x, 1);
    return run_softmax;
}

/* ---- Rotary embedding ---- */

enum { MAX_ANGLES = 512 }; /* of a row that are widened */

typedef struct lt_rope_rows {
    lt_iter it; /* output, input, cosines, sines */
    int64_t n;
    void (*run)(const void *x, const void *cosine, const void *sine, void *out, int64_t n);
    void (*widen)(const void *from, float *to,
                  int64_t n); /* angles of half precision for a float32 x; NULL */
} lt_rope_rows;

static void rope_work(void *context, int64_t begin, int64_t end)
{
    const lt_rope_rows *rows = context;
    float wide[2][MAX_ANGLES];
    lt_iter it = rows->it;
    lt_iter_seek(&it, begin);
    for (int64_t i = begin; i < end; i++, lt_iter_next(&it)) {
        const void *angles[2] = {it.at[2], it.at[3]};
        for (int k = 0; k < 2 && rows->widen; k++) {
            rows->widen(angles[k], wide[k], rows->n);
            angles[k] = wide[k];
        }
        rows->run(it.at[1], angles[0], angles[1], it.at[0], rows->n);
    }
}

static void run_rope(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_tensor *x = &call->in[0], *cosine = &call->in[1];
    lt_rope_rows rows = {.n = x->dim[x->rank - 1]};
    lt_gemm_type type = LT_GEMM_F32;
    lt_float_type(x->dtype, &type);
    rows.run = cpu->kernels.rope[type];
    if (cosine->dtype != x->dtype && lt_float_type(cosine->dtype, &type))
        rows.widen = cpu->kernels.widen[type];
    const lt_tensor *tensors[] = {call->out, x, cosine, &call->in[2]};
    start_rows(&rows.it, tensors, LT_COUNT(tensors), 1);
    if (!rows.it.row) return;
    lt_cpu_split(cpu, lt_iter_rows(&rows.it), 16 * rows.n, rope_work, &rows);
}

lt_cpu_run lt_bind_rope(const lt_step *step, size_t *scratch)
{
    (void)scratch;
    const lt_tensor *x = &step->args[0].tensor, *cosine = &step->args[1].tensor,
                    *sine = &step->args[2].tensor, *out = &step->args[3].tensor;
    lt_gemm_type type;
    bool widened = x->dtype == LATHE_F32 && x->dim[x->rank - 1] <= MAX_ANGLES;
    bool fits = lt_float_type(x->dtype, &type) && lt_float_type(cosine->dtype, &type) &&
                out->dtype == x->dtype && sine->dtype == cosine->dtype &&
                (cosine->dtype == x->dtype || widened);
    for (uint32_t k = 0; k < 4; k++) fits = fits && lt_last_is_dense(&step->args[k].tensor);
    return fits ? run_rope : NULL;
}
