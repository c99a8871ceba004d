/* Opens weight files of every kind into one list, and finds weights in it by name. */
#include "load/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "load/gguf_names.h"
#include "load/safetensors.h"

enum { NEAREST = 3 /* names offered when a weight is not found, candidates listed when several are */ };

struct lt_weights {
    lt_arena *arena;
    lt_file *files; /* mapped as long as the set lives */
    size_t n_files, files_capacity;
    lt_weight *list;
    uint32_t count, capacity;
    lt_map names;             /* name → index in list */
    const lt_weight **sorted; /* by name read backwards, so that names with one tail stand together */
    lt_gguf_family family;    /* of the GGUF file read last: the parts of a split model rely on the first */
};

/* ---- Opening ---- */

static lathe_status add_file(lt_weights *set, const char *path, const lt_file **out, lathe_error *err)
{
    lt_file file;
    LT_TRY(lt_file_open(path, &file, err));
    if (set->n_files == set->files_capacity) {
        size_t capacity = set->files_capacity ? 2 * set->files_capacity : 16;
        lt_file *grown = lt_arena_alloc(set->arena, capacity, sizeof file);
        if (!grown) {
            lt_file_close(&file);
            return lt_out_of_memory(err, capacity, sizeof file);
        }
        if (set->n_files) memcpy(grown, set->files, set->n_files * sizeof file);
        set->files = grown;
        set->files_capacity = capacity;
    }
    set->files[set->n_files] = file;
    *out = &set->files[set->n_files++];
    return LATHE_OK;
}

static lathe_status add_weight(lt_weights *set, const lt_weight *weight, lathe_error *err)
{
    uint32_t other = lt_map_get(&set->names, weight->name);
    if (other != LT_NONE)
        LT_FAIL(err, INVALID_ARGUMENT, "weight '%s' is defined twice, in %s and in %s; give one of them",
                weight->name, set->list[other].file, weight->file);
    if (set->count >= LT_NONE / 2) LT_FAIL(err, LIMIT, "%s: too many weights", weight->file);
    LT_GROW(set->arena, set->list, set->count, set->capacity, err);
    set->list[set->count] = *weight;
    return lt_map_put(&set->names, weight->name, set->count++, err);
}

static lathe_status add_safetensors_entry(lt_weights *set, const lt_safetensors *file, uint32_t index,
                                          lathe_error *err)
{
    const lt_safetensors_entry *entry = &file->entries[index];
    lt_weight weight = {.name = entry->name,
                        .stored_name = entry->name,
                        .file = file->what,
                        .unsupported = entry->unsupported,
                        .type = entry->type,
                        .data = entry->data,
                        .bytes = entry->bytes};
    if (!entry->unsupported) lt_contiguous_strides(entry->type.rank, entry->type.dim, weight.stride);
    return add_weight(set, &weight, err);
}

static lathe_status add_safetensors(lt_weights *set, const lt_file *file, const char *path, lathe_error *err)
{
    lt_safetensors *opened;
    if (file->size >= 4 && memcmp(file->data, "PK\3\4", 4) == 0)
        LT_FAIL(err, UNSUPPORTED,
                "%s: a zip archive, perhaps PyTorch's pickle format, which lathe never opens; save the "
                "weights as "
                ".safetensors",
                path);
    LT_TRY(lt_safetensors_open(file, path, set->arena, &opened, err));
    for (uint32_t i = 0; i < opened->count; i++) LT_TRY(add_safetensors_entry(set, opened, i, err));
    return LATHE_OK;
}

static lathe_status add_gguf_tensor(lt_weights *set, const lt_gguf *gguf, const lt_gguf_tensor *tensor,
                                    lathe_error *err)
{
    lt_weight weight = {.stored_name = tensor->name,
                        .file = gguf->what,
                        .unsupported = tensor->unsupported,
                        .type = tensor->type,
                        .data = tensor->data,
                        .bytes = tensor->bytes};
    if (tensor->ggml && tensor->ggml->dequantize) weight.blocks = tensor->ggml;
    else lt_contiguous_strides(weight.type.rank, weight.type.dim, weight.stride);
    LT_TRY_NOTE(lt_gguf_translate(&set->family, tensor->name, set->arena, &weight.name, err), err, "%s",
                gguf->what);
    LT_TRY_NOTE(lt_gguf_rotary_heads(&set->family, tensor, &weight.rotary_heads, err), err, "%s", gguf->what);
    if (weight.rotary_heads && weight.blocks && weight.type.rank < 2)
        weight.unsupported = "its values are to be reordered one by one, but are quantised in blocks";
    return add_weight(set, &weight, err);
}

static lathe_status add_gguf(lt_weights *set, const lt_file *file, const char *path, lathe_error *err)
{
    lt_gguf *opened;
    lt_gguf_family family;
    LT_TRY(lt_gguf_open(file, path, set->arena, &opened, err));
    LT_TRY(lt_gguf_family_read(opened, set->arena, &family, err));
    if (family.architecture) set->family = family;
    for (uint32_t i = 0; i < opened->tensor_count; i++)
        LT_TRY(add_gguf_tensor(set, opened, &opened->tensors[i], err));
    return LATHE_OK;
}

/* A shard lies in the index's folder or below it. */
static bool shard_leaves_folder(const char *shard)
{
    if (*shard == '\0' || *shard == '/' || strchr(shard, '\\') || strchr(shard, ':')) return true;
    for (const char *part = shard; part; part = strchr(part, '/')) {
        if (*part == '/') part++;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return true;
    }
    return false;
}

/* The shards opened so far, in the order of the index. */
typedef struct shard_list {
    lt_map names; /* shard → index in files */
    lt_safetensors **files;
    uint32_t count, capacity;
} shard_list;

static lathe_status open_shard(lt_weights *set, shard_list *shards, const char *path, const char *shard,
                               uint32_t *out, lathe_error *err)
{
    *out = lt_map_get(&shards->names, shard);
    if (*out != LT_NONE) return LATHE_OK;
    if (shard_leaves_folder(shard))
        LT_FAIL(err, FORMAT, "%s: shard '%s' is not in the folder of the index", path, shard);
    const char *slash = strrchr(path, '/');
    const char *whole =
        lt_arena_printf(set->arena, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, shard);
    if (!whole) return lt_out_of_memory(err, 1, strlen(path));
    const lt_file *file;
    LT_TRY_NOTE(add_file(set, whole, &file, err), err, "%s", path);
    LT_GROW(set->arena, shards->files, shards->count, shards->capacity, err);
    LT_TRY(lt_safetensors_open(file, whole, set->arena, &shards->files[shards->count], err));
    *out = shards->count++;
    return lt_map_put(&shards->names, shard, *out, err);
}

static lathe_status add_shards(lt_weights *set, const lt_json *root, const char *path, lathe_error *err)
{
    shard_list shards = {.names.arena = set->arena};
    const lt_json *weight_map, *value;
    size_t i;
    LT_TRY_NOTE(lt_json_get_object(root, "weight_map", &weight_map, err), err, "%s", path);
    lt_json_foreach (weight_map, i, value) {
        const char *name = value->key;
        uint32_t shard, entry;
        if (!lt_json_is(value, LT_JSON_STRING))
            LT_FAIL(err, FORMAT, "%s: weight_map: '%s' is %s, expected a file name", path, name,
                    lt_json_type_name(value));
        LT_TRY(open_shard(set, &shards, path, lt_json_text(value), &shard, err));
        entry = lt_safetensors_find(shards.files[shard], name);
        if (entry == LT_NONE)
            LT_FAIL(err, FORMAT, "%s: weight_map places '%s' in '%s', which does not have it", path, name,
                    lt_json_text(value));
        LT_TRY(add_safetensors_entry(set, shards.files[shard], entry, err));
    }
    return LATHE_OK;
}

static lathe_status add_index(lt_weights *set, const lt_file *file, const char *path, lathe_error *err)
{
    const lt_json *root;
    lt_arena *scratch;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status =
        lt_json_parse((const char *)file->data, file->size, false, path, scratch, &root, err);
    if (status == LATHE_OK) status = add_shards(set, root, path, err);
    lt_arena_destroy(scratch);
    return status;
}

/* The file itself, or what a folder holds under Hugging Face's names. */
static lathe_status find_file(lt_weights *set, const char **path, const lt_file **file, lathe_error *err)
{
    static const char *const inside[] = {"model.safetensors.index.json", "model.safetensors"};
    lathe_status status = add_file(set, *path, file, err);
    for (size_t i = 0; i < LT_COUNT(inside) && status == LATHE_IO; i++) {
        const char *joined = lt_arena_printf(set->arena, "%s/%s", *path, inside[i]);
        if (!joined) return lt_out_of_memory(err, 1, strlen(*path));
        if (add_file(set, joined, file, NULL) != LATHE_OK) continue;
        *path = joined;
        return LATHE_OK;
    }
    if (status == LATHE_IO)
        return lt_error_note(err, status, "weights: no file, and no folder with %s or %s", inside[1],
                             inside[0]);
    return status;
}

static lathe_status add_source(lt_weights *set, const char *given, lathe_error *err)
{
    const char *path = lt_arena_strdup(set->arena, given);
    const lt_file *file;
    if (!path) return lt_out_of_memory(err, 1, strlen(given));
    LT_TRY(find_file(set, &path, &file, err));
    if (file->size >= 4 && memcmp(file->data, "GGUF", 4) == 0) return add_gguf(set, file, path, err);
    if (lt_str_ends_with(path, ".json")) return add_index(set, file, path, err);
    return add_safetensors(set, file, path, err);
}

/* The order of two names read backwards. */
static int compare_reversed(const void *a, const void *b)
{
    const char *x = (*(const lt_weight *const *)a)->name, *y = (*(const lt_weight *const *)b)->name;
    size_t nx = strlen(x), ny = strlen(y);
    while (nx && ny && x[nx - 1] == y[ny - 1]) nx--, ny--;
    if (!nx || !ny) return (nx > 0) - (ny > 0);
    return (unsigned char)x[nx - 1] < (unsigned char)y[ny - 1] ? -1 : 1;
}

static lathe_status sort_names(lt_weights *set, lathe_error *err)
{
    LT_ALLOC(set->arena, set->sorted, set->count, err);
    for (uint32_t i = 0; i < set->count; i++) set->sorted[i] = &set->list[i];
    if (set->count) qsort(set->sorted, set->count, sizeof *set->sorted, compare_reversed);
    return LATHE_OK;
}

lathe_status lt_weights_open(const char *const *paths, size_t count, lt_weights **out, lathe_error *err)
{
    *out = NULL;
    lt_arena *arena;
    LT_TRY(lt_arena_create(&arena, err));
    lt_weights *set = lt_arena_alloc(arena, 1, sizeof *set);
    if (!set) {
        lt_arena_destroy(arena);
        return lt_out_of_memory(err, 1, sizeof *set);
    }
    set->arena = set->names.arena = arena;
    lathe_status status = LATHE_OK;
    for (size_t i = 0; i < count && status == LATHE_OK; i++) status = add_source(set, paths[i], err);
    if (status == LATHE_OK) status = sort_names(set, err);
    if (status != LATHE_OK) {
        lt_weights_close(set);
        return status;
    }
    *out = set;
    return LATHE_OK;
}

void lt_weights_close(lt_weights *weights)
{
    if (!weights) return;
    for (size_t i = 0; i < weights->n_files; i++) lt_file_close(&weights->files[i]);
    lt_arena_destroy(weights->arena);
}

size_t lt_weights_count(const lt_weights *weights) { return weights->count; }

const lt_weight *lt_weights_at(const lt_weights *weights, size_t index)
{
    lt_assert(index < weights->count);
    return &weights->list[index];
}

/* ---- Finding ---- */

/* Compares a name's end with "." + tail, both read backwards: 0 when it ends so. */
static int compare_tail(const char *name, const char *tail)
{
    size_t n = strlen(name), m = strlen(tail);
    for (; m; n--, m--) {
        if (!n) return -1;
        unsigned char x = (unsigned char)name[n - 1], y = (unsigned char)tail[m - 1];
        if (x != y) return x < y ? -1 : 1;
    }
    if (!n) return -1;
    return ((unsigned char)name[n - 1] > '.') - ((unsigned char)name[n - 1] < '.');
}

/* The weights whose names end in "." + tail stand together in the sorted list. */
static uint32_t find_longer(const lt_weights *set, const char *tail, uint32_t *first)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_tail(set->sorted[middle]->name, tail) < 0) low = middle + 1;
        else high = middle;
    }
    *first = low;
    while (high < set->count && compare_tail(set->sorted[high]->name, tail) == 0) high++;
    return high - low;
}

/* "'a', 'b', 'c' and 4 more" */
static void quote_names(lt_text *text, const lt_weight *const *weights, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < NEAREST; i++)
        lt_text_printf(text, "%s'%.80s'", i ? ", " : "", weights[i]->name);
    if (n > NEAREST) lt_text_printf(text, " and %u more", n - NEAREST);
}

static lathe_status fail_ambiguous(const lt_weights *set, const char *name, uint32_t first, uint32_t n,
                                   lathe_error *err)
{
    lt_text names = {0};
    quote_names(&names, set->sorted + first, n);
    lathe_status status = lt_text_status(&names, err);
    if (status == LATHE_OK)
        status = lt_error_set(err, LATHE_TYPE, "weight '%s' could be any of %s in %s", name, names.data,
                              set->sorted[first]->file);
    lt_text_free(&names);
    return status;
}

/* How alike two names are: characters in common at both ends. */
static size_t likeness(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b), head = 0, tail = 0;
    while (head < na && head < nb && a[head] == b[head]) head++;
    while (tail < na - head && tail < nb - head && a[na - 1 - tail] == b[nb - 1 - tail]) tail++;
    return head + tail;
}

/* The most alike first; returns how many there are. */
static uint32_t find_nearest(const lt_weights *set, const char *name, const lt_weight *best[NEAREST])
{
    size_t score[NEAREST];
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        size_t alike = likeness(name, set->list[i].name);
        uint32_t at = n;
        while (at > 0 && score[at - 1] < alike) at--;
        if (at == NEAREST) continue;
        if (n < NEAREST) n++;
        for (uint32_t k = n - 1; k > at; k--) {
            best[k] = best[k - 1];
            score[k] = score[k - 1];
        }
        best[at] = &set->list[i];
        score[at] = alike;
    }
    return n;
}

static lathe_status fail_missing(const lt_weights *set, const char *name, lathe_error *err)
{
    if (!set->count) LT_FAIL(err, TYPE, "weight '%s' is not there: no weights were given", name);
    const lt_weight *best[NEAREST];
    lt_text names = {0};
    quote_names(&names, best, find_nearest(set, name, best));
    lathe_status status = lt_text_status(&names, err);
    if (status == LATHE_OK)
        status = lt_error_set(err, LATHE_TYPE, "weight '%s' is not in %s%s; the nearest names are %s", name,
                              set->list[0].file, set->n_files > 1 ? " and the other files" : "", names.data);
    lt_text_free(&names);
    if (status == LATHE_TYPE && set->family.architecture && !set->family.known)
        return lt_error_note(err, status, "names of the GGUF architecture '%.40s' are not translated",
                             set->family.architecture);
    return status;
}

lathe_status lt_weights_look_up(const lt_weights *weights, const char *name, const lt_weight **out,
                                lathe_error *err)
{
    uint32_t index = lt_map_get(&weights->names, name), first;
    *out = NULL;
    if (index == LT_NONE) {
        uint32_t n = find_longer(weights, name, &first);
        if (n > 1) return fail_ambiguous(weights, name, first, n, err);
        if (n == 1) *out = weights->sorted[first];
    }
    for (const char *dot = strchr(name, '.'); index == LT_NONE && !*out && dot; dot = strchr(dot + 1, '.'))
        index = lt_map_get(&weights->names, dot + 1);
    if (index != LT_NONE) *out = &weights->list[index];
    return LATHE_OK;
}

lathe_status lt_weights_find(const lt_weights *weights, const char *name, const lt_weight **out,
                             lathe_error *err)
{
    LT_TRY(lt_weights_look_up(weights, name, out, err));
    return *out ? LATHE_OK : fail_missing(weights, name, err);
}
