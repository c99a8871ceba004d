/* What is in a file: models, safetensors, GGUF. Text for people, JSON for programs, graphs as mermaid and
 * dot. All forms are printed from one JSON value, so they cannot disagree. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "load/gguf.h"
#include "load/safetensors.h"
#include "run/model.h"

/* ---- Models ---- */

static json_t *describe_values(lathe_model *model, size_t count,
                               lathe_status (*get)(lathe_model *, size_t, lathe_value_info *, lathe_error *),
                               lathe_status *status, lathe_error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count && *status == LATHE_OK; i++) {
        lathe_value_info info;
        *status = get(model, i, &info, err);
        if (*status != LATHE_OK) break;
        json_t *value = json_pack("{s:s}", "name", info.name), *shape = json_array();
        if (info.rank >= 0) json_object_set_new(value, "dtype", json_string(lathe_dtype_name(info.dtype)));
        for (int d = 0; d < info.rank; d++)
            json_array_append_new(shape,
                                  info.dim[d] < 0 ? json_string(info.text[d]) : json_integer(info.dim[d]));
        if (info.rank >= 0) json_object_set_new(value, "shape", shape);
        else json_decref(shape);
        json_array_append_new(list, value);
    }
    return list;
}

static json_t *describe_symbols(const lt_exported *x)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->n_symbols; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I}", "name", x->symbols[i].name, "min",
                                        (json_int_t)x->symbols[i].min, "max", (json_int_t)x->symbols[i].max));
    return list;
}

static json_t *shape_json(const lt_type *type)
{
    json_t *shape = json_array();
    for (int d = 0; d < type->rank; d++) json_array_append_new(shape, json_integer(type->dim[d]));
    return shape;
}

/* Weights of one record are tied: their bytes count once. */
static json_t *describe_weights(const lt_exported *x)
{
    json_t *list = json_array(), *ties = json_array();
    json_int_t bytes = 0, present = 0;
    for (uint32_t i = 0; i < x->n_weights; i++) {
        const lt_xweight *w = &x->weights[i];
        uint32_t first = 0;
        while (first < i && (w->record == LT_NONE || x->weights[first].record != w->record)) first++;
        if (first < i) json_array_append_new(ties, json_pack("[s, s]", x->weights[first].name, w->name));
        else bytes += (json_int_t)lt_type_bytes(&w->type);
        present += w->data != NULL;
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:b, s:b}", "name", w->name, "dtype",
                                              lathe_dtype_name(w->type.dtype), "shape", shape_json(&w->type),
                                              "in_file", w->data != NULL, "constant", w->is_constant));
    }
    return json_pack("{s:I, s:I, s:I, s:o, s:o}", "count", (json_int_t)x->n_weights, "bytes", bytes,
                     "in_file", present, "ties", ties, "list", list);
}

static void count_operators(const lt_xgraph *graph, json_t *histogram, int depth)
{
    for (uint32_t i = 0; i < graph->n_nodes && depth < 16; i++) {
        const lt_xnode *node = &graph->nodes[i];
        json_int_t n = json_integer_value(json_object_get(histogram, node->target));
        json_object_set_new(histogram, node->target, json_integer(n + 1));
        for (uint32_t a = 0; a < node->n_args; a++)
            if (node->args[a].arg.kind == LT_ARG_GRAPH)
                count_operators(node->args[a].arg.graph, histogram, depth + 1);
    }
}

static json_t *describe_state(const lathe_model *model, lathe_status *status, lathe_error *err)
{
    const lt_exported *x = model->exported;
    json_t *list = json_array();
    for (uint32_t i = 0; i < x->n_outputs; i++)
        if (x->outputs[i].kind == LT_X_BUFFER_MUTATION)
            json_array_append_new(list, json_pack("{s:s}", "buffer", x->outputs[i].target));
    struct lt_state_pair *pairs = NULL;
    uint32_t n = 0;
    *status = lt_model_find_pairs(model, &pairs, &n, err);
    for (uint32_t i = 0; *status == LATHE_OK && i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "input",
                                              lt_model_user_input(model, pairs[i].input)->label, "output",
                                              (json_int_t)pairs[i].output));
    lt_heap_free(pairs);
    return list;
}

static lathe_status describe_model(const char *path, json_t *out, lathe_error *err)
{
    lathe_model *model;
    const char *unsupported = "";
    lathe_status status;
    LT_TRY(lathe_model_open(path, &model, err));
    const lt_exported *x = model->exported;
    json_t *operators = json_object();
    count_operators(&x->graph, operators, 0);
    status = lathe_model_unsupported(model, &unsupported, err);
    json_object_set_new(out, "format", json_string(x->format));
    json_object_set_new(out, "dialect", json_string(x->dialect));
    json_object_set_new(out, "torch", json_string(x->producer));
    json_object_set_new(out, "nodes", json_integer(x->graph.n_nodes));
    if (status == LATHE_OK)
        json_object_set_new(
            out, "inputs",
            describe_values(model, lathe_model_input_count(model), lathe_model_input, &status, err));
    if (status == LATHE_OK)
        json_object_set_new(
            out, "outputs",
            describe_values(model, lathe_model_output_count(model), lathe_model_output, &status, err));
    json_object_set_new(out, "symbols", describe_symbols(x));
    if (status == LATHE_OK) json_object_set_new(out, "state", describe_state(model, &status, err));
    json_object_set_new(out, "weights", describe_weights(x));
    json_object_set_new(out, "operators", operators);
    json_object_set_new(out, "unsupported", json_string(unsupported));
    lathe_model_close(model);
    return status;
}

/* ---- Tensor files ---- */

static json_t *tensor_json(const char *name, const char *encoding, const lt_type *type, size_t bytes)
{
    return json_pack("{s:s, s:s, s:o, s:I}", "name", name, "dtype", encoding, "shape", shape_json(type),
                     "bytes", (json_int_t)bytes);
}

static void finish_tensors(json_t *out, json_t *list)
{
    json_int_t bytes = 0;
    size_t i;
    json_t *tensor;
    json_array_foreach(list, i, tensor) bytes += json_integer_value(json_object_get(tensor, "bytes"));
    json_object_set_new(out, "weights",
                        json_pack("{s:I, s:I, s:o}", "count", (json_int_t)json_array_size(list), "bytes",
                                  bytes, "list", list));
}

static lathe_status describe_safetensors(const lt_file *file, const char *path, lt_arena *arena, json_t *out,
                                         lathe_error *err)
{
    lt_safetensors *tensors;
    LT_TRY(lt_safetensors_open(file, path, arena, &tensors, err));
    json_t *list = json_array();
    for (uint32_t i = 0; i < tensors->count; i++) {
        const lt_safetensors_entry *e = &tensors->entries[i];
        json_array_append_new(
            list, tensor_json(e->name, e->unsupported ? e->unsupported : lathe_dtype_name(e->type.dtype),
                              &e->type, e->bytes));
    }
    json_object_set_new(out, "format", json_string("safetensors"));
    finish_tensors(out, list);
    return LATHE_OK;
}

/* Scalars and texts of the metadata; arrays by length. */
static void describe_metadata(const lt_gguf *gguf, json_t *out)
{
    json_t *metadata = json_object();
    for (uint32_t i = 0; i < gguf->value_count; i++) {
        const lt_gguf_value *value = &gguf->values[i];
        lt_gguf_string text;
        int64_t integer;
        double real;
        bool flag;
        json_t *json;
        if (value->array)
            json =
                json_sprintf("%llu x %s", (unsigned long long)value->count, lt_gguf_kind_name(value->kind));
        else if (lt_gguf_get_string(gguf, value->key, &text, NULL) == LATHE_OK)
            json = json_stringn(text.data, text.length);
        else if (lt_gguf_get_bool(gguf, value->key, &flag, NULL) == LATHE_OK) json = json_boolean(flag);
        else if (lt_gguf_get_int(gguf, value->key, &integer, NULL) == LATHE_OK) json = json_integer(integer);
        else if (lt_gguf_get_float(gguf, value->key, &real, NULL) == LATHE_OK) json = json_real(real);
        else json = json_string(lt_gguf_kind_name(value->kind));
        json_object_set_new(metadata, value->key, json ? json : json_string("(not UTF-8)"));
    }
    json_object_set_new(out, "metadata", metadata);
}

static lathe_status describe_gguf(const lt_file *file, const char *path, lt_arena *arena, json_t *out,
                                  lathe_error *err)
{
    lt_gguf *gguf;
    LT_TRY(lt_gguf_open(file, path, arena, &gguf, err));
    json_t *list = json_array();
    for (uint32_t i = 0; i < gguf->tensor_count; i++) {
        const lt_gguf_tensor *t = &gguf->tensors[i];
        json_array_append_new(
            list, tensor_json(t->name, t->ggml ? t->ggml->name : t->unsupported, &t->type, t->bytes));
    }
    json_object_set_new(out, "format", json_string("gguf"));
    describe_metadata(gguf, out);
    finish_tensors(out, list);
    return LATHE_OK;
}

static lathe_status describe_file(const char *path, json_t *out, lathe_error *err)
{
    lt_file file;
    lt_arena *arena;
    LT_TRY(lt_file_open(path, &file, err));
    bool gguf = file.size >= 4 && memcmp(file.data, "GGUF", 4) == 0;
    bool model = file.size >= 2 && (memcmp(file.data, "PK", 2) == 0 || file.data[0] == '{');
    lathe_status status = LATHE_OK;
    if (!gguf && model) {
        status = describe_model(path, out, err);
    } else if ((status = lt_arena_create(&arena, err)) == LATHE_OK) {
        status = gguf ? describe_gguf(&file, path, arena, out, err)
                      : describe_safetensors(&file, path, arena, out, err);
        lt_arena_destroy(arena);
    }
    lt_file_close(&file);
    return status;
}

/* ---- Text ---- */

static void print_shape(const json_t *value, lt_text *text)
{
    const json_t *shape = json_object_get(value, "shape"), *dim;
    size_t i;
    lt_text_printf(text, "%s[", json_string_value(json_object_get(value, "dtype")));
    json_array_foreach(shape, i, dim)
    {
        if (i) lt_text_printf(text, ",");
        if (json_is_string(dim)) lt_text_printf(text, "%s", json_string_value(dim));
        else lt_text_printf(text, "%lld", (long long)json_integer_value(dim));
    }
    lt_text_printf(text, "]");
}

static void print_values(const json_t *root, const char *key, lt_text *text)
{
    const json_t *list = json_object_get(root, key), *value;
    size_t i;
    if (!list) return;
    lt_text_printf(text, "%s (%zu)\n", key, json_array_size(list));
    json_array_foreach(list, i, value)
    {
        lt_text_printf(text, "  %3zu  %-28s ", i, json_string_value(json_object_get(value, "name")));
        if (json_object_get(value, "dtype")) print_shape(value, text);
        else lt_text_printf(text, "(fixed at export)");
        lt_text_printf(text, "\n");
    }
}

static void print_symbols(const json_t *root, lt_text *text)
{
    const json_t *list = json_object_get(root, "symbols"), *value;
    size_t i;
    if (json_array_size(list) == 0) return;
    lt_text_printf(text, "symbols\n");
    json_array_foreach(list, i, value)
    {
        long long max = (long long)json_integer_value(json_object_get(value, "max"));
        lt_text_printf(text, "  %s: %lld to ", json_string_value(json_object_get(value, "name")),
                       (long long)json_integer_value(json_object_get(value, "min")));
        if (max == INT64_MAX) lt_text_printf(text, "any\n");
        else lt_text_printf(text, "%lld\n", max);
    }
}

static void print_state(const json_t *root, lt_text *text)
{
    const json_t *list = json_object_get(root, "state"), *value;
    size_t i;
    if (json_array_size(list) == 0) return;
    lt_text_printf(text, "state (%zu)\n", json_array_size(list));
    json_array_foreach(list, i, value)
    {
        const char *buffer = json_string_value(json_object_get(value, "buffer"));
        if (buffer) lt_text_printf(text, "  buffer %s\n", buffer);
        else
            lt_text_printf(text, "  input %s, updated by output %lld\n",
                           json_string_value(json_object_get(value, "input")),
                           (long long)json_integer_value(json_object_get(value, "output")));
    }
}

static void print_weights(const json_t *root, lt_text *text)
{
    const json_t *weights = json_object_get(root, "weights"), *list = json_object_get(weights, "list"),
                 *value;
    const json_t *ties = json_object_get(weights, "ties"), *in_file = json_object_get(weights, "in_file");
    size_t i;
    lt_text_printf(text, "weights: %zu, %.1f MB", json_array_size(list),
                   (double)json_integer_value(json_object_get(weights, "bytes")) / 1e6);
    if (in_file) lt_text_printf(text, ", %lld of them in the file", (long long)json_integer_value(in_file));
    lt_text_printf(text, "\n");
    json_array_foreach(list, i, value)
    {
        lt_text_printf(text, "  %-56s ", json_string_value(json_object_get(value, "name")));
        print_shape(value, text);
        lt_text_printf(text, "\n");
    }
    json_array_foreach(ties, i, value)
        lt_text_printf(text, "  %s is tied to %s\n", json_string_value(json_array_get(value, 1)),
                       json_string_value(json_array_get(value, 0)));
}

static void print_operators(json_t *root, lt_text *text)
{
    json_t *operators = json_object_get(root, "operators"), *count;
    const char *name;
    if (!operators) return;
    lt_text_printf(text, "operators (%zu)\n", json_object_size(operators));
    json_object_foreach(operators, name, count)
        lt_text_printf(text, "  %5lld  %s\n", (long long)json_integer_value(count), name);
    const char *unsupported = json_string_value(json_object_get(root, "unsupported"));
    lt_text_printf(text, "%s%s", *unsupported ? "not supported\n" : "all operators are supported\n",
                   unsupported);
}

static void print_text(const char *path, json_t *root, lt_text *text)
{
    const char *dialect = json_string_value(json_object_get(root, "dialect"));
    lt_text_printf(text, "%s: %s", path, json_string_value(json_object_get(root, "format")));
    if (dialect)
        lt_text_printf(text, ", %s dialect, written by torch %s, %lld nodes", dialect,
                       json_string_value(json_object_get(root, "torch")),
                       (long long)json_integer_value(json_object_get(root, "nodes")));
    lt_text_printf(text, "\n");
    json_t *metadata = json_object_get(root, "metadata"), *value;
    const char *key;
    json_object_foreach(metadata, key, value)
    {
        char *line = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        if (line) lt_text_printf(text, "  %s = %.100s\n", key, line);
        free(line);
    }
    print_values(root, "inputs", text);
    print_values(root, "outputs", text);
    print_symbols(root, text);
    print_state(root, text);
    print_weights(root, text);
    print_operators(root, text);
}

/* ---- Graphs ---- */

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

static lathe_status draw_model(const lathe_model *model, lt_arena *arena, bool dot, lt_text *text,
                               lathe_error *err)
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

static lathe_status describe_graph(const char *path, bool dot, lt_text *text, lathe_error *err)
{
    lathe_model *model;
    LT_TRY(lathe_model_open(path, &model, err));
    lathe_status status = draw_model(model, model->arena, dot, text, err);
    lathe_model_close(model);
    return status;
}

lathe_status lathe_describe(const char *path, lathe_description form, char **text, lathe_error *err)
{
    lt_text out = {0};
    lathe_status status;
    *text = NULL;
    if (form == LATHE_AS_MERMAID || form == LATHE_AS_DOT) {
        status = describe_graph(path, form == LATHE_AS_DOT, &out, err);
    } else {
        json_t *root = json_object();
        status = describe_file(path, root, err);
        char *json = status == LATHE_OK && form == LATHE_AS_JSON ? json_dumps(root, JSON_INDENT(2)) : NULL;
        if (json) lt_text_printf(&out, "%s\n", json);
        else if (status == LATHE_OK) print_text(path, root, &out);
        free(json);
        json_decref(root);
    }
    if (status == LATHE_OK) status = lt_text_status(&out, err);
    if (status == LATHE_OK) *text = out.data;
    else lt_text_free(&out);
    return status;
}

void lathe_text_free(char *text) { free(text); }
