/* lathe ops: the list of supported operators. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

int cmd_ops(int argc, char **argv)
{
    char *text;
    lathe_error err;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        printf("Prints the operators that lathe supports, as Markdown.\n\nUsage: lathe ops\n");
        return EXIT_DONE;
    }
    if (argc > 1) return tool_usage("ops", "takes no arguments, found '%s'", argv[1]);
    if (lathe_describe_operators(&text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
