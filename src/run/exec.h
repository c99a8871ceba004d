/* A program in its buffers, ready to run: addresses resolved, the fast form of each step chosen. Running it
 * allocates nothing. */
#ifndef LT_EXEC_H
#define LT_EXEC_H

#include "backend/cpu.h"
#include "run/model.h"

/* Whose buffers a program reads besides its own. The arrays outlive the program; addresses in `inputs` and
 * `states` are read anew when a run starts. */
typedef struct lt_exec_buffers {
    void *const *inputs, *const *states; /* contiguous */
    const lt_model_weight *weights;
    const void *const *hoisted; /* [n_hoisted], contiguous */
    void *const *outputs;       /* [n_outputs of the program]; NULL where there is no tensor */
    void *const *wires;         /* values of other regions */
} lt_exec_buffers;

/* When a step ran, in seconds since the run began; both 0: as part of the step before it. */
typedef struct lt_exec_span {
    double begin, end;
} lt_exec_span;

typedef struct lt_exec {
    const lt_program *program;
    lt_op_call *calls;        /* [n_steps] */
    lt_cpu_run *runs;         /* [n_steps]: the fast form; NULL: there is none */
    lt_cpu_checked *checked;  /* [n_steps]: what runs then */
    uint32_t *joint;          /* [n_steps]: how many from this step on run as one; 0: it is such a one */
    struct lt_patch *patches; /* [n_patches] */
    void *memory, *scratch;
    uint32_t n_patches;
    bool timed;          /* runs note when their steps run */
    double start;        /* of the last run that was timed */
    lt_exec_span *spans; /* [n_steps], of that run */
} lt_exec;

/* Everything but the buffers is allocated in `arena`. `cpu` NULL: all steps run on references. After an error
 * *exec holds what was made so far: lt_exec_destroy frees it. */
lathe_status lt_exec_create(lt_exec *exec, const lt_program *program, const lt_cpu *cpu,
                            const lt_exec_buffers *buffers, lt_arena *arena, lathe_error *err) LT_MUST_USE;
void lt_exec_destroy(lt_exec *exec);

/* Adds to counts[op] for each step that runs on its operator's reference. */
void lt_exec_count_plain(const lt_exec *exec, uint32_t counts[LT_OP_COUNT]);

/* Runs all steps; *failed is the step that an error comes from. */
lathe_status lt_exec_run(lt_exec *exec, const lt_cpu *cpu, uint32_t *failed, lathe_error *err) LT_MUST_USE;

#endif
