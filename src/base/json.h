/* Typed access over jansson. Parsing is strict (duplicate keys, overflow and depth are refused); every
 * accessor names the field and what was expected when it fails. Values are borrowed from the root. */
#ifndef LT_JSON_H
#define LT_JSON_H

#include <jansson.h>

#include "base/error.h"

/* `what` names the text in messages. Free the root with json_decref. Python's NaN, Infinity and -Infinity
 * tokens are accepted when `allow_nonfinite` is set and read as the strings "NaN", "Infinity", "-Infinity".
 */
lathe_status lt_json_parse(const char *text, size_t length, bool allow_nonfinite, const char *what,
                           json_t **out, lathe_error *err) LT_MUST_USE;

/* Members of an object. The `_get` forms require the field. */
lathe_status lt_json_get_object(const json_t *object, const char *key, json_t **out,
                                lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_array(const json_t *object, const char *key, json_t **out,
                               lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_string(const json_t *object, const char *key, const char **out,
                                lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_int(const json_t *object, const char *key, int64_t *out,
                             lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_bool(const json_t *object, const char *key, bool *out, lathe_error *err) LT_MUST_USE;

/* A number, or one of the strings "NaN", "Infinity", "-Infinity". */
lathe_status lt_json_number(const json_t *value, double *out, lathe_error *err) LT_MUST_USE;

/* The only member of a union object: {"as_int": 3} gives "as_int" and 3. */
lathe_status lt_json_union(const json_t *object, const char **tag, json_t **value,
                           lathe_error *err) LT_MUST_USE;

const char *lt_json_type_name(const json_t *value); /* "object", "array", …, "nothing" for NULL */

#endif
