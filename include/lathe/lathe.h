/* lathe: run models exported from PyTorch without Python or libtorch.
 *
 *     lathe_error err;
 *     lathe_model *model;
 *     lathe_session *session;
 *     lathe_tensor x, y;
 *     if (lathe_model_open("resnet18.pt2", &model, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_create(model, NULL, &session, &err) != LATHE_OK) die(err.message);
 *     lathe_tensor_init(&x, LATHE_F32, 4, (int64_t[]){1, 3, 224, 224}, pixels);
 *     if (lathe_session_set_input(session, 0, &x, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_run(session, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_output(session, 0, &y, &err) != LATHE_OK) die(err.message);
 *
 * Ownership is a tree: a session belongs to its model and must be closed before it. Nothing here is global:
 * different models may be used from different threads; one model and its sessions by one thread at a time.
 * Every call that can fail returns a status and explains itself in a caller-owned lathe_error (may be NULL).
 */
#ifndef LATHE_H
#define LATHE_H

#include <stddef.h>
#include <stdint.h>

#define LATHE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LATHE_MUST_USE __attribute__((warn_unused_result))
#define LATHE_API __attribute__((visibility("default")))
#else
#define LATHE_MUST_USE
#define LATHE_API
#endif

/* ---- Errors ---- */

/* X(name, text) */
#define LATHE_STATUS_LIST(X)                                                   \
    X(OK, "ok")                                                                \
    X(INVALID_ARGUMENT, "invalid argument") /* the caller's mistake */         \
    X(NO_MEMORY, "out of memory")                                              \
    X(IO, "input/output error")   /* the operating system refused */           \
    X(FORMAT, "broken file")      /* the bytes are not what the format says */ \
    X(UNSUPPORTED, "unsupported") /* valid, but not something lathe does */    \
    X(TYPE, "type error")         /* shapes or dtypes do not fit */            \
    X(DEVICE, "device error")                                                  \
    X(LIMIT, "limit reached")                                                  \
    X(INTERNAL, "internal error") /* a bug in lathe */

typedef enum lathe_status {
#define X(name, text) LATHE_##name,
    LATHE_STATUS_LIST(X)
#undef X
} lathe_status;

typedef struct lathe_error {
    lathe_status code;
    char message[1024]; /* one line or several, NUL-terminated: file, field or node, what was expected */
} lathe_error;

/* The text of a status code: a constant string. */
LATHE_API const char *lathe_status_text(lathe_status status);

/* ---- Tensors ---- */

/* X(name, text, bytes) */
#define LATHE_DTYPE_LIST(X) \
    X(BOOL, "bool", 1)      \
    X(U8, "uint8", 1)       \
    X(I8, "int8", 1)        \
    X(I16, "int16", 2)      \
    X(I32, "int32", 4)      \
    X(I64, "int64", 8)      \
    X(F16, "float16", 2)    \
    X(BF16, "bfloat16", 2)  \
    X(F32, "float32", 4)    \
    X(F64, "float64", 8)

typedef enum lathe_dtype {
#define X(name, text, bytes) LATHE_##name,
    LATHE_DTYPE_LIST(X)
#undef X
        LATHE_DTYPE_COUNT
} lathe_dtype;

enum { LATHE_MAX_RANK = 8 };

/* A view of memory that somebody else owns. */
typedef struct lathe_tensor {
    lathe_dtype dtype;
    int rank;
    int64_t dim[LATHE_MAX_RANK];
    int64_t stride[LATHE_MAX_RANK]; /* in elements; 0 repeats, negative runs backwards */
    void *data;                     /* the element with all indices 0 */
} lathe_tensor;

LATHE_API const char *lathe_dtype_name(lathe_dtype dtype);
LATHE_API size_t lathe_dtype_size(lathe_dtype dtype); /* bytes */

/* Describes contiguous (row-major) data. `dim` has `rank` entries; rank is at most LATHE_MAX_RANK. */
LATHE_API void lathe_tensor_init(lathe_tensor *tensor, lathe_dtype dtype, int rank, const int64_t *dim,
                                 void *data);
LATHE_API int64_t lathe_tensor_count(const lathe_tensor *tensor); /* elements */

/* ---- Models ---- */

typedef struct lathe_model lathe_model;

/* Opens a .pt2 archive, a pytorch-ir JSON graph or a .lathe file. Weights that the file holds stay in its
 * mapping. Operators that lathe does not have are no error here: see lathe_model_unsupported. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_open(const char *path, lathe_model **out, lathe_error *err);
LATHE_API void lathe_model_close(lathe_model *model); /* NULL is allowed; its sessions must be closed */

/* Takes weights by name from a safetensors file, a sharded index, or a GGUF file; may be called several times
 * before the first session is created. No name may be in two files; the archive's own weights give way. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_add_weights(lathe_model *model, const char *path,
                                                              lathe_error *err);

/* Fills weights that have no bytes with plausible random ones (normal, deviation 0.02; one for vectors), so
 * that a graph without a checkpoint can be measured. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_randomize_weights(lathe_model *model, uint64_t seed,
                                                                    lathe_error *err);

typedef enum lathe_quantization {
    LATHE_QUANTIZE_NONE,
    LATHE_QUANTIZE_INT8, /* 8.5 bits a value: groups of 32 share a scale */
    LATHE_QUANTIZE_INT4  /* 4.5 bits a value: groups of 32 share a scale and a minimum */
} lathe_quantization;

/* Quantises the matrices of linear layers when a session first needs them; embeddings that share such a
 * matrix are looked up in it. What a weights file has quantised stays as it is. To be called before the first
 * session is created. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_quantize(lathe_model *model,
                                                           lathe_quantization quantization, lathe_error *err);

/* What the user should know of the weights files once a session has run: lines of text, empty when there is
 * nothing (tensors that no part of the graph uses). Owned by the model, valid until the next call. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_notes(lathe_model *model, const char **text,
                                                        lathe_error *err);

/* A text that names each operator that cannot run: how often it is used, where, what to do. Empty when all
 * can. Owned by the model. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_unsupported(lathe_model *model, const char **report,
                                                              lathe_error *err);

/* User inputs and outputs, in the order of forward()'s flattened arguments and results. */
LATHE_API size_t lathe_model_input_count(const lathe_model *model);
LATHE_API size_t lathe_model_output_count(const lathe_model *model);

typedef struct lathe_value_info {
    const char *name; /* owned by the model */
    lathe_dtype dtype;
    int rank;                    /* -1: not a tensor (a value that was fixed when the model was exported) */
    int64_t dim[LATHE_MAX_RANK]; /* -1: symbolic */
    int64_t max[LATHE_MAX_RANK]; /* the largest size that the model was exported for; INT64_MAX: any */
    const char *text[LATHE_MAX_RANK]; /* each size as text: "3", "s", "2*s + 1"; owned by the model */
} lathe_value_info;

LATHE_API LATHE_MUST_USE lathe_status lathe_model_input(lathe_model *model, size_t index,
                                                        lathe_value_info *out, lathe_error *err);
LATHE_API LATHE_MUST_USE lathe_status lathe_model_output(lathe_model *model, size_t index,
                                                         lathe_value_info *out, lathe_error *err);

/* ---- Devices ---- */

/* Where a model runs, and in which order. All zero: as the model was compiled, else on the CPU. */
typedef struct lathe_placement {
    /* "cpu": fast kernels where there are some; "ref": the plain references. Else devices between
     * commas, in the order in which they are preferred ("opencl:0,cuda:0"): what none of them can do runs on
     * the CPU, and with "ref" behind them on the references. */
    const char *device;
    const char
        *executor; /* NULL or "linear": region by region; "dag": each as soon as what it reads is there */
    const char
        *cpu_ops; /* ATen operators that stay on the CPU: "aten.softmax.int,aten.mul.Tensor"; may be NULL */
    const char *pins; /* nodes of the file and their devices: "linear_3=cpu,add=opencl:0"; may be NULL */
    int keep_islands; /* a device takes all that it can, also where carrying values costs more than it gains
                       */
    /* Devices of other kinds than lathe has (backend.h): ends with NULL, and outlives the session. May be
     * NULL. */
    const struct lathe_backend *const *backends;
} lathe_placement;

/* A device that a placement can name, beside "ref". */
typedef struct lathe_device_entry {
    char name[32];                  /* "cpu", "opencl:0" … */
    char product[128], driver[128]; /* "" where unknown */
    int shared;                     /* its memory is the host's */
} lathe_device_entry;

/* Writes the devices of the kinds that are built in, up to `room`; *count: how many there are. */
LATHE_API LATHE_MUST_USE lathe_status lathe_list_devices(lathe_device_entry *out, size_t room, size_t *count,
                                                         lathe_error *err);

/* ---- Compiling ahead ---- */

/* A symbolic size by its name, as lathe_model_input shows it. */
typedef struct lathe_dim {
    const char *name;
    int64_t size;
} lathe_dim;

typedef struct lathe_compile_options {
    const lathe_dim *dims; /* [n_dims]: these sizes are fixed from here on */
    size_t n_dims;
    int optimize, activations;       /* as in lathe_session_options: of sessions that do not ask for others */
    const char *kv_type;             /* the same, of sessions that keep state */
    lathe_quantization quantization; /* as lathe_model_quantize */
    lathe_placement placement;       /* of sessions that are not told another; its devices are there */
} lathe_compile_options;

/* Settles what a model's sessions would else be told, finds its weights and, where all sizes are known,
 * compiles it to see that it can. To be called before the first session is created; `options` may be NULL. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_compile(lathe_model *model,
                                                          const lathe_compile_options *options,
                                                          lathe_error *err);

/* Writes a compiled model as one file, which is opened as any other model, needs no weights files and no
 * parsing, and runs on every CPU. `tokenizer` (may be NULL) is a file or folder as lathe_tokenizer_open takes
 * it, and goes into the file too. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_save(lathe_model *model, const char *path,
                                                       const char *tokenizer, lathe_error *err);

/* Where the model's sessions run that are not told another placement: what it was compiled for. Returns 0
 * when one of its devices is not there: they run on the CPU then. */
LATHE_API int lathe_model_placement(const lathe_model *model, lathe_placement *out);

typedef enum lathe_dump {
    LATHE_DUMP_GRAPH,  /* the optimised graph */
    LATHE_DUMP_PASSES, /* the graph as imported, and after each pass */
    LATHE_DUMP_PROGRAM /* steps, and where their tensors lie */
} lathe_dump;

/* What a model of known sizes is compiled to, as text for tests and people. It needs no weights. *text is
 * freed with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_dump(lathe_model *model, lathe_dump form, char **text,
                                                       lathe_error *err);

/* Compares every part of a .lathe file with its checksum; an error names the first that is damaged. Opening a
 * file checks all but the weights. Other files have nothing to check. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_check(lathe_model *model, lathe_error *err);

/* ---- Sessions ---- */

/* One timeline of runs: buffers, state, and a specialised program for each combination of input shapes met so
 * far. */
typedef struct lathe_session lathe_session;

typedef struct lathe_session_options {
    /* Keep inputs that an output updates (KV caches) inside the session, zero at first: the input need not be
     * set, only shaped by lathe_session_shape_input when it is symbolic, and the output is not delivered. */
    int keep_state;
    int threads;     /* 0: as many as the process may use */
    int optimize;    /* 0 (default): as compiled, else all; 1: nothing is optimised; 2: simplification
                        alone; 3: all */
    int activations; /* bits of what is multiplied with quantised weights: 16 (nearly as exact as float32) or
                        8 (faster); 0: as compiled, else 16 */
    const char *kv_type; /* what kept caches are stored as: "f32", "bf16", "f16" or "int8" (rows with a scale
                            for each head and position); NULL: as the graph has them. An error when something
                            other than attention reads them */
    lathe_placement placement;
} lathe_session_options;

/* `options` may be NULL. Fails with UNSUPPORTED when operators are missing. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_create(lathe_model *model,
                                                           const lathe_session_options *options,
                                                           lathe_session **out, lathe_error *err);
LATHE_API void lathe_session_close(lathe_session *session); /* NULL is allowed */

/* Whether the session keeps this input as state. */
LATHE_API int lathe_session_keeps_input(const lathe_session *session, size_t index);

/* Copies the tensor's elements, any strides; the dtype must be the input's. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_set_input(lathe_session *session, size_t index,
                                                              const lathe_tensor *tensor, lathe_error *err);

/* Fixes the sizes of a kept input. State that exists already is cleared when its sizes change. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_shape_input(lathe_session *session, size_t index,
                                                                int rank, const int64_t *dim,
                                                                lathe_error *err);

/* All state back to what a new session has. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_reset(lathe_session *session, lathe_error *err);

/* From now on, output `output` has only row `row` of those that its last dim but one counts, and is computed
 * for that row alone as far as possible: a language model's logits of the last position. It may be another
 * row in each run; -1: all rows, as at first. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_select_row(lathe_session *session, size_t output,
                                                               int64_t row, lathe_error *err);

/* What is kept for an input, as it lies in memory: a view for reading, valid until the next call on the
 * session. Caches of kv_type "int8" are int8 [..., 4 + n], each row a float32 scale and n values times it.
 * The inputs must be set (or shaped): their sizes say which state is meant. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_state(lathe_session *session, size_t index,
                                                          lathe_tensor *out, lathe_error *err);

/* Copies the tensor into what is kept for an input, from the first element of each dim on, whatever float
 * types both have (or rows of int8); the rest stays as it is. How one model hands its key/value caches to
 * another. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_write_state(lathe_session *session, size_t index,
                                                                const lathe_tensor *tensor, lathe_error *err);

LATHE_API LATHE_MUST_USE lathe_status lathe_session_run(lathe_session *session, lathe_error *err);

/* What it takes to get ready for a run of sizes that were not met before: compiling, and bringing weights
 * into the form that kernels read. Seconds; 0 when everything was ready. */
typedef struct lathe_preparation {
    double compile_seconds, pack_seconds;
} lathe_preparation;

/* Gets ready for a run on the inputs that are set; a run does it itself otherwise. `out` may be NULL. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_prepare(lathe_session *session, lathe_preparation *out,
                                                            lathe_error *err);

/* What the last run's program costs, counted from its steps. */
typedef struct lathe_cost {
    double weight_bytes;    /* of matrices, convolutions and norms: each read once */
    double state_bytes;     /* of all kept state */
    double flops;           /* of matrix products, convolutions and attention over the whole state */
    double attention_flops; /* those of attention among them */
    /* Names of the types that most bytes of the weights and of the state have, and of what the matrix
     * products multiply the weights with; "none" where there are none. Constant strings. */
    const char *weight_type, *state_type, *activations;
} lathe_cost;

LATHE_API LATHE_MUST_USE lathe_status lathe_session_cost(const lathe_session *session, lathe_cost *out,
                                                         lathe_error *err);

/* Operators of the last run's program that have no fast form for their types and layouts, each with the
 * number of its steps: "index_put 48, sort 1". Empty when there are none. Owned by the session. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_plain_steps(const lathe_session *session,
                                                                const char **text, lathe_error *err);

/* ---- Profiles ---- */

/* Whether runs note from now on when each of their steps ran, and on which threads. It costs looks at the
 * clock. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_profile(lathe_session *session, int on, lathe_error *err);

/* A step of the last run's program. Texts are owned by the session; those that the file does not tell are "".
 */
typedef struct lathe_step {
    const char *op, *type;              /* the primitive operator; the type of most that it reads */
    const char *device;                 /* where it runs; there, what is enqueued together runs as one */
    int plain;                          /* it has no fast form */
    uint32_t joint;                     /* how many steps from this one on run as one; 0: it is one of them */
    const char *node, *target, *module; /* of the file: its name, its operator, the path of its module */
    double bytes, flops; /* that it moves, and of products; of joint steps, those of this one alone */
    double cache_bytes, cache_flops; /* of these: attention's over the whole of the caches that are kept */
} lathe_step;

LATHE_API size_t lathe_session_step_count(const lathe_session *session); /* 0 before the first run */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_step(lathe_session *session, size_t index,
                                                         lathe_step *out, lathe_error *err);

/* When a step ran in the last profiled run, in seconds since it began; both 0 for what ran as part of
 * another.
 */
LATHE_API void lathe_session_step_time(const lathe_session *session, size_t index, double *begin,
                                       double *end);

/* When a thread (0: the caller's) worked on a part of a step, in seconds since the last profiled run began.
 */
typedef struct lathe_span {
    int thread;
    double begin, end;
} lathe_span;

/* Writes up to `room` spans of the last profiled run, in no certain order. Returns how many. */
LATHE_API size_t lathe_session_spans(const lathe_session *session, lathe_span *out, size_t room);

/* A value that the last profiled run carried between the memories of two devices, in the seconds since it
 * began that the host saw it take: until it was handed over, or was there. Texts are owned by the session. */
typedef struct lathe_transfer {
    const char *value;     /* the name that the file has for what makes it, or for itself; "" */
    const char *from, *to; /* devices; the host's memory is "cpu" (or "ref") */
    double bytes;
    int shared; /* both have the same memory: nothing was copied, one waited for the other */
    double begin, end;
} lathe_transfer;

LATHE_API size_t lathe_session_transfer_count(const lathe_session *session);
LATHE_API LATHE_MUST_USE lathe_status lathe_session_transfer(lathe_session *session, size_t index,
                                                             lathe_transfer *out, lathe_error *err);

/* The machine's limits as `threads` of lathe's threads reach them together, measured now (some 0.3 s). */
typedef struct lathe_limits {
    double read_bytes_per_second; /* over 1 GiB, or less where memory is short */
    double flops_per_second;      /* float32 multiply-adds in registers; a multiply-add counts as two */
    const char *level;            /* of the CPU kernels: "avx2" … */
    int threads;
} lathe_limits;

LATHE_API LATHE_MUST_USE lathe_status lathe_measure_limits(int threads, lathe_limits *out, lathe_error *err);

/* A view of an output of the last run, valid until the next call on the session. An output that is no tensor
 * or is kept as state has rank -1. */
LATHE_API LATHE_MUST_USE lathe_status lathe_session_output(lathe_session *session, size_t index,
                                                           lathe_tensor *out, lathe_error *err);

/* ---- Tensor files ---- */

/* A safetensors file or a NumPy .npy file (one tensor, without a name), mapped. */
typedef struct lathe_tensors lathe_tensors;

LATHE_API LATHE_MUST_USE lathe_status lathe_tensors_open(const char *path, lathe_tensors **out,
                                                         lathe_error *err);
LATHE_API void lathe_tensors_close(lathe_tensors *file); /* NULL is allowed; views into it end with it */
LATHE_API size_t lathe_tensors_count(const lathe_tensors *file);
LATHE_API const char *lathe_tensors_name(const lathe_tensors *file,
                                         size_t index); /* owned by the file; "" in .npy */
/* A tensor as a view into the file. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tensors_at(lathe_tensors *file, size_t index, lathe_tensor *out,
                                                       lathe_error *err);
/* The same by name; *found is 0 when there is none. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tensors_get(lathe_tensors *file, const char *name,
                                                        lathe_tensor *out, int *found, lathe_error *err);
/* Writes a safetensors file; tensors may have any strides. */
LATHE_API LATHE_MUST_USE lathe_status lathe_tensors_write(const char *path, const char *const *names,
                                                          const lathe_tensor *tensors, size_t count,
                                                          lathe_error *err);
/* Writes a .npy file; bfloat16 has no form there and is refused. */
LATHE_API LATHE_MUST_USE lathe_status lathe_npy_write(const char *path, const lathe_tensor *tensor,
                                                      lathe_error *err);

/* ---- Descriptions ---- */

typedef enum lathe_description {
    LATHE_AS_TEXT,
    LATHE_AS_JSON,
    LATHE_AS_MERMAID,
    LATHE_AS_DOT
} lathe_description;

/* Describes a model, safetensors or GGUF file without touching the bytes of its weights: of a model also what
 * its numbers are stored as, multiplied as and summed in. MERMAID and DOT draw the graph of a model. *text is
 * freed with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_describe(const char *path, lathe_description form, char **text,
                                                     lathe_error *err);
/* The same of an open model, with the weights files, quantisation and settings that it was given. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_describe(lathe_model *model, lathe_description form,
                                                           char **text, lathe_error *err);
LATHE_API void lathe_text_free(char *text); /* NULL is allowed */

/* Tells how a model would be divided over devices: regions, what is carried between them and why; sizes that
 * are open have their least. Needs no weights. TEXT, MERMAID or DOT. *text is freed with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_explain(lathe_model *model,
                                                          const lathe_placement *placement,
                                                          lathe_description form, char **text,
                                                          lathe_error *err);

typedef struct lathe_diff_options {
    lathe_placement device, against; /* the one in question; the one that is trusted (all zero: the CPU) */
    const lathe_tensor *inputs;      /* [input count]; rank -1: not a tensor */
    int optimize;                    /* as in lathe_session_options */
    size_t skip;           /* this many nodes differ as they like, to find what differs behind them */
    const char *case_path; /* where a node that differs is written as a model of its own (a .lathe
                              file), and beside it (.safetensors) input.K, output.K (trusted), found.K
                              and tolerance.K; may be NULL */
    void (*on_node)(void *user, size_t done, size_t of); /* progress; may be NULL */
    void *user;
} lathe_diff_options;

typedef struct lathe_difference {
    size_t checked, nodes; /* of the graph, in the order in which they run */
    char *text;            /* what differs: node, Python line, values; NULL: nothing. lathe_text_free */
} lathe_difference;

/* Runs a model's nodes one by one in two places, each on the inputs that the trusted one made, and stops at
 * the first whose results differ by more than rounding explains. */
LATHE_API LATHE_MUST_USE lathe_status lathe_model_diff(lathe_model *model, const lathe_diff_options *options,
                                                       lathe_difference *out, lathe_error *err);

/* The devices that are there: memory, measured bandwidth, what they run; and of kinds that are missing, why.
 * *text is freed with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_describe_devices(char **text, lathe_error *err);

/* Whether "cpu", "ref", or a device such as "opencl:0" is there. */
LATHE_API int lathe_device_exists(const char *device);

/* The operators that lathe supports, as Markdown. Freed with lathe_text_free. */
LATHE_API LATHE_MUST_USE lathe_status lathe_describe_operators(char **text, lathe_error *err);

/* ---- Values ---- */

/* Element at a flat row-major position, as a double. */
LATHE_API double lathe_tensor_value(const lathe_tensor *tensor, int64_t position);

#ifdef __cplusplus
}
#endif
#endif
