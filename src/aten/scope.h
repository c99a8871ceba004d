/* Names of the file and what they stand for while a graph is built. Tensors that alias share a storage:
 * reading a name whose storage was written meanwhile replays its views over the new contents. */
#ifndef LT_SCOPE_H
#define LT_SCOPE_H

#include "aten/aten.h"

/* Contents that in-place operators replace. */
typedef struct lt_storage {
    lt_id initial; /* its contents before any write */
    lt_id value;   /* the current contents, of the same shape */
    uint32_t version;
    const int64_t *stride; /* [rank]: how they lie in memory in PyTorch; NULL: row by row */
} lt_storage;

/* One view between a base and an alias of it. */
typedef struct lt_view_step {
    const struct lt_view_step *outer; /* the step before; NULL: applies to the base */
    lt_op op;
    lt_attrs attrs;
} lt_view_step;

typedef struct lt_binding {
    lt_arg arg;          /* a number, a list …; TENSOR: id is the value when `version` is the storage's */
    lt_storage *storage; /* TENSOR only */
    const lt_view_step *view;
    uint32_t version;
    /* A copy of what PyTorch has a view of: it cannot be written, nor read once its source was. */
    const lt_storage *source;
    uint32_t source_version;
} lt_binding;

/* Names of one region. */
typedef struct lt_scope {
    lt_arena *arena;
    lt_map names;
    lt_binding **bindings;
    uint32_t n, capacity;
} lt_scope;

lathe_status lt_scope_bind(lt_scope *scope, const char *name, lt_binding *binding,
                           lathe_error *err) LT_MUST_USE;
lt_binding *lt_scope_find(const lt_scope *scope, const char *name); /* NULL when unknown */

/* A tensor of its own. */
lathe_status lt_binding_create(lt_arena *arena, lt_id value, lt_binding **out, lathe_error *err) LT_MUST_USE;
/* `value` as an alias of `base` when it is made from it by views alone; else a tensor of its own. */
lathe_status lt_binding_alias(lt_builder *b, lt_binding *base, lt_id value, lt_binding **out,
                              lathe_error *err) LT_MUST_USE;

/* Whether PyTorch made a view and not a copy: reshape, contiguous and to do either. `value` is made from
 * `base` by views alone (true when it is not), whose tensors lie as `from` and `to` (without elements: true)
 * in PyTorch. */
bool lt_view_is_alias(const lt_builder *b, lt_id base, lt_id value, const lt_tensor *from,
                      const lt_tensor *to);

lt_id lt_binding_read(lt_builder *b, lt_binding *binding); /* its current value */
/* All elements of its storage in one dim, as they lie in memory in PyTorch; `self`: where it lies among them.
 */
lt_id lt_binding_elements(lt_builder *b, const lt_binding *binding, lt_attrs_strided *self);
void lt_binding_write(lt_builder *b, lt_binding *binding,
                      lt_id value); /* converts and broadcasts to its type */

#endif
