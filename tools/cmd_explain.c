/* lathe explain: how a model is divided over devices. */
#include <stdio.h>

#define TOOL_STRUCT explain_options
#include "tool.h"

typedef struct explain_options {
    const char *file;
    tool_placement placement;
    lathe_description form;
    tool_dims dims;
} explain_options;

static const tool_option options[] = {
    TOOL_SHARED(placement, tool_placement_options),
    {"--dim NAME=N", TOOL_CUSTOM(dims, tool_take_dim),
     "a size that the model leaves open (default: the least); may be repeated"},
    {"--graph mermaid|dot", TOOL_CHOICE(form, tool_graph_words), "draw the regions, coloured by device"},
    {0},
};

static const tool_command command = {
    .name = "explain",
    .intro = "Tells how a model is divided over devices: regions, each value that is carried between them "
             "with its bytes and the reason, and what to change. Nothing is run, and no weights are read.",
    .usage = "MODEL [--device LIST] [OPTIONS]",
    .arguments = {{"MODEL", TOOL_ONE(file)}},
    .options = options,
};

static int explain(const explain_options *o)
{
    lathe_model *model;
    lathe_error err;
    char *text = NULL;
    lathe_compile_options compile = {.dims = o->dims.dim, .n_dims = o->dims.n};
    lathe_status status = lathe_model_open(o->file, &model, &err);
    if (status == LATHE_OK) tool_device_of(model, &o->placement);
    if (status == LATHE_OK && o->dims.n) status = lathe_model_compile(model, &compile, &err);
    if (status == LATHE_OK) status = lathe_model_explain(model, &o->placement.lathe, o->form, &text, &err);
    int code = status == LATHE_OK ? EXIT_DONE : tool_fail(&err);
    if (text) fputs(text, stdout);
    lathe_text_free(text);
    lathe_model_close(model);
    return code;
}

int cmd_explain(int argc, char **argv)
{
    static explain_options o;
    int code = tool_parse(&command, argc, argv, &o);
    return code == TOOL_GO_ON ? explain(&o) : code;
}
