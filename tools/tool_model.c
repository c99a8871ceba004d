/* What the commands that run a model have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL_STRUCT tool_weights
#include "tool.h"

const tool_option tool_weights_options[] = {
    {"--weights F", TOOL_TEXTS(files),
     "weights file: safetensors, an index of shards, or GGUF; may be repeated"},
    {0},
};

const tool_option tool_random_options[] = {
    {"--random-weights", TOOL_FLAG(random), "random weights for those that MODEL has no bytes for"},
    {0},
};

static const tool_word quantize_words[] = {{"int8", LATHE_QUANTIZE_INT8}, {"int4", LATHE_QUANTIZE_INT4}, {0}};
static const tool_word activations_words[] = {{"int16", 16}, {"int8", 8}, {"16", 16}, {"8", 8}, {0}};

const tool_option tool_quantize_options[] = {
    {"--quantize TYPE", TOOL_CHOICE(quantization, quantize_words),
     "int8 or int4: quantise the matrices while loading"},
    {"--activations TYPE", TOOL_CHOICE(activations, activations_words),
     "int16 (default) or int8: what is multiplied with quantised weights"},
    {0},
};

const tool_word tool_kv_words[] = {{.name = "f32"}, {.name = "bf16"}, {.name = "f16"}, {.name = "int8"}, {0}};

const tool_option tool_kv_options[] = {
    {"--kv TYPE",
     {.kind = TOOL_KIND_WORD, .as.words = tool_kv_words},
     "store caches as f32, bf16, f16 or int8 (default: as the model does)"},
    {0},
};

static const tool_word optimize_words[] = {{"0", 1}, {"1", 2}, {"2", 3}, {0}};

const tool_option tool_optimize_options[] = {
    {"-O 0|1|2",
     {.kind = TOOL_KIND_CHOICE, .size = sizeof(int), .as.words = optimize_words},
     "what is optimised: nothing, simplification, all (default)"},
    {0},
};

const tool_option tool_threads_options[] = {
    {"-t, --threads N",
     {.kind = TOOL_KIND_INTEGER, .size = sizeof(int), .as.range = {1, 256}},
     "threads (default: all that the process may use)"},
    {0},
};

const tool_option tool_tokenizer_options[] = {
    {"--tokenizer F",
     {.kind = TOOL_KIND_TEXT},
     "tokenizer.json, a folder with one, or a GGUF file (default: the GGUF file among the weights, MODEL "
     "where it is a .lathe file, else a tokenizer.json beside MODEL)"},
    {0},
};

const tool_word tool_graph_words[] = {{"mermaid", LATHE_AS_MERMAID}, {"dot", LATHE_AS_DOT}, {0}};

bool tool_take_dim(void *to, const char *value)
{
    tool_dims *dims = to;
    const char *equals = strchr(value, '=');
    char *end;
    if (!equals || equals == value || dims->n == sizeof dims->dim / sizeof *dims->dim) return false;
    char *name = dims->name[dims->n];
    int length = snprintf(name, sizeof dims->name[0], "%.*s", (int)(equals - value), value);
    int64_t size = strtoll(equals + 1, &end, 10);
    dims->dim[dims->n++] = (lathe_dim){.name = name, .size = size};
    return end != equals + 1 && !*end && size >= 0 && (size_t)length < sizeof dims->name[0];
}

lathe_status tool_open_model(const char *path, const tool_weights *weights, lathe_model **out,
                             lathe_error *err)
{
    lathe_status status = lathe_model_open(path, out, err);
    for (int i = 0; i < weights->files.n && status == LATHE_OK; i++)
        status = lathe_model_add_weights(*out, weights->files.item[i], err);
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
    for (int i = 0; i < weights->files.n && !given; i++)
        if (begins_with(weights->files.item[i], "GGUF")) given = weights->files.item[i];
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
