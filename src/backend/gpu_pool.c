/* Pooling on devices. */
#include <stdio.h>

#include "backend/gpu.h"

static bool is_small(const lt_attrs_pool *a)
{
    if (a->divisor > INT32_MAX || a->divisor < INT32_MIN) return false;
    for (int i = 0; i < a->spatial && !a->adaptive; i++)
        if (a->kernel[i] > INT16_MAX || a->stride[i] > INT16_MAX || a->dilation[i] > INT16_MAX) return false;
    return true;
}

/* Dims of size 1 before those that are there. */
static void fill_dims(lt_pool_params *p, const lt_attrs_pool *a, const lt_tensor *x, const lt_tensor *y)
{
    int missing = LT_MAX_SPATIAL - a->spatial, lead = x->rank - a->spatial;
    for (int d = 0; d < LT_MAX_SPATIAL; d++) {
        int i = d - missing;
        bool slides = i >= 0 && !a->adaptive;
        p->in[d] = i < 0 ? 1 : (int)x->dim[lead + i];
        p->out[d] = i < 0 ? 1 : (int)y->dim[lead + i];
        p->window[d] = slides ? (int)a->kernel[i] : 1;
        p->stride[d] = slides ? (int)a->stride[i] : 1;
        p->padding[d] = slides ? (int)a->padding[i] : 0;
        p->dilation[d] = slides ? (int)a->dilation[i] : 1;
    }
}

static void fill_steps(const lt_view *view, int lead, int spatial, int step[3])
{
    for (int d = 0; d < LT_MAX_SPATIAL; d++) {
        int i = d - (LT_MAX_SPATIAL - spatial);
        step[d] = i < 0 ? 0 : view->stride[lead + i];
    }
}

static bool lower_pool(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_pool *a = &step->attrs.pool;
    const lt_operand *x = &step->args[0], *y = &step->args[1];
    bool largest = step->op == LT_OP_MAX_POOL;
    const lt_operand *where = largest ? &step->args[2] : NULL;
    lt_pool_params p = {.count = (int)lathe_tensor_count(&y->tensor),
                        .adaptive = a->adaptive,
                        .include_pad = a->count_include_pad,
                        .divisor = (int)a->divisor};
    if (!is_small(a)) return lt_gpu_decline(lo, "a window, stride or dilation over 32767");
    if (!lt_gpu_own_view(lo, x, &p.x) || !lt_gpu_own_view(lo, y, &p.y) ||
        (where && !lt_gpu_own_view(lo, where, &p.where)))
        return false;
    if (p.count == 0) return true;
    int lead = x->tensor.rank - a->spatial;
    for (int d = 0; d < lead; d++) p.dim[d] = (int)x->tensor.dim[d];
    fill_dims(&p, a, &x->tensor, &y->tensor);
    fill_steps(&p.x, lead, a->spatial, p.x_step);
    fill_steps(&p.y, lead, a->spatial, p.out_step);
    if (where) fill_steps(&p.where, lead, a->spatial, p.where_step);
    int rank = lt_gpu_join(p.dim, lead, &p.x, 3);
    char defines[256];
    const char *class = lt_gpu_class(x->tensor.dtype);
    bool doubles = lt_dtype_is_float(x->tensor.dtype) && lt_gpu_has(lo->gpu, LATHE_F64);
    uint32_t items = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_LARGEST %d\n#define LT_AS %s\n#define "
             "LT_AS_%s 1\n#define "
             "LT_SUM %s\n"
             "#define LT_X %s\n",
             items, rank, largest, class, class, doubles ? "f64" : class, lt_gpu_dtype(x->tensor.dtype));
    const lathe_kernel *kernel =
        lt_gpu_kernel(lo, "pool.k", NULL, largest ? "max_pool" : "avg_pool", defines);
    lt_gpu_launch *l = lt_gpu_emit(lo, kernel, &p, sizeof p);
    lt_gpu_arg(l, x);
    lt_gpu_arg(l, y);
    if (where) lt_gpu_arg(l, where);
    return lt_gpu_grid(l, p.count, items);
}

const lt_gpu_row lt_gpu_pool_rows[] = {
    {LT_OP_MAX_POOL, lower_pool},
    {LT_OP_AVG_POOL, lower_pool},
    {0, NULL},
};
