/* Scaled dot product attention: see attention.k. */
#include <stdio.h>

#include "backend/gpu.h"
#include "ops/sdpa.h"

/* MOST_WIDTH elements of a head are as many as items hold between them. Few rows are split between teams of
 * TEAM items, up to SPLITS for a row, as long as each has enough keys; on devices that run one item at a
 * time, between ITEMS items, which have FEW_KEYS at least and up to LINES rows. */
enum { MOST_WIDTH = 1024, TEAM = 128, SPLITS = 16, TEAMS = 256, ITEMS = 16, FEW_KEYS = 512, LINES = 8 };

/* From FRAG_ROWS rows of a head on, where there are fragments: FRAG_TEAM / 2 rows for a team. */
enum { FRAG_ROWS = 8, FRAG_TEAM = 128, SUBGROUP = 32 };

typedef struct sdpa {
    const lt_step *step;
    lt_sdpa_inputs at;
    lt_attention_params p;
    int lines; /* rows of an item */
} sdpa;

/* An input that may be missing: the query stands in its place. */
static const lt_operand *optional(const sdpa *it, int at) { return &it->step->args[at < 0 ? 0 : at]; }

static bool fill_views(lt_gpu_lowering *lo, sdpa *it)
{
    const lt_step *step = it->step;
    const int64_t *q = step->args[0].tensor.dim, keys = step->args[1].tensor.dim[2];
    int64_t scores[4] = {q[0], q[1], q[2], keys}, rows[2] = {q[0], q[2]};
    lt_attention_params *p = &it->p;
    bool fits = lt_gpu_own_view(lo, &step->args[0], &p->q) && lt_gpu_own_view(lo, &step->args[1], &p->k) &&
                lt_gpu_own_view(lo, &step->args[2], &p->v) &&
                lt_gpu_own_view(lo, &step->args[step->n_in], &p->out);
    if (!fits) return false;
    fits = it->at.mask < 0 || lt_gpu_view(&step->args[it->at.mask], 4, scores, &p->mask);
    fits = fits && (it->at.last < 0 || lt_gpu_view(&step->args[it->at.last], 2, rows, &p->last));
    fits = fits && (it->at.first < 0 || lt_gpu_view(&step->args[it->at.first], 2, rows, &p->first));
    fits = fits && (it->at.sink < 0 || lt_gpu_view(&step->args[it->at.sink], 1, &q[1], &p->sink));
    return fits || lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
}

static void describe(sdpa *it)
{
    const lt_attrs_sdpa *attrs = &it->step->attrs.sdpa;
    const lt_tensor *q = &it->step->args[0].tensor, *v = &it->step->args[2].tensor;
    lt_attention_params *p = &it->p;
    p->heads = (int)q->dim[1];
    p->length = (int)q->dim[2];
    p->rows = (int)(q->dim[0] * q->dim[1] * q->dim[2]);
    p->keys = (int)v->dim[2];
    p->group = v->dim[1] ? (int)(q->dim[1] / v->dim[1]) : 1;
    p->width = (int)q->dim[3];
    p->value_width = (int)lt_sdpa_values(v->dtype, v->dim[3]);
    p->causal = attrs->causal;
    p->empty_nan = attrs->empty_nan;
    p->has_last = it->at.last >= 0;
    p->has_first = it->at.first >= 0;
    lt_gpu_number(attrs->scale, p->scale);
    lt_gpu_number(attrs->cap, p->cap);
    p->splits = 1;
}

/* Dense rows of whole octets of floats (common.k): of keys and values, from one to the next as well. */
static bool has_octets(const sdpa *it)
{
    const lt_attention_params *p = &it->p;
    lt_dtype kv = it->step->args[1].tensor.dtype;
    bool dense = it->step->args[0].tensor.dtype != LATHE_F64 && kv != LATHE_F64 &&
                 !lt_sdpa_is_quantized(kv) && p->width % 8 == 0 && p->value_width % 8 == 0 &&
                 p->k.stride[3] == 1 && p->v.stride[3] == 1;
    for (int d = 0; d < 3; d++) dense = dense && p->k.stride[d] % 8 == 0 && p->v.stride[d] % 8 == 0;
    return dense;
}

/* Over the keys: see attention.k. */
static int count_passes(const lt_attrs_sdpa *attrs)
{
    return attrs->rounds & LT_ROUND_SHIFTED ? 3 : attrs->rounds & LT_ROUND_WEIGHTS ? 2 : 1;
}

static const lathe_kernel *kernel_of(lt_gpu_lowering *lo, const sdpa *it, const char *entry, uint32_t items,
                                     int width, int value_width)
{
    const lt_attrs_sdpa *attrs = &it->step->attrs.sdpa;
    char defines[800];
    bool capped = attrs->cap > 0;
    lt_dtype q = it->step->args[0].tensor.dtype, mask = optional(it, it->at.mask)->tensor.dtype;
    bool scaled = lt_sdpa_is_quantized(it->step->args[1].tensor.dtype);
    snprintf(
        defines, sizeof defines,
        "#define LT_ITEMS %u\n#define LT_SUBGROUP %d\n#define LT_WIDTH %d\n#define LT_VALUE_WIDTH "
        "%d\n#define LT_OWN %u\n"
        "#define LT_Q %s\n#define LT_KV %s\n#define LT_MASK %s\n%s#define LT_SINK %s\n%s#define LT_AS %s\n"
        "#define LT_CAPPED %d\n#define LT_ROUNDS %u\n#define LT_R %s\n#define LT_PASSES %d\n#define LT_LINES "
        "%d\n"
        "#define LT_PLAIN_SCORES %d\n%s%s",
        items, SUBGROUP, width, value_width, ((unsigned)value_width + items - 1) / items, lt_gpu_dtype(q),
        lt_gpu_dtype(it->step->args[1].tensor.dtype), lt_gpu_dtype(mask),
        it->at.mask < 0      ? ""
        : mask == LATHE_BOOL ? "#define LT_MASK_IS_BOOL 1\n"
                             : "#define LT_HAS_MASK 1\n",
        lt_gpu_dtype(optional(it, it->at.sink)->tensor.dtype),
        it->at.sink < 0 ? "" : "#define LT_HAS_SINK 1\n", lt_gpu_class(q), capped, attrs->rounds,
        lt_gpu_dtype(attrs->rounds ? attrs->rounded : q), count_passes(attrs), it->lines,
        it->at.mask < 0 && !capped && !attrs->rounds && !scaled, scaled ? "#define LT_KV_SCALED 1\n" : "",
        has_octets(it) && it->p.value_width / 8 <= (int)items ? "#define LT_OCTETS 1\n" : "");
    return lt_gpu_kernel(lo, "attention.k", NULL, entry, defines);
}

static lt_gpu_launch *emit_rows(lt_gpu_lowering *lo, const sdpa *it, const lathe_kernel *kernel,
                                const lt_operand *parts)
{
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &it->p, sizeof it->p);
    for (int k = 0; k < 3; k++) lt_gpu_arg(launch, &it->step->args[k]);
    lt_gpu_arg(launch, optional(it, it->at.mask));
    lt_gpu_arg(launch, optional(it, it->at.last));
    lt_gpu_arg(launch, optional(it, it->at.first));
    lt_gpu_arg(launch, optional(it, it->at.sink));
    lt_gpu_arg(launch, &it->step->args[it->step->n_in]);
    lt_gpu_arg(launch, parts);
    return launch;
}

/* Whole vectors of dense keys and values. */
static bool fits_lanes(const lt_gpu *gpu, const sdpa *it)
{
    const lt_attention_params *p = &it->p;
    return (gpu->info.features & LATHE_DEVICE_SERIAL) && it->step->args[0].tensor.dtype != LATHE_F64 &&
           it->step->args[1].tensor.dtype != LATHE_F64 && p->width % 16 == 0 && p->value_width % 16 == 0 &&
           p->q.stride[3] == 1 && p->k.stride[3] == 1 && p->v.stride[3] == 1;
}

/* Among how many the keys of a row are shared, where there are few rows and many keys: `jobs` of them run at
 * once, `fewest` keys are worth it. */
static int choose_splits(const sdpa *it, int64_t rows, int jobs, int fewest)
{
    if (it->step->attrs.sdpa.rounds & LT_ROUND_WEIGHTS) return 1;
    int64_t splits = lt_min_i64(jobs / rows, it->p.keys / fewest);
    return (int)lt_max_i64(1, lt_min_i64(splits, SPLITS));
}

static bool emit_join(lt_gpu_lowering *lo, const sdpa *it, const lt_operand *parts, uint32_t items)
{
    const lathe_kernel *kernel = kernel_of(lo, it, "attention_join", items, it->p.width, it->p.value_width);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &it->p, sizeof it->p);
    lt_gpu_arg(launch, parts);
    lt_gpu_arg(launch, &it->step->args[it->step->n_in]);
    return lt_gpu_grid(launch, (int64_t)it->p.rows * it->p.value_width, items);
}

/* Where the sums of shared rows go; of others, what stands in its place. */
static bool need_parts(lt_gpu_lowering *lo, sdpa *it, lt_operand *parts)
{
    lt_attention_params *p = &it->p;
    lt_type type = {.dtype = it->step->args[0].tensor.dtype == LATHE_F64 ? LATHE_F64 : LATHE_F32,
                    .rank = 1,
                    .dim = {(int64_t)p->rows * p->splits * (p->value_width + 2)}};
    *parts = it->step->args[it->step->n_in];
    p->part_offset = 0;
    if (p->splits == 1) return true;
    *parts = lt_gpu_scratch(lo, &type);
    return (lt_gpu_offset(parts, &p->part_offset) && type.dim[0] <= INT32_MAX - p->part_offset) ||
           lt_gpu_decline(lo, "more parts than 31 bits count");
}

static bool emit_team(lt_gpu_lowering *lo, sdpa *it)
{
    uint32_t items = lt_gpu_team(lo->gpu) < TEAM ? lt_gpu_team(lo->gpu) : TEAM;
    bool serial = lo->gpu->info.features & LATHE_DEVICE_SERIAL;
    lt_attention_params *p = &it->p;
    lt_operand parts;
    p->splits = serial ? 1 : choose_splits(it, p->rows, TEAMS, (int)items);
    if (!need_parts(lo, it, &parts)) return false;
    const lathe_kernel *kernel = kernel_of(lo, it, "attention_team", items, p->width, p->value_width);
    lt_gpu_launch *launch = emit_rows(lo, it, kernel, &parts);
    if (!lt_gpu_grid(launch, (int64_t)p->rows * p->splits * items, items)) return false;
    return p->splits == 1 || emit_join(lo, it, &parts, lt_gpu_group(lo->gpu));
}

/* An item has rows that read the same keys: those of a group of heads, at one position after the other. */
static bool emit_lanes(lt_gpu_lowering *lo, sdpa *it)
{
    lt_attention_params *p = &it->p;
    lt_operand parts;
    int wider = p->width > p->value_width ? p->width : p->value_width, most = MOST_WIDTH / wider;
    int64_t shared = (int64_t)p->group * p->length;
    it->lines = (int)lt_min_i64(shared, most < LINES ? most : LINES);
    int64_t blocks = p->rows / shared * ((shared + it->lines - 1) / it->lines);
    p->splits = choose_splits(it, blocks, ITEMS, FEW_KEYS);
    if (!need_parts(lo, it, &parts)) return false;
    const lathe_kernel *kernel = kernel_of(lo, it, "attention_lanes", 1, p->width / 16, p->value_width / 16);
    lt_gpu_launch *launch = emit_rows(lo, it, kernel, &parts);
    if (!lt_gpu_grid(launch, blocks * p->splits, 1)) return false;
    return p->splits == 1 || emit_join(lo, it, &parts, lt_gpu_group(lo->gpu));
}

/* Rows of queries for whole fragments, of the type of keys and values, and nothing rounded on the way. The
 * tiles, the scores and the ranges of FRAG_TEAM items fit into local memory; elements may take 4 bytes where
 * there is little of it, since a language may have no type for them there. */
static bool fits_fragments(const lt_gpu *gpu, const sdpa *it)
{
    enum { RANGES = FRAG_TEAM / 2 * 8, SCORES = FRAG_TEAM / 2 * (FRAG_TEAM / 4 + 4) * 4 };
    const lt_attention_params *p = &it->p;
    lt_dtype dtype = it->step->args[0].tensor.dtype;
    int size = dtype == LATHE_BF16 && gpu->info.local_bytes < 48 << 10 ? 4 : 2;
    int tile = FRAG_TEAM / 2 * p->width * size,
        scores = size == 4 ? FRAG_TEAM / 2 * (FRAG_TEAM / 4) * 8 : SCORES;
    return (gpu->info.features & LATHE_DEVICE_FRAGMENTS) && lt_dtype_is_half(dtype) &&
           it->step->args[1].tensor.dtype == dtype && !it->step->attrs.sdpa.rounds &&
           p->length >= FRAG_ROWS && p->width == p->value_width && p->width % 16 == 0 && p->width <= 128 &&
           p->q.stride[3] == 1 && p->k.stride[3] == 1 && p->v.stride[3] == 1 &&
           gpu->info.max_group >= FRAG_TEAM && (uint32_t)(tile + scores + RANGES) <= gpu->info.local_bytes;
}

static bool emit_fragments(lt_gpu_lowering *lo, const sdpa *it)
{
    const lt_attention_params *p = &it->p;
    int64_t teams = (int64_t)p->rows / p->length * ((p->length + FRAG_TEAM / 2 - 1) / (FRAG_TEAM / 2));
    const lathe_kernel *kernel =
        kernel_of(lo, it, "attention_fragments", FRAG_TEAM, p->width, p->value_width);
    lt_gpu_launch *launch = emit_rows(lo, it, kernel, &it->step->args[it->step->n_in]);
    return lt_gpu_grid(launch, teams * FRAG_TEAM, FRAG_TEAM);
}

static bool lower_sdpa(lt_gpu_lowering *lo, const lt_step *step)
{
    sdpa it = {.step = step, .at = lt_sdpa_find_inputs(&step->attrs.sdpa), .lines = 1};
    if (lathe_tensor_count(&step->args[step->n_in].tensor) == 0) return true;
    if (!fill_views(lo, &it)) return false;
    describe(&it);
    if (it.p.width > MOST_WIDTH || it.p.value_width > MOST_WIDTH)
        return lt_gpu_decline(lo, "heads of more than 1024 elements");
    if (lt_sdpa_is_quantized(step->args[1].tensor.dtype) && (it.p.k.stride[3] != 1 || it.p.v.stride[3] != 1))
        return lt_gpu_decline(lo, "rows of int8 that do not lie together");
    if (fits_fragments(lo->gpu, &it)) return emit_fragments(lo, &it);
    return fits_lanes(lo->gpu, &it) ? emit_lanes(lo, &it) : emit_team(lo, &it);
}

const lt_gpu_row lt_gpu_attention_rows[] = {
    {LT_OP_SDPA, lower_sdpa},
    {0, NULL},
};
