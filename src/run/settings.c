/* The manifest of a .lathe file: what it is, for people, and what its sessions are to do. */
#include <string.h>

#include "base/json.h"
#include "pass/pass.h"
#include "run/model.h"

static const struct {
    const char *name;
    lt_dtype dtype;
} kv_types[] = {{"f32", LATHE_F32}, {"bf16", LATHE_BF16}, {"f16", LATHE_F16}, {"int8", LATHE_I8}};

lathe_status lt_kv_type_parse(const char *name, lt_dtype *out, lathe_error *err)
{
    *out = LATHE_DTYPE_COUNT;
    for (size_t i = 0; name && i < LT_COUNT(kv_types); i++)
        if (strcmp(name, kv_types[i].name) == 0) *out = kv_types[i].dtype;
    if (name && *out == LATHE_DTYPE_COUNT)
        LT_FAIL(err, INVALID_ARGUMENT, "caches of type '%s', expected f32, bf16, f16 or int8", name);
    return LATHE_OK;
}

static const char *const quantizations[] = {
    [LATHE_QUANTIZE_NONE] = "none", [LATHE_QUANTIZE_INT8] = "int8", [LATHE_QUANTIZE_INT4] = "int4"};

static lathe_status read_quantization(const lt_json *manifest, lathe_quantization *out, lathe_error *err)
{
    const char *name;
    LT_TRY(lt_json_get_string(manifest, "quantize", &name, err));
    for (size_t i = 0; i < LT_COUNT(quantizations); i++)
        if (strcmp(name, quantizations[i]) == 0) return *out = (lathe_quantization)i, LATHE_OK;
    LT_FAIL(err, UNSUPPORTED, "field 'quantize' is '%s'", name);
}

static lathe_status read_kv_type(const lt_json *manifest, lt_model_settings *to, lathe_error *err)
{
    lt_dtype known;
    LT_TRY(lt_json_get_string(manifest, "kv", &to->kv_type, err));
    LT_TRY_NOTE(lt_kv_type_parse(to->kv_type, &known, err), err, "field 'kv'");
    return LATHE_OK;
}

/* The texts are read as those of a session's options are, when one is created. */
static lathe_status read_placement(const lt_json *manifest, lathe_placement *to, lathe_error *err)
{
    const lt_json *from;
    LT_TRY(lt_json_get_object(manifest, "placement", &from, err));
    LT_TRY(lt_json_get_string(from, "device", &to->device, err));
    LT_TRY(lt_json_get_string(from, "executor", &to->executor, err));
    LT_TRY(lt_json_get_string(from, "cpu_ops", &to->cpu_ops, err));
    LT_TRY(lt_json_get_string(from, "pins", &to->pins, err));
    bool keep;
    LT_TRY(lt_json_get_bool(from, "keep_islands", &keep, err));
    to->keep_islands = keep;
    return LATHE_OK;
}

static lathe_status read_settings(const lt_json *manifest, lathe_model *model, lathe_error *err)
{
    int64_t optimize, activations;
    LT_TRY(lt_json_get_int(manifest, "optimize", &optimize, err));
    LT_TRY(lt_json_get_int(manifest, "activations", &activations, err));
    if (optimize < 0 || optimize > LT_OPTIMIZE_MAX)
        LT_FAIL(err, UNSUPPORTED, "field 'optimize' is %lld, expected 0 to %d", (long long)optimize,
                LT_OPTIMIZE_MAX);
    if (activations != 8 && activations != 16)
        LT_FAIL(err, UNSUPPORTED, "field 'activations' is %lld, expected 8 or 16", (long long)activations);
    model->settings = (lt_model_settings){.optimize = (int)optimize + 1, .activations = (int)activations};
    if (lt_json_member(manifest, "kv")) LT_TRY(read_kv_type(manifest, &model->settings, err));
    if (lt_json_member(manifest, "placement"))
        LT_TRY(read_placement(manifest, &model->settings.placement, err));
    return read_quantization(manifest, &model->quantization, err);
}

lathe_status lt_model_read_manifest(lathe_model *model, lathe_error *err)
{
    const lt_lathe_section *section;
    const lt_json *manifest;
    LT_TRY(lt_lathe_need(model->lathe, LT_LATHE_MANIFEST, &section, err));
    lathe_status status = lt_json_parse((const char *)section->data, section->size, false, section->name,
                                        model->arena, &manifest, err);
    if (status == LATHE_OK) status = read_settings(manifest, model, err);
    return status == LATHE_OK ? status : lt_error_note(err, status, "%s", model->lathe->what);
}

static void put_text(lt_json_builder *b, lt_json *to, const char *key, const char *text)
{
    lt_json_put(b, to, key, lt_json_new_text(b, text, strlen(text)));
}

static void put_placement(lt_json_builder *b, lt_json *manifest, const lathe_placement *p)
{
    lt_json object = lt_json_new(LT_JSON_OBJECT);
    put_text(b, &object, "device", p->device ? p->device : "cpu");
    put_text(b, &object, "executor", p->executor ? p->executor : "linear");
    put_text(b, &object, "cpu_ops", p->cpu_ops ? p->cpu_ops : "");
    put_text(b, &object, "pins", p->pins ? p->pins : "");
    lt_json_put(b, &object, "keep_islands", lt_json_new_bool(p->keep_islands));
    lt_json_put(b, manifest, "placement", object);
}

static lt_json fixed_dims(lt_json_builder *b, const lt_exported *x)
{
    lt_json dims = lt_json_new(LT_JSON_OBJECT);
    for (uint32_t i = 0; i < x->n_symbols; i++)
        if (x->symbols[i].min == x->symbols[i].max)
            lt_json_put(b, &dims, x->symbols[i].name, lt_json_new_int(x->symbols[i].min));
    return dims;
}

lathe_status lt_model_write_manifest(const lathe_model *model, lt_text *out, lathe_error *err)
{
    const lt_exported *x = model->exported;
    const char *slash = strrchr(x->path, '/');
    lt_json_builder b = {.arena = model->arena};
    lt_json manifest = lt_json_new(LT_JSON_OBJECT);
    int optimize = model->settings.optimize ? model->settings.optimize - 1 : LT_OPTIMIZE_MAX;
    put_text(&b, &manifest, "lathe", LATHE_VERSION);
    put_text(&b, &manifest, "source", slash ? slash + 1 : x->path);
    put_text(&b, &manifest, "format", x->format);
    lt_json_put(&b, &manifest, "optimize", lt_json_new_int(optimize));
    lt_json_put(&b, &manifest, "activations",
                lt_json_new_int(model->settings.activations ? model->settings.activations : 16));
    put_text(&b, &manifest, "quantize", quantizations[model->quantization]);
    if (model->settings.kv_type) put_text(&b, &manifest, "kv", model->settings.kv_type);
    const lathe_placement *placement = &model->settings.placement;
    if (placement->device || placement->executor) put_placement(&b, &manifest, placement);
    lt_json_put(&b, &manifest, "dims", fixed_dims(&b, x));
    lt_json_write(&manifest, 1, out);
    if (b.failed) return lt_out_of_memory(err, 1, out->length);
    return lt_text_status(out, err);
}
