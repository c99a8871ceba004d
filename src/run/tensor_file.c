/* The public side of tensor files. */
#include <string.h>

#include "load/npy.h"
#include "load/safetensors.h"
#include "ops/convert.h"

struct lathe_tensors {
    lt_arena *arena;
    lt_file file;
    lt_safetensors *tensors; /* NULL: a .npy file */
    lt_tensor array;         /* .npy */
};

static bool is_npy(const lt_file *file) { return file->size >= 6 && memcmp(file->data, "\x93NUMPY", 6) == 0; }

static lathe_status open_file(lathe_tensors *file, const char *path, lathe_error *err)
{
    LT_TRY(lt_arena_create(&file->arena, err));
    LT_TRY(lt_file_open(path, &file->file, err));
    const char *what = lt_arena_strdup(file->arena, path);
    if (!what) return lt_out_of_memory(err, 1, 1);
    if (is_npy(&file->file)) return lt_npy_open(&file->file, what, file->arena, &file->array, err);
    return lt_safetensors_open(&file->file, what, file->arena, &file->tensors, err);
}

lathe_status lathe_tensors_open(const char *path, lathe_tensors **out, lathe_error *err)
{
    *out = NULL;
    lathe_tensors *file = lt_heap_alloc(1, sizeof *file);
    if (!file) return lt_out_of_memory(err, 1, sizeof *file);
    lathe_status status = open_file(file, path, err);
    if (status == LATHE_OK) *out = file;
    else lathe_tensors_close(file);
    return status;
}

void lathe_tensors_close(lathe_tensors *file)
{
    if (!file) return;
    lt_file_close(&file->file);
    lt_arena_destroy(file->arena);
    lt_heap_free(file);
}

size_t lathe_tensors_count(const lathe_tensors *file) { return file->tensors ? file->tensors->count : 1; }

const char *lathe_tensors_name(const lathe_tensors *file, size_t index)
{
    if (index >= lathe_tensors_count(file)) return NULL;
    return file->tensors ? file->tensors->entries[index].name : "";
}

lathe_status lathe_tensors_at(lathe_tensors *file, size_t index, lathe_tensor *out, lathe_error *err)
{
    size_t n = lathe_tensors_count(file);
    if (index >= n) LT_FAIL(err, INVALID_ARGUMENT, "there is no tensor %zu: the file has %zu", index, n);
    if (file->tensors) return lt_safetensors_tensor(file->tensors, (uint32_t)index, file->arena, out, err);
    *out = file->array;
    return LATHE_OK;
}

lathe_status lathe_tensors_get(lathe_tensors *file, const char *name, lathe_tensor *out, int *found,
                               lathe_error *err)
{
    uint32_t index = file->tensors ? lt_safetensors_find(file->tensors, name) : *name ? LT_NONE : 0;
    *found = index != LT_NONE;
    return *found ? lathe_tensors_at(file, index, out, err) : LATHE_OK;
}

lathe_status lathe_tensors_write(const char *path, const char *const *names, const lathe_tensor *tensors,
                                 size_t count, lathe_error *err)
{
    return lt_safetensors_write(path, names, tensors, count, err);
}

lathe_status lathe_npy_write(const char *path, const lathe_tensor *tensor, lathe_error *err)
{
    return lt_npy_write(path, tensor, err);
}

double lathe_tensor_value(const lathe_tensor *tensor, int64_t position)
{
    int64_t at = 0;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        at += position % tensor->dim[i] * tensor->stride[i];
        position /= tensor->dim[i];
    }
    return lt_load_one(tensor->dtype,
                       (const char *)tensor->data + at * (int64_t)lathe_dtype_size(tensor->dtype));
}
