/* The CPU device: which steps have a fast kernel, and how they are split over threads. What has none runs on
 * the operator's reference. */
#ifndef LT_BACKEND_CPU_H
#define LT_BACKEND_CPU_H

#include "base/threads.h"
#include "kernels/cpu/cpu.h"
#include "program/program.h"

typedef struct lt_cpu {
    lt_cpu_kernels kernels;
    lt_pool *pool;
    lt_digits digits; /* of what is multiplied with packed weights */
} lt_cpu;

/* `threads` 0: as many as the process may use. The environment's LATHE_CPU names the highest level to use. */
lathe_status lt_cpu_create(int threads, lt_cpu **out, lathe_error *err) LT_MUST_USE;
void lt_cpu_destroy(lt_cpu *cpu); /* NULL is allowed */

typedef void (*lt_cpu_run)(const lt_cpu *cpu, const lt_op_call *call);

/* The fast form of a step and the working memory it wants; NULL when there is none for its types and layouts.
 */
lt_cpu_run lt_cpu_bind(const lt_cpu *cpu, const lt_step *step, size_t *scratch);

/* Steps that follow one another may run as one: linear layers that read the same input, such as an
 * attention's queries, keys and values. How many from the first step on do (1: it runs alone), and the
 * working memory that they want together. `runs` are their forms. */
enum { LT_MAX_JOINT = 4 };
uint32_t lt_cpu_join(const lt_cpu *cpu, const lt_step *steps, const lt_cpu_run *runs, uint32_t n,
                     size_t *scratch);
void lt_cpu_run_joint(const lt_cpu *cpu, const lt_op_call *calls, lt_cpu_run run, uint32_t n);

/* Whether that is the operator's reference, on one thread (NULL) or in parts on all. */
bool lt_cpu_is_plain(lt_cpu_run run);

/* What runs a step without a fast form: the operator's reference, or its counterpart for packed weights. */
typedef lathe_status (*lt_cpu_checked)(const lt_op_call *call, lathe_error *err);
lt_cpu_checked lt_cpu_reference(const lt_step *step);

#endif
