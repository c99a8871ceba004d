/* The operator table as a page: what docs/ops.md holds. */
#include <stdlib.h>
#include <string.h>

#include "aten/aten.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One page of all ATen overloads and all primitives. The text is on the heap. */
lathe_status lathe_describe_operators(char **out, lathe_error *err)
{
    lt_text text = {0};
    size_t n = 0;
    *out = NULL;
    for (const lt_aten_row *const *family = lt_aten_families; *family; family++)
        for (const lt_aten_row *row = *family; row->schema; row++) n++;
    const char **schemas = lt_heap_alloc(n, sizeof *schemas);
    if (!schemas) return lt_out_of_memory(err, n, sizeof *schemas);
    n = 0;
    for (const lt_aten_row *const *family = lt_aten_families; *family; family++)
        for (const lt_aten_row *row = *family; row->schema; row++) schemas[n++] = row->schema;
    qsort(schemas, n, sizeof *schemas, by_name);

    lt_text_printf(&text,
                   "# Operators\n\nWritten by `lathe ops`; do not edit.\n\n## ATen overloads "
                   "(%zu)\n\nIn-place (`add_`) and `out=` forms of "
                   "these run as well.\n\n",
                   n);
    for (size_t i = 0; i < n; i++) lt_text_printf(&text, "- `%s`\n", schemas[i]);
    lt_text_printf(&text, "\n## Primitives (%d)\n\nWhat every ATen operator is built from.\n\n",
                   (int)LT_OP_COUNT);
    for (int op = 0; op < LT_OP_COUNT; op++) {
        const lt_op_info *info = lt_op_get((lt_op)op);
        const char *kind = info->flags & LT_OP_ELEMENTWISE ? "elementwise"
                           : info->flags & LT_OP_VIEW      ? "view"
                           : info->flags & LT_OP_UPDATE    ? "update"
                                                           : "kernel";
        lt_text_printf(&text, "- `%s` (%s)\n", info->name, kind);
    }
    lt_heap_free(schemas);
    lathe_status status = lt_text_status(&text, err);
    if (status == LATHE_OK) *out = text.data;
    else lt_text_free(&text);
    return status;
}
