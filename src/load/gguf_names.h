/* What GGUF calls and how it stores the weights of the llama and qwen2 families, and what the models exported
 * from Hugging Face's transformers expect instead. */
#ifndef LT_GGUF_NAMES_H
#define LT_GGUF_NAMES_H

#include "load/gguf.h"

/* The facts of a model that decide names and row order. */
typedef struct lt_gguf_family {
    const char *architecture;   /* as in the file ("llama"), or NULL when the file does not say */
    bool known;                 /* its names can be translated */
    bool interleaved;           /* rows of q and k are in interleaved rotary order */
    const int64_t *heads;       /* of each layer's q; NULL unless interleaved */
    const int64_t *kv_heads;    /* of each layer's k; NULL unless interleaved */
    size_t n_heads, n_kv_heads; /* entries of the two arrays: one for all layers, or one per layer */
} lt_gguf_family;

/* Reads general.architecture and what follows from it; arrays live in the arena. */
lathe_status lt_gguf_family_read(const lt_gguf *gguf, lt_arena *arena, lt_gguf_family *out,
                                 lathe_error *err) LT_MUST_USE;

/* The state_dict key of a tensor, in the arena; the name itself when there is no translation for it. */
lathe_status lt_gguf_translate(const lt_gguf_family *family, const char *name, lt_arena *arena,
                               const char **out, lathe_error *err) LT_MUST_USE;

/* Heads whose rows must be put from interleaved into half-split rotary order: row 2*i + j of a stored head is
 * row j*half + i of the exported one (j is 0 or 1). 0 when the rows are in order as they are. Fails when the
 * metadata does not fit the tensor. */
lathe_status lt_gguf_rotary_heads(const lt_gguf_family *family, const lt_gguf_tensor *tensor, int64_t *out,
                                  lathe_error *err) LT_MUST_USE;

#endif
