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

/* The row of `base` (its first `length` bytes) with an overload, or with the one that some operators go by
 * instead. */
static const lt_aten_row *get_overload(const lt_aten_table *table, const char *base, size_t length,
                                       const char *overload, const char *instead)
{
    char name[2 * NAME_BYTES];
    snprintf(name, sizeof name, "%.*s.%s", (int)length, base, overload);
    const lt_aten_row *row = get(table, name);
    if (row) return row;
    snprintf(name, sizeof name, "%.*s.%s", (int)length, base, instead);
    return get(table, name);
}

/* add_.Tensor is add.Tensor; floor_divide_.Tensor is floor_divide.default; __iand__.Tensor is __and__.Tensor.
 */
static const lt_aten_row *get_inplace(const lt_aten_table *table, const char *name, size_t base)
{
    /* Overloads that are called something else without the underscore; pow.Scalar is another operator. */
    static const char *const renamed[][2] = {{"transpose_.default", "transpose.int"},
                                             {"pow_.Tensor", "pow.Tensor_Tensor"},
                                             {"pow_.Scalar", "pow.Tensor_Scalar"},
                                             {"float_power_.Tensor", "float_power.Tensor_Tensor"},
                                             {"float_power_.Scalar", "float_power.Tensor_Scalar"}};
    const char *overload = name + base + 1;
    for (size_t i = 0; i < LT_COUNT(renamed); i++)
        if (strcmp(name, renamed[i][0]) == 0) return get(table, renamed[i][1]);
    if (base > 4 && lt_str_starts_with(name, "__i") && name[base - 2] == '_') {
        char dunder[NAME_BYTES];
        snprintf(dunder, sizeof dunder, "__%s", name + 3);
        return get(table, dunder);
    }
    if (base < 2 || name[base - 1] != '_' || name[base - 2] == '_') return NULL;
    return get_overload(table, name, base - 1, overload, "default");
}

/* exp.out is exp.default, add.out is add.Tensor, eq.Scalar_out is eq.Scalar. */
static const lt_aten_row *get_out(const lt_aten_table *table, const char *name, size_t base)
{
    char functional[NAME_BYTES];
    if (lt_str_ends_with(name, ".out")) return get_overload(table, name, base, "default", "Tensor");
    if (lt_str_ends_with(name, ".out_mode")) return get_overload(table, name, base, "Tensor_mode", "default");
    if (!lt_str_ends_with(name, "_out")) return NULL;
    snprintf(functional, sizeof functional, "%.*s", (int)strlen(name) - 4, name);
    return get(table, functional);
}

const lt_aten_row *lt_aten_find(const lt_aten_table *table, const char *target, lt_aten_form *form)
{
    char name[NAME_BYTES];
    *form = LT_ATEN_FUNCTIONAL;
    if (lt_str_starts_with(target, "aten.")) target += 5;
    /* Rows of other libraries keep their prefix, and have no overloads. */
    bool foreign = lt_str_starts_with(target, "prims.") || lt_str_starts_with(target, "transformers.") ||
                   lt_str_starts_with(target, "lathe.");
    if (strlen(target) + 16 > sizeof name) return NULL;
    snprintf(name, sizeof name, "%s%s", target, strchr(target, '.') ? "" : ".default");
    if (foreign && lt_str_ends_with(name, ".default")) name[strlen(name) - strlen(".default")] = '\0';
    const lt_aten_row *row = get(table, name);
    if (row || foreign) return row;

    size_t base = strcspn(name, ".");
    row = get_inplace(table, name, base);
    *form = row ? LT_ATEN_INPLACE : LT_ATEN_OUT;
    return row ? row : get_out(table, name, base);
}
