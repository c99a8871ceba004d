/* Checks every kernel of every level that this processor has, lowest level first. Usage:
 *   checkasm [--seed N] [--bench] [--threads N] [--only SUITE] [--level LEVEL]
 * The seed is printed; --bench prints shares of the machine's measured limits instead of checking. */
#define _GNU_SOURCE
#include "checkasm.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/half.h"
#include "base/os.h"

static const check_suite *const suites[] = {&check_gemm, &check_packed, &check_attention, &check_rows,
                                            &check_conv, &check_blocks, &check_winograd};

enum { MAX_BUFFERS = 200, REGION = 8 << 20, CANARY = 256, FILL = 0xff, MAX_FAILURES = 20 };

static struct {
    uint64_t random;
    char *regions[MAX_BUFFERS]; /* REGION bytes, then an unmapped page */
    size_t sizes[MAX_BUFFERS];  /* bytes of the buffer at the end of each; 0: free */
    char name[256];
    const char *suite, *level;
    long cases, failures;
    sigjmp_buf crash;
} state;

/* ---- Random ---- */

uint64_t check_random(void) /* splitmix64 */
{
    uint64_t z = (state.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t check_range(int64_t low, int64_t high)
{
    return low + (int64_t)(check_random() % (uint64_t)(high - low + 1));
}

float check_float(void) { return (float)((double)(check_random() >> 11) * 0x1p-52 - 1); }

void check_floats(float *out, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i++) out[i] = check_float() * scale;
}

/* ---- Storage types ---- */

size_t check_size(lt_gemm_type type) { return type == LT_GEMM_F32 ? 4 : 2; }

void check_put(lt_gemm_type type, void *array, int64_t i, float value)
{
    switch (type) {
    case LT_GEMM_F32: ((float *)array)[i] = value; break;
    case LT_GEMM_BF16: ((uint16_t *)array)[i] = lt_f32_to_bf16(value); break;
    default: ((uint16_t *)array)[i] = lt_f32_to_f16(value); break;
    }
}

double check_get(lt_gemm_type type, const void *array, int64_t i)
{
    switch (type) {
    case LT_GEMM_F32: return (double)((const float *)array)[i];
    case LT_GEMM_BF16: return (double)lt_bf16_to_f32(((const uint16_t *)array)[i]);
    default: return (double)lt_f16_to_f32(((const uint16_t *)array)[i]);
    }
}

double check_rounding(lt_gemm_type type)
{
    return type == LT_GEMM_F32 ? 0x1p-24 : type == LT_GEMM_BF16 ? 0x1p-8 : 0x1p-11;
}

/* ---- Buffers ---- */

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void make_regions(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < MAX_BUFFERS; i++) {
        state.regions[i] = mmap(NULL, REGION + page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (state.regions[i] == MAP_FAILED) die("mmap");
        if (mprotect(state.regions[i] + REGION, page, PROT_NONE) != 0) die("mprotect");
    }
}

void *check_buffer(size_t bytes)
{
    for (int i = 0; i < MAX_BUFFERS; i++) {
        if (state.sizes[i]) continue;
        if (bytes + CANARY > REGION) break;
        char *buffer = state.regions[i] + REGION - bytes;
        memset(buffer - CANARY, FILL, bytes + CANARY);
        state.sizes[i] = bytes + CANARY;
        return buffer;
    }
    fprintf(stderr, "no room for a buffer of %zu bytes\n", bytes);
    exit(2);
}

float *check_float_buffer(int64_t n)
{
    float *out = check_buffer((size_t)n * sizeof *out);
    check_floats(out, n, 1);
    return out;
}

static void release_buffers(void)
{
    for (int i = 0; i < MAX_BUFFERS; i++) {
        if (state.sizes[i])
            check_untouched(state.regions[i] + REGION - state.sizes[i], CANARY, "in front of a buffer");
        state.sizes[i] = 0;
    }
}

void check_untouched(const void *from, size_t bytes, const char *what)
{
    const unsigned char *at = from;
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != FILL) {
            check_fail("wrote %s (byte %zu)", what, i);
            return;
        }
}

/* ---- Cases ---- */

void check_case(const char *format, ...)
{
    if (*state.name) release_buffers();
    va_list args;
    va_start(args, format);
    vsnprintf(state.name, sizeof state.name, format, args);
    va_end(args);
    state.cases++;
}

void check_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (++state.failures <= MAX_FAILURES) {
        printf("FAIL %s %s: ", state.level, state.name);
        vprintf(format, args);
        printf("\n");
        fflush(stdout);
    }
    va_end(args);
}

void check_close(float got, double want, double tolerance, const char *what, int64_t i, int64_t j)
{
    bool same = isnan(want)   ? isnan(got)
                : isinf(want) ? isinf(got) && (got > 0) == (want > 0)
                              : fabs((double)got - want) <= tolerance;
    if (!same)
        check_fail("%s[%lld, %lld] is %.9g, expected %.9g within %.3g", what, (long long)i, (long long)j,
                   (double)got, want, tolerance);
}

static void on_crash(int number) { siglongjmp(state.crash, number); }

static void catch_crashes(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < LT_COUNT(signals); i++) sigaction(signals[i], &action, NULL);
}

static void check_suite_run(const check_suite *suite, const lt_cpu_kernels *kernels,
                            const lt_cpu_kernels *below)
{
    long cases = state.cases, failures = state.failures;
    state.level = lt_cpu_level_name(kernels->level);
    int signal = sigsetjmp(state.crash, 1);
    if (signal == 0) suite->check(kernels, below);
    else check_fail("signal %d (%s)", signal, strsignal(signal));
    release_buffers();
    *state.name = 0;
    if (state.cases != cases)
        printf("%-10s %-10s %6ld cases %s\n", state.level, suite->name, state.cases - cases,
               state.failures == failures ? "ok" : "FAILED");
}

/* ---- Speed ---- */

lt_pool *check_pool;

enum { SAMPLES = 40, WINDOW = 48 << 20, WINDOWS = 12, ROUNDS = 100000 };
static const double enough_seconds = 0.6;

/* What the machine can do, measured beside every kernel, because other programs share it. */
static struct {
    const lt_cpu_kernels *kernels;
    float *data; /* WINDOWS windows of WINDOW bytes */
    int64_t window;
    double read_seconds, fma_seconds;
    volatile float sink; /* keeps the work from being optimised away */
} limits;

void *check_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memset(memory, 0x3c, bytes);
}

void check_memory_free(void *memory, size_t bytes) { munmap(memory, bytes); }

/* Every call reads the next window, so that nothing comes from a cache. */
static void read_work(void *context, int64_t begin, int64_t end)
{
    (void)context;
    limits.sink = limits.kernels->probe_read(limits.data + limits.window + begin, end - begin);
}

static void fma_work(void *context, int64_t begin, int64_t end)
{
    (void)context;
    for (int64_t i = begin; i < end; i++) limits.sink = limits.kernels->probe_fma(ROUNDS);
}

/* One run, kept if it is the fastest yet. */
static void sample(lt_work work, void *context, int64_t n, int64_t grain, double *least)
{
    double start = lt_os_seconds();
    lt_pool_run(check_pool, n, grain, work, context);
    double seconds = lt_os_seconds() - start;
    if (seconds < *least) *least = seconds;
}

double check_time(lt_work work, void *context, int64_t n, int64_t grain)
{
    double least = INFINITY, start = lt_os_seconds();
    limits.read_seconds = limits.fma_seconds = INFINITY;
    lt_pool_run(check_pool, n, grain, work, context);
    for (int i = 0; i < SAMPLES && (i < 5 || lt_os_seconds() - start < enough_seconds); i++) {
        limits.window = i % WINDOWS * (WINDOW / (int64_t)sizeof(float));
        sample(read_work, NULL, WINDOW / (int64_t)sizeof(float), 4096, &limits.read_seconds);
        sample(fma_work, NULL, lt_pool_threads(check_pool), 1, &limits.fma_seconds);
        sample(work, context, n, grain, &least);
    }
    return least;
}

void check_report(const char *what, double seconds, double bytes, double flops, double seconds_below)
{
    double bandwidth = WINDOW / limits.read_seconds;
    double peak = lt_pool_threads(check_pool) * ROUNDS * limits.kernels->probe_fma_flops / limits.fma_seconds;
    printf("  %-44s %9.3f ms", what, seconds * 1e3);
    if (bytes > 0)
        printf("  %6.2f GB/s (%3.0f %% of %.1f)", bytes / seconds * 1e-9, 100 * bytes / seconds / bandwidth,
               bandwidth * 1e-9);
    if (flops > 0)
        printf("  %7.2f GFLOP/s (%3.0f %% of %.0f)", flops / seconds * 1e-9, 100 * flops / seconds / peak,
               peak * 1e-9);
    if (seconds_below > 0) printf("  %6.2fx", seconds_below / seconds);
    printf("\n");
    fflush(stdout);
}

/* ---- Main ---- */

static void run_level(lt_cpu_level level, lt_cpu_kernels *below, const char *only, bool bench)
{
    lt_cpu_kernels kernels;
    lt_cpu_kernels_init(&kernels, level);
    if (bench) printf("%s\n", lt_cpu_level_name(level));
    for (size_t i = 0; i < LT_COUNT(suites); i++) {
        if (only && strcmp(only, suites[i]->name) != 0) continue;
        if (bench) suites[i]->bench(&kernels, below);
        else check_suite_run(suites[i], &kernels, below);
    }
    *below = kernels;
}

/* Each level on the way to the processor's own; those of its architecture that it lacks are named. */
static void run_levels(const char *only, const char *wanted, bool bench)
{
    lt_cpu_level highest = lt_cpu_detect(NULL);
    lt_cpu_level first = highest >= LT_CPU_NEON ? LT_CPU_NEON : LT_CPU_AVX2;
    lt_cpu_level last = highest >= LT_CPU_NEON ? LT_CPU_I8MM : LT_CPU_AVX512BF16;
    lt_cpu_kernels below = {0};
    if (!wanted || strcmp(wanted, lt_cpu_level_name(LT_CPU_GENERIC)) == 0)
        run_level(LT_CPU_GENERIC, &below, only, bench);
    else if (bench) lt_cpu_kernels_init(&below, LT_CPU_GENERIC);
    for (int i = (int)first; i <= (int)last; i++) {
        lt_cpu_level level = (lt_cpu_level)i;
        if (wanted && strcmp(wanted, lt_cpu_level_name(level)) != 0) continue;
        if (level <= highest) run_level(level, &below, only, bench);
        else printf("%-10s not run: this processor lacks it\n", lt_cpu_level_name(level));
    }
}

int main(int argc, char **argv)
{
    const char *only = NULL, *level = NULL;
    bool bench = false;
    int threads = lt_pool_default_threads();
    state.random = (uint64_t)(lt_os_seconds() * 1e6);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0) bench = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) state.random = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) only = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--level") == 0 && i + 1 < argc) level = argv[++i];
        else {
            fprintf(stderr, "usage: %s [--seed N] [--bench] [--threads N] [--only SUITE] [--level LEVEL]\n",
                    argv[0]);
            return 2;
        }
    }
    lathe_error err;
    if (lt_pool_create(threads, &check_pool, &err) != LATHE_OK) die(err.message);
    lt_cpu_kernels best;
    lt_cpu_kernels_init(&best, lt_cpu_detect(NULL));
    if (bench) {
        limits.kernels = &best;
        limits.data = check_memory((size_t)WINDOWS * WINDOW);
    } else {
        printf("seed %llu\n", (unsigned long long)state.random);
        make_regions();
        catch_crashes();
    }
    run_levels(only, level, bench);
    lt_pool_destroy(check_pool);
    if (!bench) printf("%ld cases, %ld failures\n", state.cases, state.failures);
    return state.failures ? 1 : 0;
}
