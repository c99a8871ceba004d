/* Reader of pytorch-ir JSON. What the format leaves out (defaults, parameters' names of tensors, bodies of
 * regions) is not guessed here. */
#include "load/irjson.h"

#include <string.h>

#include "base/json.h"
#include "load/irjson_constants.h"

enum { MAX_ATTR_DEPTH = 4 };

/* The outputs of one node, or a graph input: edges name a producer and the number of its output. */
typedef struct lt_producer {
    const char **values; /* [n]: names of the values */
    uint32_t n;
    bool single; /* the node gives one tensor, which has the node's own name */
} lt_producer;

typedef struct lt_ir_reader {
    lt_exported *x;
    lt_arena *arena;
    lathe_error *err;
    lt_producer *producers;
    lt_map producer_of;   /* node or input name → index in producers */
    lt_map named;         /* recorded tensor name → index in x->graph.types */
    const char **written; /* [n_types]: the name of each value */
    lt_map key_of;        /* placeholder → index in x->weights, or LT_NONE - 1 when it has no usable type */
    uint32_t n_producers, cap_producers, cap_types, cap_written, cap_inputs, cap_weights;
} lt_ir_reader;

static lathe_status copy_text(lt_ir_reader *r, const char *text, const char **out)
{
    *out = lt_arena_strdup(r->arena, text);
    return *out ? LATHE_OK : lt_out_of_memory(r->err, 1, strlen(text));
}

/* ---- Tensors ---- */

static lathe_status read_type(lt_ir_reader *r, const lt_json *json, lt_xtype *out)
{
    const lt_json *shape, *size;
    size_t i;
    const char *dtype = "float32";
    if (lt_json_member(json, "dtype")) LT_TRY(lt_json_get_string(json, "dtype", &dtype, r->err));
    *out = (lt_xtype){.dtype = lt_dtype_from_name(dtype)};
    LT_TRY(copy_text(r, dtype, &out->dtype_name));
    LT_TRY(lt_json_get_array(json, "shape", &shape, r->err));
    if (lt_json_count(shape) > LT_MAX_RANK)
        LT_FAIL(r->err, LIMIT, "field 'shape': rank %zu, at most %d is supported", lt_json_count(shape),
                LT_MAX_RANK);
    out->rank = (int)lt_json_count(shape);
    lt_json_foreach (shape, i, size) {
        if (!lt_json_is(size, LT_JSON_INTEGER) || lt_json_integer(size) < 0)
            LT_FAIL(r->err, FORMAT, "shape[%zu] is %s, expected a size", i, lt_json_type_name(size));
        out->dim[i].value = lt_json_integer(size);
    }
    return LATHE_OK;
}

/* Records a value. Outputs of tuples may be called what another node is called ("max_1"): such a value gets a
 * name of its own. */
static lathe_status add_value(lt_ir_reader *r, const lt_json *json, const char *node, uint32_t output,
                              const char **out)
{
    const char *recorded;
    lt_xgraph *graph = &r->x->graph;
    LT_TRY(lt_json_get_string(json, "name", &recorded, r->err));
    LT_GROW(r->arena, graph->types, graph->n_types, r->cap_types, r->err);
    lt_xtype *type = &graph->types[graph->n_types];
    LT_TRY_NOTE(read_type(r, json, type), r->err, "tensor '%s'", recorded);
    *out = lt_map_get(&graph->type_of, recorded) == LT_NONE
               ? lt_arena_strdup(r->arena, recorded)
               : lt_arena_printf(r->arena, "%s[%u]", node, output);
    if (!*out) return lt_out_of_memory(r->err, 1, strlen(recorded));
    return lt_map_put(&graph->type_of, *out, graph->n_types++, r->err);
}

static lathe_status add_producer(lt_ir_reader *r, const char *name, const lt_producer *producer)
{
    if (lt_map_get(&r->producer_of, name) != LT_NONE)
        LT_FAIL(r->err, FORMAT, "there are two nodes or inputs named '%s'", name);
    LT_GROW(r->arena, r->producers, r->n_producers, r->cap_producers, r->err);
    r->producers[r->n_producers] = *producer;
    return lt_map_put(&r->producer_of, name, r->n_producers++, r->err);
}

/* ---- Inputs and weights ---- */

static lathe_status add_input(lt_ir_reader *r, const lt_xinput *input)
{
    lt_exported *x = r->x;
    LT_GROW(r->arena, x->inputs, x->n_inputs, r->cap_inputs, r->err);
    x->inputs[x->n_inputs++] = *input;
    return LATHE_OK;
}

static lathe_status read_input(lt_ir_reader *r, const lt_json *json)
{
    lt_producer producer = {.n = 1, .single = true};
    LT_ALLOC(r->arena, producer.values, 1, r->err);
    LT_TRY(add_value(r, json, "input", r->x->n_inputs, &producer.values[0]));
    LT_TRY(add_producer(r, producer.values[0], &producer));
    return add_input(r, &(lt_xinput){.kind = LT_X_USER_INPUT,
                                     .name = producer.values[0],
                                     .label = producer.values[0],
                                     .literal = {.kind = LT_ARG_NAME, .text = producer.values[0]}});
}

/* Everything in the export's signature is listed, used or not; only names and types are. */
static lathe_status read_weight(lt_ir_reader *r, const lt_json *json)
{
    const char *name;
    lt_xtype type;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_string(json, "name", &name, r->err));
    LT_TRY_NOTE(read_type(r, json, &type), r->err, "weight '%s'", name);
    if (type.dtype == LATHE_DTYPE_COUNT) return LATHE_OK; /* refused where it is used */
    lt_xweight weight = {.type = {.dtype = type.dtype, .rank = type.rank}, .record = LT_NONE};
    for (int i = 0; i < type.rank; i++) weight.type.dim[i] = type.dim[i].value;
    LT_TRY_NOTE(lt_type_check(&weight.type, "its shape", r->err), r->err, "weight '%s'", name);
    lt_contiguous_strides(type.rank, weight.type.dim, weight.stride);
    uint32_t known = lt_map_get(&x->weight_of, name);
    if (known != LT_NONE) {
        if (lt_type_equal(&x->weights[known].type, &weight.type)) return LATHE_OK;
        LT_FAIL(r->err, FORMAT, "weight '%s' is listed twice with different shapes or dtypes", name);
    }
    if (lt_type_count(&weight.type) == 0) weight.data = ""; /* nothing to read */
    LT_TRY(copy_text(r, name, &weight.name));
    LT_GROW(r->arena, x->weights, x->n_weights, r->cap_weights, r->err);
    x->weights[x->n_weights] = weight;
    return lt_map_put(&x->weight_of, name, x->n_weights++, r->err);
}

/* A placeholder: p_ parameters, b_ buffers, c_ lifted constants. */
static lathe_status read_mapping(lt_ir_reader *r, const char *placeholder, const lt_json *json)
{
    const char *key = lt_json_text(json);
    if (!key)
        LT_FAIL(r->err, FORMAT, "weight_name_mapping '%s' is %s, expected a string", placeholder,
                lt_json_type_name(json));
    uint32_t weight = lt_map_get(&r->x->weight_of, key);
    if (weight == LT_NONE) return LATHE_OK; /* refused where it is used */
    if (lt_map_get(&r->x->graph.type_of, placeholder) != LT_NONE)
        LT_FAIL(r->err, FORMAT, "weight_name_mapping '%s' is also an input", placeholder);
    lt_xinput input = {
        .kind = LT_X_WEIGHT, .weight = weight, .is_buffer = lt_str_starts_with(placeholder, "b_")};
    LT_TRY(copy_text(r, placeholder, &input.name));
    input.label = r->x->weights[weight].name;
    if (lt_str_starts_with(placeholder, "c_")) r->x->weights[weight].is_constant = true;
    LT_TRY(lt_map_put(&r->key_of, placeholder, weight, r->err));
    return add_input(r, &input);
}

static lathe_status read_signature(lt_ir_reader *r, const lt_json *root)
{
    const lt_json *list, *item;
    size_t i;
    LT_TRY(lt_json_get_array(root, "graph_inputs", &list, r->err));
    lt_json_foreach (list, i, item) LT_TRY_NOTE(read_input(r, item), r->err, "graph_inputs[%zu]", i);
    LT_TRY(lt_json_get_array(root, "weights", &list, r->err));
    lt_json_foreach (list, i, item) LT_TRY_NOTE(read_weight(r, item), r->err, "weights[%zu]", i);
    LT_TRY(lt_json_get_object(root, "weight_name_mapping", &list, r->err));
    lt_json_foreach (list, i, item) LT_TRY(read_mapping(r, item->key, item));
    list = lt_json_member(root, "constants");
    lt_json_foreach (list, i, item) {
        uint32_t weight = lt_map_get(&r->x->weight_of, item->key);
        if (weight != LT_NONE)
            LT_TRY_NOTE(lt_irjson_read_constant(item, r->arena, &r->x->weights[weight], r->err), r->err,
                        "constants '%s'", item->key);
    }
    return LATHE_OK;
}

/* ---- Attributes ---- */

/* Python objects were written as their str(): "torch.float32", "torch.strided". */
static lt_arg read_string(lt_ir_reader *r, const char *text)
{
    static const char *const others[] = {"strided", "sparse",  "jagged",     "_mkldnn",
                                         "channel", "_format", "contiguous", "preserve_format"};
    if (!lt_str_starts_with(text, "torch.")) {
        const char *copy = lt_arena_strdup(r->arena, text);
        return (lt_arg){.kind = copy ? LT_ARG_STRING : LT_ARG_NONE, .text = copy};
    }
    for (size_t i = 0; i < LT_COUNT(others); i++)
        if (strstr(text, others[i])) return (lt_arg){.kind = LT_ARG_OTHER};
    return (lt_arg){.kind = LT_ARG_DTYPE, .dtype = lt_dtype_from_name(text)};
}

static lathe_status read_attr(lt_ir_reader *r, const lt_json *json, int depth, lt_arg *out)
{
    const lt_json *item;
    size_t i;
    double real;
    *out = (lt_arg){.kind = LT_ARG_NONE};
    switch ((lt_json_type)json->type) {
    case LT_JSON_NULL: return LATHE_OK;
    case LT_JSON_BOOL: *out = (lt_arg){.kind = LT_ARG_BOOL, .b = lt_json_true(json)}; return LATHE_OK;
    case LT_JSON_INTEGER: *out = (lt_arg){.kind = LT_ARG_INT, .i = lt_json_integer(json)}; return LATHE_OK;
    case LT_JSON_REAL: *out = (lt_arg){.kind = LT_ARG_FLOAT, .f = json->value.real}; return LATHE_OK;
    case LT_JSON_STRING:
        if (lt_json_number(json, &real, NULL) == LATHE_OK)
            *out = (lt_arg){.kind = LT_ARG_FLOAT, .f = real}; /* NaN, Infinity */
        else *out = read_string(r, lt_json_text(json));
        return out->kind == LT_ARG_NONE ? lt_out_of_memory(r->err, 1, json->count) : LATHE_OK;
    case LT_JSON_ARRAY: break;
    case LT_JSON_OBJECT: LT_FAIL(r->err, FORMAT, "found an object, expected a number, a string or a list");
    }
    if (depth == MAX_ATTR_DEPTH) LT_FAIL(r->err, LIMIT, "lists are nested more than %d deep", MAX_ATTR_DEPTH);
    *out = (lt_arg){.kind = LT_ARG_LIST, .list = {.n = (uint32_t)lt_json_count(json)}};
    LT_ALLOC(r->arena, out->list.items, out->list.n, r->err);
    lt_json_foreach (json, i, item)
        LT_TRY_NOTE(read_attr(r, item, depth + 1, &out->list.items[i]), r->err, "[%zu]", i);
    return LATHE_OK;
}

static lathe_status read_attrs(lt_ir_reader *r, const lt_json *attrs, lt_xnode *node, lt_xoperands *operands)
{
    const lt_json *json;
    size_t i;
    LT_ALLOC(r->arena, node->args, lt_json_count(attrs), r->err);
    lt_json_foreach (attrs, i, json) {
        const char *name = json->key;
        lt_xarg arg = {0};
        LT_TRY_NOTE(read_attr(r, json, 0, &arg.arg), r->err, "attribute '%s'", name);
        if (name[0] == '_') {
            lt_arg *list;
            LT_ALLOC(r->arena, list, 1, r->err);
            *list = arg.arg;
            if (strcmp(name, "_tensor_list_sizes") == 0) operands->list_sizes = list;
            else if (strcmp(name, "_tensor_list_none_masks") == 0) operands->list_masks = list;
            continue;
        }
        LT_TRY(copy_text(r, name, &arg.name));
        node->args[node->n_args++] = arg;
    }
    return LATHE_OK;
}

/* ---- Edges ---- */

static lathe_status weight_edge(lt_ir_reader *r, const lt_json *mapping, const char *name, lt_arg *out)
{
    *out = (lt_arg){.kind = LT_ARG_NAME};
    uint32_t producer = lt_map_get(&r->producer_of, name);
    if (lt_map_get(&r->key_of, name) != LT_NONE) return copy_text(r, name, &out->text);
    if (producer != LT_NONE && r->producers[producer].single) {
        out->text = r->producers[producer].values[0];
        return LATHE_OK;
    }
    const char *key = lt_json_text(lt_json_member(mapping, name));
    if (!key)
        LT_FAIL(r->err, FORMAT, "input '%s' is neither a weight nor made by a node before this one", name);
    LT_FAIL(r->err, UNSUPPORTED, "weight '%s' is not listed, or its dtype is not supported", key);
}

static lathe_status read_edge(lt_ir_reader *r, const lt_json *mapping, const lt_json *json, lt_arg *out)
{
    const char *name, *producer;
    int64_t output = 0;
    LT_TRY(lt_json_get_string(json, "name", &name, r->err));
    if (!lt_json_member(json, "producer_node")) return weight_edge(r, mapping, name, out);
    LT_TRY(lt_json_get_string(json, "producer_node", &producer, r->err));
    if (lt_json_member(json, "producer_output_idx"))
        LT_TRY(lt_json_get_int(json, "producer_output_idx", &output, r->err));
    uint32_t index = lt_map_get(&r->producer_of, producer);
    if (index == LT_NONE)
        LT_FAIL(r->err, FORMAT, "input '%s' comes from '%s', which is no node before this one", name,
                producer);
    const lt_producer *from = &r->producers[index];
    if (output < 0 || output >= from->n)
        LT_FAIL(r->err, FORMAT, "input '%s' is output %lld of '%s', which has %u", name, (long long)output,
                producer, from->n);
    *out = (lt_arg){.kind = LT_ARG_NAME, .text = from->values[output]};
    return LATHE_OK;
}

/* ---- Nodes ---- */

/* All outputs of the producer are inputs, without those that are no tensors; `index` counts those too. So it
 * is the name "PRODUCER_INDEX" that tells. */
static lathe_status read_getitem(lt_ir_reader *r, const lt_json *inputs, lt_xnode *node,
                                 const lt_xoperands *operands)
{
    if (node->n_args != 1 || node->args[0].arg.kind != LT_ARG_INT)
        LT_FAIL(r->err, FORMAT, "attribute 'index' is missing, expected an integer");
    int64_t index = node->args[0].arg.i;
    size_t at = index >= 0 && index < operands->n ? (size_t)index : operands->n, i;
    const lt_json *input;
    lt_json_foreach (inputs, i, input) {
        const char *producer = lt_json_text(lt_json_member(input, "producer_node"));
        char *want = producer ? lt_arena_printf(r->arena, "%s_%lld", producer, (long long)index) : NULL;
        if (producer && !want) return lt_out_of_memory(r->err, 1, strlen(producer));
        if (want && strcmp(want, lt_json_text(lt_json_member(input, "name"))) == 0) at = i;
    }
    if (at >= operands->n)
        LT_FAIL(r->err, FORMAT, "attribute 'index' is %lld of %u inputs", (long long)index, operands->n);
    LT_ALLOC(r->arena, node->args, 2, r->err);
    node->args[0] = (lt_xarg){.arg = {.kind = LT_ARG_LIST, .list = {operands->tensors, operands->n}}};
    node->args[1] = (lt_xarg){.arg = {.kind = LT_ARG_INT, .i = (int64_t)at}};
    node->n_args = 2;
    return LATHE_OK;
}

/* "aten.add.Tensor", "<built-in function getitem>", or the bare name of a higher-order operator. */
static lathe_status read_target(lt_ir_reader *r, const char *text, const char **out)
{
    static const char built_in[] = "<built-in function ";
    size_t n = strlen(text);
    if (lt_str_starts_with(text, built_in) && n > sizeof built_in)
        *out = lt_arena_printf(r->arena, "_operator.%.*s", (int)(n - sizeof built_in),
                               text + sizeof built_in - 1);
    else *out = lt_arena_printf(r->arena, strchr(text, '.') ? "%s" : "higher_order.%s", text);
    return *out ? LATHE_OK : lt_out_of_memory(r->err, 1, n);
}

static lathe_status read_outputs(lt_ir_reader *r, const lt_json *outputs, lt_xnode *node)
{
    lt_producer producer = {.n = (uint32_t)lt_json_count(outputs)};
    LT_ALLOC(r->arena, node->outs, producer.n, r->err);
    LT_ALLOC(r->arena, producer.values, producer.n, r->err);
    node->n_outs = producer.n;
    const lt_json *output;
    size_t i;
    lt_json_foreach (outputs, i, output) {
        LT_TRY_NOTE(add_value(r, output, node->name, (uint32_t)i, &producer.values[i]), r->err,
                    "outputs[%zu]", i);
        node->outs[i] = (lt_arg){.kind = LT_ARG_NAME, .text = producer.values[i]};
        producer.single =
            producer.n == 1 && strcmp(lt_json_text(lt_json_member(output, "name")), node->name) == 0;
    }
    return add_producer(r, node->name, &producer);
}

static lathe_status read_node_body(lt_ir_reader *r, const lt_json *mapping, const lt_json *json,
                                   lt_xnode *node)
{
    const lt_json *inputs, *outputs, *attrs, *input;
    size_t i;
    lt_xoperands *operands;
    LT_ALLOC(r->arena, operands, 1, r->err);
    LT_TRY(lt_json_get_array(json, "inputs", &inputs, r->err));
    LT_TRY(lt_json_get_array(json, "outputs", &outputs, r->err));
    attrs = lt_json_member(json, "attrs");
    if (attrs && !lt_json_is(attrs, LT_JSON_OBJECT))
        LT_FAIL(r->err, FORMAT, "field 'attrs' is %s, expected an object", lt_json_type_name(attrs));
    LT_TRY(read_attrs(r, attrs, node, operands));
    operands->n = (uint32_t)lt_json_count(inputs);
    LT_ALLOC(r->arena, operands->tensors, operands->n, r->err);
    lt_json_foreach (inputs, i, input)
        LT_TRY_NOTE(read_edge(r, mapping, input, &operands->tensors[i]), r->err, "inputs[%zu]", i);
    if (strcmp(node->target, "_operator.getitem") == 0) LT_TRY(read_getitem(r, inputs, node, operands));
    else node->operands = operands;
    return read_outputs(r, outputs, node);
}

static lathe_status read_node(lt_ir_reader *r, const lt_json *mapping, const lt_json *json, lt_xnode *node)
{
    const char *name, *target;
    LT_TRY(lt_json_get_string(json, "name", &name, r->err));
    LT_TRY(copy_text(r, name, &node->name));
    LT_TRY_NOTE(lt_json_get_string(json, "op_type", &target, r->err), r->err, "node '%s'", name);
    LT_TRY(read_target(r, target, &node->target));
    LT_TRY_NOTE(read_node_body(r, mapping, json, node), r->err, "node '%s' (%s)", name, target);
    return LATHE_OK;
}

/* An output names a tensor, an input or a placeholder. A node of that very name goes before another node's
 * output. */
static lathe_status read_output(lt_ir_reader *r, const lt_json *json, lt_xoutput *output)
{
    const char *name;
    LT_TRY(lt_json_get_string(json, "name", &name, r->err));
    uint32_t producer = lt_map_get(&r->producer_of, name);
    *output = (lt_xoutput){.kind = LT_X_USER_OUTPUT, .arg = {.kind = LT_ARG_NAME}};
    if (producer != LT_NONE && r->producers[producer].single) {
        output->arg.text = r->producers[producer].values[0];
        return LATHE_OK;
    }
    if (lt_map_get(&r->x->graph.type_of, name) == LT_NONE && lt_map_get(&r->key_of, name) == LT_NONE)
        LT_FAIL(r->err, FORMAT, "'%s' is made by no node, and is no input or weight", name);
    return copy_text(r, name, &output->arg.text);
}

static lathe_status read_graph(lt_ir_reader *r, const lt_json *root)
{
    const lt_json *list, *item, *mapping = lt_json_member(root, "weight_name_mapping");
    size_t i;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_array(root, "nodes", &list, r->err));
    LT_ALLOC(r->arena, x->graph.nodes, lt_json_count(list), r->err);
    lt_json_foreach (list, i, item) {
        LT_TRY_NOTE(read_node(r, mapping, item, &x->graph.nodes[i]), r->err, "nodes[%zu]", i);
        x->graph.n_nodes++;
    }
    LT_TRY(lt_json_get_array(root, "graph_outputs", &list, r->err));
    LT_ALLOC(r->arena, x->outputs, lt_json_count(list), r->err);
    lt_json_foreach (list, i, item) {
        LT_TRY_NOTE(read_output(r, item, &x->outputs[i]), r->err, "graph_outputs[%zu]", i);
        x->n_outputs++;
    }
    return LATHE_OK;
}

static lathe_status read_root(lt_ir_reader *r, const lt_json *root)
{
    if (!lt_json_member(root, "graph_inputs") || !lt_json_member(root, "nodes"))
        LT_FAIL(r->err, FORMAT, "JSON, but no pytorch-ir graph: it has no 'graph_inputs' and 'nodes'");
    const char *version = lt_json_text(lt_json_member(root, "pytorch_version"));
    LT_TRY(copy_text(r, version ? version : "unknown", &r->x->producer));
    LT_TRY(read_signature(r, root));
    return read_graph(r, root);
}

lathe_status lt_irjson_load(const lt_file *file, const char *path, lt_arena *arena, lt_exported **out,
                            lathe_error *err)
{
    lt_exported *x;
    const lt_json *root;
    LT_ALLOC(arena, x, 1, err);
    /* Nodes may write in place, as in graphs of the TRAINING dialect. */
    *x = (lt_exported){.arena = arena, .format = "pytorch-ir", .dialect = "TRAINING", .loose_dtypes = true};
    x->path = lt_arena_strdup(arena, path);
    if (!x->path) return lt_out_of_memory(err, 1, strlen(path));
    x->weight_of.arena = x->symbol_of.arena = x->graph.type_of.arena = arena;
    lt_ir_reader r = {
        .x = x, .arena = arena, .err = err, .producer_of = {.arena = arena}, .key_of = {.arena = arena}};
    lt_arena *scratch;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status =
        lt_json_parse((const char *)file->data, file->size, true, path, scratch, &root, err);
    if (status == LATHE_OK && (status = read_root(&r, root)) != LATHE_OK)
        status = lt_error_note(err, status, "%s", path);
    lt_arena_destroy(scratch);
    *out = x;
    return status;
}
