/* Typed access to JSON values. */
#include "base/json.h"

#include <math.h>
#include <string.h>

const lt_json *lt_json_item(const lt_json *container, size_t index)
{
    return index < lt_json_count(container) ? &container->value.items[index] : NULL;
}

size_t lt_json_count(const lt_json *container)
{
    return container && container->type >= LT_JSON_ARRAY ? container->count : 0;
}

const char *lt_json_text(const lt_json *json)
{
    return lt_json_is(json, LT_JSON_STRING) ? json->value.text : NULL;
}

int64_t lt_json_integer(const lt_json *json)
{
    return lt_json_is(json, LT_JSON_INTEGER) ? json->value.integer : 0;
}

bool lt_json_true(const lt_json *json) { return lt_json_is(json, LT_JSON_BOOL) && json->value.truth; }

static const char *const type_names[] = {
    [LT_JSON_NULL] = "null",          [LT_JSON_BOOL] = "a boolean",  [LT_JSON_INTEGER] = "an integer",
    [LT_JSON_REAL] = "a real number", [LT_JSON_STRING] = "a string", [LT_JSON_ARRAY] = "an array",
    [LT_JSON_OBJECT] = "an object",
};

const char *lt_json_type_name(const lt_json *value) { return value ? type_names[value->type] : "nothing"; }

static lathe_status get_typed(const lt_json *object, const char *key, lt_json_type type, const lt_json **out,
                              lathe_error *err)
{
    if (!lt_json_is(object, LT_JSON_OBJECT))
        LT_FAIL(err, FORMAT, "field '%s': its parent is %s, expected an object", key,
                lt_json_type_name(object));
    *out = lt_json_member(object, key);
    if (!*out) LT_FAIL(err, FORMAT, "field '%s' is missing, expected %s", key, type_names[type]);
    if (!lt_json_is(*out, type))
        LT_FAIL(err, FORMAT, "field '%s' is %s, expected %s", key, lt_json_type_name(*out), type_names[type]);
    return LATHE_OK;
}

lathe_status lt_json_get_object(const lt_json *object, const char *key, const lt_json **out, lathe_error *err)
{
    return get_typed(object, key, LT_JSON_OBJECT, out, err);
}

lathe_status lt_json_get_array(const lt_json *object, const char *key, const lt_json **out, lathe_error *err)
{
    return get_typed(object, key, LT_JSON_ARRAY, out, err);
}

lathe_status lt_json_get_string(const lt_json *object, const char *key, const char **out, lathe_error *err)
{
    const lt_json *value = NULL;
    LT_TRY(get_typed(object, key, LT_JSON_STRING, &value, err));
    *out = value->value.text;
    return LATHE_OK;
}

lathe_status lt_json_get_int(const lt_json *object, const char *key, int64_t *out, lathe_error *err)
{
    const lt_json *value = NULL;
    LT_TRY(get_typed(object, key, LT_JSON_INTEGER, &value, err));
    *out = value->value.integer;
    return LATHE_OK;
}

lathe_status lt_json_get_bool(const lt_json *object, const char *key, bool *out, lathe_error *err)
{
    const lt_json *value = NULL;
    LT_TRY(get_typed(object, key, LT_JSON_BOOL, &value, err));
    *out = value->value.truth;
    return LATHE_OK;
}

lathe_status lt_json_number(const lt_json *value, double *out, lathe_error *err)
{
    const char *text = lt_json_text(value);
    if (lt_json_is(value, LT_JSON_INTEGER)) *out = (double)value->value.integer;
    else if (lt_json_is(value, LT_JSON_REAL)) *out = value->value.real;
    else if (text && strcmp(text, "NaN") == 0) *out = (double)NAN;
    else if (text && strcmp(text, "Infinity") == 0) *out = (double)INFINITY;
    else if (text && strcmp(text, "-Infinity") == 0) *out = -(double)INFINITY;
    else LT_FAIL(err, FORMAT, "found %s, expected a number", lt_json_type_name(value));
    return LATHE_OK;
}

lathe_status lt_json_union(const lt_json *object, const char **tag, const lt_json **value, lathe_error *err)
{
    if (!lt_json_is(object, LT_JSON_OBJECT) || object->count != 1)
        LT_FAIL(err, FORMAT, "found %s with %zu members, expected an object with exactly one",
                lt_json_type_name(object), lt_json_count(object));
    *value = object->value.items;
    *tag = object->value.items->key;
    return LATHE_OK;
}
