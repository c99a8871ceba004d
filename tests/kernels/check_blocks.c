/* Making blocks of channels, and pools of them. */
#include "checkasm.h"

#include <math.h>
#include <string.h>

static void check_move(const lt_cpu_kernels *kernels, int64_t channels, int64_t n)
{
    int64_t stride = n + check_range(0, 5);
    check_case("block channels %lld n %lld", (long long)channels, (long long)n);
    float *rows = check_buffer((size_t)((channels - 1) * stride + n) * sizeof *rows);
    float *blocked = check_buffer((size_t)(n * LT_BLOCK) * sizeof *blocked);
    float *back = check_buffer((size_t)((channels - 1) * stride + n) * sizeof *back);
    for (int64_t c = 0; c < channels; c++) check_floats(rows + c * stride, n, 1);
    kernels->block(rows, stride, channels, n, blocked);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < LT_BLOCK; c++)
            check_close(blocked[i * LT_BLOCK + c], c < channels ? (double)rows[c * stride + i] : 0, 0,
                        "block", i, c);
    kernels->unblock(blocked, n, back, stride, channels);
    if (memcmp(rows, back, (size_t)((channels - 1) * stride + n) * sizeof *rows) != 0)
        check_fail("unblock does not undo block, or writes between the rows");
}

static void check_window(const lt_cpu_kernels *kernels, int64_t rows, int64_t columns, bool nan)
{
    int64_t step = check_range(1, 2), row = (columns + 1) * step + check_range(0, 2);
    check_case("pool %lldx%lld%s", (long long)rows, (long long)columns, nan ? " with NaN" : "");
    int64_t n = rows && columns ? (rows - 1) * row + (columns - 1) * step + 1 : 1;
    float *x = check_buffer((size_t)(n * LT_BLOCK) * sizeof *x), *out = check_buffer(LT_BLOCK * sizeof *out),
          *mean = check_buffer(LT_BLOCK * sizeof *mean);
    check_floats(x, n * LT_BLOCK, 1);
    if (nan) x[check_range(0, rows - 1) * row * LT_BLOCK + 3] = NAN;
    lt_pool_window w = {.x = x,
                        .rows = rows,
                        .row_step = row * LT_BLOCK,
                        .columns = columns,
                        .column_step = step * LT_BLOCK,
                        .divisor = (float)check_range(1, 9)};
    kernels->pool_max(&w, out);
    kernels->pool_mean(&w, mean);
    for (int lane = 0; lane < LT_BLOCK; lane++) {
        double largest = -INFINITY, sum = 0;
        for (int64_t j = 0; j < rows; j++)
            for (int64_t i = 0; i < columns; i++) {
                double value = (double)x[j * w.row_step + i * w.column_step + lane];
                if (value > largest || isnan(value)) largest = value;
                sum += value;
            }
        check_close(out[lane], largest, 0, "max", lane, 0);
        check_close(mean[lane], sum / (double)w.divisor, 0x1p-24 * (double)(rows * columns + 2), "mean", lane,
                    0);
    }
}

static void check(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    if (kernels->block != below->block)
        for (int64_t n = 1; n <= 40; n++) {
            check_move(kernels, LT_BLOCK, n);
            check_move(kernels, check_range(1, LT_BLOCK), n);
        }
    if (kernels->pool_max == below->pool_max) return;
    for (int64_t i = 0; i <= 4; i++)
        for (int64_t j = 0; j <= 9; j++) {
            check_window(kernels, i, j, false);
            if (i && j) check_window(kernels, i, j, true);
        }
}

static void bench(const lt_cpu_kernels *kernels, const lt_cpu_kernels *below)
{
    (void)kernels;
    (void)below;
}

const check_suite check_blocks = {"blocks", check, bench};
