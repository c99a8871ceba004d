/* A node that differs, as a model of its own: its operator with its attributes, what it reads as inputs
 * (small constants as such), and the results of both sides. */
#include <stdio.h>
#include <string.h>

#include "ir/attr_list.h"
#include "run/diff.h"

enum { MAX_TENSORS = 256, MAX_CONSTANT_BYTES = 1 << 15 };

typedef struct lt_case_maker {
    const lt_diff_case *failed;
    lathe_model *model; /* that is made */
    lt_exported *x;     /* its */
    lathe_error *err;
    const char **names; /* [n_in]: of what the node reads */
    const char *labels[MAX_TENSORS];
    lt_tensor tensors[MAX_TENSORS]; /* of the file beside it */
    size_t n_tensors;
} lt_case_maker;

static lathe_status name(lt_case_maker *c, const char *form, uint32_t number, const char **out)
{
    char text[32];
    snprintf(text, sizeof text, form, number);
    *out = lt_arena_strdup(c->x->arena, text);
    return *out ? LATHE_OK : lt_out_of_memory(c->err, 1, sizeof text);
}

static lathe_status add_tensor(lt_case_maker *c, const char *form, uint32_t number, const lt_type *type,
                               const void *data)
{
    if (c->n_tensors == MAX_TENSORS) LT_FAIL(c->err, LIMIT, "more than %d tensors", MAX_TENSORS);
    LT_TRY(name(c, form, number, &c->labels[c->n_tensors]));
    c->tensors[c->n_tensors++] = lt_tensor_of(type, (void *)(uintptr_t)data);
    return LATHE_OK;
}

/* ---- Values ---- */

static lathe_status add_type(lt_case_maker *c, const char *value, const lt_type *type)
{
    lt_xgraph *graph = &c->x->graph;
    lt_xtype *to = &graph->types[graph->n_types];
    *to = (lt_xtype){.dtype = type->dtype, .dtype_name = lathe_dtype_name(type->dtype), .rank = type->rank};
    for (int d = 0; d < type->rank; d++) to->dim[d].value = type->dim[d];
    return lt_map_put(&graph->type_of, value, graph->n_types++, c->err);
}

static lathe_status add_input(lt_case_maker *c, const lt_value *value, const void *data, const char **out)
{
    lt_exported *x = c->x;
    uint32_t i = x->n_inputs++;
    LT_TRY(name(c, "input_%u", i, out));
    x->inputs[i] = (lt_xinput){.kind = LT_X_USER_INPUT, .name = *out, .label = *out};
    x->graph.inputs[x->graph.n_inputs++] = *out;
    LT_TRY(add_type(c, *out, &value->type));
    return add_tensor(c, "input.%u", i, &value->type, data);
}

static lathe_status list_of_ints(lt_case_maker *c, const int64_t *values, size_t n, lt_arg *out)
{
    *out = (lt_arg){.kind = LT_ARG_LIST};
    LT_ALLOC(c->x->arena, out->list.items, n, c->err);
    out->list.n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) out->list.items[i] = (lt_arg){.kind = LT_ARG_INT, .i = values[i]};
    return LATHE_OK;
}

/* A node of one of the two operators that cases are made of, with its first result. */
static lathe_status add_node(lt_case_maker *c, const char *target, const lt_xarg *args, uint32_t n_args,
                             lt_xnode **out)
{
    lt_xnode *node = &c->x->graph.nodes[c->x->graph.n_nodes];
    *node = (lt_xnode){.target = target, .n_args = n_args, .n_outs = 1};
    LT_TRY(name(c, "node_%u", c->x->graph.n_nodes++, &node->name));
    LT_ALLOC(c->x->arena, node->args, n_args, c->err);
    memcpy(node->args, args, n_args * sizeof *args);
    LT_ALLOC(c->x->arena, node->outs, 1, c->err);
    node->outs[0] = (lt_arg){.kind = LT_ARG_NAME, .text = node->name};
    *out = node;
    return LATHE_OK;
}

static lathe_status add_constant(lt_case_maker *c, const lt_value *value, const char **out)
{
    lt_xnode *node;
    int64_t words[MAX_CONSTANT_BYTES / sizeof(int64_t)] = {0};
    size_t bytes = lt_type_bytes(&value->type);
    lt_xarg args[] = {
        {"dtype", {.kind = LT_ARG_DTYPE, .dtype = value->type.dtype}}, {.name = "size"}, {.name = "words"}};
    if (bytes) memcpy(words, value->data, bytes);
    LT_TRY(list_of_ints(c, value->type.dim, (size_t)value->type.rank, &args[1].arg));
    LT_TRY(list_of_ints(c, words, (bytes + 7) / 8, &args[2].arg));
    LT_TRY(add_node(c, "lathe.constant", args, LT_COUNT(args), &node));
    *out = node->name;
    return add_type(c, node->name, &value->type);
}

static lathe_status add_operand(lt_case_maker *c, uint32_t k)
{
    const lt_id *in = c->failed->node->in;
    const lt_value *value = &c->failed->graph->values[in[k]];
    bool constant = value->kind == LT_VALUE_CONST;
    for (uint32_t i = 0; i < k; i++)
        if (in[i] == in[k]) return c->names[k] = c->names[i], LATHE_OK;
    if (constant && lt_type_bytes(&value->type) <= MAX_CONSTANT_BYTES)
        return add_constant(c, value, &c->names[k]);
    return add_input(c, value, constant ? value->data : c->failed->data[in[k]], &c->names[k]);
}

/* ---- The node ---- */

static lathe_status add_results(lt_case_maker *c, lt_xnode *node)
{
    const lt_node *from = c->failed->node;
    lt_exported *x = c->x;
    uint32_t n = lt_op_get(from->op)->n_out;
    lt_arg *list = &node->outs[0];
    *list = (lt_arg){.kind = LT_ARG_LIST};
    LT_ALLOC(x->arena, list->list.items, n, c->err);
    LT_ALLOC(x->arena, x->outputs, n, c->err);
    list->list.n = x->n_outputs = n;
    for (uint32_t k = 0; k < n; k++) {
        const lt_type *type = &c->failed->graph->values[from->out + k].type;
        lt_arg *out = &list->list.items[k];
        out->kind = LT_ARG_NAME;
        LT_TRY(name(c, "output_%u", k, &out->text));
        x->outputs[k] = (lt_xoutput){.kind = LT_X_USER_OUTPUT, .label = out->text, .arg = *out};
        LT_TRY(add_type(c, out->text, type));
        LT_TRY(add_tensor(c, "output.%u", k, type, c->failed->data[from->out + k]));
        LT_TRY(add_tensor(c, "found.%u", k, type, c->failed->found[k]));
    }
    return LATHE_OK;
}

/* Keeps the stack trace of the node that it came from. */
static lathe_status add_primitive(lt_case_maker *c)
{
    const lt_node *from = c->failed->node;
    const lt_xgraph *file = &c->failed->model->exported->graph;
    lt_arena *arena = c->x->arena;
    lt_attr_list *list;
    lt_xnode *node;
    LT_ALLOC(arena, list, 1, c->err);
    LT_TRY(lt_attr_list_write(from->op, &from->attrs, arena, list, c->err));
    lt_xarg args[] = {{"op", {.kind = LT_ARG_STRING, .text = lt_op_get(from->op)->name}},
                      {"inputs", {.kind = LT_ARG_LIST}},
                      {.name = "attrs"},
                      {"numbers", {.kind = LT_ARG_LIST}},
                      {"formulas", {.kind = LT_ARG_STRING, .text = list->formulas}}};
    lt_arg *inputs = &args[1].arg, *numbers = &args[3].arg;
    LT_ALLOC(arena, inputs->list.items, from->n_in, c->err);
    LT_ALLOC(arena, numbers->list.items, (size_t)list->n_reals, c->err);
    for (uint32_t k = 0; k < from->n_in; k++)
        inputs->list.items[inputs->list.n++] = (lt_arg){.kind = LT_ARG_NAME, .text = c->names[k]};
    for (int k = 0; k < list->n_reals; k++)
        numbers->list.items[numbers->list.n++] = (lt_arg){.kind = LT_ARG_FLOAT, .f = list->reals[k]};
    LT_TRY(list_of_ints(c, list->ints, (size_t)list->n_ints, &args[2].arg));
    LT_TRY(add_node(c, "lathe.primitive", args, LT_COUNT(args), &node));
    if (from->source < file->n_nodes) node->metadata = file->nodes[from->source].metadata;
    return add_results(c, node);
}

static lathe_status make_model(lt_case_maker *c, const char *path)
{
    const lt_node *node = c->failed->node;
    const lt_exported *from = c->failed->model->exported;
    lt_arena *arena = c->model->arena;
    LT_ALLOC(arena, c->x, 1, c->err);
    *c->x =
        (lt_exported){.arena = arena, .format = "lathe", .dialect = "PRIMITIVE", .producer = from->producer};
    c->x->path = lt_arena_strdup(arena, path);
    if (!c->x->path) return lt_out_of_memory(c->err, 1, strlen(path));
    c->x->weight_of.arena = c->x->symbol_of.arena = c->x->graph.type_of.arena = arena;
    LT_ALLOC(arena, c->names, node->n_in, c->err);
    LT_ALLOC(arena, c->x->inputs, node->n_in, c->err);
    LT_ALLOC(arena, c->x->graph.inputs, node->n_in, c->err);
    LT_ALLOC(arena, c->x->graph.nodes, node->n_in + (size_t)1, c->err);
    LT_ALLOC(arena, c->x->graph.types, node->n_in + (size_t)LT_MAX_OUTPUTS, c->err);
    for (uint32_t k = 0; k < node->n_in; k++) LT_TRY(add_operand(c, k));
    LT_TRY(add_primitive(c));
    c->model->exported = c->x;
    c->model->settings.optimize = 1; /* the node stays as it is */
    return lt_model_settle(c->model, c->err);
}

/* ---- Files ---- */

static lathe_status write_tensors(lt_case_maker *c, const char *path)
{
    const lt_node *node = c->failed->node;
    const char *beside =
        lt_arena_printf(c->x->arena, "%.*s.safetensors",
                        (int)strlen(path) - (lt_str_ends_with(path, ".lathe") ? 6 : 0), path);
    if (!beside) return lt_out_of_memory(c->err, 1, strlen(path));
    for (uint32_t k = 0; k < lt_op_get(node->op)->n_out; k++) {
        lt_type type = c->failed->graph->values[node->out + k].type;
        lt_tensor want = lt_tensor_of(&type, c->failed->data[node->out + k]);
        double *margins;
        LT_ALLOC(c->x->arena, margins, (size_t)lt_type_count(&type), c->err);
        lt_diff_margins(c->failed->graph, node, &want, margins);
        type.dtype = LATHE_F64;
        LT_TRY(add_tensor(c, "tolerance.%u", k, &type, margins));
    }
    return lathe_tensors_write(beside, c->labels, c->tensors, c->n_tensors, c->err);
}

static lathe_status write_case(lt_case_maker *c, const char *path)
{
    LT_TRY(lt_arena_create(&c->model->arena, c->err));
    LT_TRY(make_model(c, path));
    LT_TRY(lathe_model_save(c->model, path, NULL, c->err));
    return write_tensors(c, path);
}

lathe_status lt_diff_write_case(const lt_diff_case *failed, const char *path, lathe_error *err)
{
    lt_case_maker *c = lt_heap_alloc(1, sizeof *c);
    lathe_model *model = lt_heap_alloc(1, sizeof *model);
    lathe_status status = LATHE_OK;
    if (!c || !model) status = lt_out_of_memory(err, 1, sizeof *c);
    if (status == LATHE_OK) {
        *c = (lt_case_maker){.failed = failed, .model = model, .err = err};
        status = write_case(c, path);
    }
    lathe_model_close(model);
    lt_heap_free(c);
    return status;
}
