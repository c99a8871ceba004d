/* Any bytes as a symbolic size: parsed, printed and evaluated. */
#include <stdlib.h>
#include <string.h>

#include "ir/symint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SYMBOLS = 8 };

static lathe_status intern(void *context, const char *name, uint32_t *index, lathe_error *err)
{
    (void)context;
    *index = (uint32_t)strlen(name);
    if (*index >= MAX_SYMBOLS) LT_FAIL(err, LIMIT, "symbol '%s'", name);
    return LATHE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t bindings[][MAX_SYMBOLS] = {
        {LT_UNBOUND, 1, 2, 3, 5, 7, 0, 64},
        {0, INT64_MAX, INT64_MIN, -2, 1, 1000, 1 << 30, INT64_MAX / 2},
    };
    lathe_error err;
    lt_arena *arena;
    lt_xdim dim = {0};
    lt_text text = {0};
    char *source = malloc(size + 1);
    if (!source) return 0;
    memcpy(source, data, size);
    source[size] = '\0';
    if (lt_arena_create(&arena, &err) == LATHE_OK) {
        if (lt_expr_parse(arena, source, &(lt_symbols){NULL, intern}, &dim.expr, &err) == LATHE_OK) {
            lt_expr_print(dim.expr, &text);
            for (size_t i = 0; i < LT_COUNT(bindings); i++) {
                int64_t value;
                if (lt_xdim_eval(&dim, bindings[i], &value, &err) == LATHE_OK) (void)value;
            }
        }
        lt_arena_destroy(arena);
    }
    lt_text_free(&text);
    free(source);
    return 0;
}
