/* Inputs that an output updates (KV caches): found from the graph, by how the output is made. */
#include <string.h>

#include "run/model.h"

/* What a value is to a user input. */
typedef enum lt_relation {
    RELATION_SAME,    /* the input itself, maybe under another name */
    RELATION_UPDATED, /* the input with some elements overwritten */
    RELATION_VIEW,    /* a view of part of it: writing into it writes into the input */
    RELATION_MOVED    /* elements of it at other places, among others */
} lt_relation;

typedef struct lt_trace {
    uint32_t input; /* which user input */
    lt_relation relation;
} lt_trace;

typedef struct lt_finder {
    const lathe_model *model;
    lt_arena *arena;
    lathe_error *err;
    lt_map trace_of; /* value name → index in traces; only values that have to do with an input */
    lt_trace *traces;
    bool *written; /* [user inputs]: some node writes into it in place */
    uint32_t n, capacity;
} lt_finder;

static lathe_status add_trace(lt_finder *f, const char *name, uint32_t input, lt_relation relation)
{
    LT_GROW(f->arena, f->traces, f->n, f->capacity, f->err);
    f->traces[f->n] = (lt_trace){.input = input, .relation = relation};
    return lt_map_put(&f->trace_of, name, f->n++, f->err);
}

static const lt_trace *trace_of(const lt_finder *f, const char *name)
{
    uint32_t index = name ? lt_map_get(&f->trace_of, name) : LT_NONE;
    return index == LT_NONE ? NULL : &f->traces[index];
}

static bool is_one_of(const char *target, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(target, names[i], length) == 0 && (target[length] == '.' || target[length] == '_'))
            return true;
    }
    return false;
}

/* Operators that overwrite part of their first argument. */
static bool is_update(const char *target)
{
    static const char *const names[] = {
        "aten.index_copy",       "aten.index_put",       "aten.slice_scatter",     "aten.select_scatter",
        "aten.scatter",          "aten.masked_scatter",  "aten.index_fill",        "aten.copy",
        "aten.diagonal_scatter", "aten._index_put_impl", "aten.as_strided_scatter"};
    return is_one_of(target, names, LT_COUNT(names));
}

/* Operators that put what they are given at other places: caches that grow, or move up by one. */
static bool is_move(const char *target)
{
    static const char *const names[] = {"aten.cat", "aten.roll", "aten.where"};
    return is_one_of(target, names, LT_COUNT(names));
}

static bool is_identity(const char *target)
{
    static const char *const names[] = {"aten.alias", "aten.detach", "aten.lift_fresh"};
    return is_one_of(target, names, LT_COUNT(names));
}

static const char *first_tensor(const lt_xnode *node)
{
    const lt_arg *arg = node->operands && node->operands->n ? &node->operands->tensors[0]
                        : node->n_args                      ? &node->args[0].arg
                                                            : NULL;
    return arg && arg->kind == LT_ARG_NAME ? arg->text : NULL;
}

/* Whether the results of the operator show the memory of its first argument. */
static lathe_status shows_first(lt_finder *f, const lt_aten_row *row, bool *out)
{
    lt_schema schema;
    *out = false;
    if (!row) return LATHE_OK;
    LT_TRY(lt_schema_parse(f->arena, row->schema, &schema, f->err));
    *out = schema.n && schema.returns_alias && schema.params[0].alias == schema.returns_alias;
    return LATHE_OK;
}

static lathe_status trace_outputs(lt_finder *f, const lt_xnode *node, uint32_t input, lt_relation relation)
{
    for (uint32_t i = 0; i < node->n_outs; i++) {
        const lt_arg *out = &node->outs[i];
        bool list = out->kind == LT_ARG_LIST;
        for (uint32_t k = 0; k < (list ? out->list.n : 1); k++) {
            const lt_arg *name = list ? &out->list.items[k] : out;
            if (name->kind == LT_ARG_NAME) LT_TRY(add_trace(f, name->text, input, relation));
        }
    }
    return LATHE_OK;
}

/* The first tensor among a node's arguments that has to do with an input. */
static const lt_trace *any_trace(const lt_finder *f, const lt_xnode *node)
{
    const lt_trace *found = NULL;
    for (uint32_t i = 0; node->operands && i < node->operands->n && !found; i++)
        found = trace_of(f, node->operands->tensors[i].text);
    for (uint32_t i = 0; i < node->n_args && !found; i++) {
        const lt_arg *arg = &node->args[i].arg;
        bool list = arg->kind == LT_ARG_LIST;
        for (uint32_t k = 0; k < (list ? arg->list.n : 1) && !found; k++) {
            const lt_arg *name = list ? &arg->list.items[k] : arg;
            if (name->kind == LT_ARG_NAME) found = trace_of(f, name->text);
        }
    }
    return found;
}

static lathe_status trace_node(lt_finder *f, const lt_xnode *node)
{
    lt_aten_form form;
    bool view;
    const lt_trace *from = is_move(node->target) ? any_trace(f, node) : trace_of(f, first_tensor(node));
    if (!from) return LATHE_OK;
    lt_trace first = *from;
    if (is_move(node->target)) return trace_outputs(f, node, first.input, RELATION_MOVED);
    bool moved = first.relation == RELATION_MOVED;
    const lt_aten_row *row = lt_aten_find(f->model->table, node->target, &form);
    LT_TRY(shows_first(f, row, &view));
    if (is_identity(node->target)) return trace_outputs(f, node, first.input, first.relation);
    if (row && form == LT_ATEN_INPLACE && !view) {
        f->written[first.input] |= !moved;
        return trace_outputs(f, node, first.input, first.relation);
    }
    if (view) return trace_outputs(f, node, first.input, moved ? RELATION_MOVED : RELATION_VIEW);
    if (is_update(node->target) && first.relation != RELATION_VIEW)
        return trace_outputs(f, node, first.input, moved ? RELATION_MOVED : RELATION_UPDATED);
    return LATHE_OK;
}

static bool same_size(const lt_xdim *a, const lt_xdim *b)
{
    if (!a->expr && !b->expr) return a->value == b->value;
    uint32_t x = a->expr ? lt_expr_symbol(a->expr) : LT_NONE, y = b->expr ? lt_expr_symbol(b->expr) : LT_NONE;
    return x == y && x != LT_NONE;
}

/* Whether two values have the same type; of dim `but` (-1: none) the size does not matter. */
static bool same_type(const lt_xgraph *graph, const char *a, const char *b, int but)
{
    uint32_t i = lt_map_get(&graph->type_of, a), k = lt_map_get(&graph->type_of, b);
    if (i == LT_NONE || k == LT_NONE) return false;
    const lt_xtype *x = &graph->types[i], *y = &graph->types[k];
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (int d = 0; d < x->rank; d++)
        if (d != but && !same_size(&x->dim[d], &y->dim[d])) return false;
    return true;
}

/* Whether an output of that kind may be meant as the input's next value. */
static bool goes_on(const lt_finder *f, const lt_trace *trace)
{
    if (trace->relation == RELATION_SAME) return f->written[trace->input];
    return trace->relation != RELATION_VIEW;
}

/* The first output that is an input's next value makes the pair; others of that input are plain outputs. */
static void collect(const lt_finder *f, bool *taken, struct lt_state_pair *pairs, uint32_t *n)
{
    const lathe_model *model = f->model;
    for (uint32_t o = 0; o < model->n_user_outputs; o++) {
        const lt_arg *arg = &model->user_outputs[o]->arg;
        const lt_trace *trace = arg->kind == LT_ARG_NAME ? trace_of(f, arg->text) : NULL;
        if (!trace || taken[trace->input] || !goes_on(f, trace) || trace->relation == RELATION_MOVED)
            continue;
        const char *name = model->user_inputs[trace->input]->name;
        if (!same_type(&model->exported->graph, name, arg->text, -1)) continue;
        taken[trace->input] = true;
        pairs[(*n)++] = (struct lt_state_pair){.input = trace->input, .output = o};
    }
}

/* Outputs that look like the next value of an input that is in no pair: they have the same sizes, or another
 * number of positions in a cache [batch, heads, positions, size]. */
static void collect_copies(const lt_finder *f, const bool *taken, lt_state_copy *copies, uint32_t *n)
{
    enum { CACHE_RANK = 4, POSITIONS = 2 };
    const lathe_model *model = f->model;
    const lt_xgraph *graph = &model->exported->graph;
    for (uint32_t o = 0; o < model->n_user_outputs; o++) {
        const lt_arg *arg = &model->user_outputs[o]->arg;
        const lt_trace *trace = arg->kind == LT_ARG_NAME ? trace_of(f, arg->text) : NULL;
        if (!trace || taken[trace->input] || !goes_on(f, trace)) continue;
        const char *name = model->user_inputs[trace->input]->name;
        uint32_t type = lt_map_get(&graph->type_of, name);
        if (type == LT_NONE || graph->types[type].rank != CACHE_RANK) continue;
        if (!same_type(graph, name, arg->text, POSITIONS)) continue;
        copies[(*n)++] = (lt_state_copy){.input = trace->input,
                                         .output = o,
                                         .reason = trace->relation == RELATION_MOVED
                                                       ? "put together anew by cat, roll or where"
                                                       : "the output has other sizes"};
    }
}

static lathe_status trace_all(lt_finder *f, bool **taken)
{
    const lathe_model *model = f->model;
    const lt_xgraph *graph = &model->exported->graph;
    f->trace_of.arena = f->arena;
    LT_ALLOC(f->arena, f->written, model->n_user_inputs, f->err);
    LT_ALLOC(f->arena, *taken, model->n_user_inputs, f->err);
    for (uint32_t i = 0; i < model->n_user_inputs; i++)
        if (model->user_inputs[i]->name) LT_TRY(add_trace(f, model->user_inputs[i]->name, i, RELATION_SAME));
    for (uint32_t i = 0; i < graph->n_nodes; i++) LT_TRY(trace_node(f, &graph->nodes[i]));
    return LATHE_OK;
}

lathe_status lt_model_find_copies(const lathe_model *model, lt_arena *arena, lt_state_copy **out, uint32_t *n,
                                  lathe_error *err)
{
    lt_finder f = {.model = model, .arena = arena, .err = err};
    struct lt_state_pair *pairs;
    bool *taken;
    uint32_t n_pairs = 0;
    *n = 0;
    LT_ALLOC(arena, *out, model->n_user_outputs, err);
    LT_ALLOC(arena, pairs, model->n_user_inputs, err);
    LT_TRY(trace_all(&f, &taken));
    collect(&f, taken, pairs, &n_pairs);
    collect_copies(&f, taken, *out, n);
    return LATHE_OK;
}

lathe_status lt_model_find_pairs(const lathe_model *model, struct lt_state_pair **out, uint32_t *n,
                                 lathe_error *err)
{
    lt_finder f = {.model = model, .err = err};
    bool *taken;
    *n = 0;
    *out = NULL;
    LT_TRY(lt_arena_create(&f.arena, err));
    lathe_status status = LATHE_OK;
    struct lt_state_pair *pairs = lt_heap_alloc(model->n_user_inputs, sizeof *pairs);
    if (!pairs) status = lt_out_of_memory(err, model->n_user_inputs, sizeof *pairs);
    if (status == LATHE_OK) status = trace_all(&f, &taken);
    if (status == LATHE_OK) collect(&f, taken, pairs, n);
    lt_arena_destroy(f.arena);
    if (status == LATHE_OK) *out = pairs;
    else lt_heap_free(pairs);
    return status;
}
