/* Any bytes as an .npy file: every element is read through its strides. */
#include "load/gather.h"
#include "load/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lathe_error err;
    lt_arena *arena;
    lt_tensor tensor;
    lt_file file = {.data = size ? data : NULL, .size = size};
    if (lt_arena_create(&arena, &err) != LATHE_OK) return 0;
    if (lt_npy_open(&file, "fuzz.npy", arena, &tensor, &err) == LATHE_OK) {
        int64_t count = lathe_tensor_count(&tensor);
        lt_assert((uint64_t)count <= size);
        void *copy = lt_arena_alloc(arena, (size_t)count, lathe_dtype_size(tensor.dtype));
        if (copy) lt_gather(&tensor, 0, count, copy);
    }
    lt_arena_destroy(arena);
    return 0;
}
