/* The values of a weight: gathered, dequantised, converted, in logical row order. Works through a small
 * buffer, so it allocates nothing. */
#include <string.h>

#include "base/half.h"
#include "load/gather.h"
#include "load/weights.h"

enum {
    CHUNK = 4096 /* values converted at a time: a multiple of every block, small enough for the L1 cache */
};

/* float32 values into any float type. */
static void store_f32(const float *from, int64_t n, lt_dtype as, char *to)
{
    switch (as) {
    case LATHE_F32: memcpy(to, from, (size_t)n * sizeof *from); break;
    case LATHE_F64:
        for (int64_t i = 0; i < n; i++) ((double *)(void *)to)[i] = (double)from[i];
        break;
    case LATHE_BF16:
        for (int64_t i = 0; i < n; i++) ((uint16_t *)(void *)to)[i] = lt_f32_to_bf16(from[i]);
        break;
    case LATHE_F16:
        for (int64_t i = 0; i < n; i++) ((uint16_t *)(void *)to)[i] = lt_f32_to_f16(from[i]);
        break;
    default: lt_assert(false);
    }
}

/* Values of any float type into float32; from float64 to the half types this is PyTorch's way as well. */
static void load_f32(const void *from, int64_t n, lt_dtype dtype, float *to)
{
    switch (dtype) {
    case LATHE_F32: memcpy(to, from, (size_t)n * sizeof *to); break;
    case LATHE_F64:
        for (int64_t i = 0; i < n; i++) to[i] = (float)((const double *)from)[i];
        break;
    case LATHE_BF16:
        for (int64_t i = 0; i < n; i++) to[i] = lt_bf16_to_f32(((const uint16_t *)from)[i]);
        break;
    case LATHE_F16:
        for (int64_t i = 0; i < n; i++) to[i] = lt_f16_to_f32(((const uint16_t *)from)[i]);
        break;
    default: lt_assert(false);
    }
}

static void read_plain(const lt_weight *weight, const lt_tensor *view, int64_t first, int64_t n, lt_dtype as,
                       char *out)
{
    if (weight->type.dtype == as) {
        lt_gather(view, first, n, out);
        return;
    }
    _Alignas(64) double raw[CHUNK]; /* gathered elements; double for the widest */
    _Alignas(64) float values[CHUNK];
    for (int64_t done = 0; done < n; done += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, n - done);
        lt_gather(view, first + done, part, raw);
        load_f32(raw, part, weight->type.dtype, values);
        store_f32(values, part, as, out + done * (int64_t)lathe_dtype_size(as));
    }
}

static void read_blocks(const lt_weight *weight, int64_t first, int64_t n, lt_dtype as, char *out)
{
    const lt_ggml_type *ggml = weight->blocks;
    const uint8_t *from = weight->data + first / ggml->block_elements * ggml->block_bytes;
    if (as == LATHE_F32) {
        ggml->dequantize(from, n / ggml->block_elements, (float *)(void *)out);
        return;
    }
    _Alignas(64) float values[CHUNK];
    for (int64_t done = 0; done < n; done += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, n - done), blocks = part / ggml->block_elements;
        ggml->dequantize(from, blocks, values);
        store_f32(values, part, as, out + done * (int64_t)lathe_dtype_size(as));
        from += blocks * ggml->block_bytes;
    }
}

/* A head's rows j*half + i are its stored rows 2*i + j. */
int64_t lt_weight_stored_row(const lt_weight *weight, int64_t row)
{
    if (!weight->rotary_heads) return row;
    int64_t head_size = weight->type.dim[0] / weight->rotary_heads, in_head = row % head_size,
            half = head_size / 2;
    return row - in_head + in_head % half * 2 + in_head / half;
}

static lathe_status check_read(const lt_weight *weight, lt_dtype as, lathe_error *err)
{
    lt_dtype from = weight->type.dtype;
    if (weight->unsupported)
        LT_FAIL(err, UNSUPPORTED, "%s: weight '%s': %s", weight->file, weight->stored_name,
                weight->unsupported);
    if (from != as && !(lt_dtype_is_float(from) && lt_dtype_is_float(as)))
        LT_FAIL(err, TYPE, "%s: weight '%s' is %s, expected %s", weight->file, weight->stored_name,
                lathe_dtype_name(from), lathe_dtype_name(as));
    return LATHE_OK;
}

lathe_status lt_weight_read(const lt_weight *weight, lt_dtype as, void *out, lathe_error *err)
{
    LT_TRY(check_read(weight, as, err));
    lt_tensor view = lt_tensor_of(&weight->type, (void *)(uintptr_t)weight->data);
    memcpy(view.stride, weight->stride, sizeof view.stride);
    int64_t count = lt_type_count(&weight->type), rows = weight->rotary_heads ? weight->type.dim[0] : 1;
    if (count == 0) return LATHE_OK;
    int64_t row_count = count / rows;
    char *to = out;
    for (int64_t row = 0; row < rows; row++, to += row_count * (int64_t)lathe_dtype_size(as)) {
        int64_t first = lt_weight_stored_row(weight, row) * row_count;
        if (weight->blocks) read_blocks(weight, first, row_count, as, to);
        else read_plain(weight, &view, first, row_count, as, to);
    }
    return LATHE_OK;
}

bool lt_weight_view(const lt_weight *weight, lt_tensor *out)
{
    if (weight->unsupported || weight->blocks || weight->rotary_heads) return false;
    if ((uintptr_t)weight->data % lathe_dtype_size(weight->type.dtype) != 0) return false;
    *out = lt_tensor_of(&weight->type, (void *)(uintptr_t)weight->data);
    memcpy(out->stride, weight->stride, sizeof out->stride);
    return true;
}
