/* A program is data: a flat list of steps over numbered buffers. Running it allocates nothing and parses
 * nothing. */
#ifndef LT_PROGRAM_H
#define LT_PROGRAM_H

#include "ir/graph.h"

typedef enum lt_buffer_kind {
    LT_BUFFER_ARENA,   /* temporaries, at planned offsets of one block; index: which block of memory */
    LT_BUFFER_INPUT,   /* index: which input */
    LT_BUFFER_OUTPUT,  /* index: which output */
    LT_BUFFER_WEIGHT,  /* index: which weight of the model */
    LT_BUFFER_STATE,   /* index: which state */
    LT_BUFFER_CONST,   /* index: which constant */
    LT_BUFFER_PACKED,  /* index: which weight; the data is its lt_packed, the tensor what it stands for */
    LT_BUFFER_HOISTED, /* index: which value that was computed beforehand */
    LT_BUFFER_WIRE     /* index: which value of another region */
} lt_buffer_kind;

/* Where a tensor lies. */
typedef struct lt_operand {
    lt_buffer_kind kind;
    uint32_t index;
    int64_t offset;   /* bytes from the start of the buffer (weights: from their element 0) */
    lt_tensor tensor; /* type and strides; data is NULL */
} lt_operand;

/* Whether both show the same memory in the same way. */
bool lt_operand_equal(const lt_operand *a, const lt_operand *b);

typedef struct lt_step {
    lt_op op;
    uint32_t n_in, n_out;
    lt_operand *args; /* inputs, then outputs */
    lt_attrs attrs;
    uint32_t source; /* the file's node, for messages */
    bool with_next;  /* a linear layer whose result only the next step reads, element by element: both may be
                        computed as one, as what this one reads keeps its place until then */
} lt_step;

typedef struct lt_program {
    lt_step *steps;
    lt_type *inputs;  /* [n_inputs]; rank -1: exported as a constant */
    lt_type *outputs; /* [n_outputs]; rank -1: not a tensor, or kept as state */
    lt_type *states;  /* [n_states]; rank -1: not of this program */
    const lt_state *state_info;
    const lt_value **consts; /* [n_consts] */
    uint32_t n_steps, n_inputs, n_outputs, n_states, n_consts, cap_steps;
    size_t arena_bytes, scratch_bytes;
} lt_program;

/* How weights are stored: with any strides (in elements), or packed. Asked for those that a program reads. */
typedef struct lt_weight_layout {
    void *context;
    lathe_status (*strides)(void *context, uint32_t weight, int64_t *stride, lathe_error *err);
    /* Whether the weight, a matrix, is read in packed form by linear layers and row lookups; `linear`: there
     * is a linear layer that reads it. NULL: none is. */
    lathe_status (*packed)(void *context, uint32_t weight, bool linear, bool *out, lathe_error *err);
} lt_weight_layout;

/* Lowers a graph into the same arena. Views become strides; every other node a step; temporaries share memory
 * by liveness; updates of a value nobody reads again happen in place. */
lathe_status lt_program_build(const lt_graph *graph, const lt_weight_layout *weights, lt_program **out,
                              lathe_error *err) LT_MUST_USE;

/* Stable text: for each step its operator, and what it reads and writes where. */
void lt_program_print(const lt_program *program, lt_text *text);

#endif
