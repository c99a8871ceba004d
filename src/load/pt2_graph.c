/* Reader of graphs in the exported-program schema, version 8. Unknown fields are ignored, unknown union
 * members refused. */
#include "load/pt2_graph.h"

#include <string.h>

enum { MAX_REGIONS = 16 };

/* torch's serialisation codes; not those of c10::ScalarType. */
static const struct {
    int64_t code;
    lt_dtype dtype;
    const char *name;
} dtypes[] = {
    {1, LATHE_U8, "uint8"},
    {2, LATHE_I8, "int8"},
    {3, LATHE_I16, "int16"},
    {4, LATHE_I32, "int32"},
    {5, LATHE_I64, "int64"},
    {6, LATHE_F16, "float16"},
    {7, LATHE_F32, "float32"},
    {8, LATHE_F64, "float64"},
    {12, LATHE_BOOL, "bool"},
    {13, LATHE_BF16, "bfloat16"},
    {9, LATHE_DTYPE_COUNT, "complex32"},
    {10, LATHE_DTYPE_COUNT, "complex64"},
    {11, LATHE_DTYPE_COUNT, "complex128"},
    {28, LATHE_DTYPE_COUNT, "uint16"},
    {29, LATHE_DTYPE_COUNT, "float8_e4m3fn"},
    {30, LATHE_DTYPE_COUNT, "float8_e5m2"},
    {31, LATHE_DTYPE_COUNT, "float8_e4m3fnuz"},
    {32, LATHE_DTYPE_COUNT, "float8_e5m2fnuz"},
    {33, LATHE_DTYPE_COUNT, "float8_e8m0fnu"},
    {34, LATHE_DTYPE_COUNT, "uint32"},
    {35, LATHE_DTYPE_COUNT, "uint64"},
};

static lt_dtype dtype_from_code(int64_t code, const char **name)
{
    for (size_t i = 0; i < LT_COUNT(dtypes); i++)
        if (dtypes[i].code == code) {
            *name = dtypes[i].name;
            return dtypes[i].dtype;
        }
    *name = "of an unknown code";
    return LATHE_DTYPE_COUNT;
}

lathe_status lt_pt2_copy_text(lt_pt2_reader *r, const char *text, const char **out)
{
    *out = lt_arena_strdup(r->arena, text);
    return *out ? LATHE_OK : lt_out_of_memory(r->err, 1, strlen(text));
}

/* ---- Symbols ---- */

static lathe_status intern_symbol(void *context, const char *name, uint32_t *index, lathe_error *err)
{
    lt_exported *x = context;
    *index = lt_map_get(&x->symbol_of, name);
    if (*index != LT_NONE) return LATHE_OK;
    LT_GROW(x->arena, x->symbols, x->n_symbols, x->cap_symbols, err);
    *index = x->n_symbols++;
    x->symbols[*index] = (lt_symbol){.name = lt_arena_strdup(x->arena, name), .min = 0, .max = INT64_MAX};
    if (!x->symbols[*index].name) return lt_out_of_memory(err, 1, strlen(name));
    return lt_map_put(&x->symbol_of, name, *index, err);
}

/* {"as_int": 3} or {"as_expr": {"expr_str": …}}. */
static lathe_status read_dim(lt_pt2_reader *r, const lt_json *json, lt_xdim *out)
{
    const char *tag, *text;
    const lt_json *value = NULL;
    LT_TRY(lt_json_union(json, &tag, &value, r->err));
    *out = (lt_xdim){0};
    if (strcmp(tag, "as_int") == 0 && lt_json_is(value, LT_JSON_INTEGER)) {
        out->value = lt_json_integer(value);
        return LATHE_OK;
    }
    if (strcmp(tag, "as_expr") != 0) LT_FAIL(r->err, FORMAT, "size of kind '%s'", tag);
    LT_TRY(lt_json_get_string(value, "expr_str", &text, r->err));
    return lt_expr_parse(r->arena, text, &(lt_symbols){r->x, intern_symbol}, &out->expr, r->err);
}

static lathe_status read_dims(lt_pt2_reader *r, const lt_json *json, const char *key, lt_xdim *out, int *rank)
{
    const lt_json *array, *item;
    size_t i;
    LT_TRY(lt_json_get_array(json, key, &array, r->err));
    if (lt_json_count(array) > LT_MAX_RANK)
        LT_FAIL(r->err, LIMIT, "rank %zu, at most %d is supported", lt_json_count(array), LT_MAX_RANK);
    *rank = (int)lt_json_count(array);
    lt_json_foreach (array, i, item) LT_TRY_NOTE(read_dim(r, item, &out[i]), r->err, "%s[%zu]", key, i);
    return LATHE_OK;
}

static lathe_status read_type(lt_pt2_reader *r, const lt_json *json, lt_xtype *out)
{
    int64_t code, layout = 7;
    LT_TRY(lt_json_get_int(json, "dtype", &code, r->err));
    if (lt_json_member(json, "layout")) LT_TRY(lt_json_get_int(json, "layout", &layout, r->err));
    if (layout != 7)
        LT_FAIL(r->err, UNSUPPORTED, "layout %lld: only strided tensors are supported", (long long)layout);
    out->dtype = dtype_from_code(code, &out->dtype_name);
    int n_strides;
    LT_TRY(read_dims(r, json, "sizes", out->dim, &out->rank));
    LT_TRY(read_dims(r, json, "strides", out->stride, &n_strides));
    if (n_strides != out->rank) LT_FAIL(r->err, FORMAT, "%d strides for rank %d", n_strides, out->rank);
    out->has_strides = true;
    return LATHE_OK;
}

/* Complex weights are floats with one more dim: of real and imaginary part. */
static lathe_status pair_numbers(lt_xweight *weight, lathe_error *err)
{
    int rank = weight->type.rank++;
    bool fits = rank < LT_MAX_RANK && lt_mul_i64(weight->offset, 2, &weight->offset);
    if (!fits) LT_FAIL(err, LIMIT, "rank or offset of complex numbers");
    for (int i = 0; i < rank; i++)
        if (!lt_mul_i64(weight->stride[i], 2, &weight->stride[i])) LT_FAIL(err, LIMIT, "stride[%d]", i);
    weight->type.dim[rank] = 2;
    weight->stride[rank] = 1;
    return LATHE_OK;
}

lathe_status lt_pt2_read_weight_type(const lt_json *meta, lt_arena *arena, lt_xweight *weight, bool *is_meta,
                                     lathe_error *err)
{
    lt_exported none = {.arena = arena, .symbol_of = {.arena = arena}}; /* symbols are refused below */
    lt_pt2_reader r = {.err = err, .arena = arena, .x = &none};
    lt_xtype type = {0};
    lt_xdim offset = {0};
    const lt_json *value;
    const char *device;
    LT_TRY(read_type(&r, meta, &type));
    lt_dtype part = lt_dtype_of_complex(type.dtype_name);
    if (type.dtype == LATHE_DTYPE_COUNT && part == LATHE_DTYPE_COUNT)
        LT_FAIL(err, UNSUPPORTED, "dtype %s", type.dtype_name);
    LT_TRY(lt_json_get_object(meta, "storage_offset", &value, err));
    LT_TRY_NOTE(read_dim(&r, value, &offset), err, "storage_offset");
    LT_TRY(lt_json_get_object(meta, "device", &value, err));
    LT_TRY(lt_json_get_string(value, "type", &device, err));
    *is_meta = strcmp(device, "meta") == 0;
    weight->type = (lt_type){.dtype = part < LATHE_DTYPE_COUNT ? part : type.dtype, .rank = type.rank};
    weight->offset = offset.value;
    bool symbolic = offset.expr != NULL;
    for (int i = 0; i < type.rank; i++) {
        symbolic = symbolic || type.dim[i].expr || type.stride[i].expr;
        weight->type.dim[i] = type.dim[i].value;
        weight->stride[i] = type.stride[i].value;
    }
    if (symbolic) LT_FAIL(err, FORMAT, "a weight with symbolic sizes");
    if (part < LATHE_DTYPE_COUNT) LT_TRY(pair_numbers(weight, err));
    return lt_type_check(&weight->type, "weight", err);
}

/* ---- Arguments ---- */

static lathe_status read_name(lt_pt2_reader *r, const lt_json *object, const char *key, lt_arg *out)
{
    const char *name;
    LT_TRY(lt_json_get_string(object, key, &name, r->err));
    *out = (lt_arg){.kind = LT_ARG_NAME};
    return lt_pt2_copy_text(r, name, &out->text);
}

typedef lathe_status (*lt_read_item)(lt_pt2_reader *r, const lt_json *value, lt_arg *out);

static lathe_status read_list(lt_pt2_reader *r, const lt_json *value, lt_read_item read_item, lt_arg *out)
{
    size_t i;
    const lt_json *item;
    if (!lt_json_is(value, LT_JSON_ARRAY))
        LT_FAIL(r->err, FORMAT, "found %s, expected an array", lt_json_type_name(value));
    *out = (lt_arg){.kind = LT_ARG_LIST};
    LT_ALLOC(r->arena, out->list.items, lt_json_count(value), r->err);
    out->list.n = (uint32_t)lt_json_count(value);
    lt_json_foreach (value, i, item) LT_TRY_NOTE(read_item(r, item, &out->list.items[i]), r->err, "[%zu]", i);
    return LATHE_OK;
}

static lathe_status read_tensor(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    return read_name(r, value, "name", out);
}

static lathe_status read_int(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    if (!lt_json_is(value, LT_JSON_INTEGER))
        LT_FAIL(r->err, FORMAT, "found %s, expected an integer", lt_json_type_name(value));
    *out = (lt_arg){.kind = LT_ARG_INT, .i = lt_json_integer(value)};
    return LATHE_OK;
}

static lathe_status read_float(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    *out = (lt_arg){.kind = LT_ARG_FLOAT};
    return lt_json_number(value, &out->f, r->err);
}

static lathe_status read_bool(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    if (!lt_json_is(value, LT_JSON_BOOL))
        LT_FAIL(r->err, FORMAT, "found %s, expected a boolean", lt_json_type_name(value));
    *out = (lt_arg){.kind = LT_ARG_BOOL, .b = lt_json_true(value)};
    return LATHE_OK;
}

static lathe_status read_string(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    if (!lt_json_is(value, LT_JSON_STRING))
        LT_FAIL(r->err, FORMAT, "found %s, expected a string", lt_json_type_name(value));
    *out = (lt_arg){.kind = LT_ARG_STRING};
    return lt_pt2_copy_text(r, lt_json_text(value), &out->text);
}

/* {"as_name": …} or {"as_int"|"as_float"|"as_bool": …}: a Python number that may be symbolic. */
static lathe_status read_symbolic(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    const char *tag;
    const lt_json *inner = NULL;
    LT_TRY(lt_json_union(value, &tag, &inner, r->err));
    if (strcmp(tag, "as_name") == 0) return read_name(r, value, "as_name", out);
    if (strcmp(tag, "as_int") == 0) return read_int(r, inner, out);
    if (strcmp(tag, "as_float") == 0) return read_float(r, inner, out);
    if (strcmp(tag, "as_bool") == 0) return read_bool(r, inner, out);
    LT_FAIL(r->err, FORMAT, "number of kind '%s'", tag);
}

static lathe_status read_dtype(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    const char *name;
    if (!lt_json_is(value, LT_JSON_INTEGER))
        LT_FAIL(r->err, FORMAT, "found %s, expected a dtype code", lt_json_type_name(value));
    *out = (lt_arg){.kind = LT_ARG_DTYPE, .dtype = dtype_from_code(lt_json_integer(value), &name)};
    return LATHE_OK;
}

static lathe_status read_optional_tensor(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    const char *tag;
    const lt_json *inner = NULL;
    LT_TRY(lt_json_union(value, &tag, &inner, r->err));
    *out = (lt_arg){.kind = LT_ARG_NONE};
    if (strcmp(tag, "as_tensor") == 0) return read_tensor(r, inner, out);
    if (strcmp(tag, "as_none") != 0) LT_FAIL(r->err, FORMAT, "optional tensor of kind '%s'", tag);
    return LATHE_OK;
}

static lathe_status read_none(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    (void)r, (void)value;
    *out = (lt_arg){.kind = LT_ARG_NONE};
    return LATHE_OK;
}

/* What lathe has no use for, and refuses where an operator wants it: `text` says what it is. */
static lathe_status read_other(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    (void)r, (void)value;
    *out = (lt_arg){.kind = LT_ARG_OTHER};
    return LATHE_OK;
}

static lathe_status read_custom(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    const char *class = lt_json_text(lt_json_member(value, "class_fqn"));
    *out = (lt_arg){.kind = LT_ARG_OTHER};
    out->text = lt_arena_printf(r->arena, "a custom object of class %s", class ? class : "?");
    return out->text ? LATHE_OK : lt_out_of_memory(r->err, 1, 1);
}

static lathe_status read_complex(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    (void)r, (void)value;
    *out = (lt_arg){.kind = LT_ARG_OTHER, .text = "a complex number"};
    return LATHE_OK;
}

static lathe_status read_dict(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    (void)r, (void)value;
    *out = (lt_arg){.kind = LT_ARG_OTHER, .text = "a dict"};
    return LATHE_OK;
}

static lathe_status read_tensors(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    return read_list(r, value, read_tensor, out);
}
static lathe_status read_ints(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    return read_list(r, value, read_int, out);
}
static lathe_status read_floats(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    return read_list(r, value, read_float, out);
}

static lathe_status read_region(lt_pt2_reader *r, const lt_json *value, lt_arg *out)
{
    const lt_json *body;
    lt_xgraph *graph;
    if (++r->depth > MAX_REGIONS) LT_FAIL(r->err, LIMIT, "regions are nested more than %d deep", MAX_REGIONS);
    LT_TRY(lt_json_get_object(value, "graph", &body, r->err));
    LT_ALLOC(r->arena, graph, 1, r->err);
    LT_TRY_NOTE(lt_pt2_read_graph(r, body, graph), r->err, "region");
    *out = (lt_arg){.kind = LT_ARG_GRAPH, .graph = graph};
    r->depth--;
    return LATHE_OK;
}

static const struct {
    const char *tag;
    lt_read_item read;
    bool list;
} arguments[] = {
    {"as_tensor", read_tensor, false},
    {"as_tensors", read_tensor, true},
    {"as_optional_tensors", read_optional_tensor, true},
    {"as_optional_tensor", read_optional_tensor, false},
    {"as_int", read_int, false},
    {"as_ints", read_int, true},
    {"as_float", read_float, false},
    {"as_floats", read_float, true},
    {"as_bool", read_bool, false},
    {"as_bools", read_bool, true},
    {"as_string", read_string, false},
    {"as_strings", read_string, true},
    {"as_sym_int", read_symbolic, false},
    {"as_sym_ints", read_symbolic, true},
    {"as_sym_float", read_symbolic, false},
    {"as_sym_floats", read_symbolic, true},
    {"as_sym_bool", read_symbolic, false},
    {"as_sym_bools", read_symbolic, true},
    {"as_scalar_type", read_dtype, false},
    {"as_none", read_none, false},
    {"as_device", read_other, false},
    {"as_layout", read_other, false},
    {"as_memory_format", read_other, false},
    {"as_nested_tensors", read_tensors, true},
    {"as_int_lists", read_ints, true},
    {"as_float_lists", read_floats, true},
    {"as_operator", read_string, false},
    {"as_custom_obj", read_custom, false},
    {"as_complex", read_complex, false},
    {"as_string_to_argument", read_dict, false},
    {"as_graph", read_region, false},
};

lathe_status lt_pt2_read_argument(lt_pt2_reader *r, const lt_json *json, lt_arg *out)
{
    const char *tag;
    const lt_json *value = NULL;
    LT_TRY(lt_json_union(json, &tag, &value, r->err));
    for (size_t i = 0; i < LT_COUNT(arguments); i++)
        if (strcmp(arguments[i].tag, tag) == 0)
            return arguments[i].list ? read_list(r, value, arguments[i].read, out)
                                     : arguments[i].read(r, value, out);
    LT_FAIL(r->err, UNSUPPORTED, "argument of kind '%s'", tag);
}

/* ---- Nodes ---- */

lathe_status lt_pt2_optional_text(lt_pt2_reader *r, const lt_json *object, const char *key, const char **out)
{
    const char *text = lt_json_text(lt_json_member(object, key));
    *out = NULL;
    return text ? lt_pt2_copy_text(r, text, out) : LATHE_OK;
}

static lathe_status read_node_args(lt_pt2_reader *r, const lt_json *json, lt_xnode *node)
{
    const lt_json *inputs, *outputs, *item, *arg;
    size_t i;
    LT_TRY(lt_json_get_array(json, "inputs", &inputs, r->err));
    LT_TRY(lt_json_get_array(json, "outputs", &outputs, r->err));
    LT_ALLOC(r->arena, node->args, lt_json_count(inputs), r->err);
    LT_ALLOC(r->arena, node->outs, lt_json_count(outputs), r->err);
    node->n_args = (uint32_t)lt_json_count(inputs);
    node->n_outs = (uint32_t)lt_json_count(outputs);
    lt_json_foreach (inputs, i, item) {
        lt_xarg *to = &node->args[i];
        LT_TRY(lt_pt2_optional_text(r, item, "name", &to->name));
        if (to->name && !*to->name) to->name = NULL;
        LT_TRY(lt_json_get_object(item, "arg", &arg, r->err));
        LT_TRY_NOTE(lt_pt2_read_argument(r, arg, &to->arg), r->err, "argument '%s'",
                    to->name ? to->name : "?");
    }
    lt_json_foreach (outputs, i, item)
        LT_TRY_NOTE(lt_pt2_read_argument(r, item, &node->outs[i]), r->err, "output %zu", i);
    return LATHE_OK;
}

static lathe_status read_node(lt_pt2_reader *r, const lt_json *json, lt_xnode *node)
{
    const char *target, *name;
    LT_TRY(lt_json_get_string(json, "target", &target, r->err));
    if (lt_str_starts_with(target, "torch.ops.")) target += 10;
    LT_TRY(lt_pt2_copy_text(r, target, &node->target));
    name = lt_json_text(lt_json_member(json, "name"));
    LT_TRY(lt_pt2_copy_text(r, name ? name : target, &node->name));
    LT_TRY_NOTE(read_node_args(r, json, node), r->err, "node '%s' (%s)", node->name, node->target);
    const lt_json *metadata = lt_json_member(json, "metadata");
    if (metadata)
        node->metadata =
            (lt_xmetadata){.text = r->text + metadata->begin, .length = metadata->end - metadata->begin};
    return LATHE_OK;
}

static lathe_status read_tensor_values(lt_pt2_reader *r, const lt_json *json, lt_xgraph *graph)
{
    const lt_json *values, *value;
    size_t i;
    LT_TRY(lt_json_get_object(json, "tensor_values", &values, r->err));
    graph->type_of.arena = r->arena;
    LT_ALLOC(r->arena, graph->types, lt_json_count(values), r->err);
    lt_json_foreach (values, i, value) {
        LT_TRY_NOTE(read_type(r, value, &graph->types[graph->n_types]), r->err, "tensor_values '%s'",
                    value->key);
        LT_TRY(lt_map_put(&graph->type_of, value->key, graph->n_types++, r->err));
    }
    return LATHE_OK;
}

lathe_status lt_pt2_read_graph(lt_pt2_reader *r, const lt_json *json, lt_xgraph *graph)
{
    const lt_json *nodes, *inputs, *outputs, *item;
    size_t i;
    LT_TRY(read_tensor_values(r, json, graph));
    LT_TRY(lt_json_get_array(json, "nodes", &nodes, r->err));
    LT_TRY(lt_json_get_array(json, "inputs", &inputs, r->err));
    LT_TRY(lt_json_get_array(json, "outputs", &outputs, r->err));
    LT_ALLOC(r->arena, graph->nodes, lt_json_count(nodes), r->err);
    LT_ALLOC(r->arena, graph->inputs, lt_json_count(inputs), r->err);
    LT_ALLOC(r->arena, graph->outputs, lt_json_count(outputs), r->err);
    graph->n_nodes = (uint32_t)lt_json_count(nodes);
    graph->n_inputs = (uint32_t)lt_json_count(inputs);
    graph->n_outputs = (uint32_t)lt_json_count(outputs);
    lt_json_foreach (nodes, i, item)
        LT_TRY_NOTE(read_node(r, item, &graph->nodes[i]), r->err, "nodes[%zu]", i);
    lt_json_foreach (inputs, i, item) {
        lt_arg arg;
        LT_TRY_NOTE(lt_pt2_read_argument(r, item, &arg), r->err, "graph input %zu", i);
        graph->inputs[i] = arg.kind == LT_ARG_NAME ? arg.text : NULL;
    }
    lt_json_foreach (outputs, i, item)
        LT_TRY_NOTE(lt_pt2_read_argument(r, item, &graph->outputs[i]), r->err, "graph output %zu", i);
    return LATHE_OK;
}
