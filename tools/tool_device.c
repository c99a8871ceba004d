/* The options that say where a model runs. */
#include <stdio.h>
#include <string.h>

#define TOOL_STRUCT tool_placement
#include "tool.h"

const char *tool_device_of(const lathe_model *model, const tool_placement *placement)
{
    lathe_placement compiled;
    if (placement->lathe.device) return placement->lathe.device;
    if (lathe_model_placement(model, &compiled)) return compiled.device ? compiled.device : "cpu";
    fprintf(stderr, "compiled for %s, which is not here: it runs on the CPU\n", compiled.device);
    return "cpu";
}

static bool take_pin(void *to, const char *value)
{
    tool_placement *placement = to; /* whose first field `to` is */
    size_t used = strlen(placement->pins), room = sizeof placement->pins - used;
    placement->lathe.pins = placement->pins;
    return (size_t)snprintf(placement->pins + used, room, "%s%s", used ? "," : "", value) < room;
}

static const tool_word islands_words[] = {{"merge", 0}, {"keep", 1}, {0}};
const tool_word tool_executor_words[] = {{"linear", 0}, {"dag", 1}, {0}};

const tool_option tool_placement_options[] = {
    {"--executor E", TOOL_WORD(lathe.executor, tool_executor_words),
     "linear (default), or dag: regions run as soon as they can"},
    {"--device LIST", TOOL_TEXT(lathe.device),
     "where to run: cpu (default), ref (the plain references), opencl:0 …; what the first cannot do goes "
     "to the next, and then to the CPU"},
    {"--cpu-ops LIST", TOOL_TEXT(lathe.cpu_ops),
     "ATen operators that stay on the CPU: aten.softmax.int,aten.mul.Tensor"},
    {"--pin NODE=DEVICE", TOOL_CUSTOM(lathe, take_pin),
     "a node of the file and where it runs; may be repeated"},
    {"--islands merge|keep", TOOL_CHOICE(lathe.keep_islands, islands_words),
     "what is too small for its device goes to the CPU (default), or not"},
    {0},
};
