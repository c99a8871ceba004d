/* Archive layer of .pt2: where the program and the weights lie. The graph itself is read by pt2_graph.c. */
#include "load/pt2.h"

#include <string.h>

#include "load/pt2_graph.h"
#include "load/zip.h"

typedef struct lt_pt2 {
    lt_zip *zip;
    const char *root;      /* "model/" */
    const char *name;      /* of the program inside: "model" */
    const void **contents; /* [zip->count]: records of weights that had to be inflated or moved; else NULL */
    lt_exported *x;
} lt_pt2;

/* What other archives of PyTorch hold, and what to do with them. */
static const struct {
    const char *entry; /* whole name, or its end when it starts with "/" */
    const char *what;
} others[] = {
    {"serialized_exported_program.json",
     "the archive was written by an old torch.export: load it and save it again with torch 2.9 or newer"},
    {"/constants.pkl",
     "a TorchScript archive, not one of torch.export: export the model with torch.export.export and "
     "torch.export.save"},
    {"/data.pkl",
     "a checkpoint of torch.save, which holds weights as pickles and no graph: export the model with "
     "torch.export.export and torch.export.save"},
    {"/data/aotinductor/model/model.so",
     "a package of AOTInductor without its graph: save the exported program with "
     "torch.export.save"},
};

static lathe_status not_pt2(const lt_zip *zip, lathe_error *err)
{
    for (size_t k = 0; k < LT_COUNT(others); k++)
        for (uint32_t i = 0; i < zip->count; i++) {
            const char *name = zip->entries[i].name, *want = others[k].entry;
            if (*want == '/' ? lt_str_ends_with(name, want) : strcmp(name, want) == 0)
                LT_FAIL(err, UNSUPPORTED, "%s", others[k].what);
        }
    LT_FAIL(err, FORMAT, "there is no models/*.json in the archive: not a torch.export archive");
}

/* Takes a "ROOT/models/NAME.json" of the archive as the program: the one named "model" when there are
 * several. */
static lathe_status find_root(lt_pt2 *pt2, lt_arena *arena, lathe_error *err)
{
    lt_text names = {0};
    uint32_t found = 0;
    for (uint32_t i = 0; i < pt2->zip->count; i++) {
        const char *entry = pt2->zip->entries[i].name, *slash = strchr(entry, '/');
        if (!slash || !lt_str_starts_with(slash, "/models/") || !lt_str_ends_with(entry, ".json")) continue;
        const char *name = slash + strlen("/models/");
        size_t length = strlen(name) - strlen(".json");
        if (strchr(name, '/')) continue;
        lt_text_printf(&names, "%s'%.*s'", found++ ? ", " : "", (int)length, name);
        if (found > 1 && !(length == 5 && memcmp(name, "model", 5) == 0)) continue;
        pt2->root = lt_arena_strndup(arena, entry, (size_t)(slash + 1 - entry));
        pt2->name = lt_arena_strndup(arena, name, length);
    }
    lathe_status status = LATHE_OK;
    if (!found) status = not_pt2(pt2->zip, err);
    else if (!pt2->root || !pt2->name || names.failed) status = lt_out_of_memory(err, 1, names.length);
    else if (found > 1 && strcmp(pt2->name, "model") != 0)
        status = lt_error_set(
            err, LATHE_UNSUPPORTED,
            "the archive holds several programs (%s) and none is called 'model': save the one to run "
            "alone",
            names.data);
    lt_text_free(&names);
    return status;
}

/* A text record of the archive; *out is NULL when it is absent. */
static lathe_status read_text(const lt_pt2 *pt2, const char *path, lt_arena *arena, const char **out,
                              size_t *size, lathe_error *err)
{
    const void *data;
    *out = NULL;
    const char *name = lt_arena_printf(arena, "%s%s", pt2->root, path);
    if (!name) return lt_out_of_memory(err, 1, strlen(path));
    uint32_t index = lt_zip_find(pt2->zip, name);
    if (index == LT_NONE) return LATHE_OK;
    LT_TRY(lt_zip_inflate(pt2->zip, index, arena, &data, size, err));
    *out = data ? data : "";
    return LATHE_OK;
}

/* The last element that the strides reach lies in the record. */
static lathe_status check_extent(const lt_xweight *weight, size_t bytes, lathe_error *err)
{
    int64_t last = weight->offset, span;
    if (last < 0) LT_FAIL(err, FORMAT, "field 'storage_offset' is %lld", (long long)last);
    for (int i = 0; i < weight->type.rank; i++) {
        if (weight->type.dim[i] == 0) return LATHE_OK;
        if (weight->stride[i] < 0 || !lt_mul_i64(weight->type.dim[i] - 1, weight->stride[i], &span) ||
            !lt_add_i64(last, span, &last))
            LT_FAIL(err, FORMAT, "field 'strides': %lld", (long long)weight->stride[i]);
    }
    if ((uint64_t)last >= bytes / lathe_dtype_size(weight->type.dtype))
        LT_FAIL(err, FORMAT, "needs element %lld of a record of %zu bytes", (long long)last, bytes);
    return LATHE_OK;
}

/* The bytes of a record, where the archive's are of no use: deflated, or (in a re-packed archive) not
 * aligned. Tied weights share them. */
static lathe_status record_bytes(const lt_pt2 *pt2, uint32_t index, size_t align, lt_arena *arena,
                                 const void **out, lathe_error *err)
{
    size_t size;
    *out = pt2->contents[index];
    if (*out) return LATHE_OK;
    LT_TRY(lt_zip_inflate(pt2->zip, index, arena, out, &size, err));
    if (size == 0 || (uintptr_t)*out % align == 0) {
        if (pt2->zip->entries[index].deflated) pt2->contents[index] = *out;
        return LATHE_OK;
    }
    void *copy = lt_arena_alloc(arena, size, 1);
    if (!copy) return lt_out_of_memory(err, size, 1);
    pt2->contents[index] = *out = memcpy(copy, *out, size);
    return LATHE_OK;
}

static lathe_status read_weight(const lt_pt2 *pt2, const char *folder, const lt_json *entry, lt_arena *arena,
                                lt_xweight *weight, lathe_error *err)
{
    const char *path;
    const lt_json *meta;
    bool is_meta = false, pickled = lt_json_true(lt_json_member(entry, "use_pickle"));
    LT_TRY(lt_json_get_string(entry, "path_name", &path, err));
    if (pickled)
        LT_FAIL(err, UNSUPPORTED,
                "it is a pickle, which is never opened: save it again with torch 2.9 or newer");
    LT_TRY(lt_json_get_object(entry, "tensor_meta", &meta, err));
    LT_TRY(lt_pt2_read_weight_type(meta, arena, weight, &is_meta, err));

    const char *name = lt_arena_printf(arena, "%s%s%s", pt2->root, folder, path);
    if (!name) return lt_out_of_memory(err, 1, strlen(path));
    uint32_t index = lt_zip_find(pt2->zip, name);
    size_t bytes = index == LT_NONE ? 0 : pt2->zip->entries[index].size;
    weight->record = is_meta ? LT_NONE : index;
    bool no_bytes = lt_type_count(&weight->type) > 0 && bytes == 0;
    if (no_bytes && (is_meta || index == LT_NONE))
        return LATHE_OK; /* graph only: its bytes come from elsewhere */
    if (no_bytes) LT_FAIL(err, FORMAT, "record '%s' is empty (exported from a fake tensor?)", path);
    LT_TRY(check_extent(weight, bytes, err));
    const void *data = NULL;
    size_t element = lathe_dtype_size(weight->type.dtype);
    static const uint8_t none[1]; /* of weights without elements: their offset may lie outside */
    if (index != LT_NONE) LT_TRY(record_bytes(pt2, index, element, arena, &data, err));
    bool empty = !data || lt_type_count(&weight->type) == 0;
    weight->data = empty ? none : (const uint8_t *)data + weight->offset * (int64_t)element;
    return LATHE_OK;
}

/* Adds the entries of one config file to exported->weights. */
static lathe_status read_config(lt_pt2 *pt2, const char *folder, const lt_json *root, bool constants,
                                lt_arena *arena, uint32_t *capacity, lathe_error *err)
{
    const lt_json *config, *entry;
    size_t i;
    LT_TRY(lt_json_get_object(root, "config", &config, err));
    lt_json_foreach (config, i, entry) {
        const char *name = entry->key;
        lt_exported *x = pt2->x;
        if (!lt_json_is(lt_json_member(entry, "tensor_meta"), LT_JSON_OBJECT))
            continue; /* a custom object: refused where used */
        LT_GROW(arena, x->weights, x->n_weights, *capacity, err);
        lt_xweight *weight = &x->weights[x->n_weights];
        *weight =
            (lt_xweight){.name = lt_arena_strdup(arena, name), .is_constant = constants, .record = LT_NONE};
        if (!weight->name) return lt_out_of_memory(err, 1, strlen(name));
        LT_TRY_NOTE(read_weight(pt2, folder, entry, arena, weight, err), err, "%s '%s'",
                    constants ? "constant" : "weight", name);
        if (lt_map_get(&x->weight_of, name) != LT_NONE) continue; /* listed as weight and as constant */
        LT_TRY(lt_map_put(&x->weight_of, name, x->n_weights++, err));
    }
    return LATHE_OK;
}

static lathe_status read_configs(lt_pt2 *pt2, lt_arena *arena, lathe_error *err)
{
    static const struct {
        const char *folder, *suffix;
        bool constants;
    } kinds[] = {{"data/weights/", "_weights_config.json", false},
                 {"data/weights/", "_model_param_config.json", false},
                 {"data/constants/", "_constants_config.json", true},
                 {"data/constants/", "_model_constants_config.json", true}};
    uint32_t capacity = 0;
    for (size_t i = 0; i < LT_COUNT(kinds); i++) {
        const lt_json *root;
        const char *text;
        size_t size;
        const char *path = lt_arena_printf(arena, "%s%s%s", kinds[i].folder, pt2->name, kinds[i].suffix);
        if (!path) return lt_out_of_memory(err, 1, 64);
        LT_TRY(read_text(pt2, path, arena, &text, &size, err));
        if (!text) continue;
        LT_TRY(lt_json_parse(text, size, false, path, arena, &root, err));
        LT_TRY_NOTE(read_config(pt2, kinds[i].folder, root, kinds[i].constants, arena, &capacity, err), err,
                    "%s", path);
    }
    const char *pickle = lt_arena_printf(arena, "%sdata/weights/%s.pt", pt2->root, pt2->name);
    if (!pickle) return lt_out_of_memory(err, 1, 64);
    if (!pt2->x->n_weights && lt_zip_find(pt2->zip, pickle) != LT_NONE)
        LT_FAIL(err, UNSUPPORTED,
                "its weights are a pickle, which is never opened: save it again with torch 2.9 or newer");
    return LATHE_OK;
}

static lathe_status load(const lt_file *file, lt_arena *arena, lt_exported *x, lathe_error *err)
{
    lt_pt2 pt2 = {.x = x};
    const char *program;
    size_t size;
    LT_TRY(lt_zip_open(file, "archive", arena, &pt2.zip, err));
    LT_TRY(find_root(&pt2, arena, err));
    LT_ALLOC(arena, pt2.contents, pt2.zip->count, err);
    LT_TRY(read_configs(&pt2, arena, err));
    const char *path = lt_arena_printf(arena, "models/%s.json", pt2.name);
    if (!path) return lt_out_of_memory(err, 1, 64);
    LT_TRY(read_text(&pt2, path, arena, &program, &size, err));
    LT_TRY_NOTE(lt_pt2_read_program(program, size, x, err), err, "%s", path);
    return LATHE_OK;
}

lathe_status lt_pt2_load(const lt_file *file, const char *path, lt_arena *arena, lt_exported **out,
                         lathe_error *err)
{
    lt_exported *x;
    LT_ALLOC(arena, x, 1, err);
    *x = (lt_exported){.arena = arena, .format = "pt2", .dialect = "?", .producer = "?"};
    x->path = lt_arena_strdup(arena, path);
    if (!x->path) return lt_out_of_memory(err, 1, strlen(path));
    x->weight_of.arena = x->symbol_of.arena = x->graph.type_of.arena = arena;
    LT_TRY_NOTE(load(file, arena, x, err), err, "%s", path);
    *out = x;
    return LATHE_OK;
}
