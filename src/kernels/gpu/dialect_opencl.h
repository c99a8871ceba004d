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
#define lt_lanes_load_float32(p) vload16(0, p)
#define lt_lanes_load_bfloat16(p) as_float16(convert_uint16(vload16(0, p)) << 16)
#define lt_lanes_load_float16(p) vload_half16(0, (__global const half *)(p))
static inline float lt_lanes_sum(float16 a)
{
    float8 b = a.lo + a.hi;
    float4 c = b.lo + b.hi;
    float2 d = c.lo + c.hi;
    return d.x + d.y;
}
