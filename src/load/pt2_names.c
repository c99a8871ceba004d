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
 * other containers. */
static lathe_status read_keys(lt_pt2_reader *r, const lt_json *spec, size_t n, const lt_json **out)
{
    const char *text = lt_json_text(lt_json_member(spec, "context"));
    const lt_json *context = NULL;
    *out = NULL;
    if (!text) return LATHE_OK;
    lathe_status status = lt_json_parse(text, strlen(text), false, "context", r->scratch, &context, r->err);
    if (status != LATHE_OK) return status == LATHE_NO_MEMORY ? status : LATHE_OK;
    const lt_json *keys =
        lt_json_is(context, LT_JSON_OBJECT) ? lt_json_member(context, "dict_context") : context;
    if (lt_json_is(keys, LT_JSON_ARRAY) && lt_json_count(keys) == n) *out = keys;
    return LATHE_OK;
}

static bool is_dict(const lt_json *spec)
{
    const char *type = lt_json_text(lt_json_member(spec, "type"));
    return type && (lt_str_ends_with(type, "dict") || lt_str_ends_with(type, "Dict"));
}

/* "kv" and child 0 → "kv[0]"; child 'k' of a dict → "kv['k']"; field k of a dataclass → "kv.k". */
static char *child_name(lt_pt2_reader *r, const lt_json *spec, const lt_json *key, size_t index,
                        const char *parent)
{
    const char *text = lt_json_text(key);
    if (text && is_dict(spec)) return lt_arena_printf(r->arena, "%s['%s']", parent, text);
    if (text) return lt_arena_printf(r->arena, "%s.%s", parent, text);
    if (lt_json_is(key, LT_JSON_INTEGER))
        return lt_arena_printf(r->arena, "%s[%lld]", parent, (long long)lt_json_integer(key));
    return lt_arena_printf(r->arena, "%s[%zu]", parent, index);
}

/* Appends the names of a spec's leaves. */
static lathe_status name_leaves(lt_namer *namer, const lt_json *spec, const char *name, int depth)
{
    const lt_json *children = lt_json_member(spec, "children_spec"), *child;
    size_t i;
    if (depth == MAX_SPEC_DEPTH)
        LT_FAIL(namer->r->err, LIMIT, "specs are nested more than %d deep", MAX_SPEC_DEPTH);
    if (lt_json_is(lt_json_member(spec, "type"), LT_JSON_NULL)) {
        if (namer->n < namer->capacity) namer->names[namer->n] = name;
        namer->n++;
        return LATHE_OK;
    }
    const lt_json *keys;
    LT_TRY(read_keys(namer->r, spec, lt_json_count(children), &keys));
    lt_json_foreach (children, i, child) {
        char *own = name ? child_name(namer->r, spec, lt_json_item(keys, i), i, name) : NULL;
        if (name && !own) return lt_out_of_memory(namer->r->err, 1, strlen(name));
        LT_TRY(name_leaves(namer, child, own, depth + 1));
    }
    return LATHE_OK;
}

/* Parses "[1, {…}]"; *out is NULL when it is absent or of another version. */
static lathe_status read_spec(lt_pt2_reader *r, const lt_json *signature, const char *key,
                              const lt_json **out)
{
    const char *text = lt_json_text(lt_json_member(signature, key));
    const lt_json *pair = NULL;
    *out = NULL;
    if (!text) return LATHE_OK;
    LT_TRY(lt_json_parse(text, strlen(text), false, key, r->scratch, &pair, r->err));
    const lt_json *spec = lt_json_item(pair, 1);
    if (lt_json_integer(lt_json_item(pair, 0)) == 1 && lt_json_is(spec, LT_JSON_OBJECT)) *out = spec;
    return LATHE_OK;
}

/* The children of a spec whose keys are the names of leaves: keyword arguments, fields of a result. */
static lathe_status name_children(lt_namer *namer, const lt_json *spec)
{
    const lt_json *children = lt_json_member(spec, "children_spec"), *child, *keys;
    size_t i;
    LT_TRY(read_keys(namer->r, spec, lt_json_count(children), &keys));
    lt_json_foreach (children, i, child)
        LT_TRY(name_leaves(namer, child, lt_json_text(lt_json_item(keys, i)), 0));
    return LATHE_OK;
}

/* The spec of forward()'s (args, kwargs). */
static lathe_status name_arguments(lt_namer *namer, const lt_json *spec, const lt_json *names)
{
    const lt_json *sides = lt_json_member(spec, "children_spec"), *argument;
    size_t i;
    if (lt_json_count(sides) != 2) return LATHE_OK;
    lt_json_foreach (lt_json_member(lt_json_item(sides, 0), "children_spec"), i, argument) {
        const char *name = lt_json_text(lt_json_item(names, i));
        LT_TRY(name_leaves(namer, argument, name, 0));
    }
    return name_children(namer, lt_json_item(sides, 1));
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

static lathe_status set_output_labels(lt_pt2_reader *r, const lt_namer *namer)
{
    lt_exported *x = r->x;
    size_t leaf = 0;
    for (uint32_t i = 0; i < x->n_outputs; i++) {
        if (x->outputs[i].kind != LT_X_USER_OUTPUT) continue;
        const char *name = namer->names[leaf++];
        if (name) LT_TRY(lt_pt2_copy_text(r, name, &x->outputs[i].label));
    }
    return LATHE_OK;
}

static lathe_status name_inputs(lt_pt2_reader *r, const lt_json *signature)
{
    lt_namer namer = {.r = r};
    const lt_json *spec;
    for (uint32_t i = 0; i < r->x->n_inputs; i++) namer.capacity += r->x->inputs[i].kind == LT_X_USER_INPUT;
    LT_ALLOC(r->arena, namer.names, namer.capacity, r->err);
    LT_TRY(read_spec(r, signature, "in_spec", &spec));
    LT_TRY(name_arguments(&namer, spec, lt_json_member(signature, "forward_arg_names")));
    return namer.n == namer.capacity ? set_input_labels(r, &namer) : LATHE_OK;
}

static lathe_status name_outputs(lt_pt2_reader *r, const lt_json *signature)
{
    lt_namer namer = {.r = r};
    const lt_json *spec;
    for (uint32_t i = 0; i < r->x->n_outputs; i++)
        namer.capacity += r->x->outputs[i].kind == LT_X_USER_OUTPUT;
    LT_ALLOC(r->arena, namer.names, namer.capacity, r->err);
    LT_TRY(read_spec(r, signature, "out_spec", &spec));
    LT_TRY(
        name_children(&namer, spec)); /* results have names where forward() returns a dict or a dataclass */
    return namer.n == namer.capacity ? set_output_labels(r, &namer) : LATHE_OK;
}

lathe_status lt_pt2_name_values(lt_pt2_reader *r, const lt_json *module)
{
    const lt_json *calls = lt_json_member(module, "module_call_graph");
    const lt_json *signature =
        lt_json_member(lt_json_item(calls, 0), "signature"); /* that of the whole model */
    if (!lt_json_is(signature, LT_JSON_OBJECT)) return LATHE_OK;
    LT_TRY_NOTE(name_inputs(r, signature), r->err, "in_spec");
    LT_TRY_NOTE(name_outputs(r, signature), r->err, "out_spec");
    return LATHE_OK;
}
