/* The JSON of an exported program, in parts: graphs, signature, names. Used by the .pt2 loader alone. */
#ifndef LT_PT2_GRAPH_H
#define LT_PT2_GRAPH_H

#include "base/json.h"
#include "ir/exported.h"

typedef struct lt_pt2_reader {
    lt_exported *x;
    lt_arena *arena;
    lathe_error *err;
    const char *text;  /* of the program */
    lt_arena *scratch; /* JSON values */
    int depth;         /* of nested regions */
} lt_pt2_reader;

/* pt2_program.c: reads the program into x, whose weights are known already. `text` must stay. */
lathe_status lt_pt2_read_program(const char *text, size_t length, lt_exported *x,
                                 lathe_error *err) LT_MUST_USE;

/* pt2_graph.c */
lathe_status lt_pt2_read_graph(lt_pt2_reader *r, const lt_json *json, lt_xgraph *graph) LT_MUST_USE;
lathe_status lt_pt2_read_argument(lt_pt2_reader *r, const lt_json *json, lt_arg *out) LT_MUST_USE;
lathe_status lt_pt2_copy_text(lt_pt2_reader *r, const char *text, const char **out) LT_MUST_USE;
/* *out is NULL when the field is absent or no string. */
lathe_status lt_pt2_optional_text(lt_pt2_reader *r, const lt_json *object, const char *key,
                                  const char **out) LT_MUST_USE;
/* dtype, sizes, strides and offset of a weight; `is_meta` tells whether it was on the meta device. */
lathe_status lt_pt2_read_weight_type(const lt_json *meta, lt_arena *arena, lt_xweight *weight, bool *is_meta,
                                     lathe_error *err) LT_MUST_USE;

/* pt2_names.c: gives user inputs and outputs the names that callers of forward() know them by: "x", "kv[0]".
 * Inputs that the specs do not describe keep theirs. */
lathe_status lt_pt2_name_values(lt_pt2_reader *r, const lt_json *module) LT_MUST_USE;

#endif
