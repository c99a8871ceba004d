/* What the commands of the lathe program share. Commands see the public headers only. */
#ifndef LATHE_TOOL_H
#define LATHE_TOOL_H

#include "tool_options.h"

/* One row for each command: X(name, what it does). Each is a function int cmd_<name>(int argc, char **argv),
 * where argv[0] is the command's name. */
/* clang-format off */
#define LATHE_COMMANDS(X) \
    X(inspect, "describe a model or weights file") \
    X(ops, "list the supported operators") \
    X(compile, "write a model, its weights and its tokenizer as one file") \
    X(run, "run a model on given inputs") \
    X(generate, "let a language model write") \
    X(tokenize, "turn text into token ids, or back") \
    X(bench, "measure how fast a model runs") \
    X(profile, "measure where a run's time goes") \
    X(eval, "judge a language model by a text, or compare two") \
    X(explain, "tell how a model is divided over devices") \
    X(diff, "find the first node that differs between two devices") \
    X(devices, "list the devices of this machine") \
    X(verify, "compare a model's outputs with recorded ones")
/* clang-format on */

#define X(name, text) int cmd_##name(int argc, char **argv);
LATHE_COMMANDS(X)
#undef X

/* Prints "lathe: " and the error's message to standard error. Returns the exit code that belongs to it: 2 for
 * what the user or the file did wrong, 1 for everything else. */
int tool_fail(const lathe_error *err);

/* ---- Models (tool_model.c) ---- */

enum { TOOL_PATH_BYTES = 4096 };

/* Where the weights of a model come from. */
typedef struct tool_weights {
    tool_texts files;
    bool random;   /* those that no file has are made up */
    uint64_t seed; /* of these */
    lathe_quantization quantization;
    int activations; /* as in lathe_session_options */
} tool_weights;

/* Options that commands share: of a tool_weights; of a const char * what caches are stored as; of ints as
 * in lathe_session_options. */
extern const tool_option tool_weights_options[], tool_random_options[], tool_quantize_options[],
    tool_kv_options[], tool_optimize_options[], tool_threads_options[], tool_tokenizer_options[];
#define tool_activations_options (tool_quantize_options + 1) /* without --quantize */
extern const tool_word tool_kv_words[], tool_graph_words[];

lathe_status tool_open_model(const char *path, const tool_weights *weights, lathe_model **out,
                             lathe_error *err) LATHE_MUST_USE;

/* Sets all inputs to zeros; open sizes to 1. */
lathe_status tool_set_zero_inputs(lathe_model *model, lathe_session *session,
                                  lathe_error *err) LATHE_MUST_USE;

/* input.I of a file of recorded tensors; rank -1 where it has none, or the model's input is no tensor. */
lathe_status tool_recorded_input(lathe_model *model, lathe_tensors *file, size_t i, lathe_tensor *out,
                                 lathe_error *err) LATHE_MUST_USE;

/* FILE without .pt2, .json or .lathe, and without .core before it, plus `suffix`: a file beside it. */
void tool_sibling(const char *file, const char *suffix, char path[TOOL_PATH_BYTES]);

/* The file that has a model's tokenizer: the one given, a GGUF file among the weights, the model itself when
 * it is a .lathe file, or a tokenizer.json beside it. False when there is none. */
bool tool_find_tokenizer(const char *given, const char *model, const tool_weights *weights,
                         char out[TOOL_PATH_BYTES]);

/* Sizes that are given to open ones, by TOOL_CUSTOM(…, tool_take_dim). */
typedef struct tool_dims {
    lathe_dim dim[16];
    char name[16][64];
    size_t n;
} tool_dims;

bool tool_take_dim(void *dims, const char *value); /* NAME=SIZE */

/* ---- Devices (tool_device.c) ---- */

/* Where the model runs; what the lists in it point to. */
typedef struct tool_placement {
    lathe_placement lathe;
    char pins[TOOL_PATH_BYTES];
} tool_placement;

extern const tool_option tool_placement_options[]; /* --executor comes first */
#define tool_device_options (tool_placement_options + 1)
extern const tool_word tool_executor_words[];

/* Where a model runs: as asked for, else as it was compiled; says so where those devices are not here. The
 * text is the option's or the model's. */
const char *tool_device_of(const lathe_model *model, const tool_placement *placement);

/* ---- Texts (tool_text.c) ---- */

typedef struct tool_text {
    char *data;  /* malloc, terminated */
    size_t size; /* without the terminator */
} tool_text;

/* Reads a file, or standard input ("-"), to its last byte. Says what went wrong; returns the exit code. */
int tool_read_text(const char *command, const char *path, tool_text *out);

#endif
