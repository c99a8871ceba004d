/* JSON: a strict reader (duplicate keys, overflow, broken UTF-8 and depth are refused), typed access whose
 * errors name the field and what was expected, and a builder and writer. Values live in an arena and need no
 * freeing; memory that runs out is an error like any other. */
#ifndef LT_JSON_H
#define LT_JSON_H

#include "base/str.h"

typedef enum lt_json_type {
    LT_JSON_NULL,
    LT_JSON_BOOL,
    LT_JSON_INTEGER, /* a number without fraction and exponent */
    LT_JSON_REAL,
    LT_JSON_STRING,
    LT_JSON_ARRAY,
    LT_JSON_OBJECT,
} lt_json_type;

/* A value. Elements of an array and members of an object lie side by side, in the order of the text. */
typedef struct lt_json {
    const char *key; /* of a member; NULL elsewhere */
    union {
        bool truth;
        int64_t integer;
        double real;
        const char *text; /* NUL-terminated, without other NULs */
        struct lt_json *items;
    } value;
    const uint32_t *index; /* of an object with many members: hash table of their places; else NULL */
    uint32_t count;        /* bytes of a string, items of a container */
    uint32_t begin, end;   /* where the value stands in the text: [begin, end) */
    uint8_t type;          /* lt_json_type */
} lt_json;

/* `what` names the text in messages; nothing points into it afterwards. Python's NaN, Infinity and -Infinity
 * tokens are accepted when `allow_nonfinite` is set and read as strings of that spelling. */
lathe_status lt_json_parse(const char *text, size_t length, bool allow_nonfinite, const char *what,
                           lt_arena *arena, const lt_json **out, lathe_error *err) LT_MUST_USE;

/* ---- Access. Every argument may be NULL, which has no type, no items and no members. ---- */

static inline bool lt_json_is(const lt_json *json, lt_json_type type) { return json && json->type == type; }

const lt_json *lt_json_member(const lt_json *object, const char *key); /* NULL when absent */
const lt_json *lt_json_item(const lt_json *container, size_t index);   /* NULL behind the end */
size_t lt_json_count(const lt_json *container);                        /* 0 for what is no container */
const char *lt_json_text(const lt_json *json);                         /* NULL for what is no string */
int64_t lt_json_integer(const lt_json *json);                          /* 0 for what is no integer */
bool lt_json_true(const lt_json *json);                                /* false for all but true */

/* Every item of an array or object: size_t i, const lt_json *item; item->key names a member. */
#define lt_json_foreach(container, i, item) \
    for ((i) = 0; ((item) = lt_json_item((container), (i))) != NULL; (i)++)

/* Members of an object. The `_get` forms require the field. */
lathe_status lt_json_get_object(const lt_json *object, const char *key, const lt_json **out,
                                lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_array(const lt_json *object, const char *key, const lt_json **out,
                               lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_string(const lt_json *object, const char *key, const char **out,
                                lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_int(const lt_json *object, const char *key, int64_t *out,
                             lathe_error *err) LT_MUST_USE;
lathe_status lt_json_get_bool(const lt_json *object, const char *key, bool *out,
                              lathe_error *err) LT_MUST_USE;

/* A number, or one of the strings "NaN", "Infinity", "-Infinity". */
lathe_status lt_json_number(const lt_json *value, double *out, lathe_error *err) LT_MUST_USE;

/* The only member of a union object: {"as_int": 3} gives "as_int" and 3. */
lathe_status lt_json_union(const lt_json *object, const char **tag, const lt_json **value,
                           lathe_error *err) LT_MUST_USE;

const char *lt_json_type_name(const lt_json *value); /* "an object", "an array", …, "nothing" for NULL */

/* ---- Building and writing (json_write.c) ---- */

/* Errors are sticky: nothing is checked in between. */
typedef struct lt_json_builder {
    lt_arena *arena;
    bool failed; /* an allocation failed: the values are incomplete */
} lt_json_builder;

lt_json lt_json_new(lt_json_type type); /* null, false, 0, or an empty container */
lt_json lt_json_new_int(int64_t value);
lt_json lt_json_new_real(double value); /* finite */
lt_json lt_json_new_bool(bool value);
lt_json lt_json_new_text(lt_json_builder *b, const char *text, size_t length); /* a copy, made UTF-8 */

/* Append to a container; `value` is copied, so a container is finished before it is put into another one. */
void lt_json_push(lt_json_builder *b, lt_json *container, lt_json value);
void lt_json_put(lt_json_builder *b, lt_json *object, const char *key, lt_json value); /* the key is new */

/* On one line when `indent` is 0, else a line for each item. */
void lt_json_write(const lt_json *json, int indent, lt_text *out);

#endif
