/* The vocabulary of kernels in the Metal shading language, which has no double and not all of C's functions.
 */
#include <metal_stdlib>
using namespace metal;
typedef char lt_i8;
typedef uchar lt_u8;
typedef short lt_i16;
typedef ushort lt_u16;
typedef long lt_i64;
typedef ulong lt_u64;
typedef uint lt_u32;
#define LT_KERNEL kernel void
#define LT_BUF(index, type, name) device type *name [[buffer(index)]]
#define LT_PARAMS(index, type, name) constant type &name [[buffer(index)]]
/* Arguments that give a kernel its place. */
#define LT_IDS \
    , uint3 lt_group [[threadgroup_position_in_grid]], uint3 lt_item [[thread_position_in_threadgroup]]
#define LT_GLOBAL device
#define LT_LOCAL threadgroup
#define LT_PRIVATE thread
#define LT_FN static inline
#define LT_LOCAL_ARRAY(type, name, count) threadgroup type name[count]
#define LT_BARRIER threadgroup_barrier(mem_flags::mem_threadgroup)
#define LT_GROUP(dim) ((int)lt_group[dim])
#define LT_ITEM(dim) ((int)lt_item[dim])
#define LT_BITS(x) as_type<uint>(x)       /* of a float */
#define LT_FROM_BITS(x) as_type<float>(x) /* the float */
#define LT_FMA(a, b, c) fma(a, b, c)
#define LT_UNROLL _Pragma("clang loop unroll(full)")
#define LT_ALIGNED(p) ((ulong)(p) % 16 == 0)
#define LT_SHUFFLE_XOR(x, lanes) simd_shuffle_xor(x, (ushort)(lanes))
/* Fragments: 16 x 16 factors or sums of a product that a simdgroup holds together. Before version 3.1 the
 * language has no bfloat: such factors are floats then. */
#define LT_SUBGROUP_BARRIER simdgroup_barrier(mem_flags::mem_threadgroup)
#define LT_TILE_T(dtype) LT_PASTE(LT_TILE_, dtype)
#define LT_TILE_float16 half
#if __METAL_VERSION__ >= 310
#define LT_TILE_bfloat16 bfloat
#else
#define LT_TILE_bfloat16 float
#endif
#define LT_TILE_AT(row, column, width) ((row) * (width) + (column))
#define LT_FRAG(dtype) lt_frag<LT_TILE_T(dtype)>
template <typename T> struct lt_frag {
    simdgroup_matrix<T, 8, 8> at[4];
};
struct lt_sums {
    simdgroup_matrix<float, 8, 8> at[4];
};
template <typename T> void lt_tile_put(threadgroup T *to, uint4 quad) { *(threadgroup uint4 *)to = quad; }
static inline void lt_tile_put(threadgroup float *to, uint4 quad)
{
    for (int i = 0; i < 8; i++) to[i] = as_type<float>(quad[i / 2] >> (i % 2 * 16) << 16);
}
#define LT_TILE_PUT(to, quad) lt_tile_put(to, quad)
#define lt_copy_start(to, from, n) \
    lt_tile_put(to, (n) == 8 ? lt_octet_load_bfloat16(from).low : lt_octet_some(from, n).low)
#define LT_COPY_END
#define LT_COPY_WAIT(n)
template <typename T> lt_frag<T> lt_frag_left(const threadgroup T *tile, int row, int column, int width)
{
    lt_frag<T> f;
    for (int i = 0; i < 4; i++)
        simdgroup_load(f.at[i], tile + LT_TILE_AT(row + i / 2 * 8, column + i % 2 * 8, width), width);
    return f;
}
#define lt_frag_right_across lt_frag_left /* rows of the tile are rows of this factor */
/* Rows of the tile are columns of this factor. */
template <typename T> lt_frag<T> lt_frag_right(const threadgroup T *tile, int row, int column, int width)
{
    lt_frag<T> f;
    for (int i = 0; i < 4; i++)
        simdgroup_load(f.at[i], tile + LT_TILE_AT(row + i % 2 * 8, column + i / 2 * 8, width), width, 0,
                       true);
    return f;
}
static inline lt_sums lt_sums_none()
{
    lt_sums s;
    for (int i = 0; i < 4; i++) s.at[i] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    return s;
}
template <typename T> void lt_multiply(thread lt_sums &s, thread lt_frag<T> &a, thread lt_frag<T> &b)
{
    for (int i = 0; i < 8; i++) {
        thread simdgroup_matrix<float, 8, 8> &sum = s.at[i / 2];
        simdgroup_multiply_accumulate(sum, a.at[i / 4 * 2 + i % 2], b.at[i % 2 * 2 + i / 2 % 2], sum);
    }
}
#define LT_MULTIPLY(dtype, sums, left, right) lt_multiply(sums, left, right)
static inline void lt_sums_store(lt_sums s, threadgroup float *to, int width)
{
    for (int i = 0; i < 4; i++) simdgroup_store(s.at[i], to + i / 2 * 8 * width + i % 2 * 8, width);
}
/* Math functions of formulas: M(name) for floats. Kernels are compiled without fast math: these are the
 * precise ones. */
#define LT_M(name) name
#define nearbyint rint
#define erf lt_erf
#define erfc lt_erfc
#define expm1 lt_expm1
#define log1p lt_log1p
#define lgamma lt_lgamma
#define hypot lt_hypot
#define nextafter lt_nextafter

static inline float lt_frexp(float x, thread int *exponent)
{
    int e;
    const float mantissa = frexp(x, e);
    *exponent = e;
    return mantissa;
}
#define frexp lt_frexp

/* By Horner's rule, from the highest coefficient of n. */
static inline float lt_polynomial(constant float *c, int n, float x)
{
    float sum = c[0];
    for (int i = 1; i < n; i++) sum = fma(sum, x, c[i]);
    return sum;
}

/* Coefficients are least squares fits on Chebyshev nodes. Of erf(x) / x in x * x, |x| <= 1: */
constant float lt_erf_c[] = {-9.673591193859465e-06f, 0.00011268253729213029f, -0.0008484396385028958f,
                             0.005221053492277861f,   -0.026865437626838684f,  0.11283782869577408f,
                             -0.37612637877464294f,   1.128379225730896f};
/* Of exp(x * x) * erfc(x) * (1 + 2 * x) in (x - 4) / (x + 4), 0.5 <= x: */
constant float lt_erfc_c[] = {0.00011437573266448453f, 0.0054626367054879665f, -0.016533585265278816f,
                              0.03692187741398811f,    -0.06629060208797455f,  0.0937761664390564f,
                              -0.101040318608284f,     0.06809420138597488f,   0.015379644930362701f,
                              -0.1396210640668869f,    1.2329951524734497f};
/* Of lgamma(x) / ((x - 1) * (x - 2)) in x - 1.5, 0.5 <= x <= 3: */
constant float lt_lgamma_c[] = {-0.00019276556849945337f, 0.0009338582749478519f, -0.0013756622793152928f,
                                0.00014624782488681376f,  0.000605276320129633f,  0.0017559536499902606f,
                                -0.00450411532074213f,    0.005812770687043667f,  -0.008992981165647507f,
                                0.016660572960972786f,    -0.031370364129543304f, 0.06292670220136642f,
                                -0.14595729112625122f,    0.48312869668006897f};

static inline float lt_erfc(float x)
{
    float a = fabs(x), z = x * x;
    if (a < 0.5f) return 1 - x * lt_polynomial(lt_erf_c, 8, z);
    if (a > 10.5f) return x < 0 ? 2 : 0;
    float tail =
        exp(-z) * (1 - fma(x, x, -z)) * lt_polynomial(lt_erfc_c, 11, (a - 4) / (a + 4)) / (1 + 2 * a);
    return x < 0 ? 2 - tail : tail;
}

static inline float lt_erf(float x)
{
    if (fabs(x) < 1) return x * lt_polynomial(lt_erf_c, 8, x * x);
    return x < 0 ? lt_erfc(-x) - 1 : 1 - lt_erfc(x);
}

/* Near 0, what exp rounds away is in the logarithm of its result, too. */
static inline float lt_expm1(float x)
{
    float y = exp(x);
    return y == 1 ? x : fabs(x) >= 1 ? y - 1 : (y - 1) * x / log(y);
}

static inline float lt_log1p(float x)
{
    float y = 1 + x;
    return y == 1 ? x : x >= 1 ? log(y) : log(y) * x / (y - 1);
}

/* Of x >= 0.5: near the zeros at 1 and 2, Stirling's series from 8 on, and the recurrence between them. */
static inline float lt_lgamma_right(float x)
{
    if (x < 8) {
        float product = 1;
        for (; x > 3; product *= x) x -= 1;
        return (x - 1) * (x - 2) * lt_polynomial(lt_lgamma_c, 14, x - 1.5f) + log(product);
    }
    float r = 1 / x, series = r * (0.083333333f - r * r * (0.0027777778f - r * r * 0.00079365079f));
    return x == INFINITY ? x : (x - 0.5f) * (log(x) - 1) + 0.41893853f + series;
}

static inline float lt_lgamma(float x)
{
    if (x >= 0.5f) return lt_lgamma_right(x);
    if (x > 0) return lt_lgamma_right(x + 1) - log(x);
    float part = fabs(x - rint(x));
    if (part == 0 || x == -INFINITY) return INFINITY;
    return 1.1447299f - log(sin(3.1415927f * part)) - lt_lgamma_right(1 - x);
}

static inline float lt_hypot(float x, float y)
{
    float a = fmax(fabs(x), fabs(y)), b = fmin(fabs(x), fabs(y));
    if (a == INFINITY || a == 0) return a;
    return x != x || y != y ? x + y : a * sqrt(1 + (b / a) * (b / a));
}

static inline float lt_nextafter(float x, float y)
{
    if (x != x || y != y) return x + y;
    if (x == y) return y;
    if (x == 0) return copysign(LT_FROM_BITS(1u), y);
    return LT_FROM_BITS((x < y) == (x > 0) ? LT_BITS(x) + 1 : LT_BITS(x) - 1);
}
