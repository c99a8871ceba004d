/* A model: the exported program, its operators looked up, its weights found and brought into a form that
 * runs. */
#ifndef LT_MODEL_H
#define LT_MODEL_H

#include "aten/import.h"
#include "base/os.h"
#include "load/lathe_file.h"
#include "load/weights.h"
#include "program/program.h"

/* A weight that a program can read. */
typedef struct lt_model_weight {
    const void *data;            /* element 0; NULL until lt_model_need_weight */
    int64_t stride[LT_MAX_RANK]; /* elements */
    void *owned;                 /* memory to free; NULL when data lies in a file's mapping */
    const char *source;          /* the file's name of it, when it came from a weights file */
} lt_model_weight;

enum { LT_MAX_WEIGHTS_FILES = 32 };

/* What lathe_model_compile settled: kept in .lathe files. */
typedef struct lt_model_settings {
    int optimize; /* as in lathe_session_options */
} lt_model_settings;

struct lathe_model {
    lt_arena *arena;
    lt_file file;
    lt_lathe *lathe; /* the sections of a .lathe file; NULL for other formats */
    lt_exported *exported;
    lt_model_settings settings;
    const lt_xinput **user_inputs;   /* [n_user_inputs], of exported->inputs */
    const lt_xoutput **user_outputs; /* [n_user_outputs] */
    lt_aten_table *table;
    lt_model_weight *weights;                /* [exported->n_weights] */
    lt_weights *given;                       /* the weights files; NULL when there are none */
    const char *paths[LT_MAX_WEIGHTS_FILES]; /* of these, in the arena */
    uint32_t n_paths, n_user_inputs, n_user_outputs;
    struct lt_hoisted *hoisted; /* values computed from weights alone, shared by all sessions (hoisted.h) */
    lt_text unsupported;        /* the report; filled on first need */
    lt_text notes;              /* what was done with weights that the user should know */
    bool looked;                /* whether it was */
};

/* Finds the bytes of a weight: in the weights files, in the archive, or as the tie of
 * a weight that is not used itself. An error names the weight when there are none, or when they do not fit.
 */
lathe_status lt_model_need_weight(lathe_model *model, uint32_t index, lathe_error *err) LT_MUST_USE;

/* Whether the graph reads the weight. */
bool lt_model_reads_weight(const lathe_model *model, uint32_t index);

/* How the weights lie, for lowering; finds those that are asked for. */
lt_weight_layout lt_model_layout(lathe_model *model);

/* Gives back the memory of a weight that lies in a file's mapping; it is read again when it is needed. */
void lt_model_discard_weight(lathe_model *model, uint32_t index);

/* The user input or output of that number among exported->inputs / outputs. */
const lt_xinput *lt_model_user_input(const lathe_model *model, size_t index);
const lt_xoutput *lt_model_user_output(const lathe_model *model, size_t index);

/* Pairs of an input and the output that is its next value (KV caches), on the heap. */
lathe_status lt_model_find_pairs(const lathe_model *model, struct lt_state_pair **out, uint32_t *n,
                                 lathe_error *err) LT_MUST_USE;

/* settings.c: settings as the manifest of a .lathe file. */
lathe_status lt_model_read_manifest(lathe_model *model, lathe_error *err) LT_MUST_USE;
lathe_status lt_model_write_manifest(const lathe_model *model, lt_text *out, lathe_error *err) LT_MUST_USE;

#endif
