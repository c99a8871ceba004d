/* Matrix products: which kernel of matrix.k a product gets, by the strides of its operands and the device. */
#include <stdio.h>
#include <string.h>

#include "backend/gpu.h"

/* Rows of a that subgroups take one by one; above, tiles of TILE x TILE outputs pay. MANY_ROWS of b are
 * enough for all subgroups of a large device to have two at a time. */
enum { FEW_LINES = 8, TILE = 64, DEPTH = 16, TEAM = 128, SUBGROUP = 32, MANY_ROWS = 8192 };

static bool too_far(lt_gpu_lowering *lo)
{
    return lt_gpu_decline(lo, "a product of more parts than 31 bits count");
}

static bool launch(lt_gpu_lowering *lo, const lt_gpu_product *it, const char *entry, uint32_t items,
                   int lines, int64_t n_groups, const char *more)
{
    char defines[320];
    const lt_operand *bias = it->bias ? it->bias : it->a;
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_LINES %d\n#define LT_A %s\n"
             "#define LT_B %s\n#define LT_C %s\n#define LT_Y %s\n%s",
             items, it->rank, lines, lt_gpu_dtype(it->a->tensor.dtype), lt_gpu_dtype(it->b->tensor.dtype),
             lt_gpu_dtype(bias->tensor.dtype), lt_gpu_dtype(it->out->tensor.dtype), more);
    if (n_groups > INT32_MAX / (int64_t)items) return too_far(lo);
    const lathe_kernel *kernel = lt_gpu_product_kernel(lo, it, "matrix.k", entry, defines);
    lt_gpu_launch *l = lt_gpu_emit(lo, kernel, &it->p, sizeof it->p);
    lt_gpu_arg(l, it->a);
    lt_gpu_arg(l, it->b);
    lt_gpu_arg(l, bias);
    lt_gpu_arg(l, it->out);
    lt_gpu_more_args(l, it);
    return lt_gpu_grid(l, n_groups * items, items);
}

/* One item at a time: whole vectors along l or along j. */
static bool launch_serial(lt_gpu_lowering *lo, const lt_gpu_product *it, bool *done)
{
    const lt_product_params *p = &it->p;
    bool dots = p->a_step[1] == 1 && p->b_step[1] == 1 && p->k >= 16,
         columns = p->b_step[0] == 1 && p->n >= 16;
    *done = dots || columns;
    int most = dots ? 4 : 8, lines = p->m < most ? p->m : most;
    if (dots)
        return launch(lo, it, "product_dots", 1, lines, (int64_t)p->batches * ((p->n + 3) / 4),
                      "#define LT_ROWS 4\n");
    if (!columns) return true;
    int64_t blocks = (int64_t)((p->n + 31) / 32) * ((p->m + lines - 1) / lines);
    return launch(lo, it, "product_columns", 1, lines, p->batches * blocks, "");
}

/* Few rows of a: each subgroup of a team has one row of b, or two, where there are many or to share the work
 * on rows of a. */
static bool launch_team(lt_gpu_lowering *lo, const lt_gpu_product *it)
{
    const lt_product_params *p = &it->p;
    char more[64];
    uint32_t items = lo->gpu->info.max_group < TEAM ? SUBGROUP : TEAM;
    int rows = p->n >= MANY_ROWS || p->m > 2 ? 2 : 1, together = (int)items / SUBGROUP * rows;
    snprintf(more, sizeof more, "#define LT_SUBGROUP %d\n#define LT_ROWS %d\n", SUBGROUP, rows);
    return launch(lo, it, "product_team", items, p->m,
                  p->batches * (((int64_t)p->n + together - 1) / together), more);
}

static bool launch_parallel(lt_gpu_lowering *lo, const lt_gpu_product *it, bool *done)
{
    const lt_product_params *p = &it->p;
    uint32_t most = lo->gpu->info.max_group;
    bool dense = p->a_step[1] == 1 && p->b_step[1] == 1;
    *done = p->m <= FEW_LINES && dense && p->k >= 64 && most >= SUBGROUP;
    if (*done) return launch_team(lo, it);
    if (!lt_gpu_multiply_fragments(lo, it, done)) return false;
    if (*done) return true;
    *done = p->m > FEW_LINES && p->n > FEW_LINES && most >= TEAM && p->k >= DEPTH;
    if (!*done) return true;
    char more[96];
    int64_t tiles = (int64_t)((p->n + TILE - 1) / TILE) * ((p->m + TILE - 1) / TILE);
    snprintf(more, sizeof more, "#define LT_TILE %d\n#define LT_DEPTH %d\n#define LT_B_DENSE %d\n", TILE,
             DEPTH, p->b_step[1] == 1);
    return launch(lo, it, "product_tiles", TEAM, 1, p->batches * tiles, more);
}

bool lt_gpu_multiply(lt_gpu_lowering *lo, const lt_gpu_product *it)
{
    const lt_product_params *p = &it->p;
    if ((int64_t)p->batches * p->m * p->n == 0) return true;
    const char *class = lt_gpu_class(it->out->tensor.dtype);
    if (strcmp(class, "f32") == 0) {
        bool done = false, serial = lo->gpu->info.features & LATHE_DEVICE_SERIAL;
        bool fits = serial ? launch_serial(lo, it, &done) : launch_parallel(lo, it, &done);
        if (done || !fits) return fits;
    }
    char more[64];
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(more, sizeof more, "#define LT_AS %s\n#define LT_AS_%s 1\n", class, class);
    int64_t count = (int64_t)p->batches * p->m * p->n;
    return launch(lo, it, "product_plain", items, 1, (count + items - 1) / items, more);
}

static bool lower_matmul(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_product it = {.a = &step->args[0], .b = &step->args[1], .out = &step->args[2]};
    const lt_tensor *a = &it.a->tensor, *out = &it.out->tensor;
    lt_view views[3];
    int r = out->rank;
    for (int k = 0; k < 3; k++)
        if (!lt_gpu_own_view(lo, &step->args[k], &views[k])) return false;
    lt_product_params *p = &it.p;
    *p = (lt_product_params){.m = (int)out->dim[r - 2],
                             .n = (int)out->dim[r - 1],
                             .k = (int)a->dim[r - 1],
                             .batches = 1,
                             .a_step = {views[0].stride[r - 2], views[0].stride[r - 1]},
                             .b_step = {views[1].stride[r - 1], views[1].stride[r - 2]},
                             .out_step = {views[2].stride[r - 2], views[2].stride[r - 1]}};
    for (int d = 0; d < r - 2; d++) p->batches *= p->batch[d] = (int)out->dim[d];
    it.rank = lt_gpu_join(p->batch, r - 2, views, 3);
    p->a = views[0];
    p->b = views[1];
    p->out = views[2];
    return lt_gpu_multiply(lo, &it);
}

/* The leading dims of x are joined as far as they can be; the last one of what is left is m. */
static bool lower_linear(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_product it = {.a = &step->args[0],
                         .b = &step->args[1],
                         .bias = step->n_in > 2 ? &step->args[2] : NULL,
                         .out = &step->args[step->n_in]};
    lt_gpu_add_epilogue(lo, &it);
    const lt_tensor *w = &it.b->tensor, *x = &it.a->tensor;
    lt_view views[2], of_w, of_bias = {0};
    int last = x->rank - 1, *dim = it.p.batch;
    if (!lt_gpu_own_view(lo, it.a, &views[0]) || !lt_gpu_own_view(lo, it.out, &views[1]) ||
        !lt_gpu_own_view(lo, it.b, &of_w) || (it.bias && !lt_gpu_own_view(lo, it.bias, &of_bias)))
        return false;
    int along[2] = {views[0].stride[last], views[1].stride[last]};
    for (int d = 0; d < last; d++) dim[d] = (int)x->dim[d];
    int rank = lt_gpu_join(dim, last, views, 2) - 1;
    lt_product_params *p = &it.p;
    p->m = dim[rank];
    p->n = (int)w->dim[0];
    p->k = (int)w->dim[1];
    p->a_step[0] = views[0].stride[rank];
    p->a_step[1] = along[0];
    p->out_step[0] = views[1].stride[rank];
    p->out_step[1] = along[1];
    p->b_step[0] = of_w.stride[0];
    p->b_step[1] = of_w.stride[1];
    p->has_bias = it.bias != NULL;
    p->bias.offset = of_bias.offset;
    p->bias_step[1] = of_bias.stride[0];
    p->batches = 1;
    for (int d = 0; d < rank; d++) p->batches *= dim[d];
    p->a = views[0];
    p->out = views[1];
    p->b.offset = of_w.offset;
    it.rank = rank > 0 ? rank : 1;
    if (rank == 0) dim[0] = 1;
    return it.b->kind == LT_BUFFER_PACKED ? lt_gpu_multiply_packed(lo, &it) : lt_gpu_multiply(lo, &it);
}

const lt_gpu_row lt_gpu_matrix_rows[] = {
    {LT_OP_LINEAR, lower_linear},
    {LT_OP_MATMUL, lower_matmul},
    {0, NULL},
};
