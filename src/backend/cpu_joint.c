/* Linear layers that read one input, as one job over the columns of all of them: one start and one wait for
 * the threads instead of several, and one conversion of the input. The weights stay where they are. */
#include "backend/bind.h"

/* Whether everything that the step reads but its input was there before the run. */
static bool reads_weights_alone(const lt_step *step)
{
    bool fixed = true;
    for (uint32_t k = 1; k < step->n_in; k++) {
        lt_buffer_kind kind = step->args[k].kind;
        fixed = fixed && (kind == LT_BUFFER_WEIGHT || kind == LT_BUFFER_PACKED || kind == LT_BUFFER_CONST ||
                          kind == LT_BUFFER_HOISTED);
    }
    return fixed;
}

uint32_t lt_cpu_join(const lt_cpu *cpu, const lt_step *steps, const lt_cpu_run *runs, uint32_t n,
                     size_t *scratch)
{
    uint32_t joint = 0;
    size_t bytes;
    *scratch = 0;
    if (!lt_prepare_linear(runs[0])) return 1;
    while (joint < n && joint < LT_MAX_JOINT && runs[joint] == runs[0] &&
           reads_weights_alone(&steps[joint]) && lt_operand_equal(&steps[joint].args[0], &steps[0].args[0])) {
        lt_cpu_bind(cpu, &steps[joint++], &bytes);
        *scratch += bytes;
    }
    return joint > 1 ? joint : 1;
}

typedef struct lt_joint {
    lt_columns columns[LT_MAX_JOINT];
    int64_t end[LT_MAX_JOINT]; /* grains of this one and those before it */
    uint32_t n;
} lt_joint;

static void joint_work(void *context, int64_t begin, int64_t end)
{
    const lt_joint *joint = context;
    int64_t first = 0;
    for (uint32_t i = 0; i < joint->n; i++) {
        const lt_columns *c = &joint->columns[i];
        int64_t from = lt_max_i64(begin, first) - first, to = lt_min_i64(end, joint->end[i]) - first;
        if (from < to) c->work(c->context, from * c->grain, lt_min_i64(to * c->grain, c->n));
        first = joint->end[i];
    }
}

void lt_cpu_run_joint(const lt_cpu *cpu, const lt_op_call *calls, lt_cpu_run run, uint32_t n)
{
    lt_joint joint = {.n = n};
    lt_prepare prepare = lt_prepare_linear(run);
    char *scratch = calls->scratch;
    int64_t end = 0;
    for (uint32_t i = 0; i < n; i++) {
        joint.columns[i] = prepare(cpu, &calls[i], i ? &joint.columns[0] : NULL, &scratch);
        end += (joint.columns[i].n + joint.columns[i].grain - 1) / joint.columns[i].grain;
        joint.end[i] = end;
    }
    lt_pool_run(cpu->pool, end, 1, joint_work, &joint);
}
