/* From the sizes of inputs to the values of symbols, and what the export promised about them. */
#include <stdio.h>

#include "aten/import.h"

/* Sizes such as 2*s tell s when it stands alone in them. */
static lathe_status bind_dim(const lt_exported *exported, const lt_xinput *input, int d,
                             const lt_xdim *recorded, int64_t size, int64_t *bindings, lathe_error *err)
{
    uint32_t symbol;
    int64_t value;
    if (!recorded->expr || !lt_expr_solve(recorded->expr, bindings, size, &symbol, &value)) return LATHE_OK;
    const lt_symbol *s = &exported->symbols[symbol];
    if (value < s->min || value > s->max) {
        char most[32] = "or more";
        if (s->max < INT64_MAX) snprintf(most, sizeof most, "to %lld", (long long)s->max);
        LT_FAIL(err, TYPE,
                "input '%s': dimension %d is %lld, so %s is %lld: the model was exported for %lld %s",
                input->label, d, (long long)size, s->name, (long long)value, (long long)s->min, most);
    }
    bindings[symbol] = value;
    return LATHE_OK;
}

lathe_status lt_import_bind(const lt_exported *exported, const lt_xinput *input, int rank, const int64_t *dim,
                            int64_t *bindings, lathe_error *err)
{
    uint32_t index = input->name ? lt_map_get(&exported->graph.type_of, input->name) : LT_NONE;
    if (index == LT_NONE || exported->graph.types[index].rank < 0)
        LT_FAIL(err, INVALID_ARGUMENT, "input '%s' was exported as a constant: it takes no tensor",
                input->label);
    const lt_xtype *recorded = &exported->graph.types[index];
    if (recorded->rank != rank)
        LT_FAIL(err, TYPE, "input '%s' has rank %d, expected %d", input->label, rank, recorded->rank);
    for (int d = 0; d < rank; d++)
        LT_TRY(bind_dim(exported, input, d, &recorded->dim[d], dim[d], bindings, err));
    for (int d = 0; d < rank; d++) {
        int64_t want;
        if (lt_xdim_eval(&recorded->dim[d], bindings, &want, NULL) != LATHE_OK)
            continue; /* another input decides */
        if (want == dim[d]) continue;
        lt_text text = {0};
        if (recorded->dim[d].expr) lt_text_printf(&text, " (");
        if (recorded->dim[d].expr) lt_expr_print(recorded->dim[d].expr, &text);
        if (recorded->dim[d].expr) lt_text_printf(&text, ")");
        lathe_status status =
            lt_error_set(err, LATHE_TYPE, "input '%s': dimension %d is %lld, expected %lld%s", input->label,
                         d, (long long)dim[d], (long long)want, text.data ? text.data : "");
        lt_text_free(&text);
        return status;
    }
    return LATHE_OK;
}

lathe_status lt_import_check(const lt_exported *exported, const int64_t *bindings, lathe_error *err)
{
    for (uint32_t i = 0; i < exported->n_guards; i++) {
        lt_number holds;
        /* One that names a symbol without a value, or divides by zero, says nothing about these sizes. */
        if (lt_expr_eval(exported->guards[i].expr, bindings, &holds, NULL) != LATHE_OK || holds.i) continue;
        LT_FAIL(err, TYPE, "the model was exported for sizes with %s", exported->guards[i].text);
    }
    return LATHE_OK;
}
