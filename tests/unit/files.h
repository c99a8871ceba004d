/* What the tests of file formats share: files in memory, expected errors, and broken copies of a good file.
 */
#ifndef LT_TEST_FILES_H
#define LT_TEST_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/os.h"

#ifndef LT_TEST_DATA
#define LT_TEST_DATA "tests/data" /* when run from the top of the source tree */
#endif

/* Tests have scratch files of their own beside the current directory's other files. */
#define SCRATCH(name) "scratch_" name

static inline void expect_ok(lathe_status status, const lathe_error *err)
{
    if (status != LATHE_OK) fail_msg("unexpected error: %s", err->message);
}

/* The status, and a text that the message must contain. */
static inline void expect_error(lathe_status status, lathe_status wanted, const lathe_error *err,
                                const char *part)
{
    if (status == LATHE_OK) fail_msg("no error, expected '%s'", part);
    if (status != wanted || !strstr(err->message, part))
        fail_msg("error %d '%s', expected %d '%s'", (int)status, err->message, (int)wanted, part);
}

static inline lt_file open_data(const char *name)
{
    char path[1024];
    lathe_error err;
    lt_file file;
    snprintf(path, sizeof path, "%s/%s", LT_TEST_DATA, name);
    expect_ok(lt_file_open(path, &file, &err), &err);
    return file;
}

/* Opens a file, uses all of it, and returns the first error. */
typedef lathe_status (*try_file)(const lt_file *file, lathe_error *err);

/* Tries a copy in memory of exactly its size, so that a sanitizer sees reads behind the end. */
static inline lathe_status try_copy(try_file attempt, const uint8_t *data, size_t size, size_t flip_bit,
                                    lathe_error *err)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size) memcpy(copy, data, size);
    if (flip_bit < 8 * size) copy[flip_bit / 8] ^= (uint8_t)(1u << flip_bit % 8);
    lathe_status status = attempt(&(lt_file){.data = size ? copy : NULL, .size = size}, err);
    free(copy);
    return status;
}

/* The file cut at every byte before `needed` must be refused with words. */
static inline void try_truncations(try_file attempt, const lt_file *file, size_t needed)
{
    for (size_t size = 0; size < needed; size++) {
        lathe_error err = {.message = ""};
        if (try_copy(attempt, file->data, size, SIZE_MAX, &err) == LATHE_OK)
            fail_msg("cut to %zu bytes it was accepted", size);
        if (!err.message[0]) fail_msg("cut to %zu bytes: no message", size);
    }
}

/* Any bit may flip: errors and wrong values are fine, faults are not. */
static inline void try_bit_flips(try_file attempt, const lt_file *file, size_t bytes)
{
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        lathe_error err = {.message = ""};
        lathe_status status = try_copy(attempt, file->data, file->size, bit, &err);
        if (status == LATHE_INTERNAL || (status != LATHE_OK && !err.message[0]))
            fail_msg("bit %zu flipped: status %d '%s'", bit, (int)status, err.message);
    }
}

#endif
