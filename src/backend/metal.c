/* Devices of Metal: the framework and the Objective-C runtime are loaded at run time and spoken to in plain
 * C. Buffers are in memory that the host shares; a batch is a command buffer. */
#include <stdio.h>
#include <string.h>

#include "backend/dl_metal.h"
#include "backend/registry.h"
#include "base/arena.h"
#include "base/os.h"
#include "kernels/gpu/text.h"
#include "lathe/backend.h"

enum {
    LOG_BYTES = 700,
    MAX_RUNNING = 64, /* command buffers that are on their way */
    MAX_GROUP = 1024  /* of every device; a kernel may have less */
};

/* ---- The libraries ---- */

/* Where they are on macOS; else where the loader looks. */
static void *load(const char *path, const char *name)
{
    void *library = lt_os_library(path);
    return library ? library : lt_os_library(name);
}

/* *why: what is missing, when it is not there. */
static bool load_api(lt_metal_api *m, const char **why)
{
    void *objc = load("/usr/lib/libobjc.A.dylib", "libobjc.A.dylib");
    void *metal = objc ? load("/System/Library/Frameworks/Metal.framework/Metal", "Metal") : NULL;
    lt_os_function function;
    *why = "Metal is not there (it is a part of macOS)";
    if (!metal) return false;
    /* Devices are found only by programs that have this framework, too. */
    (void)lt_os_library("/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics");
#define FIND(library, name)                                    \
    function = lt_os_symbol((library), #name);                 \
    if (!function) *why = "the installed Metal has no " #name; \
    if (!function) return false;                               \
    memcpy(&m->name, &function, sizeof function);
#define X(result, name, arguments) FIND(objc, name)
    LT_OBJC_FUNCTIONS(X)
#undef X
#define X(result, name, arguments) FIND(metal, name)
    LT_METAL_FUNCTIONS(X)
#undef X
#define X(result, name, selector, parameters, arguments) m->name = m->sel_registerName(selector);
    LT_METAL_MESSAGES(X)
#undef X
    *why = "";
    return true;
}

/* ---- Devices ---- */

/* A compiled kernel. */
typedef struct built {
    struct built *next;
    const lathe_kernel *kernel;
    id pipeline;
} built;

/* A command buffer that was committed. */
typedef struct running {
    id commands;
    uint64_t ticket; /* that of the next flush */
} running;

struct lathe_device {
    lt_metal_api m;
    id device, queue;
    lathe_device_info info;
    built *kernels;
    running commands[MAX_RUNNING]; /* the oldest first */
    uint32_t n_running;
    uint64_t flushed; /* the last ticket */
};

struct lathe_buffer {
    id memory;
    size_t offset; /* where it begins in there */
};

typedef struct ready {
    id pipeline;
    id buffers[LATHE_MAX_BUFFERS];
    size_t offsets[LATHE_MAX_BUFFERS];
    uint32_t n_buffers, params_bytes;
    char params[LATHE_MAX_PARAMS];
    MTLSize group, groups;
} ready;

struct lathe_batch {
    uint32_t n;
    ready *launches; /* [n] */
};

/* Objects that calls hand out without ownership live until the pool that was made last is gone. */
#define IN_POOL(d, call)                                 \
    do {                                                 \
        void *pool_ = (d)->m.objc_autoreleasePoolPush(); \
        lathe_status status_ = (call);                   \
        (d)->m.objc_autoreleasePoolPop(pool_);           \
        return status_;                                  \
    } while (0)

static id class_named(const lt_metal_api *m, const char *name) { return (id)(void *)m->objc_getClass(name); }

static id string(const lt_metal_api *m, const char *text)
{
    return mtl_string_with(m, class_named(m, "NSString"), text);
}

/* What an NSError says. */
static const char *text_of(const lt_metal_api *m, id error)
{
    const char *text = mtl_utf8(m, mtl_description(m, error));
    return text ? text : "no reason is given";
}

static lathe_status metal_enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    lt_metal_api m;
    (void)err;
    *count = 0;
    if (!load_api(&m, why)) return LATHE_OK;
    void *pool = m.objc_autoreleasePoolPush();
    id devices = m.MTLCopyAllDevices();
    *count = (uint32_t)mtl_count(&m, devices);
    mtl_release(&m, devices);
    m.objc_autoreleasePoolPop(pool);
    if (*count == 0) *why = "Metal finds no device";
    return LATHE_OK;
}

static void describe(lathe_device *d)
{
    lathe_device_info *info = &d->info;
    const char *name = mtl_utf8(&d->m, mtl_name(&d->m, d->device));
    snprintf(info->name, sizeof info->name, "%s", name ? name : "");
    snprintf(info->driver, sizeof info->driver, "Metal");
    info->memory_bytes = mtl_memory_bytes(&d->m, d->device);
    info->local_bytes = (uint32_t)mtl_local_bytes(&d->m, d->device);
    info->max_group = MAX_GROUP;
    if (mtl_has_unified_memory(&d->m, d->device)) info->features |= LATHE_DEVICE_SHARED;
    if (mtl_supports_family(&d->m, d->device, MTLGPUFamilyApple7)) info->features |= LATHE_DEVICE_FRAGMENTS;
}

static lathe_status open_device(lathe_device *d, uint32_t index, lathe_error *err)
{
    id devices = d->m.MTLCopyAllDevices();
    NSUInteger n = mtl_count(&d->m, devices);
    if (index < n) d->device = mtl_retain(&d->m, mtl_object_at(&d->m, devices, index));
    mtl_release(&d->m, devices);
    if (!d->device) LT_FAIL(err, DEVICE, "Metal: there is no device %u: there are %lu", index, n);
    describe(d);
    d->queue = mtl_new_queue(&d->m, d->device);
    if (!d->queue) LT_FAIL(err, DEVICE, "Metal: %s gives no command queue", d->info.name);
    return LATHE_OK;
}

static lathe_status open_in_pool(lathe_device *d, uint32_t index, lathe_error *err)
{
    IN_POOL(d, open_device(d, index, err));
}

/* Waits for the oldest command buffer. */
static lathe_status retire(lathe_device *d, lathe_error *err)
{
    const lt_metal_api *m = &d->m;
    id commands = d->commands[0].commands;
    lathe_status status = LATHE_OK;
    mtl_wait_until_completed(m, commands);
    if (mtl_command_status(m, commands) == MTLCommandBufferStatusError)
        status = lt_error_set(err, LATHE_DEVICE, "Metal: running kernels failed: %s",
                              text_of(m, mtl_command_error(m, commands)));
    mtl_release(m, commands);
    d->n_running--;
    memmove(d->commands, d->commands + 1, d->n_running * sizeof *d->commands);
    return status;
}

/* Waits for everything up to that ticket, and reports the first error. */
static lathe_status retire_until(lathe_device *d, uint64_t ticket, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    while (d->n_running && d->commands[0].ticket <= ticket) {
        lathe_status one = retire(d, status == LATHE_OK ? err : NULL);
        if (status == LATHE_OK) status = one;
    }
    return status;
}

static lathe_status finish(lathe_device *d, lathe_error *err)
{
    IN_POOL(d, retire_until(d, UINT64_MAX, err));
}

static void metal_close(lathe_device *d)
{
    if (!d) return;
    (void)!finish(d, NULL);
    for (built *b = d->kernels, *next; b; b = next) {
        next = b->next;
        mtl_release(&d->m, b->pipeline);
        lt_heap_free(b);
    }
    mtl_release(&d->m, d->queue);
    mtl_release(&d->m, d->device);
    lt_heap_free(d);
}

static lathe_status metal_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    const char *why;
    *out = NULL;
    lathe_device *d = lt_heap_alloc(1, sizeof *d);
    if (!d) return lt_out_of_memory(err, 1, sizeof *d);
    if (!load_api(&d->m, &why)) {
        lt_heap_free(d);
        LT_FAIL(err, DEVICE, "Metal: %s", why);
    }
    lathe_status status = open_in_pool(d, index, err);
    if (status != LATHE_OK) {
        metal_close(d);
        return status;
    }
    *out = d;
    *info = d->info;
    return LATHE_OK;
}

/* ---- Memory ---- */

static lathe_status own(id memory, size_t offset, lathe_device *d, lathe_buffer **out, lathe_error *err)
{
    lathe_buffer *buffer = lt_heap_alloc(1, sizeof *buffer);
    if (!buffer) {
        mtl_release(&d->m, memory);
        return lt_out_of_memory(err, 1, sizeof *buffer);
    }
    *buffer = (lathe_buffer){memory, offset};
    *out = buffer;
    return LATHE_OK;
}

static lathe_status metal_alloc(lathe_device *d, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    *out = NULL;
    id memory = mtl_new_buffer(&d->m, d->device, bytes ? bytes : 1, MTLResourceStorageModeShared);
    if (!memory) LT_FAIL(err, NO_MEMORY, "Metal: %zu bytes on %s", bytes, d->info.name);
    return own(memory, 0, d, out, err);
}

/* Metal takes whole pages: those that the range is in. */
static lathe_status metal_import(lathe_device *d, void *host, size_t bytes, lathe_buffer **out,
                                 lathe_error *err)
{
    size_t page = lt_os_page_bytes(), offset = (uintptr_t)host % page;
    size_t length = (offset + bytes + page - 1) / page * page;
    *out = NULL;
    id memory = NULL;
    if (d->info.features & LATHE_DEVICE_SHARED)
        memory = mtl_new_buffer_over(&d->m, d->device, (char *)host - offset, length,
                                     MTLResourceStorageModeShared, NULL);
    if (!memory) LT_FAIL(err, UNSUPPORTED, "the device cannot use the host's memory there");
    return own(memory, offset, d, out, err);
}

static void metal_free(lathe_device *d, lathe_buffer *buffer)
{
    if (!buffer) return;
    mtl_release(&d->m, buffer->memory);
    lt_heap_free(buffer);
}

/* Where the host finds a byte of a buffer. */
static char *address(lathe_device *d, const lathe_buffer *buffer, size_t offset)
{
    return (char *)mtl_contents(&d->m, buffer->memory) + buffer->offset + offset;
}

/* The device has nothing to do with a copy: what was enqueued before must be done. Where both are the same
 * memory there is no copy. */
static lathe_status copy(lathe_device *d, void *to, const void *from, size_t bytes, lathe_error *err)
{
    if (to == from) return LATHE_OK;
    LT_TRY(finish(d, err));
    memcpy(to, from, bytes);
    return LATHE_OK;
}

static lathe_status metal_write(lathe_device *d, lathe_buffer *to, size_t offset, const void *host,
                                size_t bytes, lathe_error *err)
{
    return bytes ? copy(d, address(d, to, offset), host, bytes, err) : LATHE_OK;
}

static lathe_status metal_read(lathe_device *d, lathe_buffer *from, size_t offset, void *host, size_t bytes,
                               lathe_error *err)
{
    return bytes ? copy(d, host, address(d, from, offset), bytes, err) : LATHE_OK;
}

/* ---- Kernels ---- */

/* A library of the text; the system keeps what it compiled from one run of a program to the next. */
static lathe_status compile(lathe_device *d, const lathe_kernel *kernel, id *library, lathe_error *err)
{
    const lt_metal_api *m = &d->m;
    id error = NULL, options = mtl_new_object(m, class_named(m, "MTLCompileOptions"));
    mtl_set_fast_math(m, options, false);
    *library = mtl_new_library(m, d->device, string(m, kernel->source), options, &error);
    mtl_release(m, options);
    if (!*library)
        LT_FAIL(err, DEVICE, "Metal: kernel '%s' does not compile on %s:\n%.*s", kernel->entry, d->info.name,
                LOG_BYTES, text_of(m, error));
    return LATHE_OK;
}

static lathe_status make_pipeline(lathe_device *d, const lathe_kernel *kernel, id *pipeline, lathe_error *err)
{
    const lt_metal_api *m = &d->m;
    id library, error = NULL;
    LT_TRY(compile(d, kernel, &library, err));
    id function = mtl_new_function(m, library, string(m, kernel->entry));
    mtl_release(m, library);
    if (!function) LT_FAIL(err, DEVICE, "Metal: there is no kernel '%s' in its text", kernel->entry);
    *pipeline = mtl_new_pipeline(m, d->device, function, &error);
    mtl_release(m, function);
    if (!*pipeline)
        LT_FAIL(err, DEVICE, "Metal: kernel '%s' on %s: %.*s", kernel->entry, d->info.name, LOG_BYTES,
                text_of(m, error));
    return LATHE_OK;
}

static lathe_status need_pipeline(lathe_device *d, const lathe_kernel *kernel, id *out, lathe_error *err)
{
    for (built *b = d->kernels; b; b = b->next)
        if (b->kernel == kernel) {
            *out = b->pipeline;
            return LATHE_OK;
        }
    built *b = lt_heap_alloc(1, sizeof *b);
    if (!b) return lt_out_of_memory(err, 1, sizeof *b);
    *b = (built){.next = d->kernels, .kernel = kernel};
    lathe_status status = make_pipeline(d, kernel, &b->pipeline, err);
    if (status != LATHE_OK) {
        lt_heap_free(b);
        return status;
    }
    d->kernels = b;
    *out = b->pipeline;
    return LATHE_OK;
}

/* ---- Batches ---- */

static lathe_status make_ready(lathe_device *d, const lathe_launch *launch, ready *out, lathe_error *err)
{
    *out = (ready){.n_buffers = launch->n_buffers,
                   .params_bytes = launch->params_bytes,
                   .group = {launch->group[0], launch->group[1], launch->group[2]},
                   .groups = {launch->groups[0], launch->groups[1], launch->groups[2]}};
    LT_TRY(need_pipeline(d, launch->kernel, &out->pipeline, err));
    NSUInteger items = out->group.width * out->group.height * out->group.depth,
               most = mtl_max_group(&d->m, out->pipeline);
    if (items > most)
        LT_FAIL(err, DEVICE, "Metal: kernel '%s' runs in groups of at most %lu on %s, not of %lu",
                launch->kernel->entry, most, d->info.name, items);
    for (uint32_t i = 0; i < launch->n_buffers; i++) {
        out->buffers[i] = launch->buffers[i]->memory;
        out->offsets[i] = launch->buffers[i]->offset;
    }
    memcpy(out->params, launch->params, launch->params_bytes);
    return LATHE_OK;
}

static void metal_release(lathe_device *d, lathe_batch *batch)
{
    if (!batch) return;
    (void)d; /* pipelines are the device's, buffers the caller's */
    lt_heap_free(batch->launches);
    lt_heap_free(batch);
}

static lathe_status prepare_batch(lathe_device *d, const lathe_launch *launches, uint32_t n,
                                  lathe_batch **out, lathe_error *err)
{
    *out = NULL;
    lathe_batch *batch = lt_heap_alloc(1, sizeof *batch);
    if (!batch) return lt_out_of_memory(err, 1, sizeof *batch);
    *batch = (lathe_batch){.n = n, .launches = lt_heap_alloc(n, sizeof *batch->launches)};
    lathe_status status = batch->launches ? LATHE_OK : lt_out_of_memory(err, n, sizeof *batch->launches);
    for (uint32_t i = 0; i < n && status == LATHE_OK; i++)
        status = make_ready(d, &launches[i], &batch->launches[i], err);
    if (status == LATHE_OK) *out = batch;
    else metal_release(d, batch);
    return status;
}

static lathe_status metal_prepare(lathe_device *d, const lathe_launch *launches, uint32_t n,
                                  lathe_batch **out, lathe_error *err)
{
    IN_POOL(d, prepare_batch(d, launches, n, out, err));
}

static void encode(lathe_device *d, id encoder, const ready *r)
{
    const lt_metal_api *m = &d->m;
    mtl_set_pipeline(m, encoder, r->pipeline);
    for (uint32_t i = 0; i < r->n_buffers; i++) mtl_set_buffer(m, encoder, r->buffers[i], r->offsets[i], i);
    mtl_set_bytes(m, encoder, r->params, r->params_bytes, r->n_buffers);
    mtl_dispatch(m, encoder, r->groups, r->group);
}

/* Launches of an encoder run one after the other. */
static lathe_status submit_batch(lathe_device *d, const lathe_batch *batch, lathe_error *err)
{
    const lt_metal_api *m = &d->m;
    if (d->n_running == MAX_RUNNING) LT_TRY(retire(d, err));
    id commands = mtl_command_buffer(m, d->queue), encoder = mtl_encoder(m, commands);
    if (!encoder) LT_FAIL(err, DEVICE, "Metal: %s takes no commands", d->info.name);
    for (uint32_t i = 0; i < batch->n; i++) encode(d, encoder, &batch->launches[i]);
    mtl_end_encoding(m, encoder);
    mtl_commit(m, commands);
    d->commands[d->n_running++] = (running){mtl_retain(m, commands), d->flushed + 1};
    return LATHE_OK;
}

static lathe_status metal_submit(lathe_device *d, lathe_batch *batch, lathe_error *err)
{
    if (batch->n == 0) return LATHE_OK;
    IN_POOL(d, submit_batch(d, batch, err));
}

/* Everything was started when it was submitted. */
static lathe_status metal_flush(lathe_device *d, uint64_t *ticket, lathe_error *err)
{
    (void)err;
    *ticket = ++d->flushed;
    return LATHE_OK;
}

static lathe_status metal_wait(lathe_device *d, uint64_t ticket, lathe_error *err)
{
    IN_POOL(d, retire_until(d, ticket, err));
}

static const char *metal_dialect(void) { return lt_gpu_text_get("dialect_metal.h"); }

const lathe_backend lt_backend_metal = {
    .name = "metal",
    .dialect = metal_dialect,
    .enumerate = metal_enumerate,
    .open = metal_open,
    .close = metal_close,
    .alloc = metal_alloc,
    .import = metal_import,
    .free = metal_free,
    .write = metal_write,
    .read = metal_read,
    .prepare = metal_prepare,
    .release = metal_release,
    .submit = metal_submit,
    .flush = metal_flush,
    .wait = metal_wait,
};
