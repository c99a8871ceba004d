/* Graph building with PyTorch's rules. */
#include "aten/builder.h"

#include <stdio.h>
#include <string.h>

#include "ops/families.h"

static const lt_type no_type = {.dtype = LATHE_F32};

lt_id lt_build_fail(lt_builder *b, lathe_status code, const char *fmt, ...)
{
    if (b->status != LATHE_OK) return LT_NONE;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    b->status = lt_error_set(b->err, code, "%s", text);
    return LT_NONE;
}

lt_id lt_build(lt_builder *b, lt_op op, const lt_attrs *attrs, const lt_id *in, int n_in)
{
    lt_id out = LT_NONE;
    for (int i = 0; i < n_in; i++)
        if (in[i] == LT_NONE)
            lt_build_fail(b, LATHE_INTERNAL, "%s: input %d is missing", lt_op_get(op)->name, i);
    if (b->status != LATHE_OK) return LT_NONE;
    b->status = lt_graph_add_node(b->graph, op, attrs, in, (uint32_t)n_in, b->source, &out, b->err);
    return b->status == LATHE_OK ? out : LT_NONE;
}

const lt_type *lt_build_type(const lt_builder *b, lt_id x)
{
    return b->status == LATHE_OK && x != LT_NONE ? &b->graph->values[x].type : &no_type;
}

int lt_build_rank(const lt_builder *b, lt_id x) { return lt_build_type(b, x)->rank; }
lt_dtype lt_build_dtype(const lt_builder *b, lt_id x) { return lt_build_type(b, x)->dtype; }

int64_t lt_build_size(lt_builder *b, lt_id x, int dim)
{
    const lt_type *type = lt_build_type(b, x);
    int d = lt_build_dim(b, dim, type->rank);
    return type->rank ? type->dim[d] : 1;
}

int lt_build_dim(lt_builder *b, int64_t dim, int rank)
{
    int64_t range = rank ? rank : 1;
    if (dim < -range || dim >= range) {
        lt_build_fail(b, LATHE_TYPE, "dim %lld is out of range for rank %d", (long long)dim, rank);
        return 0;
    }
    return (int)(dim < 0 ? dim + range : dim);
}

static lt_id add_const(lt_builder *b, const lt_type *type, const void *data, bool wrapped)
{
    if (b->status != LATHE_OK) return LT_NONE;
    lt_id id = LT_NONE;
    size_t bytes = lt_type_bytes(type);
    void *copy = lt_arena_alloc(b->graph->arena, bytes, 1);
    if (!copy) b->status = lt_out_of_memory(b->err, bytes, 1);
    if (b->status != LATHE_OK) return LT_NONE;
    if (bytes) memcpy(copy, data, bytes);
    b->status = lt_graph_add_value(
        b->graph, &(lt_value){.type = *type, .kind = LT_VALUE_CONST, .data = copy, .wrapped = wrapped}, &id,
        b->err);
    return b->status == LATHE_OK ? id : LT_NONE;
}

lt_id lt_build_number(lt_builder *b, double value)
{
    return add_const(b, &(lt_type){.dtype = LATHE_F64}, &value, true);
}

lt_id lt_build_integer(lt_builder *b, int64_t value)
{
    return add_const(b, &(lt_type){.dtype = LATHE_I64}, &value, true);
}

lt_id lt_build_boolean(lt_builder *b, bool value)
{
    uint8_t byte = value;
    return add_const(b, &(lt_type){.dtype = LATHE_BOOL}, &byte, true);
}

lt_id lt_build_const(lt_builder *b, const lt_type *type, const void *data)
{
    return add_const(b, type, data, false);
}

lt_id lt_build_full(lt_builder *b, lt_id scalar, lt_dtype dtype, int rank, const int64_t *dim)
{
    lt_attrs attrs = {.dtype = {dtype}};
    lt_id x = lt_build(b, LT_OP_CAST, &attrs, &scalar, 1); /* also drops the Python number's `wrapped` */
    return rank ? lt_build_expand(b, x, rank, dim) : x;
}

lt_id lt_build_zeros(lt_builder *b, const lt_type *type)
{
    return lt_build_full(b, lt_build_integer(b, 0), type->dtype, type->rank, type->dim);
}

lt_id lt_build_arange(lt_builder *b, int64_t count, int64_t start, int64_t step)
{
    lt_attrs attrs = {.iota = {.dtype = LATHE_I64, .count = count, .int_start = start, .int_step = step}};
    return lt_build(b, LT_OP_IOTA, &attrs, NULL, 0);
}

/* c10::result_type: tensors with dims decide before tensors without, these before Python numbers; a lower
 * class only counts when it is of a higher kind (bool < integer < float). */
static lt_dtype combine(lt_dtype high, bool has_high, lt_dtype low, bool has_low)
{
    if (!has_high) return low;
    if (!has_low || lt_dtype_is_float(high)) return high;
    if (high == LATHE_BOOL || lt_dtype_is_float(low)) return lt_dtype_promote(high, low);
    return high;
}

lt_dtype lt_build_promote(const lt_builder *b, const lt_id *in, int n)
{
    lt_dtype dtype[3] = {LATHE_BOOL, LATHE_BOOL, LATHE_BOOL}; /* by class: dims, no dims, Python number */
    bool has[3] = {false, false, false};
    if (b->status != LATHE_OK) return LATHE_F32;
    for (int i = 0; i < n; i++) {
        if (in[i] == LT_NONE) continue;
        const lt_value *value = &b->graph->values[in[i]];
        int class = value->wrapped ? 2 : value->type.rank ? 0 : 1;
        lt_dtype own = value->type.dtype;
        if (value->wrapped && lt_dtype_is_float(own)) own = LATHE_F32; /* the default dtype */
        dtype[class] = has[class] ? lt_dtype_promote(dtype[class], own) : own;
        has[class] = true;
    }
    lt_dtype low = combine(dtype[1], has[1], dtype[2], has[2]);
    return combine(dtype[0], has[0], low, has[1] || has[2]);
}

lt_id lt_build_cast(lt_builder *b, lt_id x, lt_dtype dtype)
{
    if (b->status != LATHE_OK || x == LT_NONE) return LT_NONE;
    if (lt_build_dtype(b, x) == dtype && !b->graph->values[x].wrapped) return x;
    lt_attrs attrs = {.dtype = {dtype}};
    return lt_build(b, LT_OP_CAST, &attrs, &x, 1);
}

lt_id lt_build_formula(lt_builder *b, lt_op op, lt_dtype compute, lt_dtype out, const lt_id *in, int n)
{
    lt_attrs attrs = {.elementwise = {.compute = compute, .out = out}};
    return lt_build(b, op, &attrs, in, n);
}

static lt_dtype result_dtype(lt_builder *b, lt_op op, lt_dtype promoted, lt_dtype *compute)
{
    lt_formula_kind kind = lt_op_get(op)->formula;
    *compute = promoted;
    if (kind == LT_FORMULA_FLOAT && !lt_dtype_is_float(promoted)) *compute = LATHE_F32;
    if (kind == LT_FORMULA_BITWISE && lt_dtype_is_float(promoted))
        lt_build_fail(b, LATHE_TYPE, "%s of %s", lt_op_get(op)->name, lathe_dtype_name(promoted));
    return kind == LT_FORMULA_TEST ? LATHE_BOOL : *compute;
}

lt_id lt_build_unary(lt_builder *b, lt_op op, lt_id x)
{
    lt_dtype compute, out = result_dtype(b, op, lt_build_promote(b, &x, 1), &compute);
    return lt_build_formula(b, op, compute, out, &x, 1);
}

/* Half-precision kernels read a number behind the tensor in float32 for * and /; they round it for all
 * others, and before the tensor. */
static bool keeps_number_exact(lt_op op, int operand)
{
    bool product = op == LT_OP_MUL || op == LT_OP_DIV || op == LT_OP_DIV_FLOOR || op == LT_OP_DIV_TRUNC;
    return product && operand == 1;
}

lt_id lt_build_operand(lt_builder *b, lt_id x, lt_dtype dtype)
{
    if (x == LT_NONE) return x;
    lt_dtype own = lt_build_dtype(b, x);
    bool half = lt_dtype_is_half(dtype);
    if (lt_build_rank(b, x) > 0) /* the formula converts it, from a float exactly */
        return half && lt_dtype_is_int(own) && lathe_dtype_size(own) > 1 ? lt_build_cast(b, x, dtype) : x;
    bool wraps = lt_dtype_is_int(dtype) && lathe_dtype_size(own) > lathe_dtype_size(dtype);
    return half || wraps ? lt_build_cast(b, x, dtype) : x;
}

lt_id lt_build_binary(lt_builder *b, lt_op op, lt_id x, lt_id y)
{
    lt_id in[2] = {x, y};
    if (b->status != LATHE_OK || x == LT_NONE || y == LT_NONE) return lt_build(b, op, &(lt_attrs){0}, in, 2);
    lt_dtype compute, out = result_dtype(b, op, lt_build_promote(b, in, 2), &compute);
    for (int i = 0; i < 2; i++)
        if (lt_dtype_is_int(compute) || lt_build_rank(b, in[i]) > 0 || !keeps_number_exact(op, i))
            in[i] = lt_build_operand(b, in[i], compute);
    return lt_build_formula(b, op, compute, out, in, 2);
}

lt_id lt_build_ternary(lt_builder *b, lt_op op, lt_id x, lt_id y, lt_id z)
{
    lt_id in[3] = {x, y, z};
    for (int i = 0; i < 3; i++)
        if (b->status != LATHE_OK || in[i] == LT_NONE) return lt_build(b, op, &(lt_attrs){0}, in, 3);
    lt_dtype compute, out = result_dtype(b, op, lt_build_promote(b, in, 3), &compute);
    for (int i = 0; i < 3; i++) in[i] = lt_build_operand(b, in[i], compute);
    return lt_build_formula(b, op, compute, out, in, 3);
}

lt_id lt_build_wide(lt_builder *b, lt_id x)
{
    lt_dtype dtype = lt_build_dtype(b, x);
    return lt_dtype_is_half(dtype) ? lt_build_cast(b, x, LATHE_F32) : x;
}

lt_id lt_build_where(lt_builder *b, lt_id condition, lt_id x, lt_id y)
{
    lt_dtype dtype = lt_build_promote(b, (lt_id[]){x, y}, 2);
    return lt_build_formula(b, LT_OP_WHERE, dtype, dtype, (lt_id[]){condition, x, y}, 3);
}

static bool same_shape(const lt_type *type, int rank, const int64_t *dim)
{
    return type->rank == rank && (rank == 0 || memcmp(type->dim, dim, (size_t)rank * sizeof *dim) == 0);
}

lt_id lt_build_reshape(lt_builder *b, lt_id x, int rank, const int64_t *dim)
{
    if (b->status != LATHE_OK) return LT_NONE;
    if (rank > LT_MAX_RANK)
        return lt_build_fail(b, LATHE_LIMIT, "rank %d, at most %d is supported", rank, LT_MAX_RANK);
    lt_attrs attrs = {.reshape = {.rank = rank}};
    const lt_type *type = lt_build_type(b, x);
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < rank; i++) {
        attrs.reshape.dim[i] = dim[i];
        if (dim[i] == -1 && open < 0) open = i;
        else if (dim[i] < 0 || !lt_mul_i64(known, dim[i], &known))
            return lt_build_fail(b, LATHE_TYPE, "size %lld in a new shape", (long long)dim[i]);
    }
    if (open >= 0) {
        int64_t count = lt_type_count(type);
        if (known == 0 || count % known != 0)
            return lt_build_fail(b, LATHE_TYPE, "%lld elements do not divide by %lld", (long long)count,
                                 (long long)known);
        attrs.reshape.dim[open] = count / known;
    }
    if (same_shape(type, rank, attrs.reshape.dim)) return x;
    return lt_build(b, LT_OP_RESHAPE, &attrs, &x, 1);
}

lt_id lt_build_permute(lt_builder *b, lt_id x, const int *dims)
{
    lt_attrs attrs = {0};
    bool same = true;
    for (int i = 0; i < lt_build_rank(b, x); i++) {
        attrs.permute.dim[i] = dims[i];
        same = same && dims[i] == i;
    }
    return same ? x : lt_build(b, LT_OP_PERMUTE, &attrs, &x, 1);
}

lt_id lt_build_transpose(lt_builder *b, lt_id x, int64_t dim0, int64_t dim1)
{
    int rank = lt_build_rank(b, x), dims[LT_MAX_RANK];
    int d0 = lt_build_dim(b, dim0, rank), d1 = lt_build_dim(b, dim1, rank);
    if (rank == 0) return x;
    for (int i = 0; i < rank; i++) dims[i] = i == d0 ? d1 : i == d1 ? d0 : i;
    return lt_build_permute(b, x, dims);
}

lt_id lt_build_slice(lt_builder *b, lt_id x, int64_t dim, int64_t start, int64_t end, int64_t step)
{
    int d = lt_build_dim(b, dim, lt_build_rank(b, x));
    int64_t size = lt_build_size(b, x, d);
    if (step <= 0)
        return lt_build_fail(b, LATHE_TYPE, "slice step %lld, expected at least 1", (long long)step);
    if (start < 0) start = start < -size ? 0 : start + size;
    if (end < 0) end = end < -size ? 0 : end + size;
    start = lt_min_i64(start, size);
    end = lt_max_i64(start, lt_min_i64(end, size));
    if (start == 0 && end == size && step == 1) return x;
    int64_t length = end - start; /* at most size, so rounding up cannot overflow when step is clamped too */
    step = lt_min_i64(step, lt_max_i64(size, 1));
    lt_attrs attrs = {.slice = {.dim = d, .start = start, .count = (length + step - 1) / step, .step = step}};
    return lt_build(b, LT_OP_SLICE, &attrs, &x, 1);
}

lt_id lt_build_select(lt_builder *b, lt_id x, int64_t dim, int64_t index)
{
    lt_type type = *lt_build_type(b, x);
    int d = lt_build_dim(b, dim, type.rank);
    if (type.rank == 0) return lt_build_fail(b, LATHE_TYPE, "select on a tensor without dims");
    if (index < -type.dim[d] || index >= type.dim[d])
        return lt_build_fail(b, LATHE_TYPE, "index %lld of a dimension of size %lld", (long long)index,
                             (long long)type.dim[d]);
    if (index < 0) index += type.dim[d];
    lt_id one = lt_build_slice(b, x, d, index, index + 1, 1);
    for (int i = d; i + 1 < type.rank; i++) type.dim[i] = type.dim[i + 1];
    return lt_build_reshape(b, one, type.rank - 1, type.dim);
}

lt_id lt_build_expand(lt_builder *b, lt_id x, int rank, const int64_t *dim)
{
    const lt_type *type = lt_build_type(b, x);
    if (rank > LT_MAX_RANK || rank < type->rank)
        return lt_build_fail(b, LATHE_TYPE, "expand from rank %d to rank %d", type->rank, rank);
    lt_attrs attrs = {.reshape = {.rank = rank}};
    for (int i = 0; i < rank; i++) {
        int own = i - (rank - type->rank);
        attrs.reshape.dim[i] = dim[i] == -1 && own >= 0 ? type->dim[own] : dim[i];
    }
    if (same_shape(type, rank, attrs.reshape.dim)) return x;
    return lt_build(b, LT_OP_EXPAND, &attrs, &x, 1);
}

lt_id lt_build_unsqueeze(lt_builder *b, lt_id x, int64_t dim)
{
    lt_type type = *lt_build_type(b, x);
    if (type.rank == LT_MAX_RANK)
        return lt_build_fail(b, LATHE_LIMIT, "rank %d, at most %d is supported", type.rank + 1, LT_MAX_RANK);
    int d = lt_build_dim(b, dim, type.rank + 1);
    for (int i = type.rank; i > d; i--) type.dim[i] = type.dim[i - 1];
    type.dim[d] = 1;
    return lt_build_reshape(b, x, type.rank + 1, type.dim);
}

lt_id lt_build_squeeze(lt_builder *b, lt_id x, int64_t dim)
{
    lt_type type = *lt_build_type(b, x);
    int d = lt_build_dim(b, dim, type.rank);
    if (type.rank == 0 || type.dim[d] != 1) return x;
    for (int i = d; i + 1 < type.rank; i++) type.dim[i] = type.dim[i + 1];
    return lt_build_reshape(b, x, type.rank - 1, type.dim);
}

lt_id lt_build_reduce(lt_builder *b, lt_op op, lt_id x, const bool *dims, bool keepdim, lt_dtype dtype)
{
    lt_attrs attrs = {.reduce = {.keepdim = keepdim, .dtype = dtype}};
    for (int i = 0; i < lt_build_rank(b, x); i++) attrs.reduce.dims[i] = dims[i];
    return lt_build(b, op, &attrs, &x, 1);
}

/* Gives x the batch dims of both operands. */
static lt_id expand_batch(lt_builder *b, lt_id x, const lt_type *batch)
{
    const lt_type *type = lt_build_type(b, x);
    int64_t dim[LT_MAX_RANK];
    for (int i = 0; i < batch->rank; i++) dim[i] = batch->dim[i];
    if (type->rank < 2 || batch->rank + 2 > LT_MAX_RANK) return x;
    dim[batch->rank] = type->dim[type->rank - 2];
    dim[batch->rank + 1] = type->dim[type->rank - 1];
    return lt_build_expand(b, x, batch->rank + 2, dim);
}

static lt_id batched_product(lt_builder *b, lt_id x, lt_id y, const lt_attrs *attrs)
{
    lt_type batch = *lt_build_type(b, x), other = *lt_build_type(b, y);
    batch.rank -= 2;
    other.rank -= 2;
    if (b->status == LATHE_OK) b->status = lt_broadcast(&batch, &other, b->err);
    lt_id in[2] = {expand_batch(b, x, &batch), expand_batch(b, y, &batch)};
    return lt_build(b, LT_OP_MATMUL, attrs, in, 2);
}

static lt_id product(lt_builder *b, lt_id x, lt_id y, bool wide)
{
    lt_attrs attrs = {.matmul = {.wide = wide}};
    int rank_x = lt_build_rank(b, x), rank_y = lt_build_rank(b, y);
    if (rank_x < 1 || rank_y < 1) return lt_build_fail(b, LATHE_TYPE, "matmul of a tensor without dims");
    if (rank_y == 1) return lt_build_squeeze(b, product(b, x, lt_build_unsqueeze(b, y, 1), wide), -1);
    if (rank_y == 2)
        return lt_build(b, LT_OP_LINEAR, &attrs, (lt_id[]){x, lt_build_transpose(b, y, 0, 1)}, 2);
    if (rank_x > 1) return batched_product(b, x, y, &attrs);
    return lt_build_squeeze(b, batched_product(b, lt_build_unsqueeze(b, x, 0), y, &attrs), -2);
}

lt_id lt_build_matmul(lt_builder *b, lt_id x, lt_id y) { return product(b, x, y, false); }
lt_id lt_build_matmul_wide(lt_builder *b, lt_id x, lt_id y) { return product(b, x, y, true); }

lt_id lt_build_linear(lt_builder *b, lt_id x, lt_id weight, lt_id bias)
{
    lt_id in[3] = {x, weight, bias};
    return lt_build(b, LT_OP_LINEAR, &(lt_attrs){0}, in, bias == LT_NONE ? 2 : 3);
}
