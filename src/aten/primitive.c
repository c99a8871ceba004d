/* A primitive as it is, and constants: what the file of a case that `lathe diff` wrote is made of. */
#include <string.h>

#include "aten/aten.h"
#include "ir/attr_list.h"

enum { MAX_WORDS = 1 << 12 };

/* A chain reads each argument of a cast as the type that it has. */
static void check_casts(lt_call *call, const lt_attrs_chain *chain, const lt_id *in)
{
    for (int s = 0; s < chain->n; s++) {
        const lt_chain_step *step = &chain->step[s];
        int arg = step->arg[0], from = arg - LT_CHAIN_INPUTS;
        if (step->op != LT_OP_CAST) continue;
        lt_dtype has = from < 0 ? lt_build_dtype(call->b, in[arg]) : (lt_dtype)chain->step[from].out;
        if (has != step->compute) lt_build_fail(call->b, LATHE_FORMAT, "step %d casts another type", s);
    }
}

static void read_attrs(lt_call *call, lt_op op, lt_attrs *attrs)
{
    lt_attr_list list = {.formulas = lt_call_string(call, "formulas")};
    list.n_ints = lt_call_ints(call, "attrs", list.ints, LT_ATTR_INTS);
    list.n_reals = lt_call_floats(call, "numbers", list.reals, LT_ATTR_REALS);
    if (call->b->status == LATHE_OK) call->b->status = lt_attr_list_read(op, &list, attrs, call->b->err);
}

static void primitive(lt_call *call)
{
    const char *name = lt_call_string(call, "op");
    lt_op op = lt_op_find(name, strlen(name));
    lt_attrs attrs;
    int n;
    const lt_id *in = lt_call_tensors(call, "inputs", &n);
    if (op == LT_OP_COUNT) lt_build_fail(call->b, LATHE_UNSUPPORTED, "no primitive '%s'", name);
    for (int i = 0; i < n; i++)
        if (in[i] == LT_NONE) lt_build_fail(call->b, LATHE_FORMAT, "input %d is missing", i);
    if (call->b->status == LATHE_OK) read_attrs(call, op, &attrs);
    if (call->b->status != LATHE_OK) return;
    lt_id out = lt_build(call->b, op, &attrs, in, n); /* checks the chain before its casts are looked at */
    if (op == LT_OP_CHAIN && call->b->status == LATHE_OK) check_casts(call, &attrs.chain, in);
    for (int k = 0; k < lt_op_get(op)->n_out; k++) lt_call_return(call, out + (lt_id)k);
}

/* Its bytes, eight in a number, the first the lowest. */
static void constant(lt_call *call)
{
    lt_type type = {.dtype = lt_call_dtype(call, "dtype", LATHE_F32)};
    int64_t *words = lt_arena_alloc(call->b->graph->arena, MAX_WORDS, sizeof *words);
    if (!words) {
        lt_build_fail(call->b, LATHE_NO_MEMORY, "out of memory");
        return;
    }
    type.rank = lt_call_ints(call, "size", type.dim, LT_MAX_RANK);
    int n = lt_call_ints(call, "words", words, MAX_WORDS);
    if (call->b->status == LATHE_OK) call->b->status = lt_type_check(&type, "a constant", call->b->err);
    if (call->b->status == LATHE_OK && (lt_type_bytes(&type) + 7) / 8 != (size_t)n)
        lt_build_fail(call->b, LATHE_FORMAT, "a constant of %zu bytes in %d words", lt_type_bytes(&type), n);
    lt_call_return(call, lt_build_const(call->b, &type, words));
}

const lt_aten_row lt_aten_primitive[] = {
    {"lathe.primitive(str op, Tensor[] inputs, int[] attrs, float[] numbers, str formulas) -> Tensor[]",
     primitive, 0},
    {"lathe.constant(ScalarType dtype, int[] size, int[] words) -> Tensor", constant, 0},
    {NULL, NULL, 0},
};
