/* Parser of ATen schema text. The texts are ours, so what is wrong in one is a bug: INTERNAL. */
#include "aten/schema.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct lt_cursor {
    const char *at, *text;
    lt_arena *arena;
    lathe_error *err;
} lt_cursor;

static lathe_status bad(const lt_cursor *c)
{
    LT_FAIL(c->err, INTERNAL, "schema '%s' at '%s'", c->text, c->at);
}

static void skip_space(lt_cursor *c)
{
    while (*c->at == ' ') c->at++;
}

static bool take(lt_cursor *c, const char *word)
{
    skip_space(c);
    if (!lt_str_starts_with(c->at, word)) return false;
    c->at += strlen(word);
    return true;
}

static lathe_status take_name(lt_cursor *c, const char **out)
{
    skip_space(c);
    const char *start = c->at;
    while (isalnum((unsigned char)*c->at) || *c->at == '_' || *c->at == '.') c->at++;
    if (c->at == start) return bad(c);
    *out = lt_arena_strndup(c->arena, start, (size_t)(c->at - start));
    return *out ? LATHE_OK : lt_out_of_memory(c->err, 1, 1);
}

static lathe_status take_type(lt_cursor *c, lt_param *param)
{
    static const struct {
        const char *name;
        lt_param_type type;
    } types[] = {
        {"Tensor", LT_PARAM_TENSOR},    {"SymInt", LT_PARAM_INT},         {"int", LT_PARAM_INT},
        {"float", LT_PARAM_FLOAT},      {"bool", LT_PARAM_BOOL},          {"Scalar", LT_PARAM_SCALAR},
        {"ScalarType", LT_PARAM_DTYPE}, {"str", LT_PARAM_STRING},         {"Device", LT_PARAM_OTHER},
        {"Layout", LT_PARAM_OTHER},     {"MemoryFormat", LT_PARAM_OTHER}, {"Generator", LT_PARAM_OTHER},
    };
    const char *name;
    LT_TRY(take_name(c, &name));
    size_t i = 0;
    while (i < LT_COUNT(types) && strcmp(types[i].name, name) != 0) i++;
    if (i == LT_COUNT(types)) return bad(c);
    param->type = types[i].type;
    if (take(c, "(")) { /* Tensor(a), Tensor(a!), Tensor(a -> *) */
        param->alias = *c->at;
        while (*c->at && *c->at != ')') c->at++;
        if (!take(c, ")")) return bad(c);
    }
    if (take(c, "?")) param->optional = true;
    if (take(c, "[")) {
        param->list = true;
        param->optional_items = param->optional;
        param->optional = false;
        param->list_size = (int)strtol(c->at, (char **)(uintptr_t)&c->at, 10);
        if (!take(c, "]")) return bad(c);
        if (take(c, "?")) param->optional = true;
    }
    return LATHE_OK;
}

static lathe_status take_default(lt_cursor *c, const lt_param *param, lt_arg *out)
{
    *out = (lt_arg){0};
    if (take(c, "None")) return LATHE_OK;
    if (take(c, "True") || take(c, "False")) {
        *out = (lt_arg){.kind = LT_ARG_BOOL, .b = c->at[-2] == 'u'};
        return LATHE_OK;
    }
    if (take(c, "[")) {
        out->kind = LT_ARG_LIST;
        LT_ALLOC(c->arena, out->list.items, 4, c->err);
        while (!take(c, "]")) {
            if (out->list.n == 4) return bad(c);
            LT_TRY(take_default(c, param, &out->list.items[out->list.n++]));
            take(c, ",");
        }
        return LATHE_OK;
    }
    skip_space(c);
    if (*c->at == '\'' || *c->at == '"') {
        const char *start = ++c->at;
        while (*c->at && *c->at != '\'' && *c->at != '"') c->at++;
        *out = (lt_arg){.kind = LT_ARG_STRING,
                        .text = lt_arena_strndup(c->arena, start, (size_t)(c->at - start))};
        if (!out->text) return lt_out_of_memory(c->err, 1, 1);
        c->at++;
        return LATHE_OK;
    }
    if (isalpha((unsigned char)*c->at)) { /* contiguous_format, Mean, long … : an enumerator */
        *out = (lt_arg){.kind = LT_ARG_OTHER};
        LT_TRY(take_name(c, &out->text));
        if (strcmp(out->text, "Mean") == 0) *out = (lt_arg){.kind = LT_ARG_INT, .i = 1};
        if (strcmp(out->text, "long") == 0) *out = (lt_arg){.kind = LT_ARG_DTYPE, .dtype = LATHE_I64};
        return LATHE_OK;
    }
    char *end;
    double value = strtod(c->at, &end);
    if (end == c->at) return bad(c);
    bool whole = true;
    for (const char *p = c->at; p < end; p++) whole = whole && (isdigit((unsigned char)*p) || *p == '-');
    bool real = param->type == LT_PARAM_FLOAT || !whole;
    *out = real ? (lt_arg){.kind = LT_ARG_FLOAT, .f = value}
                : (lt_arg){.kind = LT_ARG_INT, .i = strtoll(c->at, NULL, 10)};
    c->at = end;
    return LATHE_OK;
}

lathe_status lt_schema_parse(lt_arena *arena, const char *text, lt_schema *out, lathe_error *err)
{
    lt_cursor c = {.at = text, .text = text, .arena = arena, .err = err};
    *out = (lt_schema){0};
    LT_TRY(take_name(&c, &out->name));
    if (!strchr(out->name, '.')) {
        out->name = lt_arena_printf(arena, "%s.default", out->name);
        if (!out->name) return lt_out_of_memory(err, 1, strlen(text));
    }
    if (!take(&c, "(")) return bad(&c);
    while (!take(&c, ")")) {
        if (take(&c, "*,")) continue;
        if (out->n == LT_MAX_PARAMS) return bad(&c);
        lt_param *param = &out->params[out->n++];
        LT_TRY(take_type(&c, param));
        LT_TRY(take_name(&c, &param->name));
        if (take(&c, "=")) {
            param->has_default = true;
            LT_TRY(take_default(&c, param, &param->fallback));
        }
        take(&c, ",");
    }
    if (!take(&c, "->")) return bad(&c);
    const char *alias = strchr(c.at, '(');
    if (alias && lt_str_starts_with(alias - 6, "Tensor")) out->returns_alias = alias[1];
    return LATHE_OK;
}

uint32_t lt_schema_find(const lt_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->n; i++)
        if (strcmp(schema->params[i].name, name) == 0) return i;
    return LT_NONE;
}
