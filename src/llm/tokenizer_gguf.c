/* Fills a tokenizer from the tokenizer.ggml.* entries of a GGUF file. The file names its pre-tokenizer; what
 * the name stands for is written here, as the tokenizer.json of the models of that name have it. The key
 * unknown_token_id is not used: byte-level models have no unknown token, a byte without a token vanishes. */
#include <string.h>

#include "llm/tokenizer.h"
#include "load/gguf.h"

/* Kinds of token in tokenizer.ggml.token_type. */
enum { LT_TOKEN_UNKNOWN = 2, LT_TOKEN_CONTROL = 3, LT_TOKEN_USER = 4, LT_TOKEN_UNUSED = 5 };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CASED_START "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_END "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const char llama3[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" TAIL;
static const char qwen2[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" TAIL;
static const char qwen35[] =
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                 "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char gpt4o[] = CASED_START "*" CASED_END "+" CONTRACTIONS "?|" CASED_START "+" CASED_END
                                        "*" CONTRACTIONS "?|\\p{N}{1,3}|" CASED_TAIL;
static const char tekken[] = CASED_START "*" CASED_END "+|" CASED_START "+" CASED_END "*|\\p{N}|" CASED_TAIL;
static const char up_to_three_digits[] = "\\p{N}{1,3}";
static const char cjk[] = "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+";
static const char deepseek3[] = "[!-/:-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                                "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

typedef struct pre_family {
    const char *names;    /* of tokenizer.ggml.pre, each between spaces */
    const char *split[3]; /* one after another; up to NULL */
    bool nfc, ignore_merges;
    bool first; /* a first token, unless the file says otherwise */
} pre_family;

static const pre_family families[] = {
    {.names =
         " gpt-2 gpt2 default phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum exaone4 "
         "modern-bert jina-es jina-de jina-v2-es jina-v2-de ",
     .split = {lt_pattern_gpt2}},
    {.names = " smollm starcoder refact command-r codeshell exaone minerva-7b ",
     .split = {lt_pattern_number, lt_pattern_gpt2}},
    {.names = " qwen2 deepseek-r1-qwen megrez kormo ", .split = {qwen2}, .nfc = true},
    {.names = " stablelm2 hunyuan grok-2 ", .split = {qwen2}},
    {.names = " qwen35 ", .split = {qwen35}, .nfc = true},
    {.names = " llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ",
     .split = {llama3},
     .ignore_merges = true,
     .first = true},
    {.names = " dbrx smaug-bpe glm4 chatglm-bpe ", .split = {llama3}},
    {.names = " gpt-4o llama4 ", .split = {gpt4o}},
    {.names = " tekken ", .split = {tekken}, .ignore_merges = true, .first = true},
    {.names = " deepseek-v3 hunyuan-dense ", .split = {up_to_three_digits, cjk, deepseek3}},
};

/* A string of the file, terminated, in the arena; NULL in `out` where it contains a NUL byte. */
static lathe_status copy_string(lt_arena *arena, lt_gguf_string text, const char **out, lathe_error *err)
{
    *out = NULL;
    if (text.length && memchr(text.data, 0, text.length)) return LATHE_OK;
    *out = lt_arena_strndup(arena, text.data, text.length);
    return *out ? LATHE_OK : lt_out_of_memory(err, 1, text.length);
}

static lathe_status get_text(const lt_gguf *gguf, lt_arena *arena, const char *key, const char *missing,
                             const char **out, lathe_error *err)
{
    lt_gguf_string text;
    *out = missing;
    if (!lt_gguf_find(gguf, key)) return LATHE_OK;
    LT_TRY(lt_gguf_get_string(gguf, key, &text, err));
    LT_TRY(copy_string(arena, text, out, err));
    if (!*out) LT_FAIL(err, FORMAT, "key '%s' contains a NUL byte", key);
    return LATHE_OK;
}

/* An id of a token; LT_NONE where the key is missing or names none (some files have 2^32 - 1). */
static lathe_status get_token(const lathe_tokenizer *t, const lt_gguf *gguf, const char *key, uint32_t *out,
                              lathe_error *err)
{
    int64_t id;
    *out = LT_NONE;
    if (!lt_gguf_find(gguf, key)) return LATHE_OK;
    LT_TRY(lt_gguf_get_int(gguf, key, &id, err));
    if (id < 0 || id == UINT32_MAX) return LATHE_OK;
    if (id >= (int64_t)t->n_pieces || !t->piece[id].bytes)
        LT_FAIL(err, FORMAT, "key '%s' is %lld, expected the id of one of %u tokens", key, (long long)id,
                t->n_pieces);
    *out = (uint32_t)id;
    return LATHE_OK;
}

static lathe_status choose_family(lathe_tokenizer *t, const lt_gguf *gguf, lt_arena *scratch,
                                  const pre_family **out, lathe_error *err)
{
    const char *model, *pre;
    LT_TRY(get_text(gguf, scratch, "tokenizer.ggml.model", NULL, &model, err));
    if (!model) LT_FAIL(err, UNSUPPORTED, "the file has no tokenizer (no key 'tokenizer.ggml.model')");
    if (strcmp(model, "gpt2") != 0)
        LT_FAIL(err, UNSUPPORTED,
                "tokenizer.ggml.model is '%.60s': only byte-level BPE ('gpt2') is supported", model);
    LT_TRY(get_text(gguf, scratch, "tokenizer.ggml.pre", "default", &pre, err));
    const char *name = lt_arena_printf(scratch, " %s ", pre);
    if (!name) return lt_out_of_memory(err, 1, strlen(pre));
    *out = NULL;
    for (size_t i = 0; i < LT_COUNT(families) && !*out; i++)
        if (!strchr(pre, ' ') && strstr(families[i].names, name)) *out = &families[i];
    if (!*out)
        LT_FAIL(err, UNSUPPORTED,
                "tokenizer.ggml.pre is '%.60s', a pre-tokenizer that is not known: use the model's "
                "tokenizer.json",
                pre);
    t->ignore_merges = (*out)->ignore_merges;
    if ((*out)->nfc) t->normalizer = (lt_normalizer){.form = {LT_NFC}, .count = 1};
    for (size_t i = 0; i < LT_COUNT((*out)->split) && (*out)->split[i]; i++)
        LT_TRY(lt_tokenizer_add_split(t, (*out)->split[i], false, LT_SPLIT_ISOLATED, false, err));
    return lt_tokenizer_add_step(t, LT_PRE_BYTES, err);
}

static lathe_status load_tokens(lathe_tokenizer *t, const lt_gguf *gguf, lt_arena *scratch, lathe_error *err)
{
    const lt_gguf_string *tokens;
    const int64_t *types = NULL;
    size_t count, n_types;
    LT_TRY(lt_gguf_get_strings(gguf, "tokenizer.ggml.tokens", scratch, &tokens, &count, err));
    if (lt_gguf_find(gguf, "tokenizer.ggml.token_type")) {
        LT_TRY(lt_gguf_get_ints(gguf, "tokenizer.ggml.token_type", scratch, &types, &n_types, err));
        if (n_types != count)
            LT_FAIL(err, FORMAT, "key 'tokenizer.ggml.token_type' has %zu entries for %zu tokens", n_types,
                    count);
    }
    LT_TRY(lt_tokenizer_reserve(t, (int64_t)count - 1, count, err));
    for (size_t i = 0; i < count; i++) {
        const char *text;
        int64_t type = types ? types[i] : 0;
        if (type == LT_TOKEN_UNUSED) continue;
        LT_TRY(copy_string(scratch, tokens[i], &text, err));
        if (!text) LT_FAIL(err, FORMAT, "key 'tokenizer.ggml.tokens': token %zu contains a NUL byte", i);
        bool special = type == LT_TOKEN_CONTROL || type == LT_TOKEN_UNKNOWN;
        if (special || type == LT_TOKEN_USER)
            LT_TRY(lt_tokenizer_add_added(t, text, (int64_t)i, special ? LT_ADDED_SPECIAL : 0, err));
        else LT_TRY(lt_tokenizer_add_token(t, text, (int64_t)i, err));
    }
    return LATHE_OK;
}

static lathe_status load_merges(lathe_tokenizer *t, const lt_gguf *gguf, lt_arena *scratch, lathe_error *err)
{
    const lt_gguf_string *merges;
    size_t count;
    LT_TRY(lt_gguf_get_strings(gguf, "tokenizer.ggml.merges", scratch, &merges, &count, err));
    LT_TRY(lt_bpe_reserve(&t->bpe, t->arena, count, err));
    for (size_t i = 0; i < count; i++) {
        const char *space = merges[i].length ? memchr(merges[i].data, ' ', merges[i].length) : NULL;
        size_t left = space ? (size_t)(space - merges[i].data) : 0, right = merges[i].length - left - 1;
        if (!space || memchr(merges[i].data, 0, merges[i].length) || memchr(space + 1, ' ', right))
            LT_FAIL(err, FORMAT, "key 'tokenizer.ggml.merges': merge %zu is no two tokens with a space", i);
        char *pair = lt_arena_strndup(scratch, merges[i].data, merges[i].length);
        if (!pair) return lt_out_of_memory(err, 1, merges[i].length);
        memmove(pair + left, pair + left + 1, right + 1);
        LT_TRY(lt_tokenizer_add_merge(t, pair, left, (uint32_t)i, err));
    }
    return LATHE_OK;
}

static lathe_status load_special(lathe_tokenizer *t, const lt_gguf *gguf, const pre_family *family,
                                 lathe_error *err)
{
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    uint32_t id, first;
    bool add_first = family->first, add_last = false;
    for (size_t i = 0; i < LT_COUNT(ends); i++) {
        LT_TRY(get_token(t, gguf, ends[i], &id, err));
        if (id != LT_NONE) LT_TRY(lt_tokenizer_add_end(t, id, err));
    }
    if (lt_gguf_find(gguf, "tokenizer.ggml.add_bos_token"))
        LT_TRY(lt_gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &add_first, err));
    if (lt_gguf_find(gguf, "tokenizer.ggml.add_eos_token"))
        LT_TRY(lt_gguf_get_bool(gguf, "tokenizer.ggml.add_eos_token", &add_last, err));
    LT_TRY(get_token(t, gguf, "tokenizer.ggml.bos_token_id", &first, err));
    LT_TRY(get_token(t, gguf, "tokenizer.ggml.eos_token_id", &id, err));
    if (add_first && first != LT_NONE) t->prefix[t->n_prefix++] = first;
    if (add_last && id != LT_NONE) t->suffix[t->n_suffix++] = id;
    const char *text;
    LT_TRY(get_text(gguf, t->arena, "tokenizer.chat_template", NULL, &text, err));
    if (!text) return LATHE_OK;
    return lt_chat_recognize(t, text, first == LT_NONE ? NULL : t->piece[first].bytes, err);
}

static lathe_status load(lathe_tokenizer *t, const lt_file *file, const char *name, lt_arena *scratch,
                         lathe_error *err)
{
    lt_gguf *gguf;
    const pre_family *family = NULL;
    LT_TRY(lt_gguf_open(file, name, scratch, &gguf, err));
    LT_TRY(choose_family(t, gguf, scratch, &family, err));
    LT_TRY(load_tokens(t, gguf, scratch, err));
    LT_TRY(load_merges(t, gguf, scratch, err));
    return load_special(t, gguf, family, err);
}

lathe_status lt_tokenizer_load_gguf(lathe_tokenizer *t, const lt_file *file, const char *name,
                                    lathe_error *err)
{
    lt_arena *scratch;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status = load(t, file, name, scratch, err);
    lt_arena_destroy(scratch);
    return status;
}
