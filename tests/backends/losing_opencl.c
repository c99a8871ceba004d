/* OpenCL with devices that can be lost: calls go to the real library until a queue is lost, and what it is
 * asked for fails from then on, as drivers have it. Other queues work. */
#include "backends/losing_opencl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "backend/dl_opencl.h"

#pragma GCC visibility push(default)
losing_arm_function losing_arm;
#define X(result, name, arguments) result name arguments;
LT_OPENCL_FUNCTIONS(X)
#undef X
#pragma GCC visibility pop

enum { OUT_OF_RESOURCES = -5, WAIT_FAILED = -14, DEVICE_LOST = -9999 };

static losing_stage stage;
static const char *words;      /* what the driver shall say; NULL: nothing is lost */
static cl_command_queue queue; /* that is lost; NULL: none yet */
static cl_event event;         /* its end, as it was last asked for */
static bool known;             /* the loss was reported */
static void (*hears)(const char *, const void *, size_t, void *);
static void *hearer;

void losing_arm(losing_stage at, const char *say)
{
    stage = at;
    words = say;
}

/* Calls the real function. */
#define REAL(name, ...) (*(__typeof__(name) *)dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

static cl_int report(cl_int code)
{
    if (!known && hears) hears(words, NULL, 0, hearer);
    known = true;
    return code;
}

static bool is_gone(cl_command_queue q) { return known && q == queue; }

cl_context clCreateContext(const intptr_t *properties, cl_uint n, const cl_device_id *devices,
                           void (*listen)(const char *, const void *, size_t, void *), void *user,
                           cl_int *code)
{
    hears = listen;
    hearer = user;
    return REAL(clCreateContext, properties, n, devices, listen, user, code);
}

cl_int clReleaseCommandQueue(cl_command_queue q)
{
    if (q == queue) {
        queue = NULL;
        event = NULL;
        words = NULL;
        known = false;
    }
    return REAL(clReleaseCommandQueue, q);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel kernel, cl_uint dims, const size_t *offset,
                              const size_t *items, const size_t *group, cl_uint n, const cl_event *after,
                              cl_event *end)
{
    if (words && !queue) queue = q;
    if (is_gone(q)) return OUT_OF_RESOURCES;
    if (q == queue && stage == LOSING_LAUNCH) return report(DEVICE_LOST);
    return REAL(clEnqueueNDRangeKernel, q, kernel, dims, offset, items, group, n, after, end);
}

cl_int clEnqueueMarkerWithWaitList(cl_command_queue q, cl_uint n, const cl_event *after, cl_event *end)
{
    if (is_gone(q)) return OUT_OF_RESOURCES;
    cl_int code = REAL(clEnqueueMarkerWithWaitList, q, n, after, end);
    if (q == queue) event = *end;
    return code;
}

cl_int clWaitForEvents(cl_uint n, const cl_event *events)
{
    cl_int code = REAL(clWaitForEvents, n, events);
    return events[0] == event && queue && stage == LOSING_WAIT ? report(WAIT_FAILED) : code;
}

cl_int clGetEventInfo(cl_event of, cl_uint what, size_t bytes, void *out, size_t *size)
{
    static const cl_int lost = DEVICE_LOST;
    cl_int code = REAL(clGetEventInfo, of, what, bytes, out, size);
    if (of == event && queue && stage == LOSING_STATE) {
        report(DEVICE_LOST);
        memcpy(out, &lost, sizeof lost);
    }
    return code;
}

cl_int clFinish(cl_command_queue q)
{
    cl_int code = REAL(clFinish, q);
    return is_gone(q) ? OUT_OF_RESOURCES : code;
}
