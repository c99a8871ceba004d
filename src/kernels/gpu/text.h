/* The texts that kernels are put together from, by the names of their files. */
#ifndef LT_GPU_TEXT_H
#define LT_GPU_TEXT_H

typedef struct lt_gpu_text {
    const char *name, *text;
} lt_gpu_text;

extern const lt_gpu_text lt_gpu_texts[]; /* the last has no name; made when lathe is built */

/* The text of that name, which there is. */
const char *lt_gpu_text_get(const char *name);

#endif
