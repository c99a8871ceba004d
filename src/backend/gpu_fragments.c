/* Products by fragments (fragments.k), where the device has them: which ones, and how they are shared out. */
#include <stdio.h>

#include "backend/gpu.h"

/* Tiles of outputs, the larger ones first, and how many subgroups share one. STAGES of DEPTH columns of
 * factors are in local memory. Columns are shared until there are TEAMS teams, each with FEW_COLUMNS at
 * least. */
enum { SUBGROUP = 32, DEPTH = 32, FRAGMENT = 16, FEW_COLUMNS = 256, TEAMS = 256, MOST_SPLITS = 16 };
typedef struct tile {
    int m, n, down, across;
} tile;
static const tile table[] = {{128, 128, 2, 4}, {64, 64, 2, 2}};

static uint32_t tile_items(const tile *t) { return (uint32_t)(t->down * t->across * SUBGROUP); }

static int64_t count_tiles(const lt_product_params *p, const tile *t)
{
    return (int64_t)p->batches * ((p->m + t->m - 1) / t->m) * ((p->n + t->n - 1) / t->n);
}

/* Three stages, or two where three do not fit; 0: neither does. Factors may take 4 bytes where a language has
 * no type for them, which is so where there is little memory. */
static int count_stages(const lt_gpu *gpu, const tile *t)
{
    uint32_t stage = (uint32_t)((t->m + t->n) * DEPTH) * 2, room = gpu->info.local_bytes;
    return room >= 48 << 10 && 3 * stage <= room ? 3 : 2 * 2 * stage <= room ? 2 : 0;
}

/* The largest tile that is worth it: half of one may be empty. NULL: none. */
static const tile *choose_tile(const lt_gpu *gpu, const lt_product_params *p)
{
    for (size_t i = 0; i < LT_COUNT(table); i++) {
        const tile *t = &table[i];
        bool small = i + 1 == LT_COUNT(table) || (p->m > t->m / 2 && p->n > t->n / 2);
        if (small && tile_items(t) <= gpu->info.max_group && count_stages(gpu, t)) return t;
    }
    return NULL;
}

/* Factors of one type of 16 bits, a dense along l, b along l or j; enough of everything for a fragment. */
static const tile *fits_fragments(const lt_gpu *gpu, const lt_gpu_product *it)
{
    const lt_product_params *p = &it->p;
    lt_dtype dtype = it->a->tensor.dtype;
    bool fits = (gpu->info.features & LATHE_DEVICE_FRAGMENTS) && dtype == it->b->tensor.dtype &&
                lt_dtype_is_half(dtype) && p->a_step[1] == 1 && (p->b_step[1] == 1 || p->b_step[0] == 1) &&
                p->n >= FRAGMENT && p->k >= FRAGMENT;
    return fits ? choose_tile(gpu, p) : NULL;
}

static int choose_splits(const lt_product_params *p, int64_t n_tiles)
{
    int64_t splits = TEAMS / n_tiles, most = p->k / FEW_COLUMNS;
    if (splits > most) splits = most;
    return splits < 2 ? 1 : splits < MOST_SPLITS ? (int)splits : MOST_SPLITS;
}

static const lathe_kernel *fragment_kernel(lt_gpu_lowering *lo, const lt_gpu_product *it, const tile *t,
                                           const char *entry, uint32_t items)
{
    char defines[480];
    const lt_operand *bias = it->bias ? it->bias : it->a;
    snprintf(defines, sizeof defines,
             "#define LT_ITEMS %u\n#define LT_SUBGROUP %d\n#define LT_RANK %d\n#define LT_A %s\n"
             "#define LT_C %s\n#define LT_Y %s\n#define LT_TILE_M %d\n#define LT_TILE_N %d\n"
             "#define LT_DOWN %d\n#define LT_ACROSS %d\n#define LT_DEPTH %d\n#define LT_STAGES %d\n"
             "#define LT_B_DENSE %d\n",
             items, SUBGROUP, it->rank, lt_gpu_dtype(it->a->tensor.dtype), lt_gpu_dtype(bias->tensor.dtype),
             lt_gpu_dtype(it->out->tensor.dtype), t->m, t->n, t->down, t->across, DEPTH,
             count_stages(lo->gpu, t), it->p.b_step[1] == 1);
    return lt_gpu_product_kernel(lo, it, "fragments.k", entry, defines);
}

static bool join(lt_gpu_lowering *lo, const lt_gpu_product *it, const tile *t, const lt_operand *parts)
{
    uint32_t items = lt_gpu_group(lo->gpu);
    const lathe_kernel *kernel = fragment_kernel(lo, it, t, "product_join", items);
    lt_gpu_launch *l = lt_gpu_emit(lo, kernel, &it->p, sizeof it->p);
    lt_gpu_arg(l, parts);
    lt_gpu_arg(l, it->bias ? it->bias : it->a);
    lt_gpu_arg(l, it->out);
    lt_gpu_more_args(l, it);
    return lt_gpu_grid(l, (int64_t)it->p.batches * it->p.m * it->p.n, items);
}

static bool emit_fragments(lt_gpu_lowering *lo, const lt_gpu_product *from, const tile *t)
{
    lt_gpu_product it = *from;
    lt_product_params *p = &it.p;
    int64_t n_tiles = count_tiles(p, t), count = (int64_t)p->batches * p->m * p->n;
    p->splits = choose_splits(p, n_tiles);
    lt_type type = {.dtype = LATHE_F32, .rank = 1, .dim = {count * p->splits}};
    lt_operand parts = *it.out;
    if (p->splits > 1) parts = lt_gpu_scratch(lo, &type);
    if (p->splits > 1 &&
        (!lt_gpu_offset(&parts, &p->part_offset) || type.dim[0] > INT32_MAX - p->part_offset))
        return lt_gpu_decline(lo, "a product of more parts than 31 bits count");
    const lathe_kernel *kernel = fragment_kernel(lo, &it, t, "product_fragments", tile_items(t));
    lt_gpu_launch *l = lt_gpu_emit(lo, kernel, p, sizeof *p);
    lt_gpu_arg(l, it.a);
    lt_gpu_arg(l, it.b);
    lt_gpu_arg(l, it.bias ? it.bias : it.a);
    lt_gpu_arg(l, it.out);
    lt_gpu_arg(l, &parts);
    lt_gpu_more_args(l, &it);
    if (!lt_gpu_grid(l, n_tiles * p->splits * tile_items(t), tile_items(t)))
        return lt_gpu_decline(lo, "a product of more parts than 31 bits count");
    return p->splits == 1 || join(lo, &it, t, &parts);
}

bool lt_gpu_multiply_fragments(lt_gpu_lowering *lo, const lt_gpu_product *it, bool *done)
{
    const tile *t = fits_fragments(lo->gpu, it);
    *done = t != NULL;
    return !t || emit_fragments(lo, it, t);
}
