/* lathe devices: what this machine has. */
#include <stdio.h>

#include "tool.h"

static const tool_command command = {.name = "devices",
                                     .intro = "Lists the devices that models can run on, with their memory "
                                              "and measured bandwidth, and for kinds of devices that are "
                                              "missing what it would take to have them."};

int cmd_devices(int argc, char **argv)
{
    char *text;
    lathe_error err;
    int code = tool_parse(&command, argc, argv, NULL);
    if (code != TOOL_GO_ON) return code;
    if (lathe_describe_devices(&text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return EXIT_DONE;
}
