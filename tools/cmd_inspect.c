/* lathe inspect: what is in a model or weights file. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Describes a model (.pt2, pytorch-ir JSON, .lathe) or a weights file (safetensors, GGUF): inputs and "
    "outputs, "
    "symbols,\n"
    "state, weights, operators, and what is not supported. The bytes of weights are never touched.\n"
    "\n"
    "Usage: lathe inspect FILE [--json] [--graph mermaid|dot]\n"
    "       lathe inspect FILE --check\n"
    "\n"
    "  --json               the same as JSON\n"
    "  --graph mermaid|dot  the graph as a drawing\n"
    "  --check              compares a .lathe file with its checksums, weights included\n"
    "\n"
    "Exit status: 0 done, 2 wrong usage or a broken file.\n";

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

int cmd_inspect(int argc, char **argv)
{
    const char *file = NULL;
    lathe_description form = LATHE_AS_TEXT;
    bool checks = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "--json") == 0) form = LATHE_AS_JSON;
        else if (strcmp(argv[i], "--check") == 0) checks = true;
        else if (strcmp(argv[i], "--graph") == 0 && strcmp(value, "mermaid") == 0)
            form = LATHE_AS_MERMAID, i++;
        else if (strcmp(argv[i], "--graph") == 0 && strcmp(value, "dot") == 0) form = LATHE_AS_DOT, i++;
        else if (argv[i][0] == '-') return tool_usage("inspect", "unknown option %s %s", argv[i], value);
        else if (file) return tool_usage("inspect", "one file at a time, found '%s' and '%s'", file, argv[i]);
        else file = argv[i];
    }
    if (!file) return tool_usage("inspect", "no file given");
    if (checks) return check(file);
    char *text;
    lathe_error err;
    if (lathe_describe(file, form, &text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
