/* The vocabulary of kernels in CUDA C++ as NVRTC takes it, which has no headers. */
typedef signed char lt_i8;
typedef unsigned char lt_u8;
typedef short lt_i16;
typedef unsigned short lt_u16;
typedef long long lt_i64;
typedef unsigned long long lt_u64;
typedef unsigned int lt_u32;
#define LT_KERNEL extern "C" __global__ void
/* A kernel for groups of so many items, of which so many run on a multiprocessor: its compiler then spends
 * registers on loads that are under way together, and no more. */
#define LT_KERNEL_FOR(items, groups) extern "C" __launch_bounds__(items, groups) __global__ void
#define LT_BUF(index, type, name) type *name
#define LT_PARAMS(index, type, name) const __grid_constant__ type name
#define LT_IDS /* arguments that give a kernel its place */
#define LT_GLOBAL
#define LT_LOCAL
#define LT_PRIVATE
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
/* Fragments: 16 x 16 factors or sums of a product that a subgroup holds together. A tile in local memory is
 * rows of pieces of 8 elements, which change places from row to row, so that eight of a column lie in
 * different banks: among as many as are a power of two that divides how many there are. */
#define LT_SUBGROUP_BARRIER __syncwarp()
#define LT_TILE_T(dtype) lt_u16
#define LT_TILE_ALIKE(width) (((width) / 8 & -((width) / 8)) < 8 ? (width) / 8 & -((width) / 8) : 8)
#define LT_TILE_TURN(row, width) (((width) < 64 ? (row) * ((width) / 8) / 8 : (row)) % LT_TILE_ALIKE(width))
#define LT_TILE_AT(row, column, width) ((row) * (width) + ((column) / 8 ^ LT_TILE_TURN(row, width)) * 8)
#define LT_TILE_PUT(to, quad) (*(uint4 *)(to) = (quad))
#define LT_FRAG(dtype) lt_frag
typedef struct lt_frag {
    lt_u32 at[4];
} lt_frag;
typedef struct lt_sums {
    float at[8];
} lt_sums;
#ifdef __CUDA_ARCH__
#define LT_LOCAL_ADDRESS(p) ((lt_u32)__cvta_generic_to_shared(p))
#define LT_FRAG_READ(name, how)                                                                \
    LT_FN void name(lt_u32 to[4], const lt_u16 *from)                                          \
    {                                                                                          \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" how ".shared.b16 {%0, %1, %2, %3}, [%4];" \
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])                      \
                     : "r"(LT_LOCAL_ADDRESS(from)));                                           \
    }
LT_FRAG_READ(lt_frag_read, "")
LT_FRAG_READ(lt_frag_read_turned, ".trans")
#define LT_FRAG_MMA(name, type)                                                  \
    LT_FN void name(float sum[4], const lt_u32 a[4], const lt_u32 b[2])          \
    {                                                                            \
        asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type               \
            ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "                          \
            "{%8, %9}, {%0, %1, %2, %3};"                                        \
            : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])             \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])); \
    }
LT_FRAG_MMA(lt_frag_mma_bfloat16, "bf16")
LT_FRAG_MMA(lt_frag_mma_float16, "f16")
/* Starts to copy a piece, of which n elements are there; the others become zeros. */
LT_FN void lt_copy_start(lt_u16 *to, const lt_u16 *from, int n)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(LT_LOCAL_ADDRESS(to)), "l"(from), "r"(2 * n));
}
#define LT_COPY_END asm volatile("cp.async.commit_group;" : : : "memory")
#define LT_COPY_WAIT(n) asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory")
#endif
#define LT_LANE ((int)(threadIdx.x % 32))
LT_FN lt_frag lt_frag_left(const lt_u16 *tile, int row, int column, int width)
{
    lt_frag f;
    lt_frag_read(f.at, tile + LT_TILE_AT(row + LT_LANE % 16, column + LT_LANE / 16 * 8, width));
    return f;
}
/* Rows of the tile are columns of this factor. */
LT_FN lt_frag lt_frag_right(const lt_u16 *tile, int row, int column, int width)
{
    lt_frag f;
    const int down = LT_LANE % 8 + LT_LANE / 16 * 8;
    lt_frag_read(f.at, tile + LT_TILE_AT(row + down, column + LT_LANE / 8 % 2 * 8, width));
    return f;
}
/* Rows of the tile are its rows. */
LT_FN lt_frag lt_frag_right_across(const lt_u16 *tile, int row, int column, int width)
{
    lt_frag f;
    lt_frag_read_turned(f.at, tile + LT_TILE_AT(row + LT_LANE % 16, column + LT_LANE / 16 * 8, width));
    return f;
}
LT_FN lt_sums lt_sums_none()
{
    lt_sums s;
    for (int i = 0; i < 8; i++) s.at[i] = 0.0f;
    return s;
}
#define LT_MULTIPLY(dtype, sums, left, right)                         \
    (LT_PASTE(lt_frag_mma_, dtype)((sums).at, (left).at, (right).at), \
     LT_PASTE(lt_frag_mma_, dtype)((sums).at + 4, (left).at, (right).at + 2))
LT_FN void lt_sums_store(lt_sums s, float *to, int width)
{
    to += LT_LANE / 4 * width + LT_LANE % 4 * 2;
    for (int i = 0; i < 8; i++) to[i / 2 % 2 * 8 * width + i / 4 * 8 + i % 2] = s.at[i];
}
