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

/* A product for each index of `batch`: out[i, j] = bias[i, j] + sum over l of a[i, l] * b[j, l]. */
typedef struct lt_product_params {
    int m, n, k, batches;
    int a_step[2], b_step[2], out_step[2]; /* along i or j, along l (out: along j) */
    int has_bias, bias_step[2];            /* along i, along j */
    int splits, part_offset;               /* fragments.k: teams that share l; where their sums begin */
    int more[2]; /* epilogues: what lies beside element i of `out` is element i + more of that buffer */
    int batch[LT_DIMS];
    lt_view a, b, bias, out; /* over the batch */
} lt_product_params;

/* Rows of a packed matrix [n, k] that an index tensor of these dims names; `step`: between elements of a row.
 */
typedef struct lt_packed_rows_params {
    int count, n, k; /* count: elements in all */
    int wrap, flag, step;
    int dim[LT_DIMS];
    lt_view index, out;
} lt_packed_rows_params;

/* Attention; views: batch, head, query row or key, element; `last` and `first`: batch, query row; `sink`:
 * head. A number of three parts is their sum. */
typedef struct lt_attention_params {
    int rows, heads, length, keys, group; /* rows: all of the result; group: query heads for a key head */
    int width, value_width;
    int causal, empty_nan, has_last, has_first;
    int splits, part_offset; /* how many teams share the keys of a row; where their sums begin */
    float scale[3], cap[3];
    lt_view q, k, v, mask, last, first, sink, out;
} lt_attention_params;

/* A convolution: dims are z, y, x, those that are missing of size 1; steps of x and out: image, channel, z,
 * y, x, of w: output channel, input channel (of a group), z, y, x. */
typedef struct lt_conv_params {
    int count, channels;     /* outputs in all; channels of the output */
    int group_out, group_in; /* channels of a group */
    int in[3], out[3], window[3], stride[3], padding[3], dilation[3];
    int x_step[5], w_step[5], out_step[5];
    int x_offset, w_offset, out_offset, bias_offset, bias_step, has_bias;
} lt_conv_params;

/* Pooling over the last dims (z, y, x, those that are missing of size 1); views are over the leading dims. */
typedef struct lt_pool_params {
    int count;        /* outputs in all */
    int dim[LT_DIMS]; /* the leading dims */
    int in[3], out[3], window[3], stride[3], padding[3], dilation[3];
    int adaptive, include_pad, divisor;
    int x_step[3], out_step[3], where_step[3];
    lt_view x, y, where;
} lt_pool_params;

/* One dim at another size. */
typedef struct lt_resample_params {
    int count, rank;
    int dim[LT_DIMS];       /* of the output */
    int at, in, size, step; /* which dim is resampled, its sizes, and the stride of x along it */
    int align_corners;
    float inverse[3]; /* input over output, as a sum; 0: from the sizes */
    lt_view x, y;     /* over the output's dims; x has a stride of 0 at the one that is resampled */
} lt_resample_params;

/* Images at places of a grid; dims are z, y, x, those that are missing of size 1. Steps of x and y: image,
 * channel, z, y, x; of the grid: image, z, y, x, coordinate. */
typedef struct lt_sample_params {
    int count, channels; /* count: places of all images */
    int in[3], out[3];
    int align_corners;
    int x_offset, grid_offset, y_offset;
    int x_step[5], grid_step[5], y_step[5];
} lt_sample_params;

/* Products by group: a [m, k], w [groups, k, n], the rows where groups end. */
typedef struct lt_grouped_params {
    int m, n, k, groups, flag;
    lt_view a, w, ends, out;
} lt_grouped_params;

/* Kernels that go through lines: where each begins is a view over `outer` (LT_RANK dims), where its elements
 * are is one over `inner` (LT_INNER dims), for each operand in the order of the buffers that have them. */
#define LT_LINE_VIEWS 4
typedef struct lt_lines_params {
    int lines, count; /* how many, and elements of each */
    int outer[LT_DIMS], inner[LT_DIMS];
    float number[3]; /* a number as a sum, which kernels say more of */
    lt_view begin[LT_LINE_VIEWS], within[LT_LINE_VIEWS];
} lt_lines_params;

/* Rotary embedding, for each pair of elements: indices over `dim`; from a pair's first element to its second.
 */
typedef struct lt_rope_params {
    int count;
    int dim[LT_DIMS];
    int apart[4];
    lt_view view[4]; /* x, cos, sin, out */
} lt_rope_params;

/* Elements that indices name, for each index of `dim`: the place in the tensor that is read or written is
 * that of view `base`, and for each of its dims with an index tensor an entry of that times `stride`. */
#define LT_INDICES 4
typedef struct lt_index_params {
    int count, places; /* work items; what each goes through in order (writing) */
    int wrap;          /* negative ones count from the end */
    int flag;
    int dim[LT_DIMS], places_dim[LT_DIMS];
    int size[LT_INDICES], stride[LT_INDICES];
    lt_view base, other, index[LT_INDICES]; /* other: what is written to or read from */
    lt_view other_places;                   /* over places_dim, as `index` is then */
} lt_index_params;

/* Progressions. */
typedef struct lt_iota_params {
    int count, offset, stride;
    float start[3], step[3];
    int int_start[2], int_step[2]; /* low word first */
} lt_iota_params;

/* Lines that are sorted or searched. */
typedef struct lt_order_params {
    int lines, count, taken; /* elements of a line, and how many of them are wanted */
    int room;                /* where the keys begin in working memory, in keys */
    int dim[LT_DIMS];
    lt_view x, values, places;
    int x_step, values_step, places_step;
} lt_order_params;
