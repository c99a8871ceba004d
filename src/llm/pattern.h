/* Regular expressions of tokenizer files (Oniguruma's syntax and character classes) on PCRE2. */
#ifndef LT_PATTERN_H
#define LT_PATTERN_H

#include "base/error.h"

typedef struct lt_pattern lt_pattern;

/* `literal`: the text itself is searched for, not an expression. Release with lt_pattern_destroy. */
lathe_status lt_pattern_create(const char *text, bool literal, lt_pattern **out,
                               lathe_error *err) LT_MUST_USE;
void lt_pattern_destroy(lt_pattern *pattern); /* NULL is allowed */

/* What one search needs besides the pattern; one thread at a time. Any pattern may use it. */
typedef struct lt_matcher lt_matcher;

lathe_status lt_matcher_create(lt_matcher **out, lathe_error *err) LT_MUST_USE;
void lt_matcher_destroy(lt_matcher *matcher); /* NULL is allowed */

/* Finds the first match at or after `from` in valid UTF-8. An expression that needs more than a bounded
 * number of steps and bytes for a text of this size is given up with LIMIT; the stack does not grow with the
 * text. */
lathe_status lt_pattern_find(const lt_pattern *pattern, lt_matcher *matcher, const char *text, size_t size,
                             size_t from, bool *found, size_t *start, size_t *end,
                             lathe_error *err) LT_MUST_USE;

#endif
