/* The safetensors format: an 8-byte length, a JSON directory, raw little-endian data. The reader works on a
 * mapped file and touches the directory only; the writer takes tensors of any strides. */
#ifndef LT_SAFETENSORS_H
#define LT_SAFETENSORS_H

#include "base/os.h"
#include "base/str.h"
#include "ir/tensor.h"

typedef struct lt_safetensors_entry {
    const char *name;
    const char *unsupported; /* NULL, or why the tensor cannot be used ("its dtype is F8_E4M3") */
    lt_type type;            /* contiguous; meaningless when unsupported */
    const uint8_t *data;     /* in the mapping, of any alignment */
    size_t bytes;            /* at `data` */
} lt_safetensors_entry;

/* Lives in the arena it was opened with; entries point into the file, which must stay open. */
typedef struct lt_safetensors {
    const char *what;                    /* names the file in messages */
    const lt_safetensors_entry *entries; /* in the order of the header */
    uint32_t count;
    lt_map names; /* tensor name → index */
} lt_safetensors;

/* Reads and checks the header: every tensor has the size of its type, lies inside the file and overlaps no
 * other. Tensors of types that lathe does not have are listed; using one is what fails. */
lathe_status lt_safetensors_open(const lt_file *file, const char *what, lt_arena *arena, lt_safetensors **out,
                                 lathe_error *err) LT_MUST_USE;

/* Index of a tensor, or LT_NONE. */
uint32_t lt_safetensors_find(const lt_safetensors *file, const char *name);

/* A view of a tensor, in place, or of a copy in the arena where the file leaves it unaligned. */
lathe_status lt_safetensors_tensor(const lt_safetensors *file, uint32_t index, lt_arena *arena,
                                   lt_tensor *out, lathe_error *err) LT_MUST_USE;

/* Writes `count` tensors under unique names. */
lathe_status lt_safetensors_write(const char *path, const char *const *names, const lt_tensor *tensors,
                                  size_t count, lathe_error *err) LT_MUST_USE;

#endif
