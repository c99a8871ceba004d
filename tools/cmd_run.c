/* lathe run: a model on given inputs. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_STRUCT run_options
#include "tool.h"

enum { NAME_BYTES = 32 };

typedef struct run_options {
    const char *file, *all_inputs, *output, *outputs;
    tool_texts inputs;
    tool_weights weights;
    tool_placement placement;
    int optimize, threads; /* as in lathe_session_options */
} run_options;

static const tool_option options[] = {
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_quantize_options),
    {"--input NAME=X.npy", TOOL_TEXTS(inputs),
     "one input, by name or number; may be repeated; .safetensors with one tensor works too"},
    {"--inputs F", TOOL_TEXT(all_inputs),
     "all inputs from a safetensors file, under their names or as input.K"},
    {"--output Y.npy", TOOL_TEXT(output), "the first output as a NumPy file"},
    {"--outputs F", TOOL_TEXT(outputs), "all outputs as a safetensors file, as output.K"},
    TOOL_SHARED(placement, tool_placement_options),
    TOOL_SHARED(optimize, tool_optimize_options),
    TOOL_SHARED(threads, tool_threads_options),
    {0},
};

static const tool_command command = {
    .name = "run",
    .intro = "Runs a model once. Without --output and --outputs a summary of each output is printed.",
    .arguments = {{"FILE", TOOL_ONE(file)}},
    .options = options,
    .status = "0 done, 1 the run failed",
};

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

static lathe_status deliver(lathe_model *model, lathe_session *session, const run_options *o,
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
        if (!o->output && !o->outputs) print_summary(i, &tensors[n]);
        n++;
    }
    if (status == LATHE_OK && o->output && n) status = lathe_npy_write(o->output, &tensors[0], err);
    if (status == LATHE_OK && o->outputs) status = lathe_tensors_write(o->outputs, pointers, tensors, n, err);
    free(tensors);
    free(names);
    free(pointers);
    return status;
}

static int run_session(lathe_model *model, lathe_session *session, const run_options *o)
{
    lathe_error err = {0};
    lathe_status status = LATHE_OK;
    if (!o->inputs.n && !o->all_inputs && explain_inputs(model) != EXIT_DONE) return EXIT_USAGE;
    if (o->all_inputs) status = set_all_inputs(model, session, o->all_inputs, &err);
    for (int i = 0; i < o->inputs.n && status == LATHE_OK; i++)
        status = set_input(model, session, o->inputs.item[i], &err);
    if (status == LATHE_OK) status = lathe_session_run(session, &err);
    const char *notes = "";
    if (status == LATHE_OK) status = lathe_model_notes(model, &notes, &err);
    fputs(notes, stderr);
    const char *plain = "";
    if (status == LATHE_OK) status = lathe_session_plain_steps(session, &plain, &err);
    if (*plain) fprintf(stderr, "without a fast kernel, on plain references: %s\n", plain);
    if (status == LATHE_OK) status = deliver(model, session, o, &err);
    return status == LATHE_OK ? EXIT_DONE : tool_fail(&err);
}

static int run_model(const run_options *o)
{
    lathe_model *model;
    lathe_session *session = NULL;
    lathe_error err;
    lathe_status status = tool_open_model(o->file, &o->weights, &model, &err);
    if (status == LATHE_OK) tool_device_of(model, &o->placement);
    if (status == LATHE_OK)
        status = lathe_session_create(model,
                                      &(lathe_session_options){.optimize = o->optimize,
                                                               .threads = o->threads,
                                                               .activations = o->weights.activations,
                                                               .placement = o->placement.lathe},
                                      &session, &err);
    int code = status == LATHE_OK ? run_session(model, session, o) : tool_fail(&err);
    lathe_session_close(session);
    lathe_model_close(model);
    return code;
}

int cmd_run(int argc, char **argv)
{
    run_options o = {0};
    int code = tool_parse(&command, argc, argv, &o);
    return code == TOOL_GO_ON ? run_model(&o) : code;
}
