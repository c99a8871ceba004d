/* Tensors made from sizes and numbers. */
#include "aten/aten.h"

static lt_dtype number_dtype(const lt_builder *b, lt_id scalar)
{
    lt_dtype dtype = lt_build_dtype(b, scalar);
    return lt_dtype_is_float(dtype) ? LATHE_F32 : dtype;
}

static void full(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_id value = lt_call_scalar(c, "fill_value");
    lt_call_return(
        c, lt_build_full(c->b, value, lt_call_dtype(c, "dtype", number_dtype(c->b, value)), rank, size));
}

static void zeros(lt_call *c)
{
    int64_t size[LT_MAX_RANK];
    int rank = lt_call_ints(c, "size", size, LT_MAX_RANK);
    lt_call_return(
        c, lt_build_full(c->b, lt_build_integer(c->b, 0), lt_call_dtype(c, "dtype", LATHE_F32), rank, size));
}

static void arange_end(lt_call *c)
{
    lt_id range = lt_build_arange(c->b, lt_call_int(c, "end"), 0, 1);
    lt_call_return(c, lt_build_cast(c->b, range, lt_call_dtype(c, "dtype", LATHE_I64)));
}

const lt_aten_row lt_aten_creation[] = {
    {"full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? "
     "device=None, "
     "bool? pin_memory=None) -> Tensor",
     full, 0},
    {"zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? "
     "pin_memory=None) -> Tensor",
     zeros, 0},
    {"arange(Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? "
     "pin_memory=None) "
     "-> Tensor",
     arange_end, 0},
    {NULL, NULL, 0}};
