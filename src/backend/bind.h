/* What the parts of the CPU device share: each bind function gives the fast form of a step and the working
 * memory it wants, or NULL when its types or layouts have none. Whatever is split over threads is split by
 * the shapes alone, so results are bit-equal for any number of threads. */
#ifndef LT_BIND_H
#define LT_BIND_H

#include "backend/cpu.h"

lt_cpu_run lt_bind_linear(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_packed(const lt_step *step, size_t *scratch); /* linear layers over packed weights */
lt_cpu_run lt_bind_sdpa(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_block(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_unblock(const lt_step *step, size_t *scratch);
/* Whether the rows of the first input (behind dims 0, 1 and 2) are contiguous, wherever they are, and so is
 * all else. */
bool lt_bind_rows(const lt_step *step);
lt_cpu_run lt_bind_blocked_conv(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_winograd_conv(const lt_cpu *cpu, const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_blocked_pool(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_elementwise(const lt_step *step, size_t *scratch); /* formulas, casts, chains */
lt_cpu_run lt_bind_copy(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_cat(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_norm(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_softmax(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_rope(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_matmul(const lt_step *step, size_t *scratch);
lt_cpu_run lt_bind_split(const lt_step *step, size_t *scratch); /* parts of a reference */

/* A linear layer whose input is ready: columns of its result that any thread can compute in parts. */
typedef struct lt_columns {
    int64_t n, grain; /* parts begin at multiples of the grain */
    lt_work work;
    void *context;
} lt_columns;

/* Gets a linear layer ready in working memory. `sibling`: one that reads the same input and is ready already;
 * what was made of the input then serves again. */
typedef lt_columns (*lt_prepare)(const lt_cpu *cpu, const lt_op_call *call, const lt_columns *sibling,
                                 char **scratch);

/* Linear layers over packed weights. */
lt_columns lt_prepare_packed(const lt_cpu *cpu, const lt_op_call *call, const lt_columns *sibling,
                             char **scratch);
void lt_run_packed_linear(const lt_cpu *cpu, const lt_op_call *call);

/* That of a form of linear layers; NULL: it cannot be split so. */
lt_prepare lt_prepare_linear(lt_cpu_run run);

/* lt_pool_run for items that read and write `bytes` each: as many at a time as are worth waking a thread for,
 * all of them here when that is all there is. */
void lt_cpu_split(const lt_cpu *cpu, int64_t count, int64_t bytes, lt_work work, void *context);

/* What follows a convolution in blocks: the bounds that its kernel clamps to (infinite: none), and the
 * function that rows of the result go through afterwards (NULL: none). */
typedef void (*lt_row_function)(const float *x, const float *y, float *out, int64_t n);
void lt_conv_bounds(const lt_attrs_blocked_conv *a, float *low, float *high);
lt_row_function lt_conv_activation(const lt_cpu *cpu, const lt_attrs_blocked_conv *a);

/* Whether an operand of the step is packed: nothing else may run it. */
bool lt_reads_packed(const lt_step *step);

/* A copy between tensors of one shape and dtype, any strides. */
void lt_copy_tensor(const lt_cpu *cpu, const lt_tensor *from, const lt_tensor *to);

/* The tensor itself when its last `inner` dims are dense, else a contiguous copy in working memory; and how
 * many bytes that takes. */
lt_tensor lt_dense_copy(const lt_cpu *cpu, const lt_tensor *tensor, int inner, char **scratch);
size_t lt_dense_bytes(const lt_tensor *tensor, int inner);

/* The storage type of a kernel slot; false: no kernel takes that dtype. */
bool lt_float_type(lt_dtype dtype, lt_gemm_type *out);

/* Product of the dims but the last `inner`. */
int64_t lt_rows_of(const lt_tensor *tensor, int inner);

/* Whether the elements along the last dim, or of the last `inner` dims in their order, lie side by side. */
bool lt_last_is_dense(const lt_tensor *tensor);
bool lt_inner_is_dense(const lt_tensor *tensor, int inner);

static inline size_t lt_align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Takes `bytes` off the front of working memory. */
static inline void *lt_take(char **scratch, size_t bytes)
{
    void *taken = *scratch;
    *scratch += lt_align64(bytes);
    return taken;
}

#endif
