/* What sorting and selection share: elements of any dtype as keys that compare as unsigned integers. */
#ifndef LT_ORDER_H
#define LT_ORDER_H

#include "ir/tensor.h"

typedef struct lt_keyed {
    uint64_t key;  /* smaller goes first; equal exactly when the values are (all NaN are, both zeros are) */
    int64_t index; /* where the element lies in its line */
} lt_keyed;

/* Keys of n elements `step` bytes apart. NaN is greater than every number. */
void lt_keys_load(lt_dtype dtype, const char *from, int64_t step, int64_t n, bool descending, lt_keyed *to);

/* Copies elements of a line in the order of the first n keys; the indices go to `to_index`. */
void lt_keys_store(lt_dtype dtype, const char *from, int64_t from_step, const lt_keyed *keys, int64_t n,
                   char *to, int64_t to_step, char *to_index, int64_t index_step);

/* Sorts; where equal elements stand follows from the algorithm: see order.tmpl.h. */
void lt_keys_sort(lt_keyed *keys, int64_t n);

/* Brings the k first elements to the front. Which of equal elements these are, and in what order they (and,
 * when not `sorted`, all of them) stand, follows from the algorithm. */
void lt_keys_select(lt_keyed *keys, int64_t n, int64_t k, bool sorted);

#endif
