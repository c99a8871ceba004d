/* Looks up texts of kernels. */
#include "kernels/gpu/text.h"

#include <string.h>

const char *lt_gpu_text_get(const char *name)
{
    const lt_gpu_text *text = lt_gpu_texts;
    while (text->name && strcmp(text->name, name) != 0) text++;
    return text->text;
}
