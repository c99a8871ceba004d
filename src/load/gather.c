/* Walks rows of the innermost dimension; a contiguous tensor is one copy. */
#include "load/gather.h"

#include <string.h>

#define COPY_ROW(T) \
    for (int64_t i = 0; i < n; i++, from += step) memcpy(to + i * (int64_t)sizeof(T), from, sizeof(T))

static void copy_row(const char *from, int64_t step, int64_t n, size_t element, char *to)
{
    if (step == (int64_t)element) {
        memcpy(to, from, (size_t)n * element);
        return;
    }
    switch (element) { /* constant sizes let the compiler use plain loads */
    case 1: COPY_ROW(uint8_t); break;
    case 2: COPY_ROW(uint16_t); break;
    case 4: COPY_ROW(uint32_t); break;
    default: COPY_ROW(uint64_t); break;
    }
}

void lt_gather(const lt_tensor *tensor, int64_t first, int64_t count, void *out)
{
    size_t element = lathe_dtype_size(tensor->dtype);
    char *to = out;
    if (count == 0) return;
    if (lt_tensor_is_contiguous(tensor)) {
        memcpy(to, (const char *)tensor->data + first * (int64_t)element, (size_t)count * element);
        return;
    }
    int last = tensor->rank - 1; /* a tensor of rank 0 is contiguous */
    while (count > 0) {
        int64_t rest = first, offset = 0, inner = first % tensor->dim[last];
        for (int i = last; i >= 0; i--) {
            offset += rest % tensor->dim[i] * tensor->stride[i];
            rest /= tensor->dim[i];
        }
        int64_t n = lt_min_i64(count, tensor->dim[last] - inner);
        copy_row((const char *)tensor->data + offset * (int64_t)element,
                 tensor->stride[last] * (int64_t)element, n, element, to);
        to += n * (int64_t)element;
        first += n;
        count -= n;
    }
}
