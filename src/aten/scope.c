/* Names, aliases, and in-place writes made functional. */
#include "aten/scope.h"

#include <string.h>

lathe_status lt_scope_bind(lt_scope *scope, const char *name, lt_binding *binding, lathe_error *err)
{
    scope->names.arena = scope->arena;
    LT_GROW(scope->arena, scope->bindings, scope->n, scope->capacity, err);
    LT_TRY(lt_map_put(&scope->names, name, scope->n, err));
    scope->bindings[scope->n++] = binding;
    return LATHE_OK;
}

lt_binding *lt_scope_find(const lt_scope *scope, const char *name)
{
    uint32_t index = lt_map_get(&scope->names, name);
    return index == LT_NONE ? NULL : scope->bindings[index];
}

lathe_status lt_binding_create(lt_arena *arena, lt_id value, lt_binding **out, lathe_error *err)
{
    LT_ALLOC(arena, *out, 1, err);
    LT_ALLOC(arena, (*out)->storage, 1, err);
    (*out)->arg = (lt_arg){.kind = LT_ARG_TENSOR, .id = value};
    (*out)->storage->initial = (*out)->storage->value = value;
    return LATHE_OK;
}

enum { MAX_CHAIN = 64 };

/* A base address for views that are only looked at: never followed, only offsets from it count. */
static char *pretended_address(void) { return (char *)(uintptr_t)((uintptr_t)1 << 46); }

/* The nodes between `value` and `base`, from the value on; -1 when something else than views lies between. */
static int list_chain(const lt_builder *b, lt_id base, lt_id value, const lt_node *chain[MAX_CHAIN])
{
    int n = 0;
    for (lt_id at = value; at != base;) {
        const lt_node *node = lt_graph_producer(b->graph, at);
        if (!node || !(lt_op_get(node->op)->flags & LT_OP_VIEW) || n == MAX_CHAIN) return -1;
        chain[n++] = node;
        at = node->in[0];
    }
    return n;
}

bool lt_view_is_alias(const lt_builder *b, lt_id base, lt_id value, const lt_tensor *from,
                      const lt_tensor *to)
{
    const lt_node *chain[MAX_CHAIN];
    int n = list_chain(b, base, value, chain);
    if (n < 0 || lathe_tensor_count(to) == 0) return true;
    lt_tensor at = *from;
    at.data = pretended_address();
    for (n--; n >= 0; n--) {
        lt_tensor next;
        /* What strides cannot express was copied, and copies are contiguous. */
        if (!lt_op_get(chain[n]->op)->view(&chain[n]->attrs, &at, &next)) return !lt_tensor_is_contiguous(to);
        at = next;
    }
    for (int i = 0; i < to->rank; i++)
        if (to->dim[i] > 1 && to->stride[i] != at.stride[i]) return false;
    return true;
}

/* The view steps between `base` and `value`, outermost first; false when something else lies between. */
static lathe_status trace_views(lt_builder *b, lt_id base, const lt_view_step *outer, lt_id value,
                                const lt_view_step **out, bool *found, lathe_error *err)
{
    const lt_node *chain[MAX_CHAIN];
    int n = list_chain(b, base, value, chain);
    *found = n >= 0;
    if (!*found) return LATHE_OK;
    *out = outer;
    while (n--) {
        lt_view_step *step;
        LT_ALLOC(b->graph->arena, step, 1, err);
        *step = (lt_view_step){.outer = *out, .op = chain[n]->op, .attrs = chain[n]->attrs};
        *out = step;
    }
    return LATHE_OK;
}

lathe_status lt_binding_alias(lt_builder *b, lt_binding *base, lt_id value, lt_binding **out,
                              lathe_error *err)
{
    const lt_view_step *view = NULL;
    bool found = false;
    LT_TRY(trace_views(b, base->arg.id, base->view, value, &view, &found, err));
    if (!found) return lt_binding_create(b->graph->arena, value, out, err);
    LT_ALLOC(b->graph->arena, *out, 1, err);
    **out = (lt_binding){.arg = {.kind = LT_ARG_TENSOR, .id = value},
                         .storage = base->storage,
                         .view = view,
                         .version = base->version,
                         .source = base->source,
                         .source_version = base->source_version};
    return LATHE_OK;
}

enum { MAX_VIEWS = 256 };

/* The steps of a view from the base outwards; how many, or -1 when there are too many. */
static int list_views(const lt_view_step *view, const lt_view_step *steps[MAX_VIEWS])
{
    int n = 0;
    for (const lt_view_step *at = view; at; at = at->outer)
        if (n++ == MAX_VIEWS) return -1;
    int i = n;
    for (const lt_view_step *at = view; at; at = at->outer) steps[--i] = at;
    return n;
}

lt_id lt_binding_read(lt_builder *b, lt_binding *binding)
{
    if (binding->source && binding->source->version != binding->source_version)
        return lt_build_fail(b, LATHE_UNSUPPORTED,
                             "reads a view that was copied, after a write to what it shows");
    if (binding->version == binding->storage->version) return binding->arg.id;
    const lt_view_step *steps[MAX_VIEWS];
    int n = list_views(binding->view, steps);
    if (n < 0) return lt_build_fail(b, LATHE_LIMIT, "more than %d views of one tensor", MAX_VIEWS);
    lt_id value = binding->storage->value;
    for (int i = 0; i < n; i++) value = lt_build(b, steps[i]->op, &steps[i]->attrs, &value, 1);
    binding->arg.id = value;
    binding->version = binding->storage->version;
    return value;
}

/* Where the elements of a view lie among those of its base, which lies as its strides say. */
static bool view_window(const lt_tensor *base, const lt_view_step *view, lt_attrs *out)
{
    const lt_view_step *steps[MAX_VIEWS];
    int n = list_views(view, steps);
    lt_tensor at = *base;
    at.data = pretended_address();
    for (int i = 0; i < n; i++) {
        lt_tensor next;
        if (!lt_op_get(steps[i]->op)->view(&steps[i]->attrs, &at, &next) || next.dtype != base->dtype)
            return false;
        at = next;
    }
    *out = (lt_attrs){.strided = {.rank = at.rank}};
    memcpy(out->strided.dim, at.dim, (size_t)at.rank * sizeof *at.dim);
    memcpy(out->strided.stride, at.stride, (size_t)at.rank * sizeof *at.stride);
    out->strided.offset = ((char *)at.data - pretended_address()) / (int64_t)lathe_dtype_size(base->dtype);
    return n >= 0;
}

/* The dims from the widest stride to the narrowest; dims of one element lie anywhere. */
static void order_dims(const lt_tensor *base, int *order)
{
    for (int i = 0; i < base->rank; i++) {
        int at = i;
        for (; at > 0 && base->stride[order[at - 1]] < base->stride[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

lt_id lt_binding_elements(lt_builder *b, const lt_binding *binding, lt_attrs_strided *self)
{
    const lt_storage *storage = binding->storage;
    lt_tensor base = lt_tensor_of(lt_build_type(b, storage->value), NULL), sorted = base;
    lt_attrs window;
    int order[LT_MAX_RANK];
    if (storage->stride) memcpy(base.stride, storage->stride, (size_t)base.rank * sizeof *base.stride);
    order_dims(&base, order);
    for (int i = 0; i < base.rank; i++) {
        sorted.dim[i] = base.dim[order[i]];
        sorted.stride[i] = base.stride[order[i]];
    }
    if (!lt_tensor_is_contiguous(&sorted) || !view_window(&base, binding->view, &window))
        return lt_build_fail(b, LATHE_UNSUPPORTED, "the memory of a tensor that lies in it with gaps");
    *self = window.strided;
    return lt_build_reshape(b, lt_build_permute(b, storage->value, order), 1, (int64_t[]){-1});
}

void lt_binding_write(lt_builder *b, lt_binding *binding, lt_id value)
{
    if (value == lt_binding_read(b, binding)) return; /* detach_, dropout_ */
    if (binding->source) {
        lt_build_fail(b, LATHE_UNSUPPORTED, "writes through a view that was copied");
        return;
    }
    lt_type type = *lt_build_type(b, lt_binding_read(b, binding));
    value = lt_build_expand(b, lt_build_cast(b, value, type.dtype), type.rank, type.dim);
    if (b->status != LATHE_OK) return;
    lt_storage *storage = binding->storage;
    if (!binding->view) {
        storage->value = value;
    } else {
        lt_attrs window;
        lt_tensor base = lt_tensor_of(lt_build_type(b, storage->value), NULL);
        if (!view_window(&base, binding->view, &window)) {
            lt_build_fail(b, LATHE_UNSUPPORTED,
                          "writes through a view whose elements do not lie at even distances");
            return;
        }
        storage->value = lt_build(b, LT_OP_AS_STRIDED_SCATTER, &window, (lt_id[]){storage->value, value}, 2);
    }
    storage->version++;
    binding->version = storage->version;
    binding->arg.id = value;
}
