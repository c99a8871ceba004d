/* Typed access to the arguments of an operator call. */
#include <string.h>

#include "aten/aten.h"

static const lt_arg nothing = {.kind = LT_ARG_NONE};

static const lt_arg *get(lt_call *call, const char *name)
{
    uint32_t index = lt_schema_find(call->schema, name);
    if (index == LT_NONE) {
        lt_build_fail(call->b, LATHE_INTERNAL, "schema of %s has no parameter '%s'", call->schema->name,
                      name);
        return &nothing;
    }
    return &call->args[index];
}

static void wrong(lt_call *call, const char *name, const char *expected)
{
    static const char *const kinds[] = {"None",    "a name",  "a tensor",     "an int",
                                        "a float", "a bool",  "a string",     "a dtype",
                                        "a list",  "a graph", "another value"};
    lt_build_fail(call->b, LATHE_FORMAT, "argument '%s' is %s, expected %s", name,
                  kinds[get(call, name)->kind], expected);
}

/* A number from a tensor's values (.item()) where the graph's shape hangs on it. */
static void wrong_number(lt_call *call, const char *name, const lt_arg *arg, const char *expected)
{
    bool late = arg->kind == LT_ARG_TENSOR || (arg->kind == LT_ARG_OTHER && arg->text);
    if (!late) return wrong(call, name, expected);
    lt_build_fail(call->b, LATHE_UNSUPPORTED,
                  "argument '%s' depends on the values of a tensor, which only a run knows", name);
}

lt_id lt_call_optional_tensor(lt_call *call, const char *name)
{
    const lt_arg *arg = get(call, name);
    switch (arg->kind) {
    case LT_ARG_TENSOR: return arg->id;
    case LT_ARG_NONE: return LT_NONE;
    case LT_ARG_INT: return lt_build_integer(call->b, arg->i);
    case LT_ARG_FLOAT: return lt_build_number(call->b, arg->f);
    case LT_ARG_BOOL: return lt_build_boolean(call->b, arg->b);
    default: wrong(call, name, "a tensor"); return LT_NONE;
    }
}

lt_id lt_call_tensor(lt_call *call, const char *name)
{
    lt_id id = lt_call_optional_tensor(call, name);
    if (id == LT_NONE) wrong(call, name, "a tensor");
    return id;
}

const lt_id *lt_call_tensors(lt_call *call, const char *name, int *n)
{
    const lt_arg *arg = get(call, name);
    *n = 0;
    if (arg->kind != LT_ARG_LIST) {
        wrong(call, name, "a list of tensors");
        return NULL;
    }
    lt_id *ids = lt_arena_alloc(call->b->graph->arena, arg->list.n, sizeof *ids);
    if (!ids) {
        lt_build_fail(call->b, LATHE_NO_MEMORY, "out of memory");
        return NULL;
    }
    for (uint32_t i = 0; i < arg->list.n; i++) {
        const lt_arg *item = &arg->list.items[i];
        if (item->kind != LT_ARG_TENSOR && item->kind != LT_ARG_NONE) wrong(call, name, "a list of tensors");
        ids[i] = item->kind == LT_ARG_TENSOR ? item->id : LT_NONE;
    }
    *n = (int)arg->list.n;
    return ids;
}

bool lt_call_has(lt_call *call, const char *name) { return get(call, name)->kind != LT_ARG_NONE; }

bool lt_call_takes(const lt_call *call, const char *name)
{
    return lt_schema_find(call->schema, name) != LT_NONE;
}

static int64_t as_int(lt_call *call, const char *name, const lt_arg *arg)
{
    if (arg->kind == LT_ARG_INT) return arg->i;
    if (arg->kind == LT_ARG_BOOL) return arg->b;
    if (arg->kind == LT_ARG_FLOAT && lt_fits_i64(arg->f)) return (int64_t)arg->f;
    wrong_number(call, name, arg, "an int");
    return 0;
}

static double as_float(lt_call *call, const char *name, const lt_arg *arg)
{
    if (arg->kind == LT_ARG_FLOAT) return arg->f;
    if (arg->kind == LT_ARG_INT) return (double)arg->i;
    if (arg->kind == LT_ARG_BOOL) return arg->b;
    wrong_number(call, name, arg, "a number");
    return 0;
}

int64_t lt_call_int(lt_call *call, const char *name) { return as_int(call, name, get(call, name)); }
lt_id lt_call_late_int(lt_call *call, const char *name)
{
    const lt_arg *arg = get(call, name);
    return arg->kind == LT_ARG_TENSOR && call->b->status == LATHE_OK ? arg->id : LT_NONE;
}
double lt_call_float(lt_call *call, const char *name) { return as_float(call, name, get(call, name)); }
bool lt_call_bool(lt_call *call, const char *name) { return as_int(call, name, get(call, name)) != 0; }

const char *lt_call_string(lt_call *call, const char *name)
{
    const lt_arg *arg = get(call, name);
    if (arg->kind == LT_ARG_STRING) return arg->text;
    wrong(call, name, "a string");
    return "";
}

lt_dtype lt_call_dtype(lt_call *call, const char *name, lt_dtype fallback)
{
    const lt_arg *arg = get(call, name);
    if (arg->kind == LT_ARG_DTYPE) {
        if (arg->dtype == LATHE_DTYPE_COUNT)
            lt_build_fail(call->b, LATHE_UNSUPPORTED, "argument '%s': unsupported dtype", name);
        return arg->dtype == LATHE_DTYPE_COUNT ? fallback : arg->dtype;
    }
    if (arg->kind != LT_ARG_NONE) wrong(call, name, "a dtype");
    return fallback;
}

lt_id lt_call_scalar(lt_call *call, const char *name)
{
    lt_id id = lt_call_optional_tensor(call, name);
    if (id == LT_NONE) wrong(call, name, "a number");
    return id;
}

/* Walks an argument that is a list, or one number that stands for a list of fixed size. */
static int list_length(lt_call *call, const char *name, int max, const lt_arg **items, int *step)
{
    const lt_arg *arg = get(call, name);
    uint32_t index = lt_schema_find(call->schema, name);
    *step = 1;
    *items = arg;
    if (arg->kind == LT_ARG_NONE) return 0;
    if (arg->kind == LT_ARG_LIST) {
        *items = arg->list.items;
        if (arg->list.n > (uint32_t)max) {
            lt_build_fail(call->b, LATHE_LIMIT, "argument '%s' has %u entries, at most %d are supported",
                          name, arg->list.n, max);
            return 0;
        }
        return (int)arg->list.n;
    }
    int size = index == LT_NONE ? 0 : call->schema->params[index].list_size;
    *step = 0;
    return size < 1 ? 1 : size < max ? size : max;
}

int lt_call_ints(lt_call *call, const char *name, int64_t *out, int max)
{
    const lt_arg *items;
    int step, n = list_length(call, name, max, &items, &step);
    for (int i = 0; i < n; i++) out[i] = as_int(call, name, &items[i * step]);
    return n;
}

int lt_call_floats(lt_call *call, const char *name, double *out, int max)
{
    const lt_arg *items;
    int step, n = list_length(call, name, max, &items, &step);
    for (int i = 0; i < n; i++) out[i] = as_float(call, name, &items[i * step]);
    return n;
}

uint32_t lt_call_count(lt_call *call, const char *name)
{
    const lt_arg *arg = get(call, name);
    return arg->kind == LT_ARG_LIST ? arg->list.n : 0;
}

int64_t lt_call_int_at(lt_call *call, const char *name, uint32_t index)
{
    if (index < lt_call_count(call, name)) return as_int(call, name, &get(call, name)->list.items[index]);
    wrong(call, name, "a list of ints");
    return 0;
}

bool lt_call_bools(lt_call *call, const char *name, int index)
{
    const lt_arg *arg = get(call, name);
    if (arg->kind == LT_ARG_LIST && (uint32_t)index < arg->list.n)
        return as_int(call, name, &arg->list.items[index]) != 0;
    wrong(call, name, "a list of bools");
    return false;
}

int lt_call_dim(lt_call *call, const char *name, int rank)
{
    return lt_build_dim(call->b, lt_call_int(call, name), rank);
}

void lt_call_dims(lt_call *call, const char *name, int rank, bool empty_is_all, bool *marks)
{
    int64_t dims[LT_MAX_RANK];
    int n = lt_call_ints(call, name, dims, LT_MAX_RANK);
    for (int i = 0; i < LT_MAX_RANK; i++) marks[i] = n == 0 && empty_is_all;
    for (int i = 0; i < n; i++) {
        int d = lt_build_dim(call->b, dims[i], rank);
        if (marks[d]) lt_build_fail(call->b, LATHE_TYPE, "argument '%s' names dim %d twice", name, d);
        marks[d] = true;
    }
}

static lathe_status push_result(lt_call *call, lt_arg value)
{
    LT_GROW(call->b->graph->arena, call->results, call->n_results, call->cap_results, call->b->err);
    call->results[call->n_results++] = value;
    return LATHE_OK;
}

void lt_call_return_arg(lt_call *call, lt_arg value)
{
    if (call->b->status == LATHE_OK) call->b->status = push_result(call, value);
}

void lt_call_return(lt_call *call, lt_id value)
{
    lt_call_return_arg(call, (lt_arg){.kind = LT_ARG_TENSOR, .id = value});
}

void lt_call_write(lt_call *call, const char *name, lt_id value)
{
    uint32_t index = lt_schema_find(call->schema, name);
    if (index == LT_NONE || call->b->status != LATHE_OK) return;
    call->written[index] = value;
    call->writes[index] = true;
}
