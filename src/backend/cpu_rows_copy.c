/* Copies: runs of bytes, transposes in blocks, and what is joined from several tensors. */
#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/iter.h"

enum {
    BLOCK = 32,          /* rows and columns of a transposed block */
    RUN_BYTES = 64 << 10 /* of a long row that are moved at a time */
};

typedef struct lt_copy {
    size_t size;        /* bytes of an element */
    lt_iter it;         /* to, from */
    int64_t parts, run; /* a row is moved in `parts` runs of `run` elements */
    int across;         /* the dim along which the source lies close together; in blocks of BLOCK */
    int64_t columns, step[2];
} lt_copy;

static void runs_work(void *context, int64_t begin, int64_t end)
{
    const lt_copy *c = context;
    lt_iter it = c->it;
    lt_iter_seek(&it, begin / c->parts);
    for (int64_t i = begin; i < end; i++) {
        int64_t part = i % c->parts, first = part * c->run, n = lt_min_i64(c->run, it.row - first);
        lt_move_row(c->size, it.at[0] + first * it.row_step[0], it.row_step[0],
                    it.at[1] + first * it.row_step[1], it.row_step[1], n);
        if (part == c->parts - 1) lt_iter_next(&it);
    }
}

/* Columns that lie `step` bytes apart become rows of the result. */
static void transpose_work(void *context, int64_t begin, int64_t end)
{
    const lt_copy *c = context;
    lt_iter it = c->it;
    int64_t size = (int64_t)c->size;
    lt_iter_seek(&it, begin);
    for (int64_t i = begin; i < end; i++, lt_iter_next(&it)) {
        int64_t columns = lt_min_i64(BLOCK, c->columns - it.index[c->across] * BLOCK);
        for (int64_t at = 0; at < it.row; at += BLOCK)
            for (int64_t k = 0; k < columns; k++)
                lt_move_row(c->size, it.at[0] + k * c->step[0] + at * size, size,
                            it.at[1] + k * size + at * it.row_step[1], it.row_step[1],
                            lt_min_i64(BLOCK, it.row - at));
    }
}

/* An outer dim along which the source's elements lie side by side while those along a row do not; -1: none.
 */
static int find_across(const lt_copy *c)
{
    int64_t size = (int64_t)c->size;
    if (c->it.row_step[0] != size || c->it.row_step[1] == size || !c->it.row_step[1]) return -1;
    for (int d = 0; d < c->it.rank; d++)
        if (c->it.step[1][d] == size) return d;
    return -1;
}

void lt_copy_tensor(const lt_cpu *cpu, const lt_tensor *from, const lt_tensor *to)
{
    lt_copy c = {.size = lathe_dtype_size(to->dtype)};
    lt_iter_start(&c.it, to, (const lt_tensor *const[]){to, from}, 2);
    if (!c.it.row) return;
    int64_t size = (int64_t)c.size;
    c.across = find_across(&c);
    if (c.across >= 0) {
        int d = c.across;
        c.columns = c.it.dim[d];
        c.it.dim[d] = (c.columns + BLOCK - 1) / BLOCK;
        for (int k = 0; k < 2; k++) {
            c.step[k] = c.it.step[k][d];
            c.it.step[k][d] *= BLOCK;
        }
        lt_cpu_split(cpu, lt_iter_rows(&c.it), 4 * lt_min_i64(BLOCK, c.columns) * c.it.row * size,
                     transpose_work, &c);
        return;
    }
    c.run = lt_min_i64(c.it.row, RUN_BYTES / size);
    c.parts = (c.it.row + c.run - 1) / c.run;
    bool dense = c.it.row_step[0] == size && c.it.row_step[1] == size;
    lt_cpu_split(cpu, lt_iter_rows(&c.it) * c.parts, (dense ? 2 : 8) * c.run * size, runs_work, &c);
}

size_t lt_dense_bytes(const lt_tensor *tensor, int inner)
{
    lt_type type = lt_tensor_type(tensor);
    return lt_inner_is_dense(tensor, inner) ? 0 : lt_align64(lt_type_bytes(&type));
}

lt_tensor lt_dense_copy(const lt_cpu *cpu, const lt_tensor *tensor, int inner, char **scratch)
{
    size_t bytes = lt_dense_bytes(tensor, inner);
    if (!bytes) return *tensor;
    lt_type type = lt_tensor_type(tensor);
    lt_tensor copy = lt_tensor_of(&type, lt_take(scratch, bytes));
    lt_copy_tensor(cpu, tensor, &copy);
    return copy;
}

static void run_copy(const lt_cpu *cpu, const lt_op_call *call) { lt_copy_tensor(cpu, call->in, call->out); }

lt_cpu_run lt_bind_copy(const lt_step *step, size_t *scratch)
{
    (void)step, (void)scratch;
    return run_copy;
}

static void run_cat(const lt_cpu *cpu, const lt_op_call *call)
{
    int dim = call->attrs->dim.dim;
    lt_tensor window = *call->out;
    int64_t step = window.stride[dim] * (int64_t)lathe_dtype_size(window.dtype);
    for (int k = 0; k < call->n_in; k++) {
        window.dim[dim] = call->in[k].dim[dim];
        lt_copy_tensor(cpu, &call->in[k], &window);
        window.data = (char *)window.data + window.dim[dim] * step;
    }
}

lt_cpu_run lt_bind_cat(const lt_step *step, size_t *scratch)
{
    (void)step, (void)scratch;
    return run_cat;
}
