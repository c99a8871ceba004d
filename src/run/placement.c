/* Where the sessions of a model run. */
#include "run/placement.h"

#include <string.h>

#include "backend/registry.h"
#include "run/devices.h"

lathe_status lt_next_entry(lt_arena *arena, const char **list, char **out, lathe_error *err)
{
    *out = NULL;
    if (!*list || !**list) return LATHE_OK;
    size_t length = strcspn(*list, ",");
    *out = lt_arena_strndup(arena, *list, length);
    *list += length + ((*list)[length] == ',');
    return *out ? LATHE_OK : lt_out_of_memory(err, length, 1);
}

static bool same_text(const char *a, const char *b)
{
    return (!a || !*a) == (!b || !*b) && (!a || !b || strcmp(a, b) == 0);
}

bool lt_placement_equal(const lathe_placement *a, const lathe_placement *b)
{
    return same_text(a->device, b->device) && same_text(a->cpu_ops, b->cpu_ops) &&
           same_text(a->pins, b->pins) && !a->keep_islands == !b->keep_islands;
}

/* ---- What holds ---- */

static bool is_there(const char *device, const lathe_backend *const *more)
{
    const lathe_backend *backend;
    uint32_t index, count = 0;
    const char *why;
    if (strcmp(device, "cpu") == 0 || strcmp(device, "ref") == 0) return true;
    if (lt_backend_find(device, more, &backend, &index, NULL) != LATHE_OK) return false;
    return backend->enumerate(&count, &why, NULL) == LATHE_OK && index < count;
}

int lathe_device_exists(const char *device) { return is_there(device, NULL); }

/* Out of memory counts as not there. */
static bool all_there(const char *list, const lathe_backend *const *more)
{
    lt_arena *arena;
    char *name = NULL;
    if (lt_arena_create(&arena, NULL) != LATHE_OK) return false;
    bool there;
    do {
        there = lt_next_entry(arena, &list, &name, NULL) == LATHE_OK && (!name || is_there(name, more));
    } while (there && name);
    lt_arena_destroy(arena);
    return there;
}

lathe_placement lt_placement_settle(const lathe_model *model, const lathe_placement *given)
{
    const lathe_placement *file = &model->settings.placement;
    lathe_placement out = given ? *given : (lathe_placement){0};
    if (!out.backends) out.backends = file->backends;
    if (!out.executor) out.executor = file->executor;
    if (out.device || !file->device || !all_there(file->device, out.backends)) return out;
    out.device = file->device;
    if (!out.cpu_ops) out.cpu_ops = file->cpu_ops;
    if (!out.pins) out.pins = file->pins;
    out.keep_islands |= file->keep_islands;
    return out;
}

int lathe_model_placement(const lathe_model *model, lathe_placement *out)
{
    *out = model->settings.placement;
    return !out->device || all_there(out->device, out->backends);
}

lathe_status lt_placement_name(const lathe_placement *placement, uint32_t number, lt_arena *arena,
                               const char **out, lathe_error *err)
{
    const char *list = placement->device;
    char *name;
    *out = "cpu";
    for (;;) {
        LT_TRY(lt_next_entry(arena, &list, &name, err));
        if (!name) return LATHE_OK;
        if (strcmp(name, "cpu") == 0) continue;
        if (strcmp(name, "ref") == 0) return *out = "ref", LATHE_OK;
        if (number-- == 0) return *out = name, LATHE_OK;
    }
}

/* ---- Settling it ---- */

static lathe_status keep(lathe_model *model, const char **text, lathe_error *err)
{
    if (!*text) return LATHE_OK;
    *text = lt_arena_strdup(model->arena, *text);
    return *text ? LATHE_OK : lt_out_of_memory(err, 1, 1);
}

lathe_status lt_model_place(lathe_model *model, const lathe_placement *given, lathe_error *err)
{
    lt_devices devices;
    lathe_session_options options = {.placement = *given};
    if (lt_placement_equal(given, &(lathe_placement){0}) && !given->executor) return LATHE_OK;
    lathe_status status = lt_devices_open(&devices, model, &options, err);
    lathe_placement placement = devices.placement;
    lt_devices_close(&devices);
    LT_TRY(status);
    LT_TRY(keep(model, &placement.device, err));
    LT_TRY(keep(model, &placement.executor, err));
    LT_TRY(keep(model, &placement.cpu_ops, err));
    LT_TRY(keep(model, &placement.pins, err));
    model->settings.placement = placement;
    return LATHE_OK;
}
