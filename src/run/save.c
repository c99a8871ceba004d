/* Writing a model as a .lathe file. */
#include <string.h>

#include "load/gguf.h"
#include "ops/convert.h"
#include "run/model.h"

typedef struct lt_saver {
    lathe_model *model;
    lt_arena *arena; /* of the save alone */
    lt_lathe_writer *out;
    lt_lathe_place *places; /* [n_weights]: the records of each */
    lt_lathe_record *list;
    uint32_t n, capacity;
    lathe_error *err;
} lt_saver;

/* ---- Weights ---- */

static lt_tensor weight_view(const lathe_model *model, uint32_t index)
{
    const lt_model_weight *weight = &model->weights[index];
    lt_tensor view = lt_tensor_of(&model->exported->weights[index].type, (void *)(uintptr_t)weight->data);
    memcpy(view.stride, weight->stride, sizeof view.stride);
    return view;
}

/* The record of an earlier weight that is the same view of the same bytes. */
static uint32_t find_plain(const lt_saver *s, uint32_t index)
{
    lt_tensor view = weight_view(s->model, index);
    for (uint32_t i = 0; i < index; i++) {
        if (s->places[i].plain == LT_NONE || s->model->weights[i].data != view.data) continue;
        lt_tensor other = weight_view(s->model, i);
        if (memcmp(&view, &other, sizeof view) == 0) return s->places[i].plain;
    }
    return LT_NONE;
}

static uint32_t find_packed(const lt_saver *s, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (s->places[i].packed != LT_NONE &&
            s->model->weights[i].packed.data == s->model->weights[index].packed.data)
            return s->places[i].packed;
    return LT_NONE;
}

static lathe_status write_bytes(lt_saver *s, const void *data, size_t bytes, uint32_t form, uint32_t *record)
{
    static const uint8_t zeros[LT_LATHE_ALIGN];
    size_t at = lt_lathe_writer_at(s->out);
    LT_TRY(lt_lathe_writer_put(s->out, zeros, -at & (LT_LATHE_ALIGN - 1), s->err));
    LT_GROW(s->arena, s->list, s->n, s->capacity, s->err);
    s->list[s->n] = (lt_lathe_record){.offset = lt_lathe_writer_at(s->out),
                                      .size = bytes,
                                      .crc = lt_lathe_crc(0, data, bytes),
                                      .form = form};
    *record = s->n++;
    return lt_lathe_writer_put(s->out, data, bytes, s->err);
}

static lathe_status write_plain(lt_saver *s, uint32_t index)
{
    uint32_t *record = &s->places[index].plain;
    LT_TRY(lt_model_need_weight(s->model, index, s->err));
    if ((*record = find_plain(s, index)) != LT_NONE) return LATHE_OK;
    lt_tensor view = weight_view(s->model, index);
    size_t bytes = lt_type_bytes(&s->model->exported->weights[index].type);
    if (lt_tensor_is_contiguous(&view)) {
        LT_TRY(write_bytes(s, view.data, bytes, 0, record));
        lt_model_discard_weight(s->model, index);
        return LATHE_OK;
    }
    void *copy = lt_os_alloc(bytes);
    if (!copy) return lt_out_of_memory(s->err, bytes, 1);
    lt_tensor dense = lt_tensor_of(&s->model->exported->weights[index].type, copy);
    lt_tensor_copy(&view, &dense);
    lathe_status status = write_bytes(s, copy, bytes, 0, record);
    lt_os_free(copy);
    return status;
}

static lathe_status write_packed(lt_saver *s, uint32_t index)
{
    const lt_packed *packed = &s->model->weights[index].packed;
    uint32_t *record = &s->places[index].packed;
    if ((*record = find_packed(s, index)) != LT_NONE) return LATHE_OK;
    return write_bytes(s, packed->data, (size_t)lt_packed_bytes(packed->packing, packed->n, packed->k),
                       1 + (uint32_t)packed->packing, record);
}

/* Each weight in the forms that programs read. Those that nothing reads (the other half of a tie, counters of
 * norms) stay behind. */
static lathe_status write_weight(lt_saver *s, uint32_t index)
{
    const lt_model_weight *weight = &s->model->weights[index];
    s->places[index] = (lt_lathe_place){LT_NONE, LT_NONE};
    if (!lt_model_reads_weight(s->model, index)) return LATHE_OK;
    bool packed = weight->packed.data, plain = weight->placed || !packed;
    if (packed) LT_TRY(write_packed(s, index));
    return plain ? write_plain(s, index) : LATHE_OK;
}

static lathe_status write_weights(lt_saver *s)
{
    uint32_t n = s->model->exported->n_weights;
    LT_ALLOC(s->arena, s->places, n, s->err);
    LT_TRY(lt_lathe_writer_begin(s->out, LT_LATHE_DATA, LT_LATHE_PAGE, false, s->err));
    for (uint32_t i = 0; i < n; i++) LT_TRY(write_weight(s, i));
    lt_lathe_writer_end(s->out);
    uint8_t *table;
    LT_ALLOC(s->arena, table, s->n * (size_t)LT_LATHE_RECORD_BYTES, s->err);
    for (uint32_t i = 0; i < s->n; i++)
        lt_lathe_encode_record(&s->list[i], table + i * (size_t)LT_LATHE_RECORD_BYTES);
    return lt_lathe_writer_add(s->out, LT_LATHE_RECORDS, table, s->n * (size_t)LT_LATHE_RECORD_BYTES, s->err);
}

/* ---- Tokenizers ---- */

/* A GGUF file without its tensors. */
static lathe_status write_gguf(lt_saver *s, const lt_file *file, const char *path)
{
    enum { AT_TENSOR_COUNT = 8, COUNT_BYTES = 8 };
    lt_gguf *gguf;
    uint8_t *head;
    LT_TRY(lt_gguf_open(file, path, s->arena, &gguf, s->err));
    LT_ALLOC(s->arena, head, gguf->metadata_bytes, s->err);
    memcpy(head, file->data, gguf->metadata_bytes);
    memset(head + AT_TENSOR_COUNT, 0, COUNT_BYTES);
    return lt_lathe_writer_add(s->out, LT_LATHE_TOKENIZER_GGUF, head, gguf->metadata_bytes, s->err);
}

static lathe_status copy_tokenizer(lt_saver *s, const lt_lathe *from)
{
    for (size_t i = 0; lt_lathe_tokenizer_files[i]; i++) {
        const lt_lathe_section *section = lt_lathe_find(from, lt_lathe_tokenizer_files[i]);
        if (!section) continue;
        LT_TRY(lt_lathe_check(from, section, s->err));
        LT_TRY(lt_lathe_writer_add(s->out, section->name, section->data, section->size, s->err));
    }
    return LATHE_OK;
}

/* tokenizer.json, and the files beside it that are read with it. */
static lathe_status write_folder(lt_saver *s, const lt_file *file, const char *path)
{
    const char *slash = strrchr(path, '/');
    LT_TRY(lt_lathe_writer_add(s->out, LT_LATHE_TOKENIZER_JSON, file->data, file->size, s->err));
    for (size_t i = 0; lt_lathe_tokenizer_files[i]; i++) {
        const char *name = lt_lathe_tokenizer_files[i];
        lt_file beside;
        if (strcmp(name, LT_LATHE_TOKENIZER_GGUF) == 0 || strcmp(name, LT_LATHE_TOKENIZER_JSON) == 0)
            continue;
        const char *full =
            lt_arena_printf(s->arena, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
        if (!full) return lt_out_of_memory(s->err, 1, strlen(path));
        if (lt_file_open(full, &beside, NULL) != LATHE_OK) continue;
        lathe_status status = lt_lathe_writer_add(s->out, name, beside.data, beside.size, s->err);
        lt_file_close(&beside);
        LT_TRY(status);
    }
    return LATHE_OK;
}

static lathe_status write_tokenizer_file(lt_saver *s, const lt_file *file, const char *path)
{
    lt_lathe *lathe;
    if (lt_lathe_is(file)) {
        LT_TRY(lt_lathe_open(file, path, s->arena, &lathe, s->err));
        return copy_tokenizer(s, lathe);
    }
    bool gguf = file->size >= 4 && memcmp(file->data, "GGUF", 4) == 0;
    return gguf ? write_gguf(s, file, path) : write_folder(s, file, path);
}

/* A .lathe file that is compiled anew keeps the tokenizer that it has. */
static lathe_status write_tokenizer(lt_saver *s, const char *path)
{
    lt_file file;
    if (!path) return s->model->lathe ? copy_tokenizer(s, s->model->lathe) : LATHE_OK;
    lathe_status status = lt_file_open(path, &file, s->err);
    if (status == LATHE_IO) {
        const char *inside = lt_arena_printf(s->arena, "%s/tokenizer.json", path);
        if (!inside) return lt_out_of_memory(s->err, 1, strlen(path));
        if (lt_file_open(inside, &file, NULL) == LATHE_OK) status = LATHE_OK, path = inside;
    }
    LT_TRY(status);
    status = write_tokenizer_file(s, &file, path);
    lt_file_close(&file);
    return status;
}

/* ---- The file ---- */

static lathe_status write_text(lt_saver *s, const char *name, const lt_text *text)
{
    return lt_lathe_writer_add(s->out, name, text->data, text->length, s->err);
}

static lathe_status write_all(lt_saver *s, const char *tokenizer)
{
    lt_text graph = {0}, manifest = {0}, partitions = {0};
    LT_TRY(write_weights(s));
    lathe_status status = lt_lathe_write_graph(s->model->exported, s->places, &graph, s->err);
    if (status == LATHE_OK) status = write_text(s, LT_LATHE_GRAPH, &graph);
    if (status == LATHE_OK) status = lt_model_write_manifest(s->model, &manifest, s->err);
    if (status == LATHE_OK) status = write_text(s, LT_LATHE_MANIFEST, &manifest);
    if (status == LATHE_OK) status = lt_model_write_partitions(s->model, &partitions, s->err);
    if (status == LATHE_OK && partitions.length) status = write_text(s, LT_LATHE_PARTITIONS, &partitions);
    lt_text_free(&graph);
    lt_text_free(&manifest);
    lt_text_free(&partitions);
    if (status == LATHE_OK) status = write_tokenizer(s, tokenizer);
    return status == LATHE_OK ? lt_lathe_writer_finish(s->out, s->err) : status;
}

lathe_status lathe_model_save(lathe_model *model, const char *path, const char *tokenizer, lathe_error *err)
{
    lt_saver s = {.model = model, .err = err};
    LT_TRY(lt_model_place_weights(model, err));
    LT_TRY(lt_arena_create(&s.arena, err));
    lathe_status status = lt_lathe_writer_open(path, &s.out, err);
    if (status == LATHE_OK) status = write_all(&s, tokenizer);
    lt_lathe_writer_close(s.out);
    lt_arena_destroy(s.arena);
    return status;
}
