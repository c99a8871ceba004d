/* What the two halves of lathe_model_diff share. */
#ifndef LT_DIFF_H
#define LT_DIFF_H

#include "run/model.h"

/* A node whose results differ; all data is contiguous. */
typedef struct lt_diff_case {
    const lathe_model *model;
    const lt_graph *graph;
    const lt_node *node;
    void *const *data;  /* [graph->n_values]: the node's inputs, and the results that are trusted */
    void *const *found; /* [outputs of the node]: those in question */
} lt_diff_case;

/* diff.c: how far each element of an output may lie from the trusted one. */
void lt_diff_margins(const lt_graph *graph, const lt_node *node, const lt_tensor *want, double *out);

/* diff_case.c: writes the node as a model of its own, and beside it (.safetensors for .lathe) input.K,
 * output.K, found.K and tolerance.K. */
lathe_status lt_diff_write_case(const lt_diff_case *failed, const char *path, lathe_error *err) LT_MUST_USE;

#endif
