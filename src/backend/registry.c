/* Finds backends by name. */
#include "backend/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

const lathe_backend *const lt_backends[] = {
#define LT_BACKEND(name) &lt_backend_##name,
#include "backend/registry.def"
#undef LT_BACKEND
    NULL,
};

static const lathe_backend *find(const lathe_backend *const *list, const char *name, size_t length)
{
    for (; list && *list; list++)
        if (strlen((*list)->name) == length && memcmp((*list)->name, name, length) == 0) return *list;
    return NULL;
}

static lathe_status unknown(const char *device, const lathe_backend *const *more, lathe_error *err)
{
    lt_text names = {0};
    for (const lathe_backend *const *list = lt_backends; *list; list++)
        lt_text_printf(&names, ", %s", (*list)->name);
    for (; more && *more; more++) lt_text_printf(&names, ", %s", (*more)->name);
    lathe_status status =
        lt_error_set(err, LATHE_INVALID_ARGUMENT,
                     "device '%s', expected cpu, ref%s, or one of them with a number (opencl:1)", device,
                     names.data ? names.data : "");
    lt_text_free(&names);
    return status;
}

lathe_status lt_backend_find(const char *device, const lathe_backend *const *more, const lathe_backend **out,
                             uint32_t *index, lathe_error *err)
{
    const char *colon = strchr(device, ':');
    size_t length = colon ? (size_t)(colon - device) : strlen(device);
    char *end = NULL;
    *index = colon ? (uint32_t)strtoul(colon + 1, &end, 10) : 0;
    *out = find(lt_backends, device, length);
    if (!*out) *out = find(more, device, length);
    if (!*out || (colon && (end == colon + 1 || *end))) return unknown(device, more, err);
    return LATHE_OK;
}
