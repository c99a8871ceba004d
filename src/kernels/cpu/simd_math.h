/* Functions of vectors, over the operations of a simd_*.h that is included before. */
#ifndef LT_SIMD_MATH_H
#define LT_SIMD_MATH_H

/* e^x, within 1 unit in the last place; subnormal and infinite results and NaN as they should be. After
 * taking out powers of two, a polynomial (Cephes' expf) on |r| <= ln(2) / 2. */
static inline vf vf_exp(vf x)
{
    x = vf_min(vf_set(89), vf_max(vf_set(-104), x)); /* past them: infinity and zero; NaN goes through */
    vf n = vf_round(vf_mul(x, vf_set(1.44269504088896341f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), x);
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), r);
    return vf_scale(vf_add(p, vf_set(1)), n);
}

/* Near 0 an odd polynomial, fitted for the least relative error; beyond, by the exponential. */
static inline vf vf_tanh(vf x)
{
    vf a = vf_abs(x), s = vf_mul(x, x);
    vf p = vf_set(-5.7049762e-3f);
    p = vf_fma(p, s, vf_set(2.0639079e-2f));
    p = vf_fma(p, s, vf_set(-5.3739712e-2f));
    p = vf_fma(p, s, vf_set(1.33314416e-1f));
    p = vf_fma(p, s, vf_set(-3.33332807e-1f));
    p = vf_fma(vf_mul(p, s), x, x);
    vf e = vf_exp(vf_add(a, a));
    vf q = vf_sub(vf_set(1), vf_div(vf_set(2), vf_add(e, vf_set(1))));
    return vf_select(vf_less(a, vf_set(0.625f)), p, vf_copysign(q, x));
}

/* Near 0 an odd polynomial; beyond, 1 - e^q with a polynomial q for the logarithm of 1 - erf. Both fitted for
 * the least relative error. */
static inline vf vf_erf(vf x)
{
    vf a = vf_abs(x), s = vf_mul(x, x), t = vf_min(vf_set(4), a); /* erf(4) is 1 */
    vf p = vf_set(7.8538746e-5f);
    p = vf_fma(p, s, vf_set(-8.0101984e-4f));
    p = vf_fma(p, s, vf_set(5.1883282e-3f));
    p = vf_fma(p, s, vf_set(-2.6853813e-2f));
    p = vf_fma(p, s, vf_set(1.12835854e-1f));
    p = vf_fma(p, s, vf_set(-3.7612626e-1f));
    p = vf_fma(p, s, vf_set(1.28379166e-1f));
    p = vf_fma(p, x, x);
    vf q = vf_set(1.91504456e-4f);
    q = vf_fma(q, t, vf_set(-2.99954391e-3f));
    q = vf_fma(q, t, vf_set(2.2052011e-2f));
    q = vf_fma(q, t, vf_set(-1.03566922e-1f));
    q = vf_fma(q, t, vf_set(-6.37600005e-1f));
    q = vf_fma(q, t, vf_set(-1.12742615f));
    q = vf_fma(q, t, vf_set(-2.56440457e-4f));
    q = vf_sub(vf_set(1), vf_exp(q));
    return vf_select(vf_less(a, vf_set(1)), p, vf_copysign(q, x));
}

static inline vf vf_sigmoid(vf x) { return vf_div(vf_set(1), vf_add(vf_set(1), vf_exp(vf_neg(x)))); }
static inline vf vf_silu(vf x) { return vf_div(x, vf_add(vf_set(1), vf_exp(vf_neg(x)))); }

static inline vf vf_gelu(vf x)
{
    vf erf = vf_erf(vf_mul(x, vf_set(0.70710678118654752440f)));
    return vf_mul(vf_mul(x, vf_set(0.5f)), vf_add(vf_set(1), erf));
}

static inline vf vf_gelu_tanh(vf x)
{
    vf cube = vf_mul(vf_mul(vf_mul(vf_set(0.044715f), x), x), x);
    vf inner = vf_mul(vf_set(0.79788456080286535588f), vf_add(x, cube));
    return vf_mul(vf_mul(vf_set(0.5f), x), vf_add(vf_set(1), vf_tanh(inner)));
}

/* NaN if one of them is. */
static inline vf vf_maximum(vf x, vf y) { return vf_select(vf_isnan(x), x, vf_max(x, y)); }
static inline vf vf_minimum(vf x, vf y) { return vf_select(vf_isnan(x), x, vf_min(x, y)); }

static inline vf vf_relu6(vf x) /* of x + 3, as the hard activations want it */
{
    return vf_min(vf_set(6), vf_max(vf_zero(), vf_add(x, vf_set(3))));
}

#endif
