/* Opening models and finding their weights. */
#include "run/model.h"

#include <string.h>

#include "load/irjson.h"
#include "load/pt2.h"
#include "load/sniff.h"

static lathe_status load_exported(lathe_model *model, const char *path, lathe_error *err)
{
    lt_model_format format;
    LT_TRY(lt_file_open(path, &model->file, err));
    LT_TRY_NOTE(lt_sniff_model(&model->file, &format, err), err, "%s", path);
    switch (format) {
    case LT_MODEL_PT2: return lt_pt2_load(&model->file, path, model->arena, &model->exported, err);
    case LT_MODEL_IRJSON: return lt_irjson_load(&model->file, path, model->arena, &model->exported, err);
    case LT_MODEL_LATHE:
        LT_TRY(lt_lathe_open(&model->file, path, model->arena, &model->lathe, err));
        LT_TRY(lt_lathe_load(model->lathe, path, model->arena, &model->exported, err));
        LT_TRY(lt_lathe_read_partitions(model->lathe, model->arena, &model->partitions, &model->n_partitions,
                                        err));
        return lt_model_read_manifest(model, err);
    }
    LT_FAIL(err, INTERNAL, "format %d", (int)format);
}

/* Lists the user inputs and outputs among all of them. */
static lathe_status list_user_values(lathe_model *model, lathe_error *err)
{
    const lt_exported *x = model->exported;
    LT_ALLOC(model->arena, model->user_inputs, x->n_inputs, err);
    LT_ALLOC(model->arena, model->user_outputs, x->n_outputs, err);
    for (uint32_t i = 0; i < x->n_inputs; i++)
        if (x->inputs[i].kind == LT_X_USER_INPUT) model->user_inputs[model->n_user_inputs++] = &x->inputs[i];
    for (uint32_t i = 0; i < x->n_outputs; i++)
        if (x->outputs[i].kind == LT_X_USER_OUTPUT)
            model->user_outputs[model->n_user_outputs++] = &x->outputs[i];
    return LATHE_OK;
}

/* A matrix that the file has in packed form is read where it lies. */
static void use_packed(const lt_xweight *from, lt_model_weight *to)
{
    to->packed = (lt_packed){.packing = (lt_packing)from->packing,
                             .n = from->type.dim[0],
                             .k = from->type.dim[1],
                             .data = (uint8_t *)(uintptr_t)from->packed};
    to->packed_from = from->packed;
}

lathe_status lt_model_settle(lathe_model *model, lathe_error *err)
{
    lt_exported *x = model->exported;
    LT_TRY(list_user_values(model, err));
    LT_TRY(lt_aten_table_create(model->arena, &model->table, err));
    LT_ALLOC(model->arena, model->weights, x->n_weights, err);
    for (uint32_t i = 0; i < x->n_weights; i++) {
        model->weights[i].data = x->weights[i].data;
        if (x->weights[i].data)
            memcpy(model->weights[i].stride, x->weights[i].stride, sizeof x->weights[i].stride);
        else lt_contiguous_strides(x->weights[i].type.rank, x->weights[i].type.dim, model->weights[i].stride);
        if (x->weights[i].packed) use_packed(&x->weights[i], &model->weights[i]);
    }
    return LATHE_OK;
}

lathe_status lathe_model_open(const char *path, lathe_model **out, lathe_error *err)
{
    *out = NULL;
    lathe_model *model = lt_heap_alloc(1, sizeof *model);
    if (!model) return lt_out_of_memory(err, 1, sizeof *model);
    lathe_status status = lt_arena_create(&model->arena, err);
    if (status == LATHE_OK) status = load_exported(model, path, err);
    if (status == LATHE_OK) status = lt_model_settle(model, err);
    if (status != LATHE_OK) {
        lathe_model_close(model);
        return status;
    }
    *out = model;
    return LATHE_OK;
}

void lathe_model_close(lathe_model *model)
{
    if (!model) return;
    for (uint32_t i = 0; model->weights && i < model->exported->n_weights; i++) {
        lt_os_free(model->weights[i].owned);
        if (model->weights[i].owns_packed) lt_os_free(model->weights[i].packed.data);
    }
    lt_weights_close(model->given);
    lt_text_free(&model->unsupported);
    lt_text_free(&model->notes);
    lt_file_close(&model->file);
    lt_arena_destroy(model->arena);
    lt_heap_free(model);
}

lathe_status lathe_model_unsupported(lathe_model *model, const char **report, lathe_error *err)
{
    if (!model->looked) {
        lt_text_free(&model->unsupported);
        LT_TRY(lt_import_unsupported(model->exported, model->table, &model->unsupported, err));
        model->looked = true;
    }
    *report = model->unsupported.data ? model->unsupported.data : "";
    return LATHE_OK;
}

const lt_xinput *lt_model_user_input(const lathe_model *model, size_t index)
{
    return index < model->n_user_inputs ? model->user_inputs[index] : NULL;
}

const lt_xoutput *lt_model_user_output(const lathe_model *model, size_t index)
{
    return index < model->n_user_outputs ? model->user_outputs[index] : NULL;
}

size_t lathe_model_input_count(const lathe_model *model) { return model->n_user_inputs; }

size_t lathe_model_output_count(const lathe_model *model) { return model->n_user_outputs; }

/* A size as a number, -1 when it is open: symbols whose range is one number are fixed. */
static lathe_status known_size(lathe_model *model, const lt_xdim *dim, int64_t *out, lathe_error *err)
{
    const lt_exported *x = model->exported;
    int64_t *bindings = lt_heap_alloc(x->n_symbols, sizeof *bindings);
    if (!bindings) return lt_out_of_memory(err, x->n_symbols, sizeof *bindings);
    for (uint32_t i = 0; i < x->n_symbols; i++)
        bindings[i] = x->symbols[i].min == x->symbols[i].max ? x->symbols[i].min : LT_UNBOUND;
    if (lt_xdim_eval(dim, bindings, out, NULL) != LATHE_OK || *out < 0) *out = -1;
    lt_heap_free(bindings);
    return LATHE_OK;
}

static lathe_status describe_value(lathe_model *model, const char *name, const char *label,
                                   lathe_value_info *out, lathe_error *err)
{
    const lt_xgraph *graph = &model->exported->graph;
    uint32_t type = name ? lt_map_get(&graph->type_of, name) : LT_NONE;
    *out = (lathe_value_info){.name = label, .rank = -1};
    if (type == LT_NONE) return LATHE_OK;
    const lt_xtype *x = &graph->types[type];
    out->dtype = x->dtype;
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        lt_text text = {0};
        uint32_t symbol = x->dim[i].expr ? lt_expr_symbol(x->dim[i].expr) : LT_NONE;
        LT_TRY(known_size(model, &x->dim[i], &out->dim[i], err));
        out->max[i] = symbol != LT_NONE ? model->exported->symbols[symbol].max
                      : out->dim[i] < 0 ? INT64_MAX
                                        : out->dim[i];
        if (x->dim[i].expr) lt_expr_print(x->dim[i].expr, &text);
        else lt_text_printf(&text, "%lld", (long long)x->dim[i].value);
        lathe_status status = lt_text_status(&text, err);
        out->text[i] = status == LATHE_OK ? lt_arena_strdup(model->arena, text.data) : NULL;
        lt_text_free(&text);
        LT_TRY(status);
        if (!out->text[i]) return lt_out_of_memory(err, 1, 32);
    }
    return LATHE_OK;
}

lathe_status lathe_model_input(lathe_model *model, size_t index, lathe_value_info *out, lathe_error *err)
{
    const lt_xinput *input = lt_model_user_input(model, index);
    if (!input) LT_FAIL(err, INVALID_ARGUMENT, "there is no input %zu", index);
    return describe_value(model, input->name, input->label, out, err);
}

lathe_status lathe_model_output(lathe_model *model, size_t index, lathe_value_info *out, lathe_error *err)
{
    const lt_xoutput *output = lt_model_user_output(model, index);
    if (!output) LT_FAIL(err, INVALID_ARGUMENT, "there is no output %zu", index);
    const char *name = output->arg.kind == LT_ARG_NAME ? output->arg.text : NULL;
    return describe_value(model, name, output->label ? output->label : name ? name : "constant", out, err);
}
