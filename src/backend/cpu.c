/* Binds steps to CPU kernels. */
#include "backend/bind.h"

#include <stdlib.h>

#include "base/arena.h"

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

bool lt_float_type(lt_dtype dtype, lt_gemm_type *out)
{
    switch (dtype) {
    case LATHE_F32: *out = LT_GEMM_F32; return true;
    case LATHE_BF16: *out = LT_GEMM_BF16; return true;
    case LATHE_F16: *out = LT_GEMM_F16; return true;
    default: return false;
    }
}

int64_t lt_rows_of(const lt_tensor *tensor, int inner)
{
    int64_t rows = 1;
    for (int i = 0; i + inner < tensor->rank; i++) rows *= tensor->dim[i];
    return rows;
}

bool lt_last_is_dense(const lt_tensor *tensor)
{
    int last = tensor->rank - 1;
    return last < 0 || tensor->stride[last] == 1 || tensor->dim[last] <= 1;
}

bool lt_inner_is_dense(const lt_tensor *tensor, int inner)
{
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= tensor->rank - inner; i--) {
        if (tensor->dim[i] > 1 && tensor->stride[i] != expected) return false;
        expected *= tensor->dim[i];
    }
    return true;
}

void lt_cpu_split(const lt_cpu *cpu, int64_t count, int64_t bytes, lt_work work, void *context)
{
    /* Moved in about three microseconds; that another thread joins in takes one. */
    enum { PART_BYTES = 32 << 10 };
    lt_pool_run(cpu->pool, count, lt_max_i64(PART_BYTES / lt_max_i64(bytes, 1), 1), work, context);
}

/* The operators that have fast forms, and who knows for which types and layouts. */
static const struct {
    lt_op op;
    lt_cpu_run (*bind)(const lt_step *step, size_t *scratch);
} bindings[] = {
    {LT_OP_LINEAR, lt_bind_linear},
    {LT_OP_SDPA, lt_bind_sdpa},
    {LT_OP_CAST, lt_bind_elementwise},
    {LT_OP_CHAIN, lt_bind_elementwise},
    {LT_OP_COPY, lt_bind_copy},
    {LT_OP_CAT, lt_bind_cat},
    {LT_OP_LAYER_NORM, lt_bind_norm},
    {LT_OP_RMS_NORM, lt_bind_norm},
    {LT_OP_SOFTMAX, lt_bind_softmax},
    {LT_OP_ROPE, lt_bind_rope},
    {LT_OP_MATMUL, lt_bind_matmul},
    {LT_OP_BLOCK, lt_bind_block},
    {LT_OP_UNBLOCK, lt_bind_unblock},
    {LT_OP_BLOCKED_CONV, lt_bind_blocked_conv},
    {LT_OP_BLOCKED_MAX_POOL, lt_bind_blocked_pool},
    {LT_OP_BLOCKED_AVG_POOL, lt_bind_blocked_pool},
};

lt_cpu_run lt_cpu_bind(const lt_cpu *cpu, const lt_step *step, size_t *scratch)
{
    *scratch = 0;
    lt_cpu_run run = NULL;
    if (lt_reads_packed(step)) return lt_bind_packed(step, scratch);
    if (step->op == LT_OP_WINOGRAD_CONV) return lt_bind_winograd_conv(cpu, step, scratch);
    if (lt_op_get(step->op)->flags & LT_OP_ELEMENTWISE) run = lt_bind_elementwise(step, scratch);
    for (size_t i = 0; i < LT_COUNT(bindings) && !run; i++)
        if (bindings[i].op == step->op) run = bindings[i].bind(step, scratch);
    return run ? run : lt_bind_split(step, scratch);
}
