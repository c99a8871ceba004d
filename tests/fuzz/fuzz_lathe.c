/* Any bytes as a .lathe file. Its checksums are put right first: with wrong ones nothing else would be
 * read. */
#include "fuzz/model_input.h"

#include <stdlib.h>

#include "load/lathe_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 8; i-- > 0;) value = value << 8 | at[i];
    return value;
}

static void put_right(uint8_t *data, size_t size)
{
    if (size < LT_LATHE_HEADER_BYTES) return;
    memcpy(data, LT_LATHE_MAGIC, LT_LATHE_MAGIC_BYTES);
    put32(data + LT_LATHE_AT_VERSION, LT_LATHE_VERSION);
    put32(data + LT_LATHE_AT_SIZE, (uint32_t)size);
    put32(data + LT_LATHE_AT_SIZE + 4, 0);
    size_t n = data[LT_LATHE_AT_COUNT] % 16, table = n * LT_LATHE_ENTRY_BYTES;
    put32(data + LT_LATHE_AT_COUNT, (uint32_t)n);
    if (size - LT_LATHE_HEADER_BYTES < table) return;
    for (size_t i = 0; i < n; i++) {
        uint8_t *entry = data + LT_LATHE_HEADER_BYTES + i * LT_LATHE_ENTRY_BYTES + LT_LATHE_NAME_BYTES;
        uint64_t at = get64(entry), bytes = get64(entry + 8);
        if (at <= size && bytes <= size - at) put32(entry + 16, lt_lathe_crc(0, data + at, (size_t)bytes));
    }
    uint32_t crc = lt_lathe_crc(0, data, LT_LATHE_AT_CRC);
    put32(data + LT_LATHE_AT_CRC, lt_lathe_crc(crc, data + LT_LATHE_HEADER_BYTES, table));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return 0;
    memcpy(copy, data, size);
    put_right(copy, size);
    fuzz_model(copy, size);
    free(copy);
    return 0;
}
