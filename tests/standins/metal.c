/* The Metal framework for tests: checks what is sent to its objects and runs launches on the CPU, no earlier
 * than somebody waits for them. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objc.h"
#include "runner.h"

#define EXPORT __attribute__((visibility("default")))
enum {
    MAX_ARGUMENTS = 31,
    MAX_BYTES = 4096,
    MAX_GROUP = 1024,
    LOG_BYTES = 64 << 10,
    ALIGNMENT = 4,
    DEVICES = 1
};

typedef struct device {
    struct objc_object base;
} device;
typedef struct array {
    struct objc_object base;
} array;
typedef struct error {
    struct objc_object base;
    char text[LOG_BYTES];
} error;
typedef struct options {
    struct objc_object base;
    int fast_math;
} options;
typedef struct buffer {
    struct objc_object base;
    char *bytes;
    size_t length;
    int own;
} buffer;
typedef struct library {
    struct objc_object base;
    standin_code *code;
} library;
typedef struct function { /* a pipeline as well */
    struct objc_object base;
    library *library;
    const standin_entry *entry;
    char name[256];
} function;
typedef struct queue {
    struct objc_object base;
    struct commands *first, **last; /* committed, not run */
} queue;

/* An argument: a buffer, or bytes. */
typedef struct argument {
    buffer *buffer;
    size_t offset, length;
    char bytes[MAX_BYTES];
} argument;
typedef struct launch {
    struct launch *next;
    function *pipeline;
    argument *arguments; /* [entry->n - 2] */
    unsigned group[3], groups[3];
} launch;
typedef enum phase { OPEN, ENCODED, COMMITTED, COMPLETED = 4, FAILED = 5 } phase;
typedef struct commands {
    struct objc_object base;
    struct commands *next;
    queue *queue;
    launch *first, **last;
    phase phase;
    int fails;
} commands;
typedef struct encoder {
    struct objc_object base;
    commands *commands;
    function *pipeline;
    argument arguments[MAX_ARGUMENTS];
    int ended;
} encoder;

static device the_device = {{"MTLDevice", 1, NULL}};

static id make_error(const char *text)
{
    error *e = standin_object("NSError", sizeof *e, NULL);
    snprintf(e->text, sizeof e->text, "%s", text);
    return standin_autorelease(&e->base);
}

static id error_description(id self, SEL sel)
{
    (void)sel;
    return standin_string(((error *)self)->text);
}

/* ---- Devices ---- */

EXPORT id MTLCopyAllDevices(void);
EXPORT id MTLCopyAllDevices(void) { return standin_object("NSArray", sizeof(array), NULL); }

static NSUInteger array_count(id self, SEL sel)
{
    (void)self, (void)sel;
    return DEVICES;
}

static id array_at(id self, SEL sel, NSUInteger i)
{
    (void)self, (void)sel;
    if (i >= DEVICES) standin_violation("objectAtIndex: %lu of %d", i, DEVICES);
    return &the_device.base;
}

static id device_name(id self, SEL sel)
{
    (void)self, (void)sel;
    return standin_string("stand-in");
}

static uint64_t device_memory(id self, SEL sel)
{
    (void)self, (void)sel;
    return (uint64_t)1 << 32;
}

static NSUInteger device_local(id self, SEL sel)
{
    (void)self, (void)sel;
    return 32 << 10;
}

static bool device_unified(id self, SEL sel)
{
    (void)self, (void)sel;
    return true;
}

id standin_metal_new(const char *class_name)
{
    if (strcmp(class_name, "MTLCompileOptions") != 0) return NULL;
    options *o = standin_object(class_name, sizeof *o, NULL);
    o->fast_math = 1;
    return &o->base;
}

static void options_fast_math(id self, SEL sel, bool on)
{
    (void)sel;
    ((options *)self)->fast_math = on;
}

/* ---- Buffers ---- */

static void destroy_buffer(id self)
{
    buffer *b = (buffer *)self;
    if (b->own) standin_free(b->bytes);
}

static id make_buffer(void *bytes, size_t length, int is_own)
{
    buffer *b = standin_object("MTLBuffer", sizeof *b, destroy_buffer);
    b->bytes = bytes;
    b->length = length;
    b->own = is_own;
    return &b->base;
}

static void check_storage(NSUInteger storage)
{
    if (storage != MTLResourceStorageModeShared) standin_violation("a buffer that the host does not share");
}

static id device_new_buffer(id self, SEL sel, NSUInteger length, NSUInteger storage)
{
    (void)self, (void)sel;
    check_storage(storage);
    if (length == 0) standin_violation("a buffer of 0 bytes");
    if (length > STANDIN_MEMORY) return NULL;
    return make_buffer(standin_alloc(length), length, 1);
}

/* Whole pages. */
static id device_buffer_over(id self, SEL sel, void *bytes, NSUInteger length, NSUInteger storage,
                             id deallocator)
{
    NSUInteger page = (NSUInteger)sysconf(_SC_PAGESIZE);
    (void)self, (void)sel;
    check_storage(storage);
    if (deallocator) standin_violation("a deallocator for memory that is the caller's");
    if ((uintptr_t)bytes % page || length % page || length == 0)
        standin_violation("newBufferWithBytesNoCopy: %lu bytes at %p are not whole pages", length, bytes);
    return make_buffer(bytes, length, 0);
}

static void *buffer_contents(id self, SEL sel)
{
    (void)sel;
    return ((buffer *)self)->bytes;
}

/* ---- Kernels ---- */

static void destroy_library(id self) { standin_unload(((library *)self)->code); }

/* Arrays of a group are static here: groups run one after the other. */
static char *with_local_arrays(const char *source)
{
    static const char array_text[] = "threadgroup type name[count]", word[] = "STANDIN_LOCAL ";
    const char *at = strstr(source, array_text);
    if (!at) standin_violation("the dialect's LT_LOCAL_ARRAY is not '%s'", array_text);
    char *text = malloc(strlen(source) + sizeof word);
    if (!text) standin_violation("no memory for a source");
    sprintf(text, "%.*s%s%s", (int)(at - source), source, word, at);
    return text;
}

static id device_new_library(id self, SEL sel, id source, id given, id *err)
{
    static char log[LOG_BYTES];
    char path[STANDIN_PATH];
    const options *o = standin_check(given, "MTLCompileOptions");
    (void)self, (void)sel;
    if (o->fast_math) standin_violation("kernels are compiled with fast math");
    char *text = with_local_arrays(standin_text(source));
    int compiled = standin_compile("metal.hh", text, path, log, sizeof log);
    free(text);
    standin_code *code = compiled ? standin_load(path) : NULL;
    if (!code) {
        *err = make_error(log);
        return NULL;
    }
    library *l = standin_object("MTLLibrary", sizeof *l, destroy_library);
    l->code = code;
    return &l->base;
}

static void destroy_function(id self) { standin_release(&((function *)self)->library->base); }

static id make_function(const char *class_name, const function *like)
{
    function *f = standin_object(class_name, sizeof *f, destroy_function);
    struct objc_object base = f->base;
    *f = *like;
    f->base = base;
    standin_retain(&f->library->base);
    return &f->base;
}

static id library_new_function(id self, SEL sel, id name)
{
    (void)sel;
    function f = {.library = (library *)self};
    snprintf(f.name, sizeof f.name, "%s", standin_text(name));
    f.entry = standin_find(f.library->code, f.name);
    return f.entry ? make_function("MTLFunction", &f) : NULL;
}

static id device_new_pipeline(id self, SEL sel, id given, id *err)
{
    const function *f = standin_check(given, "MTLFunction");
    (void)self, (void)sel, (void)err;
    return make_function("MTLComputePipelineState", f);
}

static NSUInteger pipeline_max_group(id self, SEL sel)
{
    (void)self, (void)sel;
    return MAX_GROUP;
}

/* ---- Commands ---- */

static void destroy_queue(id self)
{
    if (((queue *)self)->first) standin_violation("a queue goes while its commands have not run");
}

static id device_new_queue(id self, SEL sel)
{
    (void)self, (void)sel;
    queue *q = standin_object("MTLCommandQueue", sizeof *q, destroy_queue);
    q->last = &q->first;
    return &q->base;
}

static void destroy_launch(launch *l)
{
    for (unsigned i = 0; i + 2 < l->pipeline->entry->n; i++)
        if (l->arguments[i].buffer) standin_release(&l->arguments[i].buffer->base);
    standin_release(&l->pipeline->base);
    free(l->arguments);
    free(l);
}

static void destroy_commands(id self)
{
    commands *c = (commands *)self;
    for (launch *l = c->first, *next; l; l = next) {
        next = l->next;
        destroy_launch(l);
    }
    standin_release(&c->queue->base);
}

static id queue_commands(id self, SEL sel)
{
    (void)sel;
    commands *c = standin_object("MTLCommandBuffer", sizeof *c, destroy_commands);
    c->queue = (queue *)standin_retain(self);
    c->last = &c->first;
    return standin_autorelease(&c->base);
}

static void destroy_encoder(id self)
{
    if (!((encoder *)self)->ended) standin_violation("an encoder goes before its end");
}

static id commands_encoder(id self, SEL sel)
{
    commands *c = (commands *)self;
    (void)sel;
    if (c->phase != OPEN) standin_violation("computeCommandEncoder: the buffer has one, or was committed");
    encoder *e = standin_object("MTLComputeCommandEncoder", sizeof *e, destroy_encoder);
    e->commands = c;
    return standin_autorelease(&e->base);
}

static encoder *check_encoder(id self)
{
    encoder *e = (encoder *)self;
    if (e->ended) standin_violation("an encoder is used after its end");
    return e;
}

static void encoder_pipeline(id self, SEL sel, id pipeline)
{
    (void)sel;
    check_encoder(self)->pipeline = standin_check(pipeline, "MTLComputePipelineState");
}

static argument *argument_at(id self, NSUInteger i)
{
    if (i >= MAX_ARGUMENTS) standin_violation("argument %lu of at most %d", i, MAX_ARGUMENTS);
    return &check_encoder(self)->arguments[i];
}

static void encoder_buffer(id self, SEL sel, id given, NSUInteger offset, NSUInteger i)
{
    buffer *b = standin_check(given, "MTLBuffer");
    (void)sel;
    if (offset >= b->length) standin_violation("setBuffer: offset %lu of %zu bytes", offset, b->length);
    if (offset % ALIGNMENT) standin_violation("setBuffer: offset %lu is not aligned", offset);
    *argument_at(self, i) = (argument){.buffer = b, .offset = offset};
}

static void encoder_bytes(id self, SEL sel, const void *bytes, NSUInteger length, NSUInteger i)
{
    argument *a = argument_at(self, i);
    (void)sel;
    if (length == 0 || length > MAX_BYTES) standin_violation("setBytes: %lu bytes", length);
    *a = (argument){.length = length};
    memcpy(a->bytes, bytes, length);
}

/* The arguments of a kernel, and then its two places. */
static void check_arguments(const encoder *e)
{
    const standin_entry *entry = e->pipeline->entry;
    if (entry->n < 3 || entry->sizes[entry->n - 1] != sizeof(unsigned[3]))
        standin_violation("kernel '%s' does not end with its places", e->pipeline->name);
    for (unsigned i = 0; i + 2 < entry->n; i++) {
        const argument *a = &e->arguments[i];
        if (entry->sizes[i] == 0 && !a->buffer)
            standin_violation("kernel '%s': no buffer %u", e->pipeline->name, i);
        if (entry->sizes[i] && a->length != entry->sizes[i])
            standin_violation("kernel '%s': argument %u has %zu bytes, not %u", e->pipeline->name, i,
                              a->length, entry->sizes[i]);
    }
}

static void encoder_dispatch(id self, SEL sel, MTLSize groups, MTLSize group)
{
    encoder *e = check_encoder(self);
    NSUInteger items = group.width * group.height * group.depth;
    (void)sel;
    if (!e->pipeline) standin_violation("a dispatch without a pipeline");
    if (items == 0 || items > MAX_GROUP || groups.width == 0 || groups.height == 0 || groups.depth == 0)
        standin_violation("kernel '%s': %lu items in a group, %lu x %lu x %lu groups", e->pipeline->name,
                          items, groups.width, groups.height, groups.depth);
    check_arguments(e);
    unsigned n = e->pipeline->entry->n - 2;
    launch *l = calloc(1, sizeof *l);
    if (!l || !(l->arguments = calloc(n, sizeof *l->arguments))) standin_violation("no memory for a launch");
    memcpy(l->arguments, e->arguments, n * sizeof *l->arguments);
    for (unsigned i = 0; i < n; i++)
        if (l->arguments[i].buffer) standin_retain(&l->arguments[i].buffer->base);
    l->pipeline = (function *)standin_retain(&e->pipeline->base);
    const NSUInteger sizes[2][3] = {{group.width, group.height, group.depth},
                                    {groups.width, groups.height, groups.depth}};
    for (int i = 0; i < 3; i++) {
        l->group[i] = (unsigned)sizes[0][i];
        l->groups[i] = (unsigned)sizes[1][i];
    }
    *e->commands->last = l;
    e->commands->last = &l->next;
}

static void encoder_end(id self, SEL sel)
{
    encoder *e = check_encoder(self);
    (void)sel;
    e->ended = 1;
    e->commands->phase = ENCODED;
}

static void commands_commit(id self, SEL sel)
{
    commands *c = (commands *)standin_retain(self);
    (void)sel;
    if (c->phase != ENCODED) standin_violation("commit: nothing is encoded, or it was committed");
    c->phase = COMMITTED;
    c->fails = standin_fails("commit");
    *c->queue->last = c;
    c->queue->last = &c->next;
}

static void run_launch(const launch *l)
{
    const standin_entry *entry = l->pipeline->entry;
    void *arguments[MAX_ARGUMENTS + 2], *pointers[MAX_ARGUMENTS];
    for (unsigned i = 0; i + 2 < entry->n; i++) {
        argument *a = &l->arguments[i];
        if (a->buffer) pointers[i] = a->buffer->bytes + a->offset;
        arguments[i] = a->buffer ? (void *)&pointers[i] : a->bytes;
    }
    arguments[entry->n - 2] = entry->place->group;
    arguments[entry->n - 1] = entry->place->item;
    standin_run(l->pipeline->name, entry, arguments, l->group, l->groups);
}

/* Those before it as well. */
static void commands_wait(id self, SEL sel)
{
    commands *c = (commands *)self;
    queue *q = c->queue;
    (void)sel;
    if (c->phase < COMMITTED) standin_violation("waitUntilCompleted: it was never committed");
    while (c->phase == COMMITTED) {
        commands *first = q->first;
        for (const launch *l = first->first; l && !first->fails; l = l->next) run_launch(l);
        first->phase = first->fails ? FAILED : COMPLETED;
        q->first = first->next;
        if (!q->first) q->last = &q->first;
        standin_release(&first->base);
    }
}

static NSUInteger commands_status(id self, SEL sel)
{
    (void)sel;
    return (NSUInteger)((commands *)self)->phase;
}

static id commands_error(id self, SEL sel)
{
    (void)sel;
    return ((commands *)self)->phase == FAILED ? make_error("Caused GPU Address Fault Error") : NULL;
}

const standin_method standin_metal_methods[] = {
    {"NSError", "localizedDescription", (method)error_description},
    {"NSArray", "count", (method)array_count},
    {"NSArray", "objectAtIndex:", (method)array_at},
    {"MTLCompileOptions", "setFastMathEnabled:", (method)options_fast_math},
    {"MTLDevice", "name", (method)device_name},
    {"MTLDevice", "recommendedMaxWorkingSetSize", (method)device_memory},
    {"MTLDevice", "maxThreadgroupMemoryLength", (method)device_local},
    {"MTLDevice", "hasUnifiedMemory", (method)device_unified},
    {"MTLDevice", "newCommandQueue", (method)device_new_queue},
    {"MTLDevice", "newBufferWithLength:options:", (method)device_new_buffer},
    {"MTLDevice", "newBufferWithBytesNoCopy:length:options:deallocator:", (method)device_buffer_over},
    {"MTLDevice", "newLibraryWithSource:options:error:", (method)device_new_library},
    {"MTLDevice", "newComputePipelineStateWithFunction:error:", (method)device_new_pipeline},
    {"MTLBuffer", "contents", (method)buffer_contents},
    {"MTLLibrary", "newFunctionWithName:", (method)library_new_function},
    {"MTLComputePipelineState", "maxTotalThreadsPerThreadgroup", (method)pipeline_max_group},
    {"MTLCommandQueue", "commandBuffer", (method)queue_commands},
    {"MTLCommandBuffer", "computeCommandEncoder", (method)commands_encoder},
    {"MTLCommandBuffer", "commit", (method)commands_commit},
    {"MTLCommandBuffer", "waitUntilCompleted", (method)commands_wait},
    {"MTLCommandBuffer", "status", (method)commands_status},
    {"MTLCommandBuffer", "error", (method)commands_error},
    {"MTLComputeCommandEncoder", "setComputePipelineState:", (method)encoder_pipeline},
    {"MTLComputeCommandEncoder", "setBuffer:offset:atIndex:", (method)encoder_buffer},
    {"MTLComputeCommandEncoder", "setBytes:length:atIndex:", (method)encoder_bytes},
    {"MTLComputeCommandEncoder", "dispatchThreadgroups:threadsPerThreadgroup:", (method)encoder_dispatch},
    {"MTLComputeCommandEncoder", "endEncoding", (method)encoder_end},
    {NULL, NULL, NULL},
};
