/* Packed weights on devices: see packed.k. */
#include <stdio.h>

#include "backend/gpu.h"

/* Rows of x that go through a panel together; above, on devices of many items, tiles of TILE x TILE outputs
 * pay. */
enum { FEW_LINES = 8, TILE = 64, TILE_ITEMS = 128, TEAM = 256, DEFINES = 640 };

/* What the text is told of a format. */
static const char *const pack_names[LT_PACKINGS] = {[LT_PACK_INT8] = "INT8",
                                                    [LT_PACK_INT4] = "INT4",
                                                    [LT_PACK_INT4_MIN] = "INT4_MIN",
                                                    [LT_PACK_INT4_K] = "INT4_K",
                                                    [LT_PACK_INT6_K] = "INT6_K"};

static void define_format(char defines[DEFINES], lt_packing packing, uint32_t items, int rank, int rows,
                          const char *more)
{
    const lt_packing_info *info = &lt_packing_table[packing];
    snprintf(defines, DEFINES,
             "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_ROWS %d\n#define LT_PACK_%s 1\n"
             "#define LT_BLOCK_GROUPS %d\n#define LT_HEADER_WORDS %d\n#define LT_GROUP_WORDS %d\n"
             "#define LT_VALUE_BITS %d\n#define LT_ZERO %d.0f\n%s",
             items, rank, rows, pack_names[packing], info->block_groups, info->header_bytes / 4,
             info->group_bytes / 4, info->group_bytes * 8 / (LT_PANEL * LT_GROUP), info->zero, more);
}

static bool fits_words(lt_gpu_lowering *lo, lt_packing packing, const lt_tensor *w)
{
    return lt_packed_bytes(packing, w->dim[0], w->dim[1]) / 4 <= INT32_MAX ||
           lt_gpu_decline(lo, "a packed matrix of more words than 31 bits count");
}

static bool launch(lt_gpu_lowering *lo, const lt_gpu_product *it, const char *entry, uint32_t items, int rows,
                   int lines, int64_t n_groups)
{
    char defines[DEFINES], more[256];
    lt_packing packing = lo->packing_of(lo->packings, it->b->index);
    const lt_operand *bias = it->bias ? it->bias : it->a;
    snprintf(more, sizeof more,
             "#define LT_LINES %d\n#define LT_TILE %d\n#define LT_DENSE %d\n#define LT_A %s\n"
             "#define LT_C %s\n#define LT_Y %s\n",
             lines, TILE, it->p.a_step[1] == 1, lt_gpu_dtype(it->a->tensor.dtype),
             lt_gpu_dtype(bias->tensor.dtype), lt_gpu_dtype(it->out->tensor.dtype));
    define_format(defines, packing, items, it->rank, rows, more);
    if (n_groups > INT32_MAX / (int64_t)items)
        return lt_gpu_decline(lo, "a product of more parts than 31 bits count");
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_product_kernel(lo, it, "packed.k", entry, defines), &it->p, sizeof it->p);
    lt_gpu_arg(l, it->a);
    lt_gpu_arg(l, it->b);
    lt_gpu_arg(l, bias);
    lt_gpu_arg(l, it->out);
    lt_gpu_more_args(l, it);
    return lt_gpu_grid(l, n_groups * items, items);
}

/* A power of two, whole panels. */
static uint32_t team_items(const lt_gpu *gpu)
{
    uint32_t items = TEAM;
    while (items > gpu->info.max_group && items > LT_PANEL) items /= 2;
    return items;
}

bool lt_gpu_multiply_packed(lt_gpu_lowering *lo, const lt_gpu_product *it)
{
    const lt_product_params *p = &it->p;
    int64_t panels = (p->n + LT_PANEL - 1) / LT_PANEL;
    int lines = p->m < FEW_LINES ? p->m : FEW_LINES;
    if ((int64_t)p->batches * p->m * p->n == 0) return true;
    if (!fits_words(lo, lo->packing_of(lo->packings, it->b->index), &it->b->tensor)) return false;
    if (lo->gpu->info.features & LATHE_DEVICE_SERIAL)
        return launch(lo, it, "packed_lanes", 1, LT_PANEL, lines, p->batches * panels);
    if (p->m <= FEW_LINES || lo->gpu->info.max_group < TILE_ITEMS)
        return launch(lo, it, "packed_team", team_items(lo->gpu), 1, lines, p->batches * panels);
    int64_t tiles = (int64_t)((p->n + TILE - 1) / TILE) * ((p->m + TILE - 1) / TILE);
    return launch(lo, it, "packed_tiles", TILE_ITEMS, 1, 1, p->batches * tiles);
}

bool lt_gpu_packed_rows(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_operand *w = &step->args[0], *index = &step->args[1], *out = &step->args[2];
    lt_packing packing = lo->packing_of(lo->packings, w->index);
    lt_packed_rows_params p = {.count = (int)lathe_tensor_count(&out->tensor),
                               .n = (int)w->tensor.dim[0],
                               .k = (int)w->tensor.dim[1],
                               .wrap = step->attrs.index.wrap,
                               .flag = lt_gpu_flag_value(lo)};
    char defines[DEFINES], more[96];
    uint32_t items = lt_gpu_group(lo->gpu);
    if (p.count == 0) return true;
    if (!fits_words(lo, packing, &w->tensor) || !lt_gpu_own_view(lo, index, &p.index) ||
        !lt_gpu_own_view(lo, out, &p.out))
        return false;
    lt_gpu_dims(&index->tensor, p.dim);
    p.step = p.out.stride[index->tensor.rank];
    lt_view views[2] = {p.index, p.out};
    int rank = lt_gpu_join(p.dim, index->tensor.rank, views, 2);
    p.index = views[0];
    p.out = views[1];
    snprintf(more, sizeof more, "#define LT_I %s\n#define LT_Y %s\n", lt_gpu_dtype(index->tensor.dtype),
             lt_gpu_dtype(out->tensor.dtype));
    define_format(defines, packing, items, rank, 1, more);
    lt_gpu_launch *l =
        lt_gpu_emit(lo, lt_gpu_kernel(lo, "packed.k", NULL, "packed_rows", defines), &p, sizeof p);
    lt_gpu_arg(l, w);
    lt_gpu_arg(l, index);
    lt_gpu_arg(l, out);
    lt_gpu_flag_arg(l);
    return lt_gpu_grid(l, p.count, items);
}
