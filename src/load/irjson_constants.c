/* Numbers of nested lists, flattened and stored in the dtype of the weight. */
#include "load/irjson_constants.h"

#include <string.h>

#include "base/half.h"

typedef struct lt_flatten {
    uint8_t *to;
    lt_dtype dtype;
    int64_t n, max; /* elements stored, and that there may be */
    lathe_error *err;
} lt_flatten;

static void store_int(lt_dtype dtype, void *to, int64_t value)
{
    switch (dtype) {
    case LATHE_BOOL: *(uint8_t *)to = value != 0; break;
    case LATHE_U8:
    case LATHE_I8: *(uint8_t *)to = (uint8_t)value; break;
    case LATHE_I16: memcpy(to, &(int16_t){(int16_t)value}, 2); break;
    case LATHE_I32: memcpy(to, &(int32_t){(int32_t)value}, 4); break;
    default: memcpy(to, &value, 8); break;
    }
}

static void store_float(lt_dtype dtype, void *to, double value)
{
    switch (dtype) {
    case LATHE_F16: memcpy(to, &(uint16_t){lt_f32_to_f16((float)value)}, 2); break;
    case LATHE_BF16: memcpy(to, &(uint16_t){lt_f32_to_bf16((float)value)}, 2); break;
    case LATHE_F32: memcpy(to, &(float){(float)value}, 4); break;
    default: memcpy(to, &value, 8); break;
    }
}

static lathe_status store(lt_flatten *f, const lt_json *json)
{
    double real = 0;
    if (f->n == f->max) LT_FAIL(f->err, FORMAT, "field 'data' has more than %lld numbers", (long long)f->max);
    void *to = f->to + (size_t)f->n++ * lathe_dtype_size(f->dtype);
    bool whole = lt_json_is(json, LT_JSON_INTEGER) || lt_json_is(json, LT_JSON_BOOL);
    int64_t integer = lt_json_is(json, LT_JSON_BOOL) ? lt_json_true(json) : lt_json_integer(json);
    if (!whole) LT_TRY_NOTE(lt_json_number(json, &real, f->err), f->err, "field 'data'");
    if (lt_dtype_is_float(f->dtype)) store_float(f->dtype, to, whole ? (double)integer : real);
    else if (whole) store_int(f->dtype, to, integer);
    else LT_FAIL(f->err, FORMAT, "field 'data' has %g, expected %s", real, lathe_dtype_name(f->dtype));
    return LATHE_OK;
}

static lathe_status flatten(lt_flatten *f, const lt_json *json, int depth)
{
    const lt_json *item;
    size_t i;
    if (!lt_json_is(json, LT_JSON_ARRAY)) return store(f, json);
    if (depth > LT_MAX_RANK) LT_FAIL(f->err, LIMIT, "field 'data' is nested more than %d deep", LT_MAX_RANK);
    lt_json_foreach (json, i, item) LT_TRY(flatten(f, item, depth + 1));
    return LATHE_OK;
}

/* How many numbers there are at most, so that what is allocated follows from what the file holds. */
static int64_t count_numbers(const lt_json *json, int depth)
{
    const lt_json *item;
    size_t i;
    int64_t n = 0;
    if (!lt_json_is(json, LT_JSON_ARRAY)) return 1;
    if (depth > LT_MAX_RANK) return 0;
    lt_json_foreach (json, i, item) n += count_numbers(item, depth + 1);
    return n;
}

lathe_status lt_irjson_read_constant(const lt_json *json, lt_arena *arena, lt_xweight *weight,
                                     lathe_error *err)
{
    const lt_json *data = lt_json_member(json, "data");
    lt_flatten f = {.dtype = weight->type.dtype, .max = lt_type_count(&weight->type), .err = err};
    if (!data) LT_FAIL(err, FORMAT, "field 'data' is missing");
    int64_t found = count_numbers(data, 0);
    if (found != f.max)
        LT_FAIL(err, FORMAT, "field 'data' has %lld numbers, its shape says %lld", (long long)found,
                (long long)f.max);
    f.to = lt_arena_alloc(arena, (size_t)f.max, lathe_dtype_size(f.dtype));
    if (!f.to) return lt_out_of_memory(err, (size_t)f.max, lathe_dtype_size(f.dtype));
    LT_TRY(flatten(&f, data, 0));
    weight->data = f.to;
    weight->is_constant = true;
    return LATHE_OK;
}
