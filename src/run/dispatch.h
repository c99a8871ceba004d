/* A partitioned graph, ready to run: each region a program on its device, the memory of all of them, and what
 * is carried between devices. Two executors run the same regions: in order, or each as soon as what it reads
 * is there. */
#ifndef LT_DISPATCH_H
#define LT_DISPATCH_H

#include "run/exec.h"
#include "run/states.h"

/* A region. */
typedef struct lt_stage {
    uint32_t device;
    lt_program *program;
    lt_exec exec;            /* on the CPU */
    lt_gpu_launch *launches; /* elsewhere: [n_launches] */
    lathe_batch *batch;
    lathe_buffer **consts; /* [program->n_consts], elsewhere */
    uint32_t n_launches;
    bool checks;       /* a launch may meet an index that is out of range, and sets the board's flag */
    int32_t flag;      /* what that was when the region ended: 0, or 1 + the node of the file */
    uint64_t ticket;   /* of its present run */
    uint64_t computed; /* where runs are timed, of its launches alone: without what it hands over */
    double begin, end; /* of its last run, as lt_os_seconds has them */
} lt_stage;

/* A value that a timed run carried from one memory to another, in the time that the host saw it take. */
typedef struct lt_transfer {
    lt_id value;       /* of the whole graph; LT_NONE: the number of a selected row */
    uint32_t from, to; /* devices; devices->n: the host */
    size_t bytes;
    bool shared;       /* both see the same memory: nothing was copied, but they waited for each other */
    uint32_t region;   /* that it ends; LT_NONE: none */
    uint64_t ticket;   /* of a region's */
    double begin, end; /* as lt_os_seconds has them */
} lt_transfer;

/* The memory that a program's regions have on one device. */
typedef struct lt_board {
    lathe_buffer **inputs;      /* [n_inputs]; NULL: no region here reads it */
    lathe_buffer **results;     /* [n_outputs + n_wires]; NULL: nothing here makes or reads it */
    bool *shared;               /* [n_outputs + n_wires]: it is the host's memory */
    lathe_buffer **hoisted;     /* [n_hoisted] */
    lathe_buffer *arena, *flag; /* flag NULL: no kernel here sets one */
    uint32_t changes;           /* of the states when the batches were made */
    bool used;
} lt_board;

typedef struct lt_dispatch {
    lt_arena *arena;
    lt_devices *devices;
    lt_states *states;
    const lt_graph *graph;
    const lt_partition *partition;
    void *const *inputs;               /* host, contiguous */
    lt_type *input_types;              /* [n_inputs]; rank -1: nothing reads it */
    const void *const *const *hoisted; /* [n_regions], host; NULL: no program reads such values */
    void **results;              /* [n_outputs + n_wires] host memory, owned; NULL where there is no tensor */
    lt_stage *stages;            /* [partition->n_regions] */
    const lt_program **programs; /* [partition->n_regions]: those of the stages */
    lt_board *boards;            /* [devices->n] */
    uint32_t n_hoisted, n_inputs;
    struct lt_progress *progress; /* [n_regions] */
    bool timed;                   /* runs note when steps run, and what is carried */
    lt_transfer *transfers;       /* [n_transfers] of the last run, if it was timed */
    uint32_t n_transfers;
    double start; /* of the last run, as lt_os_seconds has it */
} lt_dispatch;

typedef struct lt_dispatch_setup {
    lt_arena *arena;
    lt_devices *devices;
    lt_states *states;
    const lt_partition *partition;
    void *const *inputs;
    const void *const *const *hoisted; /* as in lt_dispatch */
    uint32_t n_hoisted;                /* what regions on devices besides the CPU have at most */
    const lt_weight_layout *layout;    /* of the weights */
} lt_dispatch_setup;

/* After an error lt_dispatch_destroy frees what was made so far. */
lathe_status lt_dispatch_create(lt_dispatch *dispatch, const lt_dispatch_setup *setup,
                                lathe_error *err) LT_MUST_USE;
void lt_dispatch_destroy(lt_dispatch *dispatch);

/* `dag`: regions run as soon as they can, devices beside each other. *source: the node of the file that an
 * error comes from; LT_NONE. */
lathe_status lt_dispatch_run(lt_dispatch *dispatch, bool dag, uint32_t *source, lathe_error *err) LT_MUST_USE;

/* The type of output `i`; rank -1: it is no tensor, or kept as state. */
lt_type lt_dispatch_output(const lt_dispatch *dispatch, uint32_t i);

/* As lathe_session_cost and lathe_session_plain_steps; the text is in the dispatch's arena. */
lathe_cost lt_dispatch_cost(const lt_dispatch *dispatch, lt_dtype activations);
lathe_status lt_dispatch_plain_steps(const lt_dispatch *dispatch, const char **text,
                                     lathe_error *err) LT_MUST_USE;

/* Whether a program of it reads the weight. */
bool lt_dispatch_reads_weight(const lt_dispatch *dispatch, uint32_t weight);

/* ---- Between the files of this layer ---- */

/* dispatch_carry.c: carries states to where they are kept, inputs to devices, what a region on the host made
 * to devices that read it, and asks for what a region on a device made. */
lathe_status lt_carry_create(lt_dispatch *dispatch, lathe_error *err) LT_MUST_USE;
lathe_status lt_carry_states(lt_dispatch *dispatch, lathe_error *err) LT_MUST_USE;
lathe_status lt_carry_inputs(lt_dispatch *dispatch, lathe_error *err) LT_MUST_USE;
lathe_status lt_carry_wires(lt_dispatch *dispatch, uint32_t region, lathe_error *err) LT_MUST_USE;
lathe_status lt_carry_results(lt_dispatch *dispatch, uint32_t region, lathe_error *err) LT_MUST_USE;
/* Waits for what a region hands over, one by one, and notes the times. */
lathe_status lt_carry_time(lt_dispatch *dispatch, uint32_t region, lathe_error *err) LT_MUST_USE;

/* dispatch_board.c: makes the memory of all devices and the batches of their regions. */
lathe_status lt_boards_create(lt_dispatch *dispatch, lathe_error *err) LT_MUST_USE;
void lt_boards_destroy(lt_dispatch *dispatch);
/* Makes batches anew where the state's buffers have changed. */
lathe_status lt_boards_refresh(lt_dispatch *dispatch, lathe_error *err) LT_MUST_USE;

#endif
