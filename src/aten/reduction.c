/* Reductions. */
#include "aten/aten.h"

static void sum_or_mean(lt_call *c, bool keepdim, const bool *dims)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype own = lt_build_dtype(c->b, x);
    lt_dtype fallback = lt_dtype_is_float(own) || c->row->op == LT_OP_REDUCE_MEAN ? own : LATHE_I64;
    lt_dtype dtype = lt_call_dtype(c, "dtype", fallback);
    lt_call_return(c, lt_build_reduce(c->b, c->row->op, lt_build_cast(c->b, x, dtype), dims, keepdim, dtype));
}

static void reduce_dims(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    lt_call_dims(c, "dim", lt_build_rank(c->b, lt_call_tensor(c, "self")), true, dims);
    sum_or_mean(c, lt_call_bool(c, "keepdim"), dims);
}

static void reduce_all(lt_call *c)
{
    bool dims[LT_MAX_RANK];
    for (int i = 0; i < LT_MAX_RANK; i++) dims[i] = true;
    sum_or_mean(c, false, dims);
}

const lt_aten_row lt_aten_reduction[] = {
    {"sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
     reduce_dims, LT_OP_REDUCE_SUM},
    {"mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
     reduce_dims, LT_OP_REDUCE_MEAN},
    {"sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", reduce_all, LT_OP_REDUCE_SUM},
    {"mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", reduce_all, LT_OP_REDUCE_MEAN},
    {NULL, NULL, 0}};
