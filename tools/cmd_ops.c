/* lathe ops: the list of supported operators. */
#include <stdio.h>

#include "tool.h"

static const tool_command command = {.name = "ops",
                                     .intro = "Prints the operators that lathe supports, as Markdown."};

int cmd_ops(int argc, char **argv)
{
    char *text;
    lathe_error err;
    int code = tool_parse(&command, argc, argv, NULL);
    if (code != TOOL_GO_ON) return code;
    if (lathe_describe_operators(&text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
