/* What convolutions in blocks share. */
#ifndef LT_OPS_BLOCKED_H
#define LT_OPS_BLOCKED_H

#include "ir/op.h"

/* The type of a result in blocks: that of a plain convolution with a kernel of these sizes, with `blocks`
 * blocks of channels. Checks the bias, input 2, and what is added, input 3, if there is one. */
lathe_status lt_infer_conv_blocks(const lt_attrs_blocked_conv *a, const lt_type *in, int n_in,
                                  const int64_t kernel[2], int64_t blocks, lt_type *out, lathe_error *err);

/* What follows the sums before the result is stored. */
double lt_conv_activate(const lt_attrs_blocked_conv *a, double x);

#endif
