/* Complex numbers while a graph is built: which values are real parts, and where the imaginary ones are. */
#include <string.h>

#include "aten/builder.h"

/* The entry of a value; NULL: it is real. Entries are in the order of their values. */
static const lt_complex *find(const lt_builder *b, lt_id x)
{
    uint32_t low = 0, high = b->n_complex;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (b->complex[middle].value < x) low = middle + 1;
        else high = middle;
    }
    return low < b->n_complex && b->complex[low].value == x ? &b->complex[low] : NULL;
}

bool lt_build_is_complex(const lt_builder *b, lt_id x) { return find(b, x) != NULL; }

lt_id lt_build_part(lt_builder *b, lt_id x, int part)
{
    const lt_complex *found = find(b, x);
    if (found) return found->part[part];
    if (part == 0) return x;
    lt_type type = *lt_build_type(b, x);
    return lt_build_zeros(b, &type);
}

static lathe_status add_entry(lt_builder *b, lt_complex entry)
{
    LT_GROW(b->graph->arena, b->complex, b->n_complex, b->cap_complex, b->err);
    b->complex[b->n_complex++] = entry;
    return LATHE_OK;
}

lt_id lt_build_complex(lt_builder *b, lt_id re, lt_id im)
{
    lt_type type = *lt_build_type(b, re);
    if (!lt_type_equal(&type, lt_build_type(b, im)) || !lt_dtype_is_float(type.dtype))
        return lt_build_fail(b, LATHE_TYPE, "real and imaginary parts of different or no float types");
    /* A value of its own: the real parts are a tensor that may have other readers. */
    lt_attrs attrs = {.reshape = {.rank = type.rank}};
    memcpy(attrs.reshape.dim, type.dim, sizeof type.dim);
    lt_id x = lt_build(b, LT_OP_RESHAPE, &attrs, &re, 1);
    if (b->status == LATHE_OK) b->status = add_entry(b, (lt_complex){.value = x, .part = {re, im}});
    return x;
}

lt_id lt_build_paired(lt_builder *b, lt_id pairs)
{
    if (lt_build_rank(b, pairs) == 0 || lt_build_size(b, pairs, -1) != 2)
        return lt_build_fail(b, LATHE_TYPE, "complex numbers from a last dim that has not 2 elements");
    return lt_build_complex(b, lt_build_select(b, pairs, -1, 0), lt_build_select(b, pairs, -1, 1));
}
