/* What the kernel checks share: random numbers, buffers between guard pages, cases and failures, tolerances,
 * threads and clocks for --bench. Every level is checked against float64 sums, at sizes around each tile. */
#ifndef LT_CHECKASM_H
#define LT_CHECKASM_H

#include "base/threads.h"
#include "kernels/cpu/cpu.h"

/* One family of slots. `check` tests the slots in which `kernels` differs from `below`, the table of the
 * level under it (for generic, an empty table: everything differs); `bench` prints their speed. */
typedef struct check_suite {
    const char *name;
    void (*check)(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below);
    void (*bench)(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below);
} check_suite;

extern const check_suite check_gemm, check_packed, check_attention, check_rows, check_conv, check_blocks,
    check_winograd;

/* ---- Random ---- */

uint64_t check_random(void);
int64_t check_range(int64_t low, int64_t high); /* both included */
float check_float(void);                        /* -1 … 1 */
void check_floats(float *out, int64_t n, float scale);

/* ---- Storage types ---- */

size_t check_size(lt_gemm_type type);
void check_put(lt_gemm_type type, void *array, int64_t i, float value);
double check_get(lt_gemm_type type, const void *array, int64_t i);
double check_rounding(lt_gemm_type type); /* the largest relative error of rounding to it */

/* ---- Buffers ---- */

/* A buffer whose last byte lies before an unmapped page, with canaries before it; filled with random bytes
 * that are NaN as float32, bfloat16 and float16, so that reading what was never written shows. Lives until
 * the case ends. */
void *check_buffer(size_t bytes);
float *check_float_buffer(int64_t n); /* of random floats */

/* ---- Cases ---- */

/* Starts a case: its name stands in front of failures; the buffers of the case before are checked and freed.
 */
void check_case(const char *format, ...) LT_PRINTF(1, 2);
void check_fail(const char *format, ...) LT_PRINTF(1, 2);

/* |got - want| against `tolerance`; infinities and NaN must agree. */
void check_close(float got, double want, double tolerance, const char *what, int64_t i, int64_t j);

/* Bytes that a kernel had no business to write are as check_buffer made them. */
void check_untouched(const void *from, size_t bytes, const char *what);

/* ---- Speed ---- */

extern lt_pool *check_pool;

/* Memory in small pages, as weights lie in a mapped file, filled with 0.01 as float32 and
 * bfloat16, 1.06 as float16. */
void *check_memory(size_t bytes);
void check_memory_free(void *memory, size_t bytes);

/* Least seconds of work(context, 0, n) split over the pool. What the machine reads and multiplies at most is
 * measured in between. */
double check_time(lt_work work, void *context, int64_t n, int64_t grain);

/* A line of the report: share of the limits that the last check_time saw, and times over `seconds_below` (0:
 * not compared). */
void check_report(const char *what, double seconds, double bytes, double flops, double seconds_below);

#endif
