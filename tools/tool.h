/* What the commands of the lathe program share. Commands see the public headers only. */
#ifndef LATHE_TOOL_H
#define LATHE_TOOL_H

#include <stdbool.h>

#include <lathe/lathe.h>

/* Exit codes of every command. */
enum { EXIT_DONE = 0, EXIT_DIFFERS = 1, EXIT_USAGE = 2 };

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

/* Prints a message about wrong usage; returns EXIT_USAGE. */
int tool_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- Models (tool_model.c) ---- */

enum { TOOL_MAX_WEIGHTS = 32, TOOL_PATH_BYTES = 4096 };

/* Where the weights of a model come from. */
typedef struct tool_weights {
    const char *path[TOOL_MAX_WEIGHTS];
    int n;
    bool random;   /* those that no file has are made up */
    uint64_t seed; /* of these */
    lathe_quantization quantization;
    int activations; /* as in lathe_session_options */
} tool_weights;

bool tool_add_weights(tool_weights *weights, const char *path); /* false: too many */

/* The values of --quantize (int8, int4) and --activations (int8, int16); false: it is none. */
bool tool_set_quantization(tool_weights *weights, const char *value);
bool tool_set_activations(tool_weights *weights, const char *value);

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

/* ---- Devices (tool_device.c) ---- */

/* Where the model runs; what the lists in it point to. */
typedef struct tool_placement {
    lathe_placement lathe;
    char pins[TOOL_PATH_BYTES];
} tool_placement;

/* The lines of --help for the options that tool_set_placement knows. */
#define TOOL_PLACEMENT_HELP                                                                           \
    "  --device LIST        where to run: cpu (default), ref (the plain references), opencl:0 …;\n" \
    "                       what the first cannot do goes to the next, and then to the CPU\n"         \
    "  --executor E         linear (default), or dag: regions run as soon as they can\n"              \
    "  --cpu-ops LIST       ATen operators that stay on the CPU: aten.softmax.int,aten.mul.Tensor\n"  \
    "  --pin NODE=DEVICE    a node of the file and where it runs; may be repeated\n"                  \
    "  --islands merge|keep what is too small for its device goes to the CPU (default), or not\n"

/* The same for getopt_long, as options of the value `id`. */
#define TOOL_PLACEMENT_LONG(id)                                                         \
    {"device", required_argument, NULL, id}, {"executor", required_argument, NULL, id}, \
        {"cpu-ops", required_argument, NULL, id},                                       \
    {                                                                                   \
        "pin", required_argument, NULL, id                                              \
    }

/* Where a model runs: as asked for, else as it was compiled; says so where those devices are not here. The
 * text is the option's or the model's. */
const char *tool_device_of(const lathe_model *model, const tool_placement *placement);

/* Takes an option (with or without the two dashes) and its value; false: it is none of them, or there are too
 * many pins. */
bool tool_set_placement(tool_placement *placement, const char *option, const char *value);

/* ---- Texts (tool_text.c) ---- */

typedef struct tool_text {
    char *data;  /* malloc, terminated */
    size_t size; /* without the terminator */
} tool_text;

/* Reads a file, or standard input ("-"), to its last byte. Says what went wrong; returns the exit code. */
int tool_read_text(const char *command, const char *path, tool_text *out);

#endif
