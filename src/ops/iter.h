/* Walks several strided tensors of one shape together, one inner row at a time. Dims that lie behind one
 * another in every operand are merged, so contiguous tensors are one row. */
#ifndef LT_ITER_H
#define LT_ITER_H

#include "ir/attrs.h"

enum { LT_ITER_OPERANDS = LT_CHAIN_INPUTS + 1 };

typedef struct lt_iter {
    int n, rank;                                  /* operands; outer dims after merging */
    int64_t dim[LT_MAX_RANK], index[LT_MAX_RANK]; /* outer dims */
    int64_t step[LT_ITER_OPERANDS][LT_MAX_RANK];  /* bytes */
    int64_t row;                        /* elements of an inner row; 0 when there is nothing to do */
    int64_t row_step[LT_ITER_OPERANDS]; /* bytes between its elements */
    char *at[LT_ITER_OPERANDS];         /* the current row of each operand */
} lt_iter;

/* Every operand broadcasts to the shape of `shape` (missing leading dims and sizes of 1 repeat). */
void lt_iter_start(lt_iter *iter, const lt_tensor *shape, const lt_tensor *const *operands, int n);

/* Moves to the next row; false after the last. */
bool lt_iter_next(lt_iter *iter);

/* Makes every element a row of its own, right after the start. */
void lt_iter_elements(lt_iter *iter);

/* How many rows there are; moves from the first row to another. */
int64_t lt_iter_rows(const lt_iter *iter);
void lt_iter_seek(lt_iter *iter, int64_t row);

#endif
