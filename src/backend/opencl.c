/* Devices of OpenCL 1.2 and later. The library is loaded at run time; a program of lathe's needs none to
 * start. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backend/dl_opencl.h"
#include "backend/kernel_cache.h"
#include "backend/registry.h"
#include "base/os.h"
#include "kernels/gpu/text.h"
#include "lathe/backend.h"

enum { MAX_PLATFORMS = 8, MAX_DEVICES = 16, LOG_BYTES = 700, OPTION_BYTES = 64 };

/* ---- The library ---- */

typedef struct cl_api {
#define X(result, name, arguments) result(*name) arguments;
    LT_OPENCL_FUNCTIONS(X)
#undef X
} cl_api;

/* *why: what is missing, when it is not there. */
static bool load_api(cl_api *cl, const char **why)
{
    static const char *const names[] = {"libOpenCL.so.1", "libOpenCL.so",
                                        "/System/Library/Frameworks/OpenCL.framework/OpenCL"};
    void *library = NULL;
    for (size_t i = 0; i < LT_COUNT(names) && !library; i++) library = lt_os_library(names[i]);
    *why =
        "libOpenCL.so.1 is not installed (Debian: ocl-icd-libopencl1, and a driver such as pocl-opencl-icd)";
    if (!library) return false;
#define X(result, name, arguments)                                       \
    {                                                                    \
        lt_os_function function = lt_os_symbol(library, #name);          \
        if (!function) {                                                 \
            *why = "libOpenCL.so.1 is older than OpenCL 1.2: no " #name; \
            return false;                                                \
        }                                                                \
        memcpy(&cl->name, &function, sizeof function);                   \
    }
    LT_OPENCL_FUNCTIONS(X)
#undef X
    *why = "";
    return true;
}

/* ---- Devices ---- */

enum { MAX_EVENTS = 16 }; /* of tickets that may be waited for without waiting for a later one */

/* What the driver says beside its error codes, from any of its threads: the first words since they were last
 * read. */
typedef struct driver_words {
    atomic_flag busy;
    char text[256];
} driver_words;

/* A compiled kernel. */
typedef struct built {
    struct built *next;
    const lathe_kernel *kernel;
    cl_program program;
} built;

struct lathe_device {
    cl_api cl;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    lathe_device_info info;
    char version[128];
    driver_words words;
    built *kernels;
    cl_event events[MAX_EVENTS]; /* the ends of what was flushed, each at its ticket's place; NULL: none */
    uint64_t flushed;            /* the last ticket */
};

static void hear(const char *text, const void *data, size_t bytes, void *device)
{
    driver_words *words = &((lathe_device *)device)->words;
    (void)data, (void)bytes;
    while (atomic_flag_test_and_set_explicit(&words->busy, memory_order_acquire)) {
    }
    if (!words->text[0]) snprintf(words->text, sizeof words->text, "%s", text);
    atomic_flag_clear_explicit(&words->busy, memory_order_release);
}

/* Hands over the words and forgets them. */
static void take_words(driver_words *words, char out[sizeof words->text])
{
    while (atomic_flag_test_and_set_explicit(&words->busy, memory_order_acquire)) {
    }
    memcpy(out, words->text, sizeof words->text);
    words->text[0] = 0;
    atomic_flag_clear_explicit(&words->busy, memory_order_release);
}

static lathe_status fail(lathe_device *d, cl_int code, const char *what, lathe_error *err)
{
    char words[sizeof d->words.text];
    lathe_status status = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY
                              ? LATHE_NO_MEMORY
                              : LATHE_DEVICE; /* -5, out of resources, is how drivers tell of a crash, too */
    take_words(&d->words, words);
    return lt_error_set(err, status, "OpenCL: %s failed with error %d%s%s", what, code, *words ? ": " : "",
                        words);
}

#define CL_TRY(call, what, err)                                        \
    do {                                                               \
        cl_int code_ = (call);                                         \
        if (code_ != CL_SUCCESS) return fail(d, code_, (what), (err)); \
    } while (0)

struct lathe_buffer {
    cl_mem memory;
};

/* One launch: a kernel object of its own, whose arguments stay set. */
typedef struct ready {
    cl_kernel kernel;
    size_t group[3], items[3];
} ready;

struct lathe_batch {
    uint32_t n;
    ready *launches; /* [n] */
};

static uint32_t list_devices(const cl_api *cl, cl_device_id out[MAX_DEVICES])
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0, count = 0;
    if (cl->clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms) != CL_SUCCESS) return 0;
    for (cl_uint p = 0; p < n_platforms && p < MAX_PLATFORMS && count < MAX_DEVICES; p++) {
        cl_uint n = 0;
        if (cl->clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES - count, out + count, &n) !=
            CL_SUCCESS)
            continue;
        count += n < MAX_DEVICES - count ? n : MAX_DEVICES - count;
    }
    return count;
}

static lathe_status opencl_enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    cl_api cl;
    cl_device_id ids[MAX_DEVICES];
    (void)err;
    *count = 0;
    if (!load_api(&cl, why)) return LATHE_OK;
    *count = list_devices(&cl, ids);
    if (*count == 0) *why = "no OpenCL driver is installed (Debian: pocl-opencl-icd runs kernels on the CPU)";
    return LATHE_OK;
}

static void query(lathe_device *d, cl_uint what, void *out, size_t bytes)
{
    memset(out, 0, bytes);
    if (d->cl.clGetDeviceInfo(d->id, what, bytes, out, NULL) != CL_SUCCESS) memset(out, 0, bytes);
}

static void describe(lathe_device *d)
{
    lathe_device_info *info = &d->info;
    cl_ulong memory, local;
    size_t group;
    cl_bitfield doubles, type;
    cl_uint unified;
    query(d, CL_DEVICE_NAME, info->name, sizeof info->name - 1);
    query(d, CL_DRIVER_VERSION, info->driver, sizeof info->driver - 1);
    query(d, CL_DEVICE_VERSION, d->version, sizeof d->version - 1);
    query(d, CL_DEVICE_GLOBAL_MEM_SIZE, &memory, sizeof memory);
    query(d, CL_DEVICE_LOCAL_MEM_SIZE, &local, sizeof local);
    query(d, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group, sizeof group);
    query(d, CL_DEVICE_DOUBLE_FP_CONFIG, &doubles, sizeof doubles);
    query(d, CL_DEVICE_TYPE, &type, sizeof type);
    query(d, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified, sizeof unified);
    info->memory_bytes = memory;
    info->local_bytes = local > UINT32_MAX ? UINT32_MAX : (uint32_t)local;
    info->max_group = group > 1024 ? 1024 : (uint32_t)group;
    if (doubles) info->features |= LATHE_DEVICE_F64;
    if (unified) info->features |= LATHE_DEVICE_SHARED;
    if (type & CL_DEVICE_TYPE_CPU) info->features |= LATHE_DEVICE_SERIAL;
}

static lathe_status open_device(lathe_device *d, uint32_t index, lathe_error *err)
{
    cl_device_id ids[MAX_DEVICES];
    const char *why;
    cl_int code;
    if (!load_api(&d->cl, &why)) LT_FAIL(err, DEVICE, "OpenCL: %s", why);
    uint32_t n = list_devices(&d->cl, ids);
    if (index >= n) LT_FAIL(err, DEVICE, "OpenCL: there is no device %u: there are %u", index, n);
    d->id = ids[index];
    describe(d);
    d->context = d->cl.clCreateContext(NULL, 1, &d->id, hear, d, &code);
    CL_TRY(code, "making a context", err);
    d->queue = d->cl.clCreateCommandQueue(d->context, d->id, 0, &code);
    CL_TRY(code, "making a queue", err);
    return LATHE_OK;
}

static void opencl_close(lathe_device *d)
{
    if (!d) return;
    if (d->queue) d->cl.clFinish(d->queue);
    for (int i = 0; i < MAX_EVENTS; i++)
        if (d->events[i]) d->cl.clReleaseEvent(d->events[i]);
    for (built *b = d->kernels, *next; b; b = next) {
        next = b->next;
        d->cl.clReleaseProgram(b->program);
        lt_heap_free(b);
    }
    if (d->queue) d->cl.clReleaseCommandQueue(d->queue);
    if (d->context) d->cl.clReleaseContext(d->context);
    lt_heap_free(d);
}

static lathe_status opencl_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    *out = NULL;
    lathe_device *d = lt_heap_alloc(1, sizeof *d);
    if (!d) return lt_out_of_memory(err, 1, sizeof *d);
    lathe_status status = open_device(d, index, err);
    if (status != LATHE_OK) {
        opencl_close(d);
        return status;
    }
    *out = d;
    *info = d->info;
    return LATHE_OK;
}

/* ---- Memory ---- */

static lathe_status make_buffer(lathe_device *d, cl_bitfield flags, void *host, size_t bytes,
                                lathe_buffer **out, lathe_error *err)
{
    cl_int code;
    *out = NULL;
    lathe_buffer *buffer = lt_heap_alloc(1, sizeof *buffer);
    if (!buffer) return lt_out_of_memory(err, 1, sizeof *buffer);
    buffer->memory =
        d->cl.clCreateBuffer(d->context, CL_MEM_READ_WRITE | flags, bytes ? bytes : 1, host, &code);
    if (code != CL_SUCCESS) {
        lt_heap_free(buffer);
        lathe_status status = fail(d, code, "allocating memory", err);
        return lt_error_note(err, status, "%zu bytes on %s", bytes, d->info.name);
    }
    *out = buffer;
    return LATHE_OK;
}

static lathe_status opencl_alloc(lathe_device *d, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    return make_buffer(d, 0, NULL, bytes, out, err);
}

static lathe_status opencl_import(lathe_device *d, void *host, size_t bytes, lathe_buffer **out,
                                  lathe_error *err)
{
    if (!(d->info.features & LATHE_DEVICE_SHARED))
        LT_FAIL(err, UNSUPPORTED, "the device has memory of its own");
    return make_buffer(d, CL_MEM_USE_HOST_PTR, host, bytes, out, err);
}

static void opencl_free(lathe_device *d, lathe_buffer *buffer)
{
    if (!buffer) return;
    d->cl.clReleaseMemObject(buffer->memory);
    lt_heap_free(buffer);
}

static lathe_status opencl_write(lathe_device *d, lathe_buffer *to, size_t offset, const void *host,
                                 size_t bytes, lathe_error *err)
{
    if (bytes == 0) return LATHE_OK;
    CL_TRY(d->cl.clEnqueueWriteBuffer(d->queue, to->memory, 1, offset, bytes, host, 0, NULL, NULL),
           "writing to the device", err);
    return LATHE_OK;
}

static lathe_status opencl_read(lathe_device *d, lathe_buffer *from, size_t offset, void *host, size_t bytes,
                                lathe_error *err)
{
    if (bytes == 0) return LATHE_OK;
    CL_TRY(d->cl.clEnqueueReadBuffer(d->queue, from->memory, 0, offset, bytes, host, 0, NULL, NULL),
           "reading from the device", err);
    return LATHE_OK;
}

/* ---- Kernels ---- */

static const char options[] = "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt";

static lt_kernel_key key_of(const lathe_device *d, const lathe_kernel *kernel)
{
    return (lt_kernel_key){
        .backend = "opencl", .device = d->info.name, .driver = d->version, .source = kernel->source};
}

/* From the cache; NULL: it is not there, or the driver does not take it any more. */
static cl_program load_binary(lathe_device *d, const lathe_kernel *kernel)
{
    lt_text bytes = {0};
    lt_kernel_key key = key_of(d, kernel);
    cl_program program = NULL;
    cl_int status, code;
    if (lt_kernel_cache_get(&key, &bytes)) {
        const unsigned char *data = (const unsigned char *)bytes.data;
        program =
            d->cl.clCreateProgramWithBinary(d->context, 1, &d->id, &bytes.length, &data, &status, &code);
        if (program && (code != CL_SUCCESS || status != CL_SUCCESS ||
                        d->cl.clBuildProgram(program, 1, &d->id, options, NULL, NULL) != CL_SUCCESS)) {
            d->cl.clReleaseProgram(program);
            program = NULL;
        }
    }
    lt_text_free(&bytes);
    return program;
}

static void store_binary(lathe_device *d, const lathe_kernel *kernel, cl_program program)
{
    size_t size = 0;
    lt_kernel_key key = key_of(d, kernel);
    if (d->cl.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS ||
        !size)
        return;
    unsigned char *bytes = lt_heap_alloc(size, 1);
    if (bytes &&
        d->cl.clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
        lt_kernel_cache_put(&key, bytes, size);
    lt_heap_free(bytes);
}

static lathe_status compile(lathe_device *d, const lathe_kernel *kernel, cl_program *out, lathe_error *err)
{
    cl_int code;
    cl_program program = *out =
        d->cl.clCreateProgramWithSource(d->context, 1, (const char *[]){kernel->source}, NULL, &code);
    CL_TRY(code, "taking the source of a kernel", err);
    code = d->cl.clBuildProgram(program, 1, &d->id, options, NULL, NULL);
    if (code == CL_SUCCESS) {
        store_binary(d, kernel, program);
        return LATHE_OK;
    }
    char log[LOG_BYTES] = "";
    size_t size = 0;
    d->cl.clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *whole = lt_heap_alloc(size + 1, 1);
    if (whole &&
        d->cl.clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, size, whole, NULL) == CL_SUCCESS)
        snprintf(log, sizeof log, "%s", whole);
    lt_heap_free(whole);
    LT_FAIL(err, DEVICE, "OpenCL: kernel '%s' does not compile on %s (error %d):\n%s", kernel->entry,
            d->info.name, code, log);
}

static lathe_status need_program(lathe_device *d, const lathe_kernel *kernel, cl_program *out,
                                 lathe_error *err)
{
    for (built *b = d->kernels; b; b = b->next)
        if (b->kernel == kernel) {
            *out = b->program;
            return LATHE_OK;
        }
    built *b = lt_heap_alloc(1, sizeof *b);
    if (!b) return lt_out_of_memory(err, 1, sizeof *b);
    *b = (built){.next = d->kernels, .kernel = kernel, .program = load_binary(d, kernel)};
    lathe_status status = b->program ? LATHE_OK : compile(d, kernel, &b->program, err);
    if (status != LATHE_OK) {
        if (b->program) d->cl.clReleaseProgram(b->program);
        lt_heap_free(b);
        return status;
    }
    d->kernels = b;
    *out = b->program;
    return LATHE_OK;
}

/* ---- Batches ---- */

static lathe_status make_ready(lathe_device *d, const lathe_launch *launch, ready *out, lathe_error *err)
{
    cl_program program = NULL;
    cl_int code;
    LT_TRY(need_program(d, launch->kernel, &program, err));
    out->kernel = d->cl.clCreateKernel(program, launch->kernel->entry, &code);
    CL_TRY(code, launch->kernel->entry, err);
    for (uint32_t i = 0; i < launch->n_buffers; i++)
        CL_TRY(d->cl.clSetKernelArg(out->kernel, i, sizeof(cl_mem), &launch->buffers[i]->memory),
               launch->kernel->entry, err);
    CL_TRY(d->cl.clSetKernelArg(out->kernel, launch->n_buffers, launch->params_bytes, launch->params),
           launch->kernel->entry, err);
    for (int i = 0; i < 3; i++) {
        out->group[i] = launch->group[i];
        out->items[i] = (size_t)launch->group[i] * launch->groups[i];
    }
    return LATHE_OK;
}

static void opencl_release(lathe_device *d, lathe_batch *batch)
{
    if (!batch) return;
    for (uint32_t i = 0; batch->launches && i < batch->n; i++)
        if (batch->launches[i].kernel) d->cl.clReleaseKernel(batch->launches[i].kernel);
    lt_heap_free(batch->launches);
    lt_heap_free(batch);
}

static lathe_status opencl_prepare(lathe_device *d, const lathe_launch *launches, uint32_t n,
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
    else opencl_release(d, batch);
    return status;
}

static lathe_status opencl_submit(lathe_device *d, lathe_batch *batch, lathe_error *err)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        const ready *r = &batch->launches[i];
        CL_TRY(d->cl.clEnqueueNDRangeKernel(d->queue, r->kernel, 3, NULL, r->items, r->group, 0, NULL, NULL),
               "launching a kernel", err);
    }
    return LATHE_OK;
}

static lathe_status opencl_flush(lathe_device *d, uint64_t *ticket, lathe_error *err)
{
    uint64_t next = d->flushed + 1;
    cl_event *event = &d->events[next % MAX_EVENTS];
    if (*event) d->cl.clReleaseEvent(*event);
    *event = NULL;
    CL_TRY(d->cl.clEnqueueMarkerWithWaitList(d->queue, 0, NULL, event), "marking the queue", err);
    CL_TRY(d->cl.clFlush(d->queue), "starting the queue", err);
    *ticket = d->flushed = next;
    return LATHE_OK;
}

/* The event of an old ticket belongs to a later one by now: waiting for that is waiting for both. */
static lathe_status opencl_wait(lathe_device *d, uint64_t ticket, lathe_error *err)
{
    cl_int state = CL_SUCCESS;
    cl_event event = d->events[ticket % MAX_EVENTS];
    if (!event) {
        CL_TRY(d->cl.clFinish(d->queue), "waiting for the device", err);
        return LATHE_OK;
    }
    CL_TRY(d->cl.clWaitForEvents(1, &event), "waiting for the device", err);
    CL_TRY(d->cl.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL),
           "asking for the result", err);
    if (state < 0) return fail(d, state, "running kernels", err);
    return LATHE_OK;
}

static const char *opencl_dialect(void) { return lt_gpu_text_get("dialect_opencl.h"); }

const lathe_backend lt_backend_opencl = {
    .name = "opencl",
    .dialect = opencl_dialect,
    .enumerate = opencl_enumerate,
    .open = opencl_open,
    .close = opencl_close,
    .alloc = opencl_alloc,
    .import = opencl_import,
    .free = opencl_free,
    .write = opencl_write,
    .read = opencl_read,
    .prepare = opencl_prepare,
    .release = opencl_release,
    .submit = opencl_submit,
    .flush = opencl_flush,
    .wait = opencl_wait,
};
