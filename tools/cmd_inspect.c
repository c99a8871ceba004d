/* lathe inspect: what is in a model or weights file. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Describes a model (.pt2, pytorch-ir JSON) or a weights file (safetensors, GGUF): inputs and outputs, "
    "symbols,\n"
    "state, weights, operators, and what is not supported. The bytes of weights are never touched.\n"
    "\n"
    "Usage: lathe inspect FILE [--json] [--graph mermaid|dot]\n"
    "\n"
    "  --json               the same as JSON\n"
    "  --graph mermaid|dot  the graph as a drawing\n"
    "\n"
    "Exit status: 0 done, 2 wrong usage or a broken file.\n";

int cmd_inspect(int argc, char **argv)
{
    const char *file = NULL;
    lathe_description form = LATHE_AS_TEXT;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "--json") == 0) form = LATHE_AS_JSON;
        else if (strcmp(argv[i], "--graph") == 0 && strcmp(value, "mermaid") == 0)
            form = LATHE_AS_MERMAID, i++;
        else if (strcmp(argv[i], "--graph") == 0 && strcmp(value, "dot") == 0) form = LATHE_AS_DOT, i++;
        else if (argv[i][0] == '-') return tool_usage("inspect", "unknown option %s %s", argv[i], value);
        else if (file) return tool_usage("inspect", "one file at a time, found '%s' and '%s'", file, argv[i]);
        else file = argv[i];
    }
    if (!file) return tool_usage("inspect", "no file given");
    char *text;
    lathe_error err;
    if (lathe_describe(file, form, &text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
