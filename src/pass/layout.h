/* What the parts of the layout pass share. Its context: which values are fixed (pass/hoist.h). */
#ifndef LT_LAYOUT_H
#define LT_LAYOUT_H

#include "pass/rewrite.h"

/* The blocked form of a value of the new graph that has one; LT_NONE. */
lt_id lt_layout_blocked(const lt_rewrite *rw, lt_id value);

/* The blocked form of any value of the new graph. */
lt_id lt_layout_block(lt_rewrite *rw, lt_id value);
lt_id lt_layout_unblock(lt_rewrite *rw, lt_id value, int64_t channels);

/* The rule for convolutions. */
bool lt_layout_conv(lt_rewrite *rw, const lt_node *node, lt_id *out);

#endif
