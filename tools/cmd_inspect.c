/* lathe inspect: what is in a model or weights file. */
#include <stdio.h>

#define TOOL_STRUCT inspect_options
#include "tool.h"

typedef struct inspect_options {
    const char *file;
    tool_weights weights;
    lathe_description form;
    bool json, checks;
} inspect_options;

static const tool_option options[] = {
    {"--json", TOOL_FLAG(json), "the same as JSON"},
    {"--graph mermaid|dot", TOOL_CHOICE(form, tool_graph_words), "the graph as a drawing"},
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_quantize_options),
    {"--check", TOOL_FLAG(checks), "compares a .lathe file with its checksums, weights included"},
    {0},
};

static const tool_command command = {
    .name = "inspect",
    .intro = "Describes a model (.pt2, pytorch-ir JSON, .lathe) or a weights file (safetensors, GGUF): "
             "inputs and outputs, symbols, state, types, weights, operators, and what is not supported. "
             "The bytes of weights are never touched.\n"
             "Types: what each kind of step stores its weights (attention: keys and values) as, what these "
             "are multiplied with, what is computed and summed in, and the type of the result.",
    .usage = "FILE [--json] [--graph mermaid|dot] [--weights F] [--quantize TYPE]\nFILE --check",
    .arguments = {{"FILE", TOOL_ONE(file)}},
    .options = options,
    .status = "0 done",
};

static int check(const char *file)
{
    lathe_model *model;
    lathe_error err;
    if (lathe_model_open(file, &model, &err) != LATHE_OK) return tool_fail(&err);
    lathe_status status = lathe_model_check(model, &err);
    lathe_model_close(model);
    if (status != LATHE_OK) return tool_fail(&err);
    printf("%s: good\n", file);
    return EXIT_DONE;
}

static lathe_status describe(const inspect_options *o, char **text, lathe_error *err)
{
    lathe_model *model;
    if (!o->weights.files.n && !o->weights.quantization) return lathe_describe(o->file, o->form, text, err);
    lathe_status status = tool_open_model(o->file, &o->weights, &model, err);
    if (status != LATHE_OK) return status;
    status = lathe_model_describe(model, o->form, text, err);
    lathe_model_close(model);
    return status;
}

int cmd_inspect(int argc, char **argv)
{
    inspect_options o = {0};
    int code = tool_parse(&command, argc, argv, &o);
    if (code != TOOL_GO_ON) return code;
    if (o.json) o.form = LATHE_AS_JSON;
    if (o.checks) return check(o.file);
    char *text;
    lathe_error err;
    if (describe(&o, &text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
