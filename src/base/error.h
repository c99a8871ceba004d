/* Status codes and error text. Every fallible function returns a lathe_status and takes a caller-owned
 * lathe_error (may be NULL) as its last argument: no allocation, no global, nothing to free. */
#ifndef LT_ERROR_H
#define LT_ERROR_H

#include <assert.h>
#include <stdarg.h>

#include "base/compiler.h"
#include "lathe/lathe.h"

/* Our own invariants only: nothing that a file or a caller can say may reach it. */
#define lt_assert(condition) assert(condition)

/* Writes the message and returns `code`. */
lathe_status lt_error_set(lathe_error *err, lathe_status code, const char *fmt, ...) LT_PRINTF(3, 4);

/* Puts "context: " before a message while the stack unwinds; returns the error's code, for use in a return.
 */
lathe_status lt_error_note(lathe_error *err, lathe_status code, const char *fmt, ...) LT_PRINTF(3, 4);

/* Returns from the enclosing function with an error. */
#define LT_FAIL(err, code, ...) return lt_error_set((err), LATHE_##code, __VA_ARGS__)

/* Returns from the enclosing function when `expr` fails. */
#define LT_TRY(expr)                                                      \
    do {                                                                  \
        lathe_status lt_try_status = (expr);                              \
        if (LT_UNLIKELY(lt_try_status != LATHE_OK)) return lt_try_status; \
    } while (0)

/* As LT_TRY, with a note: LT_TRY_NOTE(load(x, err), err, "weights of %s", name). */
#define LT_TRY_NOTE(expr, err, ...)                                                                          \
    do {                                                                                                     \
        lathe_status lt_try_status = (expr);                                                                 \
        if (LT_UNLIKELY(lt_try_status != LATHE_OK)) return lt_error_note((err), lt_try_status, __VA_ARGS__); \
    } while (0)

#endif
