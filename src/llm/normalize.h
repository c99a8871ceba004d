/* Text normalisation before tokenizing: Unicode forms and lower case. */
#ifndef LT_NORMALIZE_H
#define LT_NORMALIZE_H

#include "base/arena.h"

typedef enum lt_normal_form {
    LT_NFC,
    LT_NFD,
    LT_NFKC,
    LT_NFKD,
    LT_LOWERCASE,
} lt_normal_form;

enum { LT_MAX_NORMAL_FORMS = 8 };

typedef struct lt_normalizer {
    lt_normal_form form[LT_MAX_NORMAL_FORMS]; /* applied in this order */
    int count;
} lt_normalizer;

/* Valid UTF-8 in, valid UTF-8 out: the text itself where nothing changes, else a copy in the arena. */
lathe_status lt_normalize(const lt_normalizer *normalizer, lt_arena *arena, const char *text, size_t size,
                          const char **out, size_t *out_size, lathe_error *err) LT_MUST_USE;

#endif
