/* Work of streams. It is done as late as may be, so that whoever does not wait reads what was there before.
 */
#include "cuda_objects.h"

static int graphs_launched, kernels_launched;

EXPORT void standin_count(int *graphs, int *kernels)
{
    *graphs = graphs_launched;
    *kernels = kernels_launched;
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

void cu_clear(op_list *list)
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
        if (entry->sizes[i] == 0) cu_check_range(*(void **)arguments[i], 0, DEVICE_MEMORY, o->function->name);
    }
    kernels_launched++;
    standin_run(o->function->name, entry, arguments, o->group, o->groups);
}

static void run_op(op *o)
{
    switch (o->kind) {
    case LAUNCH: run_launch(o); break;
    case TO_DEVICE:
        cu_check_range(o->to, o->bytes, DEVICE_MEMORY, "cuMemcpyHtoDAsync_v2, when it is done,");
        if (!o->arguments)
            cu_check_range(o->from, o->bytes, HOST_MEMORY, "cuMemcpyHtoDAsync_v2, when it is done,");
        memcpy(o->to, o->arguments ? o->arguments : o->from, o->bytes);
        break;
    case TO_HOST:
        cu_check_range(o->from, o->bytes, DEVICE_MEMORY, "cuMemcpyDtoHAsync_v2, when it is done,");
        cu_check_range(o->to, o->bytes, HOST_MEMORY, "cuMemcpyDtoHAsync_v2, when it is done,");
        memcpy(o->to, o->from, o->bytes);
        break;
    case RECORD: o->event->reached = o->record; break;
    }
}

static void run_stream(CUstream stream)
{
    for (size_t i = 0; i < stream->queue.n; i++) run_op(&stream->queue.ops[i]);
    cu_clear(&stream->queue);
}

void cu_run_all(void)
{
    for (object *o = cu_objects; o; o = o->next)
        if (o->kind == STREAM && o->alive) run_stream((CUstream)o);
}

/* ---- Copies ---- */

/* Pageable memory is read at once, pinned memory when the stream comes to it. */
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    BEGIN(1);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    cu_check_range((void *)to, bytes, DEVICE_MEMORY, __func__);
    op *o = append(&stream->queue);
    *o = (op){.kind = TO_DEVICE, .to = (void *)to, .from = from, .bytes = bytes};
    if (cu_find_memory(from, HOST_MEMORY)) return CUDA_SUCCESS;
    o->arguments = malloc(bytes ? bytes : 1);
    if (!o->arguments) standin_violation("no memory for a copy");
    memcpy(o->arguments, from, bytes);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    BEGIN(1);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    cu_check_range((void *)from, bytes, DEVICE_MEMORY, __func__);
    if (cu_find_memory(to, HOST_MEMORY)) {
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
    *out = cu_make(STREAM, sizeof **out);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream)
{
    BEGIN(1);
    cu_check(stream, STREAM, __func__);
    run_stream(stream);
    stream->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
    BEGIN(1);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    run_stream(stream);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    BEGIN(1);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    stream->capturing = 1;
    return mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *out)
{
    cu_check(stream, STREAM, __func__);
    if (!stream->capturing) standin_violation("%s: nothing is captured", __func__);
    stream->capturing = 0;
    CUresult begun = cu_begin(__func__, 1);
    if (begun != CUDA_SUCCESS) {
        cu_clear(&stream->captured);
        return begun;
    }
    *out = cu_make(GRAPH, sizeof **out);
    (*out)->launches = stream->captured;
    stream->captured = (op_list){0};
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(CUevent *out, unsigned flags)
{
    (void)flags;
    BEGIN(1);
    *out = cu_make(EVENT, sizeof **out);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event)
{
    BEGIN(1);
    cu_check(event, EVENT, __func__);
    event->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
    BEGIN(1);
    cu_check(event, EVENT, __func__);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    *append(&stream->queue) = (op){.kind = RECORD, .event = event, .record = ++event->recorded};
    return CUDA_SUCCESS;
}

/* Runs streams only as far as the event. */
EXPORT CUresult cuEventSynchronize(CUevent event)
{
    BEGIN(1);
    cu_check(event, EVENT, __func__);
    if (!event->recorded) standin_violation("%s: an event that was never recorded", __func__);
    for (object *o = cu_objects; o; o = o->next) {
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

/* ---- Launches ---- */

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
            cu_check_range(*(void **)(copy + i * ARGUMENT_BYTES), 0, DEVICE_MEMORY, function->name);
    }
    return copy;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                               unsigned by, unsigned bz, unsigned local, CUstream stream, void **parameters,
                               void **extra)
{
    BEGIN(1);
    cu_check(function, FUNCTION, __func__);
    cu_check(stream, STREAM, __func__);
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
        cu_check(launch.function, FUNCTION, "a launch in a graph");
        launch.arguments = malloc(bytes);
        if (!launch.arguments) standin_violation("no memory for a launch");
        memcpy(launch.arguments, from->ops[i].arguments, bytes);
        *append(to) = launch;
    }
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *out, CUgraph graph, unsigned long long flags)
{
    BEGIN(1);
    cu_check(graph, GRAPH, __func__);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    *out = cu_make(GRAPH_EXEC, sizeof **out);
    copy_launches(&(*out)->launches, &graph->launches);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream)
{
    BEGIN(1);
    cu_check(graph, GRAPH_EXEC, __func__);
    cu_check(stream, STREAM, __func__);
    cu_check_not_capturing(__func__);
    graph->stream = stream;
    graphs_launched++;
    copy_launches(&stream->queue, &graph->launches);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
    BEGIN(1);
    cu_check(graph, GRAPH, __func__);
    cu_clear(&graph->launches);
    graph->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec graph)
{
    BEGIN(1);
    cu_check(graph, GRAPH_EXEC, __func__);
    if (graph->stream && graph->stream->base.alive && graph->stream->queue.n)
        standin_violation("%s: the graph may still run", __func__);
    cu_clear(&graph->launches);
    graph->base.alive = 0;
    return CUDA_SUCCESS;
}
