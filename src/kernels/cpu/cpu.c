/* Level detection and the kernel table. */
#include "kernels/cpu/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/os.h"

const char *lt_cpu_level_name(lt_cpu_level level)
{
    static const char *const names[LT_CPU_LEVELS] = {"generic", "avx2",    "avx512", "avx512bf16",
                                                     "neon",    "dotprod", "i8mm"};
    return level < LT_CPU_LEVELS ? names[level] : "?";
}

#if defined(__x86_64__)
/* clang 14's __builtin_cpu_supports does not know the name. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static lt_cpu_level highest(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init(); /* looks at cpuid and at what the system saves (xgetbv) */
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    return bf16 ? LT_CPU_AVX512BF16 : avx512 ? LT_CPU_AVX512 : avx2 ? LT_CPU_AVX2 : LT_CPU_GENERIC;
#elif defined(__aarch64__)
    const unsigned matrix = LT_ARM_DOTPROD | LT_ARM_I8MM | LT_ARM_BF16, features = lt_os_arm_features();
    if ((features & matrix) == matrix) return LT_CPU_I8MM;
    return features & LT_ARM_DOTPROD ? LT_CPU_DOTPROD : LT_CPU_NEON;
#else
    return LT_CPU_GENERIC;
#endif
}

lt_cpu_level lt_cpu_detect(const char *mask)
{
    lt_cpu_level level = highest();
    for (int i = 0; mask && i < LT_CPU_LEVELS; i++)
        if (strcmp(mask, lt_cpu_level_name((lt_cpu_level)i)) == 0 && i < (int)level) return (lt_cpu_level)i;
    return level;
}

void lt_cpu_kernels_init(lt_cpu_kernels *kernels, lt_cpu_level level)
{
    *kernels = (lt_cpu_kernels){.level = level};
    lt_cpu_fill_generic(kernels);
#if defined(__x86_64__)
    if (level >= LT_CPU_AVX2) lt_cpu_fill_avx2(kernels);
    if (level >= LT_CPU_AVX512) lt_cpu_fill_avx512(kernels);
    if (level >= LT_CPU_AVX512BF16) lt_cpu_fill_avx512bf16(kernels);
#elif defined(__aarch64__)
    if (level >= LT_CPU_NEON) lt_cpu_fill_neon(kernels);
    if (level >= LT_CPU_DOTPROD) lt_cpu_fill_dotprod(kernels);
    if (level >= LT_CPU_I8MM) lt_cpu_fill_i8mm(kernels);
#endif
}
