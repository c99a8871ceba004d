/* What devices there are. */
#include <string.h>

#include "backend/registry.h"
#include "run/devices.h"

enum { PROBE_FLOATS = 1 << 24, PROBE_RUNS = 5 };

/* ---- Bandwidth: a copy from buffer to buffer, by lathe's own kernel ---- */

typedef struct lt_copy_probe {
    lt_gpu *gpu;
    lt_arena *arena;
    lathe_buffer *buffers[2];
    lathe_batch *batch;
} lt_copy_probe;

static lathe_status prepare_copy(lt_copy_probe *probe, lathe_error *err)
{
    lt_gpu *gpu = probe->gpu;
    lt_type type = lt_type_make(LATHE_F32, 1, (int64_t[]){PROBE_FLOATS});
    lt_operand args[2] = {{.kind = LT_BUFFER_INPUT, .tensor = lt_tensor_of(&type, NULL)},
                          {.kind = LT_BUFFER_OUTPUT, .tensor = lt_tensor_of(&type, NULL)}};
    lt_step step = {.op = LT_OP_COPY, .n_in = 1, .n_out = 1, .args = args};
    lt_gpu_lowering lo = {.gpu = gpu, .arena = probe->arena};
    uint32_t done;
    LT_TRY(lt_gpu_lower(&lo, &step, 1, &done, err));
    if (!done || lo.n != 1) LT_FAIL(err, DEVICE, "no kernel for copies");
    lathe_launch launch = {.kernel = lo.launches->kernel,
                           .n_buffers = 2,
                           .params = lo.launches->params,
                           .params_bytes = lo.launches->params_bytes};
    for (int i = 0; i < 3; i++) {
        launch.group[i] = lo.launches->group[i];
        launch.groups[i] = lo.launches->groups[i];
    }
    for (int i = 0; i < 2; i++) {
        LT_TRY(gpu->backend->alloc(gpu->device, PROBE_FLOATS * sizeof(float), &probe->buffers[i], err));
        launch.buffers[i] = probe->buffers[i];
    }
    return gpu->backend->prepare(gpu->device, &launch, 1, &probe->batch, err);
}

/* Bytes read and written each second. */
static lathe_status measure_copy(lt_copy_probe *probe, double *out, lathe_error *err)
{
    lt_gpu *gpu = probe->gpu;
    double best = 0;
    LT_TRY(prepare_copy(probe, err));
    for (int i = 0; i <= PROBE_RUNS; i++) { /* the first touches the memory */
        double start = lt_os_seconds();
        LT_TRY(gpu->backend->submit(gpu->device, probe->batch, err));
        LT_TRY(lt_devices_finish(gpu, err));
        double seconds = lt_os_seconds() - start;
        if (i == 1 || (i && seconds < best)) best = seconds;
    }
    *out = best > 0 ? 2 * PROBE_FLOATS * sizeof(float) / best : 0;
    return LATHE_OK;
}

static lathe_status device_bandwidth(lt_gpu *gpu, double *out, lathe_error *err)
{
    lt_copy_probe probe = {.gpu = gpu};
    LT_TRY(lt_arena_create(&probe.arena, err));
    lathe_status status = measure_copy(&probe, out, err);
    if (probe.batch) gpu->backend->release(gpu->device, probe.batch);
    for (int i = 0; i < 2; i++)
        if (probe.buffers[i]) gpu->backend->free(gpu->device, probe.buffers[i]);
    lt_arena_destroy(probe.arena);
    return status;
}

/* ---- Text ---- */

static void print_features(const lathe_device_info *info, lt_text *out)
{
    lt_text_printf(out, "  float64: %s; memory: %s; groups of %u items, %u kB shared by a group\n",
                   info->features & LATHE_DEVICE_F64 ? "yes" : "no, float64 runs on the CPU",
                   info->features & LATHE_DEVICE_SHARED ? "the host's, nothing is copied" : "its own",
                   info->max_group, info->local_bytes >> 10);
}

static void print_device(const lathe_backend *backend, uint32_t index, lt_text *out)
{
    lt_gpu *gpu;
    lathe_error err = {0};
    double bandwidth = 0;
    if (lt_gpu_open(backend, index, &gpu, &err) != LATHE_OK) {
        lt_text_printf(out, "%s:%u: %s\n", backend->name, index, err.message);
        return;
    }
    lt_text_printf(out, "%s:%u: %s, %s\n", backend->name, index, gpu->info.name, gpu->info.driver);
    if (gpu->info.memory_bytes)
        lt_text_printf(out, "  %.1f GB of memory", (double)gpu->info.memory_bytes / 1e9);
    if (gpu->info.features & LATHE_DEVICE_DRY)
        lt_text_printf(out, "  runs nothing: for measuring what planning costs");
    else if (device_bandwidth(gpu, &bandwidth, &err) == LATHE_OK)
        lt_text_printf(out, ", a copy moves %.1f GB/s", bandwidth / 1e9);
    else lt_text_printf(out, "; measuring failed: %s", err.message);
    lt_text_printf(out, "\n");
    print_features(&gpu->info, out);
    lt_gpu_close(gpu);
}

static void print_backend(const lathe_backend *backend, lt_text *out)
{
    uint32_t count = 0;
    const char *why = "";
    lathe_error err = {0};
    if (backend->enumerate(&count, &why, &err) != LATHE_OK) why = err.message;
    if (count == 0) lt_text_printf(out, "%s: none; %s\n", backend->name, why);
    for (uint32_t i = 0; i < count; i++) print_device(backend, i, out);
}

static void print_kernels(lt_text *out)
{
    lt_text_printf(out, "operators with kernels on devices besides the CPU: every formula of one element");
    for (int op = 0; op < LT_OP_COUNT; op++)
        if (!(lt_op_get((lt_op)op)->flags & (LT_OP_ELEMENTWISE | LT_OP_VIEW)) &&
            lt_gpu_has_lowering((lt_op)op))
            lt_text_printf(out, ", %s", lt_op_get((lt_op)op)->name);
    lt_text_printf(out, "\n");
}

lathe_status lathe_describe_devices(char **text, lathe_error *err)
{
    lathe_limits limits;
    lt_text out = {0};
    *text = NULL;
    LT_TRY(lathe_measure_limits(0, &limits, err));
    lt_text_printf(&out, "cpu: %s kernels, %d threads; reads %.1f GB/s, %.0f GFLOP/s\n", limits.level,
                   limits.threads, limits.read_bytes_per_second / 1e9, limits.flops_per_second / 1e9);
    lt_text_printf(&out, "ref: the plain references, one thread\n");
    for (const lathe_backend *const *backend = lt_backends; *backend; backend++)
        print_backend(*backend, &out);
    print_kernels(&out);
    lathe_status status = lt_text_status(&out, err);
    if (status == LATHE_OK) *text = out.data;
    else lt_text_free(&out);
    return status;
}
