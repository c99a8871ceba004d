/* Batched matrix products on the kernels of linear: they take rows of float32 and weights whose rows lie
 * along the sum, so what lies otherwise is converted or transposed in working memory first. */
#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/iter.h"

typedef struct lt_matmul {
    const lt_cpu *cpu;
    lt_gemm_type type;
    int64_t m, n, k, batches;
    lt_iter it; /* over the batches: out, a, b */
    lt_dtype dtype;
    int64_t size;                 /* bytes of an element of a and b */
    int64_t a_step[2], b_step[2]; /* elements: [m, k], [k, n] */
    float *a, *out;               /* [batches][m][k], [batches][m][n]; NULL: used where they are */
    char *b;                      /* [batches][n][k]; NULL: used where it is */
} lt_matmul;

static const char *operand_at(const lt_matmul *mm, int operand, int64_t batch)
{
    lt_iter it = mm->it;
    lt_iter_seek(&it, batch);
    return it.at[operand];
}

/* ---- Packing ---- */

static void a_work(void *context, int64_t begin, int64_t end)
{
    const lt_matmul *mm = context;
    for (int64_t i = begin; i < end; i++) {
        const char *row = operand_at(mm, 1, i / mm->m) + i % mm->m * mm->a_step[0] * mm->size;
        float *to = mm->a + i * mm->k;
        if (mm->a_step[1] == 1) mm->cpu->kernels.widen[mm->type](row, to, mm->k);
        else lt_load_f32(mm->dtype, row, mm->a_step[1] * mm->size, mm->k, to);
    }
}

enum { BLOCK = 32 };

/* A block of columns of b becomes rows. */
static void b_work(void *context, int64_t begin, int64_t end)
{
    const lt_matmul *mm = context;
    int64_t blocks = (mm->n + BLOCK - 1) / BLOCK, step = mm->b_step[0] * mm->size;
    for (int64_t i = begin; i < end; i++) {
        int64_t n0 = i % blocks * BLOCK, n1 = lt_min_i64(n0 + BLOCK, mm->n);
        const char *from = operand_at(mm, 2, i / blocks);
        char *to = mm->b + i / blocks * mm->n * mm->k * mm->size;
        for (int64_t k = 0; k < mm->k; k += BLOCK)
            for (int64_t n = n0; n < n1; n++)
                lt_move_row((size_t)mm->size, to + (n * mm->k + k) * mm->size, mm->size,
                            from + k * step + n * mm->b_step[1] * mm->size, step,
                            lt_min_i64(BLOCK, mm->k - k));
    }
}

/* ---- Products ---- */

/* Columns n0 … n1 of one batch. */
static void multiply(const lt_matmul *mm, int64_t batch, int64_t n0, int64_t n1)
{
    lt_iter it = mm->it;
    lt_iter_seek(&it, batch);
    lt_gemm g = {.m = mm->m,
                 .n = mm->n,
                 .k = mm->k,
                 .x = mm->a ? mm->a + batch * mm->m * mm->k : (const float *)(void *)it.at[1],
                 .x_stride = mm->a ? mm->k : mm->a_step[0],
                 .w = mm->b ? mm->b + batch * mm->n * mm->k * mm->size : it.at[2],
                 .w_stride = mm->b ? mm->k : mm->b_step[1],
                 .out = mm->out ? mm->out + batch * mm->m * mm->n : (float *)(void *)it.at[0],
                 .out_stride = mm->n};
    mm->cpu->kernels.gemm[mm->type](&g, n0, n1);
    if (!mm->out) return;
    for (int64_t m = 0; m < mm->m; m++)
        mm->cpu->kernels.narrow[mm->type](g.out + m * mm->n + n0, it.at[0] + (m * mm->n + n0) * mm->size,
                                          n1 - n0);
}

static void product_work(void *context, int64_t begin, int64_t end)
{
    const lt_matmul *mm = context;
    int64_t grain = mm->cpu->kernels.gemm_grain, blocks = (mm->n + grain - 1) / grain;
    while (begin < end) {
        int64_t first = begin % blocks, n = lt_min_i64(blocks - first, end - begin);
        multiply(mm, begin / blocks, first * grain, lt_min_i64((first + n) * grain, mm->n));
        begin += n;
    }
}

static bool a_is_ready(const lt_tensor *a) { return a->dtype == LATHE_F32 && lt_last_is_dense(a); }

static bool b_is_ready(const lt_tensor *b) { return b->stride[b->rank - 2] == 1 || b->dim[b->rank - 2] == 1; }

static void run_matmul(const lt_cpu *cpu, const lt_op_call *call)
{
    const lt_tensor *a = &call->in[0], *b = &call->in[1], *out = call->out;
    int r = a->rank;
    lt_matmul mm = {.cpu = cpu,
                    .m = out->dim[r - 2],
                    .n = out->dim[r - 1],
                    .k = a->dim[r - 1],
                    .dtype = a->dtype,
                    .size = (int64_t)lathe_dtype_size(a->dtype),
                    .a_step = {a->stride[r - 2], a->stride[r - 1]},
                    .b_step = {b->stride[r - 2], b->stride[r - 1]}};
    lt_tensor batches[3] = {*out, *a, *b};
    for (int i = 0; i < 3; i++) batches[i].rank -= 2;
    lt_iter_start(&mm.it, &batches[0], (const lt_tensor *const[]){&batches[0], &batches[1], &batches[2]}, 3);
    lt_iter_elements(&mm.it);
    mm.batches = lt_iter_rows(&mm.it);
    if (!mm.batches || !mm.m || !mm.n) return;
    lt_float_type(a->dtype, &mm.type);
    char *scratch = call->scratch;
    size_t a_rows = (size_t)(mm.batches * mm.m), b_rows = (size_t)(mm.batches * mm.n), k = (size_t)mm.k;
    if (!a_is_ready(a)) {
        mm.a = lt_take(&scratch, a_rows * k * sizeof(float));
        lt_cpu_split(cpu, (int64_t)a_rows, mm.k * 8, a_work, &mm);
    }
    if (!b_is_ready(b)) {
        mm.b = lt_take(&scratch, b_rows * k * (size_t)mm.size);
        lt_cpu_split(cpu, mm.batches * ((mm.n + BLOCK - 1) / BLOCK), BLOCK * mm.k * mm.size * 4, b_work, &mm);
    }
    if (out->dtype != LATHE_F32) mm.out = lt_take(&scratch, a_rows * (size_t)mm.n * sizeof(float));
    int64_t grain = cpu->kernels.gemm_grain;
    lt_cpu_split(cpu, mm.batches * ((mm.n + grain - 1) / grain), grain * mm.k * (mm.m + 4), product_work,
                 &mm);
}

/* Few rows times columns that would have to be transposed first: the reference adds up rows of b instead. */
enum { FEW = 4 };

lt_cpu_run lt_bind_matmul(const lt_step *step, size_t *scratch)
{
    const lt_tensor *a = &step->args[0].tensor, *b = &step->args[1].tensor,
                    *out = &step->args[step->n_in].tensor;
    lt_gemm_type type;
    size_t m = (size_t)out->dim[out->rank - 2], n = (size_t)out->dim[out->rank - 1],
           k = (size_t)a->dim[a->rank - 1], batches = (size_t)lt_rows_of(out, 2);
    if (!lt_float_type(a->dtype, &type) || !lt_inner_is_dense(out, 2)) return NULL;
    if (!b_is_ready(b) && m <= FEW) return NULL;
    if (!a_is_ready(a)) *scratch += lt_align64(batches * m * k * sizeof(float));
    if (!b_is_ready(b)) *scratch += lt_align64(batches * n * k * lathe_dtype_size(b->dtype));
    if (out->dtype != LATHE_F32) *scratch += lt_align64(batches * m * n * sizeof(float));
    return run_matmul;
}
