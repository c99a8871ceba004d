/* Softmax of one row for one arithmetic class. Before including: T, M(name) and FN(name). */
static void FN(softmax_row)(const lt_attrs_softmax *attrs, T *restrict x, int64_t n)
{
    T most = -(T)INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    if (attrs->log) {
        for (int64_t i = 0; i < n; i++) sum += (double)M(exp)(x[i] - most);
        T log_sum = (T)log(sum);
        for (int64_t i = 0; i < n; i++) x[i] = x[i] - most - log_sum;
    } else {
        for (int64_t i = 0; i < n; i++) x[i] = M(exp)(x[i] - most);
        for (int64_t i = 0; i < n; i++) sum += (double)x[i];
        T total = (T)sum;
        for (int64_t i = 0; i < n; i++) x[i] /= total;
    }
}
