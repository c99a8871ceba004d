/* Any bytes as JSON text, strict and with Python's numbers, and the typed accessors on what comes out. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_values(const json_t *root)
{
    static const char *const keys[] = {"a", "name", ""};
    lathe_error err;
    for (size_t i = 0; i < LT_COUNT(keys); i++) {
        json_t *value;
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int loose = 0; loose < 2; loose++) {
        lathe_error err;
        json_t *root;
        if (lt_json_parse((const char *)data, size, loose, "text", &root, &err) != LATHE_OK) continue;
        read_values(root);
        json_decref(root);
    }
    return 0;
}
