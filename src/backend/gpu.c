/* Puts kernels together and lowers steps through the tables of the families. */
#include "backend/gpu.h"

#include <string.h>

#include "kernels/gpu/text.h"

static lathe_status gpu_init(lt_gpu *gpu, lathe_error *err)
{
    LT_TRY(lt_arena_create(&gpu->arena, err));
    gpu->kernel_of.arena = gpu->arena;
    return gpu->backend->open(gpu->index, &gpu->device, &gpu->info, err);
}

lathe_status lt_gpu_open(const lathe_backend *backend, uint32_t index, lt_gpu **out, lathe_error *err)
{
    *out = NULL;
    lt_gpu *gpu = lt_heap_alloc(1, sizeof *gpu);
    if (!gpu) return lt_out_of_memory(err, 1, sizeof *gpu);
    *gpu = (lt_gpu){.backend = backend, .index = index};
    lathe_status status = gpu_init(gpu, err);
    if (status == LATHE_OK) *out = gpu;
    else lt_gpu_close(gpu);
    return status;
}

void lt_gpu_close(lt_gpu *gpu)
{
    if (!gpu) return;
    if (gpu->device) gpu->backend->close(gpu->device);
    lt_arena_destroy(gpu->arena);
    lt_heap_free(gpu);
}

/* ---- What lowerings are made with ---- */

bool lt_gpu_decline(lt_gpu_lowering *lo, const char *why)
{
    lo->why = why;
    return false;
}

const char *lt_gpu_dtype(lt_dtype dtype) { return lathe_dtype_name(dtype); }

const char *lt_gpu_class(lt_dtype dtype)
{
    return dtype == LATHE_F64 ? "f64" : lt_dtype_is_float(dtype) ? "f32" : "i64";
}

bool lt_gpu_has(const lt_gpu *gpu, lt_dtype dtype)
{
    return dtype != LATHE_F64 || (gpu->info.features & LATHE_DEVICE_F64);
}

uint32_t lt_gpu_group(const lt_gpu *gpu) { return gpu->info.max_group < 128 ? gpu->info.max_group : 128; }

uint32_t lt_gpu_team(const lt_gpu *gpu)
{
    return gpu->info.features & LATHE_DEVICE_SERIAL ? 1 : lt_gpu_group(gpu);
}

static lathe_status assemble(lt_gpu *gpu, const char *key, const char *file, const char *body,
                             const char *entry, const char *defines, lt_text *text, const lathe_kernel **out,
                             lathe_error *err)
{
    lathe_kernel *kernel;
    bool doubles = lt_gpu_has(gpu, LATHE_F64);
    lt_text_printf(text, "%s\n", gpu->backend->dialect());
    if (doubles) lt_text_printf(text, "#define LT_F64 1\n");
    lt_text_printf(text, "#define LT_ONLY_%s 1\n", entry); /* texts of several kernels show one */
    const char *parts[] = {defines, lt_gpu_text_get("params.h"), lt_gpu_text_get("common.k")};
    for (size_t i = 0; i < LT_COUNT(parts); i++) lt_text_append(text, parts[i], strlen(parts[i]));
    if (body) {
        lt_gpu_append_functions(text, doubles);
        lt_text_append(text, body, strlen(body));
    }
    if (file) lt_text_printf(text, "%s", lt_gpu_text_get(file));
    LT_TRY(lt_text_status(text, err));
    LT_ALLOC(gpu->arena, kernel, 1, err);
    kernel->entry = lt_arena_strdup(gpu->arena, entry);
    kernel->source = lt_arena_strdup(gpu->arena, text->data);
    if (!kernel->entry || !kernel->source) return lt_out_of_memory(err, text->length, 1);
    LT_GROW(gpu->arena, gpu->kernels, gpu->n_kernels, gpu->cap_kernels, err);
    LT_TRY(lt_map_put(&gpu->kernel_of, key, gpu->n_kernels, err));
    gpu->kernels[gpu->n_kernels++] = *out = kernel;
    return LATHE_OK;
}

const lathe_kernel *lt_gpu_kernel(lt_gpu_lowering *lo, const char *file, const char *body, const char *entry,
                                  const char *defines)
{
    if (lo->status != LATHE_OK) return NULL;
    lt_gpu *gpu = lo->gpu;
    const lathe_kernel *kernel = NULL;
    lt_text key = {0}, source = {0};
    lt_text_printf(&key, "%s %s %s%s", file ? file : "", entry, defines, body ? body : "");
    lo->status = lt_text_status(&key, lo->err);
    uint32_t known = lo->status == LATHE_OK ? lt_map_get(&gpu->kernel_of, key.data) : LT_NONE;
    if (known != LT_NONE) kernel = gpu->kernels[known];
    else if (lo->status == LATHE_OK)
        lo->status = assemble(gpu, key.data, file, body, entry, defines, &source, &kernel, lo->err);
    lt_text_free(&source);
    lt_text_free(&key);
    return kernel;
}

static lathe_status emit(lt_gpu_lowering *lo, const lathe_kernel *kernel, const void *params,
                         size_t params_bytes, lt_gpu_launch **out)
{
    LT_GROW(lo->arena, lo->launches, lo->n, lo->capacity, lo->err);
    lt_gpu_launch *launch = &lo->launches[lo->n];
    *launch = (lt_gpu_launch){.kernel = kernel,
                              .params_bytes = (uint32_t)params_bytes,
                              .step = lo->step,
                              .group = {1, 1, 1},
                              .groups = {1, 1, 1}};
    char *copy;
    LT_ALLOC(lo->arena, copy, params_bytes, lo->err);
    memcpy(copy, params, params_bytes);
    launch->params = copy;
    lo->n++;
    *out = launch;
    return LATHE_OK;
}

lt_gpu_launch *lt_gpu_emit(lt_gpu_lowering *lo, const lathe_kernel *kernel, const void *params,
                           size_t params_bytes)
{
    lt_gpu_launch *launch = NULL;
    lt_assert(params_bytes <= LATHE_MAX_PARAMS);
    if (lo->status == LATHE_OK) lo->status = emit(lo, kernel, params, params_bytes, &launch);
    return launch;
}

void lt_gpu_arg(lt_gpu_launch *launch, const lt_operand *operand)
{
    if (!launch) return;
    lt_assert(launch->n_args < LATHE_MAX_BUFFERS);
    launch->args[launch->n_args++] = *operand;
}

/* Of an operand in the arena: it is no part of that, but the flag. */
#define FLAG_INDEX UINT32_MAX

bool lt_gpu_is_flag(const lt_operand *operand)
{
    return operand->kind == LT_BUFFER_ARENA && operand->index == FLAG_INDEX;
}

void lt_gpu_flag_arg(lt_gpu_launch *launch)
{
    lt_gpu_arg(launch, &(lt_operand){.kind = LT_BUFFER_ARENA, .index = FLAG_INDEX});
}

int lt_gpu_flag_value(const lt_gpu_lowering *lo)
{
    return lo->source < INT32_MAX ? (int)lo->source + 1 : INT32_MAX;
}

bool lt_gpu_grid(lt_gpu_launch *launch, int64_t items, uint32_t group)
{
    if (items > INT32_MAX - (int64_t)group) return false;
    if (!launch) return true;
    launch->group[0] = group;
    launch->groups[0] = (uint32_t)((items + group - 1) / group);
    return true;
}

lt_operand lt_gpu_scratch(lt_gpu_lowering *lo, const lt_type *type)
{
    lt_operand operand = {.kind = LT_BUFFER_ARENA, .tensor = lt_tensor_of(type, NULL)};
    operand.offset = (int64_t)(lo->scratch_base + lo->scratch_used);
    lo->scratch_used += (lt_type_bytes(type) + 63) / 64 * 64;
    if (lo->scratch_used > lo->scratch_bytes) lo->scratch_bytes = lo->scratch_used;
    return operand;
}

bool lt_gpu_offset(const lt_operand *operand, int *offset)
{
    int64_t elements = operand->offset / (int64_t)lathe_dtype_size(operand->tensor.dtype);
    *offset = (int)elements;
    return elements >= 0 && elements <= INT32_MAX;
}

bool lt_gpu_view(const lt_operand *operand, int rank, const int64_t *dim, lt_view *view)
{
    const lt_tensor *t = &operand->tensor;
    int missing = rank - t->rank;
    if (!lt_gpu_offset(operand, &view->offset) || rank > LT_DIMS || missing < 0) return false;
    int64_t low = view->offset, high = view->offset;
    for (int i = 0; i < rank; i++) {
        int64_t stride =
            i < missing || (t->dim[i - missing] == 1 && dim[i] != 1) ? 0 : t->stride[i - missing];
        int64_t reach = dim[i] > 0 ? stride * (dim[i] - 1) : 0;
        if (stride > INT32_MAX || stride < INT32_MIN) return false;
        *(reach < 0 ? &low : &high) += reach;
        view->stride[i] = (int)stride;
    }
    return low >= 0 && high <= INT32_MAX;
}

/* ---- Steps ---- */

static const lt_gpu_row *const families[] = {
#define X(family) lt_gpu_##family##_rows,
    LT_GPU_FAMILIES(X)
#undef X
};

static lt_gpu_lower_step find_lowering(lt_op op)
{
    if (lt_op_get(op)->flags & LT_OP_ELEMENTWISE) op = LT_OP_CHAIN;
    for (size_t f = 0; f < LT_COUNT(families); f++)
        for (const lt_gpu_row *row = families[f]; row->lower; row++)
            if (row->op == op) return row->lower;
    return NULL;
}

bool lt_gpu_has_lowering(lt_op op) { return find_lowering(op) != NULL; }

/* Sizes that kernels count in 32 bits, and types that the device computes in. */
static bool fits_device(lt_gpu_lowering *lo, const lt_step *step)
{
    for (uint32_t i = 0; i < step->n_in + step->n_out; i++) {
        if (lathe_tensor_count(&step->args[i].tensor) > INT32_MAX)
            return lt_gpu_decline(lo, "a tensor of 2^31 elements or more");
        if (!lt_gpu_has(lo->gpu, step->args[i].tensor.dtype))
            return lt_gpu_decline(lo, "float64, which the device does not compute in");
    }
    return true;
}

lathe_status lt_gpu_lower(lt_gpu_lowering *lo, const lt_step *steps, uint32_t n, uint32_t *done,
                          lathe_error *err)
{
    const lt_step *step = steps;
    uint32_t first = lo->n;
    lt_gpu_lower_step lower = find_lowering(step->op);
    lo->err = err;
    lo->source = step->source;
    lo->scratch_used = 0;
    lo->why = lower ? "types, sizes or attributes that no kernel takes" : "an operator without kernels";
    lo->next = step->with_next && n > 1 && fits_device(lo, &steps[1]) ? &steps[1] : NULL;
    lo->took_next = false;
    bool lowered = lower && fits_device(lo, step) && lower(lo, step);
    if (!lowered) lo->n = first;
    *done = !lowered ? 0 : lo->took_next ? 2 : 1;
    return lo->status;
}

lathe_status lt_gpu_takes(lt_gpu *gpu, lt_arena *arena, lt_op op, const lt_attrs *attrs, const lt_type *in,
                          uint32_t n_in, const lt_type *out, const char **why, bool *takes, lathe_error *err)
{
    lt_gpu_lowering lo = {.gpu = gpu, .arena = arena};
    lt_step step = {.op = op, .n_in = n_in, .n_out = lt_op_get(op)->n_out, .attrs = *attrs};
    LT_ALLOC(arena, step.args, n_in + step.n_out, err);
    for (uint32_t k = 0; k < n_in + step.n_out; k++)
        step.args[k] = (lt_operand){.kind = k < n_in ? LT_BUFFER_INPUT : LT_BUFFER_OUTPUT,
                                    .index = k,
                                    .tensor = lt_tensor_of(k < n_in ? &in[k] : &out[k - n_in], NULL)};
    uint32_t done;
    LT_TRY(lt_gpu_lower(&lo, &step, 1, &done, err));
    *takes = done > 0;
    *why = *takes ? "" : lo.why;
    return LATHE_OK;
}
