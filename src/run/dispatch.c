/* Lowers regions, and runs them. */
#include "run/dispatch.h"

#include <string.h>

#include "run/cost.h"

/* Where a region stands in the present run. */
typedef enum lt_phase { LT_WAITING, LT_RUNNING, LT_DONE } lt_phase;
struct lt_progress {
    lt_phase phase;
};

lt_type lt_dispatch_output(const lt_dispatch *d, uint32_t i)
{
    lt_id value = d->graph->outputs[i];
    return value == LT_NONE ? (lt_type){.rank = -1} : d->graph->values[value].type;
}

/* ---- Making ---- */

static lathe_status allocate_results(lt_dispatch *d, lathe_error *err)
{
    uint32_t n_outputs = d->graph->n_outputs, n = n_outputs + d->partition->n_wires;
    LT_ALLOC(d->arena, d->results, n, err);
    for (uint32_t i = 0; i < n; i++) {
        lt_type type = i < n_outputs ? lt_dispatch_output(d, i) : d->partition->wires[i - n_outputs].type;
        if (type.rank < 0) continue;
        d->results[i] = lt_os_alloc(lt_type_bytes(&type));
        if (!d->results[i]) return lt_out_of_memory(err, lt_type_bytes(&type), 1);
    }
    return LATHE_OK;
}

/* Those that values of the graph stand for: there may be one more than the model has (see
 * lathe_session_select_row). */
static lathe_status find_inputs(lt_dispatch *d, lathe_error *err)
{
    const lt_graph *g = d->graph;
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].kind == LT_VALUE_INPUT && g->values[i].index >= d->n_inputs)
            d->n_inputs = g->values[i].index + 1;
    LT_ALLOC(d->arena, d->input_types, d->n_inputs, err);
    for (uint32_t i = 0; i < d->n_inputs; i++) d->input_types[i].rank = -1;
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].kind == LT_VALUE_INPUT) d->input_types[g->values[i].index] = g->values[i].type;
    return LATHE_OK;
}

static lt_packing packing_of(const void *model, uint32_t weight)
{
    return ((const lathe_model *)model)->weights[weight].packed.packing;
}

static bool sets_flag(const lt_gpu_lowering *lo)
{
    for (uint32_t i = 0; i < lo->n; i++)
        for (uint32_t k = 0; k < lo->launches[i].n_args; k++)
            if (lt_gpu_is_flag(&lo->launches[i].args[k])) return true;
    return false;
}

/* Steps of a region that is not the CPU's, as launches. */
static lathe_status lower_stage(lt_dispatch *d, lt_stage *stage, lathe_error *err)
{
    lt_gpu_lowering lo = {.gpu = d->devices->gpus[stage->device],
                          .arena = d->arena,
                          .packing_of = packing_of,
                          .packings = d->devices->model,
                          .scratch_base = (stage->program->arena_bytes + 63) / 64 * 64};
    for (uint32_t i = 0, done; i < stage->program->n_steps; i += done) {
        const lt_step *step = &stage->program->steps[i];
        lo.step = i;
        LT_TRY(lt_gpu_lower(&lo, step, stage->program->n_steps - i, &done, err));
        if (!done)
            LT_FAIL(err, LIMIT, "%s on %s: %s; keep it on the CPU (--cpu-ops, --pin)",
                    lt_op_get(step->op)->name, lo.gpu->info.name, lo.why);
    }
    stage->launches = lo.launches;
    stage->n_launches = lo.n;
    stage->checks = sets_flag(&lo);
    stage->program->arena_bytes = lo.scratch_base + lo.scratch_bytes;
    return LATHE_OK;
}

static lathe_status make_stage(lt_dispatch *d, const lt_dispatch_setup *setup, uint32_t i, lathe_error *err)
{
    lt_stage *stage = &d->stages[i];
    bool host = d->partition->regions[i].device == d->devices->n;
    stage->device = d->partition->regions[i].device;
    LT_TRY(lt_program_build(d->partition->regions[i].graph, setup->layout, &stage->program, err));
    d->programs[i] = stage->program;
    if (!host) return lower_stage(d, stage, err);
    lt_exec_buffers buffers = {.inputs = d->inputs,
                               .states = d->states->data,
                               .weights = d->devices->model->weights,
                               .hoisted = d->hoisted ? d->hoisted[i] : NULL,
                               .outputs = d->results,
                               .wires = d->results + d->graph->n_outputs};
    return lt_exec_create(&stage->exec, stage->program, d->devices->cpu, &buffers, d->arena, err);
}

lathe_status lt_dispatch_create(lt_dispatch *d, const lt_dispatch_setup *setup, lathe_error *err)
{
    const lt_partition *partition = setup->partition;
    *d = (lt_dispatch){.arena = setup->arena,
                       .devices = setup->devices,
                       .states = setup->states,
                       .graph = partition->whole,
                       .partition = partition,
                       .inputs = setup->inputs,
                       .hoisted = setup->hoisted,
                       .n_hoisted = setup->n_hoisted};
    LT_TRY(lt_states_need(d->states, d->graph, err));
    LT_TRY(find_inputs(d, err));
    LT_TRY(allocate_results(d, err));
    LT_ALLOC(d->arena, d->progress, partition->n_regions, err);
    LT_ALLOC(d->arena, d->stages, partition->n_regions, err);
    LT_ALLOC(d->arena, d->programs, partition->n_regions, err);
    for (uint32_t i = 0; i < partition->n_regions; i++) LT_TRY(make_stage(d, setup, i, err));
    LT_TRY(lt_carry_create(d, err));
    return lt_boards_create(d, err);
}

void lt_dispatch_destroy(lt_dispatch *d)
{
    if (!d->arena) return;
    lt_boards_destroy(d);
    uint32_t n = d->partition ? d->graph->n_outputs + d->partition->n_wires : 0;
    for (uint32_t i = 0; d->stages && i < d->partition->n_regions; i++)
        if (d->stages[i].device == d->devices->n) lt_exec_destroy(&d->stages[i].exec);
    for (uint32_t i = 0; d->results && i < n; i++) lt_os_free(d->results[i]);
    *d = (lt_dispatch){0};
}

/* ---- What it is made of ---- */

lathe_cost lt_dispatch_cost(const lt_dispatch *d, lt_dtype activations)
{
    return lt_programs_cost(d->programs, d->partition->n_regions, d->devices->model->weights, activations);
}

lathe_status lt_dispatch_plain_steps(const lt_dispatch *d, const char **text, lathe_error *err)
{
    uint32_t counts[LT_OP_COUNT] = {0};
    const char *list = "";
    for (uint32_t i = 0; i < d->partition->n_regions; i++)
        if (d->stages[i].device == d->devices->n) lt_exec_count_plain(&d->stages[i].exec, counts);
    for (int op = 0; op < LT_OP_COUNT; op++) {
        if (!counts[op]) continue;
        list = lt_arena_printf(d->arena, "%s%s%s %u", list, *list ? ", " : "", lt_op_get((lt_op)op)->name,
                               counts[op]);
        if (!list) return lt_out_of_memory(err, 1, 1);
    }
    *text = list;
    return LATHE_OK;
}

bool lt_dispatch_reads_weight(const lt_dispatch *d, uint32_t weight)
{
    for (uint32_t p = 0; p < d->partition->n_regions; p++)
        for (uint32_t i = 0; i < d->programs[p]->n_steps; i++)
            for (uint32_t k = 0; k < d->programs[p]->steps[i].n_in; k++) {
                const lt_operand *operand = &d->programs[p]->steps[i].args[k];
                if (operand->kind == LT_BUFFER_WEIGHT && operand->index == weight) return true;
            }
    return false;
}

/* ---- Running ---- */

static uint32_t source_of(const lt_stage *stage, uint32_t step)
{
    return step < stage->program->n_steps ? stage->program->steps[step].source : LT_NONE;
}

static lathe_status run_on_host(lt_dispatch *d, uint32_t region, uint32_t *source, lathe_error *err)
{
    lt_stage *stage = &d->stages[region];
    uint32_t failed = 0;
    stage->exec.timed = d->timed;
    stage->begin = lt_os_seconds();
    lathe_status status = lt_exec_run(&stage->exec, d->devices->cpu, &failed, err);
    stage->end = lt_os_seconds();
    if (status != LATHE_OK) *source = source_of(stage, failed);
    else status = lt_carry_wires(d, region, err);
    d->progress[region].phase = LT_DONE;
    return status;
}

static lathe_status start_on_device(lt_dispatch *d, uint32_t region, lathe_error *err)
{
    lt_stage *stage = &d->stages[region];
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    stage->begin = lt_os_seconds();
    LT_TRY(gpu->backend->submit(gpu->device, stage->batch, err));
    if (d->timed) LT_TRY(gpu->backend->flush(gpu->device, &stage->computed, err));
    LT_TRY(lt_carry_results(d, region, err));
    LT_TRY(gpu->backend->flush(gpu->device, &stage->ticket, err));
    d->progress[region].phase = LT_RUNNING;
    return LATHE_OK;
}

static lathe_status check_flag(lt_dispatch *d, const lt_stage *stage, uint32_t *source, lathe_error *err)
{
    static const int32_t clear;
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    if (!stage->checks || !stage->flag || (gpu->info.features & LATHE_DEVICE_DRY)) return LATHE_OK;
    *source = (uint32_t)stage->flag - 1;
    LT_TRY(gpu->backend->write(gpu->device, d->boards[stage->device].flag, 0, &clear, sizeof clear, err));
    LT_FAIL(err, INVALID_ARGUMENT, "an index is out of range");
}

static lathe_status finish_on_device(lt_dispatch *d, uint32_t region, uint32_t *source, lathe_error *err)
{
    lt_stage *stage = &d->stages[region];
    const lt_gpu *gpu = d->devices->gpus[stage->device];
    if (d->timed) LT_TRY(gpu->backend->wait(gpu->device, stage->computed, err));
    stage->end = lt_os_seconds();
    if (d->timed) LT_TRY(lt_carry_time(d, region, err));
    LT_TRY(gpu->backend->wait(gpu->device, stage->ticket, err));
    d->progress[region].phase = LT_DONE;
    LT_TRY(check_flag(d, stage, source, err));
    return lt_carry_wires(d, region, err);
}

static lathe_status run_in_order(lt_dispatch *d, uint32_t *source, lathe_error *err)
{
    for (uint32_t r = 0; r < d->partition->n_regions; r++) {
        if (d->stages[r].device == d->devices->n) {
            LT_TRY(run_on_host(d, r, source, err));
        } else {
            LT_TRY(start_on_device(d, r, err));
            LT_TRY(finish_on_device(d, r, source, err));
        }
    }
    return LATHE_OK;
}

/* Whether everything that a region comes after is done, or runs before it in the same queue. */
static bool is_ready(const lt_dispatch *d, uint32_t region)
{
    const lt_region *r = &d->partition->regions[region];
    if (d->progress[region].phase != LT_WAITING) return false;
    for (uint32_t i = 0; i < r->n_after; i++) {
        lt_phase phase = d->progress[r->after[i]].phase;
        bool queued = phase == LT_RUNNING && d->stages[r->after[i]].device == r->device;
        if (phase != LT_DONE && !queued) return false;
    }
    return true;
}

/* Devices get all that is ready; then the CPU has its turn, or waits for the region that runs longest. */
static lathe_status run_as_ready(lt_dispatch *d, uint32_t *source, lathe_error *err)
{
    uint32_t n = d->partition->n_regions;
    for (;;) {
        uint32_t host = LT_NONE, running = LT_NONE;
        for (uint32_t r = 0; r < n; r++) {
            bool ready = is_ready(d, r);
            if (ready && d->stages[r].device != d->devices->n) LT_TRY(start_on_device(d, r, err));
            else if (ready && host == LT_NONE) host = r;
            bool older = running == LT_NONE || d->stages[r].begin < d->stages[running].begin;
            if (d->progress[r].phase == LT_RUNNING && older) running = r;
        }
        if (host != LT_NONE) LT_TRY(run_on_host(d, host, source, err));
        else if (running != LT_NONE) LT_TRY(finish_on_device(d, running, source, err));
        else return LATHE_OK;
    }
}

/* After an error nothing may go on running in memory that is about to change. */
static void drain(lt_dispatch *d)
{
    for (uint32_t g = 0; g < d->devices->n; g++)
        if (d->boards[g].used) (void)!lt_devices_finish(d->devices->gpus[g], NULL);
}

lathe_status lt_dispatch_run(lt_dispatch *d, bool dag, uint32_t *source, lathe_error *err)
{
    *source = LT_NONE;
    d->start = lt_os_seconds();
    for (uint32_t r = 0; r < d->partition->n_regions; r++) d->progress[r].phase = LT_WAITING;
    d->n_transfers = 0;
    lathe_status status = lt_carry_states(d, err);
    if (status == LATHE_OK) status = lt_boards_refresh(d, err);
    if (status == LATHE_OK) status = lt_carry_inputs(d, err);
    if (status == LATHE_OK) status = dag ? run_as_ready(d, source, err) : run_in_order(d, source, err);
    if (status != LATHE_OK) drain(d);
    return status;
}
