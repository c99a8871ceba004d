/* Describes steps for profiles. */
#include "run/profile.h"

#include "run/cost.h"

static lathe_status tell_source(const lathe_model *model, uint32_t source, lt_arena *arena, lathe_step *out,
                                lathe_error *err)
{
    const lt_xgraph *graph = &model->exported->graph;
    out->node = out->target = out->module = "";
    if (source >= graph->n_nodes) return LATHE_OK;
    const lt_xnode *node = &graph->nodes[source];
    out->node = node->name ? node->name : "";
    out->target = node->target ? node->target : "";
    return lt_import_module(node, arena, &out->module, err);
}

lathe_status lt_profile_step(const lt_exec *exec, const lathe_model *model, lt_arena *arena, size_t index,
                             lathe_step *out, lathe_error *err)
{
    if (index >= exec->program->n_steps)
        LT_FAIL(err, INVALID_ARGUMENT, "there is no step %zu: the program has %u", index,
                exec->program->n_steps);
    const lt_step *step = &exec->program->steps[index];
    lt_step_cost cost = lt_program_step_cost(step, model->weights);
    *out = (lathe_step){.op = lt_op_get(step->op)->name,
                        .type = lt_program_step_type(step, model->weights),
                        .plain = lt_cpu_is_plain(exec->runs[index]),
                        .joint = exec->joint[index],
                        .bytes = cost.bytes,
                        .flops = cost.flops,
                        .cache_bytes = cost.cache_bytes,
                        .cache_flops = cost.cache_flops};
    return tell_source(model, step->source, arena, out, err);
}

size_t lt_profile_spans(const lt_pool *pool, const lt_pool_span *spans, double start, lathe_span *out,
                        size_t room)
{
    size_t n = 0;
    uint32_t traced = spans ? lt_pool_traced(pool) : 0;
    for (uint32_t i = 0; i < traced && n < room; i++)
        if (spans[i].begin >= start)
            out[n++] = (lathe_span){spans[i].thread, spans[i].begin - start, spans[i].end - start};
    return n;
}
