/* What the parts of the CPU device share: each bind function gives the fast form of a step and the working
 * memory it wants, or NULL when its types or layouts have none. Whatever is split over threads is split by
 * the shapes alone, so results are bit-equal for any number of threads. */
#ifndef LT_BIND_H
#define LT_BIND_H

#include "backend/cpu.h"

lt_cpu_run lt_bind_linear(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_sdpa(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_block(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_unblock(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_blocked_conv(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_blocked_pool(const lt_step *step, size_t *scratch);

/* The storage type of a kernel slot; false: no kernel takes that dtype. */
bool lt_float_type(lt_dtype dtype, lt_gemm_type *out);

/* Product of the dims but the last `inner`. */
int64_t lt_rows_of(const lt_tensor *tensor, int inner);

/* Whether the elements along the last dim lie side by side. */
bool lt_last_is_dense(const lt_tensor *tensor);

static inline size_t lt_align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Takes `bytes` off the front of working memory. */
static inline void *lt_take(char **scratch, size_t bytes)
{
    void *taken = *scratch;
    *scratch += lt_align64(bytes);
    return taken;
}

#endif
