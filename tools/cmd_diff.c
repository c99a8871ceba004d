/* lathe diff: where two devices part. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOOL_STRUCT diff_options
#include "tool.h"

typedef struct diff_options {
    const char *file, *inputs, *device, *against, *output;
    tool_weights weights;
    int optimize;
    size_t skip;
} diff_options;

static const tool_option options[] = {
    {"--device D", TOOL_NEEDED(device), "the side that is in question"},
    {"--against D", TOOL_TEXT(against), "the trusted side (default: ref)"},
    TOOL_SHARED(weights, tool_weights_options),
    {"--inputs F", TOOL_TEXT(inputs),
     "safetensors with input.K (default: FILE with .safetensors for .pt2, and without .core)"},
    TOOL_SHARED(optimize, tool_optimize_options),
    {"--skip N", TOOL_INTEGER(skip, 0, INT64_MAX),
     "nodes that are not compared, from the first on: to find a second difference"},
    {"-o, --output F", TOOL_TEXT(output),
     "where the node that differs goes, as a model of its own for 'lathe verify'; beside it .safetensors "
     "with input.K, output.K (trusted), found.K and tolerance.K (default: FILE with .difference.lathe for "
     ".pt2)"},
    {0},
};

static const tool_command command = {
    .name = "diff",
    .intro = "Runs the nodes of a model one by one on two devices, each on the inputs that the trusted one "
             "made, and stops at the first whose results differ by more than rounding explains.",
    .arguments = {{"FILE", TOOL_ONE(file)}},
    .options = options,
    .status = "0 nothing differs, 1 a node does or failed to run",
};

/* *inputs is freed by the caller, also after an error. */
static lathe_status read_inputs(lathe_model *model, lathe_tensors *file, lathe_tensor **inputs,
                                lathe_error *err)
{
    size_t count = lathe_model_input_count(model);
    lathe_status status = LATHE_OK;
    *inputs = calloc(count + 1, sizeof **inputs);
    if (!*inputs) {
        snprintf(err->message, sizeof err->message, "no memory for %zu inputs", count);
        return err->code = LATHE_NO_MEMORY;
    }
    for (size_t i = 0; i < count && status == LATHE_OK; i++)
        status = tool_recorded_input(model, file, i, &(*inputs)[i], err);
    return status;
}

static void show_progress(void *user, size_t done, size_t of)
{
    (void)user;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%zu of %zu nodes", done, of);
    if (done == of && isatty(STDERR_FILENO)) fprintf(stderr, "\n");
}

static int compare(const diff_options *o, lathe_model *model, const lathe_tensor *inputs)
{
    lathe_error err;
    lathe_difference difference;
    char beside[TOOL_PATH_BYTES];
    tool_sibling(o->file, ".difference.lathe", beside);
    const char *output = o->output ? o->output : beside;
    lathe_diff_options how = {.device = {.device = o->device},
                              .against = {.device = o->against},
                              .inputs = inputs,
                              .optimize = o->optimize,
                              .skip = o->skip,
                              .case_path = output,
                              .on_node = show_progress};
    if (lathe_model_diff(model, &how, &difference, &err) != LATHE_OK) return tool_fail(&err);
    if (difference.text)
        printf("%snodes before it agree: %zu of %zu\nwritten as a model: lathe verify %s --device %s\n",
               difference.text, difference.checked - 1, difference.nodes, output, o->device);
    else printf("%zu nodes agree\n", difference.nodes);
    int code = difference.text ? EXIT_DIFFERS : EXIT_DONE;
    lathe_text_free(difference.text);
    return code;
}

static int run(const diff_options *o)
{
    lathe_tensor *inputs = NULL;
    char path[TOOL_PATH_BYTES];
    lathe_error err;
    lathe_model *model;
    lathe_tensors *file = NULL;
    tool_sibling(o->file, ".safetensors", path);
    lathe_status status = tool_open_model(o->file, &o->weights, &model, &err);
    if (status == LATHE_OK) status = lathe_tensors_open(o->inputs ? o->inputs : path, &file, &err);
    if (status == LATHE_OK) status = read_inputs(model, file, &inputs, &err);
    int code = status == LATHE_OK ? compare(o, model, inputs) : tool_fail(&err);
    free(inputs);
    lathe_tensors_close(file);
    lathe_model_close(model);
    return code;
}

int cmd_diff(int argc, char **argv)
{
    diff_options o = {.against = "ref"};
    int code = tool_parse(&command, argc, argv, &o);
    return code == TOOL_GO_ON ? run(&o) : code;
}
