/* Elementwise formulas, casts and chains: kernels whose text is made from the formulas of scalar.def. */
#include <stdio.h>
#include <string.h>

#include "backend/gpu.h"
#include "kernels/gpu/text.h"
#include "ops/elementwise.h"

/* The formulas as text: of floats, of integers; NULL: there is none. `wide`: they compute in double, whatever
 * they read. */
typedef struct formula {
    const char *floats, *integers;
    bool wide;
} formula;

static const formula formulas[LT_OP_COUNT] = {
#define LT_UNARY_FLOAT(ID, name, f) [LT_OP_##ID] = {.floats = #f},
#define LT_UNARY_WIDE(ID, name, f) [LT_OP_##ID] = {.floats = #f, .wide = true},
#define LT_UNARY(ID, name, f, i) [LT_OP_##ID] = {.floats = #f, .integers = #i},
#define LT_TEST(ID, name, f, i) [LT_OP_##ID] = {.floats = #f, .integers = #i},
#define LT_BINARY_FLOAT(ID, name, f) [LT_OP_##ID] = {.floats = #f},
#define LT_BINARY(ID, name, f, i) [LT_OP_##ID] = {.floats = #f, .integers = #i},
#define LT_COMPARE(ID, name, f) [LT_OP_##ID] = {.floats = #f, .integers = #f},
#define LT_BITWISE(ID, name, i) [LT_OP_##ID] = {.integers = #i},
#define LT_TERNARY_FLOAT(ID, name, f) [LT_OP_##ID] = {.floats = #f},
#define LT_TERNARY(ID, name, f) [LT_OP_##ID] = {.floats = #f, .integers = #f},
#include "ops/scalar.def"
};

/* ---- Text ---- */

void lt_gpu_append_functions(lt_text *text, bool doubles)
{
    lt_text_printf(text,
                   "%s%s#define T float\n#define M(name) LT_M(name)\n#define FN(name) name##_f32\n%s"
                   "LT_FN float fma_f32(float x, float y, float z) { return LT_FMA(y, z, x); }\n"
                   "LT_FN float log_gamma_f32(float x) { return LT_M(lgamma)(x); }\n"
                   "#undef T\n#undef M\n#undef FN\n",
                   lt_gpu_text_get("math.k"), lt_gpu_text_get("scalar_int.tmpl.h"),
                   lt_gpu_text_get("scalar_float.tmpl.h"));
    if (!doubles) return;
    lt_text_printf(text,
                   "#define T double\n#define M(name) LT_MD(name)\n#define MD(name) LT_MD(name)\n"
                   "#define FN(name) name##_f64\n%s%s"
                   "LT_FN double fma_f64(double x, double y, double z) { return LT_MD(fma)(y, z, x); }\n"
                   "LT_FN double log_gamma_f64(double x) { return LT_MD(lgamma)(x); }\n"
                   "#undef T\n#undef M\n#undef FN\n",
                   lt_gpu_text_get("scalar_float.tmpl.h"), lt_gpu_text_get("special.tmpl.h"));
}

const char *lt_gpu_class_type(const char *class)
{
    return class[0] == 'i' ? "int64_t" : class[1] == '6' ? "double" : "float";
}

/* A function that computes one step from values of its class. */
static void append_step_function(lt_text *text, const lt_chain_step *step, int number)
{
    const char *class = lt_gpu_class((lt_dtype)step->compute);
    bool integers = class[0] == 'i';
    const formula *f = &formulas[step->op];
    lt_text_printf(
        text,
        "#define T %s\n#define M(name) %s(name)\n#define FN(name) name##_%s\n"
        "#define WRAP(a, op, b) %s\n"
        "LT_FN T step%d(T x, T y, T z) { return (T)(%s); }\n#undef T\n#undef M\n#undef FN\n#undef WRAP\n",
        lt_gpu_class_type(class), strcmp(class, "f64") == 0 ? "LT_MD" : "LT_M", class,
        integers ? "((int64_t)((uint64_t)(a)op(uint64_t)(b)))" : "((a)op(b))", number,
        integers ? f->integers : f->floats);
}

/* The offset of the element in each view: dims from the last to the first. */
static void append_offsets(lt_text *text, int rank, int n_views)
{
    lt_text_printf(text, "    int rest = i;\n");
    for (int d = rank - 1; d > 0; d--)
        lt_text_printf(text, "    const int x%d = rest %% p.dim[%d];\n    rest /= p.dim[%d];\n", d, d, d);
    lt_text_printf(text, "    const int x0 = rest;\n");
    for (int v = 0; v < n_views; v++) {
        lt_text_printf(text, "    const int o%d = p.view[%d].offset", v, v);
        for (int d = 0; d < rank; d++) lt_text_printf(text, " + x%d * p.view[%d].stride[%d]", d, v, d);
        lt_text_printf(text, ";\n");
    }
}

/* An argument of a step, in the step's class. */
static void append_argument(lt_text *text, const lt_chain_step *steps, const lt_step *step, int arg,
                            const char *class)
{
    bool input = arg < LT_CHAIN_INPUTS;
    lt_dtype dtype = input ? step->args[arg].tensor.dtype : (lt_dtype)steps[arg - LT_CHAIN_INPUTS].out;
    const char *from = lt_gpu_class(dtype);
    bool whole = class[0] == 'i' && from[0] == 'f';
    lt_text_printf(text, whole ? "lt_whole_%s(%s%d)" : "(%s)%s%d", whole ? from : lt_gpu_class_type(class),
                   input ? "v" : "r", input ? arg : arg - LT_CHAIN_INPUTS);
}

static void append_step(lt_text *text, const lt_attrs_chain *chain, const lt_step *step, int number)
{
    const lt_chain_step *s = &chain->step[number];
    const char *class = lt_gpu_class((lt_dtype)s->compute), *out = lt_gpu_class((lt_dtype)s->out);
    int n = lt_chain_operands(s);
    lt_text_printf(text, "    const %s r%d = LT_ROUND(%s, %s, (", lt_gpu_class_type(out), number,
                   lt_gpu_dtype((lt_dtype)s->out), class);
    if (s->op != LT_OP_CAST) lt_text_printf(text, "step%d(", number);
    for (int k = 0; k < (s->op == LT_OP_CAST ? 1 : 3); k++) {
        if (k) lt_text_printf(text, ", ");
        append_argument(text, chain->step, step, s->arg[k < n ? k : 0], class);
    }
    lt_text_printf(text, "%s));\n", s->op == LT_OP_CAST ? "" : ")");
}

void lt_gpu_append_formulas(lt_text *text, const lt_attrs_chain *chain)
{
    for (int s = 0; s < chain->n; s++)
        if (chain->step[s].op != LT_OP_CAST) append_step_function(text, &chain->step[s], s);
}

void lt_gpu_append_chain(lt_text *text, const lt_attrs_chain *chain, const lt_step *step)
{
    for (int s = 0; s < chain->n; s++) append_step(text, chain, step, s);
}

static void append_kernel(lt_text *text, const lt_attrs_chain *chain, const lt_step *step, int rank)
{
    int n = (int)step->n_in;
    const char *dtype = lt_gpu_dtype(step->args[n].tensor.dtype);
    lt_gpu_append_formulas(text, chain);
    lt_text_printf(text, "LT_KERNEL chain(");
    for (int k = 0; k < n; k++)
        lt_text_printf(text, "LT_BUF(%d, const LT_S(%s), b%d), ", k, lt_gpu_dtype(step->args[k].tensor.dtype),
                       k);
    lt_text_printf(text,
                   "LT_BUF(%d, LT_S(%s), out), LT_PARAMS(%d, lt_chain_params, p) LT_IDS)\n{\n"
                   "    const int i = LT_GROUP(0) * LT_ITEMS + LT_ITEM(0);\n    if (i >= p.count) return;\n",
                   n, dtype, n + 1);
    append_offsets(text, rank, n + 1);
    for (int k = 0; k < n; k++) {
        lt_dtype in = step->args[k].tensor.dtype;
        lt_text_printf(text, "    const %s v%d = LT_LOAD(%s, b%d, o%d);\n",
                       lt_gpu_class_type(lt_gpu_class(in)), k, lt_gpu_dtype(in), k, k);
    }
    lt_gpu_append_chain(text, chain, step);
    lt_text_printf(text, "    LT_STORE(%s, %s, out, o%d, r%d);\n}\n", dtype,
                   lt_gpu_class(step->args[n].tensor.dtype), n, chain->n - 1);
}

/* ---- Lowering ---- */

bool lt_gpu_has_formulas(lt_gpu_lowering *lo, const lt_attrs_chain *chain)
{
    for (int s = 0; s < chain->n; s++) {
        const lt_chain_step *step = &chain->step[s];
        lt_dtype compute = (lt_dtype)step->compute;
        if (!lt_gpu_has(lo->gpu, compute) || !lt_gpu_has(lo->gpu, (lt_dtype)step->out))
            return lt_gpu_decline(lo, "float64, which the device does not compute in");
        const formula *f = &formulas[step->op];
        if (f->wide && !lt_gpu_has(lo->gpu, LATHE_F64))
            return lt_gpu_decline(lo, "a function that is computed in float64");
        if (step->op != LT_OP_CAST && !(lt_dtype_is_float(compute) ? f->floats : f->integers))
            return lt_gpu_decline(lo, "a formula that is not for this type");
    }
    return true;
}

static bool emit_chain(lt_gpu_lowering *lo, const lt_attrs_chain *chain, const lt_step *step)
{
    lt_chain_params p = {0};
    const lt_tensor *out = &step->args[step->n_in].tensor;
    int n_views = (int)step->n_in + 1;
    if (!lt_gpu_has_formulas(lo, chain)) return false;
    for (int v = 0; v < n_views; v++)
        if (!lt_gpu_view(&step->args[v], out->rank, out->dim, &p.view[v]))
            return lt_gpu_decline(lo, "a tensor that 32-bit offsets do not reach");
    p.count = (int)lathe_tensor_count(out);
    for (int d = 0; d < out->rank; d++) p.dim[d] = (int)out->dim[d];
    if (p.count == 0) return true;
    int rank = lt_gpu_join(p.dim, out->rank, p.view, n_views);
    char defines[64];
    uint32_t group = lt_gpu_group(lo->gpu);
    snprintf(defines, sizeof defines, "#define LT_ITEMS %u\n", group);
    lt_text body = {0};
    append_kernel(&body, chain, step, rank);
    lo->status = lt_text_status(&body, lo->err);
    const lathe_kernel *kernel = lt_gpu_kernel(lo, NULL, body.data, "chain", defines);
    lt_text_free(&body);
    lt_gpu_launch *launch = lt_gpu_emit(lo, kernel, &p, sizeof p);
    for (int v = 0; v < n_views; v++) lt_gpu_arg(launch, &step->args[v]);
    return lt_gpu_grid(launch, p.count, group);
}

lt_attrs_chain lt_gpu_chain(const lt_step *step)
{
    if (step->op == LT_OP_CHAIN) return step->attrs.chain;
    lt_dtype out = step->args[step->n_in].tensor.dtype;
    lt_attrs_chain chain = {.n = 1};
    chain.step[0] = (lt_chain_step){.op = (uint16_t)step->op, .out = (uint8_t)out, .arg = {0, 1, 2}};
    bool cast = step->op == LT_OP_CAST;
    chain.step[0].compute = (uint8_t)(cast ? step->args[0].tensor.dtype : step->attrs.elementwise.compute);
    return chain;
}

static bool lower_chain(lt_gpu_lowering *lo, const lt_step *step)
{
    lt_attrs_chain chain = lt_gpu_chain(step);
    return emit_chain(lo, &chain, step);
}

/* ---- Bits as they are: casts between integers of their size ---- */

lt_dtype lt_gpu_bits(lt_dtype dtype)
{
    static const lt_dtype of_size[] = {[1] = LATHE_U8, [2] = LATHE_I16, [4] = LATHE_I32, [8] = LATHE_I64};
    return of_size[lathe_dtype_size(dtype)];
}

bool lt_gpu_copy(lt_gpu_lowering *lo, const lt_operand *from, const lt_operand *to)
{
    lt_operand args[2] = {*from, *to};
    lt_step cast = {.op = LT_OP_CAST, .n_in = 1, .n_out = 1, .args = args};
    for (int k = 0; k < 2; k++) args[k].tensor.dtype = lt_gpu_bits(args[k].tensor.dtype);
    return lower_chain(lo, &cast);
}

static bool lower_copy(lt_gpu_lowering *lo, const lt_step *step)
{
    return lt_gpu_copy(lo, &step->args[0], &step->args[1]);
}

const lt_gpu_row lt_gpu_chain_rows[] = {
    {LT_OP_CHAIN, lower_chain},
    {LT_OP_CAST, lower_chain},
    {LT_OP_COPY, lower_copy},
    {0, NULL},
};
