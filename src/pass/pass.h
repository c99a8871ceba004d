/* The optimising passes. Each turns a graph into an equivalent one that the references still run, so any of
 * them can be left out. */
#ifndef LT_PASS_H
#define LT_PASS_H

#include "ir/graph.h"

enum { LT_OPTIMIZE_MAX = 2 };

/* Whose graphs a pass is for. */
typedef enum lt_pass_target {
    LT_TARGET_CPU = 1,    /* the CPU alone runs it */
    LT_TARGET_SHARED = 2, /* other devices have a part in it: nothing in it may be the CPU's alone */
    LT_TARGET_REGION = 4  /* a part of such a graph that fell to the CPU: it gets the CPU's forms late */
} lt_pass_target;

typedef struct lt_pass {
    const char *name, *text;
    int level;        /* runs from this level of optimisation on */
    unsigned targets; /* lt_pass_target */
    lathe_status (*run)(const lt_graph *from, lt_graph **out, lathe_error *err);
} lt_pass;

extern const lt_pass lt_passes[]; /* in their order; the last has no name */

/* Runs the passes of a level for that target on *graph. With `dump`, the graph after each is appended. */
lathe_status lt_passes_run(lt_graph **graph, int level, lt_pass_target target, lt_text *dump,
                           lathe_error *err) LT_MUST_USE;

lathe_status lt_pass_simplify(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_narrow(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
/* Not in the list: keeps the caches of inputs as `dtype`, int8 for rows of ops/cache_row.h, or fails when one
 * cannot be. */
lathe_status lt_pass_cache_type(const lt_graph *from, lt_dtype dtype, lt_graph **out,
                                lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_prune(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_attention(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_fuse(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_conv_norm(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_conv_forms(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_layout(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_conv_epilogue(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_linear_weights(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_chain(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;
lathe_status lt_pass_unchain(const lt_graph *from, lt_graph **out, lathe_error *err) LT_MUST_USE;

#endif
