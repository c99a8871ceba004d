/* Partitioning: every node gets a device, and nodes of one device become regions, each a graph of its own,
 * which run in their order: a region reads only what earlier ones made, so there are no cycles. What a region
 * hands to another one is a wire.
 *
 * Views that do not shrink what they show belong to no region: each region that needs one has its own. */
#ifndef LT_PARTITION_H
#define LT_PARTITION_H

#include "ir/graph.h"

/* The device of each node, as it was chosen before. */
typedef struct lt_choice {
    const uint8_t *device_of; /* [n_nodes]; LT_CHOICE_FREE: a view that belongs to no region */
    uint32_t n_nodes;
} lt_choice;

enum { LT_CHOICE_FREE = UINT8_MAX };

/* What is known of the devices. `takes` is asked for all but the last, which is the CPU and takes everything.
 */
typedef struct lt_partition_rules {
    uint32_t n_devices; /* in the order in which they are preferred */
    bool keep_islands;  /* regions stay, however small */
    lt_choice given;    /* device_of NULL: the devices are chosen here. It comes from a file: what is no
                           choice for this graph is a FORMAT error */
    void *context;
    /* The device that the user wants for the node; LT_NONE: any. */
    uint32_t (*pinned)(void *context, const lt_node *node);
    /* Whether the device has kernels for it; else why not, a constant text. */
    lathe_status (*takes)(void *context, uint32_t device, const lt_graph *graph, const lt_node *node,
                          const char **why, bool *takes, lathe_error *err);
} lt_partition_rules;

typedef struct lt_region {
    uint32_t device, n_nodes;
    double seconds;  /* guess of its work on the CPU */
    lt_graph *graph; /* inputs, outputs and states have the numbers of the whole graph, LT_NONE where they are
                        not this region's; outputs from the whole graph's n_outputs on are wires */
    uint32_t *after; /* [n_after]: regions that must have run */
    uint32_t n_after, cap_after;
} lt_region;

/* A value that one region hands to others, or a state as it is before a run. */
typedef struct lt_wire {
    lt_id value;
    lt_type type;
    uint32_t from;    /* the region that makes it; LT_NONE: a state's old value */
    uint32_t state;   /* which, then */
    uint32_t readers; /* bit d: regions of device d read it */
} lt_wire;

enum { LT_MAX_DEVICES = 16 };

typedef struct lt_partition {
    const lt_graph *whole;
    lt_region *regions;
    lt_wire *wires;
    uint32_t n_regions, n_wires, cap_regions, cap_wires;
    uint32_t *device_of; /* [n_nodes]; LT_NONE: a view that belongs to no region */
    uint32_t *region_of; /* [n_nodes]; the same */
    const char **why;    /* [n_nodes]: why it is not on the device that is preferred; NULL: it is */
    uint32_t *state_on;  /* [n_states]: the device that keeps the state */
} lt_partition;

lathe_status lt_partition_graph(const lt_graph *graph, const lt_partition_rules *rules, lt_partition **out,
                                lathe_error *err) LT_MUST_USE;

/* ---- Between the two files of this pass ---- */

/* What a view of no region shows, or the value itself. */
lt_id lt_partition_base(const lt_partition *p, lt_id value);
/* The region that makes a value; LT_NONE: none does. */
uint32_t lt_partition_maker(const lt_partition *p, lt_id base);

/* Makes wires and the graphs of the regions, once nodes have their regions. `cpu` is the CPU's number. */
lathe_status lt_partition_build(lt_partition *p, uint32_t cpu, lathe_error *err) LT_MUST_USE;

/* Appends a region. */
lathe_status lt_partition_add_region(lt_partition *p, uint32_t device, lathe_error *err) LT_MUST_USE;

#endif
