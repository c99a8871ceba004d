/* Which convolutions are computed by Winograd's minimal filtering (base/winograd.h), and their weights at its
 * positions. The choice is one of shapes alone, so it is the same on every machine. */
#include "base/winograd.h"

#include "base/block.h"
#include "pass/layout.h"

/* What one way to compute a convolution costs, in multiply-adds. */
enum {
    TRANSFORM = 8,   /* a number of a tile, taken to its position or from there */
    READ = 16,       /* a weight from memory, while nothing else is waiting for it */
    SMALL = 96 << 20 /* what takes less than this is not worth four times the weights, and results that are
                        two to three times as far from exact ones as sums of products are */
};

static double larger(double a, double b) { return a > b ? a : b; }

static double tiles_of(int64_t n) { return (double)lt_winograd_tiles(n); }

bool lt_layout_winograd_wins(const lt_attrs_conv *a, const lt_type *w, const lt_type *out)
{
    bool fits = a->spatial == 2 && !a->transposed && a->groups == 1 && w->dim[2] == LT_WINOGRAD_TAPS &&
                w->dim[3] == LT_WINOGRAD_TAPS;
    for (int i = 0; i < 2; i++) fits = fits && a->stride[i] == 1 && a->dilation[i] == 1;
    if (!fits) return false;
    double channels = (double)w->dim[1], out_channels = (double)w->dim[0], pairs = channels * out_channels;
    double taps = LT_WINOGRAD_TAPS * LT_WINOGRAD_TAPS, images = (double)out->dim[0];
    double outputs = images * (double)out->dim[2] * (double)out->dim[3];
    double places = LT_WINOGRAD_POSITIONS * images * tiles_of(out->dim[2]) * tiles_of(out->dim[3]);
    double direct = larger(outputs * taps, READ * taps) * pairs;
    if (outputs * taps * pairs < SMALL) return false;
    double winograd =
        larger(places, READ * LT_WINOGRAD_POSITIONS) * pairs + TRANSFORM * places * (channels + out_channels);
    return winograd < direct;
}

/* [out channels, channels, 3, 3] as [positions, out blocks, blocks, LT_BLOCK, LT_BLOCK]. */
lt_id lt_layout_winograd_weight(lt_rewrite *rw, lt_id w, int64_t out_channels, int64_t channels)
{
    w = lt_build(&rw->b, LT_OP_WINOGRAD_WEIGHT, &(lt_attrs){0}, &w, 1);
    w = lt_build_reshape(&rw->b, w, 3, (int64_t[]){out_channels, channels, LT_WINOGRAD_POSITIONS});
    w = lt_build(&rw->b, LT_OP_BLOCK, &(lt_attrs){0}, &w, 1);
    w = lt_build_permute(&rw->b, w, (int[]){2, 0, 1, 3});
    return lt_build(&rw->b, LT_OP_BLOCK, &(lt_attrs){0}, &w, 1);
}
