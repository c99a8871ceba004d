/* Opening models and finding their weights. */
#include "run/model.h"

#include <string.h>

#include "load/pt2.h"

static lathe_status open_exported(lathe_model *model, const char *path, lathe_error *err)
{
    LT_TRY(lt_file_open(path, &model->file, err));
    LT_TRY(lt_pt2_load(&model->file, path, model->arena, &model->exported, err));
    lt_exported *x = model->exported;
    LT_TRY(lt_aten_table_create(model->arena, &model->table, err));
    LT_ALLOC(model->arena, model->weights, x->n_weights, err);
    for (uint32_t i = 0; i < x->n_weights; i++) {
        model->weights[i].data = x->weights[i].data;
        if (x->weights[i].data)
            memcpy(model->weights[i].stride, x->weights[i].stride, sizeof x->weights[i].stride);
        else lt_contiguous_strides(x->weights[i].type.rank, x->weights[i].type.dim, model->weights[i].stride);
    }
    return LATHE_OK;
}

lathe_status lathe_model_open(const char *path, lathe_model **out, lathe_error *err)
{
    *out = NULL;
    lathe_model *model = lt_heap_alloc(1, sizeof *model);
    if (!model) return lt_out_of_memory(err, 1, sizeof *model);
    lathe_status status = lt_arena_create(&model->arena, err);
    if (status == LATHE_OK) status = open_exported(model, path, err);
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
    for (uint32_t i = 0; model->weights && i < model->exported->n_weights; i++)
        lt_os_free(model->weights[i].owned);
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
        lt_import_unsupported(model->exported, model->table, &model->unsupported);
        LT_TRY(lt_text_status(&model->unsupported, err));
        model->looked = true;
    }
    *report = model->unsupported.data ? model->unsupported.data : "";
    return LATHE_OK;
}

const lt_xinput *lt_model_user_input(const lathe_model *model, size_t index)
{
    const lt_exported *x = model->exported;
    for (uint32_t i = 0; i < x->n_inputs; i++)
        if (x->inputs[i].kind == LT_X_USER_INPUT && index-- == 0) return &x->inputs[i];
    return NULL;
}

const lt_xoutput *lt_model_user_output(const lathe_model *model, size_t index)
{
    const lt_exported *x = model->exported;
    for (uint32_t i = 0; i < x->n_outputs; i++)
        if (x->outputs[i].kind == LT_X_USER_OUTPUT && index-- == 0) return &x->outputs[i];
    return NULL;
}

size_t lathe_model_input_count(const lathe_model *model)
{
    size_t n = 0;
    while (lt_model_user_input(model, n)) n++;
    return n;
}

size_t lathe_model_output_count(const lathe_model *model)
{
    size_t n = 0;
    while (lt_model_user_output(model, n)) n++;
    return n;
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
        out->dim[i] = x->dim[i].expr ? -1 : x->dim[i].value;
        out->max[i] = symbol != LT_NONE ? model->exported->symbols[symbol].max
                      : x->dim[i].expr  ? INT64_MAX
                                        : x->dim[i].value;
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
    return describe_value(model, name, name ? name : "constant", out, err);
}
