/* Sorting, selection and binary search: see order.k. */
#include <stdio.h>

#include "backend/gpu.h"
#include "kernels/gpu/text.h"
#include "ops/order.h"

/* A line is one item's work: LONG ones are the CPU's unless there are MANY. */
enum { LONG = 1 << 14, MANY = 64 };

static uint32_t items_of(const lt_gpu *gpu)
{
    return gpu->info.features & LATHE_DEVICE_SERIAL ? 1 : lt_gpu_group(gpu);
}

/* The kernel with the functions of order.tmpl.h before it. */
static const lathe_kernel *sort_kernel(lt_gpu_lowering *lo, const char *defines)
{
    lt_text body = {0};
    lt_text_printf(&body, "typedef struct lt_keyed {\n    uint64_t key;\n    int64_t index;\n} lt_keyed;\n%s",
                   lt_gpu_text_get("order.tmpl.h"));
    if (lo->status == LATHE_OK) lo->status = lt_text_status(&body, lo->err);
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "order.k", body.data, "order_sort", defines);
    lt_text_free(&body);
    return kernel;
}

typedef struct order {
    int dim, taken;
    bool descending, stable, select, sorted;
} order;

/* Lines of the input, the values and their places along the dim; false: 32 bits do not reach. */
static bool describe(lt_gpu_lowering *lo, const lt_step *step, const order *what, lt_order_params *p,
                     int *rank)
{
    const lt_tensor *x = &step->args[0].tensor;
    lt_view views[3], lines[3], along;
    bool marked[LT_DIMS] = {false};
    marked[what->dim] = true;
    for (int k = 0; k < 3; k++)
        if (!lt_gpu_own_view(lo, &step->args[k], &views[k])) return false;
    *p = (lt_order_params){.lines = 1, .count = (int)x->dim[what->dim], .taken = what->taken};
    int *const steps[3] = {&p->x_step, &p->values_step, &p->places_step}, n = 0;
    for (int k = 0; k < 3; k++) {
        lt_gpu_split(&views[k], x->rank, marked, &lines[k], &along);
        *steps[k] = along.stride[0];
    }
    for (int d = 0; d < x->rank; d++)
        if (d != what->dim) p->lines *= p->dim[n++] = (int)x->dim[d];
    *rank = lt_gpu_join(p->dim, n, lines, 3);
    p->x = lines[0];
    p->values = lines[1];
    p->places = lines[2];
    return true;
}

static bool emit_sort(lt_gpu_lowering *lo, const lt_step *step, const order *what)
{
    lt_order_params p;
    char defines[320];
    int rank;
    lt_dtype dtype = step->args[0].tensor.dtype;
    if (!describe(lo, step, what, &p, &rank)) return false;
    if (p.lines == 0 || p.taken == 0) return true;
    bool serial = lo->gpu->info.features & LATHE_DEVICE_SERIAL;
    if (!serial && p.count > LONG && p.lines < MANY)
        return lt_gpu_decline(lo, "a few long lines to be sorted");
    int64_t keys = (int64_t)p.lines * p.count * (what->stable ? 2 : 1);
    lt_type type = {.dtype = LATHE_I64, .rank = 1, .dim = {2 * keys}};
    if (keys > INT32_MAX / 2) return lt_gpu_decline(lo, "more keys than 31 bits count");
    lt_operand room = lt_gpu_scratch(lo, &type);
    if (room.offset / (int64_t)sizeof(lt_keyed) > INT32_MAX / 2)
        return lt_gpu_decline(lo, "more keys than 31 bits count");
    p.room = (int)(room.offset / (int64_t)sizeof(lt_keyed));
    const char *class = lt_gpu_class(dtype);
    snprintf(
        defines, sizeof defines,
        "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_X %s\n#define LT_AS %s\n#define LT_AS_%s 1\n"
        "#define LT_STABLE %d\n#define LT_SELECT %d\n#define LT_SORTED %d\n#define LT_DESCENDING %d\n",
        items_of(lo->gpu), rank, lt_gpu_dtype(dtype), class, class, what->stable, what->select, what->sorted,
        what->descending);
    lt_gpu_launch *launch = lt_gpu_emit(lo, sort_kernel(lo, defines), &p, sizeof p);
    for (int k = 0; k < 3; k++) lt_gpu_arg(launch, &step->args[k]);
    lt_gpu_arg(launch, &room);
    return lt_gpu_grid(launch, p.lines, items_of(lo->gpu));
}

static bool lower_sort(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_sort *a = &step->attrs.sort;
    return emit_sort(lo, step,
                     &(order){.dim = a->dim,
                              .taken = (int)step->args[0].tensor.dim[a->dim],
                              .descending = a->descending,
                              .stable = a->stable});
}

static bool lower_topk(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_attrs_topk *a = &step->attrs.topk;
    return emit_sort(lo, step,
                     &(order){.dim = a->dim,
                              .taken = (int)a->k,
                              .descending = a->largest,
                              .select = true,
                              .sorted = a->sorted});
}

static bool lower_search(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_operand *out = &step->args[2];
    lt_operand starts = step->args[0];
    int last = starts.tensor.rank - 1;
    char defines[256];
    lt_view views[3];
    lt_order_params p = {.lines = (int)lathe_tensor_count(&out->tensor),
                         .count = (int)starts.tensor.dim[last]};
    if (p.lines == 0) return true;
    if (!lt_gpu_own_view(lo, &step->args[0], &views[0])) return false;
    p.x_step = views[0].stride[last];
    starts.tensor.dim[last] = 1; /* where each value's line begins */
    const lt_operand *operands[3] = {&starts, &step->args[1], out};
    for (int k = 0; k < 3; k++)
        if (!lt_gpu_view(operands[k], out->tensor.rank, out->tensor.dim, &views[k]))
            return lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
    lt_gpu_dims(&out->tensor, p.dim);
    int rank = lt_gpu_join(p.dim, out->tensor.rank, views, 3);
    p.x = views[0];
    p.values = views[1];
    p.places = views[2];
    lt_dtype dtype = starts.tensor.dtype;
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_X %s\n#define LT_AS %s\n%s",
             items_of(lo->gpu), rank, lt_gpu_dtype(dtype), lt_gpu_class(dtype),
             step->attrs.search.right ? "#define LT_RIGHT 1\n" : "");
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "order.k", NULL, "order_search", defines);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &p, sizeof p);
    for (int k = 0; k < 3; k++) lt_gpu_arg(launch, &step->args[k]);
    return lt_gpu_grid(launch, p.lines, items_of(lo->gpu));
}

const lt_gpu_row lt_gpu_order_rows[] = {
    {LT_OP_SORT, lower_sort},
    {LT_OP_TOPK, lower_topk},
    {LT_OP_SEARCHSORTED, lower_search},
    {0, NULL},
};
