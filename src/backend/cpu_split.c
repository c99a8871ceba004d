/* Steps that have no kernels: the reference computes parts of the output, cut along one dim. Parts follow
 * from the shapes alone, since a reference may choose the order of its sums by the shape it is given. */
#include "backend/bind.h"
#include "ops/families.h"

enum {
    PARTS = 16,
    MAX_IN = 4,
    WHOLE = -1, /* every part reads all of the input */
    NEVER = -2  /* parts along this dim depend on one another */
};

/* The dim of input `k` that is cut along with dim `d` of the output. */
typedef int (*lt_cut)(const lt_op_call *call, int k, int d);

/* Of the operators that work along one dim. */
static int cut_others(int dim, int d) { return d == dim ? NEVER : d; }
static int cut_scan(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->attrs->scan.dim, d);
}
static int cut_sort(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->attrs->sort.dim, d);
}
static int cut_topk(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->attrs->topk.dim, d);
}
static int cut_softmax(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->attrs->softmax.dim, d);
}
static int cut_resample(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->attrs->resample.dim, d);
}

/* Where dim d of a reduction's result was in its input. */
static int kept_dim(const lt_tensor *in, const bool *reduced, bool keepdim, int d)
{
    if (keepdim) return reduced[d] ? NEVER : d;
    for (int i = 0; i < in->rank; i++)
        if (!reduced[i] && d-- == 0) return i;
    return NEVER;
}

static int cut_reduce(const lt_op_call *call, int k, int d)
{
    return kept_dim(&call->in[k], call->attrs->reduce.dims, call->attrs->reduce.keepdim, d);
}

static int cut_arg(const lt_op_call *call, int k, int d)
{
    bool reduced[LT_MAX_RANK] = {false};
    reduced[call->attrs->arg.dim] = true;
    return kept_dim(&call->in[k], reduced, call->attrs->arg.keepdim, d);
}

static int cut_kernels(const lt_op_call *call, int k, int d)
{
    return (void)call, (void)k, d < 2 ? d : NEVER;
}

static int cut_rows(const lt_op_call *call, int k, int d)
{
    return (void)k, cut_others(call->in->rank - 1, d);
}

static int cut_norm(const lt_op_call *call, int k, int d)
{
    return d >= call->in->rank - call->attrs->norm.n_dims ? NEVER : k ? WHOLE : d;
}

static int cut_matmul(const lt_op_call *call, int k, int d)
{
    int rank = call->in->rank;
    return d == rank - 1 && k == 0 ? WHOLE : d == rank - 2 && k == 1 ? WHOLE : d;
}

static int cut_linear(const lt_op_call *call, int k, int d)
{
    bool columns = d == call->in->rank - 1;
    return k == 0 ? columns ? WHOLE : d : columns ? 0 : WHOLE;
}

static int cut_rope(const lt_op_call *call, int k, int d)
{
    int rank = call->in->rank;
    return d == rank - 1 ? NEVER : d - rank + call->in[k].rank;
}

static int cut_pool(const lt_op_call *call, int k, int d)
{
    return (void)k, d < call->in->rank - call->attrs->pool.spatial ? d : NEVER;
}

/* Only operators whose references cannot fail. */
static const struct {
    lt_op op;
    lt_cut cut;
} cuts[] = {
    {LT_OP_REDUCE_SUM, cut_reduce},  {LT_OP_REDUCE_MEAN, cut_reduce},
    {LT_OP_REDUCE_PROD, cut_reduce}, {LT_OP_REDUCE_MAX, cut_reduce},
    {LT_OP_REDUCE_MIN, cut_reduce},  {LT_OP_REDUCE_VAR, cut_reduce},
    {LT_OP_ARGMAX, cut_arg},         {LT_OP_ARGMIN, cut_arg},
    {LT_OP_CUMSUM, cut_scan},        {LT_OP_CUMPROD, cut_scan},
    {LT_OP_LOGCUMSUMEXP, cut_scan},  {LT_OP_CUMMAX, cut_scan},
    {LT_OP_CUMMIN, cut_scan},        {LT_OP_SORT, cut_sort},
    {LT_OP_TOPK, cut_topk},          {LT_OP_SOFTMAX, cut_softmax},
    {LT_OP_LAYER_NORM, cut_norm},    {LT_OP_RMS_NORM, cut_norm},
    {LT_OP_MATMUL, cut_matmul},      {LT_OP_LINEAR, cut_linear},
    {LT_OP_ROPE, cut_rope},          {LT_OP_QUANTIZE_ROWS, cut_rows},
    {LT_OP_MAX_POOL, cut_pool},      {LT_OP_AVG_POOL, cut_pool},
    {LT_OP_RESAMPLE, cut_resample},  {LT_OP_WINOGRAD_WEIGHT, cut_kernels},
};

static lt_cut find_cut(lt_op op)
{
    for (size_t i = 0; i < LT_COUNT(cuts); i++)
        if (cuts[i].op == op) return cuts[i].cut;
    return NULL;
}

/* The dim that the output is cut along: the outermost that is long enough, else the longest; NEVER. */
static int choose_dim(const lt_op_call *call, lt_cut cut)
{
    int best = NEVER;
    for (int d = 0; d < call->out->rank; d++) {
        bool can = true;
        for (int k = 0; k < call->n_in; k++) can = can && cut(call, k, d) != NEVER;
        if (!can || call->out->dim[d] < 2) continue;
        if (call->out->dim[d] >= PARTS) return d;
        if (best < 0 || call->out->dim[d] > call->out->dim[best]) best = d;
    }
    return best;
}

typedef struct lt_split {
    const lt_op_call *call;
    lt_cut cut;
    int dim, n_out;
    int64_t parts;
    size_t scratch; /* bytes for each part */
} lt_split;

/* Elements `from` … `to` along a dim. */
static void narrow(lt_tensor *tensor, int dim, int64_t from, int64_t to)
{
    tensor->data =
        (char *)tensor->data + from * tensor->stride[dim] * (int64_t)lathe_dtype_size(tensor->dtype);
    tensor->dim[dim] = to - from;
}

static void split_work(void *context, int64_t begin, int64_t end)
{
    const lt_split *s = context;
    int64_t size = s->call->out->dim[s->dim];
    for (int64_t part = begin; part < end; part++) {
        int64_t from = size * part / s->parts, to = size * (part + 1) / s->parts;
        lt_tensor in[MAX_IN], out[LT_MAX_OUTPUTS];
        lt_op_call call = *s->call;
        call.in = in;
        call.out = out;
        call.scratch = (char *)s->call->scratch + (size_t)part * s->scratch;
        for (int k = 0; k < call.n_in; k++) {
            int dim = s->cut(s->call, k, s->dim);
            in[k] = s->call->in[k];
            if (dim >= 0 && in[k].dim[dim] == size) narrow(&in[k], dim, from, to);
        }
        for (int k = 0; k < s->n_out; k++) {
            out[k] = s->call->out[k];
            narrow(&out[k], s->dim, from, to);
        }
        (void)!lt_op_get(call.op)->ref(&call, NULL);
    }
}

static size_t part_scratch(const lt_op_call *call)
{
    const lt_op_info *info = lt_op_get(call->op);
    lt_type types[MAX_IN];
    for (int k = 0; k < call->n_in; k++) types[k] = lt_tensor_type(&call->in[k]);
    return info->scratch ? lt_align64(info->scratch(call->attrs, types, call->n_in)) : 0;
}

/* What the step costs, as bytes that are moved in the same time. */
static double step_cost(const lt_op_call *call)
{
    double elements = (double)lathe_tensor_count(call->out);
    if (call->op == LT_OP_MATMUL || call->op == LT_OP_LINEAR)
        return elements * (double)call->in->dim[call->in->rank - 1] * 4;
    for (int k = 0; k < call->n_in; k++) elements += (double)lathe_tensor_count(&call->in[k]);
    return elements * 32;
}

static void run_split(const lt_cpu *cpu, const lt_op_call *call)
{
    lt_split s = {.call = call, .cut = find_cut(call->op), .n_out = lt_op_get(call->op)->n_out};
    s.dim = choose_dim(call, s.cut);
    s.parts = lt_min_i64(PARTS, call->out->dim[s.dim]);
    s.scratch = part_scratch(call);
    lt_cpu_split(cpu, s.parts, (int64_t)(step_cost(call) / (double)s.parts), split_work, &s);
}

lt_cpu_run lt_bind_split(const lt_step *step, size_t *scratch)
{
    lt_tensor tensors[MAX_IN + LT_MAX_OUTPUTS];
    lt_cut cut = find_cut(step->op);
    if (!cut || step->n_in > MAX_IN) return NULL;
    for (uint32_t k = 0; k < step->n_in + step->n_out; k++) tensors[k] = step->args[k].tensor;
    lt_op_call call = {.op = step->op,
                       .attrs = &step->attrs,
                       .in = tensors,
                       .out = tensors + step->n_in,
                       .n_in = (int)step->n_in};
    int dim = choose_dim(&call, cut);
    if (dim == NEVER) return NULL;
    *scratch = part_scratch(&call) * (size_t)lt_min_i64(PARTS, call.out->dim[dim]);
    return run_split;
}

bool lt_cpu_is_plain(lt_cpu_run run) { return !run || run == run_split; }
