/* POSIX side of os.h. */
#define _DEFAULT_SOURCE
#include "base/os.h"

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

static bool write_all(int fd, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        ssize_t done = write(fd, at, size < (1u << 30) ? size : (1u << 30));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

lathe_status lt_file_write(const char *path, const void *data, size_t size, lathe_error *err)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) LT_FAIL(err, IO, "%s: path too long", path);
    int fd = mkstemp(temporary);
    if (fd < 0) LT_FAIL(err, IO, "%s: cannot create it: %s", path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    bool good = write_all(fd, data, size) && fchmod(fd, 0666 & ~mask) == 0;
    int failure = errno;
    good = close(fd) == 0 && good;
    if (good && rename(temporary, path) == 0) return LATHE_OK;
    if (good) failure = errno;
    unlink(temporary);
    LT_FAIL(err, IO, "%s: cannot write it: %s", path, strerror(failure));
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

void lt_os_discard(const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)data + page - 1) / page * page,
              end = ((uintptr_t)data + bytes) / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

double lt_os_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
