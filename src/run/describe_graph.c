/* The graph of a model as a drawing. */
#include "run/describe.h"

static void draw_edge(const char *from, const char *to, bool dot, lt_text *text)
{
    if (dot) lt_text_printf(text, "  \"%s\" -> \"%s\";\n", from, to);
    else lt_text_printf(text, "  %s --> %s\n", from, to);
}

static void draw_box(const char *name, const char *label, bool dot, lt_text *text)
{
    if (dot) lt_text_printf(text, "  \"%s\" [label=\"%s\"];\n", name, label);
    else lt_text_printf(text, "  %s[\"%s\"]\n", name, label);
}

/* The node that defines each name, so that edges join nodes. */
static lathe_status map_producers(const lt_xgraph *graph, lt_map *producers, lathe_error *err)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t k = 0; k < graph->nodes[i].n_outs; k++) {
            const lt_arg *out = &graph->nodes[i].outs[k];
            uint32_t n = out->kind == LT_ARG_LIST ? out->list.n : 1;
            const lt_arg *items = out->kind == LT_ARG_LIST ? out->list.items : out;
            for (uint32_t m = 0; m < n; m++)
                if (items[m].kind == LT_ARG_NAME) LT_TRY(lt_map_put(producers, items[m].text, i, err));
        }
    return LATHE_OK;
}

static void draw_arg(const lt_xgraph *graph, const lt_map *producers, const lt_arg *arg, const char *to,
                     bool dot, lt_text *text)
{
    if (arg->kind == LT_ARG_LIST) {
        for (uint32_t i = 0; i < arg->list.n; i++)
            if (arg->list.items[i].kind == LT_ARG_NAME)
                draw_arg(graph, producers, &arg->list.items[i], to, dot, text);
        return;
    }
    if (arg->kind != LT_ARG_NAME) return;
    uint32_t from = lt_map_get(producers, arg->text);
    draw_edge(from == LT_NONE ? arg->text : graph->nodes[from].name, to, dot, text);
}

static lathe_status draw(const lathe_model *model, lt_arena *arena, bool dot, lt_text *text, lathe_error *err)
{
    const lt_exported *x = model->exported;
    const lt_xgraph *graph = &x->graph;
    lt_map producers = {.arena = arena};
    LT_TRY(map_producers(graph, &producers, err));
    lt_text_printf(text, dot ? "digraph model {\n  node [shape=box];\n" : "flowchart TD\n");
    for (uint32_t i = 0; i < x->n_inputs; i++)
        if (x->inputs[i].name) draw_box(x->inputs[i].name, x->inputs[i].label, dot, text);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        draw_box(graph->nodes[i].name, graph->nodes[i].target, dot, text);
        for (uint32_t a = 0; a < graph->nodes[i].n_args; a++)
            draw_arg(graph, &producers, &graph->nodes[i].args[a].arg, graph->nodes[i].name, dot, text);
    }
    for (uint32_t i = 0; i < x->n_outputs; i++) {
        const char *name = lt_arena_printf(arena, "result_%u", i),
                   *label = lt_arena_printf(arena, "output %u", i);
        if (!name || !label) return lt_out_of_memory(err, 1, 32);
        draw_box(name, label, dot, text);
        draw_arg(graph, &producers, &x->outputs[i].arg, name, dot, text);
    }
    if (dot) lt_text_printf(text, "}\n");
    return LATHE_OK;
}

lathe_status lt_describe_draw(const lathe_model *model, bool dot, lt_text *text, lathe_error *err)
{
    lt_arena *arena;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = draw(model, arena, dot, text, err);
    lt_arena_destroy(arena);
    return status;
}
