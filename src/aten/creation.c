/* Tensors made from sizes and numbers. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"

static lt_dtype number_dtype(const lt_builder *b, lt_id scalar)
{
    lt_dtype dtype = lt_build_dtype(b, scalar);
    return lt_dtype_is_float(dtype) ? LATHE_F32 : dtype;
}

static bool has_param(lt_call *c, const char *name) { return lt_schema_find(c->schema, name) != LT_NONE; }

/* ---- One value ---- */

/* What the operator's name says the elements are; `empty` promises nothing, so zeros do. */
static lt_id fill_value(lt_call *c)
{
    if (has_param(c, "fill_value")) return lt_call_scalar(c, "fill_value");
    return lt_build_integer(c->b, strstr(c->schema->name, "ones") != NULL);
}

/* full, zeros, ones, empty: of a size, of type float32 unless said. */
static void of_size(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_id value = fill_value(c);
    lt_dtype fallback = has_param(c, "fill_value") ? number_dtype(c->b, value) : LATHE_F32;
    lt_call_return(c, lt_build_full(c->b, value, lt_call_dtype(c, "dtype", fallback), rank, size));
}

/* new_full …: of a size, of the type of `self` unless said. */
static void of_new_size(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_dtype dtype = lt_call_dtype(c, "dtype", lt_build_dtype(c->b, lt_call_tensor(c, "self")));
    lt_call_return(c, lt_build_full(c->b, fill_value(c), dtype, rank, size));
}

/* full_like …: of the size and, unless said, the type of `self`. */
static void like_self(lt_call *c)
{
    lt_type type = *lt_build_type(c->b, lt_call_tensor(c, "self"));
    type.dtype = lt_call_dtype(c, "dtype", type.dtype);
    lt_call_return(c, lt_build_full(c->b, fill_value(c), type.dtype, type.rank, type.dim));
}

static void scalar_tensor(lt_call *c)
{
    lt_call_return(
        c, lt_build_full(c->b, lt_call_scalar(c, "s"), lt_call_dtype(c, "dtype", LATHE_F32), 0, NULL));
}

/* ---- Progressions ---- */

/* Floats start + i * step; refuses counts that are no size. */
static lt_id progression(lt_builder *b, double count, double start, double step, lt_dtype dtype)
{
    if (!(count >= 0 && count <= 0x1p53))
        return lt_build_fail(b, LATHE_TYPE, "a range of %g elements", count);
    lt_attrs attrs = {.iota = {.dtype = dtype, .count = (int64_t)count, .start = start, .step = step}};
    return lt_build(b, LT_OP_IOTA, &attrs, NULL, 0);
}

/* How many multiples of step lie in [0, end - start). */
static int64_t integer_count(lt_builder *b, int64_t start, int64_t end, int64_t step)
{
    int64_t span;
    if (step == 0 || step == INT64_MIN || !lt_sub_i64(end, start, &span)) {
        lt_build_fail(b, LATHE_TYPE, "a range from %lld to %lld by %lld", (long long)start, (long long)end,
                      (long long)step);
        return 0;
    }
    if (span == 0 || (span < 0) != (step < 0)) return 0;
    return span / step + (span % step != 0);
}

static bool is_float_arg(lt_call *c, const char *name)
{
    return has_param(c, name) && lt_dtype_is_float(lt_build_dtype(c->b, lt_call_scalar(c, name)));
}

static double float_or(lt_call *c, const char *name, double fallback)
{
    return has_param(c, name) ? lt_call_float(c, name) : fallback;
}

static int64_t int_or(lt_call *c, const char *name, int64_t fallback)
{
    return has_param(c, name) ? lt_call_int(c, name) : fallback;
}

/* Integers give int64, a float among the arguments float32. */
static void arange(lt_call *c)
{
    bool floats = is_float_arg(c, "start") || is_float_arg(c, "end") || is_float_arg(c, "step");
    lt_dtype dtype = lt_call_dtype(c, "dtype", floats ? LATHE_F32 : LATHE_I64);
    double start = float_or(c, "start", 0), step = float_or(c, "step", 1);
    double count = ceil((lt_call_float(c, "end") - start) / step);
    if (lt_dtype_is_float(dtype)) {
        lt_call_return(c, progression(c->b, count, start, step, dtype));
        return;
    }
    int64_t first = int_or(c, "start", 0), by = int_or(c, "step", 1);
    if (!floats) count = (double)integer_count(c->b, first, lt_call_int(c, "end"), by);
    if (!(count >= 0 && count <= 0x1p53)) {
        lt_build_fail(c->b, LATHE_TYPE, "a range of %g elements", count);
        return;
    }
    lt_call_return(c, lt_build_cast(c->b, lt_build_arange(c->b, (int64_t)count, first, by), dtype));
}

/* `steps` values from start to end, which are of `dtype`, counted from the nearer end so that both are exact;
 * computed in `wide`. */
static lt_id spaced(lt_call *c, lt_dtype dtype, lt_dtype wide)
{
    lt_builder *b = c->b;
    int64_t steps = lt_call_int(c, "steps");
    if (steps < 0) return lt_build_fail(b, LATHE_TYPE, "%lld steps", (long long)steps);
    lt_id start = lt_build_cast(b, lt_build_cast(b, lt_call_tensor(c, "start"), dtype), wide);
    lt_id end = lt_build_cast(b, lt_build_cast(b, lt_call_tensor(c, "end"), dtype), wide);
    lt_id intervals = lt_build_number(b, (double)(steps > 1 ? steps - 1 : 1));
    lt_id step = lt_build_div(b, lt_build_sub(b, end, start), intervals);
    lt_id index = lt_build_arange(b, steps, 0, 1), back = lt_build_arange(b, steps, 1 - steps, 1);
    lt_id low = lt_build_formula(b, LT_OP_FMA, wide, wide, (lt_id[]){start, index, step}, 3);
    lt_id high = lt_build_formula(b, LT_OP_FMA, wide, wide, (lt_id[]){end, back, step}, 3);
    lt_id half = lt_build_integer(b, steps > 1 ? steps / 2 : 1);
    return lt_build_where(b, lt_build_binary(b, LT_OP_LT, index, half), low, high);
}

static void linspace(lt_call *c)
{
    lt_dtype dtype = lt_call_dtype(c, "dtype", LATHE_F32);
    bool single = lt_dtype_is_float(dtype) && dtype != LATHE_F64;
    lt_call_return(c, lt_build_cast(c->b, spaced(c, dtype, single ? LATHE_F32 : LATHE_F64), dtype));
}

static void logspace(lt_call *c)
{
    lt_dtype dtype = lt_call_dtype(c, "dtype", LATHE_F32);
    lt_id in[2] = {lt_build_number(c->b, lt_call_float(c, "base")), spaced(c, dtype, LATHE_F64)};
    lt_id power = lt_build_formula(c->b, LT_OP_POW, LATHE_F64, LATHE_F64, in, 2);
    lt_call_return(c, lt_build_cast(c->b, power, dtype));
}

/* ---- Matrices ---- */

static void eye(lt_call *c)
{
    int64_t n = lt_call_int(c, "n"), m = int_or(c, "m", n);
    lt_id in[2] = {lt_build_unsqueeze(c->b, lt_build_arange(c->b, n, 0, 1), 1),
                   lt_build_arange(c->b, m, 0, 1)};
    lt_dtype dtype = lt_call_dtype(c, "dtype", LATHE_F32);
    lt_call_return(c, lt_build_formula(c->b, LT_OP_EQ, LATHE_I64, dtype, in, 2));
}

enum { MAX_INDICES = 1 << 20 }; /* they are a constant, so a small file must not ask for a lot */

/* Row and column of every element of a triangle, row by row: int64 [2, count]. */
static void triangle_indices(lt_call *c)
{
    int64_t rows = lt_call_int(c, "row"), columns = lt_call_int(c, "col"), offset = lt_call_int(c, "offset"),
            cells;
    bool lower = strncmp(c->schema->name, "tril", 4) == 0;
    if (rows < 0 || columns < 0 || !lt_mul_i64(lt_max_i64(rows, 1), lt_max_i64(columns, 1), &cells) ||
        cells > MAX_INDICES || offset > MAX_INDICES || offset < -MAX_INDICES) {
        lt_build_fail(c->b, LATHE_LIMIT,
                      "indices of a triangle of %lld by %lld, at most %d elements are supported",
                      (long long)rows, (long long)columns, MAX_INDICES);
        return;
    }
    int64_t *indices = lt_arena_alloc(c->b->graph->arena, (size_t)(2 * cells), sizeof *indices), count = 0;
    if (!indices) {
        lt_build_fail(c->b, LATHE_NO_MEMORY, "out of memory");
        return;
    }
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                if (lower ? j - i <= offset : j - i >= offset) indices[count++] = pass == 0 ? i : j;
    lt_type type = {.dtype = LATHE_I64, .rank = 2, .dim = {2, count / 2}};
    lt_id result = lt_build_const(c->b, &type, indices);
    lt_call_return(c, lt_build_cast(c->b, result, lt_call_dtype(c, "dtype", LATHE_I64)));
}

/* ---- Windows ---- */

/* Sums of cosines: a + b cos(t) + d cos(2t) with t once around the window. */
static void cosine_window(lt_call *c, double a, double b, double d)
{
    lt_builder *w = c->b;
    int64_t length = lt_call_int(c, "window_length");
    bool periodic = !has_param(c, "periodic") || lt_call_bool(c, "periodic");
    lt_dtype dtype = lt_call_dtype(c, "dtype", LATHE_F32);
    double around = (double)length - (periodic ? 0 : 1);
    lt_id t = progression(w, (double)length, 0, 2 * M_PI / fmax(around, 1), LATHE_F64);
    lt_id value = lt_build_mul(w, lt_build_unary(w, LT_OP_COS, t), lt_build_number(w, b));
    value = lt_build_add(w, value, lt_build_number(w, a));
    if (d > 0) {
        lt_id twice = lt_build_unary(w, LT_OP_COS, lt_build_add(w, t, t));
        value = lt_build_add(w, value, lt_build_mul(w, twice, lt_build_number(w, d)));
    }
    if (length == 1) value = lt_build_full(w, lt_build_number(w, 1), LATHE_F64, 1, &length);
    lt_call_return(c, lt_build_cast(w, value, dtype));
}

static void hann_window(lt_call *c) { cosine_window(c, 0.5, -0.5, 0); }
static void blackman_window(lt_call *c) { cosine_window(c, 0.42, -0.5, 0.08); }
static void hamming_window(lt_call *c)
{
    cosine_window(c, float_or(c, "alpha", 0.54), -float_or(c, "beta", 0.46), 0);
}

#define OPTIONS "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
#define END ", *, " OPTIONS ") -> Tensor"
#define END_LIKE ", *, " OPTIONS ", MemoryFormat? memory_format=None) -> Tensor"
#define END_INDICES                                                                                     \
    ", *, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> " \
    "Tensor"

const lt_aten_row lt_aten_creation[] = {
    {"full(SymInt[] size, Scalar fill_value" END, of_size, 0},
    {"zeros(SymInt[] size" END, of_size, 0},
    {"ones(SymInt[] size" END, of_size, 0},
    {"empty.memory_format(SymInt[] size" END_LIKE, of_size, 0},
    {"empty_permuted(SymInt[] size, int[] physical_layout" END, of_size, 0},
    {"empty_strided(SymInt[] size, SymInt[] stride" END, of_size, 0},
    {"_efficientzerotensor(SymInt[] size" END, of_size, 0},
    {"new_full(Tensor self, SymInt[] size, Scalar fill_value" END, of_new_size, 0},
    {"new_zeros(Tensor self, SymInt[] size" END, of_new_size, 0},
    {"new_ones(Tensor self, SymInt[] size" END, of_new_size, 0},
    {"new_empty(Tensor self, SymInt[] size" END, of_new_size, 0},
    {"new_empty_strided(Tensor self, SymInt[] size, SymInt[] stride" END, of_new_size, 0},
    {"full_like(Tensor self, Scalar fill_value" END_LIKE, like_self, 0},
    {"zeros_like(Tensor self" END_LIKE, like_self, 0},
    {"ones_like(Tensor self" END_LIKE, like_self, 0},
    {"empty_like(Tensor self" END_LIKE, like_self, 0},
    {"scalar_tensor(Scalar s" END, scalar_tensor, 0},
    {"prims.scalar_tensor(Scalar s, *, ScalarType? dtype=None, Device? device=None) -> Tensor", scalar_tensor,
     0},

    {"arange(Scalar end" END, arange, 0},
    {"arange.start(Scalar start, Scalar end" END, arange, 0},
    {"arange.start_step(Scalar start, Scalar end, Scalar step=1" END, arange, 0},
    {"linspace(Scalar start, Scalar end, int steps" END, linspace, 0},
    {"linspace.Tensor_Tensor(Tensor start, Tensor end, int steps" END, linspace, 0},
    {"linspace.Tensor_Scalar(Tensor start, Scalar end, int steps" END, linspace, 0},
    {"linspace.Scalar_Tensor(Scalar start, Tensor end, int steps" END, linspace, 0},
    {"logspace(Scalar start, Scalar end, int steps, float base=10.0" END, logspace, 0},
    {"logspace.Tensor_Tensor(Tensor start, Tensor end, int steps, float base=10.0" END, logspace, 0},
    {"logspace.Tensor_Scalar(Tensor start, Scalar end, int steps, float base=10.0" END, logspace, 0},
    {"logspace.Scalar_Tensor(Scalar start, Tensor end, int steps, float base=10.0" END, logspace, 0},

    {"eye(SymInt n" END, eye, 0},
    {"eye.m(SymInt n, SymInt m" END, eye, 0},
    {"tril_indices(int row, int col, int offset=0" END_INDICES, triangle_indices, 0},
    {"triu_indices(int row, int col, int offset=0" END_INDICES, triangle_indices, 0},

    {"hann_window(int window_length" END, hann_window, 0},
    {"hann_window.periodic(int window_length, bool periodic" END, hann_window, 0},
    {"hamming_window(int window_length" END, hamming_window, 0},
    {"hamming_window.periodic(int window_length, bool periodic" END, hamming_window, 0},
    {"hamming_window.periodic_alpha(int window_length, bool periodic, float alpha" END, hamming_window, 0},
    {"hamming_window.periodic_alpha_beta(int window_length, bool periodic, float alpha, float beta" END,
     hamming_window, 0},
    {"blackman_window(int window_length" END, blackman_window, 0},
    {"blackman_window.periodic(int window_length, bool periodic" END, blackman_window, 0},
    {NULL, NULL, 0}};
