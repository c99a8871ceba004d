/* Building a graph from an exported program, node by node. */
#include <string.h>

#include "aten/importer.h"
#include "aten/symbolic.h"

/* ---- Recorded types ---- */

lathe_status lt_importer_eval_type(const lt_importer *im, const lt_xtype *recorded, lt_type *out,
                                   lathe_error *err)
{
    *out = (lt_type){.dtype = recorded->dtype, .rank = recorded->rank};
    if (recorded->dtype == LATHE_DTYPE_COUNT)
        LT_FAIL(err, UNSUPPORTED, "dtype %s", recorded->dtype_name ? recorded->dtype_name : "unknown");
    for (int i = 0; i < recorded->rank; i++)
        LT_TRY(lt_xdim_eval(&recorded->dim[i], im->options->bindings, &out->dim[i], err));
    return lt_type_check(out, "recorded type", err);
}

const lt_xtype *lt_importer_recorded(const lt_xgraph *graph, const char *name)
{
    uint32_t index = lt_map_get(&graph->type_of, name);
    return index == LT_NONE || graph->types[index].rank < 0 ? NULL : &graph->types[index];
}

/* What we infer must be what PyTorch recorded. */
static lathe_status check_result(lt_importer *im, const lt_xgraph *graph, const char *name, lt_id value)
{
    const lt_xtype *recorded = lt_importer_recorded(graph, name);
    if (!recorded) return LATHE_OK;
    lt_type want, have = *lt_build_type(&im->b, value);
    lt_xtype known = *recorded;
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    lt_dtype part = lt_dtype_of_complex(recorded->dtype_name);
    if (lt_build_is_complex(&im->b, value) != (part != LATHE_DTYPE_COUNT))
        LT_FAIL(im->err, TYPE, "result '%s' is%s complex, but the file records otherwise", name,
                part == LATHE_DTYPE_COUNT ? "" : " not");
    if (part != LATHE_DTYPE_COUNT) known.dtype = part;
    /* A size that PyTorch left to the run, but that is known here: there is nothing to compare it with. */
    for (int i = 0; i < known.rank && known.rank == have.rank; i++)
        if (lt_xdim_eval(&known.dim[i], im->options->bindings, &want.dim[i], NULL) == LATHE_UNSUPPORTED)
            known.dim[i] = (lt_xdim){.value = have.dim[i]};
    LT_TRY(lt_importer_eval_type(im, &known, &want, im->err));
    if (!lt_type_equal(&want, &have))
        LT_FAIL(im->err, TYPE, "result '%s' is %s, but the file records %s", name, lt_type_print(&have, a),
                lt_type_print(&want, b));
    return LATHE_OK;
}

/* How a value lies in memory in PyTorch; false when the file does not say. */
static bool recorded_layout(const lt_importer *im, const lt_xgraph *graph, const char *name, lt_tensor *out)
{
    const lt_xtype *recorded = lt_importer_recorded(graph, name);
    lt_type type;
    if (!recorded || !recorded->has_strides || lt_importer_eval_type(im, recorded, &type, NULL) != LATHE_OK)
        return false;
    *out = lt_tensor_of(&type, NULL);
    for (int i = 0; i < type.rank; i++)
        if (lt_xdim_eval(&recorded->stride[i], im->options->bindings, &out->stride[i], NULL) != LATHE_OK)
            return false;
    return true;
}

/* Notes how a value with memory of its own lies in it. */
static lathe_status note_layout(const lt_importer *im, const lt_xgraph *graph, const char *name,
                                lt_storage *storage)
{
    lt_tensor layout;
    int64_t *stride;
    if (!recorded_layout(im, graph, name, &layout) || lt_tensor_is_contiguous(&layout)) return LATHE_OK;
    LT_ALLOC(im->arena, stride, layout.rank, im->err);
    memcpy(stride, layout.stride, (size_t)layout.rank * sizeof *stride);
    storage->stride = stride;
    return LATHE_OK;
}

lathe_status lt_importer_bind(lt_importer *im, const lt_xgraph *graph, lt_scope *scope, const char *name,
                              lt_binding *binding)
{
    if (binding->arg.kind == LT_ARG_TENSOR) {
        lt_id id = lt_binding_read(&im->b, binding);
        LT_TRY(im->b.status);
        LT_TRY(check_result(im, graph, name, id));
        lt_value *value = &im->b.graph->values[id];
        if (!value->name) value->name = name;
    }
    return lt_scope_bind(scope, name, binding, im->err);
}

/* ---- Results ---- */

/* The name of the argument that results alias; NULL when they alias none. */
static const char *aliased_name(const lt_arguments *arguments, const lt_schema *schema)
{
    for (uint32_t p = 0; schema->returns_alias && p < schema->n; p++)
        if (schema->params[p].alias == schema->returns_alias && arguments->raw[p].kind == LT_ARG_NAME)
            return arguments->raw[p].text;
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
    const lt_xtype *recorded = lt_importer_recorded(graph, name);
    if (im->exported->loose_dtypes && recorded && lt_dtype_is_float(recorded->dtype) &&
        lt_dtype_is_float(lt_build_dtype(&im->b, result.id)))
        result.id = lt_build_cast(&im->b, result.id, recorded->dtype);
    LT_TRY(im->b.status);
    lt_binding *base = find_base(im, graph, scope, aliased, name, result.id);
    if (base) LT_TRY(lt_binding_alias(&im->b, base, result.id, &binding, im->err));
    else LT_TRY(lt_binding_create(im->arena, result.id, &binding, im->err));
    if (!binding->view) LT_TRY(note_layout(im, graph, name, binding->storage));
    return lt_importer_bind(im, graph, scope, name, binding);
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

/* In-place and out= forms: the written argument takes the result, and is the result. In-place forms of views
 * (unsqueeze_) write nothing: they change what the tensor itself shows; of its `memory`, where that is named.
 */
static lathe_status write_result(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                 const lt_xnode *node, const lt_arg *target, lt_arg result, bool is_view,
                                 const char *memory)
{
    lt_binding *binding = target && target->kind == LT_ARG_NAME ? lt_scope_find(scope, target->text) : NULL;
    if (!binding || !binding->storage || result.kind != LT_ARG_TENSOR)
        LT_FAIL(im->err, FORMAT, "writes in place into something that is no tensor");
    if (is_view) {
        lt_binding *shown,
            *whole = memory && result.id != binding->arg.id ? lt_scope_find(scope, memory) : binding;
        LT_TRY(lt_binding_alias(&im->b, whole, result.id, &shown, im->err));
        *binding = *shown;
    } else {
        lt_binding_write(&im->b, binding, result.id);
    }
    LT_TRY(im->b.status);
    if (node->n_outs == 0 || node->outs[0].kind != LT_ARG_NAME) return LATHE_OK;
    return lt_importer_bind(im, graph, scope, node->outs[0].text, binding);
}

/* Arguments that the operator updates beside its results. */
static lathe_status apply_writes(lt_importer *im, lt_scope *scope, const lt_arguments *arguments,
                                 const lt_call *call)
{
    for (uint32_t p = 0; p < call->schema->n; p++) {
        if (!call->writes[p]) continue;
        const lt_arg *arg = &arguments->raw[p];
        lt_binding *binding = arg->kind == LT_ARG_NAME ? lt_scope_find(scope, arg->text) : NULL;
        if (!binding || !binding->storage)
            LT_FAIL(im->err, FORMAT, "updates argument '%s', which is no tensor",
                    call->schema->params[p].name);
        lt_binding_write(&im->b, binding, call->written[p]);
    }
    return im->b.status;
}

/* ---- Nodes ---- */

/* What the file records of a node's first result; NULL: nothing. */
static const lt_xtype *recorded_result(const lt_xgraph *graph, const lt_xnode *node)
{
    const lt_arg *out = node->n_outs ? &node->outs[0] : NULL;
    if (out && out->kind == LT_ARG_LIST && out->list.n) out = &out->list.items[0];
    return out && out->kind == LT_ARG_NAME ? lt_importer_recorded(graph, out->text) : NULL;
}

/* The float dtype that the file records for a node's first result; LATHE_DTYPE_COUNT when it is none. */
static lt_dtype recorded_float(const lt_xgraph *graph, const lt_xnode *node)
{
    const lt_xtype *recorded = recorded_result(graph, node);
    return recorded && lt_dtype_is_float(recorded->dtype) ? recorded->dtype : LATHE_DTYPE_COUNT;
}

/* An argument that asks for complex numbers becomes the type of their parts, which the result tells. */
static bool take_complex_dtype(const lt_xgraph *graph, const lt_xnode *node, lt_call *call)
{
    const lt_xtype *recorded = recorded_result(graph, node);
    lt_dtype part = recorded ? lt_dtype_of_complex(recorded->dtype_name) : LATHE_DTYPE_COUNT;
    bool found = false;
    for (uint32_t p = 0; p < call->schema->n && part != LATHE_DTYPE_COUNT; p++) {
        lt_arg *arg = &call->args[p];
        if (arg->kind != LT_ARG_DTYPE || arg->dtype != LATHE_DTYPE_COUNT) continue;
        arg->dtype = part;
        found = true;
    }
    return found;
}

/* Real numbers that were asked for as complex ones. */
static void make_complex(lt_call *call)
{
    for (uint32_t i = 0; i < call->n_results && call->b->status == LATHE_OK; i++) {
        lt_arg *result = &call->results[i];
        if (result->kind == LT_ARG_TENSOR)
            result->id = lt_build_complex(call->b, result->id, lt_build_part(call->b, result->id, 1));
    }
}

static bool has_complex(const lt_call *call)
{
    for (uint32_t p = 0; p < call->schema->n && call->b->n_complex; p++) {
        const lt_arg *arg = &call->args[p];
        bool list = arg->kind == LT_ARG_LIST;
        for (uint32_t i = 0; i < (list ? arg->list.n : 1); i++) {
            const lt_arg *item = list ? &arg->list.items[i] : arg;
            if (item->kind == LT_ARG_TENSOR && lt_build_is_complex(call->b, item->id)) return true;
        }
    }
    return false;
}

/* Autocast does not write its casts into the graph, and the meta device lets operands of different float
 * types pass. What the file records of the result tells what happened: where building the operator as it
 * stands does not give that, its operands are cast and it is built once more (what was built first has no
 * reader then). */
static lathe_status build_call(lt_importer *im, const lt_xgraph *graph, const lt_xnode *node, lt_call *call)
{
    bool to_complex = take_complex_dtype(graph, node, call), is_complex = has_complex(call);
    if (to_complex || is_complex) {
        if (is_complex) lt_build_complex_call(call);
        else call->row->build(call);
        if (!is_complex) make_complex(call);
        call->copies_view = call->schema->returns_alias != 0;
        return im->b.status;
    }
    call->row->build(call);
    bool autocast = im->autocast != LATHE_DTYPE_COUNT;
    lt_dtype want = autocast || im->exported->loose_dtypes ? recorded_float(graph, node) : LATHE_DTYPE_COUNT;
    if (want == LATHE_DTYPE_COUNT) return im->b.status;
    bool other = im->b.status == LATHE_OK && call->n_results && call->results[0].kind == LT_ARG_TENSOR &&
                 lt_build_dtype(&im->b, call->results[0].id) != want;
    if (im->b.status != LATHE_TYPE && !(autocast && other)) return im->b.status;
    im->b.status = LATHE_OK;
    call->n_results = 0;
    lt_arguments_cast(call, autocast ? want : LATHE_DTYPE_COUNT);
    call->row->build(call);
    return im->b.status;
}

/* A result of a node is a copy of what it would be a view of. */
static lathe_status note_source(const lt_importer *im, const lt_scope *scope, const char *name,
                                const char *aliased)
{
    const lt_binding *base = aliased ? lt_scope_find(scope, aliased) : NULL;
    lt_binding *result = lt_scope_find(scope, name);
    if (!base || !result || !base->storage) LT_FAIL(im->err, UNSUPPORTED, "a view that has to be copied");
    result->source = base->source ? base->source : base->storage;
    result->source_version = base->source ? base->source_version : base->storage->version;
    return LATHE_OK;
}

static lathe_status note_sources(const lt_importer *im, const lt_scope *scope, const lt_xnode *node,
                                 const char *aliased)
{
    for (uint32_t i = 0; i < node->n_outs; i++) {
        const lt_arg *out = &node->outs[i];
        bool list = out->kind == LT_ARG_LIST;
        for (uint32_t k = 0; k < (list ? out->list.n : 1); k++) {
            const lt_arg *name = list ? &out->list.items[k] : out;
            if (name->kind == LT_ARG_NAME) LT_TRY(note_source(im, scope, name->text, aliased));
        }
    }
    return LATHE_OK;
}

/* Operators with a storage_offset look at the memory behind a tensor: they get all of its elements in place
 * of it, and its own offset where none is given. `memory` names these elements for results that share them.
 */
static lathe_status take_memory(lt_importer *im, lt_scope *scope, const lt_arguments *arguments,
                                lt_call *call, const char **memory)
{
    uint32_t p = lt_schema_find(call->schema, "storage_offset");
    const lt_binding *binding = p != LT_NONE && arguments->raw[0].kind == LT_ARG_NAME
                                    ? lt_scope_find(scope, arguments->raw[0].text)
                                    : NULL;
    lt_binding *whole;
    if (!binding || !binding->storage) return LATHE_OK;
    lt_id elements = lt_binding_elements(&im->b, binding, &call->window);
    LT_TRY(im->b.status);
    if (call->args[p].kind == LT_ARG_NONE)
        call->args[p] = (lt_arg){.kind = LT_ARG_INT, .i = call->window.offset};
    call->owner = call->args[0].id;
    call->args[0].id = elements;
    if (lt_schema_find(call->schema, "src") != LT_NONE) return LATHE_OK; /* as_strided_scatter makes a copy */
    LT_ALLOC(im->arena, whole, 1, im->err);
    *whole = (lt_binding){.arg = {.kind = LT_ARG_TENSOR, .id = binding->storage->value},
                          .storage = binding->storage,
                          .version = binding->storage->version};
    *memory = lt_arena_printf(im->arena, "%s (memory)", arguments->raw[0].text);
    if (!*memory) return lt_out_of_memory(im->err, 1, 1);
    return lt_scope_bind(scope, *memory, whole, im->err);
}

static lathe_status import_aten(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                const lt_xnode *node)
{
    lt_aten_form form;
    lt_schema schema;
    lt_arguments arguments;
    const lt_aten_row *row = lt_aten_find(im->options->table, node->target, &form);
    if (!row) LT_FAIL(im->err, UNSUPPORTED, "this operator is not supported");
    LT_TRY(lt_schema_parse(im->arena, row->schema, &schema, im->err));
    lt_call call = {.b = &im->b, .row = row, .schema = &schema, .owner = LT_NONE};
    LT_TRY(lt_importer_bind_args(im, scope, node, form, &call, &arguments));
    const char *memory = NULL;
    LT_TRY(take_memory(im, scope, &arguments, &call, &memory));
    LT_TRY(build_call(im, graph, node, &call));
    if (form != LT_ATEN_FUNCTIONAL) {
        if (has_complex(&call)) LT_FAIL(im->err, UNSUPPORTED, "complex numbers are not written in place");
        if (!call.n_results) LT_FAIL(im->err, INTERNAL, "no result to write");
        const lt_arg *written = form == LT_ATEN_INPLACE ? &arguments.raw[0] : arguments.out;
        return write_result(im, graph, scope, node, written, call.results[0],
                            form == LT_ATEN_INPLACE && schema.returns_alias, memory);
    }
    LT_TRY(apply_writes(im, scope, &arguments, &call));
    const char *aliased = memory && schema.returns_alias ? memory : aliased_name(&arguments, &schema);
    LT_TRY(bind_results(im, graph, scope, node, call.results, call.n_results,
                        call.copies_view ? NULL : aliased));
    return call.copies_view ? note_sources(im, scope, node, aliased) : LATHE_OK;
}

static lathe_status import_symbolic(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                    const lt_xnode *node)
{
    lt_arg args[LT_SYMBOLIC_ARGS], result;
    if (node->n_args > LT_SYMBOLIC_ARGS) LT_FAIL(im->err, FORMAT, "%u arguments", node->n_args);
    for (uint32_t i = 0; i < node->n_args; i++)
        LT_TRY(lt_importer_resolve(im, scope, &node->args[i].arg, &args[i]));
    LT_TRY(lt_symbolic_eval(node->target, args, node->n_args, &result, im->err));
    return bind_results(im, graph, scope, node, &result, 1, NULL);
}

static lathe_status import_node(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                const lt_xnode *node)
{
    if (lt_region_known(node->target)) return lt_importer_higher_order(im, graph, scope, node);
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
                names[k].kind == LT_ARG_NAME ? lt_importer_recorded(graph, names[k].text) : NULL;
            lt_type type;
            lt_id id;
            if (!recorded || lt_importer_eval_type(im, recorded, &type, NULL) != LATHE_OK) continue;
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
        lt_import_where(node, im->report);
    }
    im->b.status = LATHE_OK;
    return LATHE_OK;
}

lathe_status lt_importer_region(lt_importer *im, const lt_xgraph *graph, lt_scope *scope)
{
    if (++im->depth > LT_MAX_REGION_DEPTH)
        LT_FAIL(im->err, LIMIT, "regions are nested more than %d deep", LT_MAX_REGION_DEPTH);
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

static lathe_status add_user_input(lt_importer *im, const lt_xinput *input, const lt_xtype *recorded,
                                   uint32_t index, lt_id *id)
{
    lt_graph *graph = im->b.graph;
    uint32_t output;
    lt_type type;
    LT_TRY(lt_importer_eval_type(im, recorded, &type, im->err));
    if (is_pair_input(im->options, index, &output))
        return add_state(im, &type, (lt_state){.weight = LT_NONE, .input = index, .output = output},
                         input->name, id);
    LT_TRY(lt_graph_add_value(
        graph, &(lt_value){.type = type, .kind = LT_VALUE_INPUT, .index = index, .name = input->name}, id,
        im->err));
    graph->inputs[index] = *id;
    return LATHE_OK;
}

/* A tensor that Python makes anew in each run, such as torch.tensor(0.0): passes see through small ones as
 * through numbers. */
static bool is_small_constant(const lt_xinput *input, const lt_xweight *weight)
{
    enum { SMALL = 64 };
    int64_t stride[LT_MAX_RANK];
    if (!weight->is_constant || input->is_buffer || !weight->data || lt_type_bytes(&weight->type) > SMALL)
        return false;
    lt_contiguous_strides(weight->type.rank, weight->type.dim, stride);
    for (int i = 0; i < weight->type.rank; i++)
        if (weight->type.dim[i] > 1 && weight->stride[i] != stride[i]) return false;
    return true;
}

static lathe_status import_input(lt_importer *im, lt_scope *scope, uint32_t i, uint32_t *user)
{
    const lt_exported *x = im->exported;
    const lt_xinput *input = &x->inputs[i];
    lt_id id = LT_NONE;
    if (input->kind == LT_X_WEIGHT && is_small_constant(input, &x->weights[input->weight])) {
        id = lt_build_const(&im->b, &x->weights[input->weight].type, x->weights[input->weight].data);
        LT_TRY(im->b.status);
    } else if (input->kind == LT_X_WEIGHT) {
        lt_value value = {.type = x->weights[input->weight].type,
                          .kind = LT_VALUE_WEIGHT,
                          .index = input->weight,
                          .name = input->name};
        LT_TRY(lt_graph_add_value(im->b.graph, &value, &id, im->err));
    } else {
        const lt_xtype *recorded = input->name ? lt_importer_recorded(&x->graph, input->name) : NULL;
        uint32_t index = (*user)++;
        im->b.graph->inputs[index] = LT_NONE;
        if (!recorded) {
            LT_ALLOC(im->arena, im->inputs[i], 1, im->err);
            im->inputs[i]->arg = input->literal;
            return input->name ? lt_scope_bind(scope, input->name, im->inputs[i], im->err) : LATHE_OK;
        }
        LT_TRY(add_user_input(im, input, recorded, index, &id));
    }
    const lt_xtype *recorded = lt_importer_recorded(&x->graph, input->name);
    if (recorded && lt_dtype_of_complex(recorded->dtype_name) != LATHE_DTYPE_COUNT)
        id = lt_build_paired(&im->b, id);
    LT_TRY(im->b.status);
    LT_TRY(lt_binding_create(im->arena, id, &im->inputs[i], im->err));
    LT_TRY(note_layout(im, &x->graph, input->name, im->inputs[i]->storage));
    return lt_scope_bind(scope, input->name, im->inputs[i], im->err);
}

static lathe_status import_inputs(lt_importer *im, lt_scope *scope)
{
    uint32_t users = 0;
    for (uint32_t i = 0; i < im->exported->n_inputs; i++)
        users += im->exported->inputs[i].kind == LT_X_USER_INPUT;
    im->b.graph->n_inputs = users;
    LT_ALLOC(im->arena, im->b.graph->inputs, users, im->err);
    LT_ALLOC(im->arena, im->inputs, im->exported->n_inputs, im->err);
    users = 0;
    for (uint32_t i = 0; i < im->exported->n_inputs; i++)
        LT_TRY_NOTE(import_input(im, scope, i, &users), im->err, "input '%s'", im->exported->inputs[i].label);
    return LATHE_OK;
}

static lathe_status import_output(lt_importer *im, lt_scope *scope, const lt_xoutput *output, uint32_t *user)
{
    lt_arg value;
    LT_TRY(lt_importer_resolve(im, scope, &output->arg, &value));
    if (value.kind == LT_ARG_TENSOR && lt_build_is_complex(&im->b, value.id))
        LT_FAIL(im->err, UNSUPPORTED, "complex numbers: give out torch.view_as_real of them");
    if (output->kind == LT_X_USER_OUTPUT) {
        im->b.graph->outputs[(*user)++] = value.kind == LT_ARG_TENSOR ? value.id : LT_NONE;
        return LATHE_OK;
    }
    lt_binding *target = lt_scope_find(scope, output->target);
    if (!target || !target->storage || value.kind != LT_ARG_TENSOR)
        LT_FAIL(im->err, FORMAT, "mutation of '%s', which is no tensor", output->target);
    if (!lt_type_equal(lt_build_type(&im->b, value.id), lt_build_type(&im->b, target->storage->value)))
        LT_FAIL(im->err, FORMAT, "mutation of '%s' by a value of another type", output->target);
    target->storage->value = value.id;
    return LATHE_OK;
}

/* Weights that the graph has written to, in place or by an output that says so, live on as state. Lifted
 * constants do not: Python makes them anew in each run. */
static lathe_status find_written(lt_importer *im)
{
    lt_graph *graph = im->b.graph;
    for (uint32_t i = 0; i < im->exported->n_inputs; i++) {
        const lt_xinput *input = &im->exported->inputs[i];
        const lt_binding *binding = im->inputs[i];
        if (input->kind != LT_X_WEIGHT ||
            (im->exported->weights[input->weight].is_constant && !input->is_buffer))
            continue;
        lt_id before = binding->storage->initial, after = binding->storage->value;
        uint32_t index;
        if (before == after) continue;
        graph->values[before].kind = LT_VALUE_STATE;
        graph->values[before].index = graph->n_states;
        LT_TRY(lt_graph_add_state(graph,
                                  &(lt_state){.before = before,
                                              .after = after,
                                              .weight = input->weight,
                                              .input = LT_NONE,
                                              .output = LT_NONE},
                                  &index, im->err));
    }
    return LATHE_OK;
}

static lathe_status import_outputs(lt_importer *im, lt_scope *scope)
{
    const lt_exported *x = im->exported;
    lt_graph *graph = im->b.graph;
    LT_ALLOC(im->arena, graph->outputs, x->n_outputs, im->err);
    for (uint32_t i = 0; i < x->n_outputs; i++)
        LT_TRY_NOTE(import_output(im, scope, &x->outputs[i], &graph->n_outputs), im->err, "output %u", i);
    for (uint32_t i = 0; i < graph->n_states; i++) { /* pairs of inputs and outputs */
        lt_state *state = &graph->states[i];
        lt_id after = state->output < graph->n_outputs ? graph->outputs[state->output] : LT_NONE;
        if (after == LT_NONE ||
            !lt_type_equal(&graph->values[after].type, &graph->values[state->before].type))
            LT_FAIL(im->err, FORMAT, "output %u is not what input %u becomes: their types differ",
                    state->output, state->input);
        state->after = after;
        graph->outputs[state->output] = LT_NONE;
    }
    return find_written(im);
}

lathe_status lt_import(const lt_exported *exported, const lt_import_options *options, lt_arena *arena,
                       lt_graph **out, lt_text *report, lathe_error *err)
{
    lathe_error own = {0};
    lt_importer im = {.exported = exported,
                      .options = options,
                      .arena = arena,
                      .err = err ? err : &own,
                      .report = report,
                      .autocast = LATHE_DTYPE_COUNT};
    lt_scope scope = {.arena = arena};
    im.b.err = im.err;
    LT_TRY(lt_graph_create(arena, &im.b.graph, err));
    LT_TRY(import_inputs(&im, &scope));
    LT_TRY(lt_importer_region(&im, &exported->graph, &scope));
    if (im.first_failure == LATHE_OK) LT_TRY(import_outputs(&im, &scope));
    if (im.first_failure != LATHE_OK) {
        *im.err = im.first_error;
        return im.first_failure;
    }
    *out = im.b.graph;
    return LATHE_OK;
}
