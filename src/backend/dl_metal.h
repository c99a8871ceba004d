/* The entry points of the Objective-C runtime and of Metal that we load at run time, and the messages that we
 * send. */
#ifndef LT_DL_METAL_H
#define LT_DL_METAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct objc_object *id;
typedef struct objc_class *Class;
typedef struct objc_selector *SEL;
typedef unsigned long NSUInteger;
typedef long NSInteger;
typedef struct MTLSize {
    NSUInteger width, height, depth;
} MTLSize;

enum {
    MTLResourceStorageModeShared = 0,
    MTLCommandBufferStatusError = 5,
    MTLGPUFamilyApple7 = 1007 /* the first with matrices of simdgroups */
};

/* X(result, name, arguments): functions, of the runtime and of the framework. */
#define LT_OBJC_FUNCTIONS(X)                    \
    X(Class, objc_getClass, (const char *))     \
    X(SEL, sel_registerName, (const char *))    \
    X(void, objc_msgSend, (void))               \
    X(void *, objc_autoreleasePoolPush, (void)) \
    X(void, objc_autoreleasePoolPop, (void *))
#define LT_METAL_FUNCTIONS(X) X(id, MTLCopyAllDevices, (void))

/* X(result, name, selector, parameters, arguments): messages, each a function of the receiver and the
 * parameters. */
#define WITH(...) , __VA_ARGS__
#define NONE
#define LT_METAL_MESSAGES(X)                                                                               \
    X(void, release, "release", NONE, NONE)                                                                \
    X(id, retain, "retain", NONE, NONE)                                                                    \
    X(id, new_object, "new", NONE, NONE)                                                                   \
    X(NSUInteger, count, "count", NONE, NONE)                                                              \
    X(id, object_at, "objectAtIndex:", WITH(NSUInteger index), WITH(index))                                \
    X(id, string_with, "stringWithUTF8String:", WITH(const char *text), WITH(text))                        \
    X(const char *, utf8, "UTF8String", NONE, NONE)                                                        \
    X(id, description, "localizedDescription", NONE, NONE)                                                 \
    X(id, name, "name", NONE, NONE)                                                                        \
    X(uint64_t, memory_bytes, "recommendedMaxWorkingSetSize", NONE, NONE)                                  \
    X(NSUInteger, local_bytes, "maxThreadgroupMemoryLength", NONE, NONE)                                   \
    X(bool, has_unified_memory, "hasUnifiedMemory", NONE, NONE)                                            \
    X(bool, supports_family, "supportsFamily:", WITH(NSInteger family), WITH(family))                      \
    X(id, new_queue, "newCommandQueue", NONE, NONE)                                                        \
    X(id, new_buffer, "newBufferWithLength:options:", WITH(NSUInteger length, NSUInteger options),         \
      WITH(length, options))                                                                               \
    X(id, new_buffer_over, "newBufferWithBytesNoCopy:length:options:deallocator:",                         \
      WITH(void *bytes, NSUInteger length, NSUInteger options, id deallocator),                            \
      WITH(bytes, length, options, deallocator))                                                           \
    X(void *, contents, "contents", NONE, NONE)                                                            \
    X(void, set_fast_math, "setFastMathEnabled:", WITH(bool enabled), WITH(enabled))                       \
    X(id, new_library, "newLibraryWithSource:options:error:", WITH(id source, id options, id *error),      \
      WITH(source, options, error))                                                                        \
    X(id, new_function, "newFunctionWithName:", WITH(id function_name), WITH(function_name))               \
    X(id, new_pipeline, "newComputePipelineStateWithFunction:error:", WITH(id function, id *error),        \
      WITH(function, error))                                                                               \
    X(NSUInteger, max_group, "maxTotalThreadsPerThreadgroup", NONE, NONE)                                  \
    X(id, command_buffer, "commandBuffer", NONE, NONE)                                                     \
    X(id, encoder, "computeCommandEncoder", NONE, NONE)                                                    \
    X(void, set_pipeline, "setComputePipelineState:", WITH(id pipeline), WITH(pipeline))                   \
    X(void, set_buffer, "setBuffer:offset:atIndex:", WITH(id buffer, NSUInteger offset, NSUInteger index), \
      WITH(buffer, offset, index))                                                                         \
    X(void, set_bytes,                                                                                     \
      "setBytes:length:atIndex:", WITH(const void *bytes, NSUInteger length, NSUInteger index),            \
      WITH(bytes, length, index))                                                                          \
    X(void, dispatch, "dispatchThreadgroups:threadsPerThreadgroup:", WITH(MTLSize groups, MTLSize group),  \
      WITH(groups, group))                                                                                 \
    X(void, end_encoding, "endEncoding", NONE, NONE)                                                       \
    X(void, commit, "commit", NONE, NONE)                                                                  \
    X(void, wait_until_completed, "waitUntilCompleted", NONE, NONE)                                        \
    X(NSUInteger, command_status, "status", NONE, NONE)                                                    \
    X(id, command_error, "error", NONE, NONE)

/* The functions, and the selectors by the names of their messages. */
typedef struct lt_metal_api {
#define X(result, name, arguments) result(*name) arguments;
    LT_OBJC_FUNCTIONS(X)
    LT_METAL_FUNCTIONS(X)
#undef X
#define X(result, name, selector, parameters, arguments) SEL name;
    LT_METAL_MESSAGES(X)
#undef X
} lt_metal_api;

/* objc_msgSend is called as the method that it finds: with that method's own type. A receiver that is NULL
 * answers 0. */
#define X(result, name, selector, parameters, arguments)                                      \
    static inline result mtl_##name(const lt_metal_api *m, id receiver parameters)            \
    {                                                                                         \
        return ((result(*)(id, SEL parameters))m->objc_msgSend)(receiver, m->name arguments); \
    }
LT_METAL_MESSAGES(X)
#undef X

#endif
