/* The graph's section of a .lathe file, written. Numbers take one byte for each seven bits; texts are
 * numbered, stand in front of everything else, and 0 is no text. lathe_graph_read.c has the same functions in
 * the same order. */
#include <stdlib.h>
#include <string.h>

#include "load/lathe_layout.h"

typedef struct lt_graph_writer {
    lt_arena *arena;
    lathe_error *err;
    lathe_status status; /* the first failure */
    lt_text body, texts;
    lt_map number_of; /* text → its number */
    uint32_t n_texts;
} lt_graph_writer;

static void fail(lt_graph_writer *w, lathe_status status)
{
    if (w->status == LATHE_OK) w->status = status;
}

/* ---- Numbers and texts ---- */

static void append_unsigned(lt_text *to, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    lt_text_append(to, bytes, n);
}

static void put(lt_graph_writer *w, uint64_t value) { append_unsigned(&w->body, value); }

/* The sign stands last, so that small negative numbers are short too. */
static void put_signed(lt_graph_writer *w, int64_t value)
{
    put(w, (uint64_t)value << 1 ^ (uint64_t)(value < 0 ? -1 : 0));
}

static void put_float(lt_graph_writer *w, double value)
{
    uint64_t bits;
    char bytes[8];
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) bytes[i] = (char)(bits >> 8 * i);
    lt_text_append(&w->body, bytes, sizeof bytes);
}

/* Numbers a text that is not looked for among those before. */
static uint32_t add_text(lt_graph_writer *w, const char *text, size_t length)
{
    append_unsigned(&w->texts, length);
    lt_text_append(&w->texts, text, length);
    lt_text_append(&w->texts, "", 1);
    return ++w->n_texts;
}

static void put_text(lt_graph_writer *w, const char *text)
{
    uint32_t number = text ? lt_map_get(&w->number_of, text) : 0;
    if (number == LT_NONE) {
        number = add_text(w, text, strlen(text));
        fail(w, lt_map_put(&w->number_of, text, number, w->err));
    }
    put(w, number);
}

static void put_expr(lt_graph_writer *w, const lt_expr *expr)
{
    lt_text text = {0};
    if (expr) lt_expr_write(expr, &text);
    fail(w, lt_text_status(&text, w->err));
    put_text(w, text.data);
    lt_text_free(&text);
}

static void put_dim(lt_graph_writer *w, const lt_xdim *dim)
{
    put_expr(w, dim->expr);
    if (!dim->expr) put_signed(w, dim->value);
}

/* ---- Arguments ---- */

static void put_graph(lt_graph_writer *w, const lt_xgraph *graph);

static void put_arg(lt_graph_writer *w, const lt_arg *arg)
{
    put(w, arg->kind);
    switch (arg->kind) {
    case LT_ARG_NONE:
    case LT_ARG_TENSOR: break;
    case LT_ARG_NAME:
    case LT_ARG_STRING:
    case LT_ARG_OTHER: put_text(w, arg->text); break;
    case LT_ARG_INT: put_signed(w, arg->i); break;
    case LT_ARG_FLOAT: put_float(w, arg->f); break;
    case LT_ARG_BOOL: put(w, arg->b); break;
    case LT_ARG_DTYPE: put(w, arg->dtype); break;
    case LT_ARG_GRAPH: put_graph(w, arg->graph); break;
    case LT_ARG_LIST:
        put(w, arg->list.n);
        for (uint32_t i = 0; i < arg->list.n; i++) put_arg(w, &arg->list.items[i]);
        break;
    }
}

static void put_args(lt_graph_writer *w, const lt_arg *args, uint32_t n)
{
    put(w, n);
    for (uint32_t i = 0; i < n; i++) put_arg(w, &args[i]);
}

static void put_optional_arg(lt_graph_writer *w, const lt_arg *arg) { put_args(w, arg, arg != NULL); }

/* ---- Graphs ---- */

static void put_type(lt_graph_writer *w, const lt_xtype *type)
{
    put(w, type->dtype);
    put_text(w, type->dtype_name);
    put(w, (uint64_t)type->rank + 1);
    put(w, type->has_strides);
    for (int i = 0; i < type->rank; i++) put_dim(w, &type->dim[i]);
    for (int i = 0; i < type->rank && type->has_strides; i++) put_dim(w, &type->stride[i]);
}

static void put_node(lt_graph_writer *w, const lt_xnode *node)
{
    put_text(w, node->name);
    put_text(w, node->target);
    put(w, node->metadata.text ? add_text(w, node->metadata.text, node->metadata.length) : 0);
    put(w, node->n_args);
    for (uint32_t i = 0; i < node->n_args; i++) {
        put_text(w, node->args[i].name);
        put_arg(w, &node->args[i].arg);
    }
    put(w, node->operands != NULL);
    if (node->operands) {
        put_args(w, node->operands->tensors, node->operands->n);
        put_optional_arg(w, node->operands->list_sizes);
        put_optional_arg(w, node->operands->list_masks);
    }
    put_args(w, node->outs, node->n_outs);
}

typedef struct lt_named_type {
    const char *name;
    uint32_t index;
} lt_named_type;

static int by_index(const void *a, const void *b)
{
    const lt_named_type *x = a, *y = b;
    return x->index != y->index ? (x->index > y->index) - (x->index < y->index) : strcmp(x->name, y->name);
}

/* Maps have no order: the same model gives the same bytes all the same. */
static void put_names(lt_graph_writer *w, const lt_map *type_of)
{
    uint32_t n = 0;
    lt_named_type *list = lt_arena_alloc(w->arena, type_of->count + (size_t)1, sizeof *list);
    if (!list) {
        fail(w, lt_out_of_memory(w->err, type_of->count + (size_t)1, sizeof *list));
        return;
    }
    for (uint32_t at = 0; lt_map_next(type_of, &at, &list[n].name, &list[n].index);) n++;
    qsort(list, n, sizeof *list, by_index);
    put(w, n);
    for (uint32_t i = 0; i < n; i++) {
        put_text(w, list[i].name);
        put(w, list[i].index);
    }
}

static void put_graph(lt_graph_writer *w, const lt_xgraph *graph)
{
    put(w, graph->n_types);
    for (uint32_t i = 0; i < graph->n_types; i++) put_type(w, &graph->types[i]);
    put_names(w, &graph->type_of);
    put(w, graph->n_nodes);
    for (uint32_t i = 0; i < graph->n_nodes; i++) put_node(w, &graph->nodes[i]);
    put(w, graph->n_inputs);
    for (uint32_t i = 0; i < graph->n_inputs; i++) put_text(w, graph->inputs[i]);
    put_args(w, graph->outputs, graph->n_outputs);
}

/* ---- The program around it ---- */

static void put_record(lt_graph_writer *w, uint32_t record)
{
    put(w, record == LT_NONE ? 0 : record + UINT64_C(1));
}

static void put_weight(lt_graph_writer *w, const lt_xweight *weight, const lt_lathe_place *place)
{
    put_text(w, weight->name);
    put(w, weight->type.dtype);
    put(w, (uint64_t)weight->type.rank);
    for (int i = 0; i < weight->type.rank; i++) put(w, (uint64_t)weight->type.dim[i]);
    put(w, weight->is_constant);
    put_record(w, place->plain);
    put_record(w, place->packed);
}

static void put_input(lt_graph_writer *w, const lt_xinput *input)
{
    put(w, input->kind);
    put_text(w, input->name);
    put_text(w, input->label);
    put(w, input->weight);
    put(w, input->is_buffer);
    put_arg(w, &input->literal);
}

static void put_output(lt_graph_writer *w, const lt_xoutput *output)
{
    put(w, output->kind);
    put_text(w, output->label);
    put_text(w, output->target);
    put_arg(w, &output->arg);
}

static void put_exported(lt_graph_writer *w, const lt_exported *x, const lt_lathe_place *places)
{
    put_text(w, x->dialect);
    put_text(w, x->producer);
    put(w, x->loose_dtypes);
    put(w, x->n_symbols);
    for (uint32_t i = 0; i < x->n_symbols; i++) {
        put_text(w, x->symbols[i].name);
        put_signed(w, x->symbols[i].min);
        put_signed(w, x->symbols[i].max);
    }
    put(w, x->n_weights);
    for (uint32_t i = 0; i < x->n_weights; i++) put_weight(w, &x->weights[i], &places[i]);
    put_graph(w, &x->graph);
    put(w, x->n_inputs);
    for (uint32_t i = 0; i < x->n_inputs; i++) put_input(w, &x->inputs[i]);
    put(w, x->n_outputs);
    for (uint32_t i = 0; i < x->n_outputs; i++) put_output(w, &x->outputs[i]);
    put(w, x->n_guards);
    for (uint32_t i = 0; i < x->n_guards; i++) {
        put_expr(w, x->guards[i].expr);
        put_text(w, x->guards[i].text);
    }
}

lathe_status lt_lathe_write_graph(const lt_exported *x, const lt_lathe_place *places, lt_text *out,
                                  lathe_error *err)
{
    lt_graph_writer w = {.err = err};
    LT_TRY(lt_arena_create(&w.arena, err));
    w.number_of.arena = w.arena;
    put_exported(&w, x, places);
    append_unsigned(out, w.n_texts);
    if (w.texts.length) lt_text_append(out, w.texts.data, w.texts.length);
    if (w.body.length) lt_text_append(out, w.body.data, w.body.length);
    fail(&w, lt_text_status(&w.texts, err));
    fail(&w, lt_text_status(&w.body, err));
    fail(&w, lt_text_status(out, err));
    lt_text_free(&w.texts);
    lt_text_free(&w.body);
    lt_arena_destroy(w.arena);
    return w.status;
}
