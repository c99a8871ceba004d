/* Products that go on with the elementwise step behind them, such as a sum with a residual or an activation,
 * before they store an element: one launch less, and the product is never written. It is rounded where it
 * would have been stored. */
#include <string.h>

#include "backend/gpu.h"

/* The operands of an elementwise step, seen from the product before it. */
typedef struct lt_operands {
    int more[LT_CHAIN_INPUTS]; /* which of the buffers besides; PRODUCT: the product itself */
    bool one[LT_GPU_MORE];     /* of such a buffer: one element for all */
} lt_operands;
enum { PRODUCT = -1 };

/* Whether the operand lies as the result does, or is one element; `offset`: from elements of the result to
 * its own. */
static bool lies_beside(const lt_operand *operand, const lt_operand *out, bool *one, int *offset)
{
    const lt_tensor *t = &operand->tensor, *to = &out->tensor;
    int from, base;
    *one = lathe_tensor_count(t) == 1;
    bool same = t->rank == to->rank && lt_tensor_is_contiguous(t);
    for (int i = 0; i < t->rank && same; i++) same = t->dim[i] == to->dim[i];
    if ((!same && !*one) || !lt_gpu_offset(operand, &from) || !lt_gpu_offset(out, &base)) return false;
    *offset = *one ? from : from - base;
    return true;
}

static bool find_operands(const lt_step *next, lt_gpu_product *it, lt_operands *o)
{
    const lt_operand *out = &next->args[next->n_in];
    bool reads = false, one;
    int offset;
    if (!lies_beside(it->out, out, &one, &offset) || !lt_tensor_is_contiguous(&out->tensor)) return false;
    for (uint32_t k = 0; k < next->n_in; k++) {
        const lt_operand *operand = &next->args[k];
        o->more[k] = PRODUCT;
        if (lt_operand_equal(operand, it->out)) reads = true;
        else if (it->n_more < LT_GPU_MORE &&
                 lies_beside(operand, out, &o->one[it->n_more], &it->p.more[it->n_more])) {
            o->more[k] = it->n_more;
            it->more[it->n_more++] = operand;
        } else return false;
    }
    return reads;
}

/* The product's last lines: `lt_finish` takes a sum through the formulas and stores the result. */
static void append_finish(lt_text *text, const lt_attrs_chain *chain, const lt_step *next,
                          const lt_gpu_product *it, const lt_operands *o)
{
    lt_dtype out = next->args[next->n_in].tensor.dtype;
    lt_gpu_append_formulas(text, chain);
    lt_text_printf(text, "LT_FN void lt_finish(LT_GLOBAL LT_S(%s) *out, int i, float x", lt_gpu_dtype(out));
    for (int m = 0; m < it->n_more; m++)
        lt_text_printf(text, ", LT_GLOBAL const LT_S(%s) *more%d, int at%d",
                       lt_gpu_dtype(it->more[m]->tensor.dtype), m, m);
    lt_text_printf(text, ")\n{\n");
    for (uint32_t k = 0; k < next->n_in; k++) {
        lt_dtype in = next->args[k].tensor.dtype;
        lt_text_printf(text, "    const %s v%u = ", lt_gpu_class_type(lt_gpu_class(in)), k);
        if (o->more[k] == PRODUCT) lt_text_printf(text, "LT_ROUND(%s, f32, x);\n", lt_gpu_dtype(in));
        else lt_text_printf(text, "LT_LOAD(%s, more%d, at%d);\n", lt_gpu_dtype(in), o->more[k], o->more[k]);
    }
    lt_gpu_append_chain(text, chain, next);
    lt_text_printf(text, "    LT_STORE(%s, %s, out, i, r%d);\n}\n", lt_gpu_dtype(out), lt_gpu_class(out),
                   chain->n - 1);
}

static void append_macros(lt_text *text, const lt_gpu_product *it, const lt_operands *o)
{
    lt_text_printf(text, "#define LT_N_MORE %d\n#define LT_MORE_BUFS(n)", it->n_more);
    for (int m = 0; m < it->n_more; m++)
        lt_text_printf(text, " LT_BUF(n + %d, const LT_S(%s), more%d),", m,
                       lt_gpu_dtype(it->more[m]->tensor.dtype), m);
    lt_text_printf(text, "\n#define LT_FINISH(class, i, x) lt_finish(out, i, x");
    for (int m = 0; m < it->n_more; m++)
        lt_text_printf(text, o->one[m] ? ", more%d, p.more[%d]" : ", more%d, (i) + p.more[%d]", m, m);
    lt_text_printf(text, ")\n");
}

void lt_gpu_add_epilogue(lt_gpu_lowering *lo, lt_gpu_product *product)
{
    const lt_step *next = lo->next;
    lt_gpu_product it = *product;
    lt_operands operands = {0};
    lt_text text = {0};
    if (!next) return;
    const lt_operand *out = &next->args[next->n_in];
    lt_attrs_chain chain = lt_gpu_chain(next);
    bool floats = strcmp(lt_gpu_class(it.out->tensor.dtype), "f32") == 0 &&
                  strcmp(lt_gpu_class(out->tensor.dtype), "f32") == 0;
    if (!floats || !lt_gpu_has_formulas(lo, &chain) || !find_operands(next, &it, &operands)) return;
    append_finish(&text, &chain, next, &it, &operands);
    append_macros(&text, &it, &operands);
    lo->status = lt_text_status(&text, lo->err);
    it.epilogue = lo->status == LATHE_OK ? lt_arena_strdup(lo->arena, text.data) : NULL;
    lt_text_free(&text);
    if (!it.epilogue) return;
    it.out = out;
    *product = it;
    lo->took_next = true;
}

const lathe_kernel *lt_gpu_product_kernel(lt_gpu_lowering *lo, const lt_gpu_product *product,
                                          const char *file, const char *entry, const char *defines)
{
    lt_text all = {0};
    if (!product->epilogue) return lt_gpu_kernel(lo, file, NULL, entry, defines);
    lt_text_printf(&all, "#define LT_EPILOGUE 1\n%s", defines);
    if (lo->status == LATHE_OK) lo->status = lt_text_status(&all, lo->err);
    const lathe_kernel *kernel =
        lo->status == LATHE_OK ? lt_gpu_kernel(lo, file, product->epilogue, entry, all.data) : NULL;
    lt_text_free(&all);
    return kernel;
}

void lt_gpu_more_args(lt_gpu_launch *launch, const lt_gpu_product *product)
{
    for (int m = 0; m < product->n_more; m++) lt_gpu_arg(launch, product->more[m]);
}
