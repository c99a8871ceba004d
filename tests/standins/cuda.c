/* libcuda for tests: checks the order, sizes and lifetimes of calls, and runs launches on the CPU. Everything
 * on a stream is done as late as may be, so that whoever does not wait reads what was there before. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dl_cuda.h"
#include "runner.h"
#include "standin_cuda.h"

#define EXPORT __attribute__((visibility("default")))
enum {
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_INVALID_IMAGE = 200,
    DEVICES = 2,
    MAX_GROUP = 1024,
    MAX_GROUP_Z = 64,
    MAX_GROUPS_YZ = 65535,
    LOCAL_BYTES = 48 << 10,
    CONTEXT_STACK = 8
};

/* ---- Objects ---- */

typedef enum kind {
    CONTEXT = 1,
    MODULE,
    FUNCTION,
    STREAM,
    EVENT,
    GRAPH,
    GRAPH_EXEC,
    DEVICE_MEMORY,
    HOST_MEMORY
} kind;
static const char *const kind_names[] = {
    "",      "context", "module",        "function",      "stream",
    "event", "graph",   "graph (ready)", "device memory", "pinned memory"};

/* Every object is in one list for ever, so that a handle that was destroyed is told from one that never was.
 */
typedef struct object {
    struct object *next;
    kind kind;
    int alive;
    CUcontext context;
    void *memory; /* of the two kinds of memory */
    size_t bytes;
} object;

static object *objects;
static int initialised;
static CUcontext stack[CONTEXT_STACK];
static int depth;

struct CUctx_st {
    object base;
    int lost, failed; /* failed: some call did, and what was to be freed may be left */
};
struct CUmod_st {
    object base;
    standin_code *code;
};
struct CUfunc_st {
    object base;
    CUmodule module;
    const standin_entry *entry;
    char name[256];
};
typedef enum op_kind { LAUNCH, TO_DEVICE, TO_HOST, RECORD } op_kind;
typedef struct op {
    op_kind kind;
    CUfunction function;
    unsigned groups[3], group[3];
    char *arguments; /* [entry->n], 1 KiB each; of copies: the bytes, or NULL when they are read late */
    void *to;
    const void *from;
    size_t bytes;
    CUevent event;
    uint64_t record;
} op;
typedef struct op_list {
    op *ops;
    size_t n, capacity;
} op_list;
struct CUstream_st {
    object base;
    op_list queue;
    int capturing;
    op_list captured;
};
struct CUevent_st {
    object base;
    uint64_t recorded, reached;
};
struct CUgraph_st {
    object base;
    op_list launches;
};
struct CUgraphExec_st {
    object base;
    op_list launches;
    CUstream stream; /* the last one it was launched on */
};
enum { ARGUMENT_BYTES = 1024 };

static void *make(kind of, size_t size)
{
    object *o = calloc(1, size);
    if (!o) standin_violation("no memory for a %s", kind_names[of]);
    *o = (object){.next = objects, .kind = of, .alive = 1, .context = depth ? stack[depth - 1] : NULL};
    objects = o;
    return o;
}

static void *check(void *handle, kind of, const char *function)
{
    object *o = objects;
    while (o && o != handle) o = o->next;
    if (!o || o->kind != of) standin_violation("%s: not a %s", function, kind_names[of]);
    if (!o->alive) standin_violation("%s: a %s that is gone", function, kind_names[of]);
    if (o->context && (depth == 0 || o->context != stack[depth - 1]))
        standin_violation("%s: a %s of a context that is not current", function, kind_names[of]);
    return o;
}

static object *find_memory(const void *memory, kind of)
{
    for (object *o = objects; o; o = o->next)
        if (o->kind == of && o->alive && (const char *)memory >= (char *)o->memory &&
            (const char *)memory < (char *)o->memory + (o->bytes ? o->bytes : 1))
            return o;
    return NULL;
}

static void check_range(const void *memory, size_t bytes, kind of, const char *function)
{
    const object *o = find_memory(memory, of);
    if (!o || (size_t)((const char *)memory - (char *)o->memory) + bytes > o->bytes)
        standin_violation("%s: %zu bytes at %p are not within %s", function, bytes, memory, kind_names[of]);
}

/* ---- Every call ---- */

static char fail_function[64];
static int fail_in, fail_code, capability = 90, graphs_launched, kernels_launched;

EXPORT int standin_fail(const char *function, int nth, int code)
{
    int fired = fail_in == 0;
    snprintf(fail_function, sizeof fail_function, "%s", function);
    fail_in = nth;
    fail_code = code;
    return fired;
}
EXPORT void standin_capability(int value) { capability = value; }
EXPORT void standin_count(int *graphs, int *kernels)
{
    *graphs = graphs_launched;
    *kernels = kernels_launched;
}

/* What a call answers before it does anything; `needs`: a context that is current. */
static CUresult begin(const char *function, int needs)
{
    if (!initialised) standin_violation("%s before cuInit", function);
    if (needs && depth == 0) standin_violation("%s without a current context", function);
    CUcontext context = depth ? stack[depth - 1] : NULL;
    if (needs && context->lost) return STANDIN_LOST;
    if (fail_in == 0 || strcmp(fail_function, function) != 0 || --fail_in > 0) return CUDA_SUCCESS;
    for (object *o = objects; o; o = o->next)
        if (o->kind == CONTEXT) ((CUcontext)o)->failed = 1;
    if (context && fail_code == STANDIN_LOST) context->lost = 1;
    return fail_code;
}
#define BEGIN(needs)                               \
    do {                                           \
        CUresult begun = begin(__func__, (needs)); \
        if (begun != CUDA_SUCCESS) return begun;   \
    } while (0)

/* Most calls must not be made between beginning and ending a capture. */
static void check_not_capturing(const char *function)
{
    for (object *o = objects; o; o = o->next)
        if (o->kind == STREAM && o->alive && ((CUstream)o)->capturing)
            standin_violation("%s during a capture", function);
}

/* ---- Work on streams ---- */

static op *append(op_list *list)
{
    if (list->n == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->ops = realloc(list->ops, list->capacity * sizeof *list->ops);
        if (!list->ops) standin_violation("no memory for launches");
    }
    return memset(&list->ops[list->n++], 0, sizeof *list->ops);
}

static void clear(op_list *list)
{
    for (size_t i = 0; i < list->n; i++) free(list->ops[i].arguments);
    free(list->ops);
    *list = (op_list){0};
}

static void run_launch(const op *o)
{
    const standin_entry *entry = o->function->entry;
    void *arguments[64];
    for (unsigned i = 0; i < entry->n; i++) {
        arguments[i] = o->arguments + i * ARGUMENT_BYTES;
        if (entry->sizes[i] == 0) check_range(*(void **)arguments[i], 0, DEVICE_MEMORY, o->function->name);
    }
    kernels_launched++;
    standin_run(o->function->name, entry, arguments, o->group, o->groups);
}

static void run_op(op *o)
{
    switch (o->kind) {
    case LAUNCH: run_launch(o); break;
    case TO_DEVICE:
        check_range(o->to, o->bytes, DEVICE_MEMORY, "cuMemcpyHtoDAsync_v2, when it is done,");
        if (!o->arguments)
            check_range(o->from, o->bytes, HOST_MEMORY, "cuMemcpyHtoDAsync_v2, when it is done,");
        memcpy(o->to, o->arguments ? o->arguments : o->from, o->bytes);
        break;
    case TO_HOST:
        check_range(o->from, o->bytes, DEVICE_MEMORY, "cuMemcpyDtoHAsync_v2, when it is done,");
        check_range(o->to, o->bytes, HOST_MEMORY, "cuMemcpyDtoHAsync_v2, when it is done,");
        memcpy(o->to, o->from, o->bytes);
        break;
    case RECORD: o->event->reached = o->record; break;
    }
}

static void run_stream(CUstream stream)
{
    for (size_t i = 0; i < stream->queue.n; i++) run_op(&stream->queue.ops[i]);
    clear(&stream->queue);
}

/* What a device waits for before memory goes. */
static void run_all(void)
{
    for (object *o = objects; o; o = o->next)
        if (o->kind == STREAM && o->alive) run_stream((CUstream)o);
}

/* ---- Driver and devices ---- */

EXPORT CUresult cuInit(unsigned flags)
{
    initialised = flags == 0;
    return initialised ? begin(__func__, 0) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuDriverGetVersion(int *version)
{
    *version = STANDIN_CUDA_VERSION;
    return CUDA_SUCCESS;
}

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {{CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
              {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
              {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
              {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
              {STANDIN_LOST, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}};

static CUresult error_text(CUresult code, const char **out, int whole)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *out = whole ? errors[i].text : errors[i].name;
            return CUDA_SUCCESS;
        }
    *out = NULL;
    return CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGetErrorName(CUresult code, const char **out) { return error_text(code, out, 0); }
EXPORT CUresult cuGetErrorString(CUresult code, const char **out) { return error_text(code, out, 1); }

EXPORT CUresult cuDeviceGetCount(int *n)
{
    BEGIN(0);
    *n = DEVICES;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *out, int index)
{
    BEGIN(0);
    *out = 100 + index; /* not the index itself */
    return index >= 0 && index < DEVICES ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static void check_device(CUdevice device, const char *function)
{
    if (device < 100 || device >= 100 + DEVICES) standin_violation("%s: not a device", function);
}

EXPORT CUresult cuDeviceGetName(char *out, int bytes, CUdevice device)
{
    BEGIN(0);
    check_device(device, __func__);
    snprintf(out, (size_t)bytes, "stand-in %d", device - 100);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *out, int what, CUdevice device)
{
    BEGIN(0);
    check_device(device, __func__);
    switch (what) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *out = MAX_GROUP; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *out = LOCAL_BYTES; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *out = 32; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *out = capability / 10; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *out = capability % 10; return CUDA_SUCCESS;
    default: standin_violation("%s: attribute %d", __func__, what);
    }
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    BEGIN(0);
    check_device(device, __func__);
    *bytes = (size_t)1 << 32;
    return CUDA_SUCCESS;
}

/* ---- Contexts ---- */

EXPORT CUresult cuCtxCreate_v2(CUcontext *out, unsigned flags, CUdevice device)
{
    (void)flags;
    BEGIN(0);
    check_device(device, __func__);
    if (depth == CONTEXT_STACK) standin_violation("%s: contexts are pushed and never popped", __func__);
    *out = make(CONTEXT, sizeof **out);
    (*out)->base.context = NULL;
    stack[depth++] = *out;
    return CUDA_SUCCESS;
}

/* What is left where no call has failed was forgotten. */
EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
    check(context, CONTEXT, __func__);
    for (object *o = objects; o; o = o->next) {
        if (!o->alive || o->context != context) continue;
        if (!context->failed && o->kind != FUNCTION)
            standin_violation("%s: %s is left", __func__, kind_names[o->kind]);
        if (o->kind == STREAM) clear(&((CUstream)o)->queue);
        if (o->kind == MODULE) standin_unload(((CUmodule)o)->code);
        if (o->kind == GRAPH) clear(&((CUgraph)o)->launches);
        if (o->kind == GRAPH_EXEC) clear(&((CUgraphExec)o)->launches);
        if (o->memory) standin_free(o->memory);
        o->alive = 0;
    }
    context->base.alive = 0;
    for (int i = 0; i < depth; i++)
        if (stack[i] == context) standin_violation("%s: the context is still current", __func__);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    BEGIN(0);
    check(context, CONTEXT, __func__);
    if (depth == CONTEXT_STACK) standin_violation("%s: contexts are pushed and never popped", __func__);
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

/* Cannot fail where there is one. */
EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *out)
{
    if (depth == 0) standin_violation("%s: there is none", __func__);
    *out = stack[--depth];
    return CUDA_SUCCESS;
}

__attribute__((destructor)) static void check_leaks(void)
{
    int left = 0;
    for (object *o = objects; o; o = o->next) {
        if (o->alive) fprintf(stderr, "stand-in: %s is left at the end\n", kind_names[o->kind]);
        left |= o->alive;
    }
    if (depth) fprintf(stderr, "stand-in: a context is still current at the end\n");
    if (left || depth) _Exit(1);
}

/* ---- Memory ---- */

static object *make_memory(kind of, size_t bytes)
{
    object *o = make(of, sizeof *o);
    o->memory = standin_alloc(bytes);
    o->bytes = bytes;
    return o;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
    BEGIN(1);
    check_not_capturing(__func__);
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    *out = (CUdeviceptr)make_memory(DEVICE_MEMORY, bytes)->memory;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemHostAlloc(void **out, size_t bytes, unsigned flags)
{
    BEGIN(1);
    check_not_capturing(__func__);
    if (!bytes || flags) return CUDA_ERROR_INVALID_VALUE;
    *out = make_memory(HOST_MEMORY, bytes)->memory;
    return CUDA_SUCCESS;
}

static CUresult free_memory(void *memory, kind of, const char *function)
{
    object *o = find_memory(memory, of);
    if (!o || o->memory != memory) standin_violation("%s: not the beginning of %s", function, kind_names[of]);
    check(o, of, function);
    check_not_capturing(function);
    run_all();
    standin_free(o->memory);
    o->memory = NULL;
    o->alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr memory)
{
    BEGIN(1);
    return free_memory((void *)memory, DEVICE_MEMORY, __func__);
}

EXPORT CUresult cuMemFreeHost(void *memory)
{
    BEGIN(1);
    return free_memory(memory, HOST_MEMORY, __func__);
}

/* Pageable memory is read at once, pinned memory when the stream comes to it. */
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    BEGIN(1);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    check_range((void *)to, bytes, DEVICE_MEMORY, __func__);
    op *o = append(&stream->queue);
    *o = (op){.kind = TO_DEVICE, .to = (void *)to, .from = from, .bytes = bytes};
    if (find_memory(from, HOST_MEMORY)) return CUDA_SUCCESS;
    o->arguments = malloc(bytes ? bytes : 1);
    if (!o->arguments) standin_violation("no memory for a copy");
    memcpy(o->arguments, from, bytes);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    BEGIN(1);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    check_range((void *)from, bytes, DEVICE_MEMORY, __func__);
    if (find_memory(to, HOST_MEMORY)) {
        *append(&stream->queue) = (op){.kind = TO_HOST, .to = to, .from = (void *)from, .bytes = bytes};
        return CUDA_SUCCESS;
    }
    run_stream(stream);
    memcpy(to, (void *)from, bytes);
    return CUDA_SUCCESS;
}

/* ---- Streams and events ---- */

EXPORT CUresult cuStreamCreate(CUstream *out, unsigned flags)
{
    BEGIN(1);
    if (flags != CU_STREAM_NON_BLOCKING) standin_violation("%s: a stream that waits for others", __func__);
    *out = make(STREAM, sizeof **out);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream)
{
    BEGIN(1);
    check(stream, STREAM, __func__);
    run_stream(stream);
    stream->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
    BEGIN(1);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    run_stream(stream);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    BEGIN(1);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    stream->capturing = 1;
    return mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *out)
{
    check(stream, STREAM, __func__);
    if (!stream->capturing) standin_violation("%s: nothing is captured", __func__);
    stream->capturing = 0;
    CUresult begun = begin(__func__, 1);
    if (begun != CUDA_SUCCESS) {
        clear(&stream->captured);
        return begun;
    }
    *out = make(GRAPH, sizeof **out);
    (*out)->launches = stream->captured;
    stream->captured = (op_list){0};
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(CUevent *out, unsigned flags)
{
    (void)flags;
    BEGIN(1);
    *out = make(EVENT, sizeof **out);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event)
{
    BEGIN(1);
    check(event, EVENT, __func__);
    event->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
    BEGIN(1);
    check(event, EVENT, __func__);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    *append(&stream->queue) = (op){.kind = RECORD, .event = event, .record = ++event->recorded};
    return CUDA_SUCCESS;
}

/* Runs streams only as far as the event. */
EXPORT CUresult cuEventSynchronize(CUevent event)
{
    BEGIN(1);
    check(event, EVENT, __func__);
    if (!event->recorded) standin_violation("%s: an event that was never recorded", __func__);
    for (object *o = objects; o; o = o->next) {
        if (o->kind != STREAM || !o->alive) continue;
        op_list *queue = &((CUstream)o)->queue;
        size_t n = queue->n;
        while (n > 0 && !(queue->ops[n - 1].kind == RECORD && queue->ops[n - 1].event == event)) n--;
        for (size_t i = 0; i < n; i++) run_op(&queue->ops[i]);
        for (size_t i = 0; i < n; i++) free(queue->ops[i].arguments);
        queue->n -= n;
        if (n) memmove(queue->ops, queue->ops + n, queue->n * sizeof *queue->ops);
    }
    return event->reached == event->recorded ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- Modules and launches ---- */

EXPORT CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned n_options, int *options,
                                   void **values)
{
    char arch[32], path[STANDIN_PATH];
    (void)options, (void)values, (void)n_options;
    BEGIN(1);
    check_not_capturing(__func__);
    int own = capability, scanned = sscanf(image, STANDIN_CODE_MAGIC "%31s %1023s", arch, path);
    const char *number = scanned == 2 ? strchr(arch, '_') : NULL;
    int of = number ? atoi(number + 1) : 0;
    standin_code *code = of && (arch[0] == 's' ? of == own : of <= own) ? standin_load(path) : NULL;
    if (!code) return CUDA_ERROR_INVALID_IMAGE;
    *out = make(MODULE, sizeof **out);
    (*out)->code = code;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleUnload(CUmodule module)
{
    BEGIN(1);
    check(module, MODULE, __func__);
    check_not_capturing(__func__);
    for (object *o = objects; o; o = o->next) {
        if (o->kind == STREAM && o->alive && ((CUstream)o)->queue.n)
            standin_violation("%s: work is not done", __func__);
        if (o->kind == FUNCTION && ((CUfunction)o)->module == module) o->alive = 0;
    }
    standin_unload(module->code);
    module->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *out, CUmodule module, const char *name)
{
    BEGIN(1);
    check(module, MODULE, __func__);
    const standin_entry *entry = standin_find(module->code, name);
    if (!entry) return CUDA_ERROR_NOT_FOUND;
    if ((size_t)(entry->local_end - entry->local) > LOCAL_BYTES)
        standin_violation("%s: '%s' wants more shared memory than a group has", __func__, name);
    *out = make(FUNCTION, sizeof **out);
    (*out)->module = module;
    (*out)->entry = entry;
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncGetAttribute(int *out, int what, CUfunction function)
{
    BEGIN(1);
    check(function, FUNCTION, __func__);
    if (what != CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        standin_violation("%s: attribute %d", __func__, what);
    *out = MAX_GROUP;
    return CUDA_SUCCESS;
}

static void check_size(const char *name, const unsigned groups[3], const unsigned group[3])
{
    uint64_t items = (uint64_t)group[0] * group[1] * group[2];
    if (items == 0 || items > MAX_GROUP || group[2] > MAX_GROUP_Z)
        standin_violation("kernel '%s': a group of %u x %u x %u", name, group[0], group[1], group[2]);
    if (groups[0] == 0 || groups[0] > INT32_MAX || groups[1] == 0 || groups[1] > MAX_GROUPS_YZ ||
        groups[2] == 0 || groups[2] > MAX_GROUPS_YZ)
        standin_violation("kernel '%s': %u x %u x %u groups", name, groups[0], groups[1], groups[2]);
}

static char *copy_arguments(CUfunction function, void **parameters)
{
    const standin_entry *entry = function->entry;
    char *copy = calloc(entry->n, ARGUMENT_BYTES);
    if (!copy || entry->n > 64) standin_violation("kernel '%s': %u arguments", function->name, entry->n);
    for (unsigned i = 0; i < entry->n; i++) {
        size_t bytes = entry->sizes[i] ? entry->sizes[i] : sizeof(void *);
        if (bytes > ARGUMENT_BYTES)
            standin_violation("kernel '%s': argument %u of %zu bytes", function->name, i, bytes);
        memcpy(copy + i * ARGUMENT_BYTES, parameters[i], bytes);
        if (entry->sizes[i] == 0)
            check_range(*(void **)(copy + i * ARGUMENT_BYTES), 0, DEVICE_MEMORY, function->name);
    }
    return copy;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                               unsigned by, unsigned bz, unsigned local, CUstream stream, void **parameters,
                               void **extra)
{
    BEGIN(1);
    check(function, FUNCTION, __func__);
    check(stream, STREAM, __func__);
    if (local || extra || !parameters) standin_violation("%s: arguments that are not expected", __func__);
    op launch = {.kind = LAUNCH, .function = function, .groups = {gx, gy, gz}, .group = {bx, by, bz}};
    check_size(function->name, launch.groups, launch.group);
    launch.arguments = copy_arguments(function, parameters);
    *append(stream->capturing ? &stream->captured : &stream->queue) = launch;
    return CUDA_SUCCESS;
}

/* ---- Graphs ---- */

static void copy_launches(op_list *to, const op_list *from)
{
    for (size_t i = 0; i < from->n; i++) {
        op launch = from->ops[i];
        size_t bytes = (size_t)launch.function->entry->n * ARGUMENT_BYTES;
        check(launch.function, FUNCTION, "a launch in a graph");
        launch.arguments = malloc(bytes);
        if (!launch.arguments) standin_violation("no memory for a launch");
        memcpy(launch.arguments, from->ops[i].arguments, bytes);
        *append(to) = launch;
    }
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *out, CUgraph graph, unsigned long long flags)
{
    BEGIN(1);
    check(graph, GRAPH, __func__);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    *out = make(GRAPH_EXEC, sizeof **out);
    copy_launches(&(*out)->launches, &graph->launches);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream)
{
    BEGIN(1);
    check(graph, GRAPH_EXEC, __func__);
    check(stream, STREAM, __func__);
    check_not_capturing(__func__);
    graph->stream = stream;
    graphs_launched++;
    copy_launches(&stream->queue, &graph->launches);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
    BEGIN(1);
    check(graph, GRAPH, __func__);
    clear(&graph->launches);
    graph->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec graph)
{
    BEGIN(1);
    check(graph, GRAPH_EXEC, __func__);
    if (graph->stream && graph->stream->base.alive && graph->stream->queue.n)
        standin_violation("%s: the graph may still run", __func__);
    clear(&graph->launches);
    graph->base.alive = 0;
    return CUDA_SUCCESS;
}
