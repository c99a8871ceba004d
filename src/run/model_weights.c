/* Where a model's weights come from. */
#include <string.h>

#include "base/random.h"
#include "ops/convert.h"
#include "run/model.h"

/* All files are one set, so that a name is found wherever it fits best; the set is opened anew with each
 * file. */
lathe_status lathe_model_add_weights(lathe_model *model, const char *path, lathe_error *err)
{
    lt_weights *all;
    if (model->lathe)
        LT_FAIL(err, INVALID_ARGUMENT,
                "%s: a compiled model has its weights: compile it from its source with these", path);
    if (model->n_paths == LT_MAX_WEIGHTS_FILES)
        LT_FAIL(err, LIMIT, "more than %d weights files", LT_MAX_WEIGHTS_FILES);
    for (uint32_t i = 0; i < model->exported->n_weights; i++)
        if (model->weights[i].from)
            LT_FAIL(err, INVALID_ARGUMENT,
                    "%s: weights are in use already: add files before creating a session", path);
    model->paths[model->n_paths] = lt_arena_strdup(model->arena, path);
    if (!model->paths[model->n_paths]) return lt_out_of_memory(err, 1, strlen(path));
    LT_TRY(lt_weights_open(model->paths, model->n_paths + 1, &all, err));
    lt_weights_close(model->given);
    model->given = all;
    model->n_paths++;
    return LATHE_OK;
}

/* The weight of a name in the files; NULL when none has it. */
static lathe_status look_up(const lathe_model *model, const char *name, const lt_weight **out,
                            lathe_error *err)
{
    *out = NULL;
    return model->given ? lt_weights_look_up(model->given, name, out, err) : LATHE_OK;
}

static bool same_shape(const lt_type *a, const lt_type *b)
{
    lt_type other = *b;
    other.dtype = a->dtype;
    return lt_type_equal(a, &other);
}

/* Takes a weight of a file: in place where it lies as the graph wants it, else as a converted copy. */
static lathe_status take(lathe_model *model, const lt_weight *from, uint32_t index, lathe_error *err)
{
    const lt_type *want = &model->exported->weights[index].type;
    lt_model_weight *to = &model->weights[index];
    char a[LT_TYPE_TEXT], b[LT_TYPE_TEXT];
    lt_tensor view;
    if (!same_shape(want, &from->type))
        LT_FAIL(err, TYPE, "weight '%s': %s has it as %s under '%s', the graph wants %s",
                model->exported->weights[index].name, from->file, lt_type_print(&from->type, a),
                from->stored_name, lt_type_print(want, b));
    to->from = from;
    if (from->type.dtype == want->dtype && lt_weight_view(from, &view)) {
        to->data = view.data;
        memcpy(to->stride, view.stride, sizeof view.stride);
        return LATHE_OK;
    }
    void *copy = lt_os_alloc(lt_type_bytes(want));
    if (!copy) return lt_out_of_memory(err, lt_type_bytes(want), 1);
    lathe_status status = lt_weight_read(from, want->dtype, copy, err);
    if (status != LATHE_OK) {
        lt_os_free(copy);
        return lt_error_note(err, status, "weight '%s'", model->exported->weights[index].name);
    }
    to->data = to->owned = copy;
    lt_contiguous_strides(want->rank, want->dim, to->stride);
    return LATHE_OK;
}

/* Whether a node of the graph or of a region in it reads the placeholder. */
static bool reads(const lt_xgraph *graph, const char *name, int depth)
{
    for (uint32_t i = 0; i < graph->n_nodes && depth < 16; i++) {
        const lt_xoperands *operands = graph->nodes[i].operands;
        for (uint32_t k = 0; operands && k < operands->n; k++)
            if (strcmp(operands->tensors[k].text, name) == 0) return true;
        for (uint32_t k = 0; k < graph->nodes[i].n_args; k++) {
            const lt_arg *arg = &graph->nodes[i].args[k].arg;
            uint32_t n = arg->kind == LT_ARG_LIST ? arg->list.n : 1;
            const lt_arg *items = arg->kind == LT_ARG_LIST ? arg->list.items : arg;
            for (uint32_t m = 0; m < n; m++)
                if (items[m].kind == LT_ARG_NAME && strcmp(items[m].text, name) == 0) return true;
            if (arg->kind == LT_ARG_GRAPH && reads(arg->graph, name, depth + 1)) return true;
        }
    }
    return false;
}

bool lt_model_reads_weight(const lathe_model *model, uint32_t index)
{
    const lt_exported *x = model->exported;
    for (uint32_t i = 0; i < x->n_inputs; i++) {
        const lt_xinput *input = &x->inputs[i];
        if (input->kind != LT_X_WEIGHT || input->weight != index) continue;
        if (reads(&x->graph, input->name, 0)) return true;
        for (uint32_t k = 0; k < x->n_outputs; k++) {
            const lt_xoutput *output = &x->outputs[k];
            if (output->arg.kind == LT_ARG_NAME && strcmp(output->arg.text, input->name) == 0) return true;
            if (output->target && strcmp(output->target, input->name) == 0) return true;
        }
    }
    return false;
}

/* Checkpoints store one name of a tied pair, graphs read one: the other name of a weight that is missing is a
 * weight of the same type that the graph does not read. */
static lathe_status find_tie(const lathe_model *model, uint32_t index, const lt_weight **out,
                             lathe_error *err)
{
    const lt_exported *x = model->exported;
    *out = NULL;
    for (uint32_t i = 0; i < x->n_inputs; i++) {
        const lt_xinput *input = &x->inputs[i];
        const lt_weight *found;
        if (input->kind != LT_X_WEIGHT || input->weight == index) continue;
        if (!lt_type_equal(&x->weights[input->weight].type, &x->weights[index].type) ||
            reads(&x->graph, input->name, 0))
            continue;
        LT_TRY(look_up(model, x->weights[input->weight].name, &found, err));
        if (found && *out && found != *out)
            LT_FAIL(err, INVALID_ARGUMENT,
                    "weight '%s' is missing, and both '%s' and '%s' could be tied to it",
                    x->weights[index].name, (*out)->name, found->name);
        if (found) *out = found;
    }
    return LATHE_OK;
}

static lathe_status missing(const lathe_model *model, uint32_t index, lathe_error *err)
{
    char type[LT_TYPE_TEXT];
    const lt_xweight *weight = &model->exported->weights[index];
    const lt_weight *none;
    lt_type_print(&weight->type, type);
    if (!model->given)
        LT_FAIL(err, INVALID_ARGUMENT,
                "weight '%s' (%s) has no bytes in %s: the archive holds the graph only, give its weights "
                "(--weights FILE)",
                weight->name, type, model->exported->path);
    lathe_status status = lt_weights_find(model->given, weight->name, &none, err);
    return lt_error_note(err, status, "weight '%s' (%s) is missing", weight->name, type);
}

lathe_status lt_model_find_weight(const lathe_model *model, uint32_t index, const lt_weight **out,
                                  lathe_error *err)
{
    const lt_xweight *weight = &model->exported->weights[index];
    *out = NULL;
    if (!weight->is_constant || !weight->data) LT_TRY(look_up(model, weight->name, out, err));
    return *out || weight->data ? LATHE_OK : find_tie(model, index, out, err);
}

/* A weight whose packed form has replaced what it was packed from. */
static lathe_status unpack(lathe_model *model, uint32_t index, lathe_error *err)
{
    const lt_type *type = &model->exported->weights[index].type;
    lt_model_weight *to = &model->weights[index];
    to->owned = lt_os_alloc(lt_type_bytes(type));
    if (!to->owned) return lt_out_of_memory(err, lt_type_bytes(type), 1);
    lt_model_unpack(model, index, to->owned);
    to->data = to->owned;
    lt_contiguous_strides(type->rank, type->dim, to->stride);
    return LATHE_OK;
}

lathe_status lt_model_need_weight(lathe_model *model, uint32_t index, lathe_error *err)
{
    const lt_xweight *weight = &model->exported->weights[index];
    lt_model_weight *to = &model->weights[index];
    const lt_weight *found;
    if (to->data) return LATHE_OK;
    if (to->packed.data) return unpack(model, index, err);
    LT_TRY(lt_model_find_weight(model, index, &found, err));
    if (found) return take(model, found, index, err);
    if (!weight->data) return missing(model, index, err);
    to->data = weight->data;
    memcpy(to->stride, weight->stride, sizeof weight->stride);
    return LATHE_OK;
}

static lathe_status weight_strides(void *context, uint32_t weight, int64_t *stride, lathe_error *err)
{
    lathe_model *model = ((const lt_weight_source *)context)->model;
    LT_TRY(lt_model_need_weight(model, weight, err));
    model->weights[weight].placed = true;
    memcpy(stride, model->weights[weight].stride, sizeof model->weights[weight].stride);
    return LATHE_OK;
}

static lathe_status weight_packed(void *context, uint32_t weight, bool linear, bool *out, lathe_error *err)
{
    lt_weight_source *source = context;
    double start = lt_os_seconds();
    *out = false;
    /* The references compute with quantised values too, but not with what files have in blocks: that is the
     * same in plain form. */
    if (source->reference && !source->model->quantization) return LATHE_OK;
    LT_TRY(lt_model_need_packed(source->model, weight, linear, source->pool, out, err));
    if (source->reference) *out = false;
    source->seconds += lt_os_seconds() - start;
    return LATHE_OK;
}

lt_weight_layout lt_model_layout(lt_weight_source *source)
{
    return (lt_weight_layout){source, weight_strides, weight_packed};
}

void lt_model_discard_weight(lathe_model *model, uint32_t index)
{
    const lt_model_weight *weight = &model->weights[index];
    if (weight->data && !weight->owned)
        lt_os_discard(weight->data, lt_type_bytes(&model->exported->weights[index].type));
}

/* ---- Weights for measurements ---- */

/* The sum of twelve uniform numbers is as good as normal here. */
static void fill_random(const lt_type *type, void *data, uint64_t *state)
{
    enum { CHUNK = 256 };
    float buffer[CHUNK];
    int64_t count = lt_type_count(type);
    size_t size = lathe_dtype_size(type->dtype);
    for (int64_t at = 0; at < count; at += CHUNK) {
        int64_t n = lt_min_i64(CHUNK, count - at);
        for (int64_t i = 0; i < n; i++) {
            float sum = 0;
            for (int k = 0; k < 3; k++)
                for (uint64_t r = lt_random_next(state), j = 0; j < 4; j++, r >>= 16)
                    sum += (float)(r & 0xffff);
            buffer[i] = type->rank > 1 ? 0.02f * (sum / 65536.0f - 6) : 1;
        }
        lt_store_f32(type->dtype, (char *)data + (size_t)at * size, (int64_t)size, n, buffer);
    }
}

lathe_status lathe_model_randomize_weights(lathe_model *model, uint64_t seed, lathe_error *err)
{
    for (uint32_t i = 0; i < model->exported->n_weights; i++) {
        const lt_xweight *weight = &model->exported->weights[i];
        lt_model_weight *to = &model->weights[i];
        if (weight->data || to->data) continue;
        void *data = lt_os_alloc(lt_type_bytes(&weight->type));
        if (!data) return lt_out_of_memory(err, lt_type_bytes(&weight->type), 1);
        to->data = to->owned = data;
        lt_contiguous_strides(weight->type.rank, weight->type.dim, to->stride);
        fill_random(&weight->type, data, &seed);
    }
    return LATHE_OK;
}

/* ---- What the user should know ---- */

/* Whether one dotted name ends with the whole other. */
static bool is_tail(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return lt_str_ends_with(name, tail) && (n == t || name[n - t - 1] == '.');
}

/* A name that the graph lists but does not read (BatchNorm's counters, the other half of a tie) is no
 * surprise. */
static bool is_expected(const lathe_model *model, const lt_weight *weight)
{
    for (uint32_t i = 0; i < model->exported->n_weights; i++) {
        const char *own = model->exported->weights[i].name;
        if (model->weights[i].from == weight || is_tail(own, weight->name) || is_tail(weight->name, own))
            return true;
    }
    return false;
}

/* Matrices in blocks that no packing holds: they take several times the memory. */
static void note_inflated(lathe_model *model)
{
    size_t n = 0;
    const char *type = NULL;
    for (uint32_t i = 0; i < model->exported->n_weights; i++) {
        const lt_model_weight *weight = &model->weights[i];
        if (!weight->from || !weight->from->blocks || !weight->owned || weight->packed.data) continue;
        type = weight->from->blocks->name;
        n++;
    }
    if (n)
        lt_text_printf(&model->notes,
                       "%zu weights (of type %s) have no packed form here: they are held as floats\n", n,
                       type);
}

lathe_status lathe_model_notes(lathe_model *model, const char **text, lathe_error *err)
{
    size_t unused = 0, n = model->given ? lt_weights_count(model->given) : 0;
    lt_text_free(&model->notes);
    for (size_t i = 0; i < n; i++) {
        const lt_weight *weight = lt_weights_at(model->given, i);
        if (is_expected(model, weight)) continue;
        if (unused++ == 0) lt_text_printf(&model->notes, "%s: not used:", weight->file);
        if (unused <= 8) lt_text_printf(&model->notes, " %s", weight->stored_name);
    }
    if (unused > 8) lt_text_printf(&model->notes, " and %zu more", unused - 8);
    if (unused) lt_text_printf(&model->notes, "\n");
    note_inflated(model);
    *text = model->notes.data ? model->notes.data : "";
    return lt_text_status(&model->notes, err);
}
