/* Building a tokenizer, looking at it, and the way back from ids to text. */
#include "llm/tokenizer.h"

#include <string.h>

#include "base/os.h"
#include "base/utf8.h"
#include "load/lathe_file.h"

lathe_status lt_tokenizer_create(lathe_tokenizer **out, lathe_error *err)
{
    lt_arena *arena;
    *out = NULL;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_tokenizer *t = lt_arena_alloc(arena, 1, sizeof *t);
    if (!t) {
        lt_arena_destroy(arena);
        return lt_out_of_memory(err, 1, sizeof *t);
    }
    t->arena = t->spelling.arena = t->added_name.arena = arena;
    t->unknown = LT_NONE;
    *out = t;
    return LATHE_OK;
}

void lathe_tokenizer_close(lathe_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    for (size_t i = 0; i < tokenizer->n_steps; i++) lt_pattern_destroy(tokenizer->step[i].pattern);
    lt_arena_destroy(tokenizer->arena);
}

lathe_status lt_tokenizer_reserve(lathe_tokenizer *t, int64_t largest, size_t count, lathe_error *err)
{
    /* Vocabularies have small gaps; a table far larger than what the file lists is a broken or hostile file.
     */
    if (count > UINT32_MAX / 16) LT_FAIL(err, LIMIT, "%zu tokens are too many", count);
    int64_t limit = 8 * (int64_t)count + 4096;
    if (largest >= limit)
        LT_FAIL(err, FORMAT, "token id %lld, expected ids below %lld for a file with %zu tokens",
                (long long)largest, (long long)limit, count);
    t->n_pieces = (uint32_t)(largest + 1);
    LT_ALLOC(t->arena, t->piece, t->n_pieces, err);
    return LATHE_OK;
}

/* The bytes that a spelling stands for; the spelling itself where it has other characters. */
static lathe_status spelling_bytes(lt_arena *arena, const char *spelling, lt_piece *piece, lathe_error *err)
{
    size_t size = strlen(spelling), used = 0, length;
    char *bytes;
    LT_ALLOC(arena, bytes, size + 1, err);
    *piece = (lt_piece){.bytes = bytes};
    for (size_t at = 0; at < size; at += length) {
        int byte = -1;
        if (lt_utf8_scan(spelling + at, size - at, &length) == LT_UTF8_VALID)
            byte = lt_char_byte(lt_utf8_read(spelling + at, &length));
        if (byte < 0) {
            memcpy(bytes, spelling, size + 1);
            piece->size = (uint32_t)size;
            return LATHE_OK;
        }
        bytes[used++] = (char)byte;
    }
    piece->size = (uint32_t)used;
    return LATHE_OK;
}

static lathe_status check_id(const lathe_tokenizer *t, const char *name, int64_t id, lathe_error *err)
{
    if (id < 0 || id >= (int64_t)t->n_pieces)
        LT_FAIL(err, FORMAT, "token '%.60s' has id %lld, expected 0 to %lld", name, (long long)id,
                (long long)t->n_pieces - 1);
    if (strlen(name) > INT32_MAX) LT_FAIL(err, LIMIT, "token %lld is too long", (long long)id);
    return LATHE_OK;
}

lathe_status lt_tokenizer_add_token(lathe_tokenizer *t, const char *spelling, int64_t id, lathe_error *err)
{
    LT_TRY(check_id(t, spelling, id, err));
    if (t->piece[id].bytes)
        LT_FAIL(err, FORMAT, "token '%.60s' has id %lld, which another token has already", spelling,
                (long long)id);
    if (lt_map_get(&t->spelling, spelling) != LT_NONE)
        LT_FAIL(err, FORMAT, "token '%.60s' is there twice, as id %u and as id %lld", spelling,
                lt_map_get(&t->spelling, spelling), (long long)id);
    LT_TRY(lt_map_put(&t->spelling, spelling, (uint32_t)id, err));
    size_t size = strlen(spelling);
    if (size > t->longest) t->longest = size;
    return spelling_bytes(t->arena, spelling, &t->piece[id], err);
}

lathe_status lt_tokenizer_add_added(lathe_tokenizer *t, const char *text, int64_t id, uint32_t flags,
                                    lathe_error *err)
{
    if (!*text) return LATHE_OK;
    uint32_t known = lt_map_get(&t->spelling, text);
    if (known != LT_NONE) id = known;
    LT_TRY(check_id(t, text, id, err));
    if (known == LT_NONE && t->piece[id].bytes)
        LT_FAIL(err, FORMAT, "added token '%.60s' has id %lld, which another token has already", text,
                (long long)id);
    size_t size = strlen(text);
    if (size > LT_ADDED_MAX_BYTES)
        LT_FAIL(err, LIMIT, "added token '%.60s…' has %zu bytes, the most is %d", text, size,
                LT_ADDED_MAX_BYTES);
    const char *copy = lt_arena_strndup(t->arena, text, size);
    if (!copy) return lt_out_of_memory(err, 1, size);
    LT_TRY(lt_map_put(&t->added_name, copy, (uint32_t)id, err));
    t->piece[id] = (lt_piece){copy, (uint32_t)size, (flags & LT_ADDED_SPECIAL) != 0};
    lt_added token = {copy, size, (uint32_t)id, flags};
    return lt_added_add(flags & LT_ADDED_NORMALIZED ? &t->added_normalized : &t->added, t->arena, token, err);
}

lathe_status lt_tokenizer_add_merge(lathe_tokenizer *t, const char *pair, size_t left, uint32_t rank,
                                    lathe_error *err)
{
    const char *first = lt_arena_strndup(t->arena, pair, left);
    if (!first) return lt_out_of_memory(err, 1, left);
    uint32_t a = lt_map_get(&t->spelling, first), b = lt_map_get(&t->spelling, pair + left),
             both = lt_map_get(&t->spelling, pair);
    if (a == LT_NONE || b == LT_NONE || both == LT_NONE)
        LT_FAIL(err, FORMAT, "merge %u: token '%.60s' is not in the vocabulary", rank,
                a == LT_NONE   ? first
                : b == LT_NONE ? pair + left
                               : pair);
    lt_bpe_add(&t->bpe, a, b, rank, both);
    return LATHE_OK;
}

lathe_status lt_tokenizer_add_step(lathe_tokenizer *t, lt_pre_kind kind, lathe_error *err)
{
    if (t->n_steps == LT_MAX_PRE_STEPS) LT_FAIL(err, LIMIT, "more than %d splitting steps", LT_MAX_PRE_STEPS);
    t->step[t->n_steps++] = (lt_pre_step){.kind = kind};
    return LATHE_OK;
}

lathe_status lt_tokenizer_add_split(lathe_tokenizer *t, const char *expression, bool literal,
                                    lt_split_behavior behavior, bool invert, lathe_error *err)
{
    LT_TRY(lt_tokenizer_add_step(t, LT_PRE_SPLIT, err));
    lt_pre_step *step = &t->step[t->n_steps - 1];
    step->behavior = behavior;
    step->invert = invert;
    return lt_pattern_create(expression, literal, &step->pattern, err);
}

uint32_t lt_tokenizer_find(const lathe_tokenizer *t, const char *name)
{
    uint32_t id = lt_map_get(&t->added_name, name);
    return id != LT_NONE ? id : lt_map_get(&t->spelling, name);
}

lathe_status lt_tokenizer_add_end(lathe_tokenizer *t, uint32_t id, lathe_error *err)
{
    if (lathe_tokenizer_is_end(t, id)) return LATHE_OK;
    if (t->n_ends == LT_MAX_ENDS) LT_FAIL(err, LIMIT, "more than %d end tokens", LT_MAX_ENDS);
    t->end[t->n_ends++] = id;
    return LATHE_OK;
}

/* Control tokens that end a text or an answer wherever they exist, whatever the file says beside them. */
static const char *const end_names[] = {
    "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>",
    "<|eom_id|>",    "<|end|>",         "<|eos|>",    "</s>",
};

static lathe_status normalize_added(lathe_tokenizer *t, lathe_error *err)
{
    for (size_t i = 0; i < t->added_normalized.count; i++) {
        lt_added *token = &t->added_normalized.token[i];
        LT_TRY(lt_normalize(&t->normalizer, t->arena, token->text, token->size, &token->text, &token->size,
                            err));
        if (!token->size) LT_FAIL(err, FORMAT, "added token %u is empty once normalised", token->id);
    }
    return LATHE_OK;
}

lathe_status lt_tokenizer_finish(lathe_tokenizer *t, lathe_error *err)
{
    size_t byte_steps = 0;
    for (size_t i = 0; i < t->n_steps; i++) byte_steps += t->step[i].kind == LT_PRE_BYTES;
    if (byte_steps != 1)
        LT_FAIL(err, UNSUPPORTED, "%zu ByteLevel steps, expected one: only byte-level BPE is supported",
                byte_steps);
    for (size_t byte = 0; byte < 256; byte++) {
        char spelling[5] = {0};
        lt_utf8_write(lt_byte_char((uint8_t)byte), spelling);
        t->byte_id[byte] = lt_map_get(&t->spelling, spelling);
    }
    if (!t->bpe.slots) LT_TRY(lt_bpe_reserve(&t->bpe, t->arena, 0, err));
    LT_TRY(normalize_added(t, err));
    lt_added_sort(&t->added);
    lt_added_sort(&t->added_normalized);
    for (size_t i = 0; i < LT_COUNT(end_names); i++) {
        uint32_t id = lt_map_get(&t->added_name, end_names[i]);
        if (id != LT_NONE && t->piece[id].special) LT_TRY(lt_tokenizer_add_end(t, id, err));
    }
    return LATHE_OK;
}

int64_t lathe_tokenizer_size(const lathe_tokenizer *tokenizer) { return tokenizer->n_pieces; }

static const lt_piece *find_piece(const lathe_tokenizer *t, int64_t id)
{
    return id >= 0 && id < (int64_t)t->n_pieces && t->piece[id].bytes ? &t->piece[id] : NULL;
}

const char *lathe_tokenizer_piece(const lathe_tokenizer *tokenizer, int64_t id, size_t *size)
{
    const lt_piece *piece = find_piece(tokenizer, id);
    *size = piece ? piece->size : 0;
    return piece ? piece->bytes : NULL;
}

bool lathe_tokenizer_is_end(const lathe_tokenizer *tokenizer, int64_t id)
{
    for (size_t i = 0; i < tokenizer->n_ends; i++)
        if (tokenizer->end[i] == id) return true;
    return false;
}

bool lathe_tokenizer_is_special(const lathe_tokenizer *tokenizer, int64_t id)
{
    const lt_piece *piece = find_piece(tokenizer, id);
    return piece && piece->special;
}

void lathe_tokens_free(lathe_tokens *tokens)
{
    lt_heap_free(tokens->ids);
    *tokens = (lathe_tokens){0};
}

static lathe_status decode(const lathe_tokenizer *t, const int64_t *ids, size_t count, unsigned flags,
                           lt_text *text, lathe_error *err)
{
    lt_utf8_stream stream = {0};
    char out[8];
    for (size_t i = 0; i < count; i++) {
        const lt_piece *piece = find_piece(t, ids[i]);
        if (!piece) LT_FAIL(err, INVALID_ARGUMENT, "the tokenizer has no token %lld", (long long)ids[i]);
        if (piece->special && flags & LATHE_DECODE_NO_SPECIAL) continue;
        for (uint32_t k = 0; k < piece->size; k++)
            lt_text_append(text, out, lt_utf8_push(&stream, piece->bytes[k], out));
    }
    lt_text_append(text, out, lt_utf8_flush(&stream, out));
    return lt_text_status(text, err);
}

lathe_status lathe_tokenizer_decode(const lathe_tokenizer *tokenizer, const int64_t *ids, size_t count,
                                    unsigned flags, char **out, size_t *size, lathe_error *err)
{
    lt_text text = {0};
    *out = NULL;
    *size = 0;
    lathe_status status = decode(tokenizer, ids, count, flags, &text, err);
    if (status != LATHE_OK) {
        lt_text_free(&text);
        return status;
    }
    *out = text.data;
    *size = text.length;
    return LATHE_OK;
}

/* ---- Opening ---- */

/* The file `name` in the folder of the path that is the context. */
static lathe_status open_beside(const void *context, lt_arena *arena, const char *name, const char **full,
                                lt_file *file, lathe_error *err)
{
    const char *path = context, *slash = strrchr(path, '/');
    *file = (lt_file){0};
    *full = lt_arena_printf(arena, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
    if (!*full) return lt_out_of_memory(err, 1, strlen(path));
    if (lt_file_open(*full, file, NULL) != LATHE_OK) *file = (lt_file){0};
    return LATHE_OK;
}

/* The section of that name of the .lathe file that is the context. */
static lathe_status open_section(const void *context, lt_arena *arena, const char *name, const char **full,
                                 lt_file *file, lathe_error *err)
{
    const lt_lathe *lathe = context;
    const lt_lathe_section *section = lt_lathe_find(lathe, name);
    (void)arena;
    *full = name;
    *file = (lt_file){0};
    if (!section) return LATHE_OK;
    LT_TRY(lt_lathe_check(lathe, section, err));
    *file = (lt_file){.data = section->data, .size = section->size};
    return LATHE_OK;
}

static void close_section(lt_file *file) { (void)file; }

static lathe_status load_lathe(lathe_tokenizer *t, const char *path, const lt_file *file, lathe_error *err)
{
    lt_lathe *lathe;
    lt_file inside;
    const char *full;
    LT_TRY(lt_lathe_open(file, path, t->arena, &lathe, err));
    LT_TRY(open_section(lathe, t->arena, LT_LATHE_TOKENIZER_GGUF, &full, &inside, err));
    if (inside.size) return lt_tokenizer_load_gguf(t, &inside, path, err);
    LT_TRY(open_section(lathe, t->arena, LT_LATHE_TOKENIZER_JSON, &full, &inside, err));
    if (!inside.size)
        LT_FAIL(err, INVALID_ARGUMENT, "it was compiled without a tokenizer: give one (--tokenizer)");
    LT_TRY(lt_tokenizer_load_json(t, (const char *)inside.data, inside.size, full, err));
    return lt_tokenizer_load_siblings(t, &(lt_siblings){lathe, open_section, close_section}, err);
}

static lathe_status load(lathe_tokenizer *t, const char *path, const lt_file *file, lathe_error *err)
{
    if (file->size >= 4 && memcmp(file->data, "GGUF", 4) == 0) {
        LT_TRY(lt_tokenizer_load_gguf(t, file, path, err));
    } else if (lt_lathe_is(file)) {
        LT_TRY(load_lathe(t, path, file, err));
    } else {
        LT_TRY(lt_tokenizer_load_json(t, (const char *)file->data, file->size, path, err));
        LT_TRY(lt_tokenizer_load_siblings(t, &(lt_siblings){path, open_beside, lt_file_close}, err));
    }
    return lt_tokenizer_finish(t, err);
}

static lathe_status open_mapped(const char *path, const lt_file *file, lathe_tokenizer **out,
                                lathe_error *err)
{
    LT_TRY(lt_tokenizer_create(out, err));
    lathe_status status = load(*out, path, file, err);
    if (status == LATHE_OK) return LATHE_OK;
    lathe_tokenizer_close(*out);
    *out = NULL;
    /* A reader of files may have named it already. */
    return err && strstr(err->message, path) ? status : lt_error_note(err, status, "%s", path);
}

/* Opens tokenizer.json in a folder; IO when it is no folder or has none. */
static lathe_status open_in_folder(const char *folder, lathe_tokenizer **out, lathe_error *err)
{
    lt_text path = {0};
    lt_file file = {0};
    lt_text_printf(&path, "%s/tokenizer.json", folder);
    lathe_status status = lt_text_status(&path, err);
    if (status == LATHE_OK) status = lt_file_open(path.data, &file, err);
    if (status == LATHE_OK) status = open_mapped(path.data, &file, out, err);
    lt_file_close(&file);
    lt_text_free(&path);
    return status;
}

lathe_status lathe_tokenizer_open(const char *path, lathe_tokenizer **out, lathe_error *err)
{
    lt_file file;
    lathe_error inside;
    *out = NULL;
    lathe_status status = lt_file_open(path, &file, err);
    if (status == LATHE_IO) {
        lathe_status second = open_in_folder(path, out, &inside);
        if (err && second != LATHE_OK && second != LATHE_IO) *err = inside;
        return second == LATHE_IO ? status : second;
    }
    LT_TRY(status);
    status = open_mapped(path, &file, out, err);
    lt_file_close(&file);
    return status;
}
