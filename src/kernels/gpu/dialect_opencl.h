/* The vocabulary of kernels in OpenCL C 1.2. */
#pragma OPENCL FP_CONTRACT OFF
typedef char lt_i8;
typedef uchar lt_u8;
typedef short lt_i16;
typedef ushort lt_u16;
typedef long lt_i64;
typedef ulong lt_u64;
typedef uint lt_u32;
#define LT_KERNEL __kernel void
#define LT_BUF(index, type, name) __global type *name
#define LT_PARAMS(index, type, name) const type name
#define LT_IDS /* arguments that give a kernel its place */
#define LT_GLOBAL __global
#define LT_LOCAL __local
#define LT_PRIVATE __private
#define LT_FN static inline
#define LT_LOCAL_ARRAY(type, name, count) __local type name[count]
#define LT_BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define LT_GROUP(dim) ((int)get_group_id(dim))
#define LT_ITEM(dim) ((int)get_local_id(dim))
#define LT_BITS(x) as_uint(x)       /* of a float */
#define LT_FROM_BITS(x) as_float(x) /* the float */
#define LT_FMA(a, b, c) fma(a, b, c)
#define LT_ALIGNED(p) ((size_t)(p) % 16 == 0)
/* Math functions of formulas: M(name) for floats, MD(name) for doubles. */
#define LT_M(name) name
#define LT_MD(name) name
#define nearbyint rint
/* Some drivers' tanh does not quite reach 1. */
static inline float __attribute__((overloadable)) lt_tanh(float x)
{
    return fabs(x) > 20 ? copysign(1.0f, x) : tanh(x);
}
#ifdef cl_khr_fp64
static inline double __attribute__((overloadable)) lt_tanh(double x)
{
    return fabs(x) > 20 ? copysign(1.0, x) : tanh(x);
}
#endif
#undef tanh
#define tanh lt_tanh
/* Vectors: see the end of common.k. */
#define LT_HAS_LANES 1
typedef float16 lt_lanes;
#define lt_lanes_of(x) ((float16)(x))
#define lt_lanes_fma(a, b, c) fma(a, b, c)
#define LT_LANES_AT(a, i) ((a)[i])
/* To and from local memory. */
#define lt_lanes_store(x, p) vstore16(x, 0, p)
#define lt_lanes_local(p) vload16(0, p)
#define lt_lanes_load_float32(p) vload16(0, p)
#define lt_lanes_load_bfloat16(p) as_float16(convert_uint16(vload16(0, p)) << 16)
#define lt_lanes_load_int8(p) convert_float16(vload16(0, p))
#define lt_lanes_load_float16(p) vload_half16(0, (__global const half *)(p))
typedef uint16 lt_lane_words;
#define lt_lane_words_load(p) vload16(0, p)
#define lt_lane_words_bytes(p) convert_uint16(vload16(0, p))
#define lt_lane_words_field(words, shift, mask, flip, zero) \
    (as_float16((((words) >> (uint16)(shift)) & (mask)) ^ (0x4b000000u | (flip))) - (8388608.0f + (zero)))
static inline float lt_lanes_sum(float16 a)
{
    float8 b = a.lo + a.hi;
    float4 c = b.lo + b.hi;
    float2 d = c.lo + c.hi;
    return d.x + d.y;
}
#define lt_lanes_exp(a) exp(a)
static inline float lt_lanes_most(float16 a)
{
    float8 b = fmax(a.lo, a.hi);
    float4 c = fmax(b.lo, b.hi);
    float2 d = fmax(c.lo, c.hi);
    return fmax(d.x, d.y);
}
/* The sums of sixteen, side by side: each step adds halves of two vectors, and halves their number. */
static inline float16 lt_lanes_sums(const float16 *a)
{
    float16 b[8], c[4], d[2];
#pragma unroll
    for (int i = 0; i < 8; i++) b[i] = (float16)(a[i].lo, a[i + 8].lo) + (float16)(a[i].hi, a[i + 8].hi);
#pragma unroll
    for (int i = 0; i < 4; i++)
        c[i] = (float16)(b[i].s0123, b[i + 4].s0123, b[i].s89ab, b[i + 4].s89ab) +
               (float16)(b[i].s4567, b[i + 4].s4567, b[i].scdef, b[i + 4].scdef);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        float16 x = c[i], y = c[i + 2];
        d[i] = (float16)(x.s01, y.s01, x.s45, y.s45, x.s89, y.s89, x.scd, y.scd) +
               (float16)(x.s23, y.s23, x.s67, y.s67, x.sab, y.sab, x.sef, y.sef);
    }
    float16 x = d[0], y = d[1];
    return (float16)(x.s0, y.s0, x.s2, y.s2, x.s4, y.s4, x.s6, y.s6, x.s8, y.s8, x.sa, y.sa, x.sc, y.sc, x.se,
                     y.se) +
           (float16)(x.s1, y.s1, x.s3, y.s3, x.s5, y.s5, x.s7, y.s7, x.s9, y.s9, x.sb, y.sb, x.sd, y.sd, x.sf,
                     y.sf);
}
