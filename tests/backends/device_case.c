/* Runs a step on a device and on the operator's reference, and compares every byte. */
#include "backends/device_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/os.h"
#include "ops/convert.h"

enum { GUARD = 64, FILL = 0xA5, ROOMS = CASE_INPUTS + LT_MAX_OUTPUTS + CASE_MORE + 1 };

/* An operand in memory of its own. */
typedef struct room {
    lt_tensor tensor; /* data: in `bytes` */
    unsigned char *bytes;
    size_t before, size; /* bytes before the first element, and all */
    lathe_buffer *buffer;
} room;

typedef struct run {
    lt_gpu *gpu;
    const lt_case *c;
    uint32_t n_in, n_out, n_rooms;
    room rooms[ROOMS]; /* inputs, outputs; of the next step: inputs besides, output */
    lt_operand args[ROOMS];
    lt_step steps[2];
    lt_operand next_args[CASE_MORE + 2];
    lt_arena *arena;
    lathe_buffer *scratch, *flag;
    uint64_t random;
    lathe_error err;
    lt_packed packed; /* of c->packed */
    lathe_buffer *packed_buffer;
} run;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static double pick_value(run *r, lt_dtype dtype, int64_t below)
{
    uint64_t bits = next_random(&r->random);
    if (below) return (double)(bits % (uint64_t)below);
    if (dtype == LATHE_BOOL) return (double)(bits & 1);
    if (!lt_dtype_is_float(dtype)) return (double)(int64_t)(bits % 17) - (dtype == LATHE_U8 ? 0 : 8);
    if (r->c->special && bits % 11 == 0)
        return bits % 3 == 0 ? (double)NAN : bits % 3 == 1 ? (double)INFINITY : -(double)INFINITY;
    return (double)(bits >> 11) * 0x1p-51 - 2;
}

/* ---- Operands ---- */

/* `rows`: the last dim stays dense. */
static void place_strides(lt_tensor *t, lt_layout layout, bool rows)
{
    int64_t dim[LT_MAX_RANK];
    bool swaps = layout == LAYOUT_SWAPPED && t->rank >= 2 + rows;
    int last = t->rank - 1 - rows;
    memcpy(dim, t->dim, sizeof dim);
    if (swaps) {
        dim[last] = t->dim[last - 1];
        dim[last - 1] = t->dim[last];
    }
    lt_contiguous_strides(t->rank, dim, t->stride);
    if (swaps) {
        int64_t across = t->stride[last];
        t->stride[last] = t->stride[last - 1];
        t->stride[last - 1] = across;
    }
    for (int d = 0; d < t->rank - rows && layout == LAYOUT_SPREAD; d++) t->stride[d] *= 2;
}

static bool make_room(run *r, room *to, const lt_type *type, lt_layout layout, bool rows)
{
    to->tensor = lt_tensor_of(type, NULL);
    place_strides(&to->tensor, layout, rows);
    int64_t span = 1;
    for (int d = 0; d < type->rank; d++)
        span += (type->dim[d] > 0 ? type->dim[d] - 1 : 0) * to->tensor.stride[d];
    to->before = GUARD + (size_t)r->c->shift * lathe_dtype_size(type->dtype);
    to->size = to->before + GUARD + (size_t)span * lathe_dtype_size(type->dtype);
    to->bytes = lt_os_alloc(to->size);
    if (!to->bytes) return false;
    memset(to->bytes, FILL, to->size);
    to->tensor.data = to->bytes + to->before;
    return r->gpu->backend->alloc(r->gpu->device, to->size, &to->buffer, &r->err) == LATHE_OK;
}

/* The address of an element by its number in row-major order. */
static char *element(const lt_tensor *t, int64_t i)
{
    char *at = t->data;
    for (int d = t->rank - 1; d >= 0; d--) {
        at += i % t->dim[d] * t->stride[d] * (int64_t)lathe_dtype_size(t->dtype);
        i /= t->dim[d];
    }
    return at;
}

static void fill(run *r, uint32_t k, int64_t below, bool scaled)
{
    const lt_tensor *t = &r->rooms[k].tensor;
    for (int64_t i = 0, n = lathe_tensor_count(t); i < n; i++) {
        double value = pick_value(r, t->dtype, below);
        lt_store_f64(t->dtype, element(t, i), 0, 1, &value);
    }
    for (int64_t i = 0, n = lathe_tensor_count(t); scaled && i < n; i += t->dim[t->rank - 1]) {
        float scale = (float)(1 + next_random(&r->random) % 8) / 64;
        memcpy(element(t, i), &scale, sizeof scale);
    }
}

/* ---- Packed weights ---- */

static uint32_t packed_at(const lt_case *c)
{
    return !c->packed ? CASE_INPUTS : c->op == LT_OP_LINEAR ? 1 : 0;
}

static uint16_t pick_half(run *r, int below)
{
    return lt_f32_to_f16((float)(next_random(&r->random) % (uint64_t)below) * 0.125f);
}

/* In half precision, numbers whose products and sums it holds: the plain form is the packed one exactly. */
static void fill_block(run *r, lt_dtype dtype, lt_block_row *row)
{
    lt_packing packing = r->packed.packing;
    const lt_packing_info *info = &lt_packing_table[packing];
    int bits = info->group_bytes * 8 / (LT_PANEL * LT_GROUP);
    for (int g = 0; g < 2; g++) {
        row->scale[g] = lt_f32_to_f16(0.125f);
        row->min[g] = packing == LT_PACK_INT4_K ? row->scale[g] : pick_half(r, 64);
    }
    for (int h = 0; h < LT_BLOCK_HALVES; h++) {
        int any = (int)(next_random(&r->random) % 64), sign = packing == LT_PACK_INT6_K && any % 2 ? -1 : 1;
        row->sub_scale[h] = (int8_t)(sign * (dtype == LATHE_F32 ? any : 1 << any % 3));
    }
    for (int g = 0; g < LT_BLOCK_HALVES / 2; g++) row->sub_min[g] = (int8_t)(next_random(&r->random) % 64);
    for (int i = 0; i < LT_MAX_BLOCK; i++) {
        int value = (int)(next_random(&r->random) % (1u << bits));
        row->value[i] = (int8_t)(bits == 8 ? value - 128 : value);
    }
}

static bool make_packed(run *r)
{
    const lt_type *type = &r->c->in[packed_at(r->c)];
    room *plain = &r->rooms[packed_at(r->c)];
    r->packed = (lt_packed){.packing = r->c->packing, .n = type->dim[0], .k = type->dim[1]};
    size_t bytes = (size_t)lt_packed_bytes(r->packed.packing, r->packed.n, r->packed.k);
    const lathe_backend *b = r->gpu->backend;
    r->packed.data = lt_os_alloc(bytes);
    if (!r->packed.data) return false;
    for (int64_t row = 0; row < (r->packed.n + LT_PANEL - 1) / LT_PANEL * LT_PANEL; row++)
        for (int64_t block = 0; block < lt_packed_blocks(&r->packed); block++) {
            lt_block_row values = {0};
            float out[LT_MAX_BLOCK];
            fill_block(r, type->dtype, &values);
            lt_packed_put(&r->packed, row, block, &values);
            int64_t n = row < r->packed.n ? lt_packed_floats(&r->packed, row, block, out) : 0;
            int64_t columns = lt_packing_table[r->packed.packing].block_groups * LT_GROUP;
            for (int64_t i = 0; i < n; i++)
                lt_store_f32(type->dtype, element(&plain->tensor, row * r->packed.k + block * columns + i), 0,
                             1, &out[i]);
        }
    return b->alloc(r->gpu->device, bytes, &r->packed_buffer, &r->err) == LATHE_OK &&
           b->write(r->gpu->device, r->packed_buffer, 0, r->packed.data, bytes, &r->err) == LATHE_OK;
}

static lt_packing packing_of(const void *context, uint32_t weight)
{
    (void)weight;
    return ((const run *)context)->packed.packing;
}

static bool make_operand(run *r, uint32_t k, const lt_type *type, lt_layout layout, bool rows)
{
    if (!make_room(r, &r->rooms[k], type, layout, rows)) return false;
    r->args[k] = (lt_operand){.kind = LT_BUFFER_INPUT,
                              .index = k,
                              .offset = (int64_t)r->rooms[k].before,
                              .tensor = r->rooms[k].tensor};
    r->args[k].tensor.data = NULL;
    r->n_rooms = k + 1;
    return true;
}

static bool make_operands(run *r, lt_layout layout, bool in_place)
{
    lt_type out[LT_MAX_OUTPUTS];
    const lt_case *c = r->c;
    r->n_in = c->n_in;
    r->n_out = lt_op_get(c->op)->n_out;
    if (lt_op_get(c->op)->infer(c->op, &c->attrs, c->in, (int)c->n_in, out, &r->err) != LATHE_OK)
        return false;
    for (uint32_t k = 0; k < r->n_in + r->n_out; k++) {
        bool rows = k < r->n_in ? c->scaled[k] : c->op == LT_OP_QUANTIZE_ROWS;
        if (!make_operand(r, k, k < r->n_in ? &c->in[k] : &out[k - r->n_in], layout, rows)) return false;
        if (k < r->n_in) fill(r, k, c->below[k], c->scaled[k]);
    }
    if (in_place) r->args[r->n_in] = r->args[0];
    r->steps[0] =
        (lt_step){.op = c->op, .n_in = r->n_in, .n_out = r->n_out, .args = r->args, .attrs = c->attrs};
    if (!c->packed) return true;
    lt_operand *matrix = &r->args[packed_at(r->c)];
    *matrix =
        (lt_operand){.kind = LT_BUFFER_PACKED, .tensor = lt_tensor_of(&r->c->in[packed_at(r->c)], NULL)};
    return make_packed(r);
}

/* The step over the result. */
static bool make_next(run *r, lt_layout layout)
{
    const lt_case_next *next = r->c->next;
    lt_type in[CASE_MORE + 1], out;
    uint32_t n = 0;
    if (!next) return true;
    for (uint32_t k = 0; k <= next->n_more; k++) {
        uint32_t at = k == next->at ? r->n_in : r->n_rooms;
        if (k != next->at && !make_operand(r, at, &next->more[n++], layout, false)) return false;
        if (k != next->at) fill(r, at, 0, false);
        in[k] = lt_tensor_type(&r->rooms[at].tensor);
        r->next_args[k] = r->args[at];
    }
    if (lt_op_get(next->op)->infer(next->op, &next->attrs, in, (int)next->n_more + 1, &out, &r->err) !=
            LATHE_OK ||
        !make_operand(r, r->n_rooms, &out, layout, false))
        return false;
    r->next_args[next->n_more + 1] = r->args[r->n_rooms - 1];
    r->steps[0].with_next = true;
    r->steps[1] = (lt_step){
        .op = next->op, .n_in = next->n_more + 1, .n_out = 1, .args = r->next_args, .attrs = next->attrs};
    return true;
}

static void free_buffer(run *r, lathe_buffer *buffer)
{
    if (buffer) r->gpu->backend->free(r->gpu->device, buffer);
}

static void free_all(run *r)
{
    for (uint32_t k = 0; k < r->n_rooms; k++) {
        free_buffer(r, r->rooms[k].buffer);
        lt_os_free(r->rooms[k].bytes);
    }
    free_buffer(r, r->packed_buffer);
    lt_os_free(r->packed.data);
    free_buffer(r, r->scratch);
    free_buffer(r, r->flag);
    lt_arena_destroy(r->arena);
}

/* ---- On the device ---- */

static lathe_buffer *buffer_of(const run *r, const lt_operand *operand)
{
    if (operand->kind == LT_BUFFER_PACKED) return r->packed_buffer;
    if (operand->kind != LT_BUFFER_ARENA) return r->rooms[operand->index].buffer;
    return lt_gpu_is_flag(operand) ? r->flag : r->scratch;
}

static lathe_status submit(run *r, const lathe_launch *launches, uint32_t n)
{
    const lathe_backend *b = r->gpu->backend;
    lathe_device *d = r->gpu->device;
    lathe_batch *batch;
    uint64_t ticket;
    LT_TRY(b->prepare(d, launches, n, &batch, &r->err));
    lathe_status status = b->submit(d, batch, &r->err);
    for (uint32_t k = 0; k < r->n_rooms && status == LATHE_OK; k++)
        status = b->read(d, r->rooms[k].buffer, 0, r->rooms[k].bytes, r->rooms[k].size, &r->err);
    if (status == LATHE_OK) status = b->flush(d, &ticket, &r->err);
    if (status == LATHE_OK) status = b->wait(d, ticket, &r->err);
    b->release(d, batch);
    return status;
}

static lathe_status launch(run *r, const lt_gpu_lowering *lo)
{
    const lathe_backend *b = r->gpu->backend;
    lathe_launch *launches;
    static const int32_t clear[4];
    LT_ALLOC(r->arena, launches, lo->n, &r->err);
    LT_TRY(b->alloc(r->gpu->device, lo->scratch_bytes, &r->scratch, &r->err));
    LT_TRY(b->alloc(r->gpu->device, sizeof clear, &r->flag, &r->err));
    LT_TRY(b->write(r->gpu->device, r->flag, 0, clear, sizeof clear, &r->err));
    for (uint32_t k = 0; k < r->n_rooms; k++)
        LT_TRY(b->write(r->gpu->device, r->rooms[k].buffer, 0, r->rooms[k].bytes, r->rooms[k].size, &r->err));
    for (uint32_t i = 0; i < lo->n; i++) {
        const lt_gpu_launch *from = &lo->launches[i];
        launches[i] = (lathe_launch){.kernel = from->kernel,
                                     .n_buffers = from->n_args,
                                     .params = from->params,
                                     .params_bytes = from->params_bytes};
        for (uint32_t k = 0; k < from->n_args; k++) launches[i].buffers[k] = buffer_of(r, &from->args[k]);
        memcpy(launches[i].group, from->group, sizeof from->group);
        memcpy(launches[i].groups, from->groups, sizeof from->groups);
    }
    return submit(r, launches, lo->n);
}

/* ---- The reference, and the comparison ---- */

/* The same operands once more, for the reference. */
static bool copy_rooms(const run *r, room *copies)
{
    for (uint32_t k = 0; k < r->n_rooms; k++) {
        copies[k] = r->rooms[k];
        copies[k].bytes = lt_os_alloc(copies[k].size);
        if (!copies[k].bytes) return false;
        memcpy(copies[k].bytes, r->rooms[k].bytes, copies[k].size);
        copies[k].tensor.data = copies[k].bytes + copies[k].before;
    }
    return true;
}

static lathe_status run_step(run *r, const lt_step *step, const lt_tensor *in, const lt_tensor *out)
{
    const lt_op_info *info = lt_op_get(step->op);
    lt_type types[CASE_INPUTS];
    for (uint32_t k = 0; k < step->n_in; k++) types[k] = lt_tensor_type(&in[k]);
    lt_op_call call = {.op = step->op, .attrs = &step->attrs, .in = in, .out = out, .n_in = (int)step->n_in};
    size_t bytes = info->flags & LT_OP_SCRATCH ? info->scratch(&step->attrs, types, (int)step->n_in) : 0;
    call.scratch = lt_os_alloc(bytes + 64);
    lathe_status status = call.scratch ? info->ref(&call, &r->err) : LATHE_NO_MEMORY;
    lt_os_free(call.scratch);
    return status;
}

static lathe_status run_reference(run *r, room *copies, bool in_place)
{
    lt_tensor in[CASE_INPUTS], out[LT_MAX_OUTPUTS];
    for (uint32_t k = 0; k < r->n_in; k++) in[k] = copies[k].tensor;
    for (uint32_t k = 0; k < r->n_out; k++) out[k] = copies[r->n_in + k].tensor;
    if (in_place) out[0] = in[0];
    LT_TRY(run_step(r, &r->steps[0], in, out));
    if (!r->c->next) return LATHE_OK;
    for (uint32_t k = 0; k < r->steps[1].n_in; k++) in[k] = copies[r->next_args[k].index].tensor;
    return run_step(r, &r->steps[1], in, &copies[r->n_rooms - 1].tensor);
}

/* Two units of the result's last place, and what sums of that many terms in another order may differ by. */
static double allowance(const run *r, lt_dtype dtype, double expected, double largest)
{
    double unit = dtype == LATHE_BF16  ? 0x1p-8
                  : dtype == LATHE_F16 ? 0x1p-11
                  : dtype == LATHE_F64 ? 0x1p-50
                                       : 0x1p-22;
    double sum = dtype == LATHE_F64 ? 0x1p-52 : 0x1p-23;
    return 2 * unit * fabs(expected) + r->c->terms * sum * largest + (dtype == LATHE_F16 ? 0x1p-24 : 0);
}

static bool agrees(const run *r, lt_dtype dtype, double actual, double expected, double largest)
{
    if (isnan(expected)) return isnan(actual);
    if (isinf(expected) || !lt_dtype_is_float(dtype)) return !(actual < expected) && !(actual > expected);
    return fabs(actual - expected) <= allowance(r, dtype, expected, largest);
}

/* Where they agree the expected elements take the place of the actual ones: then all bytes must be equal. */
static bool compare(run *r, uint32_t k, const room *expected, char text[256])
{
    const room *actual = &r->rooms[k];
    lt_dtype dtype = actual->tensor.dtype;
    double largest = 1;
    int64_t n = lathe_tensor_count(&actual->tensor);
    for (int64_t i = 0; i < n; i++) {
        double value = fabs(lt_load_one(dtype, element(&expected->tensor, i)));
        if (isfinite(value) && value > largest) largest = value;
    }
    for (int64_t i = 0; i < n; i++) {
        double a = lt_load_one(dtype, element(&actual->tensor, i)),
               e = lt_load_one(dtype, element(&expected->tensor, i));
        if (!agrees(r, dtype, a, e, largest)) {
            snprintf(text, 256, "operand %u, element %lld: %.9g, expected %.9g", k, (long long)i, a, e);
            return false;
        }
        memcpy(element(&actual->tensor, i), element(&expected->tensor, i), lathe_dtype_size(dtype));
    }
    if (memcmp(actual->bytes, expected->bytes, actual->size) == 0) return true;
    snprintf(text, 256, "operand %u: bytes that are no elements of it were changed", k);
    return false;
}

static lt_outcome judge(run *r, const lt_gpu_lowering *lo, bool as_one, bool in_place, char text[256])
{
    room copies[ROOMS] = {{.bytes = NULL}};
    bool good =
        copy_rooms(r, copies) && run_reference(r, copies, in_place) == LATHE_OK && launch(r, lo) == LATHE_OK;
    if (!good) snprintf(text, 256, "%.250s", r->err.message);
    for (uint32_t k = 0; k < r->n_rooms && good; k++) {
        if (as_one && k == r->n_in) memset(copies[k].bytes, FILL, copies[k].size); /* is not stored */
        good = compare(r, k, &copies[k], text);
    }
    for (uint32_t k = 0; k < r->n_rooms; k++) lt_os_free(copies[k].bytes);
    return good ? CASE_PASSED : CASE_FAILED;
}

static lt_outcome lower_and_judge(run *r, lt_layout layout, bool in_place, char text[256])
{
    lt_gpu_lowering lo = {.gpu = r->gpu, .arena = r->arena, .packing_of = packing_of, .packings = r};
    uint32_t n = r->c->next ? 2 : 1, done = 1;
    bool as_one = false;
    for (uint32_t i = 0; i < n && done; i += done) {
        if (lt_gpu_lower(&lo, &r->steps[i], n - i, &done, &r->err) != LATHE_OK) return CASE_FAILED;
        as_one = as_one || done == 2;
    }
    snprintf(text, 256, "%s", lo.why ? lo.why : "");
    if (!done) return CASE_DECLINED;
    snprintf(text, 256, "not computed as one with %s", lt_op_get(r->steps[1].op)->name);
    if (r->c->next && layout == LAYOUT_DENSE && !as_one) return CASE_FAILED;
    return judge(r, &lo, as_one, in_place, text);
}

lt_outcome lt_case_run(lt_gpu *gpu, const lt_case *c, lt_layout layout, bool in_place, uint64_t seed,
                       char text[256])
{
    run r = {.gpu = gpu, .c = c, .random = seed * 2 + 1};
    lt_outcome outcome = CASE_FAILED;
    if (lt_arena_create(&r.arena, &r.err) == LATHE_OK && make_operands(&r, layout, in_place) &&
        make_next(&r, layout))
        outcome = lower_and_judge(&r, layout, in_place, text);
    if (outcome == CASE_FAILED && r.err.code != LATHE_OK) snprintf(text, 256, "%.250s", r.err.message);
    free_all(&r);
    return outcome;
}
