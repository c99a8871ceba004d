/* Inside of a tokenizer, and how the two loaders fill it. */
#ifndef LT_TOKENIZER_H
#define LT_TOKENIZER_H

#include "base/os.h"
#include "base/str.h"
#include "lathe/llm.h"
#include "llm/added.h"
#include "llm/bpe.h"
#include "llm/normalize.h"
#include "llm/pretokenize.h"

enum { LT_MAX_PRE_STEPS = 32, LT_MAX_EXTRA = 16, LT_MAX_ENDS = 32 };

typedef struct lt_piece {
    const char *bytes; /* what the token stands for; NULL: the id has no token */
    uint32_t size;
    bool special;
} lt_piece;

/* How conversations are written. Texts live in the tokenizer's arena. */
typedef struct lt_chat {
    lathe_chat_format format;
    const char *default_system; /* the template's own system message; NULL: none */
    const char *preamble;       /* Llama 3.1: what stands before the system message, always; NULL: nothing */
    const char *first;          /* text of the first token where the template writes it; NULL: it does not */
} lt_chat;

struct lathe_tokenizer {
    lt_arena *arena; /* owns everything here except the expressions of `step` */
    lt_piece *piece; /* [n_pieces], by id */
    uint32_t n_pieces;

    lt_map spelling;       /* vocabulary, bytes written as lt_byte_char, to id */
    lt_map added_name;     /* added tokens, as the file spells them, to id */
    size_t longest;        /* bytes of the longest spelling */
    uint32_t byte_id[256]; /* the token of one byte, or LT_NONE */
    lt_bpe bpe;
    bool ignore_merges; /* a word that is in the vocabulary is not merged */
    uint32_t unknown;   /* stands for a byte without a token; LT_NONE: such bytes vanish */
    bool fuse_unknown;  /* several in a row become one */

    lt_added_set added;            /* searched for in the text as it comes */
    lt_added_set added_normalized; /* searched for in normalised text */
    lt_normalizer normalizer;
    lt_pre_step step[LT_MAX_PRE_STEPS];
    size_t n_steps;

    uint32_t prefix[LT_MAX_EXTRA], suffix[LT_MAX_EXTRA]; /* put around every text */
    size_t n_prefix, n_suffix;
    uint32_t end[LT_MAX_ENDS]; /* generation stops at these */
    size_t n_ends;
    lt_chat chat;
};

lathe_status lt_tokenizer_create(lathe_tokenizer **out, lathe_error *err) LT_MUST_USE;

/* Makes room for ids below `largest` + 1; refuses ids that a file with `count` tokens does not justify. */
lathe_status lt_tokenizer_reserve(lathe_tokenizer *t, int64_t largest, size_t count,
                                  lathe_error *err) LT_MUST_USE;

/* A token of the vocabulary, in the vocabulary's spelling. Ids and spellings differ. */
lathe_status lt_tokenizer_add_token(lathe_tokenizer *t, const char *spelling, int64_t id,
                                    lathe_error *err) LT_MUST_USE;

/* An added token. One that is in the vocabulary as well keeps the vocabulary's id. An empty text is ignored.
 */
lathe_status lt_tokenizer_add_added(lathe_tokenizer *t, const char *text, int64_t id, uint32_t flags,
                                    lathe_error *err) LT_MUST_USE;

/* The merge of two spellings, which follow each other in `pair`; the first has `left` bytes. To be called
 * with rank 0, 1, …, after lt_bpe_reserve and after all tokens. */
lathe_status lt_tokenizer_add_merge(lathe_tokenizer *t, const char *pair, size_t left, uint32_t rank,
                                    lathe_error *err) LT_MUST_USE;

lathe_status lt_tokenizer_add_split(lathe_tokenizer *t, const char *expression, bool literal,
                                    lt_split_behavior behavior, bool invert, lathe_error *err) LT_MUST_USE;
lathe_status lt_tokenizer_add_step(lathe_tokenizer *t, lt_pre_kind kind, lathe_error *err) LT_MUST_USE;

/* The token that the file calls by this name, added or of the vocabulary; LT_NONE when there is none. */
uint32_t lt_tokenizer_find(const lathe_tokenizer *t, const char *name);

lathe_status lt_tokenizer_add_end(lathe_tokenizer *t, uint32_t id, lathe_error *err) LT_MUST_USE;

/* Once everything is there: checks that it hangs together and makes it ready for use. */
lathe_status lt_tokenizer_finish(lathe_tokenizer *t, lathe_error *err) LT_MUST_USE;

/* Part of a text in which the names of control tokens are ordinary text. */
typedef struct lt_literal {
    size_t start, end; /* bytes */
} lt_literal;

/* lathe_tokenizer_encode with literal parts, in order. The text must be valid UTF-8 where there are any. */
lathe_status lt_tokenizer_encode(const lathe_tokenizer *t, const char *text, size_t size, unsigned flags,
                                 const lt_literal *literal, size_t n_literal, lathe_tokens *out,
                                 lathe_error *err) LT_MUST_USE;

/* Fill an empty tokenizer. */
lathe_status lt_tokenizer_load_json(lathe_tokenizer *t, const char *text, size_t size, const char *name,
                                    lathe_error *err) LT_MUST_USE;
lathe_status lt_tokenizer_load_gguf(lathe_tokenizer *t, const lt_file *file, const char *name,
                                    lathe_error *err) LT_MUST_USE;
/* The files beside a tokenizer.json that concern it, wherever they come from. */
typedef struct lt_siblings {
    const void *context;
    /* A file that is not there has no bytes; `full` is what messages call it, in the arena. */
    lathe_status (*open)(const void *context, lt_arena *arena, const char *name, const char **full,
                         lt_file *file, lathe_error *err);
    void (*close)(lt_file *file);
} lt_siblings;
lathe_status lt_tokenizer_load_siblings(lathe_tokenizer *t, const lt_siblings *from,
                                        lathe_error *err) LT_MUST_USE;

/* What a chat template says. `first`: the text of the first token, or NULL. */
lathe_status lt_chat_recognize(lathe_tokenizer *t, const char *template_text, const char *first,
                               lathe_error *err) LT_MUST_USE;

#endif
