/* What the commands that run a model have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

bool tool_add_weights(tool_weights *weights, const char *path)
{
    if (weights->n == TOOL_MAX_WEIGHTS) return false;
    weights->path[weights->n++] = path;
    return true;
}

bool tool_set_quantization(tool_weights *weights, const char *value)
{
    weights->quantization = strcmp(value, "int8") == 0   ? LATHE_QUANTIZE_INT8
                            : strcmp(value, "int4") == 0 ? LATHE_QUANTIZE_INT4
                                                         : LATHE_QUANTIZE_NONE;
    return weights->quantization != LATHE_QUANTIZE_NONE;
}

bool tool_set_activations(tool_weights *weights, const char *value)
{
    weights->activations = strcmp(value, "int8") == 0 ? 8 : strcmp(value, "int16") == 0 ? 16 : 0;
    return weights->activations != 0;
}

lathe_status tool_open_model(const char *path, const tool_weights *weights, lathe_model **out,
                             lathe_error *err)
{
    lathe_status status = lathe_model_open(path, out, err);
    for (int i = 0; i < weights->n && status == LATHE_OK; i++)
        status = lathe_model_add_weights(*out, weights->path[i], err);
    if (status == LATHE_OK && weights->random)
        status = lathe_model_randomize_weights(*out, weights->seed, err);
    if (status == LATHE_OK && weights->quantization)
        status = lathe_model_quantize(*out, weights->quantization, err);
    if (status == LATHE_OK) return status;
    lathe_model_close(*out);
    *out = NULL;
    return status;
}

static bool begins_with(const char *path, const char *magic)
{
    char head[8] = {0};
    size_t size = strlen(magic);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t got = fread(head, 1, size, file);
    fclose(file);
    return got == size && memcmp(head, magic, size) == 0;
}

bool tool_find_tokenizer(const char *given, const char *model, const tool_weights *weights,
                         char out[TOOL_PATH_BYTES])
{
    for (int i = 0; i < weights->n && !given; i++)
        if (begins_with(weights->path[i], "GGUF")) given = weights->path[i];
    if (!given && begins_with(model, "\x93LATHE")) given = model;
    const char *slash = strrchr(model, '/');
    if (given) snprintf(out, TOOL_PATH_BYTES, "%s", given);
    else snprintf(out, TOOL_PATH_BYTES, "%.*stokenizer.json", slash ? (int)(slash + 1 - model) : 0, model);
    return given || access(out, R_OK) == 0;
}

lathe_status tool_set_zero_inputs(lathe_model *model, lathe_session *session, lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        lathe_status status = lathe_model_input(model, i, &info, err);
        if (status != LATHE_OK) return status;
        if (info.rank < 0) continue;
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = 1;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, NULL);
        tensor.data = calloc((size_t)lathe_tensor_count(&tensor) + 1, lathe_dtype_size(info.dtype));
        if (tensor.data) status = lathe_session_set_input(session, i, &tensor, err);
        free(tensor.data);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

void tool_sibling(const char *file, const char *suffix, char path[TOOL_PATH_BYTES])
{
    static const char *const suffixes[] = {".pt2", ".json", ".lathe", ".core"};
    int length = (int)strlen(file);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        int n = (int)strlen(suffixes[i]);
        if (length > n && strncmp(file + length - n, suffixes[i], (size_t)n) == 0) length -= n;
    }
    snprintf(path, TOOL_PATH_BYTES, "%.*s%s", length, file, suffix);
}

lathe_status tool_recorded_input(lathe_model *model, lathe_tensors *file, size_t i, lathe_tensor *out,
                                 lathe_error *err)
{
    char name[32];
    lathe_value_info info;
    int found = 0;
    snprintf(name, sizeof name, "input.%zu", i);
    lathe_status status = lathe_model_input(model, i, &info, err);
    if (status == LATHE_OK) status = lathe_tensors_get(file, name, out, &found, err);
    if (!found || info.rank < 0) out->rank = -1;
    return status;
}
