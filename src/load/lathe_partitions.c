/* The partitions' section of a .lathe file. */
#include <string.h>

#include "load/lathe_layout.h"

enum { AT_DEVICES = 8, AT_NODES = 16, HEAD_BYTES = 20 };

void lt_lathe_encode_partition(const lt_lathe_partition *partition, lt_text *out)
{
    uint8_t head[HEAD_BYTES];
    lt_put64(head, partition->graph);
    lt_put64(head + AT_DEVICES, partition->devices);
    lt_put32(head + AT_NODES, partition->n_nodes);
    lt_text_append(out, (const char *)head, sizeof head);
    lt_text_append(out, (const char *)partition->device_of, partition->n_nodes);
}

static lathe_status read_partition(const lt_lathe_section *section, size_t *at, lt_lathe_partition *out,
                                   lathe_error *err)
{
    const uint8_t *head = section->data + *at;
    size_t left = section->size - *at;
    if (left < HEAD_BYTES || lt_get32(head + AT_NODES) > left - HEAD_BYTES)
        LT_FAIL(err, FORMAT, "section '%s': cut off at byte %zu", section->name, *at);
    *out = (lt_lathe_partition){.graph = lt_get64(head),
                                .devices = lt_get64(head + AT_DEVICES),
                                .n_nodes = lt_get32(head + AT_NODES),
                                .device_of = head + HEAD_BYTES};
    *at += HEAD_BYTES + (size_t)out->n_nodes;
    return LATHE_OK;
}

lathe_status lt_lathe_read_partitions(const lt_lathe *lathe, lt_arena *arena, lt_lathe_partition **out,
                                      uint32_t *n, lathe_error *err)
{
    const lt_lathe_section *section = lt_lathe_find(lathe, LT_LATHE_PARTITIONS);
    uint32_t capacity = 0;
    *out = NULL;
    *n = 0;
    if (!section) return LATHE_OK;
    LT_TRY(lt_lathe_check(lathe, section, err));
    for (size_t at = 0; at < section->size;) {
        LT_GROW(arena, *out, *n, capacity, err);
        LT_TRY_NOTE(read_partition(section, &at, &(*out)[*n], err), err, "%s", lathe->what);
        ++*n;
    }
    return LATHE_OK;
}
