/* The forms that the regions of a partition run in, and the values computed once that these read. Regions are
 * formed of a graph that all devices can run; what falls to the CPU beside them then gets the forms of the
 * CPU's own. */
#ifndef LT_REGION_FORMS_H
#define LT_REGION_FORMS_H

#include "run/hoisted.h"

/* Zero-initialise. */
typedef struct lt_region_forms {
    lt_hoisted_set shared;       /* of regions as the partition has them */
    lt_hoisted_set *own;         /* [n_regions]: of those in a form of the CPU's own */
    const void *const **hoisted; /* [n_regions]: what the programs of each read */
    uint32_t n_regions;
    double seconds; /* that computing the values took */
} lt_region_forms;

/* Replaces *graph, which is to be partitioned, by what remains to be run each time. */
lathe_status lt_region_forms_start(lt_region_forms *forms, lathe_model *model, const lt_cpu *cpu,
                                   lt_graph **graph, lathe_error *err) LT_MUST_USE;

/* Gives the partition's regions on device `cpu` their forms, as passes of that level make them where other
 * devices take part, and computes what all regions read. After an error the forms can be released. */
lathe_status lt_region_forms_make(lt_region_forms *forms, lt_partition *partition, uint32_t cpu, int level,
                                  lathe_error *err) LT_MUST_USE;

/* As lt_hoisted_finish has it, of all of them. */
void lt_region_forms_finish(lt_region_forms *forms, const lt_dispatch *dispatch);

void lt_region_forms_release(lt_region_forms *forms);

#endif
