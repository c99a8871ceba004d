/* Any bytes as a zip archive: opening, finding and inflating every entry. */
#include "load/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lathe_error err;
    lt_arena *arena;
    lt_zip *zip;
    lt_file file = {.data = size ? data : NULL, .size = size};
    if (lt_arena_create(&arena, &err) != LATHE_OK) return 0;
    if (lt_zip_open(&file, "fuzz.zip", arena, &zip, &err) == LATHE_OK)
        for (uint32_t i = 0; i < zip->count; i++) {
            const void *content;
            size_t bytes;
            volatile uint8_t last = 0;
            lt_assert(lt_zip_find(zip, zip->entries[i].name) == i);
            if (lt_zip_inflate(zip, i, arena, &content, &bytes, &err) == LATHE_OK && bytes)
                last = ((const uint8_t *)content)[bytes - 1];
            (void)last;
        }
    lt_arena_destroy(arena);
    return 0;
}
