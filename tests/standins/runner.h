/* What the stand-ins of drivers share: kernel texts compiled for this machine's CPU, memory that notices
 * access beyond its end, and launches that check what a device would not tell. Anything wrong ends the
 * program with a message. */
#ifndef STANDIN_RUNNER_H
#define STANDIN_RUNNER_H

#include <stddef.h>

#include "entry.h"

/* Says what was wrong and aborts. */
void standin_violation(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- Memory ---- */

/* What the devices have: more than this in one piece is refused. */
#define STANDIN_MEMORY ((size_t)1 << 32)

/* Filled with bytes that are no sensible value; the pages before and behind it cannot be touched. */
void *standin_alloc(size_t bytes);
void standin_free(
    void *memory); /* memory that standin_alloc gave and that is still there, intact at its end */
/* Whether these bytes are within one such block. */
int standin_contains(const void *at, size_t bytes);

/* ---- Kernels ---- */

enum { STANDIN_PATH = 1024 };

/* Compiles a kernel text behind the prelude (a file of this folder) to a library whose path it gives; 0 when
 * it does not compile, with what the compiler said. What was compiled before is found in
 * $LATHE_STANDIN_CACHE. */
int standin_compile(const char *prelude, const char *text, char path[STANDIN_PATH], char *log,
                    size_t log_bytes);

typedef struct standin_code standin_code;
standin_code *standin_load(const char *path); /* NULL: it cannot be loaded */
void standin_unload(standin_code *code);
const standin_entry *standin_find(standin_code *code, const char *name); /* NULL: it has none of that name */

/* Runs all work items, groups one after the other. Pointers among the arguments point to standin_alloc's
 * memory. */
void standin_run(const char *name, const standin_entry *entry, void **arguments, const unsigned group[3],
                 const unsigned groups[3]);

#endif
