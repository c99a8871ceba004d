/* Attention of one block of rows for one arithmetic class. Before including: T, DTYPE (the dtype that is a
 * T), M(name), FN(name). */

/* Loads n entries of a mask row from key `at` on, as numbers to add. */
static void FN(load_mask)(const lt_attention *block, int64_t row, int64_t at, int64_t n, T *to)
{
    const char *from = block->mask + row * block->mask_step[0] + at * block->mask_step[1];
    FN(lt_load)(block->mask_dtype, from, block->mask_step[1], n, to);
    if (block->mask_dtype != LATHE_BOOL) return;
    for (int64_t i = 0; i < n; i++) to[i] = to[i] != 0 ? 0 : -(T)INFINITY;
}

/* Narrows *from … *to - 1 to the keys that some row looks at. Reading a mask is cheaper than reading keys. */
static void FN(find_range)(const lt_attention *block, int64_t *from, int64_t *to)
{
    T chunk[CHUNK];
    int64_t low = block->keys, high = 0;
    for (int64_t row = 0; row < block->rows; row++) {
        int64_t begin = block->begin[row], end = block->end[row];
        if (!block->mask && begin < end) {
            low = lt_min_i64(low, begin);
            high = lt_max_i64(high, end);
        }
        for (int64_t at = begin; block->mask && at < end; at += CHUNK) {
            int64_t n = lt_min_i64(CHUNK, end - at);
            FN(load_mask)(block, row, at, n, chunk);
            for (int64_t i = 0; i < n; i++) {
                if (chunk[i] == -(T)INFINITY) continue;
                low = lt_min_i64(low, at + i);
                high = lt_max_i64(high, at + i + 1);
            }
        }
    }
    *from = lt_min_i64(low, high);
    *to = high;
    if (*from == *to && block->empty_nan) *to = *from + 1; /* so that there is a score to be NaN */
}

/* Rounds numbers as the graph does at this point, if it does. */
static void FN(round_row)(const lt_attention *block, unsigned where, int64_t n, T *x)
{
    uint16_t half[CHUNK];
    for (int64_t at = 0; (block->rounds & where) && at < n; at += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, n - at);
        FN(lt_store)(block->rounded, half, sizeof *half, part, x + at);
        FN(lt_load)(block->rounded, half, sizeof *half, part, x + at);
    }
}

/* Scores grow no larger than the cap. */
static void FN(cap_row)(const lt_attention *block, int64_t n, T *x)
{
    T cap = (T)block->cap;
    if (!(cap > 0)) return;
    for (int64_t i = 0; i < n; i++) x[i] /= cap;
    FN(round_row)(block, LT_ROUND_CAPPED, n, x);
    for (int64_t i = 0; i < n; i++) x[i] = M(tanh)(x[i]);
    FN(round_row)(block, LT_ROUND_CAPPED, n, x);
    for (int64_t i = 0; i < n; i++) x[i] *= cap;
    FN(round_row)(block, LT_ROUND_CAPPED, n, x);
}

/* Scales, caps, masks and normalises a row of scores of keys `from` … `to` - 1. */
static void FN(soften)(const lt_attention *block, int64_t row, int64_t from, int64_t to, T *x)
{
    T chunk[CHUNK], sink = (T)block->sink[row], largest = sink, scale = (T)block->scale;
    int64_t n = to - from, begin = lt_max_i64(0, block->begin[row] - from),
            end = lt_min_i64(n, block->end[row] - from);
    FN(round_row)(block, LT_ROUND_PRODUCT, n, x);
    for (int64_t i = 0; i < n; i++) x[i] *= scale;
    FN(round_row)(block, LT_ROUND_SCALED, n, x);
    FN(cap_row)(block, n, x);
    for (int64_t i = 0; i < n; i++)
        if (i < begin || i >= end) x[i] = -(T)INFINITY;
    for (int64_t at = begin; block->mask && at < end; at += CHUNK) {
        int64_t part = lt_min_i64(CHUNK, end - at);
        FN(load_mask)(block, row, from + at, part, chunk);
        for (int64_t i = 0; i < part; i++) x[at + i] += chunk[i];
    }
    FN(round_row)(block, LT_ROUND_MASKED, n, x);
    bool looks = sink != -(T)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
        looks = looks || x[i] != -(T)INFINITY;
    }
    sink -= largest;
    for (int64_t i = 0; i < n; i++) x[i] -= largest;
    FN(round_row)(block, LT_ROUND_SHIFTED, n, x);
    FN(round_row)(block, LT_ROUND_SHIFTED, 1, &sink);
    double sum = looks ? M(exp)(sink) : 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = looks ? M(exp)(x[i]) : 0;
        sum += x[i];
    }
    T inverse = looks ? (T)(1 / sum) : block->empty_nan ? (T)NAN : 0;
    for (int64_t i = 0; i < n; i++) x[i] *= inverse;
    FN(round_row)(block, LT_ROUND_WEIGHTS, n, x);
}

/* Scores or weights [rows][n], times the scales of the keys that `p` reads along that dim of its b. */
static void FN(scale_keys)(const lt_attention *block, const lt_product *p, int key_dim, int64_t n, T *rows)
{
    for (int64_t key = 0; block->quantized && key < n; key++) {
        T scale = (T)key_scale(p, key_dim, key);
        for (int64_t row = 0; row < block->rows; row++) rows[row * n + key] *= scale;
    }
}

/* `rows`: room for rows x keys scores. */
static void FN(attend)(const lt_attention *block, void *scratch, T *rows)
{
    int64_t from, to;
    FN(find_range)(block, &from, &to);
    lt_product scores = block->scores, values = block->values;
    scores.n = values.k = to - from;
    scores.b += from * scores.b_step[0];
    scores.out = (char *)rows;
    scores.out_dtype = values.a_dtype = DTYPE;
    scores.out_step[0] = values.a_step[0] = (to - from) * (int64_t)sizeof(T);
    scores.out_step[1] = values.a_step[1] = (int64_t)sizeof(T);
    lt_product_run(&scores, scratch);
    FN(scale_keys)(block, &scores, 0, to - from, rows);
    for (int64_t row = 0; row < block->rows; row++)
        FN(soften)(block, row, from, to, rows + row * (to - from));
    values.a = (const char *)rows;
    values.b += from * values.b_step[1];
    FN(scale_keys)(block, &values, 1, to - from, rows);
    lt_product_run(&values, scratch);
}
