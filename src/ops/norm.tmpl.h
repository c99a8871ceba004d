/* Normalisation of rows for one arithmetic class. Before including: T, FN(name). */

/* The elements of a view of any strides, in order, to or from `row`. */
static void FN(load_view)(const lt_tensor *view, T *row)
{
    lt_iter it;
    lt_iter_start(&it, view, &view, 1);
    if (it.row) do {
            FN(lt_load)(view->dtype, it.at[0], it.row_step[0], it.row, row);
            row += it.row;
        } while (lt_iter_next(&it));
}

static void FN(store_view)(const lt_tensor *view, const T *row)
{
    lt_iter it;
    lt_iter_start(&it, view, &view, 1);
    if (it.row) do {
            FN(lt_store)(view->dtype, it.at[0], it.row_step[0], it.row, row);
            row += it.row;
        } while (lt_iter_next(&it));
}

/* Normalises `row`; stats[0], stats[1]: mean and 1/deviation, or 1/rms twice. */
static void FN(normalise)(const lt_op_call *call, T *row, int64_t n, T *stats)
{
    double sum = 0, squares = 0, mean = 0;
    if (call->op == LT_OP_LAYER_NORM) {
        for (int64_t i = 0; i < n; i++) sum += row[i];
        mean = n ? sum / (double)n : 0;
    }
    for (int64_t i = 0; i < n; i++) squares += ((double)row[i] - mean) * ((double)row[i] - mean);
    double scale = 1 / sqrt(squares / (double)n + call->attrs->norm.eps);
    T shift = (T)mean, factor = (T)scale;
    for (int64_t i = 0; i < n; i++) row[i] = (row[i] - shift) * factor;
    stats[0] = call->op == LT_OP_LAYER_NORM ? shift : factor;
    stats[1] = factor;
}

/* The dims that are normalised over. */
static lt_tensor FN(inner_view)(const lt_tensor *tensor, int n_dims)
{
    lt_tensor view = {.dtype = tensor->dtype, .rank = n_dims, .data = tensor->data};
    for (int i = 0; i < n_dims; i++) {
        view.dim[i] = tensor->dim[tensor->rank - n_dims + i];
        view.stride[i] = tensor->stride[tensor->rank - n_dims + i];
    }
    return view;
}

/* `it` walks the leading dims of output, input and statistics. */
static void FN(norm)(const lt_op_call *call, lt_iter *it)
{
    int n_dims = call->attrs->norm.n_dims;
    lt_tensor x = FN(inner_view)(&call->in[0], n_dims), y = FN(inner_view)(&call->out[0], n_dims);
    int64_t n = lathe_tensor_count(&x);
    T *row = call->scratch, *weight = row + n, *bias = weight + n, stats[2];
    if (call->n_in > 1) FN(load_view)(&call->in[1], weight);
    if (call->n_in > 2) FN(load_view)(&call->in[2], bias);
    do {
        for (int64_t r = 0; r < it->row; r++) {
            x.data = it->at[1] + r * it->row_step[1];
            y.data = it->at[0] + r * it->row_step[0];
            FN(load_view)(&x, row);
            FN(normalise)(call, row, n, stats);
            if (call->attrs->norm.rounds) { /* there and back through the result's room */
                FN(store_view)(&y, row);
                FN(load_view)(&y, row);
            }
            for (int64_t i = 0; call->n_in > 1 && i < n; i++) row[i] *= weight[i];
            for (int64_t i = 0; call->n_in > 2 && i < n; i++) row[i] += bias[i];
            FN(store_view)(&y, row);
            for (int k = 0; k < 2; k++)
                FN(lt_store)(call->out[1].dtype, it->at[2 + k] + r * it->row_step[2 + k], 0, 1, &stats[k]);
        }
    } while (lt_iter_next(it));
}
