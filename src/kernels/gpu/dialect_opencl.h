/* The vocabulary of kernels in OpenCL C 1.2. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
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
/* Math functions of formulas: M(name) for floats, MD(name) for doubles. */
#define LT_M(name) name
#define LT_MD(name) name
#define nearbyint rint
