/* NumPy's .npy files, versions 1 to 3, in and out. */
#ifndef LT_NPY_H
#define LT_NPY_H

#include "base/arena.h"
#include "base/os.h"
#include "ir/tensor.h"

/* A view of the array in the mapped file (column-major order shows in the strides), or of a copy in the arena
 * where the file leaves the elements unaligned. */
lathe_status lt_npy_open(const lt_file *file, const char *what, lt_arena *arena, lt_tensor *out,
                         lathe_error *err) LT_MUST_USE;

/* Writes a tensor of any strides in row-major order. bfloat16 is refused: NumPy has no such type. */
lathe_status lt_npy_write(const char *path, const lt_tensor *tensor, lathe_error *err) LT_MUST_USE;

#endif
