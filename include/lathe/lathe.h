/* lathe: run models exported from PyTorch without Python or libtorch.
 *
 *     lathe_error err;
 *     lathe_model *model;
 *     lathe_session *session;
 *     lathe_tensor x, y;
 *     if (lathe_model_open("resnet18.pt2", NULL, &model, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_create(model, NULL, &session, &err) != LATHE_OK) die(err.message);
 *     lathe_tensor_init(&x, LATHE_F32, 4, (int64_t[]){1, 3, 224, 224}, pixels);
 *     if (lathe_session_set_input(session, 0, &x, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_run(session, &err) != LATHE_OK) die(err.message);
 *     if (lathe_session_output(session, 0, &y, &err) != LATHE_OK) die(err.message);
 *
 * Ownership is a tree: a session belongs to its model and must be closed before it. Nothing here is global:
 * different models may be used from different threads; one model and its sessions by one thread at a time.
 * Every call that can fail returns a status and explains itself in a caller-owned lathe_error (may be NULL).
 */
#ifndef LATHE_H
#define LATHE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LATHE_MUST_USE __attribute__((warn_unused_result))
#define LATHE_API __attribute__((visibility("default")))
#else
#define LATHE_MUST_USE
#define LATHE_API
#endif

/* ---- Errors ---- */

/* X(name, text) */
#define LATHE_STATUS_LIST(X)                                                   \
    X(OK, "ok")                                                                \
    X(INVALID_ARGUMENT, "invalid argument") /* the caller's mistake */         \
    X(NO_MEMORY, "out of memory")                                              \
    X(IO, "input/output error")   /* the operating system refused */           \
    X(FORMAT, "broken file")      /* the bytes are not what the format says */ \
    X(UNSUPPORTED, "unsupported") /* valid, but not something lathe does */    \
    X(TYPE, "type error")         /* shapes or dtypes do not fit */            \
    X(DEVICE, "device error")                                                  \
    X(LIMIT, "limit reached")                                                  \
    X(INTERNAL, "internal error") /* a bug in lathe */

typedef enum lathe_status {
#define X(name, text) LATHE_##name,
    LATHE_STATUS_LIST(X)
#undef X
} lathe_status;

typedef struct lathe_error {
    lathe_status code;
    char message[1024]; /* one line or several, NUL-terminated: file, field or node, what was expected */
} lathe_error;

/* The text of a status code: a constant string. */
LATHE_API const char *lathe_status_text(lathe_status status);

/* ---- Tensors ---- */

/* X(name, text, bytes) */
#define LATHE_DTYPE_LIST(X) \
    X(BOOL, "bool", 1)      \
    X(U8, "uint8", 1)       \
    X(I8, "int8", 1)        \
    X(I16, "int16", 2)      \
    X(I32, "int32", 4)      \
    X(I64, "int64", 8)      \
    X(F16, "float16", 2)    \
    X(BF16, "bfloat16", 2)  \
    X(F32, "float32", 4)    \
    X(F64, "float64", 8)

typedef enum lathe_dtype {
#define X(name, text, bytes) LATHE_##name,
    LATHE_DTYPE_LIST(X)
#undef X
        LATHE_DTYPE_COUNT
} lathe_dtype;

enum { LATHE_MAX_RANK = 8 };

/* A view of memory that somebody else owns. */
typedef struct lathe_tensor {
    lathe_dtype dtype;
    int rank;
    int64_t dim[LATHE_MAX_RANK];
    int64_t stride[LATHE_MAX_RANK]; /* in elements; 0 repeats, negative runs backwards */
    void *data;                     /* the element with all indices 0 */
} lathe_tensor;

LATHE_API const char *lathe_dtype_name(lathe_dtype dtype);
LATHE_API size_t lathe_dtype_size(lathe_dtype dtype); /* bytes */

/* Describes contiguous (row-major) data. `dim` has `rank` entries; rank is at most LATHE_MAX_RANK. */
LATHE_API void lathe_tensor_init(lathe_tensor *tensor, lathe_dtype dtype, int rank, const int64_t *dim,
                                 void *data);
LATHE_API int64_t lathe_tensor_count(const lathe_tensor *tensor); /* elements */

#ifdef __cplusplus
}
#endif
#endif
