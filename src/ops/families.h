/* What the op table expands to: the functions of every primitive, and helpers that families share. */
#ifndef LT_FAMILIES_H
#define LT_FAMILIES_H

#include "ir/op.h"

#define LT_INFER_ARGS \
    lt_op op, const lt_attrs *attrs, const lt_type *in, int n_in, lt_type *out, lathe_error *err

lathe_status lt_infer_elementwise(LT_INFER_ARGS);
lathe_status lt_ref_elementwise(const lt_op_call *call, lathe_error *err);

#define LT_DECLARE_NONE(name) lathe_status lt_ref_##name(const lt_op_call *call, lathe_error *err);
#define LT_DECLARE_VIEW(name) bool lt_view_##name(const lt_attrs *attrs, const lt_tensor *in, lt_tensor *out);
#define LT_DECLARE_UPDATE LT_DECLARE_NONE
#define LT_DECLARE_SCRATCH(name) \
    LT_DECLARE_NONE(name) size_t lt_scratch_##name(const lt_attrs *attrs, const lt_type *in, int n_in);
#define LT_OP(ID, name, outputs, flags)          \
    lathe_status lt_infer_##name(LT_INFER_ARGS); \
    LT_DECLARE_##flags(name)
#include "ops/ops.def"
#undef LT_OP

/* Widens `shape` so that `with` broadcasts to it; a TYPE error when they do not fit. dtype is left alone. */
lathe_status lt_broadcast(lt_type *shape, const lt_type *with, lathe_error *err) LT_MUST_USE;

/* A TYPE error unless the operator got `expected` inputs. */
lathe_status lt_expect_inputs(int n_in, int expected, lathe_error *err) LT_MUST_USE;

#endif
