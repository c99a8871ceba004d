/* POSIX side of os.h. */
#define _DEFAULT_SOURCE
#include "base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

lathe_status lt_file_open(const char *path, lt_file *out, lathe_error *err)
{
    *out = (lt_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) LT_FAIL(err, IO, "%s: %s", path, strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        LT_FAIL(err, IO, "%s: not a regular file", path);
    }
    if (info.st_size == 0) {
        close(fd);
        return LATHE_OK;
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int failure = errno;
    close(fd);
    if (data == MAP_FAILED) LT_FAIL(err, IO, "%s: cannot map it: %s", path, strerror(failure));
    *out = (lt_file){.data = data, .size = (size_t)info.st_size};
    return LATHE_OK;
}

void lt_file_close(lt_file *file)
{
    if (file->data) munmap((void *)(uintptr_t)file->data, file->size);
    *file = (lt_file){0};
}

enum { PATH_BYTES = 4096 };

struct lt_writer {
    int fd; /* -1: finished */
    size_t size;
    char path[PATH_BYTES], temporary[PATH_BYTES];
};

static lathe_status cannot_write(const lt_writer *writer, lathe_error *err)
{
    LT_FAIL(err, IO, "%s: cannot write it: %s", writer->path, strerror(errno));
}

lathe_status lt_writer_open(const char *path, lt_writer **out, lathe_error *err)
{
    *out = NULL;
    if (strlen(path) + sizeof ".XXXXXX" > PATH_BYTES) LT_FAIL(err, IO, "%s: path too long", path);
    lt_writer *writer = calloc(1, sizeof *writer);
    if (!writer) LT_FAIL(err, NO_MEMORY, "out of memory: %zu bytes", sizeof *writer);
    snprintf(writer->path, PATH_BYTES, "%s", path);
    snprintf(writer->temporary, PATH_BYTES, "%.*s.XXXXXX", PATH_BYTES - 8, path);
    writer->fd = mkstemp(writer->temporary);
    if (writer->fd < 0) {
        int failure = errno;
        free(writer);
        LT_FAIL(err, IO, "%s: cannot create it: %s", path, strerror(failure));
    }
    *out = writer;
    return LATHE_OK;
}

/* The most that one call takes: systems cut off longer ones. */
static size_t piece(size_t size) { return size < (1u << 30) ? size : (1u << 30); }

lathe_status lt_writer_put(lt_writer *writer, const void *data, size_t size, lathe_error *err)
{
    for (const char *at = data; size;) {
        ssize_t done = write(writer->fd, at, piece(size));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return cannot_write(writer, err);
        at += done;
        size -= (size_t)done;
        writer->size += (size_t)done;
    }
    return LATHE_OK;
}

lathe_status lt_writer_patch(lt_writer *writer, size_t offset, const void *data, size_t size,
                             lathe_error *err)
{
    for (const char *at = data; size;) {
        ssize_t done = pwrite(writer->fd, at, piece(size), (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return cannot_write(writer, err);
        at += done;
        offset += (size_t)done;
        size -= (size_t)done;
    }
    return LATHE_OK;
}

size_t lt_writer_size(const lt_writer *writer) { return writer->size; }

lathe_status lt_writer_finish(lt_writer *writer, lathe_error *err)
{
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(writer->fd, 0666 & ~mask) != 0) return cannot_write(writer, err);
    int closed = close(writer->fd);
    writer->fd = -1;
    if (closed == 0 && rename(writer->temporary, writer->path) == 0) return LATHE_OK;
    lathe_status status = cannot_write(writer, err);
    unlink(writer->temporary);
    return status;
}

void lt_writer_close(lt_writer *writer)
{
    if (!writer) return;
    if (writer->fd >= 0) {
        close(writer->fd);
        unlink(writer->temporary);
    }
    free(writer);
}

lathe_status lt_file_write(const char *path, const void *data, size_t size, lathe_error *err)
{
    lt_writer *writer;
    LT_TRY(lt_writer_open(path, &writer, err));
    lathe_status status = lt_writer_put(writer, data, size, err);
    if (status == LATHE_OK) status = lt_writer_finish(writer, err);
    lt_writer_close(writer);
    return status;
}

/* Whether the machine has that much memory at all: systems that promise more end the process that uses it. */
static bool fits_machine(size_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages <= 0 || page <= 0 || bytes / (size_t)page <= (size_t)pages;
}

void *lt_os_alloc(size_t bytes)
{
    size_t rounded;
    if (!lt_add_size(bytes, 63, &rounded) || !fits_machine(bytes)) return NULL;
    rounded -= rounded % 64;
    void *memory = aligned_alloc(64, rounded ? rounded : 64);
    return memory ? memset(memory, 0, rounded) : NULL;
}

void lt_os_free(void *memory) { free(memory); }

size_t lt_os_page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void lt_os_discard(const void *data, size_t bytes)
{
    uintptr_t page = lt_os_page_bytes(), begin = ((uintptr_t)data + page - 1) / page * page,
              end = ((uintptr_t)data + bytes) / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

double lt_os_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void *lt_os_library(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }

lt_os_function lt_os_symbol(void *library, const char *name)
{
    lt_os_function function;
    void *symbol = dlsym(library, name);
    memcpy(&function, &symbol, sizeof function); /* ISO C has no conversion between the two */
    return function;
}

/* Makes the folders of a path one after the other. */
static void make_folders(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(path, 0755);
        *at = '/';
    }
    mkdir(path, 0755);
}

bool lt_os_cache_folder(const char *name, char *out, size_t bytes)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = cache && *cache ? snprintf(out, bytes, "%s/lathe/%s", cache, name)
                 : home && *home ? snprintf(out, bytes, "%s/.cache/lathe/%s", home, name)
                                 : -1;
    if (length < 0 || (size_t)length >= bytes) return false;
    make_folders(out);
    return access(out, W_OK) == 0;
}
