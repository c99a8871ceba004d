/* The JSON reader: one pass, recursive, into an arena. Strings are decoded into one buffer, which the text
 * bounds; items wait on a stack until their container ends. Access is in json_access.c. */
#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { MAX_DEPTH = 256, MAX_DIGITS = 800, INDEXED_FROM = 16 };

typedef struct lt_parser {
    const char *text, *what;
    size_t length, at;
    bool nonfinite;
    int depth;
    char *strings; /* where the next string goes */
    lt_json *stack;
    uint32_t n_stack, cap_stack;
    lt_arena *arena, *scratch; /* values; the stack */
    lathe_error *err;
} lt_parser;

/* ---- Characters ---- */

/* NUL stands in no JSON, so it serves as the end. */
static char peek(const lt_parser *p) { return p->at < p->length ? p->text[p->at] : '\0'; }

static void skip_space(lt_parser *p)
{
    for (char c = peek(p); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = peek(p)) p->at++;
}

/* Skips space, and then `c` if it comes. */
static bool accept(lt_parser *p, char c)
{
    skip_space(p);
    if (peek(p) != c) return false;
    p->at++;
    return true;
}

static lathe_status fail(lt_parser *p, const char *problem)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < p->at; i++)
        if (p->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    LT_FAIL(p->err, FORMAT, "%s: not valid JSON: %s (line %zu, column %zu)", p->what, problem, line,
            p->at - start + 1);
}

static lathe_status fail_at_end(lt_parser *p, const char *problem)
{
    return fail(p, p->at < p->length ? problem : "the text ends too early");
}

/* ---- Strings ---- */

/* The four digits of \uXXXX. */
static lathe_status parse_hex(lt_parser *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        char c = peek(p);
        if (!isxdigit((unsigned char)c)) return fail_at_end(p, "\\u wants four hexadecimal digits");
        *out = *out << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return LATHE_OK;
}

static lathe_status parse_code(lt_parser *p, uint32_t *code)
{
    uint32_t low;
    LT_TRY(parse_hex(p, code));
    if (*code == 0) return fail(p, "\\u0000 is refused");
    if (*code < 0xd800 || *code > 0xdfff) return LATHE_OK;
    if (*code > 0xdbff || p->length - p->at < 2 || p->text[p->at] != '\\' || p->text[p->at + 1] != 'u')
        return fail(p, "half of a surrogate pair");
    p->at += 2;
    LT_TRY(parse_hex(p, &low));
    if (low < 0xdc00 || low > 0xdfff) return fail(p, "half of a surrogate pair");
    *code = 0x10000 + ((*code & 0x3ff) << 10) + (low & 0x3ff);
    return LATHE_OK;
}

static lathe_status parse_escape(lt_parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = peek(p);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found && c != 'u') return fail_at_end(p, "an escape that JSON does not have");
    p->at++;
    if (found) {
        *p->strings++ = to[found - from];
        return LATHE_OK;
    }
    uint32_t code = 0;
    LT_TRY(parse_code(p, &code));
    p->strings += lt_utf8_write(code, p->strings);
    return LATHE_OK;
}

/* What is copied as it is: ASCII without quotes, backslashes and control characters. */
static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* The string behind an opening quote. What is written is never longer than what is read. */
static lathe_status parse_string(lt_parser *p, const char **out, uint32_t *length)
{
    char *start = p->strings;
    for (;;) {
        size_t from = p->at;
        while (p->at < p->length && is_plain(p->text[p->at])) p->at++;
        memcpy(p->strings, p->text + from, p->at - from);
        p->strings += p->at - from;
        char c = peek(p);
        if (c == '"') break;
        if (c == '\\') {
            p->at++;
            LT_TRY(parse_escape(p));
            continue;
        }
        size_t bytes = 1;
        if ((unsigned char)c < 0x20) return fail_at_end(p, "a control character in a string");
        if (lt_utf8_scan(p->text + p->at, p->length - p->at, &bytes) != LT_UTF8_VALID)
            return fail(p, "a string that is not UTF-8");
        memcpy(p->strings, p->text + p->at, bytes);
        p->strings += bytes;
        p->at += bytes;
    }
    p->at++;
    *length = (uint32_t)(p->strings - start);
    *p->strings++ = '\0';
    *out = start;
    return LATHE_OK;
}

/* ---- Numbers ---- */

/* Digits of a number without its point: value = digits × 10^exponent. */
typedef struct lt_decimal {
    char digits[MAX_DIGITS + 16]; /* with sign; room for the exponent */
    size_t n;
    int64_t exponent;
} lt_decimal;

static lathe_status parse_digits(lt_parser *p, lt_decimal *d, bool fraction)
{
    if (!isdigit((unsigned char)peek(p))) return fail_at_end(p, "a number without digits");
    for (; isdigit((unsigned char)peek(p)); p->at++) {
        if (d->n == MAX_DIGITS) return fail(p, "a number of too many digits");
        d->digits[d->n++] = peek(p);
        d->exponent -= fraction;
    }
    return LATHE_OK;
}

static lathe_status parse_exponent(lt_parser *p, lt_decimal *d)
{
    bool negative = peek(p) == '-';
    int64_t exponent = 0;
    if (negative || peek(p) == '+') p->at++;
    if (!isdigit((unsigned char)peek(p))) return fail_at_end(p, "an exponent without digits");
    for (; isdigit((unsigned char)peek(p)); p->at++)
        if (exponent < 100000) exponent = 10 * exponent + (peek(p) - '0');
    d->exponent += negative ? -exponent : exponent;
    return LATHE_OK;
}

/* The text for strtod has no point, which would depend on the locale. */
static double decimal_value(lt_decimal *d)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative = d->digits[0] == '-';
    if (d->n - negative <= 15 && d->exponent >= -22 && d->exponent <= 22) { /* both are exact */
        double whole = 0;
        for (size_t i = negative; i < d->n; i++) whole = 10 * whole + (d->digits[i] - '0');
        whole = d->exponent < 0 ? whole / tens[-d->exponent] : whole * tens[d->exponent];
        return negative ? -whole : whole;
    }
    snprintf(d->digits + d->n, sizeof d->digits - d->n, "e%lld", (long long)d->exponent);
    return strtod(d->digits, NULL);
}

static lathe_status integer_value(lt_parser *p, const lt_decimal *d, int64_t *out)
{
    bool negative = d->digits[0] == '-';
    *out = 0;
    for (size_t i = negative; i < d->n; i++) {
        int64_t digit = d->digits[i] - '0';
        if (!lt_mul_i64(*out, 10, out) || !lt_add_i64(*out, negative ? -digit : digit, out))
            return fail(p, "an integer of more than 64 bits");
    }
    return LATHE_OK;
}

static lathe_status parse_number(lt_parser *p, lt_json *out)
{
    lt_decimal d;
    d.n = 0;
    d.exponent = 0;
    if (peek(p) == '-') d.digits[d.n++] = p->text[p->at++];
    bool zero = peek(p) == '0', real = false;
    size_t first = p->at;
    LT_TRY(parse_digits(p, &d, false));
    if (zero && p->at - first > 1) return fail(p, "a number with leading zeros");
    if (peek(p) == '.') {
        real = true;
        p->at++;
        LT_TRY(parse_digits(p, &d, true));
    }
    if (peek(p) == 'e' || peek(p) == 'E') {
        real = true;
        p->at++;
        LT_TRY(parse_exponent(p, &d));
    }
    out->type = real ? LT_JSON_REAL : LT_JSON_INTEGER;
    if (!real) return integer_value(p, &d, &out->value.integer);
    out->value.real = decimal_value(&d);
    return isinf(out->value.real) ? fail(p, "a number that is too large") : LATHE_OK;
}

/* ---- Objects ---- */

/* The entry of an object's table where `key` is, or would be: its place among the members + 1, or 0. The
 * table's first word is its mask. */
static uint32_t find_entry(const lt_json *object, const uint32_t *table, const char *key)
{
    for (uint32_t at = (uint32_t)lt_hash(key, strlen(key), object->value.items);; at++) {
        uint32_t entry = 1 + (at & table[0]), place = table[entry];
        if (!place || strcmp(object->value.items[place - 1].key, key) == 0) return entry;
    }
}

const lt_json *lt_json_member(const lt_json *object, const char *key)
{
    if (!lt_json_is(object, LT_JSON_OBJECT)) return NULL;
    if (object->index) {
        uint32_t place = object->index[find_entry(object, object->index, key)];
        return place ? &object->value.items[place - 1] : NULL;
    }
    for (uint32_t i = 0; i < object->count; i++)
        if (strcmp(object->value.items[i].key, key) == 0) return &object->value.items[i];
    return NULL;
}

static lathe_status twice(lt_parser *p, const lt_json *member)
{
    p->at = member->begin;
    LT_TRY_NOTE(fail(p, "a duplicate key"), p->err, "'%.80s'", member->key);
    return LATHE_OK;
}

static lathe_status index_members(lt_parser *p, lt_json *object)
{
    uint32_t size = 1, *table;
    while (size / 2 < object->count) size *= 2;
    LT_ALLOC(p->arena, table, (size_t)size + 1, p->err);
    table[0] = size - 1;
    for (uint32_t i = 0; i < object->count; i++) {
        uint32_t entry = find_entry(object, table, object->value.items[i].key);
        if (table[entry]) return twice(p, &object->value.items[i]);
        table[entry] = i + 1;
    }
    object->index = table;
    return LATHE_OK;
}

static lathe_status check_members(lt_parser *p, lt_json *object)
{
    if (object->count >= INDEXED_FROM) return index_members(p, object);
    for (uint32_t i = 0; i < object->count; i++)
        if (lt_json_member(object, object->value.items[i].key) != &object->value.items[i])
            return twice(p, &object->value.items[i]);
    return LATHE_OK;
}

/* ---- Values ---- */

static lathe_status parse_value(lt_parser *p, lt_json *out);

static lathe_status parse_key(lt_parser *p, const char **key)
{
    uint32_t length;
    if (!accept(p, '"')) return fail_at_end(p, "a key in quotes is wanted");
    LT_TRY(parse_string(p, key, &length));
    return accept(p, ':') ? LATHE_OK : fail_at_end(p, "a colon is wanted");
}

static lathe_status parse_items(lt_parser *p, bool object, char close)
{
    if (accept(p, close)) return LATHE_OK;
    do {
        const char *key = NULL;
        lt_json item;
        if (object) LT_TRY(parse_key(p, &key));
        LT_TRY(parse_value(p, &item));
        item.key = key;
        LT_GROW(p->scratch, p->stack, p->n_stack, p->cap_stack, p->err);
        p->stack[p->n_stack++] = item;
    } while (accept(p, ','));
    return accept(p, close) ? LATHE_OK : fail_at_end(p, "a comma or the closing bracket is wanted");
}

static lathe_status parse_container(lt_parser *p, lt_json *out)
{
    bool object = p->text[p->at++] == '{';
    uint32_t first = p->n_stack;
    if (++p->depth > MAX_DEPTH) return fail(p, "it is nested too deeply: more than 256 levels");
    LT_TRY(parse_items(p, object, object ? '}' : ']'));
    p->depth--;
    out->type = object ? LT_JSON_OBJECT : LT_JSON_ARRAY;
    out->count = p->n_stack - first;
    LT_ALLOC(p->arena, out->value.items, out->count, p->err);
    if (out->count) memcpy(out->value.items, p->stack + first, out->count * sizeof *p->stack);
    p->n_stack = first;
    return object ? check_members(p, out) : LATHE_OK;
}

static bool accept_word(lt_parser *p, const char *word)
{
    size_t length = strlen(word);
    if (p->length - p->at < length || memcmp(p->text + p->at, word, length) != 0) return false;
    p->at += length;
    return true;
}

static lathe_status parse_word(lt_parser *p, lt_json *out)
{
    static const struct {
        const char *text;
        lt_json_type type;
    } words[] = {{"null", LT_JSON_NULL},  {"true", LT_JSON_BOOL},       {"false", LT_JSON_BOOL},
                 {"NaN", LT_JSON_STRING}, {"Infinity", LT_JSON_STRING}, {"-Infinity", LT_JSON_STRING}};
    for (size_t i = 0; i < LT_COUNT(words); i++) {
        if (words[i].type == LT_JSON_STRING && !p->nonfinite) continue;
        if (!accept_word(p, words[i].text)) continue;
        out->type = (uint8_t)words[i].type;
        out->value.truth = *words[i].text == 't';
        if (out->type == LT_JSON_STRING) out->value.text = words[i].text;
        if (out->type == LT_JSON_STRING) out->count = (uint32_t)strlen(words[i].text);
        return LATHE_OK;
    }
    return fail_at_end(p, "a value is wanted");
}

static lathe_status parse_value(lt_parser *p, lt_json *out)
{
    skip_space(p);
    lathe_status status;
    char c = peek(p);
    *out = (lt_json){.begin = (uint32_t)p->at};
    if (c == '{' || c == '[') {
        status = parse_container(p, out);
    } else if (c == '"') {
        p->at++;
        out->type = LT_JSON_STRING;
        status = parse_string(p, &out->value.text, &out->count);
    } else if (isdigit((unsigned char)c) ||
               (c == '-' && p->at + 1 < p->length && p->text[p->at + 1] != 'I')) {
        status = parse_number(p, out);
    } else {
        status = parse_word(p, out);
    }
    out->end = (uint32_t)p->at;
    return status;
}

static lathe_status parse_text(lt_parser *p, const lt_json **out)
{
    lt_json *root;
    LT_ALLOC(p->arena, root, 1, p->err);
    LT_ALLOC(p->arena, p->strings, p->length, p->err);
    LT_TRY(parse_value(p, root));
    skip_space(p);
    if (p->at < p->length) return fail(p, "there is more text behind the value");
    *out = root;
    return LATHE_OK;
}

lathe_status lt_json_parse(const char *text, size_t length, bool allow_nonfinite, const char *what,
                           lt_arena *arena, const lt_json **out, lathe_error *err)
{
    lt_parser p = {.text = text,
                   .what = what,
                   .length = length,
                   .nonfinite = allow_nonfinite,
                   .arena = arena,
                   .err = err};
    *out = NULL;
    if (length > UINT32_MAX)
        LT_FAIL(err, LIMIT, "%s: %zu bytes of JSON, at most %u are read", what, length, UINT32_MAX);
    LT_TRY(lt_arena_create(&p.scratch, err));
    lathe_status status = parse_text(&p, out);
    lt_arena_destroy(p.scratch);
    return status;
}
