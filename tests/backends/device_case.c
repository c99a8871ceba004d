/* Runs a step on a device and on the operator's reference, and compares every byte. */
#include "backends/device_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "ops/convert.h"

enum { GUARD = 64, FILL = 0xA5 };

/* An operand in memory of its own. */
typedef struct room {
    lt_tensor tensor; /* data: in `bytes` */
    unsigned char *bytes;
    size_t size;
    lathe_buffer *buffer;
} room;

typedef struct run {
    lt_gpu *gpu;
    const lt_case *c;
    uint32_t n_in, n_out;
    room rooms[CASE_INPUTS + LT_MAX_OUTPUTS];
    lt_operand args[CASE_INPUTS + LT_MAX_OUTPUTS];
    lt_arena *arena;
    lathe_buffer *scratch, *flag;
    uint64_t random;
    lathe_error err;
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

static void place_strides(lt_tensor *t, lt_layout layout)
{
    int64_t dim[LT_MAX_RANK];
    bool swaps = layout == LAYOUT_SWAPPED && t->rank >= 2;
    int last = t->rank - 1;
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
    for (int d = 0; d < t->rank && layout == LAYOUT_SPREAD; d++) t->stride[d] *= 2;
}

static bool make_room(run *r, room *to, const lt_type *type, lt_layout layout)
{
    to->tensor = lt_tensor_of(type, NULL);
    place_strides(&to->tensor, layout);
    int64_t span = 1;
    for (int d = 0; d < type->rank; d++)
        span += (type->dim[d] > 0 ? type->dim[d] - 1 : 0) * to->tensor.stride[d];
    to->size = 2 * GUARD + (size_t)span * lathe_dtype_size(type->dtype);
    to->bytes = lt_os_alloc(to->size);
    if (!to->bytes) return false;
    memset(to->bytes, FILL, to->size);
    to->tensor.data = to->bytes + GUARD;
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

static void fill(run *r, uint32_t k)
{
    const lt_tensor *t = &r->rooms[k].tensor;
    for (int64_t i = 0, n = lathe_tensor_count(t); i < n; i++) {
        double value = pick_value(r, t->dtype, r->c->below[k]);
        lt_store_f64(t->dtype, element(t, i), 0, 1, &value);
    }
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
        if (!make_room(r, &r->rooms[k], k < r->n_in ? &c->in[k] : &out[k - r->n_in], layout)) return false;
        if (k < r->n_in) fill(r, k);
        r->args[k] =
            (lt_operand){.kind = LT_BUFFER_INPUT, .index = k, .offset = GUARD, .tensor = r->rooms[k].tensor};
        r->args[k].tensor.data = NULL;
    }
    if (in_place) r->args[r->n_in] = r->args[0];
    return true;
}

static void free_buffer(run *r, lathe_buffer *buffer)
{
    if (buffer) r->gpu->backend->free(r->gpu->device, buffer);
}

static void free_all(run *r)
{
    for (uint32_t k = 0; k < r->n_in + r->n_out; k++) {
        free_buffer(r, r->rooms[k].buffer);
        lt_os_free(r->rooms[k].bytes);
    }
    free_buffer(r, r->scratch);
    free_buffer(r, r->flag);
    lt_arena_destroy(r->arena);
}

/* ---- On the device ---- */

static lathe_buffer *buffer_of(const run *r, const lt_operand *operand)
{
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
    for (uint32_t k = 0; k < r->n_in + r->n_out && status == LATHE_OK; k++)
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
    for (uint32_t k = 0; k < r->n_in + r->n_out; k++)
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
    for (uint32_t k = 0; k < r->n_in + r->n_out; k++) {
        copies[k] = r->rooms[k];
        copies[k].bytes = lt_os_alloc(copies[k].size);
        if (!copies[k].bytes) return false;
        memcpy(copies[k].bytes, r->rooms[k].bytes, copies[k].size);
        copies[k].tensor.data = copies[k].bytes + GUARD;
    }
    return true;
}

static lathe_status run_reference(run *r, room *copies, bool in_place)
{
    const lt_op_info *info = lt_op_get(r->c->op);
    lt_tensor in[CASE_INPUTS], out[LT_MAX_OUTPUTS];
    for (uint32_t k = 0; k < r->n_in; k++) in[k] = copies[k].tensor;
    for (uint32_t k = 0; k < r->n_out; k++) out[k] = copies[r->n_in + k].tensor;
    if (in_place) out[0] = in[0];
    lt_op_call call = {.op = r->c->op, .attrs = &r->c->attrs, .in = in, .out = out, .n_in = (int)r->n_in};
    size_t bytes = info->flags & LT_OP_SCRATCH ? info->scratch(&r->c->attrs, r->c->in, (int)r->n_in) : 0;
    call.scratch = lt_os_alloc(bytes + 64);
    lathe_status status = call.scratch ? info->ref(&call, &r->err) : LATHE_NO_MEMORY;
    lt_os_free(call.scratch);
    return status;
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

static lt_outcome judge(run *r, const lt_gpu_lowering *lo, bool in_place, char text[256])
{
    room copies[CASE_INPUTS + LT_MAX_OUTPUTS] = {{{0}, NULL, 0, NULL}};
    bool good =
        copy_rooms(r, copies) && run_reference(r, copies, in_place) == LATHE_OK && launch(r, lo) == LATHE_OK;
    if (!good) snprintf(text, 256, "%.250s", r->err.message);
    for (uint32_t k = 0; k < r->n_in + r->n_out && good; k++) good = compare(r, k, &copies[k], text);
    for (uint32_t k = 0; k < r->n_in + r->n_out; k++) lt_os_free(copies[k].bytes);
    return good ? CASE_PASSED : CASE_FAILED;
}

lt_outcome lt_case_run(lt_gpu *gpu, const lt_case *c, lt_layout layout, bool in_place, uint64_t seed,
                       char text[256])
{
    run r = {.gpu = gpu, .c = c, .random = seed * 2 + 1};
    bool done = false;
    lt_outcome outcome = CASE_FAILED;
    if (lt_arena_create(&r.arena, &r.err) == LATHE_OK && make_operands(&r, layout, in_place)) {
        lt_gpu_lowering lo = {.gpu = gpu, .arena = r.arena};
        lt_step step = {.op = c->op, .n_in = r.n_in, .n_out = r.n_out, .args = r.args, .attrs = c->attrs};
        lathe_status status = lt_gpu_lower(&lo, &step, &done, &r.err);
        snprintf(text, 256, "%s", lo.why ? lo.why : "");
        if (status == LATHE_OK) outcome = done ? judge(&r, &lo, in_place, text) : CASE_DECLINED;
    }
    if (outcome == CASE_FAILED && r.err.code != LATHE_OK) snprintf(text, 256, "%.250s", r.err.message);
    free_all(&r);
    return outcome;
}
