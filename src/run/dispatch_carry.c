/* Carries values between the host's memory and devices; where a run is timed, notes them. */
#include <string.h>

#include "run/dispatch.h"

/* ---- Notes ---- */

lathe_status lt_carry_create(lt_dispatch *d, lathe_error *err)
{
    const lt_partition *p = d->partition;
    uint64_t for_each = (uint64_t)d->n_inputs + d->graph->n_outputs + 2 * (uint64_t)p->n_wires;
    LT_ALLOC(d->arena, d->transfers, for_each * d->devices->n + p->n_wires + d->graph->n_states, err);
    return LATHE_OK;
}

static double now(const lt_dispatch *d) { return d->timed ? lt_os_seconds() : 0; }

static void note(lt_dispatch *d, const lt_transfer *transfer)
{
    if (!d->timed) return;
    lt_transfer *t = &d->transfers[d->n_transfers++];
    *t = *transfer;
    t->end = lt_os_seconds();
}

/* ---- States ---- */

static lathe_status move_state(lt_dispatch *d, uint32_t i, uint32_t to, lathe_error *err)
{
    lt_states *s = d->states;
    lt_transfer transfer = {.value = d->graph->states[i].before,
                            .from = s->home[i],
                            .to = to,
                            .bytes = lt_type_bytes(&s->types[i]),
                            .region = LT_NONE,
                            .begin = now(d)};
    if (transfer.from == to) return LATHE_OK;
    LT_TRY(lt_states_move(s, i, to, err));
    transfer.shared = lt_states_shared(s, i, transfer.from) && lt_states_shared(s, i, to);
    note(d, &transfer);
    return LATHE_OK;
}

/* The old value, for those that read it where it will not be any more. */
static lathe_status save_state(lt_dispatch *d, uint32_t wire, lathe_error *err)
{
    lt_states *s = d->states;
    uint32_t i = d->partition->wires[wire].state;
    lt_transfer transfer = {.value = d->graph->states[i].before,
                            .from = s->home[i],
                            .to = d->devices->n,
                            .bytes = lt_type_bytes(&s->types[i]),
                            .region = LT_NONE,
                            .begin = now(d)};
    LT_TRY(lt_states_read(s, i, err));
    memcpy(d->results[d->graph->n_outputs + wire], s->data[i], transfer.bytes);
    if (transfer.from != transfer.to) note(d, &transfer);
    return LATHE_OK;
}

/* States go to the devices that keep them; old values that others read are saved first. */
lathe_status lt_carry_states(lt_dispatch *d, lathe_error *err)
{
    for (uint32_t w = 0; w < d->partition->n_wires; w++)
        if (d->partition->wires[w].state != LT_NONE) LT_TRY(save_state(d, w, err));
    for (uint32_t i = 0; i < d->graph->n_states; i++)
        LT_TRY(move_state(d, i, d->partition->state_on[i], err));
    return LATHE_OK;
}

/* ---- To devices ---- */

static lathe_status upload(lt_dispatch *d, lt_transfer *transfer, lathe_buffer *to, const void *host,
                           lathe_error *err)
{
    const lt_gpu *gpu = d->devices->gpus[transfer->to];
    transfer->from = d->devices->n;
    transfer->region = LT_NONE;
    transfer->begin = now(d);
    LT_TRY(gpu->backend->write(gpu->device, to, 0, host, transfer->bytes, err));
    note(d, transfer);
    return LATHE_OK;
}

static lathe_status upload_input(lt_dispatch *d, uint32_t device, uint32_t i, lathe_error *err)
{
    lathe_buffer *to = d->boards[device].inputs[i];
    if (!to) return LATHE_OK;
    lt_transfer transfer = {.value = i < d->graph->n_inputs ? d->graph->inputs[i] : LT_NONE,
                            .to = device,
                            .bytes = lt_type_bytes(&d->input_types[i])};
    return upload(d, &transfer, to, d->inputs[i], err);
}

static lathe_status upload_wire(lt_dispatch *d, uint32_t device, uint32_t w, lathe_error *err)
{
    const lt_board *board = &d->boards[device];
    const lt_wire *wire = &d->partition->wires[w];
    uint32_t result = d->graph->n_outputs + w;
    if (!board->results[result]) return LATHE_OK;
    lt_transfer transfer = {.value = wire->value,
                            .to = device,
                            .bytes = lt_type_bytes(&wire->type),
                            .shared = board->shared[result]};
    return upload(d, &transfer, board->results[result], d->results[result], err);
}

lathe_status lt_carry_inputs(lt_dispatch *d, lathe_error *err)
{
    for (uint32_t g = 0; g < d->devices->n; g++) {
        if (!d->boards[g].used) continue;
        for (uint32_t i = 0; i < d->n_inputs; i++) LT_TRY(upload_input(d, g, i, err));
        for (uint32_t w = 0; w < d->partition->n_wires; w++)
            if (d->partition->wires[w].state != LT_NONE) LT_TRY(upload_wire(d, g, w, err));
    }
    return LATHE_OK;
}

lathe_status lt_carry_wires(lt_dispatch *d, uint32_t region, lathe_error *err)
{
    for (uint32_t w = 0; w < d->partition->n_wires; w++) {
        const lt_wire *wire = &d->partition->wires[w];
        for (uint32_t g = 0; wire->from == region && g < d->devices->n; g++)
            if ((wire->readers >> g & 1) && g != d->stages[region].device) LT_TRY(upload_wire(d, g, w, err));
    }
    return LATHE_OK;
}

/* ---- From devices ---- */

/* The bytes are there once the region's ticket has been waited for; a timed run gives each value its own. */
static lathe_status download(lt_dispatch *d, uint32_t region, uint32_t result, const lt_type *type,
                             lathe_error *err)
{
    uint32_t device = d->stages[region].device, n_outputs = d->graph->n_outputs;
    const lt_gpu *gpu = d->devices->gpus[device];
    const lt_board *board = &d->boards[device];
    lt_transfer transfer = {.value = result < n_outputs ? d->graph->outputs[result]
                                                        : d->partition->wires[result - n_outputs].value,
                            .from = device,
                            .to = d->devices->n,
                            .bytes = lt_type_bytes(type),
                            .shared = board->shared[result],
                            .region = region};
    LT_TRY(
        gpu->backend->read(gpu->device, board->results[result], 0, d->results[result], transfer.bytes, err));
    if (d->timed) LT_TRY(gpu->backend->flush(gpu->device, &transfer.ticket, err));
    note(d, &transfer);
    return LATHE_OK;
}

/* Asks for what a device's region makes and others read, and for what its kernels could not return: an index
 * that was out of range. */
lathe_status lt_carry_results(lt_dispatch *d, uint32_t region, lathe_error *err)
{
    lt_stage *stage = &d->stages[region];
    for (uint32_t i = 0; i < stage->program->n_outputs; i++) {
        const lt_wire *wire = i < d->graph->n_outputs ? NULL : &d->partition->wires[i - d->graph->n_outputs];
        if (stage->program->outputs[i].rank < 0 || (wire && wire->readers == 1u << stage->device)) continue;
        LT_TRY(download(d, region, i, &stage->program->outputs[i], err));
    }
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    if (!stage->checks) return LATHE_OK;
    return gpu->backend->read(gpu->device, d->boards[stage->device].flag, 0, &stage->flag, sizeof stage->flag,
                              err);
}

lathe_status lt_carry_time(lt_dispatch *d, uint32_t region, lathe_error *err)
{
    const lt_gpu *gpu = d->devices->gpus[d->stages[region].device];
    double begin = d->stages[region].end;
    for (uint32_t i = 0; i < d->n_transfers; i++) {
        lt_transfer *transfer = &d->transfers[i];
        if (transfer->region != region) continue;
        LT_TRY(gpu->backend->wait(gpu->device, transfer->ticket, err));
        transfer->begin = begin;
        transfer->end = begin = lt_os_seconds();
    }
    return LATHE_OK;
}
