/* What the parts of the attention pass share; nobody else includes this. Values are those of the old graph
 * unless their names begin with new_. */
#ifndef LT_PASS_ATTENTION_H
#define LT_PASS_ATTENTION_H

#include "pass/rewrite.h"

/* Sizes of scores [batch, heads, rows, keys]. */
typedef struct lt_scores_shape {
    int64_t batch, heads, rows, keys;
} lt_scores_shape;

/* ---- attention_heads.c ---- */

/* An operand of a product, [..., n, m], without what can be left to attention: entry i of its leading dims
 * (in row-major order) is entry i / repeat of those of `value`, as it is or with its last two dims swapped,
 * times `factor`. */
typedef struct lt_peeled {
    lt_id value;
    int64_t repeat;
    bool swapped;
    double factor;
} lt_peeled;

enum lt_peel {
    LT_PEEL_HEADS = 1,  /* repeated heads */
    LT_PEEL_FACTOR = 2, /* products with numbers */
    LT_PEEL_WIDEN = 4   /* casts that lose nothing */
};

/* `heads`: those of the attention; heads are taken apart only within a batch entry. */
lt_peeled lt_attention_peel(const lt_rewrite *rw, lt_id value, int64_t heads, unsigned what);

/* x * number or x / number: x, and what x is multiplied by. */
bool lt_split_factor(const lt_rewrite *rw, const lt_node *node, lt_id *x, double *factor);

/* Whether a reshape from one type to the other leaves the last two dims alone. */
bool lt_keeps_matrices(const lt_type *from, const lt_type *to);

/* ---- attention_mask.c ---- */

/* A change to the scores before the softmax. */
typedef struct lt_mask_term {
    lt_id value;   /* added to the scores; or bool: where they become `fill` (inverted: where they stay) */
    lt_type shape; /* of the scores at that place */
    bool condition, inverted;
    double fill;
} lt_mask_term;

enum { LT_MAX_MASK_TERMS = 4 };

/* The same as inputs of attention, in the new graph; LT_NONE where there is none. */
typedef struct lt_mask_plan {
    lt_id new_mask, new_last, new_first;
} lt_mask_plan;

/* False when attention cannot do what the terms do. */
bool lt_attention_masks(lt_rewrite *rw, const lt_mask_term *terms, int n, const lt_scores_shape *shape,
                        lt_mask_plan *out);

#endif
