/* Transforms of Winograd's convolution over the vectors of a simd_*.h. The including file defines FILL, the
 * name of its fill function. Each tile goes through the matrices of base/winograd.h down its columns, then
 * along its rows. */
#include "kernels/cpu/simd_types.h"
#include "kernels/cpu/winograd_tile.h"

enum { PARTS = LT_BLOCK / LANES, OUT = LT_WINOGRAD_OUT, IN = LT_WINOGRAD_IN };

static const float A = (float)LT_WINOGRAD_A, B = (float)LT_WINOGRAD_B, A2 = (float)LT_WINOGRAD_A2,
                   B2 = (float)LT_WINOGRAD_B2;

/* out = LT_WINOGRAD_INPUT d: the rows of ±A and ±B differ in the sign of their odd terms. */
LT_INLINE void transform_input(const vf d[IN], vf out[IN])
{
    vf even_a = vf_fma(vf_set(-B2), d[2], d[4]), odd_a = vf_fma(vf_set(-B2), d[1], d[3]);
    vf even_b = vf_fma(vf_set(-A2), d[2], d[4]), odd_b = vf_fma(vf_set(-A2), d[1], d[3]);
    out[0] = vf_fma(vf_set(A2 * B2), d[0], vf_fma(vf_set(-A2 - B2), d[2], d[4]));
    out[1] = vf_fma(vf_set(A), odd_a, even_a);
    out[2] = vf_fma(vf_set(-A), odd_a, even_a);
    out[3] = vf_fma(vf_set(B), odd_b, even_b);
    out[4] = vf_fma(vf_set(-B), odd_b, even_b);
    out[5] = vf_fma(vf_set(A2 * B2), d[1], vf_fma(vf_set(-A2 - B2), d[3], d[5]));
}

/* out = LT_WINOGRAD_OUTPUT m */
LT_INLINE void transform_output(const vf m[IN], vf out[OUT])
{
    vf even_a = vf_add(m[1], m[2]), odd_a = vf_sub(m[1], m[2]);
    vf even_b = vf_add(m[3], m[4]), odd_b = vf_sub(m[3], m[4]);
    out[0] = vf_add(m[0], vf_add(even_a, even_b));
    out[1] = vf_fma(vf_set(A), odd_a, vf_mul(vf_set(B), odd_b));
    out[2] = vf_fma(vf_set(A2), even_a, vf_mul(vf_set(B2), even_b));
    out[3] = vf_fma(vf_set(A * A2), odd_a, vf_fma(vf_set(B * B2), odd_b, m[5]));
}

static void winograd_input(const lt_winograd *w, int64_t first, int64_t count)
{
    float copy[LT_WINOGRAD_POSITIONS * LT_BLOCK];
    for (int64_t i = 0; i < count; i++) {
        lt_winograd_tile tile = lt_winograd_tile_at(w, first + i);
        int64_t row;
        const float *x = lt_winograd_tile_input(w, &tile, &row, copy);
        for (int part = 0; part < PARTS; part++, x += LANES) {
            float *to = w->positions + i * LT_BLOCK + part * LANES;
            vf half[IN][IN], in[IN], out[IN];
            for (int j = 0; j < IN; j++) {
                for (int k = 0; k < IN; k++) in[k] = vf_load(x + k * row + j * LT_BLOCK);
                transform_input(in, out);
                for (int k = 0; k < IN; k++) half[k][j] = out[k];
            }
            for (int j = 0; j < IN; j++) {
                transform_input(half[j], out);
                for (int k = 0; k < IN; k++) vf_store(to + (j * IN + k) * w->position_step, out[k]);
            }
        }
    }
}

/* What of the tile is inside the output. */
LT_INLINE void store_tile(const lt_winograd *w, const lt_winograd_tile *tile, int part, vf out[OUT][OUT])
{
    vf bias = vf_load(w->bias + part * LANES), low = vf_set(w->low), high = vf_set(w->high);
    int64_t rows = lt_min_i64(OUT, w->out_height - tile->y),
            columns = lt_min_i64(OUT, w->out_width - tile->x);
    for (int64_t j = 0; j < rows; j++) {
        int64_t at =
            tile->image * w->out_image + ((tile->y + j) * w->out_width + tile->x) * LT_BLOCK + part * LANES;
        for (int64_t k = 0; k < columns; k++, at += LT_BLOCK) {
            vf sum = vf_add(out[j][k], bias);
            if (w->add) sum = vf_add(sum, vf_load(w->add + at));
            vf_store(w->out + at, vf_min(high, vf_max(low, sum)));
        }
    }
}

static void winograd_output(const lt_winograd *w, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        lt_winograd_tile tile = lt_winograd_tile_at(w, first + i);
        for (int part = 0; part < PARTS; part++) {
            const float *from = w->positions + i * LT_BLOCK + part * LANES;
            vf half[OUT][IN], in[IN], out[OUT][OUT];
            for (int j = 0; j < IN; j++) {
                for (int k = 0; k < IN; k++) in[k] = vf_load(from + (k * IN + j) * w->position_step);
                transform_output(in, out[0]);
                for (int k = 0; k < OUT; k++) half[k][j] = out[0][k];
            }
            for (int j = 0; j < OUT; j++) transform_output(half[j], out[j]);
            store_tile(w, &tile, part, out);
        }
    }
}

void FILL(lt_cpu_kernels *kernels)
{
    kernels->winograd_input = winograd_input;
    kernels->winograd_output = winograd_output;
}
