/* Tensor names and row order of GGUF model families. */
#include "load/gguf_names.h"

#include <stdio.h>
#include <string.h>

/* Converters permute q and k of llama models, for which ggml rotates neighbouring pairs; for the qwen
 * families it rotates halves, as transformers does, and rows stay as they are. */
static const struct {
    const char *architecture;
    bool interleaved;
} families[] = {{"llama", true}, {"qwen2", false}, {"qwen3", false}};

/* Stems; ".weight" or ".bias" follows on both sides. */
static const struct {
    const char *gguf, *hugging_face;
} outer_names[] =
    {
        {"token_embd", "model.embed_tokens"},
        {"output_norm", "model.norm"},
        {"output", "lm_head"},
},
  layer_names[] = {
      {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
      {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
      {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
};

/* "blk.12.attn_q.weight" taken apart. */
typedef struct block_name {
    int64_t layer; /* -1: not in a layer */
    const char *stem;
    size_t stem_length;
    const char *suffix; /* ".weight", ".bias" */
} block_name;

static bool split_name(const char *name, block_name *out)
{
    *out = (block_name){.layer = -1, .stem = name};
    if (lt_str_starts_with(name, "blk.")) {
        const char *at = name + 4;
        int64_t layer = 0;
        for (; *at >= '0' && *at <= '9' && layer < 1000000; at++) layer = 10 * layer + (*at - '0');
        if (at == name + 4 || *at != '.' || (name[4] == '0' && at > name + 5)) return false;
        out->layer = layer;
        out->stem = at + 1;
    }
    out->suffix = strchr(out->stem, '.');
    if (!out->suffix || (strcmp(out->suffix, ".weight") != 0 && strcmp(out->suffix, ".bias") != 0))
        return false;
    out->stem_length = (size_t)(out->suffix - out->stem);
    return true;
}

static bool stem_is(const block_name *name, const char *stem)
{
    return strlen(stem) == name->stem_length && memcmp(stem, name->stem, name->stem_length) == 0;
}

lathe_status lt_gguf_translate(const lt_gguf_family *family, const char *name, lt_arena *arena,
                               const char **out, lathe_error *err)
{
    block_name parts;
    *out = name;
    if (!family->known || !split_name(name, &parts)) return LATHE_OK;
    if (parts.layer < 0) {
        for (size_t i = 0; i < LT_COUNT(outer_names); i++)
            if (stem_is(&parts, outer_names[i].gguf))
                *out = lt_arena_printf(arena, "%s%s", outer_names[i].hugging_face, parts.suffix);
    } else {
        for (size_t i = 0; i < LT_COUNT(layer_names); i++)
            if (stem_is(&parts, layer_names[i].gguf))
                *out = lt_arena_printf(arena, "model.layers.%lld.%s%s", (long long)parts.layer,
                                       layer_names[i].hugging_face, parts.suffix);
    }
    return *out ? LATHE_OK : lt_out_of_memory(err, 1, strlen(name));
}

/* Head counts: one number, or one per layer. */
static lathe_status read_heads(const lt_gguf *gguf, const char *key, lt_arena *arena, const int64_t **out,
                               size_t *count, lathe_error *err)
{
    const lt_gguf_value *value = lt_gguf_find(gguf, key);
    if (value && value->array) return lt_gguf_get_ints(gguf, key, arena, out, count, err);
    int64_t *heads;
    LT_ALLOC(arena, heads, 1, err);
    LT_TRY(lt_gguf_get_int(gguf, key, heads, err));
    *out = heads;
    *count = 1;
    return LATHE_OK;
}

lathe_status lt_gguf_family_read(const lt_gguf *gguf, lt_arena *arena, lt_gguf_family *out, lathe_error *err)
{
    *out = (lt_gguf_family){0};
    if (!lt_gguf_find(gguf, "general.architecture")) return LATHE_OK;
    lt_gguf_string name;
    LT_TRY(lt_gguf_get_string(gguf, "general.architecture", &name, err));
    out->architecture = lt_arena_strndup(arena, name.data, name.length);
    if (!out->architecture) return lt_out_of_memory(err, 1, name.length);
    for (size_t i = 0; i < LT_COUNT(families); i++)
        if (strcmp(families[i].architecture, out->architecture) == 0) {
            out->known = true;
            out->interleaved = families[i].interleaved;
        }
    if (!out->interleaved) return LATHE_OK;

    char key[64];
    snprintf(key, sizeof key, "%s.attention.head_count", out->architecture);
    LT_TRY(read_heads(gguf, key, arena, &out->heads, &out->n_heads, err));
    snprintf(key, sizeof key, "%s.attention.head_count_kv", out->architecture);
    out->kv_heads = out->heads; /* absent: as many as q has */
    out->n_kv_heads = out->n_heads;
    if (lt_gguf_find(gguf, key)) LT_TRY(read_heads(gguf, key, arena, &out->kv_heads, &out->n_kv_heads, err));
    return LATHE_OK;
}

lathe_status lt_gguf_rotary_heads(const lt_gguf_family *family, const lt_gguf_tensor *tensor, int64_t *out,
                                  lathe_error *err)
{
    block_name parts;
    *out = 0;
    if (!family->interleaved || !split_name(tensor->name, &parts) || parts.layer < 0) return LATHE_OK;
    bool is_q = stem_is(&parts, "attn_q");
    if (!is_q && !stem_is(&parts, "attn_k")) return LATHE_OK;
    const int64_t *counts = is_q ? family->heads : family->kv_heads;
    size_t n = is_q ? family->n_heads : family->n_kv_heads;
    if (n > 1 && (uint64_t)parts.layer >= n)
        LT_FAIL(err, FORMAT, "tensor '%s': head counts are given for %zu layers only", tensor->name, n);
    int64_t heads = n == 0 ? 0 : counts[n > 1 ? parts.layer : 0];
    int64_t rows = tensor->type.rank ? tensor->type.dim[0] : 0;
    if (heads < 1 || rows % heads != 0 || rows / heads % 2 != 0)
        LT_FAIL(err, FORMAT, "tensor '%s': %lld rows are not %lld heads of an even size", tensor->name,
                (long long)rows, (long long)heads);
    *out = heads;
    return LATHE_OK;
}
