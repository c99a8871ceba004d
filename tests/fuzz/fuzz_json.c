/* Any bytes as JSON text, strict and with Python's numbers, and the typed accessors on what comes out. */
#include <stdlib.h>

#include "base/json.h"

static void read_values(const lt_json *root)
{
    static const char *const keys[] = {"a", "name", ""};
    lathe_error err;
    for (size_t i = 0; i < LT_COUNT(keys); i++) {
        const lt_json *value;
        const char *text;
        int64_t number;
        double real;
        bool truth;
        lathe_status status = lt_json_get_object(root, keys[i], &value, &err);
        status = status ? status : lt_json_union(value, &text, &value, &err);
        status = status ? status : lt_json_number(value, &real, &err);
        status = lt_json_get_array(root, keys[i], &value, &err);
        status = lt_json_get_string(root, keys[i], &text, &err);
        status = lt_json_get_int(root, keys[i], &number, &err);
        status = lt_json_get_bool(root, keys[i], &truth, &err);
        (void)status;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written reads back. */
static void write_and_read(const lt_json *root, lt_arena *arena)
{
    lt_text text = {0};
    lathe_error err;
    const lt_json *again;
    lt_json_write(root, 0, &text);
    lathe_status status = lt_json_parse(text.data, text.length, false, "again", arena, &again, &err);
    if (status != LATHE_OK) abort();
    lt_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int loose = 0; loose < 2; loose++) {
        lathe_error err;
        const lt_json *root;
        lt_arena *arena;
        if (lt_arena_create(&arena, &err) != LATHE_OK) return 0;
        if (lt_json_parse((const char *)data, size, loose, "text", arena, &root, &err) == LATHE_OK) {
            read_values(root);
            write_and_read(root, arena);
        }
        lt_arena_destroy(arena);
    }
    return 0;
}
