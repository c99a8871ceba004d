/* Partitions formed ahead of sessions: to be told, and to be written. */
#include "pass/hoist.h"
#include "pass/pass.h"
#include "run/devices.h"

lathe_status lt_model_partition(const lathe_model *model, lt_devices *devices, bool stateless,
                                lt_arena *arena, lt_partition **out, lathe_error *err)
{
    lt_graph *graph;
    lt_hoist hoist;
    lt_graph_request request = {.portable = devices->n > 0, .stateless = stateless};
    LT_TRY(lt_model_graph(model, &request, arena, &graph, err));
    if (model->settings.optimize != 1) { /* as sessions do */
        LT_TRY(lt_hoist_split(graph, &hoist, err));
        graph = hoist.rest;
    }
    return lt_devices_partition(devices, graph, out, err);
}

/* Where sizes are open, the partition of the least ones: a language model's steps of one token are such. None
 * can be formed where those are no sizes that the model runs with. */
static lathe_status write_partition(lathe_model *model, lt_devices *devices, bool stateless, lt_text *out,
                                    lathe_error *err)
{
    lt_arena *arena;
    lt_partition *partition;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_model_partition(model, devices, stateless, arena, &partition, err);
    if (status == LATHE_OK) status = lt_devices_save_partition(devices, partition, out, err);
    else if (status == LATHE_TYPE && lt_model_is_open(model)) status = LATHE_OK;
    lt_arena_destroy(arena);
    return status;
}

static lathe_status write_all(lathe_model *model, lt_devices *devices, lt_text *out, lathe_error *err)
{
    struct lt_state_pair *pairs;
    uint32_t n_pairs;
    if (!devices->n) return LATHE_OK;
    LT_TRY(lt_model_find_pairs(model, &pairs, &n_pairs, err));
    lt_heap_free(pairs);
    LT_TRY(write_partition(model, devices, true, out, err));
    return n_pairs ? write_partition(model, devices, false, out, err) : LATHE_OK;
}

lathe_status lt_model_write_partitions(lathe_model *model, lt_text *out, lathe_error *err)
{
    lt_devices devices = {0};
    if (!model->settings.placement.device) return LATHE_OK;
    lathe_status status = lt_devices_open(&devices, model, NULL, err);
    if (status == LATHE_OK) status = write_all(model, &devices, out, err);
    lt_devices_close(&devices);
    return status;
}
