/* From the arguments of a file's node to those of an operator call. */
#include <string.h>

#include "aten/importer.h"

lathe_status lt_importer_resolve(lt_importer *im, lt_scope *scope, const lt_arg *raw, lt_arg *out)
{
    *out = *raw;
    if (raw->kind == LT_ARG_NAME) {
        lt_binding *binding = lt_scope_find(scope, raw->text);
        if (!binding) LT_FAIL(im->err, FORMAT, "value '%s' is used before it is defined", raw->text);
        *out = binding->arg;
        if (out->kind == LT_ARG_TENSOR) out->id = lt_binding_read(&im->b, binding);
        return im->b.status;
    }
    if (raw->kind != LT_ARG_LIST) return LATHE_OK;
    LT_ALLOC(im->arena, out->list.items, raw->list.n, im->err);
    for (uint32_t i = 0; i < raw->list.n; i++)
        LT_TRY(lt_importer_resolve(im, scope, &raw->list.items[i], &out->list.items[i]));
    return LATHE_OK;
}

/* The parameter that an argument of the node is for. */
static lathe_status param_index(lt_importer *im, const lt_schema *schema, const lt_xnode *node, uint32_t i,
                                uint32_t *out)
{
    const char *name = node->args[i].name;
    *out = name ? lt_schema_find(schema, name) : i < schema->n ? i : LT_NONE;
    /* dropout_(self) is the in-place form of dropout(input). */
    if (*out == LT_NONE && i == 0 && schema->n && name && strcmp(name, "self") == 0) *out = 0;
    if (*out == LT_NONE)
        LT_FAIL(im->err, FORMAT, "argument '%s' is not in the schema of %s", name ? name : "?", schema->name);
    return LATHE_OK;
}

/* pytorch-ir writes tensors that are passed by keyword as the names of their nodes. */
static lathe_status name_strings(lt_importer *im, lt_arg *arg)
{
    if (arg->kind == LT_ARG_STRING) arg->kind = LT_ARG_NAME;
    if (arg->kind != LT_ARG_LIST) return LATHE_OK;
    lt_arg *items;
    LT_ALLOC(im->arena, items, arg->list.n, im->err);
    for (uint32_t i = 0; i < arg->list.n; i++) {
        items[i] = arg->list.items[i];
        if (items[i].kind == LT_ARG_STRING) items[i].kind = LT_ARG_NAME;
    }
    arg->list.items = items;
    return LATHE_OK;
}

/* ---- Tensors without parameters' names (pytorch-ir) ---- */

/* Dealing n tensors out along the schema: each parameter takes the next one (a list: its size), optional ones
 * may go without. Of the ways that use up all tensors the one wins whose weights have the names of their
 * parameters; then the one that fills parameters from the left. */
typedef struct lt_deal {
    const lt_xoperands *operands;
    const lt_schema *schema;
    const bool *given;              /* parameters that have an argument already */
    const bool *required;           /* parameters that must not go without */
    uint32_t starts[LT_MAX_PARAMS]; /* first tensor of a parameter; LT_NONE: goes without */
    uint32_t best[LT_MAX_PARAMS];
    int best_score; /* -1: no way found yet */
} lt_deal;

static uint32_t list_size(const lt_deal *deal, uint32_t list)
{
    const lt_arg *sizes = deal->operands->list_sizes;
    if (!sizes || sizes->kind != LT_ARG_LIST || list >= sizes->list.n) return 0;
    const lt_arg *size = &sizes->list.items[list];
    return size->kind == LT_ARG_INT && size->i >= 0 && size->i <= deal->operands->n ? (uint32_t)size->i : 0;
}

/* Whether "p_layer1_0_bn1_weight" is a weight called "weight". */
static int name_score(const lt_arg *tensor, const char *param)
{
    size_t n = strlen(tensor->text), tail = strlen(param);
    return n > tail && tensor->text[n - tail - 1] == '_' && strcmp(tensor->text + n - tail, param) == 0;
}

/* Few parameters of any schema are optional tensors, so trying both ways for each is cheap. */
static void try_deal(lt_deal *deal, uint32_t p, uint32_t next, uint32_t list, int score)
{
    const lt_param *param = &deal->schema->params[p];
    while (p < deal->schema->n && (deal->given[p] || param->type != LT_PARAM_TENSOR)) {
        deal->starts[p++] = LT_NONE;
        param++;
    }
    if (p == deal->schema->n) {
        if (next != deal->operands->n || score <= deal->best_score) return;
        deal->best_score = score;
        memcpy(deal->best, deal->starts, sizeof deal->best);
        return;
    }
    deal->starts[p] = next;
    if (param->list) {
        uint32_t size = list_size(deal, list);
        if (size <= deal->operands->n - next) try_deal(deal, p + 1, next + size, list + 1, score);
        return;
    }
    if (next < deal->operands->n)
        try_deal(deal, p + 1, next + 1, list,
                 score + name_score(&deal->operands->tensors[next], param->name));
    deal->starts[p] = LT_NONE;
    if (!deal->required[p]) try_deal(deal, p + 1, next, list, score);
}

/* Tensor?[] with None between its tensors: the mask has true for each None. */
static lathe_status spread(lt_importer *im, const lt_arg *mask, lt_arg *list)
{
    lt_arg *items;
    uint32_t next = 0;
    if (mask->kind != LT_ARG_LIST || mask->list.n < list->list.n)
        LT_FAIL(im->err, FORMAT, "attribute '_tensor_list_none_masks' does not fit");
    LT_ALLOC(im->arena, items, mask->list.n, im->err);
    for (uint32_t i = 0; i < mask->list.n; i++) {
        bool none = mask->list.items[i].kind == LT_ARG_BOOL && mask->list.items[i].b;
        if (!none && next == list->list.n)
            LT_FAIL(im->err, FORMAT, "attribute '_tensor_list_none_masks' does not fit");
        if (!none) items[i] = list->list.items[next++];
    }
    if (next != list->list.n) LT_FAIL(im->err, FORMAT, "attribute '_tensor_list_none_masks' does not fit");
    list->list.items = items;
    list->list.n = mask->list.n;
    return LATHE_OK;
}

/* The argument of parameter p, before names are looked up. */
static lathe_status dealt_argument(lt_importer *im, const lt_deal *deal, uint32_t p, uint32_t list,
                                   uint32_t *mask, lt_arg *out)
{
    const lt_param *param = &deal->schema->params[p];
    lt_arg *first = deal->operands->tensors + deal->best[p];
    *out = *first;
    if (!param->list) return LATHE_OK;
    *out = (lt_arg){.kind = LT_ARG_LIST, .list = {.items = first, .n = list_size(deal, list)}};
    const lt_arg *masks = deal->operands->list_masks;
    if (!param->optional_items || !masks || masks->kind != LT_ARG_LIST || *mask >= masks->list.n)
        return LATHE_OK;
    return spread(im, &masks->list.items[(*mask)++], out);
}

/* Which tensors a call cannot go without. */
static void mark_required(const lt_schema *schema, const lt_arg *raws, const bool *given, bool *required)
{
    uint32_t at = lt_schema_find(schema, "training");
    bool runs = at != LT_NONE && given[at] && raws[at].kind == LT_ARG_BOOL && !raws[at].b;
    for (uint32_t p = 0; p < schema->n; p++) {
        const lt_param *param = &schema->params[p];
        /* Norms that do not train need their statistics. */
        bool statistics = runs && lt_str_starts_with(param->name, "running_");
        required[p] = (!param->optional && !param->has_default) || statistics;
    }
}

static lathe_status deal_operands(lt_importer *im, const lt_xnode *node, const lt_schema *schema,
                                  lt_arg raws[LT_MAX_PARAMS], bool given[LT_MAX_PARAMS])
{
    bool required[LT_MAX_PARAMS];
    uint32_t list = 0, mask = 0, min = lt_schema_find(schema, "min"), max = lt_schema_find(schema, "max");
    mark_required(schema, raws, given, required);
    lt_deal deal = {
        .operands = node->operands, .schema = schema, .given = given, .required = required, .best_score = -1};
    try_deal(&deal, 0, 0, 0, 0);
    if (deal.best_score < 0)
        LT_FAIL(im->err, FORMAT, "%u tensors do not fit the schema of %s", node->operands->n, schema->name);
    if (min != LT_NONE && max != LT_NONE && deal.best[min] != LT_NONE && deal.best[max] == LT_NONE &&
        !given[max])
        LT_FAIL(im->err, UNSUPPORTED, "the file does not say whether '%s' is the minimum or the maximum",
                node->operands->tensors[deal.best[min]].text);
    for (uint32_t p = 0; p < schema->n; p++) {
        if (given[p] || schema->params[p].type != LT_PARAM_TENSOR) continue;
        uint32_t own_list = schema->params[p].list ? list++ : 0;
        if (deal.best[p] == LT_NONE) continue;
        LT_TRY(dealt_argument(im, &deal, p, own_list, &mask, &raws[p]));
        given[p] = true;
    }
    return LATHE_OK;
}

/* ---- All arguments of a call ---- */

static lathe_status collect(lt_importer *im, const lt_xnode *node, lt_aten_form form, const lt_schema *schema,
                            lt_arguments *out)
{
    for (uint32_t i = 0; i < node->n_args; i++) {
        uint32_t p;
        if (form == LT_ATEN_OUT && node->args[i].name && strcmp(node->args[i].name, "out") == 0) {
            out->out = &node->args[i].arg;
            continue;
        }
        LT_TRY(param_index(im, schema, node, i, &p));
        out->raw[p] = node->args[i].arg;
        out->given[p] = true;
        if (node->operands && schema->params[p].type == LT_PARAM_TENSOR)
            LT_TRY(name_strings(im, &out->raw[p]));
    }
    return node->operands ? deal_operands(im, node, schema, out->raw, out->given) : LATHE_OK;
}

lathe_status lt_importer_bind_args(lt_importer *im, lt_scope *scope, const lt_xnode *node, lt_aten_form form,
                                   lt_call *call, lt_arguments *out)
{
    const lt_schema *schema = call->schema;
    *out = (lt_arguments){0};
    LT_TRY(collect(im, node, form, schema, out));
    for (uint32_t p = 0; p < schema->n; p++) {
        const lt_param *param = &schema->params[p];
        if (out->given[p]) {
            LT_TRY_NOTE(lt_importer_resolve(im, scope, &out->raw[p], &call->args[p]), im->err,
                        "argument '%s'", param->name);
            continue;
        }
        if (!param->has_default && !param->optional && param->type != LT_PARAM_OTHER)
            LT_FAIL(im->err, FORMAT, "argument '%s' is missing", param->name);
        call->args[p] = param->fallback;
    }
    return LATHE_OK;
}

/* ---- Operands of different float types ---- */

/* Calls `each` for every tensor argument of a float type, list members included. */
static void visit_floats(lt_call *call, void (*each)(lt_call *call, lt_arg *tensor, lt_dtype *dtype),
                         lt_dtype *dtype)
{
    for (uint32_t p = 0; p < call->schema->n; p++) {
        lt_arg *arg = &call->args[p];
        bool list = arg->kind == LT_ARG_LIST;
        for (uint32_t i = 0; i < (list ? arg->list.n : 1); i++) {
            lt_arg *tensor = list ? &arg->list.items[i] : arg;
            if (tensor->kind == LT_ARG_TENSOR && lt_dtype_is_float(lt_build_dtype(call->b, tensor->id)))
                each(call, tensor, dtype);
        }
    }
}

static void widen(lt_call *call, lt_arg *tensor, lt_dtype *dtype)
{
    lt_dtype own = lt_build_dtype(call->b, tensor->id);
    *dtype = *dtype == LATHE_DTYPE_COUNT ? own : lt_dtype_promote(*dtype, own);
}

static void cast(lt_call *call, lt_arg *tensor, lt_dtype *dtype)
{
    tensor->id = lt_build_cast(call->b, tensor->id, *dtype);
}

void lt_arguments_cast(lt_call *call, lt_dtype dtype)
{
    if (dtype == LATHE_DTYPE_COUNT) visit_floats(call, widen, &dtype);
    if (dtype != LATHE_DTYPE_COUNT) visit_floats(call, cast, &dtype);
}
