/* libcuda for tests: checks the order, sizes and lifetimes of calls, and runs launches on the CPU. Here:
 * devices, memory and modules. */
#include "cuda_objects.h"

/* ---- Driver and devices ---- */

EXPORT CUresult cuDriverGetVersion(int *version)
{
    *version = STANDIN_CUDA_VERSION;
    return CUDA_SUCCESS;
}

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {{CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
              {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
              {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
              {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
              {STANDIN_LOST, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}};

static CUresult error_text(CUresult code, const char **out, int whole)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *out = whole ? errors[i].text : errors[i].name;
            return CUDA_SUCCESS;
        }
    *out = NULL;
    return CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGetErrorName(CUresult code, const char **out) { return error_text(code, out, 0); }
EXPORT CUresult cuGetErrorString(CUresult code, const char **out) { return error_text(code, out, 1); }

EXPORT CUresult cuDeviceGetCount(int *n)
{
    BEGIN(0);
    *n = DEVICES;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *out, int index)
{
    BEGIN(0);
    *out = 100 + index; /* not the index itself */
    return index >= 0 && index < DEVICES ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuDeviceGetName(char *out, int bytes, CUdevice device)
{
    BEGIN(0);
    cu_check_device(device, __func__);
    snprintf(out, (size_t)bytes, "stand-in %d", device - 100);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *out, int what, CUdevice device)
{
    BEGIN(0);
    cu_check_device(device, __func__);
    switch (what) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *out = MAX_GROUP; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *out = LOCAL_BYTES; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *out = 32; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *out = cu_capability() / 10; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *out = cu_capability() % 10; return CUDA_SUCCESS;
    default: standin_violation("%s: attribute %d", __func__, what);
    }
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    BEGIN(0);
    cu_check_device(device, __func__);
    *bytes = STANDIN_MEMORY;
    return CUDA_SUCCESS;
}

/* ---- Memory ---- */

static object *make_memory(kind of, size_t bytes)
{
    object *o = cu_make(of, sizeof *o);
    o->memory = standin_alloc(bytes);
    o->bytes = bytes;
    return o;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
    BEGIN(1);
    cu_check_not_capturing(__func__);
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    if (bytes > STANDIN_MEMORY) return CUDA_ERROR_OUT_OF_MEMORY;
    *out = (CUdeviceptr)make_memory(DEVICE_MEMORY, bytes)->memory;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemHostAlloc(void **out, size_t bytes, unsigned flags)
{
    BEGIN(1);
    cu_check_not_capturing(__func__);
    if (!bytes || flags) return CUDA_ERROR_INVALID_VALUE;
    *out = make_memory(HOST_MEMORY, bytes)->memory;
    return CUDA_SUCCESS;
}

static CUresult free_memory(void *memory, kind of, const char *function)
{
    object *o = cu_find_memory(memory, of);
    if (!o || o->memory != memory)
        standin_violation("%s: not the beginning of %s", function, cu_kind_names[of]);
    cu_check(o, of, function);
    cu_check_not_capturing(function);
    cu_run_all();
    standin_free(o->memory);
    o->memory = NULL;
    o->alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr memory)
{
    BEGIN(1);
    return free_memory((void *)memory, DEVICE_MEMORY, __func__);
}

EXPORT CUresult cuMemFreeHost(void *memory)
{
    BEGIN(1);
    return free_memory(memory, HOST_MEMORY, __func__);
}

/* ---- Modules ---- */

EXPORT CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned n_options, int *options,
                                   void **values)
{
    char arch[32], path[STANDIN_PATH];
    (void)options, (void)values, (void)n_options;
    BEGIN(1);
    cu_check_not_capturing(__func__);
    int own = cu_capability(), scanned = sscanf(image, STANDIN_CODE_MAGIC "%31s %1023s", arch, path);
    const char *number = scanned == 2 ? strchr(arch, '_') : NULL;
    int of = number ? atoi(number + 1) : 0;
    standin_code *code = of && (arch[0] == 's' ? of == own : of <= own) ? standin_load(path) : NULL;
    if (!code) return CUDA_ERROR_INVALID_IMAGE;
    *out = cu_make(MODULE, sizeof **out);
    (*out)->code = code;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleUnload(CUmodule module)
{
    BEGIN(1);
    cu_check(module, MODULE, __func__);
    cu_check_not_capturing(__func__);
    for (object *o = cu_objects; o; o = o->next) {
        if (o->kind == STREAM && o->alive && ((CUstream)o)->queue.n)
            standin_violation("%s: work is not done", __func__);
        if (o->kind == FUNCTION && ((CUfunction)o)->module == module) o->alive = 0;
    }
    standin_unload(module->code);
    module->base.alive = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *out, CUmodule module, const char *name)
{
    BEGIN(1);
    cu_check(module, MODULE, __func__);
    const standin_entry *entry = standin_find(module->code, name);
    if (!entry) return CUDA_ERROR_NOT_FOUND;
    if ((size_t)(entry->local_end - entry->local) > LOCAL_BYTES)
        standin_violation("%s: '%s' wants more shared memory than a group has", __func__, name);
    *out = cu_make(FUNCTION, sizeof **out);
    (*out)->module = module;
    (*out)->entry = entry;
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncGetAttribute(int *out, int what, CUfunction function)
{
    BEGIN(1);
    cu_check(function, FUNCTION, __func__);
    if (what != CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        standin_violation("%s: attribute %d", __func__, what);
    *out = MAX_GROUP;
    return CUDA_SUCCESS;
}
