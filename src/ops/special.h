/* Functions that the C library does not have. */
#ifndef LT_SPECIAL_H
#define LT_SPECIAL_H

double lt_erfinv(double x);     /* infinite at -1 and 1, NaN outside */
double lt_bessel_i0e(double x); /* exp(-|x|) times the modified Bessel function of order 0 */
double lt_bessel_i1e(double x); /* and of order 1 */
double lt_digamma(double x);    /* derivative of log gamma; NaN at negative integers, infinite at 0 */

#endif
