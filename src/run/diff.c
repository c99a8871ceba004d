/* Compares two placements node by node: each node gets the same inputs on both, those that the trusted side
 * made. */
#include <math.h>
#include <string.h>

#include "ops/convert.h"
#include "pass/pass.h"
#include "pass/subgraph.h"
#include "run/diff.h"
#include "run/dispatch.h"

enum { MAX_NODE_INPUTS = 64 };

typedef struct lt_differ {
    lathe_model *model;
    const lathe_diff_options *options;
    lt_devices sides[2]; /* the one in question, the one that is trusted */
    lt_arena *arena;
    lt_graph *graph;
    void **data;        /* [n_values]: contiguous; NULL: not made yet, or not needed any more */
    uint32_t *last_use; /* [n_values]: the last node that reads the value */
    lathe_difference *out;
    lathe_error *err;
} lt_differ;

/* ---- Values ---- */

static lathe_status need_memory(lt_differ *d, lt_id id)
{
    size_t bytes = lt_type_bytes(&d->graph->values[id].type);
    d->data[id] = lt_os_alloc(bytes);
    return d->data[id] ? LATHE_OK : lt_out_of_memory(d->err, bytes, 1);
}

static lathe_status load_weight(lt_differ *d, lt_id id, uint32_t weight)
{
    LT_TRY(lt_model_need_weight(d->model, weight, d->err));
    LT_TRY(need_memory(d, id));
    lt_tensor to = lt_tensor_of(&d->graph->values[id].type, d->data[id]), from = to;
    from.data = (void *)(uintptr_t)d->model->weights[weight].data;
    memcpy(from.stride, d->model->weights[weight].stride, sizeof from.stride);
    lt_tensor_copy(&from, &to);
    return LATHE_OK;
}

/* Values that no node makes; a state has its first contents. */
static lathe_status load_leaf(lt_differ *d, lt_id id)
{
    const lt_value *value = &d->graph->values[id];
    if (d->data[id] || value->kind == LT_VALUE_CONST || value->kind == LT_VALUE_TEMP) return LATHE_OK;
    if (value->kind == LT_VALUE_WEIGHT) return load_weight(d, id, value->index);
    if (value->kind == LT_VALUE_STATE && d->graph->states[value->index].weight != LT_NONE)
        return load_weight(d, id, d->graph->states[value->index].weight);
    LT_TRY(need_memory(d, id)); /* zeros */
    if (value->kind != LT_VALUE_INPUT) return LATHE_OK;
    const lt_tensor *input = &d->options->inputs[value->index];
    lt_tensor to = lt_tensor_of(&value->type, d->data[id]);
    lt_type given = {.rank = -1};
    if (input->rank >= 0) given = lt_tensor_type(input);
    if (!lt_type_equal(&given, &value->type))
        LT_FAIL(d->err, TYPE, "input '%s' is not given, or not of the model's type",
                lt_model_user_input(d->model, value->index)->label);
    lt_tensor_copy(input, &to);
    return LATHE_OK;
}

static void drop_values(lt_differ *d, uint32_t node)
{
    for (uint32_t i = 0; i < d->graph->n_values; i++) {
        if (!d->data[i] || d->last_use[i] != node) continue;
        lt_os_free(d->data[i]);
        d->data[i] = NULL;
    }
}

/* ---- One node on one side ---- */

/* A graph of the node alone: its inputs, in the order of `ids`, are inputs of the graph unless they are
 * constants. */
static lathe_status single_graph(lt_differ *d, const lt_node *node, lt_arena *arena, lt_graph **out,
                                 lt_id *ids, uint32_t *n_ids)
{
    lt_graph whole = *d->graph;
    lt_subgraph s;
    whole.arena = arena; /* the new graph dies with this node */
    LT_TRY(lt_subgraph_start(&s, &whole, d->err));
    *n_ids = 0;
    for (uint32_t k = 0; k < node->n_in; k++) {
        lt_id id = node->in[k];
        lt_value value = d->graph->values[id];
        if (s.map[id] != LT_NONE) continue;
        if (value.kind != LT_VALUE_CONST) {
            value.kind = LT_VALUE_INPUT;
            value.index = *n_ids;
            ids[(*n_ids)++] = id;
        }
        LT_TRY(lt_subgraph_value(&s, id, value));
    }
    LT_TRY(lt_subgraph_node(&s, node));
    s.to->n_outputs = lt_op_get(node->op)->n_out;
    LT_ALLOC(arena, s.to->outputs, s.to->n_outputs, d->err);
    for (uint32_t k = 0; k < s.to->n_outputs; k++) s.to->outputs[k] = s.map[node->out + k];
    *out = s.to;
    return LATHE_OK;
}

static lathe_status no_weights(void *context, uint32_t weight, int64_t *stride, lathe_error *err)
{
    (void)context, (void)weight, (void)stride;
    LT_FAIL(err, INTERNAL, "a single node reads a weight");
}

static lathe_status run_in_arena(lt_differ *d, int side, const lt_node *node, lt_arena *arena, void **results)
{
    lt_graph *graph = NULL;
    lt_partition *partition;
    lt_id ids[MAX_NODE_INPUTS];
    void *inputs[MAX_NODE_INPUTS];
    uint32_t n, source;
    lt_states states = {.devices = &d->sides[side]};
    lt_weight_layout layout = {.strides = no_weights};
    lt_dispatch dispatch = {0};
    LT_TRY(single_graph(d, node, arena, &graph, ids, &n));
    LT_TRY(lt_devices_partition(&d->sides[side], graph, &partition, d->err));
    for (uint32_t k = 0; k < n; k++) inputs[k] = d->data[ids[k]];
    lt_dispatch_setup setup = {.arena = arena,
                               .devices = &d->sides[side],
                               .states = &states,
                               .partition = partition,
                               .inputs = inputs,
                               .layout = &layout};
    lathe_status status = lt_dispatch_create(&dispatch, &setup, d->err);
    if (status == LATHE_OK) status = lt_dispatch_run(&dispatch, false, &source, d->err);
    for (uint32_t k = 0; k < graph->n_outputs && status == LATHE_OK; k++)
        memcpy(results[k], dispatch.results[k], lt_type_bytes(&graph->values[graph->outputs[k]].type));
    lt_dispatch_destroy(&dispatch);
    lt_states_free(&states);
    return status;
}

static lathe_status run_node(lt_differ *d, int side, const lt_node *node, void **results)
{
    lt_arena *arena;
    if (node->n_in > MAX_NODE_INPUTS) LT_FAIL(d->err, LIMIT, "a node of %u inputs", node->n_in);
    LT_TRY(lt_arena_create(&arena, d->err));
    lathe_status status = run_in_arena(d, side, node, arena, results);
    lt_arena_destroy(arena);
    return status;
}

/* ---- Comparing ---- */

static double unit(lt_dtype dtype)
{
    switch (dtype) {
    case LATHE_F64: return 0x1p-52;
    case LATHE_F32: return 0x1p-23;
    case LATHE_F16: return 0x1p-10;
    case LATHE_BF16: return 0x1p-7;
    default: return 0;
    }
}

/* How many terms are summed for an element: what rounding errors add up over. */
static double chain_length(const lt_graph *g, const lt_node *node)
{
    const lt_type *x = node->n_in ? &g->values[node->in[0]].type : NULL;
    const lt_type *w = node->n_in > 1 ? &g->values[node->in[1]].type : NULL;
    double out = (double)lt_max_i64(lt_type_count(&g->values[node->out].type), 1);
    if (node->op == LT_OP_LINEAR || node->op == LT_OP_MATMUL) return (double)x->dim[x->rank - 1];
    if (node->op == LT_OP_CONV) return (double)lt_type_count(w) / (double)lt_max_i64(w->dim[0], 1);
    if (node->op == LT_OP_SDPA) return (double)w->dim[2] + (double)w->dim[3];
    if (!x || x->rank == 0) return 1;
    double all = (double)lt_type_count(x);
    return all > out ? all / out : (double)x->dim[x->rank - 1];
}

/* Rounding the result once on each side, and a float32 (float64) sum of that many terms as large as the
 * largest result; transcendental functions have a few units more. */
static double allowed(double want, double largest, double terms, lt_dtype dtype)
{
    double sum_unit = dtype == LATHE_F64 ? 0x1p-53 : 0x1p-24;
    return 2 * unit(dtype) * fabs(want) + (terms + 8) * sum_unit * largest;
}

static bool same(double have, double want, double margin)
{
    if (isnan(want) || isnan(have)) return isnan(want) && isnan(have);
    return have == want || fabs(have - want) <= margin;
}

static double largest_of(const lt_tensor *tensor)
{
    double largest = 0;
    for (int64_t i = 0; i < lathe_tensor_count(tensor); i++) {
        double value = fabs(lathe_tensor_value(tensor, i));
        if (isfinite(value) && value > largest) largest = value;
    }
    return largest;
}

void lt_diff_margins(const lt_graph *graph, const lt_node *node, const lt_tensor *want, double *out)
{
    double largest = largest_of(want), terms = chain_length(graph, node);
    for (int64_t i = 0; i < lathe_tensor_count(want); i++)
        out[i] = lt_dtype_is_float(want->dtype)
                     ? allowed(lathe_tensor_value(want, i), largest, terms, want->dtype)
                     : 0;
}

/* True where all elements agree; else *at is the first that does not. */
static bool agree(const lt_differ *d, const lt_node *node, const lt_tensor *have, const lt_tensor *want,
                  int64_t *at, double *margin)
{
    double largest = largest_of(want), terms = chain_length(d->graph, node);
    bool exact = !lt_dtype_is_float(want->dtype);
    for (*at = 0; *at < lathe_tensor_count(want); ++*at) {
        double value = lathe_tensor_value(want, *at);
        *margin = exact ? 0 : allowed(value, largest, terms, want->dtype);
        if (!same(lathe_tensor_value(have, *at), value, *margin)) return false;
    }
    return true;
}

/* ---- Telling ---- */

static void tell(lt_differ *d, const lt_node *node, uint32_t output, const lt_tensor *have,
                 const lt_tensor *want, int64_t at, double margin, lt_text *text)
{
    const lt_xgraph *file = &d->model->exported->graph;
    char type[LT_TYPE_TEXT];
    lt_type shape = lt_tensor_type(want);
    lt_text_printf(text, "%s differs: output %u, %s, element %lld\n", lt_op_get(node->op)->name, output,
                   lt_type_print(&shape, type), (long long)at);
    if (node->source < file->n_nodes) {
        const lt_xnode *source = &file->nodes[node->source];
        lt_text_printf(text, "    node '%s' (%s)\n", source->name, source->target);
        lt_import_where(source, text);
    }
    for (uint32_t k = 0; k < node->n_in; k++)
        lt_text_printf(text, "    input %u: %s\n", k,
                       lt_type_print(&d->graph->values[node->in[k]].type, type));
    lt_text_printf(text, "    element, value, expected (allowed to differ by %.3g)\n", margin);
    int64_t from = lt_max_i64(at - 3, 0), to = lt_min_i64(at + 4, lathe_tensor_count(want));
    for (int64_t i = from; i < to; i++)
        lt_text_printf(text, "  %c %lld: %.9g, %.9g\n", i == at ? '>' : ' ', (long long)i,
                       lathe_tensor_value(have, i), lathe_tensor_value(want, i));
}

static lathe_status compare(lt_differ *d, uint32_t i, void **results)
{
    const lt_node *node = &d->graph->nodes[i];
    for (uint32_t k = 0; k < lt_op_get(node->op)->n_out; k++) {
        const lt_type *type = &d->graph->values[node->out + k].type;
        lt_tensor have = lt_tensor_of(type, results[k]), want = lt_tensor_of(type, d->data[node->out + k]);
        int64_t at;
        double margin;
        if (agree(d, node, &have, &want, &at, &margin)) continue;
        lt_text text = {0};
        tell(d, node, k, &have, &want, at, margin, &text);
        LT_TRY(lt_text_status(&text, d->err));
        d->out->text = text.data;
        lt_diff_case failed = {
            .model = d->model, .graph = d->graph, .node = node, .data = d->data, .found = results};
        return d->options->case_path ? lt_diff_write_case(&failed, d->options->case_path, d->err) : LATHE_OK;
    }
    return LATHE_OK;
}

/* ---- All nodes ---- */

static lathe_status check_node(lt_differ *d, uint32_t i)
{
    const lt_node *node = &d->graph->nodes[i];
    void *results[LT_MAX_OUTPUTS] = {0}, *trusted[LT_MAX_OUTPUTS];
    lathe_status status = LATHE_OK;
    int n = lt_op_get(node->op)->n_out;
    for (uint32_t k = 0; k < node->n_in; k++) LT_TRY(load_leaf(d, node->in[k]));
    for (int k = 0; k < n && status == LATHE_OK; k++) {
        size_t bytes = lt_type_bytes(&d->graph->values[node->out + (lt_id)k].type);
        status = need_memory(d, node->out + (lt_id)k);
        trusted[k] = d->data[node->out + (lt_id)k];
        results[k] = lt_os_alloc(bytes);
        if (status == LATHE_OK && !results[k]) status = lt_out_of_memory(d->err, bytes, 1);
    }
    if (status == LATHE_OK) status = run_node(d, 1, node, trusted);
    bool compared = i >= d->options->skip;
    if (status == LATHE_OK && compared) status = run_node(d, 0, node, results);
    if (status == LATHE_OK && compared) status = compare(d, i, results);
    for (int k = 0; k < n; k++) lt_os_free(results[k]);
    drop_values(d, i);
    return status;
}

static lathe_status make_graph(lt_differ *d)
{
    const lt_exported *x = d->model->exported;
    int64_t *bindings;
    LT_ALLOC(d->arena, bindings, x->n_symbols, d->err);
    for (uint32_t i = 0; i < x->n_symbols; i++) bindings[i] = LT_UNBOUND;
    for (size_t i = 0; i < lathe_model_input_count(d->model); i++) {
        const lathe_tensor *input = &d->options->inputs[i];
        if (input->rank >= 0)
            LT_TRY(lt_import_bind(x, lt_model_user_input(d->model, i), input->rank, input->dim, bindings,
                                  d->err));
    }
    LT_TRY(lt_import_check(x, bindings, d->err));
    lt_import_options options = {.bindings = bindings, .table = d->model->table};
    LT_TRY(lt_import(x, &options, d->arena, &d->graph, NULL, d->err));
    int optimize = d->options->optimize ? d->options->optimize - 1 : LT_OPTIMIZE_MAX;
    LT_TRY(lt_passes_run(&d->graph, optimize, LT_TARGET_SHARED, NULL, d->err));
    LT_ALLOC(d->arena, d->data, d->graph->n_values, d->err);
    LT_ALLOC(d->arena, d->last_use, d->graph->n_values, d->err);
    for (uint32_t i = 0; i < d->graph->n_values; i++) d->last_use[i] = LT_NONE;
    for (uint32_t i = 0; i < d->graph->n_nodes; i++) {
        const lt_node *node = &d->graph->nodes[i];
        for (int k = 0; k < lt_op_get(node->op)->n_out; k++) d->last_use[node->out + (lt_id)k] = i;
        for (uint32_t k = 0; k < node->n_in; k++) d->last_use[node->in[k]] = i;
    }
    return LATHE_OK;
}

static lathe_status diff(lt_differ *d)
{
    const lathe_placement *placements[2] = {&d->options->device, &d->options->against};
    for (int side = 0; side < 2; side++) {
        lathe_session_options options = {.placement = *placements[side]};
        options.placement.keep_islands = 1;
        LT_TRY(lt_devices_open(&d->sides[side], d->model, &options, d->err));
    }
    LT_TRY(make_graph(d));
    d->out->nodes = d->graph->n_nodes;
    for (uint32_t i = 0; i < d->graph->n_nodes && !d->out->text; i++) {
        LT_TRY_NOTE(check_node(d, i), d->err, "node %u (%s)", i, lt_op_get(d->graph->nodes[i].op)->name);
        d->out->checked++;
        if (d->options->on_node) d->options->on_node(d->options->user, i + 1, d->graph->n_nodes);
    }
    return LATHE_OK;
}

lathe_status lathe_model_diff(lathe_model *model, const lathe_diff_options *options, lathe_difference *out,
                              lathe_error *err)
{
    const char *report;
    lt_differ d = {.model = model, .options = options, .out = out, .err = err};
    *out = (lathe_difference){0};
    LT_TRY(lathe_model_unsupported(model, &report, err));
    if (*report) LT_FAIL(err, UNSUPPORTED, "%s", report);
    LT_TRY(lt_arena_create(&d.arena, err));
    lathe_status status = diff(&d);
    for (uint32_t i = 0; d.data && i < d.graph->n_values; i++) lt_os_free(d.data[i]);
    for (int side = 0; side < 2; side++) lt_devices_close(&d.sides[side]);
    lt_arena_destroy(d.arena);
    if (status != LATHE_OK) {
        lathe_text_free(out->text);
        out->text = NULL;
    }
    return status;
}
