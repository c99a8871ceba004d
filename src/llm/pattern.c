/* Rewrites an Oniguruma expression into PCRE2's syntax and runs it. The two differ in what \s, \w and \h
 * mean, in nested and intersected classes and in some flags: the first are spelled out, the rest is refused
 * by name, so that no expression matches something else than its author meant. */
#include "llm/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/str.h"

struct lt_pattern {
    pcre2_code *code;
};

struct lt_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* White_Space of Unicode, and its complement. PCRE2's \s also takes U+180E. */
#define SPACES \
    "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACES                                                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD "\\p{L}" NEW_LETTERS "\\p{M}" NEW_MARKS "\\p{Nd}\\p{Pc}"
#define HEX "0-9a-fA-F"

/* Letters, numbers, marks, punctuation and symbols of Unicode 15 and 16, which a PCRE2 with older tables does
 * not know. */
#define NEW_LETTERS                                                                                       \
    "\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}\\x{10d4a}-\\x{10d65}" \
    "\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138b}"      \
    "\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}"        \
    "\\x{11f04}-\\x{11f10}\\x{11f12}-\\x{11f33}\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}"      \
    "\\x{16100}-\\x{1611d}\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}"       \
    "\\x{1e030}-\\x{1e06d}\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}"                 \
    "\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"
#define NEW_NUMBERS                                                                        \
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}" \
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}" \
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}"
#define NEW_MARKS                                                                         \
    "\\x{897}\\x{cf3}\\x{ece}\\x{10d69}-\\x{10d6d}\\x{10efc}-\\x{10eff}\\x{11241}"        \
    "\\x{113b8}-\\x{113c0}\\x{113c2}\\x{113c5}\\x{113c7}-\\x{113ca}\\x{113cc}-\\x{113d0}" \
    "\\x{113d2}\\x{113e1}-\\x{113e2}\\x{11f00}-\\x{11f01}\\x{11f03}\\x{11f34}-\\x{11f3a}" \
    "\\x{11f3e}-\\x{11f42}\\x{11f5a}\\x{13440}\\x{13447}-\\x{13455}\\x{1611e}-\\x{1612f}" \
    "\\x{1e08f}\\x{1e4ec}-\\x{1e4ef}\\x{1e5ee}-\\x{1e5ef}"
#define NEW_PUNCTUATION                                                                \
    "\\x{1b4e}-\\x{1b4f}\\x{1b7f}\\x{10d6e}\\x{113d4}-\\x{113d5}\\x{113d7}-\\x{113d8}" \
    "\\x{11b00}-\\x{11b09}\\x{11be1}\\x{11f43}-\\x{11f4f}\\x{16d6d}-\\x{16d6f}\\x{1e5ff}"
#define NEW_SYMBOLS                                                                           \
    "\\x{2427}-\\x{2429}\\x{2ffc}-\\x{2fff}\\x{31e4}-\\x{31e5}\\x{31ef}\\x{10d8e}-\\x{10d8f}" \
    "\\x{1cc00}-\\x{1ccef}\\x{1cd00}-\\x{1ceb3}\\x{1f6dc}\\x{1f774}-\\x{1f776}"               \
    "\\x{1f77b}-\\x{1f77f}\\x{1f7d9}\\x{1f8b2}-\\x{1f8bb}\\x{1f8c0}-\\x{1f8c1}"               \
    "\\x{1fa75}-\\x{1fa77}\\x{1fa87}-\\x{1fa89}\\x{1fa8f}\\x{1faad}-\\x{1faaf}"               \
    "\\x{1fabb}-\\x{1fabf}\\x{1fac6}\\x{1face}-\\x{1facf}\\x{1fada}-\\x{1fadc}\\x{1fadf}"     \
    "\\x{1fae8}-\\x{1fae9}\\x{1faf7}-\\x{1faf8}\\x{1fbcb}-\\x{1fbef}"

/* An escape that means a set of characters: its members as the inside of a class, and those of its opposite
 * where it has a short one. */
typedef struct class_escape {
    const char *name; /* behind the backslash */
    const char *members;
    const char *others; /* NULL: PCRE2's own escape is used inside classes */
} class_escape;

static const class_escape class_escapes[] = {
    {"s", SPACES, NOT_SPACES},
    {"w", WORD, NULL},
    {"h", HEX, "\\x{0}-/:-@G-`g-\\x{10ffff}"},
    {"p{L}", "\\p{L}" NEW_LETTERS, "\\P{L}"},
    {"p{N}", "\\p{N}" NEW_NUMBERS, "\\P{N}"},
    {"p{M}", "\\p{M}" NEW_MARKS, "\\P{M}"},
    {"p{P}", "\\p{P}" NEW_PUNCTUATION, "\\P{P}"},
    {"p{S}", "\\p{S}" NEW_SYMBOLS, "\\P{S}"},
};

typedef struct rewriter {
    const char *at; /* what is still to read */
    lt_text out;
    bool in_class;
} rewriter;

/* The escape behind a backslash, and whether it is spelled in upper case (the opposite set). */
static const class_escape *find_class_escape(const char *name, bool *opposite)
{
    for (size_t i = 0; i < LT_COUNT(class_escapes); i++) {
        const class_escape *escape = &class_escapes[i];
        *opposite = name[0] == escape->name[0] - 'a' + 'A';
        if ((*opposite || name[0] == escape->name[0]) && lt_str_starts_with(name + 1, escape->name + 1))
            return escape;
    }
    return NULL;
}

static lathe_status rewrite_escape(rewriter *r, lathe_error *err)
{
    bool opposite = false;
    const class_escape *escape = find_class_escape(r->at + 1, &opposite);
    if (escape) {
        r->at += 1 + strlen(escape->name);
        if (!r->in_class) lt_text_printf(&r->out, "[%s%s]", opposite ? "^" : "", escape->members);
        else if (!opposite) lt_text_printf(&r->out, "%s", escape->members);
        else if (escape->others) lt_text_printf(&r->out, "%s", escape->others);
        else LT_FAIL(err, UNSUPPORTED, "'\\%c' inside a class is not supported", escape->name[0] - 'a' + 'A');
        return LATHE_OK;
    }
    if (r->at[1] == '\0') LT_FAIL(err, FORMAT, "a backslash ends it");
    if (r->at[1] == 'u' && strspn(r->at + 2, "0123456789abcdefABCDEF") >= 4) {
        lt_text_printf(&r->out, "\\x{%.4s}", r->at + 2);
        r->at += 6;
        return LATHE_OK;
    }
    lt_text_append(&r->out, r->at, 2);
    r->at += 2;
    return LATHE_OK;
}

static lathe_status rewrite_in_class(rewriter *r, lathe_error *err)
{
    if (r->at[0] == '[' && r->at[1] == ':') {
        const char *end = strstr(r->at, ":]");
        if (!end) LT_FAIL(err, FORMAT, "'[:' without ':]'");
        lt_text_append(&r->out, r->at, (size_t)(end + 2 - r->at));
        r->at = end + 2;
        return LATHE_OK;
    }
    if (r->at[0] == '[') LT_FAIL(err, UNSUPPORTED, "a class inside a class is not supported");
    if (r->at[0] == '&' && r->at[1] == '&')
        LT_FAIL(err, UNSUPPORTED, "an intersection of classes (&&) is not supported");
    if (r->at[0] == ']') r->in_class = false;
    lt_text_append(&r->out, r->at++, 1);
    return LATHE_OK;
}

static lathe_status rewrite_outside(rewriter *r, lathe_error *err)
{
    if (r->at[0] == '(' && r->at[1] == '*') LT_FAIL(err, UNSUPPORTED, "'(*' is not supported");
    if (r->at[0] == '(' && r->at[1] == '?') {
        size_t flags = strspn(r->at + 2, "imxsa-");
        bool is_flags = r->at[2 + flags] == ':' || r->at[2 + flags] == ')';
        if (is_flags && memchr(r->at + 2, 'm', flags))
            LT_FAIL(err, UNSUPPORTED, "the flag (?m) is not supported");
    }
    if (r->at[0] == '[') {
        r->in_class = true;
        size_t head = 1 + (r->at[1] == '^');
        head += r->at[head] == ']'; /* a bracket right there is a member */
        lt_text_append(&r->out, r->at, head);
        r->at += head;
        return LATHE_OK;
    }
    lt_text_append(&r->out, r->at++, 1);
    return LATHE_OK;
}

static lathe_status rewrite(rewriter *r, lathe_error *err)
{
    while (*r->at) {
        if (*r->at == '\\') LT_TRY(rewrite_escape(r, err));
        else if (r->in_class) LT_TRY(rewrite_in_class(r, err));
        else LT_TRY(rewrite_outside(r, err));
    }
    lt_text_append(&r->out, "", 0);
    return lt_text_status(&r->out, err);
}

static void *allocate(size_t size, void *user)
{
    (void)user;
    return lt_heap_alloc(size, 1);
}

static void release(void *memory, void *user)
{
    (void)user;
    lt_heap_free(memory);
}

static lathe_status compile(const char *text, uint32_t options, lt_pattern *pattern, lathe_error *err)
{
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, NULL);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    int code = PCRE2_ERROR_HEAP_FAILED;
    size_t at = 0;
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pattern->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &at, context);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    if (pattern->code) return LATHE_OK;
    if (code == PCRE2_ERROR_HEAP_FAILED) return lt_out_of_memory(err, 1, strlen(text));
    PCRE2_UCHAR reason[128];
    pcre2_get_error_message(code, reason, sizeof reason);
    LT_FAIL(err, FORMAT, "%s", (const char *)reason);
}

lathe_status lt_pattern_create(const char *text, bool literal, lt_pattern **out, lathe_error *err)
{
    *out = NULL;
    rewriter r = {.at = text};
    lathe_status status = literal ? LATHE_OK : rewrite(&r, err);
    lt_pattern *pattern = status == LATHE_OK ? lt_heap_alloc(1, sizeof *pattern) : NULL;
    if (status == LATHE_OK && !pattern) status = lt_out_of_memory(err, 1, sizeof *pattern);
    if (status == LATHE_OK) {
        uint32_t options = literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
        status = compile(literal ? text : r.out.data, options | PCRE2_UTF, pattern, err);
    }
    lt_text_free(&r.out);
    if (status != LATHE_OK) {
        lt_pattern_destroy(pattern);
        return lt_error_note(err, status, "expression '%.200s'", text);
    }
    *out = pattern;
    return LATHE_OK;
}

void lt_pattern_destroy(lt_pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    lt_heap_free(pattern);
}

lathe_status lt_matcher_create(lt_matcher **out, lathe_error *err)
{
    lt_matcher *matcher = lt_heap_alloc(1, sizeof *matcher);
    *out = matcher;
    pcre2_general_context *general = matcher ? pcre2_general_context_create(allocate, release, NULL) : NULL;
    if (general) {
        matcher->data = pcre2_match_data_create(1, general);
        matcher->context = pcre2_match_context_create(general);
        pcre2_general_context_free(general);
        if (matcher->data && matcher->context) return LATHE_OK;
    }
    lt_matcher_destroy(matcher);
    *out = NULL;
    return lt_out_of_memory(err, 1, sizeof *matcher);
}

void lt_matcher_destroy(lt_matcher *matcher)
{
    if (!matcher) return;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    lt_heap_free(matcher);
}

/* A sane expression takes a few steps for each byte; one that backtracks without end hits the limit. */
static void set_limits(lt_matcher *matcher, size_t size)
{
    uint64_t steps = 200000 + 50 * (uint64_t)size, kibibytes = 20000 + (uint64_t)size / 8;
    pcre2_set_match_limit(matcher->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    pcre2_set_heap_limit(matcher->context, kibibytes < UINT32_MAX ? (uint32_t)kibibytes : UINT32_MAX);
}

lathe_status lt_pattern_find(const lt_pattern *pattern, lt_matcher *matcher, const char *text, size_t size,
                             size_t from, bool *found, size_t *start, size_t *end, lathe_error *err)
{
    set_limits(matcher, size - from);
    int count = pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, matcher->data,
                            matcher->context);
    *found = count >= 0;
    if (count == PCRE2_ERROR_NOMATCH) return LATHE_OK;
    if (count == PCRE2_ERROR_NOMEMORY || count == PCRE2_ERROR_HEAPLIMIT)
        return lt_out_of_memory(err, 1, size);
    if (count < 0) {
        PCRE2_UCHAR reason[128];
        pcre2_get_error_message(count, reason, sizeof reason);
        LT_FAIL(err, LIMIT, "splitting the text failed at byte %zu: %s", from, (const char *)reason);
    }
    const size_t *bounds = pcre2_get_ovector_pointer(matcher->data);
    *start = bounds[0] < from ? from : bounds[0];
    *end = bounds[1] < *start ? *start : bounds[1];
    return LATHE_OK;
}
