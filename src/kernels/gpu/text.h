/* The texts that kernels are put together from, by the names of their files. */
#ifndef LT_GPU_TEXT_H
#define LT_GPU_TEXT_H

#include <stddef.h>

/* Names and texts in turns, each with a separator behind it, as a deflate stream, and room for them and a
 * zero.
 */
typedef struct lt_gpu_texts {
    const unsigned char *deflated;
    size_t deflated_bytes;
    char *room;
    size_t bytes;
} lt_gpu_texts;
enum { LT_GPU_SEPARATOR = 30 };

extern const lt_gpu_texts lt_gpu_all_texts; /* made when lathe is built */

/* The text of that name, which there is. From any thread. */
const char *lt_gpu_text_get(const char *name);

#endif
