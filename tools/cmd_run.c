/* lathe run: a model on given inputs. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Runs a model once. Without --output and --outputs a summary of each output is printed.\n"
    "\n"
    "Usage: lathe run FILE [OPTIONS]\n"
    "\n"
    "  --weights F          weights file (safetensors, sharded index, GGUF); may be repeated\n"
    "  --quantize TYPE      int8 or int4: quantise the matrices while loading\n"
    "  --activations TYPE   int16 (default) or int8: what is multiplied with quantised weights\n"
    "  --input NAME=X.npy   one input, by name or number; may be repeated; .safetensors with one tensor "
    "works too\n"
    "  --inputs F           all inputs from a safetensors file, under their names or as input.K\n"
    "  --output Y.npy       the first output as a NumPy file\n"
    "  --outputs F          all outputs as a safetensors file, as output.K\n" TOOL_PLACEMENT_HELP "\n"
    "Exit status: 0 done, 1 the run failed, 2 wrong usage or a broken file.\n";

enum { MAX_FILES = 64, NAME_BYTES = 32 };

typedef struct run_options {
    const char *file, *inputs[MAX_FILES], *all_inputs, *output, *outputs;
    tool_weights weights;
    tool_placement placement;
    int n_inputs;
} run_options;

/* Number of the input that the first `length` characters of `name` mean; -1 when there is none. */
static long find_input(lathe_model *model, const char *name, size_t length)
{
    char *end;
    size_t count = lathe_model_input_count(model);
    for (size_t i = 0; i < count; i++) {
        lathe_value_info info;
        if (lathe_model_input(model, i, &info, NULL) != LATHE_OK) return -1;
        if (strlen(info.name) == length && strncmp(info.name, name, length) == 0) return (long)i;
    }
    long number = strtol(name, &end, 10);
    return end == name + length && length && number >= 0 && (size_t)number < count ? number : -1;
}

static lathe_status set_input(lathe_model *model, lathe_session *session, const char *spec, lathe_error *err)
{
    const char *path = strchr(spec, '=');
    long index = path ? find_input(model, spec, (size_t)(path - spec)) : -1;
    if (index < 0) {
        err->code = LATHE_INVALID_ARGUMENT;
        snprintf(err->message, sizeof err->message,
                 "--input %s: expected NAME=FILE with the name of an input", spec);
        return err->code;
    }
    lathe_tensors *file;
    lathe_tensor tensor;
    lathe_status status = lathe_tensors_open(path + 1, &file, err);
    if (status != LATHE_OK) return status;
    status = lathe_tensors_at(file, 0, &tensor, err);
    if (status == LATHE_OK) status = lathe_session_set_input(session, (size_t)index, &tensor, err);
    lathe_tensors_close(file);
    return status;
}

static lathe_status set_all_inputs(lathe_model *model, lathe_session *session, const char *path,
                                   lathe_error *err)
{
    lathe_tensors *file;
    lathe_status status = lathe_tensors_open(path, &file, err);
    for (size_t i = 0; status == LATHE_OK && i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        char numbered[NAME_BYTES];
        int found = 0;
        snprintf(numbered, sizeof numbered, "input.%zu", i);
        status = lathe_model_input(model, i, &info, err);
        if (status == LATHE_OK) status = lathe_tensors_get(file, info.name, &tensor, &found, err);
        if (status == LATHE_OK && !found) status = lathe_tensors_get(file, numbered, &tensor, &found, err);
        if (status == LATHE_OK && found && info.rank >= 0)
            status = lathe_session_set_input(session, i, &tensor, err);
    }
    lathe_tensors_close(file);
    return status;
}

/* What the model needs, when nothing was given. */
static int explain_inputs(lathe_model *model)
{
    size_t needed = 0;
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_error err;
        if (lathe_model_input(model, i, &info, &err) != LATHE_OK) return tool_fail(&err);
        if (info.rank < 0) continue;
        if (needed++ == 0) fprintf(stderr, "The model needs these inputs (--input NAME=FILE):\n");
        fprintf(stderr, "  %s: %s [", info.name, lathe_dtype_name(info.dtype));
        for (int d = 0; d < info.rank; d++) fprintf(stderr, d ? ", %s" : "%s", info.text[d]);
        fprintf(stderr, "]\n");
    }
    return needed ? EXIT_USAGE : EXIT_DONE;
}

static void print_summary(size_t index, const lathe_tensor *tensor)
{
    int64_t n = lathe_tensor_count(tensor);
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double value = lathe_tensor_value(tensor, i);
        low = fmin(low, value);
        high = fmax(high, value);
        sum += value;
    }
    printf("output.%zu: %s [", index, lathe_dtype_name(tensor->dtype));
    for (int d = 0; d < tensor->rank; d++) printf(d ? ", %lld" : "%lld", (long long)tensor->dim[d]);
    if (n > 8) printf("]  min %.6g, max %.6g, mean %.6g\n", low, high, sum / (double)n);
    else {
        printf("] ");
        for (int64_t i = 0; i < n; i++) printf(" %.9g", lathe_tensor_value(tensor, i));
        printf("\n");
    }
}

static lathe_status deliver(lathe_model *model, lathe_session *session, const run_options *options,
                            lathe_error *err)
{
    size_t count = lathe_model_output_count(model), n = 0;
    lathe_status status = LATHE_OK;
    lathe_tensor *tensors = calloc(count + 1, sizeof *tensors);
    char(*names)[NAME_BYTES] = calloc(count + 1, sizeof *names);
    const char **pointers = calloc(count + 1, sizeof *pointers);
    if (!tensors || !names || !pointers) {
        snprintf(err->message, sizeof err->message, "out of memory");
        status = err->code = LATHE_NO_MEMORY;
    }
    for (size_t i = 0; i < count && status == LATHE_OK; i++) {
        status = lathe_session_output(session, i, &tensors[n], err);
        if (status != LATHE_OK || tensors[n].rank < 0) continue;
        snprintf(names[n], NAME_BYTES, "output.%zu", i);
        pointers[n] = names[n];
        if (!options->output && !options->outputs) print_summary(i, &tensors[n]);
        n++;
    }
    if (status == LATHE_OK && options->output && n)
        status = lathe_npy_write(options->output, &tensors[0], err);
    if (status == LATHE_OK && options->outputs)
        status = lathe_tensors_write(options->outputs, pointers, tensors, n, err);
    free(tensors);
    free(names);
    free(pointers);
    return status;
}

static int run_session(lathe_model *model, lathe_session *session, const run_options *options)
{
    lathe_error err = {0};
    lathe_status status = LATHE_OK;
    if (!options->n_inputs && !options->all_inputs && explain_inputs(model) != EXIT_DONE) return EXIT_USAGE;
    if (options->all_inputs) status = set_all_inputs(model, session, options->all_inputs, &err);
    for (int i = 0; i < options->n_inputs && status == LATHE_OK; i++)
        status = set_input(model, session, options->inputs[i], &err);
    if (status == LATHE_OK) status = lathe_session_run(session, &err);
    const char *notes = "";
    if (status == LATHE_OK) status = lathe_model_notes(model, &notes, &err);
    fputs(notes, stderr);
    const char *plain = "";
    if (status == LATHE_OK) status = lathe_session_plain_steps(session, &plain, &err);
    if (*plain) fprintf(stderr, "without a fast kernel, on plain references: %s\n", plain);
    if (status == LATHE_OK) status = deliver(model, session, options, &err);
    return status == LATHE_OK ? EXIT_DONE : tool_fail(&err);
}

static int run_model(const run_options *options)
{
    lathe_model *model;
    lathe_session *session = NULL;
    lathe_error err;
    lathe_status status = tool_open_model(options->file, &options->weights, &model, &err);
    if (status == LATHE_OK) tool_device_of(model, &options->placement);
    if (status == LATHE_OK)
        status = lathe_session_create(model,
                                      &(lathe_session_options){.activations = options->weights.activations,
                                                               .placement = options->placement.lathe},
                                      &session, &err);
    int code = status == LATHE_OK ? run_session(model, session, options) : tool_fail(&err);
    lathe_session_close(session);
    lathe_model_close(model);
    return code;
}

int cmd_run(int argc, char **argv)
{
    run_options o = {0};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(arg, "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (arg[0] != '-' && !o.file) {
            o.file = arg;
            continue;
        }
        if (arg[0] != '-') return tool_usage("run", "one file at a time, found '%s' and '%s'", o.file, arg);
        if (!value) return tool_usage("run", "option %s needs a value, or is unknown", arg);
        i++;
        if ((strcmp(arg, "--weights") == 0 && tool_add_weights(&o.weights, value)) ||
            (strcmp(arg, "--quantize") == 0 && tool_set_quantization(&o.weights, value)) ||
            (strcmp(arg, "--activations") == 0 && tool_set_activations(&o.weights, value)) ||
            tool_set_placement(&o.placement, arg, value))
            continue;
        if (strcmp(arg, "--input") == 0 && o.n_inputs < MAX_FILES) o.inputs[o.n_inputs++] = value;
        else if (strcmp(arg, "--inputs") == 0) o.all_inputs = value;
        else if (strcmp(arg, "--output") == 0) o.output = value;
        else if (strcmp(arg, "--outputs") == 0) o.outputs = value;
        else return tool_usage("run", "unknown option or value: %s %s", arg, value);
    }
    return o.file ? run_model(&o) : tool_usage("run", "no file given");
}
