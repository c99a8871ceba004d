/* Operators on regions of the graph: modes that wrap a region, conditions, and regions that the file has
 * lost. */
#include <string.h>

#include "aten/importer.h"

static bool is_wrapper(const char *target)
{
    return strcmp(target, "higher_order.wrap_with_set_grad_enabled") == 0 ||
           strcmp(target, "higher_order.wrap_with_autocast") == 0;
}
static bool is_cond(const char *target) { return strcmp(target, "higher_order.cond") == 0; }
static bool is_getitem(const char *target) { return strcmp(target, "_operator.getitem") == 0; }

bool lt_region_known(const char *target)
{
    return is_wrapper(target) || is_cond(target) || is_getitem(target);
}

/* The position of the first region among a node's arguments; n_args when there is none. */
static uint32_t first_region(const lt_xnode *node)
{
    uint32_t at = 0;
    while (at < node->n_args && node->args[at].arg.kind != LT_ARG_GRAPH) at++;
    return at;
}

/* ---- Running a region ---- */

/* Binds a region's input: shared with the outside, so that writes inside are seen there. */
static lathe_status bind_input(lt_importer *im, lt_scope *outer, lt_scope *inner, const char *name,
                               const lt_arg *arg)
{
    lt_binding *binding = arg->kind == LT_ARG_NAME ? lt_scope_find(outer, arg->text) : NULL;
    if (!name) return LATHE_OK; /* a number that the region has written into its nodes */
    if (!binding) {
        LT_ALLOC(im->arena, binding, 1, im->err);
        LT_TRY(lt_importer_resolve(im, outer, arg, &binding->arg));
        if (binding->arg.kind == LT_ARG_TENSOR) return LATHE_OK;
    }
    return lt_scope_bind(inner, name, binding, im->err);
}

/* Imports a region; *results, [body->n_outputs], are bindings. */
static lathe_status run_region(lt_importer *im, lt_scope *scope, const lt_xgraph *body, const lt_arg *inputs,
                               uint32_t n_inputs, lt_binding ***results)
{
    if (body->n_inputs != n_inputs)
        LT_FAIL(im->err, FORMAT, "the region takes %u inputs, but gets %u", body->n_inputs, n_inputs);
    lt_scope inner = {.arena = im->arena};
    for (uint32_t i = 0; i < n_inputs; i++)
        LT_TRY(bind_input(im, scope, &inner, body->inputs[i], &inputs[i]));
    LT_TRY(lt_importer_region(im, body, &inner));
    LT_ALLOC(im->arena, *results, body->n_outputs, im->err);
    for (uint32_t i = 0; i < body->n_outputs; i++) {
        const lt_arg *out = &body->outputs[i];
        lt_binding **result = &(*results)[i];
        *result = out->kind == LT_ARG_NAME ? lt_scope_find(&inner, out->text) : NULL;
        if (*result) continue;
        LT_ALLOC(im->arena, *result, 1, im->err);
        LT_TRY(lt_importer_resolve(im, &inner, out, &(*result)->arg));
    }
    return LATHE_OK;
}

/* Gives the node's outputs, lists or not, the results in order. */
static lathe_status bind_outputs(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                 const lt_xnode *node, lt_binding *const *results, uint32_t n)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < node->n_outs; i++) {
        const lt_arg *out = &node->outs[i];
        bool list = out->kind == LT_ARG_LIST;
        for (uint32_t k = 0; k < (list ? out->list.n : 1); k++, next++) {
            const lt_arg *name = list ? &out->list.items[k] : out;
            if (name->kind != LT_ARG_NAME) continue;
            if (next >= n)
                LT_FAIL(im->err, FORMAT, "output '%s' is number %u of %u", name->text, next + 1, n);
            LT_TRY(lt_importer_bind(im, graph, scope, name->text, results[next]));
        }
    }
    return LATHE_OK;
}

static lathe_status copy_inputs(lt_importer *im, const lt_xnode *node, uint32_t from, lt_arg **inputs)
{
    LT_ALLOC(im->arena, *inputs, node->n_args - from, im->err);
    for (uint32_t i = from; i < node->n_args; i++) (*inputs)[i - from] = node->args[i].arg;
    return LATHE_OK;
}

/* autocast(device, dtype, enabled, cache, region, …): what operands are cast to inside. */
static lt_dtype autocast_dtype(const lt_xnode *node, lt_dtype outside)
{
    if (strcmp(node->target, "higher_order.wrap_with_autocast") != 0) return outside;
    const lt_arg *device = &node->args[0].arg, *dtype = &node->args[1].arg, *enabled = &node->args[2].arg;
    if (enabled->kind == LT_ARG_BOOL && !enabled->b) return LATHE_DTYPE_COUNT;
    if (dtype->kind == LT_ARG_DTYPE) return dtype->dtype;
    bool gpu = device->kind == LT_ARG_STRING && strcmp(device->text, "cuda") == 0;
    return gpu ? LATHE_F16 : LATHE_BF16;
}

static lathe_status import_wrapped(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                   const lt_xnode *node, uint32_t at)
{
    lt_dtype outside = im->autocast;
    lt_arg *inputs;
    lt_binding **results;
    if (at < 3 && strcmp(node->target, "higher_order.wrap_with_autocast") == 0)
        LT_FAIL(im->err, FORMAT, "%u arguments before the region, expected 4", at);
    const lt_xgraph *body = node->args[at].arg.graph;
    LT_TRY(copy_inputs(im, node, at + 1, &inputs));
    im->autocast = autocast_dtype(node, outside);
    LT_TRY(run_region(im, scope, body, inputs, node->n_args - at - 1, &results));
    im->autocast = outside;
    return bind_outputs(im, graph, scope, node, results, body->n_outputs);
}

/* ---- Conditions ---- */

/* Writes to tensors outside would have to be undone in the branch that is not taken. */
static lathe_status import_branch(lt_importer *im, lt_scope *scope, const lt_xnode *node,
                                  const lt_xgraph *body, lt_binding ***results)
{
    const lt_arg *inputs = &node->args[3].arg;
    uint32_t *versions;
    if (inputs->kind != LT_ARG_LIST) LT_FAIL(im->err, FORMAT, "operands of cond are no list");
    LT_ALLOC(im->arena, versions, inputs->list.n, im->err);
    for (int after = 0; after < 2; after++) {
        for (uint32_t i = 0; i < inputs->list.n; i++) {
            const lt_arg *arg = &inputs->list.items[i];
            lt_binding *binding = arg->kind == LT_ARG_NAME ? lt_scope_find(scope, arg->text) : NULL;
            if (!binding || !binding->storage) continue;
            if (after && versions[i] != binding->storage->version)
                LT_FAIL(im->err, UNSUPPORTED, "a branch writes into '%s', which lies outside of it",
                        arg->text);
            versions[i] = binding->storage->version;
        }
        if (!after) LT_TRY(run_region(im, scope, body, inputs->list.items, inputs->list.n, results));
    }
    return LATHE_OK;
}

/* A condition on data: both branches are computed, and the condition chooses. */
static lathe_status select_results(lt_importer *im, lt_id condition, lt_binding **yes, lt_binding *const *no,
                                   uint32_t n)
{
    if (lt_build_rank(&im->b, condition) > 0) condition = lt_build_reshape(&im->b, condition, 0, NULL);
    for (uint32_t i = 0; i < n; i++) {
        if (yes[i]->arg.kind != LT_ARG_TENSOR || no[i]->arg.kind != LT_ARG_TENSOR)
            LT_FAIL(im->err, UNSUPPORTED, "result %u of a branch is no tensor", i);
        lt_id a = lt_binding_read(&im->b, yes[i]), b = lt_binding_read(&im->b, no[i]);
        if (im->b.status == LATHE_OK && !lt_type_equal(lt_build_type(&im->b, a), lt_build_type(&im->b, b)))
            LT_FAIL(im->err, UNSUPPORTED, "result %u has different shapes or types in the branches", i);
        lt_id chosen = lt_build_where(&im->b, condition, a, b);
        LT_TRY(im->b.status);
        LT_TRY(lt_binding_create(im->arena, chosen, &yes[i], im->err));
    }
    return LATHE_OK;
}

/* cond(predicate, region, region, [inputs]) */
static lathe_status import_cond(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                const lt_xnode *node)
{
    lt_arg predicate;
    lt_binding **yes, **no;
    bool fits =
        node->n_args == 4 && node->args[1].arg.kind == LT_ARG_GRAPH && node->args[2].arg.kind == LT_ARG_GRAPH;
    if (!fits) LT_FAIL(im->err, FORMAT, "expected a condition, two regions and a list of inputs");
    const lt_xgraph *if_true = node->args[1].arg.graph, *if_false = node->args[2].arg.graph;
    LT_TRY(lt_importer_resolve(im, scope, &node->args[0].arg, &predicate));
    if (predicate.kind == LT_ARG_BOOL || predicate.kind == LT_ARG_INT) {
        const lt_xgraph *taken =
            (predicate.kind == LT_ARG_BOOL ? predicate.b : predicate.i != 0) ? if_true : if_false;
        LT_TRY(import_branch(im, scope, node, taken, &yes));
        return bind_outputs(im, graph, scope, node, yes, taken->n_outputs);
    }
    if (predicate.kind != LT_ARG_TENSOR)
        LT_FAIL(im->err, FORMAT, "the condition is neither a tensor nor a bool");
    if (if_true->n_outputs != if_false->n_outputs)
        LT_FAIL(im->err, FORMAT, "the branches have %u and %u results", if_true->n_outputs,
                if_false->n_outputs);
    LT_TRY(import_branch(im, scope, node, if_true, &yes));
    LT_TRY(import_branch(im, scope, node, if_false, &no));
    LT_TRY(select_results(im, predicate.id, yes, no, if_true->n_outputs));
    return bind_outputs(im, graph, scope, node, yes, if_true->n_outputs);
}

/* ---- Lost regions ---- */

/* The weight that a placeholder stands for; NULL when it is none. */
static const lt_xweight *weight_of(const lt_exported *x, const char *name)
{
    for (uint32_t i = 0; i < x->n_inputs; i++)
        if (x->inputs[i].kind == LT_X_WEIGHT && strcmp(x->inputs[i].name, name) == 0)
            return &x->weights[x->inputs[i].weight];
    return NULL;
}

/* pytorch-ir drops the bodies of regions. One is known by what it takes and gives: rotary embedding makes cos
 * and sin, [B, S, D], from inverse frequencies, [D / 2], and positions, [B, S]. */
static bool is_rotary(const lt_exported *x, const lt_xnode *node)
{
    const lt_xoperands *in = node->operands;
    if (!in || in->n != 2 || node->n_outs != 2 || node->outs[0].kind != LT_ARG_NAME ||
        node->outs[1].kind != LT_ARG_NAME)
        return false;
    const lt_xweight *frequencies = weight_of(x, in->tensors[0].text);
    const lt_xtype *positions = lt_importer_recorded(&x->graph, in->tensors[1].text),
                   *cos = lt_importer_recorded(&x->graph, node->outs[0].text),
                   *sin = lt_importer_recorded(&x->graph, node->outs[1].text);
    if (!frequencies || !positions || !cos || !sin) return false;
    bool inputs = lt_str_ends_with(frequencies->name, "inv_freq") && frequencies->type.rank == 1 &&
                  lt_dtype_is_float(frequencies->type.dtype) && positions->rank == 2 &&
                  positions->dtype == LATHE_I64;
    bool outputs =
        cos->rank == 3 && sin->rank == 3 && lt_dtype_is_float(cos->dtype) && cos->dtype == sin->dtype;
    for (int i = 0; i < 3 && inputs && outputs; i++) {
        int64_t want = i < 2 ? positions->dim[i].value : 2 * frequencies->type.dim[0];
        outputs = cos->dim[i].value == want && sin->dim[i].value == want;
    }
    return inputs && outputs;
}

static lathe_status import_rotary(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                  const lt_xnode *node)
{
    lt_builder *b = &im->b;
    lt_arg in[2];
    lt_binding *results[2];
    for (int i = 0; i < 2; i++) LT_TRY(lt_importer_resolve(im, scope, &node->operands->tensors[i], &in[i]));
    lt_id frequencies = lt_build_cast(b, in[0].id, LATHE_F32);
    lt_id positions = lt_build_unsqueeze(b, lt_build_cast(b, in[1].id, LATHE_F32), 2);
    lt_id half = lt_build_mul(b, positions, frequencies); /* [B, S, D / 2] */
    lt_type type = *lt_build_type(b, half);
    lt_id both = lt_build_expand(b, lt_build_unsqueeze(b, half, 2), 4,
                                 (int64_t[]){type.dim[0], type.dim[1], 2, type.dim[2]});
    lt_id angles = lt_build_reshape(b, both, 3, (int64_t[]){type.dim[0], type.dim[1], 2 * type.dim[2]});
    for (int i = 0; i < 2; i++) {
        lt_id value = lt_build_unary(b, i ? LT_OP_SIN : LT_OP_COS, angles);
        value = lt_build_cast(b, value, lt_importer_recorded(graph, node->outs[i].text)->dtype);
        LT_TRY(b->status);
        LT_TRY(lt_binding_create(im->arena, value, &results[i], im->err));
    }
    return bind_outputs(im, graph, scope, node, results, 2);
}

/* ---- Entry ---- */

/* getitem(list, index): the value itself, under another name. */
static lathe_status import_getitem(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                   const lt_xnode *node)
{
    const lt_arg *list = node->n_args == 2 ? &node->args[0].arg : NULL,
                 *index = list ? &node->args[1].arg : NULL;
    if (!list || list->kind != LT_ARG_LIST || index->kind != LT_ARG_INT || index->i < 0 ||
        index->i >= list->list.n)
        LT_FAIL(im->err, FORMAT, "expected a list and an index into it");
    const lt_arg *item = &list->list.items[index->i];
    lt_binding *binding = item->kind == LT_ARG_NAME ? lt_scope_find(scope, item->text) : NULL;
    if (!binding) LT_FAIL(im->err, FORMAT, "item %lld is used before it is defined", (long long)index->i);
    return bind_outputs(im, graph, scope, node, &binding, 1);
}

lathe_status lt_importer_higher_order(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                      const lt_xnode *node)
{
    const char *problem = lt_region_problem(im->exported, node);
    if (problem) LT_FAIL(im->err, UNSUPPORTED, "%s", problem);
    if (is_getitem(node->target)) return import_getitem(im, graph, scope, node);
    if (is_cond(node->target)) return import_cond(im, graph, scope, node);
    uint32_t at = first_region(node);
    return at < node->n_args ? import_wrapped(im, graph, scope, node, at)
                             : import_rotary(im, graph, scope, node);
}

const char *lt_region_problem(const lt_exported *exported, const lt_xnode *node)
{
    if (is_getitem(node->target) || first_region(node) < node->n_args || is_rotary(exported, node))
        return NULL;
    return "the file does not hold the region's body (only rotary embedding is known without it): export the "
           "model "
           "as .pt2";
}
