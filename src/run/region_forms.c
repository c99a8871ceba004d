/* Brings regions into the forms that they run in. */
#include "run/region_forms.h"

#include "pass/pass.h"

/* Only what has convolutions has forms that the CPU alone runs. */
static bool has_own_form(const lt_region *region, uint32_t cpu)
{
    bool convolves = false;
    for (uint32_t i = 0; i < region->graph->n_nodes && !convolves; i++)
        convolves = region->graph->nodes[i].op == LT_OP_CONV;
    return convolves && region->device == cpu && cpu > 0;
}

lathe_status lt_region_forms_start(lt_region_forms *forms, lathe_model *model, const lt_cpu *cpu,
                                   lt_graph **graph, lathe_error *err)
{
    return lt_hoisted_split(&forms->shared, model, cpu, graph, err);
}

/* The region's graph with what was split off, as its passes want to see weights, and split once more. */
static lathe_status make_own(lt_region_forms *forms, lt_region *region, lt_hoisted_set *own, int level,
                             lathe_error *err)
{
    const lt_hoisted_set *shared = &forms->shared;
    LT_TRY(lt_hoist_join(&shared->split, region->graph, &region->graph, err));
    LT_TRY(lt_passes_run(&region->graph, level, LT_TARGET_REGION, NULL, err));
    LT_TRY(lt_hoisted_split(own, shared->model, shared->cpu, &region->graph, err));
    return lt_hoisted_need(own, region->graph, err);
}

static lathe_status make_all(lt_region_forms *forms, lt_partition *p, uint32_t cpu, int level,
                             lathe_error *err)
{
    for (uint32_t r = 0; r < p->n_regions; r++) {
        lt_region *region = &p->regions[r];
        lt_hoisted_set *set = &forms->shared;
        if (has_own_form(region, cpu)) {
            set = &forms->own[r];
            LT_TRY(make_own(forms, region, set, level, err));
        } else {
            LT_TRY(lt_hoisted_need(set, region->graph, err));
        }
        forms->hoisted[r] = set->data;
    }
    return LATHE_OK;
}

lathe_status lt_region_forms_make(lt_region_forms *forms, lt_partition *p, uint32_t cpu, int level,
                                  lathe_error *err)
{
    lt_arena *arena = p->whole->arena;
    LT_ALLOC(arena, forms->hoisted, p->n_regions, err);
    if (!forms->shared.split.from) return LATHE_OK; /* nothing was split off: all runs as it is written */
    LT_ALLOC(arena, forms->own, p->n_regions, err);
    forms->n_regions = p->n_regions;
    LT_TRY(make_all(forms, p, cpu, level, err));
    double start = lt_os_seconds();
    LT_TRY(lt_hoisted_compute(&forms->shared, err));
    for (uint32_t r = 0; r < p->n_regions; r++) LT_TRY(lt_hoisted_compute(&forms->own[r], err));
    forms->seconds = lt_os_seconds() - start;
    return LATHE_OK;
}

void lt_region_forms_finish(lt_region_forms *forms, const lt_dispatch *dispatch)
{
    lt_hoisted_finish(&forms->shared, dispatch);
    for (uint32_t r = 0; r < forms->n_regions; r++) lt_hoisted_finish(&forms->own[r], dispatch);
}

void lt_region_forms_release(lt_region_forms *forms)
{
    lt_hoisted_release(&forms->shared);
    for (uint32_t r = 0; r < forms->n_regions; r++) lt_hoisted_release(&forms->own[r]);
    *forms = (lt_region_forms){0};
}
