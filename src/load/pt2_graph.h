/* The JSON of an exported program: graph, signature, symbols. */
#ifndef LT_PT2_GRAPH_H
#define LT_PT2_GRAPH_H

#include "base/json.h"
#include "ir/exported.h"

/* Reads the program into x, whose weights are known already. */
lathe_status lt_pt2_read_program(const json_t *program, lt_exported *x, lathe_error *err) LT_MUST_USE;

/* dtype, sizes, strides and offset of a weight; `is_meta` tells whether it was on the meta device. */
lathe_status lt_pt2_read_weight_type(const json_t *meta, lt_arena *arena, lt_xweight *weight, bool *is_meta,
                                     lathe_error *err) LT_MUST_USE;

#endif
