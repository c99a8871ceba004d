/* Choosing, filling, copying and converting; assertions of the model. */
#include "aten/aten.h"

static void where(lt_call *c)
{
    lt_id condition = lt_call_tensor(c, "condition"), x = lt_call_tensor(c, "self"),
          y = lt_call_tensor(c, "other");
    lt_call_return(c, lt_build_where(c->b, condition, x, y));
}

/* The value takes the tensor's dtype, whatever it is. */
static void masked_fill(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self"), value = lt_call_tensor(c, "value");
    lt_id in[3] = {lt_call_tensor(c, "mask"), lt_build_cast(c->b, value, lt_build_dtype(c->b, x)), x};
    lt_dtype dtype = lt_build_dtype(c->b, x);
    lt_call_return(c, lt_build_formula(c->b, LT_OP_WHERE, dtype, dtype, in, 3));
}

/* A value of the shape and dtype of `self`. */
static void return_like_self(lt_call *c, lt_id value)
{
    lt_type type = *lt_build_type(c->b, lt_call_tensor(c, "self"));
    value = lt_build_cast(c->b, value, type.dtype);
    lt_call_return(c, lt_build_expand(c->b, value, type.rank, type.dim));
}

static void copy(lt_call *c) { return_like_self(c, lt_call_tensor(c, "src")); }
static void fill(lt_call *c) { return_like_self(c, lt_call_tensor(c, "value")); }
static void zero(lt_call *c) { return_like_self(c, lt_build_integer(c->b, 0)); }

static void same(lt_call *c) { lt_call_return(c, lt_call_tensor(c, c->schema->params[0].name)); }

/* Without a change of dtype the result is the tensor itself, unless a copy is asked for. */
static void convert(lt_call *c, lt_dtype dtype)
{
    lt_id x = lt_call_tensor(c, "self"), y = lt_build_cast(c->b, x, dtype);
    bool copies = lt_schema_find(c->schema, "copy") != LT_NONE && lt_call_bool(c, "copy");
    if (copies && x == y) y = lt_build(c->b, LT_OP_COPY, &(lt_attrs){0}, &x, 1);
    lt_call_return(c, y);
}

static void to_dtype(lt_call *c)
{
    convert(c, lt_call_dtype(c, "dtype", lt_build_dtype(c->b, lt_call_tensor(c, "self"))));
}

static void to_other(lt_call *c) { convert(c, lt_build_dtype(c->b, lt_call_tensor(c, "other"))); }

/* ---- Assertions ---- */

/* About values: only a run could tell, and the exported program was checked. */
static void nothing(lt_call *c) { (void)c; }

static void dep_token(lt_call *c) { lt_call_return(c, lt_call_tensor(c, "dep_token")); }

/* A number of the model that comes from a tensor's values and not from constants: only a run knows it. */
static bool is_late(lt_call *c, const char *name)
{
    const lt_arg *arg = &c->args[lt_schema_find(c->schema, name)];
    return arg->kind == LT_ARG_TENSOR || arg->kind == LT_ARG_OTHER;
}

static void assert_scalar(lt_call *c)
{
    if (!is_late(c, "self") && !lt_call_bool(c, "self"))
        lt_build_fail(c->b, LATHE_TYPE, "the sizes break an assertion of the model: %s",
                      lt_call_string(c, "assert_msg"));
    if (lt_schema_find(c->schema, "dep_token") != LT_NONE) dep_token(c);
}

/* A Python number from a tensor. Where it is not known it stays a tensor that counts as a number, which is
 * enough for arithmetic but for no size. */
static void item(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    lt_dtype own = lt_build_dtype(c->b, x);
    lt_arg known;
    if (lt_build_known(c->b, x, &known)) return lt_call_return_arg(c, known);
    lt_attrs attrs = {.dtype = {lt_dtype_is_float(own) ? LATHE_F64 : own == LATHE_BOOL ? own : LATHE_I64}};
    x = lt_build_reshape(c->b, x, 0, NULL);
    x = lt_build(c->b, LT_OP_CAST, &attrs, &x, 1);
    if (c->b->status == LATHE_OK) c->b->graph->values[x].wrapped = true;
    lt_call_return(c, x);
}

static void constrain_range(lt_call *c)
{
    int64_t size = is_late(c, "size") ? 0 : lt_call_int(c, "size");
    bool low = lt_call_has(c, "min") && size < lt_call_int(c, "min");
    bool high = lt_call_has(c, "max") && size > lt_call_int(c, "max");
    if ((low || high) && !is_late(c, "size"))
        lt_build_fail(c->b, LATHE_TYPE, "size %lld is outside the range that the model was exported for",
                      (long long)size);
    if (lt_schema_find(c->schema, "dep_token") != LT_NONE) dep_token(c);
}

#define TO_TAIL "bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)"
#define OPTIONS "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"

const lt_aten_row lt_aten_assign[] = {
    {"where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", where, 0},
    {"where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", where, 0},
    {"where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", where, 0},
    {"where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", where, 0},
    {"masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", masked_fill, 0},
    {"masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor", masked_fill, 0},

    {"copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor", copy, 0},
    {"fill.Scalar(Tensor self, Scalar value) -> Tensor", fill, 0},
    {"fill.Tensor(Tensor self, Tensor value) -> Tensor", fill, 0},
    {"zero(Tensor self) -> Tensor", zero, 0},
    {"clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", same, 0},
    {"contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)", same, 0},

    {"_to_copy(Tensor self, *, " OPTIONS
     ", bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
     to_dtype, 0},
    {"to.dtype(Tensor(a) self, ScalarType dtype, " TO_TAIL, to_dtype, 0},
    {"to.device(Tensor(a) self, Device device, ScalarType dtype, " TO_TAIL, to_dtype, 0},
    {"to.dtype_layout(Tensor(a) self, *, " OPTIONS ", " TO_TAIL, to_dtype, 0},
    {"to.other(Tensor(a) self, Tensor other, " TO_TAIL, to_other, 0},
    {"to.prim_Device(Tensor(a) self, Device? device, ScalarType? dtype=None, bool non_blocking=False, bool "
     "copy=False) -> Tensor(a)",
     to_dtype, 0},
    {"to.prim_dtype(Tensor(a) self, ScalarType? dtype=None, bool non_blocking=False, bool copy=False) -> "
     "Tensor(a)",
     to_dtype, 0},
    {"type_as(Tensor(a) self, Tensor other) -> Tensor(a)", to_other, 0},
    {"cpu(Tensor(a) self) -> Tensor(a)", same, 0},

    {"_assert_tensor_metadata(Tensor a, SymInt[]? size=None, SymInt[]? stride=None, ScalarType? dtype=None, "
     "*, "
     "Device? device=None, Layout? layout=None) -> ()",
     nothing, 0},
    {"_assert_async(Tensor self) -> ()", nothing, 0},
    {"_assert_async.msg(Tensor self, str assert_msg) -> ()", nothing, 0},
    {"_functional_assert_async.msg(Tensor self, str assert_msg, Tensor dep_token) -> Tensor", dep_token, 0},
    {"item(Tensor self) -> Scalar", item, 0},
    {"_local_scalar_dense(Tensor self) -> Scalar", item, 0},
    {"_assert_scalar(Scalar self, str assert_msg) -> ()", assert_scalar, 0},
    {"_functional_assert_scalar(Scalar self, str assert_msg, Tensor dep_token) -> Tensor", assert_scalar, 0},
    {"sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()", constrain_range, 0},
    {"sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()", constrain_range, 0},
    {"_functional_sym_constrain_range(Scalar size, int? min, int? max, Tensor dep_token) -> Tensor",
     constrain_range, 0},
    {"_functional_sym_constrain_range_for_size(Scalar size, int? min, int? max, Tensor dep_token) -> Tensor",
     constrain_range, 0},
    {NULL, NULL, 0}};
