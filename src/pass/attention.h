/* What the parts of the attention pass share; nobody else includes this. Values are those of the old graph
 * unless their names begin with new_. */
#ifndef LT_PASS_ATTENTION_H
#define LT_PASS_ATTENTION_H

#include "pass/rewrite.h"

/* ---- attention_mask.c ---- */

/* A change to the scores before the softmax. */
typedef struct lt_mask_term {
    lt_id value;   /* added to the scores; or bool: where they become `fill` (inverted: where they stay) */
    lt_type shape; /* of the scores at that place */
    bool condition, inverted;
    bool rounded; /* the sum is, to half precision */
    double fill;
    double factor; /* what is added is multiplied by this before */
} lt_mask_term;

enum { LT_MAX_MASK_TERMS = 4 };

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

/* The same as inputs of attention, in the new graph; LT_NONE where there is none. */
typedef struct lt_mask_plan {
    lt_id new_mask, new_last, new_first;
} lt_mask_plan;

/* False when attention cannot do what the terms do. */
bool lt_attention_masks(lt_rewrite *rw, const lt_mask_term *terms, int n, const lt_scores_shape *shape,
                        lt_mask_plan *out);

/* Whether all that a term does is to hide keys: it leaves the scores of the others as they are. */
bool lt_attention_hides(lt_rewrite *rw, const lt_mask_term *term, const lt_scores_shape *shape);

/* Whether a value, behind views, is a constant of one number. */
bool lt_attention_uniform(const lt_rewrite *rw, lt_id value, double *number);

/* ---- attention_scores.c ---- */

/* Attention as it is written: softmax(cap(q k' * scale) + terms) v. */
typedef struct lt_written_attention {
    lt_id q, k, v;           /* [..., L, E], [..., E, S], [..., S, V] */
    lt_id q_factor;          /* of the queries, [..., 1, 1]; LT_NONE: 1 */
    const lt_type *factored; /* the scores that it is a factor of */
    lt_id sink;              /* stands beside the scores, [..., L, 1]; LT_NONE: none */
    int sink_at;             /* before them (0) or behind (1); -1: there is none */
    double scale, cap;
    const lt_type *shape;                  /* of the scores, as they have the most dims */
    lt_mask_term terms[LT_MAX_MASK_TERMS]; /* the last one added first */
    int n_terms;
    bool guarded;     /* rows that see nothing give zeros */
    lt_dtype rounded; /* what the steps are rounded to */
    unsigned rounds;  /* LT_ROUND_... */
    lt_dtype pending; /* while reading: what a cast rounds the next step to; LATHE_DTYPE_COUNT: nothing */
} lt_written_attention;

/* Notes that a step gives this type; false when others were rounded to another one. */
bool lt_note_rounding(lt_written_attention *a, lt_dtype dtype, unsigned where);
/* From the softmax's operand to the product of queries and keys. */
bool lt_attention_scores(const lt_rewrite *rw, lt_id value, lt_written_attention *a);
/* Sums of scores and masks round one after the other, attention once: false when that is not the same. */
bool lt_attention_settle(lt_rewrite *rw, lt_written_attention *a, const lt_scores_shape *shape);

#endif
