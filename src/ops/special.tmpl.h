/* Special functions, to nearly full double precision; also part of kernel texts. Before including: LT_FN (how
 * a function is declared) and MD(name), the math functions of doubles. */

/* Halley steps on erf, from an approximation (Winitzki) that is good to 2e-3; near 1 on erfc, which keeps the
 * digits. Each step triples the number of right digits. Infinite at -1 and 1, NaN outside. */
LT_FN double lt_erfinv(double x)
{
    double magnitude = MD(fabs)(x), rest = 1 - magnitude;
    if (!(rest > 0)) return rest < 0 || x != x ? (double)NAN : MD(copysign)((double)INFINITY, x);
    const double a = 0.147;
    double log_term = MD(log)(rest * (1 + magnitude)), t = 2 / (M_PI * a) + log_term / 2;
    double y = MD(sqrt)(MD(sqrt)(t * t - log_term / a) - t);
    for (int i = 0; i < 3; i++) {
        double error = magnitude < 0.5 ? MD(erf)(y) - magnitude : rest - MD(erfc)(y);
        double step = error / (M_2_SQRTPI * MD(exp)(-y * y));
        y -= step / (1 + y * step);
    }
    return MD(copysign)(y, x);
}

/* The derivative of log gamma: reflection for negative x, recurrence up to 10, then the asymptotic series.
 * NaN at negative integers, infinite at 0. */
LT_FN double lt_digamma(double x)
{
    if (!(x < 0 || x > 0)) return x != x ? x : MD(copysign)((double)INFINITY, -x);
    double result = 0;
    if (x < 0) {
        double part = x - MD(trunc)(x);
        if (!(part < 0)) return (double)NAN;
        result = -M_PI / MD(tan)(M_PI * part);
        x = 1 - x;
    }
    while (x < 10) {
        result -= 1 / x;
        x += 1;
    }
    double q = 1 / (x * x);
    double sum =
        (((((((1.0 / 12) * q - 691.0 / 32760) * q + 1.0 / 132) * q - 1.0 / 240) * q + 1.0 / 252) * q -
          1.0 / 120) *
             q +
         1.0 / 12) *
        q;
    return result + MD(log)(x) - 0.5 / x - sum;
}

/* exp(-|x|) times the modified Bessel function of order `n`, 0 or 1: the power series where it is short, else
 * the asymptotic one. Terms of both are positive or small. */
LT_FN double lt_bessel_ie(int n, double x)
{
    double size = MD(fabs)(x), term = 1, sum = 1;
    if (x != x) return x;
    if (size > 30) {
        if (size > 1e300) return 0;
        for (int k = 1; k <= 25; k++) {
            term *= ((2.0 * k - 1) * (2.0 * k - 1) - 4.0 * n * n) / (8 * k * size);
            sum += term;
        }
        sum /= MD(sqrt)(2 * M_PI * size);
        return n ? MD(copysign)(sum, x) : sum;
    }
    for (int k = 1; term > sum * 1e-17; k++) {
        term *= size * size / 4 / k / (k + n);
        sum += term;
    }
    sum *= MD(exp)(-size);
    return n ? sum * x / 2 : sum;
}
