/* The graph's section of a .lathe file, read. Errors are sticky: behind the first one every number is 0, so
 * that loops end, and the caller sees it once. Nothing is trusted: numbers of things are bounded by the bytes
 * that are left, texts and weights are looked up, names that others rely on must be there. */
#include <string.h>

#include "load/lathe_layout.h"

typedef struct lt_graph_reader {
    const uint8_t *at, *end;
    lt_exported *x;
    lt_arena *arena;
    lathe_error *err;
    lathe_status status;
    lt_xmetadata *texts;    /* [n_texts] */
    const lt_expr **parsed; /* [n_texts]: what a text is as an expression, once it was asked for */
    uint32_t n_texts;
    int depth;
} lt_graph_reader;

static void damaged(lt_graph_reader *r, const char *what)
{
    if (r->status != LATHE_OK) return;
    r->status = lt_error_set(r->err, LATHE_FORMAT, "damaged: %s", what);
    r->at = r->end;
}

static void *allocate(lt_graph_reader *r, size_t n, size_t size)
{
    void *memory = r->status == LATHE_OK ? lt_arena_alloc(r->arena, n, size) : NULL;
    if (memory || r->status != LATHE_OK) return memory;
    r->status = lt_out_of_memory(r->err, n, size);
    r->at = r->end;
    return NULL;
}

/* ---- Numbers and texts ---- */

static uint64_t take(lt_graph_reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    damaged(r, "a number does not end");
    return 0;
}

static int64_t take_signed(lt_graph_reader *r)
{
    uint64_t value = take(r);
    return (int64_t)(value >> 1 ^ -(value & 1));
}

static double take_float(lt_graph_reader *r)
{
    uint64_t bits = 0;
    double value;
    if (r->end - r->at < 8) {
        damaged(r, "a number does not end");
        return 0;
    }
    for (int i = 0; i < 8; i++) bits |= (uint64_t)*r->at++ << 8 * i;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A number below `limit`. */
static uint32_t take_below(lt_graph_reader *r, uint64_t limit, const char *what)
{
    uint64_t value = take(r);
    if (value < limit && value < LT_NONE) return (uint32_t)value;
    damaged(r, what);
    return 0;
}

static bool take_bool(lt_graph_reader *r) { return take_below(r, 2, "a flag is neither 0 nor 1"); }

/* How many things follow, each of a byte at least. */
static uint32_t take_count(lt_graph_reader *r)
{
    return take_below(r, (uint64_t)(r->end - r->at) + 1, "more is listed than there is");
}

static void read_texts(lt_graph_reader *r)
{
    uint32_t n = take_count(r);
    r->texts = allocate(r, n, sizeof *r->texts);
    r->parsed = allocate(r, n, sizeof *r->parsed);
    for (; r->status == LATHE_OK && r->n_texts < n; r->n_texts++) {
        uint64_t length = take(r);
        if (length >= (uint64_t)(r->end - r->at) || r->at[length] || memchr(r->at, 0, (size_t)length)) {
            damaged(r, "a text does not end where it should");
            return;
        }
        r->texts[r->n_texts] = (lt_xmetadata){.text = (const char *)r->at, .length = (size_t)length};
        r->at += length + 1;
    }
}

/* NULL when there is none. */
static const lt_xmetadata *take_optional(lt_graph_reader *r)
{
    uint32_t number = take_below(r, r->n_texts + UINT64_C(1), "a text that is not there");
    return number ? &r->texts[number - 1] : NULL;
}

static const char *take_text(lt_graph_reader *r)
{
    const lt_xmetadata *text = take_optional(r);
    return text ? text->text : NULL;
}

static const char *take_name(lt_graph_reader *r)
{
    const char *text = take_text(r);
    if (!text) damaged(r, "a name is missing");
    return text ? text : "";
}

/* ---- Sizes ---- */

static lathe_status find_symbol(void *context, const char *name, uint32_t *index, lathe_error *err)
{
    const lt_exported *x = context;
    *index = lt_map_get(&x->symbol_of, name);
    if (*index == LT_NONE) LT_FAIL(err, FORMAT, "damaged: symbol '%.40s' is not listed", name);
    return LATHE_OK;
}

static const lt_expr *take_expr(lt_graph_reader *r)
{
    const lt_xmetadata *text = take_optional(r);
    if (!text || r->status != LATHE_OK) return NULL;
    const lt_expr **parsed = &r->parsed[text - r->texts];
    if (!*parsed)
        r->status = lt_expr_parse(r->arena, text->text, &(lt_symbols){r->x, find_symbol}, parsed, r->err);
    if (r->status != LATHE_OK) r->at = r->end;
    return *parsed;
}

static lt_xdim take_dim(lt_graph_reader *r)
{
    lt_xdim dim = {.expr = take_expr(r)};
    if (!dim.expr) dim.value = take_signed(r);
    return dim;
}

/* ---- Arguments ---- */

static void read_graph(lt_graph_reader *r, lt_xgraph *graph);
static lt_arg take_arg(lt_graph_reader *r);

static lt_arg *take_args(lt_graph_reader *r, uint32_t *n)
{
    *n = take_count(r);
    lt_arg *args = allocate(r, *n, sizeof *args);
    for (uint32_t i = 0; r->status == LATHE_OK && i < *n; i++) args[i] = take_arg(r);
    return args;
}

static const lt_arg *take_optional_arg(lt_graph_reader *r)
{
    uint32_t n;
    lt_arg *args = take_args(r, &n);
    return n ? args : NULL;
}

static lt_arg take_nested(lt_graph_reader *r, lt_arg_kind kind)
{
    lt_arg arg = {.kind = kind};
    if (++r->depth > LT_LATHE_DEPTH) damaged(r, "lists or regions are nested too deep");
    if (kind == LT_ARG_LIST) {
        arg.list.items = take_args(r, &arg.list.n);
    } else {
        lt_xgraph *graph = allocate(r, 1, sizeof *graph);
        arg.graph = graph;
        if (graph) read_graph(r, graph);
    }
    r->depth--;
    return arg;
}

static lt_arg take_arg(lt_graph_reader *r)
{
    lt_arg arg = {.kind = (lt_arg_kind)take_below(r, LT_ARG_OTHER + 1, "an argument of no known kind")};
    switch (arg.kind) {
    case LT_ARG_NONE: break;
    case LT_ARG_TENSOR: damaged(r, "an argument of no known kind"); break;
    case LT_ARG_NAME:
    case LT_ARG_STRING: arg.text = take_name(r); break;
    case LT_ARG_OTHER: arg.text = take_text(r); break;
    case LT_ARG_INT: arg.i = take_signed(r); break;
    case LT_ARG_FLOAT: arg.f = take_float(r); break;
    case LT_ARG_BOOL: arg.b = take_bool(r); break;
    case LT_ARG_DTYPE: /* LATHE_DTYPE_COUNT: one that lathe does not have */
        arg.dtype = (lt_dtype)take_below(r, LATHE_DTYPE_COUNT + 1, "no known dtype");
        break;
    case LT_ARG_LIST:
    case LT_ARG_GRAPH: return take_nested(r, arg.kind);
    }
    return arg;
}

/* ---- Graphs ---- */

static lt_xtype take_type(lt_graph_reader *r)
{
    lt_xtype type = {.dtype = (lt_dtype)take_below(r, LATHE_DTYPE_COUNT + 1, "no known dtype")};
    type.dtype_name = take_text(r);
    type.rank = (int)take_below(r, LT_MAX_RANK + 2, "a rank that no tensor has") - 1;
    type.has_strides = take_bool(r);
    for (int i = 0; i < type.rank; i++) type.dim[i] = take_dim(r);
    for (int i = 0; i < type.rank && type.has_strides; i++) type.stride[i] = take_dim(r);
    return type;
}

static const lt_xoperands *take_operands(lt_graph_reader *r)
{
    lt_xoperands *operands = take_bool(r) ? allocate(r, 1, sizeof *operands) : NULL;
    if (!operands) return NULL;
    operands->tensors = take_args(r, &operands->n);
    operands->list_sizes = take_optional_arg(r);
    operands->list_masks = take_optional_arg(r);
    for (uint32_t i = 0; r->status == LATHE_OK && i < operands->n; i++)
        if (operands->tensors[i].kind != LT_ARG_NAME) damaged(r, "an operand is no tensor");
    return operands;
}

static void read_node(lt_graph_reader *r, lt_xnode *node)
{
    node->name = take_name(r);
    node->target = take_name(r);
    const lt_xmetadata *metadata = take_optional(r);
    if (metadata) node->metadata = *metadata;
    node->n_args = take_count(r);
    node->args = allocate(r, node->n_args, sizeof *node->args);
    for (uint32_t i = 0; r->status == LATHE_OK && i < node->n_args; i++) {
        node->args[i].name = take_text(r);
        node->args[i].arg = take_arg(r);
    }
    node->operands = take_operands(r);
    node->outs = take_args(r, &node->n_outs);
}

static void read_types(lt_graph_reader *r, lt_xgraph *graph)
{
    graph->n_types = take_count(r);
    graph->types = allocate(r, graph->n_types, sizeof *graph->types);
    for (uint32_t i = 0; r->status == LATHE_OK && i < graph->n_types; i++) graph->types[i] = take_type(r);
    graph->type_of.arena = r->arena;
    for (uint32_t n = take_count(r); r->status == LATHE_OK && n; n--) {
        const char *name = take_name(r);
        uint32_t index = take_below(r, graph->n_types, "a type that is not there");
        if (r->status == LATHE_OK) r->status = lt_map_put(&graph->type_of, name, index, r->err);
    }
}

static void read_graph(lt_graph_reader *r, lt_xgraph *graph)
{
    read_types(r, graph);
    graph->n_nodes = take_count(r);
    graph->nodes = allocate(r, graph->n_nodes, sizeof *graph->nodes);
    for (uint32_t i = 0; r->status == LATHE_OK && i < graph->n_nodes; i++) read_node(r, &graph->nodes[i]);
    graph->n_inputs = take_count(r);
    graph->inputs = allocate(r, graph->n_inputs, sizeof *graph->inputs);
    for (uint32_t i = 0; r->status == LATHE_OK && i < graph->n_inputs; i++) graph->inputs[i] = take_text(r);
    graph->outputs = take_args(r, &graph->n_outputs);
}

/* ---- The program around it ---- */

static void read_symbols(lt_graph_reader *r)
{
    lt_exported *x = r->x;
    uint32_t n = x->cap_symbols = take_count(r);
    x->symbols = allocate(r, n, sizeof *x->symbols);
    for (uint32_t i = 0; r->status == LATHE_OK && i < n; i++) {
        lt_symbol *symbol = &x->symbols[i];
        symbol->name = take_name(r);
        symbol->min = take_signed(r);
        symbol->max = take_signed(r);
        if (lt_map_get(&x->symbol_of, symbol->name) != LT_NONE) damaged(r, "a symbol is listed twice");
        if (r->status == LATHE_OK) r->status = lt_map_put(&x->symbol_of, symbol->name, i, r->err);
        x->n_symbols = i + 1;
    }
}

static void read_weight(lt_graph_reader *r, lt_xweight *weight)
{
    weight->name = take_name(r);
    weight->type.dtype = (lt_dtype)take_below(r, LATHE_DTYPE_COUNT, "no known dtype");
    weight->type.rank = (int)take_below(r, LT_MAX_RANK + 1, "a rank that no tensor has");
    for (int i = 0; i < weight->type.rank; i++) weight->type.dim[i] = (int64_t)take(r);
    if (r->status == LATHE_OK) r->status = lt_type_check(&weight->type, weight->name, r->err);
    if (r->status != LATHE_OK) return;
    lt_contiguous_strides(weight->type.rank, weight->type.dim, weight->stride);
    weight->is_constant = take_bool(r);
    weight->record = take_below(r, LT_NONE, "a record that is not there") - 1; /* 0: LT_NONE */
    weight->packed_record = take_below(r, LT_NONE, "a record that is not there") - 1;
}

static void read_weights(lt_graph_reader *r)
{
    lt_exported *x = r->x;
    uint32_t n = take_count(r);
    x->weights = allocate(r, n, sizeof *x->weights);
    for (uint32_t i = 0; r->status == LATHE_OK && i < n; i++) {
        read_weight(r, &x->weights[i]);
        if (r->status == LATHE_OK) r->status = lt_map_put(&x->weight_of, x->weights[i].name, i, r->err);
        x->n_weights = i + 1;
    }
}

static void read_input(lt_graph_reader *r, lt_xinput *input)
{
    input->kind = (lt_xinput_kind)take_below(r, LT_X_WEIGHT + 1, "an input of no known kind");
    input->name = input->kind == LT_X_WEIGHT ? take_name(r) : take_text(r);
    input->label = take_name(r);
    input->weight =
        take_below(r, input->kind == LT_X_WEIGHT ? r->x->n_weights : 1, "a weight that is not there");
    input->is_buffer = take_bool(r);
    input->literal = take_arg(r);
}

static void read_output(lt_graph_reader *r, lt_xoutput *output)
{
    output->kind = (lt_xoutput_kind)take_below(r, LT_X_INPUT_MUTATION + 1, "an output of no known kind");
    output->label = take_text(r);
    output->target = output->kind == LT_X_USER_OUTPUT ? take_text(r) : take_name(r);
    output->arg = take_arg(r);
}

static void read_guards(lt_graph_reader *r)
{
    lt_exported *x = r->x;
    uint32_t n = take_count(r);
    x->guards = allocate(r, n, sizeof *x->guards);
    for (uint32_t i = 0; r->status == LATHE_OK && i < n; i++) {
        x->guards[i] = (lt_guard){.expr = take_expr(r), .text = take_name(r)};
        if (!x->guards[i].expr) damaged(r, "a condition is missing");
        x->n_guards = i + 1;
    }
}

static void read_exported(lt_graph_reader *r)
{
    lt_exported *x = r->x;
    x->dialect = take_name(r);
    x->producer = take_name(r);
    x->loose_dtypes = take_bool(r);
    read_symbols(r);
    read_weights(r);
    read_graph(r, &x->graph);
    x->n_inputs = take_count(r);
    x->inputs = allocate(r, x->n_inputs, sizeof *x->inputs);
    for (uint32_t i = 0; r->status == LATHE_OK && i < x->n_inputs; i++) read_input(r, &x->inputs[i]);
    x->n_outputs = take_count(r);
    x->outputs = allocate(r, x->n_outputs, sizeof *x->outputs);
    for (uint32_t i = 0; r->status == LATHE_OK && i < x->n_outputs; i++) read_output(r, &x->outputs[i]);
    read_guards(r);
    if (r->at != r->end) damaged(r, "something follows the last output");
}

lathe_status lt_lathe_read_graph(const uint8_t *data, size_t size, lt_exported *x, lathe_error *err)
{
    lt_graph_reader r = {.at = data, .end = data + size, .x = x, .arena = x->arena, .err = err};
    read_texts(&r);
    read_exported(&r);
    return r.status;
}
