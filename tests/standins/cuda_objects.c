/* Objects, contexts, and what all calls begin with. */
#include "cuda_objects.h"

enum { CONTEXT_STACK = 8 };

const char *const cu_kind_names[] = {"",      "context", "module",        "function",      "stream",
                                     "event", "graph",   "graph (ready)", "device memory", "pinned memory"};
object *cu_objects;
static int initialised;
static CUcontext stack[CONTEXT_STACK];
static int depth;

/* ---- Objects ---- */

void *cu_make(kind of, size_t size)
{
    object *o = calloc(1, size);
    if (!o) standin_violation("no memory for a %s", cu_kind_names[of]);
    *o = (object){.next = cu_objects, .kind = of, .alive = 1, .context = depth ? stack[depth - 1] : NULL};
    cu_objects = o;
    return o;
}

void *cu_check(void *handle, kind of, const char *function)
{
    object *o = cu_objects;
    while (o && o != handle) o = o->next;
    if (!o || o->kind != of) standin_violation("%s: not a %s", function, cu_kind_names[of]);
    if (!o->alive) standin_violation("%s: a %s that is gone", function, cu_kind_names[of]);
    if (o->context && (depth == 0 || o->context != stack[depth - 1]))
        standin_violation("%s: a %s of a context that is not current", function, cu_kind_names[of]);
    return o;
}

object *cu_find_memory(const void *memory, kind of)
{
    for (object *o = cu_objects; o; o = o->next)
        if (o->kind == of && o->alive && (const char *)memory >= (char *)o->memory &&
            (const char *)memory < (char *)o->memory + (o->bytes ? o->bytes : 1))
            return o;
    return NULL;
}

void cu_check_range(const void *memory, size_t bytes, kind of, const char *function)
{
    const object *o = cu_find_memory(memory, of);
    if (!o || (size_t)((const char *)memory - (char *)o->memory) + bytes > o->bytes)
        standin_violation("%s: %zu bytes at %p are not within %s", function, bytes, memory,
                          cu_kind_names[of]);
}

void cu_check_device(CUdevice device, const char *function)
{
    if (device < 100 || device >= 100 + DEVICES) standin_violation("%s: not a device", function);
}

/* ---- Every call ---- */

static char fail_function[64];
static int fail_in, fail_code, capability = 90;

EXPORT int standin_fail(const char *function, int nth, int code)
{
    int fired = fail_in == 0;
    snprintf(fail_function, sizeof fail_function, "%s", function);
    fail_in = nth;
    fail_code = code;
    return fired;
}

EXPORT void standin_capability(int value) { capability = value; }
int cu_capability(void) { return capability; }

/* The functions that were called, and how often. */
static struct {
    const char *function;
    int n;
} calls[64];

static void count_call(const char *function)
{
    size_t i = 0;
    while (calls[i].function && strcmp(calls[i].function, function) != 0) i++;
    calls[i].function = function;
    calls[i].n++;
}

EXPORT int standin_calls(const char *prefix)
{
    int n = 0;
    for (size_t i = 0; calls[i].function; i++)
        if (strncmp(calls[i].function, prefix, strlen(prefix)) == 0) n += calls[i].n;
    return n;
}

CUresult cu_begin(const char *function, int needs)
{
    count_call(function);
    if (!initialised) standin_violation("%s before cuInit", function);
    if (needs && depth == 0) standin_violation("%s without a current context", function);
    CUcontext context = depth ? stack[depth - 1] : NULL;
    if (needs && context->lost) return STANDIN_LOST;
    if (fail_in == 0 || strcmp(fail_function, function) != 0 || --fail_in > 0) return CUDA_SUCCESS;
    for (object *o = cu_objects; o; o = o->next)
        if (o->kind == CONTEXT) ((CUcontext)o)->failed = 1;
    if (context && fail_code == STANDIN_LOST) context->lost = 1;
    return fail_code;
}

void cu_check_not_capturing(const char *function)
{
    for (object *o = cu_objects; o; o = o->next)
        if (o->kind == STREAM && o->alive && ((CUstream)o)->capturing)
            standin_violation("%s during a capture", function);
}

EXPORT CUresult cuInit(unsigned flags)
{
    initialised = flags == 0;
    return initialised ? cu_begin(__func__, 0) : CUDA_ERROR_INVALID_VALUE;
}

/* ---- Contexts ---- */

EXPORT CUresult cuCtxCreate_v2(CUcontext *out, unsigned flags, CUdevice device)
{
    (void)flags;
    BEGIN(0);
    cu_check_device(device, __func__);
    if (depth == CONTEXT_STACK) standin_violation("%s: contexts are pushed and never popped", __func__);
    *out = cu_make(CONTEXT, sizeof **out);
    (*out)->base.context = NULL;
    stack[depth++] = *out;
    return CUDA_SUCCESS;
}

/* What is left where no call has failed was forgotten. */
EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
    cu_check(context, CONTEXT, __func__);
    for (object *o = cu_objects; o; o = o->next) {
        if (!o->alive || o->context != context) continue;
        if (!context->failed && o->kind != FUNCTION)
            standin_violation("%s: %s is left", __func__, cu_kind_names[o->kind]);
        if (o->kind == STREAM) cu_clear(&((CUstream)o)->queue);
        if (o->kind == MODULE) standin_unload(((CUmodule)o)->code);
        if (o->kind == GRAPH) cu_clear(&((CUgraph)o)->launches);
        if (o->kind == GRAPH_EXEC) cu_clear(&((CUgraphExec)o)->launches);
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
    cu_check(context, CONTEXT, __func__);
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
    for (object *o = cu_objects; o; o = o->next) {
        if (o->alive) fprintf(stderr, "stand-in: %s is left at the end\n", cu_kind_names[o->kind]);
        left |= o->alive;
    }
    if (depth) fprintf(stderr, "stand-in: a context is still current at the end\n");
    if (left || depth) _Exit(1);
}
