/* Complex numbers, held as two tensors: of real and of imaginary parts (builder.h). Most operators do the
 * same to both; the table below says which, and the rest of them are refused by name. */
#include <string.h>

#include "aten/aten.h"

/* ---- Between real and complex ---- */

static void view_as_complex(lt_call *c)
{
    c->copies_view = true;
    lt_call_return(c, lt_build_paired(c->b, lt_call_tensor(c, "self")));
}

static void complex_of(lt_call *c)
{
    lt_call_return(c, lt_build_complex(c->b, lt_call_tensor(c, "real"), lt_call_tensor(c, "imag")));
}

static void polar(lt_call *c)
{
    lt_id radius = lt_call_tensor(c, "abs"), angle = lt_call_tensor(c, "angle");
    lt_id x = lt_build_mul(c->b, radius, lt_build_unary(c->b, LT_OP_COS, angle));
    lt_id y = lt_build_mul(c->b, radius, lt_build_unary(c->b, LT_OP_SIN, angle));
    lt_call_return(c, lt_build_complex(c->b, x, y));
}

/* Rows that only complex numbers have a meaning for; the table of forms builds them. */
static void needs_complex(lt_call *c)
{
    lt_build_fail(c->b, LATHE_TYPE, "argument '%s' is not complex", c->schema->params[0].name);
}

/* ---- Operators of complex numbers ---- */

static lt_id part_of(lt_call *c, const char *name, int part)
{
    return lt_build_part(c->b, lt_call_tensor(c, name), part);
}

static void real(lt_call *c) { lt_call_return(c, part_of(c, "self", 0)); }
static void imag(lt_call *c) { lt_call_return(c, part_of(c, "self", 1)); }

static void view_as_real(lt_call *c)
{
    lt_id parts[2];
    for (int i = 0; i < 2; i++) parts[i] = lt_build_unsqueeze(c->b, part_of(c, "self", i), -1);
    lt_call_return(c, lt_build_cat(c->b, parts, 2, -1));
}

static void conjugate(lt_call *c)
{
    lt_id y = lt_build_unary(c->b, LT_OP_NEG, part_of(c, "self", 1));
    lt_call_return(c, lt_build_complex(c->b, part_of(c, "self", 0), y));
}

static void magnitude(lt_call *c)
{
    lt_call_return(c, lt_build_binary(c->b, LT_OP_HYPOT, part_of(c, "self", 0), part_of(c, "self", 1)));
}

static void angle(lt_call *c)
{
    lt_call_return(c, lt_build_binary(c->b, LT_OP_ATAN2, part_of(c, "self", 1), part_of(c, "self", 0)));
}

/* Whether a name, up to its overload, is among names with spaces between them. */
static bool is_listed(const char *names, const char *name)
{
    size_t length = strcspn(name, ".");
    for (const char *at = names; *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        if (strncmp(at, name, length) == 0 && (at[length] == ' ' || at[length] == '\0')) return true;
    }
    return false;
}

/* A real argument that is a number beside complex ones has 0 as its imaginary part; the others are the same
 * for both parts: masks, indices, factors. */
static lt_arg take_part(lt_builder *b, const lt_arg *arg, int part, bool number)
{
    bool python = arg->kind == LT_ARG_INT || arg->kind == LT_ARG_FLOAT || arg->kind == LT_ARG_BOOL;
    if (arg->kind == LT_ARG_TENSOR && (number || lt_build_is_complex(b, arg->id)))
        return (lt_arg){.kind = LT_ARG_TENSOR, .id = lt_build_part(b, arg->id, part)};
    return python && number && part ? (lt_arg){.kind = LT_ARG_INT} : *arg;
}

static lathe_status take_parts(lt_call *c, int part, const char *numbers)
{
    for (uint32_t p = 0; p < c->schema->n; p++) {
        lt_arg *arg = &c->args[p], *items;
        bool number = numbers && is_listed(numbers, c->schema->params[p].name);
        if (arg->kind != LT_ARG_LIST) {
            *arg = take_part(c->b, arg, part, number);
            continue;
        }
        LT_ALLOC(c->b->graph->arena, items, arg->list.n, c->b->err);
        for (uint32_t i = 0; i < arg->list.n; i++)
            items[i] = take_part(c->b, &arg->list.items[i], part, number);
        arg->list.items = items;
    }
    return LATHE_OK;
}

/* The operator on the real parts of its arguments, then on the imaginary ones. `numbers`: the arguments that
 * are numbers where they are real. */
static void build_parts(lt_call *c, const char *numbers)
{
    lt_call parts[2];
    for (int i = 0; i < 2; i++) {
        parts[i] = *c;
        parts[i].results = NULL;
        parts[i].n_results = parts[i].cap_results = 0;
        if (c->b->status == LATHE_OK) c->b->status = take_parts(&parts[i], i, numbers);
        if (c->b->status == LATHE_OK) c->row->build(&parts[i]);
    }
    for (uint32_t k = 0; c->b->status == LATHE_OK && k < parts[0].n_results; k++)
        lt_call_return(c, lt_build_complex(c->b, parts[0].results[k].id, parts[1].results[k].id));
}

static void each_part(lt_call *c) { build_parts(c, NULL); }
static void beside_numbers(lt_call *c) { build_parts(c, "self other tensors value"); }

/* Rows that look at the parts themselves. */
static void own(lt_call *c) { c->row->build(c); }

/* Questions about shapes, which both parts have. */
static void of_shape(lt_call *c)
{
    if (c->b->status == LATHE_OK) c->b->status = take_parts(c, 0, NULL);
    c->row->build(c);
}

static void product(lt_call *c)
{
    lt_builder *b = c->b;
    lt_id x = lt_call_tensor(c, "self"), y = lt_call_tensor(c, "other");
    if (!lt_build_is_complex(b, x) || !lt_build_is_complex(b, y)) return each_part(c);
    lt_id a = lt_build_part(b, x, 0), ai = lt_build_part(b, x, 1);
    lt_id d = lt_build_part(b, y, 0), di = lt_build_part(b, y, 1);
    lt_id re = lt_build_sub(b, lt_build_mul(b, a, d), lt_build_mul(b, ai, di));
    lt_id im = lt_build_add(b, lt_build_mul(b, a, di), lt_build_mul(b, ai, d));
    lt_call_return(c, lt_build_complex(b, re, im));
}

static void quotient(lt_call *c)
{
    if (lt_build_is_complex(c->b, lt_call_tensor(c, "other")))
        lt_build_fail(c->b, LATHE_UNSUPPORTED, "division by a complex number");
    each_part(c);
}

/* ---- The table ---- */

typedef struct lt_complex_form {
    const char *names; /* without overloads */
    void (*build)(lt_call *call);
} lt_complex_form;

static const lt_complex_form forms[] = {
    {"view_as_real view_as_real_copy", view_as_real},
    {"real", real},
    {"imag", imag},
    {"conj _conj conj_physical _conj_physical", conjugate},
    {"abs absolute", magnitude},
    {"angle", angle},
    {"mul multiply", product},
    {"div divide", quotient},
    {"add cat constant_pad_nd pad stack sub where", beside_numbers},
    {"fft_fft fft_ifft fft_irfft fft_fft2 fft_ifft2 fft_irfft2 fft_fftn fft_ifftn fft_irfftn _fft_c2c "
     "_fft_c2r",
     own},
    {"_assert_tensor_metadata numel size sym_numel sym_size", of_shape},
    /* What moves elements, or is linear in them. */
    {"alias alias_copy chunk clone contiguous cumsum detach detach_copy expand expand_copy flatten flip "
     "gather "
     "index index_select lift_fresh_copy mean movedim narrow neg permute permute_copy repeat reshape "
     "resolve_conj resolve_neg roll select select_copy slice slice_copy split split_copy split_with_sizes "
     "split_with_sizes_copy squeeze squeeze_copy sum swapaxes t take_along_dim to _to_copy transpose "
     "transpose_copy tril triu unbind unflatten unsqueeze unsqueeze_copy _unsafe_view view view_copy",
     each_part},
};

void lt_build_complex_call(lt_call *c)
{
    for (size_t i = 0; i < LT_COUNT(forms); i++)
        if (is_listed(forms[i].names, c->schema->name)) return forms[i].build(c);
    lt_build_fail(c->b, LATHE_UNSUPPORTED, "this operator is not supported for complex numbers");
}

const lt_aten_row lt_aten_complex[] = {
    {"view_as_complex(Tensor(a) self) -> Tensor(a)", view_as_complex, 0},
    {"view_as_complex_copy(Tensor self) -> Tensor", view_as_complex, 0},
    {"complex(Tensor real, Tensor imag) -> Tensor", complex_of, 0},
    {"polar(Tensor abs, Tensor angle) -> Tensor", polar, 0},
    {"view_as_real(Tensor(a) self) -> Tensor(a)", needs_complex, 0},
    {"view_as_real_copy(Tensor self) -> Tensor", needs_complex, 0},
    {"imag(Tensor(a) self) -> Tensor(a)", needs_complex, 0},
    {NULL, NULL, 0},
};
