/* A model: the exported program, its operators looked up, its weights found and brought into a form that
 * runs. */
#ifndef LT_MODEL_H
#define LT_MODEL_H

#include "aten/import.h"
#include "base/os.h"
#include "load/lathe_file.h"
#include "load/pack.h"
#include "program/program.h"

/* A weight that a program can read. */
typedef struct lt_model_weight {
    const void *data;            /* element 0; NULL until lt_model_need_weight */
    int64_t stride[LT_MAX_RANK]; /* elements */
    void *owned;                 /* memory to free; NULL when data lies in a file's mapping */
    const lt_weight *from;       /* where it came from, when that is a weights file */
    bool placed;                 /* a program reads `data` where it lies */
    lt_packed packed;            /* data NULL: it has no packed form, or nobody asked */
    const void *packed_from;     /* the bytes that were packed: ties have the same */
    bool owns_packed;            /* else the memory is a tie's */
} lt_model_weight;

enum { LT_MAX_WEIGHTS_FILES = 32 };

/* What lathe_model_compile settled: kept in .lathe files. */
typedef struct lt_model_settings {
    int optimize, activations; /* as in lathe_session_options */
    const char *kv_type;       /* likewise, of sessions that keep caches */
    lathe_placement placement; /* likewise */
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
    lt_lathe_partition *partitions; /* [n_partitions], of a .lathe file */
    uint32_t n_partitions;
    struct lt_hoisted *hoisted; /* values computed from weights alone, shared by all sessions (hoisted.h) */
    lathe_quantization quantization; /* of matrices that linear layers read */
    lt_text unsupported;             /* the report; filled on first need */
    lt_text notes;                   /* what was done with weights that the user should know */
    bool looked;                     /* whether it was */
};

/* model.c: looks up what an exported program consists of, once model->exported is there. */
lathe_status lt_model_settle(lathe_model *model, lathe_error *err) LT_MUST_USE;

/* Finds the bytes of a weight: in the weights files, in the archive, or as the tie of
 * a weight that is not used itself. An error names the weight when there are none, or when they do not fit.
 */
lathe_status lt_model_need_weight(lathe_model *model, uint32_t index, lathe_error *err) LT_MUST_USE;

/* Whether the graph reads the weight. */
bool lt_model_reads_weight(const lathe_model *model, uint32_t index);

/* The weight in the weights files; NULL when the archive's own bytes are meant, or when there are none. */
lathe_status lt_model_find_weight(const lathe_model *model, uint32_t index, const lt_weight **out,
                                  lathe_error *err) LT_MUST_USE;

/* Brings a matrix into packed form: where its file has it in blocks that a packing holds exactly, and, in a
 * model that is to be quantised, where a linear layer reads it. What it was packed from is given back.
 * *packed false: it stays as it is. */
lathe_status lt_model_need_packed(lathe_model *model, uint32_t index, bool linear, lt_pool *pool,
                                  bool *packed, lathe_error *err) LT_MUST_USE;

/* Whether that will bring it into packed form, and into which; no bytes are touched. */
lathe_status lt_model_plan_packed(const lathe_model *model, uint32_t index, bool linear, lt_packing *packing,
                                  bool *packed, lathe_error *err) LT_MUST_USE;

/* The values of a packed weight, contiguous, in the type that the graph gives it. */
void lt_model_unpack(const lathe_model *model, uint32_t index, void *out);

/* Where the weights of a model come from, for lowering. */
typedef struct lt_weight_source {
    lathe_model *model;
    lt_pool *pool;  /* of the threads that pack; NULL: this one */
    bool reference; /* packed weights are read in plain form */
    double seconds; /* spent on packing */
} lt_weight_source;

/* How the weights lie; finds those that are asked for. The source outlives the layout. */
lt_weight_layout lt_model_layout(lt_weight_source *source);

/* Gives back the memory of a weight that lies in a file's mapping; it is read again when it is needed. */
void lt_model_discard_weight(lathe_model *model, uint32_t index);

/* The user input or output of that number among exported->inputs / outputs. */
const lt_xinput *lt_model_user_input(const lathe_model *model, size_t index);
const lt_xoutput *lt_model_user_output(const lathe_model *model, size_t index);

/* Pairs of an input and the output that is its next value (KV caches), on the heap. */
lathe_status lt_model_find_pairs(const lathe_model *model, struct lt_state_pair **out, uint32_t *n,
                                 lathe_error *err) LT_MUST_USE;

/* An output that goes on with an input but is no update of it in place: sessions do not keep it. */
typedef struct lt_state_copy {
    uint32_t input, output;
    const char *reason; /* a constant */
} lt_state_copy;

/* Those in an arena. */
lathe_status lt_model_find_copies(const lathe_model *model, lt_arena *arena, lt_state_copy **out, uint32_t *n,
                                  lathe_error *err) LT_MUST_USE;

/* compile.c: the graph of a model after the passes, with its caches as state, of the type that the settings
 * say; sizes that are open have their least. */
typedef struct lt_graph_request {
    bool closed;     /* sizes that are open are an error */
    bool portable;   /* nothing that the CPU alone runs */
    bool stateless;  /* caches are inputs and outputs */
    lt_text *passes; /* gets the graph after every pass; may be NULL */
} lt_graph_request;
lathe_status lt_model_graph(const lathe_model *model, const lt_graph_request *request, lt_arena *arena,
                            lt_graph **out, lathe_error *err) LT_MUST_USE;
bool lt_model_is_open(const lathe_model *model); /* whether some size is */

/* partitions.c: the partition of such a graph for devices, in an arena. */
struct lt_devices;
struct lt_partition;
lathe_status lt_model_partition(const lathe_model *model, struct lt_devices *devices, bool stateless,
                                lt_arena *arena, struct lt_partition **out, lathe_error *err) LT_MUST_USE;

/* The same: those of the model's placement, as a .lathe file has them; nothing where there are none. */
lathe_status lt_model_write_partitions(lathe_model *model, lt_text *out, lathe_error *err) LT_MUST_USE;

/* compile.c: brings the weights into the forms that the model's programs read. */
lathe_status lt_model_place_weights(lathe_model *model, lathe_error *err) LT_MUST_USE;

/* settings.c: the type of that name in lathe_session_options.kv_type; NULL: LATHE_DTYPE_COUNT, as the graph
 * has it. */
lathe_status lt_kv_type_parse(const char *name, lt_dtype *out, lathe_error *err) LT_MUST_USE;

/* The same: settings as the manifest of a .lathe file. */
lathe_status lt_model_read_manifest(lathe_model *model, lathe_error *err) LT_MUST_USE;
lathe_status lt_model_write_manifest(const lathe_model *model, lt_text *out, lathe_error *err) LT_MUST_USE;

#endif
