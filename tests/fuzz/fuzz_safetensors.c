/* Any bytes as a safetensors file: every tensor's bytes are read. */
#include "load/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lathe_error err;
    lt_arena *arena;
    lt_safetensors *opened;
    lt_file file = {.data = size ? data : NULL, .size = size};
    if (lt_arena_create(&arena, &err) != LATHE_OK) return 0;
    if (lt_safetensors_open(&file, "fuzz.safetensors", arena, &opened, &err) == LATHE_OK)
        for (uint32_t i = 0; i < opened->count; i++) {
            lt_tensor tensor;
            volatile uint8_t sum = 0;
            if (lt_safetensors_tensor(opened, i, arena, &tensor, &err) != LATHE_OK) continue;
            size_t bytes = (size_t)lathe_tensor_count(&tensor) * lathe_dtype_size(tensor.dtype);
            lt_assert(bytes == opened->entries[i].bytes);
            for (size_t k = 0; k < bytes; k++) sum = (uint8_t)(sum + ((const uint8_t *)tensor.data)[k]);
        }
    lt_arena_destroy(arena);
    return 0;
}
