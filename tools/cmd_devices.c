/* lathe devices: what this machine has. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Lists the devices that models can run on, with their memory and measured bandwidth, and for\n"
    "kinds of devices that are missing what it would take to have them.\n"
    "\n"
    "Usage: lathe devices\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

int cmd_devices(int argc, char **argv)
{
    char *text;
    lathe_error err;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
    if (argc > 1) return tool_usage("devices", "unknown option '%s'", argv[1]);
    if (lathe_describe_devices(&text, &err) != LATHE_OK) return tool_fail(&err);
    fputs(text, stdout);
    lathe_text_free(text);
    return EXIT_DONE;
}
