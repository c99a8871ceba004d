/* Signatures of the files that people take for models. */
#include "load/sniff.h"

#include <string.h>

#include "load/lathe_file.h"

#define WEIGHTS_ONLY \
    "it holds weights and no graph: give the exported graph (.pt2) as the model, and this with --weights"
#define EXPORT "export the model from PyTorch with torch.export.export and torch.export.save"

static const struct {
    size_t offset, length;
    const char *bytes, *what;
} others[] = {
    {0, 4, "GGUF", "a GGUF file: " WEIGHTS_ONLY},
    {8, 1, "{", "a safetensors file: " WEIGHTS_ONLY},
    {0, 1, "\x80", "a Python pickle, which is never opened: " EXPORT},
    {0, 1, "\x08", "an ONNX model, or another protocol buffer: " EXPORT},
    {4, 4, "TFL3", "a TensorFlow Lite model: " EXPORT},
    {4, 2, "ET", "an ExecuTorch program: " EXPORT},
    {0, 4, "\x89HDF", "an HDF5 file: " EXPORT},
    {0, 2, "\x1f\x8b", "a gzip file: unpack it first"},
    {0, 7, "version", "a Git LFS pointer in place of the file: fetch it with git lfs pull"},
    {257, 5, "ustar", "a tar archive: unpack it first"},
};

static bool has(const lt_file *file, size_t offset, const char *bytes, size_t length)
{
    return file->size >= offset + length && memcmp(file->data + offset, bytes, length) == 0;
}

lathe_status lt_sniff_model(const lt_file *file, lt_model_format *out, lathe_error *err)
{
    size_t at = 0;
    while (at < file->size && (file->data[at] == ' ' || file->data[at] == '\n' || file->data[at] == '\r' ||
                               file->data[at] == '\t'))
        at++;
    if (at == file->size) LT_FAIL(err, FORMAT, "the file is empty");
    if (has(file, 0, "PK", 2)) *out = LT_MODEL_PT2;
    else if (lt_lathe_is(file)) *out = LT_MODEL_LATHE;
    else if (file->data[at] == '{') *out = LT_MODEL_IRJSON;
    else {
        for (size_t i = 0; i < LT_COUNT(others); i++)
            if (has(file, others[i].offset, others[i].bytes, others[i].length))
                LT_FAIL(err, UNSUPPORTED, "%s", others[i].what);
        LT_FAIL(err, FORMAT, "neither a .pt2 archive nor a pytorch-ir JSON graph nor a .lathe file");
    }
    return LATHE_OK;
}
