/* Functions of scalar.def for one float class; also part of kernel texts. Before including: T, M(name),
 * FN(name), and LT_FN (how a function is declared). */

/* Python's floor division and modulo. */
LT_FN T FN(div_floor)(T x, T y)
{
    if (y == 0) return x / y;
    T mod = M(fmod)(x, y), div = (x - mod) / y;
    if (mod != 0 && (y < 0) != (mod < 0)) div -= 1;
    if (div == 0) return M(copysign)((T)0, x / y);
    T floored = M(floor)(div);
    return div - floored > (T)0.5 ? floored + 1 : floored;
}

LT_FN T FN(remainder)(T x, T y)
{
    T mod = M(fmod)(x, y);
    return mod != 0 && (y < 0) != (mod < 0) ? mod + y : mod;
}

/* NaN if one of them is. */
LT_FN T FN(larger)(T x, T y) { return x > y || x != x ? x : y; }

/* x is mantissa * 2^exponent; the exponent of what is not finite is 0. */
LT_FN T FN(mantissa)(T x)
{
    int exponent;
    return M(frexp)(x, &exponent);
}

LT_FN T FN(exponent)(T x)
{
    int exponent;
    M(frexp)(x, &exponent);
    return x - x == 0 ? (T)exponent : 0;
}
