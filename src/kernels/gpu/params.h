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
