/* Softmax, norms and rotary embedding: see row.k. */
#include <stdio.h>

#include "backend/gpu.h"

enum { DEFINES = 320 };

static bool lower_softmax(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_lines lines;
    char defines[DEFINES];
    bool marked[LT_MAX_RANK] = {false};
    lt_dtype out = step->args[1].tensor.dtype;
    marked[step->attrs.softmax.dim] = true;
    lt_gpu_lines_of(&lines, &step->args[0].tensor, marked);
    if (lines.p.lines == 0 || lines.p.count == 0) return true;
    for (int k = 0; k < 2; k++)
        if (!lt_gpu_lines_add(lo, &lines, k, &step->args[k], marked, step->args[0].tensor.rank)) return false;
    lt_gpu_lines_finish(lo->gpu, &lines, 2, false, true);
    snprintf(defines, sizeof defines, "#define LT_X %s\n#define LT_Y %s\n#define LT_AS %s\n%s",
             lt_gpu_dtype(step->args[0].tensor.dtype), lt_gpu_dtype(out), lt_gpu_class(out),
             step->attrs.softmax.log ? "#define LT_LOG 1\n" : "");
    const lathe_kernel *kernel = lt_gpu_lines_kernel(lo, &lines, "row.k", "row_softmax", defines);
    lt_gpu_launch *launch = lt_gpu_lines_emit(lo, &lines, kernel);
    for (int k = 0; k < 2; k++) lt_gpu_arg(launch, &step->args[k]);
    return launch || lo->status != LATHE_OK;
}

/* ---- Norms ---- */

/* Lines of x, and the views of weight, bias and statistics. */
static bool norm_lines(lt_gpu_lowering *lo, const lt_step *step, lt_gpu_lines *lines)
{
    bool marked[LT_MAX_RANK] = {false};
    const lt_operand *out = &step->args[step->n_in];
    int rank = step->args[0].tensor.rank;
    for (int d = rank - step->attrs.norm.n_dims; d < rank; d++) marked[d] = true;
    lt_gpu_lines_of(lines, &step->args[0].tensor, marked);
    bool fits = lt_gpu_lines_add(lo, lines, 0, &step->args[0], marked, rank) &&
                lt_gpu_lines_add(lo, lines, 1, &out[0], marked, rank) &&
                lt_gpu_lines_add(lo, lines, 2, &out[1], marked, rank) &&
                lt_gpu_lines_add(lo, lines, 3, &out[step->n_out - 1], marked, rank);
    lines->p.within[2] = lines->p.within[3] = (lt_view){0};
    for (uint32_t k = 1; k < step->n_in && fits; k++)
        fits = lt_gpu_own_view(lo, &step->args[k], &lines->p.within[k + 1]);
    return fits;
}

static bool lower_norm(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_lines lines;
    char defines[DEFINES];
    const lt_operand *x = &step->args[0], *out = &step->args[step->n_in];
    const lt_operand *weight = &step->args[step->n_in > 1 ? 1 : 0],
                     *bias = &step->args[step->n_in > 2 ? 2 : 0];
    if (!norm_lines(lo, step, &lines)) return false;
    if (lines.p.lines == 0) return true;
    lt_gpu_number(step->attrs.norm.eps, lines.p.number);
    lt_gpu_lines_finish(lo->gpu, &lines, LT_LINE_VIEWS, true, true);
    snprintf(defines, sizeof defines,
             "#define LT_X %s\n#define LT_W %s\n#define LT_B %s\n#define LT_AS %s\n%s%s%s%s",
             lt_gpu_dtype(x->tensor.dtype), lt_gpu_dtype(weight->tensor.dtype),
             lt_gpu_dtype(bias->tensor.dtype), lt_gpu_class(x->tensor.dtype),
             step->op == LT_OP_LAYER_NORM ? "#define LT_MEAN 1\n" : "",
             step->attrs.norm.rounds ? "#define LT_ROUNDS 1\n" : "",
             step->n_in > 1 ? "#define LT_HAS_W 1\n" : "", step->n_in > 2 ? "#define LT_HAS_B 1\n" : "");
    const lathe_kernel *kernel = lt_gpu_lines_kernel(lo, &lines, "row.k", "row_norm", defines);
    lt_gpu_launch *launch = lt_gpu_lines_emit(lo, &lines, kernel);
    const lt_operand *args[] = {x, weight, bias, &out[0], &out[1], &out[step->n_out - 1]};
    for (size_t k = 0; k < LT_COUNT(args); k++) lt_gpu_arg(launch, args[k]);
    return launch || lo->status != LATHE_OK;
}

/* ---- Rows of caches in 8 bits ---- */

static bool lower_quantize(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_lines lines;
    char defines[DEFINES];
    bool marked[LT_MAX_RANK] = {false};
    int rank = step->args[0].tensor.rank;
    marked[rank - 1] = true;
    lt_gpu_lines_of(&lines, &step->args[0].tensor, marked);
    for (int k = 0; k < 2; k++)
        if (!lt_gpu_lines_add(lo, &lines, k, &step->args[k], marked, rank)) return false;
    if (lines.p.within[1].stride[0] != 1) return lt_gpu_decline(lo, "rows of int8 that do not lie together");
    if (lines.p.lines == 0) return true;
    lt_gpu_lines_finish(lo->gpu, &lines, 2, false, true);
    snprintf(defines, sizeof defines, "#define LT_X %s\n#define LT_AS f32\n",
             lt_gpu_dtype(step->args[0].tensor.dtype));
    const lathe_kernel *kernel = lt_gpu_lines_kernel(lo, &lines, "row.k", "row_quantize", defines);
    lt_gpu_launch *launch = lt_gpu_lines_emit(lo, &lines, kernel);
    for (int k = 0; k < 2; k++) lt_gpu_arg(launch, &step->args[k]);
    return launch || lo->status != LATHE_OK;
}

/* ---- Rotary embedding ---- */

static bool lower_rope(lt_gpu_lowering *lo, const lt_step *step)
{
    const lt_tensor *x = &step->args[0].tensor;
    lt_rope_params p = {.count = (int)(lathe_tensor_count(x) / 2)};
    char defines[DEFINES];
    int last = x->rank - 1, pairs = (int)x->dim[last] / 2;
    uint32_t items = lt_gpu_group(lo->gpu);
    if (p.count == 0) return true;
    for (int k = 0; k < 4; k++) {
        if (!lt_gpu_view(&step->args[k], x->rank, x->dim, &p.view[k]))
            return lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
        p.apart[k] = pairs * p.view[k].stride[last];
    }
    lt_gpu_dims(x, p.dim);
    p.dim[last] = pairs;
    int rank = lt_gpu_join(p.dim, x->rank, p.view, 4);
    snprintf(
        defines, sizeof defines,
        "#define LT_ITEMS %u\n#define LT_RANK %d\n#define LT_X %s\n#define LT_COS %s\n#define LT_SIN %s\n"
        "#define LT_AS %s\n",
        items, rank, lt_gpu_dtype(x->dtype), lt_gpu_dtype(step->args[1].tensor.dtype),
        lt_gpu_dtype(step->args[2].tensor.dtype), lt_gpu_class(x->dtype));
    const lathe_kernel *kernel = lt_gpu_kernel(lo, "row.k", NULL, "row_rope", defines);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &p, sizeof p);
    for (int k = 0; k < 4; k++) lt_gpu_arg(launch, &step->args[k]);
    return lt_gpu_grid(launch, p.count, items);
}

const lt_gpu_row lt_gpu_row_rows[] = {
    {LT_OP_SOFTMAX, lower_softmax},        {LT_OP_LAYER_NORM, lower_norm}, {LT_OP_RMS_NORM, lower_norm},
    {LT_OP_QUANTIZE_ROWS, lower_quantize}, {LT_OP_ROPE, lower_rope},       {0, NULL},
};
