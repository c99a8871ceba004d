/* The options that say where a model runs. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

const char *tool_device_of(const lathe_model *model, const tool_placement *placement)
{
    lathe_placement compiled;
    if (placement->lathe.device) return placement->lathe.device;
    if (lathe_model_placement(model, &compiled)) return compiled.device ? compiled.device : "cpu";
    fprintf(stderr, "compiled for %s, which is not here: it runs on the CPU\n", compiled.device);
    return "cpu";
}

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
