/* What the operating system gives: mapped files, aligned memory, time. The only file with OS conditionals. */
#ifndef LT_OS_H
#define LT_OS_H

#include "base/error.h"

/* A file mapped read-only. */
typedef struct lt_file {
    const uint8_t *data; /* NULL when size is 0 */
    size_t size;         /* bytes */
} lt_file;

lathe_status lt_file_open(const char *path, lt_file *out, lathe_error *err) LT_MUST_USE;
void lt_file_close(lt_file *file);

/* Writes a whole file: to a temporary beside it, then renamed, so readers never see half of it. */
lathe_status lt_file_write(const char *path, const void *data, size_t size, lathe_error *err) LT_MUST_USE;

/* The same piece by piece. Nothing is at `path` until lt_writer_finish has succeeded. */
typedef struct lt_writer lt_writer;
lathe_status lt_writer_open(const char *path, lt_writer **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_writer_put(lt_writer *writer, const void *data, size_t size, lathe_error *err) LT_MUST_USE;
lathe_status lt_writer_patch(lt_writer *writer, size_t offset, const void *data, size_t size,
                             lathe_error *err) LT_MUST_USE;
size_t lt_writer_size(const lt_writer *writer); /* bytes so far */
lathe_status lt_writer_finish(lt_writer *writer,
                              lathe_error *err) LT_MUST_USE; /* to be closed all the same */
void lt_writer_close(lt_writer *writer); /* NULL is allowed; what is not finished is gone */

/* Zeroed memory aligned to 64 bytes, for tensors; NULL when out of memory. Free with lt_os_free. */
void *lt_os_alloc(size_t bytes);
void lt_os_free(void *memory);

/* Gives back the memory of whole pages of a mapped file: they are read again when they are touched. */
void lt_os_discard(const void *data, size_t bytes);

size_t lt_os_page_bytes(void);

double lt_os_seconds(void); /* monotonic */

/* A library of the system, loaded at run time; NULL when it is not there. Never unloaded: drivers do not bear
 * it. */
void *lt_os_library(const char *name);
/* A function of it; NULL: it has none of that name. */
typedef void (*lt_os_function)(void);
lt_os_function lt_os_symbol(void *library, const char *name);

/* The user's folder for cached files of lathe, made if need be, with "/NAME" behind it; false: there is none.
 */
bool lt_os_cache_folder(const char *name, char *out, size_t bytes);

#endif
