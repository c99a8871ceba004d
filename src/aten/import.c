/* Building a graph from an exported program, node by node. */
#include "aten/import.h"

#include <string.h>

#include "aten/scope.h"
#include "aten/symbolic.h"

typedef struct lt_importer {
    const lt_exported *exported;
    const lt_import_options *options;
    lt_builder b;
    lt_arena *arena;
    lathe_error *err;
    lt_text *report;
    lathe_status first_failure; /* of a node: the rest goes on so that the report is complete */
    lathe_error first_error;
    int depth; /* of nested regions */
} lt_importer;

enum { MAX_REGION_DEPTH = 16 };

static lathe_status import_region(lt_importer *im, const lt_xgraph *graph, lt_scope *scope);

/* ---- Recorded types ---- */

static lathe_status eval_type(const lt_importer *im, const lt_xtype *recorded, lt_type *out, lathe_error *err)
{
    *out = (lt_type){.dtype = recorded->dtype, .rank = recorded->rank};
    if (recorded->dtype == LATHE_DTYPE_COUNT)
        LT_FAIL(err, UNSUPPORTED, "dtype %s", recorded->dtype_name ? recorded->dtype_name : "unknown");
    for (int i = 0; i < recorded->rank; i++)
        LT_TRY(lt_xdim_eval(&recorded->dim[i], im->options->bindings, &out->dim[i], err));
    return lt_type_check(out, "recorded type", err);
}

static const lt_xtype *recorded_type(const lt_xgraph *graph, const char *name)
{
    uint32_t index = lt_map_get(&graph->type_of, name);
    return index == LT_NONE || graph->types[index].rank < 0 ? NULL : &graph->types[index];
}

/* What we infer must be what PyTorch recorded. */
static lathe_status check_result(lt_importer *im, const lt_xgraph *graph, const char *name, lt_id value)
{
    const lt_xtype *recorded = recorded_type(graph, name);
    if (!recorded) return LATHE_OK;
    lt_type want, have = *lt_build_type(&im->b, value);
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    LT_TRY(eval_type(im, recorded, &want, im->err));
    if (im->exported->loose_dtypes) want.dtype = have.dtype;
    if (!lt_type_equal(&want, &have))
        LT_FAIL(im->err, TYPE, "result '%s' is %s, but the file records %s", name, lt_type_print(&have, a),
                lt_type_print(&want, b));
    return LATHE_OK;
}

/* How a value lies in memory in PyTorch; false when the file does not say. */
static bool recorded_layout(const lt_importer *im, const lt_xgraph *graph, const char *name, lt_tensor *out)
{
    const lt_xtype *recorded = recorded_type(graph, name);
    lt_type type;
    if (!recorded || !recorded->has_strides || eval_type(im, recorded, &type, NULL) != LATHE_OK) return false;
    *out = lt_tensor_of(&type, NULL);
    for (int i = 0; i < type.rank; i++)
        if (lt_xdim_eval(&recorded->stride[i], im->options->bindings, &out->stride[i], NULL) != LATHE_OK)
            return false;
    return true;
}

/* ---- Arguments ---- */

static lathe_status resolve(lt_importer *im, lt_scope *scope, const lt_arg *raw, lt_arg *out)
{
    *out = *raw;
    if (raw->kind == LT_ARG_NAME) {
        lt_binding *binding = lt_scope_find(scope, raw->text);
        if (!binding) LT_FAIL(im->err, FORMAT, "value '%s' is used before it is defined", raw->text);
        *out = binding->arg;
        if (out->kind == LT_ARG_TENSOR) out->id = lt_binding_read(&im->b, binding);
        return im->b.status;
    }
    if (raw->kind != LT_ARG_LIST) return LATHE_OK;
    LT_ALLOC(im->arena, out->list.items, raw->list.n, im->err);
    for (uint32_t i = 0; i < raw->list.n; i++)
        LT_TRY(resolve(im, scope, &raw->list.items[i], &out->list.items[i]));
    return LATHE_OK;
}

/* The parameter that an argument of the node is for. */
static lathe_status param_index(lt_importer *im, const lt_schema *schema, const lt_xnode *node, uint32_t i,
                                uint32_t *out)
{
    const char *name = node->args[i].name;
    *out = name ? lt_schema_find(schema, name) : i < schema->n ? i : LT_NONE;
    if (*out == LT_NONE)
        LT_FAIL(im->err, FORMAT, "argument '%s' is not in the schema of %s", name ? name : "?", schema->name);
    return LATHE_OK;
}

/* Fills call->args; `out_arg` gets the position of the node's out= argument. */
static lathe_status bind_args(lt_importer *im, lt_scope *scope, const lt_xnode *node, lt_aten_form form,
                              lt_call *call, const lt_xarg **out_arg)
{
    const lt_schema *schema = call->schema;
    bool given[LT_MAX_PARAMS] = {false};
    for (uint32_t i = 0; i < node->n_args; i++) {
        uint32_t p;
        if (form == LT_ATEN_OUT && node->args[i].name && strcmp(node->args[i].name, "out") == 0) {
            *out_arg = &node->args[i];
            continue;
        }
        LT_TRY(param_index(im, schema, node, i, &p));
        LT_TRY_NOTE(resolve(im, scope, &node->args[i].arg, &call->args[p]), im->err, "argument '%s'",
                    schema->params[p].name);
        given[p] = true;
    }
    for (uint32_t p = 0; p < schema->n; p++) {
        const lt_param *param = &schema->params[p];
        if (given[p]) continue;
        if (!param->has_default && !param->optional && param->type != LT_PARAM_OTHER)
            LT_FAIL(im->err, FORMAT, "argument '%s' is missing", param->name);
        call->args[p] = param->fallback;
    }
    return LATHE_OK;
}

/* ---- Results ---- */

/* The name of the argument that results alias; NULL when they alias none. */
static const char *aliased_name(const lt_xnode *node, const lt_schema *schema)
{
    for (uint32_t p = 0; schema->returns_alias && p < schema->n; p++) {
        if (schema->params[p].alias != schema->returns_alias) continue;
        for (uint32_t i = 0; i < node->n_args; i++) {
            const lt_xarg *arg = &node->args[i];
            bool this_one = arg->name ? strcmp(arg->name, schema->params[p].name) == 0 : i == p;
            if (this_one && arg->arg.kind == LT_ARG_NAME) return arg->arg.text;
        }
    }
    return NULL;
}

/* The binding that a result shares memory with; NULL when it has its own. */
static lt_binding *find_base(const lt_importer *im, const lt_xgraph *graph, const lt_scope *scope,
                             const char *aliased, const char *name, lt_id value)
{
    lt_binding *base = aliased ? lt_scope_find(scope, aliased) : NULL;
    lt_tensor from, to;
    if (!base || base->arg.kind != LT_ARG_TENSOR) return NULL;
    if (!recorded_layout(im, graph, aliased, &from) || !recorded_layout(im, graph, name, &to)) return base;
    return lt_view_is_alias(&im->b, base->arg.id, value, &from, &to) ? base : NULL;
}

/* `aliased`: the value whose memory the result may share; NULL when it has its own. */
static lathe_status bind_result(lt_importer *im, const lt_xgraph *graph, lt_scope *scope, const char *name,
                                lt_arg result, const char *aliased)
{
    lt_binding *binding;
    if (result.kind != LT_ARG_TENSOR) {
        LT_ALLOC(im->arena, binding, 1, im->err);
        binding->arg = result;
        return lt_scope_bind(scope, name, binding, im->err);
    }
    LT_TRY(check_result(im, graph, name, result.id));
    im->b.graph->values[result.id].name =
        im->b.graph->values[result.id].name ? im->b.graph->values[result.id].name : name;
    lt_binding *base = find_base(im, graph, scope, aliased, name, result.id);
    if (base) LT_TRY(lt_binding_alias(&im->b, base, result.id, &binding, im->err));
    else LT_TRY(lt_binding_create(im->arena, result.id, &binding, im->err));
    return lt_scope_bind(scope, name, binding, im->err);
}

/* Binds results to the node's outputs; a list output takes as many as it names. */
static lathe_status bind_results(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                 const lt_xnode *node, const lt_arg *results, uint32_t n_results,
                                 const char *aliased)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < node->n_outs; i++) {
        const lt_arg *out = &node->outs[i];
        uint32_t n = out->kind == LT_ARG_LIST ? out->list.n : 1;
        const lt_arg *names = out->kind == LT_ARG_LIST ? out->list.items : out;
        for (uint32_t k = 0; k < n; k++, next++) {
            if (names[k].kind != LT_ARG_NAME) continue;
            if (next >= n_results)
                LT_FAIL(im->err, FORMAT, "output '%s' is number %u, but the operator gives %u", names[k].text,
                        next + 1, n_results);
            LT_TRY(bind_result(im, graph, scope, names[k].text, results[next], aliased));
        }
    }
    return LATHE_OK;
}

/* In-place and out= forms: the written argument takes the result, and is the result. */
static lathe_status write_result(lt_importer *im, lt_scope *scope, const lt_xnode *node,
                                 const lt_xarg *target, lt_arg result)
{
    lt_binding *binding =
        target && target->arg.kind == LT_ARG_NAME ? lt_scope_find(scope, target->arg.text) : NULL;
    if (!binding || !binding->storage || result.kind != LT_ARG_TENSOR)
        LT_FAIL(im->err, FORMAT, "writes in place into something that is no tensor");
    lt_binding_write(&im->b, binding, result.id);
    if (im->b.status != LATHE_OK || node->n_outs == 0 || node->outs[0].kind != LT_ARG_NAME)
        return im->b.status;
    lt_binding *again;
    LT_ALLOC(im->arena, again, 1, im->err);
    *again = *binding;
    return lt_scope_bind(scope, node->outs[0].text, again, im->err);
}

/* Arguments that the operator updates beside its results. */
static lathe_status apply_writes(lt_importer *im, lt_scope *scope, const lt_xnode *node, const lt_call *call)
{
    for (uint32_t i = 0; i < node->n_args; i++) {
        uint32_t p;
        LT_TRY(param_index(im, call->schema, node, i, &p));
        if (!call->writes[p]) continue;
        const lt_arg *arg = &node->args[i].arg;
        lt_binding *binding = arg->kind == LT_ARG_NAME ? lt_scope_find(scope, arg->text) : NULL;
        if (!binding || !binding->storage)
            LT_FAIL(im->err, FORMAT, "updates argument '%s', which is no tensor",
                    call->schema->params[p].name);
        lt_binding_write(&im->b, binding, call->written[p]);
    }
    return im->b.status;
}

/* ---- Nodes ---- */

static lathe_status import_aten(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                const lt_xnode *node)
{
    lt_aten_form form;
    lt_schema schema;
    const lt_aten_row *row = lt_aten_find(im->options->table, node->target, &form);
    if (!row) LT_FAIL(im->err, UNSUPPORTED, "this operator is not supported");
    LT_TRY(lt_schema_parse(im->arena, row->schema, &schema, im->err));
    lt_call call = {.b = &im->b, .row = row, .schema = &schema};
    const lt_xarg *written = form == LT_ATEN_INPLACE && node->n_args ? &node->args[0] : NULL;
    LT_TRY(bind_args(im, scope, node, form, &call, &written));
    row->build(&call);
    LT_TRY(im->b.status);
    if (form != LT_ATEN_FUNCTIONAL) {
        if (!call.n_results) LT_FAIL(im->err, INTERNAL, "no result to write");
        return write_result(im, scope, node, written, call.results[0]);
    }
    LT_TRY(apply_writes(im, scope, node, &call));
    return bind_results(im, graph, scope, node, call.results, call.n_results, aliased_name(node, &schema));
}

/* A region that runs as it stands: autocast and grad modes change nothing here. */
static lathe_status import_wrapped(lt_importer *im, lt_scope *scope, const lt_xgraph *graph,
                                   const lt_xnode *node)
{
    uint32_t at = 0;
    while (at < node->n_args && node->args[at].arg.kind != LT_ARG_GRAPH) at++;
    if (at == node->n_args) LT_FAIL(im->err, FORMAT, "the region's body is missing");
    const lt_xgraph *body = node->args[at].arg.graph;
    if (body->n_inputs != node->n_args - at - 1)
        LT_FAIL(im->err, FORMAT, "the region takes %u inputs, but gets %u", body->n_inputs,
                node->n_args - at - 1);
    lt_scope inner = {.arena = im->arena};
    for (uint32_t i = 0; i < body->n_inputs; i++) {
        const lt_arg *arg = &node->args[at + 1 + i].arg;
        lt_binding *binding = arg->kind == LT_ARG_NAME ? lt_scope_find(scope, arg->text) : NULL;
        if (!binding) LT_FAIL(im->err, FORMAT, "input %u of the region is not a value of the graph", i);
        LT_TRY(lt_scope_bind(&inner, body->inputs[i], binding,
                             im->err)); /* shared: writes inside are seen outside */
    }
    LT_TRY(import_region(im, body, &inner));
    lt_arg *results;
    LT_ALLOC(im->arena, results, body->n_outputs, im->err);
    for (uint32_t i = 0; i < body->n_outputs; i++)
        LT_TRY(resolve(im, &inner, &body->outputs[i], &results[i]));
    return bind_results(im, graph, scope, node, results, body->n_outputs, NULL);
}

static lathe_status import_symbolic(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                    const lt_xnode *node)
{
    lt_arg args[LT_SYMBOLIC_ARGS], result;
    if (node->n_args > LT_SYMBOLIC_ARGS) LT_FAIL(im->err, FORMAT, "%u arguments", node->n_args);
    for (uint32_t i = 0; i < node->n_args; i++) LT_TRY(resolve(im, scope, &node->args[i].arg, &args[i]));
    LT_TRY(lt_symbolic_eval(node->target, args, node->n_args, &result, im->err));
    return bind_results(im, graph, scope, node, &result, 1, NULL);
}

static bool is_wrapper(const char *target)
{
    return strcmp(target, "higher_order.wrap_with_set_grad_enabled") == 0 ||
           strcmp(target, "higher_order.wrap_with_autocast") == 0;
}

static lathe_status import_node(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                const lt_xnode *node)
{
    if (is_wrapper(node->target)) return import_wrapped(im, scope, graph, node);
    if (lt_symbolic_known(node->target)) return import_symbolic(im, graph, scope, node);
    return import_aten(im, graph, scope, node);
}

/* After a failure the outputs stand for values of the recorded types, so that the nodes behind can be looked
 * at. */
static lathe_status bind_stand_ins(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                   const lt_xnode *node)
{
    for (uint32_t i = 0; i < node->n_outs; i++) {
        const lt_arg *out = &node->outs[i];
        uint32_t n = out->kind == LT_ARG_LIST ? out->list.n : 1;
        const lt_arg *names = out->kind == LT_ARG_LIST ? out->list.items : out;
        for (uint32_t k = 0; k < n; k++) {
            const lt_xtype *recorded =
                names[k].kind == LT_ARG_NAME ? recorded_type(graph, names[k].text) : NULL;
            lt_type type;
            lt_id id;
            if (!recorded || eval_type(im, recorded, &type, NULL) != LATHE_OK) continue;
            LT_TRY(lt_graph_add_value(im->b.graph,
                                      &(lt_value){.type = type, .kind = LT_VALUE_INPUT, .index = LT_NONE},
                                      &id, im->err));
            lt_binding *binding;
            LT_TRY(lt_binding_create(im->arena, id, &binding, im->err));
            LT_TRY(lt_scope_bind(scope, names[k].text, binding, im->err));
        }
    }
    return LATHE_OK;
}

/* The last line of a stack trace is the source line that made the node. */
static const char *source_line(const lt_xnode *node)
{
    if (!node->stack) return "";
    const char *file = node->stack;
    for (const char *at = file; (at = strstr(at, "File \"")); at++) file = at;
    return file;
}

static lathe_status note_failure(lt_importer *im, const lt_xnode *node, lathe_status status)
{
    if (im->err) lt_error_note(im->err, status, "node '%s' (%s)", node->name, node->target);
    if (im->first_failure == LATHE_OK) {
        im->first_failure = status;
        if (im->err) im->first_error = *im->err;
    }
    bool goes_on = status == LATHE_UNSUPPORTED || status == LATHE_TYPE;
    if (!goes_on) return status;
    if (im->report) {
        lt_text_printf(im->report, "%s\n", im->err ? im->err->message : node->name);
        if (node->module && *node->module) lt_text_printf(im->report, "    module: %s\n", node->module);
        if (node->stack) lt_text_printf(im->report, "    %s\n", source_line(node));
    }
    im->b.status = LATHE_OK;
    return LATHE_OK;
}

static lathe_status import_region(lt_importer *im, const lt_xgraph *graph, lt_scope *scope)
{
    if (++im->depth > MAX_REGION_DEPTH)
        LT_FAIL(im->err, LIMIT, "regions are nested more than %d deep", MAX_REGION_DEPTH);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const lt_xnode *node = &graph->nodes[i];
        if (im->depth == 1) im->b.source = i;
        lathe_status status = import_node(im, graph, scope, node);
        if (status == LATHE_OK) continue;
        LT_TRY(note_failure(im, node, status));
        LT_TRY(bind_stand_ins(im, graph, scope, node));
    }
    im->depth--;
    return LATHE_OK;
}

/* ---- Inputs, outputs, state ---- */

static bool is_pair_input(const lt_import_options *options, uint32_t input, uint32_t *output)
{
    for (uint32_t i = 0; i < options->n_pairs; i++)
        if (options->pairs[i].input == input) {
            *output = options->pairs[i].output;
            return true;
        }
    return false;
}

static bool is_mutated(const lt_exported *x, const lt_xinput *input)
{
    for (uint32_t i = 0; i < x->n_outputs; i++)
        if (x->outputs[i].kind == LT_X_BUFFER_MUTATION && strcmp(x->outputs[i].target, input->name) == 0)
            return true;
    /* TRAINING graphs do not list mutations: every buffer may be written in place. */
    return input->is_buffer && strcmp(x->dialect, "TRAINING") == 0;
}

static lathe_status add_state(lt_importer *im, const lt_type *type, lt_state state, const char *name,
                              lt_id *id)
{
    lt_graph *graph = im->b.graph;
    uint32_t index;
    LT_TRY(lt_graph_add_value(
        graph, &(lt_value){.type = *type, .kind = LT_VALUE_STATE, .index = graph->n_states, .name = name}, id,
        im->err));
    state.before = state.after = *id;
    return lt_graph_add_state(graph, &state, &index, im->err);
}

static lathe_status import_input(lt_importer *im, lt_scope *scope, uint32_t i, uint32_t *user)
{
    const lt_exported *x = im->exported;
    const lt_xinput *input = &x->inputs[i];
    lt_graph *graph = im->b.graph;
    lt_id id = LT_NONE;
    if (input->kind == LT_X_WEIGHT) {
        const lt_type *type = &x->weights[input->weight].type;
        if (is_mutated(x, input))
            LT_TRY(add_state(im, type,
                             (lt_state){.weight = input->weight, .input = LT_NONE, .output = LT_NONE},
                             input->name, &id));
        else
            LT_TRY(lt_graph_add_value(
                graph,
                &(lt_value){
                    .type = *type, .kind = LT_VALUE_WEIGHT, .index = input->weight, .name = input->name},
                &id, im->err));
    } else {
        uint32_t index = (*user)++, output;
        const lt_xtype *recorded = input->name ? recorded_type(&x->graph, input->name) : NULL;
        lt_type type;
        graph->inputs[index] = LT_NONE;
        if (!recorded) {
            lt_binding *binding;
            LT_ALLOC(im->arena, binding, 1, im->err);
            binding->arg = input->literal;
            return input->name ? lt_scope_bind(scope, input->name, binding, im->err) : LATHE_OK;
        }
        LT_TRY(eval_type(im, recorded, &type, im->err));
        if (is_pair_input(im->options, index, &output)) {
            LT_TRY(add_state(im, &type, (lt_state){.weight = LT_NONE, .input = index, .output = output},
                             input->name, &id));
        } else {
            LT_TRY(lt_graph_add_value(
                graph, &(lt_value){.type = type, .kind = LT_VALUE_INPUT, .index = index, .name = input->name},
                &id, im->err));
            graph->inputs[index] = id;
        }
    }
    lt_binding *binding;
    LT_TRY(lt_binding_create(im->arena, id, &binding, im->err));
    return lt_scope_bind(scope, input->name, binding, im->err);
}

static lathe_status import_inputs(lt_importer *im, lt_scope *scope)
{
    uint32_t users = 0;
    for (uint32_t i = 0; i < im->exported->n_inputs; i++)
        users += im->exported->inputs[i].kind == LT_X_USER_INPUT;
    im->b.graph->n_inputs = users;
    LT_ALLOC(im->arena, im->b.graph->inputs, users, im->err);
    users = 0;
    for (uint32_t i = 0; i < im->exported->n_inputs; i++)
        LT_TRY_NOTE(import_input(im, scope, i, &users), im->err, "input '%s'", im->exported->inputs[i].label);
    return LATHE_OK;
}

static lathe_status import_output(lt_importer *im, lt_scope *scope, const lt_xoutput *output, uint32_t *user)
{
    lt_arg value;
    LT_TRY(resolve(im, scope, &output->arg, &value));
    if (output->kind == LT_X_USER_OUTPUT) {
        im->b.graph->outputs[(*user)++] = value.kind == LT_ARG_TENSOR ? value.id : LT_NONE;
        return LATHE_OK;
    }
    lt_binding *target = lt_scope_find(scope, output->target);
    if (!target || !target->storage || value.kind != LT_ARG_TENSOR)
        LT_FAIL(im->err, FORMAT, "mutation of '%s', which is no tensor", output->target);
    target->storage->value = value.id;
    return LATHE_OK;
}

static lathe_status import_outputs(lt_importer *im, lt_scope *scope)
{
    const lt_exported *x = im->exported;
    lt_graph *graph = im->b.graph;
    LT_ALLOC(im->arena, graph->outputs, x->n_outputs, im->err);
    for (uint32_t i = 0; i < x->n_outputs; i++)
        LT_TRY_NOTE(import_output(im, scope, &x->outputs[i], &graph->n_outputs), im->err, "output %u", i);
    for (uint32_t i = 0; i < graph->n_states; i++) {
        lt_state *state = &graph->states[i];
        state->after = lt_scope_find(scope, graph->values[state->before].name)->storage->value;
        if (state->output == LT_NONE) continue;
        state->after = graph->outputs[state->output];
        graph->outputs[state->output] = LT_NONE;
    }
    return LATHE_OK;
}

lathe_status lt_import(const lt_exported *exported, const lt_import_options *options, lt_arena *arena,
                       lt_graph **out, lt_text *report, lathe_error *err)
{
    lathe_error own;
    lt_importer im = {
        .exported = exported, .options = options, .arena = arena, .err = err ? err : &own, .report = report};
    lt_scope scope = {.arena = arena};
    im.b.err = im.err;
    LT_TRY(lt_graph_create(arena, &im.b.graph, err));
    LT_TRY(import_inputs(&im, &scope));
    LT_TRY(import_region(&im, &exported->graph, &scope));
    if (im.first_failure == LATHE_OK) LT_TRY(import_outputs(&im, &scope));
    if (im.first_failure != LATHE_OK) {
        *im.err = im.first_error;
        return im.first_failure;
    }
    *out = im.b.graph;
    return LATHE_OK;
}

/* ---- Looking before running ---- */

static void count_unsupported(const lt_xgraph *graph, const lt_aten_table *table, int depth,
                              const lt_xnode **first, uint32_t *counts, uint32_t *n, uint32_t max)
{
    for (uint32_t i = 0; i < graph->n_nodes && depth < MAX_REGION_DEPTH; i++) {
        const lt_xnode *node = &graph->nodes[i];
        lt_aten_form form;
        for (uint32_t a = 0; a < node->n_args; a++)
            if (node->args[a].arg.kind == LT_ARG_GRAPH)
                count_unsupported(node->args[a].arg.graph, table, depth + 1, first, counts, n, max);
        if (is_wrapper(node->target) || lt_symbolic_known(node->target) ||
            lt_aten_find(table, node->target, &form))
            continue;
        uint32_t k = 0;
        while (k < *n && strcmp(first[k]->target, node->target) != 0) k++;
        if (k == max) continue;
        if (k == *n) {
            first[(*n)++] = node;
            counts[k] = 0;
        }
        counts[k]++;
    }
}

uint32_t lt_import_unsupported(const lt_exported *exported, const lt_aten_table *table, lt_text *report)
{
    enum { MAX = 256 };
    const lt_xnode *first[MAX];
    uint32_t counts[MAX], n = 0;
    count_unsupported(&exported->graph, table, 0, first, counts, &n, MAX);
    for (uint32_t k = 0; k < n; k++) {
        lt_text_printf(report, "%s: not supported, used %u time%s, first by node '%s'\n", first[k]->target,
                       counts[k], counts[k] == 1 ? "" : "s", first[k]->name);
        if (first[k]->module && *first[k]->module)
            lt_text_printf(report, "    module: %s\n", first[k]->module);
        if (first[k]->stack) lt_text_printf(report, "    %s\n", source_line(first[k]));
    }
    if (n)
        lt_text_printf(report,
                       "Re-export after run_decompositions(), or replace these operators in the model.\n");
    return n;
}

lathe_status lt_import_bind(const lt_exported *exported, uint32_t input, int rank, const int64_t *dim,
                            int64_t *bindings, lathe_error *err)
{
    uint32_t user = 0, i = 0;
    for (; i < exported->n_inputs; i++)
        if (exported->inputs[i].kind == LT_X_USER_INPUT && user++ == input) break;
    if (i == exported->n_inputs) LT_FAIL(err, INVALID_ARGUMENT, "there is no input %u", input);
    const lt_xinput *x = &exported->inputs[i];
    const lt_xtype *recorded = x->name ? recorded_type(&exported->graph, x->name) : NULL;
    if (!recorded)
        LT_FAIL(err, INVALID_ARGUMENT, "input '%s' was exported as a constant: it takes no tensor", x->label);
    if (recorded->rank != rank)
        LT_FAIL(err, TYPE, "input '%s' has rank %d, expected %d", x->label, rank, recorded->rank);
    for (int d = 0; d < rank; d++) {
        uint32_t symbol = recorded->dim[d].expr ? lt_expr_symbol(recorded->dim[d].expr) : LT_NONE;
        if (symbol != LT_NONE && bindings[symbol] == LT_UNBOUND) {
            const lt_symbol *s = &exported->symbols[symbol];
            if (dim[d] < s->min || dim[d] > s->max)
                LT_FAIL(err, TYPE,
                        "input '%s': dimension %d is %lld, the model was exported for %lld to %lld", x->label,
                        d, (long long)dim[d], (long long)s->min, (long long)s->max);
            bindings[symbol] = dim[d];
        }
    }
    for (int d = 0; d < rank; d++) {
        int64_t want;
        if (lt_xdim_eval(&recorded->dim[d], bindings, &want, err) != LATHE_OK)
            continue; /* another input decides */
        if (want != dim[d])
            LT_FAIL(err, TYPE, "input '%s': dimension %d is %lld, expected %lld", x->label, d,
                    (long long)dim[d], (long long)want);
    }
    return LATHE_OK;
}
