/* Describes steps for profiles. */
#include "run/profile.h"

#include "run/cost.h"

size_t lt_profile_step_count(const lt_dispatch *d)
{
    size_t n = 0;
    for (uint32_t r = 0; r < d->partition->n_regions; r++) n += d->stages[r].program->n_steps;
    return n;
}

/* The stage of a step, whose number becomes that in the stage's program. */
static const lt_stage *find_stage(const lt_dispatch *d, size_t *index)
{
    const lt_stage *stage = d->stages;
    for (; *index >= stage->program->n_steps; stage++) *index -= stage->program->n_steps;
    return stage;
}

static bool on_host(const lt_dispatch *d, const lt_stage *stage) { return stage->device == d->devices->n; }

static lathe_status tell_source(const lt_dispatch *d, uint32_t source, lathe_step *out, lathe_error *err)
{
    const lt_xgraph *graph = &d->devices->model->exported->graph;
    out->node = out->target = out->module = "";
    if (source >= graph->n_nodes) return LATHE_OK;
    const lt_xnode *node = &graph->nodes[source];
    out->node = node->name ? node->name : "";
    out->target = node->target ? node->target : "";
    return lt_import_module(node, d->arena, &out->module, err);
}

lathe_status lt_profile_step(const lt_dispatch *d, size_t index, lathe_step *out, lathe_error *err)
{
    const lt_stage *stage = find_stage(d, &index);
    const lt_step *step = &stage->program->steps[index];
    const lt_model_weight *weights = d->devices->model->weights;
    lt_step_cost cost = lt_program_step_cost(step, weights);
    *out = (lathe_step){.op = lt_op_get(step->op)->name,
                        .type = lt_program_step_type(step, weights),
                        .device = lt_devices_name(d->devices, stage->device, d->arena),
                        .joint = index ? 0 : stage->program->n_steps,
                        .bytes = cost.bytes,
                        .flops = cost.flops,
                        .cache_bytes = cost.cache_bytes,
                        .cache_flops = cost.cache_flops};
    if (!out->device) return lt_out_of_memory(err, 1, 1);
    if (on_host(d, stage)) {
        out->plain = lt_cpu_is_plain(stage->exec.runs[index]);
        out->joint = stage->exec.joint[index];
    }
    return tell_source(d, step->source, out, err);
}

void lt_profile_time(const lt_dispatch *d, size_t index, double *begin, double *end)
{
    const lt_stage *stage = find_stage(d, &index);
    *begin = *end = 0;
    if (on_host(d, stage)) {
        const lt_exec *exec = &stage->exec;
        if (!exec->joint[index]) return;
        *begin = exec->start - d->start + exec->spans[index].begin;
        *end = exec->start - d->start + exec->spans[index].end;
    } else if (index == 0) {
        *begin = stage->begin - d->start;
        *end = stage->end - d->start;
    }
}

size_t lt_profile_spans(const lt_dispatch *d, const lt_pool_span *spans, lathe_span *out, size_t room)
{
    size_t n = 0;
    uint32_t traced = d->devices->cpu ? lt_pool_traced(d->devices->cpu->pool) : 0;
    for (uint32_t i = 0; i < traced && n < room; i++)
        if (spans[i].begin >= d->start)
            out[n++] = (lathe_span){spans[i].thread, spans[i].begin - d->start, spans[i].end - d->start};
    return n;
}

/* By the node that makes it, or its own name. */
static const char *value_name(const lt_dispatch *d, lt_id value)
{
    const lt_xgraph *graph = &d->devices->model->exported->graph;
    const lt_node *node = value == LT_NONE ? NULL : lt_graph_producer(d->graph, value);
    const char *name = value == LT_NONE ? NULL : d->graph->values[value].name;
    if (node && node->source < graph->n_nodes) name = graph->nodes[node->source].name;
    return name ? name : "";
}

lathe_status lt_profile_transfer(const lt_dispatch *d, size_t index, lathe_transfer *out, lathe_error *err)
{
    const lt_transfer *t = &d->transfers[index];
    *out = (lathe_transfer){.value = value_name(d, t->value),
                            .from = lt_devices_name(d->devices, t->from, d->arena),
                            .to = lt_devices_name(d->devices, t->to, d->arena),
                            .bytes = (double)t->bytes,
                            .shared = t->shared,
                            .begin = t->begin - d->start,
                            .end = t->end - d->start};
    return out->from && out->to ? LATHE_OK : lt_out_of_memory(err, 1, 1);
}
