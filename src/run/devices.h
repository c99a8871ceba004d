/* The devices of a session, and what they hold for all its programs: weights and state. The CPU is the last
 * of them: number `n`. */
#ifndef LT_DEVICES_H
#define LT_DEVICES_H

#include "backend/cpu.h"
#include "backend/gpu.h"
#include "pass/partition.h"
#include "run/model.h"
#include "run/placement.h"

typedef struct lt_devices {
    lathe_model *model;
    lt_cpu *cpu; /* NULL: everything that no other device takes runs on references */
    lt_gpu *gpus[LT_MAX_DEVICES - 1];
    lathe_buffer **weights[LT_MAX_DEVICES - 1]; /* per device [exported->n_weights]; NULL: not there (yet) */
    uint32_t n;                                 /* of `gpus` */
    uint32_t *pinned;          /* [graph.n_nodes of the file]: the device that the user wants; LT_NONE: any */
    lathe_placement placement; /* what holds for them */
    bool dag;                  /* the executor */
    bool as_saved;             /* it is the placement that the model's file was written for */
    const char *origin;        /* of the last partition, constant text; NULL: the file has none */
    lt_arena *arena;
} lt_devices;

/* `options` as lathe_session_create has them. After an error lt_devices_close is called all the same. */
lathe_status lt_devices_open(lt_devices *devices, lathe_model *model, const lathe_session_options *options,
                             lathe_error *err) LT_MUST_USE;
void lt_devices_close(lt_devices *devices);

/* Splits a graph into regions for these devices: as the model's file has it, where it has a partition of this
 * graph for them. */
lathe_status lt_devices_partition(lt_devices *devices, const lt_graph *graph, lt_partition **out,
                                  lathe_error *err) LT_MUST_USE;

/* Appends a partition as the model's file shall have it. */
lathe_status lt_devices_save_partition(const lt_devices *devices, const lt_partition *partition, lt_text *out,
                                       lathe_error *err) LT_MUST_USE;

/* Memory of a device: the host's own where the device can use it, else a copy of it. *imported may be NULL.
 */
lathe_status lt_devices_share(lt_gpu *gpu, void *host, size_t bytes, lathe_buffer **out, bool *imported,
                              lathe_error *err) LT_MUST_USE;

/* A weight on a device; brought there when it is first asked for. */
lathe_status lt_devices_weight(lt_devices *devices, uint32_t gpu, uint32_t weight, lathe_buffer **out,
                               lathe_error *err) LT_MUST_USE;

/* Waits for everything that the device was given. */
lathe_status lt_devices_finish(lt_gpu *gpu, lathe_error *err) LT_MUST_USE;

/* "cpu", "ref", "opencl:0" … in `arena`; NULL when out of memory. */
const char *lt_devices_name(const lt_devices *devices, uint32_t number, lt_arena *arena);

#endif
