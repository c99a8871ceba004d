/* The options that say where a model runs. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

bool tool_set_placement(tool_placement *placement, const char *option, const char *value)
{
    lathe_placement *p = &placement->lathe;
    if (strncmp(option, "--", 2) == 0) option += 2;
    if (strcmp(option, "device") == 0) return p->device = value, true;
    if (strcmp(option, "executor") == 0) return p->executor = value, true;
    if (strcmp(option, "cpu-ops") == 0) return p->cpu_ops = value, true;
    if (strcmp(option, "islands") == 0) {
        p->keep_islands = strcmp(value, "keep") == 0;
        return p->keep_islands || strcmp(value, "merge") == 0;
    }
    if (strcmp(option, "pin") != 0) return false;
    size_t used = strlen(placement->pins), room = sizeof placement->pins - used;
    p->pins = placement->pins;
    return (size_t)snprintf(placement->pins + used, room, "%s%s", used ? "," : "", value) < room;
}
