// CUDA's words for this machine's CPU: as many as kernels use.
#include "kernel.hh"
#include <math.h>
#include <string.h>

#define __global__ [[standin::kernel]]
#define __device__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline
#define __shared__ STANDIN_LOCAL
#define __syncthreads() standin_barrier()

static const struct {
    struct dim {
        const unsigned &x, &y, &z;
    };
    dim thread, block;
} standin_cuda = {{standin_here.item[0], standin_here.item[1], standin_here.item[2]},
                  {standin_here.group[0], standin_here.group[1], standin_here.group[2]}};
#define threadIdx standin_cuda.thread
#define blockIdx standin_cuda.block

static inline int __float_as_int(float x)
{
    int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __int_as_float(int bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct uint4 {
    unsigned x, y, z, w;
};
static inline float __shfl_xor_sync(unsigned mask, float x, int lanes)
{
    if (mask != 0xffffffffu) __builtin_trap();
    return standin_exchange<float>::meet(x)[standin_lane() ^ lanes];
}
