/* Fills a tokenizer from Hugging Face's tokenizer.json and the files beside it. What would change the result
 * and is not known here is refused by name. */
#include <string.h>

#include "base/json.h"
#include "base/os.h"
#include "llm/tokenizer.h"

enum { LT_MAX_NESTING = 8 }; /* Sequence inside Sequence */

static bool is_type(const lt_json *object, const char *type)
{
    const char *text = lt_json_text(lt_json_member(object, "type"));
    return text && strcmp(text, type) == 0;
}

/* Absent and null count as nothing. */
static const lt_json *get_present(const lt_json *object, const char *key)
{
    const lt_json *value = lt_json_member(object, key);
    return value && !lt_json_is(value, LT_JSON_NULL) ? value : NULL;
}

static lathe_status get_optional_bool(const lt_json *object, const char *key, bool missing, bool *out,
                                      lathe_error *err)
{
    *out = missing;
    return get_present(object, key) ? lt_json_get_bool(object, key, out, err) : LATHE_OK;
}

/* ---- Model ---- */

static lathe_status check_model(const lt_json *model, lathe_error *err)
{
    const char *type = "BPE";
    if (get_present(model, "type")) LT_TRY(lt_json_get_string(model, "type", &type, err));
    if (strcmp(type, "BPE") != 0)
        LT_FAIL(err, UNSUPPORTED, "model type '%.60s' is not supported: only byte-level BPE is", type);
    bool fallback;
    LT_TRY(get_optional_bool(model, "byte_fallback", false, &fallback, err));
    if (fallback)
        LT_FAIL(err, UNSUPPORTED,
                "byte_fallback is not supported: this is a SentencePiece-style BPE, not a byte-level one");
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < LT_COUNT(affixes); i++) {
        const char *affix = lt_json_text(lt_json_member(model, affixes[i]));
        if (affix && *affix) LT_FAIL(err, UNSUPPORTED, "%s '%.20s' is not supported", affixes[i], affix);
    }
    double dropout = 0;
    if (get_present(model, "dropout"))
        LT_TRY_NOTE(lt_json_number(get_present(model, "dropout"), &dropout, err), err, "dropout");
    if (dropout > 0)
        LT_FAIL(err, UNSUPPORTED, "dropout is not supported: the same text would get other ids each time");
    return LATHE_OK;
}

static lathe_status reserve_ids(lathe_tokenizer *t, const lt_json *vocab, const lt_json *added,
                                lathe_error *err)
{
    const lt_json *value;
    int64_t largest = -1;
    size_t i;
    lt_json_foreach (vocab, i, value) {
        if (!lt_json_is(value, LT_JSON_INTEGER))
            LT_FAIL(err, FORMAT, "model.vocab: token '%.60s' is %s, expected an integer", value->key,
                    lt_json_type_name(value));
        largest = lt_max_i64(largest, lt_json_integer(value));
    }
    lt_json_foreach (added, i, value)
        largest = lt_max_i64(largest, lt_json_integer(lt_json_member(value, "id")));
    return lt_tokenizer_reserve(t, largest, lt_json_count(vocab) + lt_json_count(added), err);
}

static lathe_status load_merge(lathe_tokenizer *t, const lt_json *merge, uint32_t rank, lt_text *pair,
                               lathe_error *err)
{
    const char *text = lt_json_text(merge), *a = lt_json_text(lt_json_item(merge, 0)),
               *b = lt_json_text(lt_json_item(merge, 1));
    pair->length = 0;
    size_t left = 0;
    if (text) {
        const char *space = strchr(text, ' ');
        if (!space || strchr(space + 1, ' '))
            LT_FAIL(err, FORMAT, "model.merges: merge %u is '%.60s', expected two tokens and a space", rank,
                    text);
        left = (size_t)(space - text);
        lt_text_append(pair, text, left);
        lt_text_append(pair, space + 1, strlen(space + 1));
    } else if (a && b && lt_json_count(merge) == 2) {
        left = strlen(a);
        lt_text_append(pair, a, left);
        lt_text_append(pair, b, strlen(b));
    } else {
        LT_FAIL(err, FORMAT, "model.merges: merge %u is %s, expected a string or two strings", rank,
                lt_json_type_name(merge));
    }
    LT_TRY(lt_text_status(pair, err));
    return lt_tokenizer_add_merge(t, pair->data, left, rank, err);
}

static lathe_status load_merges(lathe_tokenizer *t, const lt_json *model, lathe_error *err)
{
    const lt_json *merges, *merge;
    LT_TRY(lt_json_get_array(model, "merges", &merges, err));
    LT_TRY(lt_bpe_reserve(&t->bpe, t->arena, lt_json_count(merges), err));
    lt_text pair = {0};
    lathe_status status = LATHE_OK;
    uint32_t rank = 0;
    size_t i;
    lt_json_foreach (merges, i, merge) {
        const char *text = lt_json_text(merge);
        if (text && lt_str_starts_with(text, "#version")) continue;
        status = load_merge(t, merge, rank++, &pair, err);
        if (status != LATHE_OK) break;
    }
    lt_text_free(&pair);
    return status;
}

static lathe_status load_model(lathe_tokenizer *t, const lt_json *model, const lt_json *added,
                               lathe_error *err)
{
    const lt_json *vocab, *value;
    LT_TRY(check_model(model, err));
    LT_TRY(lt_json_get_object(model, "vocab", &vocab, err));
    LT_TRY(reserve_ids(t, vocab, added, err));
    size_t i;
    lt_json_foreach (vocab, i, value)
        LT_TRY(lt_tokenizer_add_token(t, value->key, lt_json_integer(value), err));
    LT_TRY(load_merges(t, model, err));
    LT_TRY(get_optional_bool(model, "ignore_merges", false, &t->ignore_merges, err));
    LT_TRY(get_optional_bool(model, "fuse_unk", false, &t->fuse_unknown, err));
    const char *unknown = lt_json_text(lt_json_member(model, "unk_token"));
    if (unknown) t->unknown = lt_map_get(&t->spelling, unknown);
    return LATHE_OK;
}

/* ---- Added tokens ---- */

static lathe_status load_added_token(lathe_tokenizer *t, const lt_json *token, lathe_error *err)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } flags[] = {
        {"special", LT_ADDED_SPECIAL},         {"normalized", LT_ADDED_NORMALIZED},
        {"single_word", LT_ADDED_SINGLE_WORD}, {"lstrip", LT_ADDED_LSTRIP},
        {"rstrip", LT_ADDED_RSTRIP},
    };
    const char *content;
    int64_t id;
    uint32_t set = 0;
    LT_TRY(lt_json_get_string(token, "content", &content, err));
    LT_TRY(lt_json_get_int(token, "id", &id, err));
    for (size_t i = 0; i < LT_COUNT(flags); i++) {
        bool on;
        LT_TRY(get_optional_bool(token, flags[i].key, false, &on, err));
        if (on) set |= flags[i].flag;
    }
    return lt_tokenizer_add_added(t, content, id, set, err);
}

static lathe_status load_added(lathe_tokenizer *t, const lt_json *added, lathe_error *err)
{
    size_t i;
    const lt_json *token;
    lt_json_foreach (added, i, token)
        LT_TRY_NOTE(load_added_token(t, token, err), err, "added_tokens[%zu]", i);
    return LATHE_OK;
}

/* ---- Normalizer ---- */

static lathe_status load_normalizer(lathe_tokenizer *t, const lt_json *normalizer, int depth,
                                    lathe_error *err)
{
    static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase"}; /* as lt_normal_form */
    if (is_type(normalizer, "Sequence")) {
        const lt_json *parts, *part;
        size_t i;
        if (depth == LT_MAX_NESTING) LT_FAIL(err, LIMIT, "Sequence nested too deeply");
        LT_TRY(lt_json_get_array(normalizer, "normalizers", &parts, err));
        lt_json_foreach (parts, i, part) LT_TRY(load_normalizer(t, part, depth + 1, err));
        return LATHE_OK;
    }
    const char *type;
    LT_TRY(lt_json_get_string(normalizer, "type", &type, err));
    for (size_t i = 0; i < LT_COUNT(forms); i++) {
        if (strcmp(type, forms[i]) != 0) continue;
        if (t->normalizer.count == LT_MAX_NORMAL_FORMS)
            LT_FAIL(err, LIMIT, "more than %d steps", LT_MAX_NORMAL_FORMS);
        t->normalizer.form[t->normalizer.count++] = (lt_normal_form)i;
        return LATHE_OK;
    }
    LT_FAIL(err, UNSUPPORTED, "'%.60s' is not supported; NFC, NFD, NFKC, NFKD, Lowercase and Sequence are",
            type);
}

/* ---- Pre-tokenizer ---- */

static lathe_status read_behavior(const lt_json *step, lt_split_behavior *out, lathe_error *err)
{
    static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious",
                                        "MergedWithNext"}; /* as lt_split_behavior */
    const char *name;
    LT_TRY(lt_json_get_string(step, "behavior", &name, err));
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (lt_split_behavior)i;
        return LATHE_OK;
    }
    LT_FAIL(err, UNSUPPORTED, "behavior '%.60s' is not known", name);
}

static lathe_status load_split(lathe_tokenizer *t, const lt_json *step, lathe_error *err)
{
    const char *kind;
    const lt_json *pattern, *text;
    bool invert;
    lt_split_behavior behavior = LT_SPLIT_ISOLATED;
    LT_TRY(lt_json_get_object(step, "pattern", &pattern, err));
    LT_TRY(lt_json_union(pattern, &kind, &text, err));
    bool literal = strcmp(kind, "String") == 0;
    if ((!literal && strcmp(kind, "Regex") != 0) || !lt_json_is(text, LT_JSON_STRING))
        LT_FAIL(err, FORMAT, "pattern: '%.60s' with %s, expected Regex or String with a string", kind,
                lt_json_type_name(text));
    LT_TRY(read_behavior(step, &behavior, err));
    LT_TRY(get_optional_bool(step, "invert", false, &invert, err));
    return lt_tokenizer_add_split(t, lt_json_text(text), literal, behavior, invert, err);
}

static lathe_status load_byte_level(lathe_tokenizer *t, const lt_json *step, lathe_error *err)
{
    bool prefix, regex;
    LT_TRY(get_optional_bool(step, "add_prefix_space", true, &prefix, err));
    LT_TRY(get_optional_bool(step, "use_regex", true, &regex, err));
    if (prefix) LT_TRY(lt_tokenizer_add_step(t, LT_PRE_SPACE, err));
    if (regex) LT_TRY(lt_tokenizer_add_split(t, lt_pattern_gpt2, false, LT_SPLIT_ISOLATED, false, err));
    return lt_tokenizer_add_step(t, LT_PRE_BYTES, err);
}

static lathe_status load_pre_tokenizer(lathe_tokenizer *t, const lt_json *step, int depth, lathe_error *err)
{
    if (is_type(step, "Sequence")) {
        const lt_json *parts, *part;
        size_t i;
        if (depth == LT_MAX_NESTING) LT_FAIL(err, LIMIT, "Sequence nested too deeply");
        LT_TRY(lt_json_get_array(step, "pretokenizers", &parts, err));
        lt_json_foreach (parts, i, part) LT_TRY(load_pre_tokenizer(t, part, depth + 1, err));
        return LATHE_OK;
    }
    if (is_type(step, "Split")) return load_split(t, step, err);
    if (is_type(step, "ByteLevel")) return load_byte_level(t, step, err);
    if (is_type(step, "Digits")) {
        bool single;
        LT_TRY(get_optional_bool(step, "individual_digits", false, &single, err));
        return lt_tokenizer_add_split(t, lt_pattern_number, false,
                                      single ? LT_SPLIT_ISOLATED : LT_SPLIT_CONTIGUOUS, false, err);
    }
    if (is_type(step, "Punctuation")) {
        lt_split_behavior behavior = LT_SPLIT_ISOLATED;
        if (get_present(step, "behavior")) LT_TRY(read_behavior(step, &behavior, err));
        return lt_tokenizer_add_split(t, lt_pattern_punctuation, false, behavior, false, err);
    }
    const char *type;
    LT_TRY(lt_json_get_string(step, "type", &type, err));
    LT_FAIL(err, UNSUPPORTED,
            "'%.60s' is not supported; ByteLevel, Split, Digits, Punctuation and Sequence are", type);
}

/* ---- Post-processor ---- */

/* Puts `ids` before (or behind) what is there already. */
static lathe_status add_extra(uint32_t *list, size_t *count, const uint32_t *ids, size_t n, bool before,
                              lathe_error *err)
{
    if (n > LT_MAX_EXTRA - *count) LT_FAIL(err, LIMIT, "more than %d extra tokens", LT_MAX_EXTRA);
    if (before) memmove(list + n, list, *count * sizeof *list);
    memcpy(before ? list : list + *count, ids, n * sizeof *ids);
    *count += n;
    return LATHE_OK;
}

static lathe_status check_extra_id(const lathe_tokenizer *t, const lt_json *value, uint32_t *out,
                                   lathe_error *err)
{
    int64_t id = lt_json_is(value, LT_JSON_INTEGER) ? lt_json_integer(value) : -1;
    if (id < 0 || id >= (int64_t)t->n_pieces || !t->piece[id].bytes)
        LT_FAIL(err, FORMAT, "an id is %s (%lld), expected that of a token", lt_json_type_name(value),
                (long long)id);
    *out = (uint32_t)id;
    return LATHE_OK;
}

/* The ids of {"SpecialToken": {"id": NAME}}, looked up in the processor's own table. */
static lathe_status read_template_token(const lathe_tokenizer *t, const lt_json *processor,
                                        const lt_json *item, uint32_t ids[LT_MAX_EXTRA], size_t *count,
                                        lathe_error *err)
{
    const char *name;
    const lt_json *table, *entry, *list, *value;
    size_t i;
    LT_TRY(lt_json_get_string(item, "id", &name, err));
    LT_TRY(lt_json_get_object(processor, "special_tokens", &table, err));
    LT_TRY_NOTE(lt_json_get_object(table, name, &entry, err), err, "special_tokens");
    LT_TRY(lt_json_get_array(entry, "ids", &list, err));
    if (lt_json_count(list) > LT_MAX_EXTRA) LT_FAIL(err, LIMIT, "more than %d extra tokens", LT_MAX_EXTRA);
    *count = lt_json_count(list);
    lt_json_foreach (list, i, value) LT_TRY(check_extra_id(t, value, &ids[i], err));
    return LATHE_OK;
}

static lathe_status load_template(lathe_tokenizer *t, const lt_json *processor, lathe_error *err)
{
    const lt_json *single, *item, *value;
    uint32_t before[LT_MAX_EXTRA], after[LT_MAX_EXTRA], ids[LT_MAX_EXTRA];
    size_t n_before = 0, n_after = 0, n = 0, i;
    bool seen = false;
    LT_TRY(lt_json_get_array(processor, "single", &single, err));
    lt_json_foreach (single, i, item) {
        const char *kind, *name = NULL;
        LT_TRY(lt_json_union(item, &kind, &value, err));
        if (strcmp(kind, "Sequence") == 0) {
            LT_TRY(lt_json_get_string(value, "id", &name, err));
            if (seen || strcmp(name, "A") != 0)
                LT_FAIL(err, UNSUPPORTED, "single: expected the sequence A once, found '%.20s'", name);
            seen = true;
        } else if (strcmp(kind, "SpecialToken") == 0) {
            LT_TRY(read_template_token(t, processor, value, ids, &n, err));
            if (seen) LT_TRY(add_extra(after, &n_after, ids, n, false, err));
            else LT_TRY(add_extra(before, &n_before, ids, n, false, err));
        } else {
            LT_FAIL(err, FORMAT, "single: '%.60s', expected SpecialToken or Sequence", kind);
        }
    }
    if (!seen) LT_FAIL(err, UNSUPPORTED, "single: the text itself is not in it");
    LT_TRY(add_extra(t->prefix, &t->n_prefix, before, n_before, true, err));
    return add_extra(t->suffix, &t->n_suffix, after, n_after, false, err);
}

/* BertProcessing and RobertaProcessing: ["<s>", 0] before and ["</s>", 2] behind. */
static lathe_status load_cls_sep(lathe_tokenizer *t, const lt_json *processor, lathe_error *err)
{
    const lt_json *cls, *sep;
    uint32_t id = 0;
    LT_TRY(lt_json_get_array(processor, "cls", &cls, err));
    LT_TRY(check_extra_id(t, lt_json_item(cls, 1), &id, err));
    LT_TRY(add_extra(t->prefix, &t->n_prefix, &id, 1, true, err));
    LT_TRY(lt_json_get_array(processor, "sep", &sep, err));
    LT_TRY(check_extra_id(t, lt_json_item(sep, 1), &id, err));
    return add_extra(t->suffix, &t->n_suffix, &id, 1, false, err);
}

static lathe_status load_post_processor(lathe_tokenizer *t, const lt_json *processor, int depth,
                                        lathe_error *err)
{
    if (is_type(processor, "Sequence")) {
        const lt_json *parts, *part;
        size_t i;
        if (depth == LT_MAX_NESTING) LT_FAIL(err, LIMIT, "Sequence nested too deeply");
        LT_TRY(lt_json_get_array(processor, "processors", &parts, err));
        lt_json_foreach (parts, i, part) LT_TRY(load_post_processor(t, part, depth + 1, err));
        return LATHE_OK;
    }
    if (is_type(processor, "TemplateProcessing")) return load_template(t, processor, err);
    if (is_type(processor, "BertProcessing") || is_type(processor, "RobertaProcessing"))
        return load_cls_sep(t, processor, err);
    if (is_type(processor, "ByteLevel")) return LATHE_OK; /* concerns offsets alone */
    const char *type;
    LT_TRY(lt_json_get_string(processor, "type", &type, err));
    LT_FAIL(err, UNSUPPORTED, "'%.60s' is not supported", type);
}

/* ---- The whole ---- */

static lathe_status load_root(lathe_tokenizer *t, const lt_json *root, lathe_error *err)
{
    const lt_json *model, *added = get_present(root, "added_tokens"), *part;
    LT_TRY(lt_json_get_object(root, "model", &model, err));
    if (added) LT_TRY(lt_json_get_array(root, "added_tokens", &added, err));
    LT_TRY_NOTE(load_model(t, model, added, err), err, "model");
    LT_TRY(load_added(t, added, err));
    if ((part = get_present(root, "normalizer")))
        LT_TRY_NOTE(load_normalizer(t, part, 0, err), err, "normalizer");
    if ((part = get_present(root, "pre_tokenizer")))
        LT_TRY_NOTE(load_pre_tokenizer(t, part, 0, err), err, "pre_tokenizer");
    if ((part = get_present(root, "post_processor")))
        LT_TRY_NOTE(load_post_processor(t, part, 0, err), err, "post_processor");
    if ((part = get_present(root, "decoder")) && !is_type(part, "ByteLevel"))
        LT_FAIL(err, UNSUPPORTED, "decoder: '%.60s' is not supported; ByteLevel is",
                lt_json_text(lt_json_member(part, "type")) ?: "of no type");
    return LATHE_OK;
}

lathe_status lt_tokenizer_load_json(lathe_tokenizer *t, const char *text, size_t size, const char *name,
                                    lathe_error *err)
{
    const lt_json *root;
    lt_arena *arena;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_json_parse(text, size, false, name, arena, &root, err);
    if (status == LATHE_OK) status = load_root(t, root, err);
    lt_arena_destroy(arena);
    return status;
}

/* ---- Files beside it ---- */

/* The name of a token in tokenizer_config.json: a string or {"content": string}. */
static const char *token_name(const lt_json *config, const char *key)
{
    const lt_json *value = lt_json_member(config, key);
    const lt_json *content = lt_json_member(value, "content");
    return lt_json_text(content ? content : value);
}

/* A string, or a list of {"name", "template"} of which "default" counts. */
static const char *template_text(const lt_json *config)
{
    const lt_json *value = lt_json_member(config, "chat_template");
    size_t i;
    const lt_json *item;
    lt_json_foreach (value, i, item) {
        const char *name = lt_json_text(lt_json_member(item, "name"));
        if (name && strcmp(name, "default") == 0) return lt_json_text(lt_json_member(item, "template"));
    }
    return lt_json_text(value);
}

static lathe_status use_tokenizer_config(lathe_tokenizer *t, const lt_json *config, lathe_error *err)
{
    const char *end = token_name(config, "eos_token"), *first = token_name(config, "bos_token");
    uint32_t id = end ? lt_tokenizer_find(t, end) : LT_NONE;
    if (id != LT_NONE) LT_TRY(lt_tokenizer_add_end(t, id, err));
    if (first) {
        t->chat.first = lt_arena_strdup(t->arena, first);
        if (!t->chat.first) return lt_out_of_memory(err, 1, strlen(first));
    }
    const char *text = template_text(config);
    return text ? lt_chat_recognize(t, text, t->chat.first, err) : LATHE_OK;
}

static lathe_status use_generation_config(lathe_tokenizer *t, const lt_json *config, lathe_error *err)
{
    const lt_json *ends = lt_json_member(config, "eos_token_id"), *value;
    size_t i;
    uint32_t id = 0;
    if (lt_json_is(ends, LT_JSON_INTEGER)) {
        LT_TRY(check_extra_id(t, ends, &id, err));
        return lt_tokenizer_add_end(t, id, err);
    }
    lt_json_foreach (ends, i, value) {
        LT_TRY(check_extra_id(t, value, &id, err));
        LT_TRY(lt_tokenizer_add_end(t, id, err));
    }
    return LATHE_OK;
}

typedef lathe_status use_config(lathe_tokenizer *t, const lt_json *config, lathe_error *err);

static lathe_status load_config(lathe_tokenizer *t, const char *path, const lt_file *file, use_config *use,
                                lathe_error *err)
{
    const lt_json *root;
    lt_arena *arena;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_json_parse((const char *)file->data, file->size, true, path, arena, &root, err);
    if (status == LATHE_OK && (status = use(t, root, err)) != LATHE_OK)
        status = lt_error_note(err, status, "%s", path);
    lt_arena_destroy(arena);
    return status;
}

static lathe_status load_jinja(lathe_tokenizer *t, const lt_file *file, lathe_error *err)
{
    const char *text = lt_arena_strndup(t->arena, (const char *)file->data, file->size);
    if (!text) return lt_out_of_memory(err, 1, file->size);
    return lt_chat_recognize(t, text, t->chat.first, err);
}

lathe_status lt_tokenizer_load_siblings(lathe_tokenizer *t, const lt_siblings *from, lathe_error *err)
{
    static const struct {
        const char *name;
        use_config *use; /* NULL: the template itself */
    } files[] = {{"tokenizer_config.json", use_tokenizer_config},
                 {"generation_config.json", use_generation_config},
                 {"chat_template.jinja", NULL}};
    for (size_t i = 0; i < LT_COUNT(files); i++) {
        const char *full;
        lt_file file;
        LT_TRY(from->open(from->context, t->arena, files[i].name, &full, &file, err));
        if (!file.size) continue;
        lathe_status status =
            files[i].use ? load_config(t, full, &file, files[i].use, err) : load_jinja(t, &file, err);
        from->close(&file);
        LT_TRY(status);
    }
    return LATHE_OK;
}
