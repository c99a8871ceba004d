/* Steps that are no products: every formula, dtype and layout of the operands against the references. */
#include "cpu_case.h"
#include "kernels/cpu/cpu.h"
#include "ops/elementwise.h"

/* How an operand of a step lies in memory. */
enum { DENSE, SCALAR, ROW, COLUMN, PERMUTED, SPREAD, REVERSED, LAYOUTS };

typedef struct shape {
    int rank;
    int64_t dim[4];
} shape;

static const shape shapes[] = {{0, {0}},       {1, {5}},        {1, {1}},         {1, {1300}},
                               {2, {3, 7}},    {2, {2, 700}},   {2, {300, 2}},    {2, {1, 1}},
                               {3, {2, 0, 3}}, {3, {5, 40, 9}}, {3, {3, 1, 257}}, {4, {2, 3, 5, 70}},
                               {2, {70, 513}}};

static lt_tensor *add_layout(lt_case *c, lt_dtype dtype, const shape *s, int layout, double scale)
{
    static const int reversed[] = {3, 2, 1, 0};
    int64_t dim[4];
    int last = s->rank - 1;
    memcpy(dim, s->dim, sizeof dim);
    if (s->rank == 0 || layout == SCALAR) return add_input(c, dtype, 0, dim, scale);
    if (layout == ROW) return add_input(c, dtype, 1, dim + last, scale);
    if (layout == COLUMN) dim[last] = 1;
    if (layout == PERMUTED) return add_permuted(c, dtype, s->rank, dim, reversed + 4 - s->rank, scale);
    if (layout != SPREAD && layout != REVERSED) return add_input(c, dtype, s->rank, dim, scale);
    int64_t size = (int64_t)lathe_dtype_size(dtype);
    dim[last] *= 2;
    lt_tensor *tensor = add_input(c, dtype, s->rank, dim, scale);
    tensor->dim[last] /= 2;
    tensor->stride[last] = 2;
    if (layout == SPREAD) return tensor;
    for (int i = 0; i < s->rank; i++) {
        if (!tensor->dim[i]) continue;
        tensor->data = (char *)tensor->data + (tensor->dim[i] - 1) * tensor->stride[i] * size;
        tensor->stride[i] = -tensor->stride[i];
    }
    return tensor;
}

/* ---- Single formulas ---- */

static bool has_kernel(lt_op op)
{
    static const lt_op kernels[] = {
#define LT_ROW(ID, operands, vector, scalar) LT_OP_##ID,
#include "kernels/cpu/rows.def"
    };
    for (size_t i = 0; i < LT_COUNT(kernels); i++)
        if (kernels[i] == op) return true;
    return false;
}

static void check_formula(lt_op op, lt_dtype dtype, int turn)
{
    const lt_op_info *info = lt_op_get(op);
    bool floats = lt_dtype_is_float(dtype);
    lt_dtype compute = info->formula == LT_FORMULA_FLOAT && !floats ? LATHE_F32 : dtype;
    if (info->formula == LT_FORMULA_BITWISE && floats) return;
    for (size_t s = 0; s < LT_COUNT(shapes); s++) {
        char what[100];
        lt_case c = {.step = {.op = op}};
        c.step.attrs.elementwise.compute = compute;
        c.step.attrs.elementwise.out = info->formula == LT_FORMULA_TEST ? LATHE_BOOL : compute;
        snprintf(what, sizeof what, "%s %s, shape %zu, layout %d", info->name, lathe_dtype_name(dtype), s,
                 turn);
        for (int k = 0; k < info->n_in; k++)
            add_layout(&c, dtype, &shapes[s], (turn + k * (1 + turn / LAYOUTS)) % LAYOUTS, 3);
        check_case(&c, has_kernel(op) && floats ? 2e-6 : -1, what);
    }
}

static void test_formulas(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16, LATHE_F64,
                                      LATHE_I64, LATHE_I32,  LATHE_U8,  LATHE_BOOL};
    int turn = 0;
    for (int op = 0; op < LT_OP_COUNT; op++)
        for (size_t d = 0; d < LT_COUNT(dtypes) && lt_op_get((lt_op)op)->flags & LT_OP_ELEMENTWISE; d++)
            check_formula((lt_op)op, dtypes[d], turn++ % (LAYOUTS * LAYOUTS));
}

static void test_casts(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16, LATHE_F64, LATHE_I64,
                                      LATHE_I32, LATHE_I16,  LATHE_U8,  LATHE_I8,  LATHE_BOOL};
    for (size_t from = 0; from < LT_COUNT(dtypes); from++)
        for (size_t to = 0; to < LT_COUNT(dtypes); to++)
            for (int layout = 0; layout < LAYOUTS; layout++) {
                char what[100];
                lt_case c = {.step = {.op = LT_OP_CAST, .attrs = {.dtype = {dtypes[to]}}}};
                snprintf(what, sizeof what, "cast %s to %s, layout %d", lathe_dtype_name(dtypes[from]),
                         lathe_dtype_name(dtypes[to]), layout);
                add_layout(&c, dtypes[from], &shapes[(from + to) % LT_COUNT(shapes)], layout, 300);
                check_case(&c, -1, what);
            }
}

/* ---- Chains ---- */

/* Formulas whose kernels round as the references do, so that errors do not add up. */
static const lt_op exact[] = {LT_OP_NEG, LT_OP_ABS,        LT_OP_RELU,  LT_OP_SQUARE,      LT_OP_ADD,
                              LT_OP_SUB, LT_OP_MUL,        LT_OP_DIV,   LT_OP_MAXIMUM,     LT_OP_MINIMUM,
                              LT_OP_LT,  LT_OP_EQ,         LT_OP_WHERE, LT_OP_LOGICAL_AND, LT_OP_CLAMP,
                              LT_OP_FMA, LT_OP_FLOOR,      LT_OP_CAST,  LT_OP_CAST,        LT_OP_LOGICAL_NOT,
                              LT_OP_EQ,  LT_OP_BITWISE_AND};

static int pick(int n) { return (int)((uniform() * 0.5 + 0.5) * n) % n; }

static lt_dtype pick_dtype(void)
{
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_F32, LATHE_F32, LATHE_BF16, LATHE_BF16, LATHE_F16,
                                      LATHE_F64, LATHE_I64, LATHE_I32, LATHE_U8,   LATHE_BOOL};
    return dtypes[pick((int)LT_COUNT(dtypes))];
}

/* A random step after `s` others over `n_in` inputs. */
static lt_chain_step make_step(int s, int n_in, const lt_dtype *dtypes)
{
    lt_op op = exact[pick((int)LT_COUNT(exact))];
    const lt_op_info *info = lt_op_get(op);
    lt_chain_step step = {.op = (uint16_t)op};
    for (int k = 0; k < lt_chain_operands(&step); k++) {
        int arg = pick(n_in + s);
        step.arg[k] = (uint8_t)(s > 0 && k == 0 ? LT_CHAIN_INPUTS + s - 1 - pick(2) % s
                                : arg < n_in    ? arg
                                                : LT_CHAIN_INPUTS + arg - n_in);
    }
    lt_dtype compute = op == LT_OP_CAST ? dtypes[step.arg[0]] : pick_dtype();
    if (info->formula == LT_FORMULA_FLOAT && !lt_dtype_is_float(compute)) compute = LATHE_F32;
    if (info->formula == LT_FORMULA_BITWISE && lt_dtype_is_float(compute)) compute = LATHE_I64;
    step.compute = (uint8_t)compute;
    step.out = (uint8_t)(op == LT_OP_CAST                   ? pick_dtype()
                         : info->formula == LT_FORMULA_TEST ? LATHE_BOOL
                                                            : compute);
    return step;
}

static void test_chains(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        char what[100];
        lt_dtype dtypes[LT_CHAIN_INPUTS + LT_CHAIN_STEPS];
        lt_case c = {.step = {.op = LT_OP_CHAIN}};
        lt_attrs_chain *chain = &c.step.attrs.chain;
        int n_in = 1 + pick(LT_CHAIN_INPUTS), s = pick((int)LT_COUNT(shapes));
        snprintf(what, sizeof what, "chain %d over %d inputs, shape %d", i, n_in, s);
        for (int k = 0; k < n_in; k++) {
            dtypes[k] = pick_dtype();
            add_layout(&c, dtypes[k], &shapes[s], pick(LAYOUTS), 3);
        }
        for (chain->n = 0; chain->n < 1 + i % LT_CHAIN_STEPS; chain->n++) {
            chain->step[chain->n] = make_step(chain->n, n_in, dtypes);
            dtypes[LT_CHAIN_INPUTS + chain->n] = (lt_dtype)chain->step[chain->n].out;
        }
        check_case(&c, -1, what);
    }
}

/* ---- Copies ---- */

static void test_copies(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F64, LATHE_U8};
    static const shape large[] = {{2, {700, 900}}, {3, {33, 65, 40}}, {4, {2, 9, 130, 33}}, {1, {70000}}};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (size_t s = 0; s < LT_COUNT(shapes) + LT_COUNT(large); s++)
            for (int layout = 0; layout < LAYOUTS; layout++) {
                const shape *of = s < LT_COUNT(shapes) ? &shapes[s] : &large[s - LT_COUNT(shapes)];
                lt_case c = {.step = {.op = LT_OP_COPY}};
                if (layout == SCALAR || layout == ROW || layout == COLUMN) continue;
                add_layout(&c, dtypes[d], of, layout, 100);
                check_case(&c, -1, "copy");
            }
}

static void test_permutes(void **state)
{
    (void)state;
    static const int orders[][4] = {{0, 2, 1, 3}, {0, 1, 3, 2}, {0, 3, 1, 2}, {3, 2, 1, 0}, {2, 3, 0, 1}};
    for (size_t o = 0; o < LT_COUNT(orders); o++) {
        lt_case c = {.step = {.op = LT_OP_COPY}};
        add_permuted(&c, LATHE_F32, 4, (int64_t[]){3, 34, 70, 40}, orders[o], 1);
        check_case(&c, -1, "permute");
    }
}

static void test_cat(void **state)
{
    (void)state;
    for (int dim = 0; dim < 3; dim++)
        for (int n = 1; n <= 4; n++) {
            lt_case c = {.step = {.op = LT_OP_CAT, .attrs = {.dim = {dim}}}};
            for (int k = 0; k < n; k++) {
                shape s = {3, {5, 40, 300}};
                s.dim[dim] = 3 * k;
                add_layout(&c, LATHE_F32, &s, k % 2 ? PERMUTED : DENSE, 1);
            }
            check_case(&c, -1, "cat");
        }
}

/* ---- Rows ---- */

static const lt_dtype float_dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16};
enum { FLOATS = 3 };

static void check_norm(lt_op op, lt_dtype dtype, lt_dtype weight, int n_in, int n_dims)
{
    static const int channels_last[] = {0, 2, 3, 1};
    lt_case c = {.step = {.op = op, .attrs = {.norm = {.n_dims = n_dims, .eps = 1e-5}}}};
    int64_t dim[] = {3, 41, 5, 96};
    if (n_in == 2) add_permuted(&c, dtype, 4, dim, channels_last, 3);
    else add_input(&c, dtype, 4, dim, 3);
    for (int k = 1; k < n_in; k++) add_input(&c, weight, n_dims, dim + 4 - n_dims, 1);
    check_case(&c, 1e-5, lt_op_get(op)->name);
}

static void test_norms(void **state)
{
    (void)state;
    for (int d = 0; d < FLOATS; d++)
        for (int w = 0; w < FLOATS; w++)
            for (int n_dims = 1; n_dims <= 2; n_dims++) {
                for (int n_in = 1; n_in <= 3; n_in++)
                    check_norm(LT_OP_LAYER_NORM, float_dtypes[d], float_dtypes[w], n_in, n_dims);
                for (int n_in = 1; n_in <= 2; n_in++)
                    check_norm(LT_OP_RMS_NORM, float_dtypes[d], float_dtypes[w], n_in, n_dims);
            }
    check_norm(LT_OP_LAYER_NORM, LATHE_F64, LATHE_F64, 3, 2);
}

static void test_softmax(void **state)
{
    (void)state;
    static const shape of = {3, {7, 33, 70}};
    for (int d = 0; d < FLOATS; d++)
        for (int wide = 0; wide < 2; wide++)
            for (int dim = 0; dim < 3; dim++)
                for (int log = 0; log < 2; log++)
                    for (int layout = 0; layout < LAYOUTS; layout++) {
                        lt_case c = {.step = {.op = LT_OP_SOFTMAX}};
                        if (layout == SCALAR || layout == ROW) continue;
                        c.step.attrs.softmax = (lt_attrs_softmax){
                            .dim = dim, .log = log, .dtype = wide ? LATHE_F32 : float_dtypes[d]};
                        add_layout(&c, float_dtypes[d], &of, layout, 5);
                        check_case(&c, 1e-5, "softmax");
                    }
}

static void test_rope(void **state)
{
    (void)state;
    static const int as_stored[] = {0, 2, 1, 3};
    for (int d = 0; d < 2 * FLOATS; d++)
        for (int64_t n = 2; n <= 130; n += 32) {
            lt_dtype x = d < FLOATS ? float_dtypes[d] : LATHE_F32, angles = float_dtypes[d % FLOATS];
            lt_case c = {.step = {.op = LT_OP_ROPE}};
            add_permuted(&c, x, 4, (int64_t[]){2, 5, 37, n}, as_stored, 3);
            add_input(&c, angles, 4, (int64_t[]){1, 1, 37, n}, 1);
            add_input(&c, angles, 2, (int64_t[]){37, n}, 1);
            check_case(&c, 1e-6, "rope");
        }
}

/* ---- Products of two activations ---- */

static void check_matmul(lt_dtype dtype, int64_t batch, int64_t m, int64_t n, int64_t k, int turn)
{
    static const int turned[] = {0, 2, 1};
    char what[100];
    lt_case c = {.step = {.op = LT_OP_MATMUL, .attrs = {.matmul = {.wide = turn & 4}}}};
    snprintf(what, sizeof what, "matmul %s %lld x %lld x %lld x %lld, turn %d", lathe_dtype_name(dtype),
             (long long)batch, (long long)m, (long long)n, (long long)k, turn);
    if (turn & 1) add_permuted(&c, dtype, 3, (int64_t[]){batch, m, k}, turned, 1);
    else add_input(&c, dtype, 3, (int64_t[]){batch, m, k}, 1);
    if (turn & 2) add_permuted(&c, dtype, 3, (int64_t[]){batch, k, n}, turned, 1);
    else add_input(&c, dtype, 3, (int64_t[]){batch, k, n}, 1);
    check_case(&c, lt_dtype_is_float(dtype) ? 1e-5 : -1, what);
}

static void test_matmul(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_F16, LATHE_F64, LATHE_I64};
    for (size_t d = 0; d < LT_COUNT(dtypes); d++)
        for (int turn = 0; turn < 8; turn++) {
            check_matmul(dtypes[d], 3, 1, 70, 33, turn);
            check_matmul(dtypes[d], 2, 40, 65, 100, turn);
            check_matmul(dtypes[d], 1, 5, 3, 1, turn);
            check_matmul(dtypes[d], 17, 9, 40, 64, turn);
        }
}

/* ---- References in parts ---- */

static void check_reduce(lt_op op, lt_dtype dtype, int mask, bool keepdim, int layout)
{
    static const shape of = {3, {19, 23, 40}};
    char what[100];
    lt_case c = {
        .step = {.op = op, .attrs = {.reduce = {.keepdim = keepdim, .dtype = dtype, .correction = 1}}}};
    for (int i = 0; i < 3; i++) c.step.attrs.reduce.dims[i] = mask >> i & 1;
    snprintf(what, sizeof what, "%s %s over %d", lt_op_get(op)->name, lathe_dtype_name(dtype), mask);
    add_layout(&c, dtype, &of, layout, 3);
    check_case(&c, lt_dtype_is_float(dtype) ? 1e-5 : -1, what);
}

static void test_reductions(void **state)
{
    (void)state;
    static const lt_op ops[] = {LT_OP_REDUCE_SUM, LT_OP_REDUCE_MEAN, LT_OP_REDUCE_PROD,
                                LT_OP_REDUCE_MAX, LT_OP_REDUCE_MIN,  LT_OP_REDUCE_VAR};
    static const lt_dtype dtypes[] = {LATHE_F32, LATHE_BF16, LATHE_I64};
    static const int layouts[] = {DENSE, PERMUTED, REVERSED};
    for (size_t o = 0; o < LT_COUNT(ops); o++)
        for (size_t d = 0; d < LT_COUNT(dtypes); d++)
            for (int mask = 1; mask < 7; mask++)
                for (size_t l = 0; l < LT_COUNT(layouts); l++) {
                    bool whole = ops[o] != LT_OP_REDUCE_MEAN && ops[o] != LT_OP_REDUCE_VAR;
                    if (!whole && dtypes[d] == LATHE_I64) continue;
                    check_reduce(ops[o], dtypes[d], mask, mask % 2, layouts[l]);
                }
}

static void check_along(lt_op op, const lt_attrs *attrs, int layout)
{
    static const shape of = {3, {19, 23, 40}};
    lt_case c = {.step = {.op = op, .attrs = *attrs}};
    add_layout(&c, LATHE_F32, &of, layout, 3);
    check_case(&c, 1e-6, lt_op_get(op)->name);
}

/* The operators that work along one dim. */
static void test_along(void **state)
{
    (void)state;
    static const lt_op scans[] = {LT_OP_CUMSUM, LT_OP_CUMPROD, LT_OP_LOGCUMSUMEXP, LT_OP_CUMMAX,
                                  LT_OP_CUMMIN};
    static const int layouts[] = {DENSE, PERMUTED};
    for (int dim = 0; dim < 3; dim++)
        for (size_t l = 0; l < LT_COUNT(layouts); l++) {
            for (size_t i = 0; i < LT_COUNT(scans); i++)
                check_along(scans[i], &(lt_attrs){.scan = {dim, LATHE_F32}}, layouts[l]);
            for (int keepdim = 0; keepdim < 2; keepdim++) {
                check_along(LT_OP_ARGMAX, &(lt_attrs){.arg = {dim, keepdim}}, layouts[l]);
                check_along(LT_OP_ARGMIN, &(lt_attrs){.arg = {dim, keepdim}}, layouts[l]);
            }
            check_along(LT_OP_SORT, &(lt_attrs){.sort = {.dim = dim, .descending = dim == 1}}, layouts[l]);
            check_along(LT_OP_TOPK, &(lt_attrs){.topk = {dim, 5, true, true}}, layouts[l]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas), cmocka_unit_test(test_casts),      cmocka_unit_test(test_chains),
        cmocka_unit_test(test_copies),   cmocka_unit_test(test_permutes),   cmocka_unit_test(test_cat),
        cmocka_unit_test(test_norms),    cmocka_unit_test(test_softmax),    cmocka_unit_test(test_rope),
        cmocka_unit_test(test_matmul),   cmocka_unit_test(test_reductions), cmocka_unit_test(test_along),
    };
    return cmocka_run_group_tests(tests, make_cpus, destroy_cpus);
}
