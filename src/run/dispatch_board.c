/* The memory of devices, and the batches of launches over it. */
#include <string.h>

#include "run/dispatch.h"

/* ---- What a stage touches ---- */

static lathe_status need_memory(lt_dispatch *d, uint32_t g, lathe_buffer **buffer, size_t bytes,
                                lathe_error *err)
{
    const lt_gpu *gpu = d->devices->gpus[g];
    return *buffer ? LATHE_OK : gpu->backend->alloc(gpu->device, bytes, buffer, err);
}

/* Results and wires: in the host's own memory where the device can use it. */
static lathe_status need_result(lt_dispatch *d, uint32_t g, uint32_t i, lathe_error *err)
{
    uint32_t n_outputs = d->graph->n_outputs;
    lt_type type = i < n_outputs ? lt_dispatch_output(d, i) : d->partition->wires[i - n_outputs].type;
    lathe_buffer **buffer = &d->boards[g].results[i];
    if (*buffer) return LATHE_OK;
    return lt_devices_share(d->devices->gpus[g], d->results[i], lt_type_bytes(&type), buffer,
                            &d->boards[g].shared[i], err);
}

/* Hoisted values are contiguous, but an operand may be a view: the size is that of the value. */
static lathe_status need_hoisted(lt_dispatch *d, const lt_stage *stage, uint32_t i, lathe_error *err)
{
    uint32_t g = stage->device;
    lathe_buffer **buffer = &d->boards[g].hoisted[i];
    const void *data = d->hoisted[stage - d->stages][i];
    for (uint32_t v = 0; v < d->graph->n_values && !*buffer; v++) {
        const lt_value *value = &d->graph->values[v];
        if (value->kind != LT_VALUE_HOISTED || value->index != i) continue;
        LT_TRY(lt_devices_share(d->devices->gpus[g], (void *)(uintptr_t)data, lt_type_bytes(&value->type),
                                buffer, NULL, err));
    }
    return LATHE_OK;
}

static lathe_status need_const(lt_dispatch *d, lt_stage *stage, uint32_t i, lathe_error *err)
{
    const lt_value *value = stage->program->consts[i];
    if (stage->consts[i]) return LATHE_OK;
    return lt_devices_share(d->devices->gpus[stage->device], (void *)(uintptr_t)value->data,
                            lt_type_bytes(&value->type), &stage->consts[i], NULL, err);
}

/* The buffer that an argument of a launch lies in, made when it is first met. */
static lathe_status resolve(lt_dispatch *d, lt_stage *stage, const lt_operand *operand, lathe_buffer **out,
                            lathe_error *err)
{
    uint32_t g = stage->device, i = operand->index;
    lt_board *board = &d->boards[g];
    switch (operand->kind) {
    case LT_BUFFER_ARENA: *out = lt_gpu_is_flag(operand) ? board->flag : board->arena; return LATHE_OK;
    case LT_BUFFER_INPUT:
        LT_TRY(need_memory(d, g, &board->inputs[i], lt_type_bytes(&d->input_types[i]), err));
        *out = board->inputs[i];
        return LATHE_OK;
    case LT_BUFFER_OUTPUT:
        LT_TRY(need_result(d, g, i, err));
        *out = board->results[i];
        return LATHE_OK;
    case LT_BUFFER_WIRE:
        LT_TRY(need_result(d, g, d->graph->n_outputs + i, err));
        *out = board->results[d->graph->n_outputs + i];
        return LATHE_OK;
    case LT_BUFFER_HOISTED:
        LT_TRY(need_hoisted(d, stage, i, err));
        *out = board->hoisted[i];
        return LATHE_OK;
    case LT_BUFFER_CONST:
        LT_TRY(need_const(d, stage, i, err));
        *out = stage->consts[i];
        return LATHE_OK;
    case LT_BUFFER_STATE: *out = d->states->buffers[g][i]; return LATHE_OK;
    case LT_BUFFER_WEIGHT: return lt_devices_weight(d->devices, g, i, out, err);
    case LT_BUFFER_PACKED: return lt_devices_packed(d->devices, g, i, out, err);
    }
    LT_FAIL(err, INTERNAL, "an operand in memory of kind %d", (int)operand->kind);
}

/* ---- Batches ---- */

static lathe_status make_batch(lt_dispatch *d, lt_stage *stage, lathe_error *err)
{
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    lathe_launch *launches = lt_heap_alloc(stage->n_launches, sizeof *launches);
    lathe_status status = launches ? LATHE_OK : lt_out_of_memory(err, stage->n_launches, sizeof *launches);
    for (uint32_t i = 0; i < stage->n_launches && status == LATHE_OK; i++) {
        const lt_gpu_launch *from = &stage->launches[i];
        lathe_launch *to = &launches[i];
        *to = (lathe_launch){.kernel = from->kernel,
                             .n_buffers = from->n_args,
                             .params = from->params,
                             .params_bytes = from->params_bytes};
        memcpy(to->group, from->group, sizeof to->group);
        memcpy(to->groups, from->groups, sizeof to->groups);
        for (uint32_t k = 0; k < from->n_args && status == LATHE_OK; k++)
            status = resolve(d, stage, &from->args[k], &to->buffers[k], err);
    }
    if (status == LATHE_OK)
        status = gpu->backend->prepare(gpu->device, launches, stage->n_launches, &stage->batch, err);
    lt_heap_free(launches);
    return status;
}

static void drop_batch(lt_dispatch *d, lt_stage *stage)
{
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    if (stage->batch) gpu->backend->release(gpu->device, stage->batch);
    stage->batch = NULL;
}

lathe_status lt_boards_refresh(lt_dispatch *d, lathe_error *err)
{
    for (uint32_t r = 0; r < d->partition->n_regions; r++) {
        lt_stage *stage = &d->stages[r];
        if (stage->device == d->devices->n) continue;
        if (stage->batch && d->boards[stage->device].changes == d->states->changes) continue;
        drop_batch(d, stage);
        LT_TRY(make_batch(d, stage, err));
    }
    for (uint32_t g = 0; g < d->devices->n; g++) d->boards[g].changes = d->states->changes;
    return LATHE_OK;
}

/* ---- Boards ---- */

static lathe_status create_board(lt_dispatch *d, uint32_t g, size_t arena_bytes, bool checks,
                                 lathe_error *err)
{
    lt_board *board = &d->boards[g];
    static const int32_t clear[4];
    LT_ALLOC(d->arena, board->inputs, d->n_inputs, err);
    LT_ALLOC(d->arena, board->results, d->graph->n_outputs + d->partition->n_wires, err);
    LT_ALLOC(d->arena, board->shared, d->graph->n_outputs + d->partition->n_wires, err);
    LT_ALLOC(d->arena, board->hoisted, d->n_hoisted, err);
    board->used = true;
    LT_TRY(need_memory(d, g, &board->arena, arena_bytes, err));
    if (!checks) return LATHE_OK;
    LT_TRY(need_memory(d, g, &board->flag, sizeof clear, err));
    return d->devices->gpus[g]->backend->write(d->devices->gpus[g]->device, board->flag, 0, clear,
                                               sizeof clear, err);
}

lathe_status lt_boards_create(lt_dispatch *d, lathe_error *err)
{
    LT_ALLOC(d->arena, d->boards, d->devices->n, err);
    for (uint32_t g = 0; g < d->devices->n; g++) {
        size_t arena_bytes = 0;
        bool used = false, checks = false;
        for (uint32_t r = 0; r < d->partition->n_regions; r++) {
            lt_stage *stage = &d->stages[r];
            if (stage->device != g) continue;
            used = true;
            checks |= stage->checks;
            if (stage->program->arena_bytes > arena_bytes) arena_bytes = stage->program->arena_bytes;
            LT_ALLOC(d->arena, stage->consts, stage->program->n_consts, err);
        }
        if (used) LT_TRY(create_board(d, g, arena_bytes, checks, err));
    }
    /* States have no buffers yet where nothing has run: the first run makes the batches then. */
    return LATHE_OK;
}

static void free_all(const lt_gpu *gpu, lathe_buffer **buffers, uint32_t n)
{
    for (uint32_t i = 0; buffers && i < n; i++)
        if (buffers[i]) gpu->backend->free(gpu->device, buffers[i]);
}

void lt_boards_destroy(lt_dispatch *d)
{
    uint32_t n_regions = d->stages ? d->partition->n_regions : 0;
    for (uint32_t r = 0; r < n_regions && d->boards; r++) {
        lt_stage *stage = &d->stages[r];
        if (stage->device == d->devices->n) continue;
        drop_batch(d, stage);
        if (stage->program)
            free_all(d->devices->gpus[stage->device], stage->consts, stage->program->n_consts);
    }
    for (uint32_t g = 0; d->boards && g < d->devices->n; g++) {
        lt_board *board = &d->boards[g];
        const lt_gpu *gpu = d->devices->gpus[g];
        if (!board->used) continue;
        free_all(gpu, board->inputs, d->n_inputs);
        free_all(gpu, board->results, d->graph->n_outputs + d->partition->n_wires);
        free_all(gpu, board->hoisted, d->n_hoisted);
        free_all(gpu, &board->arena, 1);
        free_all(gpu, &board->flag, 1);
    }
}
