/* Compiled kernels on disk, in $XDG_CACHE_HOME/lathe/kernels (or ~/.cache): looked up by everything that they
 * depend on. A cache that cannot be read or written is only slower, never an error. */
#ifndef LT_KERNEL_CACHE_H
#define LT_KERNEL_CACHE_H

#include "base/str.h"

/* Device, driver, options and source of a kernel. */
typedef struct lt_kernel_key {
    const char *backend, *device, *driver, *source;
} lt_kernel_key;

/* The bytes that were stored for the key; false: none. */
bool lt_kernel_cache_get(const lt_kernel_key *key, lt_text *bytes);
void lt_kernel_cache_put(const lt_kernel_key *key, const void *bytes, size_t size);

#endif
