/* What the machine can do at most: read bandwidth and float32 multiply-adds, by lathe's own kernels and
 * threads. */
#include "backend/cpu.h"
#include "base/os.h"

enum { READ_FLOATS = 1 << 28, LEAST_FLOATS = 1 << 22, ROUNDS = 1 << 19, JOBS = 8, REPEATS = 3 };

typedef struct lt_probe {
    const lt_cpu_kernels *kernels;
    const float *data;
    _Atomic float sink; /* keeps the work alive */
} lt_probe;

static void read_part(void *context, int64_t begin, int64_t end)
{
    lt_probe *probe = context;
    probe->sink = probe->kernels->probe_read(probe->data + begin, end - begin);
}

/* Jobs of so many rounds each. */
static void fma_part(void *context, int64_t begin, int64_t end)
{
    lt_probe *probe = context;
    for (; begin < end; begin++) probe->sink = probe->kernels->probe_fma(ROUNDS);
}

/* The shortest of some runs. */
static double fastest(const lt_cpu *cpu, int64_t count, int64_t grain, lt_work work, lt_probe *probe)
{
    double best = 0;
    for (int i = 0; i < REPEATS; i++) {
        double start = lt_os_seconds();
        lt_pool_run(cpu->pool, count, grain, work, probe);
        double seconds = lt_os_seconds() - start;
        if (i == 0 || seconds < best) best = seconds;
    }
    return best;
}

static lathe_status measure(const lt_cpu *cpu, lathe_limits *out, lathe_error *err)
{
    int64_t floats = READ_FLOATS;
    float *data = NULL;
    while (!(data = lt_os_alloc((size_t)floats * sizeof *data)) && floats > LEAST_FLOATS) floats /= 2;
    if (!data) return lt_out_of_memory(err, LEAST_FLOATS, sizeof *data);
    for (int64_t i = 0; i < floats; i++) data[i] = (float)(i & 1023);
    lt_probe probe = {.kernels = &cpu->kernels, .data = data};
    int threads = lt_pool_threads(cpu->pool);
    out->read_bytes_per_second = (double)floats * sizeof *data / fastest(cpu, floats, 64, read_part, &probe);
    out->flops_per_second = threads * (double)JOBS * ROUNDS * cpu->kernels.probe_fma_flops /
                            fastest(cpu, threads * JOBS, 1, fma_part, &probe);
    out->level = lt_cpu_level_name(cpu->kernels.level);
    out->threads = threads;
    lt_os_free(data);
    return LATHE_OK;
}

lathe_status lathe_measure_limits(int threads, lathe_limits *out, lathe_error *err)
{
    lt_cpu *cpu;
    LT_TRY(lt_cpu_create(threads, &cpu, err));
    lathe_status status = measure(cpu, out, err);
    lt_cpu_destroy(cpu);
    return status;
}
