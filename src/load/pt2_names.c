/* Names of inputs and outputs from the pytree specs: nested tuples, lists and dicts of what forward() takes
 * and gives. */
#include <string.h>

#include "load/pt2_graph.h"

enum { MAX_SPEC_DEPTH = 16 };

typedef struct lt_namer {
    lt_pt2_reader *r;
    const char **names; /* [capacity]; of the leaves in order, NULL: the specs do not tell */
    size_t n, capacity;
} lt_namer;

/* The keys of a dict or the fields of a dataclass, from a spec's context, which is JSON in a string; NULL for
 * other containers. To be freed. */
static json_t *read_keys(const json_t *spec, size_t n)
{
    const char *text = json_string_value(json_object_get(spec, "context"));
    json_t *context = NULL;
    if (!text || lt_json_parse(text, strlen(text), false, "context", &context, NULL) != LATHE_OK) return NULL;
    json_t *keys = json_is_object(context) ? json_object_get(context, "dict_context") : context;
    json_incref(keys);
    json_decref(context);
    if (json_is_array(keys) && json_array_size(keys) == n) return keys;
    json_decref(keys);
    return NULL;
}

static bool is_dict(const json_t *spec)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    return type && (lt_str_ends_with(type, "dict") || lt_str_ends_with(type, "Dict"));
}

/* "kv" and child 0 → "kv[0]"; child 'k' of a dict → "kv['k']"; field k of a dataclass → "kv.k". */
static char *child_name(lt_pt2_reader *r, const json_t *spec, const json_t *key, size_t index,
                        const char *parent)
{
    const char *text = json_string_value(key);
    if (text && is_dict(spec)) return lt_arena_printf(r->arena, "%s['%s']", parent, text);
    if (text) return lt_arena_printf(r->arena, "%s.%s", parent, text);
    if (json_is_integer(key))
        return lt_arena_printf(r->arena, "%s[%lld]", parent, (long long)json_integer_value(key));
    return lt_arena_printf(r->arena, "%s[%zu]", parent, index);
}

/* Appends the names of a spec's leaves. */
static lathe_status name_leaves(lt_namer *namer, const json_t *spec, const char *name, int depth)
{
    const json_t *children = json_object_get(spec, "children_spec"), *child;
    size_t i;
    lathe_status status = LATHE_OK;
    if (depth == MAX_SPEC_DEPTH)
        LT_FAIL(namer->r->err, LIMIT, "specs are nested more than %d deep", MAX_SPEC_DEPTH);
    if (json_is_null(json_object_get(spec, "type"))) {
        if (namer->n < namer->capacity) namer->names[namer->n] = name;
        namer->n++;
        return LATHE_OK;
    }
    json_t *keys = read_keys(spec, json_array_size(children));
    json_array_foreach(children, i, child)
    {
        char *own = name ? child_name(namer->r, spec, json_array_get(keys, i), i, name) : NULL;
        if (name && !own) status = lt_out_of_memory(namer->r->err, 1, strlen(name));
        if (status == LATHE_OK) status = name_leaves(namer, child, own, depth + 1);
        if (status != LATHE_OK) break;
    }
    json_decref(keys);
    return status;
}

/* Parses "[1, {…}]"; *out is NULL when it is absent or of another version. To be freed. */
static lathe_status read_spec(lt_pt2_reader *r, const json_t *signature, const char *key, json_t **out)
{
    const char *text = json_string_value(json_object_get(signature, key));
    json_t *pair = NULL;
    *out = NULL;
    if (!text) return LATHE_OK;
    LT_TRY(lt_json_parse(text, strlen(text), false, key, &pair, r->err));
    json_t *spec = json_array_get(pair, 1);
    if (json_integer_value(json_array_get(pair, 0)) == 1 && json_is_object(spec)) *out = json_incref(spec);
    json_decref(pair);
    return LATHE_OK;
}

/* The spec of forward()'s (args, kwargs). */
static lathe_status name_arguments(lt_namer *namer, const json_t *spec, const json_t *names)
{
    const json_t *sides = json_object_get(spec, "children_spec"), *argument;
    size_t i;
    if (json_array_size(sides) != 2) return LATHE_OK;
    json_array_foreach(json_object_get(json_array_get(sides, 0), "children_spec"), i, argument)
    {
        const char *name = json_string_value(json_array_get(names, i));
        LT_TRY(name_leaves(namer, argument, name, 0));
    }
    const json_t *keyword = json_object_get(json_array_get(sides, 1), "children_spec");
    json_t *keys = read_keys(json_array_get(sides, 1), json_array_size(keyword));
    lathe_status status = LATHE_OK;
    json_array_foreach(keyword, i, argument)
    {
        const char *name = json_string_value(json_array_get(keys, i));
        const char *copy = name ? lt_arena_strdup(namer->r->arena, name) : NULL;
        status = name && !copy ? lt_out_of_memory(namer->r->err, 1, strlen(name))
                               : name_leaves(namer, argument, copy, 0);
        if (status != LATHE_OK) break;
    }
    json_decref(keys);
    return status;
}

/* Results have names where forward() returns a dict or a dataclass. */
static lathe_status name_results(lt_namer *namer, const json_t *spec)
{
    const json_t *children = json_object_get(spec, "children_spec"), *child;
    json_t *keys = read_keys(spec, json_array_size(children));
    lathe_status status = LATHE_OK;
    size_t i;
    json_array_foreach(children, i, child)
    {
        const char *name = json_string_value(json_array_get(keys, i));
        const char *copy = name ? lt_arena_strdup(namer->r->arena, name) : NULL;
        status = name && !copy ? lt_out_of_memory(namer->r->err, 1, strlen(name))
                               : name_leaves(namer, child, copy, 0);
        if (status != LATHE_OK) break;
    }
    json_decref(keys);
    return status;
}

static lathe_status set_input_labels(lt_pt2_reader *r, const lt_namer *namer)
{
    lt_exported *x = r->x;
    size_t leaf = 0;
    for (uint32_t i = 0; i < x->n_inputs; i++) {
        if (x->inputs[i].kind != LT_X_USER_INPUT) continue;
        const char *name = namer->names[leaf++];
        if (name) LT_TRY(lt_pt2_copy_text(r, name, &x->inputs[i].label));
    }
    return LATHE_OK;
}

static void set_output_labels(lt_exported *x, const lt_namer *namer)
{
    size_t leaf = 0;
    for (uint32_t i = 0; i < x->n_outputs; i++)
        if (x->outputs[i].kind == LT_X_USER_OUTPUT) x->outputs[i].label = namer->names[leaf++];
}

static lathe_status name_inputs(lt_pt2_reader *r, const json_t *signature)
{
    lt_namer namer = {.r = r};
    json_t *spec;
    for (uint32_t i = 0; i < r->x->n_inputs; i++) namer.capacity += r->x->inputs[i].kind == LT_X_USER_INPUT;
    LT_ALLOC(r->arena, namer.names, namer.capacity, r->err);
    LT_TRY(read_spec(r, signature, "in_spec", &spec));
    lathe_status status = name_arguments(&namer, spec, json_object_get(signature, "forward_arg_names"));
    if (status == LATHE_OK && namer.n == namer.capacity) status = set_input_labels(r, &namer);
    json_decref(spec);
    return status;
}

static lathe_status name_outputs(lt_pt2_reader *r, const json_t *signature)
{
    lt_namer namer = {.r = r};
    json_t *spec;
    for (uint32_t i = 0; i < r->x->n_outputs; i++)
        namer.capacity += r->x->outputs[i].kind == LT_X_USER_OUTPUT;
    LT_ALLOC(r->arena, namer.names, namer.capacity, r->err);
    LT_TRY(read_spec(r, signature, "out_spec", &spec));
    lathe_status status = name_results(&namer, spec);
    if (status == LATHE_OK && namer.n == namer.capacity) set_output_labels(r->x, &namer);
    json_decref(spec);
    return status;
}

lathe_status lt_pt2_name_values(lt_pt2_reader *r, const json_t *module)
{
    const json_t *calls = json_object_get(module, "module_call_graph");
    const json_t *signature =
        json_object_get(json_array_get(calls, 0), "signature"); /* that of the whole model */
    if (!json_is_object(signature)) return LATHE_OK;
    LT_TRY_NOTE(name_inputs(r, signature), r->err, "in_spec");
    LT_TRY_NOTE(name_outputs(r, signature), r->err, "out_spec");
    return LATHE_OK;
}
