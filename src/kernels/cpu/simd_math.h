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

#endif
