/* Every operator that a device takes, in every dtype and layout, against the references.
 * Usage: conformance DEVICE [--parallel] [--only FAMILY] [SEED]     (--parallel: as if the device ran many
 * work items at a time) Exit status: 0 all equal, 1 some are not, 77 there is no such device. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/registry.h"
#include "backends/device_case.h"
#include "base/cache_row.h"

typedef struct suite {
    lt_gpu *gpu;
    uint64_t seed;
    unsigned passed, failed, declined;
} suite;

static lt_type type_of(lt_dtype dtype, int rank, ...)
{
    lt_type type = {.dtype = dtype, .rank = rank};
    va_list sizes;
    va_start(sizes, rank);
    for (int d = 0; d < rank; d++) type.dim[d] = va_arg(sizes, int);
    va_end(sizes);
    return type;
}

/* In each layout, and in place where the operator can do that. */
static void check(suite *s, const lt_case *c)
{
    bool updates = lt_op_get(c->op)->flags & LT_OP_UPDATE;
    for (int at = 0; at < LAYOUTS * (updates ? 2 : 1); at++) {
        char text[256] = "", type[LT_TYPE_TEXT] = "no inputs";
        lt_outcome outcome =
            lt_case_run(s->gpu, c, (lt_layout)(at % LAYOUTS), at >= LAYOUTS, s->seed++, text);
        if (c->n_in) lt_type_print(&c->in[0], type);
        s->passed += outcome == CASE_PASSED;
        s->failed += outcome == CASE_FAILED;
        s->declined += outcome == CASE_DECLINED;
        if (outcome == CASE_FAILED || (outcome == CASE_DECLINED && at == 0))
            printf("%s %s %s, layout %d: %s\n", outcome == CASE_FAILED ? "FAIL" : "declined",
                   lt_op_get(c->op)->name, type, at, text);
    }
}

static const lt_dtype floats[] = {LATHE_F32, LATHE_BF16, LATHE_F64};
static const lt_dtype all[] = {LATHE_F32, LATHE_BF16, LATHE_F16, LATHE_F64,
                               LATHE_I64, LATHE_I32,  LATHE_U8,  LATHE_BOOL};

/* ---- Families ---- */

static void check_elementwise(suite *s)
{
    static const lt_op some[] = {LT_OP_ADD,  LT_OP_DIV_FLOOR, LT_OP_MAXIMUM,
                                 LT_OP_GELU, LT_OP_GELU_TANH, LT_OP_POW};
    for (size_t k = 0; k < LT_COUNT(some); k++)
        for (size_t d = 0; d < 2; d++) {
            lt_case c = {.op = some[k], .n_in = lt_op_get(some[k])->n_in, .special = true, .terms = 8};
            c.attrs.elementwise = (lt_attrs_elementwise){lt_dtype_wide(floats[d]), floats[d]};
            for (uint32_t i = 0; i < c.n_in; i++)
                c.in[i] = i ? type_of(floats[d], 2, 1, 9) : type_of(floats[d], 3, 4, 5, 9);
            check(s, &c);
        }
    for (size_t from = 0; from < LT_COUNT(all); from++) {
        lt_case c = {.op = LT_OP_CAST, .n_in = 1, .in = {type_of(all[from], 2, 7, 13)}, .special = true};
        c.attrs.dtype.dtype = all[(from + 3) % LT_COUNT(all)];
        check(s, &c);
        c.op = LT_OP_COPY;
        check(s, &c);
    }
}

static void check_products(suite *s)
{
    static const int sizes[][3] = {{1, 37, 100}, {3, 40, 64},   {70, 65, 33}, {5, 16, 7},     {1, 1, 0},
                                   {2, 33, 300}, {4, 19, 1160}, {16, 40, 96}, {130, 150, 712}};
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16, LATHE_I64};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (size_t k = 0; k < LT_COUNT(sizes); k++) {
            int m = sizes[k][0], n = sizes[k][1], l = sizes[k][2];
            lt_dtype dtype = dtypes[d];
            lt_case c = {.op = LT_OP_MATMUL, .n_in = 2, .terms = l};
            c.in[0] = type_of(dtype, 3, 2, m, l);
            c.in[1] = type_of(dtype, 3, 2, l, n);
            check(s, &c);
            c.op = LT_OP_LINEAR;
            c.n_in = k % 2 ? 3 : 2;
            c.in[1] = type_of(dtype, 2, n, l);
            c.in[2] = type_of(dtype, 1, n);
            check(s, &c);
            c.shift = 3;
            if (l > 700) check(s, &c);
        }
    for (size_t d = 0; d < LT_COUNT(floats); d++) {
        lt_case c = {.op = LT_OP_GROUPED_MATMUL, .n_in = 3, .terms = 300};
        c.in[0] = type_of(floats[d], 2, 9, 300);
        c.in[1] = type_of(floats[d], 3, 2, 300, 17);
        c.in[2] = type_of(LATHE_I32, 1, 2);
        c.below[2] = 1; /* no rows: groups of unknown ends are not in order */
        check(s, &c);
        c.in[0].dim[0] = c.in[1].dim[0] = c.in[2].dim[0] = 1;
        c.below[2] = 2;
        check(s, &c);
    }
}

/* Linear layers and what devices compute with them: sums with a residual, activations, gates, a number for
 * all. */
static void check_epilogues(suite *s)
{
    static const lt_op ops[] = {LT_OP_ADD, LT_OP_GELU, LT_OP_MUL, LT_OP_FMA, LT_OP_SUB, LT_OP_SILU};
    static const int sizes[][3] = {{1, 37, 100}, {3, 40, 64},  {70, 65, 33},    {2, 16, 1160},
                                   {1, 37, 100}, {16, 40, 96}, {130, 150, 712}, {3, 40, 64}};
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    for (size_t k = 0; k < LT_COUNT(sizes) + LT_PACKINGS; k++) {
        bool packed = k >= LT_COUNT(sizes);
        const int *size = sizes[packed ? 0 : k];
        lt_op op = ops[k % LT_COUNT(ops)];
        lt_dtype dtype = dtypes[k % LT_COUNT(dtypes)];
        uint32_t n_more = (uint32_t)lt_op_get(op)->n_in - 1;
        lt_case_next next = {.op = op, .n_more = n_more, .at = (uint32_t)k % (n_more + 1)};
        next.attrs.elementwise = (lt_attrs_elementwise){LATHE_F32, dtype};
        next.more[0] = type_of(dtype, 3, 2, size[0], size[1]);
        next.more[1] = k % 2 ? next.more[0] : type_of(dtype, 0);
        lt_case c = {.op = LT_OP_LINEAR, .terms = (packed ? 256 : 32) * size[2], .next = &next};
        c.packed = packed;
        c.packing = (lt_packing)(packed ? k - LT_COUNT(sizes) : 0);
        c.shift = k % 4 == 3;
        c.n_in = k % 2 ? 3 : 2;
        c.in[0] = type_of(dtype, 3, 2, size[0], size[2]);
        c.in[1] = type_of(dtype, 2, size[1], size[2]);
        c.in[2] = type_of(dtype, 1, size[1]);
        check(s, &c);
    }
}

static void check_packed(suite *s)
{
    static const int sizes[][3] = {{1, 37, 100}, {3, 48, 64}, {70, 65, 300}, {9, 16, 7}, {1, 100, 1030}};
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
    for (int packing = 0; packing < LT_PACKINGS; packing++)
        for (size_t k = 0; k < LT_COUNT(sizes); k++) {
            int m = sizes[k][0], n = sizes[k][1], l = sizes[k][2];
            lt_dtype dtype = dtypes[k % LT_COUNT(dtypes)];
            lt_case c = {.op = LT_OP_LINEAR, .terms = 8 * l, .packed = true, .packing = (lt_packing)packing};
            c.n_in = k % 2 ? 3 : 2;
            c.in[0] = type_of(dtype, 3, 2, m, l);
            c.in[1] = type_of(dtype, 2, n, l);
            c.in[2] = type_of(dtype, 1, n);
            check(s, &c);
            c.op = LT_OP_INDEX;
            c.n_in = 2;
            c.in[0] = c.in[1];
            c.in[1] = type_of(LATHE_I64, 2, 3, m);
            c.below[1] = n;
            c.attrs.index = (lt_attrs_index){.dims = {true}, .wrap = true};
            check(s, &c);
        }
}

static void check_attention(suite *s)
{
    static const int lengths[][2] = {{1, 70}, {5, 5}, {9, 40}, {70, 100}};
    for (size_t d = 0; d < LT_COUNT(floats); d++)
        for (size_t k = 0; k < LT_COUNT(lengths); k++)
            for (int kind = 0; kind < 9; kind++) {
                static const int widths[] = {16, 24, 32, 24, 32, 24, 48, 16, 24};
                int l = lengths[k][0], keys = lengths[k][1], width = widths[kind];
                lt_case c = {.op = LT_OP_SDPA, .n_in = 3, .terms = 64};
                lt_attrs_sdpa *a = &c.attrs.sdpa;
                *a = (lt_attrs_sdpa){
                    .scale = 0.2, .causal = kind == 1, .empty_nan = kind == 2, .rounded = floats[d]};
                c.in[0] = type_of(floats[d], 4, 2, 4, l, width);
                c.in[1] = c.in[2] = type_of(floats[d], 4, 2, 2, keys, width);
                if (kind >= 7) a->cap = 1.5;
                if (kind == 2 || kind == 3 || kind == 6) {
                    a->has_mask = true;
                    c.in[c.n_in++] = type_of(kind == 2 ? LATHE_BOOL : floats[d], 4, 2, 1, l, keys);
                }
                if (kind >= 3) {
                    a->has_last = a->has_first = true;
                    c.below[c.n_in] = keys;
                    c.in[c.n_in++] = type_of(LATHE_I64, 2, 2, l);
                    c.below[c.n_in] = 4;
                    c.in[c.n_in++] = type_of(LATHE_I64, 2, 1, l);
                }
                if (kind == 1 || kind == 6 || kind == 8) {
                    a->has_sink = true;
                    c.in[c.n_in++] = type_of(floats[d], 1, 4);
                }
                static const unsigned rounds[] = {0, 0, 0, 0, 7, 15, 0, 31, 47};
                if (floats[d] == LATHE_BF16) a->rounds = rounds[kind];
                /* A weight on the other side of a rounding: half a unit of bfloat16 of the largest result. */
                if (a->rounds) c.terms = 0x1p14;
                check(s, &c);
                if (floats[d] == LATHE_F64) continue;
                c.in[1] = c.in[2] = type_of(LATHE_I8, 4, 2, 2, keys, width + LT_CACHE_SCALE);
                c.scaled[1] = c.scaled[2] = true;
                check(s, &c);
            }
}

static void check_rows(suite *s)
{
    static const int widths[] = {1, 7, 64, 300};
    for (size_t d = 0; d < LT_COUNT(floats); d++)
        for (size_t k = 0; k < LT_COUNT(widths); k++) {
            int n = widths[k];
            lt_case c = {.op = LT_OP_SOFTMAX, .n_in = 1, .in = {type_of(floats[d], 3, 3, n, 5)}, .terms = 64};
            c.attrs.softmax = (lt_attrs_softmax){.dim = 1, .log = k % 2, .dtype = floats[d]};
            check(s, &c);
            c = (lt_case){.op = LT_OP_RMS_NORM, .n_in = 2, .terms = 64};
            c.in[0] = type_of(floats[d], 3, 2, 3, n);
            c.in[1] = c.in[2] = type_of(floats[d], 1, n);
            c.attrs.norm = (lt_attrs_norm){.n_dims = 1, .rounds = k % 2, .eps = 1e-6};
            check(s, &c);
            c.op = LT_OP_LAYER_NORM;
            c.n_in = 1 + (uint32_t)k % 3;
            check(s, &c);
            if (floats[d] != LATHE_F64) {
                c = (lt_case){.op = LT_OP_QUANTIZE_ROWS, .n_in = 1, .in = {type_of(floats[d], 3, 2, 3, n)}};
                check(s, &c);
            }
            c = (lt_case){.op = LT_OP_ROPE, .n_in = 3, .terms = 4};
            c.in[0] = type_of(floats[d], 4, 2, 3, 4, 2 * n);
            c.in[1] = c.in[2] = type_of(floats[d], 3, 1, 4, 2 * n);
            check(s, &c);
        }
}

static void check_folds(suite *s)
{
    static const lt_op reductions[] = {LT_OP_REDUCE_SUM, LT_OP_REDUCE_MEAN, LT_OP_REDUCE_PROD,
                                       LT_OP_REDUCE_MAX, LT_OP_REDUCE_MIN,  LT_OP_REDUCE_VAR};
    static const lt_op scans[] = {LT_OP_CUMSUM, LT_OP_CUMPROD, LT_OP_LOGCUMSUMEXP, LT_OP_CUMMAX,
                                  LT_OP_CUMMIN};
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F64, LATHE_I64};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++) {
        bool is_float = lt_dtype_is_float(dtypes[d]);
        for (size_t k = 0; k < LT_COUNT(reductions); k++) {
            lt_case c = {
                .op = reductions[k], .n_in = 1, .in = {type_of(dtypes[d], 3, 4, 6, 40)}, .terms = 64};
            c.special = k == 3 || k == 4;
            c.attrs.reduce = (lt_attrs_reduce){
                .dims = {k % 2, false, true}, .keepdim = k % 3 == 0, .dtype = dtypes[d], .correction = 1};
            if (is_float || (k != 1 && k != 5)) check(s, &c);
        }
        for (int largest = 0; largest < 2; largest++) {
            lt_case c = {.op = largest ? LT_OP_ARGMAX : LT_OP_ARGMIN, .n_in = 1, .special = true};
            c.in[0] = type_of(dtypes[d], 3, 3, 70, 4);
            c.attrs.arg = (lt_attrs_arg){.dim = 1, .keepdim = largest};
            check(s, &c);
        }
        for (size_t k = 0; k < LT_COUNT(scans); k++) {
            lt_case c = {.op = scans[k], .n_in = 1, .in = {type_of(dtypes[d], 3, 3, 20, 4)}, .terms = 64};
            c.special = k >= 2;
            c.attrs.scan = (lt_attrs_scan){.dim = 1, .dtype = dtypes[d]};
            if (is_float || k != 2) check(s, &c);
        }
    }
}

static void check_indices(suite *s, lt_dtype dtype)
{
    lt_case c = {.op = LT_OP_INDEX, .n_in = 3};
    c.in[0] = type_of(dtype, 4, 5, 6, 7, 3);
    c.in[1] = type_of(LATHE_I64, 2, 4, 2);
    c.in[2] = type_of(LATHE_I64, 1, 2);
    c.below[1] = 5;
    c.below[2] = 7;
    c.attrs.index = (lt_attrs_index){.dims = {true, false, true}, .position = 1, .wrap = true};
    check(s, &c);
    c.op = LT_OP_INDEX_PUT;
    c.n_in = 4;
    c.in[3] = c.in[2];
    c.in[2] = c.in[1];
    c.below[3] = 7;
    c.below[2] = 5;
    c.below[1] = 0;
    c.in[1] = type_of(dtype, 4, 6, 4, 2, 3);
    check(s, &c);
    c.attrs.index.accumulate = true;
    if (dtype != LATHE_BOOL) check(s, &c);
    c = (lt_case){.op = LT_OP_GATHER, .n_in = 2, .below = {0, 9}};
    c.in[0] = type_of(dtype, 3, 4, 9, 5);
    c.in[1] = type_of(LATHE_I64, 3, 4, 3, 5);
    c.attrs.dim.dim = 1;
    check(s, &c);
    for (int kind = LT_REDUCE_SET; kind <= LT_REDUCE_MIN; kind++) {
        c = (lt_case){.op = LT_OP_SCATTER, .n_in = 3, .below = {0, 3}, .terms = 8};
        c.in[0] = type_of(dtype, 3, 4, 3, 5);
        c.in[1] = type_of(LATHE_I64, 3, 4, 6, 2);
        c.in[2] = type_of(dtype, 3, 4, 7, 5);
        c.attrs.scatter = (lt_attrs_scatter){.dim = 1, .reduce = (lt_reduce_kind)kind};
        if (dtype != LATHE_BOOL || kind == LT_REDUCE_SET) check(s, &c);
    }
    c = (lt_case){.op = LT_OP_MASKED_SCATTER, .n_in = 3};
    c.in[0] = type_of(dtype, 2, 6, 5);
    c.in[1] = type_of(LATHE_BOOL, 2, 6, 5);
    c.in[2] = type_of(dtype, 1, 30);
    check(s, &c);
}

static void check_moves(suite *s)
{
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_I64, LATHE_BOOL};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++) {
        check_indices(s, dtypes[d]);
        lt_case c = {.op = LT_OP_CAT, .n_in = 3, .attrs.dim.dim = 1};
        for (int k = 0; k < 3; k++) c.in[k] = type_of(dtypes[d], 3, 4, 2 * k + 1, 3);
        check(s, &c);
        c = (lt_case){.op = LT_OP_AS_STRIDED_SCATTER, .n_in = 2};
        c.in[0] = type_of(dtypes[d], 2, 9, 8);
        c.in[1] = type_of(dtypes[d], 2, 3, 5);
        c.attrs.strided = (lt_attrs_strided){.rank = 2, .dim = {3, 5}, .stride = {16, 2}, .offset = 3};
        check(s, &c);
        c = (lt_case){.op = LT_OP_IOTA};
        c.attrs.iota = (lt_attrs_iota){
            .dtype = dtypes[d], .count = 50, .start = 0.7, .step = 0.1, .int_start = -3, .int_step = 2};
        if (dtypes[d] != LATHE_BOOL) check(s, &c);
    }
}

static void check_orders(suite *s)
{
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F64, LATHE_I64};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (int k = 0; k < 4; k++) {
            lt_case c = {.op = LT_OP_SORT,
                         .n_in = 1,
                         .in = {type_of(dtypes[d], 3, 3, k == 3 ? 5 : 70, 2)},
                         .special = true};
            c.attrs.sort = (lt_attrs_sort){.dim = 1, .descending = k % 2, .stable = k >= 2};
            check(s, &c);
            c.op = LT_OP_TOPK;
            c.attrs.topk = (lt_attrs_topk){.dim = 1, .k = k == 0 ? 1 : 5, .largest = k % 2, .sorted = k != 2};
            check(s, &c);
            c = (lt_case){.op = LT_OP_SEARCHSORTED, .n_in = 2, .attrs.search.right = k % 2};
            c.in[0] = type_of(dtypes[d], 1, 1); /* a line of one element is in order */
            c.in[1] = type_of(dtypes[d], 2, 4, 9);
            check(s, &c);
        }
}

static void check_images(suite *s)
{
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F64, LATHE_I64};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (int kind = 0; kind < 8; kind++) {
            int groups = kind == 2 || kind >= 6 ? 8
                         : kind == 3            ? 2
                                                : 1,
                window = kind == 4   ? 1
                         : kind == 6 ? 5
                                     : 3;
            lt_case c = {.op = LT_OP_CONV, .n_in = kind % 2 ? 3 : 2, .terms = 128};
            c.attrs.conv = (lt_attrs_conv){.spatial = 2,
                                           .stride = {1, 1},
                                           .dilation = {1, 1},
                                           .groups = groups,
                                           .transposed = kind == 5};
            if (kind == 1 || kind == 5 || kind == 6) c.attrs.conv.stride[0] = c.attrs.conv.stride[1] = 2;
            if (kind == 7) c.attrs.conv.dilation[0] = c.attrs.conv.dilation[1] = 3;
            for (int i = 0; i < 2 && kind != 4; i++)
                c.attrs.conv.padding[i] = c.attrs.conv.padding_after[i] = 1 + i;
            c.in[0] = type_of(dtypes[d], 4, 2, 8, 9, kind >= 6 ? 35 : 11);
            c.in[1] = type_of(dtypes[d], 4, 8, 8 / groups, window, window);
            c.in[2] = type_of(dtypes[d], 1, 8);
            check(s, &c);
        }
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (int largest = 0; largest < 2; largest++) {
            lt_case c = {
                .op = largest ? LT_OP_MAX_POOL : LT_OP_AVG_POOL, .n_in = 1, .special = largest, .terms = 16};
            c.in[0] = type_of(dtypes[d], 4, 2, 3, 9, 11);
            c.attrs.pool = (lt_attrs_pool){
                .spatial = 2, .kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 0}, .dilation = {1, 1}};
            if (largest || lt_dtype_is_float(dtypes[d])) check(s, &c);
        }
}

static void check_resampling(suite *s)
{
    for (size_t d = 0; d < LT_COUNT(floats); d++)
        for (int mode = LT_RESAMPLE_NEAREST; mode <= LT_RESAMPLE_LANCZOS; mode++)
            for (int kind = 0; kind < 4; kind++) {
                bool copies = mode <= LT_RESAMPLE_NEAREST_EXACT,
                     smooth = kind >= 2 || mode == LT_RESAMPLE_LANCZOS;
                lt_case c = {.op = LT_OP_RESAMPLE, .n_in = 1, .terms = 64};
                c.in[0] = type_of(floats[d], 4, 2, 3, 9, 4);
                c.attrs.resample = (lt_attrs_resample){.mode = (lt_resample_mode)mode,
                                                       .dim = 2,
                                                       .size = kind % 2 ? 5 : 14,
                                                       .scale = kind == 1 ? 0.6 : 0,
                                                       .align_corners = kind == 2 && !copies,
                                                       .antialias = smooth && !copies,
                                                       .wide = copies && kind == 3};
                if (copies || floats[d] != LATHE_BF16) check(s, &c);
            }
    static const lt_resample_mode modes[] = {LT_RESAMPLE_NEAREST, LT_RESAMPLE_LINEAR, LT_RESAMPLE_CUBIC};
    for (size_t d = 0; d < LT_COUNT(floats); d++)
        for (int kind = 0; kind < 36; kind++) {
            lt_case c = {.op = LT_OP_GRID_SAMPLE, .n_in = 2, .terms = 64};
            c.attrs.sample =
                (lt_attrs_sample){modes[kind % 3], (lt_sample_padding)(kind / 3 % 3), kind / 9 % 2};
            bool deep = kind >= 18;
            c.in[0] = deep ? type_of(floats[d], 5, 2, 3, 4, 5, 6) : type_of(floats[d], 4, 2, 3, 5, 6);
            c.in[1] = deep ? type_of(floats[d], 5, 2, 3, 2, 4, 3) : type_of(floats[d], 4, 2, 7, 4, 2);
            if (!deep || kind % 3 != 2) check(s, &c);
        }
}

/* ---- The device ---- */

static const lathe_backend *wrapped;

static lathe_status open_parallel(uint32_t index, lathe_device **out, lathe_device_info *info,
                                  lathe_error *err)
{
    lathe_status status = wrapped->open(index, out, info, err);
    info->features &= ~(unsigned)LATHE_DEVICE_SERIAL;
    return status;
}

/* The first ones have kernels of their own for devices that run many items at a time. */
static const struct {
    const char *name;
    void (*check)(suite *);
    bool parallel;
} families[] = {
    {"products", check_products, true},
    {"packed", check_packed, true},
    {"epilogues", check_epilogues, true},
    {"attention", check_attention, true},
    {"resampling", check_resampling, false},
    {"rows", check_rows, true},
    {"folds", check_folds, true},
    {"images", check_images, true},
    {"elementwise", check_elementwise, false},
    {"moves", check_moves, false},
    {"orders", check_orders, false},
};

typedef struct arguments {
    const char *only; /* a family; NULL: all */
    bool parallel;
    uint64_t seed;
} arguments;

static arguments read_arguments(int argc, char **argv)
{
    arguments a = {.seed = 1};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--parallel") == 0) a.parallel = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) a.only = argv[++i];
        else a.seed = strtoull(argv[i], NULL, 10);
    }
    return a;
}

static lathe_status open_device(const char *name, bool parallel, lathe_backend *changed, lt_gpu **out,
                                lathe_error *err)
{
    const lathe_backend *backend;
    uint32_t index;
    LT_TRY(lt_backend_find(name, NULL, &backend, &index, err));
    *changed = *backend;
    wrapped = backend;
    if (parallel) changed->open = open_parallel;
    return lt_gpu_open(changed, index, out, err);
}

int main(int argc, char **argv)
{
    lathe_error err = {0};
    lathe_backend changed;
    if (argc < 2) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    arguments a = read_arguments(argc, argv);
    suite s = {.seed = a.seed};
    if (open_device(argv[1], a.parallel, &changed, &s.gpu, &err) != LATHE_OK) {
        printf("skipped: %s\n", err.message);
        return 77;
    }
    for (size_t i = 0; i < LT_COUNT(families); i++)
        if ((!a.parallel || families[i].parallel) && (!a.only || strcmp(a.only, families[i].name) == 0))
            families[i].check(&s);
    printf("%u passed, %u failed, %u declined on %s (first seed %llu)\n", s.passed, s.failed, s.declined,
           argv[1], (unsigned long long)a.seed);
    lt_gpu_close(s.gpu);
    return s.failed ? 1 : 0;
}
