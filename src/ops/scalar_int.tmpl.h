/* Functions of scalar.def for 64-bit integers; also part of kernel texts. Before including: LT_FN (how a
 * function is declared). Division by zero gives 0, where PyTorch raises. */

LT_FN int64_t fma_i64(int64_t x, int64_t y, int64_t z)
{
    return (int64_t)((uint64_t)x + (uint64_t)y * (uint64_t)z);
}

LT_FN int64_t div_trunc_i64(int64_t x, int64_t y)
{
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

LT_FN int64_t fmod_i64(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }

LT_FN int64_t div_floor_i64(int64_t x, int64_t y)
{
    int64_t div = div_trunc_i64(x, y);
    return fmod_i64(x, y) != 0 && (x < 0) != (y < 0) ? div - 1 : div;
}

LT_FN int64_t remainder_i64(int64_t x, int64_t y)
{
    int64_t mod = fmod_i64(x, y);
    return mod != 0 && (mod < 0) != (y < 0) ? mod + y : mod;
}

LT_FN int64_t pow_i64(int64_t x, int64_t y)
{
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t result = 1, base = (uint64_t)x;
    for (; y; y >>= 1, base *= base)
        if (y & 1) result *= base;
    return (int64_t)result;
}

LT_FN int64_t gcd_i64(int64_t x, int64_t y)
{
    uint64_t a = x < 0 ? 0 - (uint64_t)x : (uint64_t)x, b = y < 0 ? 0 - (uint64_t)y : (uint64_t)y;
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (int64_t)a;
}

LT_FN int64_t lcm_i64(int64_t x, int64_t y)
{
    int64_t divisor = gcd_i64(x, y);
    uint64_t multiple = divisor ? (uint64_t)div_trunc_i64(x, divisor) * (uint64_t)y : 0;
    return (int64_t)multiple < 0 ? (int64_t)(0 - multiple) : (int64_t)multiple;
}
