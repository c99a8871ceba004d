/* One matrix product over byte strides: what matmul, linear and attention are made of. */
#ifndef LT_PRODUCT_H
#define LT_PRODUCT_H

#include "ir/tensor.h"

/* out[m, n] = sum over k of a[m, k] * b[n, k] (+ bias[n]), accumulated in the class of out_dtype and rounded
 * once; integers wrap. The operands may not overlap `out`. */
typedef struct lt_product {
    int64_t m, n, k;
    const char *a, *b, *bias; /* bias may be NULL */
    char *out;
    lt_dtype a_dtype, b_dtype, bias_dtype, out_dtype;
    int64_t a_step[2], b_step[2], out_step[2], bias_step; /* bytes; a: [m, k]; b: [n, k]; out: [m, n] */
} lt_product;

size_t lt_product_scratch(void); /* bytes, the same for every product */
void lt_product_run(const lt_product *p, void *scratch);

#endif
