/* Functions that the C library does not have. */
#ifndef LT_SPECIAL_H
#define LT_SPECIAL_H

double lt_erfinv(double x);  /* infinite at -1 and 1, NaN outside */
double lt_digamma(double x); /* derivative of log gamma; NaN at negative integers, infinite at 0 */

#endif
