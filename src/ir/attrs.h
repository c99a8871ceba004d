/* Attributes of primitive operators: plain structs in a union, zero-initialised, so nodes compare by memcmp
 * and programs are saved byte by byte. Dims are non-negative here: callers normalise. */
#ifndef LT_ATTRS_H
#define LT_ATTRS_H

#include "ir/tensor.h"

enum { LT_MAX_SPATIAL = 3 };

/* What happens to an element that is written to. */
typedef enum lt_reduce_kind {
    LT_REDUCE_SET,
    LT_REDUCE_SUM,
    LT_REDUCE_PROD,
    LT_REDUCE_MAX,
    LT_REDUCE_MIN
} lt_reduce_kind;
typedef enum lt_resample_mode {
    LT_RESAMPLE_NEAREST,
    LT_RESAMPLE_NEAREST_EXACT,
    LT_RESAMPLE_LINEAR,
    LT_RESAMPLE_CUBIC,
    LT_RESAMPLE_LANCZOS
} lt_resample_mode;

/* Elementwise operators load every input into the class of `compute` (float, double or int64) and round once.
 */
typedef struct lt_attrs_elementwise {
    lt_dtype compute, out;
} lt_attrs_elementwise;
/* A chain: elementwise formulas as straight-line code over broadcast inputs. An argument below
 * LT_CHAIN_INPUTS is that input, one from there on the result of step argument - LT_CHAIN_INPUTS, which comes
 * earlier. Every step rounds to its own dtype; the last one's result is the output. */
enum { LT_CHAIN_INPUTS = 8, LT_CHAIN_STEPS = 16, LT_CHAIN_ARGS = 3 };
typedef struct lt_chain_step {
    uint16_t op;          /* an elementwise lt_op, or LT_OP_CAST */
    uint8_t compute, out; /* lt_dtype; CAST: `compute` is the dtype of its argument */
    uint8_t arg[LT_CHAIN_ARGS], unused;
} lt_chain_step;
typedef struct lt_attrs_chain {
    int n;
    lt_chain_step step[LT_CHAIN_STEPS];
} lt_attrs_chain;
typedef struct lt_attrs_reshape {
    int rank;
    int64_t dim[LT_MAX_RANK];
} lt_attrs_reshape; /* also expand: the new shape */
typedef struct lt_attrs_permute {
    int dim[LT_MAX_RANK];
} lt_attrs_permute; /* out dim i is in dim dim[i] */
typedef struct lt_attrs_slice {
    int dim;
    int64_t start, count, step;
} lt_attrs_slice; /* step may be negative */
/* Over the contiguous elements of the input: as torch.as_strided. */
typedef struct lt_attrs_strided {
    int rank;
    int64_t dim[LT_MAX_RANK], stride[LT_MAX_RANK], offset;
} lt_attrs_strided;
typedef struct lt_attrs_dtype {
    lt_dtype dtype;
} lt_attrs_dtype;
typedef struct lt_attrs_iota {
    lt_dtype dtype;
    int64_t count;
    double start, step;
    int64_t int_start, int_step;
} lt_attrs_iota;
typedef struct lt_attrs_dim {
    int dim;
} lt_attrs_dim;
typedef struct lt_attrs_reduce {
    bool dims[LT_MAX_RANK];
    bool keepdim;
    lt_dtype dtype;
    double correction; /* variance: taken from the number of elements */
} lt_attrs_reduce;
typedef struct lt_attrs_arg {
    int dim;
    bool keepdim;
} lt_attrs_arg; /* argmax, argmin over one dim */
typedef struct lt_attrs_scan {
    int dim;
    lt_dtype dtype;
} lt_attrs_scan;
typedef struct lt_attrs_sort {
    int dim;
    bool descending, stable;
} lt_attrs_sort;
typedef struct lt_attrs_topk {
    int dim;
    int64_t k;
    bool largest, sorted;
} lt_attrs_topk;
typedef struct lt_attrs_search {
    bool right; /* behind equal elements, not before them */
} lt_attrs_search;
typedef struct lt_attrs_scatter {
    int dim;
    lt_reduce_kind reduce;
} lt_attrs_scatter;
/* The marked dims of a tensor are indexed by integer tensors, which broadcast together; their common shape
 * stands at `position` among the dims that are kept. */
typedef struct lt_attrs_index {
    bool dims[LT_MAX_RANK];
    int position;
    bool wrap;       /* negative indices count from the end; else they are out of range */
    bool accumulate; /* INDEX_PUT: adds instead of setting */
} lt_attrs_index;
typedef struct lt_attrs_softmax {
    int dim;
    bool log;
    lt_dtype dtype;
} lt_attrs_softmax;
typedef struct lt_attrs_matmul {
    bool wide; /* bfloat16 and float16 operands give float32 */
} lt_attrs_matmul;
typedef struct lt_attrs_norm {
    int n_dims;
    bool rounds; /* to the type of x before the weight, as graphs do that write it in half precision */
    double eps;
} lt_attrs_norm; /* over the last n_dims */
enum lt_sdpa_round {
    LT_ROUND_PRODUCT = 1, /* the products of queries and keys */
    LT_ROUND_SCALED = 2,  /* these times the scale */
    LT_ROUND_MASKED = 4,  /* and with the mask added */
    LT_ROUND_WEIGHTS = 8, /* the softmax */
    LT_ROUND_CAPPED = 16, /* each of the three steps of a cap */
    LT_ROUND_SHIFTED = 32 /* scores less the largest of their row, before the softmax; not without WEIGHTS */
};
/* The optional inputs follow query, key and value in the order in which they are named here. */
typedef struct lt_attrs_sdpa {
    bool causal;       /* row l looks at keys 0 … l */
    bool has_mask;     /* added to the scores, or bool */
    bool has_last;     /* per row, the last key that it looks at */
    bool has_first;    /* and the first */
    bool has_sink;     /* per head, a score that takes part in the softmax and has no value */
    bool empty_nan;    /* a row that sees no key gives NaN, as a softmax of its own does, not zeros */
    double scale, cap; /* cap: scaled scores become cap * tanh(score / cap) before the mask; 0: they do not */
    /* Attention written out in half precision: the type that it rounds to between its steps, and where. */
    lt_dtype rounded;
    unsigned rounds; /* LT_ROUND_... */
} lt_attrs_sdpa;
/* Output o of a convolution reads input o * stride + k * dilation - padding; of a transposed one, input i
 * adds to output i * stride + k * dilation - padding. `padding_after` is that of the far end (for transposed
 * ones less the output padding), and so decides the size of the output. */
typedef struct lt_attrs_conv {
    int spatial; /* 1…3 */
    int64_t stride[LT_MAX_SPATIAL], padding[LT_MAX_SPATIAL], padding_after[LT_MAX_SPATIAL],
        dilation[LT_MAX_SPATIAL];
    int64_t groups;
    bool transposed;
} lt_attrs_conv;
/* What follows a convolution before its result is stored: a clamp, or a function of scalar.def. */
typedef enum lt_activation {
    LT_ACTIVATION_CLAMP,
    LT_ACTIVATION_SIGMOID,
    LT_ACTIVATION_SILU,
    LT_ACTIVATION_GELU,
    LT_ACTIVATION_GELU_TANH,
    LT_ACTIVATION_TANH,
    LT_ACTIVATION_HARDSIGMOID,
    LT_ACTIVATION_HARDSWISH
} lt_activation;
/* Channels in blocks (base/block.h). */
typedef struct lt_attrs_unblock {
    int64_t channels; /* of the result */
} lt_attrs_unblock;
typedef struct lt_attrs_blocked_conv {
    lt_attrs_conv conv; /* of two dims, not transposed */
    int64_t channels;   /* of the input, in each group */
    lt_activation activation;
    double low, high; /* CLAMP; infinite: no bound */
} lt_attrs_blocked_conv;
/* Windows over the last `spatial` dims. Adaptive ones divide each dim into `size` parts, which share an
 * element where sizes do not divide. */
typedef struct lt_attrs_pool {
    int spatial; /* 1…3 */
    bool adaptive;
    int64_t size[LT_MAX_SPATIAL]; /* adaptive: of the output */
    int64_t kernel[LT_MAX_SPATIAL], stride[LT_MAX_SPATIAL], padding[LT_MAX_SPATIAL], dilation[LT_MAX_SPATIAL];
    bool ceil_mode, count_include_pad;
    int64_t divisor; /* 0: the number of elements */
} lt_attrs_pool;
/* One dim gets another size. */
typedef struct lt_attrs_resample {
    lt_resample_mode mode;
    int dim;
    int64_t size; /* of the output */
    double scale; /* output over input as the caller gave it; 0: from the sizes */
    bool align_corners;
    bool antialias; /* when shrinking, the filter widens to cover what an output stands for */
    bool wide;      /* NEAREST: positions are computed in float64, not float32 */
} lt_attrs_resample;
/* torch.nn.functional.grid_sample */
typedef enum lt_sample_padding { LT_SAMPLE_ZEROS, LT_SAMPLE_BORDER, LT_SAMPLE_REFLECT } lt_sample_padding;
typedef struct lt_attrs_sample {
    lt_resample_mode mode; /* NEAREST, LINEAR or CUBIC */
    lt_sample_padding padding;
    bool align_corners;
} lt_attrs_sample;

typedef union lt_attrs {
    lt_attrs_elementwise elementwise;
    lt_attrs_chain chain;
    lt_attrs_reshape reshape;
    lt_attrs_permute permute;
    lt_attrs_slice slice;
    lt_attrs_strided strided;
    lt_attrs_dtype dtype;
    lt_attrs_iota iota;
    lt_attrs_dim dim;
    lt_attrs_reduce reduce;
    lt_attrs_arg arg;
    lt_attrs_scan scan;
    lt_attrs_sort sort;
    lt_attrs_topk topk;
    lt_attrs_search search;
    lt_attrs_scatter scatter;
    lt_attrs_index index;
    lt_attrs_softmax softmax;
    lt_attrs_matmul matmul;
    lt_attrs_norm norm;
    lt_attrs_sdpa sdpa;
    lt_attrs_conv conv;
    lt_attrs_unblock unblock;
    lt_attrs_blocked_conv blocked_conv;
    lt_attrs_pool pool;
    lt_attrs_resample resample;
    lt_attrs_sample sample;
} lt_attrs;

#endif
