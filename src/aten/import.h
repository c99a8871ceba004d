/* From an exported program and a binding of its symbols to a graph: names resolved, regions inlined, in-place
 * operators made functional, every operator built from primitives, shapes inferred and compared with what the
 * file records. */
#ifndef LT_IMPORT_H
#define LT_IMPORT_H

#include "aten/aten.h"

typedef struct lt_import_options {
    const int64_t *bindings; /* a value for each symbol of the exported program */
    const lt_aten_table *table;
    /* Inputs that a session keeps: pairs of (user input, user output that is its next value). */
    const struct lt_state_pair {
        uint32_t input, output;
    } * pairs;
    uint32_t n_pairs;
} lt_import_options;

/* Inputs and outputs of the graph are the user inputs and outputs, in order. The graph lives in `arena`.
 * An operator that cannot be built does not end the work: all of them are described in `report` (may be
 * NULL), and the status is that of the first. */
lathe_status lt_import(const lt_exported *exported, const lt_import_options *options, lt_arena *arena,
                       lt_graph **out, lt_text *report, lathe_error *err) LT_MUST_USE;

/* Describes the operators that cannot be imported: how often, where, what to do. Appends nothing when all
 * can. */
lathe_status lt_import_unsupported(const lt_exported *exported, const lt_aten_table *table, lt_text *report,
                                   lathe_error *err) LT_MUST_USE;

/* Appends the module and the line of Python that a node comes from, where the file has them. */
void lt_import_where(const lt_xnode *node, lt_text *text);

/* The path of the module that a node comes from, in `arena`; "" where the file does not tell. */
lathe_status lt_import_module(const lt_xnode *node, lt_arena *arena, const char **path,
                              lathe_error *err) LT_MUST_USE;

/* Binds the symbols in one user input's sizes, and checks sizes already known. `dim` has `rank` entries. */
lathe_status lt_import_bind(const lt_exported *exported, const lt_xinput *input, int rank, const int64_t *dim,
                            int64_t *bindings, lathe_error *err) LT_MUST_USE;

/* Whether the sizes are among those that the model was exported for: a TYPE error names the condition. */
lathe_status lt_import_check(const lt_exported *exported, const int64_t *bindings,
                             lathe_error *err) LT_MUST_USE;

#endif
