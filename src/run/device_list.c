/* Lists the devices that there are. */
#include <stdio.h>

#include "backend/registry.h"

/* *dry: it computes nothing. */
static lathe_status describe(const lathe_backend *backend, uint32_t index, lathe_device_entry *out, bool *dry,
                             lathe_error *err)
{
    lathe_device *device;
    lathe_device_info info = {0};
    LT_TRY(backend->open(index, &device, &info, err));
    backend->close(device);
    *dry = (info.features & LATHE_DEVICE_DRY) != 0;
    snprintf(out->name, sizeof out->name, "%s:%u", backend->name, index);
    snprintf(out->product, sizeof out->product, "%s", info.name);
    snprintf(out->driver, sizeof out->driver, "%s", info.driver);
    out->shared = (info.features & LATHE_DEVICE_SHARED) != 0;
    return LATHE_OK;
}

lathe_status lathe_list_devices(lathe_device_entry *out, size_t room, size_t *count, lathe_error *err)
{
    *count = 1;
    if (room) out[0] = (lathe_device_entry){.name = "cpu", .shared = 1};
    for (const lathe_backend *const *backend = lt_backends; *backend; backend++) {
        uint32_t n = 0;
        const char *why;
        LT_TRY((*backend)->enumerate(&n, &why, err));
        for (uint32_t i = 0; i < n; i++) {
            lathe_device_entry entry;
            bool dry;
            LT_TRY(describe(*backend, i, &entry, &dry, err));
            if (dry) continue; /* for tests: it can be named, and is not listed */
            if (*count < room) out[*count] = entry;
            ++*count;
        }
    }
    return LATHE_OK;
}
