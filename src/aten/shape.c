/* Views, and operators that only move elements. */
#include "aten/aten.h"

static void view(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, c->schema->params[1].name, size, LT_MAX_RANK);
    lt_call_return(c, lt_build_reshape(c->b, lt_call_tensor(c, "self"), rank, size));
}

static void transpose(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_transpose(c->b, x, lt_call_int(c, "dim0"), lt_call_int(c, "dim1")));
}

static void slice(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    int64_t start = lt_call_has(c, "start") ? lt_call_int(c, "start") : 0;
    int64_t end = lt_call_has(c, "end") ? lt_call_int(c, "end") : INT64_MAX;
    lt_call_return(c, lt_build_slice(c->b, x, lt_call_int(c, "dim"), start, end, lt_call_int(c, "step")));
}

static void select(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return(c, lt_build_select(c->b, x, lt_call_int(c, "dim"), lt_call_int(c, "index")));
}

static void expand(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_call_return(c, lt_build_expand(c->b, lt_call_tensor(c, "self"), rank, size));
}

static void unsqueeze(lt_call *c)
{
    lt_call_return(c, lt_build_unsqueeze(c->b, lt_call_tensor(c, "self"), lt_call_int(c, "dim")));
}

static void sym_size(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_call_return_arg(c,
                       (lt_arg){.kind = LT_ARG_INT, .i = lt_build_size(c->b, x, (int)lt_call_int(c, "dim"))});
}

const lt_aten_row lt_aten_shape[] = {
    {"view(Tensor(a) self, SymInt[] size) -> Tensor(a)", view, 0},
    {"reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", view, 0},
    {"transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", transpose, 0},
    {"slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> "
     "Tensor(a)",
     slice, 0},
    {"select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", select, 0},
    {"expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)", expand, 0},
    {"unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", unsqueeze, 0},
    {"sym_size.int(Tensor self, int dim) -> SymInt", sym_size, 0},
    {NULL, NULL, 0}};
