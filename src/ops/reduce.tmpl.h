/* Folding for one arithmetic class. Before including: T, FN(name), ADD(a, b), MUL(a, b) (wrapping for
 * integers), LEAST and GREATEST (values of T). */

/* acc[i] = acc[i] op x[i]. Comparisons keep a NaN once there is one. */
static void FN(accumulate)(lt_op op, T *restrict acc, const T *restrict x, int64_t n)
{
    switch (op) {
    case LT_OP_REDUCE_PROD:
        for (int64_t i = 0; i < n; i++) acc[i] = MUL(acc[i], x[i]);
        break;
    case LT_OP_REDUCE_MAX:
        for (int64_t i = 0; i < n; i++) acc[i] = x[i] > acc[i] || IS_NAN(x[i]) ? x[i] : acc[i];
        break;
    case LT_OP_REDUCE_MIN:
        for (int64_t i = 0; i < n; i++) acc[i] = x[i] < acc[i] || IS_NAN(x[i]) ? x[i] : acc[i];
        break;
    default: /* sum, mean, variance */
        for (int64_t i = 0; i < n; i++) acc[i] = ADD(acc[i], x[i]);
    }
}

static void FN(start)(lt_op op, T *acc, int64_t n)
{
    T identity = op == LT_OP_REDUCE_PROD  ? 1
                 : op == LT_OP_REDUCE_MAX ? LEAST
                 : op == LT_OP_REDUCE_MIN ? GREATEST
                                          : 0;
    for (int64_t i = 0; i < n; i++) acc[i] = identity;
}

/* One output: everything that `it` walks over, from `origin`, in LANES interleaved parts; as squared
 * distances from *centre when there is one. */
static T FN(fold_row)(const lt_fold *fold, const char *origin, const T *centre)
{
    lt_iter it = fold->walk;
    T acc[LANES], x[CHUNK];
    FN(start)(fold->op, acc, LANES);
    it.at[0] = (char *)(uintptr_t)origin;
    if (it.row) do {
            for (int64_t at = 0; at < it.row; at += CHUNK) {
                int64_t n = lt_min_i64(CHUNK, it.row - at);
                FN(lt_load)(fold->dtype, it.at[0] + at * it.row_step[0], it.row_step[0], n, x);
                for (int64_t i = 0; i < n && centre; i++) x[i] = (x[i] - *centre) * (x[i] - *centre);
                for (int64_t i = 0; i < n; i += LANES)
                    FN(accumulate)(fold->op, acc, x + i, lt_min_i64(LANES, n - i));
            }
        } while (lt_iter_next(&it));
    for (int l = 1; l < LANES; l++) FN(accumulate)(fold->op, acc, acc + l, 1);
    return acc[0];
}

/* n outputs whose elements lie `step` bytes apart, at most CHUNK, side by side. */
static void FN(fold_columns)(const lt_fold *fold, const char *origin, int64_t step, int64_t n,
                             const T *centre, T *acc)
{
    lt_iter it = fold->walk;
    T x[CHUNK];
    FN(start)(fold->op, acc, n);
    it.at[0] = (char *)(uintptr_t)origin;
    if (it.row) do {
            for (int64_t k = 0; k < it.row; k++) {
                FN(lt_load)(fold->dtype, it.at[0] + k * it.row_step[0], step, n, x);
                for (int64_t i = 0; i < n && centre; i++) x[i] = (x[i] - centre[i]) * (x[i] - centre[i]);
                FN(accumulate)(fold->op, acc, x, n);
            }
        } while (lt_iter_next(&it));
}

/* A block of at most CHUNK outputs, by rows or by columns. */
static void FN(fold_block)(const lt_fold *fold, const char *origin, int64_t step, int64_t n, const T *centre,
                           T *acc)
{
    if (fold->columns) FN(fold_columns)(fold, origin, step, n, centre, acc);
    else
        for (int64_t i = 0; i < n; i++)
            acc[i] = FN(fold_row)(fold, origin + i * step, centre ? centre + i : NULL);
}

/* Where the extremum of each of n outputs lies along the one reduced dim: the first one, or the first NaN. */
static void FN(find_columns)(const lt_fold *fold, const char *origin, int64_t step, int64_t n, int64_t *index)
{
    bool largest = fold->op == LT_OP_ARGMAX;
    T best[CHUNK], x[CHUNK];
    for (int64_t i = 0; i < n; i++) index[i] = 0;
    FN(lt_load)(fold->dtype, origin, step, n, best);
    for (int64_t k = 1; k < fold->walk.row; k++) {
        FN(lt_load)(fold->dtype, origin + k * fold->walk.row_step[0], step, n, x);
        for (int64_t i = 0; i < n; i++) {
            bool better = largest ? x[i] > best[i] : x[i] < best[i];
            if (!better && (!IS_NAN(x[i]) || IS_NAN(best[i]))) continue;
            best[i] = x[i];
            index[i] = k;
        }
    }
}

static int64_t FN(find_row)(const lt_fold *fold, const char *origin)
{
    bool largest = fold->op == LT_OP_ARGMAX;
    int64_t index = 0, step = fold->walk.row_step[0];
    T best, x[CHUNK];
    FN(lt_load)(fold->dtype, origin, step, 1, &best);
    for (int64_t at = 0; at < fold->walk.row && !IS_NAN(best); at += CHUNK) {
        int64_t n = lt_min_i64(CHUNK, fold->walk.row - at);
        FN(lt_load)(fold->dtype, origin + at * step, step, n, x);
        for (int64_t i = 0; i < n; i++) {
            if (!(largest ? x[i] > best : x[i] < best) && !IS_NAN(x[i])) continue;
            best = x[i];
            index = at + i;
            if (IS_NAN(best)) break;
        }
    }
    return index;
}

static void FN(find_block)(const lt_fold *fold, const char *origin, int64_t step, int64_t n, int64_t *index)
{
    if (fold->columns) FN(find_columns)(fold, origin, step, n, index);
    else
        for (int64_t i = 0; i < n; i++) index[i] = FN(find_row)(fold, origin + i * step);
}
