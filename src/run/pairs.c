/* Inputs that an output updates: found from the graph, by how the output is made. */
#include <string.h>

#include "run/model.h"

/* ATen operators that overwrite part of their first argument. */
static bool is_update(const char *target)
{
    static const char *const names[] = {"aten.index_copy",     "aten.index_put", "aten.slice_scatter",
                                        "aten.select_scatter", "aten.scatter",   "aten.masked_scatter",
                                        "aten.index_fill",     "aten.copy",      "aten.diagonal_scatter",
                                        "aten._index_put_impl"};
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        size_t n = strlen(names[i]);
        if (strncmp(target, names[i], n) == 0 && (target[n] == '.' || target[n] == '_')) return true;
    }
    return false;
}

static const lt_xnode *producer(const lt_xgraph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t k = 0; k < graph->nodes[i].n_outs; k++)
            if (graph->nodes[i].outs[k].kind == LT_ARG_NAME &&
                strcmp(graph->nodes[i].outs[k].text, name) == 0)
                return &graph->nodes[i];
    return NULL;
}

static bool same_type(const lt_xgraph *graph, const char *a, const char *b)
{
    uint32_t i = lt_map_get(&graph->type_of, a), k = lt_map_get(&graph->type_of, b);
    if (i == LT_NONE || k == LT_NONE) return false;
    const lt_xtype *x = &graph->types[i], *y = &graph->types[k];
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (int d = 0; d < x->rank; d++) {
        bool symbolic = x->dim[d].expr && y->dim[d].expr;
        uint32_t sx = symbolic ? lt_expr_symbol(x->dim[d].expr) : LT_NONE,
                 sy = symbolic ? lt_expr_symbol(y->dim[d].expr) : LT_NONE;
        if (symbolic ? sx != sy || sx == LT_NONE
                     : x->dim[d].expr || y->dim[d].expr || x->dim[d].value != y->dim[d].value)
            return false;
    }
    return true;
}

/* The placeholder that a chain of updates starts from; NULL when the output is not made so. */
static const char *updated_input(const lt_xgraph *graph, const char *output)
{
    const char *name = output;
    for (int hops = 0; hops < 64; hops++) {
        const lt_xnode *node = producer(graph, name);
        if (!node) return hops ? name : NULL;
        if (!is_update(node->target) || !node->n_args || node->args[0].arg.kind != LT_ARG_NAME) return NULL;
        name = node->args[0].arg.text;
    }
    return NULL;
}

lathe_status lt_model_find_pairs(const lathe_model *model, struct lt_state_pair **out, uint32_t *n,
                                 lathe_error *err)
{
    size_t n_inputs = lathe_model_input_count(model), n_outputs = lathe_model_output_count(model);
    const lt_xgraph *graph = &model->exported->graph;
    *n = 0;
    *out = lt_heap_alloc(n_inputs, sizeof **out);
    if (!*out) return lt_out_of_memory(err, n_inputs, sizeof **out);
    for (uint32_t o = 0; o < n_outputs && *n < n_inputs; o++) {
        const lt_xoutput *output = lt_model_user_output(model, o);
        const char *start = output->arg.kind == LT_ARG_NAME ? updated_input(graph, output->arg.text) : NULL;
        if (!start || !same_type(graph, start, output->arg.text)) continue;
        for (uint32_t i = 0; i < n_inputs; i++) {
            const lt_xinput *input = lt_model_user_input(model, i);
            if (input->name && strcmp(input->name, start) == 0)
                (*out)[(*n)++] = (struct lt_state_pair){.input = i, .output = o};
        }
    }
    return LATHE_OK;
}
