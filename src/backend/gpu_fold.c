/* Reductions, places of extrema and running folds: see lines.k. */
#include <stdio.h>

#include "backend/gpu.h"

enum { DEFINES = 256 };

/* What lines.k calls the operators. */
static const char *name_of(lt_op op)
{
    switch (op) {
    case LT_OP_REDUCE_PROD:
    case LT_OP_CUMPROD: return "prod";
    case LT_OP_REDUCE_MAX:
    case LT_OP_ARGMAX:
    case LT_OP_CUMMAX: return "max";
    case LT_OP_REDUCE_MIN:
    case LT_OP_ARGMIN:
    case LT_OP_CUMMIN: return "min";
    case LT_OP_REDUCE_MEAN: return "mean";
    case LT_OP_REDUCE_VAR: return "var";
    case LT_OP_LOGCUMSUMEXP: return "logsumexp";
    default: return "sum";
    }
}

/* Floats are folded in double where the device has it. */
static const char *fold_class(const lt_gpu *gpu, bool floats)
{
    return !floats ? "i64" : lt_gpu_has(gpu, LATHE_F64) ? "f64" : "f32";
}

static void define(char defines[DEFINES], const lt_step *step, const char *class)
{
    snprintf(
        defines, DEFINES,
        "#define LT_X %s\n#define LT_Y %s\n#define LT_AS %s\n#define LT_AS_%s 1\n#define LT_WHAT_%s 1\n%s",
        lt_gpu_dtype(step->args[0].tensor.dtype), lt_gpu_dtype(step->args[step->n_in].tensor.dtype), class,
        class, name_of(step->op), step->n_out > 1 ? "#define LT_PLACES 1\n" : "");
}

/* A result for each line. */
static bool emit_fold(lt_gpu_lowering *lo, const lt_step *step, const bool *marked, const char *entry,
                      const char *class, double number)
{
    lt_gpu_lines lines;
    char defines[DEFINES];
    int rank = step->args[0].tensor.rank;
    lt_gpu_lines_of(&lines, &step->args[0].tensor, marked);
    if (lines.p.lines == 0) return true;
    for (int k = 0; k < 2; k++)
        if (!lt_gpu_lines_add(lo, &lines, k, &step->args[k], marked, rank)) return false;
    for (int d = 0; d < LT_DIMS; d++) lines.p.within[1].stride[d] = 0;
    lt_gpu_number(number, lines.p.number);
    /* Of the result there are no elements in a line, so they say nothing about what may be joined. */
    lt_gpu_lines_finish(lo->gpu, &lines, 2, false, true);
    lines.inner = lt_gpu_join(lines.p.inner, lines.inner, lines.p.within, 1);
    define(defines, step, class);
    const lathe_kernel *kernel = lt_gpu_lines_kernel(lo, &lines, "lines.k", entry, defines);
    lt_gpu_launch *launch = lt_gpu_lines_emit(lo, &lines, kernel);
    for (int k = 0; k < 2; k++) lt_gpu_arg(launch, &step->args[k]);
    return launch || lo->status != LATHE_OK;
}

static bool lower_reduce(lt_gpu_lowering *lo, const lt_step *step)
{
    bool floats =
        lt_dtype_is_float(step->args[0].tensor.dtype) || lt_dtype_is_float(step->args[1].tensor.dtype);
    bool variance = step->op == LT_OP_REDUCE_VAR;
    return emit_fold(lo, step, step->attrs.reduce.dims, "line_fold", fold_class(lo->gpu, floats),
                     variance ? step->attrs.reduce.correction : 0);
}

static bool lower_find(lt_gpu_lowering *lo, const lt_step *step)
{
    bool marked[LT_MAX_RANK] = {false};
    marked[step->attrs.arg.dim] = true;
    return emit_fold(lo, step, marked, "line_find", lt_gpu_class(step->args[0].tensor.dtype), 0);
}

static bool lower_scan(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_gpu_lines lines;
    char defines[DEFINES];
    bool marked[LT_MAX_RANK] = {false};
    marked[step->attrs.scan.dim] = true;
    lt_gpu_lines_of(&lines, &step->args[0].tensor, marked);
    if (lines.p.lines == 0 || lines.p.count == 0) return true;
    for (uint32_t k = 0; k < 1 + step->n_out; k++)
        if (!lt_gpu_lines_add(lo, &lines, (int)k, &step->args[k], marked, step->args[0].tensor.rank))
            return false;
    lt_gpu_lines_finish(lo->gpu, &lines, 1 + (int)step->n_out, false, false);
    define(defines, step, fold_class(lo->gpu, lt_dtype_is_float(step->args[0].tensor.dtype)));
    const lathe_kernel *kernel = lt_gpu_lines_kernel(lo, &lines, "lines.k", "line_scan", defines);
    lt_gpu_launch *launch = lt_gpu_lines_emit(lo, &lines, kernel);
    lt_gpu_arg(launch, &step->args[0]);
    lt_gpu_arg(launch, &step->args[1]);
    lt_gpu_arg(launch, &step->args[step->n_out]); /* the places, where there are some */
    return launch || lo->status != LATHE_OK;
}

const lt_gpu_row lt_gpu_fold_rows[] = {
    {LT_OP_REDUCE_SUM, lower_reduce},  {LT_OP_REDUCE_MEAN, lower_reduce},
    {LT_OP_REDUCE_PROD, lower_reduce}, {LT_OP_REDUCE_MAX, lower_reduce},
    {LT_OP_REDUCE_MIN, lower_reduce},  {LT_OP_REDUCE_VAR, lower_reduce},
    {LT_OP_ARGMAX, lower_find},        {LT_OP_ARGMIN, lower_find},
    {LT_OP_CUMSUM, lower_scan},        {LT_OP_CUMPROD, lower_scan},
    {LT_OP_LOGCUMSUMEXP, lower_scan},  {LT_OP_CUMMAX, lower_scan},
    {LT_OP_CUMMIN, lower_scan},        {0, NULL},
};
