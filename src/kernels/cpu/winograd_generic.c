/* Transforms of Winograd's convolution, in portable C. */
#include "kernels/cpu/winograd_tile.h"

enum { OUT = LT_WINOGRAD_OUT, IN = LT_WINOGRAD_IN };

static const float input_matrix[IN][IN] = LT_WINOGRAD_INPUT;
static const float output_matrix[OUT][IN] = LT_WINOGRAD_OUTPUT;

/* out[i] = the sum over k of matrix[i][k] x[k], for the channels of a block. */
static void transform(const float matrix[][IN], int rows, const float *x, int64_t x_step, float *out,
                      int64_t out_step)
{
    for (int i = 0; i < rows; i++)
        for (int lane = 0; lane < LT_BLOCK; lane++) {
            float sum = 0;
            for (int k = 0; k < IN; k++) sum += matrix[i][k] * x[k * x_step + lane];
            out[i * out_step + lane] = sum;
        }
}

static void winograd_input(const lt_winograd *w, int64_t first, int64_t count)
{
    float copy[LT_WINOGRAD_POSITIONS * LT_BLOCK], half[IN][IN * LT_BLOCK];
    for (int64_t i = 0; i < count; i++) {
        lt_winograd_tile tile = lt_winograd_tile_at(w, first + i);
        int64_t row;
        const float *x = lt_winograd_tile_input(w, &tile, &row, copy);
        float *to = w->positions + i * LT_BLOCK;
        for (int j = 0; j < IN; j++)
            transform(input_matrix, IN, x + j * LT_BLOCK, row, half[0] + j * LT_BLOCK, IN * LT_BLOCK);
        for (int j = 0; j < IN; j++)
            transform(input_matrix, IN, half[j], LT_BLOCK, to + j * IN * w->position_step, w->position_step);
    }
}

static void store(const lt_winograd *w, int64_t at, const float *tile)
{
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        float sum = tile[lane] + w->bias[lane];
        if (w->add) sum += w->add[at + lane];
        w->out[at + lane] = sum < w->low ? w->low : sum > w->high ? w->high : sum;
    }
}

static void winograd_output(const lt_winograd *w, int64_t first, int64_t count)
{
    float half[OUT][IN * LT_BLOCK], out[OUT * LT_BLOCK];
    for (int64_t i = 0; i < count; i++) {
        lt_winograd_tile tile = lt_winograd_tile_at(w, first + i);
        const float *from = w->positions + i * LT_BLOCK;
        for (int j = 0; j < IN; j++)
            transform(output_matrix, OUT, from + j * w->position_step, IN * w->position_step,
                      half[0] + j * LT_BLOCK, IN * LT_BLOCK);
        for (int64_t j = 0; j < OUT && tile.y + j < w->out_height; j++) {
            transform(output_matrix, OUT, half[j], LT_BLOCK, out, LT_BLOCK);
            int64_t at = tile.image * w->out_image + ((tile.y + j) * w->out_width + tile.x) * LT_BLOCK;
            for (int64_t k = 0; k < OUT && tile.x + k < w->out_width; k++)
                store(w, at + k * LT_BLOCK, out + k * LT_BLOCK);
        }
    }
}

void lt_cpu_fill_winograd_generic(lt_cpu_kernels *kernels)
{
    kernels->winograd_input = winograd_input;
    kernels->winograd_output = winograd_output;
}
