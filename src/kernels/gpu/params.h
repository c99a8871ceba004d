/* Parameters of kernels, one text for the host and for every dialect: 32-bit fields only. Sizes and strides
 * are in elements; `offset` is that of element 0 from the start of the buffer. */
#define LT_DIMS 8

typedef struct lt_view {
    int offset;
    int stride[LT_DIMS];
} lt_view;

/* Elementwise chains: a value for each index of `dim`, whose last is the fastest. */
#define LT_CHAIN_VIEWS 9
typedef struct lt_chain_params {
    int count;
    int dim[LT_DIMS];
    lt_view view[LT_CHAIN_VIEWS]; /* inputs, then the output */
} lt_chain_params;

/* A product for each index of `batch`: out[i, j] = bias[j] + sum over l of a[i, l] * b[j, l]. */
typedef struct lt_product_params {
    int m, n, k, batches;
    int a_step[2], b_step[2], out_step[2]; /* along i or j, along l (out: along j) */
    int has_bias, bias_offset, bias_step;
    int batch[LT_DIMS];
    lt_view a, b, out; /* over the batch */
} lt_product_params;
