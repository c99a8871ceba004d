/* JSON values made by us, and JSON text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* ---- Building ---- */

lt_json lt_json_new(lt_json_type type) { return (lt_json){.type = (uint8_t)type}; }
lt_json lt_json_new_int(int64_t value) { return (lt_json){.type = LT_JSON_INTEGER, .value.integer = value}; }
lt_json lt_json_new_real(double value) { return (lt_json){.type = LT_JSON_REAL, .value.real = value}; }
lt_json lt_json_new_bool(bool value) { return (lt_json){.type = LT_JSON_BOOL, .value.truth = value}; }

static const char *copy_text(lt_json_builder *b, const char *text, size_t length)
{
    const char *valid = text;
    if (lt_utf8_sanitize(b->arena, text, length, &valid, &length, NULL) != LATHE_OK) b->failed = true;
    const char *copy = lt_arena_strndup(b->arena, valid, length);
    if (!copy) b->failed = true;
    return copy ? copy : "";
}

lt_json lt_json_new_text(lt_json_builder *b, const char *text, size_t length)
{
    const char *copy = copy_text(b, text, length);
    return (lt_json){.type = LT_JSON_STRING, .value.text = copy, .count = (uint32_t)strlen(copy)};
}

/* Capacities are powers of two, and follow from the count. */
void lt_json_push(lt_json_builder *b, lt_json *container, lt_json value)
{
    uint32_t n = container->count;
    if ((n & (n - 1)) == 0) {
        lt_json *grown = lt_arena_alloc(b->arena, n ? 2 * (size_t)n : 1, sizeof *grown);
        if (!grown) b->failed = true;
        if (!grown) return;
        if (n) memcpy(grown, container->value.items, n * sizeof *grown);
        container->value.items = grown;
    }
    container->value.items[container->count++] = value;
}

void lt_json_put(lt_json_builder *b, lt_json *object, const char *key, lt_json value)
{
    value.key = copy_text(b, key, strlen(key));
    lt_json_push(b, object, value);
}

/* ---- Writing ---- */

static void write_text(const char *text, lt_text *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    lt_text_append(out, "\"", 1);
    for (size_t run; *text; text += run) {
        run = 0;
        while ((unsigned char)text[run] >= 0x20 && text[run] != '"' && text[run] != '\\') run++;
        lt_text_append(out, text, run);
        if (run || !*text) continue;
        const char *found = strchr(from, *text);
        if (found) lt_text_printf(out, "\\%c", to[found - from]);
        else lt_text_printf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        run = 1;
    }
    lt_text_append(out, "\"", 1);
}

/* The shortest text that reads back as the same number, and as no integer. */
static void write_real(double value, lt_text *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.'; /* the locale's point */
    lt_text_printf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void new_line(int indent, int depth, lt_text *out)
{
    if (indent) lt_text_printf(out, "\n%*s", indent * depth, "");
}

static void write_value(const lt_json *json, int indent, int depth, lt_text *out);

static void write_items(const lt_json *json, int indent, int depth, lt_text *out)
{
    bool object = json->type == LT_JSON_OBJECT;
    lt_text_append(out, object ? "{" : "[", 1);
    for (uint32_t i = 0; i < json->count; i++) {
        const lt_json *item = &json->value.items[i];
        if (i) lt_text_append(out, ", ", indent ? 1 : 2);
        new_line(indent, depth + 1, out);
        if (object) write_text(item->key, out);
        if (object) lt_text_append(out, ": ", 2);
        write_value(item, indent, depth + 1, out);
    }
    if (json->count) new_line(indent, depth, out);
    lt_text_append(out, object ? "}" : "]", 1);
}

static void write_value(const lt_json *json, int indent, int depth, lt_text *out)
{
    switch ((lt_json_type)json->type) {
    case LT_JSON_NULL: lt_text_printf(out, "null"); break;
    case LT_JSON_BOOL: lt_text_printf(out, json->value.truth ? "true" : "false"); break;
    case LT_JSON_INTEGER: lt_text_printf(out, "%lld", (long long)json->value.integer); break;
    case LT_JSON_REAL: write_real(json->value.real, out); break;
    case LT_JSON_STRING: write_text(json->value.text, out); break;
    case LT_JSON_ARRAY:
    case LT_JSON_OBJECT: write_items(json, indent, depth, out); break;
    }
}

void lt_json_write(const lt_json *json, int indent, lt_text *out) { write_value(json, indent, 0, out); }
