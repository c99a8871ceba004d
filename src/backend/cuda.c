/* Devices of CUDA: the driver's interface and NVRTC, both loaded at run time. A batch is a CUDA graph, so
 * that a step is one launch. Copies of little go through pinned memory and overlap with kernels. */
#include <stdio.h>
#include <string.h>

#include "backend/dl_cuda.h"
#include "backend/kernel_cache.h"
#include "backend/registry.h"
#include "base/os.h"
#include "kernels/gpu/text.h"
#include "lathe/backend.h"

enum {
    LOG_BYTES = 700,
    OLDEST_NVRTC = 11,
    MAX_ARCHS = 64,
    FRAGMENTS_SINCE = 80, /* the compute capability that has mma of bfloat16, and asynchronous copies */
    STAGING_BYTES = 4 << 20,
    MAX_READS = 64, /* that are on their way */
    MAX_EVENTS = 16 /* of tickets that may be waited for without waiting for a later one */
};

/* ---- The libraries ---- */

typedef struct cuda_api {
#define X(result, name, arguments) result(*name) arguments;
    LT_CUDA_FUNCTIONS(X)
    LT_NVRTC_FUNCTIONS(X)
#undef X
    int driver_version; /* 1000 * major + 10 * minor */
} cuda_api;

#define LOAD(library, name)                                           \
    {                                                                 \
        lt_os_function function = lt_os_symbol(library, #name);       \
        if (!function) {                                              \
            *why = "the installed CUDA is too old: it has no " #name; \
            return false;                                             \
        }                                                             \
        memcpy(&cu->name, &function, sizeof function);                \
    }

/* *why: what is missing, when it is not there. */
static bool load_driver(cuda_api *cu, const char **why)
{
    void *library = lt_os_library("libcuda.so.1");
    *why = "libcuda.so.1 is not installed (it comes with NVIDIA's driver)";
    if (!library) return false;
#define X(result, name, arguments) LOAD(library, name)
    LT_CUDA_FUNCTIONS(X)
#undef X
    *why = "the driver finds no device";
    return cu->cuInit(0) == CUDA_SUCCESS && cu->cuDriverGetVersion(&cu->driver_version) == CUDA_SUCCESS;
}

/* The newest one that the driver takes code from, where the loader looks and where CUDA is usually installed.
 */
static void *find_nvrtc(int driver_version)
{
    static const char *const places[] = {"", "/usr/local/cuda/lib64/"};
    void *library = NULL;
    for (int major = driver_version / 1000; major >= OLDEST_NVRTC && !library; major--)
        for (size_t i = 0; i < LT_COUNT(places) && !library; i++) {
            char name[64];
            snprintf(name, sizeof name, "%slibnvrtc.so.%d%s", places[i], major, major == 11 ? ".2" : "");
            library = lt_os_library(name);
        }
    return library;
}

static bool load_nvrtc(cuda_api *cu, const char **why)
{
    void *library = find_nvrtc(cu->driver_version);
    *why = "libnvrtc.so, which compiles kernels, is not installed in a version that the driver takes (it is "
           "a part "
           "of the CUDA toolkit)";
    if (!library) return false;
#define X(result, name, arguments) LOAD(library, name)
    LT_NVRTC_FUNCTIONS(X)
#undef X
    *why = "";
    return true;
}

static bool load_api(cuda_api *cu, const char **why) { return load_driver(cu, why) && load_nvrtc(cu, why); }

static lathe_status fail(const cuda_api *cu, CUresult code, const char *what, lathe_error *err)
{
    const char *name = "unknown", *text = "no text";
    cu->cuGetErrorName(code, &name);
    cu->cuGetErrorString(code, &text);
    lathe_status status = code == CUDA_ERROR_OUT_OF_MEMORY ? LATHE_NO_MEMORY : LATHE_DEVICE;
    return lt_error_set(err, status, "CUDA: %s failed: %s (%s)", what, name, text);
}

#define CU_TRY(cu, call, what, err)                                         \
    do {                                                                    \
        CUresult code_ = (cu)->call;                                        \
        if (code_ != CUDA_SUCCESS) return fail((cu), code_, (what), (err)); \
    } while (0)

/* ---- Devices ---- */

/* A compiled kernel. */
typedef struct built {
    struct built *next;
    const lathe_kernel *kernel;
    CUmodule module;
    CUfunction function;
    int max_group;
} built;

/* Bytes that are on their way through pinned memory. */
typedef struct pending_read {
    void *host;
    const void *staged;
    size_t bytes;
    uint64_t ticket; /* that of the next flush */
} pending_read;

struct lathe_device {
    cuda_api cu;
    CUdevice id;
    CUcontext context; /* of our own: what is lost with it is ours alone */
    CUstream stream;
    lathe_device_info info;
    char arch[24]; /* what NVRTC compiles for: sm_90, or compute_90 for a device that it does not know yet */
    char compiler[192]; /* everything but the source that compiled kernels depend on */
    built *kernels;
    CUevent events[MAX_EVENTS];
    uint64_t flushed; /* the last ticket */
    bool idle;        /* nothing was enqueued since the last flush */
    char *staging;    /* [STAGING_BYTES], pinned */
    size_t staged;    /* bytes of it in use */
    pending_read reads[MAX_READS];
    uint32_t n_reads;
};

struct lathe_buffer {
    CUdeviceptr memory;
};

struct lathe_batch {
    CUgraphExec graph; /* NULL: there are no launches */
};

static lathe_status enter(lathe_device *d, lathe_error *err)
{
    CU_TRY(&d->cu, cuCtxPushCurrent_v2(d->context), "entering the context", err);
    return LATHE_OK;
}

static void leave(lathe_device *d)
{
    CUcontext own;
    d->cu.cuCtxPopCurrent_v2(&own);
}

/* Calls belong to the context that is current on their thread; the caller may have others. */
#define IN_CONTEXT(d, err, call)       \
    do {                               \
        LT_TRY(enter((d), (err)));     \
        lathe_status status_ = (call); \
        leave(d);                      \
        return status_;                \
    } while (0)

static lathe_status cuda_enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    cuda_api cu;
    int n = 0;
    (void)err;
    *count = 0;
    if (!load_api(&cu, why)) return LATHE_OK;
    if (cu.cuDeviceGetCount(&n) != CUDA_SUCCESS || n <= 0) *why = "the driver finds no device";
    else *count = (uint32_t)n;
    return LATHE_OK;
}

static int query(const lathe_device *d, int what)
{
    int value = 0;
    return d->cu.cuDeviceGetAttribute(&value, what, d->id) == CUDA_SUCCESS ? value : 0;
}

static void describe(lathe_device *d)
{
    lathe_device_info *info = &d->info;
    size_t memory = 0;
    int group = query(d, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    if (d->cu.cuDeviceGetName(info->name, sizeof info->name, d->id) != CUDA_SUCCESS) info->name[0] = 0;
    if (d->cu.cuDeviceTotalMem_v2(&memory, d->id) == CUDA_SUCCESS) info->memory_bytes = memory;
    snprintf(info->driver, sizeof info->driver, "CUDA %d.%d", d->cu.driver_version / 1000,
             d->cu.driver_version % 1000 / 10);
    info->max_group = (uint32_t)(group > 1024 ? 1024 : group);
    info->local_bytes = (uint32_t)query(d, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    info->subgroup = (uint32_t)query(d, CU_DEVICE_ATTRIBUTE_WARP_SIZE);
    info->features = LATHE_DEVICE_F64;
}

/* The device's own architecture, or the newest one before it, as text that the driver compiles further. */
static lathe_status choose_arch(lathe_device *d, lathe_error *err)
{
    int own = 10 * query(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
              query(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    int archs[MAX_ARCHS], n = 0, best = 0, major = 0, minor = 0;
    if (d->cu.nvrtcGetNumSupportedArchs(&n) != NVRTC_SUCCESS || n > MAX_ARCHS ||
        d->cu.nvrtcGetSupportedArchs(archs) != NVRTC_SUCCESS ||
        d->cu.nvrtcVersion(&major, &minor) != NVRTC_SUCCESS)
        LT_FAIL(err, DEVICE, "NVRTC does not tell what it compiles for");
    for (int i = 0; i < n; i++)
        if (archs[i] <= own && archs[i] > best) best = archs[i];
    if (!best)
        LT_FAIL(err, DEVICE, "%s is of compute capability %d.%d, which NVRTC %d.%d has no code for",
                d->info.name, own / 10, own % 10, major, minor);
    if (best >= FRAGMENTS_SINCE) d->info.features |= LATHE_DEVICE_FRAGMENTS;
    snprintf(d->arch, sizeof d->arch, "%s_%d", best == own ? "sm" : "compute", best);
    snprintf(d->compiler, sizeof d->compiler, "%s NVRTC %d.%d fmad=false", d->info.driver, major, minor);
    return LATHE_OK;
}

/* Everything that lives in the context. */
static lathe_status make_queue(lathe_device *d, lathe_error *err)
{
    void *staging;
    CU_TRY(&d->cu, cuStreamCreate(&d->stream, CU_STREAM_NON_BLOCKING), "making a stream", err);
    for (int i = 0; i < MAX_EVENTS; i++)
        CU_TRY(&d->cu, cuEventCreate(&d->events[i], CU_EVENT_DISABLE_TIMING), "making an event", err);
    CU_TRY(&d->cu, cuMemHostAlloc(&staging, STAGING_BYTES, 0), "allocating pinned memory", err);
    d->staging = staging;
    return LATHE_OK;
}

static lathe_status open_device(lathe_device *d, uint32_t index, lathe_error *err)
{
    const char *why;
    int n = 0;
    CUcontext own;
    if (!load_api(&d->cu, &why)) LT_FAIL(err, DEVICE, "CUDA: %s", why);
    CU_TRY(&d->cu, cuDeviceGetCount(&n), "counting devices", err);
    if (index >= (uint32_t)n) LT_FAIL(err, DEVICE, "CUDA: there is no device %u: there are %d", index, n);
    CU_TRY(&d->cu, cuDeviceGet(&d->id, (int)index), "finding the device", err);
    describe(d);
    LT_TRY(choose_arch(d, err));
    CU_TRY(&d->cu, cuCtxCreate_v2(&d->context, 0, d->id), "making a context", err);
    CU_TRY(&d->cu, cuCtxPopCurrent_v2(&own), "leaving the context", err); /* it begins as the current one */
    IN_CONTEXT(d, err, make_queue(d, err));
}

/* A device that is lost answers all of this with errors, which say nothing new. */
static void close_context(lathe_device *d)
{
    if (enter(d, NULL) == LATHE_OK) {
        if (d->stream) d->cu.cuStreamSynchronize(d->stream);
        for (built *b = d->kernels; b; b = b->next) d->cu.cuModuleUnload(b->module);
        for (int i = 0; i < MAX_EVENTS; i++)
            if (d->events[i]) d->cu.cuEventDestroy_v2(d->events[i]);
        if (d->staging) d->cu.cuMemFreeHost(d->staging);
        if (d->stream) d->cu.cuStreamDestroy_v2(d->stream);
        leave(d);
    }
    d->cu.cuCtxDestroy_v2(d->context);
}

static void cuda_close(lathe_device *d)
{
    if (!d) return;
    if (d->context) close_context(d);
    for (built *b = d->kernels, *next; b; b = next) {
        next = b->next;
        lt_heap_free(b);
    }
    lt_heap_free(d);
}

static lathe_status cuda_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    *out = NULL;
    lathe_device *d = lt_heap_alloc(1, sizeof *d);
    if (!d) return lt_out_of_memory(err, 1, sizeof *d);
    d->idle = true;
    lathe_status status = open_device(d, index, err);
    if (status != LATHE_OK) {
        cuda_close(d);
        return status;
    }
    *out = d;
    *info = d->info;
    return LATHE_OK;
}

/* ---- Memory ---- */

static lathe_status allocate(lathe_device *d, size_t bytes, CUdeviceptr *out, lathe_error *err)
{
    CUresult code = d->cu.cuMemAlloc_v2(out, bytes ? bytes : 1);
    if (code == CUDA_SUCCESS) return LATHE_OK;
    lathe_status status = fail(&d->cu, code, "allocating memory", err);
    return lt_error_note(err, status, "%zu bytes on %s", bytes, d->info.name);
}

static lathe_status alloc_buffer(lathe_device *d, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    *out = NULL;
    lathe_buffer *buffer = lt_heap_alloc(1, sizeof *buffer);
    if (!buffer) return lt_out_of_memory(err, 1, sizeof *buffer);
    lathe_status status = allocate(d, bytes, &buffer->memory, err);
    if (status == LATHE_OK) *out = buffer;
    else lt_heap_free(buffer);
    return status;
}

static lathe_status cuda_alloc(lathe_device *d, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    IN_CONTEXT(d, err, alloc_buffer(d, bytes, out, err));
}

static void cuda_free(lathe_device *d, lathe_buffer *buffer)
{
    if (!buffer) return;
    if (enter(d, NULL) == LATHE_OK) {
        d->cu.cuMemFree_v2(buffer->memory);
        leave(d);
    }
    lt_heap_free(buffer);
}

/* ---- Copies ---- */

/* Hands over what reads up to that ticket have brought. */
static void deliver(lathe_device *d, uint64_t ticket)
{
    uint32_t n = 0;
    for (; n < d->n_reads && d->reads[n].ticket <= ticket; n++)
        memcpy(d->reads[n].host, d->reads[n].staged, d->reads[n].bytes);
    d->n_reads -= n;
    memmove(d->reads, d->reads + n, d->n_reads * sizeof *d->reads);
}

/* Waits for everything; what was to be read is dropped after an error. */
static lathe_status finish(lathe_device *d, lathe_error *err)
{
    CUresult code = d->cu.cuStreamSynchronize(d->stream);
    if (code == CUDA_SUCCESS) deliver(d, UINT64_MAX);
    d->n_reads = 0;
    d->staged = 0;
    return code == CUDA_SUCCESS ? LATHE_OK : fail(&d->cu, code, "running kernels", err);
}

/* Pinned memory for a copy; *out NULL: there is too much to copy for it. */
static lathe_status stage(lathe_device *d, size_t bytes, void **out, lathe_error *err)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    *out = NULL;
    if (bytes > STAGING_BYTES / 2) return LATHE_OK;
    if (d->staged + rounded > STAGING_BYTES) LT_TRY(finish(d, err));
    *out = d->staging + d->staged;
    d->staged += rounded;
    return LATHE_OK;
}

static lathe_status write_bytes(lathe_device *d, const lathe_buffer *to, size_t offset, const void *host,
                                size_t bytes, lathe_error *err)
{
    void *staged;
    if (bytes == 0) return LATHE_OK;
    LT_TRY(stage(d, bytes, &staged, err));
    if (staged) memcpy(staged, host, bytes);
    d->idle = false;
    CU_TRY(&d->cu, cuMemcpyHtoDAsync_v2(to->memory + offset, staged ? staged : host, bytes, d->stream),
           "writing to the device", err);
    return staged ? LATHE_OK
                  : finish(d, err); /* the caller may have pinned it: then the copy is still to come */
}

static lathe_status read_bytes(lathe_device *d, const lathe_buffer *from, size_t offset, void *host,
                               size_t bytes, lathe_error *err)
{
    void *staged;
    if (bytes == 0) return LATHE_OK;
    if (d->n_reads == MAX_READS) LT_TRY(finish(d, err));
    LT_TRY(stage(d, bytes, &staged, err));
    d->idle = false;
    CU_TRY(&d->cu, cuMemcpyDtoHAsync_v2(staged ? staged : host, from->memory + offset, bytes, d->stream),
           "reading from the device", err);
    if (staged) d->reads[d->n_reads++] = (pending_read){host, staged, bytes, d->flushed + 1};
    return LATHE_OK;
}

static lathe_status cuda_write(lathe_device *d, lathe_buffer *to, size_t offset, const void *host,
                               size_t bytes, lathe_error *err)
{
    IN_CONTEXT(d, err, write_bytes(d, to, offset, host, bytes, err));
}

static lathe_status cuda_read(lathe_device *d, lathe_buffer *from, size_t offset, void *host, size_t bytes,
                              lathe_error *err)
{
    IN_CONTEXT(d, err, read_bytes(d, from, offset, host, bytes, err));
}

/* ---- Kernels ---- */

static lt_kernel_key key_of(const lathe_device *d, const lathe_kernel *kernel)
{
    return (lt_kernel_key){
        .backend = "cuda", .device = d->arch, .driver = d->compiler, .source = kernel->source};
}

static lathe_status nvrtc_fail(const lathe_device *d, nvrtcResult code, const lathe_kernel *kernel,
                               lathe_error *err)
{
    LT_FAIL(err, DEVICE, "NVRTC: kernel '%s' for %s: %s", kernel->entry, d->arch,
            d->cu.nvrtcGetErrorString(code));
}

#define NVRTC_TRY(d, call, kernel, err)                                             \
    do {                                                                            \
        nvrtcResult code_ = (d)->cu.call;                                           \
        if (code_ != NVRTC_SUCCESS) return nvrtc_fail((d), code_, (kernel), (err)); \
    } while (0)

static lathe_status report_log(lathe_device *d, nvrtcProgram program, const lathe_kernel *kernel,
                               lathe_error *err)
{
    char log[LOG_BYTES] = "";
    size_t size = 0;
    d->cu.nvrtcGetProgramLogSize(program, &size);
    char *whole = lt_heap_alloc(size + 1, 1);
    if (whole && d->cu.nvrtcGetProgramLog(program, whole) == NVRTC_SUCCESS)
        snprintf(log, sizeof log, "%s", whole);
    lt_heap_free(whole);
    LT_FAIL(err, DEVICE, "NVRTC: kernel '%s' does not compile for %s:\n%s", kernel->entry, d->arch, log);
}

/* Code for the architecture itself, or text for a newer one. */
static lathe_status take_code(lathe_device *d, nvrtcProgram program, const lathe_kernel *kernel,
                              lt_text *code, lathe_error *err)
{
    bool real = d->arch[0] == 's';
    size_t size = 0;
    if (real) NVRTC_TRY(d, nvrtcGetCUBINSize(program, &size), kernel, err);
    else NVRTC_TRY(d, nvrtcGetPTXSize(program, &size), kernel, err);
    char *bytes = lt_heap_alloc(size, 1);
    if (!bytes) return lt_out_of_memory(err, size, 1);
    nvrtcResult result = real ? d->cu.nvrtcGetCUBIN(program, bytes) : d->cu.nvrtcGetPTX(program, bytes);
    if (result == NVRTC_SUCCESS) lt_text_append(code, bytes, size);
    lt_heap_free(bytes);
    return result == NVRTC_SUCCESS ? lt_text_status(code, err) : nvrtc_fail(d, result, kernel, err);
}

static lathe_status compile(lathe_device *d, const lathe_kernel *kernel, lt_text *code, lathe_error *err)
{
    char arch[48];
    const char *const options[] = {arch, "--fmad=false", "-default-device", "--disable-warnings"};
    nvrtcProgram program = NULL;
    snprintf(arch, sizeof arch, "--gpu-architecture=%s", d->arch);
    NVRTC_TRY(d, nvrtcCreateProgram(&program, kernel->source, "kernel.cu", 0, NULL, NULL), kernel, err);
    bool compiled = d->cu.nvrtcCompileProgram(program, LT_COUNT(options), options) == NVRTC_SUCCESS;
    lathe_status status =
        compiled ? take_code(d, program, kernel, code, err) : report_log(d, program, kernel, err);
    d->cu.nvrtcDestroyProgram(&program);
    return status;
}

/* The driver's own compiler has its say where the code is text. */
static lathe_status load_module(lathe_device *d, const lathe_kernel *kernel, const lt_text *code,
                                CUmodule *out, lathe_error *err)
{
    char log[LOG_BYTES] = "";
    int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    CUresult result = d->cu.cuModuleLoadDataEx(out, code->data, LT_COUNT(options), options, values);
    if (result == CUDA_SUCCESS) return LATHE_OK;
    lathe_status status = fail(&d->cu, result, "loading a compiled kernel", err);
    return lt_error_note(err, status, "kernel '%s'%s%.*s", kernel->entry, log[0] ? ", " : "", LOG_BYTES, log);
}

/* From the cache, unless the driver does not take it any more; else compiled. */
static lathe_status make_module(lathe_device *d, const lathe_kernel *kernel, CUmodule *out, lathe_error *err)
{
    lt_text code = {0};
    lt_kernel_key key = key_of(d, kernel);
    bool found = lt_kernel_cache_get(&key, &code) && load_module(d, kernel, &code, out, NULL) == LATHE_OK;
    lathe_status status = LATHE_OK;
    if (!found) {
        lt_text_free(&code);
        code = (lt_text){0};
        status = compile(d, kernel, &code, err);
        if (status == LATHE_OK) status = load_module(d, kernel, &code, out, err);
        if (status == LATHE_OK) lt_kernel_cache_put(&key, code.data, code.length);
    }
    lt_text_free(&code);
    return status;
}

/* The attribute is asked for here because that makes the driver load the kernel, which it must not do while a
 * graph is made. */
static lathe_status find_function(lathe_device *d, built *b, lathe_error *err)
{
    CU_TRY(&d->cu, cuModuleGetFunction(&b->function, b->module, b->kernel->entry), b->kernel->entry, err);
    CU_TRY(&d->cu, cuFuncGetAttribute(&b->max_group, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, b->function),
           b->kernel->entry, err);
    return LATHE_OK;
}

static lathe_status need_kernel(lathe_device *d, const lathe_kernel *kernel, const built **out,
                                lathe_error *err)
{
    for (built *b = d->kernels; b; b = b->next)
        if (b->kernel == kernel) {
            *out = b;
            return LATHE_OK;
        }
    built *b = lt_heap_alloc(1, sizeof *b);
    if (!b) return lt_out_of_memory(err, 1, sizeof *b);
    *b = (built){.next = d->kernels, .kernel = kernel};
    lathe_status status = make_module(d, kernel, &b->module, err);
    if (status == LATHE_OK) status = find_function(d, b, err);
    if (status != LATHE_OK) {
        if (b->module) d->cu.cuModuleUnload(b->module);
        lt_heap_free(b);
        return status;
    }
    *out = d->kernels = b;
    return LATHE_OK;
}

/* ---- Batches ---- */

static lathe_status need_kernels(lathe_device *d, const lathe_launch *launches, uint32_t n,
                                 const built **kernels, lathe_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        const lathe_launch *launch = &launches[i];
        uint64_t items = (uint64_t)launch->group[0] * launch->group[1] * launch->group[2];
        LT_TRY(need_kernel(d, launch->kernel, &kernels[i], err));
        if (items > (uint64_t)kernels[i]->max_group)
            LT_FAIL(err, DEVICE, "CUDA: kernel '%s' runs in groups of at most %d on %s, not of %llu",
                    launch->kernel->entry, kernels[i]->max_group, d->info.name, (unsigned long long)items);
    }
    return LATHE_OK;
}

static lathe_status launch_one(lathe_device *d, const lathe_launch *launch, const built *kernel,
                               lathe_error *err)
{
    void *arguments[LATHE_MAX_BUFFERS + 1];
    for (uint32_t i = 0; i < launch->n_buffers; i++) arguments[i] = &launch->buffers[i]->memory;
    arguments[launch->n_buffers] = (void *)(uintptr_t)launch->params;
    CU_TRY(&d->cu,
           cuLaunchKernel(kernel->function, launch->groups[0], launch->groups[1], launch->groups[2],
                          launch->group[0], launch->group[1], launch->group[2], 0, d->stream, arguments,
                          NULL),
           launch->kernel->entry, err);
    return LATHE_OK;
}

/* Launches into a graph instead of onto the device; a capture that was begun is ended whatever happens. */
static lathe_status capture(lathe_device *d, const lathe_launch *launches, uint32_t n,
                            const built *const *kernels, CUgraph *out, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    CU_TRY(&d->cu, cuStreamBeginCapture_v2(d->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
           "beginning a graph", err);
    for (uint32_t i = 0; i < n && status == LATHE_OK; i++)
        status = launch_one(d, &launches[i], kernels[i], err);
    CUresult code = d->cu.cuStreamEndCapture(d->stream, out);
    if (status == LATHE_OK && code != CUDA_SUCCESS) status = fail(&d->cu, code, "ending a graph", err);
    return status;
}

static lathe_status make_graph(lathe_device *d, const lathe_launch *launches, uint32_t n,
                               const built **kernels, CUgraphExec *out, lathe_error *err)
{
    CUgraph graph = NULL;
    CUresult code = CUDA_SUCCESS;
    LT_TRY(need_kernels(d, launches, n, kernels, err));
    lathe_status status = capture(d, launches, n, kernels, &graph, err);
    if (status == LATHE_OK) code = d->cu.cuGraphInstantiateWithFlags(out, graph, 0);
    if (graph) d->cu.cuGraphDestroy(graph);
    return code == CUDA_SUCCESS ? status : fail(&d->cu, code, "making a graph ready", err);
}

static lathe_status prepare_batch(lathe_device *d, const lathe_launch *launches, uint32_t n,
                                  lathe_batch **out, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    lathe_batch *batch = lt_heap_alloc(1, sizeof *batch);
    const built **kernels = lt_heap_alloc(n, sizeof *kernels);
    *out = NULL;
    if (!batch || !kernels) status = lt_out_of_memory(err, n, sizeof *kernels);
    else if (n) status = make_graph(d, launches, n, kernels, &batch->graph, err);
    lt_heap_free(kernels);
    if (status == LATHE_OK) *out = batch;
    else lt_heap_free(batch);
    return status;
}

static lathe_status cuda_prepare(lathe_device *d, const lathe_launch *launches, uint32_t n, lathe_batch **out,
                                 lathe_error *err)
{
    IN_CONTEXT(d, err, prepare_batch(d, launches, n, out, err));
}

static void cuda_release(lathe_device *d, lathe_batch *batch)
{
    if (!batch) return;
    if (batch->graph && enter(d, NULL) == LATHE_OK) {
        d->cu.cuStreamSynchronize(d->stream); /* a graph that runs must not go */
        d->cu.cuGraphExecDestroy(batch->graph);
        leave(d);
    }
    lt_heap_free(batch);
}

static lathe_status launch_graph(lathe_device *d, CUgraphExec graph, lathe_error *err)
{
    d->idle = false;
    CU_TRY(&d->cu, cuGraphLaunch(graph, d->stream), "launching a graph", err);
    return LATHE_OK;
}

static lathe_status cuda_submit(lathe_device *d, lathe_batch *batch, lathe_error *err)
{
    if (!batch->graph) return LATHE_OK;
    IN_CONTEXT(d, err, launch_graph(d, batch->graph, err));
}

/* ---- Waiting ---- */

static lathe_status record(lathe_device *d, lathe_error *err)
{
    CUresult code = d->cu.cuEventRecord(d->events[(d->flushed + 1) % MAX_EVENTS], d->stream);
    if (code != CUDA_SUCCESS) {
        d->n_reads = 0; /* nobody will wait for them */
        return fail(&d->cu, code, "marking the stream", err);
    }
    d->flushed++;
    d->idle = true;
    return LATHE_OK;
}

static lathe_status cuda_flush(lathe_device *d, uint64_t *ticket, lathe_error *err)
{
    LT_TRY(enter(d, err));
    lathe_status status = record(d, err);
    leave(d);
    *ticket = d->flushed;
    return status;
}

/* The event of an old ticket belongs to a later one by now: waiting for that is waiting for both. */
static lathe_status wait_for(lathe_device *d, uint64_t ticket, lathe_error *err)
{
    CUresult code = d->cu.cuEventSynchronize(d->events[ticket % MAX_EVENTS]);
    if (code != CUDA_SUCCESS) {
        d->n_reads = 0;
        return fail(&d->cu, code, "running kernels", err);
    }
    deliver(d, ticket);
    if (ticket == d->flushed && d->idle) d->staged = 0;
    return LATHE_OK;
}

static lathe_status cuda_wait(lathe_device *d, uint64_t ticket, lathe_error *err)
{
    IN_CONTEXT(d, err, wait_for(d, ticket, err));
}

static const char *cuda_dialect(void) { return lt_gpu_text_get("dialect_cuda.h"); }

const lathe_backend lt_backend_cuda = {
    .name = "cuda",
    .dialect = cuda_dialect,
    .enumerate = cuda_enumerate,
    .open = cuda_open,
    .close = cuda_close,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .write = cuda_write,
    .read = cuda_read,
    .prepare = cuda_prepare,
    .release = cuda_release,
    .submit = cuda_submit,
    .flush = cuda_flush,
    .wait = cuda_wait,
};
