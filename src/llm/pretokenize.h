/* Cuts text into the words that merging works on: the steps of a tokenizer's "pre_tokenizer". */
#ifndef LT_PRETOKENIZE_H
#define LT_PRETOKENIZE_H

#include "base/arena.h"
#include "llm/pattern.h"

typedef enum lt_split_behavior {
    LT_SPLIT_ISOLATED,        /* a match is a word of its own */
    LT_SPLIT_REMOVED,         /* matches are dropped */
    LT_SPLIT_CONTIGUOUS,      /* matches in a row are one word */
    LT_SPLIT_MERGED_PREVIOUS, /* a match ends the word before it */
    LT_SPLIT_MERGED_NEXT,     /* a match begins the word after it */
} lt_split_behavior;

typedef enum lt_pre_kind {
    LT_PRE_SPLIT,
    LT_PRE_SPACE, /* puts a space before a word that has none */
    LT_PRE_BYTES, /* every byte becomes its printable character (lt_byte_char) */
} lt_pre_kind;

typedef struct lt_pre_step {
    lt_pre_kind kind;
    /* of LT_PRE_SPLIT: */
    lt_pattern *pattern; /* owned */
    lt_split_behavior behavior;
    bool invert; /* what lies between matches counts as the match */
} lt_pre_step;

/* The expressions of GPT-2 and of the Digits and Punctuation steps. */
extern const char lt_pattern_gpt2[];
extern const char lt_pattern_number[];
extern const char lt_pattern_punctuation[];

/* The printable character (U+0021 to U+0143) that stands for a byte in vocabularies, and the way back: the
 * byte, or -1. */
uint32_t lt_byte_char(uint8_t byte);
int lt_char_byte(uint32_t code);

typedef struct lt_span {
    size_t start, size; /* bytes; size is more than 0 */
} lt_span;

typedef struct lt_words {
    const char *text; /* borrowed from the caller or from the arena */
    lt_span *span;    /* in order, not overlapping */
    size_t count, capacity;
} lt_words;

/* Runs the steps over valid UTF-8. The result lives in the arena. */
lathe_status lt_pretokenize(const lt_pre_step *steps, size_t count, lt_arena *arena, lt_matcher *matcher,
                            const char *text, size_t size, lt_words *out, lathe_error *err) LT_MUST_USE;

#endif
