/* Special functions, to nearly full double precision. */
#include "ops/special.h"

#include <math.h>

/* Halley steps on erf, from an approximation (Winitzki) that is good to 2e-3; near 1 on erfc, which keeps the
 * digits. Each step triples the number of right digits. */
double lt_erfinv(double x)
{
    double magnitude = fabs(x), rest = 1 - magnitude;
    if (!(rest > 0)) return rest < 0 || isnan(x) ? (double)NAN : copysign((double)INFINITY, x);
    const double a = 0.147;
    double log_term = log(rest * (1 + magnitude)), t = 2 / (M_PI * a) + log_term / 2;
    double y = sqrt(sqrt(t * t - log_term / a) - t);
    for (int i = 0; i < 3; i++) {
        double error = magnitude < 0.5 ? erf(y) - magnitude : rest - erfc(y);
        double step = error / (M_2_SQRTPI * exp(-y * y));
        y -= step / (1 + y * step);
    }
    return copysign(y, x);
}

/* Reflection for negative x, recurrence up to 10, then the asymptotic series. */
double lt_digamma(double x)
{
    if (!(x < 0 || x > 0)) return isnan(x) ? x : copysign((double)INFINITY, -x);
    double result = 0;
    if (x < 0) {
        double whole, part = modf(x, &whole);
        if (!(part < 0)) return (double)NAN;
        result = -M_PI / tan(M_PI * part);
        x = 1 - x;
    }
    while (x < 10) {
        result -= 1 / x;
        x += 1;
    }
    static const double series[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                    1.0 / 132, -691.0 / 32760, 1.0 / 12};
    double square = 1 / (x * x), sum = 0;
    for (int i = 6; i >= 0; i--) sum = (sum + series[i]) * square;
    return result + log(x) - 0.5 / x - sum;
}

/* The power series of order `n` where it is short, else the asymptotic one: terms of both are positive or
 * small. */
static double bessel_ie(int n, double x)
{
    enum { SHORT = 30, ASYMPTOTIC_TERMS = 25 };
    double size = fabs(x), term = 1, sum = 1;
    if (!(size <= SHORT)) {
        if (isinf(size)) return 0;
        for (int k = 1; k <= ASYMPTOTIC_TERMS; k++) {
            double odd = 2 * k - 1;
            term *= (odd * odd - 4 * n * n) / (8 * k * size);
            sum += term;
        }
        sum /= sqrt(2 * M_PI * size);
        return n % 2 ? copysign(sum, x) : sum;
    }
    for (int k = 1; term > sum * 1e-17; k++) {
        term *= size * size / 4 / k / (k + n);
        sum += term;
    }
    sum *= exp(-size);
    return n % 2 ? sum * x / 2 : sum;
}

double lt_bessel_i0e(double x) { return bessel_ie(0, x); }
double lt_bessel_i1e(double x) { return bessel_ie(1, x); }
