/* What a kind of device must offer so that lathe can run graphs on it: a table of functions over memory and
 * kernels. Operators never reach it. lathe lowers a graph to launches of kernels, whose text is one for all
 * devices; a backend brings the vocabulary of its language (`dialect`), compiles, and runs launches in order.
 * docs/backends.md goes through a small one.
 *
 * A device's functions are called by one thread at a time. Errors carry what the driver says, compiler logs
 * included, and leave the device usable. */
#ifndef LATHE_BACKEND_H
#define LATHE_BACKEND_H

#include <lathe/lathe.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Both are the backend's own. */
typedef struct lathe_device lathe_device; /* an open device */
typedef struct lathe_buffer lathe_buffer; /* memory of a device */
typedef struct lathe_batch lathe_batch;   /* launches that were made ready */

enum {
    LATHE_DEVICE_F64 = 1,    /* double arithmetic in kernels */
    LATHE_DEVICE_SHARED = 2, /* has the host's memory: import succeeds for any range */
    LATHE_DEVICE_SERIAL = 4, /* one work item runs at a time, as on a CPU: groups of one item are best */
    LATHE_DEVICE_DRY = 8,    /* computes nothing: results are undefined */
    /* Subgroups of 32 work items in a row multiply matrices together: the dialect has words for fragments,
     * for copies into local memory, and LT_SHUFFLE_XOR. */
    LATHE_DEVICE_FRAGMENTS = 16
};

typedef struct lathe_device_info {
    char name[128], driver[128]; /* for people, and for the cache of compiled kernels */
    uint64_t memory_bytes;       /* 0: unknown */
    uint32_t max_group;          /* work items of one group, at most */
    uint32_t local_bytes;        /* memory that a group shares */
    uint32_t subgroup;           /* work items that run in step; 0: unknown */
    unsigned features;           /* LATHE_DEVICE_... */
} lathe_device_info;

/* A function of some text in the kernel language. Both strings outlive the batch. */
typedef struct lathe_kernel {
    const char *entry;  /* name of the function */
    const char *source; /* whole: the dialect's vocabulary is the beginning of it */
} lathe_kernel;

enum { LATHE_MAX_BUFFERS = 12, LATHE_MAX_PARAMS = 768 };

/* One launch: a kernel takes its buffers as arguments 0 … n_buffers - 1 and then its parameters by value. */
typedef struct lathe_launch {
    const lathe_kernel *kernel;
    lathe_buffer *buffers[LATHE_MAX_BUFFERS];
    uint32_t n_buffers;
    uint32_t params_bytes; /* 32-bit fields only */
    const void *params;    /* outlives lathe_backend.prepare only */
    uint32_t group[3];     /* work items in a group */
    uint32_t groups[3];    /* groups; the number of work items is the product */
} lathe_launch;

typedef struct lathe_backend {
    const char *name; /* "opencl": devices are called opencl:0, opencl:1 … */
    /* The vocabulary of kernels (src/kernels/gpu/dialect_*.h) in the language of the devices: constant text.
     */
    const char *(*dialect)(void);

    /* How many devices there are. *why (constant or empty) says what is missing when there are none. */
    lathe_status (*enumerate)(uint32_t *count, const char **why, lathe_error *err);
    lathe_status (*open)(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err);
    void (*close)(lathe_device *device); /* waits for what runs; its buffers and batches are gone before */

    lathe_status (*alloc)(lathe_device *device, size_t bytes, lathe_buffer **out, lathe_error *err);
    /* Makes memory of the host one of the device's buffers, without a copy; it outlives the buffer. Fails
     * with UNSUPPORTED where that cannot be (NULL: never can). */
    lathe_status (*import)(lathe_device *device, void *host, size_t bytes, lathe_buffer **out,
                           lathe_error *err);
    void (*free)(lathe_device *device, lathe_buffer *buffer);

    /* Copies, in order with everything enqueued. `host` of a write may be changed as soon as the call is
     * back; `host` of a read has the bytes once a later ticket was waited for. */
    lathe_status (*write)(lathe_device *device, lathe_buffer *to, size_t offset, const void *host,
                          size_t bytes, lathe_error *err);
    lathe_status (*read)(lathe_device *device, lathe_buffer *from, size_t offset, void *host, size_t bytes,
                         lathe_error *err);

    /* Compiles the kernels of these launches (each pair of source and entry once for a device) and makes them
     * ready to be submitted any number of times. */
    lathe_status (*prepare)(lathe_device *device, const lathe_launch *launches, uint32_t n, lathe_batch **out,
                            lathe_error *err);
    void (*release)(lathe_device *device, lathe_batch *batch);
    /* Enqueues the launches, each behind what it reads; does not wait. */
    lathe_status (*submit)(lathe_device *device, lathe_batch *batch, lathe_error *err);

    /* Starts what is enqueued and gives a ticket for its end. */
    lathe_status (*flush)(lathe_device *device, uint64_t *ticket, lathe_error *err);
    /* Waits until everything up to that ticket is done, and reports what went wrong with it. */
    lathe_status (*wait)(lathe_device *device, uint64_t ticket, lathe_error *err);
} lathe_backend;

#ifdef __cplusplus
}
#endif
#endif
