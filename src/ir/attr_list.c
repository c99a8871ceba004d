/* Attributes to lists and back, by a table of the fields that each operator has. */
#include "ir/attr_list.h"

#include <stddef.h>
#include <string.h>

typedef enum lt_field_kind { FLAGS, INTS, WIDE, REALS } lt_field_kind;

static const size_t element_bytes[] = {
    [FLAGS] = sizeof(bool), [INTS] = sizeof(int), [WIDE] = sizeof(int64_t), [REALS] = sizeof(double)};

/* A field, or an array of them. */
typedef struct lt_field {
    uint16_t offset, bytes;
    lt_field_kind kind;
    int64_t least, most;
} lt_field; /* bytes 0: behind the last one */

/* So large that no size is left out, and so small that products of two do not overflow. */
#define MOST (INT64_C(1) << 31)

#define FIELD(member, kind, least, most)                                               \
    {                                                                                  \
        offsetof(lt_attrs, member), sizeof(((lt_attrs *)0)->member), kind, least, most \
    }
#define FLAG(member) FIELD(member, FLAGS, 0, 1)
#define COUNT(member, least, most) FIELD(member, INTS, least, most)
#define DTYPE(member) COUNT(member, 0, LATHE_DTYPE_COUNT - 1)
#define DIM(member) COUNT(member, 0, LT_MAX_RANK - 1)
#define SIZE(member) FIELD(member, WIDE, -MOST, MOST)
#define REAL(member) FIELD(member, REALS, 0, 0)

#define DIM_ONLY DIM(dim.dim)
#define STRIDED \
    COUNT(strided.rank, 0, LT_MAX_RANK), SIZE(strided.dim), SIZE(strided.stride), SIZE(strided.offset)
#define RESHAPE COUNT(reshape.rank, 0, LT_MAX_RANK), SIZE(reshape.dim)
#define REDUCE FLAG(reduce.dims), FLAG(reduce.keepdim), DTYPE(reduce.dtype), REAL(reduce.correction)
#define ARG DIM(arg.dim), FLAG(arg.keepdim)
#define SCAN DIM(scan.dim), DTYPE(scan.dtype)
#define INDEX FLAG(index.dims), DIM(index.position), FLAG(index.wrap), FLAG(index.accumulate)
#define MATMUL FLAG(matmul.wide)
#define NORM COUNT(norm.n_dims, 1, LT_MAX_RANK), FLAG(norm.rounds), REAL(norm.eps)
#define CONV(a)                                                                                  \
    COUNT(a.spatial, 1, LT_MAX_SPATIAL), SIZE(a.stride), SIZE(a.padding), SIZE(a.padding_after), \
        SIZE(a.dilation), SIZE(a.groups), FLAG(a.transposed)
#define BLOCKED_CONV                                                                        \
    CONV(blocked_conv.conv), SIZE(blocked_conv.channels),                                   \
        COUNT(blocked_conv.activation, 0, LT_ACTIVATION_HARDSWISH), REAL(blocked_conv.low), \
        REAL(blocked_conv.high)
#define POOL                                                                                         \
    COUNT(pool.spatial, 1, LT_MAX_SPATIAL), FLAG(pool.adaptive), SIZE(pool.size), SIZE(pool.kernel), \
        SIZE(pool.stride), SIZE(pool.padding), SIZE(pool.dilation), FLAG(pool.ceil_mode),            \
        FLAG(pool.count_include_pad), SIZE(pool.divisor)

/* Operators without an entry have no attributes; elementwise formulas and chains are read by themselves. */
#define FIELDS(...)        \
    (const lt_field[])     \
    {                      \
        __VA_ARGS__, { 0 } \
    }
static const lt_field *const fields_of[LT_OP_COUNT] = {
    [LT_OP_RESHAPE] = FIELDS(RESHAPE),
    [LT_OP_EXPAND] = FIELDS(RESHAPE),
    [LT_OP_PERMUTE] = FIELDS(DIM(permute.dim)),
    [LT_OP_SLICE] = FIELDS(DIM(slice.dim), SIZE(slice.start), SIZE(slice.count), SIZE(slice.step)),
    [LT_OP_AS_STRIDED] = FIELDS(STRIDED),
    [LT_OP_AS_STRIDED_SCATTER] = FIELDS(STRIDED),
    [LT_OP_VIEW_DTYPE] = FIELDS(DTYPE(dtype.dtype)),
    [LT_OP_CAST] = FIELDS(DTYPE(dtype.dtype)),
    [LT_OP_IOTA] = FIELDS(DTYPE(iota.dtype), SIZE(iota.count), REAL(iota.start), REAL(iota.step),
                          FIELD(iota.int_start, WIDE, INT64_MIN, INT64_MAX),
                          FIELD(iota.int_step, WIDE, INT64_MIN, INT64_MAX)),
    [LT_OP_CAT] = FIELDS(DIM_ONLY),
    [LT_OP_GATHER] = FIELDS(DIM_ONLY),
    [LT_OP_SCATTER] = FIELDS(DIM(scatter.dim), COUNT(scatter.reduce, 0, LT_REDUCE_MIN)),
    [LT_OP_INDEX] = FIELDS(INDEX),
    [LT_OP_INDEX_PUT] = FIELDS(INDEX),
    [LT_OP_REDUCE_SUM] = FIELDS(REDUCE),
    [LT_OP_REDUCE_MEAN] = FIELDS(REDUCE),
    [LT_OP_REDUCE_PROD] = FIELDS(REDUCE),
    [LT_OP_REDUCE_MAX] = FIELDS(REDUCE),
    [LT_OP_REDUCE_MIN] = FIELDS(REDUCE),
    [LT_OP_REDUCE_VAR] = FIELDS(REDUCE),
    [LT_OP_ARGMAX] = FIELDS(ARG),
    [LT_OP_ARGMIN] = FIELDS(ARG),
    [LT_OP_CUMSUM] = FIELDS(SCAN),
    [LT_OP_CUMPROD] = FIELDS(SCAN),
    [LT_OP_LOGCUMSUMEXP] = FIELDS(SCAN),
    [LT_OP_CUMMAX] = FIELDS(SCAN),
    [LT_OP_CUMMIN] = FIELDS(SCAN),
    [LT_OP_SORT] = FIELDS(DIM(sort.dim), FLAG(sort.descending), FLAG(sort.stable)),
    [LT_OP_TOPK] = FIELDS(DIM(topk.dim), SIZE(topk.k), FLAG(topk.largest), FLAG(topk.sorted)),
    [LT_OP_SEARCHSORTED] = FIELDS(FLAG(search.right)),
    [LT_OP_SOFTMAX] = FIELDS(DIM(softmax.dim), FLAG(softmax.log), DTYPE(softmax.dtype)),
    [LT_OP_MATMUL] = FIELDS(MATMUL),
    [LT_OP_LINEAR] = FIELDS(MATMUL),
    [LT_OP_SDPA] = FIELDS(FLAG(sdpa.causal), FLAG(sdpa.has_mask), FLAG(sdpa.has_last), FLAG(sdpa.has_first),
                          FLAG(sdpa.has_sink), FLAG(sdpa.empty_nan), REAL(sdpa.scale), REAL(sdpa.cap),
                          DTYPE(sdpa.rounded), COUNT(sdpa.rounds, 0, 2 * LT_ROUND_SHIFTED - 1)),
    [LT_OP_LAYER_NORM] = FIELDS(NORM),
    [LT_OP_RMS_NORM] = FIELDS(NORM),
    [LT_OP_CONV] = FIELDS(CONV(conv)),
    [LT_OP_UNBLOCK] = FIELDS(SIZE(unblock.channels)),
    [LT_OP_BLOCKED_CONV] = FIELDS(BLOCKED_CONV),
    [LT_OP_WINOGRAD_CONV] = FIELDS(BLOCKED_CONV),
    [LT_OP_BLOCKED_MAX_POOL] = FIELDS(POOL),
    [LT_OP_BLOCKED_AVG_POOL] = FIELDS(POOL),
    [LT_OP_MAX_POOL] = FIELDS(POOL),
    [LT_OP_AVG_POOL] = FIELDS(POOL),
    [LT_OP_RESAMPLE] = FIELDS(COUNT(resample.mode, 0, LT_RESAMPLE_LANCZOS), DIM(resample.dim),
                              SIZE(resample.size), REAL(resample.scale), FLAG(resample.align_corners),
                              FLAG(resample.antialias), FLAG(resample.wide)),
    [LT_OP_GRID_SAMPLE] = FIELDS(COUNT(sample.mode, 0, LT_RESAMPLE_CUBIC),
                                 COUNT(sample.padding, 0, LT_SAMPLE_REFLECT), FLAG(sample.align_corners)),
};
static const lt_field elementwise[] = {DTYPE(elementwise.compute), DTYPE(elementwise.out), {0}};

/* NULL: it has none. */
static const lt_field *find_fields(lt_op op)
{
    return lt_op_get(op)->flags & LT_OP_ELEMENTWISE ? elementwise : fields_of[op];
}

lt_op lt_op_find(const char *name, size_t length)
{
    int op = 0;
    while (op < LT_OP_COUNT && (strlen(lt_op_get((lt_op)op)->name) != length ||
                                memcmp(lt_op_get((lt_op)op)->name, name, length) != 0))
        op++;
    return (lt_op)op;
}

/* ---- Writing ---- */

static void push_int(lt_attr_list *out, int64_t value)
{
    lt_assert(out->n_ints < LT_ATTR_INTS);
    out->ints[out->n_ints++] = value;
}

static void write_element(lt_field_kind kind, const char *from, lt_attr_list *out)
{
    int narrow;
    if (kind == FLAGS) push_int(out, *(const bool *)from);
    else if (kind == INTS) memcpy(&narrow, from, sizeof narrow), push_int(out, narrow);
    else if (kind == WIDE) memcpy(&out->ints[out->n_ints], from, sizeof *out->ints), out->n_ints++;
    else memcpy(&out->reals[out->n_reals], from, sizeof *out->reals), out->n_reals++;
}

static lathe_status write_chain(const lt_attrs_chain *chain, lt_arena *arena, lt_attr_list *out,
                                lathe_error *err)
{
    push_int(out, chain->n);
    for (int s = 0; s < chain->n; s++) {
        const lt_chain_step *step = &chain->step[s];
        out->formulas =
            lt_arena_printf(arena, "%s%s%s", out->formulas, s ? "," : "", lt_op_get(step->op)->name);
        if (!out->formulas) return lt_out_of_memory(err, 1, 1);
        push_int(out, step->compute);
        push_int(out, step->out);
        for (int k = 0; k < LT_CHAIN_ARGS; k++) push_int(out, step->arg[k]);
    }
    return LATHE_OK;
}

lathe_status lt_attr_list_write(lt_op op, const lt_attrs *attrs, lt_arena *arena, lt_attr_list *out,
                                lathe_error *err)
{
    *out = (lt_attr_list){.formulas = ""};
    if (op == LT_OP_CHAIN) LT_TRY(write_chain(&attrs->chain, arena, out, err));
    for (const lt_field *f = find_fields(op); f && f->bytes; f++)
        for (size_t at = 0; at < f->bytes; at += element_bytes[f->kind])
            write_element(f->kind, (const char *)attrs + f->offset + at, out);
    while (out->n_ints && !out->ints[out->n_ints - 1]) out->n_ints--;
    uint64_t bits = 0; /* -0.0 is no zero */
    for (; out->n_reals && !bits; out->n_reals -= !bits)
        memcpy(&bits, &out->reals[out->n_reals - 1], sizeof bits);
    return LATHE_OK;
}

/* ---- Reading ---- */

typedef struct lt_attr_reader {
    const lt_attr_list *list;
    int at, real_at;
    lathe_error *err;
} lt_attr_reader;

static lathe_status take_int(lt_attr_reader *r, int64_t least, int64_t most, int64_t *out)
{
    *out = r->at < r->list->n_ints ? r->list->ints[r->at] : 0;
    if (*out < least || *out > most)
        LT_FAIL(r->err, FORMAT, "attribute %d is %lld, expected %lld to %lld", r->at, (long long)*out,
                (long long)least, (long long)most);
    r->at++;
    return LATHE_OK;
}

static lathe_status read_element(lt_attr_reader *r, const lt_field *f, char *to)
{
    int64_t value;
    if (f->kind == REALS) {
        double real = r->real_at < r->list->n_reals ? r->list->reals[r->real_at] : 0;
        r->real_at++;
        memcpy(to, &real, sizeof real);
        return LATHE_OK;
    }
    LT_TRY(take_int(r, f->least, f->most, &value));
    int narrow = (int)value;
    if (f->kind == FLAGS) *(bool *)to = value != 0;
    else if (f->kind == INTS) memcpy(to, &narrow, sizeof narrow);
    else memcpy(to, &value, sizeof value);
    return LATHE_OK;
}

/* Formulas of floats have no form for integers, those of bits none for floats. */
static lathe_status check_formula(lt_op op, lt_dtype compute, lathe_error *err)
{
    const lt_op_info *info = lt_op_get(op);
    bool floats = lt_dtype_is_float(compute);
    if ((info->formula == LT_FORMULA_FLOAT && !floats) || (info->formula == LT_FORMULA_BITWISE && floats))
        LT_FAIL(err, FORMAT, "%s computed as %s", info->name, lathe_dtype_name(compute));
    return LATHE_OK;
}

static lathe_status read_step(lt_attr_reader *r, const char **formulas, lt_chain_step *out)
{
    size_t length = strcspn(*formulas, ",");
    int64_t compute, result, arg;
    lt_op op = lt_op_find(*formulas, length);
    if (op == LT_OP_COUNT) LT_FAIL(r->err, FORMAT, "no formula '%.*s'", (int)length, *formulas);
    *formulas += length + ((*formulas)[length] == ',');
    LT_TRY(take_int(r, 0, LATHE_DTYPE_COUNT - 1, &compute));
    LT_TRY(take_int(r, 0, LATHE_DTYPE_COUNT - 1, &result));
    if (op != LT_OP_CAST) LT_TRY(check_formula(op, (lt_dtype)compute, r->err));
    *out = (lt_chain_step){.op = (uint16_t)op, .compute = (uint8_t)compute, .out = (uint8_t)result};
    for (int k = 0; k < LT_CHAIN_ARGS; k++) {
        LT_TRY(take_int(r, 0, LT_CHAIN_INPUTS + LT_CHAIN_STEPS - 1, &arg));
        out->arg[k] = (uint8_t)arg;
    }
    return LATHE_OK;
}

static lathe_status read_chain(lt_attr_reader *r, lt_attrs_chain *out)
{
    const char *formulas = r->list->formulas;
    int64_t n;
    LT_TRY(take_int(r, 1, LT_CHAIN_STEPS, &n));
    out->n = (int)n;
    for (int s = 0; s < out->n; s++) LT_TRY(read_step(r, &formulas, &out->step[s]));
    return LATHE_OK;
}

lathe_status lt_attr_list_read(lt_op op, const lt_attr_list *list, lt_attrs *attrs, lathe_error *err)
{
    lt_attr_reader r = {.list = list, .err = err};
    memset(attrs, 0, sizeof *attrs);
    if (op == LT_OP_CHAIN) LT_TRY(read_chain(&r, &attrs->chain));
    for (const lt_field *f = find_fields(op); f && f->bytes; f++)
        for (size_t at = 0; at < f->bytes; at += element_bytes[f->kind])
            LT_TRY(read_element(&r, f, (char *)attrs + f->offset + at));
    if (lt_op_get(op)->flags & LT_OP_ELEMENTWISE) LT_TRY(check_formula(op, attrs->elementwise.compute, err));
    if (r.at < list->n_ints || r.real_at < list->n_reals)
        LT_FAIL(err, FORMAT, "%d attributes, %s has %d", list->n_ints + list->n_reals, lt_op_get(op)->name,
                r.at + r.real_at);
    return LATHE_OK;
}
