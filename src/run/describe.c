/* What is in a file: models, safetensors, GGUF. Text for people, JSON for programs, graphs as mermaid and
 * dot. Text is printed from the JSON value, so they cannot disagree. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/gguf.h"
#include "load/safetensors.h"
#include "run/contract.h"
#include "run/describe.h"
#include "run/placement.h"

/* ---- Models ---- */

static lt_json text_json(lt_json_builder *b, const char *text)
{
    return lt_json_new_text(b, text, strlen(text));
}

static void put_text(lt_json_builder *b, lt_json *object, const char *key, const char *text)
{
    lt_json_put(b, object, key, text_json(b, text));
}

static void put_int(lt_json_builder *b, lt_json *object, const char *key, int64_t value)
{
    lt_json_put(b, object, key, lt_json_new_int(value));
}

static lt_json value_json(lt_json_builder *b, const lathe_value_info *info)
{
    lt_json value = lt_json_new(LT_JSON_OBJECT), shape = lt_json_new(LT_JSON_ARRAY);
    put_text(b, &value, "name", info->name);
    if (info->rank < 0) return value;
    for (int d = 0; d < info->rank; d++)
        lt_json_push(b, &shape,
                     info->dim[d] < 0 ? text_json(b, info->text[d]) : lt_json_new_int(info->dim[d]));
    put_text(b, &value, "dtype", lathe_dtype_name(info->dtype));
    lt_json_put(b, &value, "shape", shape);
    return value;
}

typedef lathe_status (*get_value)(lathe_model *, size_t, lathe_value_info *, lathe_error *);

static lathe_status describe_values(lt_json_builder *b, lathe_model *model, size_t count, get_value get,
                                    const char *key, lt_json *out, lathe_error *err)
{
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    for (size_t i = 0; i < count; i++) {
        lathe_value_info info;
        LT_TRY(get(model, i, &info, err));
        lt_json_push(b, &list, value_json(b, &info));
    }
    lt_json_put(b, out, key, list);
    return LATHE_OK;
}

static lt_json symbols_json(lt_json_builder *b, const lt_exported *x)
{
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    for (uint32_t i = 0; i < x->n_symbols; i++) {
        lt_json symbol = lt_json_new(LT_JSON_OBJECT);
        put_text(b, &symbol, "name", x->symbols[i].name);
        put_int(b, &symbol, "min", x->symbols[i].min);
        put_int(b, &symbol, "max", x->symbols[i].max);
        lt_json_push(b, &list, symbol);
    }
    return list;
}

static lt_json shape_json(lt_json_builder *b, const lt_type *type)
{
    lt_json shape = lt_json_new(LT_JSON_ARRAY);
    for (int d = 0; d < type->rank; d++) lt_json_push(b, &shape, lt_json_new_int(type->dim[d]));
    return shape;
}

static lt_json weight_json(lt_json_builder *b, const lt_xweight *w)
{
    lt_json weight = lt_json_new(LT_JSON_OBJECT);
    put_text(b, &weight, "name", w->name);
    put_text(b, &weight, "dtype", lathe_dtype_name(w->type.dtype));
    lt_json_put(b, &weight, "shape", shape_json(b, &w->type));
    lt_json_put(b, &weight, "in_file", lt_json_new_bool(w->data || w->packed));
    if (w->packed) put_text(b, &weight, "packed", lt_packing_table[w->packing].name);
    lt_json_put(b, &weight, "constant", lt_json_new_bool(w->is_constant));
    return weight;
}

static size_t stored_bytes(const lt_xweight *w)
{
    if (!w->packed) return lt_type_bytes(&w->type);
    return (size_t)lt_packed_bytes((lt_packing)w->packing, w->type.dim[0], w->type.dim[1]);
}

/* Weights of one record are tied: their bytes count once. */
static lt_json weights_json(lt_json_builder *b, const lt_exported *x)
{
    lt_json weights = lt_json_new(LT_JSON_OBJECT), list = lt_json_new(LT_JSON_ARRAY), ties = list;
    int64_t bytes = 0, present = 0;
    for (uint32_t i = 0; i < x->n_weights; i++) {
        const lt_xweight *w = &x->weights[i];
        uint32_t first = 0;
        while (first < i && (w->record == LT_NONE || x->weights[first].record != w->record)) first++;
        if (first < i) {
            lt_json tie = lt_json_new(LT_JSON_ARRAY);
            lt_json_push(b, &tie, text_json(b, x->weights[first].name));
            lt_json_push(b, &tie, text_json(b, w->name));
            lt_json_push(b, &ties, tie);
        } else {
            bytes += (int64_t)stored_bytes(w);
        }
        present += w->data || w->packed;
        lt_json_push(b, &list, weight_json(b, w));
    }
    put_int(b, &weights, "count", x->n_weights);
    put_int(b, &weights, "bytes", bytes);
    put_int(b, &weights, "in_file", present);
    lt_json_put(b, &weights, "ties", ties);
    lt_json_put(b, &weights, "list", list);
    return weights;
}

/* `places`: target → place in the histogram. */
static lathe_status count_operators(lt_json_builder *b, const lt_xgraph *graph, lt_map *places,
                                    lt_json *histogram, int depth, lathe_error *err)
{
    for (uint32_t i = 0; i < graph->n_nodes && depth < 16; i++) {
        const lt_xnode *node = &graph->nodes[i];
        uint32_t place = lt_map_get(places, node->target);
        if (place == LT_NONE) {
            place = histogram->count;
            LT_TRY(lt_map_put(places, node->target, place, err));
            put_int(b, histogram, node->target, 0);
        }
        if (b->failed) return lt_out_of_memory(err, 1, sizeof *histogram);
        histogram->value.items[place].value.integer++;
        for (uint32_t a = 0; a < node->n_args; a++)
            if (node->args[a].arg.kind == LT_ARG_GRAPH)
                LT_TRY(count_operators(b, node->args[a].arg.graph, places, histogram, depth + 1, err));
    }
    return LATHE_OK;
}

/* ---- Types and state ---- */

static lt_json row_json(lt_json_builder *b, const lt_contract_row *row)
{
    lt_json object = lt_json_new(LT_JSON_OBJECT);
    put_text(b, &object, "what", row->what);
    put_int(b, &object, "count", row->count);
    put_text(b, &object, "storage", row->storage);
    put_text(b, &object, "operands", row->operands);
    put_text(b, &object, "compute", row->compute);
    put_text(b, &object, "accumulate", row->accumulate);
    put_text(b, &object, "result", row->result);
    return object;
}

static void put_state(lt_json_builder *b, const lt_contract_state *state, lt_json *object)
{
    put_text(b, object, "dtype", lathe_dtype_name(state->dtype));
    lt_json_put(b, object, "in_place", lt_json_new_bool(!state->copied));
    if (state->copied) put_text(b, object, "reason", state->copied);
}

static void describe_buffers(lt_json_builder *b, const lathe_model *model, const lt_contract *contract,
                             lt_json *list)
{
    for (uint32_t i = 0; i < contract->n_states; i++) {
        const lt_contract_state *state = &contract->states[i];
        if (state->weight == LT_NONE) continue;
        lt_json buffer = lt_json_new(LT_JSON_OBJECT);
        put_text(b, &buffer, "buffer", model->exported->weights[state->weight].name);
        put_state(b, state, &buffer);
        lt_json_push(b, list, buffer);
    }
}

static lathe_status describe_state(lt_json_builder *b, const lathe_model *model, const lt_contract *contract,
                                   lt_json *out, lathe_error *err)
{
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    struct lt_state_pair *pairs = NULL;
    uint32_t n = 0;
    describe_buffers(b, model, contract, &list);
    LT_TRY(lt_model_find_pairs(model, &pairs, &n, err));
    for (uint32_t i = 0; i < n; i++) {
        lt_json pair = lt_json_new(LT_JSON_OBJECT);
        put_text(b, &pair, "input", lt_model_user_input(model, pairs[i].input)->label);
        put_int(b, &pair, "output", pairs[i].output);
        for (uint32_t k = 0; k < contract->n_states; k++)
            if (contract->states[k].input == pairs[i].input) put_state(b, &contract->states[k], &pair);
        lt_json_push(b, &list, pair);
    }
    lt_heap_free(pairs);
    lt_json_put(b, out, "state", list);
    return LATHE_OK;
}

/* Inputs that outputs go on with, from run to run, without being kept. */
static lathe_status describe_copies(lt_json_builder *b, const lathe_model *model, lt_json *out,
                                    lathe_error *err)
{
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    lt_state_copy *copies;
    uint32_t n;
    LT_TRY(lt_model_find_copies(model, b->arena, &copies, &n, err));
    for (uint32_t i = 0; i < n; i++) {
        lt_json copy = lt_json_new(LT_JSON_OBJECT);
        put_text(b, &copy, "input", lt_model_user_input(model, copies[i].input)->label);
        put_int(b, &copy, "output", copies[i].output);
        put_text(b, &copy, "reason", copies[i].reason);
        lt_json_push(b, &list, copy);
    }
    lt_json_put(b, out, "copied_state", list);
    return LATHE_OK;
}

/* The type of the caches. */
static const char *cache_type(const lt_contract *contract)
{
    for (uint32_t i = 0; i < contract->n_states; i++)
        if (contract->states[i].input != LT_NONE) return lathe_dtype_name(contract->states[i].dtype);
    return "none";
}

/* What no program can be built for at the least sizes is told when it runs. */
static lathe_status describe_contract(lt_json_builder *b, const lathe_model *model, lt_json *out,
                                      lathe_error *err)
{
    lt_json rows = lt_json_new(LT_JSON_ARRAY);
    lt_contract contract;
    lathe_error problem = {0};
    lathe_status status = lt_contract_read(model, b->arena, &contract, &problem);
    if (status == LATHE_NO_MEMORY) return lt_error_set(err, status, "%s", problem.message);
    if (status != LATHE_OK) {
        contract = (lt_contract){0};
        put_text(b, out, "types_unknown", problem.message);
    } else {
        put_text(b, out, "kv_type", cache_type(&contract));
    }
    for (uint32_t i = 0; i < contract.n_rows; i++) lt_json_push(b, &rows, row_json(b, &contract.rows[i]));
    lt_json_put(b, out, "types", rows);
    LT_TRY(describe_state(b, model, &contract, out, err));
    return describe_copies(b, model, out, err);
}

static lathe_status describe_opened(lt_json_builder *b, lathe_model *model, lt_json *out, lathe_error *err)
{
    const lt_exported *x = model->exported;
    const char *unsupported = "";
    lt_json operators = lt_json_new(LT_JSON_OBJECT);
    lt_map places = {.arena = b->arena};
    LT_TRY(count_operators(b, &x->graph, &places, &operators, 0, err));
    LT_TRY(lathe_model_unsupported(model, &unsupported, err));
    put_text(b, out, "format", x->format);
    put_text(b, out, "dialect", x->dialect);
    put_text(b, out, "torch", x->producer);
    put_int(b, out, "nodes", x->graph.n_nodes);
    LT_TRY(describe_values(b, model, lathe_model_input_count(model), lathe_model_input, "inputs", out, err));
    LT_TRY(
        describe_values(b, model, lathe_model_output_count(model), lathe_model_output, "outputs", out, err));
    lt_json_put(b, out, "symbols", symbols_json(b, x));
    LT_TRY(describe_contract(b, model, out, err));
    lt_json_put(b, out, "weights", weights_json(b, x));
    lt_json_put(b, out, "operators", operators);
    put_text(b, out, "unsupported", unsupported);
    return LATHE_OK;
}

/* The manifest of a .lathe file. */
static lathe_status describe_manifest(lt_json_builder *b, const lathe_model *model, lt_json *out,
                                      lathe_error *err)
{
    const lt_lathe_section *section = model->lathe ? lt_lathe_find(model->lathe, LT_LATHE_MANIFEST) : NULL;
    const lt_json *manifest;
    if (!section) return LATHE_OK;
    LT_TRY(lt_json_parse((const char *)section->data, section->size, false, section->name, b->arena,
                         &manifest, err));
    lt_json_put(b, out, "metadata", *manifest);
    return LATHE_OK;
}

/* How many nodes of each graph that the file has a partition of are on which device. */
static lathe_status describe_partitions(lt_json_builder *b, const lathe_model *model, lt_json *out,
                                        lathe_error *err)
{
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    for (uint32_t i = 0; i < model->n_partitions; i++) {
        const lt_lathe_partition *partition = &model->partitions[i];
        lt_json object = lt_json_new(LT_JSON_OBJECT), devices = lt_json_new(LT_JSON_OBJECT);
        uint32_t counts[UINT8_MAX + 1] = {0};
        for (uint32_t k = 0; k < partition->n_nodes; k++) counts[partition->device_of[k]]++;
        for (uint32_t d = 0; d < UINT8_MAX; d++) {
            const char *name;
            if (!counts[d]) continue;
            LT_TRY(lt_placement_name(&model->settings.placement, d, b->arena, &name, err));
            put_int(b, &devices, name, counts[d]);
        }
        put_int(b, &object, "nodes", partition->n_nodes);
        put_int(b, &object, "views", counts[UINT8_MAX]);
        lt_json_put(b, &object, "on", devices);
        lt_json_push(b, &list, object);
    }
    if (model->n_partitions) lt_json_put(b, out, "partitions", list);
    return LATHE_OK;
}

static lathe_status describe_open_model(lt_json_builder *b, lathe_model *model, lt_json *out,
                                        lathe_error *err)
{
    LT_TRY(describe_opened(b, model, out, err));
    LT_TRY(describe_partitions(b, model, out, err));
    return describe_manifest(b, model, out, err);
}

static lathe_status describe_model(lt_json_builder *b, const char *path, lt_json *out, lathe_error *err)
{
    lathe_model *model;
    LT_TRY(lathe_model_open(path, &model, err));
    lathe_status status = describe_open_model(b, model, out, err);
    lathe_model_close(model);
    return status;
}

/* ---- Tensor files ---- */

static lt_json tensor_json(lt_json_builder *b, const char *name, const char *encoding, const lt_type *type,
                           size_t bytes)
{
    lt_json tensor = lt_json_new(LT_JSON_OBJECT);
    put_text(b, &tensor, "name", name);
    put_text(b, &tensor, "dtype", encoding);
    lt_json_put(b, &tensor, "shape", shape_json(b, type));
    put_int(b, &tensor, "bytes", (int64_t)bytes);
    return tensor;
}

static void put_tensors(lt_json_builder *b, lt_json *out, const lt_json *list, size_t bytes)
{
    lt_json weights = lt_json_new(LT_JSON_OBJECT);
    put_int(b, &weights, "count", list->count);
    put_int(b, &weights, "bytes", (int64_t)bytes);
    lt_json_put(b, &weights, "list", *list);
    lt_json_put(b, out, "weights", weights);
}

static lathe_status describe_safetensors(lt_json_builder *b, const lt_file *file, const char *path,
                                         lt_json *out, lathe_error *err)
{
    lt_safetensors *tensors;
    LT_TRY(lt_safetensors_open(file, path, b->arena, &tensors, err));
    lt_json list = lt_json_new(LT_JSON_ARRAY);
    size_t bytes = 0;
    for (uint32_t i = 0; i < tensors->count; i++) {
        const lt_safetensors_entry *e = &tensors->entries[i];
        bytes += e->bytes;
        lt_json_push(b, &list,
                     tensor_json(b, e->name,
                                 e->unsupported ? e->unsupported : lathe_dtype_name(e->type.dtype), &e->type,
                                 e->bytes));
    }
    put_text(b, out, "format", "safetensors");
    put_tensors(b, out, &list, bytes);
    return LATHE_OK;
}

/* Scalars and texts; arrays by length. */
static lt_json metadata_value(lt_json_builder *b, const lt_gguf *gguf, const lt_gguf_value *value)
{
    lt_gguf_string text;
    int64_t integer;
    double real;
    bool flag;
    if (value->array) {
        char summary[64];
        snprintf(summary, sizeof summary, "%llu x %s", (unsigned long long)value->count,
                 lt_gguf_kind_name(value->kind));
        return text_json(b, summary);
    }
    if (lt_gguf_get_string(gguf, value->key, &text, NULL) == LATHE_OK)
        return lt_json_new_text(b, text.data, text.length);
    if (lt_gguf_get_bool(gguf, value->key, &flag, NULL) == LATHE_OK) return lt_json_new_bool(flag);
    if (lt_gguf_get_int(gguf, value->key, &integer, NULL) == LATHE_OK) return lt_json_new_int(integer);
    if (lt_gguf_get_float(gguf, value->key, &real, NULL) == LATHE_OK && isfinite(real))
        return lt_json_new_real(real);
    return text_json(b, lt_gguf_kind_name(value->kind));
}

static lathe_status describe_gguf(lt_json_builder *b, const lt_file *file, const char *path, lt_json *out,
                                  lathe_error *err)
{
    lt_gguf *gguf;
    LT_TRY(lt_gguf_open(file, path, b->arena, &gguf, err));
    lt_json list = lt_json_new(LT_JSON_ARRAY), metadata = lt_json_new(LT_JSON_OBJECT);
    size_t bytes = 0;
    for (uint32_t i = 0; i < gguf->value_count; i++)
        lt_json_put(b, &metadata, gguf->values[i].key, metadata_value(b, gguf, &gguf->values[i]));
    for (uint32_t i = 0; i < gguf->tensor_count; i++) {
        const lt_gguf_tensor *t = &gguf->tensors[i];
        bytes += t->bytes;
        lt_json_push(b, &list,
                     tensor_json(b, t->name, t->ggml ? t->ggml->name : t->unsupported, &t->type, t->bytes));
    }
    put_text(b, out, "format", "gguf");
    lt_json_put(b, out, "metadata", metadata);
    put_tensors(b, out, &list, bytes);
    return LATHE_OK;
}

static lathe_status describe_file(lt_json_builder *b, const char *path, lt_json *out, lathe_error *err)
{
    lt_file file;
    LT_TRY(lt_file_open(path, &file, err));
    bool gguf = file.size >= 4 && memcmp(file.data, "GGUF", 4) == 0;
    bool model =
        file.size >= 2 && (memcmp(file.data, "PK", 2) == 0 || file.data[0] == '{' || lt_lathe_is(&file));
    lathe_status status = gguf    ? describe_gguf(b, &file, path, out, err)
                          : model ? describe_model(b, path, out, err)
                                  : describe_safetensors(b, &file, path, out, err);
    lt_file_close(&file);
    return status;
}

/* ---- Forms ---- */

/* The description as text or JSON: of `model`, or (NULL) of the file. */
static lathe_status describe_contents(const char *path, lathe_model *model, bool as_json, lt_text *out,
                                      lathe_error *err)
{
    lt_json_builder b = {0};
    lt_json root = lt_json_new(LT_JSON_OBJECT);
    LT_TRY(lt_arena_create(&b.arena, err));
    lathe_status status =
        model ? describe_open_model(&b, model, &root, err) : describe_file(&b, path, &root, err);
    if (status == LATHE_OK && b.failed) status = lt_out_of_memory(err, 1, lt_arena_used(b.arena));
    if (status == LATHE_OK && !as_json) lt_describe_print(path, &root, out);
    if (status == LATHE_OK && as_json) {
        lt_json_write(&root, 2, out);
        lt_text_append(out, "\n", 1);
    }
    lt_arena_destroy(b.arena);
    return status;
}

static lathe_status describe(const char *path, lathe_model *model, lathe_description form, char **text,
                             lathe_error *err)
{
    lt_text out = {0};
    lathe_status status;
    *text = NULL;
    if (form == LATHE_AS_MERMAID || form == LATHE_AS_DOT)
        status = lt_describe_draw(model, form == LATHE_AS_DOT, &out, err);
    else status = describe_contents(path, model, form == LATHE_AS_JSON, &out, err);
    if (status == LATHE_OK) status = lt_text_status(&out, err);
    if (status == LATHE_OK) *text = out.data;
    else lt_text_free(&out);
    return status;
}

lathe_status lathe_model_describe(lathe_model *model, lathe_description form, char **text, lathe_error *err)
{
    return describe(model->exported->path, model, form, text, err);
}

lathe_status lathe_describe(const char *path, lathe_description form, char **text, lathe_error *err)
{
    lathe_model *model = NULL;
    *text = NULL;
    if (form == LATHE_AS_MERMAID || form == LATHE_AS_DOT) LT_TRY(lathe_model_open(path, &model, err));
    lathe_status status = describe(path, model, form, text, err);
    lathe_model_close(model);
    return status;
}

void lathe_text_free(char *text) { free(text); }
