/* CPU kernels: a table of function pointers, filled with portable C first and then overlaid by each level
 * that the processor has, oldest first. Kernels allocate nothing, keep no state, start no threads and cannot
 * fail; they read and write nothing outside their arguments, work on any length, and sum each output element
 * in one fixed order that does not depend on the range they are given. */
#ifndef LT_CPU_H
#define LT_CPU_H

#include "base/block.h"
#include "base/compiler.h"
#include "kernels/packed.h"

/* Levels, not feature soup. Within an architecture each includes those before it. */
typedef enum lt_cpu_level {
    LT_CPU_GENERIC,
    LT_CPU_AVX2,       /* AVX2, FMA, F16C */
    LT_CPU_AVX512,     /* AVX-512 F, BW, DQ, VL */
    LT_CPU_AVX512BF16, /* + BF16, VNNI */
    LT_CPU_NEON,       /* Armv8 with FP16 conversions */
    LT_CPU_DOTPROD,    /* + dot products */
    LT_CPU_I8MM,       /* + int8 and bf16 matrix products */
    LT_CPU_LEVELS
} lt_cpu_level;

const char *lt_cpu_level_name(lt_cpu_level level); /* "avx2" */

/* The highest level of this processor, lowered by a name in `mask` ("generic", "avx2" …; NULL or unknown: no
 * mask). */
lt_cpu_level lt_cpu_detect(const char *mask);

typedef enum lt_gemm_type { LT_GEMM_F32, LT_GEMM_BF16, LT_GEMM_F16, LT_GEMM_TYPES } lt_gemm_type;

/* out[m, n] = sum over k of x[m, k] * w[n, k], plus bias[n]. Accumulates in float32. */
typedef struct lt_gemm {
    int64_t m, n, k;
    const void *x;      /* [m, k] float32; for gemm_pairs bfloat16 */
    int64_t x_stride;   /* elements between rows */
    const void *w;      /* [n, k] of the slot's type, rows contiguous */
    int64_t w_stride;   /* elements between rows */
    const float *bias;  /* [n], or NULL */
    float *out;         /* [m, n] */
    int64_t out_stride; /* elements between rows */
} lt_gemm;

/* Rows of x as products with packed weights take them: for each group of 32 columns a record of its scale and
 * integers. How the integers lie is a matter of the level. A group with an infinity or a NaN has the scale
 * NaN.
 */
typedef enum lt_digits {
    LT_DIGITS_16, /* 16-bit integers: products are about as exact as with float32 */
    LT_DIGITS_8,  /* 8-bit ones */
    LT_DIGITS
} lt_digits;
typedef struct lt_xgroup {
    float scale, sum;    /* x is about scale * integer; the sum of these products */
    int32_t total, half; /* sums of the integers: of all, of the first 16 */
    int16_t value[LT_GROUP];
} lt_xgroup;

/* out[m, n] = sum over k of x[m, k] * w[n, k], plus bias[n]. */
typedef struct lt_packed_gemm {
    int64_t m;
    const lt_xgroup *x; /* [m, groups of k] */
    const lt_packed *w;
    const float *bias;  /* [n], or NULL */
    float *out;         /* [m, n] */
    int64_t out_stride; /* elements between rows */
} lt_packed_gemm;

/* What keys and values are stored as: an lt_gemm_type; rows of int8 with a scale (base/cache_row.h); or
 * bfloat16 as the queries, of an even size, multiplied a pair in a lane, where the level has that (else
 * NULL). */
enum { LT_ATTEND_INT8 = LT_GEMM_TYPES, LT_ATTEND_PAIRS, LT_ATTEND_TYPES };

/* Attention of some query rows over one head's keys and values: softmax(capped(scale * q k') + mask) v, in
 * float32.
 * Keys and values are contiguous elements of the slot's type, queries and results of their own. */
enum { LT_ATTEND_ROWS = 48, LT_ATTEND_DIM = 256 };
typedef struct lt_attend {
    lt_gemm_type q_type;    /* of queries and results */
    int64_t rows;           /* at most LT_ATTEND_ROWS */
    int64_t dim, value_dim; /* at most LT_ATTEND_DIM: of queries and keys; of values and results */
    int64_t begin, end;     /* keys that this call looks at; begin is a multiple of LT_ATTEND_CHUNK */
    float scale;
    float cap;                  /* scores become cap * tanh(score / cap) before the mask; 0: they do not */
    float empty;                /* what the results of a row that looks at no key are: 0 or NaN */
    const void *k, *v;          /* key 0, [dim]; value 0, [value_dim] */
    int64_t k_stride, v_stride; /* elements from key to key */
    struct lt_attend_row {
        const void *q;       /* [dim] */
        void *out;           /* [value_dim] */
        const float *mask;   /* added to the scores, [keys]; NULL: nothing */
        int64_t first, last; /* the keys that the row looks at: first … last - 1 */
        float sink;          /* a score without a value, in one chunk of all; -infinity: there is none */
    } row[LT_ATTEND_ROWS];
    /* When the keys are split into chunks: instead of `out`, row by row, [rows][LT_ATTEND_PARTIAL +
     * value_dim] the largest score, the sum of exponentials and the unscaled result. NULL: write `out`. */
    float *partial;

    /* Attention that rounds on its way: to which type, and where. Weights can only be rounded once the sum is
     * known: chunks give the first two numbers of `partial` alone, and are run again with their totals as
     * `stats`, [rows][2] the largest score and the sum; then what `partial` gets adds up to the result. Where
     * SHIFTED rounds, too, not even the sum is known before the largest score is: `partial` is NULL. */
    lt_gemm_type rounded;
    unsigned rounds; /* LT_ATTEND_ROUND_... */
    const float *stats;
} lt_attend;
enum {
    LT_ATTEND_ROUND_PRODUCT = 1, /* products of queries and keys */
    LT_ATTEND_ROUND_SCALED = 2,  /* these times the scale */
    LT_ATTEND_ROUND_MASKED = 4,  /* and with the mask added */
    LT_ATTEND_ROUND_WEIGHTS = 8, /* the softmax */
    LT_ATTEND_ROUND_CAPPED = 16, /* each of the three steps of a cap */
    LT_ATTEND_ROUND_SHIFTED = 32 /* scores less the largest of their row */
};
enum { LT_ATTEND_CHUNK = 512, LT_ATTEND_PARTIAL = 2 };

/* Elementwise functions of float32 rows. */
typedef enum lt_row_op {
#define LT_ROW(ID, operands, vector, scalar) LT_ROW_##ID,
#include "kernels/cpu/rows.def"
    LT_ROW_OPS
} lt_row_op;

/* Normalises one row to mean 0 (layer norm) and mean square 1. */
typedef struct lt_norm {
    int64_t n;
    const void *x;              /* [n] of the slot's type */
    void *out;                  /* [n] of the slot's type */
    const float *weight, *bias; /* [n], or NULL */
    float *stats;               /* [2]: mean and 1 / deviation; not centred: 1 / root mean square, twice */
    float eps;
    bool centre; /* takes the mean away */
    bool rounds; /* to the slot's type before the weight */
} lt_norm;

/* Convolution of channels in blocks. Along a row, tap k of output i reads position i + tap[k] of the input's
 * row, whatever the stride and the padding are: whoever calls has arranged the rows so. */
typedef struct lt_conv {
    int64_t channels;        /* of the input */
    int64_t kernel[2];       /* taps down and along a row */
    int64_t height;          /* rows of the input; those above and below are zero */
    int64_t stride, padding; /* of the rows */
    int64_t dilation;        /* of the rows */
    int64_t out_width;
    const float *x;         /* blocks of channels (planar: channels), rows, positions */
    int64_t x_block, x_row; /* floats between blocks (planar: channels), between rows */
    const int64_t *tap;     /* [kernel[1]], in floats */
    const float *w;         /* [out blocks][in blocks][down][along][LT_BLOCK in][LT_BLOCK out], planar: [out
                               blocks][channels][down][along][LT_BLOCK] */
    int64_t chunk;     /* about so many terms are summed at a time: short chains keep rounding errors small */
    bool streams;      /* weights behind those of a part are those of the next one */
    const float *bias; /* [out blocks][LT_BLOCK] */
    const float *add;  /* added before clamping, laid out as the output; NULL: nothing */
    float *out;        /* [out blocks][rows][out_width][LT_BLOCK] */
    int64_t out_block; /* floats between blocks of the output */
    float low, high;   /* the result is clamped */
} lt_conv;

/* Which outputs to compute. */
typedef struct lt_conv_part {
    int64_t block, blocks; /* output blocks, at most conv_blocks of them */
    int64_t y, rows;
    int64_t begin, end; /* positions of each row */
} lt_conv_part;

/* The convolution of each channel of a block with its own kernel. */
typedef struct lt_depthwise {
    int64_t height, width, out_width;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    const float *x;    /* [height][width][LT_BLOCK] */
    int64_t x_row;     /* floats between rows of x */
    const float *w;    /* [kernel[0]][kernel[1]][LT_BLOCK] */
    const float *bias; /* [LT_BLOCK] */
    const float *add;  /* as of lt_conv */
    float *out;        /* [rows][out_width][LT_BLOCK] */
    float low, high;
} lt_depthwise;

/* Convolution by Winograd's minimal filtering (base/winograd.h): from tiles of one block of channels to their
 * positions and, when these were multiplied, from there to tiles of the output. Tiles are numbered along
 * rows, then down, then from image to image; those at an edge read zeros, and write what is inside. */
typedef struct lt_winograd {
    int64_t down, across;              /* tiles of an image */
    int64_t height, width, padding[2]; /* of the input */
    int64_t out_height, out_width;     /* of the output */
    const float *x;                    /* the block of image 0: [height][width][LT_BLOCK] */
    float *positions;                  /* [LT_WINOGRAD_POSITIONS] times [tiles of the call][LT_BLOCK] */
    int64_t x_row, x_image;            /* floats between rows and between images of x */
    int64_t out_image, position_step;  /* floats between images and between positions */
    const float *bias;                 /* [LT_BLOCK] */
    const float *add;                  /* as of lt_conv */
    float *out;                        /* the block of image 0: [out_height][out_width][LT_BLOCK] */
    float low, high;
} lt_winograd;

/* Positions of one block of channels that an element of a pool's result stands for. */
typedef struct lt_pool_window {
    const float *x;
    int64_t rows, row_step, columns, column_step; /* steps in floats */
    float divisor;                                /* means: the sum is divided by it */
} lt_pool_window;

typedef struct lt_cpu_kernels {
    lt_cpu_level level;

    /* Columns n0 … n1 of the product; n0 is a multiple of gemm_grain, and so is n1 unless it is n. */
    void (*gemm[LT_GEMM_TYPES])(const lt_gemm *gemm, int64_t n0, int64_t n1);
    int64_t gemm_grain;
    /* The same where x and w are bfloat16 and k is even: pairs of them are multiplied and added at once. NULL
     * where the level has no such instruction. */
    void (*gemm_pairs)(const lt_gemm *gemm, int64_t n0, int64_t n1);

    /* One row [k] of x into lt_packed_groups(k) records. */
    void (*quantize[LT_DIGITS])(const float *x, int64_t k, lt_xgroup *out);
    /* Columns n0 … n1, multiples of packed_grain but for the last. */
    void (*packed_gemm[LT_DIGITS])(const lt_packed_gemm *gemm, int64_t n0, int64_t n1);
    int64_t packed_grain; /* a multiple of LT_PANEL */

    void (*attend[LT_ATTEND_TYPES])(const lt_attend *task);
    /* The first key that a mask row lets through, and one past the last; equal when there is none. */
    void (*attend_range)(const float *mask, int64_t keys, int64_t *first, int64_t *last);
    /* One row from the parts of its chunks, which lie `stride` floats apart, in their order; `empty`: see
     * lt_attend. */
    void (*attend_merge[LT_GEMM_TYPES])(const float *parts, int64_t n, int64_t stride, int64_t value_dim,
                                        float empty, void *out);

    /* out[i] = f(x[i], y[i]); y is NULL for functions of one operand. out may be x or y. */
    void (*row[LT_ROW_OPS])(const float *x, const float *y, float *out, int64_t n);
    void (*widen[LT_GEMM_TYPES])(const void *from, float *to, int64_t n);
    void (*narrow[LT_GEMM_TYPES])(const float *from, void *to, int64_t n);
    void (*norm[LT_GEMM_TYPES])(const lt_norm *task);
    /* (Log-)softmax of a row; `wide`: the result is float32. */
    void (*softmax[LT_GEMM_TYPES])(const void *x, void *out, int64_t n, bool logarithm);
    void (*softmax_wide[LT_GEMM_TYPES])(const void *x, void *out, int64_t n, bool logarithm);
    /* x * cosine + rotated * sine, where the rotated row is its negated second half, then its first. Products
     * are rounded to the slot's type before they are added. */
    void (*rope[LT_GEMM_TYPES])(const void *x, const void *cosine, const void *sine, void *out, int64_t n);

    void (*conv)(const lt_conv *conv, const lt_conv_part *part);
    void (*conv_planar)(const lt_conv *conv, const lt_conv_part *part);
    int64_t conv_blocks, conv_positions;                                           /* of a register tile */
    void (*depthwise)(const lt_depthwise *task, int64_t y);                        /* row y */
    void (*winograd_input)(const lt_winograd *task, int64_t first, int64_t count); /* tiles */
    void (*winograd_output)(const lt_winograd *task, int64_t first, int64_t count);
    /* One block of channels of one position: NaN when one is; -infinity or zero for no positions. */
    void (*pool_max)(const lt_pool_window *window, float *out);
    void (*pool_mean)(const lt_pool_window *window, float *out);
    /* Rows of n elements, one for each channel of a block and `stride` floats apart, to n positions and back.
     * Channels that are missing become zeros. */
    void (*block)(const float *rows, int64_t stride, int64_t channels, int64_t n, float *out);
    void (*unblock)(const float *x, int64_t n, float *rows, int64_t stride, int64_t channels);

    /* What the machine can do at most: reads `count` floats (a multiple of 64; the result only keeps the
     * reads alive), and does `rounds` times probe_fma_flops float32 operations as multiply-adds. */
    float (*probe_read)(const float *data, int64_t count);
    float (*probe_fma)(int64_t rounds);
    double probe_fma_flops;
} lt_cpu_kernels;

/* The table of a level: generic entries, overlaid up to it. Asking for a level the build does not have gives
 * the ones below it. */
void lt_cpu_kernels_init(lt_cpu_kernels *kernels, lt_cpu_level level);

/* One fill function a level, in files of their own built for that level; each family of kernels has a part.
 */
#define LT_CPU_FILLS(level)                                      \
    void lt_cpu_fill_##level(lt_cpu_kernels *kernels);           \
    void lt_cpu_fill_gemm_##level(lt_cpu_kernels *kernels);      \
    void lt_cpu_fill_packed_##level(lt_cpu_kernels *kernels);    \
    void lt_cpu_fill_attention_##level(lt_cpu_kernels *kernels); \
    void lt_cpu_fill_rows_##level(lt_cpu_kernels *kernels);      \
    void lt_cpu_fill_conv_##level(lt_cpu_kernels *kernels);      \
    void lt_cpu_fill_blocks_##level(lt_cpu_kernels *kernels);    \
    void lt_cpu_fill_winograd_##level(lt_cpu_kernels *kernels);  \
    void lt_cpu_fill_probe_##level(lt_cpu_kernels *kernels);
LT_CPU_FILLS(generic)
LT_CPU_FILLS(avx2)
LT_CPU_FILLS(avx512)
LT_CPU_FILLS(avx512bf16)
LT_CPU_FILLS(neon)
LT_CPU_FILLS(dotprod)
LT_CPU_FILLS(i8mm)

#endif
