/* lathe explain: how a model is divided over devices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Tells how a model is divided over devices: regions, each value that is carried between them\n"
    "with its bytes and the reason, and what to change. Nothing is run, and no weights are read.\n"
    "\n"
    "Usage: lathe explain MODEL [--device LIST] [OPTIONS]\n"
    "\n" TOOL_PLACEMENT_HELP
    "  --dim NAME=N         a size that the model leaves open (default: the least); may be repeated\n"
    "  --graph mermaid|dot  draw the regions, coloured by device\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage or a broken file.\n";

enum { MAX_DIMS = 16, NAME_BYTES = 64 };

typedef struct explain_options {
    const char *file;
    tool_placement placement;
    lathe_description form;
    lathe_dim dims[MAX_DIMS];
    char names[MAX_DIMS][NAME_BYTES];
    int n_dims;
} explain_options;

static bool take_dim(explain_options *o, const char *value)
{
    const char *equals = strchr(value, '=');
    char *end;
    if (!equals || equals - value >= NAME_BYTES || o->n_dims == MAX_DIMS) return false;
    char *name = o->names[o->n_dims];
    memcpy(name, value, (size_t)(equals - value));
    o->dims[o->n_dims] = (lathe_dim){.name = name, .size = strtoll(equals + 1, &end, 10)};
    return end != equals + 1 && !*end && o->dims[o->n_dims++].size >= 0;
}

static bool take_graph(explain_options *o, const char *value)
{
    o->form = strcmp(value, "mermaid") == 0 ? LATHE_AS_MERMAID : LATHE_AS_DOT;
    return o->form == LATHE_AS_MERMAID || strcmp(value, "dot") == 0;
}

static int explain(const explain_options *o)
{
    lathe_model *model;
    lathe_error err;
    char *text = NULL;
    lathe_compile_options compile = {.dims = o->dims, .n_dims = (size_t)o->n_dims};
    lathe_status status = lathe_model_open(o->file, &model, &err);
    if (status == LATHE_OK) tool_device_of(model, &o->placement);
    if (status == LATHE_OK && o->n_dims) status = lathe_model_compile(model, &compile, &err);
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
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(arg, "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (arg[0] != '-' && !o.file) {
            o.file = arg;
            continue;
        }
        bool taken = value && (tool_set_placement(&o.placement, arg, value) ||
                               (strcmp(arg, "--dim") == 0 && take_dim(&o, value)) ||
                               (strcmp(arg, "--graph") == 0 && take_graph(&o, value)));
        if (!taken) return tool_usage("explain", "option %s %s", arg, value ? value : "");
        i++;
    }
    return o.file ? explain(&o) : tool_usage("explain", "no model given");
}
