/* Looking operators up by target name. */
#include <stdio.h>
#include <string.h>

#include "aten/aten.h"

const lt_aten_row *const lt_aten_families[] = {
#define X(name) lt_aten_##name,
    LT_ATEN_FAMILIES(X)
#undef X
        NULL};

struct lt_aten_table {
    lt_map map; /* "add.Tensor" → number of the row, counted through all families */
    const lt_aten_row **rows;
    uint32_t n, capacity;
};

enum { NAME_BYTES = 128 };

lathe_status lt_aten_table_create(lt_arena *arena, lt_aten_table **out, lathe_error *err)
{
    lt_aten_table *table;
    LT_ALLOC(arena, table, 1, err);
    table->map.arena = arena;
    for (const lt_aten_row *const *family = lt_aten_families; *family; family++)
        for (const lt_aten_row *row = *family; row->schema; row++) {
            char name[NAME_BYTES];
            int length = (int)strcspn(row->schema, "(");
            bool overload = memchr(row->schema, '.', (size_t)length) != NULL;
            snprintf(name, sizeof name, "%.*s%s", length, row->schema, overload ? "" : ".default");
            if (lt_map_get(&table->map, name) != LT_NONE)
                LT_FAIL(err, INTERNAL, "operator %s has two rows", name);
            LT_GROW(arena, table->rows, table->n, table->capacity, err);
            LT_TRY(lt_map_put(&table->map, name, table->n, err));
            table->rows[table->n++] = row;
        }
    *out = table;
    return LATHE_OK;
}

static const lt_aten_row *get(const lt_aten_table *table, const char *name)
{
    uint32_t index = lt_map_get(&table->map, name);
    return index == LT_NONE ? NULL : table->rows[index];
}

const lt_aten_row *lt_aten_find(const lt_aten_table *table, const char *target, lt_aten_form *form)
{
    char name[NAME_BYTES];
    *form = LT_ATEN_FUNCTIONAL;
    if (lt_str_starts_with(target, "aten.")) target += 5;
    const char *overload = strchr(target, '.');
    if (strlen(target) + 16 > sizeof name) return NULL;
    snprintf(name, sizeof name, "%s%s", target, overload ? "" : ".default");
    const lt_aten_row *row = get(table, name);
    if (row) return row;

    overload = strchr(name, '.');
    size_t base = (size_t)(overload - name);
    char derived[NAME_BYTES + 16];
    bool inplace = base > 1 && name[base - 1] == '_' && name[base - 2] != '_';
    if (inplace) {
        snprintf(derived, sizeof derived, "%.*s%s", (int)base - 1, name, overload);
        *form = LT_ATEN_INPLACE;
        return get(table, derived);
    }
    if (lt_str_ends_with(name, ".out")) snprintf(derived, sizeof derived, "%.*s.default", (int)base, name);
    else if (lt_str_ends_with(name, "_out"))
        snprintf(derived, sizeof derived, "%.*s", (int)strlen(name) - 4, name);
    else return NULL;
    *form = LT_ATEN_OUT;
    return get(table, derived);
}
