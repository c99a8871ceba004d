/* A device that takes every kernel and runs none: for measuring what planning and executors cost. Its results
 * are whatever its memory holds. */
#include <stdlib.h>
#include <string.h>

#include "backend/registry.h"
#include "base/os.h"

static const char *null_dialect(void) { return ""; }

static lathe_status null_enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    (void)err;
    *count = 1;
    *why = "";
    return LATHE_OK;
}

static lathe_status null_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    if (index > 0) LT_FAIL(err, DEVICE, "null: there is one device");
    *out = (lathe_device *)&lt_backend_null; /* it has no state; any address will do */
    *info = (lathe_device_info){.name = "no device",
                                .driver = "none",
                                .max_group = 256,
                                .local_bytes = 32 << 10,
                                .features = LATHE_DEVICE_F64 | LATHE_DEVICE_DRY};
    return LATHE_OK;
}

static void null_close(lathe_device *device) { (void)device; }

static lathe_status null_alloc(lathe_device *device, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    (void)device;
    *out = lt_os_alloc(bytes);
    if (!*out) LT_FAIL(err, NO_MEMORY, "null: %zu bytes", bytes);
    return LATHE_OK;
}

static void null_free(lathe_device *device, lathe_buffer *buffer)
{
    (void)device;
    lt_os_free(buffer);
}

static lathe_status null_write(lathe_device *device, lathe_buffer *to, size_t offset, const void *host,
                               size_t bytes, lathe_error *err)
{
    (void)device, (void)err;
    if (bytes) memcpy((char *)to + offset, host, bytes);
    return LATHE_OK;
}

static lathe_status null_read(lathe_device *device, lathe_buffer *from, size_t offset, void *host,
                              size_t bytes, lathe_error *err)
{
    (void)device, (void)err;
    if (bytes) memcpy(host, (const char *)from + offset, bytes);
    return LATHE_OK;
}

static lathe_status null_prepare(lathe_device *device, const lathe_launch *launches, uint32_t n,
                                 lathe_batch **out, lathe_error *err)
{
    (void)launches, (void)n, (void)err;
    *out = (lathe_batch *)device;
    return LATHE_OK;
}

static void null_release(lathe_device *device, lathe_batch *batch) { (void)device, (void)batch; }

static lathe_status null_submit(lathe_device *device, lathe_batch *batch, lathe_error *err)
{
    (void)device, (void)batch, (void)err;
    return LATHE_OK;
}

static lathe_status null_flush(lathe_device *device, uint64_t *ticket, lathe_error *err)
{
    (void)device, (void)err;
    *ticket = 1;
    return LATHE_OK;
}

static lathe_status null_wait(lathe_device *device, uint64_t ticket, lathe_error *err)
{
    (void)device, (void)ticket, (void)err;
    return LATHE_OK;
}

const lathe_backend lt_backend_null = {
    .name = "null",
    .dialect = null_dialect,
    .enumerate = null_enumerate,
    .open = null_open,
    .close = null_close,
    .alloc = null_alloc,
    .free = null_free,
    .write = null_write,
    .read = null_read,
    .prepare = null_prepare,
    .release = null_release,
    .submit = null_submit,
    .flush = null_flush,
    .wait = null_wait,
};
