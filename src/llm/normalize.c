/* Unicode forms over utf8proc's character tables. Decomposition and ordering are done here because utf8proc's
 * own ordering is quadratic in a run of combining marks, and such a run may be as long as the text. */
#include "llm/normalize.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { LT_ONE_DECOMPOSITION = 32 }; /* characters; the longest decomposition of one character has 18 */

typedef struct code_list {
    int32_t *code;
    size_t count, capacity;
} code_list;

static lathe_status append(code_list *list, lt_arena *arena, int32_t code, lathe_error *err)
{
    LT_GROW(arena, list->code, list->count, list->capacity, err);
    list->code[list->count++] = code;
    return LATHE_OK;
}

static lathe_status decompose(lt_arena *arena, const char *text, size_t size, bool compatibility,
                              code_list *list, lathe_error *err)
{
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    if (compatibility) options |= UTF8PROC_COMPAT;
    size_t length;
    for (size_t at = 0; at < size; at += length) {
        int32_t code = (int32_t)lt_utf8_read(text + at, &length), part[LT_ONE_DECOMPOSITION];
        if (code < 0x80) {
            LT_TRY(append(list, arena, code, err));
            continue;
        }
        int boundary = 0;
        utf8proc_ssize_t count =
            utf8proc_decompose_char(code, part, LT_ONE_DECOMPOSITION, options, &boundary);
        if (count < 0 || count > LT_ONE_DECOMPOSITION)
            LT_FAIL(err, INTERNAL, "U+%04X does not decompose: %s", (unsigned)code,
                    utf8proc_errmsg(count < 0 ? count : UTF8PROC_ERROR_OVERFLOW));
        for (utf8proc_ssize_t i = 0; i < count; i++) LT_TRY(append(list, arena, part[i], err));
    }
    return LATHE_OK;
}

static int mark_class(int32_t code)
{
    return code < 0x300 ? 0 : (int)utf8proc_get_property(code)->combining_class;
}

/* Stable sort of one run of combining marks by class: counting sort over the 256 classes. */
static void order_run(int32_t *run, size_t count, int32_t *scratch)
{
    size_t start[257] = {0};
    for (size_t i = 0; i < count; i++) start[mark_class(run[i]) + 1]++;
    for (int c = 0; c < 256; c++) start[c + 1] += start[c];
    for (size_t i = 0; i < count; i++) scratch[start[mark_class(run[i])]++] = run[i];
    memcpy(run, scratch, count * sizeof *run);
}

static lathe_status order_marks(lt_arena *arena, code_list *list, lathe_error *err)
{
    int32_t *scratch = NULL;
    for (size_t at = 0; at < list->count;) {
        size_t end = at;
        bool ordered = true;
        for (int last = 0, now; end < list->count && (now = mark_class(list->code[end])) != 0; end++) {
            ordered = ordered && last <= now;
            last = now;
        }
        if (!ordered) {
            if (!scratch) LT_ALLOC(arena, scratch, list->count, err);
            order_run(list->code + at, end - at, scratch);
        }
        at = end + (end == at);
    }
    return LATHE_OK;
}

/* Rust's char::to_lowercase, one character at a time: the only one that becomes two is U+0130. */
static lathe_status lowercase(lt_arena *arena, const char *text, size_t size, code_list *list,
                              lathe_error *err)
{
    size_t length;
    for (size_t at = 0; at < size; at += length) {
        int32_t code = (int32_t)lt_utf8_read(text + at, &length);
        LT_TRY(append(list, arena, code == 0x130 ? 'i' : utf8proc_tolower(code), err));
        if (code == 0x130) LT_TRY(append(list, arena, 0x307, err));
    }
    return LATHE_OK;
}

static lathe_status encode(lt_arena *arena, const code_list *list, const char **out, size_t *out_size,
                           lathe_error *err)
{
    size_t room;
    if (!lt_mul_size(list->count, 4, &room)) return lt_out_of_memory(err, list->count, 4);
    char *text;
    LT_ALLOC(arena, text, room, err);
    *out_size = 0;
    for (size_t i = 0; i < list->count; i++)
        *out_size += lt_utf8_write((uint32_t)list->code[i], text + *out_size);
    *out = text;
    return LATHE_OK;
}

static lathe_status apply(lt_normal_form form, lt_arena *arena, const char **text, size_t *size,
                          lathe_error *err)
{
    code_list list = {0};
    if (form == LT_LOWERCASE) {
        LT_TRY(lowercase(arena, *text, *size, &list, err));
    } else {
        LT_TRY(decompose(arena, *text, *size, form == LT_NFKC || form == LT_NFKD, &list, err));
        LT_TRY(order_marks(arena, &list, err));
    }
    if ((form == LT_NFC || form == LT_NFKC) && list.count) {
        utf8proc_ssize_t count = utf8proc_normalize_utf32(list.code, (utf8proc_ssize_t)list.count,
                                                          UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        if (count < 0) LT_FAIL(err, INTERNAL, "text does not compose: %s", utf8proc_errmsg(count));
        list.count = (size_t)count;
    }
    return encode(arena, &list, text, size, err);
}

lathe_status lt_normalize(const lt_normalizer *normalizer, lt_arena *arena, const char *text, size_t size,
                          const char **out, size_t *out_size, lathe_error *err)
{
    bool ascii = true;
    for (size_t i = 0; i < size && ascii; i++) ascii = (unsigned char)text[i] < 0x80;
    *out = text;
    *out_size = size;
    for (int i = 0; i < normalizer->count; i++)
        if (!ascii || normalizer->form[i] == LT_LOWERCASE)
            LT_TRY(apply(normalizer->form[i], arena, out, out_size, err));
    return LATHE_OK;
}
