/* What the parts of the layout pass share. Its context: which values are fixed (pass/hoist.h). */
#ifndef LT_LAYOUT_H
#define LT_LAYOUT_H

#include "pass/rewrite.h"

/* The blocked form of a value of the new graph that has one; LT_NONE. */
lt_id lt_layout_blocked(const lt_rewrite *rw, lt_id value);

/* Whether an old value has one. */
bool lt_layout_is_blocked(const lt_rewrite *rw, lt_id value);

/* The blocked form of any value of the new graph. */
lt_id lt_layout_block(lt_rewrite *rw, lt_id value);
lt_id lt_layout_unblock(lt_rewrite *rw, lt_id value, int64_t channels);

/* A depthwise convolution of one tap, with the factors and terms of the channels in blocks. */
lt_id lt_layout_depthwise(lt_rewrite *rw, lt_id x, lt_id factor, lt_id term, int64_t channels);
lt_id lt_layout_no_bias(lt_rewrite *rw, int64_t channels);

/* The rule for convolutions. */
bool lt_layout_conv(lt_rewrite *rw, const lt_node *node, lt_id *out);
/* And for reshapes and permutes. */
bool lt_layout_view(lt_rewrite *rw, const lt_node *node, lt_id *out);

/* Whether a convolution with these weights and this result is computed by Winograd's filtering, and its
 * weights for that. */
bool lt_layout_winograd_wins(const lt_attrs_conv *a, const lt_type *w, const lt_type *out);
lt_id lt_layout_winograd_weight(lt_rewrite *rw, lt_id w, int64_t out_channels, int64_t channels);

#endif
