/* Masks taken apart. Most masks of language models say which keys a row looks at by comparing the key's index
 * with a number that belongs to the row, such as its position: key <= position, key > position - window. Such
 * conditions become the last and the first key of each row, and no mask is computed or read. What else a mask
 * says (padding, other biases) stays a mask.
 *
 * A mask that hides by a large negative number, not by -infinity, treats a row that sees nothing as one that
 * sees everything. Bounds cannot say that, so such a mask is only replaced as a whole, and by bounds that
 * leave every row its own position. */
#include <math.h>
#include <string.h>

#include "ops/convert.h"
#include "pass/attention.h"

enum { MAX_CONDITIONS = 16, MAX_DEPTH = 16 };

/* One condition under which a row looks at a key: key <= last, key >= first, or a bool tensor. */
typedef struct lt_condition {
    enum { CONDITION_LAST, CONDITION_FIRST, CONDITION_BOOL } kind;
    lt_id value; /* BOOL: of the old graph, inverted: look where it is false; else a new bound [L] or [B,L] */
    bool inverted;
    lt_type shape; /* BOOL: of the scores that it broadcasts to */
} lt_condition;

typedef struct lt_mask_reader {
    lt_rewrite *rw;
    const lt_scores_shape *shape;
    lt_type scores; /* of the term that is read */
    lt_condition conditions[MAX_CONDITIONS];
    int n;
    bool finite; /* hides by a number above -infinity */
} lt_mask_reader;

/* ---- Looking through views ---- */

/* Whether the shapes differ only in leading ones. */
static bool same_but_leading(const lt_type *a, const lt_type *b)
{
    int i = 0, k = 0;
    while (i < a->rank && a->dim[i] == 1) i++;
    while (k < b->rank && b->dim[k] == 1) k++;
    if (a->rank - i != b->rank - k) return false;
    for (; i < a->rank; i++, k++)
        if (a->dim[i] != b->dim[k]) return false;
    return true;
}

/* The value that broadcasts to the same: behind expands, and behind reshapes that add or take leading ones.
 */
static lt_id behind_views(const lt_rewrite *rw, lt_id value)
{
    for (const lt_node *node; (node = lt_graph_producer(rw->from, value)); value = node->in[0]) {
        if (node->op == LT_OP_EXPAND) continue;
        if (node->op != LT_OP_RESHAPE ||
            !same_but_leading(lt_rewrite_type(rw, node->in[0]), lt_rewrite_type(rw, value)))
            break;
    }
    return value;
}

static const char *const_element(const lt_value *value, int64_t i)
{
    return (const char *)value->data + i * (int64_t)lathe_dtype_size(value->type.dtype);
}

/* Whether all elements of a constant are one number. */
static bool is_uniform(const lt_rewrite *rw, lt_id value, double *number)
{
    const lt_value *v = &rw->from->values[behind_views(rw, value)];
    int64_t n = lt_type_count(&v->type);
    if (v->kind != LT_VALUE_CONST || n == 0) return false;
    *number = lt_load_one(v->type.dtype, v->data);
    for (int64_t i = 1; i < n; i++)
        if (memcmp(const_element(v, i), v->data, lathe_dtype_size(v->type.dtype)) != 0) return false;
    return true;
}

/* A number that hides a key when it is added to a score of this type, whatever the score. */
static bool hides(double number, lt_dtype dtype) { return number < (dtype == LATHE_F16 ? -65000 : -1e30); }

/* ---- Key indices and what belongs to a row ---- */

/* Numbers of a file that sums of a few of them cannot overflow with. */
static bool is_small(int64_t x) { return x > -(INT64_C(1) << 50) && x < INT64_C(1) << 50; }

/* key * index of the key + plus - minus + constant; plus and minus are new values [L] or [B,L]. */
typedef struct lt_affine {
    int64_t key, constant;
    lt_id plus, minus;
} lt_affine;

/* The value as [L] or [B,L], when it does not depend on the key. */
static bool as_rows(const lt_mask_reader *m, lt_id value, lt_id *out)
{
    const lt_type *type = lt_rewrite_type(m->rw, value);
    int64_t batch = 1, rows = type->rank >= 2 ? type->dim[type->rank - 2] : 1;
    if (type->rank && type->dim[type->rank - 1] != 1) return false;
    for (int i = 0; i < type->rank - 2; i++) {
        bool first = i == 0 && type->rank == 4;
        if (type->dim[i] != 1 && !first) return false;
        batch *= type->dim[i];
    }
    bool fits = (batch == 1 || batch == m->shape->batch) && (rows == 1 || rows == m->shape->rows);
    if (!fits) return false;
    lt_builder *b = &m->rw->b;
    lt_id flat = batch == 1 ? lt_build_reshape(b, m->rw->map[value], 1, &rows)
                            : lt_build_reshape(b, m->rw->map[value], 2, (int64_t[]){batch, rows});
    *out = lt_build_dtype(b, flat) == LATHE_I64 ? flat : lt_build_cast(b, flat, LATHE_I64);
    return true;
}

/* A constant [S], or [L,S] whose rows are equally spaced. */
static bool const_affine(const lt_mask_reader *m, const lt_value *value, lt_affine *out)
{
    const lt_type *type = &value->type;
    int64_t n = lt_type_count(type), keys = type->rank ? type->dim[type->rank - 1] : 1;
    if (!lt_dtype_is_int(type->dtype) || n == 0 || keys != m->shape->keys || keys < 2) return false;
    int64_t rows = n / keys, starts[1024], step = 0;
    bool matrix = rows == 1 || (type->rank >= 2 && type->dim[type->rank - 2] == rows);
    if (!matrix || (rows != 1 && rows != m->shape->rows) || rows > (int64_t)LT_COUNT(starts)) return false;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < keys; k++) {
            int64_t x = lt_load_index(type->dtype, const_element(value, r * keys + k));
            if (!is_small(x)) return false;
            if (k == 0) starts[r] = x;
            if (r == 0 && k == 1) step = x - starts[0];
            if (k > 0 && x - starts[r] != step * k) return false;
        }
    *out = (lt_affine){.key = step, .constant = starts[0], .plus = LT_NONE, .minus = LT_NONE};
    if (rows == 1) return true;
    lt_type flat = {.dtype = LATHE_I64, .rank = 1, .dim = {rows}};
    out->constant = 0;
    out->plus = lt_build_const(&m->rw->b, &flat, starts);
    return true;
}

static lt_id sum_or_none(lt_builder *b, lt_id x, lt_id y)
{
    return x == LT_NONE ? y : y == LT_NONE ? x : lt_build_add(b, x, y);
}

static bool read_affine(lt_mask_reader *m, lt_id value, int depth, lt_affine *out);

static bool read_sum(lt_mask_reader *m, const lt_node *node, int depth, lt_affine *out)
{
    lt_affine x, y;
    if (!read_affine(m, node->in[0], depth, &x) || !read_affine(m, node->in[1], depth, &y)) return false;
    bool minus = node->op == LT_OP_SUB;
    lt_builder *b = &m->rw->b;
    *out = (lt_affine){.key = minus ? x.key - y.key : x.key + y.key,
                       .constant = minus ? x.constant - y.constant : x.constant + y.constant,
                       .plus = sum_or_none(b, x.plus, minus ? y.minus : y.plus),
                       .minus = sum_or_none(b, x.minus, minus ? y.plus : y.minus)};
    return true;
}

static bool read_affine(lt_mask_reader *m, lt_id value, int depth, lt_affine *out)
{
    lt_rewrite *rw = m->rw;
    double number;
    *out = (lt_affine){.plus = LT_NONE, .minus = LT_NONE};
    if (depth == 0) return false;
    if (lt_rewrite_scalar(rw, value, &number)) {
        out->constant = (int64_t)number;
        return fabs(number) < 0x1p50;
    }
    if (!lt_dtype_is_int(lt_rewrite_type(rw, value)->dtype)) return false;
    if (as_rows(m, value, &out->plus)) return true;
    value = behind_views(rw, value);
    if (as_rows(m, value, &out->plus)) return true;
    if (rw->from->values[value].kind == LT_VALUE_CONST) return const_affine(m, &rw->from->values[value], out);
    const lt_node *node = lt_graph_producer(rw->from, value);
    if (!node) return false;
    switch (node->op) {
    case LT_OP_IOTA:
        out->key = node->attrs.iota.int_step;
        out->constant = node->attrs.iota.int_start;
        return node->attrs.iota.count == m->shape->keys && is_small(out->key) && is_small(out->constant);
    case LT_OP_CAST: return read_affine(m, node->in[0], depth - 1, out);
    case LT_OP_ADD:
    case LT_OP_SUB: return read_sum(m, node, depth - 1, out);
    default: return false;
    }
}

/* ---- Conditions ---- */

static bool add_condition(lt_mask_reader *m, lt_condition condition)
{
    if (m->n == MAX_CONDITIONS) return false;
    m->conditions[m->n++] = condition;
    return true;
}

/* minus - plus - constant: what the key is compared with. */
static lt_id build_bound(lt_mask_reader *m, const lt_affine *d, int64_t shift)
{
    lt_builder *b = &m->rw->b;
    int64_t constant = shift - d->constant;
    lt_id number = lt_build_integer(b, constant);
    if (d->minus == LT_NONE && d->plus == LT_NONE)
        return lt_build_full(b, number, LATHE_I64, 1, (int64_t[]){1});
    lt_id bound = d->minus;
    if (bound == LT_NONE) return lt_build_sub(b, number, d->plus);
    if (d->plus != LT_NONE) bound = lt_build_sub(b, bound, d->plus);
    return constant ? lt_build_add(b, bound, number) : bound;
}

/* x OP y as a bound of the key. */
static bool add_bound(lt_mask_reader *m, const lt_node *node, bool inverted)
{
    static const lt_op opposite[][2] = {
        {LT_OP_LE, LT_OP_GT}, {LT_OP_GT, LT_OP_LE}, {LT_OP_LT, LT_OP_GE}, {LT_OP_GE, LT_OP_LT}};
    static const lt_op mirrored[][2] = {
        {LT_OP_LE, LT_OP_GE}, {LT_OP_GE, LT_OP_LE}, {LT_OP_LT, LT_OP_GT}, {LT_OP_GT, LT_OP_LT}};
    lt_affine d;
    lt_op op = node->op;
    lt_node difference = *node;
    difference.op = LT_OP_SUB;
    if (!read_sum(m, &difference, MAX_DEPTH, &d) || (d.key != 1 && d.key != -1)) return false;
    for (size_t i = 0; inverted && i < LT_COUNT(opposite); i++)
        if (node->op == opposite[i][0]) op = opposite[i][1];
    if (d.key < 0) {
        lt_op before = op;
        for (size_t i = 0; i < LT_COUNT(mirrored); i++)
            if (before == mirrored[i][0]) op = mirrored[i][1];
        d = (lt_affine){.key = 1, .constant = -d.constant, .plus = d.minus, .minus = d.plus};
    }
    bool last = op == LT_OP_LE || op == LT_OP_LT;
    int64_t shift = op == LT_OP_LT ? -1 : op == LT_OP_GT ? 1 : 0;
    return add_condition(m, (lt_condition){.kind = last ? CONDITION_LAST : CONDITION_FIRST,
                                           .value = build_bound(m, &d, shift)});
}

/* Rows of a constant that are one run of keys each. */
static bool add_const_rows(lt_mask_reader *m, const lt_value *value,
                           bool (*shown)(const lt_value *, int64_t, bool), bool inverted)
{
    const lt_type *type = &value->type;
    int64_t n = lt_type_count(type), keys = type->rank ? type->dim[type->rank - 1] : 1;
    int64_t rows = keys ? n / keys : 0, *bounds;
    bool matrix = rows == 1 || (type->rank >= 2 && type->dim[type->rank - 2] == rows);
    if (n == 0 || keys != m->shape->keys || !matrix || (rows != 1 && rows != m->shape->rows)) return false;
    bounds = lt_arena_alloc(m->rw->b.graph->arena, (size_t)rows * 2, sizeof *bounds);
    if (!bounds) return false;
    bool cut[2] = {false, false}; /* whether some row does not look at the last key, or the first */
    for (int64_t r = 0; r < rows; r++) {
        int64_t first = 0, last = keys - 1;
        while (last >= 0 && !shown(value, r * keys + last, inverted)) last--;
        while (first <= last && !shown(value, r * keys + first, inverted)) first++;
        for (int64_t k = first; k <= last; k++)
            if (!shown(value, r * keys + k, inverted)) return false;
        bounds[r] = last;
        bounds[rows + r] = first;
        cut[0] = cut[0] || last < keys - 1;
        cut[1] = cut[1] || first > 0;
        if (last < 0 && m->finite) return false;
    }
    lt_type flat = {.dtype = LATHE_I64, .rank = 1, .dim = {rows}};
    for (int i = 0; i < 2; i++)
        if (cut[i] &&
            !add_condition(m, (lt_condition){.kind = i ? CONDITION_FIRST : CONDITION_LAST,
                                             .value = lt_build_const(&m->rw->b, &flat, bounds + i * rows)}))
            return false;
    return true;
}

static bool is_true(const lt_value *value, int64_t i, bool inverted)
{
    return (lt_load_one(value->type.dtype, const_element(value, i)) != 0) != inverted;
}

static bool is_bool(const lt_rewrite *rw, lt_id value)
{
    return lt_rewrite_type(rw, value)->dtype == LATHE_BOOL;
}

/* Both (conjunction) or one of them inverted (an inverted disjunction). */
static bool is_conjunction(const lt_rewrite *rw, const lt_node *node, bool inverted)
{
    if (node->n_in < 2 || !is_bool(rw, node->in[0]) || !is_bool(rw, node->in[1])) return false;
    switch (node->op) {
    case LT_OP_LOGICAL_AND:
    case LT_OP_BITWISE_AND:
    case LT_OP_MUL: return !inverted;
    case LT_OP_LOGICAL_OR:
    case LT_OP_BITWISE_OR: return inverted;
    default: return false;
    }
}

/* Takes a bool apart into conditions that all must hold. */
static bool read_condition(lt_mask_reader *m, lt_id whole, bool inverted, int depth)
{
    lt_rewrite *rw = m->rw;
    lt_id value = behind_views(rw, whole);
    const lt_value *v = &rw->from->values[value];
    const lt_node *node = lt_graph_producer(rw->from, value);
    double number;
    if (is_uniform(rw, value, &number) && is_true(v, 0, inverted)) return true;
    int before = m->n;
    if (v->kind == LT_VALUE_CONST && add_const_rows(m, v, is_true, inverted)) return true;
    m->n = before;
    if (node && depth) {
        if (node->op == LT_OP_LOGICAL_NOT && is_bool(rw, node->in[0]))
            return read_condition(m, node->in[0], !inverted, depth - 1);
        if (node->op == LT_OP_CAST && is_bool(rw, node->in[0]))
            return read_condition(m, node->in[0], inverted, depth - 1);
        if (is_conjunction(rw, node, inverted))
            return read_condition(m, node->in[0], inverted, depth - 1) &&
                   read_condition(m, node->in[1], inverted, depth - 1);
        bool compares =
            node->op == LT_OP_LE || node->op == LT_OP_LT || node->op == LT_OP_GE || node->op == LT_OP_GT;
        if (compares && add_bound(m, node, inverted)) return true;
    }
    return add_condition(
        m, (lt_condition){.kind = CONDITION_BOOL, .value = value, .inverted = inverted, .shape = m->scores});
}

static bool is_zero(const lt_value *value, int64_t i, bool inverted)
{
    (void)inverted;
    return lt_load_one(value->type.dtype, const_element(value, i)) == 0;
}

/* Whether a constant holds nothing but zeros and numbers that hide. */
static bool hides_or_not(lt_mask_reader *m, const lt_value *value)
{
    for (int64_t i = 0; i < lt_type_count(&value->type); i++) {
        double x = lt_load_one(value->type.dtype, const_element(value, i));
        if (x != 0 && !hides(x, value->type.dtype)) return false;
        m->finite = m->finite || (x < 0 && isfinite(x));
    }
    return true;
}

/* Takes a mask that is added apart, when all it does is to hide keys. */
static bool read_added(lt_mask_reader *m, lt_id whole, int depth)
{
    lt_rewrite *rw = m->rw;
    lt_id value = behind_views(rw, whole);
    const lt_value *v = &rw->from->values[value];
    const lt_node *node = lt_graph_producer(rw->from, value);
    double number;
    if (is_uniform(rw, value, &number) && number == 0) return true;
    if (v->kind == LT_VALUE_CONST) return hides_or_not(m, v) && add_const_rows(m, v, is_zero, false);
    if (!node || depth == 0) return false;
    lt_dtype dtype = v->type.dtype;
    if (node->op == LT_OP_CAST && lt_dtype_is_float(lt_rewrite_type(rw, node->in[0])->dtype))
        return read_added(m, node->in[0], depth - 1);
    if (node->op == LT_OP_WHERE)
        for (int k = 1; k <= 2; k++) {
            if (!is_uniform(rw, node->in[k], &number) || !hides(number, dtype)) continue;
            m->finite = m->finite || isfinite(number);
            return read_condition(m, node->in[0], k == 1, MAX_DEPTH) &&
                   read_added(m, node->in[3 - k], depth - 1);
        }
    if (node->op == LT_OP_MUL)
        for (int k = 0; k < 2; k++) {
            const lt_node *cast = lt_rewrite_made_by(rw, node->in[1 - k], LT_OP_CAST);
            if (!cast || !is_bool(rw, cast->in[0]) || !is_uniform(rw, node->in[k], &number) ||
                !hides(number, dtype) || !isfinite(number))
                continue;
            m->finite = true;
            return read_condition(m, cast->in[0], true, MAX_DEPTH);
        }
    return false;
}

/* ---- Building ---- */

/* The leading dims of a mask that broadcasts to scores of this shape, as batch entries and heads. Where it is
 * repeated for some dims of either, but not for all of them, it is made so. */
static lt_id as_four_dims(lt_rewrite *rw, lt_id new_mask, const lt_type *scores, const lt_scores_shape *shape)
{
    lt_builder *b = &rw->b;
    lt_type type = *lt_build_type(b, new_mask);
    int missing = scores->rank - type.rank, heads_from = scores->rank - 2;
    int64_t own[LT_MAX_RANK] = {0}, full[2] = {1, 1}, lead[2] = {1, 1};
    for (int i = 0; i < scores->rank; i++) {
        own[i] = i < missing ? 1 : type.dim[i - missing];
        if (i >= scores->rank - 2) continue;
        bool heads = full[0] >= shape->batch;
        if (heads && heads_from > i) heads_from = i;
        full[heads] *= scores->dim[i];
        lead[heads] *= own[i];
    }
    int64_t rows = own[scores->rank - 2], keys = own[scores->rank - 1], count = lead[0] * lead[1];
    if (count == shape->batch * shape->heads) { /* perhaps in one dim */
        lead[0] = shape->batch;
        lead[1] = shape->heads;
    } else if (count > 1) {
        if (full[0] != shape->batch || full[1] != shape->heads) return LT_NONE;
        for (int i = 0; i < scores->rank - 2; i++) {
            bool heads = i >= heads_from;
            if (lead[heads] > 1) own[i] = scores->dim[i];
        }
        for (int k = 0; k < 2; k++)
            if (lead[k] > 1) lead[k] = full[k];
        new_mask = lt_build_expand(b, new_mask, scores->rank, own);
    }
    return lt_build_reshape(b, new_mask, 4, (int64_t[]){lead[0], lead[1], rows, keys});
}

static bool join_masks(lt_rewrite *rw, lt_id new_mask, lt_mask_plan *plan)
{
    lt_builder *b = &rw->b;
    if (new_mask == LT_NONE) return false;
    if (plan->new_mask == LT_NONE) {
        plan->new_mask = new_mask;
        return true;
    }
    bool bools[2] = {lt_build_dtype(b, plan->new_mask) == LATHE_BOOL,
                     lt_build_dtype(b, new_mask) == LATHE_BOOL};
    if (bools[0] && bools[1])
        plan->new_mask = lt_build_binary(b, LT_OP_LOGICAL_AND, plan->new_mask, new_mask);
    else if (!bools[0] && !bools[1])
        plan->new_mask = lt_build_add(b, lt_build_wide(b, plan->new_mask), lt_build_wide(b, new_mask));
    else {
        lt_id added = bools[0] ? new_mask : plan->new_mask, condition = bools[0] ? plan->new_mask : new_mask;
        lt_id never = lt_build_full(b, lt_build_number(b, -INFINITY), lt_build_dtype(b, added), 0, NULL);
        plan->new_mask = lt_build_where(b, condition, added, never);
    }
    return true;
}

static void join_bounds(lt_builder *b, lt_op op, lt_id bound, lt_id *joined)
{
    if (*joined == LT_NONE || *joined == bound) *joined = bound;
    else *joined = lt_build_binary(b, op, *joined, bound);
}

/* The term as the mask that it is. */
static bool keep_term(lt_rewrite *rw, const lt_mask_term *term, const lt_scores_shape *shape,
                      lt_mask_plan *plan)
{
    lt_builder *b = &rw->b;
    lt_id mask = rw->map[term->value];
    if (!term->condition && (term->factor > 1 || term->factor < 1))
        mask = lt_build_mul(b, lt_build_wide(b, mask), lt_build_number(b, term->factor));
    if (term->condition && isfinite(term->fill)) {
        /* Added, not set: a score is lost in it, unless it is as small as float16 has it. */
        if (!hides(term->fill, LATHE_F32)) return false;
        lt_id zero = lt_build_full(b, lt_build_number(b, 0), LATHE_F32, 0, NULL),
              fill = lt_build_full(b, lt_build_number(b, term->fill), LATHE_F32, 0, NULL);
        mask = term->inverted ? lt_build_where(b, mask, zero, fill) : lt_build_where(b, mask, fill, zero);
    } else if (term->condition && !term->inverted) mask = lt_build_unary(b, LT_OP_LOGICAL_NOT, mask);
    return join_masks(rw, as_four_dims(rw, mask, &term->shape, shape), plan);
}

/* Takes a term apart into conditions, when all it does is to hide keys. */
static bool read_term(lt_mask_reader *m, const lt_mask_term *term)
{
    if (!term->condition) return read_added(m, term->value, MAX_DEPTH);
    m->finite = isfinite(term->fill);
    return read_condition(m, term->value, !term->inverted, MAX_DEPTH);
}

bool lt_attention_hides(lt_rewrite *rw, const lt_mask_term *term, const lt_scores_shape *shape)
{
    lt_mask_reader m = {.rw = rw, .shape = shape, .scores = term->shape};
    return read_term(&m, term);
}

bool lt_attention_uniform(const lt_rewrite *rw, lt_id value, double *number)
{
    return is_uniform(rw, value, number);
}

static bool plan_term(lt_rewrite *rw, const lt_mask_term *term, const lt_scores_shape *shape,
                      lt_mask_plan *plan)
{
    lt_mask_reader m = {.rw = rw, .shape = shape, .scores = term->shape};
    bool read = read_term(&m, term);
    bool bounds_alone = true, bounds = false;
    for (int i = 0; i < m.n; i++) {
        bounds = bounds || m.conditions[i].kind != CONDITION_BOOL;
        bounds_alone = bounds_alone && m.conditions[i].kind != CONDITION_BOOL;
    }
    if (!read || (m.finite && !bounds_alone) || (!bounds && m.n)) return keep_term(rw, term, shape, plan);
    for (int i = 0; i < m.n; i++) {
        const lt_condition *c = &m.conditions[i];
        if (c->kind == CONDITION_LAST) join_bounds(&rw->b, LT_OP_MINIMUM, c->value, &plan->new_last);
        else if (c->kind == CONDITION_FIRST) join_bounds(&rw->b, LT_OP_MAXIMUM, c->value, &plan->new_first);
        else {
            lt_id mask = rw->map[c->value];
            if (c->inverted) mask = lt_build_unary(&rw->b, LT_OP_LOGICAL_NOT, mask);
            if (!join_masks(rw, as_four_dims(rw, mask, &c->shape, shape), plan)) return false;
        }
    }
    return true;
}

bool lt_attention_masks(lt_rewrite *rw, const lt_mask_term *terms, int n, const lt_scores_shape *shape,
                        lt_mask_plan *out)
{
    *out = (lt_mask_plan){LT_NONE, LT_NONE, LT_NONE};
    for (int i = 0; i < n; i++)
        if (!plan_term(rw, &terms[i], shape, out)) return false;
    return true;
}
