/* Strict JSON access. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Rewrites bare NaN/Infinity/-Infinity tokens as strings; text inside strings is left alone. */
static char *quote_nonfinite(const char *text, size_t length, size_t *out_length)
{
    static const char *const tokens[] = {"-Infinity", "Infinity", "NaN"};
    char *out = length < SIZE_MAX / 2 ? lt_heap_alloc(length + length / 2 + 16, 1) : NULL;
    if (!out) return NULL;
    size_t n = 0;
    bool in_string = false;
    for (size_t i = 0; i < length;) {
        size_t token_length = 0;
        if (!in_string && (text[i] == 'N' || text[i] == 'I' || text[i] == '-'))
            for (size_t k = 0; k < LT_COUNT(tokens) && !token_length; k++)
                if (length - i >= strlen(tokens[k]) && memcmp(text + i, tokens[k], strlen(tokens[k])) == 0)
                    token_length = strlen(tokens[k]);
        if (token_length) {
            out[n++] = '"';
            memcpy(out + n, text + i, token_length);
            n += token_length;
            out[n++] = '"';
            i += token_length;
            /* Adjacent tokens are no JSON; a separator keeps the output within its bound (3 bytes become 5,
             * then 1). */
            if (i < length) out[n++] = text[i++];
            if (n > 0 && out[n - 1] == '"') in_string = true;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < length) out[n++] = text[i++];
        else if (text[i] == '"') in_string = !in_string;
        out[n++] = text[i++];
    }
    *out_length = n;
    return out;
}

/* jansson does not always tell that memory ran out: it may call the text broken, or leave a member out. So
 * its allocator, where it is the plain heap, is wrapped by one that remembers failures of this thread. */
static _Thread_local bool allocation_failed;

static void *remembering_malloc(size_t size)
{
    void *memory = malloc(size);
    if (!memory) allocation_failed = true;
    return memory;
}

static void watch_allocations(void)
{
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    if (allocate == malloc && release == free) json_set_alloc_funcs(remembering_malloc, free);
    allocation_failed = false;
}

lathe_status lt_json_parse(const char *text, size_t length, bool allow_nonfinite, const char *what,
                           json_t **out, lathe_error *err)
{
    json_error_t problem;
    char *quoted = NULL;
    *out = NULL;
    if (allow_nonfinite) {
        quoted = quote_nonfinite(text, length, &length);
        if (!quoted) return lt_out_of_memory(err, length, 1);
        text = quoted;
    }
    watch_allocations();
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    lt_heap_free(quoted);
    if (allocation_failed) {
        json_decref(*out);
        *out = NULL;
        LT_FAIL(err, NO_MEMORY, "%s: out of memory while parsing", what);
    }
    if (*out) return LATHE_OK;
    LT_FAIL(err, FORMAT, "%s: not valid JSON: %s (line %d, column %d)", what, problem.text, problem.line,
            problem.column);
}

const char *lt_json_type_name(const json_t *value)
{
    if (!value) return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a real number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "an unknown value";
}

static lathe_status get_typed(const json_t *object, const char *key, bool (*is)(const json_t *),
                              const char *expected, json_t **out, lathe_error *err)
{
    if (!json_is_object(object))
        LT_FAIL(err, FORMAT, "field '%s': its parent is %s, expected an object", key,
                lt_json_type_name(object));
    *out = json_object_get(object, key);
    if (!*out) LT_FAIL(err, FORMAT, "field '%s' is missing, expected %s", key, expected);
    if (!is(*out))
        LT_FAIL(err, FORMAT, "field '%s' is %s, expected %s", key, lt_json_type_name(*out), expected);
    return LATHE_OK;
}

static bool is_object(const json_t *value) { return json_is_object(value); }
static bool is_array(const json_t *value) { return json_is_array(value); }
static bool is_string(const json_t *value) { return json_is_string(value); }
static bool is_integer(const json_t *value) { return json_is_integer(value); }
static bool is_boolean(const json_t *value) { return json_is_boolean(value); }

lathe_status lt_json_get_object(const json_t *object, const char *key, json_t **out, lathe_error *err)
{
    return get_typed(object, key, is_object, "an object", out, err);
}

lathe_status lt_json_get_array(const json_t *object, const char *key, json_t **out, lathe_error *err)
{
    return get_typed(object, key, is_array, "an array", out, err);
}

lathe_status lt_json_get_string(const json_t *object, const char *key, const char **out, lathe_error *err)
{
    json_t *value = NULL;
    LT_TRY(get_typed(object, key, is_string, "a string", &value, err));
    *out = json_string_value(value);
    return LATHE_OK;
}

lathe_status lt_json_get_int(const json_t *object, const char *key, int64_t *out, lathe_error *err)
{
    json_t *value = NULL;
    LT_TRY(get_typed(object, key, is_integer, "an integer", &value, err));
    *out = (int64_t)json_integer_value(value);
    return LATHE_OK;
}

lathe_status lt_json_get_bool(const json_t *object, const char *key, bool *out, lathe_error *err)
{
    json_t *value = NULL;
    LT_TRY(get_typed(object, key, is_boolean, "a boolean", &value, err));
    *out = json_is_true(value);
    return LATHE_OK;
}

lathe_status lt_json_number(const json_t *value, double *out, lathe_error *err)
{
    const char *text = json_string_value(value);
    if (json_is_number(value)) *out = json_number_value(value);
    else if (text && strcmp(text, "NaN") == 0) *out = (double)NAN;
    else if (text && strcmp(text, "Infinity") == 0) *out = (double)INFINITY;
    else if (text && strcmp(text, "-Infinity") == 0) *out = -(double)INFINITY;
    else LT_FAIL(err, FORMAT, "found %s, expected a number", lt_json_type_name(value));
    return LATHE_OK;
}

lathe_status lt_json_union(const json_t *object, const char **tag, json_t **value, lathe_error *err)
{
    if (!json_is_object(object) || json_object_size(object) != 1)
        LT_FAIL(err, FORMAT, "found %s with %zu members, expected an object with exactly one",
                lt_json_type_name(object), json_object_size(object));
    void *member = json_object_iter((json_t *)(uintptr_t)object);
    *tag = json_object_iter_key(member);
    *value = json_object_iter_value(member);
    return LATHE_OK;
}
