/* Writes the kernels that models need in some dialect into a folder, a file for each, without a device.
 * Usage: record DIALECT FOLDER FILE.pt2... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/gpu.h"
#include "backend/registry.h"
#include "base/os.h"
#include "base/str.h"
#include "kernels/gpu/text.h"

enum { PATH = 4096 };

static const char *dialect_file, *folder;
static unsigned features, n_kernels;
static uint32_t local_bytes;

static void stop(const char *what, const char *name)
{
    fprintf(stderr, "record: %s: %s\n", name, what);
    exit(1);
}

/* ---- A device that takes everything ---- */

static const char *record_dialect(void) { return lt_gpu_text_get(dialect_file); }

static lathe_status record_open(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    LT_TRY(lt_backend_null.open(index, out, info, err));
    info->features = LATHE_DEVICE_DRY | features;
    info->local_bytes = local_bytes;
    return LATHE_OK;
}

static void write_kernel(const lathe_kernel *kernel)
{
    char path[PATH];
    FILE *file;
    uint64_t hash = lt_hash(kernel->source, strlen(kernel->source), NULL);
    snprintf(path, sizeof path, "%s/%s_%016llx.k", folder, kernel->entry, (unsigned long long)hash);
    file = fopen(path, "r");
    if (file) {
        fclose(file);
        return;
    }
    if (lt_file_write(path, kernel->source, strlen(kernel->source), NULL) != LATHE_OK)
        stop("cannot write", path);
    n_kernels++;
}

static lathe_status record_prepare(lathe_device *device, const lathe_launch *launches, uint32_t n,
                                   lathe_batch **out, lathe_error *err)
{
    for (uint32_t i = 0; i < n; i++) write_kernel(launches[i].kernel);
    return lt_backend_null.prepare(device, launches, n, out, err);
}

/* ---- Models ---- */

static lathe_status set_inputs(lathe_model *model, lathe_session *session, lathe_tensors *golden,
                               lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        char name[32];
        lathe_tensor tensor;
        lathe_value_info info;
        int found;
        snprintf(name, sizeof name, "input.%zu", i);
        LT_TRY(lathe_model_input(model, i, &info, err));
        LT_TRY(lathe_tensors_get(golden, name, &tensor, &found, err));
        if (info.rank >= 0 && found) LT_TRY(lathe_session_set_input(session, i, &tensor, err));
    }
    return LATHE_OK;
}

/* What a graph of the file is on the device, where it takes everything that it can. */
static lathe_status run_model(lathe_model *model, lathe_tensors *golden, const lathe_backend *backend,
                              lathe_error *err)
{
    const lathe_backend *const backends[] = {backend, NULL};
    const lathe_session_options options = {
        .placement = {.device = "record", .keep_islands = 1, .backends = backends}};
    lathe_session *session;
    LT_TRY(lathe_session_create(model, &options, &session, err));
    lathe_status status = set_inputs(model, session, golden, err);
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    lathe_session_close(session);
    return status;
}

/* FILE.pt2, or FILE.core.pt2, has its inputs in FILE.safetensors. A run on no device may end anyhow: with
 * nothing computed, checks of values fail. */
static void record_file(const char *file, const lathe_backend *backend)
{
    char path[PATH];
    lathe_error err;
    lathe_model *model = NULL;
    lathe_tensors *golden = NULL;
    int length = (int)strlen(file) - (lt_str_ends_with(file, ".core.pt2") ? 9 : 4);
    snprintf(path, sizeof path, "%.*s.safetensors", length, file);
    if (lathe_model_open(file, &model, &err) != LATHE_OK ||
        lathe_tensors_open(path, &golden, &err) != LATHE_OK)
        stop(err.message, file);
    if (run_model(model, golden, backend, &err) == LATHE_INTERNAL) stop(err.message, file);
    lathe_tensors_close(golden);
    lathe_model_close(model);
}

/* ---- Products that small models have none of ---- */

static const struct {
    lt_dtype dtype;
    int64_t m, n, k;
    bool across; /* b is dense along its columns */
} products[] = {
    {LATHE_BF16, 1, 1536, 1536, false},   {LATHE_BF16, 1, 8960, 1536, false},
    {LATHE_BF16, 8, 1536, 1536, false},   {LATHE_F32, 1, 1536, 1536, false},
    {LATHE_BF16, 512, 8960, 1536, false}, {LATHE_BF16, 512, 1536, 8960, true},
    {LATHE_F16, 512, 1536, 1536, false},  {LATHE_F16, 48, 1536, 1536, true},
};

static lathe_status lower_products(lt_gpu *gpu, lathe_error *err)
{
    for (size_t i = 0; i < LT_COUNT(products); i++) {
        lt_dtype dtype = products[i].dtype;
        int64_t m = products[i].m, n = products[i].n, k = products[i].k;
        lt_type out = {.dtype = dtype, .rank = 2, .dim = {m, n}}, in[2] = {out, out};
        lt_op op = products[i].across ? LT_OP_MATMUL : LT_OP_LINEAR;
        const char *why;
        bool takes;
        in[0].dim[1] = k;
        in[1].dim[0] = products[i].across ? k : n;
        in[1].dim[1] = products[i].across ? n : k;
        LT_TRY(lt_gpu_takes(gpu, gpu->arena, op, &(lt_attrs){0}, in, 2, &out, &why, &takes, err));
        if (!takes) stop(why, "a product");
    }
    return LATHE_OK;
}

/* Heads of 128 elements: one row of queries, and many. */
static lathe_status lower_attention(lt_gpu *gpu, lathe_error *err)
{
    static const int64_t lengths[] = {1, 512};
    for (size_t i = 0; i < LT_COUNT(lengths); i++) {
        lt_type q = {.dtype = LATHE_BF16, .rank = 4, .dim = {1, 12, lengths[i], 128}}, in[3] = {q, q, q};
        lt_attrs attrs = {.sdpa = {.scale = 0.088, .causal = i > 0, .rounded = LATHE_BF16}};
        const char *why;
        bool takes;
        for (int k = 1; k < 3; k++) {
            in[k].dim[1] = 2;
            in[k].dim[2] = 4096;
        }
        LT_TRY(lt_gpu_takes(gpu, gpu->arena, LT_OP_SDPA, &attrs, in, 3, &q, &why, &takes, err));
        if (!takes) stop(why, "attention");
    }
    return LATHE_OK;
}

static void record_products(const lathe_backend *backend)
{
    lathe_error err;
    lt_gpu *gpu;
    if (lt_gpu_open(backend, 0, &gpu, &err) != LATHE_OK || lower_products(gpu, &err) != LATHE_OK ||
        lower_attention(gpu, &err) != LATHE_OK)
        stop(err.message, "products");
    for (uint32_t i = 0; i < gpu->n_kernels; i++) write_kernel(gpu->kernels[i]);
    lt_gpu_close(gpu);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *file;
        unsigned features;
        uint32_t local_bytes;
    } dialects[] = {{"cuda", "dialect_cuda.h", LATHE_DEVICE_F64 | LATHE_DEVICE_FRAGMENTS, 48 << 10},
                    {"metal", "dialect_metal.h", LATHE_DEVICE_FRAGMENTS, 32 << 10}};
    lathe_backend backend = lt_backend_null;
    backend.name = "record";
    backend.dialect = record_dialect;
    backend.open = record_open;
    backend.prepare = record_prepare;
    for (size_t i = 0; argc > 3 && i < LT_COUNT(dialects); i++)
        if (strcmp(argv[1], dialects[i].name) == 0) {
            dialect_file = dialects[i].file;
            features = dialects[i].features;
            local_bytes = dialects[i].local_bytes;
        }
    if (!dialect_file) stop("expected cuda or metal, a folder and models", argc > 1 ? argv[1] : "nothing");
    folder = argv[2];
    record_products(&backend);
    for (int i = 3; i < argc; i++) record_file(argv[i], &backend);
    printf("%u kernels of %d models\n", n_kernels, argc - 3);
    return 0;
}
