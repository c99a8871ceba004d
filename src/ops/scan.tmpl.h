/* Running folds for one arithmetic class. Before including: T, FN(name), ADD(a, b), MUL(a, b), IS_NAN(x) and
 * LOG_ADD_EXP(a, b), NOTHING (its neutral value). */

/* acc becomes acc op x at `place` along the dim; `at` is where a running extremum was found: the last of
 * equal ones, the last NaN once there is one. */
static inline void FN(step)(lt_op op, T *acc, int64_t *at, T x, int64_t place)
{
    switch (op) {
    case LT_OP_CUMSUM: *acc = ADD(*acc, x); return;
    case LT_OP_CUMPROD: *acc = MUL(*acc, x); return;
    case LT_OP_LOGCUMSUMEXP: *acc = LOG_ADD_EXP(x, *acc); return;
    default: break;
    }
    bool better = op == LT_OP_CUMMAX ? x >= *acc : x <= *acc;
    if (place > 0 && !IS_NAN(x) && (IS_NAN(*acc) || !better)) return;
    *acc = x;
    *at = place;
}

static T FN(identity)(lt_op op)
{
    return op == LT_OP_CUMPROD ? 1 : op == LT_OP_LOGCUMSUMEXP ? (T)NOTHING : 0;
}

/* One line along the dim. */
static void FN(scan_line)(const lt_scan *scan, const char *from, char *to, char *to_index)
{
    T acc = FN(identity)(scan->op), x[CHUNK];
    int64_t at = 0, index[CHUNK];
    for (int64_t start = 0; start < scan->n; start += CHUNK) {
        int64_t n = lt_min_i64(CHUNK, scan->n - start);
        FN(lt_load)(scan->from, from + start * scan->step[2], scan->step[2], n, x);
        for (int64_t i = 0; i < n; i++) {
            FN(step)(scan->op, &acc, &at, x[i], start + i);
            x[i] = acc;
            index[i] = at;
        }
        FN(lt_store)(scan->to, to + start * scan->step[0], scan->step[0], n, x);
        if (scan->indices) lt_store_i64(LATHE_I64, to_index + start * scan->step[1], scan->step[1], n, index);
    }
}

/* Up to CHUNK lines side by side; `across` are the bytes between them. */
static void FN(scan_lines)(const lt_scan *scan, const char *from, char *to, char *to_index,
                           const int64_t *across, int64_t lines)
{
    T acc[CHUNK], x[CHUNK];
    int64_t at[CHUNK];
    for (int64_t i = 0; i < lines; i++) {
        acc[i] = FN(identity)(scan->op);
        at[i] = 0;
    }
    for (int64_t k = 0; k < scan->n; k++) {
        FN(lt_load)(scan->from, from + k * scan->step[2], across[2], lines, x);
        for (int64_t i = 0; i < lines; i++) FN(step)(scan->op, &acc[i], &at[i], x[i], k);
        FN(lt_store)(scan->to, to + k * scan->step[0], across[0], lines, acc);
        if (scan->indices) lt_store_i64(LATHE_I64, to_index + k * scan->step[1], across[1], lines, at);
    }
}
