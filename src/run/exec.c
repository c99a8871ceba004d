/* Runs programs, step by step. */
#include "run/exec.h"

/* An operand of a step whose address is only known when a run starts: an input or a state. */
struct lt_patch {
    lt_tensor *tensor;
    void *const *base; /* where its owner keeps the address of the buffer */
    int64_t offset;    /* bytes */
};

static lathe_status allocate(size_t bytes, void **out, lathe_error *err)
{
    *out = lt_os_alloc(bytes);
    return *out ? LATHE_OK : lt_out_of_memory(err, bytes, 1);
}

static void patch_later(lt_exec *exec, lt_tensor *tensor, void *const *base, int64_t offset)
{
    exec->patches[exec->n_patches++] = (struct lt_patch){.tensor = tensor, .base = base, .offset = offset};
}

static void resolve(lt_exec *exec, const lt_exec_buffers *buffers, const lt_operand *operand, lt_tensor *out)
{
    const void *base = NULL;
    uint32_t index = operand->index;
    *out = operand->tensor;
    switch (operand->kind) {
    case LT_BUFFER_ARENA: base = exec->memory; break;
    case LT_BUFFER_OUTPUT: base = buffers->outputs[index]; break;
    case LT_BUFFER_WIRE: base = buffers->wires[index]; break;
    case LT_BUFFER_CONST: base = exec->program->consts[index]->data; break;
    case LT_BUFFER_WEIGHT: base = buffers->weights[index].data; break;
    case LT_BUFFER_PACKED: base = &buffers->weights[index].packed; break;
    case LT_BUFFER_HOISTED: base = buffers->hoisted[index]; break;
    case LT_BUFFER_STATE: patch_later(exec, out, &buffers->states[index], operand->offset); return;
    case LT_BUFFER_INPUT: patch_later(exec, out, &buffers->inputs[index], operand->offset); return;
    }
    out->data = (char *)(uintptr_t)base + operand->offset;
}

static lathe_status make_calls(lt_exec *exec, const lt_exec_buffers *buffers, lt_arena *arena,
                               lathe_error *err)
{
    const lt_program *p = exec->program;
    size_t n_args = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) n_args += p->steps[i].n_in + p->steps[i].n_out;
    lt_tensor *tensors;
    LT_ALLOC(arena, tensors, n_args, err);
    LT_ALLOC(arena, exec->patches, n_args, err);
    LT_ALLOC(arena, exec->calls, p->n_steps, err);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const lt_step *step = &p->steps[i];
        for (uint32_t k = 0; k < step->n_in + step->n_out; k++)
            resolve(exec, buffers, &step->args[k], &tensors[k]);
        exec->calls[i] = (lt_op_call){.op = step->op,
                                      .attrs = &step->attrs,
                                      .in = tensors,
                                      .out = tensors + step->n_in,
                                      .n_in = (int)step->n_in,
                                      .scratch = exec->scratch};
        tensors += step->n_in + step->n_out;
    }
    return LATHE_OK;
}

lathe_status lt_exec_create(lt_exec *exec, const lt_program *program, const lt_cpu *cpu,
                            const lt_exec_buffers *buffers, lt_arena *arena, lathe_error *err)
{
    const lt_program *p = program;
    size_t scratch_bytes = p->scratch_bytes, wanted;
    *exec = (lt_exec){.program = program};
    LT_ALLOC(arena, exec->runs, p->n_steps, err);
    LT_ALLOC(arena, exec->checked, p->n_steps, err);
    LT_ALLOC(arena, exec->spans, p->n_steps, err);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        exec->checked[i] = lt_cpu_reference(&p->steps[i]);
        exec->runs[i] = cpu ? lt_cpu_bind(cpu, &p->steps[i], &wanted) : NULL;
        if (exec->runs[i] && wanted > scratch_bytes) scratch_bytes = wanted;
    }
    LT_ALLOC(arena, exec->joint, p->n_steps, err);
    for (uint32_t i = 0; i < p->n_steps; i += exec->joint[i]) {
        exec->joint[i] = 1;
        if (!cpu) continue;
        exec->joint[i] = lt_cpu_join(cpu, &p->steps[i], &exec->runs[i], p->n_steps - i, &wanted);
        if (wanted > scratch_bytes) scratch_bytes = wanted;
    }
    LT_TRY(allocate(p->arena_bytes, &exec->memory, err));
    LT_TRY(allocate(scratch_bytes, &exec->scratch, err));
    return make_calls(exec, buffers, arena, err);
}

void lt_exec_destroy(lt_exec *exec)
{
    lt_os_free(exec->memory);
    lt_os_free(exec->scratch);
    *exec = (lt_exec){0};
}

/* Runs a step, or those that are one with it. */
static lathe_status run_step(lt_exec *exec, const lt_cpu *cpu, uint32_t i, lathe_error *err)
{
    const lt_op_call *call = &exec->calls[i];
    lt_cpu_run run = exec->runs[i];
    if (!run) return exec->checked[i](call, err);
    if (exec->joint[i] > 1) lt_cpu_run_joint(cpu, call, run, exec->joint[i]);
    else run(cpu, call);
    return LATHE_OK;
}

lathe_status lt_exec_run(lt_exec *exec, const lt_cpu *cpu, uint32_t *failed, lathe_error *err)
{
    double start = exec->timed ? lt_os_seconds() : 0, begin = start;
    exec->start = start;
    for (uint32_t i = 0; i < exec->n_patches; i++) {
        const struct lt_patch *patch = &exec->patches[i];
        patch->tensor->data = (char *)*patch->base + patch->offset;
    }
    for (uint32_t i = 0; i < exec->program->n_steps; i += exec->joint[i]) {
        lathe_status status = run_step(exec, cpu, i, err);
        if (exec->timed) {
            double end = lt_os_seconds();
            exec->spans[i] = (lt_exec_span){begin - start, end - start};
            begin = end;
        }
        *failed = i;
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

void lt_exec_count_plain(const lt_exec *exec, uint32_t counts[LT_OP_COUNT])
{
    for (uint32_t i = 0; i < exec->program->n_steps; i++)
        if (lt_cpu_is_plain(exec->runs[i])) counts[exec->calls[i].op]++;
}
