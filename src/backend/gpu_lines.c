/* Lines of operands, which kernels of several families go through. */
#include "backend/gpu.h"

/* Lines of fewer elements are not shared; of more lines than MANY, a group of a serial device has SOME. */
enum { SHORT = 32, MANY = 4096, SOME = 32 };

void lt_gpu_lines_of(lt_gpu_lines *lines, const lt_tensor *tensor, const bool *marked)
{
    *lines = (lt_gpu_lines){.p = {.lines = 1, .count = 1}};
    for (int d = 0; d < tensor->rank; d++) {
        int size = (int)tensor->dim[d];
        if (marked[d]) lines->p.count *= lines->p.inner[lines->inner++] = size;
        else lines->p.lines *= lines->p.outer[lines->rank++] = size;
    }
}

bool lt_gpu_lines_add(lt_gpu_lowering *lo, lt_gpu_lines *lines, int at, const lt_operand *operand,
                      const bool *marked, int rank)
{
    lt_view view;
    if (!lt_gpu_own_view(lo, operand, &view)) return false;
    lt_view *begin = &lines->p.begin[at], *within = &lines->p.within[at];
    if (operand->tensor.rank == rank) lt_gpu_split(&view, rank, marked, begin, within);
    else *begin = view;
    return true;
}

void lt_gpu_lines_finish(const lt_gpu *gpu, lt_gpu_lines *lines, int n_views, bool whole, bool shared)
{
    lt_lines_params *p = &lines->p;
    bool serial = gpu->info.features & LATHE_DEVICE_SERIAL;
    lines->rank = lt_gpu_join(p->outer, lines->rank, p->begin, n_views);
    if (whole) lines->inner = lt_gpu_join(p->inner, lines->inner, p->within, n_views);
    shared = shared && !serial && p->count >= SHORT;
    lines->items = !serial ? lt_gpu_group(gpu) : p->lines > MANY ? SOME : 1;
    lines->team = shared ? lines->items : 1;
}

const lathe_kernel *lt_gpu_lines_kernel(lt_gpu_lowering *lo, const lt_gpu_lines *lines, const char *text,
                                        const char *entry, const char *defines)
{
    lt_text all = {0};
    lt_text_printf(&all,
                   "#define LT_ITEMS %u\n#define LT_TEAM %u\n#define LT_RANK %d\n#define LT_INNER %d\n%s",
                   lines->items, lines->team, lines->rank, lines->inner, defines);
    if (lo->status == LATHE_OK) lo->status = lt_text_status(&all, lo->err);
    const lathe_kernel *kernel = lt_gpu_kernel(lo, text, NULL, entry, all.data);
    lt_text_free(&all);
    return kernel;
}

lt_gpu_launch *lt_gpu_lines_emit(lt_gpu_lowering *lo, const lt_gpu_lines *lines, const lathe_kernel *kernel)
{
    int64_t items = (int64_t)lines->p.lines * lines->team;
    if (!lt_gpu_grid(NULL, items, lines->items)) {
        lt_gpu_decline(lo, "more lines than 31 bits count");
        return NULL;
    }
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &lines->p, sizeof lines->p);
    lt_gpu_grid(launch, items, lines->items);
    return launch;
}
