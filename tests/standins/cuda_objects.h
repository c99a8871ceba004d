/* The objects of the stand-in for the CUDA driver, and what all its calls begin with. */
#ifndef STANDIN_CUDA_OBJECTS_H
#define STANDIN_CUDA_OBJECTS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dl_cuda.h"
#include "runner.h"
#include "standin_cuda.h"

#define EXPORT __attribute__((visibility("default")))
enum { CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_INVALID_IMAGE = 200, CUDA_ERROR_NOT_FOUND = 500 };

/* What the device has. */
enum { DEVICES = 2, MAX_GROUP = 1024, MAX_GROUP_Z = 64, MAX_GROUPS_YZ = 65535, LOCAL_BYTES = 48 << 10 };

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
extern const char *const cu_kind_names[];

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

extern object *cu_objects;

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

/* A new object of the current context. */
void *cu_make(kind of, size_t size);
/* The object of a handle; aborts when it is none of that kind, or gone, or of another context. */
void *cu_check(void *handle, kind of, const char *function);
/* The memory that an address is in; NULL: none of that kind. */
object *cu_find_memory(const void *memory, kind of);
void cu_check_range(const void *memory, size_t bytes, kind of, const char *function);

/* What a call answers before it does anything; `needs`: a context that is current. */
CUresult cu_begin(const char *function, int needs);
#define BEGIN(needs)                                  \
    do {                                              \
        CUresult begun = cu_begin(__func__, (needs)); \
        if (begun != CUDA_SUCCESS) return begun;      \
    } while (0)

/* Most calls must not be made between beginning and ending a capture. */
void cu_check_not_capturing(const char *function);

void cu_check_device(CUdevice device, const char *function);

int cu_capability(void); /* of the devices, as standin_capability set it */
void cu_clear(op_list *list);
void cu_run_all(void); /* what a device waits for before memory goes */

#endif
