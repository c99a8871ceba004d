/* The state of a session: tensors that outlive a run, each with its home, the device that has its present
 * value. */
#ifndef LT_STATES_H
#define LT_STATES_H

#include "run/devices.h"

typedef struct lt_states {
    lt_devices *devices;
    void **data;                                /* [n]: on the host */
    lt_type *types;                             /* [n] */
    uint32_t *home;                             /* [n]: a device; devices->n: the host */
    lathe_buffer **buffers[LT_MAX_DEVICES - 1]; /* per device [n]; NULL: not there */
    bool *shared[LT_MAX_DEVICES - 1];           /* per device [n]: its buffer is the host's memory */
    uint32_t n;
    uint32_t changes; /* counts whenever a buffer becomes another one */
    bool made;
} lt_states;

/* Makes the states that a graph has; those of the right type go on as they are. */
lathe_status lt_states_need(lt_states *states, const lt_graph *graph, lathe_error *err) LT_MUST_USE;
void lt_states_free(lt_states *states);

/* Gives a state its first contents: those of a weight, or zeros. */
lathe_status lt_states_init(lt_states *s, uint32_t i, uint32_t weight, lathe_error *err) LT_MUST_USE;

/* Moves a state home to a device (its buffer is there then), or to the host. */
lathe_status lt_states_move(lt_states *s, uint32_t i, uint32_t device, lathe_error *err) LT_MUST_USE;

/* Whether a state is in the host's memory when a device has it. */
bool lt_states_shared(const lt_states *s, uint32_t i, uint32_t device);

/* Brings the present value to the host for reading; its home stays. */
lathe_status lt_states_read(lt_states *s, uint32_t i, lathe_error *err) LT_MUST_USE;

#endif
