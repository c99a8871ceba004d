/* Elementwise steps: single formulas, casts and chains, tile by tile. The tiles of all operands and results
 * lie in the first-level cache together; operands are converted as they are loaded, and each result is
 * rounded to its dtype before the next formula reads it. */
#include <string.h>

#include "backend/bind.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/iter.h"

enum {
    TILE = 512,
    VALUES = LT_CHAIN_INPUTS + LT_CHAIN_STEPS,
    SPARE = LT_CHAIN_ARGS + 1 /* tiles for operands in another class, and for rounding */
};

typedef union lt_tile {
    float f32[TILE];
    double f64[TILE];
    int64_t i64[TILE];
} lt_tile;

static const size_t class_size[] = {
    [LT_CLASS_F32] = sizeof(float), [LT_CLASS_F64] = sizeof(double), [LT_CLASS_I64] = sizeof(int64_t)};
static const lt_dtype class_dtype[] = {
    [LT_CLASS_F32] = LATHE_F32, [LT_CLASS_F64] = LATHE_F64, [LT_CLASS_I64] = LATHE_I64};

/* Values are numbered as chains number them: inputs, then results of steps. */
typedef struct lt_elementwise {
    const lt_cpu_kernels *kernels;
    const lt_op_call *call;
    const lt_attrs_chain *chain;
    lt_attrs_chain single;  /* the chain of a step that is one formula */
    lt_class class[VALUES]; /* that the value's elements are held in */
    uint8_t tile[VALUES];   /* where they are held */
    lt_iter it;             /* output, inputs */
    int64_t rows, chunk;    /* a tile is `chunk` elements of a row … */
    int64_t parts, several; /* … one of `parts`; or, when parts is 0, `several` rows */
} lt_elementwise;

/* ---- Conversions ---- */

static void load_row(const lt_cpu_kernels *kernels, lt_dtype dtype, const char *from, int64_t step, int64_t n,
                     lt_class class, void *to)
{
    lt_gemm_type type;
    switch (class) {
    case LT_CLASS_F32:
        if (step == sizeof(uint16_t) && lt_dtype_is_half(dtype) && lt_float_type(dtype, &type))
            kernels->widen[type](from, to, n);
        else lt_load_f32(dtype, from, step, n, to);
        break;
    case LT_CLASS_F64: lt_load_f64(dtype, from, step, n, to); break;
    case LT_CLASS_I64: lt_load_i64(dtype, from, step, n, to); break;
    }
}

static void store_row(const lt_cpu_kernels *kernels, lt_class class, const void *from, int64_t n,
                      lt_dtype dtype, void *to)
{
    int64_t size = (int64_t)lathe_dtype_size(dtype);
    lt_gemm_type type;
    switch (class) {
    case LT_CLASS_F32:
        if (lt_float_type(dtype, &type)) kernels->narrow[type](from, to, n);
        else lt_store_f32(dtype, to, size, n, from);
        break;
    case LT_CLASS_F64: lt_store_f64(dtype, to, size, n, from); break;
    case LT_CLASS_I64: lt_store_i64(dtype, to, size, n, from); break;
    }
}

/* n copies of one element, loaded once. */
static void repeat_row(lt_dtype dtype, const char *from, int64_t n, lt_class class, void *to)
{
    load_row(NULL, dtype, from, 0, 1, class, to);
    if (class == LT_CLASS_F32) {
        float *f32 = to;
        for (int64_t i = 1; i < n; i++) f32[i] = f32[0];
    } else { /* 8 bytes, whatever they hold */
        for (int64_t i = 1; i < n; i++) memcpy((char *)to + i * 8, to, 8);
    }
}

/* ---- One tile ---- */

/* Rows of float32 that the kernels have; 0: none, else one more than the lt_row_op. */
static const uint8_t row_kernel[LT_OP_COUNT] = {
#define LT_ROW(ID, operands, vector, scalar) [LT_OP_##ID] = LT_ROW_##ID + 1,
#include "kernels/cpu/rows.def"
};

static void compute(const lt_elementwise *e, lt_op op, lt_class class, const void *const *in, int64_t n,
                    void *out)
{
    switch (class) {
    case LT_CLASS_F32:
        if (row_kernel[op]) e->kernels->row[row_kernel[op] - 1](in[0], in[1], out, n);
        else lt_formula_f32(op, in[0], in[1], in[2], n, out);
        break;
    case LT_CLASS_F64: lt_formula_f64(op, in[0], in[1], in[2], n, out); break;
    case LT_CLASS_I64: lt_formula_i64(op, in[0], in[1], in[2], n, out); break;
    }
}

/* Whether the class holds exactly the values of the dtype, so that a result needs no rounding. */
static bool is_exact(const lt_chain_step *step, lt_class class)
{
    lt_dtype out = (lt_dtype)step->out;
    if (out == LATHE_BOOL) return step->op != LT_OP_CAST && lt_op_get(step->op)->formula == LT_FORMULA_TEST;
    return out == class_dtype[class];
}

/* Computes a tile of n elements; at[v] is where the value's elements are. */
static void run_tile(const lt_elementwise *e, const void **at, lt_tile *tiles, int64_t n, char *result)
{
    lt_tile *spare = tiles + VALUES, *rounded = &spare[LT_CHAIN_ARGS];
    for (int s = 0; s < e->chain->n; s++) {
        const lt_chain_step *step = &e->chain->step[s];
        lt_class class = lt_class_of((lt_dtype)step->compute);
        int value = LT_CHAIN_INPUTS + s, operands = lt_chain_operands(step);
        bool last = s == e->chain->n - 1, direct = last && step->out == class_dtype[class];
        const void *in[LT_CHAIN_ARGS];
        void *out = direct ? (void *)result : &tiles[e->tile[value]];
        for (int k = 0; k < LT_CHAIN_ARGS; k++) {
            int arg = step->arg[k < operands ? k : 0];
            in[k] = at[arg];
            if (e->class[arg] == class) continue;
            load_row(e->kernels, class_dtype[e->class[arg]], at[arg], (int64_t)class_size[e->class[arg]], n,
                     class, &spare[k]);
            in[k] = &spare[k];
        }
        at[value] = out;
        if (step->op != LT_OP_CAST) compute(e, step->op, class, in, n, out);
        else if (direct || in[0] == &spare[0]) memcpy(out, in[0], (size_t)n * class_size[class]);
        else at[value] = in[0];
        if (last && !direct) store_row(e->kernels, class, at[value], n, (lt_dtype)step->out, result);
        if (last || is_exact(step, class)) continue;
        store_row(e->kernels, class, at[value], n, (lt_dtype)step->out, rounded);
        load_row(e->kernels, (lt_dtype)step->out, (const char *)rounded,
                 (int64_t)lathe_dtype_size((lt_dtype)step->out), n, e->class[value], out);
        at[value] = out;
    }
}

/* ---- Runs of tiles ---- */

/* Whether an input's elements can be read where they are. */
static bool is_direct(const lt_elementwise *e, int input)
{
    lt_dtype dtype = e->call->in[input].dtype;
    return e->parts && dtype == class_dtype[e->class[input]] &&
           e->it.row_step[input + 1] == (int64_t)lathe_dtype_size(dtype);
}

/* The same element for the whole step. */
static bool is_constant(const lt_elementwise *e, int input)
{
    if (e->it.row_step[input + 1]) return false;
    for (int d = 0; d < e->it.rank; d++)
        if (e->it.step[input + 1][d]) return false;
    return true;
}

/* n elements of the current row of every input, from element `at` on, into their tiles. */
static void load_part(const lt_elementwise *e, const lt_iter *it, int64_t at, int64_t n, lt_tile *tiles,
                      const void **values)
{
    for (int k = 0; k < e->call->n_in; k++) {
        lt_dtype dtype = e->call->in[k].dtype;
        int64_t step = it->row_step[k + 1];
        const char *from = it->at[k + 1] + at * step;
        if (is_direct(e, k)) values[k] = from;
        else if (step) load_row(e->kernels, dtype, from, step, n, e->class[k], &tiles[e->tile[k]]);
        else if (!is_constant(e, k)) repeat_row(dtype, from, n, e->class[k], &tiles[e->tile[k]]);
    }
}

/* `rows` rows of an input that lie evenly apart, as few calls as that takes. */
static void load_even(const lt_elementwise *e, const lt_iter *it, int k, int64_t rows, char *to)
{
    lt_dtype dtype = e->call->in[k].dtype;
    lt_class class = e->class[k];
    const char *from = it->at[k + 1];
    int64_t row = it->row, step = it->row_step[k + 1], apart = it->step[k + 1][it->rank - 1],
            size = row * (int64_t)class_size[class];
    if (step && apart == row * step) {
        load_row(e->kernels, dtype, from, step, rows * row, class, to);
        return;
    }
    for (int64_t r = 0; r < rows; r++, from += apart, to += size) {
        if (r > 0 && !apart) memcpy(to, to - size, (size_t)size);
        else if (step) load_row(e->kernels, dtype, from, step, row, class, to);
        else repeat_row(dtype, from, row, class, to);
    }
}

/* The next `rows` rows of every input into their tiles. */
static void load_rows(const lt_elementwise *e, lt_iter *it, int64_t rows, lt_tile *tiles)
{
    int inner = it->rank - 1;
    for (int64_t done = 0; done < rows;) {
        int64_t n = lt_min_i64(rows - done, it->dim[inner] - it->index[inner]);
        for (int k = 0; k < e->call->n_in; k++)
            if (!is_constant(e, k))
                load_even(e, it, k, n,
                          (char *)&tiles[e->tile[k]] + (size_t)(done * it->row) * class_size[e->class[k]]);
        it->index[inner] += n - 1; /* on to the last of them, and to what follows it */
        for (int k = 0; k < it->n; k++) it->at[k] += (n - 1) * it->step[k][inner];
        lt_iter_next(it);
        done += n;
    }
}

static void tiles_work(void *context, int64_t begin, int64_t end)
{
    const lt_elementwise *e = context;
    lt_tile tiles[VALUES + SPARE];
    const void *at[VALUES];
    lt_iter it = e->it;
    int64_t size = (int64_t)lathe_dtype_size(e->call->out->dtype);
    char *result = e->call->out->data;
    int64_t row = e->parts ? begin / e->parts : begin * e->several;
    lt_iter_seek(&it, row);
    for (int k = 0; k < e->call->n_in; k++) {
        at[k] = &tiles[e->tile[k]];
        if (is_constant(e, k))
            repeat_row(e->call->in[k].dtype, it.at[k + 1], TILE, e->class[k], &tiles[e->tile[k]]);
    }
    for (int64_t i = begin; i < end; i++) {
        int64_t from = row * it.row, n = 0;
        if (e->parts) {
            int64_t part = i % e->parts, first = part * e->chunk;
            n = lt_min_i64(e->chunk, it.row - first);
            load_part(e, &it, first, n, tiles, at);
            from += first;
            if (part == e->parts - 1) row++, lt_iter_next(&it);
        } else {
            int64_t rows = lt_min_i64(e->several, e->rows - row);
            load_rows(e, &it, rows, tiles);
            n = rows * it.row;
            row += rows;
        }
        run_tile(e, at, tiles, n, result + from * size);
    }
}

/* ---- Preparing ---- */

/* Values are held in the class of their dtype. Those that all their readers want in one other class are held
 * in that: booleans in any class, and what is only loaded. */
static void choose_classes(lt_elementwise *e)
{
    bool read[LT_CHAIN_INPUTS] = {false};
    for (int k = 0; k < e->call->n_in; k++) e->class[k] = lt_class_of(e->call->in[k].dtype);
    for (int s = 0; s < e->chain->n; s++) {
        const lt_chain_step *step = &e->chain->step[s];
        lt_class class = lt_class_of((lt_dtype)step->compute);
        e->class[LT_CHAIN_INPUTS + s] = step->out == LATHE_BOOL ? class : lt_class_of((lt_dtype)step->out);
        for (int k = 0; k < lt_chain_operands(step); k++) {
            int arg = step->arg[k];
            if (arg >= LT_CHAIN_INPUTS) continue;
            bool free = e->call->in[arg].dtype == LATHE_BOOL;
            if (!read[arg]) e->class[arg] = class;
            else if (e->class[arg] != class && !free) e->class[arg] = lt_class_of(e->call->in[arg].dtype);
            read[arg] = true;
        }
    }
}

/* Inputs keep their tiles; a step's tile serves again when its result has been read for the last time. A cast
 * may leave its result where its operand is. */
static void choose_tiles(lt_elementwise *e)
{
    int last[VALUES], n = e->chain->n;
    for (int v = 0; v < VALUES; v++) last[v] = -1;
    for (int s = n - 1; s >= 0; s--)
        for (int k = 0; k < lt_chain_operands(&e->chain->step[s]); k++) {
            int arg = e->chain->step[s].arg[k], until = last[LT_CHAIN_INPUTS + s];
            if (last[arg] < s) last[arg] = s;
            if (e->chain->step[s].op == LT_OP_CAST && last[arg] < until) last[arg] = until;
        }
    uint32_t used = 0;
    for (int v = 0; v < LT_CHAIN_INPUTS + n; v++) {
        int s = v - LT_CHAIN_INPUTS;
        if (s < 0 && v >= e->call->n_in) continue;
        e->tile[v] = (uint8_t)__builtin_ctz(~used);
        used |= 1u << e->tile[v];
        for (int dead = LT_CHAIN_INPUTS; dead <= v; dead++)
            if (last[dead] == s) used &= ~(1u << e->tile[dead]);
    }
}

/* Long rows are cut into tiles of equal size; of short ones several share a tile. */
static void choose_shape(lt_elementwise *e)
{
    enum { ALIGN = 64 };
    int64_t row = e->it.row;
    e->rows = lt_iter_rows(&e->it);
    if (e->rows > 1 && row <= TILE / 2) {
        e->several = TILE / row;
        return;
    }
    e->parts = (row + TILE - 1) / TILE;
    e->chunk = ((row + e->parts - 1) / e->parts + ALIGN - 1) / ALIGN * ALIGN;
    e->parts = (row + e->chunk - 1) / e->chunk;
}

/* What an element costs, as bytes that are moved in the same time. */
static int64_t element_cost(const lt_elementwise *e)
{
    enum { FORMULA = 16, PLAIN_FORMULA = 64 };
    int64_t bytes = (int64_t)lathe_dtype_size(e->call->out->dtype);
    for (int k = 0; k < e->call->n_in; k++) bytes += (int64_t)lathe_dtype_size(e->call->in[k].dtype);
    for (int s = 0; s < e->chain->n; s++) bytes += row_kernel[e->chain->step[s].op] ? FORMULA : PLAIN_FORMULA;
    return bytes;
}

static void run_elementwise(const lt_cpu *cpu, const lt_op_call *call)
{
    lt_elementwise e = {.kernels = &cpu->kernels, .call = call, .chain = &call->attrs->chain};
    if (call->op != LT_OP_CHAIN) {
        lt_chain_step step = {.op = (uint16_t)call->op, .arg = {0, 1, 2}};
        bool cast = call->op == LT_OP_CAST;
        step.compute = (uint8_t)(cast ? call->in->dtype : call->attrs->elementwise.compute);
        step.out = (uint8_t)call->out->dtype;
        e.single = (lt_attrs_chain){.n = 1, .step = {step}};
        e.chain = &e.single;
    }
    const lt_tensor *operands[LT_ITER_OPERANDS] = {call->out};
    for (int k = 0; k < call->n_in; k++) operands[k + 1] = &call->in[k];
    lt_iter_start(&e.it, call->out, operands, call->n_in + 1);
    if (!e.it.row) return;
    choose_classes(&e);
    choose_tiles(&e);
    choose_shape(&e);
    int64_t tiles = e.parts ? e.rows * e.parts : (e.rows + e.several - 1) / e.several;
    lt_cpu_split(cpu, tiles, (e.parts ? e.chunk : e.several * e.it.row) * element_cost(&e), tiles_work, &e);
}

lt_cpu_run lt_bind_elementwise(const lt_step *step, size_t *scratch)
{
    (void)scratch;
    return lt_tensor_is_contiguous(&step->args[step->n_in].tensor) ? run_elementwise : NULL;
}
