/* Looks up texts of kernels, which are inflated when the first one is asked for. */
#include "kernels/gpu/text.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

/* What zlib works with, so that this needs no memory that there may not be. */
static struct {
    _Alignas(max_align_t) unsigned char bytes[64 << 10];
    size_t used;
} work;

static voidpf take(voidpf opaque, uInt n, uInt size)
{
    (void)opaque;
    size_t bytes = ((size_t)n * size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (bytes > sizeof work.bytes - work.used) return Z_NULL;
    work.used += bytes;
    return work.bytes + work.used - bytes;
}

static void give(voidpf opaque, voidpf memory)
{
    (void)opaque;
    (void)memory;
}

static void unpack(void)
{
    const lt_gpu_texts *t = &lt_gpu_all_texts;
    z_stream stream = {.zalloc = take,
                       .zfree = give,
                       .next_in = (z_const Bytef *)(t->deflated),
                       .avail_in = (uInt)t->deflated_bytes,
                       .next_out = (Bytef *)t->room,
                       .avail_out = (uInt)t->bytes};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return;
    inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    for (size_t i = 0; i < t->bytes; i++)
        if (t->room[i] == LT_GPU_SEPARATOR) t->room[i] = '\0';
}

const char *lt_gpu_text_get(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *at = lt_gpu_all_texts.room, *text;
    pthread_once(&once, unpack);
    for (; *at; at = text + strlen(text) + 1) {
        text = at + strlen(at) + 1;
        if (strcmp(at, name) == 0) return text;
    }
    return "";
}
