/* The backends that are built in, and how devices are named. */
#ifndef LT_REGISTRY_H
#define LT_REGISTRY_H

#include "base/error.h"
#include "lathe/backend.h"

#define LT_BACKEND(name) extern const lathe_backend lt_backend_##name;
#include "backend/registry.def"
#undef LT_BACKEND

extern const lathe_backend *const lt_backends[]; /* the last is NULL */

/* Finds "opencl", "opencl:0" … among the built-in backends and then `more` (NULL-terminated; may be NULL). An
 * error lists what there is. */
lathe_status lt_backend_find(const char *device, const lathe_backend *const *more, const lathe_backend **out,
                             uint32_t *index, lathe_error *err) LT_MUST_USE;

#endif
