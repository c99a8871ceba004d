/* The vocabulary of kernels in CUDA C++ as NVRTC takes it, which has no headers. */
typedef signed char lt_i8;
typedef unsigned char lt_u8;
typedef short lt_i16;
typedef unsigned short lt_u16;
typedef long long lt_i64;
typedef unsigned long long lt_u64;
typedef unsigned int lt_u32;
#define LT_KERNEL extern "C" __global__ void
/* A kernel for groups of so many items, of which so many run on a multiprocessor: its compiler then spends registers on
 * loads that are under way together, and no more. */
#define LT_KERNEL_FOR(items, groups) extern "C" __launch_bounds__(items, groups) __global__ void
#define LT_BUF(index, type, name) type *name
#define LT_PARAMS(index, type, name) const __grid_constant__ type name
#define LT_IDS /* arguments that give a kernel its place */
#define LT_GLOBAL
#define LT_LOCAL
#define LT_FN static __device__ inline
#define LT_LOCAL_ARRAY(type, name, count) __shared__ type name[count]
#define LT_BARRIER __syncthreads()
#define LT_GROUP(dim) ((int)((dim) == 0 ? blockIdx.x : (dim) == 1 ? blockIdx.y : blockIdx.z))
#define LT_ITEM(dim) ((int)((dim) == 0 ? threadIdx.x : (dim) == 1 ? threadIdx.y : threadIdx.z))
#define LT_BITS(x) ((lt_u32)__float_as_int(x))   /* of a float */
#define LT_FROM_BITS(x) __int_as_float((int)(x)) /* the float */
#define LT_FMA(a, b, c) fmaf(a, b, c)
#define LT_UNROLL _Pragma("unroll")
#define LT_ALIGNED(p) ((lt_u64)(p) % 16 == 0)
#define LT_SHUFFLE_XOR(x, lanes) __shfl_xor_sync(0xffffffffu, x, lanes)
/* Math functions of formulas: M(name) for floats, MD(name) for doubles. */
#define LT_M(name) name##f
#define LT_MD(name) name
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#ifdef __CUDA_ARCH__
#define LT_HAS_HALF
LT_FN float lt_from_float16(lt_u16 x)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x));
    return value;
}
LT_FN lt_u16 lt_to_float16(float x)
{
    lt_u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
#endif
