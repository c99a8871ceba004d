/* lathe inspect: what is in a model or weights file. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Describes a model (.pt2, pytorch-ir JSON, .lathe) or a weights file (safetensors, GGUF): inputs and "
    "outputs, "
    "symbols,\n"
    "state, types, weights, operators, and what is not supported. The bytes of weights are never touched.\n"
    "Types: what each kind of step stores its weights (attention: keys and values) as, what these are "
    "multiplied\n"
    "with, what is computed and summed in, and the type of the result.\n"
    "\n"
    "Usage: lathe inspect FILE [--json] [--graph mermaid|dot] [--weights F] [--quantize TYPE]\n"
    "       lathe inspect FILE --check\n"
    "\n"
    "  --json               the same as JSON\n"
    "  --graph mermaid|dot  the graph as a drawing\n"
    "  --weights F          the model with these weights: safetensors, GGUF; may be repeated\n"
    "  --quantize TYPE      int8 or int4: the model with its matrices quantised\n"
    "  --check              compares a .lathe file with its checksums, weights included\n"
    "\n"
    "Exit status: 0 done, 2 wrong usage or a broken file.\n";

typedef struct inspect_options {
    const char *file;
    tool_weights weights;
    lathe_description form;
    bool checks;
} inspect_options;

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

static bool take_form(inspect_options *o, const char *name)
{
    o->form = strcmp(name, "dot") == 0 ? LATHE_AS_DOT : LATHE_AS_MERMAID;
    return o->form == LATHE_AS_DOT || strcmp(name, "mermaid") == 0;
}

static int parse(inspect_options *o, int argc, char **argv, bool *done)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"graph", required_argument, NULL, 'g'},
                                            {"weights", required_argument, NULL, 'w'},
                                            {"quantize", required_argument, NULL, 'q'},
                                            {"check", no_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        bool good = true;
        switch (option) {
        case 'h': return fputs(help, stdout), *done = true, EXIT_DONE;
        case 'j': o->form = LATHE_AS_JSON; break;
        case 'c': o->checks = true; break;
        case 'g': good = take_form(o, optarg); break;
        case 'w': good = tool_add_weights(&o->weights, optarg); break;
        case 'q': good = tool_set_quantization(&o->weights, optarg); break;
        default: return tool_usage("inspect", "unknown option or missing value: '%s'", argv[optind - 1]);
        }
        if (!good) return tool_usage("inspect", "'%s' is no value for this option", optarg);
    }
    if (argc - optind != 1) return tool_usage("inspect", "one FILE is needed");
    o->file = argv[optind];
    return EXIT_DONE;
}

static lathe_status describe(const inspect_options *o, char **text, lathe_error *err)
{
    lathe_model *model;
    if (!o->weights.n && !o->weights.quantization) return lathe_describe(o->file, o->form, text, err);
    lathe_status status = tool_open_model(o->file, &o->weights, &model, err);
    if (status != LATHE_OK) return status;
    status = lathe_model_describe(model, o->form, text, err);
    lathe_model_close(model);
    return status;
}

int cmd_inspect(int argc, char **argv)
{
    inspect_options o = {0};
    bool done = false;
    int code = parse(&o, argc, argv, &done);
    if (code != EXIT_DONE || done) return code;
    if (o.checks) return check(o.file);
    char *text;
    lathe_error err;
    if (describe(&o, &text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
