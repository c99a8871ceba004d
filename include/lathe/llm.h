/* lathe for text: tokenizers, chat formats, sampling and generation on top of lathe.h.
 *
 *     static bool print(void *user, const char *text, size_t size)
 *     {
 *         (void)user;
 *         return fwrite(text, 1, size, stdout) == size;
 *     }
 *     ...
 *     lathe_error err;
 *     lathe_tokenizer *tokenizer;
 *     lathe_generator *generator;
 *     lathe_tokens prompt;
 *     lathe_generation how;
 *     lathe_message turn = {"user", "What is the capital of France?"};
 *     if (lathe_tokenizer_open("model.gguf", &tokenizer, &err) != LATHE_OK) die(err.message);
 *     if (lathe_chat_encode(tokenizer, &turn, 1, &prompt, &err) != LATHE_OK) die(err.message);
 *     ... a generator over a model (see below) ...
 *     lathe_generation_init(&how);
 *     how.on_text = print;
 *     if (lathe_generator_run(generator, prompt.ids, prompt.count, &how, NULL, &err) != LATHE_OK)
 * die(err.message); lathe_tokens_free(&prompt);
 *
 * Everything that lathe.h says about errors, ownership and threads holds here. A tokenizer is not changed by
 * its use: any number of threads may share one. Text is UTF-8 with a length in bytes and may contain any
 * byte.
 */
#ifndef LATHE_LLM_H
#define LATHE_LLM_H

#include <stdbool.h>

#include "lathe/lathe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tokenizers ---- */

typedef struct lathe_tokenizer lathe_tokenizer;

/* Opens a byte-level BPE tokenizer: a Hugging Face tokenizer.json, a folder with one, or a GGUF file. Beside
 * a tokenizer.json the files tokenizer_config.json, generation_config.json and chat_template.jinja are read
 * where they are there: they say how a text ends and how a chat is written. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tokenizer_open(const char *path, lathe_tokenizer **out,
                                                           lathe_error *err);
LATHE_API void lathe_tokenizer_close(lathe_tokenizer *tokenizer); /* NULL is allowed */

/* One more than the largest id. A model may have more outputs than that. */
LATHE_API int64_t lathe_tokenizer_size(const lathe_tokenizer *tokenizer);

/* The bytes of one token, not terminated; NULL (and size 0) where the id has none. Owned by the tokenizer. */
LATHE_API const char *lathe_tokenizer_piece(const lathe_tokenizer *tokenizer, int64_t id, size_t *size);

/* Whether generation ends with this token. */
LATHE_API bool lathe_tokenizer_is_end(const lathe_tokenizer *tokenizer, int64_t id);

/* Whether this is a control token, such as "<|im_start|>". */
LATHE_API bool lathe_tokenizer_is_special(const lathe_tokenizer *tokenizer, int64_t id);

/* Token ids on the heap; release with lathe_tokens_free. */
typedef struct lathe_tokens {
    int64_t *ids; /* [count] */
    size_t count;
} lathe_tokens;

LATHE_API void lathe_tokens_free(lathe_tokens *tokens);
LATHE_API void lathe_text_free(char *text); /* NULL is allowed */

enum {
    /* Without the tokens that the tokenizer puts around every text, such as Llama 3's first one. */
    LATHE_ENCODE_BARE = 1,
    /* The names of control tokens in the text are ordinary text. */
    LATHE_ENCODE_LITERAL = 2,
};

/* Text to ids. Bytes that are not UTF-8 count as U+FFFD. `flags`: LATHE_ENCODE_…, or 0. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tokenizer_encode(const lathe_tokenizer *tokenizer,
                                                             const char *text, size_t size, unsigned flags,
                                                             lathe_tokens *out, lathe_error *err);

enum {
    LATHE_DECODE_NO_SPECIAL = 1, /* control tokens are left out */
};

/* Ids to text: `out` is terminated and holds `size` bytes, of which those that are not UTF-8 have become
 * U+FFFD; release with lathe_text_free. An id without a token is an error. `flags`: LATHE_DECODE_…, or 0. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tokenizer_decode(const lathe_tokenizer *tokenizer,
                                                             const int64_t *ids, size_t count, unsigned flags,
                                                             char **out, size_t *size, lathe_error *err);

/* ---- Chats ---- */

typedef enum lathe_chat_format {
    LATHE_CHAT_NONE,   /* the tokenizer's files have no chat template */
    LATHE_CHAT_OTHER,  /* they have one that is not one of the following */
    LATHE_CHAT_CHATML, /* <|im_start|>role … <|im_end|> */
    LATHE_CHAT_LLAMA3, /* <|start_header_id|>role<|end_header_id|> … <|eot_id|> */
} lathe_chat_format;

LATHE_API lathe_chat_format lathe_tokenizer_chat_format(const lathe_tokenizer *tokenizer);

typedef struct lathe_message {
    const char *role;    /* "system", "user" or "assistant" */
    const char *content; /* UTF-8, terminated */
} lathe_message;

/* A conversation as the model's chat template writes it, up to where the next answer begins. If the first
 * message is not of the system, the default system message of the template comes first, where it has one.
 * UNSUPPORTED without a known format. `out` is terminated; release with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_chat_render(const lathe_tokenizer *tokenizer,
                                                        const lathe_message *messages, size_t count,
                                                        char **out, lathe_error *err);

/* The same as ids. The names of control tokens inside a message are ordinary text. */
LATHE_API LATHE_MUST_USE lathe_status lathe_chat_encode(const lathe_tokenizer *tokenizer,
                                                        const lathe_message *messages, size_t count,
                                                        lathe_tokens *out, lathe_error *err);

#ifdef __cplusplus
}
#endif
#endif
