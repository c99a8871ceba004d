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

// Fragments: what dialect_cuda.h says in assembly. Lanes hold them as the instructions are described in PTX.
#define __syncwarp() standin_subgroup()

static inline void standin_aligned(const void *p)
{
    if ((unsigned long)p % 16) __builtin_trap();
}

static inline void lt_frag_read(unsigned to[4], const unsigned short *from)
{
    standin_aligned(from);
    const unsigned lane = standin_lane();
    auto rows = standin_exchange<const unsigned short *>::meet(from);
    for (unsigned i = 0; i < 4; i++) memcpy(&to[i], rows[8 * i + lane / 4] + lane % 4 * 2, sizeof to[i]);
}

static inline void lt_frag_read_turned(unsigned to[4], const unsigned short *from)
{
    standin_aligned(from);
    const unsigned lane = standin_lane();
    auto rows = standin_exchange<const unsigned short *>::meet(from);
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = 8 * i + lane % 4 * 2;
        to[i] = rows[row][lane / 4] | (unsigned)rows[row + 1][lane / 4] << 16;
    }
}

struct standin_factors {
    unsigned a[4], b[2];
};

template <float (*value)(unsigned short)> void standin_mma(float sum[4], const unsigned a[4], const unsigned b[2])
{
    standin_factors own;
    memcpy(own.a, a, sizeof own.a);
    memcpy(own.b, b, sizeof own.b);
    const unsigned lane = standin_lane();
    auto all = standin_exchange<standin_factors>::meet(own);
    for (unsigned i = 0; i < 4; i++) {
        const unsigned column = lane % 4 * 2 + i % 2;
        for (unsigned k = 0; k < 16; k++) {
            const unsigned half = k % 2 * 16, at = k % 8 / 2;
            const unsigned left = all[lane / 4 * 4 + at].a[i / 2 + k / 8 * 2], right = all[column * 4 + at].b[k / 8];
            sum[i] += value((unsigned short)(left >> half)) * value((unsigned short)(right >> half));
        }
    }
}
#define lt_frag_mma_bfloat16 standin_mma<standin_from_bfloat16>
#define lt_frag_mma_float16 standin_mma<standin_from_float16>

// Copies that were started are made when they are waited for, and not before.
static struct standin_copies {
    struct {
        unsigned short *to;
        const unsigned short *from;
        int n;
        unsigned group;
    } all[64];
    unsigned count, group;
} standin_copies[1024];

static inline struct standin_copies &standin_own_copies() { return standin_copies[standin_here.item[0]]; }

static inline void lt_copy_start(unsigned short *to, const unsigned short *from, int n)
{
    standin_aligned(to);
    standin_aligned(from);
    auto &c = standin_own_copies();
    if (c.count == 64 || n < 0 || n > 8) __builtin_trap();
    c.all[c.count++] = {to, from, n, c.group};
}
#define LT_COPY_END (standin_own_copies().group++)
#define LT_COPY_WAIT(n) standin_wait_copies(n)
static inline void standin_wait_copies(unsigned running)
{
    auto &c = standin_own_copies();
    unsigned left = 0;
    for (unsigned i = 0; i < c.count; i++) {
        if (c.all[i].group + running >= c.group) {
            c.all[left++] = c.all[i];
            continue;
        }
        memset(c.all[i].to, 0, 16);
        memcpy(c.all[i].to, c.all[i].from, 2 * (size_t)c.all[i].n);
    }
    c.count = left;
}
