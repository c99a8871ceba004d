/* lathe diff: where two devices part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
    "Runs the nodes of a model one by one on two devices, each on the inputs that the trusted one\n"
    "made, and stops at the first whose results differ by more than rounding explains.\n"
    "\n"
    "Usage: lathe diff FILE --device D [OPTIONS]\n"
    "\n"
    "  --against D          the trusted side (default: ref)\n"
    "  --weights F          weights file; may be repeated\n"
    "  --inputs F           safetensors with input.K (default: FILE with .safetensors for .pt2, and\n"
    "                       without .core)\n"
    "  -O 0|1|2             optimisation before nodes are compared: none, simplification, all (default)\n"
    "  --skip N             nodes that are not compared, from the first on: to find a second difference\n"
    "  -o, --output F       where the node that differs goes, as a model of its own for 'lathe verify';\n"
    "                       beside it .safetensors with input.K, output.K (trusted), found.K and\n"
    "                       tolerance.K (default: FILE with .difference.lathe for .pt2)\n"
    "\n"
    "Exit status: 0 nothing differs, 1 a node does or failed to run, 2 wrong usage or a broken file.\n";

typedef struct diff_options {
    const char *file, *inputs, *device, *against, *output;
    tool_weights weights;
    int optimize;
    size_t skip;
} diff_options;

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

static bool take_number(const char *value, size_t *out)
{
    char *end;
    *out = (size_t)strtoull(value, &end, 10);
    return value[0] >= '0' && value[0] <= '9' && !*end;
}

static bool take_option(diff_options *o, const char *arg, const char *value)
{
    if (strcmp(arg, "--device") == 0) return o->device = value, true;
    if (strcmp(arg, "--against") == 0) return o->against = value, true;
    if (strcmp(arg, "--inputs") == 0) return o->inputs = value, true;
    if (strcmp(arg, "-o") == 0 || strcmp(arg, "--output") == 0) return o->output = value, true;
    if (strcmp(arg, "--skip") == 0) return take_number(value, &o->skip);
    if (strcmp(arg, "--weights") == 0) return tool_add_weights(&o->weights, value);
    if (strcmp(arg, "-O") != 0 || strspn(value, "012") != 1 || value[1]) return false;
    o->optimize = value[0] - '0' + 1;
    return true;
}

int cmd_diff(int argc, char **argv)
{
    diff_options o = {.against = "ref"};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(arg, "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (arg[0] != '-' && !o.file) o.file = arg;
        else if (value && take_option(&o, arg, value)) i++;
        else return tool_usage("diff", "option %s %s", arg, value ? value : "");
    }
    if (!o.file) return tool_usage("diff", "no model given");
    return o.device ? run(&o) : tool_usage("diff", "--device is needed");
}
