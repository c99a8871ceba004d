/* lathe for text: tokenizers, chat formats, sampling and generation on top of lathe.h.
 *
 *     static bool print(void *user, const char *text, size_t size)
 *     {
 *         (void)user;
 *         return fwrite(text, 1, size, stdout) == size;
 *     }
 *     ...
 *     lathe_error err;
 *     lathe_model *model;
 *     lathe_tokenizer *tokenizer;
 *     lathe_generator *generator;
 *     lathe_tokens prompt;
 *     lathe_generation how;
 *     lathe_message turn = {"user", "What is the capital of France?"};
 *     if (lathe_tokenizer_open("model.gguf", &tokenizer, &err) != LATHE_OK) die(err.message);
 *     if (lathe_chat_encode(tokenizer, &turn, 1, &prompt, &err) != LATHE_OK) die(err.message);
 *     if (lathe_model_open("model.pt2", &model, &err) != LATHE_OK) die(err.message);
 *     if (lathe_model_add_weights(model, "model.gguf", &err) != LATHE_OK) die(err.message);
 *     if (lathe_generator_create(model, NULL, tokenizer, NULL, &generator, &err) != LATHE_OK)
 *         die(err.message);
 *     lathe_generation_init(&how);
 *     how.on_text = print;
 *     if (lathe_generator_run(generator, prompt.ids, prompt.count, &how, NULL, &err) != LATHE_OK)
 *         die(err.message);
 *     lathe_tokens_free(&prompt);
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

/* ---- Sampling ---- */

/* How the next token is chosen. The steps follow one another in this order. */
typedef struct lathe_sampling {
    float repetition_penalty; /* tokens seen: a positive logit is divided by it, a negative one multiplied; 1:
                                 off */
    float temperature;        /* logits are divided by it; 0: the likeliest token, always (the rest is off) */
    int64_t top_k;            /* only the k likeliest tokens; 0: all */
    float top_p;   /* only the likeliest that reach this probability together, at least one; 1: all */
    float min_p;   /* only those at least so likely as this fraction of the likeliest; 0: all */
    uint64_t seed; /* of the random numbers: xoshiro256** started by splitmix64 */
} lathe_sampling;

/* Greedy: temperature 0, no penalty; top_k, top_p and min_p off, seed 0. */
LATHE_API void lathe_sampling_init(lathe_sampling *sampling);

typedef struct lathe_sampler lathe_sampler;

LATHE_API LATHE_MUST_USE lathe_status lathe_sampler_create(const lathe_sampling *sampling,
                                                           lathe_sampler **out, lathe_error *err);
LATHE_API void lathe_sampler_destroy(lathe_sampler *sampler); /* NULL is allowed */

/* Chooses one of `count` tokens by their logits; among equals the lowest id is the likelier one. `seen` are
 * the ids that the penalty is for. A logit that is NaN or +infinity is an error; -infinity is never chosen.
 */
LATHE_API LATHE_MUST_USE lathe_status lathe_sampler_next(lathe_sampler *sampler, const float *logits,
                                                         size_t count, const int64_t *seen, size_t n_seen,
                                                         int64_t *id, lathe_error *err);

/* ---- Generation ---- */

typedef struct lathe_generator lathe_generator;

typedef struct lathe_generator_options {
    /* Most positions, for prompt and answer: no more than the model's caches have; 0: all of those, or 2048
     * where the model leaves their size open. */
    int64_t context;
    int64_t chunk;       /* most tokens of a prompt that run at once, where that is open; 0: 128 */
    int threads;         /* 0: as many as the process may use */
    int activations;     /* as in lathe_session_options */
    const char *kv_type; /* likewise */
    lathe_placement placement;
    /* A file that pairs cache outputs and inputs of two models by name; NULL: by order. */
    const char *kv_mapping;
} lathe_generator_options;

/* A generator over a causal language model with a key-value cache:
 *
 *     forward(input_ids [1,s] i64, cache_position [s] i64, kv_0 ... [1,heads,c,d]) -> (logits [1,s,vocab],
 * kv_0' ...)
 *
 * where s and c are open or fixed; position_ids [1,s] and an additive attention_mask [1,1,s,c] may be inputs
 * as well. With `decode`, `model` is for prompts and `decode` for single tokens, over caches of the same
 * size; a model for prompts may also have no cache inputs. Models and tokenizer are borrowed and must stay
 * open. `decode` and `options` may be NULL; so may `tokenizer`, when tokens are all that is wanted: then no
 * text is given and no token ends an answer. */
LATHE_API LATHE_MUST_USE lathe_status lathe_generator_create(lathe_model *model, lathe_model *decode,
                                                             const lathe_tokenizer *tokenizer,
                                                             const lathe_generator_options *options,
                                                             lathe_generator **out, lathe_error *err);
LATHE_API void lathe_generator_destroy(lathe_generator *generator); /* NULL is allowed */

/* Most tokens of prompt and answer that the model can look back on. */
LATHE_API int64_t lathe_generator_context(const lathe_generator *generator);

typedef struct lathe_generation {
    lathe_sampling sampling;
    int64_t max_tokens; /* most tokens of the answer; 0: as many as fit */
    /* Gets the answer as it comes, in whole UTF-8 characters, without control tokens; false ends it. May be
     * NULL. */
    bool (*on_text)(void *user, const char *text, size_t size);
    void *user;
} lathe_generation;

LATHE_API void lathe_generation_init(lathe_generation *generation); /* greedy, 0, NULL */

typedef enum lathe_stop {
    LATHE_STOP_END,     /* the model ended its answer */
    LATHE_STOP_LENGTH,  /* max_tokens are there */
    LATHE_STOP_CONTEXT, /* the context is full */
    LATHE_STOP_CALLER,  /* on_text said so */
} lathe_stop;

typedef struct lathe_generation_result {
    lathe_stop stop;
    size_t prompt_tokens; /* of which the first reused_tokens were in the cache already */
    size_t reused_tokens;
    size_t answer_tokens;          /* without an end token */
    lathe_preparation preparation; /* before anything ran: 0 where earlier runs had done it */
    double prefill_seconds;        /* running the prompt, up to the first logits */
    double decode_seconds;         /* the rest */
    size_t decode_steps;           /* runs of the model in decode_seconds */
} lathe_generation_result;

/* Answers a prompt of at least one token. What the prompt shares with the tokens of the run before is not run
 * again. A prompt that the context cannot hold is an error (LIMIT). `result` may be NULL. */
LATHE_API LATHE_MUST_USE lathe_status lathe_generator_run(lathe_generator *generator, const int64_t *prompt,
                                                          size_t count, const lathe_generation *generation,
                                                          lathe_generation_result *result, lathe_error *err);

/* How many logits the model gives for a token; -1: it does not say. */
LATHE_API int64_t lathe_generator_vocabulary(const lathe_generator *generator);

/* Runs `count` tokens behind the `first` that earlier calls ran (0: a new text), and writes the logits of
 * each, [count, vocabulary]: for judging a text. What the generator held is lost. */
LATHE_API LATHE_MUST_USE lathe_status lathe_generator_logits(lathe_generator *generator, const int64_t *ids,
                                                             size_t first, size_t count, float *logits,
                                                             lathe_error *err);

/* Runs `count` tokens behind `first` positions, which the caches are taken to hold whatever they hold, and
 * tells how long that took and what it read: for measurements. What the generator held is lost. */
typedef struct lathe_generator_cost {
    double seconds;
    double bytes; /* weights, and the cache up to the last position */
    double flops; /* of matrix products, and of attention up to the last position */
    const char *weight_type, *kv_type, *activations; /* as in lathe_cost */
} lathe_generator_cost;

LATHE_API LATHE_MUST_USE lathe_status lathe_generator_measure(lathe_generator *generator, size_t first,
                                                              size_t count, lathe_generator_cost *out,
                                                              lathe_error *err);

/* The session that ran the newest tokens, or will run prompts: for profiles. Owned by the generator. */
LATHE_API lathe_session *lathe_generator_session(lathe_generator *generator);

/* Fills the caches with random values between -1 and 1, the same for the same seed, so that measured tokens
 * see what they would behind a text of any length. They stay until a run from position 0. UNSUPPORTED where
 * the session of the single tokens does not keep its caches. What the generator held is lost. */
LATHE_API LATHE_MUST_USE lathe_status lathe_generator_randomize_caches(lathe_generator *generator,
                                                                       uint64_t seed, lathe_error *err);

/* Gets ready for a prompt of `count` tokens behind `first` positions, so that running it is all that is left
 * to do. What the generator held is lost. `out` may be NULL. */
LATHE_API LATHE_MUST_USE lathe_status lathe_generator_prepare(lathe_generator *generator, size_t first,
                                                              size_t count, lathe_preparation *out,
                                                              lathe_error *err);

/* Prompt and answer of the last run, with the end token if one came: a view, valid until the next run. */
LATHE_API const int64_t *lathe_generator_tokens(const lathe_generator *generator, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
